//! Numbers without a pattern, the same in every run.

/// A number in [−1, 1) from a counter (SplitMix64; G. L. Steele, D. Lea, C. H.
/// Flood, 2014).
pub fn noise(k: u64) -> f64 {
    let mut z = k.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) as i64 as f64 / 2f64.powi(63)
}
