use super::{EngineError, Reference};
use crate::math::{Affine, Compensated};

/// The sizes that errors of a pass are relative to.
///
/// Near the optimum the gradients' terms cancel, so that an error relative to
/// the gradient itself says nothing; relative to (2/N)·Σ|r·x| and (2/N)·Σ|r|
/// it does. Where the residuals themselves are what is left of x·W + b − t
/// after cancellation, to less than [`CANCELLED`](Self::CANCELLED) of those
/// parts, they have too few digits in f32 for that, and the sizes are bounded
/// from below by that share of the parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TermScales {
    /// The loss L, at least c·√(L·S) and c²·S, with c = `CANCELLED` and S the
    /// mean of (|x·W| + |b| + |t|)².
    pub loss: f64,
    /// (2/N)·Σ|r·x|, at least c·2·√(S·E x²).
    pub grad_weight: f64,
    /// (2/N)·Σ|r|, at least c·2·√S.
    pub grad_bias: f64,
}

impl TermScales {
    /// The share of its parts below which a residual counts as cancelled: at
    /// a tolerance of 1e-5, the worst four roundings to f32 make of one
    /// residual (4·2⁻²⁴ / 1e-5).
    pub const CANCELLED: f64 = 0.024;

    /// The sizes at W and b.
    ///
    /// # Errors
    /// [`EngineError::NoTarget`].
    pub fn of(reference: &Reference, at: Affine) -> Result<Self, EngineError> {
        let mut sums = [Compensated::default(); 6];
        reference.each_residual(at, |x, t, w, residual| {
            let parts = (x * at.weight).abs() + at.bias.abs() + t.abs();
            let terms =
                [1.0, residual * residual, (residual * x).abs(), residual.abs(), parts * parts, x * x];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| sum.add(w * term));
        })?;
        let [weight_sum, sums @ ..] = sums.map(Compensated::value);
        let [loss, rx, r, parts, xx] = sums.map(|sum| sum / weight_sum);
        let c = Self::CANCELLED;
        Ok(Self {
            loss: loss.max(c * (loss * parts).sqrt()).max(c * c * parts),
            grad_weight: 2.0 * rx.max(c * (parts * xx).sqrt()),
            grad_bias: 2.0 * r.max(c * parts.sqrt()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{Array, Problem};

    /// x = 1, t = 1: with W = 1.5, b = 0 the residual is 0.5 and the parts are
    /// 2.5; with W = 1 the residual is 0 and the parts 2.
    #[test]
    fn scales_are_bounded_where_residuals_cancel() {
        let one = || vec![1.0; 3];
        let data =
            Problem::pair(Array::from_vec("x", &[3], one()), Array::from_vec("t", &[3], one())).unwrap();
        let reference = Reference::new(&data);
        let scales = |weight| TermScales::of(&reference, Affine::new(weight, 0.0)).unwrap();
        assert_eq!(scales(1.5), TermScales { loss: 0.25, grad_weight: 1.0, grad_bias: 1.0 });
        let c = TermScales::CANCELLED;
        assert_eq!(scales(1.0), TermScales { loss: c * c * 4.0, grad_weight: 4.0 * c, grad_bias: 4.0 * c });
    }
}
