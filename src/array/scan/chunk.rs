use crate::array::bitmap::WORD;
use crate::array::excluded::Excluded;
use crate::math::Compensated;

/// The finding about an element; of several, the one that is marked last.
pub(super) mod verdict {
    pub(in crate::array::scan) const VALID: u8 = 0;
    pub(in crate::array::scan) const NOT_FINITE: u8 = 1;
    pub(in crate::array::scan) const RANGE: u8 = 2;
    pub(in crate::array::scan) const T_NODATA: u8 = 3;
    pub(in crate::array::scan) const X_NODATA: u8 = 4;
    pub(in crate::array::scan) const NO_WEIGHT: u8 = 5;
    pub(in crate::array::scan) const WEIGHT: u8 = 6;
    pub(in crate::array::scan) const MASK: u8 = 7;
    pub(in crate::array::scan) const CONDITION: u8 = 8;
}

/// The elements of a chunk, and the finding about each.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) xs: Vec<f64>,
    pub(super) ts: Vec<f64>,
    pub(super) ws: Vec<f64>,
    pub(super) mask: Vec<f64>,
    pub(super) verdicts: Vec<u8>,
}

/// The findings about a chunk.
pub(super) struct Chunk {
    pub(super) words: Vec<u32>,
    pub(super) excluded: Excluded,
    /// Σ w of the valid elements, if there are weights.
    pub(super) weight_sum: Compensated,
    /// The NaNs and infinities of X and of T that no rule excludes.
    pub(super) not_finite: [Offenders; 2],
    /// The weights that are negative, NaN or infinite.
    pub(super) no_weights: Offenders,
}

impl Chunk {
    /// Sums up the findings about the elements from number `start` on.
    pub(super) fn of(start: usize, scratch: &Scratch) -> Self {
        let Scratch { xs, ts, ws, verdicts, .. } = scratch;
        // In runs whose sum fits into a byte, which compilers make vectors of.
        let count_run = |run: &[u8], verdict| run.iter().map(|slot| u8::from(*slot == verdict)).sum::<u8>();
        let count = |verdict| verdicts.chunks(255).map(|run| u64::from(count_run(run, verdict))).sum::<u64>();
        let offenders = |verdict, is: &dyn Fn(usize) -> bool| {
            let mut offenders = Offenders::default();
            if count(verdict) > 0 {
                let found = (0..verdicts.len()).filter(|&k| verdicts[k] == verdict && is(k));
                found.for_each(|k| offenders.add(start + k));
            }
            offenders
        };
        let is_infinite = |values: &[f64], k: usize| values.get(k).is_some_and(|value| !value.is_finite());
        let bits = |slots: &[u8]| {
            let bits = slots.iter().map(|slot| u32::from(*slot == verdict::VALID)).enumerate();
            bits.fold(0, |word, (k, bit)| word | bit << k)
        };
        Self {
            words: verdicts.chunks(WORD).map(bits).collect(),
            excluded: Excluded {
                condition: count(verdict::CONDITION),
                mask: count(verdict::MASK),
                weight: count(verdict::WEIGHT),
                x_nodata: count(verdict::X_NODATA),
                t_nodata: count(verdict::T_NODATA),
                range: count(verdict::RANGE),
            },
            weight_sum: weight_sum(ws, verdicts),
            not_finite: [
                offenders(verdict::NOT_FINITE, &|k| is_infinite(xs, k)),
                offenders(verdict::NOT_FINITE, &|k| is_infinite(ts, k)),
            ],
            no_weights: offenders(verdict::NO_WEIGHT, &|_| true),
        }
    }
}

/// Σ w of the valid elements: short sums side by side, merged with compensation.
fn weight_sum(ws: &[f64], verdicts: &[u8]) -> Compensated {
    const LANES: usize = 8;
    const BLOCK: usize = 64 * LANES;
    let mut sum = Compensated::default();
    for (ws, verdicts) in ws.chunks(BLOCK).zip(verdicts.chunks(BLOCK)) {
        let mut lanes = [0f64; LANES];
        for (ws, verdicts) in ws.chunks(LANES).zip(verdicts.chunks(LANES)) {
            for ((lane, w), verdict) in lanes.iter_mut().zip(ws).zip(verdicts) {
                *lane += if *verdict == verdict::VALID { *w } else { 0.0 };
            }
        }
        lanes.into_iter().for_each(|lane| sum.add(lane));
    }
    sum
}

/// Elements that must not be there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Offenders {
    pub(super) count: u64,
    pub(super) first: Option<usize>,
}

impl Offenders {
    fn add(&mut self, place: usize) {
        self.count += 1;
        self.first.get_or_insert(place);
    }

    /// All of them, those of later chunks after those of earlier ones.
    pub(super) fn of(chunks: impl Iterator<Item = Self>) -> Self {
        chunks.fold(Self::default(), |sum, chunk| Self {
            count: sum.count + chunk.count,
            first: sum.first.or(chunk.first),
        })
    }
}
