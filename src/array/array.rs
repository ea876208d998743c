mod reorder;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::attribute::NodataAttribute;
use super::choice::Choice;
use super::element::{Element, ElementType, Real};
use super::error::{DataError, Shown, excerpt, shown};
use super::georeference::Georeference;
use super::identity::Change;
use super::note::Note;
use super::nulls::Nulls;
use super::shape::{Order, Shape};
use crate::math::Double;
use crate::with_element;

/// Elements that a thread goes through at a time if all are in memory.
pub(crate) const RESIDENT_RUN_ELEMENTS: usize = 1 << 16;

/// How many elements of a range are not the same number once in f32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rounding {
    /// Elements that lost digits.
    pub rounded: u64,
    /// The first element that became infinite, by its position in the visit.
    pub overflowed: Option<u64>,
}

/// Where a matrix's bytes are: a vector or a mapped file.
pub(crate) trait Bytes: Send + Sync {
    /// All of them.
    fn bytes(&self) -> &[u8];

    /// Says that a range is not needed for now, so that it need not take
    /// memory. It can still be read.
    fn release(&self, _range: std::ops::Range<usize>) {}

    /// Says that a range was read for the moment, and may be checked while it
    /// is in the cache.
    fn was_read(&self, _range: std::ops::Range<usize>) {}

    /// Whether all bytes read so far were really there; a mapped file can
    /// shrink.
    fn is_intact(&self) -> bool {
        true
    }

    /// What became of the file, whose name that is, since it was opened.
    fn change(&self, _path: &Path) -> Option<Change> {
        (!self.is_intact()).then_some(Change::Unreadable)
    }

    /// Whether this is a temporary file.
    fn is_spooled(&self) -> bool {
        false
    }
}

impl<E: Element> Bytes for Vec<E> {
    fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(self)
    }
}

/// A matrix of any shape, its elements in the type and order in which they
/// were stored.
pub struct Array {
    label: String,
    shape: Shape,
    elements: usize,
    element: ElementType,
    order: Order,
    swapped: bool,
    bytes: Box<dyn Bytes>,
    offset: usize,
    path: Option<std::path::PathBuf>,
    choice: Option<Choice>,
    streamed: Option<usize>,
    nodata: Option<NodataAttribute>,
    fill: Option<f64>,
    is_compared_as_gdal_does: bool,
    nulls: Option<Arc<Nulls>>,
    georeference: Option<Georeference>,
    notes: Vec<Note>,
}

/// How a stored array is laid out; see [`Array::from_bytes`].
pub(crate) struct Layout {
    pub shape: Shape,
    pub element: ElementType,
    pub order: Order,
    /// Whether elements have the other byte order than this machine.
    pub swapped: bool,
    /// Where the first element starts.
    pub offset: usize,
}

impl Array {
    /// A matrix in memory, row-major.
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
            elements: values.len(),
            shape,
            element: E::TYPE,
            order: Order::C,
            swapped: false,
            bytes: Box::new(values),
            offset: 0,
            path: None,
            choice: None,
            streamed: None,
            nodata: None,
            fill: None,
            is_compared_as_gdal_does: false,
            nulls: None,
            georeference: None,
            notes: Vec::new(),
        }
    }

    /// A matrix over the bytes of a file. Checks that all of it is there.
    pub(crate) fn from_bytes(path: &Path, bytes: Box<dyn Bytes>, layout: Layout) -> Result<Self, DataError> {
        let absurd = || DataError::AbsurdShape { path: path.to_owned(), shape: layout.shape.to_string() };
        let elements = layout.shape.elements().ok_or_else(absurd)?;
        let expected_bytes = elements.checked_mul(layout.element.size() as u64).ok_or_else(absurd)?;
        let found_bytes = bytes.bytes().len().saturating_sub(layout.offset) as u64;
        if found_bytes < expected_bytes {
            return Err(DataError::Truncated { path: path.to_owned(), expected_bytes, found_bytes });
        }
        Ok(Self {
            label: shown(path).to_string(),
            shape: layout.shape,
            elements: usize::try_from(elements).unwrap_or(usize::MAX),
            element: layout.element,
            order: layout.order,
            swapped: layout.swapped,
            bytes,
            offset: layout.offset,
            path: Some(path.to_owned()),
            choice: None,
            streamed: None,
            nodata: None,
            fill: None,
            is_compared_as_gdal_does: false,
            nulls: None,
            georeference: None,
            notes: Vec::new(),
        })
    }

    /// The matrix, labelled as the array `key` of its file.
    pub(crate) fn keyed(mut self, key: &str) -> Self {
        self.label = format!("{}:{}", self.label, Shown::name(key));
        self
    }

    /// The matrix, a column that was chosen by a key.
    pub(crate) fn chosen(mut self, choice: Option<Choice>) -> Self {
        self.choice = choice;
        self
    }

    /// How it was chosen, if it is a column that a key was given for.
    pub(crate) fn choice(&self) -> Option<&Choice> {
        self.choice.as_ref()
    }

    /// Says which value stands for nothing.
    pub fn set_nodata(&mut self, nodata: Option<f64>) {
        self.nodata = nodata.map(NodataAttribute::Number);
    }

    /// The matrix with what its file says of the value that stands for
    /// nothing.
    pub(crate) fn with_nodata(mut self, nodata: Option<NodataAttribute>) -> Self {
        self.nodata = nodata;
        self
    }

    /// The matrix with the value that its file has where there is nothing, of
    /// which something else tells where that is.
    #[cfg(any(feature = "png", feature = "tiff"))]
    pub(crate) fn with_fill(mut self, nodata: Option<&NodataAttribute>) -> Self {
        self.fill = nodata.and_then(NodataAttribute::nearest);
        self
    }

    /// The value to be written where there is nothing: the nodata value, or what
    /// the file has there.
    #[must_use]
    pub fn fill(&self) -> Option<f64> {
        self.nodata().or(self.fill)
    }

    /// The matrix, an image, whose elements equal its nodata value where GDAL
    /// says so.
    #[cfg_attr(not(feature = "tiff"), expect(dead_code, reason = "only images are compared so"))]
    pub(crate) fn compared_as_gdal_does(mut self) -> Self {
        self.is_compared_as_gdal_does = true;
        self
    }

    /// Whether elements are compared with a nodata value as GDAL does it.
    pub(crate) fn is_compared_as_gdal_does(&self) -> bool {
        self.is_compared_as_gdal_does
    }

    /// Fails if there are no elements, of which nothing can be fitted.
    ///
    /// # Errors
    /// [`DataError::NoElements`].
    pub(crate) fn refuse_empty(&self) -> Result<(), DataError> {
        if self.elements > 0 {
            return Ok(());
        }
        let path = self.path.clone().unwrap_or_else(|| self.label.clone().into());
        Err(DataError::NoElements { path, shape: self.shape.clone() })
    }

    /// The matrix with what an image says of its place.
    #[cfg_attr(not(feature = "tiff"), expect(dead_code, reason = "only images are somewhere"))]
    pub(crate) fn located(mut self, georeference: Option<Georeference>) -> Self {
        self.georeference = georeference;
        self
    }

    /// The matrix with its nulls, numbered row by row.
    pub(crate) fn with_nulls(mut self, nulls: Nulls) -> Self {
        self.nulls = Some(nulls).filter(|nulls| !nulls.is_empty()).map(Arc::new);
        self
    }

    /// The matrix with notes on how it is read.
    #[allow(dead_code, reason = "the formats that note something may be left out")]
    pub(crate) fn noted(mut self, notes: impl IntoIterator<Item = Note>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// What its user should know of how it is read.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Which elements are null, if some are, numbered row by row.
    pub(crate) fn nulls(&self) -> Option<&Arc<Nulls>> {
        self.nulls.as_ref()
    }

    /// Whether some elements are null.
    #[must_use]
    pub fn has_nulls(&self) -> bool {
        self.nulls.is_some()
    }

    /// Whether element number `k`, row by row, is null: of a table's column, or
    /// under an image's own mask.
    #[must_use]
    pub fn is_null(&self, k: usize) -> bool {
        self.is_null_in(Order::C, k)
    }

    /// Whether element number `k` in `order` is null.
    #[must_use]
    pub(crate) fn is_null_in(&self, order: Order, k: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| match order {
            Order::C => nulls.contains(k),
            Order::Fortran => nulls.contains(self.shape.row_major(k, order)),
        })
    }

    /// The value that stands for a missing element, or the f64 nearest to it, if
    /// the file names one.
    #[must_use]
    pub fn nodata(&self) -> Option<f64> {
        self.nodata.as_ref().and_then(NodataAttribute::nearest)
    }

    /// The same where it is a whole number that f64 has not.
    pub(crate) fn whole_nodata(&self) -> Option<i128> {
        match self.nodata {
            #[cfg(feature = "tiff")]
            Some(NodataAttribute::Whole(value)) => Some(value),
            _ => None,
        }
    }

    /// The value that stands for a missing element: the one given or, without
    /// one, that of the file.
    ///
    /// # Errors
    /// [`DataError::UnclearNodata`] if none is given and the file's is no
    /// number.
    pub(crate) fn nodata_unless(&self, given: Option<f64>) -> Result<Option<f64>, DataError> {
        match (&self.nodata, given) {
            (Some(NodataAttribute::Unclear { name, text }), None) => Err(DataError::UnclearNodata {
                label: self.label.clone(),
                attribute: excerpt(name),
                text: excerpt(text),
            }),
            _ => Ok(given.or(self.nodata())),
        }
    }

    /// Where on Earth the elements are, if the file says so.
    #[must_use]
    pub fn georeference(&self) -> Option<&Georeference> {
        self.georeference.as_ref()
    }

    /// Whether the elements were decoded to a temporary file.
    #[must_use]
    pub fn is_spooled(&self) -> bool {
        self.bytes.is_spooled()
    }

    /// The file, or file and column, the matrix came from.
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

    /// The order in which the elements are stored.
    #[must_use]
    pub fn order(&self) -> Order {
        self.order
    }

    /// Whether visiting the elements in `order` walks through memory.
    pub(crate) fn is_stored_in(&self, order: Order) -> bool {
        self.order == order || self.shape.is_linear()
    }

    /// The elements as they lie in memory, if they are of type `E`, in this
    /// machine's byte order, aligned, and visiting them in `order` walks
    /// through memory. Otherwise read them with [`read`](Self::read).
    #[must_use]
    pub fn as_slice<E: Element>(&self, order: Order) -> Option<&[E]> {
        if E::TYPE != self.element || self.swapped || !self.is_stored_in(order) {
            return None;
        }
        bytemuck::try_cast_slice(self.stored()).ok()
    }

    /// Copies the elements number `start`, `start + 1`, … in `order` to `out`.
    /// The range must lie within the matrix.
    pub fn read<R: Real>(&self, order: Order, start: usize, out: &mut [R]) {
        with_element!(self.element, E => {
            self.visit::<E>(order, start, out.len(), |k, value| out[k] = R::from_element(value));
        });
    }

    /// Copies the elements number `start`, `start + 1`, … in `order` to `out`, in
    /// their own type, which must be `E`, and this machine's byte order. The
    /// range must lie within the matrix.
    pub fn copy<E: Element>(&self, order: Order, start: usize, out: &mut [E]) {
        debug_assert_eq!(E::TYPE, self.element);
        self.visit::<E>(order, start, out.len(), |k, value| out[k] = value);
    }

    /// Which of the elements number `range` in `order`, counted from the first of
    /// these, are a whole number, if they are whole numbers of 64 bits.
    pub(crate) fn places_of(&self, whole: i128, order: Order, range: std::ops::Range<usize>) -> Vec<usize> {
        let mut places = Vec::new();
        let mut see = |k, value: i128| {
            if value == whole {
                places.push(k);
            }
        };
        match self.element {
            ElementType::I64 => {
                self.visit::<i64>(order, range.start, range.len(), |k, value| see(k, value.into()));
            }
            ElementType::U64 => {
                self.visit::<u64>(order, range.start, range.len(), |k, value| see(k, value.into()));
            }
            _ => {}
        }
        places
    }

    /// Whether elements may have more digits than f64.
    #[must_use]
    pub fn is_wide_integer(&self) -> bool {
        matches!(self.element, ElementType::U64 | ElementType::I64)
    }

    /// Copies the elements number `start`, `start + 1`, … in `order` to `out`,
    /// less `shift`, which is taken off whole numbers of 64 bits before they
    /// are rounded; what rounding then takes goes to `rests`, if wanted. Of
    /// other elements `shift` must be 0. The range must lie within the matrix.
    pub fn read_shifted(
        &self,
        order: Order,
        start: usize,
        shift: i128,
        out: &mut [f64],
        mut rests: Option<&mut [f64]>,
    ) {
        if shift == 0 && rests.is_none() {
            return self.read(order, start, out);
        }
        let count = out.len();
        let mut set = |k: usize, value: i128| {
            let difference = Double::whole(value - shift);
            out[k] = difference.value();
            if let Some(rests) = &mut rests {
                rests[k] = difference.rest();
            }
        };
        match self.element {
            ElementType::I64 => self.visit::<i64>(order, start, count, |k, value| set(k, value.into())),
            ElementType::U64 => self.visit::<u64>(order, start, count, |k, value| set(k, value.into())),
            _ => {
                debug_assert_eq!(shift, 0);
                self.read(order, start, out);
                if let Some(rests) = rests {
                    rests.fill(0.0);
                }
            }
        }
    }

    /// The element number `k` in `order` as a whole number, if it is one of 64
    /// bits.
    #[must_use]
    pub fn whole_at(&self, order: Order, k: usize) -> Option<i128> {
        let mut whole = None;
        match self.element {
            ElementType::I64 => self.visit::<i64>(order, k, 1, |_, value| whole = Some(value.into())),
            ElementType::U64 => self.visit::<u64>(order, k, 1, |_, value| whole = Some(value.into())),
            _ => {}
        }
        whole
    }

    /// What is lost when the elements number `range` in `order` are brought
    /// to f32.
    #[must_use]
    pub fn rounding_to_f32(&self, order: Order, range: std::ops::Range<usize>) -> Rounding {
        with_element!(self.element, E => {
            let mut rounding = Rounding::default();
            if !E::EXACT_IN_F32 {
                self.visit::<E>(order, range.start, range.len(), |k, value| {
                    if !value.exact_in_f32() {
                        rounding.rounded += 1;
                        if value.to_f32().is_infinite() && rounding.overflowed.is_none() {
                            rounding.overflowed = Some((range.start + k) as u64);
                        }
                    }
                });
            }
            rounding
        })
    }

    /// The number of elements that are not the same number in f64, once `shift`
    /// was taken off whole numbers of 64 bits.
    #[must_use]
    pub fn rounded_to_f64(&self, shift: i128) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "the question is what is lost"
        )]
        let is_rounded = |value: i128| (value - shift) as f64 as i128 != value - shift;
        match self.element {
            ElementType::U64 => self.count::<u64>(|value| is_rounded(value.into())),
            ElementType::I64 => self.count::<i64>(|value| is_rounded(value.into())),
            _ => 0,
        }
    }

    /// Fails if any element is NaN or infinite, with the number of such
    /// elements and the position of the first, row by row.
    ///
    /// # Errors
    /// [`DataError::NotFinite`].
    pub fn check_finite(&self) -> Result<(), DataError> {
        if !self.element.is_float() {
            return Ok(());
        }
        let count = with_element!(self.element, E => self.count::<E>(|value| !value.to_f64().is_finite()));
        self.check_intact()?;
        if count == 0 {
            return Ok(());
        }
        let mut first = None;
        with_element!(self.element, E => self.visit::<E>(Order::C, 0, self.elements, |k, value| {
            if first.is_none() && !value.to_f64().is_finite() {
                first = Some(k as u64);
            }
        }));
        Err(DataError::NotFinite {
            label: self.label.clone(),
            count,
            n: self.elements as u64,
            position: self.position(first.unwrap_or(0), Order::C),
        })
    }

    /// Bytes all elements take as stored.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.elements as u64 * self.element.size() as u64
    }

    /// From now on a pass gives memory back as it goes: elements are read
    /// from the file (or the system's cache of it) each time they are used.
    ///
    /// `run` is the number of elements that a thread goes through before it
    /// gives their memory back.
    pub(crate) fn stream_or_refuse(&mut self, run: usize) -> Result<(), DataError> {
        if self.path.is_none() {
            return Err(DataError::NotStreamed { label: self.label.clone(), bytes: self.stored_bytes() });
        }
        self.streamed = Some(run);
        Ok(())
    }

    /// Whether passes give memory back as they go.
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        self.streamed.is_some()
    }

    /// Elements that a thread should go through at a time: enough to make
    /// handing out work cheap, few enough to share it evenly, and, if they are
    /// streamed, as many as the memory allows, because giving a little memory
    /// back often costs more than the arithmetic.
    #[must_use]
    pub fn run_elements(&self) -> usize {
        self.streamed.unwrap_or(RESIDENT_RUN_ELEMENTS)
    }

    /// Says that the elements number `range` in `order` are not needed until
    /// the next pass. They stay in memory unless the matrix is streamed.
    pub fn release(&self, order: Order, range: std::ops::Range<usize>) {
        if self.is_streamed() {
            self.give_back(order, range);
        } else if self.is_stored_in(order) {
            self.bytes.was_read(self.places(&range));
        }
    }

    /// Like [`release`](Self::release), streamed or not: for elements that
    /// were copied elsewhere.
    pub fn give_back(&self, order: Order, range: std::ops::Range<usize>) {
        // A visit across the stored order touches pages everywhere.
        let range = if self.is_stored_in(order) { range } else { 0..self.elements };
        self.bytes.release(self.places(&range));
    }

    /// The bytes of a range of elements as they are stored.
    fn places(&self, range: &std::ops::Range<usize>) -> std::ops::Range<usize> {
        let at = |k: usize| self.offset + k * self.element.size();
        at(range.start)..at(range.end)
    }

    /// Fails if the file was changed since it was opened, so that some of the
    /// elements read since may be none of its own, or not of one time; or if
    /// they do not have the checksum that the file has for them.
    ///
    /// # Errors
    /// [`DataError::Shrunk`], [`DataError::Modified`], [`DataError::Replaced`],
    /// [`DataError::Damaged`].
    pub fn check_intact(&self) -> Result<(), DataError> {
        let Some(path) = &self.path else { return Ok(()) };
        match self.bytes.change(path) {
            None => Ok(()),
            Some(Change::Damaged) => Err(DataError::Damaged { label: self.label.clone() }),
            Some(change) => Err(change.error(path)),
        }
    }

    /// Where the element visited as number `k` in `order` is, in words.
    #[must_use]
    pub fn position(&self, k: u64, order: Order) -> String {
        let index: Vec<String> = self.shape.index_of(k, order).iter().map(u64::to_string).collect();
        match index.len() {
            0 => "its only element".to_owned(),
            1 => format!("index {} (counting from 0)", index[0]),
            _ => format!("index ({}) (counting from 0)", index.join(", ")),
        }
    }

    fn stored(&self) -> &[u8] {
        let end = self.offset + self.elements * self.element.size();
        &self.bytes.bytes()[self.offset..end]
    }

    /// Counts the elements for which `is` holds, on all threads.
    fn count<E: Element>(&self, is: impl Fn(E) -> bool + Sync) -> u64 {
        let run = self.run_elements();
        self.stored()
            .par_chunks(run * size_of::<E>())
            .enumerate()
            .map(|(k, chunk)| {
                let one = |value: E| u64::from(is(value));
                let count = match bytemuck::try_cast_slice::<u8, E>(chunk) {
                    Ok(values) if !self.swapped => values.iter().map(|&value| one(value)).sum::<u64>(),
                    _ => chunk.chunks_exact(size_of::<E>()).map(|bytes| one(self.decode(bytes))).sum(),
                };
                let start = k * run;
                self.release(self.order, start..start + chunk.len() / size_of::<E>());
                count
            })
            .sum()
    }

    fn decode<E: Element>(&self, bytes: &[u8]) -> E {
        let value: E = bytemuck::pod_read_unaligned(bytes);
        if self.swapped { value.swap_bytes() } else { value }
    }

    /// Calls `each` with 0, 1, … and the elements number `start`, `start + 1`,
    /// … in `order`, `count` of them.
    fn visit<E: Element>(&self, order: Order, start: usize, count: usize, mut each: impl FnMut(usize, E)) {
        let size = size_of::<E>();
        let stored = self.stored();
        if !self.is_stored_in(order) {
            self.visit_across(order, start, count, |k, at| {
                each(k, self.decode(&stored[at * size..][..size]));
            });
            return;
        }
        let bytes = &stored[start * size..][..count * size];
        match bytemuck::try_cast_slice::<u8, E>(bytes) {
            Ok(values) if !self.swapped => values.iter().enumerate().for_each(|(k, &value)| each(k, value)),
            _ => bytes.chunks_exact(size).enumerate().for_each(|(k, bytes)| each(k, self.decode(bytes))),
        }
    }

    /// Calls `each` with 0, 1, … and the place in memory of the elements
    /// number `start`, `start + 1`, … in an order other than the stored one.
    #[expect(clippy::cast_possible_truncation, reason = "places in a matrix that is in memory fit usize")]
    fn visit_across(&self, order: Order, start: usize, count: usize, mut each: impl FnMut(usize, usize)) {
        let strides = self.shape.strides(self.order);
        let mut index = self.shape.index_of(start as u64, order);
        let mut place: u64 = index.iter().zip(&strides).map(|(i, stride)| i * stride).sum();
        let axes: Vec<usize> = match order {
            Order::C => (0..index.len()).rev().collect(),
            Order::Fortran => (0..index.len()).collect(),
        };
        for k in 0..count {
            each(k, place as usize);
            for &axis in &axes {
                index[axis] += 1;
                place += strides[axis];
                if index[axis] < self.shape.0[axis] {
                    break;
                }
                place -= strides[axis] * self.shape.0[axis];
                index[axis] = 0;
            }
        }
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Array({} {} {})", self.label, self.element, self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fortran_2x3() -> Array {
        // [[1, 2, 3], [4, 5, 6]] stored column by column.
        let mut matrix = Array::from_vec("m", &[2, 3], vec![1f32, 4.0, 2.0, 5.0, 3.0, 6.0]);
        matrix.order = Order::Fortran;
        matrix
    }

    #[test]
    fn reads_across_the_stored_order() {
        let matrix = fortran_2x3();
        let mut rows = [0f64; 6];
        matrix.read(Order::C, 0, &mut rows);
        assert_eq!(rows, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let mut part = [0f64; 3];
        matrix.read(Order::C, 2, &mut part);
        assert_eq!(part, [3.0, 4.0, 5.0]);
        assert!(matrix.as_slice::<f32>(Order::C).is_none());
        assert_eq!(matrix.as_slice::<f32>(Order::Fortran).map(<[f32]>::len), Some(6));
    }

    #[test]
    fn five_dimensions_across_orders() {
        let shape = [2, 3, 1, 4, 2];
        let values: Vec<f64> = (0..48).map(f64::from).collect();
        let c = Array::from_vec("c", &shape, values.clone());
        // Reading a row-major matrix in column-major order and laying the
        // result out as column-major must give the same matrix back.
        let mut columns = vec![0f64; 48];
        c.read(Order::Fortran, 0, &mut columns);
        let mut f = Array::from_vec("f", &shape, columns);
        f.order = Order::Fortran;
        let mut back = vec![0f64; 48];
        f.read(Order::C, 0, &mut back);
        assert_eq!(back, values);
    }

    #[test]
    fn names_the_first_non_finite_element_row_by_row() {
        // [[1, ∞, 3], [NaN, 2, 6]]: column by column, the NaN comes first.
        let mut matrix = Array::from_vec("m", &[2, 3], vec![1f32, f32::NAN, f32::INFINITY, 2.0, 3.0, 6.0]);
        matrix.order = Order::Fortran;
        let text = matrix.check_finite().unwrap_err().to_string();
        assert!(text.contains("2 of 6") && text.contains("(0, 1)"), "{text}");
    }

    #[test]
    fn says_what_f32_cannot_hold() {
        let matrix = Array::from_vec("m", &[4], vec![0.5, 0.1, 1e300, 2.0]);
        let rounding = matrix.rounding_to_f32(Order::C, 0..4);
        assert_eq!(rounding, Rounding { rounded: 2, overflowed: Some(2) });
        let big = Array::from_vec("m", &[2], vec![u64::MAX, 3]);
        assert_eq!((big.rounded_to_f64(0), big.rounded_to_f64(u64::MAX.into())), (1, 1));
        let near = Array::from_vec("m", &[2], vec![i64::MAX, i64::MAX - 2]);
        assert_eq!((near.rounded_to_f64(0), near.rounded_to_f64(i64::MAX.into())), (2, 0));
    }
}
