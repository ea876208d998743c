mod layout;
pub(super) mod read;
mod reorder;
mod view;

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

pub use layout::Layout;

use super::element::{Element, ElementType};
use super::error::{DataError, Shown};
use super::shape::{Order, Shape};
use super::storage::Storage;

/// The elements that a thread goes through at a time if all are in memory.
pub(crate) const RESIDENT_RUN_ELEMENTS: usize = 1 << 16;

/// An array of any shape, its elements in the type and the places in which they
/// are stored. Clones and views share the elements.
#[derive(Clone)]
pub struct Array {
    /// Its name, for messages.
    label: String,
    storage: Arc<dyn Storage>,
    element: ElementType,
    shape: Shape,
    /// The number of elements.
    elements: usize,
    /// The elements between neighbours along each dimension.
    strides: Vec<isize>,
    /// The bytes before the first element, the one of index (0, 0, …).
    offset: usize,
    /// Whether elements have the other byte order than this machine.
    swapped: bool,
    /// The elements that a thread goes through before it releases their memory, if
    /// they are streamed.
    streamed: Option<usize>,
}

impl Array {
    /// An array in memory, row-major.
    ///
    /// # Panics
    /// If `values` has another number of elements than `shape`: a mistake of
    /// the calling program, not of its data.
    #[must_use]
    pub fn from_vec<E: Element>(label: &str, shape: &[u64], values: Vec<E>) -> Self {
        let shape = Shape(shape.to_vec());
        assert_eq!(shape.elements(), Some(values.len() as u64), "shape {shape} against the values given");
        Self {
            label: label.to_owned(),
            element: E::TYPE,
            elements: values.len(),
            strides: shape.strides(Order::C),
            shape,
            storage: Arc::new(values),
            offset: 0,
            swapped: false,
            streamed: None,
        }
    }

    /// An array over the bytes of a storage.
    ///
    /// # Errors
    /// [`DataError::AbsurdShape`] for a shape that no memory holds;
    /// [`DataError::Truncated`] unless all elements lie within the storage.
    pub fn new(label: String, storage: Arc<dyn Storage>, layout: Layout) -> Result<Self, DataError> {
        let Layout { shape, element, strides, swapped, offset } = layout;
        let path = storage.path().unwrap_or(Path::new(&label)).to_owned();
        let absurd = || DataError::AbsurdShape { path: path.clone(), shape: shape.to_string() };
        let elements = shape.elements().ok_or_else(absurd)?;
        let array_bytes = elements.checked_mul(element.size() as u64).ok_or_else(absurd)?;
        let storage_bytes = storage.bytes().len() as u64;
        if strides.len() != shape.0.len() {
            return Err(absurd());
        }
        if offset as u64 > storage_bytes {
            return Err(DataError::Truncated { path, expected_bytes: array_bytes, found_bytes: 0 });
        }
        if elements > 0 {
            let before = layout::extent(&shape, &strides, element, offset).ok_or_else(absurd)?;
            let (start, end) = (before.start, u64::try_from(before.end).unwrap_or(u64::MAX));
            if start < 0 || end > storage_bytes {
                // Without gaps the array is what is missing; else all that its
                // elements span.
                let expected_bytes = array_bytes.max(end.saturating_sub(offset as u64));
                let found_bytes = storage_bytes.saturating_sub(offset as u64);
                return Err(DataError::Truncated { path, expected_bytes, found_bytes });
            }
        }
        let elements = usize::try_from(elements).unwrap_or(usize::MAX);
        Ok(Self { label, storage, element, shape, elements, strides, offset, swapped, streamed: None })
    }

    /// The array, labelled as the array `key` of its file.
    pub(crate) fn keyed(mut self, key: &str) -> Self {
        self.label = format!("{}:{}", self.label, Shown::name(key));
        self
    }

    /// Fails if there are no elements, to which nothing can be fitted.
    ///
    /// # Errors
    /// [`DataError::NoElements`].
    pub(crate) fn refuse_empty(&self) -> Result<(), DataError> {
        if self.elements > 0 {
            return Ok(());
        }
        let path = self.storage.path().unwrap_or(Path::new(&self.label)).to_owned();
        Err(DataError::NoElements { path, shape: self.shape.clone() })
    }

    /// Whether the elements were decoded to a temporary file.
    #[must_use]
    pub fn is_spooled(&self) -> bool {
        self.storage.is_spooled()
    }

    /// The file, or file and column, the array came from.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The extent of each dimension.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.elements
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.elements == 0
    }

    /// The type of the elements as stored.
    #[must_use]
    pub fn element(&self) -> ElementType {
        self.element
    }

    /// Whether elements may have more digits than f64.
    #[must_use]
    pub fn is_wide_integer(&self) -> bool {
        matches!(self.element, ElementType::U64 | ElementType::I64)
    }

    /// The bytes that all elements take in memory.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.elements as u64 * self.element.size() as u64
    }

    /// The order in which the elements are stored without gaps: C if they are in
    /// both orders, or in neither.
    #[must_use]
    pub fn order(&self) -> Order {
        let is_fortran = !self.is_stored_in(Order::C) && self.is_stored_in(Order::Fortran);
        if is_fortran { Order::Fortran } else { Order::C }
    }

    /// Whether the elements in `order` are neighbours in memory, without gaps.
    #[must_use]
    pub fn is_stored_in(&self, order: Order) -> bool {
        let mut step = 1isize;
        self.elements == 0
            || order.axes(self.strides.len()).all(|axis| {
                let extent = isize::try_from(self.shape.0[axis]).unwrap_or(isize::MAX);
                let is_next = extent == 1 || self.strides[axis] == step;
                step = step.wrapping_mul(extent);
                is_next
            })
    }

    /// The elements as they lie in memory, if they are of type `E`, in this
    /// machine's byte order, aligned, and [stored in](Self::is_stored_in)
    /// `order`. Otherwise read them with [`read`](Self::read).
    #[must_use]
    pub fn as_slice<E: Element>(&self, order: Order) -> Option<&[E]> {
        if E::TYPE != self.element || self.swapped {
            return None;
        }
        bytemuck::try_cast_slice(self.stored(order, 0..self.elements)?).ok()
    }

    /// The bytes of the elements number `range` in `order`, if they are stored in
    /// it.
    fn stored(&self, order: Order, range: Range<usize>) -> Option<&[u8]> {
        self.is_stored_in(order).then(|| &self.storage.bytes()[self.place(range)])
    }

    /// The bytes that elements without gaps take.
    fn place(&self, range: Range<usize>) -> Range<usize> {
        let at = |k: usize| self.offset + k * self.element.size();
        at(range.start)..at(range.end)
    }

    /// Has every pass release the memory of elements as it goes, so that they are
    /// read from the file, or the system's cache of it, each time they are used.
    ///
    /// `run` is the number of elements that a thread goes through before it
    /// releases their memory.
    pub(crate) fn try_stream(&mut self, run: usize) -> Result<(), DataError> {
        if self.storage.path().is_none() {
            return Err(DataError::NotStreamed { label: self.label.clone(), bytes: self.stored_bytes() });
        }
        self.streamed = Some(run);
        Ok(())
    }

    /// Whether passes release the memory of elements as they go.
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        self.streamed.is_some()
    }

    /// The elements that a thread should go through at a time: enough to make
    /// handing out work cheap, few enough to share it evenly, and, if they are
    /// streamed, as many as the memory allows, because releasing a little memory
    /// often costs more than the arithmetic.
    #[must_use]
    pub fn run_elements(&self) -> usize {
        self.streamed.unwrap_or(RESIDENT_RUN_ELEMENTS)
    }

    /// Releases the memory of the elements number `range` in `order`, which are
    /// not needed until the next pass. They stay in memory unless the array is
    /// streamed.
    pub fn release(&self, order: Order, range: Range<usize>) {
        if self.is_streamed() {
            self.evict(order, range);
        } else if self.is_stored_in(order) {
            self.storage.was_read(self.place(range));
        }
    }

    /// Like [`release`](Self::release), streamed or not: for elements that
    /// were copied elsewhere.
    pub fn evict(&self, order: Order, range: Range<usize>) {
        if self.is_stored_in(order) {
            self.storage.release(self.place(range));
        } else if let Some(extent) = layout::extent(&self.shape, &self.strides, self.element, self.offset) {
            // A pass in another order than the stored one touches pages everywhere.
            let at = |place: i128| usize::try_from(place).unwrap_or(0);
            self.storage.release(at(extent.start)..at(extent.end));
        }
    }

    /// Fails if the file was changed since it was opened, so that some of the
    /// elements read since may not be its own, or not of one time; or if they do
    /// not have the checksum that the file has for them.
    ///
    /// # Errors
    /// [`DataError::Shrunk`], [`DataError::Modified`], [`DataError::Replaced`],
    /// [`DataError::Damaged`].
    pub fn check_intact(&self) -> Result<(), DataError> {
        self.storage.check_intact()
    }

    /// The place of element number `k` in `order`, in words.
    #[must_use]
    pub fn position(&self, k: u64, order: Order) -> String {
        let index: Vec<String> = self.shape.index_of(k, order).iter().map(u64::to_string).collect();
        match index.len() {
            0 => "its only element".to_owned(),
            1 => format!("index {} (counting from 0)", index[0]),
            _ => format!("index ({}) (counting from 0)", index.join(", ")),
        }
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Array({} {} {})", self.label, self.element, self.shape)
    }
}
