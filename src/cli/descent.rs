use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::error::CliError;
use crate::array::Shuffle;
use crate::fit::{BatchDescent, FitError, GradientDescent, Schedule};

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

    #[command(flatten)]
    batches: BatchArguments,

    /// Keep the state of the descent in this file every --checkpoint-every steps; a fit with
    /// --init FILE goes on from there, to the same bits on the host
    #[arg(long, value_name = "FILE.json", requires = "checkpoint_every")]
    pub(super) checkpoint: Option<PathBuf>,

    /// The steps between two checkpoints
    #[arg(long, value_name = "N", requires = "checkpoint", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) checkpoint_every: Option<u64>,
}

/// The batches of a descent.
#[derive(Debug, Args)]
#[command(next_help_heading = "Batches")]
pub(super) struct BatchArguments {
    /// Make each step from the next N elements, not from all: mini-batches, which auto takes to the CPU
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    batch: Option<u64>,

    /// The epochs to make, each over all batches [default: 1]
    #[arg(long, value_name = "E", requires = "batch", conflicts_with = "steps")]
    epochs: Option<u64>,

    /// The order of the elements in an epoch [default: none]
    #[arg(long, value_enum, value_name = "ORDER", requires = "batch")]
    shuffle: Option<ShuffleChoice>,

    /// The seed of that order; the epoch is part of it [default: 0]
    #[arg(long, value_name = "S", requires = "shuffle")]
    seed: Option<u64>,

    /// Leave out the last batch of an epoch if it is short
    #[arg(long, requires = "batch")]
    drop_last: bool,

    /// Take the mean of W and b over the steps of the second half of the epochs
    #[arg(long, requires = "batch")]
    average: bool,

    /// Stop after K epochs in a row without a smaller loss; 0 never does [default: 0]
    #[arg(long, value_name = "K", requires = "batch")]
    patience: Option<u64>,
}

/// The values of `--shuffle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ShuffleChoice {
    /// As they are, row by row
    None,
    /// In blocks of neighbours: as fast as memory, also for data larger than it
    Block,
    /// Each element by itself, in an order of which all are equally likely
    Element,
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
        let schedule = self.schedule.map(|_| "--schedule");
        let checkpoint = self.checkpoint.as_ref().map(|_| "--checkpoint");
        momentum.or(self.rule.first_given()).or(schedule).or(checkpoint).or(self.batch_option())
    }

    /// The option that asks for batches, if it is given.
    pub(super) fn batch_option(&self) -> Option<&'static str> {
        self.batches.batch.map(|_| "--batch")
    }

    /// A descent over batches, if it is asked for.
    ///
    /// # Errors
    /// Settings that do not go together.
    pub(super) fn batches(&self, sgd: GradientDescent) -> Result<Option<BatchDescent>, CliError> {
        let BatchArguments { batch, epochs, shuffle, seed, drop_last, average, patience } = self.batches;
        let Some(batch) = batch else { return Ok(None) };
        let batches = BatchDescent {
            batch,
            epochs: epochs.unwrap_or(1),
            shuffle: match shuffle {
                Some(ShuffleChoice::None) | None => Shuffle::None,
                Some(ShuffleChoice::Block) => Shuffle::Block,
                Some(ShuffleChoice::Element) => Shuffle::Element,
            },
            seed: seed.unwrap_or(0),
            drop_last,
            average,
            patience: patience.unwrap_or(0),
            ..BatchDescent::of(sgd)
        };
        batches.check().map_err(FitError::from)?;
        Ok(Some(batches))
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
        if self.batches.batch.is_some() && chooses_rate {
            return usage("no learning rate is known to be the best for batches; give --lr a number");
        }
        if self.batches.batch.is_some() && standardize {
            return usage("--batch makes its steps in W and b; remove --standardize");
        }
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
