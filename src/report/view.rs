use super::Trace;
use super::numbers::{count, counted, near_one, short};
use super::summary::{FitReport, line};
use crate::array::Problem;
use crate::engine::{BinPlan, Binned, Engine, EngineError, Extremes};
use crate::math::{Affine, BinAxis, LineKind, Loss, Moments, scaled};

/// Bins of T and residuals against X, across and up.
const CELLS: [usize; 2] = [96, 72];

/// Bins of the residuals, as quantiles need them.
const FINE: usize = 1 << 13;

/// Standard deviations that those reach to either side.
const FINE_REACH: f64 = 6.0;

/// Rows and columns of the map of residuals, at most.
const BLOCKS: [usize; 2] = [40, 54];

/// Everything that the pictures of a fit show, beside its report: found by two
/// passes over the data.
#[derive(Debug, Clone)]
pub struct FitView {
    /// W and b of the fit.
    pub model: Affine,
    /// The least-squares line, if there is one.
    pub best: Option<Affine>,
    /// The size of a residual: the root of the mean squared error.
    pub deviation: f64,
    /// The line in words.
    pub heading: String,
    /// The loss, R² and the number of pairs.
    pub caption: String,
    /// The names of X and T.
    pub names: [String; 2],
    /// The ranges of the valid data and of the residuals.
    pub extremes: Extremes,
    /// The histograms, at the fit's W and b.
    pub binned: Binned,
    /// The descent.
    pub trace: Trace,
    /// The loss as a function of W and b.
    pub bowl: Option<Bowl>,
}

impl FitView {
    /// Makes the passes.
    ///
    /// # Errors
    /// The errors of the passes.
    pub fn of(
        engine: &mut dyn Engine,
        report: &FitReport,
        moments: &Moments,
        trace: Trace,
    ) -> Result<Self, EngineError> {
        let at = Affine::new(report.weight, report.bias);
        let statistics = &report.statistics;
        // Contours are those of the squared loss.
        let is_plain = report.line == LineKind::LeastSquares && report.robust.is_none();
        let is_squared = report.loss_kind == Loss::Squared;
        let best = statistics.weight.zip(statistics.bias).filter(|_| is_plain && is_squared);
        let best = best.map(|(weight, bias)| Affine::new(weight, bias));
        let deviation = if is_squared { None } else { statistics.residual_std };
        let deviation = deviation.unwrap_or(report.loss.sqrt());
        let extremes = engine.extremes(at)?;
        let binned = engine.binned(&Self::plan(at, &extremes, deviation))?;
        let names = names(engine.problem());
        Ok(Self {
            model: at,
            best,
            deviation,
            heading: line(at),
            caption: caption(report),
            names,
            extremes,
            binned,
            trace,
            bowl: best.and_then(|best| Bowl::of(moments, best)),
        })
    }

    /// The bins for data of these ranges and residuals of such a size.
    fn plan(at: Affine, extremes: &Extremes, deviation: f64) -> BinPlan {
        let axis = |[low, high]: [f64; 2], bins| BinAxis::new(low, high, bins);
        let Extremes { x, t, residual } = *extremes;
        let reach = FINE_REACH * deviation;
        let fine = if reach > 0.0 && reach.is_finite() {
            [residual[0].max(-reach).min(reach), residual[1].min(reach).max(-reach)]
        } else {
            residual
        };
        BinPlan {
            at,
            t_of_x: [axis(x, CELLS[0]), axis(t, CELLS[1])],
            residual_of_x: [axis(x, CELLS[0]), axis(residual, CELLS[1])],
            residuals: axis(fine, FINE),
            blocks: BLOCKS,
        }
    }
}

/// The loss above the least, as a function of W and b:
/// (σx·(W − Ŵ))² + (x̄·(W − Ŵ) + b − b̂)².
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bowl {
    /// The least-squares line, (Ŵ, b̂).
    pub best: Affine,
    /// x̄, the mean of X.
    pub x_mean: f64,
    /// σx, the standard deviation of X.
    pub x_deviation: f64,
}

impl Bowl {
    fn of(moments: &Moments, best: Affine) -> Option<Self> {
        let [x_unit, _] = moments.units();
        let x_deviation = scaled((moments.xx / moments.weight_sum).sqrt(), -x_unit);
        let bowl = Self { best, x_mean: scaled(moments.x_mean(), -x_unit), x_deviation };
        (x_deviation > 0.0 && x_deviation.is_finite() && bowl.x_mean.is_finite()).then_some(bowl)
    }

    /// The loss above the least.
    #[must_use]
    pub fn above(&self, at: Affine) -> f64 {
        let (weight, bias) = (at.weight - self.best.weight, at.bias - self.best.bias);
        (self.x_deviation * weight).powi(2) + (self.x_mean * weight + bias).powi(2)
    }
}

/// The numbers below the heading.
fn caption(report: &FitReport) -> String {
    let mut parts = vec![counted(report.n, "pair")];
    parts.push(format!("loss {}", short(report.loss)));
    parts.extend(report.statistics.r2.map(|r2| format!("R² {}", near_one(r2))));
    if let Some(excluded) = report.excluded {
        parts.push(format!("{} excluded", count(excluded.total())));
    }
    if report.weight_sum.is_some() {
        parts.push("weighted".to_owned());
    }
    parts.join(", ")
}

/// The names of X and T on axes.
fn names(problem: &Problem) -> [String; 2] {
    let t = problem.t().map_or("T", |t| t.label());
    [problem.x().label(), t].map(short_label)
}

/// A label without directories, in so many characters.
fn short_label(label: &str) -> String {
    const MOST: usize = 40;
    let name = label.rsplit(['/', '\\']).next().unwrap_or(label);
    let length = name.chars().count();
    if length <= MOST {
        return name.to_owned();
    }
    let end: String = name.chars().skip(length - MOST + 1).collect();
    format!("…{end}")
}
