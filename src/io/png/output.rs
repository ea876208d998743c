//! Grey images of predictions.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ::png::{BitDepth, ColorType, Encoder, EncodingError, StreamWriter};

use super::claim::KIND;
use crate::array::{DataError, ElementType};
use crate::io::output::OutputFile;
use crate::io::writer::{ArrayWriter, ResultPlan};

/// Writes a grey image.
pub(in crate::io) struct Writer {
    image: StreamWriter<'static, Shared>,
    file: Shared,
    depth: BitDepth,
    path: PathBuf,
}

impl Writer {
    pub(in crate::io) fn create(path: &Path, plan: &ResultPlan<'_>) -> Result<Self, DataError> {
        let (path, &ResultPlan { shape, element, .. }) = (path.to_owned(), plan);
        let depth = match element {
            ElementType::U8 => BitDepth::Eight,
            ElementType::U16 => BitDepth::Sixteen,
            _ => {
                let held = &[ElementType::U8, ElementType::U16];
                let numbers = "whole numbers from 0 to 255 or 65,535";
                return Err(DataError::OutputElement { path, kind: KIND, element, numbers, held });
            }
        };
        let extent = |extent: u64| u32::try_from(extent).ok().filter(|&extent| extent <= MOST_EXTENT);
        let size = match shape.0[..] {
            [height, width] => extent(width).zip(extent(height)),
            _ => None,
        };
        let Some((width, height)) = size else {
            return Err(DataError::OutputShape { path, kind: KIND, element, shape: shape.clone() });
        };
        let file = Shared::new(OutputFile::create(&path)?);
        let mut encoder = Encoder::new(file.clone(), width, height);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(depth);
        let image = encoder.write_header().and_then(::png::Writer::into_stream_writer);
        let image = image.map_err(|e| DataError::write(&path, io_error(e)))?;
        Ok(Self { image, file, depth, path })
    }
}

/// The standard's.
const MOST_EXTENT: u32 = (1 << 31) - 1;

impl ArrayWriter for Writer {
    fn write(&mut self, elements: &[u8]) -> io::Result<()> {
        if self.depth == BitDepth::Eight {
            return self.image.write_all(elements);
        }
        let (samples, _) = elements.as_chunks();
        let big_endian: Vec<u8> =
            samples.iter().flat_map(|&bytes| u16::from_ne_bytes(bytes).to_be_bytes()).collect();
        self.image.write_all(&big_endian)
    }

    fn finish(self: Box<Self>) -> Result<(), DataError> {
        let Self { image, file, path, .. } = *self;
        image.finish().map_err(|e| DataError::write(&path, io_error(e)))?;
        file.finish().map_err(|e| DataError::write(&path, e))?.finish()
    }
}

fn io_error(error: EncodingError) -> io::Error {
    match error {
        EncodingError::IoError(e) => e,
        e => io::Error::other(e),
    }
}

/// The file, which the encoder would not give back. It ends the image when it
/// is dropped, and keeps to itself what goes wrong then.
#[derive(Clone)]
struct Shared(Rc<RefCell<(OutputFile, Option<io::Error>)>>);

impl Shared {
    fn new(file: OutputFile) -> Self {
        Self(Rc::new(RefCell::new((file, None))))
    }

    /// The file, of which no one else has a share any more.
    fn finish(self) -> io::Result<OutputFile> {
        let shared = Rc::into_inner(self.0).ok_or_else(|| io::Error::other("the image is not finished"))?;
        match shared.into_inner() {
            (_, Some(error)) => Err(error),
            (file, None) => Ok(file),
        }
    }

    fn with(&self, act: impl FnOnce(&mut OutputFile) -> io::Result<usize>) -> io::Result<usize> {
        let (file, error) = &mut *self.0.borrow_mut();
        let result = act(file);
        if let Err(e) = &result {
            *error = Some(e.kind().into());
        }
        result
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|file| Write::write(file, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with(|file| Write::flush(file).map(|()| 0)).map(drop)
    }
}
