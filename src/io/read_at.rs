//! Reading a file at a place, by several threads at a time: none of them moves where
//! another one reads.

use std::fs::File;
use std::io::{self, ErrorKind};

/// Reads all of a buffer from a place of a file.
pub(super) fn read_exact_at(file: &File, mut buffer: &mut [u8], mut place: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match read_at(file, buffer, place) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => {
                place += bytes as u64;
                buffer = &mut buffer[bytes..];
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Reads bytes from a place of a file, at most as many as the buffer has.
#[cfg(unix)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], place: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, place)
}

/// Reads bytes from a place of a file, at most as many as the buffer has.
#[cfg(windows)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], place: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, place)
}
