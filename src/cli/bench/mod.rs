//! `linfit bench`: the arguments and the course of a benchmark. A `sweep` checks
//! and times a `subject`, one size of data, on every place; a `tuner` measures
//! launch configurations instead.

mod exports;
mod pass;
mod sizes;
mod stopwatch;
mod subject;
mod sweep;
mod tuner;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::drivers::Drivers;
use super::error::CliError;
use super::paths::check_outputs;
use super::place::{self, OnlyEngine, Place};
use super::tuning::TuningArguments;
use super::values::{TypeArgument, positive, seconds};
use super::verbosity::Verbosity;
use super::{Outcome, print};
use crate::array::{ElementType, Problem, shown};
use crate::engine::TOLERANCE;
use crate::engine::gpu::{Adapter, AdapterChoice, Adapters, GpuError, GpuSettings};
use crate::io::Baseline;
use crate::io::synthetic::Recipe;
use crate::math::Affine;
use exports::ExportArguments;
use pass::Pass;
use sizes::Size;
use stopwatch::Stopwatch;
use tuner::Tuner;

/// Measures the throughput of every pass, engine and adapter over a sweep of sizes
#[derive(Debug, Args)]
#[command(after_help = "\
The data are random and made in memory. Every pass is first checked against the f64 reference, at
several W and b that no float equals; a mismatch is an error (exit code 1), and nothing is timed.
Warm-up runs and at least 10 timed ones follow. The table gives their median and interquartile range.

  forward        Y = X·W + b as f32; on a GPU, reading Y back to the host is part of it
  residual_sums  one pass over X and T: the sums behind loss and gradients
  step           one step of gradient descent, updated on the host
  steps          one step of many, as `linfit fit` takes them: on a GPU, many for a round trip

GB/s are those of X and T as the engine stores them (forward: of X, and of Y as f32), each read once.
They are compared with the read bandwidth of this machine's memory, measured in the same run by all
threads on one large buffer. Data that fit into a cache, and a GPU with memory of its own, can be
above 100 %. Where a GPU has a clock, `on device` is the time of a pass by it, without the way there
and back, from runs of its own.

Examples:
  linfit bench
  linfit bench --tune --adapter 0
  linfit bench --sizes 16M --engine cpu --passes step --export-json before.json
  linfit bench --sizes 16M --engine cpu --passes step --baseline before.json")]
pub(super) struct BenchArguments {
    /// Elements of X; K, M and G are 1024, 1024² and 1024³ [default: 4K,64K,1M,16M,64M]. --tune uses
    /// the largest of them [default: 16M]
    #[arg(long, value_delimiter = ',', value_name = "N,N,...")]
    sizes: Vec<Size>,

    /// Only these passes
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "forward,residual_sums,step,steps",
        value_name = "PASS,PASS,..."
    )]
    passes: Vec<Pass>,

    /// Only this engine
    #[arg(long, value_enum, value_name = "ENGINE")]
    engine: Option<OnlyEngine>,

    /// Only this GPU adapter, by its number in `linfit devices` or a part of its name
    #[arg(long, value_name = "NUMBER|NAME")]
    adapter: Option<AdapterChoice>,

    /// The type of the elements: u8 i8 u16 i16 u32 i32 u64 i64 f16 f32 f64
    #[arg(long, default_value = "f32", value_name = "TYPE")]
    dtype: TypeArgument,

    /// Measure which launch configuration is fastest on each GPU adapter, and keep it for later runs:
    /// the order of reading, the kind of sums, loads in flight, and the size and number of workgroups
    #[arg(long, conflicts_with_all = ["passes", "dtype", "no_tuning", "baseline", "export_json", "export_csv", "export_markdown", "plot"])]
    tune: bool,

    /// The seconds to repeat each measurement for, after 10 runs
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = seconds, allow_hyphen_values = true)]
    time: Duration,

    /// The largest relative error that passes the check
    #[arg(long, default_value_t = TOLERANCE, value_name = "TOL", value_parser = positive, allow_hyphen_values = true)]
    tol: f64,

    /// Show the ratio to an earlier run; above 1 is faster than it was
    #[arg(long, value_name = "FILE.json")]
    baseline: Option<PathBuf>,

    /// Print the results as JSON
    #[arg(long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    tuning: TuningArguments,

    #[command(flatten)]
    exports: ExportArguments,

    #[command(flatten)]
    verbosity: Verbosity,
}

pub(super) fn run(arguments: &BenchArguments) -> Result<Outcome, CliError> {
    let baseline = arguments.baseline.as_deref();
    let inputs: Vec<_> = baseline.iter().map(|path| ("--baseline", *path)).collect();
    arguments.exports.check()?;
    check_outputs(&arguments.exports.outputs(), &inputs)?;
    let baseline = baseline.map(|path| Ok::<_, CliError>((path, Baseline::load(path)?))).transpose()?;
    let drivers = OnlyEngine::drivers(arguments.engine, arguments.verbosity)?;
    let adapters = drivers.as_ref().map(Drivers::adapters);
    let places = arguments.places(drivers.as_ref().zip(adapters.as_ref()))?;
    let sizes = sizes::fitting(arguments, &places)?;
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

impl BenchArguments {
    fn stopwatch(&self) -> Stopwatch {
        Stopwatch { time: self.time }
    }

    /// The places to measure; the CPU alone needs no drivers.
    fn places<'a>(&self, gpus: Option<(&Drivers, &'a Adapters)>) -> Result<Vec<Place<'a>>, CliError> {
        let Some((drivers, adapters)) = gpus else {
            return match self.adapter {
                Some(_) => Err(CliError::Usage("--adapter chooses a GPU; remove --engine cpu".to_owned())),
                None => Ok(vec![Place::Cpu]),
            };
        };
        let tunings = self.tuning.load(self.verbosity);
        let place = |adapter| Place::Gpu(adapter, GpuSettings::tuned(tunings.of(adapter)));
        if let Some(choice) = &self.adapter {
            let adapter = drivers.choose(adapters, Some(choice))?;
            drivers.note_broken(self.verbosity);
            return Ok(vec![place(adapter)]);
        }
        place::check_adapters(drivers, adapters, self.engine, self.verbosity, "measured")?;
        let cpu = (self.engine != Some(OnlyEngine::Gpu)).then_some(Place::Cpu);
        Ok(cpu.into_iter().chain(adapters.iter().map(place)).collect())
    }

    fn tuner(&self, sizes: &[usize]) -> Tuner {
        Tuner {
            elements: sizes.last().copied().unwrap_or(sizes::TUNED_ELEMENTS),
            time: self.time,
            tolerance: self.tol,
            verbosity: self.verbosity,
            json: self.json,
        }
    }

    fn adapters_to_tune<'a>(&self, places: &[Place<'a>]) -> Result<Vec<&'a Adapter>, CliError> {
        let adapters: Vec<_> = places.iter().filter_map(|place| place.adapter()).collect();
        match (adapters.is_empty(), self.engine) {
            (true, Some(OnlyEngine::Cpu)) => {
                Err(CliError::Usage("--tune is for GPUs; remove --engine cpu".to_owned()))
            }
            (true, _) => Err(GpuError::NoAdapter.into()),
            (false, _) => Ok(adapters),
        }
    }
}

/// Random data of a type with T about 2·X + 1.
fn random(elements: usize, element: ElementType) -> Result<Problem, CliError> {
    let recipe = Recipe { truth: Affine::new(2.0, 1.0), noise: 0.1, element, seed: 0 };
    let (x, t) = recipe.matrices(elements)?;
    Ok(Problem::pair(x, t)?)
}
