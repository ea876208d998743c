//! The ways in which runs come to the device, found when they are first asked
//! for.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::Precision;
use super::coarse::Sizes;
use super::passage::Passage;
use super::runs::{Run, Runs};
use super::shift::ResidualShift;
use crate::array::{Problem, parallel};
use crate::engine::facts::Facts;
use crate::math::{Double, Readings};

/// The way of a run's elements to the device, and the host's sums over them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Frame {
    pub(super) x: Passage,
    /// Like X where there is no T.
    pub(super) t: Passage,
    /// The factor of the device's weights, a power of two: other than 1 only for
    /// weights too large or too small for f32 sums.
    pub(super) weight_exponent: i32,
    /// Σ w of the valid elements.
    pub(super) weight_sum: f64,
    /// The number of the valid elements.
    pub(super) n: u64,
}

/// Mean weights within these powers of two of 1 stay as they are.
const WEIGHT_BITS: f64 = 20.0;

impl Frame {
    /// Looks at the elements of a run and at nothing else.
    fn of(data: &Problem, readings: &Readings, run: &Range<usize>) -> Self {
        let n = data.valid_in(run);
        if n == 0 {
            return Self::default();
        }
        let x = Passage::of(data.x(), data, run, readings.x.shift);
        let t = data.t().map_or(x, |t| Passage::of(t, data, run, readings.t.shift));
        let weight_sum = weight_sum(data, run, n);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "small numbers")]
        let weight_exponent = {
            let bits = (weight_sum / n as f64).log2().round();
            // Within f64 as well; what then leaves f32 is found on the way there.
            if bits.abs() <= WEIGHT_BITS { 0 } else { -(bits.clamp(-1000.0, 1000.0) as i32) }
        };
        Self { x, t, weight_exponent, weight_sum, n }
    }

    /// The factor of the device's weights.
    pub(super) fn weight_scale(&self) -> f64 {
        f64::from(self.weight_exponent).exp2()
    }

    /// The shift of residuals with a precision.
    pub(super) fn shift(&self, precision: Precision) -> ResidualShift {
        let of = |passage: &Passage| match precision {
            Precision::Fast => passage.host_shift().plus(f64::from(passage.residual_shift())),
            // They have the digits to compute about 0.
            Precision::Compensated | Precision::F64 => passage.host_shift(),
        };
        ResidualShift { x: of(&self.x), t: of(&self.t) }
    }

    /// The sizes of X and T less the shift of residuals.
    pub(super) fn sizes(&self) -> Sizes {
        Sizes { x: self.x.size, t: self.t.size }
    }

    /// The shift that the device takes off X and T in residuals and predictions.
    pub(super) fn device_shift(&self) -> [f32; 2] {
        [self.x.residual_shift(), self.t.residual_shift()]
    }

    /// The bias that predicts with W from the device's X, less the shift.
    pub(super) fn bias_to_predict(&self, weight: f64, bias: f64) -> f64 {
        let shift: Double = self.x.host_shift().plus(f64::from(self.x.residual_shift()));
        shift.times(weight).plus(bias).value()
    }

    /// The key that tells its point from those of other runs in passes at W and b.
    pub(super) fn point_key(&self, fit: u32) -> (u32, [(i128, u64, u32, u32); 2]) {
        let key = |passage: &Passage| {
            let bits = [passage.residual_shift(), passage.size].map(f32::to_bits);
            (passage.whole, passage.fraction.to_bits(), bits[0], bits[1])
        };
        (fit, [key(&self.x), key(&self.t)])
    }

    /// Whether both come to the device as it has them when either does.
    fn comes_like(&self, other: &Self) -> bool {
        let host = |frame: &Self| {
            let of = |passage: Passage| (passage.whole, passage.fraction.to_bits());
            (of(frame.x), of(frame.t), frame.weight_exponent)
        };
        self.n == 0 || other.n == 0 || host(self) == host(other)
    }
}

/// Σ w of a run with n valid elements.
pub(super) fn weight_sum(data: &Problem, run: &Range<usize>, n: u64) -> f64 {
    const ELEMENTS: usize = 1 << 12;
    let Some(weights) = data.weights() else {
        #[expect(clippy::cast_precision_loss, reason = "a chunk has 2^16 elements")]
        return n as f64;
    };
    let mut values = vec![0f64; ELEMENTS.min(run.len())];
    let parts = crate::engine::chunks(run.clone(), ELEMENTS).map(|part| {
        let values = &mut values[..part.len()];
        weights.read(data.order(), part.start, values);
        let valid = |k: usize| data.validity().is_none_or(|validity| validity.contains(k));
        part.zip(values.iter()).filter(|(k, _)| valid(*k)).map(|(_, weight)| weight).sum::<f64>()
    });
    parts.sum()
}

/// The runs of a problem and their frames.
pub(super) struct Frames {
    data: Problem,
    facts: Facts,
    pub(super) runs: Runs,
    found: Vec<OnceLock<Frame>>,
    weights_are_plain: OnceLock<bool>,
}

impl Frames {
    pub(super) fn of(data: &Problem) -> Arc<Self> {
        let (facts, runs) = (Facts::of(data), Runs::of(data));
        let found = (0..runs.len()).map(|_| OnceLock::new()).collect();
        Arc::new(Self { data: data.clone(), facts, runs, found, weights_are_plain: OnceLock::new() })
    }

    /// The frame of run number k.
    pub(super) fn get(&self, k: usize) -> &Frame {
        self.found[k].get_or_init(|| {
            let run = self.runs.get(k..k + 1)[0].elements();
            Frame::of(&self.data, &self.facts.frame(&self.data, &run).readings, &run)
        })
    }

    /// Finds the frames of some runs, on all cores.
    pub(super) fn find(&self, runs: Range<usize>) {
        let start = runs.start;
        parallel::map(runs.len(), |k| {
            let k = start + k;
            if self.found[k].get().is_none() {
                self.get(k);
                self.data.release(&self.runs.get(k..k + 1)[0].elements());
            }
        });
    }

    /// Whether no weights are scaled on their way.
    pub(super) fn weights_are_plain(&self) -> bool {
        let all = || 0..self.runs.len();
        *self.weights_are_plain.get_or_init(|| {
            self.find(all());
            all().all(|k| self.get(k).weight_exponent == 0)
        })
    }

    /// Some runs and their frames.
    pub(super) fn over(&self, runs: Range<usize>) -> impl Iterator<Item = (Run, &Frame)> {
        let frames = runs.clone().map(|k| self.get(k));
        self.runs.get(runs).iter().copied().zip(frames)
    }

    /// One frame for all elements, if all runs come to the device as they would in
    /// that.
    pub(super) fn common(&self) -> Option<Frame> {
        self.find(0..self.runs.len());
        let first = (0..self.runs.len()).map(|k| self.get(k)).find(|frame| frame.n > 0)?;
        if !(0..self.runs.len()).all(|k| self.get(k).comes_like(first)) {
            return None;
        }
        let all = 0..self.data.len();
        let like = |passage: Passage, array| {
            Passage::with_host_shift(array, &self.data, &all, (passage.whole, passage.fraction))
        };
        Some(Frame {
            x: like(first.x, self.data.x()),
            t: self.data.t().map_or(first.t, |t| like(first.t, t)),
            weight_sum: self.data.weight_sum(),
            n: self.data.valid_len(),
            ..*first
        })
    }

    /// Notices of what f64 rounds.
    pub(super) fn notices(&self) -> Vec<crate::engine::Notice> {
        self.facts.notices(&self.data)
    }
}
