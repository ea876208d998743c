//! A TIFF file in which every sample of a pixel is a band.
//!
//! What the samples mean, such as red, green and blue, or white where they are
//! zero, is said by a tag, PhotometricInterpretation. A decoder goes by it: it
//! hands out the colours without what else a pixel has, undoes predictors for
//! them alone, and inverts what is white where zero. Here the tag reads "black
//! is zero" in every directory, whatever the file has, so that all samples come
//! out as they are stored.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// PhotometricInterpretation.
const TAG: u16 = 262;

/// Its value that leaves the samples as they are.
const BLACK_IS_ZERO: u8 = 1;

/// Types of values.
const BYTE: u8 = 1;
const SHORT: u8 = 3;
const LONG: u8 = 4;

/// Bytes of an entry that are rewritten: type, count and value.
const REST_BYTES: usize = 18;

/// The file as a decoder shall see it.
pub(super) struct Bands {
    file: File,
    position: u64,
    /// In the order of their places.
    patches: Vec<Patch>,
}

/// Bytes that are read instead of those of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Patch {
    start: u64,
    bytes: [u8; REST_BYTES],
    len: usize,
}

impl Bands {
    /// The view of a file, whose bytes are given too, at its start; and what
    /// the tag says in each of its directories, if it is there.
    pub(super) fn new(file: File, bytes: &[u8]) -> (Self, Vec<Option<u16>>) {
        let mut patches = Vec::new();
        let mut meanings = Vec::new();
        if let Some(kind) = Kind::of(bytes) {
            let mut seen = HashSet::new();
            let mut next = kind.first_directory(bytes).unwrap_or(0);
            // A chain that is broken or a circle is for the decoder to refuse.
            while next > 0 && seen.insert(next) {
                let Some(directory) = kind.directory(bytes, next) else { break };
                meanings.push(directory.meaning);
                patches.extend(directory.patch);
                next = directory.next;
            }
        }
        patches.sort_unstable_by_key(|patch| patch.start);
        (Self { file, position: 0, patches }, meanings)
    }

    /// Puts the patches into what was read from `start` on.
    fn patch(&self, start: u64, bytes: &mut [u8]) {
        let end = start + bytes.len() as u64;
        let from = self.patches.partition_point(|patch| patch.start + patch.len as u64 <= start);
        for patch in self.patches[from..].iter().take_while(|patch| patch.start < end) {
            for (k, &byte) in patch.bytes[..patch.len].iter().enumerate() {
                let at = (patch.start + k as u64).checked_sub(start).and_then(|at| usize::try_from(at).ok());
                if let Some(place) = at.and_then(|at| bytes.get_mut(at)) {
                    *place = byte;
                }
            }
        }
    }
}

impl Read for Bands {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.patch(self.position, &mut buffer[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Bands {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = self.file.seek(to)?;
        Ok(self.position)
    }
}

/// How the numbers of a file's directories are laid out.
#[derive(Debug, Clone, Copy)]
struct Kind {
    big_endian: bool,
    /// Whether offsets and counts have 8 bytes.
    big_tiff: bool,
}

/// What is needed of a directory.
struct Directory {
    meaning: Option<u16>,
    patch: Option<Patch>,
    /// Where the next one is; 0 after the last.
    next: u64,
}

impl Kind {
    fn of(bytes: &[u8]) -> Option<Self> {
        let (big_endian, big_tiff) = match bytes.first_chunk()? {
            b"II*\0" => (false, false),
            b"MM\0*" => (true, false),
            b"II+\0" => (false, true),
            b"MM\0+" => (true, true),
            _ => return None,
        };
        Some(Self { big_endian, big_tiff })
    }

    fn number<const N: usize>(self, bytes: &[u8], start: u64) -> Option<u64> {
        let bytes: &[u8; N] = bytes.get(usize::try_from(start).ok()?..)?.first_chunk()?;
        let number = bytes.iter().enumerate().fold(0, |sum, (k, &byte)| {
            let place = if self.big_endian { N - 1 - k } else { k };
            sum | u64::from(byte) << (8 * place)
        });
        Some(number)
    }

    fn offset(self, bytes: &[u8], start: u64) -> Option<u64> {
        if self.big_tiff { self.number::<8>(bytes, start) } else { self.number::<4>(bytes, start) }
    }

    fn first_directory(self, bytes: &[u8]) -> Option<u64> {
        self.offset(bytes, if self.big_tiff { 8 } else { 4 })
    }

    /// The directory at a place; `None` if not all of it is there.
    fn directory(self, bytes: &[u8], start: u64) -> Option<Directory> {
        let (count, count_bytes, entry_bytes) = if self.big_tiff {
            (self.number::<8>(bytes, start)?, 8, 20)
        } else {
            (self.number::<2>(bytes, start)?, 2, 12)
        };
        let entries = start.checked_add(count_bytes)?;
        let end = entries.checked_add(count.checked_mul(entry_bytes)?)?;
        let next = self.offset(bytes, end)?;
        let place = (entries..end)
            .step_by(usize::try_from(entry_bytes).ok()?)
            .find(|&place| self.number::<2>(bytes, place) == Some(u64::from(TAG)));
        let meaning = place.and_then(|place| self.value(bytes, place));
        let patch = place.filter(|_| meaning.is_some()).map(|place| self.black_is_zero(place));
        Some(Directory { meaning, patch, next })
    }

    /// The value of an entry that is a small whole number. Anything else is for
    /// the decoder to refuse.
    fn value(self, bytes: &[u8], entry: u64) -> Option<u16> {
        let value = entry + if self.big_tiff { 12 } else { 8 };
        let value = match u8::try_from(self.number::<2>(bytes, entry + 2)?).ok()? {
            BYTE => self.number::<1>(bytes, value),
            SHORT => self.number::<2>(bytes, value),
            LONG => self.number::<4>(bytes, value),
            _ => None,
        };
        value.and_then(|value| u16::try_from(value).ok())
    }

    /// What stands behind the tag in an entry that says "black is zero".
    fn black_is_zero(self, entry: u64) -> Patch {
        let mut bytes = [0; REST_BYTES];
        let len = if self.big_tiff { 18 } else { 10 };
        let (count, value) = if self.big_tiff { (2..10, 10) } else { (2..6, 6) };
        let low = usize::from(self.big_endian);
        bytes[low] = SHORT;
        bytes[if self.big_endian { count.end - 1 } else { count.start }] = 1;
        bytes[value + low] = BLACK_IS_ZERO;
        Patch { start: entry + 2, bytes, len }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A classic little-endian file with one directory of two entries, of which
    /// the second says RGB.
    fn rgb() -> Vec<u8> {
        let mut bytes = b"II*\0\x0a\0\0\0##".to_vec();
        bytes.extend(2u16.to_le_bytes());
        bytes.extend([0, 1, 3, 0, 1, 0, 0, 0, 9, 0, 0, 0]);
        bytes.extend([6, 1, 3, 0, 1, 0, 0, 0, 2, 0, 0, 0]);
        bytes.extend([0; 4]);
        bytes.extend(b"the rest");
        bytes
    }

    #[test]
    fn only_the_tag_reads_differently() {
        let bytes = rgb();
        let mut want = bytes.clone();
        want[32] = 1;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let (mut bands, meanings) = Bands::new(file, &bytes);
        assert_eq!(meanings, [Some(2)]);
        // However the reads fall.
        for step in [1, 2, 3, 7, 100] {
            bands.rewind().unwrap();
            let mut seen: Vec<u8> = Vec::new();
            let mut buffer = vec![0u8; step];
            loop {
                let count = bands.read(&mut buffer).unwrap();
                if count == 0 {
                    break;
                }
                seen.extend(&buffer[..count]);
            }
            assert_eq!(seen, want, "{step} bytes at a time");
        }
        bands.seek(SeekFrom::Start(32)).unwrap();
        let mut four = [0; 4];
        bands.read_exact(&mut four).unwrap();
        assert_eq!(four, [1, 0, 0, 0]);
    }

    #[test]
    fn a_broken_or_circular_chain_ends() {
        let bytes = rgb();
        let meanings = |bytes: &[u8]| Bands::new(tempfile::tempfile().unwrap(), bytes).1;
        for end in 0..bytes.len() - 8 {
            assert!(meanings(&bytes[..end]).is_empty(), "{end}");
        }
        let mut circle = bytes;
        circle[36] = 10;
        assert_eq!(meanings(&circle), [Some(2)]);
    }

    #[test]
    fn every_layout_has_its_entry() {
        for (big_endian, big_tiff, want) in [
            (false, false, &b"\x03\0\x01\0\0\0\x01\0\0\0"[..]),
            (true, false, b"\0\x03\0\0\0\x01\0\x01\0\0"),
            (false, true, b"\x03\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0"),
            (true, true, b"\0\x03\0\0\0\0\0\0\0\x01\0\x01\0\0\0\0\0\0"),
        ] {
            let patch = Kind { big_endian, big_tiff }.black_is_zero(100);
            assert_eq!((patch.start, &patch.bytes[..patch.len]), (102, want));
        }
    }
}
