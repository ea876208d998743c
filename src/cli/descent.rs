use std::str::FromStr;

use clap::Args;

use super::error::CliError;
use crate::fit::{GradientDescent, Schedule};

/// The settings of a step beside its learning rate. None is set where it is not given,
/// so that none is ignored where there are no steps.
#[derive(Debug, Args)]
#[command(next_help_heading = "Descent")]
pub(super) struct DescentArguments {
    /// The momentum μ, from 0 to below 1; auto, with --lr auto: the momentum and the learning rate
    /// that converge fastest on these data [default: 0]
    #[arg(long, value_name = "M|auto", allow_hyphen_values = true)]
    momentum: Option<Momentum>,

    #[command(flatten)]
    rule: RuleArguments,

    /// The learning rate of each step, as a share of --lr: constant, step:EVERY:GAMMA,
    /// multistep:A,B,…:GAMMA, exponential:GAMMA, cosine:STEPS[:FLOOR], warmup:STEPS,
    /// inverse:POWER, or several joined by commas, whose shares multiply [default: constant]
    #[arg(long, value_name = "SPEC")]
    schedule: Option<Schedule>,
}

/// The rule of a step as torch.optim.SGD has it, but for the momentum itself.
#[derive(Debug, Args)]
#[command(next_help_heading = "Descent")]
pub(super) struct RuleArguments {
    /// The dampening τ of the momentum: a gradient enters the velocity 1 − τ times [default: 0]
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    dampening: Option<f64>,

    /// Use Nesterov's momentum
    #[arg(long)]
    nesterov: bool,

    /// The weight decay δ: δ·W and δ·b are added to the gradients of each step [default: 0]
    #[arg(long, value_name = "L", allow_hyphen_values = true)]
    weight_decay: Option<f64>,
}

/// The value of `--momentum`.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Momentum {
    Auto,
    Fixed(f64),
}

impl FromStr for Momentum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        text.parse().map(Self::Fixed).map_err(|_| "expected a number or auto".to_owned())
    }
}

impl RuleArguments {
    /// A descent with this rule.
    pub(super) fn applied(&self, sgd: GradientDescent, momentum: f64) -> GradientDescent {
        GradientDescent {
            momentum,
            dampening: self.dampening.unwrap_or(sgd.dampening),
            nesterov: self.nesterov,
            weight_decay: self.weight_decay.unwrap_or(sgd.weight_decay),
            ..sgd
        }
    }

    fn first_given(&self) -> Option<&'static str> {
        let given = [
            (self.dampening.is_some(), "--dampening"),
            (self.nesterov, "--nesterov"),
            (self.weight_decay.is_some(), "--weight-decay"),
        ];
        given.into_iter().find_map(|(given, option)| given.then_some(option))
    }
}

impl DescentArguments {
    /// The first option that is given.
    pub(super) fn first_given(&self) -> Option<&'static str> {
        let momentum = self.momentum.map(|_| "--momentum");
        momentum.or(self.rule.first_given()).or(self.schedule.map(|_| "--schedule"))
    }

    /// Whether the momentum is chosen from the data.
    pub(super) fn chooses_momentum(&self) -> bool {
        self.momentum == Some(Momentum::Auto)
    }

    /// A descent with these settings, of which the data give a momentum that is chosen.
    pub(super) fn applied(
        &self,
        sgd: GradientDescent,
        chooses_rate: bool,
        standardize: bool,
    ) -> Result<GradientDescent, CliError> {
        let usage = |text: &str| Err(CliError::Usage(text.to_owned()));
        if self.chooses_momentum() && !chooses_rate {
            return usage("--momentum auto chooses the learning rate with it; add --lr auto");
        }
        if self.chooses_momentum() && (self.rule.nesterov || self.rule.dampening.is_some()) {
            return usage(
                "--momentum auto is that of the best heavy ball; remove --nesterov and --dampening, or give a number",
            );
        }
        if standardize && self.rule.weight_decay.is_some() {
            return usage(
                "--weight-decay is of W and b, and --standardize makes the steps in other coordinates; remove \
                 one of them",
            );
        }
        let momentum = match self.momentum {
            Some(Momentum::Fixed(momentum)) => momentum,
            Some(Momentum::Auto) | None => sgd.momentum,
        };
        let schedule = self.schedule.unwrap_or(sgd.schedule);
        Ok(GradientDescent { schedule, ..self.rule.applied(sgd, momentum) })
    }
}
