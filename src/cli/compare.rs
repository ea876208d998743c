use std::path::{Path, PathBuf};

use clap::Args;

use super::drivers::Drivers;
use super::error::CliError;
use super::hint::told;
use super::memory::MemoryArguments;
use super::pair::PairArguments;
use super::paths::check_outputs;
use super::pictures::check_picture;
#[cfg(feature = "plot")]
use super::pictures::format_of;
use super::place::{OnlyEngine, Place, check_adapters};
use super::precision::PrecisionArguments;
use super::tuning::TuningArguments;
use super::values::positive;
use super::verbosity::Verbosity;
use super::{Outcome, print};
use crate::array::Problem;
use crate::engine::gpu::{Adapter, Adapters, GpuError, GpuSettings, Precision};
use crate::engine::{Engine, EngineError, Notice, POINTS, ReferenceResult, TOLERANCE};
#[cfg(feature = "plot")]
use crate::io::output::OutputFile;
use crate::math::Affine;
use crate::report::{Comparison, EngineComparison, ReferenceValues};

/// Runs every engine and adapter on the same pass, against the f64 reference
#[derive(Debug, Args)]
#[command(after_help = "\
Errors of the loss are relative to the loss. Errors of the gradients are relative to the size of
their terms, (2/N)·Σ|r·x| and (2/N)·Σ|r|, because the terms cancel near the optimum. Residuals that
are less than 2.4 % of the x·W, b and t they are made of have fewer digits in f32: that share of
those is the size then. The moments, from which statistics, learning rates and the solvers moments
and exact come, are compared too. The largest error of Y is relative to the largest |Y|. The column
`digits` has the number of decimal digits that are right in the worst of all these.
Unless --w0 or --b0 is given, the passes are made at several W and b that no float equals, because
nothing is rounded at round ones such as 0.5. Each error is shown where it is largest.
Exit code 1 if any engine is beyond the tolerance.

Examples:
  linfit generate -x x.npy -t t.npy --shape 8192x8192
  linfit compare x.npy t.npy
  linfit compare x.npy t.npy --w0 2 --b0 1 --tol 1e-6 --json")]
pub(super) struct CompareArguments {
    /// Only this engine; the CPU alone needs no drivers
    #[arg(long, help_heading = "Engine", value_enum, value_name = "ENGINE")]
    engine: Option<OnlyEngine>,

    /// The largest relative error that passes
    #[arg(long, help_heading = "Comparison", default_value_t = TOLERANCE, value_name = "TOL", value_parser = positive, allow_hyphen_values = true)]
    tol: f64,

    /// The weight of the pass [default with --b0: 1.3]; without both, passes are made at several W and b
    #[arg(long, help_heading = "Comparison", value_name = "W", allow_hyphen_values = true)]
    w0: Option<f64>,

    /// The bias of the pass [default with --w0: -0.4]
    #[arg(long, help_heading = "Comparison", value_name = "B", allow_hyphen_values = true)]
    b0: Option<f64>,

    #[command(flatten)]
    precision: PrecisionArguments,

    #[command(flatten)]
    memory: MemoryArguments,

    #[command(flatten)]
    tuning: TuningArguments,

    /// Draw the errors by engine; a .svg or a .png file
    #[arg(long, help_heading = "Output", value_name = "FILE.svg|png")]
    plot: Option<PathBuf>,

    /// Print the comparison as JSON
    #[arg(long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    verbosity: Verbosity,

    #[command(flatten)]
    pair: PairArguments,
}

pub(super) fn run(arguments: &CompareArguments) -> Result<Outcome, CliError> {
    let [first, others @ ..] = POINTS;
    let at = Affine::new(arguments.w0.unwrap_or(first.weight), arguments.b0.unwrap_or(first.bias));
    let others = if arguments.w0.is_some() || arguments.b0.is_some() { &[][..] } else { &others[..] };
    if !at.is_finite() {
        return Err(CliError::Usage("--w0 and --b0 must be finite numbers".to_owned()));
    }
    if let Some(path) = &arguments.plot {
        check_picture(path)?;
        check_outputs(&[("--plot", Some(path.as_path()))], &arguments.pair.paths())?;
    }
    let verbosity = arguments.verbosity;
    let drivers = OnlyEngine::drivers(arguments.engine, verbosity)?;
    let data = arguments.pair.load(arguments.memory.host_bytes(), verbosity)?.problem;

    let reference = ReferenceResult::of(&data, at, others)?;
    let mut comparer = Comparer { data, reference, tolerance: arguments.tol, verbosity, noted: Vec::new() };

    let adapters = drivers.as_ref().map(Drivers::adapters);
    let mut results = Vec::new();
    if arguments.engine != Some(OnlyEngine::Gpu) {
        results.push(comparer.compare(Place::Cpu));
    }
    let tunings = arguments.tuning.load(verbosity);
    if let Some((drivers, adapters)) = drivers.as_ref().zip(adapters.as_ref()) {
        check_adapters(drivers, adapters, arguments.engine, verbosity, "compared")?;
    }
    for adapter in adapters.iter().flat_map(Adapters::iter) {
        // Without a choice, every precision that the adapter offers.
        let precisions = match arguments.precision.asked() {
            Some(precision) => vec![precision],
            None => Precision::ALL.into_iter().filter(|p| offers(adapter, *p, verbosity)).collect(),
        };
        for precision in precisions {
            let settings = GpuSettings {
                memory_bytes: arguments.memory.device_bytes(adapter),
                tuning: Some(tunings.of(adapter)),
                precision,
            };
            let result = comparer.compare(Place::Gpu(adapter, settings));
            let failed = result.error.is_some();
            results.push(EngineComparison { precision: Some(precision.name()), ..result });
            if failed {
                // The others would fail for the same reason.
                break;
            }
        }
    }

    let reference = ReferenceValues::from(&comparer.reference);
    let n = comparer.data.valid_len();
    let comparison = Comparison { n, tolerance: arguments.tol, reference, results };
    if let Some(path) = &arguments.plot {
        draw(path, &comparison)?;
    }
    print(&comparison, arguments.json)?;
    Ok(if comparison.ok() { Outcome::Done } else { Outcome::CheckFailed })
}

/// Draws the errors, after everything is measured: a driver that ends the program
/// leaves no file.
#[cfg(feature = "plot")]
fn draw(path: &Path, comparison: &Comparison) -> Result<(), CliError> {
    let picture = crate::report::pictures::errors(comparison, format_of(path))?;
    Ok(OutputFile::create(path)?.finish_with(&picture)?)
}

/// Refused before: see [`check_picture`].
#[cfg(not(feature = "plot"))]
#[expect(clippy::unnecessary_wraps, reason = "the signature of the one that draws")]
fn draw(_: &Path, _: &Comparison) -> Result<(), CliError> {
    Ok(())
}

/// Whether an adapter offers a precision. Few have f64, which needs no note; a
/// loss of rounding errors does.
fn offers(adapter: &Adapter, precision: Precision, verbosity: Verbosity) -> bool {
    match precision.check(adapter) {
        Err(GpuError::NoF64 { .. }) => false,
        Err(error @ GpuError::NoCompensation { .. }) => {
            verbosity.note(&told(&error));
            false
        }
        // Other errors are told with the numbers that they keep from being.
        Ok(()) | Err(_) => true,
    }
}

/// Compares engines with the reference.
struct Comparer {
    data: Problem,
    reference: ReferenceResult,
    tolerance: f64,
    verbosity: Verbosity,
    /// Notices that the user has seen: adapters lose the same digits.
    noted: Vec<Notice>,
}

impl Comparer {
    fn compare(&mut self, place: Place<'_>) -> EngineComparison {
        let measured = place.open(&self.data).and_then(|mut engine| self.measure(engine.as_mut()));
        let failed = |error| EngineComparison { error: Some(told(&error)), ..EngineComparison::default() };
        EngineComparison {
            engine: place.engine(),
            adapter: place.adapter().map(|adapter| adapter.name().to_owned()),
            ..measured.unwrap_or_else(failed)
        }
    }

    fn measure(&mut self, engine: &mut dyn Engine) -> Result<EngineComparison, EngineError> {
        self.verbosity.detail(&format_args!("passing over the data with {}", engine.info()));
        let compared = EngineComparison::measure(&self.reference, &self.data, engine, self.tolerance)?;
        for notice in engine.take_notices() {
            if !self.noted.contains(&notice) {
                self.verbosity.note(&told(&notice));
                self.noted.push(notice);
            }
        }
        Ok(compared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::engine::{Altered, Found};

    #[test]
    fn a_corrupted_result_is_a_mismatch() {
        let x = Array::from_vec("x", &[4], vec![1.0, 2.0, 3.0, 4.0]);
        let t = Array::from_vec("t", &[4], vec![3.0, 5.0, 7.5, 9.0]);
        let data = Problem::pair(x, t).unwrap();
        let mut comparer = Comparer {
            reference: ReferenceResult::of_points(&data).unwrap(),
            data,
            tolerance: 1e-5,
            verbosity: Verbosity { quiet: true, verbose: false },
            noted: Vec::new(),
        };
        let mut check = |alter: fn(Found<'_>)| {
            let mut engine = Altered::new(&comparer.data, alter);
            comparer.measure(&mut engine).unwrap().ok
        };
        assert!(check(|_| {}));
        let alterations: [fn(Found<'_>); 7] = [
            |found| {
                if let Found::Sums(sums) = found {
                    sums.rr *= 1.0001;
                }
            },
            |found| {
                if let Found::Sums(sums) = found {
                    sums.rx *= 1.0001;
                }
            },
            |found| {
                if let Found::Sums(sums) = found {
                    sums.r *= 1.0001;
                }
            },
            |found| {
                if let Found::Sums(sums) = found {
                    sums.rr = f64::NAN;
                }
            },
            |found| {
                if let Found::Moments(moments) = found {
                    moments.xt *= 1.0001;
                }
            },
            |found| {
                if let Found::Predicted(ys) = found {
                    ys[1] *= 1.0001;
                }
            },
            |found| {
                if let Found::Predicted(ys) = found {
                    ys[1] = f32::NAN;
                }
            },
        ];
        for (k, alter) in alterations.into_iter().enumerate() {
            assert!(!check(alter), "{k}");
        }
    }
}
