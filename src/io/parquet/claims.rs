//! Checks of what a Parquet file claims, before the parquet crate believes it:
//! the lengths in its footer, and those of a column's pages.

use ::parquet::basic::{Compression, Type};
use ::parquet::file::metadata::ColumnChunkMetaData;

use super::format::{
    CHILDREN, COMPRESSED_BYTES, DICTIONARY, DICTIONARY_VALUES, FILE, PAGE, PAGE_TYPE, SCHEMA,
    UNCOMPRESSED_BYTES,
};
use super::pages::Claim;
use super::thrift::{Walk, Walked};
use crate::array::DataError;
use crate::io::claims::room;
use crate::io::input::Input;

pub(super) const KIND: &str = "Parquet";

/// The end of a file, after the footer's length, if the footer is not
/// encrypted.
const SIGNATURE: &[u8] = b"PAR1";

/// The type of a page that is an index.
const INDEX_PAGE: i64 = 1;

/// Columns in columns. The crate descends by recursion.
const MAX_SCHEMA_DEPTH: usize = 64;

/// Bytes of numbers that chunks which share bytes of the file may stand for.
const SHARED_BYTES: u64 = 64 << 20;

/// Bytes of the largest number that is read.
const MOST_NUMBER_BYTES: u64 = 8;

/// Checks the footer of a file. A file without one is left to the crate, which
/// says so.
pub(super) fn check_footer(file: &[u8]) -> Walked<()> {
    let Some((start, [a, b, c, d, signature @ ..])) = file.split_last_chunk::<8>() else { return Ok(()) };
    if signature != SIGNATURE {
        return Ok(());
    }
    let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
    let Some(at) = start.len().checked_sub(length) else { return Ok(()) };
    let footer = &start[at..];
    check(footer).map_err(|fault| format!("its footer is damaged: {fault}"))
}

fn check(footer: &[u8]) -> Walked<()> {
    Walk::new(footer).check(FILE)?;
    Walk::new(footer).fields(|walk, id, kind| if id == SCHEMA { check_schema(walk) } else { walk.skip(kind) })
}

/// Checks that a schema has as many columns in columns as it claims.
fn check_schema(walk: &mut Walk<'_>) -> Walked<()> {
    let (count, _) = walk.list()?;
    let mut left = count;
    // Of the columns that lead to the next one, how many more each has.
    let mut pending: Vec<usize> = Vec::new();
    for _ in 0..count {
        let mut claimed = 0;
        walk.fields(|walk, id, kind| match id {
            CHILDREN => walk.integer().map(|children| claimed = children),
            _ => walk.skip(kind),
        })?;
        left -= 1;
        let children = usize::try_from(claimed).ok().filter(|&children| children <= left);
        let children = children
            .ok_or_else(|| format!("a column claims {claimed} columns in it, where {left} follow"))?;
        if let Some(last) = pending.last_mut() {
            *last -= 1;
        }
        if children > 0 {
            pending.push(children);
        }
        if pending.len() > MAX_SCHEMA_DEPTH {
            return Err(format!("it has columns in columns, {MAX_SCHEMA_DEPTH} deep"));
        }
        while pending.last() == Some(&0) {
            pending.pop();
        }
        // What is claimed by all of them, one after another.
        if pending.iter().sum::<usize>() > left {
            return Err(format!("its columns claim more columns in them than the {left} that follow"));
        }
    }
    Ok(())
}

/// Checks that a column's chunks, one a row group, lie apart in the file. A page
/// of a few bytes may stand for any number of equal rows, so that nothing else
/// bounds what chunks that are named again and again expand to: where some
/// share bytes, the column may have no more than [`SHARED_BYTES`].
pub(super) fn check_apart<'m>(
    input: &Input<'_>,
    chunks: impl Iterator<Item = &'m ColumnChunkMetaData>,
    rows: usize,
) -> Result<(), DataError> {
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    let mut places: Vec<(u64, u64)> = chunks
        .map(|chunk| (number(start(chunk)), number(chunk.compressed_size())))
        .filter(|&(_, bytes)| bytes > 0)
        .collect();
    places.sort_unstable();
    let are_apart = places.iter().zip(places.iter().skip(1)).all(|(a, b)| a.0.saturating_add(a.1) <= b.0);
    let bytes = (rows as u64).saturating_mul(MOST_NUMBER_BYTES);
    if are_apart || bytes <= SHARED_BYTES {
        return Ok(());
    }
    let fault = format!(
        "{} row groups claim {rows} rows, and share the same bytes for them; is it damaged? If not, write it again",
        places.len()
    );
    Err(input.invalid(KIND, &fault))
}

/// The place where the pages of a chunk begin.
fn start(chunk: &ColumnChunkMetaData) -> i64 {
    chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset())
}

/// Checks the pages of a chunk of a column, one header after another. Gives what
/// each of them claims, but for an index, which is no page of the column's.
pub(super) fn check_pages(
    input: &Input<'_>,
    file: &[u8],
    chunk: &ColumnChunkMetaData,
) -> Result<Vec<Claim>, DataError> {
    let invalid = |fault: &str| input.invalid(KIND, &format!("a page is damaged: {fault}"));
    let range = || {
        let start = usize::try_from(start(chunk)).ok()?;
        file.get(start..start.checked_add(usize::try_from(chunk.compressed_size()).ok()?)?)
    };
    let mut rest = range().ok_or_else(|| invalid("the pages lie beyond the end of the file"))?;
    let mut claimed = Vec::new();
    while !rest.is_empty() {
        let page = Page::read(rest).map_err(|fault| invalid(&fault))?;
        let (_, after) = rest[page.header_bytes..]
            .split_at_checked(usize::try_from(page.compressed_bytes).unwrap_or(usize::MAX))
            .ok_or_else(|| {
                let left = rest.len() - page.header_bytes;
                invalid(&format!("it claims {} bytes, where {left} are left", page.compressed_bytes))
            })?;
        page.check(chunk).map_err(|fault| invalid(&fault))?;
        // A page that is too large for memory goes to a file. A dictionary can't:
        // the crate holds its values in a vector of its own while it decodes the
        // chunk, and ends the program if there is no room for that. To look values
        // up in a file would take a decoder of keys of our own. The error says to
        // raise the bound or to write the file again.
        let memory_bytes = input.memory().unit_bytes();
        if page.dictionary_values.is_some() {
            room::<u8>(input.path, "dictionary", page.uncompressed_bytes, memory_bytes).map(drop)?;
        } else if is_packed(chunk) && page.uncompressed_bytes <= memory_bytes {
            room::<u8>(input.path, "page", page.uncompressed_bytes, memory_bytes).map(drop)?;
        }
        if !page.is_index {
            claimed.push(Claim { packed_bytes: page.compressed_bytes, bytes: page.uncompressed_bytes });
        }
        rest = after;
    }
    Ok(claimed)
}

/// The claims of the header of a page.
struct Page {
    header_bytes: usize,
    compressed_bytes: u64,
    uncompressed_bytes: u64,
    is_index: bool,
    /// Values of a dictionary.
    dictionary_values: Option<u64>,
}

impl Page {
    fn read(bytes: &[u8]) -> Walked<Self> {
        let mut walk = Walk::new(bytes);
        walk.check(PAGE)?;
        let header_bytes = bytes.len() - walk.left();
        let (mut compressed, mut uncompressed, mut values, mut page_type) = (None, None, None, None);
        Walk::new(bytes).fields(|walk, id, kind| match id {
            PAGE_TYPE => walk.integer().map(|number| page_type = Some(number)),
            UNCOMPRESSED_BYTES => walk.integer().map(|bytes| uncompressed = Some(bytes)),
            COMPRESSED_BYTES => walk.integer().map(|bytes| compressed = Some(bytes)),
            DICTIONARY => walk.fields(|walk, id, kind| match id {
                DICTIONARY_VALUES => walk.integer().map(|count| values = Some(count)),
                _ => walk.skip(kind),
            }),
            _ => walk.skip(kind),
        })?;
        let count = |claimed: i64| u64::try_from(claimed).map_err(|_| format!("it claims {claimed} bytes"));
        let (Some(compressed), Some(uncompressed), Some(page_type)) = (compressed, uncompressed, page_type)
        else {
            return Err("its header has not all that it must have".to_owned());
        };
        Ok(Self {
            header_bytes,
            compressed_bytes: count(compressed)?,
            uncompressed_bytes: count(uncompressed)?,
            is_index: page_type == INDEX_PAGE,
            dictionary_values: values.map(count).transpose()?,
        })
    }

    /// Checks that a page can hold what it claims.
    fn check(&self, chunk: &ColumnChunkMetaData) -> Walked<()> {
        let Self { compressed_bytes, uncompressed_bytes, .. } = *self;
        let utmost = utmost_ratio(chunk.compression()).map(|ratio| compressed_bytes.saturating_mul(ratio));
        if let Some(utmost) = utmost.filter(|&utmost| uncompressed_bytes > utmost) {
            let codec = name(chunk.compression());
            return Err(format!(
                "it claims {uncompressed_bytes} bytes once decompressed, where {codec} makes no more than {utmost} of \
                 its {compressed_bytes}"
            ));
        }
        if let Some(values) = self.dictionary_values {
            let has_bytes = if is_packed(chunk) { uncompressed_bytes } else { compressed_bytes };
            if values > has_bytes / least_bytes(chunk) {
                return Err(format!("it claims a dictionary of {values} values in {has_bytes} bytes"));
            }
        }
        Ok(())
    }
}

/// Whether the pages of a chunk are decompressed.
fn is_packed(chunk: &ColumnChunkMetaData) -> bool {
    chunk.compression() != Compression::UNCOMPRESSED
}

/// The most bytes that a compression makes of one; `None` if its format has
/// no bound that is worth the name.
fn utmost_ratio(compression: Compression) -> Option<u64> {
    match compression {
        Compression::UNCOMPRESSED | Compression::BROTLI(_) | Compression::LZO => None,
        // A copy of 64 bytes takes 3.
        Compression::SNAPPY => Some(22),
        // A byte of a length counts for 255.
        Compression::LZ4 | Compression::LZ4_RAW => Some(255),
        // A copy of 258 bytes takes 2 bits.
        Compression::GZIP(_) => Some(1032),
        // A block of 128 KiB takes 4 bytes.
        Compression::ZSTD(_) => Some(1 << 15),
    }
}

fn name(compression: Compression) -> String {
    let text = compression.to_string();
    text.split('(').next().unwrap_or_default().to_lowercase()
}

/// Bytes that each value of a dictionary takes at least.
fn least_bytes(chunk: &ColumnChunkMetaData) -> u64 {
    match chunk.column_type() {
        Type::BOOLEAN => 1,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 => 12,
        Type::FIXED_LEN_BYTE_ARRAY => u64::try_from(chunk.column_descr().type_length()).unwrap_or(1).max(1),
        // A text has its length before it.
        Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
    }
}
