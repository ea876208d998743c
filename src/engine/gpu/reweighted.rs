//! Moments with robust weights on the device, which makes the weights from the
//! residuals: there is no array of them.

use std::sync::Arc;

use super::Gpu;
use super::Precision;
use super::abi::{Parameters, ReweightedPoint, WideParameters, WideReweightedPoint};
use super::frames::Frame;
use super::kernels::{Quantity, Weighing};
use super::moments::read;
use super::partials::Sums;
use crate::engine::{EngineError, Reweighting, check_points};
use crate::math::{Affine, Loss, Moments, ShiftedSums};

impl Gpu {
    /// The moments of all elements with the weights of their residuals; `None` if the
    /// device does not have all their digits.
    pub(super) fn reweighted_in(&mut self, at: &[Reweighting]) -> Result<Option<Vec<Moments>>, EngineError> {
        check_points(&self.data, at)?;
        let Some(first) = at.first() else { return Ok(Some(Vec::new())) };
        let weighing = Weighing::of(first.weight);
        if at.iter().any(|of| Weighing::of(of.weight) != weighing) {
            return Ok(None);
        }
        let quantity = Quantity::Reweighted(weighing);
        let precision = quantity.precision(self.precision);
        self.prepare(quantity)?;
        let (frames, all) = (Arc::clone(&self.frames), self.data.grid().chunks());
        let runs = self.runs_of(&all)?;
        let shift = |frame: &Frame| [frame.x.device_shift, frame.t.device_shift];
        let point = |k: usize| {
            let (frame, of) = (frames.get(k), at[frames.runs.get(k..k + 1)[0].fit as usize]);
            (frame, frame.shift(precision).shifted(of.model), bound(&of))
        };
        let sums = if precision == Precision::F64 {
            let point = |k: usize| {
                let (frame, Affine { weight, bias }, delta) = point(k);
                WideReweightedPoint { model: WideParameters { weight, bias, delta }, shift: shift(frame) }
            };
            self.sums(quantity, runs.clone(), &point)?
        } else {
            let point = |k: usize| {
                let (frame, there, delta) = point(k);
                let model = Parameters::new(there, Loss::Huber { delta }, frame, precision);
                ReweightedPoint { model, shift: shift(frame) }
            };
            self.sums(quantity, runs.clone(), &point)?
        };
        let mut values = Vec::with_capacity(runs.len());
        for (k, sums) in runs.zip(sums.chunks_exact(2)) {
            let frame = frames.get(k);
            match moments_about(frame, shift(frame), [sums[0], sums[1]]) {
                Some(moments) => values.push(read(frame, moments)),
                None => return Ok(None),
            }
        }
        Ok(Some(self.partials::<Moments>(quantity, all, values)?.totals()?.1))
    }
}

/// The size of a residual from which on weights change.
fn bound(of: &Reweighting) -> f64 {
    of.weight.constant() * of.scale
}

/// The moments of a run from its sums about a shift on the device; `None` if that is so
/// far from the elements that have a weight that digits are lost, or a sum is beyond
/// f32.
fn moments_about(frame: &Frame, shift: [f32; 2], sums: [Sums; 2]) -> Option<Moments> {
    /// Standard deviations: their squares cost 14 of 46 bits.
    const FAR: f64 = 128.0;
    let [[x, t, weight_sum, n], [xx, xt, tt, _]] = sums;
    if frame.n == 0 || n == 0.0 {
        return Some(Moments::default());
    }
    let scale = frame.weight_scale();
    let there = |fraction: f64, shift: f32| fraction + f64::from(shift);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of elements")]
    let moments = Moments::from_shifted_sums(&ShiftedSums {
        n: n.round() as u64,
        weight_sum: weight_sum / scale,
        x_shift: there(frame.x.fraction, shift[0]),
        t_shift: there(frame.t.fraction, shift[1]),
        x: x / scale,
        t: t / scale,
        xx: xx / scale,
        xt: xt / scale,
        tt: tt / scale,
    });
    let is_far = |off: f64, squares: f64| off * off * weight_sum > FAR * FAR * squares * scale;
    let is_lost = is_far(x / weight_sum, moments.xx) || is_far(t / weight_sum, moments.tt);
    // Elements that all are the same one have no spread to lose.
    (moments.is_finite() && (moments.n < 2 || !is_lost)).then_some(moments)
}
