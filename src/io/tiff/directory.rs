//! The directories of a TIFF or BigTIFF file, read where they are in the
//! mapped file. Nothing is allocated for what a directory claims: values are
//! looked at one by one, and those that the file does not have are an error.

use std::collections::HashSet;

use crate::array::DataError;
use crate::io::input::Input;

pub(super) const KIND: &str = "TIFF";

/// The most bytes of a tag that is copied, such as a text: far more than any
/// that is known.
const MOST_COPIED_BYTES: usize = 16 << 20;

/// The layout of the numbers of a file.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    big_endian: bool,
    /// Whether offsets and counts have 8 bytes.
    big_tiff: bool,
}

impl Numbers {
    fn at<const N: usize>(self, bytes: &[u8], start: u64) -> Option<u64> {
        let bytes: &[u8; N] = bytes.get(usize::try_from(start).ok()?..)?.first_chunk()?;
        let number = bytes.iter().enumerate().fold(0, |sum, (k, &byte)| {
            let place = if self.big_endian { N - 1 - k } else { k };
            sum | u64::from(byte) << (8 * place)
        });
        Some(number)
    }

    fn offset(self, bytes: &[u8], start: u64) -> Option<u64> {
        if self.big_tiff { self.at::<8>(bytes, start) } else { self.at::<4>(bytes, start) }
    }
}

/// A file whose directories are read.
#[derive(Clone, Copy)]
pub(super) struct File<'a> {
    input: &'a Input<'a>,
    pub(super) bytes: &'a [u8],
    numbers: Numbers,
}

impl<'a> File<'a> {
    /// The file whose bytes these are.
    pub(super) fn new(input: &'a Input<'a>, bytes: &'a [u8]) -> Result<Self, DataError> {
        let (big_endian, big_tiff) = match bytes.first_chunk() {
            Some(b"II*\0") => (false, false),
            Some(b"MM\0*") => (true, false),
            Some(b"II+\0") => (false, true),
            Some(b"MM\0+") => (true, true),
            _ => return Err(input.invalid(KIND, "it does not begin as one")),
        };
        Ok(Self { input, bytes, numbers: Numbers { big_endian, big_tiff } })
    }

    pub(super) fn is_big_endian(&self) -> bool {
        self.numbers.big_endian
    }

    pub(super) fn is_big_tiff(&self) -> bool {
        self.numbers.big_tiff
    }

    /// The directories that follow one another from the first one.
    pub(super) fn directories(&self) -> Result<Vec<Directory<'a>>, DataError> {
        /// Memory for a directory, here and as a page.
        const DIRECTORY_BYTES: u64 = 128;
        const LEAST: u64 = 1 << 16;
        let most = self.input.memory().noted_parts(DIRECTORY_BYTES).clamp(LEAST, 1 << 22);
        // Directories that share bytes could be far more than the file has.
        let mut entries_left = self.bytes.len() as u64 / 12 + 1;
        let first = self.numbers.offset(self.bytes, if self.numbers.big_tiff { 8 } else { 4 });
        let mut next = first.ok_or_else(|| self.truncated())?;
        let mut seen = HashSet::new();
        let mut directories = Vec::new();
        while next > 0 {
            if !seen.insert(next) {
                return Err(self.input.invalid(KIND, "its directories run in a circle"));
            }
            let directory = self.directory(next)?;
            entries_left = entries_left
                .checked_sub(directory.entries)
                .ok_or_else(|| self.input.invalid(KIND, "its directories overlap"))?;
            if directories.len() as u64 >= most {
                let path = self.input.path.to_owned();
                return Err(DataError::BeyondMemory { path, what: format!("has over {most} directories") });
            }
            directories.push(directory);
            next = directory.next;
        }
        if directories.is_empty() {
            return Err(self.input.invalid(KIND, "it has no image"));
        }
        Ok(directories)
    }

    /// The directory at a place.
    pub(super) fn directory(&self, start: u64) -> Result<Directory<'a>, DataError> {
        let found = || {
            let (entries, head, entry_bytes) = if self.numbers.big_tiff {
                (self.numbers.at::<8>(self.bytes, start)?, 8, 20)
            } else {
                (self.numbers.at::<2>(self.bytes, start)?, 2, 12)
            };
            let first = start.checked_add(head)?;
            let end = first.checked_add(entries.checked_mul(entry_bytes)?)?;
            let next = self.numbers.offset(self.bytes, end)?;
            Some(Directory { file: *self, entries, first, entry_bytes, next })
        };
        found().ok_or_else(|| self.truncated())
    }

    fn truncated(&self) -> DataError {
        self.input.invalid(KIND, "it is truncated; copy or write it again")
    }
}

/// The description of an image: tags and their values.
#[derive(Clone, Copy)]
pub(super) struct Directory<'a> {
    file: File<'a>,
    entries: u64,
    first: u64,
    entry_bytes: u64,
    next: u64,
}

impl<'a> Directory<'a> {
    pub(super) fn file(&self) -> &File<'a> {
        &self.file
    }

    /// The values of a tag, if it is there.
    pub(super) fn find(&self, tag: u16) -> Result<Option<Field<'a>>, DataError> {
        let File { bytes, numbers, .. } = self.file;
        // All entries lie in the file: it was asked when the directory was found.
        let mut places = (0..self.entries).map(|k| self.first + k * self.entry_bytes);
        let Some(place) = places.find(|&place| numbers.at::<2>(bytes, place) == Some(tag.into())) else {
            return Ok(None);
        };
        let field = || {
            let kind = u8::try_from(numbers.at::<2>(bytes, place + 2)?).unwrap_or(0);
            let (count, value) = if numbers.big_tiff {
                (numbers.at::<8>(bytes, place + 4)?, place + 12)
            } else {
                (numbers.at::<4>(bytes, place + 4)?, place + 8)
            };
            let size = size_of_kind(kind)?;
            let len = count.checked_mul(size)?;
            let inline = if numbers.big_tiff { 8 } else { 4 };
            let start = if len <= inline { value } else { numbers.offset(bytes, value)? };
            let end = usize::try_from(start.checked_add(len)?).ok()?;
            let data = bytes.get(usize::try_from(start).ok()?..end)?;
            Some(Field { kind, count, data, numbers })
        };
        let reason = || format!("the values of its tag {tag} are not all there; it is truncated or damaged");
        field().map(Some).ok_or_else(|| self.file.input.invalid(KIND, &reason()))
    }

    /// The first value of a tag, a whole number, if it is there.
    pub(super) fn number(&self, tag: u16) -> Result<Option<u64>, DataError> {
        let reason = || format!("its tag {tag} is no whole number");
        match self.find(tag)? {
            Some(field) if field.count > 0 => {
                field.whole(0).map(Some).ok_or_else(|| self.file.input.invalid(KIND, &reason()))
            }
            _ => Ok(None),
        }
    }

    /// The number of a tag that all samples must share.
    pub(super) fn shared(&self, tag: u16) -> Result<Option<u64>, DataError> {
        let first = self.number(tag)?;
        let field = self.find(tag)?;
        let differs = field.is_some_and(|field| {
            let rest = field.data.len().min(MOST_COPIED_BYTES) as u64;
            (0..field.count.min(rest)).any(|k| field.whole(k) != first)
        });
        if differs {
            let what = if tag == super::tag::BITS { "numbers of bits" } else { "sample formats" };
            return Err(self.file.input.unsupported(
                format!("its samples have different {what}"),
                "save its bands as files, for example with gdal_translate -b",
            ));
        }
        Ok(first)
    }

    /// The text of a tag, up to its first NUL.
    pub(super) fn text(&self, tag: u16) -> Result<Option<String>, DataError> {
        const BYTE: u8 = 1;
        const ASCII: u8 = 2;
        const UNDEFINED: u8 = 7;
        let Some(field) = self.find(tag)? else { return Ok(None) };
        if ![BYTE, ASCII, UNDEFINED].contains(&field.kind) || field.data.len() > MOST_COPIED_BYTES {
            return Ok(None);
        }
        let end = field.data.iter().position(|&byte| byte == 0).unwrap_or(field.data.len());
        Ok(Some(String::from_utf8_lossy(&field.data[..end]).into_owned()))
    }
}

/// The values of a tag.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    kind: u8,
    pub(super) count: u64,
    data: &'a [u8],
    numbers: Numbers,
}

impl Field<'_> {
    /// Value number `k`, if it is there and a whole number of 0 or more.
    pub(super) fn whole(&self, k: u64) -> Option<u64> {
        let at = |size: u64| k.checked_mul(size).filter(|_| k < self.count);
        match self.kind {
            1 => self.numbers.at::<1>(self.data, at(1)?),
            3 => self.numbers.at::<2>(self.data, at(2)?),
            4 | 13 => self.numbers.at::<4>(self.data, at(4)?),
            16 | 18 => self.numbers.at::<8>(self.data, at(8)?),
            _ => None,
        }
    }

    /// All values, of DOUBLEs.
    pub(super) fn doubles(&self) -> Option<Vec<f64>> {
        const DOUBLE: u8 = 12;
        let is_right = self.kind == DOUBLE && self.data.len() <= MOST_COPIED_BYTES;
        let values = (0..self.count).map_while(|k| self.numbers.at::<8>(self.data, 8 * k));
        is_right.then(|| values.map(f64::from_bits).collect())
    }

    /// All values, of SHORTs.
    pub(super) fn shorts(&self) -> Option<Vec<u16>> {
        const SHORT: u8 = 3;
        let is_right = self.kind == SHORT && self.data.len() <= MOST_COPIED_BYTES;
        let values = (0..self.count).map_while(|k| u16::try_from(self.whole(k)?).ok());
        is_right.then(|| values.collect())
    }
}

/// Bytes of a value, of the types that the specification has.
fn size_of_kind(kind: u8) -> Option<u64> {
    Some(match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => return None,
    })
}
