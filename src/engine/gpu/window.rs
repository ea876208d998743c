//! Windows: parts of the data in the device's memory, wherever they come from.

use std::ops::Range;

use super::abi::{Binding, binding};
use super::inputs::Inputs;
use super::kernels::Quantity;
use super::packing::Packing;
use super::pipelines::SumsKernel;
use crate::engine::EngineError;

/// A part of the data in the device's memory.
#[derive(Clone)]
pub(super) struct Window {
    pub(super) range: Range<usize>,
    pub(super) x: Slice,
    pub(super) t: Slice,
    pub(super) weights: Option<Slice>,
    /// A bit for each element, if there are missing values.
    pub(super) validity: Option<Slice>,
}

/// Some bytes of a buffer.
#[derive(Clone)]
pub(super) struct Slice {
    pub(super) buffer: wgpu::Buffer,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

impl Slice {
    /// All of a buffer.
    pub(super) fn whole(buffer: wgpu::Buffer) -> Self {
        let bytes = buffer.size();
        Self { buffer, offset: 0, bytes }
    }

    /// Bytes of this slice, which has as many.
    fn part(&self, offset: u64, bytes: u64) -> Self {
        Self { offset: self.offset + offset, bytes, ..self.clone() }
    }

    pub(super) fn binding(&self) -> wgpu::BindingResource<'_> {
        let (offset, size) = (self.offset, std::num::NonZeroU64::new(self.bytes));
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: &self.buffer, offset, size })
    }
}

impl Window {
    /// Groups of four elements that it holds.
    pub(super) fn groups(&self, inputs: &Inputs) -> u64 {
        let bytes = |slice: &Option<Slice>| slice.as_ref().map(|slice| slice.bytes);
        inputs.groups(self.x.bytes, self.t.bytes, bytes(&self.weights), bytes(&self.validity))
    }

    /// Its bindings to a kernel over elements.
    pub(super) fn resources(&self) -> Vec<(Binding, wgpu::BindingResource<'_>)> {
        use binding::elements::{T, VALIDITY, WEIGHTS, X};
        let optional = [(VALIDITY, self.validity.as_ref()), (WEIGHTS, self.weights.as_ref())];
        let given = optional.into_iter().filter_map(|(binding, slice)| Some((binding, slice?)));
        [(X, &self.x), (T, &self.t)]
            .into_iter()
            .chain(given)
            .map(|(binding, slice)| (binding, slice.binding()))
            .collect()
    }

    /// The part of it within a range of elements, which starts with a chunk;
    /// `None` if there is none.
    pub(super) fn part(&self, range: &Range<usize>, inputs: &Inputs) -> Option<Self> {
        let range = range.start.max(self.range.start)..range.end.min(self.range.end);
        if range.is_empty() {
            return None;
        }
        // A chunk is so long that its bytes and bits start where bindings may.
        let (skipped, len) = (range.start - self.range.start, range.len());
        let part = |slice: &Slice, packing: Packing| {
            slice.part((skipped * packing.size()) as u64, packing.padded_bytes(len))
        };
        let weights = self.weights.as_ref().zip(inputs.weights);
        Some(Self {
            x: part(&self.x, inputs.x.packing),
            t: part(&self.t, inputs.t.packing),
            weights: weights.map(|(slice, passage)| part(slice, passage.packing)),
            validity: self
                .validity
                .as_ref()
                .map(|slice| slice.part(skipped as u64 / 8, len.div_ceil(32) as u64 * 4)),
            range,
        })
    }

    /// Its bindings to a pass that leaves partial sums.
    pub(super) fn bind(
        &self,
        device: &wgpu::Device,
        kernel: &SumsKernel,
        uniform: wgpu::BindingResource<'_>,
        partials: &wgpu::Buffer,
        point: &wgpu::Buffer,
    ) -> wgpu::BindGroup {
        use binding::elements::WINDOW;
        use binding::sums::{PARTIALS, POINT};
        let mut resources = self.resources();
        resources.extend([
            (PARTIALS, partials.as_entire_binding()),
            (WINDOW, uniform),
            (POINT, point.as_entire_binding()),
        ]);
        kernel.sums.bind(device, &resources)
    }
}

/// The passes over the data's windows.
pub(super) struct Passes<P> {
    pub(super) loss_sums: P,
    /// Made when it is first asked for.
    pub(super) moments: Option<P>,
}

impl<P> Passes<P> {
    pub(super) fn of(&self, quantity: Quantity) -> Result<&P, EngineError> {
        match quantity {
            Quantity::LossSums => Ok(&self.loss_sums),
            Quantity::Moments => self.moments.as_ref().ok_or(EngineError::NoTarget),
        }
    }
}
