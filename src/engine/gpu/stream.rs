use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::device::Device;
use super::kernels::{Quantity, SumsKernel, WindowUniform, binding};
use super::partials::{Partials, Sums};
use super::plan::Dispatch;
use super::upload::{Uploader, Uploaders};
use super::{GpuError, Inputs};
use crate::array::Problem;
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

/// X and T sent through a small part of the device's memory, window by
/// window, in every pass.
pub(super) struct Stream {
    ranges: Vec<Range<usize>>,
    uploaders: Uploaders,
    slots: Vec<Slot>,
    residuals: StreamPass,
    /// Made when it is first asked for.
    moments: Option<StreamPass>,
    data: Problem,
    inputs: Inputs,
    notices: Option<Vec<Notice>>,
}

/// A pass over the windows, whichever slot they are in.
struct StreamPass {
    kernel: SumsKernel,
    bindings: Vec<wgpu::BindGroup>,
    partials: Partials,
}

impl StreamPass {
    fn new(
        device: &Device,
        kernel: SumsKernel,
        longest: usize,
        slots: &[Slot],
        point: &wgpu::Buffer,
    ) -> Result<Self, GpuError> {
        let per_window = u64::from(device.dispatch(longest, &kernel.tuning)?.partials);
        let partials = Partials::new(device, &kernel, per_window * ROUND as u64)?;
        let bindings = slots
            .iter()
            .map(|slot| device.scoped(0, |device, _| slot.bind(device, &kernel, &partials.buffer, point)))
            .collect::<Result<_, _>>()?;
        Ok(Self { kernel, bindings, partials })
    }
}

/// Memory that windows take turns in: x, t, weights, bits and the uniform, one
/// after the other in one buffer.
struct Slot {
    places: Places,
    /// What the host writes to.
    mapped: wgpu::Buffer,
    /// What the kernel reads, unless it reads that.
    resident: Option<wgpu::Buffer>,
    /// The submission that reads it, after which it is mapped again.
    under_way: Option<wgpu::SubmissionIndex>,
    /// Why it could not be mapped.
    unmapped: Arc<Mutex<Option<String>>>,
}

/// Where in a slot's buffer everything is, in bytes; nothing of what there is
/// none of.
#[derive(Clone)]
struct Places {
    x: Range<u64>,
    t: Range<u64>,
    weights: Range<u64>,
    /// A bit for each element, if there are holes.
    validity: Range<u64>,
    uniform: Range<u64>,
}

impl Places {
    fn new(elements: usize, inputs: &Inputs) -> Self {
        let mut end = 0u64;
        let mut next = |bytes: u64| {
            let start = end.next_multiple_of(BINDING_ALIGNMENT);
            end = start + bytes;
            start..end
        };
        Self {
            x: next(inputs.x.packing.padded_bytes(elements)),
            t: next(inputs.t.packing.padded_bytes(elements)),
            weights: next(inputs.weights.map_or(0, |weights| weights.packing.padded_bytes(elements))),
            validity: next(if inputs.has_holes { elements.div_ceil(32) as u64 * 4 } else { 0 }),
            uniform: next(size_of::<WindowUniform>() as u64),
        }
    }

    /// Bytes of the whole buffer.
    fn bytes(&self) -> u64 {
        self.uniform.end
    }

    /// Groups of four elements that there is room for.
    fn groups(&self, inputs: &Inputs) -> u64 {
        let bytes = |place: &Range<u64>| place.end - place.start;
        let (weights, validity) = (bytes(&self.weights), bytes(&self.validity));
        inputs.groups(bytes(&self.x), bytes(&self.t), Some(weights), Some(validity))
    }
}

/// A part of mapped memory, in bytes: `place`, but no more than `bytes` of it.
fn part<'v>(
    view: &'v mut wgpu::BufferViewMut,
    place: &Range<u64>,
    bytes: usize,
) -> wgpu::WriteOnly<'v, [u8]> {
    // A mapping is no longer than memory.
    let start = usize::try_from(place.start).unwrap_or(usize::MAX);
    let end = usize::try_from(place.end).unwrap_or(usize::MAX);
    view.slice(start..end.min(start.saturating_add(bytes)))
}

impl Slot {
    fn new(device: &Device, elements: usize, inputs: &Inputs) -> Result<Self, GpuError> {
        use wgpu::BufferUsages as Usage;
        let places = Places::new(elements, inputs);
        let inputs = Usage::STORAGE | Usage::UNIFORM;
        let maps_inputs = device.maps_inputs;
        let size = places.bytes();
        device.scoped(size, |device, _| {
            let create = |label, usage, mapped_at_creation| {
                device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation })
            };
            let (mapped, resident) = if maps_inputs {
                (create(Some("window"), inputs | Usage::MAP_WRITE, true), None)
            } else {
                let mapped = create(Some("window staging"), Usage::MAP_WRITE | Usage::COPY_SRC, true);
                (mapped, Some(create(Some("window"), inputs | Usage::COPY_DST, false)))
            };
            Self { places, mapped, resident, under_way: None, unmapped: Arc::default() }
        })
    }

    /// What a kernel reads of it, and where it leaves partial sums.
    fn bind(
        &self,
        device: &wgpu::Device,
        kernel: &SumsKernel,
        partials: &wgpu::Buffer,
        point: &wgpu::Buffer,
    ) -> wgpu::BindGroup {
        use binding::inputs::{T, VALIDITY, WEIGHTS, X};
        use binding::sums::{PARTIALS, POINT, WINDOW};
        let (places, buffer) = (&self.places, self.resident.as_ref().unwrap_or(&self.mapped));
        let part = |place: &Range<u64>| {
            let (offset, size) = (place.start, std::num::NonZeroU64::new(place.end - place.start));
            wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size })
        };
        let mut resources = vec![
            (X, part(&places.x)),
            (T, part(&places.t)),
            (PARTIALS, partials.as_entire_binding()),
            (WINDOW, part(&places.uniform)),
            (POINT, point.as_entire_binding()),
        ];
        let optional = [(VALIDITY, &places.validity), (WEIGHTS, &places.weights)];
        let given = optional.into_iter().filter(|(_, place)| !place.is_empty());
        resources.extend(given.map(|(binding, place)| (binding, part(place))));
        kernel.sums.bind(device, &resources)
    }

    /// Waits until its last window was computed, then hands its memory to
    /// `fill`.
    fn fill(
        &mut self,
        device: &Device,
        fill: impl FnOnce(&mut wgpu::BufferViewMut, &Places) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        if let Some(submission) = self.under_way.take() {
            device.wait(submission)?;
        }
        let failed = |reason| GpuError::Refused { adapter: device.adapter(), reason };
        if let Some(reason) = self.unmapped.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(failed(reason).into());
        }
        let mut view = self.mapped.get_mapped_range_mut(..).map_err(|e| failed(e.to_string()))?;
        fill(&mut view, &self.places)
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
                encoder.copy_buffer_to_buffer(&self.mapped, 0, resident, 0, self.places.bytes());
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

/// How many elements of so many bytes to send at a time, for them to take no more
/// than half of the memory: what is read for them takes some too. A power of two,
/// because how elements are spread over windows decides how sums are rounded:
/// not every byte of memory shall change it.
pub(super) fn elements_within(memory_bytes: u64, bytes: u64) -> usize {
    let most = usize::try_from(memory_bytes / 2 / bytes.max(1)).unwrap_or(usize::MAX);
    (1usize << most.max(1).ilog2()).max(LEAST_WINDOW_ELEMENTS)
}

/// Elements of a window, of which several are under way.
fn window_elements(memory_bytes: u64, pair_bytes: u64) -> usize {
    elements_within(memory_bytes / SLOTS as u64, pair_bytes).min(WINDOW_ELEMENTS)
}

impl Stream {
    pub(super) fn new(
        device: &Device,
        residuals: SumsKernel,
        point: &wgpu::Buffer,
        data: &Problem,
        inputs: Inputs,
        memory_bytes: u64,
    ) -> Result<Self, EngineError> {
        let window = window_elements(memory_bytes, inputs.pair_bytes() as u64);
        let ranges: Vec<Range<usize>> = chunks(0..data.len(), window).collect();
        let longest = ranges.first().map_or(0, ExactSizeIterator::len);
        let slots: Vec<Slot> = (0..SLOTS.min(ranges.len()))
            .map(|_| Slot::new(device, longest, &inputs))
            .collect::<Result<_, _>>()?;
        let residuals = StreamPass::new(device, residuals, longest, &slots, point)?;
        Ok(Self {
            ranges,
            uploaders: Uploaders::new(data, &inputs)?,
            slots,
            residuals,
            moments: None,
            data: data.clone(),
            inputs,
            notices: None,
        })
    }

    pub(super) fn has_moments(&self) -> bool {
        self.moments.is_some()
    }

    /// Makes the moments pass ready.
    pub(super) fn add_moments(
        &mut self,
        device: &Device,
        kernel: SumsKernel,
        point: &wgpu::Buffer,
    ) -> Result<(), GpuError> {
        let longest = self.ranges.first().map_or(0, ExactSizeIterator::len);
        self.moments = Some(StreamPass::new(device, kernel, longest, &self.slots, point)?);
        Ok(())
    }

    /// A pass at the point that was set. After the first one it is known what
    /// f32 lost.
    pub(super) fn sums(&mut self, device: &Device, quantity: Quantity) -> Result<Vec<Sums>, EngineError> {
        let mut all = Vec::new();
        for round in 0..self.ranges.len().div_ceil(ROUND) {
            let windows = round * ROUND..self.ranges.len().min((round + 1) * ROUND);
            all.append(&mut self.round(device, quantity, windows)?);
        }
        if self.notices.is_none() {
            self.notices = Some(self.uploaders.notices());
        }
        Ok(all)
    }

    /// What the first pass found out about the data.
    pub(super) fn take_notices(&mut self) -> Vec<Notice> {
        self.notices.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn round(
        &mut self,
        device: &Device,
        quantity: Quantity,
        windows: Range<usize>,
    ) -> Result<Vec<Sums>, EngineError> {
        let pass = match (quantity, &self.moments) {
            (Quantity::Residuals, _) => &self.residuals,
            (Quantity::Moments, moments) => moments.as_ref().ok_or(EngineError::NoTarget)?,
        };
        let mut partial_count = 0;
        for window in windows {
            let range = self.ranges[window].clone();
            let slot = &mut self.slots[window % SLOTS];
            let dispatch = device.dispatch(range.len(), &pass.kernel.tuning)?;
            dispatch
                .check_buffers(slot.places.groups(&self.inputs), partial_count, pass.partials.room)
                .map_err(|reason| device.limit(reason))?;
            let uniform = WindowUniform::new(&dispatch, partial_count, &self.inputs);
            partial_count += dispatch.partials;
            slot.fill(device, |view, places| {
                if let Some(validity) = self.data.validity() {
                    let words: &[u8] = bytemuck::cast_slice(validity.words(&range));
                    part(view, &places.validity, words.len()).copy_from_slice(words);
                }
                let uniform = bytemuck::bytes_of(&uniform);
                part(view, &places.uniform, uniform.len()).copy_from_slice(uniform);
                let mut fill = |uploader: &mut Uploader, place| {
                    uploader.fill(part(view, place, range.len() * uploader.size()), range.clone())
                };
                let Uploaders { x, t, weights } = &mut self.uploaders;
                fill(x, &places.x)?;
                fill(t, &places.t)?;
                weights.as_mut().map_or(Ok(()), |weights| fill(weights, &places.weights))
            })?;
            slot.submit(device, &pass.kernel, &pass.bindings[window % SLOTS], &dispatch)?;
        }
        pass.partials.set_count(device, partial_count)?;
        Ok(pass.partials.add_up(device, |_| {})?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::device::tests::software_adapter;
    use super::super::kernels::Point;
    use super::super::{Precision, STORAGE_INPUT, Tuning, create_buffer};
    use super::*;
    use crate::array::Array;
    use crate::math::Readings;

    /// At W = b = 0, a new buffer holding zeros, and about 0.
    fn stream(device: &Device, data: &Problem) -> Stream {
        let mut inputs = Inputs::of(data, &Readings::default());
        (inputs.x.centre, inputs.t.centre) = (0.0, 0.0);
        let (tuning, quantity) = (Tuning::SOFTWARE, Quantity::Residuals);
        let kernel = SumsKernel::compile(device, &tuning, Precision::Fast, quantity, &inputs).unwrap();
        let point = create_buffer(device, "point", size_of::<Point>() as u64, STORAGE_INPUT).unwrap();
        Stream::new(device, kernel, &point, data, inputs, u64::MAX).unwrap()
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
                for sums in stream.sums(&device, Quantity::Residuals).unwrap() {
                    got.iter_mut().zip(sums).for_each(|(total, part)| *total += part);
                }
                assert_eq!(got, [squares, -sum, -sum], "mapped: {maps_inputs}");
            }
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
            let error = stream.sums(&device, Quantity::Residuals).unwrap_err().to_string();
            assert!(error.contains("1e300") || error.contains("f32"), "{error}");
        }
    }
}
