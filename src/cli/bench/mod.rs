//! `linfit bench`: the arguments and the course of a benchmark. A `sweep` checks
//! and times a `subject`, one size of data, on every place; a `tuner` measures
//! launch configurations instead.

mod arguments;
mod data;
mod exports;
mod pass;
mod sizes;
mod stopwatch;
mod subject;
mod sweep;
mod tuner;

use super::drivers::Drivers;
use super::error::CliError;
use super::paths::check_outputs;
use super::place::OnlyEngine;
use super::{Outcome, print};
use crate::array::shown;
use crate::io::Baseline;
pub(super) use arguments::BenchArguments;

pub(super) fn run(arguments: &BenchArguments) -> Result<Outcome, CliError> {
    let baseline = arguments.baseline.as_deref();
    let inputs: Vec<_> = baseline.iter().map(|path| ("--baseline", *path)).collect();
    arguments.exports.check()?;
    check_outputs(&arguments.exports.outputs(), &inputs)?;
    let baseline = baseline.map(|path| Ok::<_, CliError>((path, Baseline::load(path)?))).transpose()?;
    let drivers = OnlyEngine::drivers(arguments.engine, arguments.verbosity)?;
    let adapters = drivers.as_ref().map(Drivers::adapters);
    let places = arguments.places(drivers.as_ref().zip(adapters.as_ref()))?;
    let sizes = arguments.sizes(&places)?;
    if arguments.tune {
        return arguments.tuner(&sizes).run(&arguments.adapters_to_tune(&places)?);
    }
    let Some(mut report) = sweep::sweep(arguments, &places, &sizes)? else { return Ok(Outcome::Interrupted) };
    if let Some((path, baseline)) = baseline {
        let missing = report.results.len() - report.compare_with(&baseline);
        if missing > 0 {
            arguments.verbosity.note(&format!("{}: lacks {missing} of these results", shown(path)));
        }
    }
    arguments.exports.write(&report)?;
    print(&report, arguments.json)?;
    Ok(Outcome::Done)
}
