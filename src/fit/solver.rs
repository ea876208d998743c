//! The settings of a whole fit.

use super::{BatchDescent, ConfigError, FitError, GradientDescent, Method, Robust};
use crate::math::{LineKind, RobustWeight};

/// A method and its settings, of which the data give the rest: the whole of a
/// fit, from the moments to the statistics.
///
/// ```
/// use linfit::array::{Array, Problem};
/// use linfit::engine::Cpu;
/// use linfit::fit::Solver;
/// use std::ops::ControlFlow;
///
/// let x = Array::from_vec("x", &[4], vec![1.0, 2.0, 3.0, 4.0]);
/// let t = Array::from_vec("t", &[4], vec![3.0, 5.0, 7.0, 9.0]); // 2·x + 1
/// let mut engine = Cpu::new(&Problem::pair(x, t)?);
/// let solution = Solver::default().solve(&mut engine, &mut |_| ControlFlow::Continue(()))?;
/// assert_eq!((solution.fit.model.weight, solution.fit.model.bias), (2.0, 1.0));
/// assert_eq!(solution.statistics.r2, Some(1.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Solver {
    /// The method.
    pub method: Method,
    /// The line. A parameter that it fixes is that of the descent's start.
    pub line: LineKind,
    /// The weights of the rounds of a robust fit, which takes no steps.
    pub robust: Option<RobustWeight>,
    /// The descent, of which the closed form uses nothing.
    pub descent: GradientDescent,
    /// Whether the learning rate is the best one for the data instead.
    pub best_rate: bool,
    /// Whether the momentum is the best one for the data as well, with its rate.
    pub best_momentum: bool,
    /// The batches to make the steps from, if not from all elements: of their own
    /// [`descent`](BatchDescent::descent) nothing is used.
    pub batches: Option<BatchDescent>,
    /// The tolerance as a share of the scales of the gradients
    /// ([`GradientDescent::relative_to`]), where it is not 0.
    pub relative_tolerance: f64,
    /// Whether the steps are made in standardized coordinates.
    pub standardize: bool,
    /// Whether a learning rate that is known to diverge is taken all the same.
    pub force: bool,
}

/// The closed form.
impl Default for Solver {
    fn default() -> Self {
        Self {
            method: Method::Exact,
            line: LineKind::LeastSquares,
            robust: None,
            descent: GradientDescent::default(),
            best_rate: false,
            best_momentum: false,
            batches: None,
            relative_tolerance: 0.0,
            standardize: false,
            force: false,
        }
    }
}

impl Solver {
    /// Refuses settings that mean nothing.
    ///
    /// # Errors
    /// [`FitError::Config`].
    pub fn check(&self) -> Result<(), FitError> {
        if self.robust.is_some() && self.line.is_symmetric() {
            return Err(ConfigError::RobustLine(self.line).into());
        }
        self.descent.check()?;
        GradientDescent { tolerance: self.relative_tolerance, ..self.descent }.check()?;
        if let Some(batches) = self.batches_of(&self.descent) {
            if self.best_rate {
                return Err(ConfigError::BatchesRate.into());
            }
            if self.standardize {
                return Err(ConfigError::BatchesElsewhere.into());
            }
            batches.check()?;
        }
        if self.best_momentum && !self.best_rate {
            return Err(ConfigError::BestMomentum.into());
        }
        Ok(())
    }

    /// A descent over batches, if it is to be over such.
    pub(super) fn batches_of(&self, descent: &GradientDescent) -> Option<BatchDescent> {
        self.batches.map(|batches| BatchDescent { descent: *descent, ..batches })
    }

    /// The robust fit, if one is asked for.
    #[must_use]
    pub fn rounds(&self) -> Option<Robust> {
        self.robust.map(|weight| Robust { weight, line: self.kind() })
    }

    /// The line, with the W or b of the start where it is fixed.
    #[must_use]
    pub fn kind(&self) -> LineKind {
        let start = self.descent.start;
        match self.line {
            LineKind::ThroughOrigin { .. } => LineKind::ThroughOrigin { bias: start.bias },
            LineKind::Offset { .. } => LineKind::Offset { weight: start.weight },
            line => line,
        }
    }
}
