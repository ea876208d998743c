use clap::Args;

use super::error::CliError;
use crate::fit::{ConfigError, FitError};
use crate::math::{Affine, LineKind, Loss, RobustWeight};

/// The choice of a line.
#[derive(Debug, Args)]
#[command(next_help_heading = "Line")]
pub(super) struct LineArguments {
    /// The line that is fitted: least-squares (of residuals of T); through-origin (W alone, b is --b0);
    /// offset (b alone, W is --w0, or 1); or, with errors in X too: rma (the reduced major axis, |W| = σt/σx),
    /// major-axis (the least squares of distances), deming:DELTA (T's errors have DELTA times the variance
    /// of X's)
    #[arg(long, value_name = "LINE", default_value_t = LineKind::LeastSquares)]
    line: LineKind,

    /// The loss that a descent takes the mean of: mse (r²), or huber:DELTA (r² up to |r| = DELTA and
    /// 2·DELTA·|r| − DELTA² beyond, twice torch.nn.HuberLoss) [default: mse]
    #[arg(long, value_name = "mse|huber:DELTA", conflicts_with = "robust")]
    loss: Option<Loss>,

    /// Weigh residuals less the larger they are, round after round, in units of their median size: huber
    /// (beyond 1.345), tukey (none beyond 4.685) or clip (remove those beyond 3; until nothing changes)
    #[arg(long, value_name = "huber|tukey|clip[:K]")]
    robust: Option<RobustWeight>,
}

impl LineArguments {
    /// The option that no descent goes with, if there is one.
    pub(super) fn without_steps(&self) -> Option<String> {
        let robust = self.robust.map(|weight| format!("--robust {}", weight.name()));
        robust.or_else(|| self.line.is_symmetric().then(|| format!("--line {}", self.line)))
    }

    /// The line, without the W or b of the start where it is fixed.
    pub(super) fn line(&self) -> LineKind {
        self.line
    }

    /// W to start from, unless it is given.
    pub(super) fn first_weight(&self) -> f64 {
        match self.line {
            LineKind::Offset { weight } => weight,
            _ => Affine::default().weight,
        }
    }

    /// The loss of a descent.
    pub(super) fn loss(&self) -> Loss {
        self.loss.unwrap_or_default()
    }

    /// Refuses a loss where it does not matter.
    pub(super) fn check_loss(&self, solver: &str) -> Result<(), CliError> {
        match self.loss() {
            Loss::Squared => Ok(()),
            loss @ Loss::Huber { .. } => Err(CliError::Usage(format!(
                "--solver {solver} takes the mean squared error, and not --loss {loss}; use --solver sgd, or \
                 --robust huber, which needs no learning rate"
            ))),
        }
    }

    /// Whether an option of W or b has a meaning without steps: it is the fixed one.
    pub(super) fn fixes(&self, option: &str) -> bool {
        match self.line {
            LineKind::ThroughOrigin { .. } => option == "--b0",
            LineKind::Offset { .. } => option == "--w0",
            _ => false,
        }
    }

    /// The weights of a robust fit, if one is asked for.
    pub(super) fn robust(&self) -> Option<RobustWeight> {
        self.robust
    }

    /// Refuses robust fits of lines that have none.
    pub(super) fn check(&self) -> Result<(), CliError> {
        if self.robust.is_some() && self.line.is_symmetric() {
            return Err(FitError::from(ConfigError::RobustLine(self.line)).into());
        }
        Ok(())
    }

    /// Refuses a descent to a line that has none.
    pub(super) fn check_descent(&self, solver: &str) -> Result<(), CliError> {
        match self.without_steps() {
            None => Ok(()),
            Some(option) => Err(CliError::Usage(format!(
                "{option} is found without steps, not by descent; use --solver exact, or remove --solver {solver}"
            ))),
        }
    }
}
