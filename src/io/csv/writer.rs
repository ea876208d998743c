//! Predictions as text.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use crate::array::nulls::Nulls;
use crate::array::{Array, DataError, ElementType};
use crate::io::output::OutputFile;
use crate::io::results::ArrayWriter;
use crate::with_element;

/// Writes one column of numbers, each with the fewest digits that say which
/// number it is, and an empty field where X is null.
pub(in crate::io) struct Writer {
    file: OutputFile,
    element: ElementType,
    nulls: Option<Arc<Nulls>>,
    rows: usize,
}

impl Writer {
    pub(in crate::io) fn create(
        path: &Path,
        name: &str,
        x: &Array,
        element: ElementType,
    ) -> Result<Self, DataError> {
        let mut file = OutputFile::create(path)?;
        writeln!(file, "{name}").map_err(|e| DataError::write(path, e))?;
        Ok(Self { file, element, nulls: x.nulls().cloned(), rows: 0 })
    }
}

impl ArrayWriter for Writer {
    fn write(&mut self, elements: &[u8]) -> io::Result<()> {
        let Self { file, element, nulls, rows } = self;
        with_element!(*element, E => {
            elements.chunks_exact(size_of::<E>()).try_for_each(|bytes| {
                let is_null = nulls.as_ref().is_some_and(|nulls| nulls.contains(*rows));
                *rows += 1;
                if is_null {
                    // Some programs take an empty line for no row at all.
                    writeln!(file, "\"\"")
                } else {
                    writeln!(file, "{:?}", bytemuck::pod_read_unaligned::<E>(bytes))
                }
            })
        })
    }

    fn finish(self: Box<Self>) -> Result<(), DataError> {
        self.file.finish()
    }
}
