//! Samples of less than a byte, as images pack them: the first in the highest
//! bits.

/// The samples of a row, each of 1, 2 or 4 bits; those that fill the last byte
/// too.
pub(super) fn unpacked(row: &[u8], bits: u8) -> impl Iterator<Item = u8> {
    let mask = (1 << bits) - 1;
    row.iter().flat_map(move |&byte| (1..=8 / bits).map(move |k| byte >> (8 - k * bits) & mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sample_is_in_the_highest_bits() {
        let of = |bits| unpacked(&[0b1100_0110, 0xa5], bits).collect::<Vec<_>>();
        assert_eq!(of(1), [1, 1, 0, 0, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1]);
        assert_eq!(of(2), [3, 0, 1, 2, 2, 2, 1, 1]);
        assert_eq!(of(4), [12, 6, 10, 5]);
    }
}
