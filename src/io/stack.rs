//! Arrays that are put together to one, decoded one after the other: along a new axis, or
//! along their first one.

use std::path::Path;

use super::metadata::Opened;
use crate::array::spool::Spool;
use crate::array::{Array, Bitmap, DataError, Layout, Order, Shape};
use crate::with_element;

/// Elements copied at a time.
const RUN_ELEMENTS: usize = 1 << 18;

/// The axis along which arrays are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Along {
    /// A new first one: all have one shape.
    NewAxis,
    /// Their first one, of which the extents may differ.
    #[allow(dead_code, reason = "the formats that need it are features")]
    FirstAxis,
}

/// Arrays of one shape and type, one after the other.
pub(super) struct Stack<'a> {
    path: &'a Path,
    key: Option<&'a str>,
    memory_bytes: u64,
    along: Along,
    /// The first one, without its elements' bytes once they are copied.
    first: Option<Opened>,
    /// The elements so far.
    copied: Option<Box<dyn Copied>>,
    count: usize,
    /// The elements and, along their first axis, the rows so far.
    elements: usize,
    rows: u64,
    valid: Bitmap,
}

/// Elements on their way to a stack.
trait Copied {
    fn append(&mut self, array: &Array) -> Result<(), DataError>;

    fn finish(self: Box<Self>, shape: Shape) -> Result<Array, DataError>;
}

impl<E: crate::array::Element> Copied for Spool<E> {
    fn append(&mut self, array: &Array) -> Result<(), DataError> {
        let mut run = vec![E::zeroed(); RUN_ELEMENTS.min(array.len())];
        for start in (0..array.len()).step_by(RUN_ELEMENTS) {
            let run = &mut run[..RUN_ELEMENTS.min(array.len() - start)];
            array.copy(Order::C, start, run);
            Spool::append(self, run)?;
            array.evict(Order::C, start..start + run.len());
        }
        array.check_intact()
    }

    fn finish(self: Box<Self>, shape: Shape) -> Result<Array, DataError> {
        self.finish_as(Layout::contiguous(shape, E::TYPE, Order::C))
    }
}

impl<'a> Stack<'a> {
    /// An array of the file or folder `path`, which takes no more memory than that.
    pub(super) fn new(path: &'a Path, key: Option<&'a str>, memory_bytes: u64, along: Along) -> Self {
        Self {
            path,
            key,
            memory_bytes,
            along,
            first: None,
            copied: None,
            count: 0,
            elements: 0,
            rows: 0,
            valid: Bitmap::default(),
        }
    }

    /// The number of arrays so far.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn push(&mut self, opened: &Opened) -> Result<(), DataError> {
        match &mut self.first {
            Some(first) if self.along == Along::NewAxis => first.with_bands_of(opened, self.count),
            Some(_) => {}
            None => self.first = Some(opened.clone()),
        }
        let Some(first) = &self.first else { return Ok(()) };
        let compared = |shape: &Shape| match self.along {
            Along::NewAxis => shape.0.clone(),
            Along::FirstAxis => shape.0.get(1..).unwrap_or_default().to_vec(),
        };
        let are_alike = compared(first.shape()) == compared(opened.shape());
        if !are_alike || first.element() != opened.element() {
            return Err(DataError::StackedShapes {
                label: opened.label().to_owned(),
                shape: opened.shape().clone(),
                element: opened.element(),
                first: first.label().to_owned(),
                first_shape: first.shape().clone(),
                first_element: first.element(),
            });
        }
        let before = self.elements;
        if let Some(own) = opened.metadata().missing_number()
            && Some(own) != first.metadata().missing_number()
        {
            let mut values = vec![0f64; opened.len()];
            opened.read(Order::C, 0, &mut values);
            let is_missing = |value: f64| value == own || (value.is_nan() && own.is_nan());
            let missing = values.iter().enumerate().filter(|(_, value)| is_missing(**value));
            missing.for_each(|(k, _)| self.valid.exclude(before + k));
        }
        if opened.metadata().has_nulls() {
            let nulls = (0..opened.len()).filter(|&k| opened.metadata().is_null(k));
            nulls.for_each(|k| self.valid.exclude(before + k));
        }
        let path = self.path;
        let copied = self.copied.get_or_insert_with(|| {
            with_element!(opened.element(), E => Box::new(Spool::<E>::new(path, self.memory_bytes)) as Box<dyn Copied>)
        });
        copied.append(opened)?;
        self.count += 1;
        self.elements += opened.len();
        self.rows += opened.shape().0.first().copied().unwrap_or(1);
        Ok(())
    }

    /// The array, with what the file of the first one says.
    pub(super) fn finish(self) -> Result<Opened, DataError> {
        let (Some(first), Some(copied)) = (self.first, self.copied) else {
            return Err(DataError::NoFiles { pattern: self.path.to_owned() });
        };
        let shape = match self.along {
            Along::NewAxis => Shape([&[self.count as u64][..], &first.shape().0].concat()),
            Along::FirstAxis => {
                Shape([&[self.rows][..], first.shape().0.get(1..).unwrap_or_default()].concat())
            }
        };
        let array = copied.finish(shape)?;
        let array = match self.key {
            Some(key) => array.keyed(key),
            None => array,
        };
        Ok(first.with_array(array).with_nulls(self.valid))
    }
}
