use std::io::{self, Write};

use clap::Args;
use clap_complete::Shell;

use super::Outcome;
use super::error::CliError;
use super::help::visible_command;

/// Prints a script by which a shell completes commands and options
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linfit completions bash > ~/.local/share/bash-completion/completions/linfit
  linfit completions zsh > \"${fpath[1]}/_linfit\"
  linfit completions fish > ~/.config/fish/completions/linfit.fish")]
pub(super) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(arguments: &CompletionsArguments) -> Result<Outcome, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut visible_command(), "linfit", &mut script);
    let mut stdout = io::stdout().lock();
    match stdout.write_all(&script).and_then(|()| stdout.flush()) {
        // The reader has seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(Outcome::Done),
        result => result.map(|()| Outcome::Done).map_err(CliError::Stdout),
    }
}
