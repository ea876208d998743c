//! A pass for the standard errors of robust lines, on the host, whatever the engine.

use super::pairs::{Pair, fold};
use super::{EngineError, Reweighting};
use crate::array::Problem;
use crate::math::{Compensated, scaled};

/// Sums over all valid pairs of what a robust fit makes of their residuals r, with
/// u = r/scale and ψ(u) = u·ω(|u|).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Influence {
    /// The number of pairs.
    pub n: u64,
    /// Σ ψ(u)².
    pub squares: f64,
    /// Σ ψ′(u).
    pub slopes: f64,
    /// Σ ψ′(u)².
    pub square_slopes: f64,
}

#[derive(Default)]
struct Sums {
    n: u64,
    terms: [Compensated; 3],
}

impl Sums {
    fn add(&mut self, pair: &Pair, of: &Reweighting) {
        let u = scaled(pair.residual.abs(), -pair.exponent) / of.scale;
        let (psi, slope) = (u * of.weight.of(u), of.weight.slope(u));
        self.n += 1;
        let terms = [psi * psi, slope, slope * slope];
        self.terms.iter_mut().zip(terms).for_each(|(sum, term)| sum.add(term));
    }
}

/// The sums at a W and b with a scale.
pub(super) fn influence(data: &Problem, of: &Reweighting) -> Result<Influence, EngineError> {
    let runs = fold(data, of.model, Sums::default, |sums, pair| sums.add(pair, of))?;
    let (mut n, mut totals) = (0, [Compensated::default(); 3]);
    for run in runs {
        n += run.n;
        totals.iter_mut().zip(run.terms).for_each(|(total, sum)| total.add(sum.value()));
    }
    let [squares, slopes, square_slopes] = totals.map(Compensated::value);
    Ok(Influence { n, squares, slopes, square_slopes })
}
