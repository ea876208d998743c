use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::engine::EngineArguments;
use super::error::CliError;
use super::paths::check_outputs;
use super::progress::Progress;
use super::reading::{ReadingArguments, tell_spooled};
use super::verbosity::Verbosity;
use super::{Outcome, interrupt, print, tell, to_json};
use crate::data::output::OutputFile;
use crate::data::{DataError, Dataset, Source};
use crate::fit::{FitError, Sgd, State, StepsPerSubmit, StopReason, Update};
use crate::math::Affine;
use crate::report::{FitReport, History, Timings};

/// Finds W and b of Y = X·W + b, so that Y comes closest to T
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linfit fit examples/data/iris.csv:petal_length examples/data/iris.csv:petal_width
  linfit fit x.npy t.npy --lr 0.1 --steps 5000 --tol 1e-9 --history steps.csv
  linfit fit today.tif:1 reference.tif:1 --lr 1e-7
  linfit fit table.parquet:height table.parquet:weight
  linfit fit x.raw t.raw --raw-dtype u16be --raw-shape 512x512
  linfit fit x.npy t.npy --engine gpu --json")]
pub(super) struct FitArguments {
    /// The inputs: FILE or FILE:KEY, KEY a column, an array's name or a band; - is stdin
    #[arg(value_name = "X")]
    x: Source,

    /// The targets, of the same shape
    #[arg(value_name = "T")]
    t: Source,

    #[command(flatten)]
    reading: ReadingArguments,

    #[command(flatten)]
    engine: EngineArguments,

    /// How W and b are found
    #[arg(long, value_enum, default_value_t = SolverChoice::Sgd)]
    solver: SolverChoice,

    /// The learning rate η
    #[arg(long, default_value_t = 0.01, value_name = "RATE", allow_hyphen_values = true)]
    lr: f64,

    /// The most steps to take; 0 only evaluates at --w0, --b0
    #[arg(long, default_value_t = 1000, value_name = "N", allow_hyphen_values = true)]
    steps: u64,

    /// Stop when both gradients are at most this; 0 never does
    #[arg(long, default_value_t = 0.0, value_name = "T", allow_hyphen_values = true)]
    tol: f64,

    /// The weight to start from
    #[arg(long, default_value_t = 0.0, value_name = "W", allow_hyphen_values = true)]
    w0: f64,

    /// The bias to start from
    #[arg(long, default_value_t = 0.0, value_name = "B", allow_hyphen_values = true)]
    b0: f64,

    /// Where W and b are updated: on the device, many steps for a round trip,
    /// or on the host, after every step
    #[arg(long, value_enum, default_value_t = UpdateChoice::Auto, value_name = "PLACE")]
    update: UpdateChoice,

    /// The steps a device takes for a round trip, 1 to 1024; the results are
    /// the same. auto: as many as take 50 ms
    #[arg(long, value_name = "K|auto")]
    steps_per_submit: Option<StepsPerSubmit>,

    /// Write loss, gradients, W and b of every step to this CSV file
    #[arg(long, value_name = "FILE.csv")]
    history: Option<PathBuf>,

    /// Write the result as JSON to this file, for `linfit predict`
    #[arg(long, value_name = "MODEL.json")]
    save: Option<PathBuf>,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    verbosity: Verbosity,
}

/// What `--solver` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SolverChoice {
    /// Full-batch gradient descent, a pass over the data for each step
    Sgd,
}

/// What `--update` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum UpdateChoice {
    /// On the device if the engine can, else on the host
    Auto,
    /// On the host, in f64
    Host,
    /// On the device, with twice the digits of f32
    Device,
}

impl FitArguments {
    fn update(&self) -> Result<Update, CliError> {
        match (self.update, self.steps_per_submit) {
            (UpdateChoice::Auto, None) => Ok(Update::Auto),
            (UpdateChoice::Host, None) => Ok(Update::Host),
            (UpdateChoice::Host, Some(_)) => Err(CliError::Usage(
                "--steps-per-submit is for updates on the device; use it with --update device or auto"
                    .to_owned(),
            )),
            // Whoever gives a number of steps expects it to matter.
            (UpdateChoice::Device | UpdateChoice::Auto, steps) => {
                Ok(Update::Device(steps.unwrap_or_default()))
            }
        }
    }
}

pub(super) fn run(arguments: &FitArguments) -> Result<Outcome, CliError> {
    let SolverChoice::Sgd = arguments.solver;
    let sgd = Sgd {
        learning_rate: arguments.lr,
        steps: arguments.steps,
        tolerance: arguments.tol,
        start: Affine::new(arguments.w0, arguments.b0),
        update: arguments.update()?,
    };
    sgd.check().map_err(FitError::from)?;

    let outputs = [("--history", arguments.history.as_deref()), ("--save", arguments.save.as_deref())];
    check_outputs(&outputs, &[("X", &arguments.x.path), ("T", &arguments.t.path)])?;

    let started = Instant::now();
    let memory_bytes = arguments.engine.host_bytes();
    let (x, t) = arguments.reading.within(memory_bytes).open_pair(&arguments.x, &arguments.t)?;
    tell_spooled(arguments.verbosity, &[&x, &t]);
    let data = Dataset::pair_within(x, t, memory_bytes)?;
    let load_s = started.elapsed().as_secs_f64();

    let history = arguments.history.as_deref().map(History::create).transpose()?;
    let save = arguments.save.as_deref().map(OutputFile::create).transpose()?;

    let started = Instant::now();
    let opened = arguments.engine.open(&data, arguments.verbosity)?;
    let mut engine = opened.engine;
    let notices = engine.notices().len();
    let prepare_s = started.elapsed().as_secs_f64();

    let mut watch = Watch::new(arguments, history);
    let result = sgd.fit(engine.as_mut(), &mut |state| watch.see(state));
    watch.progress.end();
    let fit = result?;
    // Data that are streamed tell what they lost only once they were read.
    arguments.verbosity.notices(&engine.notices()[notices..]);
    watch.finish()?;

    let timings = Timings { load_s, prepare_s, ..Timings::default() };
    let mut report =
        FitReport::new(&fit, sgd.learning_rate, engine.info().clone(), engine.pass_bytes(), timings);
    report.engine_reason = opened.reason;
    if let Some(mut file) = save {
        let path = arguments.save.clone().unwrap_or_default();
        let json = to_json(&report)?;
        std::io::Write::write_all(&mut file, json.as_bytes())
            .map_err(|source| DataError::Write { path, source })?;
        file.finish()?;
    }
    if fit.stop_reason == StopReason::Diverged {
        tell(&format_args!(
            "linfit: diverged at step {}: the learning rate {:?} is too large for these data; \
             the last finite state is printed; try --lr {:e}",
            fit.steps + 1,
            sgd.learning_rate,
            sgd.learning_rate / 10.0
        ));
    }
    print(&report, arguments.json)?;
    Ok(match fit.stop_reason {
        StopReason::Diverged => Outcome::CheckFailed,
        StopReason::Interrupted => Outcome::Interrupted,
        StopReason::Steps | StopReason::Tolerance => Outcome::Done,
    })
}

/// What happens at every step: the history, the progress bar, Ctrl-C.
struct Watch<'a> {
    arguments: &'a FitArguments,
    history: Option<History>,
    failed: Option<DataError>,
    progress: Progress,
}

impl<'a> Watch<'a> {
    fn new(arguments: &'a FitArguments, history: Option<History>) -> Self {
        let progress = Progress::new(arguments.verbosity.quiet, arguments.steps, "steps");
        Self { arguments, history, failed: None, progress }
    }

    fn see(&mut self, state: &State) -> ControlFlow<()> {
        let State { step, model, evaluation } = state;
        if let Some(history) = &mut self.history
            && let Err(error) = history.add(state)
        {
            self.failed = Some(error);
            return ControlFlow::Break(());
        }
        if self.arguments.verbosity.verbose && step.is_multiple_of((self.arguments.steps / 10).max(1)) {
            let (loss, w, b) = (evaluation.loss, model.weight, model.bias);
            tell(&format_args!("step {step}: loss {loss:e}, W {w:?}, b {b:?}"));
        }
        self.progress.show(*step, || format!("loss {:.4e}", evaluation.loss));
        if interrupt::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Puts the history in its place, unless it couldn't be written.
    fn finish(self) -> Result<(), CliError> {
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        if let Some(history) = self.history {
            history.finish()?;
            if self.arguments.verbosity.verbose {
                let path = self.arguments.history.clone().unwrap_or_default();
                self.arguments.verbosity.note(&format!("history written to {}", path.display()));
            }
        }
        Ok(())
    }
}
