//! Passes over fits side by side: neighbours in memory belong to different fits,
//! so each lane of a vector has a fit of its own, and the rows are walked.

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::lanes::mul_add;
use crate::array::Element;
use crate::engine::SumsAt;
use crate::math::{Affine, Loss, LossSums, Moments, ShiftedSums, SumsAccumulator};

/// Fits side by side. More would leave the second-level cache, fewer read too
/// little of a row at a time.
pub(super) const SIDE_ELEMENTS: usize = 1024;

/// Rows added at a time: the sums are loaded and stored once for all of them.
pub(super) const ROWS: usize = 4;

/// Rows between two flushes of sums about a shift, of which rounding costs at most
/// so many units in the last place.
pub(super) const FLUSH_ROWS: usize = 64;

/// Fits of a vector.
const LANES: usize = 8;

/// A pass over rows of elements of which each belongs to another fit.
pub(super) trait SidePass: Send {
    /// The value of a fit.
    type Value: Copy + Send;

    /// Adds rows of one length, which may be shorter than others.
    fn add<E: Element, const R: usize>(&mut self, xs: [&[E]; R], ts: [&[E]; R]);

    /// Adds a row of pairs with weights; those of weight 0 are not there.
    fn add_weighted(&mut self, xs: &[f64], ts: &[f64], ws: &[f64]);

    /// Has sums about a shift accumulated, before their rounding is seen.
    fn flush(&mut self);

    /// The values of all lanes.
    fn values(self) -> Vec<Self::Value>;
}

/// The moments of fits side by side.
pub(super) struct SideMoments {
    counts: Vec<u64>,
    weights: Vec<f64>,
    shifts: [Vec<f64>; 2],
    /// Σ x, Σ t, Σ x², Σ x·t, Σ t² about the shifts; with weights the means and the sums
    /// about them.
    sums: [Vec<f64>; 5],
    is_weighted: bool,
    values: Vec<Moments>,
}

impl SideMoments {
    pub(super) fn new(lanes: usize) -> Self {
        let zeros = || vec![0.0; lanes];
        Self {
            counts: vec![0; lanes],
            weights: zeros(),
            shifts: [zeros(), zeros()],
            sums: [zeros(), zeros(), zeros(), zeros(), zeros()],
            is_weighted: false,
            values: vec![Moments::default(); lanes],
        }
    }
}

impl SidePass for SideMoments {
    type Value = Moments;

    fn add<E: Element, const R: usize>(&mut self, xs: [&[E]; R], ts: [&[E]; R]) {
        let lanes = xs.first().map_or(0, |xs| xs.len());
        let [x_shift, t_shift] = &mut self.shifts;
        if let ([x, ..], [t, ..]) = (&xs[..], &ts[..]) {
            for (lane, count) in self.counts[..lanes].iter_mut().enumerate() {
                if *count == 0 {
                    (x_shift[lane], t_shift[lane]) = (x[lane].finite_to_f64(), t[lane].finite_to_f64());
                }
                *count += R as u64;
            }
        }
        let sums = self.sums.each_mut().map(|sums| &mut sums[..lanes]);
        add_rows(&x_shift[..lanes], &t_shift[..lanes], sums, xs, ts);
    }

    fn add_weighted(&mut self, xs: &[f64], ts: &[f64], ws: &[f64]) {
        self.is_weighted = true;
        let lanes = xs.len();
        for (count, w) in self.counts[..lanes].iter_mut().zip(ws) {
            *count += u64::from(*w > 0.0);
        }
        let shifts = self.shifts.each_mut().map(|shifts| &mut shifts[..lanes]);
        let sums = self.sums.each_mut().map(|sums| &mut sums[..lanes]);
        add_weighted_row(&mut self.weights[..lanes], shifts, sums, xs, ts, ws);
    }

    #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
    fn flush(&mut self) {
        for (lane, value) in self.values.iter_mut().enumerate() {
            let n = self.counts[lane];
            if n == 0 {
                continue;
            }
            let [x, t, xx, xt, tt] = self.sums.each_ref().map(|sums| sums[lane]);
            let [x_shift, t_shift] = self.shifts.each_ref().map(|shifts| shifts[lane]);
            let moments = if self.is_weighted {
                Moments::about_means(n, self.weights[lane], [x_shift, x], [t_shift, t], [xx, xt, tt])
            } else {
                let weight_sum = n as f64;
                Moments::from_shifted_sums(&ShiftedSums { n, weight_sum, x_shift, t_shift, x, t, xx, xt, tt })
            };
            *value = value.merge(moments);
        }
        self.counts.fill(0);
        self.weights.fill(0.0);
        self.sums.iter_mut().for_each(|sums| sums.fill(0.0));
    }

    fn values(mut self) -> Vec<Moments> {
        self.flush();
        self.values
    }
}

/// The loss sums of fits side by side.
pub(super) struct SideSums {
    at: Vec<Affine>,
    points: [Vec<f64>; 2],
    counts: Vec<u64>,
    weights: Vec<f64>,
    /// Σ r², Σ r·x, Σ r.
    sums: [Vec<f64>; 3],
    is_weighted: bool,
    values: Vec<SumsAccumulator>,
}

impl SideSums {
    /// At a point for each lane; the other ones, which the values bear, are those
    /// in the units of the data.
    pub(super) fn new(points: &[Affine], at: Vec<Affine>) -> Self {
        let zeros = || vec![0.0; at.len()];
        Self {
            points: [
                points.iter().map(|point| point.weight).collect(),
                points.iter().map(|point| point.bias).collect(),
            ],
            counts: vec![0; at.len()],
            weights: zeros(),
            sums: [zeros(), zeros(), zeros()],
            is_weighted: false,
            values: vec![SumsAccumulator::default(); at.len()],
            at,
        }
    }
}

impl SidePass for SideSums {
    type Value = SumsAt;

    fn add<E: Element, const R: usize>(&mut self, xs: [&[E]; R], ts: [&[E]; R]) {
        let lanes = xs.first().map_or(0, |xs| xs.len());
        self.counts[..lanes].iter_mut().for_each(|count| *count += R as u64);
        let [weight, bias] = self.points.each_ref().map(|points| &points[..lanes]);
        let sums = self.sums.each_mut().map(|sums| &mut sums[..lanes]);
        add_residuals(weight, bias, sums, xs, ts);
    }

    fn add_weighted(&mut self, xs: &[f64], ts: &[f64], ws: &[f64]) {
        self.is_weighted = true;
        let lanes = xs.len();
        for ((count, sum), w) in self.counts[..lanes].iter_mut().zip(&mut self.weights).zip(ws) {
            *count += u64::from(*w > 0.0);
            *sum += w;
        }
        let [weight, bias] = self.points.each_ref().map(|points| &points[..lanes]);
        let sums = self.sums.each_mut().map(|sums| &mut sums[..lanes]);
        add_weighted_residuals(weight, bias, sums, xs, ts, ws);
    }

    #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
    fn flush(&mut self) {
        for (lane, value) in self.values.iter_mut().enumerate() {
            let n = self.counts[lane];
            if n > 0 {
                let [rr, rx, r] = self.sums.each_ref().map(|sums| sums[lane]);
                let weight_sum = if self.is_weighted { self.weights[lane] } else { n as f64 };
                value.add(LossSums { n, weight_sum, rr, rx, r });
            }
        }
        self.counts.fill(0);
        self.weights.fill(0.0);
        self.sums.iter_mut().for_each(|sums| sums.fill(0.0));
    }

    fn values(mut self) -> Vec<SumsAt> {
        self.flush();
        self.at
            .into_iter()
            .zip(self.values)
            .map(|(at, sums)| SumsAt { at, loss: Loss::Squared, sums })
            .collect()
    }
}

/// Adds rows to the sums about shifts.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn add_rows<E: Element, const R: usize>(
    x_shift: &[f64],
    t_shift: &[f64],
    sums: [&mut [f64]; 5],
    xs: [&[E]; R],
    ts: [&[E]; R],
) {
    let [x, t, xx, xt, tt] = sums.map(|sums| sums.as_chunks_mut::<LANES>());
    let (x_shift, t_shift) = (x_shift.as_chunks::<LANES>(), t_shift.as_chunks::<LANES>());
    let (xs, ts) = (xs.map(|xs| xs.as_chunks::<LANES>()), ts.map(|ts| ts.as_chunks::<LANES>()));
    let vectors = x.0.iter_mut().zip(t.0).zip(xx.0).zip(xt.0).zip(tt.0).zip(x_shift.0).zip(t_shift.0);
    for (v, ((((((x, t), xx), xt), tt), x_shift), t_shift)) in vectors.enumerate() {
        for row in 0..R {
            let (x_row, t_row) = (&xs[row].0[v], &ts[row].0[v]);
            for lane in 0..LANES {
                let dx = x_row[lane].finite_to_f64() - x_shift[lane];
                let dt = t_row[lane].finite_to_f64() - t_shift[lane];
                x[lane] += dx;
                t[lane] += dt;
                xx[lane] = mul_add!(dx, dx, xx[lane]);
                xt[lane] = mul_add!(dx, dt, xt[lane]);
                tt[lane] = mul_add!(dt, dt, tt[lane]);
            }
        }
    }
    for lane in 0..x.1.len() {
        for row in 0..R {
            let dx = xs[row].1[lane].finite_to_f64() - x_shift.1[lane];
            let dt = ts[row].1[lane].finite_to_f64() - t_shift.1[lane];
            x.1[lane] += dx;
            t.1[lane] += dt;
            xx.1[lane] = mul_add!(dx, dx, xx.1[lane]);
            xt.1[lane] = mul_add!(dx, dt, xt.1[lane]);
            tt.1[lane] = mul_add!(dt, dt, tt.1[lane]);
        }
    }
}

/// Adds a row of weighted pairs to means and sums about them (D. H. D. West,
/// 1979, Updating mean and variance estimates), in distances from the first valid
/// pair.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn add_weighted_row(
    weights: &mut [f64],
    shifts: [&mut [f64]; 2],
    sums: [&mut [f64]; 5],
    xs: &[f64],
    ts: &[f64],
    ws: &[f64],
) {
    let [x_shift, t_shift] = shifts;
    let [x, t, xx, xt, tt] = sums;
    let lanes = xs.len();
    let (x_shift, t_shift, weights) = (&mut x_shift[..lanes], &mut t_shift[..lanes], &mut weights[..lanes]);
    let (x, t, xx, xt, tt) =
        (&mut x[..lanes], &mut t[..lanes], &mut xx[..lanes], &mut xt[..lanes], &mut tt[..lanes]);
    let (ts, ws) = (&ts[..lanes], &ws[..lanes]);
    for lane in 0..lanes {
        let (w, before) = (ws[lane], weights[lane]);
        let is_first = before == 0.0;
        x_shift[lane] = if is_first { xs[lane] } else { x_shift[lane] };
        t_shift[lane] = if is_first { ts[lane] } else { t_shift[lane] };
        let sum = before + w;
        // 0/0 where nothing valid came yet.
        let share = if w > 0.0 { w / sum } else { 0.0 };
        let (dx, dt) = (xs[lane] - x_shift[lane] - x[lane], ts[lane] - t_shift[lane] - t[lane]);
        x[lane] = mul_add!(share, dx, x[lane]);
        t[lane] = mul_add!(share, dt, t[lane]);
        let kept = before * share;
        xx[lane] = mul_add!(kept * dx, dx, xx[lane]);
        xt[lane] = mul_add!(kept * dx, dt, xt[lane]);
        tt[lane] = mul_add!(kept * dt, dt, tt[lane]);
        weights[lane] = sum;
    }
}

/// Adds the residuals of rows at a point for each fit.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn add_residuals<E: Element, const R: usize>(
    weight: &[f64],
    bias: &[f64],
    sums: [&mut [f64]; 3],
    xs: [&[E]; R],
    ts: [&[E]; R],
) {
    let [rr, rx, r] = sums.map(|sums| sums.as_chunks_mut::<LANES>());
    let (weight, bias) = (weight.as_chunks::<LANES>(), bias.as_chunks::<LANES>());
    let (xs, ts) = (xs.map(|xs| xs.as_chunks::<LANES>()), ts.map(|ts| ts.as_chunks::<LANES>()));
    let vectors = rr.0.iter_mut().zip(rx.0).zip(r.0).zip(weight.0).zip(bias.0);
    for (v, ((((rr, rx), r), weight), bias)) in vectors.enumerate() {
        for row in 0..R {
            let (x_row, t_row) = (&xs[row].0[v], &ts[row].0[v]);
            for lane in 0..LANES {
                let x = x_row[lane].finite_to_f64();
                let residual = mul_add!(x, weight[lane], bias[lane]) - t_row[lane].finite_to_f64();
                rr[lane] = mul_add!(residual, residual, rr[lane]);
                rx[lane] = mul_add!(residual, x, rx[lane]);
                r[lane] += residual;
            }
        }
    }
    for lane in 0..rr.1.len() {
        for row in 0..R {
            let x = xs[row].1[lane].finite_to_f64();
            let residual = mul_add!(x, weight.1[lane], bias.1[lane]) - ts[row].1[lane].finite_to_f64();
            rr.1[lane] = mul_add!(residual, residual, rr.1[lane]);
            rx.1[lane] = mul_add!(residual, x, rx.1[lane]);
            r.1[lane] += residual;
        }
    }
}

/// Adds the weighted residuals of a row.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn add_weighted_residuals(
    weight: &[f64],
    bias: &[f64],
    sums: [&mut [f64]; 3],
    xs: &[f64],
    ts: &[f64],
    ws: &[f64],
) {
    let [rr, rx, r] = sums;
    let lanes = xs.len();
    let (rr, rx, r) = (&mut rr[..lanes], &mut rx[..lanes], &mut r[..lanes]);
    let (weight, bias, ts, ws) = (&weight[..lanes], &bias[..lanes], &ts[..lanes], &ws[..lanes]);
    for lane in 0..lanes {
        let residual = mul_add!(xs[lane], weight[lane], bias[lane]) - ts[lane];
        // What stands in the place of a missing value may be anything finite.
        let weighed = ws[lane] * residual;
        rr[lane] = mul_add!(weighed, residual, rr[lane]);
        rx[lane] = mul_add!(weighed, xs[lane], rx[lane]);
        r[lane] += weighed;
    }
}
