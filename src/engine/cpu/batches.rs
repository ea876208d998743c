//! The sums over the elements of a batch, wherever they lie.

use super::blocks::BlockPass;
use super::lanes::Once;
use super::residuals::BlockResiduals;
use super::{BLOCK_ELEMENTS, Cpu, PARALLEL_ELEMENTS};
use crate::array::parallel;
use crate::array::{Array, Batch, Element, Order, with_element};
use crate::engine::reframe::holds;
use crate::engine::{EngineError, check_points, targets};
use crate::math::{Affine, Loss, LossSums, SumsAccumulator};

impl Cpu {
    /// The sums of a batch, a part of it on each thread. The parts are merged in
    /// order: on any number of threads the result has the same bits.
    pub(super) fn sums_of_batch(&self, at: Affine, batch: &Batch<'_>) -> Result<LossSums, EngineError> {
        check_points(&self.data, &[at])?;
        let t = targets(&self.data)?;
        let sum = |part: Batch<'_>| {
            let gathered = part.is_scattered().then(|| self.gathered(t, at, &part)).flatten();
            gathered.unwrap_or_else(|| self.sums_of_runs(t, at, &part))
        };
        let sums: Vec<SumsAccumulator> = if batch.elements() <= PARALLEL_ELEMENTS as u64 {
            batch.parts().map(sum).collect()
        } else {
            let parts: Vec<Batch<'_>> = batch.parts().collect();
            parallel::map(parts.len(), |k| sum(parts[k].clone()))
        };
        Ok(sums.into_iter().fold(SumsAccumulator::default(), SumsAccumulator::merge).total())
    }

    fn sums_of_runs(&self, t: &Array, at: Affine, part: &Batch<'_>) -> SumsAccumulator {
        let sums = part.runs().map(|run| {
            let sums = self.facts.sums_of(&self.data, &run, at, Loss::Squared, |frame| {
                self.framed_sums(frame, t, &run, at, Loss::Squared)
            });
            self.data.release(&run);
            sums.sums
        });
        sums.fold(SumsAccumulator::default(), SumsAccumulator::merge)
    }

    /// The sums of elements that are drawn each by itself, brought together a block at
    /// a time; `None` if numbers as they are do not give them.
    fn gathered(&self, t: &Array, at: Affine, part: &Batch<'_>) -> Option<SumsAccumulator> {
        if !self.facts.is_plain() {
            return None;
        }
        let (data, order) = (&self.data, self.data.order());
        let mut room = [(); 3].map(|()| vec![0f64; BLOCK_ELEMENTS]);
        let mut places = [0usize; BLOCK_ELEMENTS];
        let mut pass = BlockResiduals::new(at);
        let mut runs = part.runs();
        loop {
            let mut count = 0;
            for (place, run) in places.iter_mut().zip(&mut runs) {
                *place = run.start;
                count += 1;
            }
            if count == 0 {
                break;
            }
            let places = &places[..count];
            let [xs, ts, ws] = room.each_mut().map(|values| &mut values[..count]);
            gather(data.x(), order, places, xs);
            gather(t, order, places, ts);
            if let Some(weights) = data.weights() {
                gather(weights, order, places, ws);
            }
            let Some(validity) = data.validity() else {
                match data.weights() {
                    Some(_) => pass.accumulate(xs, ts, &*ws, count as u64),
                    None => pass.accumulate(xs, ts, Once, count as u64),
                }
                continue;
            };
            if data.weights().is_none() {
                ws.fill(1.0);
            }
            // In the place of a missing value is a valid pair of weight 0.
            let Some(first) = places.iter().position(|&place| validity.contains(place)) else { continue };
            let (x, t, mut n) = (xs[first], ts[first], 0);
            for (k, &place) in places.iter().enumerate() {
                if validity.contains(place) {
                    n += 1;
                } else {
                    (xs[k], ts[k], ws[k]) = (x, t, 0.0);
                }
            }
            pass.accumulate(xs, ts, &*ws, n);
        }
        // Of pages everywhere; what other threads still need of them is read again.
        if data.x().is_streamed() {
            data.release(&(0..data.len()));
        }
        let sums = pass.sums();
        holds(&sums.total()).then_some(sums)
    }
}

/// Copies elements from their places; any number for what is not finite.
fn gather(array: &Array, order: Order, places: &[usize], out: &mut [f64]) {
    with_element!(array.element(), E => match array.as_slice::<E>(order) {
        Some(values) => {
            for (out, &place) in out.iter_mut().zip(places) {
                *out = values[place].finite_to_f64();
            }
        }
        None => {
            for (k, &place) in places.iter().enumerate() {
                array.read(order, place, &mut out[k..=k]);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::array::{Batches, MaskedArray, Problem, Shuffle, ValidityRules};
    use crate::engine::{Engine, Reference};

    fn column(label: &str, n: usize, step: f64) -> Array {
        let number = |k: usize| f64::from(u32::try_from(k).unwrap());
        let values: Vec<f64> = (0..n).map(|k| (number(k) * step).fract() * 3.0 - 1.0).collect();
        Array::from_vec(label, &[n as u64], values)
    }

    fn places(batch: &Batch<'_>) -> Vec<usize> {
        let runs: Vec<Range<usize>> = batch.runs().collect();
        runs.into_iter().flatten().collect()
    }

    /// Each batch of each order against sums of its elements one by one, with missing
    /// values and weights, and as the reference has them.
    #[test]
    fn sums_of_batches_are_those_of_their_elements() {
        let n = 150_003;
        let (x, t, w) = (column("x", n, 0.618_034), column("t", n, 0.414_21), column("w", n, 0.732_05));
        let at = Affine::new(0.7, -0.3);
        let weights: Vec<f64> = {
            let mut ws = vec![0.0; n];
            w.read(Order::C, 0, &mut ws);
            ws.iter().map(|w| w + 1.5).collect()
        };
        let weights = Array::from_vec("w", &[n as u64], weights);
        for (is_weighted, range) in
            [(false, None), (true, None), (false, Some([-0.9, 1.8])), (true, Some([-0.9, 1.8]))]
        {
            let rules = ValidityRules {
                weights: is_weighted.then(|| MaskedArray::from(weights.clone())),
                valid_range: range,
                ..ValidityRules::default()
            };
            let data = Problem::builder(x.clone()).target(t.clone()).rules(rules).build().unwrap();
            let [mut xs, mut ts, mut ws] = [(); 3].map(|()| vec![0.0; n]);
            x.read(Order::C, 0, &mut xs);
            t.read(Order::C, 0, &mut ts);
            weights.read(Order::C, 0, &mut ws);
            for shuffle in Shuffle::ALL {
                for batch in [1_000, 140_000] {
                    let batches = Batches { elements: n as u64, batch, shuffle, seed: 9, drop_last: false };
                    let epoch = batches.epoch(1);
                    let batch = epoch.batch(batches.count() - 1);
                    let mut want = SumsAccumulator::default();
                    for k in places(&batch) {
                        if data.validity().is_none_or(|validity| validity.contains(k)) {
                            let (r, w) = (at.apply(xs[k]) - ts[k], if is_weighted { ws[k] } else { 1.0 });
                            want.add(LossSums {
                                n: 1,
                                weight_sum: w,
                                rr: w * r * r,
                                rx: w * r * xs[k],
                                r: w * r,
                            });
                        }
                    }
                    let want = want.total();
                    for (name, got) in [
                        ("cpu", Cpu::new(&data).batch_sums(at, &batch).unwrap()),
                        ("reference", Reference::new(&data).batch_sums(at, &batch).unwrap()),
                    ] {
                        assert_eq!(got.n, want.n, "{name}, {shuffle}");
                        for (got, want) in [
                            (got.weight_sum, want.weight_sum),
                            (got.rr, want.rr),
                            (got.rx, want.rx),
                            (got.r, want.r),
                        ] {
                            let scale = want.abs() + want.abs().max(want_scale(n));
                            assert!(
                                (got - want).abs() <= 1e-14 * scale,
                                "{name}, {shuffle}: {got} for {want}"
                            );
                        }
                    }
                }
            }
        }
    }

    /// Terms are at most about 10 in size.
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    fn want_scale(n: usize) -> f64 {
        10.0 * n as f64
    }

    /// Whole numbers of 64 bits that f64 does not hold, and squares beyond its range.
    #[test]
    fn scattered_elements_keep_their_digits_and_range() {
        let far = 1u64 << 60;
        let whole = Array::from_vec("x", &[1_000], (0..1_000).map(|k| far + k).collect::<Vec<u64>>());
        let t = Array::from_vec("t", &[1_000], (0..1_000).map(|k| far + 3 * k).collect::<Vec<u64>>());
        let huge = |step: f64| {
            let values: Vec<f64> = (0..1_000u32).map(|k| 1e200 * (f64::from(k) * step).fract()).collect();
            Array::from_vec("huge", &[1_000], values)
        };
        for (x, t, at) in
            [(whole, t, Affine::new(1.0, 0.0)), (huge(0.618), huge(0.414), Affine::new(0.5, 1e199))]
        {
            let data = Problem::pair(x, t).unwrap();
            let mut cpu = Cpu::new(&data);
            let all = cpu.loss_sums_at(at).unwrap();
            let batches = Batches {
                elements: 1_000,
                batch: 2_000,
                shuffle: Shuffle::Element,
                seed: 0,
                drop_last: false,
            };
            let epoch = batches.epoch(0);
            let got = cpu.batch_sums(at, &epoch.batch(0)).unwrap();
            for (got, want) in [(got.rr, all.rr), (got.rx, all.rx), (got.r, all.r)] {
                assert!(got == want || (got / want - 1.0).abs() < 1e-12, "{got} for {want}");
            }
        }
    }
}
