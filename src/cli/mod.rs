//! The command line: one file a command. Each parses its arguments, calls the
//! library and prints; results go to stdout, everything else to stderr.

mod advice;
mod bench;
mod cache;
mod columns;
mod compare;
mod completions;
mod descent;
mod devices;
mod drivers;
mod dry_run;
mod engine;
mod error;
mod explain;
mod fit;
mod generate;
mod grouping;
mod help;
mod hint;
mod info;
mod interrupt;
mod line;
mod man;
mod memory;
mod merge;
mod pair;
mod passes;
mod paths;
mod pictures;
mod place;
mod precision;
mod predict;
mod progress;
mod reading;
mod save_fits;
mod shards;
mod solver;
mod threads;
mod tuning;
mod validity;
mod values;
mod verbosity;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::array::{guard_mappings, harmless, shown};
use crate::io::Source;
use error::CliError;

/// The end of a command that could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    CheckFailed,
    Interrupted,
}

#[derive(Debug, Parser)]
#[command(name = "linfit", version, about, after_help = EXAMPLES, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  linfit fit x.npy t.npy                      gain and offset between two arrays
  linfit fit data.csv:height data.csv:weight  between two columns of a table
  linfit fit today.tif:1 reference.tif:1      between bands of two images
  linfit fit x.npy t.npy --save model.json && linfit predict model.json x.npy -o y.npy
  linfit compare x.npy t.npy                  do CPU and GPU agree with the reference?
  linfit bench                                how fast is each of them?
  linfit explain                              a step of gradient descent, number by number

Data arguments are PATH or PATH:KEY; - is stdin. KEY is the name of a column or its number from 0
(.csv .tsv .txt .parquet .arrow .feather), the name of an array (.npz .safetensors .h5 .nc .zarr
.fits), or the number of a band from 1 (.tif .png .hdr). A .npy file needs no KEY; raw numbers need
--raw-dtype; `linfit info FILE` lists what there is.
Exit codes: 0 done; 1 a check failed (mismatch, diverged); 2 bad usage or bad input;
3 no usable device, or it was lost; 130 interrupted.";

#[derive(Debug, Subcommand)]
enum Command {
    Fit(Box<fit::FitArguments>),
    Predict(predict::PredictArguments),
    Merge(merge::MergeArguments),
    Compare(compare::CompareArguments),
    Bench(bench::BenchArguments),
    Info(info::InfoArguments),
    Devices(devices::DevicesArguments),
    Explain(explain::ExplainArguments),
    Generate(generate::GenerateArguments),
    Completions(completions::CompletionsArguments),
    Man(man::ManArguments),
    #[command(name = drivers::COMMAND, hide = true)]
    TryDrivers(drivers::TryDriversArguments),
}

/// Runs the program on the process's arguments.
#[must_use]
pub fn run() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        // A decoder's panic on a damaged file becomes an error.
        if crate::io::is_catching() {
            return;
        }
        tell(&format_args!("linfit: internal error: {panic}; please report it"));
    }));
    let arguments = parse(&std::env::args_os().map(spell_out_stdin).collect::<Vec<_>>());
    if !matches!(arguments.command, Command::TryDrivers(_)) {
        interrupt::install();
        guard_mappings();
        threads::settle();
    }
    let result = match arguments.command {
        Command::Fit(arguments) => fit::run(&arguments),
        Command::Predict(arguments) => predict::run(&arguments),
        Command::Merge(arguments) => merge::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Info(arguments) => info::run(&arguments),
        Command::Devices(arguments) => devices::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
        Command::TryDrivers(arguments) => drivers::run(&arguments),
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::CheckFailed) => ExitCode::from(1),
        Ok(Outcome::Interrupted) | Err(CliError::Interrupted) => ExitCode::from(interrupt::EXIT_CODE),
        Err(error) => {
            tell(&format_args!("linfit: {}", hint::told_of(&error)));
            ExitCode::from(error.exit_code())
        }
    }
}

/// The arguments; without them the process ends with help, the version or a
/// usage error.
fn parse(arguments: &[OsString]) -> Arguments {
    let wrong = match parsed(arguments) {
        Ok(arguments) => return arguments,
        Err(wrong) => wrong,
    };
    // The message repeats the arguments as they were typed.
    let shown: Vec<_> =
        arguments.iter().map(|argument| shown(argument.as_ref()).to_string().into()).collect();
    match parsed(&shown) {
        Err(shown) => shown.exit(),
        Ok(_) => wrong.exit(),
    }
}

/// The same; a short help has the common arguments alone.
fn parsed(arguments: &[OsString]) -> Result<Arguments, clap::Error> {
    let is_short = |argument: &OsString| argument == "-h";
    Arguments::try_parse_from(arguments).map_err(|error| {
        let is_help = error.kind() == ErrorKind::DisplayHelp && arguments.iter().any(is_short);
        let brief = is_help.then(|| help::brief_command().try_get_matches_from(arguments).err());
        brief.flatten().unwrap_or(error)
    })
}

/// A key in stdin, `-:KEY`, would be taken for options.
fn spell_out_stdin(argument: OsString) -> OsString {
    match argument.to_str().and_then(|text| text.strip_prefix("-:")) {
        Some(key) => format!("{}:{key}", Source::STDIN).into(),
        None => argument,
    }
}

/// Prints a result to stdout: as JSON, or as people read it.
fn print(report: &(impl std::fmt::Display + Serialize), json: bool) -> Result<(), CliError> {
    let text = if json { to_json(report)? } else { report.to_string() };
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        // The reader has seen enough; the exit code is still of use.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(CliError::Stdout),
    }
}

/// Writes a line to stderr; a failure to do so cannot be told.
fn tell(message: &dyn std::fmt::Display) {
    // Names are escaped where they are shown; messages of drivers and decoders
    // are escaped here.
    let _ = writeln!(io::stderr(), "{}", harmless(&message.to_string()));
}

/// A report as JSON over several lines.
fn to_json(report: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string_pretty(report).map_err(|e| CliError::Stdout(e.into()))
}
