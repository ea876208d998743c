use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::descent::DescentArguments;
use super::error::CliError;
use super::line::LineArguments;
use crate::fit::{self, FitError, GradientDescent, Method, Parameter, Progress, StepsPerSubmit, Update};
use crate::io::load_descent;
use crate::math::{Affine, Loss};
use crate::report::{Checkpoints, resumed};

/// The choice of a solver and its settings. Options of steps are `None` if not
/// given, so that none is ignored where there are no steps.
#[derive(Debug, Args)]
#[command(next_help_heading = "Solver")]
pub(super) struct SolverArguments {
    /// The method that finds W and b [default: sgd; exact where there is no descent]
    #[arg(long, value_enum)]
    solver: Option<SolverChoice>,

    /// The learning rate η; auto: the one that converges fastest on these data
    /// [default: 0.01]
    #[arg(long, value_name = "RATE|auto", allow_hyphen_values = true)]
    lr: Option<LearningRate>,

    /// The most steps; with 0, loss and gradients at --w0 and --b0 are the result [default: 1000]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    steps: Option<u64>,

    /// Stop when both gradients are at most this; 0 never does [default: 0]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    tol: Option<f64>,

    /// Stop when the gradient of b is at most this share of 2·σt, where σt is the standard
    /// deviation of T, and that of W at most this share of 2·σt·√(mean x²); 0 never does
    /// [default: 0]
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true, conflicts_with = "tol")]
    rtol: Option<f64>,

    /// The weight to start from [default: 0; 1 with --line offset]
    #[arg(long, value_name = "W", allow_hyphen_values = true)]
    w0: Option<f64>,

    /// The bias to start from [default: 0]
    #[arg(long, value_name = "B", allow_hyphen_values = true)]
    b0: Option<f64>,

    /// Start from the weight and the bias of this model, written by --save
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["w0", "b0"])]
    init: Option<PathBuf>,

    /// Make the steps as if X and T had mean 0 and variance 1, so that any
    /// --lr below 1 converges. W, b, loss, gradients and --tol remain those of
    /// the original data
    #[arg(long)]
    standardize: bool,

    /// Descend even with a learning rate that is known to diverge
    #[arg(long)]
    force: bool,

    /// The place where W and b are updated: the device, many steps for a round
    /// trip, or the host, after every step [default: auto]
    #[arg(long, value_enum, value_name = "PLACE")]
    update: Option<UpdateChoice>,

    /// The steps that a device takes for a round trip, 1 to 1024; the results are
    /// the same. auto: as many as take 50 ms
    #[arg(long, value_name = "K|auto")]
    steps_per_submit: Option<StepsPerSubmit>,

    #[command(flatten)]
    descent: DescentArguments,

    // Last, as its heading is for all that follows.
    #[command(flatten)]
    line: LineArguments,
}

/// The values of `--solver`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SolverChoice {
    /// Full-batch gradient descent, a pass over the data for each step
    #[value(name = "sgd")]
    GradientDescent,
    /// The same steps from the moments of the data, after one pass
    Moments,
    /// The least-squares line in closed form, without steps
    Exact,
}

/// The values of `--update`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum UpdateChoice {
    /// On the device if the engine can, else on the host
    Auto,
    /// On the host, in f64
    Host,
    /// On the device, with twice the digits of f32
    Device,
}

/// The value of `--lr`.
#[derive(Debug, Clone, Copy, PartialEq)]
enum LearningRate {
    Auto,
    Fixed(f64),
}

impl FromStr for LearningRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        text.parse().map(Self::Fixed).map_err(|_| "expected a number or auto".to_owned())
    }
}

impl SolverArguments {
    /// The solver's name in reports.
    pub(super) fn method(&self) -> Method {
        match self.choice() {
            SolverChoice::GradientDescent => Method::GradientDescent,
            SolverChoice::Moments => Method::Moments,
            SolverChoice::Exact => Method::Exact,
        }
    }

    fn choice(&self) -> SolverChoice {
        let default = || match self.line.without_steps() {
            Some(_) => SolverChoice::Exact,
            None => SolverChoice::GradientDescent,
        };
        self.solver.unwrap_or_else(default)
    }

    /// Whether the learning rate is chosen from the data.
    pub(super) fn chooses_rate(&self) -> bool {
        self.lr == Some(LearningRate::Auto)
    }

    /// The model to start from.
    pub(super) fn init(&self) -> Option<&Path> {
        self.init.as_deref()
    }

    /// Whether the steps are made from batches.
    pub(super) fn has_batches(&self) -> bool {
        self.descent.batch_option().is_some()
    }

    /// The file of the checkpoints.
    pub(super) fn checkpoint(&self) -> Option<&Path> {
        self.descent.checkpoint.as_deref()
    }

    /// The checkpoints of a descent, if they are asked for.
    pub(super) fn checkpoints(&self) -> Result<Option<Checkpoints>, CliError> {
        let given = self.checkpoint().zip(self.descent.checkpoint_every);
        Ok(given.map(|(path, every)| Checkpoints::new(path, every)).transpose()?)
    }

    /// The failure of a descent.
    pub(super) fn failed(&self, error: FitError) -> CliError {
        if self.steps_per_submit.is_some() { CliError::FitBySubmits(error) } else { error.into() }
    }

    /// The most steps.
    pub(super) fn steps(&self) -> u64 {
        if self.choice() == SolverChoice::Exact {
            0
        } else {
            self.steps.unwrap_or(GradientDescent::default().steps)
        }
    }

    /// The passes over the data, at most: one for the moments, one for each step
    /// or the result, and one for the residuals of a line that fits very well.
    pub(super) fn passes(&self) -> u64 {
        let of_steps = match self.choice() {
            SolverChoice::GradientDescent => self.descent.epochs().unwrap_or(self.steps()).saturating_add(1),
            SolverChoice::Moments | SolverChoice::Exact => 1,
        };
        of_steps.saturating_add(2)
    }

    /// Reads the settings, before any data are read, and refuses options that have
    /// no meaning or do not go together. The model to start from is read here and
    /// only here: a pipe can't be read twice, and a file may change.
    pub(super) fn checked(&self) -> Result<Solver<'_>, CliError> {
        self.line.check()?;
        if self.choice() != SolverChoice::Exact {
            self.line.check_descent(&self.method().to_string())?;
        }
        if self.choice() != SolverChoice::GradientDescent {
            self.line.check_loss(&self.method().to_string())?;
        }
        let given = |given: bool, option| (given && !self.is_of_line(option)).then_some(option);
        let steps = [
            given(self.steps.is_some(), "--steps"),
            given(self.lr.is_some(), "--lr"),
            given(self.tol.is_some(), "--tol"),
            given(self.rtol.is_some(), "--rtol"),
            given(self.w0.is_some(), "--w0"),
            given(self.b0.is_some(), "--b0"),
            given(self.init.is_some(), "--init"),
            given(self.standardize, "--standardize"),
            given(self.force, "--force"),
            self.descent.first_given(),
        ];
        let passes = [
            given(self.update.is_some(), "--update"),
            given(self.steps_per_submit.is_some(), "--steps-per-submit"),
            self.descent.batch_option(),
        ];
        let (out_of_place, why) = match self.choice() {
            SolverChoice::GradientDescent => (None, ""),
            SolverChoice::Moments => (first(&passes), "steps from the moments on the host"),
            SolverChoice::Exact => (first(&steps).or(first(&passes)), "takes no steps"),
        };
        if let Some(option) = out_of_place {
            let solver = self.method();
            return Err(CliError::Usage(match self.line.without_steps() {
                Some(line) => format!("{line} {why}; remove {option}"),
                None => format!("--solver {solver} {why}; remove {option}, or use --solver sgd"),
            }));
        }
        let settings = self.settings()?;
        settings.check().map_err(FitError::from)?;
        let relative = GradientDescent { tolerance: self.rtol.unwrap_or(0.0), ..settings };
        relative.check().map_err(FitError::from)?;
        let batches = self.descent.batches(settings)?;
        let whole = fit::Solver {
            method: self.method(),
            line: self.line.line(),
            robust: self.line.robust(),
            descent: settings,
            best_rate: self.chooses_rate(),
            best_momentum: self.descent.chooses_momentum(),
            batches,
            relative_tolerance: self.rtol.unwrap_or(0.0),
            standardize: self.standardize,
            force: self.force,
        };
        Ok(Solver { arguments: self, whole })
    }

    /// Whether an option belongs to the line, with or without steps.
    fn is_of_line(&self, option: &str) -> bool {
        self.choice() == SolverChoice::Exact && self.line.fixes(option)
    }

    fn settings(&self) -> Result<GradientDescent, CliError> {
        let default = GradientDescent::default();
        let learning_rate = match self.lr {
            Some(LearningRate::Fixed(rate)) => rate,
            Some(LearningRate::Auto) | None => default.learning_rate,
        };
        let (start, progress) = if let Some(path) = &self.init {
            match load_descent(path)? {
                (_, Some(saved)) => resumed(&saved),
                (model, None) => (model, Progress::default()),
            }
        } else {
            let weight = self.w0.unwrap_or(self.line.first_weight());
            (Affine::new(weight, self.b0.unwrap_or(default.start.bias)), Progress::default())
        };
        let sgd = GradientDescent {
            learning_rate,
            steps: self.steps(),
            tolerance: self.tol.unwrap_or(default.tolerance),
            start,
            progress,
            update: self.update()?,
            loss: self.line.loss(),
            fixed: Parameter::fixed_by(self.line.line()),
            ..default
        };
        self.descent.applied(sgd, self.chooses_rate(), self.standardize)
    }

    fn update(&self) -> Result<Update, CliError> {
        let update = match (self.update.unwrap_or(UpdateChoice::Auto), self.steps_per_submit) {
            (UpdateChoice::Auto, None) => Update::Auto,
            (UpdateChoice::Host, None) => Update::Host,
            (UpdateChoice::Host, Some(_)) => {
                return Err(CliError::Usage(
                    "--steps-per-submit is for updates on the device; use it with --update device or auto"
                        .to_owned(),
                ));
            }
            // A number of steps that is given has to matter.
            (UpdateChoice::Device | UpdateChoice::Auto, steps) => Update::Device(steps.unwrap_or_default()),
        };
        if self.standardize && matches!(update, Update::Device(_)) {
            return Err(CliError::Usage(
                "--standardize updates W and b on the host; remove --update device and --steps-per-submit"
                    .to_owned(),
            ));
        }
        Ok(update)
    }
}

/// A solver with checked settings, of which the data give the rest, and how these were
/// typed.
pub(super) struct Solver<'a> {
    arguments: &'a SolverArguments,
    pub(super) whole: fit::Solver,
}

impl Solver<'_> {
    /// Refuses what is of one fit, or of groups that have elements, not moments alone.
    pub(super) fn check_for_many(&self, is_window: bool) -> Result<(), CliError> {
        if self.arguments.checkpoint().is_some() {
            return Err(CliError::Usage(
                "--checkpoint is for one fit; remove it, or the option that groups elements".to_owned(),
            ));
        }
        match self.option_of_elements().filter(|_| is_window) {
            Some(option) => Err(CliError::Usage(format!(
                "{option} needs the elements of each fit, and --window finds the moments of neighbourhoods; remove \
                 it, or use --tile"
            ))),
            None => Ok(()),
        }
    }

    /// The option that needs the elements of each fit of many, not their moments alone.
    pub(super) fn option_of_elements(&self) -> Option<&'static str> {
        let robust = self.whole.robust.map(|_| "--robust");
        let loss = (self.whole.descent.loss != Loss::Squared).then_some("--loss");
        robust.or(loss).or(self.arguments.descent.batch_option())
    }

    /// The learning rate, unless it is chosen from the data.
    pub(super) fn fixed_rate(&self) -> Option<f64> {
        let has_one = self.arguments.method() != Method::Exact && !self.arguments.chooses_rate();
        has_one.then_some(self.whole.descent.learning_rate)
    }
}

fn first<'o>(options: &[Option<&'o str>]) -> Option<&'o str> {
    options.iter().copied().flatten().next()
}
