use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use super::Outcome;
use super::error::CliError;
use super::help::visible_command;
use crate::array::DataError;
use crate::io::output::OutputFile;

/// Writes a manual page for linfit and each of its commands
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  linfit man ~/.local/share/man/man1")]
pub(super) struct ManArguments {
    /// The directory of the pages, which is made if it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(super) fn run(arguments: &ManArguments) -> Result<Outcome, CliError> {
    let directory = &arguments.directory;
    std::fs::create_dir_all(directory)
        .map_err(|source| DataError::Write { path: directory.clone(), source })?;
    let mut command = visible_command();
    command.build();
    write(&command, directory)?;
    command.get_subcommands().try_for_each(|command| write(command, directory))?;
    Ok(Outcome::Done)
}

/// Writes the page of a command.
fn write(command: &Command, directory: &Path) -> Result<(), CliError> {
    let page = Man::new(command.clone());
    let path = directory.join(page.get_filename());
    let mut text = Vec::new();
    page.render(&mut text).map_err(|source| DataError::Write { path: path.clone(), source })?;
    Ok(OutputFile::create(&path)?.finish_with(&text)?)
}
