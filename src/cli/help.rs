//! The help of every command: the short one has the common options and fits on
//! a screen, the long one has all, and examples.

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory};

use super::Arguments;

/// The arguments that the short help of a command shows, by their identifiers;
/// of a command that is not among these it shows all.
const COMMON: [(&str, &[&str]); 7] = [
    (
        "fit",
        &[
            "x", "t", "x_column", "solver", "lr", "steps", "nodata", "mask", "weights", "engine", "plot",
            "report", "save", "json", "quiet", "verbose",
        ],
    ),
    ("predict", &["model", "x", "output", "dtype", "clamp", "nodata", "engine", "quiet", "verbose"]),
    ("compare", &["x", "t", "x_column", "w0", "b0", "engine", "json", "quiet", "verbose"]),
    ("bench", &["sizes", "passes", "engine", "dtype", "tune", "plot", "json", "quiet", "verbose"]),
    ("explain", &["x", "t", "steps", "lr", "w0", "b0", "momentum", "nesterov", "engine", "quiet", "verbose"]),
    ("info", &["file", "json", "raw_dtype", "delimiter"]),
    ("generate", &["x", "t", "shape", "weight", "bias", "noise", "dtype", "seed", "quiet", "verbose"]),
];

/// The examples that a short help has.
const EXAMPLES: usize = 1;

/// The command line with short helps.
pub(super) fn brief_command() -> Command {
    COMMON.into_iter().fold(Arguments::command(), |command, (name, common)| {
        command.mut_subcommand(name, |command| brief(command, common))
    })
}

/// The command line without the commands that are not for people.
pub(super) fn visible_command() -> Command {
    let all = Arguments::command();
    let visible = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let text = |text: Option<&StyledStr>| text.cloned().unwrap_or_default();
    Command::new("linfit")
        .disable_help_subcommand(true)
        .version(env!("CARGO_PKG_VERSION"))
        .about(text(all.get_about()))
        .after_help(text(all.get_after_help()))
        .subcommands(visible)
}

/// The command with no more than the common arguments in its help, and the start
/// of what is said about each.
fn brief(command: Command, common: &[&str]) -> Command {
    let Some(all) = command.get_after_help().map(ToString::to_string) else { return command };
    let name = command.get_name().to_owned();
    let shorten = |arg: Arg| {
        if !common.contains(&arg.get_id().as_str()) {
            return arg.hide(true);
        }
        match arg.get_help().map(ToString::to_string) {
            Some(text) if !arg.is_positional() => {
                let has_value = arg.get_action().takes_values();
                arg.hide_default_value(has_value).help(start(&text))
            }
            _ => arg,
        }
    };
    let examples = all.lines().skip_while(|line| !line.starts_with("Examples:"));
    let few: Vec<&str> = examples.take(1 + EXAMPLES).collect();
    let brief = format!("{}\n\n`linfit {name} --help` has all options.", few.join("\n"));
    command.mut_args(shorten).after_help(brief)
}

/// The first clause of a help text, and its default.
fn start(text: &str) -> String {
    let (said, default) = match text.find("[default:") {
        Some(at) => (&text[..at], format!(" {}", &text[at..])),
        None => (text, String::new()),
    };
    let end = ["; ", ": ", ". "].iter().filter_map(|mark| said.find(mark)).min().unwrap_or(said.len());
    format!("{}{default}", said[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_arguments_are_arguments() {
        let command = brief_command();
        for (name, common) in COMMON {
            let command = command.find_subcommand(name).unwrap();
            for id in common {
                assert!(command.get_arguments().any(|arg| arg.get_id() == id), "{name} has no {id}");
            }
        }
        command.debug_assert();
        visible_command().debug_assert();
    }

    #[test]
    fn a_help_begins_with_its_first_clause() {
        for (text, want) in [
            ("The most steps; with 0, none [default: 1000]", "The most steps [default: 1000]"),
            ("Print it as JSON", "Print it as JSON"),
            ("A file: of X's shape. Or not", "A file"),
        ] {
            assert_eq!(start(text), want);
        }
    }
}
