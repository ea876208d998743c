//! Moments on the device: the points that they are summed about, and the checks
//! that f32 did not lose them.

use std::ops::Range;
use std::sync::Arc;

use super::abi::Shift;
use super::buffers::split;
use super::coarse::Spread;
use super::frames::Frame;
use super::kernels::Quantity;
use super::partials::Sums;
use super::{Gpu, Precision};
use crate::array::DataError;
use crate::engine::{EngineError, Partials, targets};
use crate::math::{Moments, Reading, Readings, ShiftedSums};

impl Gpu {
    /// The moments of a range of chunks, one result for each fit.
    pub(super) fn moments_in(&mut self, over: Range<u64>) -> Result<Partials<Moments>, EngineError> {
        let is_all = over == self.data.grid().chunks();
        if let Some(moments) = self.moments.as_ref().filter(|_| is_all) {
            return Ok(moments.clone());
        }
        let runs = self.runs_of(&over)?;
        let mut values = self.moments_of_runs(runs.clone())?;
        let narrow: Vec<usize> = (runs.clone().zip(&values))
            .filter(|(k, moments)| self.is_narrow_in(self.frames.get(*k), moments))
            .map(|(k, _)| k)
            .collect();
        if is_all {
            self.is_narrow = !narrow.is_empty();
        }
        for k in narrow {
            values[k - runs.start] = self.host_moments_of_run(k)?;
        }
        let partials = self.partials::<Moments>(Quantity::Moments, over.clone(), values)?;
        self.check_squares(&partials, &over)?;
        if is_all {
            self.moments = Some(partials.clone());
        }
        Ok(partials)
    }

    /// The least sum of squares of which no digit was lost below f32's range.
    fn least_squares(&self, weight_sum: f64) -> f64 {
        // The least that every device keeps is 2⁻¹²⁶: of a mean square, the last
        // of 24 bits, or of 48. With f64 it is the elements that are lost.
        let bits = match self.precision {
            Precision::Fast => 24 - 126,
            Precision::Compensated => 48 - 126,
            Precision::F64 => 2 * (24 - 126),
        };
        f64::from(bits).exp2() * weight_sum
    }

    /// Fails if squares were lost in f32, whose range is that of their roots
    /// squared. The host decides what looks like it: data may have no spread,
    /// and f64 may be too small as well.
    fn check_squares(&mut self, partials: &Partials<Moments>, over: &Range<u64>) -> Result<(), EngineError> {
        /// Sums of squares in f32 are right to that share, if nothing was lost.
        const F32_DIGITS: f64 = 1e-5;
        let totals = if over.is_empty() { Vec::new() } else { partials.totals()?.1 };
        let mut exact = None;
        for (k, moments) in totals.iter().enumerate().filter(|(_, moments)| moments.n > 0) {
            let least = self.least_squares(moments.weight_sum);
            let how = if !moments.is_finite() {
                "overflow"
            } else if moments.xx < least || moments.tt < least {
                "vanish"
            } else {
                continue;
            };
            let exact = match &exact {
                Some(exact) => exact,
                None => exact.insert(self.host().moments(over)?.totals()?.1),
            };
            let Some(exact) = exact.get(k) else { continue };
            // The host's own moments of narrow runs are among these, and lost nothing.
            let vanished = |found: f64, exact: f64| {
                exact > 0.0 && exact < least && (found - exact).abs() > F32_DIGITS * exact
            };
            let is_lost = match how {
                // Scaled, nothing overflows.
                "overflow" => exact.is_finite(),
                _ => {
                    exact.units() != [0; 2]
                        || vanished(moments.xx, exact.xx)
                        || vanished(moments.tt, exact.tt)
                }
            };
            if is_lost {
                let (x, t) = (self.data.x().label().to_owned(), targets(&self.data)?.label().to_owned());
                return Err(DataError::SquaresBeyondF32 { x, t, how }.into());
            }
        }
        Ok(())
    }

    /// Whether weights leave hardly any spread: the elements that weigh most are
    /// then so near one another that f32, which holds all of them, has too few
    /// digits for what is between those.
    fn is_narrow_in(&self, frame: &Frame, moments: &Moments) -> bool {
        /// A share of the spread of all for which f32 leaves 18 bits.
        const NARROW: f64 = 1.0 / 64.0;
        /// Below this, squares vanish, and residuals with them.
        const LEAST_SPREAD: f64 = 1e-18;
        let is_narrow = |squares: f64, spread: f64| (squares / moments.weight_sum).sqrt() < NARROW * spread;
        let least = frame.x.spread.min(frame.t.spread);
        self.inputs.weights.is_some()
            && moments.n > 0
            && least > LEAST_SPREAD
            && (is_narrow(moments.xx, frame.x.spread) || is_narrow(moments.tt, frame.t.spread))
    }

    /// The moments of some runs as the device has them, of which squares may be
    /// lost.
    fn moments_of_runs(&mut self, runs: Range<usize>) -> Result<Vec<Moments>, EngineError> {
        self.prepare(Quantity::Moments)?;
        let frames = Arc::clone(&self.frames);
        let usual = |k: usize| {
            let frame = frames.get(k);
            [frame.x.device_shift, frame.t.device_shift]
        };
        let of = |k: usize, shift: [f32; 2], sums: &[Sums]| moments_about(frames.get(k), shift, sums);
        let sums = self.sums(Quantity::Moments, runs.clone(), &|k: usize| {
            let [x, t] = usual(k);
            Shift { x, t }
        })?;
        let mut all: Vec<Moments> =
            runs.clone().zip(sums.chunks_exact(2)).map(|(k, sums)| of(k, usual(k), sums)).collect();
        // Elements may be elsewhere than a sample of them was.
        let better: Vec<Option<[f32; 2]>> = (runs.clone().zip(&all))
            .map(|(k, moments)| better_shift(frames.get(k), usual(k), moments))
            .collect();
        let Some(first) = better.iter().position(Option::is_some) else {
            return Ok(all.into_iter().zip(runs).map(|(moments, k)| read(frames.get(k), moments)).collect());
        };
        let last = better.iter().rposition(Option::is_some).unwrap_or(first);
        // Streams begin and end with chunks.
        let again = frames.runs.whole_chunks(runs.start + first..runs.start + last + 1);
        let shift = |k: usize| better.get(k.wrapping_sub(runs.start)).copied().flatten();
        let sums = self.sums(Quantity::Moments, again.clone(), &|k: usize| {
            let [x, t] = shift(k).unwrap_or(usual(k));
            Shift { x, t }
        })?;
        for (k, sums) in again.zip(sums.chunks_exact(2)) {
            if let Some(shift) = shift(k) {
                all[k - runs.start] = of(k, shift, sums);
            }
        }
        Ok(all.into_iter().zip(runs).map(|(moments, k)| read(frames.get(k), moments)).collect())
    }

    /// Finds the spread of X of each of some runs about its shift of residuals,
    /// where it is not known.
    pub(super) fn find_spreads(&mut self, runs: Range<usize>) -> Result<(), EngineError> {
        let is_unknown = |k: &usize| self.spreads[*k].is_none();
        let Some(first) = runs.clone().find(is_unknown) else { return Ok(()) };
        let last = runs.clone().rfind(is_unknown).unwrap_or(first);
        let runs = self.frames.runs.whole_chunks(first..last + 1);
        let moments = self.moments_of_runs(runs.clone())?;
        for (k, moments) in runs.zip(moments) {
            if self.spreads[k].is_some() {
                continue;
            }
            let frame = *self.frames.get(k);
            let is_there = moments.is_finite() && moments.xx >= self.least_squares(moments.weight_sum);
            let moments = if moments.n == 0 || is_there || is_constant(&frame, &moments) {
                moments
            } else {
                self.host_moments_of_run(k)?
            };
            self.spreads[k] = Some(if moments.n == 0 {
                Spread { mean: 0.0, square: 0.0 }
            } else {
                Spread::about(frame.shift(self.precision).x, &moments)
            });
        }
        Ok(())
    }

    /// The moments of a run in f64.
    fn host_moments_of_run(&mut self, k: usize) -> Result<Moments, EngineError> {
        let (chunk, place) = self.frames.runs.place(k);
        Ok(self.host().chunk(chunk)?.get(place).copied().unwrap_or_default())
    }

    /// The spread of X about the shift of the steps on the device.
    pub(super) fn spread_about(&mut self, frame: &Frame) -> Result<Spread, EngineError> {
        let all = self.data.grid().chunks();
        let runs = self.runs_of(&all)?;
        let values = self.moments_of_runs(runs)?;
        let moments = self.partials::<Moments>(Quantity::Moments, all.clone(), values)?.total()?;
        let is_there = moments.is_finite() && moments.xx >= self.least_squares(moments.weight_sum);
        let moments = if is_there { moments } else { self.host().moments(&all)?.total()? };
        Ok(Spread::about(frame.shift(self.precision).x, &moments))
    }
}

/// The moments of a run, less what the host took off as whole numbers, from its
/// sums about a shift on the device.
fn moments_about(frame: &Frame, shift: [f32; 2], sums: &[Sums]) -> Moments {
    if frame.n == 0 {
        return Moments::default();
    }
    let [linear, quadratic] = [sums[0], sums[1]].map(|sums| sums.map(|sum| sum / frame.weight_scale()));
    let there = |fraction: f64, shift: f32| fraction + f64::from(shift);
    Moments::from_shifted_sums(&ShiftedSums {
        n: frame.n,
        weight_sum: frame.weight_sum,
        x_shift: there(frame.x.fraction, shift[0]),
        t_shift: there(frame.t.fraction, shift[1]),
        x: linear[0],
        t: linear[1],
        xx: quadratic[0],
        xt: quadratic[1],
        tt: quadratic[2],
    })
}

/// The moments of the data.
pub(super) fn read(frame: &Frame, moments: Moments) -> Moments {
    let reading = |whole: i128| Reading { shift: whole, exponent: 0 };
    let readings = Readings { x: reading(frame.x.whole), t: reading(frame.t.whole) };
    if moments.n == 0 { moments } else { moments.of_readings(&readings, 0) }
}

/// A better shift, if this one was far from the means that were found.
fn better_shift(frame: &Frame, shift: [f32; 2], moments: &Moments) -> Option<[f32; 2]> {
    /// Standard deviations: with so many, the sums of squares lose 17 times
    /// their rounding.
    const FAR: f64 = 4.0;
    let means = [moments.x_mean() - frame.x.fraction, moments.t_mean() - frame.t.fraction];
    let squares = [moments.xx, moments.tt].map(|squares| squares / moments.weight_sum);
    let is_far = |k: usize| (means[k] - f64::from(shift[k])).powi(2) > FAR * FAR * squares[k];
    let better = means.map(|mean| split(mean)[0]);
    (moments.n > 0 && moments.is_finite() && (is_far(0) || is_far(1)) && better != shift).then_some(better)
}

/// Whether X is the same number throughout, and not one of which squares vanish.
fn is_constant(frame: &Frame, moments: &Moments) -> bool {
    /// Far above the roots of what vanishes.
    const LEAST_SIZE: f32 = 1e-12;
    moments.xx == 0.0 && frame.x.size > LEAST_SIZE
}
