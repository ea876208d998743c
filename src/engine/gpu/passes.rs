//! Passes over the data at points, wherever they are.

use std::borrow::Cow;
use std::ops::Range;

use super::abi::{Parameters, WideParameters};
use super::buffers::split;
use super::frames::{Frame, Frames};
use super::host::Host;
use super::kernels::{Form, Quantity};
use super::partials::Sums;
use super::pipelines::SumsKernel;
use super::window::PointOf;
use super::{Gpu, GpuError, Held, Precision};
use crate::array::parallel;
use crate::engine::{
    EngineError, Leaf, Mergeable, Partials, Source, SumsAt, Tree, check_points, elements_of, partials_of,
};
use crate::math::{Affine, Line, Loss, LossSums, SumsAccumulator};

/// Below so many runs, waking other threads costs more than they help.
const LEAST_RUNS: usize = 256;

/// The value of each of some runs.
fn of_runs<V: Send>(runs: usize, value: impl Fn(usize) -> V + Sync) -> Vec<V> {
    if runs < LEAST_RUNS { (0..runs).map(value).collect() } else { parallel::map(runs, value) }
}

/// W and b as a pass is asked for them.
#[derive(Clone, Copy)]
enum Model<'a> {
    /// One for each fit.
    Points(&'a [Affine]),
    /// A line, which has more digits, for the one fit.
    Line(&'a Line),
}

impl Model<'_> {
    /// W and b of a fit for the elements of a run as the device has them, less
    /// the shift.
    fn there(self, fit: u32, frame: &Frame, precision: Precision) -> Affine {
        let shift = frame.shift(precision);
        match self {
            Self::Points(at) => shift.shifted(at[fit as usize]),
            Self::Line(line) => shift.shifted_line(line),
        }
    }
}

impl Parameters {
    /// W and b of the elements of a run.
    pub(super) fn new(there: Affine, loss: Loss, frame: &Frame, precision: Precision) -> Self {
        Self {
            weight: split(there.weight),
            bias: split(there.bias),
            coarse: frame.sizes().coarse(there),
            shift: if precision == Precision::Fast { frame.device_shift() } else { [0.0; 2] },
            delta: split(delta_of(loss)),
        }
    }
}

impl Gpu {
    /// The loss sums of a range of chunks, one result for each fit.
    pub(super) fn loss_sums_in(
        &mut self,
        at: &[Affine],
        loss: Loss,
        over: Range<u64>,
    ) -> Result<Partials<LossSums>, EngineError> {
        check_points(&self.data, at)?;
        let runs = self.runs_of(&over)?;
        let sums = self.sums_of_runs(Model::Points(at), loss, runs.clone())?;
        let (frames, precision) = (&*self.frames, Quantity::of_loss(loss).precision(self.precision));
        let value = |(k, sums): (usize, LossSums)| {
            let (run, frame) = (frames.runs.get(k..k + 1)[0], frames.get(k));
            let sums = SumsAccumulator::from(frame.shift(precision).unshifted_sums(sums));
            SumsAt {
                at: at[run.fit as usize],
                loss,
                sums: if frame.n == 0 { SumsAccumulator::default() } else { sums },
            }
        };
        let values = of_runs(sums.len(), |k| value((runs.start + k, sums[k])));
        self.partials(Quantity::of_loss(loss), over, values)
    }

    /// The sums of all elements about the point of a line, in its own scale.
    pub(super) fn sums_about_line(&mut self, line: &Line) -> Result<LossSums, EngineError> {
        let runs = 0..self.frames.runs.len();
        let sums = self.sums_of_runs(Model::Line(line), Loss::Squared, runs.clone())?;
        let shifted = runs.zip(sums).map(|(k, sums)| {
            let shift = self.frames.get(k).shift(self.precision);
            SumsAccumulator::from(shift.sums_about(line.x, sums))
        });
        Ok(shifted.fold(SumsAccumulator::default(), SumsAccumulator::merge).total())
    }

    /// The sums of some runs, all less the shift of each.
    fn sums_of_runs(
        &mut self,
        model: Model<'_>,
        loss: Loss,
        runs: Range<usize>,
    ) -> Result<Vec<LossSums>, EngineError> {
        let frames = std::sync::Arc::clone(&self.frames);
        let quantity = Quantity::of_loss(loss);
        let precision = quantity.precision(self.precision);
        self.prepare(quantity)?;
        let there = |k: usize| {
            let (run, frame) = (frames.runs.get(k..k + 1)[0], frames.get(k));
            (model.there(run.fit, frame, precision), frame)
        };
        let sums = if precision == Precision::F64 {
            let point = |k: usize| {
                let (there, _) = there(k);
                WideParameters { weight: there.weight, bias: there.bias, delta: delta_of(loss) }
            };
            self.sums(quantity, runs.clone(), &point)?
        } else {
            let point = |k: usize| {
                let (there, frame) = there(k);
                Parameters::new(there, loss, frame, precision)
            };
            self.sums(quantity, runs.clone(), &point)?
        };
        let left_out = |k: usize| match precision {
            Precision::Fast => {
                let (there, frame) = there(k);
                frame.sizes().left_out(there)
            }
            Precision::Compensated | Precision::F64 => Affine::default(),
        };
        let lacks = |k: usize| frames.get(k).n > 0 && left_out(k) != Affine::default();
        if of_runs(runs.len(), |k| lacks(runs.start + k)).contains(&true) {
            self.find_spreads(runs.clone())?;
        }
        let spreads = &self.spreads;
        let value = |(k, sums): (usize, Sums)| {
            let frame = frames.get(k);
            let [rr, rx, r, _] = sums.map(|sum| sum / frame.weight_scale());
            let sums = LossSums { n: frame.n, weight_sum: frame.weight_sum, rr, rx, r };
            match (left_out(k), spreads.get(k).copied().flatten()) {
                (left_out, Some(spread)) if left_out != Affine::default() => spread.moved(sums, left_out),
                _ => sums,
            }
        };
        Ok(of_runs(sums.len(), |k| value((runs.start + k, sums[k]))))
    }

    /// The numbers of the runs in a range of chunks.
    pub(super) fn runs_of(&self, over: &Range<u64>) -> Result<Range<usize>, EngineError> {
        Ok(self.frames.runs.within(&elements_of(&self.data, over)?))
    }

    /// The results of a pass over a range of chunks from the values of its runs.
    pub(super) fn partials<S: Mergeable>(
        &self,
        quantity: Quantity,
        over: Range<u64>,
        values: Vec<S::Value>,
    ) -> Result<Partials<S>, EngineError> {
        let (fits, arithmetic) = (self.data.fits().range(), self.arithmetic(quantity));
        if fits.end - fits.start == 1 {
            let mut partials = Partials::new(Source::of(&self.data, Tree::Dyadic, arithmetic));
            let end = self.data.grid().end_after(&over);
            partials.push_each(over, fits.start, &values, end)?;
            return Ok(partials);
        }
        let first_chunk = self.data.grid().chunks().start;
        let mut values = values.into_iter();
        let leaves = over.clone().map(|chunk| {
            let runs = self.frames.runs.of_chunk(usize::try_from(chunk - first_chunk).unwrap_or(usize::MAX));
            let first_fit = self.frames.runs.get(runs.clone()).first().map_or(0, |run| run.fit.into());
            Leaf { first_fit: fits.start + first_fit, values: values.by_ref().take(runs.len()).collect() }
        });
        partials_of(&self.data, arithmetic, over, leaves)
    }

    /// The name of what decides the bits of a pass, beside the device's own
    /// arithmetic.
    fn arithmetic(&self, quantity: Quantity) -> Cow<'static, str> {
        let numbers = match quantity.precision(self.precision) {
            Precision::Fast => "gpu f32",
            Precision::Compensated => "gpu compensated f32",
            Precision::F64 => "gpu f64",
        };
        let tuning = SumsKernel::tuning_for(
            &self.device,
            &self.tuning,
            quantity.precision(self.precision),
            quantity,
            self.frames.runs.longest,
        );
        format!("{numbers} summed {}", tuning.order_name()).into()
    }

    /// The form of the data that kernels over them are compiled for.
    pub(super) fn form(&self, is_shifted: bool) -> Form {
        Form::of(self.inputs, is_shifted, self.proven)
    }

    pub(super) fn compile(&self, quantity: Quantity, is_shifted: bool) -> Result<SumsKernel, GpuError> {
        let (form, longest) = (self.form(is_shifted), self.frames.runs.longest);
        SumsKernel::compile(
            &self.device,
            &self.tuning,
            quantity.precision(self.precision),
            quantity,
            form,
            longest,
        )
    }

    /// The data as the host passes over them.
    pub(super) fn host(&mut self) -> &mut Host {
        self.host.get_or_insert_with(|| Host::new(&self.data))
    }

    pub(super) fn set_point<P: bytemuck::NoUninit>(&self, point: &P) -> Result<(), GpuError> {
        self.device.scoped(0, |_, queue| queue.write_buffer(&self.point, 0, bytemuck::bytes_of(point)))
    }

    /// Sets W and b of the steps on the device, for elements that all come there
    /// in one way, less the shift.
    pub(super) fn set_model(&self, there: Affine, loss: Loss, frame: &Frame) -> Result<(), GpuError> {
        self.set_point(&Parameters::new(there, loss, frame, self.precision))
    }

    /// Makes the pass over a quantity ready, which is not always wanted.
    pub(super) fn prepare(&mut self, quantity: Quantity) -> Result<(), EngineError> {
        let is_ready = match &self.held {
            Held::Resident(resident) => resident.passes.has(quantity),
            Held::Streamed(stream) => stream.has(quantity),
            Held::InputsOnly => true,
        };
        if is_ready {
            return Ok(());
        }
        let kernel = self.compile(quantity, true)?;
        match &mut self.held {
            Held::Resident(resident) => {
                resident.add(&self.device, self.inputs, &self.frames, kernel, quantity)?;
            }
            Held::Streamed(stream) => stream.add(&self.device, kernel, quantity)?,
            Held::InputsOnly => {}
        }
        Ok(())
    }

    /// The sums of some runs, which are those of whole chunks, at their points;
    /// those of parts of one kind next to another.
    pub(super) fn sums(
        &mut self,
        quantity: Quantity,
        runs: Range<usize>,
        points: &impl PointOf,
    ) -> Result<Vec<Sums>, EngineError> {
        if runs.is_empty() {
            return Ok(Vec::new());
        }
        match &mut self.held {
            Held::Resident(resident) => {
                Ok(resident.passes.of_mut(quantity)?.sums(&self.device, runs, points)?)
            }
            Held::Streamed(stream) => {
                let sums = stream.sums(&self.device, quantity, &elements(&self.frames, &runs), points)?;
                self.notices.append(&mut stream.take_notices());
                Ok(sums)
            }
            Held::InputsOnly => Err(EngineError::NoTarget),
        }
    }
}

/// The elements of some runs.
fn elements(frames: &Frames, runs: &Range<usize>) -> Range<usize> {
    let list = frames.runs.get(runs.clone());
    let first = list.first().map_or(0, |run| run.elements().start);
    first..list.last().map_or(first, |run| run.elements().end)
}

/// δ of a loss, which T's units on the device are those of; 0 if it has none.
fn delta_of(loss: Loss) -> f64 {
    match loss {
        Loss::Squared => 0.0,
        Loss::Huber { delta } => delta,
    }
}
