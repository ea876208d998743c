//! The passes over fits of which the elements are apart: every element is added to
//! the sums of its fit, in order.

use std::ops::Range;

use super::{Pair, Reference};
use crate::engine::alone::{alone, may_leave_range};
use crate::engine::frame::Frame;
use crate::engine::reframe::{is_safe_moments, is_safe_sums};
use crate::engine::whole::whole_frame;
use crate::engine::{Engine, EngineError, SumsAt, elements_of, targets};
use crate::math::{Affine, Compensated, Loss, LossSums, Moments, ShiftedSums, SumsAccumulator};

impl Reference {
    /// Calls `each` with the fit of every valid pair of a range of chunks that
    /// belongs to one, and the pair.
    fn each_pair_of_fits(
        &self,
        over: &Range<u64>,
        mut each: impl FnMut(usize, Pair),
    ) -> Result<Frame, EngineError> {
        let (t, elements) = (targets(&self.data)?, elements_of(&self.data, over)?);
        let frame = whole_frame(&self.data);
        let fits = self.data.fits();
        self.each_numbered_pair(&frame, t, &elements, |k, pair| {
            if let Some(fit) = fits.of_element(k).and_then(|fit| usize::try_from(fit).ok()) {
                each(fit, pair);
            }
        });
        self.data.check_intact()?;
        Ok(frame)
    }

    fn count_of_fits(&self) -> usize {
        usize::try_from(self.data.fits().count()).unwrap_or(usize::MAX)
    }

    /// The means of each fit first, then, from the data again, the sums about them.
    pub(super) fn moments_of_fits(&self, over: &Range<u64>) -> Result<Vec<Moments>, EngineError> {
        let fits = self.count_of_fits();
        let (mut counts, mut means) = (vec![0u64; fits], vec![[Compensated::default(); 3]; fits]);
        self.each_pair_of_fits(over, |fit, Pair { x: [x, _], t: [t, _], w }| {
            counts[fit] += 1;
            means[fit].iter_mut().zip([w, w * x, w * t]).for_each(|(sum, term)| sum.add(term));
        })?;
        let shifts: Vec<[f64; 2]> = means
            .iter()
            .map(|means| {
                let [weight_sum, x, t] = means.map(Compensated::value);
                [x / weight_sum, t / weight_sum]
            })
            .collect();
        let mut sums = vec![[Compensated::default(); 5]; fits];
        let frame = self.each_pair_of_fits(over, |fit, Pair { x, t, w }| {
            let [x_shift, t_shift] = shifts[fit];
            let (x, t) = ((x[0] - x_shift) + x[1], (t[0] - t_shift) + t[1]);
            sums[fit].iter_mut().zip([x, t, x * x, x * t, t * t]).for_each(|(sum, term)| sum.add(w * term));
        })?;
        let mut all = Vec::with_capacity(fits);
        for (fit, &n) in counts.iter().enumerate() {
            let [x, t, xx, xt, tt] = sums[fit].map(Compensated::value);
            let ([x_shift, t_shift], weight_sum) = (shifts[fit], means[fit][0].value());
            let sums = ShiftedSums { n, weight_sum, x_shift, t_shift, x, t, xx, xt, tt };
            all.push(match n {
                0 => Moments::default(),
                _ => Moments::from_shifted_sums(&sums).of_readings(&frame.readings, 0),
            });
        }
        let elements = elements_of(&self.data, over)?;
        for (fit, data) in alone(&self.data, elements, self.unsafe_fits(&all, is_safe_moments))? {
            all[usize::try_from(fit).unwrap_or(usize::MAX)] = Self::new(&data).all_moments()?;
        }
        Ok(all)
    }

    /// The loss sums of each fit at its point.
    pub(super) fn sums_of_fits(&self, over: &Range<u64>, at: &[Affine]) -> Result<Vec<SumsAt>, EngineError> {
        let readings = whole_frame(&self.data).readings;
        let there: Vec<Affine> = at.iter().map(|&at| readings.model(at)).collect();
        let mut sums = vec![SumsAccumulator::default(); at.len()];
        self.each_pair_of_fits(over, |fit, Pair { x: [x, _], t: [t, _], w }| {
            let r = there[fit].apply(x) - t;
            sums[fit].add(LossSums { n: 1, weight_sum: w, rr: w * r * r, rx: w * r * x, r: w * r });
        })?;
        let of_readings = |(&at, sums): (&Affine, SumsAccumulator)| SumsAt {
            at,
            loss: Loss::Squared,
            sums: sums.of_readings(&readings, 0),
        };
        let mut all: Vec<SumsAt> = at.iter().zip(sums).map(of_readings).collect();
        let unsafe_fits = self.unsafe_fits(&all, |value| is_safe_sums(&value.sums.total()));
        for (fit, data) in alone(&self.data, elements_of(&self.data, over)?, unsafe_fits)? {
            let fit = usize::try_from(fit).unwrap_or(usize::MAX);
            all[fit].sums = Self::new(&data).loss_sums_at(at[fit])?.into();
        }
        Ok(all)
    }

    /// The fits whose sums came near the ends of the range of f64.
    fn unsafe_fits<V>(&self, values: &[V], is_safe: impl Fn(&V) -> bool) -> Vec<u64> {
        if !may_leave_range(&self.data) {
            return Vec::new();
        }
        (0..).zip(values).filter(|(_, value)| !is_safe(value)).map(|(fit, _)| fit).collect()
    }
}
