use bytemuck::Zeroable;

use super::coarse::{Sizes, Spread};
use super::device::Device;
use super::inputs::Origin;
use super::kernels::{
    DescentUniform, HistoryHead, HistoryRow, Kernel, WindowUniform, binding, compile_descend, compile_update,
};
use super::partials::whole;
use super::plan;
use super::resident::Resident;
use super::upload::Staging;
use super::{Gpu, GpuError, Held, STORAGE, create_buffer, split, uniform};
use crate::engine::{DescentRule, DeviceDescent, EngineError, Evaluated, MOST_EVALUATIONS, StepOutcome};
use crate::math::{Affine, Evaluation};

/// What takes steps on the device.
pub(super) struct Descent {
    way: Way,
    uniform: wgpu::Buffer,
    bindings: wgpu::BindGroup,
    history: wgpu::Buffer,
    staging: Staging,
    /// What the uniform holds for every rule.
    partials: Partials,
    /// What residuals are computed about.
    origin: Origin,
    /// And of what size their parts are.
    sizes: Sizes,
    /// Updates since the start, by the host's count.
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
    /// 1 / (Σw·scale).
    mean: [f32; 2],
}

impl Partials {
    fn new(count: u32, weight_sum: f64) -> Self {
        // A power of two up to 2³¹; f32 holds it and its reciprocal.
        let scale = 1.0 / f64::from(count.checked_next_power_of_two().unwrap_or(1 << 31));
        let mean = split(1.0 / (weight_sum * scale));
        Self { count, scale: split(scale)[0], mean }
    }
}

impl Descent {
    fn new(gpu: &Gpu, resident: &Resident) -> Result<Self, EngineError> {
        let device = &gpu.device;
        let row_bytes = size_of::<HistoryRow>() as u64;
        let history_bytes = size_of::<HistoryHead>() as u64 + u64::from(MOST_EVALUATIONS) * row_bytes;
        let usage = STORAGE | wgpu::BufferUsages::COPY_DST;
        let history = create_buffer(device, "history", history_bytes, usage)?;
        let rule = uniform(device, "descent", &[0; size_of::<DescentUniform>()])?;
        let n = gpu.data.len();
        let (way, bindings, count) = match plan::alone(n, &gpu.tuning, &device.limits) {
            Some((dispatch, most_steps)) if resident.windows.len() == 1 => {
                let window = WindowUniform::new(&dispatch, 0, &gpu.inputs);
                let groups = resident.windows[0].groups(&gpu.inputs);
                dispatch.check_buffers(groups, 0, u64::MAX).map_err(|reason| device.limit(reason))?;
                let window = uniform(device, "window", bytemuck::bytes_of(&window))?;
                let (kernel, bindings) = device.scoped(0, |device, _| {
                    use binding::descend::{DESCENT, HISTORY, PARAMETERS, WINDOW};
                    let kernel = compile_descend(device, &gpu.tuning, &gpu.inputs);
                    let mut resources = resident.windows[0].resources();
                    resources.extend([
                        (HISTORY, history.as_entire_binding()),
                        (WINDOW, window.as_entire_binding()),
                        (PARAMETERS, gpu.point.as_entire_binding()),
                        (DESCENT, rule.as_entire_binding()),
                    ]);
                    let bindings = kernel.bind(device, &resources);
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
                            (PARTIALS, resident.residuals.partials.buffer.as_entire_binding()),
                            (HISTORY, history.as_entire_binding()),
                            (PARAMETERS, gpu.point.as_entire_binding()),
                            (DESCENT, rule.as_entire_binding()),
                        ],
                    );
                    (kernel, bindings)
                })?;
                (Way::Dispatched { update: kernel }, bindings, resident.residuals.partial_count)
            }
        };
        let staging = Staging::new(device, "history staging", history_bytes)?;
        let partials = Partials::new(count, gpu.data.weight_sum() * gpu.inputs.weight_scale());
        let origin = gpu.inputs.origin(gpu.precision);
        let sizes = gpu.inputs.sizes();
        Ok(Self { way, uniform: rule, bindings, history, staging, partials, origin, sizes, step: 0 })
    }

    /// Starts over with a rule, over data of which X has this spread about the
    /// origin.
    fn begin(&mut self, device: &Device, rule: &DescentRule, spread: Spread) -> Result<(), GpuError> {
        self.step = 0;
        let uniform = DescentUniform {
            mean: self.partials.mean,
            rate: split(-rule.learning_rate),
            tolerance: split(rule.tolerance[0]),
            bias_tolerance: split(rule.tolerance[1]),
            x_pivot: split(self.origin.x.value()),
            x_mean: split(spread.mean),
            x_square: split(spread.square),
            x_size: self.sizes.x,
            x_reciprocal: 1.0 / self.sizes.x,
            t_size: self.sizes.t,
            partial_scale: self.partials.scale,
            partial_count: self.partials.count,
            has_tolerance: u32::from(rule.has_tolerance()),
            zero: 0,
            most_steps: match self.way {
                Way::Alone { most_steps, .. } => most_steps,
                Way::Dispatched { .. } => 1,
            },
        };
        device.scoped(0, |_, queue| {
            queue.write_buffer(&self.uniform, 0, bytemuck::bytes_of(&uniform));
            queue.write_buffer(&self.history, 0, bytemuck::bytes_of(&HistoryHead::zeroed()));
        })
    }

    /// Records `count` evaluations, each with its update.
    fn record(
        &self,
        pass: &mut wgpu::ComputePass<'_>,
        count: u32,
        sums: impl Fn(&mut wgpu::ComputePass<'_>),
    ) {
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
                    sums(pass);
                    pass.set_pipeline(&update.pipeline);
                    pass.set_bind_group(0, &self.bindings, &[]);
                    pass.dispatch_workgroups(1, 1, 1);
                }
            }
        }
    }
}

impl DeviceDescent for Gpu {
    fn begin(&mut self, rule: &DescentRule) -> Result<(), EngineError> {
        let all = self.all();
        let spread = self.spread(&all)?;
        let Held::Resident(resident) = &self.held else { return Err(EngineError::NoTarget) };
        let mut descent = match self.descent.take() {
            Some(descent) => descent,
            None => Descent::new(self, resident)?,
        };
        descent.begin(&self.device, rule, spread)?;
        self.descent = Some(descent);
        Ok(self.set_model(self.inputs.origin(self.precision).centred(rule.start))?)
    }

    fn advance(&mut self, evaluations: u32) -> Result<Vec<Evaluated>, EngineError> {
        let (Held::Resident(resident), Some(descent)) = (&self.held, &mut self.descent) else {
            return Err(EngineError::Stalled { taken: 0, wanted: evaluations });
        };
        let wanted = evaluations.clamp(1, MOST_EVALUATIONS);
        // All of the head but `step`, which is the device's own count.
        let asked: [u32; 3] = [wanted, 0, 0];
        self.device
            .scoped(0, |_, queue| queue.write_buffer(&descent.history, 0, bytemuck::bytes_of(&asked)))?;
        let bytes = (size_of::<HistoryHead>() + wanted as usize * size_of::<HistoryRow>()) as u64;
        let record = |pass: &mut wgpu::ComputePass<'_>| {
            descent.record(pass, wanted, |pass| resident.residuals.dispatch(pass));
        };
        let read = |bytes: &[u8]| History::read(bytes);
        let history = descent.staging.run(&self.device, &descent.history, bytes, record, read)?;
        if !history.follows(wanted, descent.step) {
            return Err(EngineError::Stalled { taken: history.head.count, wanted });
        }
        let steps = history.rows.iter().filter(|row| row.onward == ONWARD).count();
        descent.step = descent.step.wrapping_add(u32::try_from(steps).unwrap_or(wanted));
        Ok(history.rows.iter().map(|row| evaluated(row, descent.origin)).collect())
    }

    fn elements(&self) -> u64 {
        self.data.valid_len()
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

    /// Whether this is what was asked for after `step` updates: that many rows,
    /// or fewer if the last one ends the descent, one for each step. Drivers have been seen to
    /// end long loops early, without a word.
    fn follows(&self, wanted: u32, step: u32) -> bool {
        let complete = self.head.count == wanted || self.head.stopped != 0;
        let in_order = (0..).zip(&self.rows).all(|(k, row)| row.step == step.wrapping_add(k));
        !self.rows.is_empty() && complete && in_order
    }
}

/// `ONWARD` and `TOLERANCE` in `shared/step.wgsl`.
const ONWARD: u32 = 0;
const TOLERANCE: u32 = 1;

fn evaluated(row: &HistoryRow, origin: Origin) -> Evaluated {
    let means = whole(&row.evaluation);
    let joined = |[hi, lo]: [f32; 2]| f64::from(hi) + f64::from(lo);
    let there = Affine::new(joined(row.parameters.weight), joined(row.parameters.bias));
    Evaluated {
        model: origin.uncentred(there),
        // The shader has divided by Σw and multiplied with 2 already.
        evaluation: Evaluation { loss: means[0], grad_weight: means[1], grad_bias: means[2] },
        onward: match row.onward {
            ONWARD => StepOutcome::Step,
            TOLERANCE => StepOutcome::Tolerance,
            _ => StepOutcome::Diverged,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::device::tests::software_adapter;
    use super::super::{GpuSettings, Tuning};
    use super::*;
    use crate::array::{Array, Problem};

    fn rows(steps: impl IntoIterator<Item = u32>) -> Vec<HistoryRow> {
        let row = |step| HistoryRow { step, ..HistoryRow::zeroed() };
        steps.into_iter().map(row).collect()
    }

    #[test]
    fn a_history_with_a_gap_or_an_early_end_is_noticed() {
        let left = |stopped, rows: Vec<HistoryRow>| {
            let count = u32::try_from(rows.len()).unwrap();
            let head = HistoryHead { wanted: 4, count, stopped, step: 0 };
            History { head, rows }.follows(4, 10)
        };
        assert!(left(0, rows(10..14)));
        assert!(left(1, rows(10..12)), "stopped at the second");
        assert!(!left(0, rows(10..13)), "one is missing");
        assert!(!left(0, rows([10, 11, 13, 14])), "a gap");
        assert!(!left(1, rows([])), "stopped before anything");
        assert!(!left(0, rows(0..4)), "of another submission");
    }

    /// Whole numbers: N = 2¹⁶ + 1 and less, residuals at most 13 in size, so
    /// the sums are exact in f32, and the means in two-floats but for the last
    /// of 46 bits.
    #[test]
    fn every_tuning_evaluates_and_steps_alike() {
        let adapter = software_adapter();
        let tunings = [
            Tuning::SOFTWARE,
            Tuning::DISCRETE,
            Tuning { alone_elements: 0, ..Tuning::SOFTWARE },
            Tuning { alone_elements: 0, ..Tuning::DISCRETE },
            Tuning { alone_elements: 1 << 20, workgroup_size: 128, ..Tuning::DISCRETE },
            Tuning { alone_elements: 1 << 20, workgroup_size: 1, ..Tuning::SOFTWARE },
        ];
        let rule = DescentRule { start: Affine::new(2.0, 1.0), learning_rate: 0.1, tolerance: [0.0; 2] };
        for n in [1usize, 3, 255, 4_097, 65_537] {
            let whole = |k: usize, period: usize| i16::try_from(k % period).unwrap() - 3;
            let (x, t): (Vec<i16>, Vec<i16>) = (0..n).map(|k| (whole(k, 7), whole(k, 11))).unzip();
            let (mut rr, mut rx, mut r) = (0.0, 0.0, 0.0);
            for (&x, &t) in x.iter().zip(&t) {
                let residual = f64::from(2 * x + 1 - t);
                rr += residual * residual;
                rx += residual * f64::from(x);
                r += residual;
            }
            let count = f64::from(u32::try_from(n).unwrap());
            let want = [rr / count, 2.0 * rx / count, 2.0 * r / count];
            let data =
                Problem::pair(Array::from_vec("x", &[n as u64], x), Array::from_vec("t", &[n as u64], t))
                    .unwrap();
            for tuning in tunings {
                let mut gpu = { Gpu::open_with(&adapter, &data, &GpuSettings::tuned(tuning)).unwrap() };
                gpu.begin(&rule).unwrap();
                let rows = gpu.advance(3).unwrap();
                assert_eq!(rows.len(), 3);
                let Evaluation { loss, grad_weight, grad_bias } = rows[0].evaluation;
                let stepped = rows[1].model;
                // 0.1 is no f32: its second part counts too.
                for (got, want, size) in [
                    (loss, want[0], want[0]),
                    (grad_weight, want[1], want[1].abs()),
                    (grad_bias, want[2], want[2].abs()),
                    (stepped.weight, 2.0 - 0.1 * want[1], 2.0 + 0.1 * want[1].abs()),
                    (stepped.bias, 1.0 - 0.1 * want[2], 1.0 + 0.1 * want[2].abs()),
                ] {
                    let off = (got - want).abs();
                    assert!(off <= 2f64.powi(-44) * size, "n = {n}, {tuning:?}: {got} for {want}");
                }
            }
        }
    }

    #[test]
    fn a_lost_device_ends_a_descent_with_an_error() {
        let pair = |label| Array::from_vec(label, &[2], vec![1f32, 2.0]);
        let data = Problem::pair(pair("x"), pair("t")).unwrap();
        let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
        let rule = DescentRule { start: Affine::default(), learning_rate: 0.01, tolerance: [0.0; 2] };
        gpu.begin(&rule).unwrap();
        gpu.device.device.destroy();
        // `begin` only queues writes; a loss is noticed where it is waited for.
        for _ in 0..2 {
            let rows = gpu.advance(5);
            assert!(matches!(rows, Err(EngineError::Gpu(_))), "{rows:?}");
        }
    }
}
