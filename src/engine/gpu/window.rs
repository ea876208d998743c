//! Windows: parts of the data in the device's memory, wherever they come from.

use std::ops::Range;

use super::abi::{Binding, RunOfWindow, WindowUniform, binding};
use super::inputs::Inputs;
use super::kernels::Quantity;
use super::pipelines::SumsKernel;
use super::plan::Dispatch;
use super::runs::Run;
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

    pub(super) fn binding(&self) -> wgpu::BindingResource<'_> {
        let (offset, size) = (self.offset, std::num::NonZeroU64::new(self.bytes));
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: &self.buffer, offset, size })
    }
}

impl Window {
    /// Groups of four elements that it holds.
    pub(super) fn groups(&self, inputs: Inputs) -> u64 {
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

    /// Its bindings to a pass that leaves partial sums.
    pub(super) fn bind(
        &self,
        device: &wgpu::Device,
        kernel: &SumsKernel,
        tables: &Tables<'_>,
        partials: &wgpu::Buffer,
    ) -> wgpu::BindGroup {
        use binding::sums::{PARTIALS, POINTS};
        use binding::window::{RUNS, WINDOW};
        let mut resources = self.resources();
        resources.extend([
            (PARTIALS, partials.as_entire_binding()),
            (WINDOW, tables.uniform.clone()),
            (RUNS, tables.runs.clone()),
            (POINTS, tables.points.clone()),
        ]);
        kernel.sums.bind(device, &resources)
    }
}

/// The buffers that a dispatch reads beside elements.
pub(super) struct Tables<'b> {
    pub(super) uniform: wgpu::BindingResource<'b>,
    pub(super) runs: wgpu::BindingResource<'b>,
    pub(super) points: wgpu::BindingResource<'b>,
}

impl WindowUniform {
    /// The window of a dispatch over runs from number `first_run` on, whose
    /// partial sums start at number `first_partial`.
    pub(super) fn new(dispatch: &Dispatch, first_run: u32, first_partial: u32) -> Self {
        let Dispatch { pieces, share, .. } = *dispatch;
        Self { first_run, pieces, share, first_partial, zero: 0, unused: 0, more_unused: [0; 2] }
    }
}

impl RunOfWindow {
    /// A run of elements at the one point, in a window that starts with element number
    /// `start`.
    #[expect(clippy::cast_possible_truncation, reason = "no window has 2^31 elements")]
    pub(super) fn of(elements: &Range<usize>, start: usize) -> Self {
        Self { first: (elements.start - start) as u32, elements: elements.len() as u32, point: 0, unused: 0 }
    }

    /// A run of a window that starts with element number `start`.
    #[expect(clippy::cast_possible_truncation, reason = "no window has 2^31 elements")]
    pub(super) fn new(run: Run, start: usize, point: usize) -> Self {
        let elements = run.elements();
        let (first, elements) = ((elements.start - start) as u32, elements.len() as u32);
        Self { first, elements, point: point as u32, unused: 0 }
    }
}

/// The points of a pass: that of each run, by the run's number.
pub(super) trait PointOf: Sync {
    /// Its form in the device's memory.
    type Point: bytemuck::NoUninit + Send;

    fn of(&self, run: usize) -> Self::Point;
}

impl<P: bytemuck::NoUninit + Send, F: Fn(usize) -> P + Sync> PointOf for F {
    type Point = P;

    fn of(&self, run: usize) -> P {
        self(run)
    }
}

/// The passes over the data's windows.
pub(super) struct Passes<P> {
    loss_sums: P,
    /// The others, made when they are first asked for.
    others: Vec<(Quantity, P)>,
}

impl<P> Passes<P> {
    pub(super) fn new(loss_sums: P) -> Self {
        Self { loss_sums, others: Vec::new() }
    }

    /// Whether a pass was made.
    pub(super) fn has(&self, quantity: Quantity) -> bool {
        quantity == Quantity::LossSums || self.others.iter().any(|(of, _)| *of == quantity)
    }

    pub(super) fn add(&mut self, quantity: Quantity, pass: P) {
        self.others.push((quantity, pass));
    }

    pub(super) fn of(&self, quantity: Quantity) -> Result<&P, EngineError> {
        let other = self.others.iter().find(|(of, _)| *of == quantity).map(|(_, pass)| pass);
        let own = (quantity == Quantity::LossSums).then_some(&self.loss_sums);
        own.or(other).ok_or(EngineError::NoTarget)
    }

    pub(super) fn of_mut(&mut self, quantity: Quantity) -> Result<&mut P, EngineError> {
        let other = self.others.iter_mut().find(|(of, _)| *of == quantity).map(|(_, pass)| pass);
        let own = (quantity == Quantity::LossSums).then_some(&mut self.loss_sums);
        own.or(other).ok_or(EngineError::NoTarget)
    }
}
