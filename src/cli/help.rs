//! The help of every command: the short one has the common options and fits on
//! a screen, the long one has all, and examples.

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory};

use super::Arguments;

/// The arguments that the short help of a command shows, by their identifiers;
/// of a command that is not among these it shows all.
const COMMON: [(&str, &[&str]); 5] = [
    (
        "fit",
        &[
            "x",
            "t",
            "x_column",
            "t_column",
            "solver",
            "lr",
            "steps",
            "tol",
            "standardize",
            "nodata",
            "mask",
            "weights",
            "engine",
            "save",
            "json",
            "quiet",
            "verbose",
        ],
    ),
    ("predict", &["model", "x", "output", "dtype", "clamp", "nodata", "engine", "quiet", "verbose"]),
    ("compare", &["x", "t", "x_column", "t_column", "w0", "b0", "engine", "json", "quiet", "verbose"]),
    ("bench", &["sizes", "passes", "engine", "dtype", "tune", "json", "quiet", "verbose"]),
    ("generate", &["x", "t", "shape", "w", "b", "noise", "dtype", "seed", "quiet", "verbose"]),
];

/// The examples that a short help has.
const EXAMPLES: usize = 2;

/// The command line.
pub(super) fn command() -> Command {
    COMMON.into_iter().fold(Arguments::command(), |command, (name, common)| {
        command.mut_subcommand(name, |command| brief(command, common))
    })
}

/// The command line without the commands that are not for people.
pub(super) fn visible_command() -> Command {
    let mut all = command();
    all.build();
    let visible = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let command = Command::new("linfit").disable_help_subcommand(true);
    let command = all.get_arguments().cloned().fold(command, Command::arg);
    let text = |text: Option<&StyledStr>| text.cloned().unwrap_or_default();
    command
        .version(env!("CARGO_PKG_VERSION"))
        .about(text(all.get_about()))
        .after_help(text(all.get_after_help()))
        .subcommands(visible)
}

/// The command with a short help that has no more than the common arguments.
fn brief(command: Command, common: &[&str]) -> Command {
    let Some(all) = command.get_after_help().map(ToString::to_string) else { return command };
    let name = command.get_name().to_owned();
    let hide = |arg: Arg| {
        let is_common = common.contains(&arg.get_id().as_str());
        arg.hide_short_help(!is_common)
    };
    let examples = all.lines().skip_while(|line| !line.starts_with("Examples:"));
    let few: Vec<&str> = examples.take(1 + EXAMPLES).collect();
    let brief = format!("{}\n\n`linfit {name} --help` has all options.", few.join("\n"));
    command.mut_args(hide).after_long_help(all).after_help(brief)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_arguments_are_arguments() {
        let command = command();
        for (name, common) in COMMON {
            let command = command.find_subcommand(name).unwrap();
            for id in common {
                assert!(command.get_arguments().any(|arg| arg.get_id() == id), "{name} has no {id}");
            }
        }
        command.debug_assert();
    }
}
