//! Arrays of Zarr hierarchies, versions 2 and 3, in a folder or a zip archive.
//!
//! The reader is of this house: what describes an array is a little JSON, its chunks
//! are parts of their own, and their codecs (blosc, zstd, gzip, zlib, lz4, shuffle,
//! crc32, crc32c, transpose, sharding) are those that the other formats' decoders are
//! here for too. What it does not know it refuses by name. Chunks are decoded on all
//! cores; a chunk that there is none of has the array's fill value.

mod blosc;
mod blosclz;
mod codec;
mod description;
mod store;

use self::codec::Scratch;
use self::description::{Description, Fault, Shards};
use self::store::{KIND, Part, Store};
use super::cf;
use super::chunked::{Chunks, Grid, swap};
use super::input::Input;
use super::listing::Listed;
use super::metadata::Opened;
use crate::array::error::{excerpt, listed};
use crate::array::{DataError, Shape};

/// What the arrays of a hierarchy are called.
const WHAT: &str = "array";

/// Bytes that codecs add to those that they cannot compress.
const MOST_OVERHEAD: u64 = 1 << 16;

const WRITE_AGAIN: &str = "write it again with another codec, for example by zarr or xarray with zstd";

/// Opens the array of a path from the root; without one the only one of numbers that is
/// no axis of another.
pub(super) fn open(input: &Input<'_>) -> Result<Opened, DataError> {
    if input.path.is_dir() {
        return Store::Folder(input.path.to_owned()).open(input);
    }
    let map = input.map()?;
    let opened = Store::archive(input, &map)?.open(input)?;
    if map.is_intact() { Ok(opened) } else { Err(DataError::Shrunk { path: input.path.to_owned() }) }
}

/// What the hierarchy says of its arrays of numbers.
pub(super) fn list(input: &Input<'_>) -> Result<Vec<Listed>, DataError> {
    if input.path.is_dir() {
        return Ok(Store::Folder(input.path.to_owned()).list(input));
    }
    let map = input.map()?;
    Ok(Store::archive(input, &map)?.list(input))
}

impl Store<'_> {
    fn list(&self, input: &Input<'_>) -> Vec<Listed> {
        let one = |(name, array): &(String, Description)| {
            let element = cf::element(array.grid.element, &array.attributes);
            let key = (!name.is_empty()).then(|| name.clone());
            let listed = Listed::decoded(key, Some(Shape(array.grid.shape.clone())), element.name());
            cf::listed(listed, &array.attributes)
        };
        self.arrays(input).iter().map(one).collect()
    }

    fn open(&self, input: &Input<'_>) -> Result<Opened, DataError> {
        let (name, array) = match input.key {
            Some(key) => {
                let name = key.trim_matches('/');
                if name.split('/').any(|part| matches!(part, "" | "." | "..")) && !name.is_empty() {
                    return Err(self.missing(input, key));
                }
                match self.described_at(input, name)? {
                    Some(array) => (name.to_owned(), array),
                    None => return Err(self.missing(input, key)),
                }
            }
            None => self.only(input)?,
        };
        let chunks = Stored {
            store: self,
            input,
            bytes: array.grid.chunk_bytes(input)?,
            fault: |reason: &str| {
                input.invalid(
                    KIND,
                    &format!("a chunk of its array {:?} {reason}; copy or write it again", excerpt(&name)),
                )
            },
            name: &name,
            array: &array,
        };
        let element = cf::element(array.grid.element, &array.attributes);
        let grid = Grid { element, ..array.grid.clone() };
        let opened = grid.read(input, &chunks, array.fill.as_deref().unwrap_or_default())?;
        let opened = if name.is_empty() { opened } else { opened.keyed(&name) };
        cf::opened(opened, &array.attributes, None)
    }

    /// The array at a path; `None` if there is none.
    fn described_at(&self, input: &Input<'_>, path: &str) -> Result<Option<Description>, DataError> {
        let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        let described = match self.metadata(input, &at("zarr.json"))? {
            Some(text) => Description::version_3(&text),
            None => match self.metadata(input, &at(".zarray"))? {
                Some(text) => {
                    let attributes = self.metadata(input, &at(".zattrs"))?;
                    Description::version_2(&text, attributes.as_deref()).map(Some)
                }
                None => return Ok(None),
            },
        };
        described.map_err(|fault| match fault {
            Fault::Invalid(reason) => input.invalid(KIND, &reason),
            Fault::Unsupported(found) => input.unsupported(found, WRITE_AGAIN),
            Fault::Type(found) => {
                let path = format!("{}:{}", input.path.display(), excerpt(path)).into();
                DataError::ElementType { path, found }
            }
        })
    }

    /// The arrays of numbers; those that are axes of others only if there are no others.
    fn arrays(&self, input: &Input<'_>) -> Vec<(String, Description)> {
        let (mut arrays, mut axes) = (Vec::new(), Vec::new());
        for path in self.described() {
            let Ok(Some(array)) = self.described_at(input, &path) else { continue };
            let own_name = path.rsplit('/').next().unwrap_or_default();
            let is_axis = matches!(&array.dimensions[..], [only] if only == own_name);
            if is_axis { &mut axes } else { &mut arrays }.push((path, array));
        }
        if arrays.is_empty() { axes } else { arrays }
    }

    fn only(&self, input: &Input<'_>) -> Result<(String, Description), DataError> {
        // An array at the root is meant, and what is wrong with it is said.
        if let Some(array) = self.described_at(input, "")? {
            return Ok((String::new(), array));
        }
        let mut arrays = self.arrays(input);
        let names: Vec<String> = arrays.iter().map(|(name, _)| name.clone()).collect();
        Ok(arrays.swap_remove(input.choose(WHAT, &names)?))
    }

    /// The error of a path that leads to no array.
    fn missing(&self, input: &Input<'_>, key: &str) -> DataError {
        let arrays = self.arrays(input);
        let names: Vec<&str> = arrays.iter().map(|(name, _)| name.as_str()).collect();
        let available = listed(names.iter().map(|name| excerpt(name)));
        input.no_such(WHAT, key, names, available)
    }
}

/// The chunks of an array.
struct Stored<'a, F> {
    store: &'a Store<'a>,
    input: &'a Input<'a>,
    name: &'a str,
    array: &'a Description,
    /// Bytes of a chunk, decoded.
    bytes: usize,
    /// The error of a chunk, of which is said what is wrong.
    fault: F,
}

/// What a thread uses again for the next chunk.
#[derive(Default)]
struct Thread<'a> {
    codecs: Scratch,
    transposed: Vec<u8>,
    shard: Option<Shard<'a>>,
}

/// The shard that was read last.
struct Shard<'a> {
    index: Vec<u64>,
    part: Option<Part<'a>>,
    /// The place and the bytes of each chunk in it.
    places: Vec<[u64; 2]>,
}

impl<'a, F: Fn(&str) -> DataError + Sync> Stored<'a, F> {
    fn part(&self, index: &[u64]) -> Result<Option<Part<'a>>, DataError> {
        let name = self.array.keys.name(index);
        let path = if self.name.is_empty() { name } else { format!("{}/{name}", self.name) };
        self.store.part(self.input, &path, self.input.memory().unit_bytes())
    }

    /// Reads the index of a shard.
    fn shard(&self, index: Vec<u64>, shards: &Shards) -> Result<Shard<'a>, DataError> {
        let Some(part) = self.part(&index)? else {
            return Ok(Shard { index, part: None, places: Vec::new() });
        };
        let damaged = || (self.fault)("is in a shard without an index; it is truncated or damaged");
        let count = shards.chunks.iter().try_fold(1u64, |count, &chunks| count.checked_mul(chunks));
        let bytes =
            count.and_then(|count| count.checked_mul(16)).and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.ok_or_else(damaged)?;
        let stored = (bytes as u64).saturating_add(4 * shards.index_codecs.len() as u64);
        let start =
            if shards.index_at_end { part.len().checked_sub(stored).ok_or_else(damaged)? } else { 0 };
        let mut scratch = Scratch::default();
        let packed = part.range(start, stored)?.ok_or_else(damaged)?;
        codec::undo(&shards.index_codecs, &packed, bytes, &mut scratch).map_err(|_| damaged())?;
        drop(packed);
        let (numbers, _) = scratch.chunk.as_chunks::<8>();
        let (places, _) = numbers.as_chunks::<2>();
        let places = places.iter().map(|place| place.map(u64::from_le_bytes)).collect();
        Ok(Shard { index, part: Some(part), places })
    }

    /// Decodes the bytes of a chunk.
    fn decoded<'s>(
        &self,
        from: &[u8],
        scratch: &'s mut Scratch,
        transposed: &'s mut Vec<u8>,
    ) -> Result<&'s [u8], DataError> {
        let Description { grid, codecs, big_endian, axes, .. } = self.array;
        self.check(from.len() as u64)?;
        codec::undo(codecs, from, self.bytes, scratch).map_err(|reason| (self.fault)(reason))?;
        if grid.element.size() > 1 && *big_endian != cfg!(target_endian = "big") {
            swap(&mut scratch.chunk, grid.element);
        }
        if axes.iter().copied().eq(0..axes.len()) {
            return Ok(&scratch.chunk);
        }
        transpose(&scratch.chunk, &grid.chunk, axes, grid.element.size(), transposed);
        Ok(transposed)
    }

    /// Fails if so many bytes cannot become a chunk.
    fn check(&self, stored: u64) -> Result<(), DataError> {
        let most: u64 = self.array.codecs.iter().map(|codec| codec.most_expansion()).product();
        if self.bytes as u64 > stored.saturating_mul(most) {
            return Err((self.fault)("has too few bytes for its size; it is truncated or damaged"));
        }
        Ok(())
    }
}

impl<'a, F: Fn(&str) -> DataError + Sync> Chunks for Stored<'a, F> {
    type Scratch = Thread<'a>;

    fn decode<'s>(&self, index: &[u64], thread: &'s mut Thread<'a>) -> Result<Option<&'s [u8]>, DataError> {
        let Thread { codecs, transposed, shard } = thread;
        let Some(shards) = &self.array.shards else {
            let Some(part) = self.part(index)? else { return Ok(None) };
            // No codec makes that much of it.
            if part.len() > 2 * self.bytes as u64 + MOST_OVERHEAD {
                return Err((self.fault)("has more bytes than a chunk can need; it is damaged"));
            }
            return self.decoded(&part.all()?, codecs, transposed).map(Some);
        };
        let number: Vec<u64> =
            index.iter().zip(&shards.chunks).map(|(index, chunks)| index / chunks).collect();
        let shard = match shard.take().filter(|shard| shard.index == number) {
            Some(same) => shard.insert(same),
            None => shard.insert(self.shard(number, shards)?),
        };
        let place = index
            .iter()
            .zip(&shards.chunks)
            .fold(0, |place, (index, chunks)| place * chunks + index % chunks);
        let place = usize::try_from(place).ok().and_then(|place| shard.places.get(place));
        let (Some(part), Some(&[start, bytes])) = (&shard.part, place) else { return Ok(None) };
        if (start, bytes) == (u64::MAX, u64::MAX) {
            return Ok(None);
        }
        let packed = part
            .range(start, bytes)?
            .ok_or_else(|| (self.fault)("is not where its shard says; it is truncated or damaged"))?;
        self.decoded(&packed, codecs, transposed).map(Some)
    }

    fn stored_bytes(&self) -> u64 {
        self.store.bytes_below(self.name)
    }
}

/// Brings a chunk whose axes were stored in another order to that of the array.
fn transpose(from: &[u8], chunk: &[u64], axes: &[usize], size: usize, to: &mut Vec<u8>) {
    let extents: Vec<usize> =
        chunk.iter().map(|&extent| usize::try_from(extent).unwrap_or(usize::MAX)).collect();
    // The elements between neighbours along each axis, as they are stored.
    let mut strides = vec![0; extents.len()];
    let mut step = 1;
    for &axis in axes.iter().rev() {
        strides[axis] = step;
        step *= extents[axis];
    }
    to.clear();
    let mut index = vec![0; extents.len()];
    let mut at = 0;
    for _ in 0..from.len() / size {
        to.extend_from_slice(&from[at * size..(at + 1) * size]);
        for axis in (0..extents.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < extents[axis] {
                break;
            }
            at -= strides[axis] * extents[axis];
            index[axis] = 0;
        }
    }
}
