//! The lanes, weights and look-ahead that the loops over blocks share.

/// Elements summed in plain f64 before the sums are merged with compensation.
/// Fixed, like everything that decides which additions are made: the result
/// has the same bits on any number of threads.
pub(super) const BLOCK_ELEMENTS: usize = 1024;

/// Independent sums side by side: enough to fill the vector registers of
/// AVX-512, and to hide the latency of additions with narrower ones.
pub(super) const LANES: usize = 16;

/// Elements between two requests for what comes later: whole cache lines of
/// any type.
pub(super) const GROUP_ELEMENTS: usize = 64;

/// The distance ahead of the additions at which memory is asked for. The processor fetches
/// ahead by itself, but only to the end of a page, and two streams with
/// arithmetic between them leave it behind: 64 Mi f32 pairs take 24.1 ms
/// without such requests, 19.6, 18.2, 17.5, 17.5 and 18.5 ms with 0.5, 1, 2, 3
/// and 4 KiB, where plain reading takes 16.7 ms.
const PREFETCH_BYTES: usize = 3072;

/// The sample weights of the pairs of a block.
pub(super) trait Weighing: Copy {
    /// Whether pairs have weights other than 1.
    const IS_GIVEN: bool;

    /// The weights of pairs number `start` to `start + LANES − 1`.
    fn lanes(self, start: usize) -> [f64; LANES];

    /// The weight of pair number `k`.
    fn at(self, k: usize) -> f64;

    /// The place of the largest weight; `None` if all are 1.
    fn heaviest(self) -> Option<usize>;
}

/// The weight 1 for every pair, which costs no multiplication.
#[derive(Clone, Copy)]
pub(super) struct Once;

impl Weighing for Once {
    const IS_GIVEN: bool = false;

    fn lanes(self, _start: usize) -> [f64; LANES] {
        [1.0; LANES]
    }

    fn at(self, _k: usize) -> f64 {
        1.0
    }

    fn heaviest(self) -> Option<usize> {
        None
    }
}

/// A weight for each pair; beyond the end of the block 0.
impl Weighing for &[f64] {
    const IS_GIVEN: bool = true;

    #[inline]
    fn lanes(self, start: usize) -> [f64; LANES] {
        self.get(start..).and_then(<[f64]>::first_chunk).copied().unwrap_or_default()
    }

    #[inline]
    fn at(self, k: usize) -> f64 {
        self.get(k).copied().unwrap_or_default()
    }

    #[inline]
    fn heaviest(self) -> Option<usize> {
        let most = self.iter().copied().fold(0.0, f64::max);
        self.iter().position(|&weight| weight >= most)
    }
}

/// a·b + c, rounded once where the processor can.
macro_rules! mul_add {
    ($a:expr, $b:expr, $c:expr) => {
        if target_cfg_f!(any(target_feature = "fma", target_feature = "neon")) {
            $a.mul_add($b, $c)
        } else {
            $a * $b + $c
        }
    };
}
pub(super) use mul_add;

/// Asks for the cache lines that follow these elements at a distance, to be in
/// the cache when their turn comes.
#[inline(always)]
pub(super) fn prefetch<E>(elements: &[E]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

        let ahead = elements.as_ptr().cast::<i8>().wrapping_add(PREFETCH_BYTES);
        for line in (0..size_of_val(elements)).step_by(64) {
            // SAFETY: a hint: nothing is read that the program could see, and
            // no address makes it fail, not one beyond the array either.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(line)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = elements;
}

/// The sum over the lanes, two and two.
pub(super) fn tree_sum(mut lanes: [f64; LANES]) -> f64 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}
