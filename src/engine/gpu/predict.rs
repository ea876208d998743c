//! Predictions: Y = X·W + b, from X on the device or sent through it.

use super::abi::{Parameters, RunOfWindow, WindowUniform, binding};
use super::buffers::{STORAGE, STORAGE_INPUT, create_buffer, split, storage, uniform};
use super::frames::Frame;
use super::packing::Packing;
use super::plan::{self, PREDICTED_ELEMENTS, Pieces};
use super::readback::{Pending, Staging};
use super::stream::elements_within;
use super::upload::{Column, Uploader};
use super::{Gpu, GpuError, Held};
use crate::engine::{EngineError, Sink, chunks};
use crate::math::Affine;

/// Memory that chunks take turns in.
struct PredictSlot {
    x: Option<wgpu::Buffer>,
    y: wgpu::Buffer,
    staging: Staging,
}

impl Parameters {
    /// W and b that predict from the elements of a run as the device has them.
    fn to_predict(at: Affine, frame: &Frame) -> Self {
        let [weight, bias] =
            [at.weight, frame.bias_to_predict(at.weight, at.bias)].map(|value| [split(value)[0], 0.0]);
        Self { weight, bias, coarse: [0.0; 2], shift: frame.device_shift(), delta: [0.0; 2] }
    }
}

impl Gpu {
    /// Y = X·W + b, chunk by chunk, at the W and b of each fit.
    pub(super) fn predict_all(&mut self, at: &[Affine], sink: Sink<'_>) -> Result<(), EngineError> {
        // Chunks that are sent take turns in two slots of half the size: while
        // the device computes one, the one before is taken and the next is read.
        let slots = if matches!(self.held, Held::Resident(_)) { 1 } else { 2 };
        let most = match self.held {
            Held::Resident(_) => PREDICTED_ELEMENTS as usize,
            // Of X, of Y, and of Y on its way back.
            _ => elements_within(self.memory_bytes, slots, self.inputs.x.size() as u64 + 8)
                .min(PREDICTED_ELEMENTS as usize / slots),
        };
        let most = self.data.len().min(most);
        let packing = self.inputs.x;
        let mut uploader = Uploader::new(Column::X, &self.data, &self.frames, packing);
        let slots: Vec<PredictSlot> = (0..slots).map(|_| self.slot(most)).collect::<Result<_, _>>()?;
        let mut under_way: Option<(&PredictSlot, Pending, usize)> = None;
        let mut take = |(slot, pending, elements): (&PredictSlot, Pending, usize)| {
            let read = |bytes: &[u8]| sink(&bytemuck::cast_slice(bytes)[..elements]);
            slot.staging.finish(&self.device, pending, read)?.map_err(EngineError::Sink)
        };
        for (range, slot) in chunks(0..self.data.len(), most).zip(slots.iter().cycle()) {
            // First: it reads the elements, whose memory sending them gives back.
            let runs = self.frames.runs.within(&range);
            self.frames.find(runs.clone());
            let (x, offset) = match (&self.held, &slot.x) {
                (Held::Resident(resident), _) => {
                    resident.place(range.start, packing).ok_or(EngineError::NoTarget)?
                }
                (_, Some(x)) => {
                    uploader.enqueue(&self.device, x, 0, range.clone())?;
                    (x, 0)
                }
                (_, None) => return Err(EngineError::NoTarget),
            };
            let x_bytes = packing.padded_bytes(range.len());
            let dispatch =
                plan::dispatch(runs.len(), Pieces::PREDICTED, false, &self.tuning, &self.device.limits)
                    .map_err(|reason| self.device.limit(reason))?;
            let groups = packing.groups(x_bytes).min(Packing::F32.groups(slot.y.size()));
            plan::check_buffers(groups, range.len()).map_err(|reason| self.device.limit(reason))?;
            let (mut table, mut points) = (Vec::new(), Vec::<Parameters>::new());
            let mut last = None;
            for (run, frame) in self.frames.over(runs) {
                let key = frame.point_key(run.fit);
                if last != Some(key) {
                    points.push(Parameters::to_predict(at[run.fit as usize], frame));
                    last = Some(key);
                }
                table.push(RunOfWindow::new(run, range.start, points.len() - 1));
            }
            let uniform_of = WindowUniform::new(&dispatch, 0, 0);
            let window = uniform(&self.device, "window", bytemuck::bytes_of(&uniform_of))?;
            let table = storage(&self.device, "runs", bytemuck::cast_slice(&table))?;
            let points = storage(&self.device, "points", bytemuck::cast_slice(&points))?;
            let bindings = self.device.scoped(0, |device, _| {
                use binding::elements::X;
                use binding::predict::{POINTS, Y};
                use binding::window::{RUNS, WINDOW};
                let x = wgpu::BufferBinding { buffer: x, offset, size: std::num::NonZeroU64::new(x_bytes) };
                self.predict.bind(
                    device,
                    &[
                        (X, wgpu::BindingResource::Buffer(x)),
                        (Y, slot.y.as_entire_binding()),
                        (WINDOW, window.as_entire_binding()),
                        (RUNS, table.as_entire_binding()),
                        (POINTS, points.as_entire_binding()),
                    ],
                )
            })?;
            let record = |pass: &mut wgpu::ComputePass<'_>| {
                pass.set_pipeline(&self.predict.pipeline);
                pass.set_bind_group(0, &bindings, &[]);
                let [x, y] = dispatch.workgroups;
                pass.dispatch_workgroups(x, y, 1);
            };
            if slots.len() == 1 {
                under_way.take().map_or(Ok(()), &mut take)?;
            }
            let bytes = Packing::F32.padded_bytes(range.len());
            let pending = slot.staging.submit(&self.device, &slot.y, bytes, record)?;
            under_way.replace((slot, pending, range.len())).map_or(Ok(()), &mut take)?;
        }
        under_way.map_or(Ok(()), &mut take)?;
        // Of data with T, the residual passes tell.
        if matches!(self.held, Held::InputsOnly) {
            self.notices.extend(uploader.notice());
        }
        Ok(())
    }

    /// Room for a chunk; of X only where it isn't there yet.
    fn slot(&self, elements: usize) -> Result<PredictSlot, GpuError> {
        let y_bytes = Packing::F32.padded_bytes(elements);
        let x_bytes = self.inputs.x.padded_bytes(elements);
        let x = match self.held {
            Held::Resident(_) => None,
            _ => Some(create_buffer(&self.device, "x chunk", x_bytes, STORAGE_INPUT)?),
        };
        let y = create_buffer(&self.device, "y", y_bytes, STORAGE)?;
        Ok(PredictSlot { x, y, staging: Staging::new(&self.device, "y staging", y_bytes)? })
    }
}
