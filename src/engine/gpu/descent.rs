use super::device::Device;
use super::kernels::{
    DescentUniform, HistoryHead, HistoryRow, Kernel, WindowUniform, binding, compile_descend, compile_update,
};
use super::plan;
use super::upload::Staging;
use super::{Gpu, GpuError, Held, Resident, STORAGE, create_buffer, finished, split};
use crate::engine::{DescentRule, DeviceDescent, EngineError, Evaluated, Onward};
use crate::math::{Affine, Evaluation};

/// Rows that the history buffer holds: evaluations in one submission.
const HISTORY_ROWS: u32 = 1024;

/// What takes steps on the device.
pub(super) struct Descent {
    way: Way,
    uniform: wgpu::Buffer,
    bindings: wgpu::BindGroup,
    history: wgpu::Buffer,
    staging: Staging,
    /// What the uniform holds for every rule.
    partials: Partials,
    /// Updates made since the start.
    step: u32,
}

/// How a step is dispatched.
enum Way {
    /// Few elements: one workgroup takes up to `most_steps` in a dispatch.
    Alone { descend: Kernel, most_steps: u32 },
    /// The dispatches of a pass, then one that updates.
    Dispatched { update: Kernel },
}

/// What a step finds when it adds up partials.
#[derive(Clone, Copy)]
struct Partials {
    count: u32,
    /// 2⁻ᵏ, with 2ᵏ at least `count`: sums of so scaled partials stay in range.
    scale: f32,
    /// 1 / (N·scale).
    mean: [f32; 2],
}

impl Partials {
    fn new(count: u32, elements: usize) -> Self {
        // A power of two up to 2³¹; f32 holds it and its reciprocal.
        let scale = 1.0 / f64::from(count.checked_next_power_of_two().unwrap_or(1 << 31));
        #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
        let mean = split(1.0 / (elements as f64 * scale));
        Self { count, scale: split(scale)[0], mean }
    }
}

impl Descent {
    fn new(gpu: &Gpu<'_>, resident: &Resident) -> Result<Self, EngineError> {
        let device = &gpu.device;
        let row_bytes = size_of::<HistoryRow>() as u64;
        let history_bytes = size_of::<HistoryHead>() as u64 + u64::from(HISTORY_ROWS) * row_bytes;
        let usage = STORAGE | wgpu::BufferUsages::COPY_DST;
        let history = create_buffer(device, "history", history_bytes, usage)?;
        let uniform = gpu.uniform("descent", &[0; size_of::<DescentUniform>()])?;
        let n = gpu.data.len();
        let (way, bindings, count) = match plan::alone(n, &gpu.tuning, &device.limits) {
            Some((dispatch, most_steps)) if resident.windows.len() == 1 => {
                let window = WindowUniform::new(n, &dispatch, 0);
                let window = gpu.uniform("window", bytemuck::bytes_of(&window))?;
                let (kernel, bindings) = device.scoped(0, |device, _| {
                    use binding::descend::{DESCENT, HISTORY, PARAMETERS, T, WINDOW, X};
                    let kernel = compile_descend(device, &gpu.tuning);
                    let bindings = kernel.bind(
                        device,
                        &[
                            (X, resident.windows[0].x.as_entire_binding()),
                            (T, resident.windows[0].t.as_entire_binding()),
                            (HISTORY, history.as_entire_binding()),
                            (WINDOW, window.as_entire_binding()),
                            (PARAMETERS, gpu.parameters.as_entire_binding()),
                            (DESCENT, uniform.as_entire_binding()),
                        ],
                    );
                    (kernel, bindings)
                })?;
                (Way::Alone { descend: kernel, most_steps }, bindings, dispatch.invocations)
            }
            _ => {
                let (kernel, bindings) = device.scoped(0, |device, _| {
                    use binding::update::{DESCENT, HISTORY, PARAMETERS, PARTIALS};
                    let kernel = compile_update(device);
                    let bindings = kernel.bind(
                        device,
                        &[
                            (PARTIALS, resident.partials.as_entire_binding()),
                            (HISTORY, history.as_entire_binding()),
                            (PARAMETERS, gpu.parameters.as_entire_binding()),
                            (DESCENT, uniform.as_entire_binding()),
                        ],
                    );
                    (kernel, bindings)
                })?;
                (Way::Dispatched { update: kernel }, bindings, resident.partial_count)
            }
        };
        let staging = Staging::new(device, "history staging", history_bytes)?;
        let partials = Partials::new(count, n);
        Ok(Self { way, uniform, bindings, history, staging, partials, step: 0 })
    }

    /// Starts over with a rule.
    fn begin(&mut self, device: &Device, rule: &DescentRule) -> Result<(), GpuError> {
        self.step = 0;
        let uniform = DescentUniform {
            mean: self.partials.mean,
            rate: split(-rule.learning_rate),
            tolerance: split(rule.tolerance),
            partial_scale: self.partials.scale,
            partial_count: self.partials.count,
            has_tolerance: u32::from(rule.tolerance > 0.0),
            zero: 0,
            most_steps: match self.way {
                Way::Alone { most_steps, .. } => most_steps,
                Way::Dispatched { .. } => 1,
            },
            unused: 0,
        };
        device.scoped(0, |_, queue| queue.write_buffer(&self.uniform, 0, bytemuck::bytes_of(&uniform)))
    }

    /// Records `count` evaluations, each with its update.
    fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        count: u32,
        sums: impl Fn(&mut wgpu::ComputePass<'_>),
    ) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        match &self.way {
            Way::Alone { descend, most_steps } => {
                pass.set_pipeline(&descend.pipeline);
                pass.set_bind_group(0, &self.bindings, &[]);
                for _ in 0..count.div_ceil(*most_steps) {
                    pass.dispatch_workgroups(1, 1, 1);
                }
            }
            Way::Dispatched { update } => {
                for _ in 0..count {
                    sums(&mut pass);
                    pass.set_pipeline(&update.pipeline);
                    pass.set_bind_group(0, &self.bindings, &[]);
                    pass.dispatch_workgroups(1, 1, 1);
                }
            }
        }
    }
}

impl DeviceDescent for Gpu<'_> {
    fn begin(&mut self, rule: &DescentRule) -> Result<(), EngineError> {
        let Held::Resident(resident) = &self.held else { return Err(EngineError::NoTarget) };
        let mut descent = match self.descent.take() {
            Some(descent) => descent,
            None => Descent::new(self, resident)?,
        };
        descent.begin(&self.device, rule)?;
        self.descent = Some(descent);
        Ok(self.set_parameters(rule.start)?)
    }

    fn advance(&mut self, evaluations: u32) -> Result<Vec<Evaluated>, EngineError> {
        let (Held::Resident(resident), Some(descent)) = (&self.held, &mut self.descent) else {
            return Err(EngineError::Stalled);
        };
        let wanted = evaluations.clamp(1, HISTORY_ROWS);
        let head = HistoryHead { wanted, count: 0, stopped: 0, step: descent.step };
        self.device
            .scoped(0, |_, queue| queue.write_buffer(&descent.history, 0, bytemuck::bytes_of(&head)))?;
        let bytes = (size_of::<HistoryHead>() + wanted as usize * size_of::<HistoryRow>()) as u64;
        let record = |encoder: &mut wgpu::CommandEncoder| {
            descent.record(encoder, wanted, |pass| resident.dispatch_sums(pass, &self.kernels));
        };
        let read = |bytes: &[u8]| History::read(bytes);
        let history = descent.staging.run(&self.device, &descent.history, bytes, record, read)?;
        if !history.follows(&head) {
            let reason = format!("of {wanted} steps it took {}", history.head.count);
            return Err(GpuError::Readback { adapter: self.device.adapter(), reason }.into());
        }
        descent.step = history.head.step;
        Ok(history.rows.iter().map(evaluated).collect())
    }

    fn elements(&self) -> u64 {
        self.data.len() as u64
    }
}

/// What a submission left.
struct History {
    head: HistoryHead,
    rows: Vec<HistoryRow>,
}

impl History {
    fn read(bytes: &[u8]) -> Self {
        let (head, rows) = bytes.split_at(size_of::<HistoryHead>());
        let head: HistoryHead = bytemuck::pod_read_unaligned(head);
        let rows = rows.chunks_exact(size_of::<HistoryRow>()).take(head.count as usize);
        Self { head, rows: rows.map(bytemuck::pod_read_unaligned).collect() }
    }

    /// Whether this is what was asked for: that many rows, or fewer if the
    /// last one ends the descent, one for each step. Drivers have been seen to
    /// end long loops early, without a word.
    fn follows(&self, asked: &HistoryHead) -> bool {
        let complete = self.head.count == asked.wanted || self.head.stopped != 0;
        let in_order = (0..).zip(&self.rows).all(|(k, row)| row.step == asked.step.wrapping_add(k));
        !self.rows.is_empty() && complete && in_order
    }
}

/// `ONWARD` and `TOLERANCE` in `shared/step.wgsl`.
const ONWARD: u32 = 0;
const TOLERANCE: u32 = 1;

fn evaluated(row: &HistoryRow) -> Evaluated {
    let means = finished(&row.evaluation);
    let whole = |[hi, lo]: [f32; 2]| f64::from(hi) + f64::from(lo);
    Evaluated {
        model: Affine::new(whole(row.parameters.weight), whole(row.parameters.bias)),
        // The shader has divided by N and multiplied with 2 already.
        evaluation: Evaluation { loss: means.rr, grad_weight: means.rx, grad_bias: means.r },
        onward: match row.onward {
            ONWARD => Onward::Step,
            TOLERANCE => Onward::Tolerance,
            _ => Onward::Diverged,
        },
    }
}
