use clap::Args;

use super::error::CliError;
use super::reading::ReadingArguments;
use super::{Outcome, print};
use crate::array::{MemoryPlan, shown};
use crate::io::Source;
use crate::report::FileReport;

/// Lists the arrays, bands or columns of a file, and how each is read
#[derive(Debug, Args)]
#[command(after_help = "\
Of each: the key to open it by, its shape, its type, the mark of its missing values, its compression,
its place on Earth, and whether it is mapped or decoded. Elements are not read; the rows of text and
Arrow files are not counted.

Examples:
  linfit info image.tif
  linfit info table.parquet --json")]
pub(super) struct InfoArguments {
    /// The file
    file: Source,

    /// Print the list as JSON
    #[arg(long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    reading: ReadingArguments,
}

pub(super) fn run(arguments: &InfoArguments) -> Result<Outcome, CliError> {
    let source = &arguments.file;
    let reading = arguments.reading.within(MemoryPlan::LEAST_UNIT_BYTES);
    let mut listing = reading.list(source)?;
    if let Some(key) = &source.key {
        listing.arrays.retain(|array| [&array.key, &array.name].contains(&&Some(key.clone())));
        if listing.arrays.is_empty() {
            return Err(CliError::Usage(format!(
                "{source}: no such array; see `linfit info` of the file alone"
            )));
        }
    }
    print(&FileReport::new(shown(&source.path).to_string(), listing), arguments.json)?;
    Ok(Outcome::Done)
}
