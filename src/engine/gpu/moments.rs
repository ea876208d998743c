//! Moments on the device: the point that they are summed about, and the checks
//! that f32 did not lose them.

use super::abi::Shift;
use super::buffers::split;
use super::coarse::Spread;
use super::kernels::Quantity;
use super::passes::Part;
use super::{Gpu, Held, Precision};
use crate::array::DataError;
use crate::engine::{EngineError, targets};
use crate::math::{Affine, Compensated, LossSums, Moments, ShiftedSums};

impl Gpu {
    /// The least sum of squares of which no digit was lost below f32's range.
    fn least_squares(&self, moments: &Moments) -> f64 {
        // The least that every device keeps is 2⁻¹²⁶: of a mean square, the last
        // of 24 bits, or of 48. With f64 it is the elements that are lost.
        let bits = match self.precision {
            Precision::Fast => 24 - 126,
            Precision::Compensated => 48 - 126,
            Precision::F64 => 2 * (24 - 126),
        };
        f64::from(bits).exp2() * moments.weight_sum
    }

    /// Fails if squares were lost in f32, whose range is that of their roots
    /// squared. The host decides what looks like it: data may have no spread,
    /// and f64 may be too small as well.
    pub(super) fn check_squares(&mut self, moments: &Moments, part: &Part) -> Result<(), EngineError> {
        let least = self.least_squares(moments);
        let how = if !moments.is_finite() {
            "overflow"
        } else if moments.xx < least || moments.tt < least {
            "vanish"
        } else {
            return Ok(());
        };
        let exact = self.host_moments_of(&part.elements)?;
        let vanished = |exact: f64| exact > 0.0 && exact < least;
        let is_lost = match how {
            // Scaled, nothing overflows.
            "overflow" => exact.is_finite(),
            _ => exact.units() != [0; 2] || vanished(exact.xx) || vanished(exact.tt),
        };
        if !is_lost {
            return Ok(());
        }
        let (x, t) = (self.data.x().label().to_owned(), targets(&self.data)?.label().to_owned());
        Err(DataError::SquaresBeyondF32 { x, t, how }.into())
    }

    /// Whether weights leave hardly any spread: the elements that weigh most are
    /// then so near one another that f32, which holds all of them, has too few
    /// digits for what is between those.
    pub(super) fn is_narrow_in(&self, moments: &Moments) -> bool {
        /// A share of the spread of all for which f32 leaves 18 bits.
        const NARROW: f64 = 1.0 / 64.0;
        /// Below this, squares vanish, and residuals with them.
        const LEAST_SPREAD: f64 = 1e-18;
        let is_narrow = |squares: f64, spread: f64| (squares / moments.weight_sum).sqrt() < NARROW * spread;
        let least = self.inputs.x.spread.min(self.inputs.t.spread);
        self.inputs.weights.is_some()
            && least > LEAST_SPREAD
            && (is_narrow(moments.xx, self.inputs.x.spread) || is_narrow(moments.tt, self.inputs.t.spread))
    }

    /// The moments as the device has them, of which squares may be lost.
    pub(super) fn moments_in_range(&mut self, part: &Part) -> Result<Moments, EngineError> {
        let is_all = part.elements.len() == self.data.len();
        if let Some(moments) = self.moments.filter(|_| is_all) {
            return Ok(moments);
        }
        self.prepare_moments()?;
        let shift = [self.inputs.x.device_shift, self.inputs.t.device_shift];
        let mut moments = self.moments_about(shift, part)?;
        // Elements may be elsewhere than a sample of them was.
        if let Some(shift) = self.better_shift(shift, &moments) {
            moments = self.moments_about(shift, part)?;
        }
        if is_all {
            self.moments = Some(moments);
        }
        Ok(moments)
    }

    /// The spread of X about the shift of residuals.
    pub(super) fn spread(&mut self, part: &Part) -> Result<Spread, EngineError> {
        let shift = self.inputs.shift(self.precision).x;
        if part.elements.len() < self.data.len() {
            return Ok(Spread::about(shift, &self.host_moments_of(&part.elements)?));
        }
        if let Some(spread) = self.spread {
            return Ok(spread);
        }
        let moments = self.moments_in_range(part)?;
        let moments = if moments.is_finite() && moments.xx >= self.least_squares(&moments) {
            moments.of_readings(&self.readings, 0)
        } else {
            self.host_moments_of(&part.elements)?
        };
        let spread = Spread::about(shift, &moments);
        Ok(*self.spread.insert(spread))
    }

    /// The sums at W and b from those at what of them residuals in f32 are
    /// computed at, all less the shift.
    pub(super) fn with_left_out(
        &mut self,
        sums: LossSums,
        at: Affine,
        part: &Part,
    ) -> Result<LossSums, EngineError> {
        let left_out = self.inputs.sizes().left_out(at);
        if self.precision != Precision::Fast || left_out == Affine::default() {
            return Ok(sums);
        }
        Ok(self.spread(part)?.moved(sums, left_out))
    }

    /// The moments from sums about a point on the device.
    fn moments_about(&mut self, shift: [f32; 2], part: &Part) -> Result<Moments, EngineError> {
        let [x, t] = shift;
        self.set_point(&Shift { x, t })?;
        let mut sums = [Compensated::default(); 5];
        for pair in self.sums(Quantity::Moments, &part.elements)?.chunks_exact(2) {
            let [linear, quadratic] = [pair[0], pair[1]];
            let terms = [linear[0], linear[1], quadratic[0], quadratic[1], quadratic[2]];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| sum.add(term));
        }
        let scale = self.inputs.weight_scale();
        let [x, t, xx, xt, tt] = sums.map(|sum| sum.value() / scale);
        let [x_shift, t_shift] =
            [self.inputs.x.fraction + f64::from(shift[0]), self.inputs.t.fraction + f64::from(shift[1])];
        let (n, weight_sum) = (part.n, part.weight_sum);
        Ok(Moments::from_shifted_sums(&ShiftedSums { n, weight_sum, x_shift, t_shift, x, t, xx, xt, tt }))
    }

    /// A better shift, if this one was far from the means that were found.
    fn better_shift(&self, shift: [f32; 2], moments: &Moments) -> Option<[f32; 2]> {
        /// Standard deviations: with so many, the sums of squares lose 17 times
        /// their rounding.
        const FAR: f64 = 4.0;
        let means = [moments.x_mean() - self.inputs.x.fraction, moments.t_mean() - self.inputs.t.fraction];
        let squares = [moments.xx, moments.tt].map(|squares| squares / moments.weight_sum);
        let is_far = |k: usize| (means[k] - f64::from(shift[k])).powi(2) > FAR * FAR * squares[k];
        let better = means.map(|mean| split(mean)[0]);
        (moments.is_finite() && (is_far(0) || is_far(1)) && better != shift).then_some(better)
    }

    /// Compiles the moments pass, which is not always wanted.
    fn prepare_moments(&mut self) -> Result<(), EngineError> {
        let is_ready = match &self.held {
            Held::Resident(resident) => resident.passes.moments.is_some(),
            Held::Streamed(stream) => stream.has_moments(),
            Held::InputsOnly => true,
        };
        if is_ready {
            return Ok(());
        }
        let kernel = self.compile(Quantity::Moments)?;
        match &mut self.held {
            Held::Resident(resident) => {
                resident.add_moments(&self.device, &self.inputs, kernel, &self.point)?;
            }
            Held::Streamed(stream) => stream.add_moments(&self.device, kernel, &self.point)?,
            Held::InputsOnly => {}
        }
        Ok(())
    }
}
