use std::ops::RangeInclusive;
use std::time::Instant;

use bytemuck::Zeroable;

use super::abi::{DescentUniform, HistoryHead, HistoryRow, PlannedStep, binding};
use super::batches::{BatchDispatch, BatchPasses, MOST_BATCHES};
use super::buffers::{STORAGE, create_buffer, joined, split, uniform};
use super::coarse::{Sizes, Spread};
use super::device::Device;
use super::frames::Frame;
use super::history::History;
use super::kernels::{self, Quantity};
use super::pipelines::{Kernel, SumsKernel};
use super::plan::{self, UPDATED_PARTIALS};
use super::readback::Staging;
use super::resident::{Resident, ResidentPass};
use super::shift::ResidualShift;
use super::{Gpu, GpuError, Held, Precision};
use crate::array::{Batch, Batches, Problem, Shuffle};
use crate::engine::{DescentRule, EngineError, Evaluated, MOST_EVALUATIONS, StepOutcome, StepState, Stepper};
use crate::math::Loss;

/// The steps of a descent on the device.
pub(super) struct Descent {
    way: Way,
    /// The sums that it steps by, and their precision.
    quantity: Quantity,
    precision: Precision,
    /// The rule of the descent that was started last.
    rule: DescentRule,
    uniform: wgpu::Buffer,
    bindings: wgpu::BindGroup,
    /// A planned step for every row that a submission leaves, and one more.
    plan: wgpu::Buffer,
    history: wgpu::Buffer,
    staging: Staging,
    /// The part of the uniform that no rule changes.
    partials: Partials,
    /// The way in which all elements came to the device.
    frame: Frame,
    /// The batches that it steps over, if it does.
    batches: Option<Batches>,
    /// The spread of X about the shift of that, once it is known.
    spread: Option<Spread>,
    /// The elements that one workgroup passes over, if one does.
    elements: u32,
    /// Steps since the start, by the host's count.
    step: u32,
    /// Seconds of a step in the last submission, with the way there and back.
    step_seconds: Option<f64>,
    /// The evaluation of which the host says that no step follows, where the
    /// device has gone on.
    stopped: Option<Evaluated>,
}

/// The ways to dispatch a step.
enum Way {
    /// For few elements: one workgroup takes up to `most_steps` in a dispatch.
    Alone { descend: Kernel, most_steps: u32 },
    /// For many: the dispatches of a pass, then one that steps.
    Dispatched { sums: Box<ResidentPass>, update: Kernel },
    /// The same over the elements of batches.
    Batched { sums: Box<BatchPasses>, update: Kernel },
}

/// The partial sums of a pass, as a step adds them up.
#[derive(Clone, Copy)]
struct Partials {
    count: u32,
    /// 2⁻ᵏ, with 2ᵏ at least `count`: sums of so scaled partials stay in range.
    scale: f32,
}

impl Partials {
    fn new(count: u32) -> Self {
        // A power of two up to 2³¹; f32 holds it and its reciprocal.
        let scale = 1.0 / f64::from(count.checked_next_power_of_two().unwrap_or(1 << 31));
        Self { count, scale: split(scale)[0] }
    }

    /// A step at a rate from so many of them, where the device's weights add up to
    /// `weight_sum`.
    fn planned(self, rate: f64, count: u32, weight_sum: f64) -> PlannedStep {
        let mean = 1.0 / (weight_sum * f64::from(self.scale));
        PlannedStep { rate: split(rate), mean: split(mean), partials: count, unused: 0 }
    }
}

impl Descent {
    fn new(
        gpu: &Gpu,
        resident: &Resident,
        frame: &Frame,
        quantity: Quantity,
        batches: Option<&Batches>,
    ) -> Result<Self, EngineError> {
        // The share of W and b of few digits is known of all elements, and of no batch.
        let precision = match batches {
            Some(_) => Precision::Compensated,
            None => quantity.precision(gpu.precision),
        };
        let device = &gpu.device;
        let row_bytes = size_of::<HistoryRow>() as u64;
        let history_bytes = size_of::<HistoryHead>() as u64 + u64::from(MOST_EVALUATIONS) * row_bytes;
        let usage = STORAGE | wgpu::BufferUsages::COPY_DST;
        let history = create_buffer(device, "history", history_bytes, usage)?;
        let plan_bytes = u64::from(MOST_EVALUATIONS + 1) * size_of::<PlannedStep>() as u64;
        let plan = create_buffer(device, "plan", plan_bytes, usage)?;
        let descent = uniform(device, "descent", &[0; size_of::<DescentUniform>()])?;
        let n = gpu.data.len();
        let is_shifted = precision == Precision::Fast && frame.device_shift() != [0.0; 2];
        let form = gpu.form(is_shifted);
        let alone = plan::alone(n, &gpu.tuning, &device.limits).filter(|_| resident.windows.len() == 1);
        let updated = |partials: &wgpu::Buffer| {
            device.scoped(0, |device, _| {
                use binding::update::{DESCENT, HISTORY, PARAMETERS, PARTIALS, PLAN};
                let kernel = Kernel::compile(device, &kernels::update(gpu.proven, precision));
                let bindings = kernel.bind(
                    device,
                    &[
                        (PARTIALS, partials.as_entire_binding()),
                        (HISTORY, history.as_entire_binding()),
                        (PARAMETERS, gpu.point.as_entire_binding()),
                        (DESCENT, descent.as_entire_binding()),
                        (PLAN, plan.as_entire_binding()),
                    ],
                );
                (kernel, bindings)
            })
        };
        let (way, bindings, count) = match (batches, alone) {
            (Some(batches), _) => {
                let sums = BatchPasses::new(gpu, resident, batches)?;
                let (update, bindings) = updated(&sums.partials)?;
                let count = sums.most_partials;
                (Way::Batched { sums: Box::new(sums), update }, bindings, count)
            }
            (None, Some(most_steps)) => {
                let groups = resident.windows[0].groups(gpu.inputs);
                plan::check_buffers(groups, n).map_err(|reason| device.limit(reason))?;
                let (kernel, bindings) = device.scoped(0, |device, _| {
                    use binding::descend::{DESCENT, HISTORY, PARAMETERS, PLAN};
                    let source = kernels::descend(&gpu.tuning, form, quantity, precision);
                    let kernel = Kernel::compile(device, &source);
                    let mut resources = resident.windows[0].resources();
                    resources.extend([
                        (HISTORY, history.as_entire_binding()),
                        (PARAMETERS, gpu.point.as_entire_binding()),
                        (DESCENT, descent.as_entire_binding()),
                        (PLAN, plan.as_entire_binding()),
                    ]);
                    let bindings = kernel.bind(device, &resources);
                    (kernel, bindings)
                })?;
                (Way::Alone { descend: kernel, most_steps }, bindings, gpu.tuning.workgroup_size)
            }
            (None, None) => {
                let (sums, count) = Self::pass(gpu, resident, is_shifted, quantity)?;
                let (update, bindings) = updated(&sums.partials.buffer)?;
                (Way::Dispatched { sums: Box::new(sums), update }, bindings, count)
            }
        };
        let staging = Staging::new(device, "history staging", history_bytes)?;
        let partials = Partials::new(count);
        Ok(Self {
            way,
            quantity,
            precision,
            rule: DescentRule::default(),
            uniform: descent,
            bindings,
            plan,
            history,
            staging,
            partials,
            frame: *frame,
            batches: batches.copied(),
            spread: None,
            elements: u32::try_from(n).unwrap_or(u32::MAX),
            step: 0,
            step_seconds: None,
            stopped: None,
        })
    }

    /// The pass of a step, and the partial sums that it leaves: in pieces so large
    /// that these are added up soon.
    fn pass(
        gpu: &Gpu,
        resident: &Resident,
        is_shifted: bool,
        quantity: Quantity,
    ) -> Result<(ResidentPass, u32), EngineError> {
        let (device, runs, precision) = (&gpu.device, &gpu.frames.runs, quantity.precision(gpu.precision));
        let form = gpu.form(is_shifted);
        let kernel = gpu.compile(quantity, is_shifted)?;
        let mut pieces = kernel.pieces;
        let count = |pieces: plan::Pieces| runs.len() as u64 * u64::from(pieces.per_run);
        while let Some(larger) = pieces.larger().filter(|_| count(pieces) > UPDATED_PARTIALS) {
            pieces = larger;
        }
        let kernel = if pieces == kernel.pieces {
            kernel
        } else {
            SumsKernel::in_pieces(device, kernel.tuning, precision, quantity, form, pieces)?
        };
        let pass = resident.pass_at(device, gpu.inputs, &gpu.frames, kernel, &gpu.point)?;
        let count =
            u32::try_from(count(pieces)).map_err(|_| device.limit("too many partial sums".to_owned()))?;
        Ok((pass, count))
    }

    fn shift(&self) -> ResidualShift {
        self.frame.shift(self.precision)
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
        let sizes: Sizes = self.frame.sizes();
        let uniform = DescentUniform {
            momentum: split(rule.momentum),
            gradient_share: split(1.0 - rule.dampening),
            tolerance: split_below(rule.tolerance[0]),
            bias_tolerance: split_below(rule.tolerance[1]),
            weight_decay: split(rule.weight_decay),
            x_shift: split(self.shift().x.value()),
            t_shift: split(self.shift().t.value()),
            x_mean: split(spread.mean),
            x_square: split(spread.square),
            x_size: sizes.x,
            x_reciprocal: 1.0 / sizes.x,
            t_size: sizes.t,
            partial_scale: self.partials.scale,
            has_tolerance: u32::from(rule.has_tolerance()),
            zero: 0,
            most_steps: match self.way {
                Way::Alone { most_steps, .. } => most_steps,
                Way::Dispatched { .. } | Way::Batched { .. } => 1,
            },
            elements: self.elements,
            is_nesterov: u32::from(rule.nesterov),
            is_whole: u32::from(self.precision != Precision::Fast),
            unused: [0; 2],
        };
        device.scoped(0, |_, queue| {
            queue.write_buffer(&self.uniform, 0, bytemuck::bytes_of(&uniform));
            queue.write_buffer(&self.history, 0, bytemuck::bytes_of(&head));
        })
    }

    /// Evaluations at these rates, by one submission.
    fn submit(&mut self, device: &Device, rates: &[f64]) -> Result<Vec<Evaluated>, EngineError> {
        let Partials { count, .. } = self.partials;
        let weight_sum = self.frame.weight_sum * self.frame.weight_scale();
        let planned: Vec<_> =
            rates.iter().map(|&rate| self.partials.planned(rate, count, weight_sum)).collect();
        self.submit_planned(device, &planned, &[])
    }

    /// Evaluations over these batches, by one submission.
    fn submit_over(
        &mut self,
        device: &Device,
        data: &Problem,
        steps: &[(Batch<'_>, f64)],
    ) -> Result<Vec<Evaluated>, EngineError> {
        let Way::Batched { sums, .. } = &mut self.way else {
            return Err(EngineError::Stalled { taken: 0, wanted: 0 });
        };
        let dispatches = sums.set(device, data, steps.iter().map(|(batch, _)| batch))?;
        let scale = self.frame.weight_scale();
        let planned: Vec<_> = (dispatches.iter().zip(steps))
            .map(|(of, &(_, rate))| self.partials.planned(rate, of.partials, of.weight_sum * scale))
            .collect();
        self.submit_planned(device, &planned, &dispatches)
    }

    /// Evaluations at planned steps, over batches or over all elements.
    fn submit_planned(
        &mut self,
        device: &Device,
        planned: &[PlannedStep],
        over: &[BatchDispatch],
    ) -> Result<Vec<Evaluated>, EngineError> {
        if let Some(last) = self.stopped {
            return Ok(vec![last]);
        }
        let wanted = u32::try_from(planned.len()).unwrap_or(u32::MAX);
        // All of the head but `step` and `velocity`, which are the device's own.
        let asked: [u32; 3] = [wanted, 0, 0];
        device.scoped(0, |_, queue| {
            queue.write_buffer(&self.plan, 0, bytemuck::cast_slice(planned));
            queue.write_buffer(&self.history, 0, bytemuck::bytes_of(&asked));
        })?;
        let bytes = (size_of::<HistoryHead>() + planned.len() * size_of::<HistoryRow>()) as u64;
        let started = Instant::now();
        let record = |pass: &mut wgpu::ComputePass<'_>| self.record(pass, wanted, over);
        let history = self.staging.run(device, &self.history, bytes, record, History::read)?;
        self.step_seconds = Some(started.elapsed().as_secs_f64() / f64::from(wanted.max(1)));
        let stalled = EngineError::Stalled { taken: history.head.count, wanted };
        let rows = history.evaluated(&self.rule, self.shift(), wanted, self.step).ok_or(stalled)?;
        self.step = history.head.step;
        let has_gone_on = history.head.stopped == 0 || rows.len() < history.rows.len();
        let is_end = |row: &Evaluated| row.outcome != StepOutcome::Step;
        self.stopped = rows.last().copied().filter(|row| has_gone_on && is_end(row));
        Ok(rows)
    }

    /// Records `count` evaluations, each with its step.
    fn record(&self, pass: &mut wgpu::ComputePass<'_>, count: u32, over: &[BatchDispatch]) {
        let step = |pass: &mut wgpu::ComputePass<'_>, update: &Kernel| {
            pass.set_pipeline(&update.pipeline);
            pass.set_bind_group(0, &self.bindings, &[]);
            pass.dispatch_workgroups(1, 1, 1);
        };
        match &self.way {
            Way::Alone { descend, most_steps } => {
                (0..count.div_ceil(*most_steps)).for_each(|_| step(pass, descend));
            }
            Way::Dispatched { sums, update } => {
                for _ in 0..count {
                    sums.dispatch(pass);
                    step(pass, update);
                }
            }
            Way::Batched { sums, update } => {
                for batch in over {
                    sums.dispatch(pass, batch);
                    step(pass, update);
                }
            }
        }
    }
}

impl Gpu {
    /// Starts a descent over all elements, or over batches.
    fn start_descent(
        &mut self,
        rule: &DescentRule,
        from: &StepState,
        (quantity, batches): (Quantity, Option<&Batches>),
    ) -> Result<(), EngineError> {
        let Some(frame) = self.common_frame() else { return Err(EngineError::NoTarget) };
        let kept = self
            .descent
            .take()
            .filter(|descent| descent.quantity == quantity && descent.batches.as_ref() == batches);
        let Held::Resident(resident) = &self.held else { return Err(EngineError::NoTarget) };
        let mut descent = match kept {
            Some(descent) => descent,
            None => Descent::new(self, resident, &frame, quantity, batches)?,
        };
        let spread = match descent.spread {
            Some(spread) => spread,
            None if descent.precision == Precision::Fast => self.spread_about(&frame)?,
            // It completes residuals in f32.
            None => Spread { mean: 0.0, square: 0.0 },
        };
        descent.spread = Some(spread);
        descent.start(&self.device, rule, from, spread)?;
        let there = descent.shift().shifted(from.model);
        self.descent = Some(descent);
        Ok(self.set_model(there, self.descent_loss, &frame)?)
    }
}

impl Stepper for Gpu {
    fn resume(&mut self, rule: &DescentRule, from: &StepState) -> Result<(), EngineError> {
        let quantity = Quantity::of_loss(self.descent_loss);
        self.start_descent(rule, from, (quantity, None))
    }

    /// Over batches of neighbours, on the squared loss.
    fn resume_over(
        &mut self,
        rule: &DescentRule,
        from: &StepState,
        batches: &Batches,
    ) -> Result<bool, EngineError> {
        if batches.shuffle == Shuffle::Element || self.descent_loss != Loss::Squared {
            return Ok(false);
        }
        self.start_descent(rule, from, (Quantity::LossSums, Some(batches)))?;
        Ok(true)
    }

    fn advance_over(&mut self, steps: &[(Batch<'_>, f64)]) -> Result<Vec<Evaluated>, EngineError> {
        let wanted = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        let rates: Vec<f64> = steps.iter().map(|&(_, rate)| rate).collect();
        check_rates(&rates).map_err(|reason| self.device.limit(reason))?;
        let mut all = Vec::with_capacity(steps.len());
        let mut steps = steps;
        while let Some((batch, _)) = steps.first() {
            let elements = usize::try_from(batch.elements()).unwrap_or(usize::MAX);
            let Some(descent) = &mut self.descent else {
                return Err(EngineError::Stalled { taken: 0, wanted });
            };
            let most = most_steps(elements, descent.step_seconds).min(MOST_BATCHES);
            let now = &steps[..steps.len().min(most)];
            let rows = descent.submit_over(&self.device, &self.data, now)?;
            let goes_on = rows.last().is_some_and(|row| row.outcome == StepOutcome::Step);
            // There may be room for a part of them only.
            steps = if goes_on { &steps[rows.len()..] } else { &[] };
            all.extend(rows);
        }
        Ok(all)
    }

    /// In submissions that are too short for a system's watchdog.
    fn advance(&mut self, rates: &[f64]) -> Result<Vec<Evaluated>, EngineError> {
        let wanted = u32::try_from(rates.len()).unwrap_or(u32::MAX);
        check_rates(rates).map_err(|reason| self.device.limit(reason))?;
        let mut all = Vec::with_capacity(rates.len());
        let mut rates = rates;
        while !rates.is_empty() {
            let elements = self.data.len();
            let Some(descent) = &mut self.descent else {
                return Err(EngineError::Stalled { taken: 0, wanted });
            };
            let (now, rest) = rates.split_at(rates.len().min(most_steps(elements, descent.step_seconds)));
            let rows = descent.submit(&self.device, now)?;
            let goes_on = rows.last().is_some_and(|row| row.outcome == StepOutcome::Step);
            all.extend(rows);
            rates = if goes_on { rest } else { &[] };
        }
        Ok(all)
    }

    fn descend_on(&mut self, loss: Loss) -> bool {
        self.descent_loss = loss;
        true
    }

    fn takes_rate(&self, rate: f64) -> bool {
        is_exact(rate)
    }

    fn elements(&self) -> u64 {
        self.data.valid_len()
    }
}

/// The steps that a submission takes at most, over so many elements, by the time
/// that steps took before: some systems reset a device that does not answer for
/// two seconds.
fn most_steps(elements: usize, step_seconds: Option<f64>) -> usize {
    const MOST_SECONDS: f64 = 0.5;
    /// Elements of all steps of a first submission: slow devices take so many in a
    /// part of a second.
    const FIRST_ELEMENTS: usize = 1 << 28;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of steps")]
    let most = match step_seconds {
        None => FIRST_ELEMENTS / elements.max(1),
        Some(seconds) => (MOST_SECONDS / seconds.max(1e-9)) as usize,
    };
    most.clamp(1, MOST_EVALUATIONS as usize)
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
    use crate::math::{Affine, Evaluation};

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

    #[test]
    fn a_submission_is_short() {
        assert_eq!(most_steps(1000, None), MOST_EVALUATIONS as usize);
        assert_eq!(most_steps(1 << 26, None), 4);
        assert_eq!(most_steps(1 << 40, None), 1);
        assert_eq!(most_steps(1 << 26, Some(0.01)), 50);
        assert_eq!(most_steps(1000, Some(20.0)), 1);
        assert_eq!(most_steps(1000, Some(0.0)), MOST_EVALUATIONS as usize);
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
