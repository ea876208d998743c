use clap::ValueEnum;

/// The passes that are timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Pass {
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
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::LossSums => "residual_sums",
            Self::Step => "step",
            Self::Steps => "steps",
        }
    }

    /// Whether a run is a descent of several steps.
    pub(super) fn takes_steps(self) -> bool {
        matches!(self, Self::Step | Self::Steps)
    }

    /// The passes over the data in a run of so many steps. A descent evaluates
    /// where it starts too.
    #[expect(clippy::cast_precision_loss, reason = "at most a thousand steps")]
    pub(super) fn passes(self, steps: u64) -> f64 {
        if self.takes_steps() { (steps + 1) as f64 } else { 1.0 }
    }
}
