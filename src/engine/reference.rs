use super::frame::{self, Frame};
use super::{Digits, Engine, EngineError, EngineInfo, EngineKind, Notice, Sink, chunks, targets};
use crate::array::{Array, Problem};
use crate::math::{Affine, Compensated, Double, Line, LossSums, Moments, PivotSums, scaled};

/// Elements brought to f64 at a time.
const CHUNK_ELEMENTS: usize = 1 << 14;

/// The definition: every formula as it is written, one element after the
/// other, in f64, with compensated sums. Every other engine is held against
/// it.
#[derive(Debug)]
pub struct Reference {
    data: Problem,
    frame: Frame,
    info: EngineInfo,
    notices: Vec<Notice>,
}

/// A pair as it is read: x and t in two parts, and its weight.
struct Pair {
    x: [f64; 2],
    t: [f64; 2],
    w: f64,
}

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
}

impl Reference {
    /// The reference for this data.
    #[must_use]
    pub fn new(data: &Problem) -> Self {
        let info = EngineInfo {
            kind: EngineKind::Reference,
            adapter: None,
            backend: None,
            driver: None,
            precision: None,
            detail: None,
        };
        let frame = Frame::of(data);
        Self { data: data.clone(), frame, info, notices: frame.notices(data) }
    }

    /// Calls `each` with every pair that counts, in order, read so.
    fn each_pair(&self, frame: &Frame, mut each: impl FnMut(Pair)) -> Result<(), EngineError> {
        let (x, t, order) = (self.data.x(), targets(&self.data)?, self.data.order());
        let mut room = [(); 5].map(|()| vec![0.0; CHUNK_ELEMENTS]);
        let readings = frame.readings;
        for range in chunks(0..self.data.len(), CHUNK_ELEMENTS) {
            let (start, n) = (range.start, range.len());
            let [xs, x_rests, ts, t_rests, ws] = room.each_mut().map(|values| &mut values[..n]);
            frame::read(x, readings.x, order, start, xs, Some(x_rests));
            frame::read(t, readings.t, order, start, ts, Some(t_rests));
            frame.read_weights(&self.data, order, start, ws);
            for k in 0..n {
                if self.data.validity().is_none_or(|validity| validity.contains(start + k)) {
                    each(Pair { x: [xs[k], x_rests[k]], t: [ts[k], t_rests[k]], w: ws[k] });
                }
            }
            self.data.release(&range);
        }
        Ok(self.data.check_intact()?)
    }

    /// The sums of X and T that are read so.
    fn framed_sums(&self, frame: &Frame, at: Affine) -> Result<LossSums, EngineError> {
        let there = frame.readings.model(at);
        let mut sums = [Compensated::default(); 4];
        self.each_pair(frame, |Pair { x: [x, _], t: [t, _], w }| {
            let residual = there.apply(x) - t;
            let terms = [w, w * residual * residual, w * residual * x, w * residual];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| sum.add(term));
        })?;
        let [weight_sum, rr, rx, r] = sums.map(Compensated::value);
        Ok(frame.readings.sums(LossSums { n: self.data.valid_len(), weight_sum, rr, rx, r }))
    }

    /// The means first, then, from the data again, the sums about them: two
    /// passes (T. F. Chan, G. H. Golub, R. J. LeVeque, 1983, the corrected
    /// two-pass algorithm).
    fn framed_moments(&self, frame: &Frame) -> Result<Moments, EngineError> {
        let mut means = [Compensated::default(); 3];
        self.each_pair(frame, |Pair { x: [x, _], t: [t, _], w }| {
            means.iter_mut().zip([w, w * x, w * t]).for_each(|(sum, term)| sum.add(term));
        })?;
        let [weight_sum, x, t] = means.map(Compensated::value);
        let (x_pivot, t_pivot) = (x / weight_sum, t / weight_sum);
        let mut sums = [Compensated::default(); 5];
        self.each_pair(frame, |Pair { x, t, w }| {
            let (x, t) = ((x[0] - x_pivot) + x[1], (t[0] - t_pivot) + t[1]);
            sums.iter_mut().zip([x, t, x * x, x * t, t * t]).for_each(|(sum, term)| sum.add(w * term));
        })?;
        let [x, t, xx, xt, tt] = sums.map(Compensated::value);
        let n = self.data.valid_len();
        let sums = PivotSums { n, weight_sum, x_pivot, t_pivot, x, t, xx, xt, tt };
        let moments = Moments::from_pivot_sums(&sums);
        Ok(moments.of_readings(&frame.readings, frame.weight_exponent))
    }

    /// The sizes that errors of a pass at `at` are relative to.
    ///
    /// # Errors
    /// [`EngineError::NoTarget`].
    pub fn term_scales(&self, at: Affine) -> Result<TermScales, EngineError> {
        let mut sums = [Compensated::default(); 6];
        let (readings, there) = (self.frame.readings, self.frame.readings.model(at));
        self.each_pair(&self.frame, |Pair { x: [x, _], t: [t, _], w }| {
            let residual = scaled(there.apply(x) - t, -readings.t.exponent);
            let (x, t) = (readings.x.undo(x.into()).value(), readings.t.undo(t.into()).value());
            let parts = (x * at.weight).abs() + at.bias.abs() + t.abs();
            let terms =
                [1.0, residual * residual, (residual * x).abs(), residual.abs(), parts * parts, x * x];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| sum.add(w * term));
        })?;
        let [weight_sum, sums @ ..] = sums.map(Compensated::value);
        let [loss, rx, r, parts, xx] = sums.map(|sum| sum / weight_sum);
        let c = TermScales::CANCELLED;
        Ok(TermScales {
            loss: loss.max(c * (loss * parts).sqrt()).max(c * c * parts),
            grad_weight: 2.0 * rx.max(c * (parts * xx).sqrt()),
            grad_bias: 2.0 * r.max(c * parts.sqrt()),
        })
    }

    /// Calls `each` with the predictions in f64, a chunk at a time.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn forward_f64(
        &self,
        at: Affine,
        each: &mut dyn FnMut(&[f64]) -> std::io::Result<()>,
    ) -> Result<(), EngineError> {
        let mut ys = vec![0.0; CHUNK_ELEMENTS];
        for range in chunks(0..self.data.len(), CHUNK_ELEMENTS) {
            let ys = &mut ys[..range.len()];
            self.data.x().read(self.data.order(), range.start, ys);
            self.data.release(&range);
            self.data.check_intact()?;
            ys.iter_mut().for_each(|y| *y = at.apply(*y));
            each(ys).map_err(EngineError::Sink)?;
        }
        Ok(())
    }
}

impl Engine for Reference {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn notices(&self) -> &[Notice] {
        &self.notices
    }

    fn pass_bytes(&self) -> u64 {
        stored_bytes(&self.data)
    }

    fn loss_sums(&mut self, at: Affine) -> Result<LossSums, EngineError> {
        let sums = self.framed_sums(&self.frame, at)?;
        match self.frame.for_residuals(&self.data, at, &sums) {
            Some(frame) => self.framed_sums(&frame, at),
            None => Ok(sums),
        }
    }

    fn moments(&mut self) -> Result<Moments, EngineError> {
        let moments = self.framed_moments(&self.frame)?;
        match self.frame.for_moments(&self.data, &moments) {
            Some(frame) => self.framed_moments(&frame),
            None => Ok(moments),
        }
    }

    /// With twice the digits of f64 in any case.
    fn sums_about(&mut self, line: &Line, _digits: Digits) -> Result<LossSums, EngineError> {
        let frame = self.frame.in_units(line.units);
        let there = line.read(&frame.readings);
        let mut sums = [Compensated::default(); 4];
        self.each_pair(&frame, |Pair { x, t, w }| {
            let x = Double::sum(x[0], x[1]).minus(there.x);
            let t = Double::sum(t[0], t[1]).minus(there.y);
            let residual = x.times(there.weight).minus(t).value();
            let terms = [w, w * residual * residual, w * residual * x.value(), w * residual];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| sum.add(term));
        })?;
        let [weight_sum, rr, rx, r] = sums.map(Compensated::value);
        let sums = LossSums { n: self.data.valid_len(), weight_sum, rr, rx, r };
        Ok(line.in_units(sums, &frame.readings))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the pass's result is f32")]
    fn forward(&mut self, at: Affine, sink: Sink<'_>) -> Result<(), EngineError> {
        let mut rounded = Vec::with_capacity(CHUNK_ELEMENTS);
        self.forward_f64(at, &mut |ys| {
            rounded.clear();
            rounded.extend(ys.iter().map(|&y| y as f32));
            sink(&rounded)
        })
    }
}

/// Bytes of X, T and the weights as stored.
pub(super) fn stored_bytes(data: &Problem) -> u64 {
    data.matrices().map(Array::stored_bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Evaluation;

    fn evaluate(x: Vec<f64>, t: Vec<f64>, at: Affine) -> Evaluation {
        let n = x.len() as u64;
        let data = Problem::pair(Array::from_vec("x", &[n], x), Array::from_vec("t", &[n], t)).unwrap();
        Evaluation::from_sums(&Reference::new(&data).loss_sums(at).unwrap())
    }

    /// X = [[1, 2], [3, 4]], T = [[3, 5], [7, 9]] (T = 2·X + 1), at W = b = 0:
    /// r = −t, so L = (9 + 25 + 49 + 81)/4 = 41,
    /// ∂L/∂W = −2·(3 + 10 + 21 + 36)/4 = −35, ∂L/∂b = −2·24/4 = −12.
    #[test]
    fn the_worked_example() {
        let at_zero = evaluate(vec![1.0, 2.0, 3.0, 4.0], vec![3.0, 5.0, 7.0, 9.0], Affine::default());
        assert_eq!(at_zero, Evaluation { loss: 41.0, grad_weight: -35.0, grad_bias: -12.0 });
    }

    /// x = 1, t = 1: with W = 1.5, b = 0 the residual is 0.5 and the parts are
    /// 2.5; with W = 1 the residual is 0 and the parts 2.
    #[test]
    fn scales_are_bounded_where_residuals_cancel() {
        let one = || vec![1.0; 3];
        let data =
            Problem::pair(Array::from_vec("x", &[3], one()), Array::from_vec("t", &[3], one())).unwrap();
        let reference = Reference::new(&data);
        let scales = |weight| reference.term_scales(Affine::new(weight, 0.0)).unwrap();
        assert_eq!(scales(1.5), TermScales { loss: 0.25, grad_weight: 1.0, grad_bias: 1.0 });
        let c = TermScales::CANCELLED;
        assert_eq!(scales(1.0), TermScales { loss: c * c * 4.0, grad_weight: 4.0 * c, grad_bias: 4.0 * c });
    }

    #[test]
    fn sums_survive_cancellation() {
        // Residuals 1e16, 1, −1e16 in this order: a plain f64 sum loses the 1.
        let at = Affine::new(0.0, 0.0);
        let got = evaluate(vec![0.0; 3], vec![-1e16, -1.0, 1e16], at);
        assert_eq!(got.grad_bias, 2.0 / 3.0);
    }
}
