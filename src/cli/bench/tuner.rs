use std::time::{Duration, Instant};

use super::data::random;
use crate::array::{ElementType, Problem};
use crate::cli::error::CliError;
use crate::cli::hint::told;
use crate::cli::verbosity::Verbosity;
use crate::cli::{Outcome, interrupt, print, tell, tuning};
use crate::engine::gpu::{Adapter, Gpu, GpuSettings, Tuning};
use crate::engine::{DescentRule, Engine, EngineError, POINTS, ReferenceResult, Stepper};
use crate::math::Affine;
use crate::report::{AloneResult, Timing, TuningReport, TuningReports, TuningResult};

/// W and b of the passes.
const AT: Affine = POINTS[0];

/// The fewest turns that a median is taken of.
const LEAST_TURNS: usize = 5;

/// Numbers of elements among which one workgroup may stop being the fastest.
const ALONE_ELEMENTS: [u32; 5] = [1 << 12, 1 << 14, 1 << 16, 1 << 17, 1 << 18];

/// Steps of a timed descent.
const STEPS: u32 = 64;

/// The measurement of launch configurations.
#[derive(Clone, Copy)]
pub(super) struct Tuner {
    /// Elements of X.
    pub(super) elements: usize,
    /// The time of a round, after the fewest turns.
    pub(super) time: Duration,
    /// The largest relative error that passes the check.
    pub(super) tolerance: f64,
    pub(super) verbosity: Verbosity,
    pub(super) json: bool,
}

impl Tuner {
    /// Measures each adapter, prints what was found and keeps it.
    pub(super) fn run(self, adapters: &[&Adapter]) -> Result<Outcome, CliError> {
        let data = random(self.elements, ElementType::F32)?;
        let reference = ReferenceResult::of_points(&data)?;
        let (mut reports, mut failure, mut outcome) = (Vec::new(), None, Outcome::Done);
        for adapter in adapters {
            let mut report = match self.tune(adapter, &data, &reference) {
                Ok(Some(report)) => report,
                Ok(None) => {
                    outcome = Outcome::Interrupted;
                    break;
                }
                Err(error) => {
                    if let Some(earlier) = failure.replace(error) {
                        tell(&format_args!("linfit: {}", told(&earlier)));
                    }
                    continue;
                }
            };
            match tuning::save(adapter, report.best) {
                Ok(path) => report.saved = Some(path.display().to_string()),
                Err(error) => failure = Some(error),
            }
            reports.push(report);
        }
        // A result is worth having, saved or not, and whether or not another
        // adapter failed.
        if !reports.is_empty() {
            print(&TuningReports { adapters: reports }, self.json)?;
        }
        failure.map_or(Ok(outcome), Err)
    }

    /// `None` if the user asked to stop.
    fn tune(
        self,
        adapter: &Adapter,
        data: &Problem,
        reference: &ReferenceResult,
    ) -> Result<Option<TuningReport>, CliError> {
        let default = Tuning::default_for(adapter);
        let held = Gpu::open_with(adapter, data, &GpuSettings::tuned(default))?;
        let mut results = Vec::new();
        let mut best = default;
        for round in 0..3 {
            let others = match round {
                0 => best.other_kernels(adapter),
                1 => best.other_sizes(adapter),
                // What won against many by a little has to win once more.
                _ => vec![best],
            };
            let others = others.into_iter().filter(|tuning| *tuning != default);
            let tunings: Vec<Tuning> = std::iter::once(default).chain(others).collect();
            let name = adapter.name();
            let ways = tunings.len();
            self.verbosity.detail(&format_args!("{name}: checking and timing {ways} launch configurations"));
            let Some(passes) = self.passes(&held, &tunings, reference, data)? else { return Ok(None) };
            let fastest = passes.iter().min_by(|a, b| a.1.total_cmp(&b.1));
            best = fastest.map_or(default, |(tuning, _)| *tuning);
            let default_s = passes.first().map_or(f64::NAN, |(_, median_s)| *median_s);
            results.extend(passes.into_iter().map(|(tuning, median_s)| {
                #[expect(clippy::cast_precision_loss, reason = "a bandwidth for people")]
                let gb_s = held.pass_bytes() as f64 / median_s / 1e9;
                TuningResult { round, tuning, median_s, gb_s, gain: default_s / median_s }
            }));
        }
        let gain = results.last().map_or(1.0, |result| if best == default { 1.0 } else { result.gain });
        self.verbosity.detail(&format_args!("{}: timing descents in one workgroup", adapter.name()));
        let Some(alone) = self.alone(adapter, best)? else { return Ok(None) };
        let faster = alone.iter().take_while(|result| result.alone_s <= result.dispatched_s).last();
        best.alone_elements = faster.map_or(0, |result| u32::try_from(result.n).unwrap_or(0));
        Ok(Some(TuningReport {
            adapter: adapter.name().to_owned(),
            backend: adapter.backend(),
            driver: adapter.driver(),
            n: data.len() as u64,
            default,
            results,
            alone,
            best,
            gain,
            saved: None,
        }))
    }

    /// The tunings that work, and the median seconds of a residual pass by each.
    /// The first must work; of the others, those that the driver doesn't take
    /// or that compute something else are skipped, with a note.
    fn passes(
        self,
        held: &Gpu,
        tunings: &[Tuning],
        reference: &ReferenceResult,
        data: &Problem,
    ) -> Result<Option<Vec<(Tuning, f64)>>, CliError> {
        let (mut working, mut engines) = (Vec::new(), Vec::new());
        for &tuning in tunings {
            match self.checked(held, tuning, reference, data) {
                Ok(engine) => {
                    working.push(tuning);
                    engines.push(engine);
                }
                Err(error) if working.is_empty() => return Err(error),
                Err(error) => self.verbosity.note(&format_args!("skipped: {}", told(&error))),
            }
        }
        let medians = self.in_turns(&mut engines, |engine| engine.loss_sums_at(AT).map(|_| ()))?;
        Ok(medians.map(|medians| working.into_iter().zip(medians).collect()))
    }

    /// The engine by a tuning, if it finds what the reference does.
    fn checked(
        self,
        held: &Gpu,
        tuning: Tuning,
        reference: &ReferenceResult,
        data: &Problem,
    ) -> Result<Gpu, CliError> {
        let mut engine = held.retuned(tuning)?.ok_or(EngineError::NoTarget)?;
        let checked = reference.errors_of(data, &mut engine)?.check(self.tolerance);
        checked.map_err(|mismatch| {
            CliError::Mismatch(format!("{}: {mismatch}, with {tuning:?}", engine.info()))
        })?;
        Ok(engine)
    }

    /// The times of a step over few elements, in one workgroup and dispatched.
    fn alone(self, adapter: &Adapter, tuning: Tuning) -> Result<Option<Vec<AloneResult>>, CliError> {
        let mut results = Vec::new();
        for elements in ALONE_ELEMENTS {
            let data = random(elements as usize, ElementType::F32)?;
            let with = |alone_elements| {
                Gpu::open_with(adapter, &data, &GpuSettings::tuned(Tuning { alone_elements, ..tuning }))
            };
            let mut engines = [with(elements)?, with(0)?];
            engines.iter_mut().try_for_each(|engine| engine.start(&DescentRule::default(), AT))?;
            let rates = [0.01; STEPS as usize];
            let steps = |engine: &mut Gpu| engine.advance(&rates).map(|_| ());
            let Some(seconds) = self.in_turns(&mut engines, steps)? else { return Ok(None) };
            let step = |k: usize| seconds[k] / f64::from(STEPS);
            results.push(AloneResult { n: elements.into(), alone_s: step(0), dispatched_s: step(1) });
        }
        Ok(Some(results))
    }

    /// Median seconds of `run` on each engine, all in turns, so that they see
    /// the machine in the same state; `None` if the user asked to stop.
    fn in_turns(
        self,
        engines: &mut [Gpu],
        run: impl Fn(&mut Gpu) -> Result<(), EngineError>,
    ) -> Result<Option<Vec<f64>>, CliError> {
        let _listening = interrupt::Watch::brief();
        let mut seconds = vec![Vec::new(); engines.len()];
        let started = Instant::now();
        // The first turn compiles in the driver.
        for turn in 0.. {
            if turn > LEAST_TURNS && started.elapsed() >= self.time {
                break;
            }
            for (engine, seconds) in engines.iter_mut().zip(&mut seconds) {
                if interrupt::requested() {
                    return Ok(None);
                }
                let begun = Instant::now();
                run(engine)?;
                if turn > 0 {
                    seconds.push(begun.elapsed().as_secs_f64());
                }
            }
        }
        let medians = seconds.into_iter().map(|seconds| Timing::of(seconds).map(|timing| timing.median_s));
        Ok(medians.collect())
    }
}
