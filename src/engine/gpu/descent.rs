use std::iter::successors;
use std::ops::RangeInclusive;

use bytemuck::Zeroable;

use super::abi::outcome::{DIVERGED, STEP, TOLERANCE};
use super::abi::{DescentUniform, HistoryHead, HistoryRow, WindowUniform, binding};
use super::buffers::{STORAGE, create_buffer, split, uniform};
use super::coarse::{Sizes, Spread};
use super::device::Device;
use super::inputs::ResidualShift;
use super::kernels;
use super::partials::whole;
use super::pipelines::Kernel;
use super::plan;
use super::readback::Staging;
use super::resident::Resident;
use super::{Gpu, GpuError, Held};
use crate::engine::{DescentRule, EngineError, Evaluated, MOST_EVALUATIONS, StepOutcome, StepState, Stepper};
use crate::math::{Affine, Evaluation};

/// The steps of a descent on the device.
pub(super) struct Descent {
    way: Way,
    /// The rule of the descent that was started last.
    rule: DescentRule,
    uniform: wgpu::Buffer,
    bindings: wgpu::BindGroup,
    /// A table of η, a rate for every row that a submission leaves.
    rates: wgpu::Buffer,
    history: wgpu::Buffer,
    staging: Staging,
    /// The part of the uniform that no rule changes.
    partials: Partials,
    /// The shift of X and T, about which residuals are computed.
    shift: ResidualShift,
    /// The sizes of X and T about it.
    sizes: Sizes,
    /// Steps since the start, by the host's count.
    step: u32,
    /// The evaluation of which the host says that no step follows, where the
    /// device has gone on.
    stopped: Option<Evaluated>,
}

/// The ways to dispatch a step.
enum Way {
    /// For few elements: one workgroup takes up to `most_steps` in a dispatch.
    Alone { descend: Kernel, most_steps: u32 },
    /// For many: the dispatches of a pass, then one that steps.
    Dispatched { update: Kernel },
}

/// The partial sums of a pass, as a step adds them up.
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
        let rates_bytes = u64::from(MOST_EVALUATIONS) * size_of::<[f32; 2]>() as u64;
        let rates = create_buffer(device, "rates", rates_bytes, usage)?;
        let descent = uniform(device, "descent", &[0; size_of::<DescentUniform>()])?;
        let n = gpu.data.len();
        let (way, bindings, count) = match plan::alone(n, &gpu.tuning, &device.limits) {
            Some((dispatch, most_steps)) if resident.windows.len() == 1 => {
                let window = WindowUniform::new(&dispatch, 0, &gpu.inputs);
                let groups = resident.windows[0].groups(&gpu.inputs);
                dispatch.check_buffers(groups, 0, u64::MAX).map_err(|reason| device.limit(reason))?;
                let window = uniform(device, "window", bytemuck::bytes_of(&window))?;
                let (kernel, bindings) = device.scoped(0, |device, _| {
                    use binding::descend::{DESCENT, HISTORY, PARAMETERS, RATES};
                    use binding::elements::WINDOW;
                    let source = kernels::descend(&gpu.tuning, (&gpu.inputs).into());
                    let kernel = Kernel::compile(device, &source);
                    let mut resources = resident.windows[0].resources();
                    resources.extend([
                        (HISTORY, history.as_entire_binding()),
                        (WINDOW, window.as_entire_binding()),
                        (PARAMETERS, gpu.point.as_entire_binding()),
                        (DESCENT, descent.as_entire_binding()),
                        (RATES, rates.as_entire_binding()),
                    ]);
                    let bindings = kernel.bind(device, &resources);
                    (kernel, bindings)
                })?;
                (Way::Alone { descend: kernel, most_steps }, bindings, dispatch.invocations)
            }
            _ => {
                let (kernel, bindings) = device.scoped(0, |device, _| {
                    use binding::update::{DESCENT, HISTORY, PARAMETERS, PARTIALS, RATES};
                    let kernel = Kernel::compile(device, &kernels::update());
                    let bindings = kernel.bind(
                        device,
                        &[
                            (PARTIALS, resident.passes.loss_sums.partials.buffer.as_entire_binding()),
                            (HISTORY, history.as_entire_binding()),
                            (PARAMETERS, gpu.point.as_entire_binding()),
                            (DESCENT, descent.as_entire_binding()),
                            (RATES, rates.as_entire_binding()),
                        ],
                    );
                    (kernel, bindings)
                })?;
                (Way::Dispatched { update: kernel }, bindings, resident.passes.loss_sums.partial_count)
            }
        };
        let staging = Staging::new(device, "history staging", history_bytes)?;
        let partials = Partials::new(count, gpu.data.weight_sum() * gpu.inputs.weight_scale());
        Ok(Self {
            way,
            rule: DescentRule::default(),
            uniform: descent,
            bindings,
            rates,
            history,
            staging,
            partials,
            shift: gpu.inputs.shift(gpu.precision),
            sizes: gpu.inputs.sizes(),
            step: 0,
            stopped: None,
        })
    }

    /// Starts over with a rule, from a state, over data of which X has this spread
    /// about the shift.
    fn start(
        &mut self,
        device: &Device,
        rule: &DescentRule,
        from: &StepState,
        spread: Spread,
    ) -> Result<(), GpuError> {
        (self.step, self.rule, self.stopped) = (counted(from.step), *rule, None);
        let head = HistoryHead {
            step: self.step,
            velocity_weight: split(from.velocity.weight),
            velocity_bias: split(from.velocity.bias),
            ..HistoryHead::zeroed()
        };
        let uniform = DescentUniform {
            mean: self.partials.mean,
            momentum: split(rule.momentum),
            gradient_share: split(1.0 - rule.dampening),
            tolerance: split_below(rule.tolerance[0]),
            bias_tolerance: split_below(rule.tolerance[1]),
            weight_decay: split(rule.weight_decay),
            x_shift: split(self.shift.x.value()),
            t_shift: split(self.shift.t.value()),
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
            is_nesterov: u32::from(rule.nesterov),
            unused: 0,
        };
        device.scoped(0, |_, queue| {
            queue.write_buffer(&self.uniform, 0, bytemuck::bytes_of(&uniform));
            queue.write_buffer(&self.history, 0, bytemuck::bytes_of(&head));
        })
    }

    /// Records `count` evaluations, each with its step.
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

impl Stepper for Gpu {
    fn resume(&mut self, rule: &DescentRule, from: &StepState) -> Result<(), EngineError> {
        let all = self.all();
        let spread = self.spread(&all)?;
        let Held::Resident(resident) = &self.held else { return Err(EngineError::NoTarget) };
        let mut descent = match self.descent.take() {
            Some(descent) => descent,
            None => Descent::new(self, resident)?,
        };
        descent.start(&self.device, rule, from, spread)?;
        self.descent = Some(descent);
        Ok(self.set_model(self.inputs.shift(self.precision).shifted(from.model))?)
    }

    fn advance(&mut self, rates: &[f64]) -> Result<Vec<Evaluated>, EngineError> {
        let wanted = u32::try_from(rates.len()).unwrap_or(u32::MAX);
        let (Held::Resident(resident), Some(descent)) = (&self.held, &mut self.descent) else {
            return Err(EngineError::Stalled { taken: 0, wanted });
        };
        check_rates(rates).map_err(|reason| self.device.limit(reason))?;
        if let Some(last) = descent.stopped {
            return Ok(vec![last]);
        }
        let table: Vec<[f32; 2]> = rates.iter().map(|&rate| split(rate)).collect();
        // All of the head but `step` and `velocity`, which are the device's own.
        let asked: [u32; 3] = [wanted, 0, 0];
        self.device.scoped(0, |_, queue| {
            queue.write_buffer(&descent.rates, 0, bytemuck::cast_slice(&table));
            queue.write_buffer(&descent.history, 0, bytemuck::bytes_of(&asked));
        })?;
        let bytes = (size_of::<HistoryHead>() + rates.len() * size_of::<HistoryRow>()) as u64;
        let record = |pass: &mut wgpu::ComputePass<'_>| {
            descent.record(pass, wanted, |pass| resident.passes.loss_sums.dispatch(pass));
        };
        let read = |bytes: &[u8]| History::read(bytes);
        let history = descent.staging.run(&self.device, &descent.history, bytes, record, read)?;
        let stalled = EngineError::Stalled { taken: history.head.count, wanted };
        let rows = history.evaluated(&descent.rule, descent.shift, wanted, descent.step).ok_or(stalled)?;
        descent.step = history.head.step;
        let has_gone_on = history.head.stopped == 0 || rows.len() < history.rows.len();
        let is_end = |row: &Evaluated| row.outcome != StepOutcome::Step;
        descent.stopped = rows.last().copied().filter(|row| has_gone_on && is_end(row));
        Ok(rows)
    }

    fn takes_rate(&self, rate: f64) -> bool {
        is_exact(rate)
    }

    fn elements(&self) -> u64 {
        self.data.valid_len()
    }
}

/// Learning rates of which two f32 hold all digits, with room for products.
const RATES: RangeInclusive<f64> = 1e-20..=1e20;

fn is_exact(rate: f64) -> bool {
    rate == 0.0 || RATES.contains(&rate)
}

/// Checks that the shaders, which check nothing, find a rate for every row and
/// a row for every rate, and that the rates have their digits.
fn check_rates(rates: &[f64]) -> Result<(), String> {
    if rates.is_empty() || rates.len() > MOST_EVALUATIONS as usize {
        return Err(format!("{} learning rates are not from 1 to {MOST_EVALUATIONS}", rates.len()));
    }
    match rates.iter().copied().find(|&rate| !is_exact(rate)) {
        Some(rate) => Err(format!("the learning rate {rate:?} is beyond the two f32 of a step there")),
        None => Ok(()),
    }
}

/// A tolerance as two f32 that are at most that together, so that a device that
/// stops at it stops where f64 does, or later. No gradient on a device is above
/// f32's range.
fn split_below(tolerance: f64) -> [f32; 2] {
    let [hi, lo] = split(tolerance.min(f32::MAX.into()));
    if joined([hi, lo]) > tolerance { [hi, lo.next_down()] } else { [hi, lo] }
}

fn joined([hi, lo]: [f32; 2]) -> f64 {
    f64::from(hi) + f64::from(lo)
}

/// The answer of a submission.
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

    /// The rows as the host understands them, by the rule's own judgement; `None`
    /// if they are not what was asked for after `step` steps. That is so many
    /// rows, or fewer if the last one ends the descent, one for each step.
    /// Drivers have been seen to end long loops early, without a word.
    fn evaluated(
        &self,
        rule: &DescentRule,
        shift: ResidualShift,
        wanted: u32,
        step: u32,
    ) -> Option<Vec<Evaluated>> {
        let has_stopped = self.head.stopped != 0;
        let complete = self.head.count == wanted || has_stopped;
        let steps = successors(Some(step), |step| Some(step.wrapping_add(1).max(1)));
        let in_order = self.rows.iter().zip(steps.clone()).all(|(row, step)| row.step == step);
        let (last, before) = self.rows.split_last()?;
        let one_end = before.iter().all(|row| row.outcome == STEP) && (last.outcome != STEP) == has_stopped;
        let taken = self.rows.len() - usize::from(has_stopped);
        let counted = steps.clone().nth(taken) == Some(self.head.step);
        if !(complete && in_order && one_end && counted) {
            return None;
        }
        let mut rows = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let evaluated = evaluated(row, rule, shift);
            let agrees = match row.outcome {
                // In f64 a gradient may be within where in two f32 it isn't.
                STEP => evaluated.outcome != StepOutcome::Diverged,
                TOLERANCE => evaluated.outcome == StepOutcome::Tolerance,
                DIVERGED => evaluated.outcome == StepOutcome::Diverged,
                _ => false,
            };
            if !agrees {
                return None;
            }
            rows.push(evaluated);
            if evaluated.outcome != StepOutcome::Step {
                break;
            }
        }
        Some(rows)
    }
}

fn evaluated(row: &HistoryRow, rule: &DescentRule, shift: ResidualShift) -> Evaluated {
    let means = whole(&row.evaluation);
    // The shader has divided by Σw and multiplied with 2 already.
    let evaluation = Evaluation { loss: means[0], grad_weight: means[1], grad_bias: means[2] };
    let model = shift.unshifted(Affine::new(joined(row.weight), joined(row.bias)));
    Evaluated {
        model,
        velocity: Affine::new(joined(row.velocity_weight), joined(row.velocity_bias)),
        height: None,
        evaluation,
        outcome: rule.outcome(&evaluation, model, row.outcome != DIVERGED),
    }
}

/// A number of steps as a device counts them: after 2³² − 1 comes 1.
fn counted(steps: u64) -> u32 {
    let turns = steps.checked_sub(1).map(|rest| rest % u64::from(u32::MAX) + 1);
    turns.and_then(|steps| u32::try_from(steps).ok()).unwrap_or(0)
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

    /// The rows of a history after 10 steps of which 4 more were asked for, as
    /// the host understands them.
    fn understood(mut rows: Vec<HistoryRow>, step: u32, last: u32, gradient: f32) -> Option<Vec<Evaluated>> {
        let count = u32::try_from(rows.len()).unwrap();
        if let Some(row) = rows.last_mut() {
            row.outcome = last;
        }
        for row in &mut rows {
            row.evaluation.hi = [1.0, gradient, gradient, 0.0];
        }
        let stopped = u32::from(last != STEP);
        let head = HistoryHead { wanted: 4, count, stopped, step, ..HistoryHead::zeroed() };
        let shift = ResidualShift { x: 0.0.into(), t: 0.0.into() };
        History { head, rows }.evaluated(&DescentRule::within([0.5; 2]), shift, 4, 10)
    }

    #[test]
    fn a_history_with_a_gap_or_an_early_end_is_noticed() {
        assert_eq!(understood(rows(10..14), 14, STEP, 1.0).map(|rows| rows.len()), Some(4));
        assert_eq!(understood(rows(10..12), 11, DIVERGED, 1.0).map(|rows| rows.len()), Some(2));
        assert_eq!(understood(rows(10..13), 13, STEP, 1.0), None, "one is missing");
        assert_eq!(understood(rows([10, 11, 13, 14]), 14, STEP, 1.0), None, "a gap");
        assert_eq!(understood(rows([]), 10, DIVERGED, 1.0), None, "stopped before anything");
        assert_eq!(understood(rows(0..4), 4, STEP, 1.0), None, "of another submission");
        assert_eq!(understood(rows(10..14), 13, STEP, 1.0), None, "a step that was not taken");
    }

    /// The rule's own judgement decides, not the device's.
    #[test]
    fn an_outcome_that_the_rule_does_not_have_is_noticed() {
        let outcomes = |last, gradient| {
            let rows = understood(rows(10..12), 11, last, gradient);
            rows.map(|rows| rows.into_iter().map(|row| row.outcome).collect::<Vec<_>>())
        };
        assert_eq!(outcomes(DIVERGED, 1.0), Some(vec![StepOutcome::Step, StepOutcome::Diverged]));
        assert_eq!(outcomes(TOLERANCE, 1.0), None, "the gradients are not within the tolerance");
        assert_eq!(outcomes(TOLERANCE, 0.25), Some(vec![StepOutcome::Tolerance]), "they were before");
        assert_eq!(outcomes(7, 1.0), None);
        assert_eq!(understood(rows(10..14), 14, STEP, f32::NAN), None, "a step from what is no number");
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
                gpu.start(&DescentRule::default(), Affine::new(2.0, 1.0)).unwrap();
                let rows = gpu.advance(&[0.1; 3]).unwrap();
                assert_eq!(rows.len(), 3);
                let Evaluation { loss, grad_weight, grad_bias } = rows[0].evaluation;
                let stepped = rows[1].model;
                // 0.1 is no f32: its second part is needed too.
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

    /// The device steps on where only f64 tells that gradients are within a
    /// tolerance: as the host's rule here, with one that the device does not have.
    #[test]
    fn a_descent_that_the_host_has_stopped_does_not_go_on() {
        let pair = |label| Array::from_vec(label, &[2], vec![1f32, 2.0]);
        let data = Problem::pair(pair("x"), pair("t")).unwrap();
        let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
        let at = Affine::new(3.0, 1.0);
        gpu.start(&DescentRule::default(), at).unwrap();
        gpu.descent.as_mut().unwrap().rule = DescentRule::within([1e3; 2]);
        let rows = gpu.advance(&[0.01; 4]).unwrap();
        assert_eq!(
            rows.iter().map(|row| (row.model, row.outcome)).collect::<Vec<_>>(),
            [(at, StepOutcome::Tolerance)]
        );
        assert_eq!(gpu.advance(&[0.01; 3]).unwrap(), rows, "the last row again");
        gpu.start(&DescentRule::default(), at).unwrap();
        assert_eq!(gpu.advance(&[0.01; 3]).unwrap().len(), 3, "a new start");
    }

    /// The shaders read a table of rates without a look at its length.
    #[test]
    fn a_table_of_rates_that_the_device_cannot_work_by_is_refused() {
        let pair = |label| Array::from_vec(label, &[2], vec![1f32, 2.0]);
        let data = Problem::pair(pair("x"), pair("t")).unwrap();
        let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
        assert!(matches!(gpu.advance(&[0.1]), Err(EngineError::Stalled { .. })), "not started");
        gpu.start(&DescentRule::default(), Affine::default()).unwrap();
        let most = MOST_EVALUATIONS as usize;
        for rates in [vec![], vec![0.1; most + 1], vec![0.1, 1e-21], vec![1e21], vec![0.1, f64::NAN]] {
            let rows = gpu.advance(&rates);
            assert!(matches!(rows, Err(EngineError::Gpu(GpuError::Limit { .. }))), "{rows:?}");
        }
        assert_eq!(gpu.advance(&vec![0.1; most]).unwrap().len(), most);
        assert!(gpu.takes_rate(0.1) && !gpu.takes_rate(1e-21));
    }

    #[test]
    fn a_tolerance_on_the_device_is_never_above_its_own() {
        for tolerance in [0.1, 1.0 / 3.0, 0.7, 1e-9, 1e-30, 1e-60, 2f64.powi(-10), 1e300, 0.0] {
            let split = split_below(tolerance);
            let rest = tolerance - joined(split);
            assert!(rest >= 0.0, "{tolerance}: {split:?}");
            assert!(!(1e-30..1e30).contains(&tolerance) || rest <= 2f64.powi(-46) * tolerance, "{tolerance}");
        }
    }

    #[test]
    fn a_lost_device_ends_a_descent_with_an_error() {
        let pair = |label| Array::from_vec(label, &[2], vec![1f32, 2.0]);
        let data = Problem::pair(pair("x"), pair("t")).unwrap();
        let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
        gpu.start(&DescentRule::default(), Affine::default()).unwrap();
        gpu.device.device.destroy();
        // `start` only queues writes; a loss is noticed where it is waited for.
        for _ in 0..2 {
            let rows = gpu.advance(&[0.01; 5]);
            assert!(matches!(rows, Err(EngineError::Gpu(_))), "{rows:?}");
        }
    }
}
