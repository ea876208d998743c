//! Bytes of a file of which nothing is believed: every number is looked for and may
//! not be there.

use super::fault::Fault;

/// The places and sizes that numbers in a file take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Bytes of an address.
    pub(super) offset: usize,
    /// Bytes of a length.
    pub(super) length: usize,
}

/// Bytes that are read one number after another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'f> {
    rest: &'f [u8],
    sizes: Sizes,
}

impl<'f> Bytes<'f> {
    pub(super) fn new(rest: &'f [u8], sizes: Sizes) -> Self {
        Self { rest, sizes }
    }

    pub(super) fn sizes(&self) -> Sizes {
        self.sizes
    }

    pub(super) fn rest(&self) -> &'f [u8] {
        self.rest
    }

    /// The next so many bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'f [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(Fault::truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next so many bytes, to be read.
    pub(super) fn part(&mut self, count: usize) -> Result<Self, Fault> {
        Ok(Self { rest: self.take(count)?, sizes: self.sizes })
    }

    /// The next whole number, of up to 8 bytes, the lowest first.
    pub(super) fn number(&mut self, bytes: usize) -> Result<u64, Fault> {
        let mut number = [0; 8];
        let taken = self.take(bytes)?;
        number.get_mut(..bytes).ok_or_else(Fault::damaged)?.copy_from_slice(taken);
        Ok(u64::from_le_bytes(number))
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u16(&mut self) -> Result<usize, Fault> {
        self.size(2)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        u32::try_from(self.number(4)?).map_err(|_| Fault::damaged())
    }

    /// The next number, of so many bytes, of things that are in memory.
    pub(super) fn size(&mut self, bytes: usize) -> Result<usize, Fault> {
        usize::try_from(self.number(bytes)?).map_err(|_| Fault::damaged())
    }

    pub(super) fn length(&mut self) -> Result<u64, Fault> {
        self.number(self.sizes.length)
    }

    /// The next address, `None` if it is none: all bits are set.
    pub(super) fn address(&mut self) -> Result<Option<u64>, Fault> {
        let address = self.number(self.sizes.offset)?;
        let none = u64::MAX >> (64 - 8 * self.sizes.offset);
        Ok((address != none).then_some(address))
    }

    /// Skips a signature, which must be there.
    pub(super) fn signature(&mut self, signature: &[u8]) -> Result<(), Fault> {
        if self.take(signature.len())? == signature {
            return Ok(());
        }
        let name = String::from_utf8_lossy(signature).into_owned();
        Err(Fault::Invalid(format!("where a part {name:?} of it should be is something else; it is damaged")))
    }

    /// Skips a version, which must be one of these.
    pub(super) fn version(&mut self, what: &str, known: std::ops::RangeInclusive<u8>) -> Result<u8, Fault> {
        let version = self.u8()?;
        if known.contains(&version) {
            return Ok(version);
        }
        let found = format!("it has a {what} of version {version}");
        Err(Fault::unsupported(found))
    }

    /// Text up to a NUL or the end.
    pub(super) fn text(bytes: &[u8]) -> String {
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    }
}

/// The bytes in which a number up to `most` is stored in some parts of a file.
pub(super) fn bytes_up_to(most: u64) -> usize {
    (most.max(1).ilog2() / 8 + 1) as usize
}

/// The checksum of parts of a file: Bob Jenkins's `lookup3`, `hashlittle`.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    fn word(bytes: &[u8], at: usize) -> u32 {
        let mut word = [0; 4];
        let rest = bytes.get(at..).unwrap_or_default();
        let count = rest.len().min(4);
        word[..count].copy_from_slice(&rest[..count]);
        u32::from_le_bytes(word)
    }
    #[expect(clippy::cast_possible_truncation, reason = "the length is taken modulo 2^32")]
    let start = 0xdead_beefu32.wrapping_add(bytes.len() as u32);
    let [mut a, mut b, mut c] = [start; 3];
    let mut rest = bytes;
    while rest.len() > 12 {
        a = a.wrapping_add(word(rest, 0));
        b = b.wrapping_add(word(rest, 4));
        c = c.wrapping_add(word(rest, 8));
        for (turn, after) in [(4, 0), (6, 1), (8, 2), (16, 0), (19, 1), (4, 2)] {
            // The three take turns.
            let (x, y, z) = match after {
                0 => (&mut a, &mut c, b),
                1 => (&mut b, &mut a, c),
                _ => (&mut c, &mut b, a),
            };
            *x = x.wrapping_sub(*y) ^ y.rotate_left(turn);
            *y = y.wrapping_add(z);
        }
        rest = &rest[12..];
    }
    if rest.is_empty() {
        return c;
    }
    a = a.wrapping_add(word(rest, 0));
    b = b.wrapping_add(word(rest, 4));
    c = c.wrapping_add(word(rest, 8));
    for (turn, last) in [(14, 2), (11, 0), (25, 1), (16, 2), (4, 0), (14, 1), (24, 2)] {
        let (x, y) = match last {
            0 => (&mut a, c),
            1 => (&mut b, a),
            _ => (&mut c, b),
        };
        *x = (*x ^ y).wrapping_sub(y.rotate_left(turn));
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that the author gives for his function (lookup3.c, driver5).
    #[test]
    fn the_checksum_is_that_of_its_author() {
        assert_eq!(checksum(b""), 0xdead_beef);
        assert_eq!(checksum(b"Four score and seven years ago"), 0x1777_0551);
    }

    #[test]
    fn a_number_takes_as_many_bytes_as_it_needs() {
        assert_eq!([1, 255, 256, 65_535, 65_536].map(bytes_up_to), [1, 1, 2, 2, 3]);
    }
}
