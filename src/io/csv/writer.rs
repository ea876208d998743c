//! Predictions as text.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use crate::array::{Bitmap, DataError, ElementType};
use crate::io::output::OutputFile;
use crate::io::writer::{ArrayWriter, NAME, ResultPlan};
use crate::with_element;

/// Writes one column of numbers, each with the fewest digits that say which
/// number it is, and an empty field where X is null.
pub(in crate::io) struct Writer {
    file: OutputFile,
    element: ElementType,
    valid: Option<Arc<Bitmap>>,
    rows: usize,
}

impl Writer {
    pub(in crate::io) fn create(path: &Path, plan: &ResultPlan<'_>) -> Result<Self, DataError> {
        let mut file = OutputFile::create(path)?;
        writeln!(file, "{NAME}").map_err(|e| DataError::write(path, e))?;
        Ok(Self { file, element: plan.element, valid: plan.metadata.valid().cloned(), rows: 0 })
    }
}

impl ArrayWriter for Writer {
    fn write(&mut self, elements: &[u8]) -> io::Result<()> {
        let Self { file, element, valid, rows } = self;
        with_element!(*element, E => {
            elements.chunks_exact(size_of::<E>()).try_for_each(|bytes| {
                let is_null = valid.as_ref().is_some_and(|valid| !valid.contains(*rows));
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
