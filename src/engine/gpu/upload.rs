use std::ops::Range;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use super::device::Device;
use super::frames::{Frame, Frames};
use super::inputs::Inputs;
use super::packing::Packing;
use super::passage::Passage;
use crate::array::parallel;
use crate::array::{Array, DataError, ElementType, Order, Problem, Rounding, Validity, with_element};
use crate::engine::{CHUNK, EngineError, Notice, targets};

/// Elements sent to the device at a time: 16 MiB.
const UPLOAD_ELEMENTS: usize = 1 << 22;

/// Elements a thread converts at a time: those of a chunk.
const CONVERT_ELEMENTS: usize = CHUNK;

/// The arrays of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    X,
    T,
    Weights,
}

impl Column {
    /// The array; X, which is always there, in the place of one that is not.
    fn of(self, data: &Problem) -> &Array {
        let given = match self {
            Self::X => None,
            Self::T => data.t(),
            Self::Weights => data.weights(),
        };
        given.unwrap_or(data.x())
    }
}

/// Brings an array to the device, range by range, as it is or as f32, and counts
/// what the conversion lost, of each chunk once.
pub(super) struct Uploader {
    column: Column,
    data: Problem,
    frames: Arc<Frames>,
    packing: Packing,
    rounded: u64,
    /// The chunks that are uploaded again and again and were counted; none of an
    /// array that is uploaded once.
    counted: Vec<bool>,
    scratch: Vec<u32>,
}

impl Uploader {
    pub(super) fn new(column: Column, data: &Problem, frames: &Arc<Frames>, packing: Packing) -> Self {
        let (data, frames) = (data.clone(), Arc::clone(frames));
        Self { column, data, frames, packing, rounded: 0, counted: Vec::new(), scratch: Vec::new() }
    }

    fn matrix(&self) -> &Array {
        self.column.of(&self.data)
    }

    /// Bytes of an element on the device.
    pub(super) fn size(&self) -> usize {
        self.packing.size()
    }

    /// Fills a new buffer with the elements of `range`.
    pub(super) fn buffer(
        &mut self,
        device: &Device,
        label: &str,
        range: Range<usize>,
        needed_bytes: u64,
    ) -> Result<wgpu::Buffer, EngineError> {
        let size = self.packing.padded_bytes(range.len());
        let buffer = device.scoped(needed_bytes, |device, _| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        self.write(device, &buffer, range)?;
        Ok(buffer)
    }

    /// Writes the elements of `range` to the start of a buffer.
    pub(super) fn write(
        &mut self,
        device: &Device,
        buffer: &wgpu::Buffer,
        range: Range<usize>,
    ) -> Result<(), EngineError> {
        for part in range.clone().step_by(UPLOAD_ELEMENTS) {
            let part = part..range.end.min(part + UPLOAD_ELEMENTS);
            let offset = ((part.start - range.start) * self.packing.size()) as u64;
            self.enqueue(device, buffer, offset, part)?;
            // The queue keeps a copy of what is written until it has been
            // submitted and waited for.
            let submission = device.scoped(0, |_, queue| queue.submit([]))?;
            device.wait(submission)?;
        }
        Ok(())
    }

    /// Hands the elements of `range` to the queue, which writes them to the
    /// buffer, from byte `offset` on, ahead of the next submission.
    pub(super) fn enqueue(
        &mut self,
        device: &Device,
        buffer: &wgpu::Buffer,
        offset: u64,
        range: Range<usize>,
    ) -> Result<(), EngineError> {
        let write = |bytes: &[u8]| {
            // The queue takes whole words; the last one is filled up.
            let (words, rest) = bytes.split_at(bytes.len() & !3);
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            device.scoped(0, |_, queue| {
                queue.write_buffer(buffer, offset, words);
                if !rest.is_empty() {
                    queue.write_buffer(buffer, offset + words.len() as u64, &last);
                }
            })
        };
        let size = self.packing.size();
        if let Some(bytes) = self.in_place() {
            write(&bytes[range.start * size..range.end * size])?;
            return self.done(range, &[]);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let conversion = self.conversion();
        scratch.resize((range.len() * size).div_ceil(4), 0);
        let bytes: &mut [u8] = &mut bytemuck::cast_slice_mut(&mut scratch)[..range.len() * size];
        let chunks = bytes.chunks_mut(CONVERT_ELEMENTS * size).enumerate();
        let lost = Mutex::new(vec![Rounding::default(); range.len().div_ceil(CONVERT_ELEMENTS)]);
        parallel::for_each(chunks, |(k, out)| {
            let rounding = conversion.run(range.start + k * CONVERT_ELEMENTS, out);
            lost.lock().unwrap_or_else(PoisonError::into_inner)[k] = rounding;
        });
        let lost = lost.into_inner().unwrap_or_else(PoisonError::into_inner);
        let written = self.done(range, &lost).and_then(|()| Ok(write(bytes)?));
        self.scratch = scratch;
        written
    }

    /// Writes the elements of `range` to mapped memory of that length, on all
    /// cores.
    pub(super) fn fill(
        &mut self,
        memory: wgpu::WriteOnly<'_, [u8]>,
        range: Range<usize>,
    ) -> Result<(), EngineError> {
        const CHUNK_BYTES: usize = CONVERT_ELEMENTS * size_of::<f32>();
        let (size, values, conversion) = (self.packing.size(), self.in_place(), self.conversion());
        let write = |k: usize, mut out: wgpu::WriteOnly<'_, [u8]>| {
            let start = range.start + k * (CHUNK_BYTES / size);
            if let Some(values) = values {
                out.copy_from_slice(&values[start * size..][..out.len()]);
                return Rounding::default();
            }
            let mut scratch = vec![0u32; out.len().div_ceil(4)];
            let bytes: &mut [u8] = &mut bytemuck::cast_slice_mut(&mut scratch)[..out.len()];
            let lost = conversion.run(start, bytes);
            out.copy_from_slice(bytes);
            lost
        };
        let (chunks, rest) = memory.into_chunks::<CHUNK_BYTES>();
        // The memory as a whole cannot go to another thread; its parts can.
        let chunks: Vec<_> = chunks.into_iter().collect();
        let mut lost = vec![Rounding::default(); chunks.len()];
        lost.push(write(chunks.len(), rest));
        let lost = Mutex::new(lost);
        parallel::for_each(chunks.into_iter().enumerate(), |(k, chunk)| {
            let rounding = write(k, chunk.into());
            lost.lock().unwrap_or_else(PoisonError::into_inner)[k] = rounding;
        });
        self.done(range, &lost.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// The elements as they lie in memory, if that is how the device wants
    /// them.
    fn in_place(&self) -> Option<&[u8]> {
        let (matrix, order) = (self.matrix(), self.data.order());
        if self.packing == Packing::F32 {
            // Weights may have to be scaled.
            let is_plain = self.column != Column::Weights || self.frames.weights_are_plain();
            return matrix.as_slice::<f32>(order).filter(|_| is_plain).map(bytemuck::cast_slice);
        }
        with_element!(matrix.element(), E => matrix.as_slice::<E>(order).map(bytemuck::cast_slice))
    }

    fn conversion(&self) -> Conversion<'_> {
        let (matrix, order, validity) = (self.matrix(), self.data.order(), self.data.validity());
        let (column, packing, frames) = (self.column, self.packing, &*self.frames);
        Conversion { matrix, column, order, validity, packing, frames }
    }

    /// The first shift other than 0 that the host took off elements, or 0.
    fn host_shift(&self) -> f64 {
        let shift = |k: usize| match (self.column, self.frames.get(k)) {
            (Column::X, frame) => frame.x.host_shift().value(),
            (Column::T, frame) => frame.t.host_shift().value(),
            (Column::Weights, _) => 0.0,
        };
        (0..self.frames.runs.len()).map(shift).find(|&shift| shift != 0.0).unwrap_or_default()
    }

    /// Counts what was lost, and gives back the mapped memory that elements
    /// came from: they are elsewhere now.
    fn done(&mut self, range: Range<usize>, lost: &[Rounding]) -> Result<(), EngineError> {
        if let Some(k) = lost.iter().find_map(|rounding| rounding.overflowed) {
            let (matrix, order, mut value) = (self.matrix(), self.data.order(), [0f64]);
            matrix.read(order, usize::try_from(k).unwrap_or(usize::MAX), &mut value);
            let (label, position) = (matrix.label().to_owned(), matrix.position(k, order));
            return Err(DataError::BeyondF32 { label, position, value: value[0] }.into());
        }
        for (chunk, rounding) in (range.start / CONVERT_ELEMENTS..).zip(lost) {
            if self.counted.get(chunk) != Some(&true) {
                self.rounded += rounding.rounded;
            }
        }
        if !self.counted.is_empty() {
            self.counted[range.start / CONVERT_ELEMENTS..range.end.div_ceil(CONVERT_ELEMENTS)].fill(true);
        }
        self.matrix().evict(self.data.order(), range);
        Ok(self.matrix().check_intact()?)
    }

    /// A notice, if elements uploaded so far were rounded.
    pub(super) fn notice(&self) -> Option<Notice> {
        (self.rounded > 0).then(|| Notice::Rounded {
            label: self.matrix().label().to_owned(),
            from: self.matrix().element(),
            to: ElementType::F32,
            shift: self.host_shift(),
            count: self.rounded,
            n: self.matrix().len() as u64,
        })
    }
}

/// One for each of X, T and the weights.
pub(super) struct Uploaders {
    pub(super) x: Uploader,
    pub(super) t: Uploader,
    pub(super) weights: Option<Uploader>,
}

impl Uploaders {
    pub(super) fn new(data: &Problem, frames: &Arc<Frames>, inputs: Inputs) -> Result<Self, EngineError> {
        targets(data)?;
        let of = |column, packing| Uploader::new(column, data, frames, packing);
        Ok(Self {
            x: of(Column::X, inputs.x),
            t: of(Column::T, inputs.t),
            weights: inputs.weights.map(|packing| of(Column::Weights, packing)),
        })
    }

    /// Uploaders of ranges that start with a chunk, again and again.
    pub(super) fn again(data: &Problem, frames: &Arc<Frames>, inputs: Inputs) -> Result<Self, EngineError> {
        let mut uploaders = Self::new(data, frames, inputs)?;
        let none = vec![false; data.len().div_ceil(CONVERT_ELEMENTS)];
        uploaders.all().for_each(|uploader| uploader.counted.clone_from(&none));
        Ok(uploaders)
    }

    /// Whether every chunk was counted.
    pub(super) fn have_counted_all(&mut self) -> bool {
        self.all().all(|uploader| !uploader.counted.contains(&false))
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Uploader> {
        [Some(&mut self.x), Some(&mut self.t), self.weights.as_mut()].into_iter().flatten()
    }

    /// Notices about the elements uploaded so far.
    pub(super) fn notices(&self) -> Vec<Notice> {
        [Some(&self.x), Some(&self.t), self.weights.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(Uploader::notice)
            .collect()
    }
}

/// Elements on their way to how the device has them.
#[derive(Clone, Copy)]
struct Conversion<'m> {
    matrix: &'m Array,
    column: Column,
    order: Order,
    validity: Option<&'m Validity>,
    packing: Packing,
    frames: &'m Frames,
}

impl Conversion<'_> {
    /// The elements from number `start` on, as many as `out` has room for, and
    /// what was lost of them.
    fn run(self, start: usize, out: &mut [u8]) -> Rounding {
        if self.packing == Packing::F32 {
            return self.to_f32(start, bytemuck::cast_slice_mut(out));
        }
        let (matrix, order) = (self.matrix, self.order);
        with_element!(matrix.element(), E => matrix.copy::<E>(order, start, bytemuck::cast_slice_mut(out)));
        Rounding::default()
    }

    /// Each run by its own passage.
    fn to_f32(self, start: usize, out: &mut [f32]) -> Rounding {
        let (end, mut start, mut out) = (start + out.len(), start, out);
        let mut rounding = Rounding::default();
        let mut k = self.frames.runs.first_from(start);
        while start < end {
            let run = self.frames.runs.get(k..k + 1)[0].elements();
            let (own, rest) = out.split_at_mut(run.end.min(end) - start);
            let lost = self.run_to_f32(self.frames.get(k), start, own);
            rounding.rounded += lost.rounded;
            rounding.overflowed = rounding.overflowed.or(lost.overflowed);
            (start, out, k) = (run.end, rest, k + 1);
        }
        rounding
    }

    /// The loss is counted of valid elements only: those that are excluded may be
    /// beyond the range of f32.
    fn run_to_f32(self, frame: &Frame, start: usize, out: &mut [f32]) -> Rounding {
        let (matrix, order) = (self.matrix, self.order);
        let range = start..start + out.len();
        let (passage, scale) = match self.column {
            Column::X => (frame.x, 1.0),
            Column::T => (frame.t, 1.0),
            Column::Weights => (Passage::default(), frame.weight_scale()),
        };
        let is_plain = passage.is_plain() && scale == 1.0;
        if is_plain && self.validity.is_none_or(|validity| validity.contains_all(&range)) {
            matrix.read(order, start, out);
            return matrix.rounding_to_f32(order, range);
        }
        let mut exact = vec![0f64; out.len()];
        matrix.read_shifted(order, start, passage.whole, &mut exact, None);
        let mut rounding = Rounding::default();
        for (k, (out, exact)) in range.zip(out.iter_mut().zip(exact)) {
            if self.validity.is_some_and(|validity| !validity.contains(k)) {
                *out = 0.0;
                continue;
            }
            let exact = (exact - passage.fraction) * scale;
            *out = to_nearest(exact);
            if (f64::from(*out) - exact).abs() > 0.0 {
                rounding.rounded += 1;
                if out.is_infinite() {
                    rounding.overflowed.get_or_insert(k as u64);
                }
            }
        }
        rounding
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounding is the meaning")]
fn to_nearest(value: f64) -> f32 {
    value as f32
}
