//! Text of UTF-16, as a stream of UTF-8.

use std::io::{self, ErrorKind, Read};

/// Bytes that are decoded at a time.
const CHUNK_BYTES: usize = 1 << 16;

/// The order of the two bytes of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

/// Text of UTF-16, without its byte-order mark, read as UTF-8.
pub(super) struct Utf16<R> {
    reader: R,
    order: Order,
    /// Bytes that were read and not decoded: less than a character.
    rest: Vec<u8>,
    /// Decoded text, of which the bytes up to `at` were given.
    text: String,
    at: usize,
}

impl<R: Read> Utf16<R> {
    pub(super) fn new(reader: R, order: Order) -> Self {
        Self { reader, order, rest: Vec::new(), text: String::new(), at: 0 }
    }

    /// Decodes more of the text; none at its end.
    fn decode(&mut self) -> io::Result<()> {
        (self.at, self.text) = (0, std::mem::take(&mut self.text));
        self.text.clear();
        while self.text.is_empty() {
            let read = Read::by_ref(&mut self.reader).take(CHUNK_BYTES as u64).read_to_end(&mut self.rest)?;
            if read == 0 {
                // Half a unit, or half a pair of them.
                let is_whole = self.rest.is_empty();
                return if is_whole { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
            let units = self.rest.chunks_exact(2).map(|pair| match self.order {
                Order::Little => u16::from_le_bytes([pair[0], pair[1]]),
                Order::Big => u16::from_be_bytes([pair[0], pair[1]]),
            });
            let mut units: Vec<u16> = units.collect();
            if units.last().is_some_and(|unit| (0xD800..0xDC00).contains(unit)) {
                units.pop();
            }
            self.rest.drain(..2 * units.len());
            for character in char::decode_utf16(units) {
                let damaged = |_| io::Error::new(ErrorKind::InvalidData, "half of a character is missing");
                self.text.push(character.map_err(damaged)?);
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.text.len() {
            self.decode()?;
        }
        let bytes = &self.text.as_bytes()[self.at..];
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives so many bytes at a time.
    struct Few<'b>(&'b [u8], usize);

    impl Read for Few<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(self.1).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn bytes(text: &str, order: Order) -> Vec<u8> {
        let of = |unit: u16| if order == Order::Little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        text.encode_utf16().flat_map(of).collect()
    }

    fn decoded(bytes: &[u8], order: Order, few: usize) -> io::Result<String> {
        let mut text = String::new();
        Utf16::new(Few(bytes, few), order).read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn text_is_the_same_however_it_is_cut() {
        let text = "größe;x\r\n1,5;😀\n";
        for order in [Order::Little, Order::Big] {
            for few in [1, 2, 3, 5, 100] {
                assert_eq!(decoded(&bytes(text, order), order, few).unwrap(), text, "{order:?} {few}");
            }
        }
        assert_eq!(decoded(b"", Order::Little, 9).unwrap(), "");
    }

    #[test]
    fn half_a_character_is_an_error() {
        let whole = bytes("a😀b", Order::Big);
        for end in [1, 3, 4, 5, 7] {
            let error = decoded(&whole[..end], Order::Big, 9).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{end}");
        }
        let error = decoded(&whole[4..], Order::Big, 9).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}
