//! The bytes of a page, one by one.

use std::io::{self, BufRead};

/// The next byte, if there is one.
pub(super) fn next(from: &mut impl BufRead) -> io::Result<Option<u8>> {
    let byte = from.fill_buf()?.first().copied();
    from.consume(byte.is_some().into());
    Ok(byte)
}

pub(super) fn must(byte: Option<u8>) -> io::Result<u8> {
    byte.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

pub(super) fn little_endian(from: &mut impl BufRead, bytes: usize) -> io::Result<u32> {
    (0..bytes).try_fold(0, |number, k| Ok(number | u32::from(must(next(from)?)?) << (8 * k)))
}

pub(super) fn fault(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
