use std::ops::Range;
use std::path::Path;

use super::{DataError, Element};

/// Bytes that arrays are made of: a mapped file, a vector, or the buffer of
/// another library.
///
/// Every array over them shares them, so that a clone or a view of an array
/// copies no elements.
pub trait Storage: Send + Sync {
    /// All of the bytes, the same ones at every call.
    fn bytes(&self) -> &[u8];

    /// The file that the elements come from. Without one they cannot be
    /// streamed.
    fn path(&self) -> Option<&Path> {
        None
    }

    /// Releases the memory of a range that is not needed for now. It can still
    /// be read.
    fn release(&self, _range: Range<usize>) {}

    /// Takes note that a range was read just now, and may be checked while it is
    /// in the cache.
    fn was_read(&self, _range: Range<usize>) {}

    /// Fails if the bytes read so far may not all be those that were opened.
    ///
    /// # Errors
    /// [`DataError::Shrunk`], [`DataError::Modified`], [`DataError::Replaced`],
    /// [`DataError::Damaged`].
    fn check_intact(&self) -> Result<(), DataError> {
        Ok(())
    }

    /// Whether the bytes are in a temporary file.
    fn is_spooled(&self) -> bool {
        false
    }
}

impl<E: Element> Storage for Vec<E> {
    fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(self)
    }
}
