use std::path::{Path, PathBuf};

use clap::Args;

use super::error::CliError;
use crate::engine::Engine;
use crate::fit::ManyFits;
use crate::io::fits::Keys;
use crate::io::output::OutputFile;
use crate::math::Moments;
#[cfg(feature = "plot")]
use crate::report::pictures::PictureFormat;
use crate::report::{FitReport, InputFile, ManyReport, Trace};

/// The pictures of a fit.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct PictureArguments {
    /// Draw T against X with the line, or maps or histograms of many fits; a .svg or a .png file
    #[arg(long, value_name = "FILE.svg|png")]
    plot: Option<PathBuf>,

    /// Write numbers and pictures to one page for a browser; it needs no other file
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

/// The files of pictures, begun.
pub(super) struct Begun {
    plot: Option<(PathBuf, OutputFile)>,
    report: Option<(PathBuf, OutputFile)>,
}

/// The findings of many fits that are drawn.
pub(super) struct FoundMany<'a> {
    pub(super) fits: &'a ManyFits,
    pub(super) keys: &'a Keys,
    pub(super) report: &'a ManyReport,
    pub(super) files: Vec<InputFile>,
}

/// The findings of a fit that are drawn.
pub(super) struct Found<'a> {
    pub(super) engine: &'a mut dyn Engine,
    pub(super) report: &'a FitReport,
    pub(super) moments: &'a Moments,
    pub(super) trace: Trace,
    pub(super) files: Vec<InputFile>,
}

impl PictureArguments {
    /// The files, by the options that name them.
    pub(super) fn outputs(&self) -> [(&'static str, Option<&Path>); 2] {
        [("--plot", self.plot.as_deref()), ("--report", self.report.as_deref())]
    }

    /// Refuses formats that are not written.
    pub(super) fn check(&self) -> Result<(), CliError> {
        if let Some(path) = &self.plot {
            check_picture(path)?;
        }
        let is_page = |path: &Path| {
            path.extension().is_some_and(|e| e.eq_ignore_ascii_case("html") || e.eq_ignore_ascii_case("htm"))
        };
        match &self.report {
            Some(path) if !is_page(path) => {
                Err(CliError::Usage("--report writes .html files; give such a name".to_owned()))
            }
            Some(_) => built(),
            None => Ok(()),
        }
    }

    /// Begins the files.
    pub(super) fn begin(&self) -> Result<Begun, CliError> {
        let begun = |path: &Option<PathBuf>| {
            path.as_ref().map(|path| Ok::<_, CliError>((path.clone(), OutputFile::create(path)?))).transpose()
        };
        Ok(Begun { plot: begun(&self.plot)?, report: begun(&self.report)? })
    }
}

/// Refuses a picture in a format that is not drawn.
pub(super) fn check_picture(path: &Path) -> Result<(), CliError> {
    let is_picture =
        path.extension().is_some_and(|e| e.eq_ignore_ascii_case("svg") || e.eq_ignore_ascii_case("png"));
    if is_picture {
        return built();
    }
    Err(CliError::Usage("--plot draws .svg and .png files; give such a name".to_owned()))
}

fn built() -> Result<(), CliError> {
    if cfg!(feature = "plot") {
        return Ok(());
    }
    Err(CliError::Usage("this linfit was built without pictures; build it with its feature plot".to_owned()))
}

#[cfg(not(feature = "plot"))]
impl Begun {
    /// Nothing was begun.
    #[expect(clippy::unnecessary_wraps, reason = "the signature of the one that draws")]
    pub(super) fn draw(self, found: Found<'_>) -> Result<(), CliError> {
        let Found { engine, report, moments, trace, files } = found;
        let _ = (self.plot, self.report, engine.info(), report, moments, trace, files);
        Ok(())
    }

    /// Nothing was begun.
    #[expect(clippy::unnecessary_wraps, reason = "the signature of the one that draws")]
    pub(super) fn draw_many(self, found: FoundMany<'_>) -> Result<(), CliError> {
        let FoundMany { fits, keys, report, files } = found;
        let _ = (self.plot, self.report, fits, keys, report, files);
        Ok(())
    }
}

#[cfg(feature = "plot")]
impl Begun {
    /// Makes the passes that pictures need, and draws them.
    pub(super) fn draw(self, found: Found<'_>) -> Result<(), CliError> {
        use crate::report::pictures::density;
        use crate::report::{FitView, Provenance, page};

        if self.plot.is_none() && self.report.is_none() {
            return Ok(());
        }
        let Found { engine, report, moments, trace, files } = found;
        let view = FitView::of(engine, report, moments, trace)?;
        if let Some((path, file)) = self.plot {
            file.finish_with(&density(&view, format_of(&path))?)?;
        }
        if let Some((_, file)) = self.report {
            let provenance = Provenance { command: command(), files };
            file.finish_with(page(report, &view, &provenance)?.as_bytes())?;
        }
        Ok(())
    }

    /// Draws many fits, which takes no pass.
    pub(super) fn draw_many(self, found: FoundMany<'_>) -> Result<(), CliError> {
        use crate::report::pictures::many;
        use crate::report::{ManyView, Provenance, many_page};

        if self.plot.is_none() && self.report.is_none() {
            return Ok(());
        }
        let FoundMany { fits, keys, report, files } = found;
        let view = ManyView::of(fits, keys, report);
        if let Some((path, file)) = self.plot {
            file.finish_with(&many(&view, format_of(&path))?)?;
        }
        if let Some((_, file)) = self.report {
            let provenance = Provenance { command: command(), files };
            file.finish_with(many_page(report, &view, &provenance)?.as_bytes())?;
        }
        Ok(())
    }
}

/// The format that the name of a file says.
#[cfg(feature = "plot")]
pub(super) fn format_of(path: &Path) -> PictureFormat {
    PictureFormat::of(path).unwrap_or(PictureFormat::Svg)
}

/// The command as a shell takes it.
#[cfg(feature = "plot")]
fn command() -> String {
    let quoted = |argument: String| {
        let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%".contains(c);
        if !argument.is_empty() && argument.chars().all(is_plain) {
            argument
        } else {
            format!("'{}'", argument.replace('\'', "'\\''"))
        }
    };
    let arguments =
        std::env::args_os().skip(1).map(|argument| quoted(argument.to_string_lossy().into_owned()));
    std::iter::once("linfit".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}
