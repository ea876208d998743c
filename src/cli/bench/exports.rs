use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::pictures::check_picture;
#[cfg(feature = "plot")]
use crate::cli::pictures::format_of;
use crate::cli::to_json;
use crate::io::output::OutputFile;
use crate::report::BenchReport;

/// The files that results are written to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct ExportArguments {
    /// Write the results as JSON, for --baseline
    #[arg(long, value_name = "FILE")]
    export_json: Option<PathBuf>,

    /// Write the results as CSV
    #[arg(long, value_name = "FILE")]
    export_csv: Option<PathBuf>,

    /// Write the table as Markdown
    #[arg(long, value_name = "FILE")]
    export_markdown: Option<PathBuf>,

    /// Draw the throughput by size; a .svg or a .png file
    #[arg(long, value_name = "FILE.svg|png")]
    plot: Option<PathBuf>,
}

impl ExportArguments {
    /// The files, by the options that name them.
    pub(super) fn outputs(&self) -> [(&'static str, Option<&Path>); 4] {
        [
            ("--export-json", self.export_json.as_deref()),
            ("--export-csv", self.export_csv.as_deref()),
            ("--export-markdown", self.export_markdown.as_deref()),
            ("--plot", self.plot.as_deref()),
        ]
    }

    /// Refuses a picture in a format that is not drawn.
    pub(super) fn check(&self) -> Result<(), CliError> {
        self.plot.as_deref().map_or(Ok(()), check_picture)
    }

    /// Begins all files, then writes them, after everything is measured: a driver
    /// that ends the program leaves none.
    pub(super) fn write(&self, report: &BenchReport) -> Result<(), CliError> {
        let begun = |path: &Option<PathBuf>| path.as_deref().map(OutputFile::create).transpose();
        let [json, csv, markdown, plot] = [
            begun(&self.export_json)?,
            begun(&self.export_csv)?,
            begun(&self.export_markdown)?,
            begun(&self.plot)?,
        ];
        if let Some(file) = json {
            file.finish_with(format!("{}\n", to_json(report)?).as_bytes())?;
        }
        if let (Some(file), Some(path)) = (csv, &self.export_csv) {
            report.write_csv(path, file)?;
        }
        if let Some(file) = markdown {
            file.finish_with(report.to_markdown().as_bytes())?;
        }
        #[cfg(feature = "plot")]
        if let (Some(file), Some(path)) = (plot, &self.plot) {
            use crate::report::pictures::throughput;
            file.finish_with(&throughput(report, format_of(path))?)?;
        }
        #[cfg(not(feature = "plot"))]
        drop(plot);
        Ok(())
    }
}
