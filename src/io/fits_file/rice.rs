//! Rice's compression of whole numbers (FITS standard 4.0, section 10.4.1; R. White's
//! ricecomp.c): differences of neighbours, in blocks of which each has its own number
//! of low bits.

/// Numbers of so many bytes that are compressed.
#[derive(Clone, Copy)]
struct Width {
    bits: u32,
    /// The bits of a block's parameter.
    parameter_bits: u32,
    /// The parameter of a block whose differences are stored as they are.
    raw: u32,
}

impl Width {
    fn of(bytes: usize) -> Option<Self> {
        Some(match bytes {
            1 => Self { bits: 8, parameter_bits: 3, raw: 6 },
            2 => Self { bits: 16, parameter_bits: 4, raw: 14 },
            4 => Self { bits: 32, parameter_bits: 5, raw: 25 },
            _ => return None,
        })
    }
}

/// The most numbers that so many bytes can hold: blocks of differences of 0 take
/// nothing but their parameter.
pub(super) fn most_numbers(bytes: usize, block: usize, number_bytes: usize) -> usize {
    let parameter_bits = Width::of(number_bytes).map_or(1, |width| width.parameter_bits) as usize;
    (8 * bytes / parameter_bits).saturating_add(1).saturating_mul(block)
}

/// Decodes as many numbers as there is room for, of so many bytes each, in blocks of
/// `block`. `None` if there are too few bytes, or no numbers of that size.
pub(super) fn decode(bytes: &[u8], number_bytes: usize, block: usize, numbers: &mut [u32]) -> Option<()> {
    let width = Width::of(number_bytes)?;
    let mut bits = Bits { bytes, held: 0, count: 0 };
    let mask = u32::MAX >> (32 - width.bits);
    let mut last = bits.take(width.bits)?;
    for numbers in numbers.chunks_mut(block.max(1)) {
        let parameter = bits.take(width.parameter_bits)?;
        for number in numbers {
            let folded = match parameter {
                0 => 0,
                raw if raw == width.raw + 1 => bits.take(width.bits)?,
                more => {
                    let low_bits = more - 1;
                    let high = bits.zeros()?;
                    high.checked_shl(low_bits)? | bits.take(low_bits)?
                }
            };
            // Differences alternate: 0, -1, 1, -2, ….
            let difference = if folded & 1 == 0 { folded >> 1 } else { !(folded >> 1) };
            last = last.wrapping_add(difference) & mask;
            *number = last;
        }
    }
    Some(())
}

/// Bits, the highest of each byte first.
struct Bits<'b> {
    bytes: &'b [u8],
    /// The next bits, in the lowest places.
    held: u64,
    count: u32,
}

impl Bits<'_> {
    /// Holds at least one more byte.
    fn fill(&mut self) -> Option<()> {
        let (&byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        self.held = (self.held << 8) | u64::from(byte);
        self.count += 8;
        Some(())
    }

    /// The next so many bits, up to 32.
    fn take(&mut self, bits: u32) -> Option<u32> {
        while self.count < bits {
            self.fill()?;
        }
        self.count -= bits;
        let taken = self.held >> self.count;
        self.held &= (1 << self.count) - 1;
        u32::try_from(taken).ok()
    }

    /// The number of zeros before the next one, which is taken too.
    fn zeros(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.held == 0 {
            zeros += self.count;
            self.count = 0;
            self.fill()?;
        }
        let before = self.held.leading_zeros() - (64 - self.count);
        self.count -= before + 1;
        self.held &= (1 << self.count) - 1;
        Some(zeros + before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(bits: &str) -> Vec<u8> {
        let mut bits: String = bits.chars().filter(|c| !c.is_whitespace()).collect();
        while !bits.len().is_multiple_of(8) {
            bits.push('0');
        }
        bits.as_bytes()
            .chunks(8)
            .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
            .collect()
    }

    /// Written by hand: 10 first, then differences 0, 1, -1, 3 with one low bit: folded
    /// 0, 2, 1, 6, of which the high parts 0, 1, 0, 3 are zeros before a one.
    #[test]
    fn a_block_by_hand() {
        let text = "00001010  010  1 0  01 0  1 1  0001 0";
        let mut numbers = [0; 4];
        assert_eq!(decode(&bytes(text), 1, 32, &mut numbers), Some(()));
        assert_eq!(numbers, [10, 11, 10, 13]);
        // The same in 16 bits, and a block of the same numbers, and one as it is.
        let text = "0000000000001010  0010 10 010 11 00010  0000  1111 1111111111111111 0000000000000010";
        let mut numbers = [0; 10];
        assert_eq!(decode(&bytes(text), 2, 4, &mut numbers), Some(()));
        assert_eq!(numbers, [10, 11, 10, 13, 13, 13, 13, 13, 32_781, 32_782]);
        for end in 0..bytes(text).len() {
            assert_eq!(decode(&bytes(text)[..end], 2, 4, &mut [0; 10]), None, "{end}");
        }
        assert_eq!(decode(&bytes(text), 3, 4, &mut [0; 10]), None);
        assert!(most_numbers(1, 32, 4) >= 32);
    }
}
