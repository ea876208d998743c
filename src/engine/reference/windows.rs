//! The moments of the neighbourhood of every element, each from its elements.

use super::{Pair, Reference};
use crate::array::Window;
use crate::engine::whole::whole_frame;
use crate::engine::{EngineError, MomentsSink, targets};
use crate::math::{Compensated, Moments, ShiftedSums};

impl Reference {
    /// Hands the moments to a sink, a row of an image at a time.
    pub(super) fn windows(&self, window: Window, sink: MomentsSink<'_>) -> Result<(), EngineError> {
        let (data, t) = (&self.data, targets(&self.data)?);
        let [height, width] = window.within(data.x().shape())?;
        let frame = whole_frame(data);
        let [down, across] = [window.rows() / 2, window.columns() / 2];
        for plane in (0..data.len()).step_by(height * width) {
            for row in 0..height {
                let rows = row.saturating_sub(down)..height.min(row + down + 1);
                let moments: Vec<Moments> = (0..width)
                    .map(|column| {
                        let columns = column.saturating_sub(across)..width.min(column + across + 1);
                        let mut pairs = Vec::new();
                        for row in rows.clone() {
                            let start = plane + row * width;
                            let run = start + columns.start..start + columns.end;
                            self.each_pair(&frame, t, &run, |pair| pairs.push(pair));
                        }
                        of_pairs(&pairs).of_readings(&frame.readings, 0)
                    })
                    .collect();
                data.check_intact()?;
                sink(&moments)?;
            }
        }
        Ok(())
    }
}

/// The means first, then the sums about them.
fn of_pairs(pairs: &[Pair]) -> Moments {
    if pairs.is_empty() {
        return Moments::default();
    }
    let mut means = [Compensated::default(); 3];
    for Pair { x: [x, _], t: [t, _], w } in pairs {
        means.iter_mut().zip([*w, w * x, w * t]).for_each(|(sum, term)| sum.add(term));
    }
    let [weight_sum, x, t] = means.map(Compensated::value);
    let (x_shift, t_shift) = (x / weight_sum, t / weight_sum);
    let mut sums = [Compensated::default(); 5];
    for Pair { x, t, w } in pairs {
        let (x, t) = ((x[0] - x_shift) + x[1], (t[0] - t_shift) + t[1]);
        sums.iter_mut().zip([x, t, x * x, x * t, t * t]).for_each(|(sum, term)| sum.add(w * term));
    }
    let [x, t, xx, xt, tt] = sums.map(Compensated::value);
    let n = pairs.len() as u64;
    Moments::from_shifted_sums(&ShiftedSums { n, weight_sum, x_shift, t_shift, x, t, xx, xt, tt })
}
