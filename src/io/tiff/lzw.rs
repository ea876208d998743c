//! TIFF's LZW (T. Welch, 1984; TIFF 6.0, section 13), a block in one go.
//!
//! A code beyond the bytes stands for the string of the code before it and one byte
//! more, which is the first of what follows: so each string is somewhere in what was
//! decoded so far, and is copied from there. The table has but its place.

/// Codes have up to 12 bits.
const CODES: usize = 1 << 12;

/// The code that empties the table, and the one that ends the block.
const CLEAR: usize = 256;
const END: usize = 257;

/// Bits of a code after the table was emptied.
const FIRST_WIDTH: u32 = 9;
const MOST_WIDTH: u32 = 12;

/// Bytes that are copied at a time, if there is room for so many.
const COPIED: usize = 16;

/// The strings of a block's codes.
pub(super) struct Table {
    /// For each code the place of its string, and its length.
    strings: Box<[(u32, u32)]>,
}

impl Default for Table {
    fn default() -> Self {
        Self { strings: vec![(0, 0); CODES].into() }
    }
}

impl Table {
    /// Decodes a block until all its bytes are there; `None` if it ends before, or is
    /// damaged.
    pub(super) fn decode(&mut self, from: &[u8], to: &mut [u8]) -> Option<()> {
        // Places have 32 bits.
        u32::try_from(to.len()).ok()?;
        let mut bits = Bits { rest: from, held: 0, count: 0 };
        let (mut width, mut next) = (FIRST_WIDTH, END + 1);
        // The string before: its place, and whether there is one.
        let (mut before, mut has_before) = (0, false);
        let mut at = 0;
        while at < to.len() {
            let code = bits.next(width)?;
            if code == CLEAR {
                (width, next, has_before) = (FIRST_WIDTH, END + 1, false);
                continue;
            }
            if code == END {
                return None;
            }
            let start = at;
            if code < CLEAR {
                #[expect(clippy::cast_possible_truncation, reason = "less than 256")]
                let byte = code as u8;
                to[at] = byte;
                at += 1;
            } else if code < next {
                let (place, length) = self.strings[code];
                at = copy(to, place as usize, at, length as usize);
            } else if code == next && has_before {
                // The string before, and its first byte again.
                at = copy(to, before, at, start - before + 1);
            } else {
                return None;
            }
            if has_before && next < CODES {
                #[expect(clippy::cast_possible_truncation, reason = "no more than the length, which fits")]
                let string = (before as u32, (start - before + 1) as u32);
                self.strings[next] = string;
                next += 1;
                // One code earlier than need be.
                if next + 1 >= 1 << width && width < MOST_WIDTH {
                    width += 1;
                }
            }
            (before, has_before) = (start, true);
        }
        Some(())
    }
}

/// Copies bytes from a place to a later one, as far as there is room, byte by byte
/// where the second begins within the first. Gives the place after them.
#[inline]
fn copy(to: &mut [u8], from: usize, at: usize, length: usize) -> usize {
    if length <= COPIED && from + COPIED <= at && at + COPIED <= to.len() {
        let (before, after) = to.split_at_mut(at);
        after[..COPIED].copy_from_slice(&before[from..from + COPIED]);
        return at + length;
    }
    let end = to.len().min(at + length);
    if from + (end - at) <= at {
        to.copy_within(from..from + (end - at), at);
    } else {
        for k in 0..end - at {
            to[at + k] = to[from + k];
        }
    }
    end
}

/// Bits, the highest of each byte first.
struct Bits<'b> {
    rest: &'b [u8],
    /// Those that are next, the first one highest.
    held: u64,
    count: u32,
}

impl Bits<'_> {
    #[inline]
    fn next(&mut self, width: u32) -> Option<usize> {
        if self.count < width {
            self.fill();
            if self.count < width {
                return None;
            }
        }
        let code = self.held >> (u64::BITS - width);
        self.held <<= width;
        self.count -= width;
        usize::try_from(code).ok()
    }

    #[inline]
    fn fill(&mut self) {
        if let Some((four, rest)) = self.rest.split_first_chunk() {
            // Fewer than 12 are held.
            self.held |= u64::from(u32::from_be_bytes(*four)) << (u32::BITS - self.count);
            self.count += u32::BITS;
            self.rest = rest;
            return;
        }
        while let Some((&byte, rest)) = self.rest.split_first() {
            self.held |= u64::from(byte) << (u64::BITS - 8 - self.count);
            self.count += 8;
            self.rest = rest;
        }
    }
}
