mod many;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use super::engine::{Auto, EngineArguments};
use super::error::CliError;
use super::grouping::GroupingArguments;
use super::hint::told;
use super::pair::{LoadedPair, Needs, PairArguments};
use super::paths::check_outputs;
use super::pictures::{Found, PictureArguments};
use super::progress::Progress;
use super::shards::ShardArguments;
use super::solver::SolverArguments;
use super::verbosity::Verbosity;
use super::{Outcome, advice, dry_run, interrupt, passes, print, tell, to_json};
use crate::array::{DataError, Validity, shown};
use crate::engine::{EngineError, EngineKind};
use crate::fit::{Course, Fit, GradientDescent, State, StopReason};
use crate::io::output::OutputFile;
use crate::io::{ModelFormat, to_safetensors};
use crate::math::{Curvature, six_digits_below};
use crate::report::{Checkpoints, FitReport, History, Robustness, Solved, Timings, Trace};

/// Finds W and b of Y = X·W + b, so that Y comes closest to T
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linfit fit examples/data/iris.csv:petal_length examples/data/iris.csv:petal_width
  linfit fit x.npy t.npy --lr 0.1 --steps 5000 --tol 1e-9 --history steps.csv
  linfit fit x.npy t.npy --lr auto --solver moments --steps 1000000 --tol 1e-9
  linfit fit x.npy t.npy --solver exact
  linfit fit image.tif:1 image.tif:2 --line rma
  linfit fit image.tif:1 image.tif:2 --robust tukey
  linfit fit today.tif:1 reference.tif:1 --lr 1e-7
  linfit fit table.parquet --x height --t weight
  linfit fit x.npy t.npy --weights inverse_variance.npy --mask clouds.tif --nodata -9999
  linfit fit x.raw t.raw --raw-dtype u16be --raw-shape 512x512
  linfit fit image.tif:* reference.tif:* --axis 1,2 --solver exact --save bands.npz
  linfit fit exposures.npy 'frames/*.tif' --axis 0 --solver exact --save pixels.tif
  linfit fit table.parquet:x table.parquet:y --groups table.parquet:site --solver exact
  linfit fit today.tif:1 reference.tif:1 --window 15x15 --solver exact --save local.tif
  linfit fit x.npy t.npy --engine gpu --json")]
pub(super) struct FitArguments {
    // Help has the headings in this order: the most used options come first.
    #[command(flatten)]
    solver: SolverArguments,

    #[command(flatten)]
    grouping: GroupingArguments,

    #[command(flatten)]
    engine: EngineArguments,

    /// Write loss, gradients, W and b of every step to this CSV file (one row for
    /// --solver exact)
    #[arg(long, help_heading = "Output", value_name = "FILE.csv")]
    history: Option<PathBuf>,

    /// Write the result to this file, for `linfit predict` and --init: as JSON or, if the name ends in
    /// .safetensors, as f32 for PyTorch's nn.Linear(1, 1). Many fits go to .npz .tif .parquet .arrow .feather
    /// .csv .safetensors or .json
    #[arg(long, help_heading = "Output", value_name = "MODEL")]
    save: Option<PathBuf>,

    #[command(flatten)]
    pictures: PictureArguments,

    #[command(flatten)]
    shards: ShardArguments,

    /// Say what would be read, where it would be computed and how long a pass should take, and do no more
    #[arg(long, help_heading = "Output")]
    dry_run: bool,

    /// Print the result as JSON
    #[arg(long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    verbosity: Verbosity,

    #[command(flatten)]
    pair: PairArguments,
}

pub(super) fn run(arguments: &FitArguments) -> Result<Outcome, CliError> {
    let solver = arguments.solver.checked()?;
    arguments.pictures.check()?;
    let outputs = checked_outputs(arguments)?;
    if arguments.grouping.is_given() {
        return many::run(arguments, &solver);
    }
    // A checkpoint may take the place of the one that the descent goes on from.
    let checkpoint = ("--checkpoint", arguments.solver.checkpoint());
    let all: Vec<_> = outputs.iter().copied().chain([checkpoint]).collect();
    check_outputs(&all, &arguments.pair.paths())?;
    let has_batches = arguments.solver.has_batches();
    let auto = if has_batches { Auto::Cpu } else { Auto::Gpu };
    let engine = arguments.engine.choose(auto, arguments.verbosity)?;

    if arguments.dry_run {
        let (method, most) = (arguments.solver.method(), arguments.solver.passes());
        let memory_bytes = arguments.engine.host_bytes();
        return dry_run::run(&arguments.pair, memory_bytes, &engine, most, method, arguments.json);
    }

    let started = Instant::now();
    let needs = Needs { row_by_row: has_batches, is_shard: arguments.shards.is_given() };
    let LoadedPair { problem: data, masked_by, files, .. } =
        arguments.pair.load_in(needs, arguments.engine.host_bytes(), arguments.verbosity)?;
    let data = arguments.shards.prepared(data);
    let load_s = started.elapsed().as_secs_f64();

    let started = Instant::now();
    let opened = engine.open(&data, arguments.verbosity)?;
    let mut engine = opened.engine;
    let prepare_s = started.elapsed().as_secs_f64();

    // Only now: a driver that fails leaves none behind.
    let history = arguments.history.as_deref().map(History::create).transpose()?;
    let save = arguments.save.as_deref().map(OutputFile::create).transpose()?;
    let checkpoints = arguments.solver.checkpoints()?;
    let pictures = arguments.pictures.begin()?;
    let shard = arguments.shards.begin()?;

    let started = Instant::now();
    let partials = passes::moments(engine.as_mut(), arguments.verbosity.quiet)?;
    let moments = partials.total().map_err(EngineError::from)?;
    let moments_s = started.elapsed().as_secs_f64();
    // Before the line, which a shard may not have.
    arguments.shards.finish(shard, &data, partials, None)?;
    if moments.n == 0 {
        arguments.verbosity.note(&"no pair is valid: this shard adds nothing to the others");
        return Ok(Outcome::Done);
    }
    let method = arguments.solver.method();
    let course = solver.whole.course(&moments)?;

    let last_step = course.last_step(data.len() as u64);
    let mut watch = Watch::new(arguments, last_step, history, checkpoints);
    let listening = interrupt::Watch::patient();
    let mut see = |state: &State| watch.see(state);
    let result = course.fit(engine.as_mut(), &moments, &mut see);
    drop(listening);
    watch.progress.end();
    let (fit, robust) = match result {
        Err(error) if arguments.shards.is_given() && error.is_of_data() => {
            arguments.verbosity.note(&format_args!("this shard has no line of its own: {}", told(&error)));
            return Ok(Outcome::Done);
        }
        result => result.map_err(|error| arguments.solver.failed(error))?,
    };
    let trace = watch.finish()?;
    // The steps of batches are no others' steps.
    if let Some(advice) = advice::on_time(&fit, method).filter(|_| course.batches.is_none()) {
        arguments.verbosity.note(&advice);
    }
    let statistics = course.statistics(engine.as_mut(), &moments, robust.as_ref())?;
    // Data that are streamed tell what they lost only once they were read.
    arguments.verbosity.notices_of(engine.as_mut());

    let timings = Timings { load_s, prepare_s, moments_s, ..Timings::default() };
    let Course { descent: sgd, batches, curvature, .. } = course;
    let solved = Solved { method, line: solver.whole.kind(), sgd, batches, moments, curvature, statistics };
    let mut report = FitReport::new(&fit, &solved, engine.info().clone(), engine.pass_bytes(), timings);
    report.engine_reason = opened.reason;
    report.excluded = data.validity().map(Validity::excluded);
    report.masked_by = masked_by;
    report.robust = robust.zip(solver.whole.rounds()).map(|(found, robust)| Robustness::of(&robust, &found));
    if let Some(note) = report.robust.and_then(Robustness::unsettled) {
        arguments.verbosity.note(&note);
    }
    report.weight_sum = data.weights().map(|_| data.weight_sum());
    if let Some(file) = save {
        save_model(file, arguments, &fit, &report)?;
    }
    let found =
        Found { engine: engine.as_mut(), report: &report, moments: &moments, trace: trace.clone(), files };
    pictures.draw(found)?;
    if let Some(sgd) = sgd {
        note_descent(arguments, &fit, &sgd, curvature, &report);
    }
    if fit.stop_reason == StopReason::Diverged {
        let rate = sgd.map_or(f64::NAN, |sgd| sgd.learning_rate);
        let bound = sgd.zip(curvature).map(|(sgd, curvature)| sgd.rate_bound(&curvature));
        tell(&divergence(&fit, rate, bound, engine.info().kind));
    }
    print(&report, arguments.json)?;
    arguments.verbosity.curve(&trace);
    Ok(match fit.stop_reason {
        StopReason::Diverged => Outcome::CheckFailed,
        StopReason::Interrupted => Outcome::Interrupted,
        StopReason::Steps | StopReason::Tolerance | StopReason::Exact | StopReason::Patience => Outcome::Done,
    })
}

/// The files to write, none of which is another's or one that is read.
fn checked_outputs(arguments: &FitArguments) -> Result<Vec<(&'static str, Option<&Path>)>, CliError> {
    let mut outputs =
        vec![("--history", arguments.history.as_deref()), ("--save", arguments.save.as_deref())];
    outputs.extend(arguments.pictures.outputs());
    outputs.push(arguments.shards.output());
    let mut inputs = arguments.pair.paths();
    inputs.extend(arguments.solver.init().map(|path| ("--init", path)));
    inputs.extend(arguments.grouping.groups.iter().map(|groups| ("--groups", groups.path.as_path())));
    check_outputs(&outputs, &inputs)?;
    Ok(outputs)
}

/// Writes the model in the format of its name.
fn save_model(
    file: OutputFile,
    arguments: &FitArguments,
    fit: &Fit,
    report: &FitReport,
) -> Result<(), CliError> {
    let path = arguments.save.clone().unwrap_or_default();
    let model = match ModelFormat::of(&path) {
        ModelFormat::Json => to_json(report)?.into_bytes(),
        ModelFormat::Safetensors => {
            to_safetensors(fit.model).map_err(|source| DataError::Write { path, source })?
        }
    };
    Ok(file.finish_with(&model)?)
}

/// Notes what kept a descent from the least-squares line.
fn note_descent(
    arguments: &FitArguments,
    fit: &Fit,
    sgd: &GradientDescent,
    curvature: Option<Curvature>,
    report: &FitReport,
) {
    if let Some(note) = far_off(fit, sgd, report) {
        arguments.verbosity.note(&note);
    }
    if let Some(curvature) = curvature
        && arguments.solver.chooses_rate()
        && curvature.condition().is_finite()
        && curvature.condition() > 1.0 / f64::EPSILON
    {
        arguments.verbosity.note(&format!(
            "the condition number {:.1e} is beyond the digits of f64: the best rate is 1/λmax, and only one \
             direction moves at all; use --standardize or --solver exact",
            curvature.condition()
        ));
    }
}

/// The note on a descent that ended far from the least-squares line.
fn far_off(fit: &Fit, sgd: &GradientDescent, report: &FitReport) -> Option<String> {
    // Without steps, the loss at the start is what was asked for.
    let ratio = report.far_by?;
    // Nor with a weight decay, which keeps W and b from that line.
    if sgd.steps == 0 || sgd.weight_decay > 0.0 || fit.stop_reason == StopReason::Diverged {
        return None;
    }
    let how = if ratio == f64::MAX {
        "with more than 1e308 times the least loss".to_owned()
    } else if ratio.is_finite() {
        format!("with {ratio:.3e} times the least loss")
    } else {
        "which goes through every point".to_owned()
    };
    let ended = format!("the descent ended far from the least-squares line, {how}");
    let tolerance = sgd.tolerance;
    Some(match fit.stop_reason {
        StopReason::Tolerance if tolerance > 0.0 => {
            let place =
                if fit.steps == 0 { "already the start".to_owned() } else { format!("step {}", fit.steps) };
            format!(
                "{ended}: --tol {tolerance:?} is absolute, and {place} meets it on the scale of these data; use \
                 --rtol 1e-9, which is relative to that scale"
            )
        }
        StopReason::Tolerance => format!("{ended}; use a smaller --rtol"),
        // Where no line is better than every other, these refuse.
        _ if report.statistics.weight.is_none() => format!("{ended}; use more --steps or --lr auto"),
        _ => format!("{ended}; use more --steps, --lr auto, --standardize or --solver exact"),
    })
}

/// The message of a descent that diverged, with the cause and a remedy.
fn divergence(fit: &Fit, rate: f64, bound: Option<f64>, kind: EngineKind) -> String {
    let (why, advice) = match bound {
        Some(bound) if rate >= bound => (
            format!(
                "the learning rate {rate:?} is not below {:?}, as these data demand",
                six_digits_below(bound)
            ),
            "--lr auto",
        ),
        _ if kind == EngineKind::Gpu => {
            ("the sums of squares overflow".to_owned(), "data scaled to about 1, or --engine cpu")
        }
        _ => ("the sums of squares overflow".to_owned(), "data scaled to about 1"),
    };
    format!(
        "linfit: diverged at step {}: {why}; the last finite state is printed; use {advice}",
        fit.steps + 1
    )
}

/// The observer of every step: the history, the progress bar, Ctrl-C.
struct Watch<'a> {
    arguments: &'a FitArguments,
    history: Option<History>,
    checkpoints: Option<Checkpoints>,
    failed: Option<DataError>,
    progress: Progress,
    trace: Trace,
}

impl<'a> Watch<'a> {
    fn new(
        arguments: &'a FitArguments,
        last_step: u64,
        history: Option<History>,
        checkpoints: Option<Checkpoints>,
    ) -> Self {
        let progress = Progress::new(arguments.verbosity.quiet, last_step, "steps");
        Self { arguments, history, checkpoints, failed: None, progress, trace: Trace::default() }
    }

    fn see(&mut self, state: &State) -> ControlFlow<()> {
        let State { step, model, evaluation, .. } = state;
        self.trace.add(state);
        let written = self.history.as_mut().map_or(Ok(()), |history| history.add(state));
        let kept = self.checkpoints.as_ref().map_or(Ok(()), |checkpoints| checkpoints.see(state));
        if let Err(error) = written.and(kept) {
            self.failed = Some(error);
            return ControlFlow::Break(());
        }
        if self.arguments.verbosity.verbose
            && step.is_multiple_of((self.arguments.solver.steps() / 10).max(1))
        {
            let (loss, w, b) = (evaluation.loss, model.weight, model.bias);
            tell(&format_args!("step {step}: loss {loss:e}, W {w:?}, b {b:?}"));
        }
        self.progress.show(*step, || format!("loss {:.4e}", evaluation.loss));
        if interrupt::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Puts the history in its place, unless it couldn't be written; the course of
    /// the descent.
    fn finish(self) -> Result<Trace, CliError> {
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        if let Some(history) = self.history {
            history.finish()?;
            if self.arguments.verbosity.verbose {
                let path = self.arguments.history.clone().unwrap_or_default();
                self.arguments.verbosity.note(&format!("history written to {}", shown(&path)));
            }
        }
        Ok(self.trace)
    }
}
