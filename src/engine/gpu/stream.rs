use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::GpuError;
use super::abi::{ReweightedPoint, RunOfWindow, WindowUniform};
use super::device::Device;
use super::frames::Frames;
use super::inputs::Inputs;
use super::kernels::Quantity;
use super::partials::{Partials, Sums};
use super::pipelines::SumsKernel;
use super::plan::{self, Dispatch};
use super::upload::{Uploader, Uploaders};
use super::window::{Passes, PointOf, Slice, Tables, Window};
use crate::array::{MemoryPlan, Problem};
use crate::engine::{EngineError, Notice, chunks};

/// The most elements of X, and of T, sent at a time: 4 MiB each.
const WINDOW_ELEMENTS: usize = 1 << 20;

/// The least, however little memory there is.
const LEAST_WINDOW_ELEMENTS: usize = 1 << 16;

/// Windows under way: while one is computed, the next is sent and the one
/// after it read.
const SLOTS: usize = 3;

/// Windows whose partials are added up by one finishing dispatch.
const ROUND: usize = 64;

/// The most that any device wants bindings to be aligned to, in bytes.
const BINDING_ALIGNMENT: u64 = 256;

/// Bytes of the largest points.
const MOST_POINT_BYTES: u64 = size_of::<ReweightedPoint>() as u64;

/// X and T sent through a small part of the device's memory, window by
/// window, in every pass.
pub(super) struct Stream {
    /// Elements of a window.
    window: usize,
    uploaders: Uploaders,
    slots: Vec<Slot>,
    passes: Passes<StreamPass>,
    data: Problem,
    inputs: Inputs,
    frames: Arc<Frames>,
    /// The most runs of a window.
    runs: usize,
    /// True once the notices of what f32 loses were given.
    is_told: bool,
}

/// A pass over the windows, whichever slot they are in.
struct StreamPass {
    kernel: SumsKernel,
    bindings: Vec<wgpu::BindGroup>,
    partials: Partials,
}

impl StreamPass {
    fn new(device: &Device, kernel: SumsKernel, runs: usize, slots: &[Slot]) -> Result<Self, GpuError> {
        let partials = Partials::new(device, &kernel, runs * ROUND)?;
        let bindings = slots
            .iter()
            .map(|slot| {
                device.scoped(0, |device, _| {
                    let tables = Tables {
                        uniform: slot.uniform.binding(),
                        runs: slot.runs.binding(),
                        points: slot.points.binding(),
                    };
                    slot.window.bind(device, &kernel, &tables, &partials.buffer)
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { kernel, bindings, partials })
    }
}

/// Memory that windows take turns in: x, t, weights, validity bits, the uniform,
/// the runs and their points, one after the other in one buffer.
struct Slot {
    /// The slices of the buffer that the kernel reads.
    window: Window,
    uniform: Slice,
    runs: Slice,
    points: Slice,
    /// The buffer that the host writes to.
    mapped: wgpu::Buffer,
    /// The buffer that the kernel reads, unless it is the same.
    resident: Option<wgpu::Buffer>,
    /// The submission that reads it, after which it is mapped again.
    under_way: Option<wgpu::SubmissionIndex>,
    /// The reason why it could not be mapped.
    unmapped: Arc<Mutex<Option<String>>>,
}

/// The mapped memory of a slice, but no more than `bytes` of it.
fn part<'v>(view: &'v mut wgpu::BufferViewMut, slice: &Slice, bytes: usize) -> wgpu::WriteOnly<'v, [u8]> {
    // A mapping is no longer than memory.
    let start = usize::try_from(slice.offset).unwrap_or(usize::MAX);
    let end = usize::try_from(slice.offset + slice.bytes).unwrap_or(usize::MAX);
    view.slice(start..end.min(start.saturating_add(bytes)))
}

impl Slot {
    fn new(device: &Device, elements: usize, runs: usize, inputs: Inputs) -> Result<Self, GpuError> {
        use wgpu::BufferUsages as Usage;
        let mut size = 0u64;
        let mut next = |bytes: u64| {
            let offset = size.next_multiple_of(BINDING_ALIGNMENT);
            size = offset + bytes;
            (offset, bytes)
        };
        let x = next(inputs.x.padded_bytes(elements));
        let t = next(inputs.t.padded_bytes(elements));
        let weights = inputs.weights.map(|weights| next(weights.padded_bytes(elements)));
        let validity = inputs.has_validity.then(|| next(elements.div_ceil(32) as u64 * 4));
        let uniform = next(size_of::<WindowUniform>() as u64);
        let table = next((runs * size_of::<RunOfWindow>()) as u64);
        let points = next(runs as u64 * MOST_POINT_BYTES);
        let usage = Usage::STORAGE | Usage::UNIFORM;
        let maps_inputs = device.maps_inputs;
        device.scoped(size, |device, _| {
            let create = |label, usage, mapped_at_creation| {
                device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation })
            };
            let (mapped, resident) = if maps_inputs {
                (create(Some("window"), usage | Usage::MAP_WRITE, true), None)
            } else {
                let mapped = create(Some("window staging"), Usage::MAP_WRITE | Usage::COPY_SRC, true);
                (mapped, Some(create(Some("window"), usage | Usage::COPY_DST, false)))
            };
            let buffer = resident.as_ref().unwrap_or(&mapped);
            let slice = |(offset, bytes)| Slice { buffer: buffer.clone(), offset, bytes };
            let window = Window {
                range: 0..elements,
                x: slice(x),
                t: slice(t),
                weights: weights.map(slice),
                validity: validity.map(slice),
            };
            let [uniform, runs, points] = [uniform, table, points].map(slice);
            Self {
                window,
                uniform,
                runs,
                points,
                mapped,
                resident,
                under_way: None,
                unmapped: Arc::default(),
            }
        })
    }

    /// Waits until its last window was computed, then hands its memory to
    /// `fill`.
    fn fill(
        &mut self,
        device: &Device,
        fill: impl FnOnce(&mut wgpu::BufferViewMut, &Window, [&Slice; 3]) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        if let Some(submission) = self.under_way.take() {
            device.wait(submission)?;
        }
        let failed = |reason| GpuError::Refused { adapter: device.adapter(), reason };
        if let Some(reason) = self.unmapped.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(failed(reason).into());
        }
        let mut view = self.mapped.get_mapped_range_mut(..).map_err(|e| failed(e.to_string()))?;
        fill(&mut view, &self.window, [&self.uniform, &self.runs, &self.points])
    }

    /// Submits the kernel over what was filled in.
    fn submit(
        &mut self,
        device: &Device,
        kernel: &SumsKernel,
        bindings: &wgpu::BindGroup,
        dispatch: &Dispatch,
    ) -> Result<(), GpuError> {
        self.mapped.unmap();
        let note = Arc::clone(&self.unmapped);
        self.under_way = Some(device.scoped(0, |device, queue| {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            if let Some(resident) = &self.resident {
                encoder.copy_buffer_to_buffer(&self.mapped, 0, resident, 0, self.mapped.size());
            }
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                pass.set_pipeline(&kernel.sums.pipeline);
                pass.set_bind_group(0, bindings, &[]);
                let [x, y] = dispatch.workgroups;
                pass.dispatch_workgroups(x, y, 1);
            }
            encoder.map_buffer_on_submit(&self.mapped, wgpu::MapMode::Write, .., move |mapped| {
                if let Err(error) = mapped {
                    *note.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                }
            });
            queue.submit([encoder.finish()])
        })?);
        Ok(())
    }
}

/// Elements of each of some windows that are sent to the device in turn.
pub(super) fn elements_within(memory_bytes: u64, windows: usize, element_bytes: u64) -> usize {
    MemoryPlan::new(memory_bytes).window_elements(windows, element_bytes).max(LEAST_WINDOW_ELEMENTS)
}

/// Elements of a window of a pass.
fn window_elements(memory_bytes: u64, pair_bytes: u64) -> usize {
    elements_within(memory_bytes, SLOTS, pair_bytes).min(WINDOW_ELEMENTS)
}

impl Stream {
    pub(super) fn new(
        device: &Device,
        loss_sums: SumsKernel,
        data: &Problem,
        inputs: Inputs,
        frames: &Arc<Frames>,
        memory_bytes: u64,
    ) -> Result<Self, EngineError> {
        let window = window_elements(memory_bytes, inputs.pair_bytes() as u64);
        let window = window.min(data.len());
        let runs = frames.runs.most_within(window);
        let slots: Vec<Slot> = (0..SLOTS.min(data.len().div_ceil(window.max(1))))
            .map(|_| Slot::new(device, window, runs, inputs))
            .collect::<Result<_, _>>()?;
        let loss_sums = StreamPass::new(device, loss_sums, runs, &slots)?;
        Ok(Self {
            window,
            runs,
            uploaders: Uploaders::again(data, frames, inputs)?,
            frames: Arc::clone(frames),
            slots,
            passes: Passes::new(loss_sums),
            data: data.clone(),
            inputs,
            is_told: false,
        })
    }

    pub(super) fn has(&self, quantity: Quantity) -> bool {
        self.passes.has(quantity)
    }

    /// Makes another pass ready.
    pub(super) fn add(
        &mut self,
        device: &Device,
        kernel: SumsKernel,
        quantity: Quantity,
    ) -> Result<(), GpuError> {
        self.passes.add(quantity, StreamPass::new(device, kernel, self.runs, &self.slots)?);
        Ok(())
    }

    /// The sums of the runs of a range of elements, which starts with a chunk, at
    /// their points. The first pass over a chunk counts what f32 loses of it.
    pub(super) fn sums(
        &mut self,
        device: &Device,
        quantity: Quantity,
        range: &Range<usize>,
        points: &impl PointOf,
    ) -> Result<Vec<Sums>, EngineError> {
        let mut all = Vec::new();
        let windows: Vec<Range<usize>> = chunks(range.clone(), self.window).collect();
        let round = (self.passes.of(quantity)?.partials.room / self.runs.max(1)).clamp(1, ROUND);
        for windows in windows.chunks(round) {
            all.append(&mut self.round(device, quantity, windows, points)?);
        }
        Ok(all)
    }

    /// The notices of what f32 loses, once passes have been over all elements.
    pub(super) fn take_notices(&mut self) -> Vec<Notice> {
        if self.is_told || !self.uploaders.have_counted_all() {
            return Vec::new();
        }
        self.is_told = true;
        self.uploaders.notices()
    }

    fn round(
        &mut self,
        device: &Device,
        quantity: Quantity,
        windows: &[Range<usize>],
        points: &impl PointOf,
    ) -> Result<Vec<Sums>, EngineError> {
        let pass = self.passes.of(quantity)?;
        let mut done = 0;
        for (window, range) in windows.iter().enumerate() {
            let slot = &mut self.slots[window % SLOTS];
            let runs = self.frames.runs.within(range);
            self.frames.find(runs.clone());
            let dispatch = pass.kernel.dispatch(device, runs.len())?;
            plan::check_buffers(slot.window.groups(self.inputs), range.len())
                .map_err(|reason| device.limit(reason))?;
            if done + runs.len() > pass.partials.room || runs.len() > self.runs {
                return Err(device
                    .limit("a window has more groups of elements than there is room for".to_owned())
                    .into());
            }
            #[expect(clippy::cast_possible_truncation, reason = "there is no room for 2^32")]
            let uniform = WindowUniform::new(&dispatch, 0, done as u32 * pass.kernel.pieces.per_run);
            done += runs.len();
            slot.fill(device, |view, slices, [place, table, of_points]| {
                if let Some((validity, slice)) = self.data.validity().zip(slices.validity.as_ref()) {
                    let words: &[u8] = bytemuck::cast_slice(validity.words(range));
                    part(view, slice, words.len()).copy_from_slice(words);
                }
                let uniform = bytemuck::bytes_of(&uniform);
                part(view, place, uniform.len()).copy_from_slice(uniform);
                let list = self.frames.runs.get(runs.clone()).iter().enumerate();
                let list: Vec<_> = list.map(|(k, &run)| RunOfWindow::new(run, range.start, k)).collect();
                let list: &[u8] = bytemuck::cast_slice(&list);
                part(view, table, list.len()).copy_from_slice(list);
                let points: Vec<_> = runs.map(|k| points.of(k)).collect();
                let points: &[u8] = bytemuck::cast_slice(&points);
                part(view, of_points, points.len()).copy_from_slice(points);
                let mut fill = |uploader: &mut Uploader, slice| {
                    uploader.fill(part(view, slice, range.len() * uploader.size()), range.clone())
                };
                let Uploaders { x, t, weights } = &mut self.uploaders;
                fill(x, &slices.x)?;
                fill(t, &slices.t)?;
                let weights = weights.as_mut().zip(slices.weights.as_ref());
                weights.map_or(Ok(()), |(weights, slice)| fill(weights, slice))
            })?;
            slot.submit(device, &pass.kernel, &pass.bindings[window % SLOTS], &dispatch)?;
        }
        Ok(pass.partials.add_up(device, done, |_| {})?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::abi::Parameters;
    use super::super::device::tests::software_adapter;
    use super::super::kernels::Form;
    use super::super::packing::Proven;
    use super::super::{Precision, Tuning};
    use super::*;
    use crate::array::Array;
    use crate::engine::CHUNK;

    fn stream(device: &Device, data: &Problem) -> Stream {
        let (inputs, frames) = (Inputs::of(data), Frames::of(data));
        let (tuning, quantity, form) =
            (Tuning::SOFTWARE, Quantity::LossSums, Form::of(inputs, true, Proven::default()));
        let kernel = SumsKernel::compile(device, &tuning, Precision::Fast, quantity, form, CHUNK).unwrap();
        Stream::new(device, kernel, data, inputs, &frames, u64::MAX).unwrap()
    }

    /// W = b = 0, and about 0.
    fn zeros(_: usize) -> Parameters {
        Parameters { weight: [0.0; 2], bias: [0.0; 2], coarse: [0.0; 2], shift: [0.0; 2], delta: [0.0; 2] }
    }

    /// Whether the kernel reads what the host wrote or a copy of it, more
    /// windows than slots pass through, again and again, and none is mistaken
    /// for another.
    #[test]
    fn windows_take_turns() {
        let n = 4 * WINDOW_ELEMENTS + 5;
        // Each window has a T of its own: with W = b = 0, Σr = −Σt.
        let t: Vec<i16> = (0..n).map(|k| i16::try_from(k / WINDOW_ELEMENTS).unwrap() + 1).collect();
        let sum: f64 = t.iter().map(|&t| f64::from(t)).sum();
        let squares: f64 = t.iter().map(|&t| f64::from(t * t)).sum();
        let x = Array::from_vec("x", &[n as u64], vec![1i16; n]);
        let data = Problem::pair(x, Array::from_vec("t", &[n as u64], t)).unwrap();
        let opened = Device::open(&software_adapter()).unwrap();
        assert!(opened.maps_inputs, "lavapipe's memory is the host's");
        for maps_inputs in [true, false] {
            let mut device = opened.clone();
            device.maps_inputs = maps_inputs;
            let mut stream = stream(&device, &data);
            assert_eq!(stream.slots.len(), SLOTS);
            for _ in 0..3 {
                let mut got = [0.0; 3];
                for sums in stream.sums(&device, Quantity::LossSums, &(0..data.len()), &zeros).unwrap() {
                    got.iter_mut().zip(sums).for_each(|(total, part)| *total += part);
                }
                assert_eq!(got, [squares, -sum, -sum], "mapped: {maps_inputs}");
            }
        }
    }

    /// Passes over parts that overlap and do not begin with windows, none over
    /// all: what f32 rounds is told once all chunks were passed over, each of them
    /// counted once.
    #[test]
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    fn what_parts_round_is_told_once() {
        let n = WINDOW_ELEMENTS + 3 * CHUNK + 7;
        let column = |label, value: fn(usize) -> f64| {
            Array::from_vec(label, &[n as u64], (0..n).map(value).collect::<Vec<f64>>())
        };
        let x = column("x", |k| (k as f64 * 0.618_034).fract());
        let data = Problem::pair(x, column("t", |k| (k % 3) as f64)).unwrap();
        let device = Device::open(&software_adapter()).unwrap();
        let mut whole = self::stream(&device, &data);
        whole.sums(&device, Quantity::LossSums, &(0..n), &zeros).unwrap();
        let want = whole.take_notices();
        assert!(matches!(&want[..], [Notice::Rounded { label, .. }] if label == "x"), "{want:?}");
        let mut stream = stream(&device, &data);
        let end = n / CHUNK + 1;
        for chunks in [0..2, 1..3, 3..end - 1, 2..4] {
            let range = chunks.start * CHUNK..chunks.end * CHUNK;
            stream.sums(&device, Quantity::LossSums, &range, &zeros).unwrap();
            assert_eq!(stream.take_notices(), [], "{chunks:?}");
        }
        for is_first in [true, false] {
            stream.sums(&device, Quantity::LossSums, &((end - 2) * CHUNK..n), &zeros).unwrap();
            let want = if is_first { &want[..] } else { &[] };
            assert_eq!(stream.take_notices(), want);
        }
    }

    #[test]
    fn windows_are_no_larger_than_the_memory() {
        assert_eq!(window_elements(u64::MAX, 8), WINDOW_ELEMENTS);
        assert_eq!(window_elements(0, 8), LEAST_WINDOW_ELEMENTS);
        for memory in [4 << 20, 16 << 20, 40 << 20] {
            let window = window_elements(memory, 8);
            assert!(
                (SLOTS * window * 8) as u64 <= memory / 2 && window.is_multiple_of(32),
                "{memory} {window}"
            );
            assert!((SLOTS * window * 16) as u64 > memory / 2 || window == WINDOW_ELEMENTS);
        }
    }

    #[test]
    fn a_window_that_cannot_be_read_does_not_stop_the_next_pass() {
        let n = 5 * WINDOW_ELEMENTS;
        let mut t = vec![0f64; n];
        t[3 * WINDOW_ELEMENTS] = 1e300;
        let pair = |label, values| Array::from_vec(label, &[n as u64], values);
        let data = Problem::pair(pair("x", vec![1f64; n]), pair("t", t)).unwrap();
        let device = Device::open(&software_adapter()).unwrap();
        let mut stream = stream(&device, &data);
        for _ in 0..2 {
            let error =
                stream.sums(&device, Quantity::LossSums, &(0..data.len()), &zeros).unwrap_err().to_string();
            assert!(error.contains("1e300") || error.contains("f32"), "{error}");
        }
    }
}
