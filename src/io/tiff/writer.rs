//! Strips and tiles on their way to a file: rows wait until they are whole blocks, which
//! all cores encode, and blocks are written in their order. The directory stands before
//! them. Where their sizes are known only then, it is written again at the end.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::compression::Compression;
use super::encode::{Encoder, Samples};
use super::output::Output;
use crate::array::spool::Spool;
use crate::array::{Array, DataError, Order, Shape};
use crate::io::output::OutputFile;
use crate::io::writer::ArrayWriter;

/// Bytes of rows that are encoded side by side, for each thread, where memory allows.
const ENCODED_BYTES: u64 = 4 << 20;

/// An image in the making.
pub(super) struct Writer {
    path: PathBuf,
    file: OutputFile,
    image: Output,
    /// Rows of a plane that wait, and the number of those before them.
    waiting: Vec<u8>,
    row: usize,
    /// Rows that are encoded at a time.
    rows_at_once: usize,
    /// Where the blocks so far begin, and their bytes.
    offsets: Vec<u64>,
    counts: Vec<u64>,
    at: u64,
    /// All bands, of pixels that have them side by side.
    bands: Option<Spool<u8>>,
}

impl Writer {
    /// Starts a file of an image, of which no more than so many bytes wait in memory.
    pub(super) fn create(
        path: &Path,
        file: OutputFile,
        image: Output,
        memory_bytes: u64,
    ) -> Result<Self, DataError> {
        let mut file = file;
        let head = image.head().map_err(|e| DataError::write(path, io::Error::other(e.to_string())))?;
        file.write_all(&head).map_err(|e| DataError::write(path, e))?;
        let most = (ENCODED_BYTES * rayon::current_num_threads() as u64).min(memory_bytes);
        let group_rows = image.block_rows();
        let groups =
            usize::try_from(most / (image.row_bytes() * group_rows as u64).max(1)).unwrap_or(1).max(1);
        let is_interleaved = image.samples_in_pixel() > 1;
        Ok(Self {
            path: path.to_owned(),
            file,
            waiting: Vec::new(),
            row: 0,
            rows_at_once: group_rows.saturating_mul(groups),
            offsets: Vec::new(),
            counts: Vec::new(),
            at: head.len() as u64,
            bands: is_interleaved.then(|| Spool::new(path, memory_bytes)),
            image,
        })
    }

    /// Encodes and writes the rows that wait, which are whole blocks.
    fn encode(&mut self) -> io::Result<()> {
        let image = &self.image;
        let (bytes, in_pixel) = (image.element_bytes(), image.samples_in_pixel());
        let pixel_bytes = bytes * in_pixel;
        let [width, height] = image.block();
        let row_bytes = image.width() * pixel_bytes;
        let samples = Samples { bytes, in_pixel, row_bytes: width * pixel_bytes };
        let across = image.width().div_ceil(width);
        let rows = self.waiting.len() / row_bytes.max(1);
        let waiting = &self.waiting;
        let block = |k: usize| {
            let (left, top) = (k % across * width, k / across * height);
            let (columns, rows) = (width.min(image.width() - left), height.min(rows - top));
            // Tiles have all their rows, strips only those that the image has.
            let mut block = vec![0; samples.row_bytes * if image.has_tiles() { height } else { rows }];
            for (k, to) in block.chunks_exact_mut(samples.row_bytes).take(rows).enumerate() {
                let start = (top + k) * row_bytes + left * pixel_bytes;
                to[..columns * pixel_bytes].copy_from_slice(&waiting[start..start + columns * pixel_bytes]);
            }
            block
        };
        let encoded: Vec<io::Result<Vec<u8>>> = (0..across * rows.div_ceil(height))
            .into_par_iter()
            .map_init(Encoder::default, |encoder, k| {
                encoder.encode(block(k), samples, image.compression(), image.predictor())
            })
            .collect();
        for bytes in encoded {
            let bytes = bytes?;
            self.file.write_all(&bytes)?;
            self.offsets.push(self.at);
            self.counts.push(bytes.len() as u64);
            self.at += bytes.len() as u64;
        }
        self.row += rows;
        if self.row == self.image.height() {
            self.row = 0;
        }
        self.waiting.clear();
        Ok(())
    }

    /// Takes bytes of rows, of one plane after another.
    fn take(&mut self, mut elements: &[u8]) -> io::Result<()> {
        let row_bytes = self.image.width() * self.image.element_bytes() * self.image.samples_in_pixel();
        while !elements.is_empty() {
            let rows = self.rows_at_once.min(self.image.height() - self.row);
            let missing = (rows * row_bytes - self.waiting.len()).min(elements.len());
            let (now, later) = elements.split_at(missing);
            self.waiting.extend_from_slice(now);
            elements = later;
            if self.waiting.len() == rows * row_bytes {
                self.encode()?;
            }
        }
        Ok(())
    }

    /// Takes pixels whose bands lie in planes.
    fn interleave(&mut self, bands: &Array) -> io::Result<()> {
        let (bytes, count) = (self.image.element_bytes(), self.image.samples_in_pixel());
        let row_bytes = self.image.width() * bytes;
        let plane = row_bytes * self.image.height();
        let all = bands.as_slice::<u8>(Order::C).ok_or_else(|| io::Error::other("bands are bytes"))?;
        let mut row = vec![0; row_bytes * count];
        for number in 0..self.image.height() {
            for band in 0..count {
                let start = band * plane + number * row_bytes;
                let samples = all[start..start + row_bytes].chunks_exact(bytes);
                for (pixel, sample) in row.chunks_exact_mut(bytes * count).zip(samples) {
                    pixel[band * bytes..(band + 1) * bytes].copy_from_slice(sample);
                }
            }
            self.take(&row)?;
        }
        Ok(())
    }
}

impl ArrayWriter for Writer {
    fn write(&mut self, elements: &[u8]) -> io::Result<()> {
        match &mut self.bands {
            Some(bands) => bands.append(elements).map_err(|e| io::Error::other(e.to_string())),
            None => self.take(elements),
        }
    }

    fn finish(mut self: Box<Self>) -> Result<(), DataError> {
        let path = self.path.clone();
        let failed = |e| DataError::write(&path, e);
        if let Some(bands) = self.bands.take() {
            let elements = self.image.element_bytes() * self.image.samples_in_pixel();
            let bytes = elements as u64 * self.image.width() as u64 * self.image.height() as u64;
            let bands = bands.finish(Shape(vec![bytes]))?;
            self.interleave(&bands).map_err(failed)?;
        }
        let Self { mut file, image, offsets, counts, .. } = *self;
        if image.compression() != Compression::None {
            let head = image.head_of(&offsets, &counts);
            let head = head.map_err(|e| failed(io::Error::other(e.to_string())))?;
            file.rewrite_start(&head).map_err(failed)?;
        }
        file.finish()
    }
}
