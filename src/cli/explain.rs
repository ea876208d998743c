use std::ops::ControlFlow;

use clap::Args;

use super::descent::RuleArguments;
use super::engine::{Auto, EngineArguments};
use super::error::CliError;
use super::verbosity::Verbosity;
use super::{Outcome, print};
use crate::array::{Array, MaskedArray, Order, Problem};
use crate::fit::{FitError, GradientDescent, StopReason};
use crate::io::{Source, open_pair};
use crate::math::Affine;
use crate::report::Explanation;

/// Writes out steps of gradient descent over a few elements, number by number
#[derive(Debug, Args)]
#[command(after_help = "\
Without X and T it explains X = [[1, 2], [3, 4]] and T = [[3, 5], [7, 9]], which is 2·X + 1.

Examples:
  linfit explain
  linfit explain --steps 3 --lr 0.0625
  linfit explain --steps 3 --lr 0.0625 --momentum 0.5
  linfit explain x.npy t.npy --w0 1 --b0 -1 --engine gpu")]
pub(super) struct ExplainArguments {
    /// The inputs, at most 16 elements: an .npy file, or a column of a .csv or
    /// .tsv as FILE:COLUMN
    #[arg(value_name = "X", requires = "t")]
    x: Option<Source>,

    /// The targets, of the same shape
    #[arg(value_name = "T")]
    t: Option<Source>,

    #[command(flatten)]
    engine: EngineArguments,

    /// The steps to take
    #[arg(long, help_heading = "Descent", default_value_t = 1, value_name = "K", allow_hyphen_values = true)]
    steps: u64,

    /// The learning rate η
    #[arg(
        long,
        help_heading = "Descent",
        default_value_t = 0.01,
        value_name = "RATE",
        allow_hyphen_values = true
    )]
    lr: f64,

    /// The weight to start from
    #[arg(
        long,
        help_heading = "Descent",
        default_value_t = 0.0,
        value_name = "W",
        allow_hyphen_values = true
    )]
    w0: f64,

    /// The bias to start from
    #[arg(
        long,
        help_heading = "Descent",
        default_value_t = 0.0,
        value_name = "B",
        allow_hyphen_values = true
    )]
    b0: f64,

    #[command(flatten)]
    verbosity: Verbosity,

    /// The momentum μ, from 0 (none) to below 1
    #[arg(
        long,
        help_heading = "Descent",
        default_value_t = 0.0,
        value_name = "M",
        allow_hyphen_values = true
    )]
    momentum: f64,

    #[command(flatten)]
    rule: RuleArguments,
}

/// The elements that fit on a blackboard: 4×4.
const MOST_ELEMENTS: usize = 16;

/// More would not be read.
const MOST_STEPS: u64 = 1000;

pub(super) fn run(arguments: &ExplainArguments) -> Result<Outcome, CliError> {
    let sgd = GradientDescent {
        learning_rate: arguments.lr,
        steps: arguments.steps,
        start: Affine::new(arguments.w0, arguments.b0),
        ..GradientDescent::default()
    };
    let sgd = arguments.rule.applied(sgd, arguments.momentum);
    sgd.check().map_err(FitError::from)?;
    if sgd.steps > MOST_STEPS {
        return Err(CliError::Usage(format!("--steps: at most {MOST_STEPS} are explained; use linfit fit")));
    }
    let engine = arguments.engine.choose(Auto::Cpu, arguments.verbosity)?;
    let data = data(arguments)?;
    let mut engine = engine.open(&data, arguments.verbosity)?.engine;

    let mut states = Vec::new();
    let fit = sgd.fit(engine.as_mut(), &mut |state| {
        states.push(*state);
        ControlFlow::Continue(())
    })?;
    let values = |matrix: &Array| {
        let mut values = vec![0.0; matrix.len()];
        matrix.read(Order::C, 0, &mut values);
        values
    };
    let (x, t) = (values(data.x()), data.t().map(values).unwrap_or_default());
    data.check_intact()?;
    let diverged = fit.stop_reason == StopReason::Diverged;
    let explanation = Explanation {
        x,
        t,
        columns: data.x().shape().0.last().map_or(1, |&extent| usize::try_from(extent).unwrap_or(usize::MAX)),
        descent: sgd,
        states,
        diverged,
        engine: engine.info().clone(),
    };
    print(&explanation, false)?;
    Ok(if diverged { Outcome::CheckFailed } else { Outcome::Done })
}

/// The data to explain, or the worked example.
fn data(arguments: &ExplainArguments) -> Result<Problem, CliError> {
    let (x, t): (MaskedArray, MaskedArray) = match (&arguments.x, &arguments.t) {
        (Some(x), Some(t)) => {
            let (x, t) = open_pair(x, t)?;
            (x.into(), t.into())
        }
        _ => (
            Array::from_vec("X", &[2, 2], vec![1.0, 2.0, 3.0, 4.0]).into(),
            Array::from_vec("T", &[2, 2], vec![3.0, 5.0, 7.0, 9.0]).into(),
        ),
    };
    if x.array.len() > MOST_ELEMENTS {
        let (label, n) = (x.array.label(), x.array.len());
        return Err(CliError::Usage(format!(
            "{label}: every one of its {n} elements would be written out, and at most {MOST_ELEMENTS} can be; \
             use linfit fit --history"
        )));
    }
    let data = Problem::builder(x).target(t).memory_bytes(arguments.engine.host_bytes()).build()?;
    if data.validity().is_some() {
        let label = data.x().label();
        return Err(CliError::Usage(format!(
            "{label} or its target has nulls or nodata, which explain does not exclude; give elements that are \
             all valid"
        )));
    }
    Ok(data)
}
