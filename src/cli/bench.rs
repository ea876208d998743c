use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::drivers::Drivers;
use super::error::CliError;
use super::generate::TypeArgument;
use super::hint::told;
use super::memory::half_of_free;
use super::paths::check_outputs;
use super::progress::Progress;
use super::stopwatch::{Stopwatch, timed};
use super::truth::{POINTS, TOLERANCE, Truth, TruthAt, is_beyond, relative};
use super::tune::Tuner;
use super::tuning::TuningArguments;
use super::verbosity::Verbosity;
use super::{Outcome, print, to_json};
use crate::array::{Array, DataError, Problem, shown};
use crate::engine::gpu::{Adapter, AdapterChoice, Adapters, Gpu, GpuError, GpuSettings, Tuning};
use crate::engine::{Cpu, DescentRule, Engine, EngineError, ReadProbe, StepState};
use crate::fit::{GradientDescent, State, Update};
use crate::io::output::OutputFile;
use crate::io::synthetic::Recipe;
use crate::math::Affine;
use crate::report::{Baseline, BenchReport, BenchResult, ReadBandwidth, Timing};

/// Memory that the read bandwidth is measured on: more than any cache.
const PROBE_BYTES: usize = 512 << 20;

/// W and b of the passes that are timed.
const AT: Affine = POINTS[0];

/// Elements of X unless the user says otherwise.
const DEFAULT_SIZES: [usize; 5] = [4 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20];

/// The same to tune with: too many for caches, and soon passed over.
const TUNED_ELEMENTS: usize = 16 << 20;

/// How long a timed descent should take, so that starting one doesn't count.
const DESCENT_TIME: Duration = Duration::from_millis(20);

/// The most steps in a timed descent.
const MAX_STEPS: u64 = 1000;

/// Measures the throughput of every pass, engine and adapter over a sweep of sizes
#[derive(Debug, Args)]
#[command(after_help = "\
The data are random and made in memory. Every pass is first checked against the f64 reference, at
several W and b that no float is equal to; a mismatch is an error (exit code 1), and nothing is timed. Then come warm-up runs, and at least 10
timed ones. The table gives their median and interquartile range.

  forward        Y = X·W + b as f32. On a GPU this includes reading Y back to the host
  loss_sums  one pass over X and T: the sums behind loss and gradients
  step           one step of gradient descent: that pass, loss and gradients, and the update on the host
  steps          a step of many, as `linfit fit` takes them: on a GPU many for one round trip

GB/s counts X and T as the engine stores them (forward: X, and Y as f32), each once. It is held
against the read bandwidth of this machine's memory, measured in the same run: all threads add up
one large buffer. Data that fit into a cache, and a GPU with memory of its own, can be above 100 %.
Where a GPU has a clock, `on device` is what a pass takes by it, without the way there and back; it
is read in runs of its own.

Examples:
  linfit bench
  linfit bench --tune --adapter 0
  linfit bench --sizes 16M --engine cpu --passes step --export-json before.json
  linfit bench --sizes 16M --engine cpu --passes step --baseline before.json")]
pub(super) struct BenchArguments {
    /// Elements of X; K, M and G stand for 1024, 1024² and 1024³.
    /// [default: 4K,64K,1M,16M,64M]; --tune takes the largest [default: 16M]
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
    engine: Option<BenchEngine>,

    /// Only this GPU adapter, by its number in `linfit devices` or a part of its name
    #[arg(long, value_name = "NUMBER|NAME")]
    adapter: Option<AdapterChoice>,

    /// The type of the elements: u8 i8 u16 i16 u32 i32 u64 i64 f16 f32 f64
    #[arg(long, default_value = "f32", value_name = "TYPE")]
    dtype: TypeArgument,

    /// Find out what suits each GPU adapter best, and keep it for later: the order of reading, what
    /// adds up, loads under way, and the size and number of workgroups, in turns
    #[arg(long, conflicts_with_all = ["passes", "dtype", "no_tuning", "baseline", "export_json", "export_csv", "export_markdown"])]
    tune: bool,

    #[command(flatten)]
    tuning: TuningArguments,

    /// How long to repeat each measurement, after 10 runs
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS", allow_hyphen_values = true)]
    time: f64,

    /// The largest relative error that passes the check
    #[arg(long, default_value_t = TOLERANCE, value_name = "TOL", allow_hyphen_values = true)]
    tol: f64,

    /// Show the ratio to an earlier run; above 1 is faster than it was
    #[arg(long, value_name = "FILE.json")]
    baseline: Option<PathBuf>,

    /// Print the results as JSON
    #[arg(long)]
    json: bool,

    /// Write the results as JSON, for --baseline
    #[arg(long, value_name = "FILE")]
    export_json: Option<PathBuf>,

    /// Write the results as CSV
    #[arg(long, value_name = "FILE")]
    export_csv: Option<PathBuf>,

    /// Write the table as Markdown
    #[arg(long, value_name = "FILE")]
    export_markdown: Option<PathBuf>,

    #[command(flatten)]
    verbosity: Verbosity,
}

#[derive(Debug, Clone, Copy)]
struct Size(usize);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let unit = |letter: char| match letter.to_ascii_uppercase() {
            'K' => Some(1 << 10),
            'M' => Some(1 << 20),
            'G' => Some(1 << 30),
            _ => None,
        };
        let (digits, unit) = match text.chars().last().and_then(unit) {
            Some(unit) => (&text[..text.len() - 1], unit),
            None => (text, 1),
        };
        let count: usize = digits.parse().map_err(|_| "give counts like 4096, 64K or 16M".to_owned())?;
        match count.checked_mul(unit) {
            Some(0) => Err("there is nothing to measure on 0 elements".to_owned()),
            Some(elements) => Ok(Self(elements)),
            None => Err("more elements than can be counted".to_owned()),
        }
    }
}

/// The engines that can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum BenchEngine {
    /// All CPU cores
    Cpu,
    /// Every GPU adapter, software adapters included
    Gpu,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Pass {
    /// Y = X·W + b
    Forward,
    /// The sums behind loss and gradients
    #[value(name = "residual_sums", alias = "residual-sums")]
    LossSums,
    /// One step of gradient descent, updated on the host
    Step,
    /// One of many steps, updated on the device if it can
    Steps,
}

impl Pass {
    fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::LossSums => "residual_sums",
            Self::Step => "step",
            Self::Steps => "steps",
        }
    }
}

impl Pass {
    /// Whether a run of it is a descent of several steps.
    fn takes_steps(self) -> bool {
        matches!(self, Self::Step | Self::Steps)
    }
}

/// What is measured: an engine on what it runs on.
#[derive(Clone, Copy)]
enum Place<'a> {
    Cpu,
    Gpu(&'a Adapter, Tuning),
}

impl<'a> Place<'a> {
    fn adapter(self) -> Option<&'a Adapter> {
        match self {
            Self::Cpu => None,
            Self::Gpu(adapter, _) => Some(adapter),
        }
    }

    fn engine(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu(..) => "gpu",
        }
    }

    fn open(self, data: &Problem) -> Result<Box<dyn Engine>, EngineError> {
        Ok(match self {
            Self::Cpu => Box::new(Cpu::new(data)),
            Self::Gpu(adapter, tuning) => {
                Box::new(Gpu::open_with(adapter, data, &GpuSettings::tuned(tuning))?)
            }
        })
    }
}

pub(super) fn run(arguments: &BenchArguments) -> Result<Outcome, CliError> {
    let stopwatch = arguments.check()?;
    let baseline = arguments.baseline.as_deref().map(Baseline::load).transpose()?;
    let drivers = match arguments.engine {
        Some(BenchEngine::Cpu) => None,
        _ => Some(Drivers::try_all(arguments.verbosity)?),
    };
    let adapters = drivers.as_ref().map(Drivers::adapters);
    let gpus = drivers.as_ref().zip(adapters.as_ref());
    let places = arguments.places(gpus)?;
    let sizes = arguments.sizes_that_fit(&places)?;
    if arguments.tune {
        return arguments.tuner(stopwatch, &sizes).run(&arguments.adapters_to_tune(&places)?);
    }
    let Some(mut report) = sweep(arguments, stopwatch, &places, &sizes)? else {
        return Ok(Outcome::Interrupted);
    };
    if let (Some(baseline), Some(path)) = (&baseline, &arguments.baseline) {
        let common = report.compare_with(baseline);
        if common < report.results.len() {
            let missing = report.results.len() - common;
            arguments.verbosity.note(&format!("{}: has nothing on {missing} of these results", shown(path)));
        }
    }
    Exports::create(arguments)?.write(&report)?;
    print(&report, arguments.json)?;
    Ok(Outcome::Done)
}

impl BenchArguments {
    fn check(&self) -> Result<Stopwatch, CliError> {
        if !(self.tol > 0.0 && self.tol.is_finite()) {
            return Err(CliError::Usage(format!("--tol must be a positive number, not {:?}", self.tol)));
        }
        let exports = [
            ("--export-json", self.export_json.as_deref()),
            ("--export-csv", self.export_csv.as_deref()),
            ("--export-markdown", self.export_markdown.as_deref()),
        ];
        let baseline: Vec<_> = self.baseline.iter().map(|path| ("--baseline", path.as_path())).collect();
        check_outputs(&exports, &baseline)?;
        match Duration::try_from_secs_f64(self.time) {
            Ok(time) => Ok(Stopwatch { time }),
            Err(_) => {
                Err(CliError::Usage(format!("--time must be a number of seconds, not {:?}", self.time)))
            }
        }
    }

    /// What to measure; the CPU alone needs no drivers.
    fn places<'a>(&self, gpus: Option<(&Drivers, &'a Adapters)>) -> Result<Vec<Place<'a>>, CliError> {
        let Some((drivers, adapters)) = gpus else {
            return match self.adapter {
                Some(_) => Err(CliError::Usage("--adapter chooses a GPU; leave out --engine cpu".to_owned())),
                None => Ok(vec![Place::Cpu]),
            };
        };
        let tunings = self.tuning.load(self.verbosity);
        let place = |adapter| Place::Gpu(adapter, tunings.of(adapter));
        if let Some(choice) = &self.adapter {
            let adapter = drivers.choose(adapters, Some(choice))?;
            drivers.note_broken(self.verbosity);
            return Ok(vec![place(adapter)]);
        }
        let gpus = adapters.iter().map(place);
        if self.engine == Some(BenchEngine::Gpu) {
            if adapters.is_empty() {
                return Err(drivers.failure().unwrap_or(GpuError::NoAdapter).into());
            }
            drivers.note_broken(self.verbosity);
            return Ok(gpus.collect());
        }
        drivers.note_broken(self.verbosity);
        if adapters.is_empty() {
            self.verbosity.note(&"no GPU adapter found; only the CPU engine is measured");
        }
        Ok(std::iter::once(Place::Cpu).chain(gpus).collect())
    }

    /// The sizes, in order, without those that this machine has no memory for.
    fn sizes_that_fit(&self, places: &[Place<'_>]) -> Result<Vec<usize>, CliError> {
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
        rest.iter().for_each(|&size| self.verbosity.note(&format!("left out: {}", too_large(size))));
        Ok(fitting)
    }
}

impl BenchArguments {
    fn tuner(&self, stopwatch: Stopwatch, sizes: &[usize]) -> Tuner {
        Tuner {
            elements: sizes.last().copied().unwrap_or(TUNED_ELEMENTS),
            time: stopwatch.time,
            tolerance: self.tol,
            verbosity: self.verbosity,
            json: self.json,
        }
    }

    fn adapters_to_tune<'a>(&self, places: &[Place<'a>]) -> Result<Vec<&'a Adapter>, CliError> {
        let adapters: Vec<_> = places.iter().filter_map(|place| place.adapter()).collect();
        match (adapters.is_empty(), self.engine) {
            (true, Some(BenchEngine::Cpu)) => {
                Err(CliError::Usage("--tune is for GPUs; leave out --engine cpu".to_owned()))
            }
            (true, _) => Err(GpuError::NoAdapter.into()),
            (false, _) => Ok(adapters),
        }
    }
}

/// Measures everything; `None` if the user asked to stop.
fn sweep(
    arguments: &BenchArguments,
    stopwatch: Stopwatch,
    places: &[Place<'_>],
    sizes: &[usize],
) -> Result<Option<BenchReport>, CliError> {
    let measurements = sizes.len() * places.len() * arguments.passes.len();
    let progress = Progress::new(arguments.verbosity.quiet, measurements as u64, "measurements");
    let probe = ReadProbe::new(PROBE_BYTES.min(usize::try_from(half_of_free() / 2).unwrap_or(PROBE_BYTES)));
    if probe.pass() != probe.expected() {
        return Err(CliError::Mismatch("reading memory: the sum is wrong; is the memory faulty?".to_owned()));
    }
    let (mut read_seconds, mut measured, mut failure) = (Vec::new(), Vec::new(), None);
    for &size in sizes {
        // Between the sizes, so that it sees the same moods of the machine.
        let read = || timed(|| Ok::<_, CliError>(probe.pass()));
        let Some(seconds) = stopwatch.measure(read)? else { return Ok(None) };
        read_seconds.extend(seconds);
        let subject = Subject::new(arguments, size)?;
        for (k, &place) in places.iter().enumerate() {
            let mut engine = match place.open(&subject.data) {
                Ok(engine) => engine,
                Err(error @ (EngineError::Gpu(_) | EngineError::Data(_))) => {
                    arguments.verbosity.note(&format!("left out at {size} elements: {}", told(&error)));
                    failure = Some(error);
                    progress.advance(arguments.passes.len() as u64);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            arguments
                .verbosity
                .detail(&format_args!("checking and timing {}: {size} elements", engine.info()));
            subject.check(place, engine.as_mut(), arguments)?;
            for pass in Pass::value_variants().iter().filter(|pass| arguments.passes.contains(pass)) {
                let Some(timing) = subject.time(*pass, engine.as_mut(), stopwatch)? else { return Ok(None) };
                measured.push((k, *pass, subject.result(place, *pass, engine.as_ref(), timing)));
                progress.advance(1);
            }
        }
    }
    progress.end();
    if let (true, Some(error)) = (measured.is_empty(), failure) {
        return Err(error.into());
    }
    let Some(timing) = Timing::of(read_seconds) else { return Ok(None) };
    let read = ReadBandwidth { bytes: probe.bytes(), timing };
    let read_gb_s = read.gb_s();
    // By engine and pass, then by size, which is stable already.
    measured.sort_by_key(|(place, pass, _)| (*place, *pass));
    let results = measured
        .into_iter()
        .map(|(_, _, result)| BenchResult { fraction_of_read: result.gb_s / read_gb_s, ..result });
    Ok(Some(BenchReport {
        version: env!("CARGO_PKG_VERSION"),
        cpu: Cpu::describe(),
        read_gb_s,
        read,
        results: results.collect(),
    }))
}

/// One size: its data, and what is true of them.
struct Subject {
    data: Problem,
    truth: Truth,
    learning_rate: f64,
}

impl Subject {
    fn new(arguments: &BenchArguments, elements: usize) -> Result<Self, CliError> {
        let recipe = Recipe { truth: Affine::new(2.0, 1.0), noise: 0.1, element: arguments.dtype.0, seed: 0 };
        let (x, t) = recipe.matrices(elements)?;
        let data = Problem::pair(x, t)?;
        let truth = Truth::of_points(&data)?;
        // Below 1/(1 + mean of x²) no descent diverges.
        let learning_rate = 0.01 / (1.0 + mean_square(data.x()));
        Ok(Self { data, truth, learning_rate })
    }

    /// Nothing is timed that was not first checked.
    fn check(
        &self,
        place: Place<'_>,
        engine: &mut dyn Engine,
        arguments: &BenchArguments,
    ) -> Result<(), CliError> {
        let errors = self.truth.errors(&self.data, engine)?;
        arguments.verbosity.notices(engine.notices());
        let host = self.step_error(engine, Update::Host)?;
        let step = if is_beyond(host, arguments.tol) { host } else { self.step_error(engine, Update::Auto)? };
        let step = is_beyond(step, arguments.tol).then_some(("W or b after a step", step));
        let Some((what, error)) = errors.beyond(arguments.tol).or(step) else { return Ok(()) };
        let n = self.data.len();
        let adapter = place.adapter().map_or_else(String::new, |adapter| format!(" ({})", adapter.name()));
        Err(CliError::Mismatch(format!(
            "{}{adapter}, {n} elements: {what} is off by {error:.1e} relative to the reference, beyond --tol {}; \
             nothing was timed",
            place.engine(),
            arguments.tol
        )))
    }

    /// How far W and b after one step are from where the reference's gradients
    /// lead, relative to the size of the gradients' terms.
    fn step_error(&self, engine: &mut dyn Engine, update: Update) -> Result<f64, CliError> {
        let fit = self.descent(1, update).fit(engine, &mut |_| ControlFlow::Continue(()))?;
        let TruthAt { at, evaluation, scales } = &self.truth.first;
        let mut want = StepState::start(*at);
        DescentRule::default().step(&mut want, evaluation.gradient(), self.learning_rate);
        let weight = relative(fit.model.weight - want.model.weight, self.learning_rate * scales.grad_weight);
        let bias = relative(fit.model.bias - want.model.bias, self.learning_rate * scales.grad_bias);
        Ok(weight + bias)
    }

    fn descent(&self, steps: u64, update: Update) -> GradientDescent {
        GradientDescent {
            learning_rate: self.learning_rate,
            steps,
            start: AT,
            update,
            ..GradientDescent::default()
        }
    }

    /// Seconds of a pass by the host's clock, and by the device's if it has
    /// one: in runs of its own, because reading it takes time.
    fn time(
        &self,
        pass: Pass,
        engine: &mut dyn Engine,
        stopwatch: Stopwatch,
    ) -> Result<Option<(Timing, Option<f64>)>, CliError> {
        let mut steps = 1;
        if pass.takes_steps() {
            // Twice: the first is cold.
            for _ in 0..2 {
                let seconds = timed(|| self.run(pass, steps, engine))? / passes_of(pass, steps);
                steps = steps_in(DESCENT_TIME, seconds);
            }
        }
        let passes = passes_of(pass, steps);
        let measured =
            stopwatch.measure(|| timed(|| self.run(pass, steps, engine)).map(|seconds| seconds / passes))?;
        let Some(timing) = measured.and_then(Timing::of) else { return Ok(None) };
        if !engine.start_clock() {
            return Ok(Some((timing, None)));
        }
        let brief = Stopwatch { time: Duration::ZERO };
        let measured = brief.measure(|| {
            engine.start_clock();
            self.run(pass, steps, engine)?;
            Ok::<_, CliError>(engine.stop_clock().unwrap_or(f64::NAN) / passes)
        })?;
        let Some(device) = measured.and_then(Timing::of) else { return Ok(None) };
        Ok(Some((timing, Some(device.median_s).filter(|seconds| seconds.is_finite()))))
    }

    /// Does what is timed.
    fn run(&self, pass: Pass, steps: u64, engine: &mut dyn Engine) -> Result<(), CliError> {
        let mut descend = |update| {
            let mut go_on = |_: &State| ControlFlow::Continue(());
            black_box(self.descent(steps, update).fit(engine, &mut go_on)?);
            Ok(())
        };
        match pass {
            Pass::Step => descend(Update::Host),
            Pass::Steps => descend(Update::Auto),
            Pass::LossSums => {
                black_box(engine.loss_sums(AT)?);
                Ok(())
            }
            Pass::Forward => Ok(engine.forward(AT, &mut |ys| {
                black_box(ys);
                Ok(())
            })?),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "rates for people")]
    fn result(
        &self,
        place: Place<'_>,
        pass: Pass,
        engine: &dyn Engine,
        (timing, device_s): (Timing, Option<f64>),
    ) -> BenchResult {
        let n = self.data.len() as u64;
        let bytes = match pass {
            // X and T have the same type.
            Pass::Forward => engine.pass_bytes() / 2 + n * size_of::<f32>() as u64,
            Pass::LossSums | Pass::Step | Pass::Steps => engine.pass_bytes(),
        };
        let Timing { runs, median_s, q1_s, q3_s } = timing;
        BenchResult {
            engine: place.engine(),
            adapter: place.adapter().map(|adapter| adapter.name().to_owned()),
            backend: place.adapter().map(Adapter::backend),
            pass: pass.name(),
            n,
            dtype: self.data.x().element().name(),
            runs,
            median_s,
            q1_s,
            q3_s,
            device_s,
            gb_s: bytes as f64 / median_s / 1e9,
            elements_s: n as f64 / median_s,
            fraction_of_read: f64::NAN,
            baseline_ratio: None,
        }
    }
}

/// The passes over the data in a run. A descent evaluates where it starts too.
#[expect(clippy::cast_precision_loss, reason = "at most MAX_STEPS")]
fn passes_of(pass: Pass, steps: u64) -> f64 {
    if pass.takes_steps() { (steps + 1) as f64 } else { 1.0 }
}

/// How many steps of so many seconds fit into a time.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn steps_in(time: Duration, step_seconds: f64) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "a small constant")]
    let most = MAX_STEPS as f64;
    (time.as_secs_f64() / step_seconds).clamp(1.0, most) as u64
}

#[expect(clippy::cast_precision_loss, reason = "an average")]
fn mean_square(x: &Array) -> f64 {
    let mut xs = vec![0f64; x.len().min(1 << 16)];
    let mut sum = 0.0;
    for start in (0..x.len()).step_by(xs.len().max(1)) {
        let elements = xs.len().min(x.len() - start);
        x.read(x.order(), start, &mut xs[..elements]);
        sum += xs[..elements].iter().map(|x| x * x).sum::<f64>();
    }
    sum / x.len() as f64
}

/// The files to write, begun after everything is measured: what a driver ends
/// leaves none. A name that can't be written was told at once.
struct Exports<'a> {
    json: Option<(&'a Path, OutputFile)>,
    csv: Option<(&'a Path, OutputFile)>,
    markdown: Option<(&'a Path, OutputFile)>,
}

impl<'a> Exports<'a> {
    fn create(arguments: &'a BenchArguments) -> Result<Self, DataError> {
        let create = |path: &'a Option<PathBuf>| {
            path.as_deref().map(|path| Ok((path, OutputFile::create(path)?))).transpose()
        };
        Ok(Self {
            json: create(&arguments.export_json)?,
            csv: create(&arguments.export_csv)?,
            markdown: create(&arguments.export_markdown)?,
        })
    }

    fn write(self, report: &BenchReport) -> Result<(), CliError> {
        if let Some((path, mut file)) = self.json {
            use std::io::Write;
            let text = to_json(report)?;
            writeln!(file, "{text}").map_err(|source| DataError::Write { path: path.to_owned(), source })?;
            file.finish()?;
        }
        if let Some((path, file)) = self.csv {
            report.write_csv(path, file)?;
        }
        if let Some((path, file)) = self.markdown {
            report.write_markdown(path, file)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{EngineInfo, Notice, Sink};
    use crate::math::{LossSums, Moments};

    #[test]
    fn sizes_are_counts_with_units() {
        let parse = |text: &str| text.parse::<Size>().map(|size| size.0);
        assert_eq!(parse("4096"), Ok(4096));
        assert_eq!(parse("4K"), Ok(4096));
        assert_eq!(parse("16m"), Ok(16 << 20));
        assert_eq!(parse("2G"), Ok(2 << 30));
        for bad in ["", "K", "0", "0K", "-1", "1.5K", "16X", "16 é", "99999999999G"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_descent_is_long_enough_and_not_longer() {
        assert_eq!(steps_in(DESCENT_TIME, 1e-3), 20);
        assert_eq!(steps_in(DESCENT_TIME, 10.0), 1);
        assert_eq!(steps_in(DESCENT_TIME, 1e-9), MAX_STEPS);
        assert_eq!(steps_in(DESCENT_TIME, 0.0), MAX_STEPS);
    }

    /// The CPU engine, one in a thousand off after a number of passes.
    struct Wrong {
        inner: Cpu,
        good_passes: u32,
        wrong_forward: bool,
    }

    impl Engine for Wrong {
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
            let sums = self.inner.loss_sums(at)?;
            let rx = if self.good_passes == 0 { sums.rx * 1.001 } else { sums.rx };
            self.good_passes = self.good_passes.saturating_sub(1);
            Ok(LossSums { rx, ..sums })
        }
        fn moments(&mut self) -> Result<Moments, EngineError> {
            self.inner.moments()
        }
        fn forward(&mut self, at: Affine, sink: Sink<'_>) -> Result<(), EngineError> {
            let factor = if self.wrong_forward { 1.001 } else { 1.0 };
            let mut scaled = |ys: &[f32]| sink(&ys.iter().map(|y| y * factor).collect::<Vec<_>>());
            self.inner.forward(at, &mut scaled)
        }
    }

    #[test]
    fn each_wrong_pass_is_a_mismatch() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            bench: BenchArguments,
        }
        let arguments = <Line as clap::Parser>::try_parse_from(["bench"]).unwrap().bench;
        let subject = Subject::new(&arguments, 1000).unwrap();
        let check = |good_passes, wrong_forward| {
            let mut engine = Wrong { inner: Cpu::new(&subject.data), good_passes, wrong_forward };
            subject.check(Place::Cpu, &mut engine, &arguments).map_err(|error| error.to_string())
        };
        assert_eq!(check(u32::MAX, false), Ok(()));
        assert!(check(0, false).unwrap_err().contains("∂L/∂W"));
        assert!(check(u32::MAX, true).unwrap_err().contains('Y'));
        // Right when asked for sums, wrong in the descent.
        assert!(check(u32::try_from(POINTS.len()).unwrap(), false).unwrap_err().contains("after a step"));
    }
}
