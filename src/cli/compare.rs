use std::time::Instant;

use clap::Args;

use super::bench::BenchEngine;
use super::drivers::Drivers;
use super::error::CliError;
use super::hint::told;
use super::memory::MemoryArguments;
use super::pair::PairArguments;
use super::precision::PrecisionArguments;
use super::truth::{POINTS, TOLERANCE, Truth, TruthAt};
use super::tuning::TuningArguments;
use super::verbosity::Verbosity;
use super::{Outcome, print};
use crate::array::Problem;
use crate::engine::gpu::{Adapter, Adapters, Gpu, GpuError, GpuSettings, Precision};
use crate::engine::{Cpu, Engine, EngineError, Notice};
use crate::math::Affine;
use crate::report::{Comparison, EngineComparison, ReferencePoint, ReferenceValues};

/// Passes timed per engine; the median is reported.
const TIMED_PASSES: usize = 5;

/// Runs every engine and adapter on the same pass, against the f64 reference
#[derive(Debug, Args)]
#[command(after_help = "\
Errors of the loss are relative to the loss; errors of the gradients are relative to the size of
their terms, (2/N)·Σ|r·x| and (2/N)·Σ|r|, because near the optimum the terms cancel. Where even
the residuals are less than 2.4 % of the x·W, b and t they are made of, that share of those counts
instead: f32 has no more digits of them. The moments, of which statistics, learning rates and
the solvers moments and exact are made, are compared too. `digits` is how many the worst of all these
has. The largest error of Y is held against the largest |Y|.
Unless --w0 or --b0 says where, the passes are made at several W and b that no float is equal to: at
round ones such as 0.5 nothing is rounded. Each error is shown where it is worst.
Exit code 1 if any engine is beyond the tolerance.

Examples:
  linfit generate -x x.npy -t t.npy --shape 8192x8192
  linfit compare x.npy t.npy
  linfit compare x.npy t.npy --w0 2 --b0 1 --tol 1e-6 --json")]
pub(super) struct CompareArguments {
    #[command(flatten)]
    pair: PairArguments,

    /// Only this engine; the CPU alone needs no drivers
    #[arg(long, value_enum, value_name = "ENGINE")]
    engine: Option<BenchEngine>,

    /// The largest relative error that passes
    #[arg(long, default_value_t = TOLERANCE, value_name = "TOL", allow_hyphen_values = true)]
    tol: f64,

    /// The weight of the pass; without this and --b0, the passes are made at several W and b, and the
    /// worst errors are shown [default with --b0: 1.3]
    #[arg(long, value_name = "W", allow_hyphen_values = true)]
    w0: Option<f64>,

    /// The bias of the pass [default with --w0: -0.4]
    #[arg(long, value_name = "B", allow_hyphen_values = true)]
    b0: Option<f64>,

    #[command(flatten)]
    precision: PrecisionArguments,

    #[command(flatten)]
    memory: MemoryArguments,

    #[command(flatten)]
    tuning: TuningArguments,

    /// Print the comparison as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    verbosity: Verbosity,
}

pub(super) fn run(arguments: &CompareArguments) -> Result<Outcome, CliError> {
    let [first, others @ ..] = POINTS;
    let at = Affine::new(arguments.w0.unwrap_or(first.weight), arguments.b0.unwrap_or(first.bias));
    let others = if arguments.w0.is_some() || arguments.b0.is_some() { &[][..] } else { &others[..] };
    if !at.is_finite() {
        return Err(CliError::Usage("--w0 and --b0 must be finite numbers".to_owned()));
    }
    if !(arguments.tol > 0.0 && arguments.tol.is_finite()) {
        return Err(CliError::Usage(format!("--tol must be a positive number, not {:?}", arguments.tol)));
    }
    let drivers = match arguments.engine {
        Some(BenchEngine::Cpu) => None,
        _ => Some(Drivers::try_all(arguments.verbosity)?),
    };
    let memory_bytes = arguments.memory.host_bytes();
    let data = arguments.pair.load(memory_bytes, arguments.verbosity)?.problem;

    let truth = Truth::of(&data, at, others)?;
    let (tolerance, verbosity) = (arguments.tol, arguments.verbosity);
    let mut rules = Rules { truth, tolerance, verbosity, noted: Vec::new() };

    let adapters = drivers.as_ref().map(Drivers::adapters);
    let mut results = Vec::new();
    if arguments.engine != Some(BenchEngine::Gpu) {
        results.push(rules.compare(&data, "cpu", None, || Ok(Box::new(Cpu::new(&data)))));
    }
    let tunings = arguments.tuning.load(verbosity);
    if let (Some(drivers), Some(adapters)) = (&drivers, &adapters) {
        if adapters.is_empty() && results.is_empty() {
            return Err(drivers.failure().unwrap_or(GpuError::NoAdapter).into());
        }
        drivers.note_broken(verbosity);
        if adapters.is_empty() {
            verbosity.note(&"no GPU adapter found; only the CPU engine is compared");
        }
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
            let open = || -> Result<Box<dyn Engine>, EngineError> {
                Ok(Box::new(Gpu::open_with(adapter, &data, &settings)?))
            };
            let result = rules.compare(&data, "gpu", Some(adapter.name()), open);
            let failed = result.error.is_some();
            results.push(EngineComparison { precision: Some(precision.name()), ..result });
            if failed {
                // The others would fail for the same reason.
                break;
            }
        }
    }

    let point = |TruthAt { at, evaluation, .. }: &TruthAt| ReferencePoint {
        weight: at.weight,
        bias: at.bias,
        loss: evaluation.loss,
        grad_weight: evaluation.grad_weight,
        grad_bias: evaluation.grad_bias,
    };
    let Truth { first, others, seconds, .. } = &rules.truth;
    let reference = ReferenceValues {
        first: point(first),
        others: others.iter().map(point).collect(),
        seconds: *seconds,
    };
    let comparison = Comparison { n: data.valid_len(), tolerance: arguments.tol, reference, results };
    print(&comparison, arguments.json)?;
    Ok(if comparison.ok() { Outcome::Done } else { Outcome::CheckFailed })
}

/// Whether an adapter offers a precision. Few have f64; that one loses rounding
/// errors is news.
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

/// What every engine is held against, and how closely.
struct Rules {
    truth: Truth,
    tolerance: f64,
    verbosity: Verbosity,
    /// What the user was told already: adapters lose the same digits.
    noted: Vec<Notice>,
}

impl Rules {
    fn compare(
        &mut self,
        data: &Problem,
        engine: &'static str,
        adapter: Option<&str>,
        open: impl FnOnce() -> Result<Box<dyn Engine>, EngineError>,
    ) -> EngineComparison {
        let adapter = adapter.map(str::to_owned);
        self.measure(data, open).map_or_else(
            |error| EngineComparison {
                engine,
                adapter: adapter.clone(),
                precision: None,
                rel_error_loss: None,
                rel_error_grad_weight: None,
                rel_error_grad_bias: None,
                rel_error_moments: None,
                forward_max_abs_error: None,
                seconds: None,
                gb_s: None,
                ok: false,
                error: Some(told(&error)),
            },
            |result| EngineComparison { engine, adapter: adapter.clone(), ..result },
        )
    }

    fn measure(
        &mut self,
        data: &Problem,
        open: impl FnOnce() -> Result<Box<dyn Engine>, EngineError>,
    ) -> Result<EngineComparison, EngineError> {
        let mut engine = open()?;
        self.verbosity.detail(&format_args!("passing over the data with {}", engine.info()));
        let errors = self.truth.errors(data, engine.as_mut())?;
        for notice in engine.notices() {
            if !self.noted.contains(notice) {
                self.verbosity.note(&told(notice));
                self.noted.push(notice.clone());
            }
        }
        let seconds = median_pass(engine.as_mut(), self.truth.first.at)?;
        #[expect(clippy::cast_precision_loss, reason = "a bandwidth for people")]
        let gb_s = engine.pass_bytes() as f64 / seconds / 1e9;
        Ok(EngineComparison {
            engine: "",
            adapter: None,
            precision: None,
            rel_error_loss: Some(errors.loss),
            rel_error_grad_weight: Some(errors.grad_weight),
            rel_error_grad_bias: Some(errors.grad_bias),
            rel_error_moments: Some(errors.moments),
            forward_max_abs_error: Some(errors.forward_max_abs),
            seconds: Some(seconds),
            gb_s: Some(gb_s),
            ok: errors.beyond(self.tolerance).is_none(),
            error: None,
        })
    }
}

/// Median seconds of a pass, warm.
fn median_pass(engine: &mut dyn Engine, at: Affine) -> Result<f64, EngineError> {
    let mut seconds = [0.0; TIMED_PASSES];
    for slot in &mut seconds {
        let started = Instant::now();
        engine.loss_sums(at)?;
        *slot = started.elapsed().as_secs_f64();
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[TIMED_PASSES / 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::engine::{EngineInfo, Notice, Sink};
    use crate::math::{LossSums, Moments};

    /// The CPU engine with one number of its results changed.
    struct Corrupted {
        inner: Cpu,
        corrupt: fn(&mut LossSums, &mut f32),
    }

    impl Engine for Corrupted {
        fn info(&self) -> &EngineInfo {
            self.inner.info()
        }
        fn notices(&self) -> &[Notice] {
            &[]
        }
        fn pass_bytes(&self) -> u64 {
            self.inner.pass_bytes()
        }
        fn loss_sums(&mut self, at: Affine) -> Result<LossSums, EngineError> {
            let mut sums = self.inner.loss_sums(at)?;
            (self.corrupt)(&mut sums, &mut 0.0);
            Ok(sums)
        }
        fn moments(&mut self) -> Result<Moments, EngineError> {
            let mut moments = self.inner.moments()?;
            let mut xx = LossSums { rr: moments.xx, rx: moments.xt, ..LossSums::default() };
            (self.corrupt)(&mut xx, &mut 0.0);
            (moments.xx, moments.xt) = (xx.rr, xx.rx);
            Ok(moments)
        }
        fn forward(&mut self, at: Affine, sink: Sink<'_>) -> Result<(), EngineError> {
            let corrupt = self.corrupt;
            self.inner.forward(at, &mut |ys| {
                let mut ys = ys.to_vec();
                corrupt(&mut LossSums::default(), &mut ys[1]);
                sink(&ys)
            })
        }
    }

    #[test]
    fn a_corrupted_result_is_a_mismatch() {
        let x = Array::from_vec("x", &[4], vec![1.0, 2.0, 3.0, 4.0]);
        let t = Array::from_vec("t", &[4], vec![3.0, 5.0, 7.5, 9.0]);
        let data = Problem::pair(x, t).unwrap();
        let mut rules = Rules {
            truth: Truth::of_points(&data).unwrap(),
            tolerance: 1e-5,
            verbosity: Verbosity { quiet: true, verbose: false },
            noted: Vec::new(),
        };
        let mut check = |corrupt: fn(&mut LossSums, &mut f32)| {
            rules
                .compare(&data, "cpu", None, || Ok(Box::new(Corrupted { inner: Cpu::new(&data), corrupt })))
                .ok
        };
        assert!(check(|_, _| {}));
        assert!(!check(|sums, _| sums.rr *= 1.0001));
        assert!(!check(|sums, _| sums.rx *= 1.0001));
        assert!(!check(|sums, _| sums.r *= 1.0001));
        assert!(!check(|sums, _| sums.rr = f64::NAN));
        assert!(!check(|_, y| *y *= 1.0001));
        assert!(!check(|_, y| *y = f32::NAN));
    }
}
