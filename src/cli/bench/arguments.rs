use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::exports::ExportArguments;
use super::pass::Pass;
use super::sizes::{DEFAULT_SIZES, Size, TUNED_ELEMENTS};
use super::stopwatch::Stopwatch;
use super::tuner::Tuner;
use crate::cli::drivers::Drivers;
use crate::cli::error::CliError;
use crate::cli::memory::half_of_free;
use crate::cli::place::{self, OnlyEngine, Place};
use crate::cli::tuning::TuningArguments;
use crate::cli::values::{TypeArgument, positive, seconds};
use crate::cli::verbosity::Verbosity;
use crate::engine::TOLERANCE;
use crate::engine::gpu::{Adapter, AdapterChoice, Adapters, GpuError, GpuSettings};

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
pub(in crate::cli) struct BenchArguments {
    /// Elements of X; K, M and G are 1024, 1024² and 1024³ [default: 4K,64K,1M,16M,64M]. --tune uses
    /// the largest of them [default: 16M]
    #[arg(long, value_delimiter = ',', value_name = "N,N,...")]
    pub(super) sizes: Vec<Size>,

    /// Only these passes
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "forward,residual_sums,step,steps",
        value_name = "PASS,PASS,..."
    )]
    pub(super) passes: Vec<Pass>,

    /// Only this engine
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub(super) engine: Option<OnlyEngine>,

    /// Only this GPU adapter, by its number in `linfit devices` or a part of its name
    #[arg(long, value_name = "NUMBER|NAME")]
    pub(super) adapter: Option<AdapterChoice>,

    /// The type of the elements: u8 i8 u16 i16 u32 i32 u64 i64 f16 f32 f64
    #[arg(long, default_value = "f32", value_name = "TYPE")]
    pub(super) dtype: TypeArgument,

    /// Measure which launch configuration is fastest on each GPU adapter, and keep it for later runs:
    /// the order of reading, the kind of sums, loads in flight, and the size and number of workgroups
    #[arg(long, conflicts_with_all = ["passes", "dtype", "no_tuning", "baseline", "export_json", "export_csv", "export_markdown", "plot"])]
    pub(super) tune: bool,

    /// The seconds to repeat each measurement for, after 10 runs
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = seconds, allow_hyphen_values = true)]
    pub(super) time: Duration,

    /// The largest relative error that passes the check
    #[arg(long, default_value_t = TOLERANCE, value_name = "TOL", value_parser = positive, allow_hyphen_values = true)]
    pub(super) tol: f64,

    /// Show the ratio to an earlier run; above 1 is faster than it was
    #[arg(long, value_name = "FILE.json")]
    pub(super) baseline: Option<PathBuf>,

    /// Print the results as JSON
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) tuning: TuningArguments,

    #[command(flatten)]
    pub(super) exports: ExportArguments,

    #[command(flatten)]
    pub(super) verbosity: Verbosity,
}

impl BenchArguments {
    pub(super) fn stopwatch(&self) -> Stopwatch {
        Stopwatch { time: self.time }
    }

    /// The places to measure; the CPU alone needs no drivers.
    pub(super) fn places<'a>(
        &self,
        gpus: Option<(&Drivers, &'a Adapters)>,
    ) -> Result<Vec<Place<'a>>, CliError> {
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

    pub(super) fn tuner(&self, sizes: &[usize]) -> Tuner {
        Tuner {
            elements: sizes.last().copied().unwrap_or(TUNED_ELEMENTS),
            time: self.time,
            tolerance: self.tol,
            verbosity: self.verbosity,
            json: self.json,
        }
    }

    pub(super) fn adapters_to_tune<'a>(&self, places: &[Place<'a>]) -> Result<Vec<&'a Adapter>, CliError> {
        let adapters: Vec<_> = places.iter().filter_map(|place| place.adapter()).collect();
        match (adapters.is_empty(), self.engine) {
            (true, Some(OnlyEngine::Cpu)) => {
                Err(CliError::Usage("--tune is for GPUs; remove --engine cpu".to_owned()))
            }
            (true, _) => Err(GpuError::NoAdapter.into()),
            (false, _) => Ok(adapters),
        }
    }

    /// The sizes, in order, without those that this machine has no memory for.
    pub(super) fn sizes(&self, places: &[Place<'_>]) -> Result<Vec<usize>, CliError> {
        let mut sizes: Vec<usize> = match (self.sizes.as_slice(), self.tune) {
            ([], true) => vec![TUNED_ELEMENTS],
            ([], false) => DEFAULT_SIZES.to_vec(),
            (sizes, _) => sizes.iter().map(|size| size.0).collect(),
        };
        sizes.sort_unstable();
        sizes.dedup();
        // A software adapter has its copy in the same memory.
        let copied = places.iter().any(|place| place.adapter().is_some_and(Adapter::is_software));
        let element_bytes = 2 * self.dtype.0.size() as u64 + if copied { 8 } else { 0 };
        let free = half_of_free();
        let needed = |size: usize| (size as u64).saturating_mul(element_bytes);
        let too_large = |size: usize| {
            format!("{size} elements take {} MiB, more than half of the free memory", needed(size) >> 20)
        };
        let (fitting, rest): (Vec<usize>, Vec<usize>) =
            sizes.into_iter().partition(|&size| needed(size) <= free);
        if let (true, Some(&size)) = (fitting.is_empty(), rest.first()) {
            return Err(CliError::Usage(format!("--sizes: {}; give smaller ones", too_large(size))));
        }
        rest.iter().for_each(|&size| self.verbosity.note(&format!("skipped: {}", too_large(size))));
        Ok(fitting)
    }
}
