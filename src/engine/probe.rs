use std::sync::atomic::{AtomicU64, Ordering};

use multiversion::multiversion;

use crate::array::parallel;

/// Words that a thread takes at a time: 1 MiB, long enough for the hardware
/// to fetch ahead.
const CHUNK_WORDS: usize = 1 << 17;

/// Independent sums side by side, so that the loads, not the latency of an
/// addition, are what takes the time.
const LANES: usize = 64;

/// The speed at which this machine reads memory: all threads of rayon's current pool
/// add up one large buffer of random words, with plain loads and wrapping
/// integer additions, and nothing else. What other passes reach is held
/// against this.
///
/// ```
/// use linfit::engine::ReadProbe;
///
/// let probe = ReadProbe::new(1 << 20);
/// assert_eq!(probe.bytes(), 1 << 20);
/// assert_eq!(probe.pass(), probe.expected());
/// ```
pub struct ReadProbe {
    words: Vec<u64>,
    expected: u64,
}

impl ReadProbe {
    /// A probe over this many bytes of memory, rounded down to whole words.
    /// It measures memory only if that is far more than the caches hold.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let mut words = vec![0u64; bytes / size_of::<u64>()];
        // The threads that will read fill, so that memory is near them.
        let expected = AtomicU64::new(0);
        parallel::for_each(words.chunks_mut(CHUNK_WORDS).enumerate(), |(chunk, words)| {
            let first = (chunk * CHUNK_WORDS) as u64;
            let sum = (first..).zip(words).fold(0u64, |sum, (k, word)| {
                *word = mixed(k);
                sum.wrapping_add(*word)
            });
            expected.fetch_add(sum, Ordering::Relaxed);
        });
        Self { words, expected: expected.into_inner() }
    }

    /// Bytes that one pass reads.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        size_of_val(self.words.as_slice()) as u64
    }

    /// Reads all of it once: the sum of the words, modulo 2⁶⁴.
    #[must_use]
    pub fn pass(&self) -> u64 {
        let add = |total: &mut u64, words: &[u64]| *total = total.wrapping_add(sum(words));
        let chunks = self.words.len().div_ceil(CHUNK_WORDS);
        let chunk = |k: usize| &self.words[k * CHUNK_WORDS..self.words.len().min((k + 1) * CHUNK_WORDS)];
        parallel::fold(chunks, || 0, |total, k| add(total, chunk(k))).into_iter().fold(0, u64::wrapping_add)
    }

    /// The sum that [`pass`](Self::pass) must return, added up while the buffer was
    /// filled.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.expected
    }
}

/// The widest loads there are: with fewer, wider ones a core has more of memory
/// on its way at a time. Two threads of a Xeon read 20 GB/s by SSE2, 26 by AVX2
/// and 29 by AVX-512.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn sum(words: &[u64]) -> u64 {
    let mut sums = [0u64; LANES];
    let (vectors, rest) = words.as_chunks::<LANES>();
    for vector in vectors {
        for lane in 0..LANES {
            sums[lane] = sums[lane].wrapping_add(vector[lane]);
        }
    }
    sums.iter().chain(rest).copied().fold(0, u64::wrapping_add)
}

/// SplitMix64's output for the k-th state: words that no memory compresses.
fn mixed(k: u64) -> u64 {
    let mut z = k.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_every_word_once() {
        for words in [0, 1, LANES - 1, LANES + 1, CHUNK_WORDS, 2 * CHUNK_WORDS + 17] {
            let probe = ReadProbe::new(words * 8 + 7);
            assert_eq!(probe.bytes(), words as u64 * 8);
            let want = (0..words as u64).map(mixed).fold(0, u64::wrapping_add);
            assert_eq!((probe.pass(), probe.expected()), (want, want), "{words} words");
        }
    }
}
