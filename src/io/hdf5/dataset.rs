//! A dataset: what its header says, and its elements.

use std::sync::Arc;

use super::bytes::Bytes;
use super::dataspace;
use super::datatype::Datatype;
use super::fault::{Fault, KIND};
use super::file::File;
use super::filter::{Filters, Scratch};
use super::header::{Header, kind};
use super::index::{Entry, Indexed, Places};
use super::layout::{Chunking, Layout};
use crate::array::error::{excerpt, shown};
use crate::array::mapping::Mapping;
use crate::array::spool::Spool;
use crate::array::{Array, DataError, ElementType, Order, Shape};
use crate::io::chunked::{Chunks, Grid, MOST_EXPANSION, swap};
use crate::io::claims::room;
use crate::io::input::Input;
use crate::with_element;

/// Bytes, decompressed, that chunks which share bytes of the file, or of which it has
/// none, may take, however small it is.
const SHARED_BYTES: u64 = 64 << 20;

/// Refuses a dataset of missing elements that no file of its size has.
fn check_sparse(input: &Input<'_>, file: &File<'_>, bytes: u64) -> Result<(), DataError> {
    if bytes <= SHARED_BYTES.max(file.len().saturating_mul(MOST_EXPANSION)) {
        return Ok(());
    }
    let found = format!("it claims {bytes} bytes of elements of which it has none");
    Err(input.unsupported(found, "write it without missing chunks; or is it damaged?"))
}

/// A dataset of numbers.
pub(super) struct Dataset<'f> {
    pub(super) shape: Vec<u64>,
    most: Vec<Option<u64>>,
    pub(super) element: ElementType,
    big_endian: bool,
    layout: Layout<'f>,
    filters: Filters,
    /// The bytes of the element that stands where nothing was written, in the file's
    /// order; `None` for 0.
    fill: Option<&'f [u8]>,
}

impl<'f> Dataset<'f> {
    /// Reads the header of the dataset that is called so; `None` if it is none.
    pub(super) fn new(
        input: &Input<'_>,
        file: &File<'f>,
        header: &Header<'f>,
        name: &str,
    ) -> Result<Option<Self>, DataError> {
        let failed = |fault: Fault| fault.error(input);
        let Some(layout) = header.find(file, kind::LAYOUT).map_err(failed)? else { return Ok(None) };
        let damaged = || Fault::damaged().error(input);
        let mut space = header.find(file, kind::DATASPACE).map_err(failed)?.ok_or_else(damaged)?;
        let mut datatype = header.find(file, kind::DATATYPE).map_err(failed)?.ok_or_else(damaged)?;
        let datatype = Datatype::new(&mut datatype).map_err(failed)?;
        let Datatype::Number(element, big_endian) = datatype else {
            let path = format!("{}:{}", input.path.display(), excerpt(name)).into();
            return Err(DataError::ElementType { path, found: datatype.name() });
        };
        let Some((shape, most)) = dataspace::extents(&mut space).map_err(failed)? else {
            return Err(DataError::NoElements { path: input.path.to_owned(), shape: Shape(vec![0]) });
        };
        if header.all(kind::EXTERNAL).next().is_some() {
            let found = "its elements are in other files".to_owned();
            return Err(input.unsupported(found, "name these, as plain numbers"));
        }
        let layout = Layout::new(layout, shape.len()).map_err(failed)?;
        let filters = match header.find(file, kind::FILTERS).map_err(failed)? {
            Some(body) => Filters::new(body).map_err(failed)?,
            None => Filters::default(),
        };
        let fill = fill(file, header).map_err(failed)?.filter(|fill| fill.len() == element.size());
        Ok(Some(Self { shape, most, element, big_endian, layout, filters, fill }))
    }

    /// Whether the bytes of elements are in another order than this machine's.
    fn is_swapped(&self) -> bool {
        self.element.size() > 1 && self.big_endian != cfg!(target_endian = "big")
    }

    /// The bytes of the element that stands where nothing was written, if it is not 0.
    pub(super) fn fill(&self) -> Option<Vec<u8>> {
        let mut fill = self.fill?.to_vec();
        if self.is_swapped() {
            fill.reverse();
        }
        Some(fill)
    }

    /// Whether the elements lie in the file as in memory.
    pub(super) fn is_mapped(&self) -> bool {
        matches!(self.layout, Layout::Contiguous(Some(_)))
    }

    /// The method by which chunks are compressed.
    pub(super) fn compression(&self) -> Option<String> {
        self.filters.compression().map(str::to_owned)
    }

    /// The elements.
    pub(super) fn array(
        &self,
        input: &Input<'_>,
        file: &File<'f>,
        map: &Arc<Mapping>,
    ) -> Result<Array, DataError> {
        let shape = Shape(self.shape.clone());
        let absurd = || DataError::AbsurdShape { path: input.path.to_owned(), shape: shape.to_string() };
        let bytes =
            shape.elements().and_then(|n| n.checked_mul(self.element.size() as u64)).ok_or_else(absurd)?;
        match &self.layout {
            Layout::Contiguous(Some(address)) if bytes > 0 => {
                let found_bytes = file.from(*address).map_or(0, |rest| rest.rest().len() as u64);
                let path = input.path.to_owned();
                let truncated = |_| DataError::Truncated { path, expected_bytes: bytes, found_bytes };
                let place = file.place(*address, bytes).map_err(truncated)?;
                let layout = crate::array::Layout::contiguous(shape, self.element, Order::C);
                let layout =
                    crate::array::Layout { swapped: self.is_swapped(), offset: place.start, ..layout };
                Array::new(shown(input.path).to_string(), map.clone(), layout)
            }
            Layout::Compact(stored) if stored.len() as u64 == bytes => with_element!(self.element, E => {
                let mut elements = room::<E>(input.path, "array", bytes / size_of::<E>() as u64, u64::MAX)?;
                elements.resize(stored.len() / size_of::<E>(), <E as bytemuck::Zeroable>::zeroed());
                let all: &mut [u8] = bytemuck::cast_slice_mut(&mut elements);
                all.copy_from_slice(stored);
                if self.is_swapped() {
                    swap(all, self.element);
                }
                let mut spool = Spool::<E>::new(input.path, input.memory_bytes);
                spool.append(&elements)?;
                spool.finish(shape)
            }),
            Layout::Compact(_) => Err(Fault::damaged().error(input)),
            Layout::Contiguous(_) => {
                const MOST_RUN: u64 = 1 << 16;
                let last = self.shape.len().saturating_sub(1);
                let chunk = self.shape.iter().enumerate();
                let chunk =
                    chunk.map(|(axis, &n)| if axis < last { 1 } else { n.clamp(1, MOST_RUN) }).collect();
                let grid = Grid { chunk, shape: self.shape.clone(), element: self.element };
                check_sparse(input, file, bytes)?;
                grid.read(input, &Nothing(file.len()), &self.fill().unwrap_or_default())
            }
            Layout::Chunked(chunk, chunking) => self.chunked(input, file, map, chunk, chunking),
        }
    }

    fn chunked(
        &self,
        input: &Input<'_>,
        file: &File<'f>,
        map: &Arc<Mapping>,
        chunk: &[u64],
        chunking: &Chunking,
    ) -> Result<Array, DataError> {
        let failed = |fault: Fault| fault.error(input);
        let grid = Grid { shape: self.shape.clone(), chunk: chunk.to_vec(), element: self.element };
        let bytes =
            grid.chunk_elements().and_then(|n| n.checked_mul(self.element.size() as u64)).unwrap_or(u64::MAX);
        let counts = grid.counts();
        let count =
            counts.iter().try_fold(1u64, |product, &count| product.checked_mul(count)).unwrap_or(u64::MAX);
        // What no file can have is refused before memory is asked for.
        let claimed = Shape(self.shape.clone()).elements().unwrap_or(u64::MAX);
        check_sparse(input, file, claimed.saturating_mul(self.element.size() as u64))?;
        let entries = room::<Entry>(input.path, "list of chunks", count, input.memory().unit_bytes())?;
        let most =
            self.most.iter().zip(chunk).map(|(most, chunk)| most.map(|most| most.div_ceil(*chunk))).collect();
        let indexed = Indexed { counts, most, chunk, bytes, is_filtered: !self.filters.is_empty() };
        let places = Places::new(file, &indexed, chunking, entries).map_err(failed)?;
        self.check_claims(input, file, &places, bytes)?;
        let chunks = Stored {
            dataset: self,
            input,
            file,
            map,
            places,
            grid: &grid,
            bytes: grid.chunk_bytes(input)?,
            plain_edges: chunking.plain_edges,
        };
        grid.read(input, &chunks, &self.fill().unwrap_or_default())
    }

    /// Fails if the file cannot have what its index claims.
    fn check_claims(
        &self,
        input: &Input<'_>,
        file: &File<'_>,
        places: &Places,
        bytes: u64,
    ) -> Result<(), DataError> {
        let mut decoded = 0u64;
        for (address, stored) in places.entries().iter().filter_map(|entry| entry.place) {
            file.place(address, stored).map_err(|fault| fault.error(input))?;
            let most = stored.saturating_mul(self.filters.most_expansion());
            if bytes > most {
                let reason = format!(
                    "it claims a chunk of {bytes} bytes, for which it has {stored}, of which so many cannot come; it is \
                     damaged"
                );
                return Err(input.invalid(KIND, &reason));
            }
            decoded = decoded.saturating_add(bytes);
        }
        if decoded > file.len().saturating_mul(self.filters.most_expansion()).max(SHARED_BYTES) {
            let reason = format!(
                "it claims chunks of {decoded} bytes in all, more than the file can have; it is damaged"
            );
            return Err(input.invalid(KIND, &reason));
        }
        Ok(())
    }
}

/// The bytes of the element that stands where nothing was written.
fn fill<'f>(file: &File<'f>, header: &Header<'f>) -> Result<Option<&'f [u8]>, Fault> {
    const DEFINED: u8 = 0x20;
    if let Some(mut body) = header.find(file, kind::FILL)? {
        let version = body.version("fill value", 1..=3)?;
        let is_defined = if version == 3 {
            body.u8()? & DEFINED > 0
        } else {
            body.take(2)?;
            body.u8()? > 0 || version == 1
        };
        return if is_defined { sized(body) } else { Ok(None) };
    }
    header.find(file, kind::OLD_FILL)?.map_or(Ok(None), sized)
}

fn sized(mut body: Bytes<'_>) -> Result<Option<&[u8]>, Fault> {
    // A negative size says that there is none.
    let Ok(bytes) = i32::try_from(body.number(4)?) else { return Ok(None) };
    let bytes = usize::try_from(bytes).unwrap_or(0);
    Ok(Some(body.take(bytes)?).filter(|fill| !fill.is_empty()))
}

/// Chunks of a dataset that was never written, in a file of so many bytes.
struct Nothing(u64);

impl Chunks for Nothing {
    type Scratch = ();

    fn decode<'s>(&self, _: &[u64], (): &'s mut ()) -> Result<Option<&'s [u8]>, DataError> {
        Ok(None)
    }

    fn stored_bytes(&self) -> u64 {
        self.0
    }
}

/// The chunks of a dataset.
struct Stored<'a, 'f> {
    dataset: &'a Dataset<'f>,
    input: &'a Input<'a>,
    file: &'a File<'f>,
    map: &'a Mapping,
    places: Places,
    grid: &'a Grid,
    bytes: usize,
    plain_edges: bool,
}

impl Stored<'_, '_> {
    /// Whether a chunk reaches beyond the dataset.
    fn is_at_an_edge(&self, index: &[u64]) -> bool {
        let mut axes = index.iter().zip(&self.grid.chunk).zip(&self.grid.shape);
        axes.any(|((index, chunk), extent)| (index + 1).saturating_mul(*chunk) > *extent)
    }
}

impl Chunks for Stored<'_, '_> {
    type Scratch = Scratch;

    fn decode<'s>(&self, index: &[u64], scratch: &'s mut Scratch) -> Result<Option<&'s [u8]>, DataError> {
        let Entry { place: Some((address, stored)), mask } = self.places.get(index) else { return Ok(None) };
        let failed = |fault: Fault| fault.error(self.input);
        let place = self.file.place(address, stored).map_err(failed)?;
        let mask = if self.plain_edges && self.is_at_an_edge(index) { u32::MAX } else { mask };
        let undone = self.dataset.filters.undo(self.file.bytes(&place), mask, self.bytes, scratch);
        self.map.release(place);
        if !self.map.is_intact() {
            return Err(DataError::Shrunk { path: self.input.path.to_owned() });
        }
        undone.map_err(failed)?;
        if self.dataset.is_swapped() {
            swap(&mut scratch.chunk, self.dataset.element);
        }
        Ok(Some(&scratch.chunk))
    }

    fn stored_bytes(&self) -> u64 {
        self.file.len()
    }
}
