//! Elements that are decoded to memory in pieces, each of which knows its place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::shown;
use super::{Array, DataError, ElementType, Layout, Order, Shape, Storage};

/// An array in the making, all of it in memory and 0 so far. Its bytes are cut into
/// pieces, which threads fill side by side.
pub(crate) struct Held {
    path: PathBuf,
    element: ElementType,
    /// As wide and as aligned as the widest element.
    words: Box<[u64]>,
    bytes: usize,
}

impl Held {
    /// Room for so many elements of the file `path`; `None` if they take more than
    /// `memory_bytes`, or more than the system gives. The system gives memory when it
    /// is first written to, so that a claim alone takes none.
    pub(crate) fn new(path: &Path, element: ElementType, elements: u64, memory_bytes: u64) -> Option<Self> {
        let bytes = elements.checked_mul(element.size() as u64).filter(|&bytes| bytes <= memory_bytes)?;
        let bytes = usize::try_from(bytes).ok()?;
        let words = bytemuck::allocation::try_zeroed_slice_box(bytes.div_ceil(size_of::<u64>())).ok()?;
        Some(Self { path: path.to_owned(), element, words, bytes })
    }

    /// The bytes of the elements, aligned as these are.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.bytes]
    }

    /// The array, row-major.
    pub(crate) fn finish(self, shape: Shape) -> Result<Array, DataError> {
        let (label, element) = (shown(&self.path).to_string(), self.element);
        Array::new(label, Arc::new(self), Layout::contiguous(shape, element, Order::C))
    }
}

impl Storage for Held {
    fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.bytes]
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_where_they_were_put() {
        let mut held = Held::new(Path::new("x"), ElementType::U16, 5, 10).unwrap();
        let (first, second) = held.bytes_mut().split_at_mut(4);
        second.copy_from_slice(bytemuck::cast_slice(&[3u16, 4, 5]));
        bytemuck::cast_slice_mut(first).copy_from_slice(&[1u16, 2]);
        let array = held.finish(Shape(vec![5])).unwrap();
        assert_eq!(array.as_slice::<u16>(Order::C), Some(&[1, 2, 3, 4, 5][..]));
        assert!(!array.is_spooled());
    }

    #[test]
    fn a_claim_beyond_the_memory_gets_no_room() {
        assert!(Held::new(Path::new("x"), ElementType::U16, 5, 9).is_none());
        assert!(Held::new(Path::new("x"), ElementType::F64, u64::MAX / 4, u64::MAX).is_none());
        assert!(Held::new(Path::new("x"), ElementType::U8, 1 << 60, u64::MAX).is_none());
        assert!(Held::new(Path::new("x"), ElementType::F64, 0, 0).unwrap().bytes_mut().is_empty());
    }
}
