//! The GPU engine: WGSL compute shaders through wgpu, on whatever adapter the
//! machine has.
//!
//! [`Adapters`] finds the ways to a GPU, of drivers that `drivers` has tried in
//! another process (`trial`) and knows by their `manifests`; `device` opens one and turns every
//! failure into a [`GpuError`]; `plan` spreads the elements over windows
//! (buffers as large as the device binds), workgroups and invocations;
//! `inputs` says what of the data is sent there and how, `kernels` compiles the
//! shaders, `upload` moves data there and back. [`Gpu`] runs the passes, over
//! data that are on the device (`resident`) or sent through it (`stream`): one
//! dispatch a window leaves partial sums, a last dispatch adds them up, and one
//! small read-back brings loss and gradients. `forward` predicts. `descent` runs
//! many passes, each with the update that follows, for one read-back. `coarse`
//! puts back what of W and b residuals in f32 are computed without.

mod adapter;
mod clock;
mod coarse;
mod descent;
mod device;
mod drivers;
mod error;
mod forward;
mod inputs;
mod kernels;
mod manifests;
mod packing;
mod partials;
mod plan;
mod precision;
mod resident;
mod stream;
mod trial;
mod tuning;
mod upload;

pub use adapter::{Adapter, AdapterChoice, Adapters};
pub use drivers::{BrokenDriver, Rest, Trials, Verdict, fingerprint, try_all};
pub use error::GpuError;
pub use precision::Precision;
pub use trial::{Found, Trial, TrialError, answer};
pub use tuning::{Reduction, Tuning};

use std::collections::BTreeMap;
use std::ops::Range;

use super::frame::{notices, whole_readings};
use super::{
    CHUNK, Cpu, Digits, Engine, EngineError, EngineInfo, EngineKind, Mergeable, Notice, Partials, Sink, Source,
    Stepper, SumsAt, Tree, check_points, elements_of, targets,
};
use crate::array::{DataError, Problem};
use crate::math::{Affine, Compensated, Line, LossSums, Moments, PivotSums, Readings, SumsAccumulator};
use coarse::Spread;
use descent::Descent;
use device::Device;
use inputs::Inputs;
use kernels::{Kernel, Parameters, Point, Quantity, SumsKernel, compile_forward};
use partials::Sums;
use resident::{Resident, ResidentPass, Window};
use stream::Stream;

/// X and T on a GPU, and the shaders to pass over them.
pub struct Gpu {
    data: Problem,
    /// How f64 holds the data, on their way to f32.
    readings: Readings,
    inputs: Inputs,
    info: EngineInfo,
    notices: Vec<Notice>,
    device: Device,
    tuning: Tuning,
    precision: Precision,
    /// What of data that are sent through may be on the device.
    memory_bytes: u64,
    forward: Kernel,
    /// Whether the elements that weigh most are too near one another for f32.
    is_narrow: bool,
    /// Where a pass is taken: W and b, or a pivot.
    point: wgpu::Buffer,
    held: Held,
    /// Found when they are first asked for.
    moments: Option<Moments>,
    /// The same; see [`coarse`].
    spread: Option<Spread>,
    /// The moments, in f64, of ranges that passes were over. (Mini-batches come
    /// again and again.)
    parts: BTreeMap<[usize; 2], Moments>,
    /// Made when it is first asked for.
    descent: Option<Descent>,
    /// Whether sums of two f32 keep rounding errors; found out when it is first
    /// asked for.
    keeps_rounding: Option<bool>,
}

/// Where the data of the residual passes are.
enum Held {
    /// On the device.
    Resident(Box<Resident>),
    /// With the host, which sends them through in every pass.
    Streamed(Box<Stream>),
    /// There is no T, so there are no residual passes.
    InputsOnly,
}

/// How a GPU is used.
#[derive(Debug, Clone, Copy)]
pub struct GpuSettings {
    /// Bytes of X, T and weights that may be on the device: if they are larger
    /// there, every pass streams them. No bound by default.
    pub memory_bytes: u64,
    /// How work is spread; by default as the adapter's kind likes it.
    pub tuning: Option<Tuning>,
    /// How sums are carried.
    pub precision: Precision,
}

impl Default for GpuSettings {
    fn default() -> Self {
        Self { memory_bytes: u64::MAX, tuning: None, precision: Precision::default() }
    }
}

impl GpuSettings {
    /// The usual settings but for how work is spread.
    #[must_use]
    pub fn tuned(tuning: Tuning) -> Self {
        Self { tuning: Some(tuning), ..Self::default() }
    }
}

impl Gpu {
    /// Opens an adapter and brings X and, if there is one, T to it: small
    /// elements as they are, others as f32. Data without T stay on the host and
    /// are sent through chunk by chunk.
    ///
    /// Data that its memory does not hold are streamed, with a
    /// [`Notice::Streamed`].
    ///
    /// # Errors
    /// [`GpuError`]: the adapter can't be opened. [`EngineError::Data`]: an
    /// element is beyond the range of f32.
    pub fn open(adapter: &Adapter, data: &Problem) -> Result<Self, EngineError> {
        Self::open_with(adapter, data, &GpuSettings::default())
    }

    /// Like [`open`](Self::open), with at most `memory_bytes` of X and T on
    /// the device: if they are larger there, every pass streams them.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_within(adapter: &Adapter, data: &Problem, memory_bytes: u64) -> Result<Self, EngineError> {
        Self::open_with(adapter, data, &GpuSettings { memory_bytes, ..GpuSettings::default() })
    }

    /// Like [`open`](Self::open), with other than the usual settings.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); [`GpuError::Limit`]: the adapter can't
    /// work by the tuning; [`GpuError::NoF64`], [`GpuError::NoCompensation`]:
    /// nor with the precision.
    pub fn open_with(
        adapter: &Adapter,
        data: &Problem,
        settings: &GpuSettings,
    ) -> Result<Self, EngineError> {
        let GpuSettings { memory_bytes, tuning, precision } = *settings;
        precision.check_f64(adapter)?;
        let device = Device::open(adapter)?;
        if precision == Precision::Compensated {
            precision::self_test(&device)?;
        }
        let driver = adapter.driver();
        let info = EngineInfo {
            kind: EngineKind::Gpu,
            adapter: Some(adapter.name().to_owned()),
            backend: Some(adapter.backend()),
            driver: (!driver.is_empty()).then_some(driver),
            precision: Some(precision.name()),
            detail: None,
        };
        let tuning = tuning.unwrap_or_else(|| Tuning::default_for(adapter));
        let readings = whole_readings(data);
        let inputs = Inputs::of(data, &readings);
        data.check_intact()?;
        let mut gpu = Self::empty(data, inputs, info, device, tuning, precision)?;
        gpu.readings = readings;
        gpu.memory_bytes = memory_bytes;
        // On their way to f32 elements are f64 once.
        gpu.notices = notices(data, |_| readings);
        if data.t().is_some() {
            let kernel = gpu.compile(Quantity::Residuals)?;
            let uploaded = if inputs.padded_bytes(data.len()) <= memory_bytes {
                gpu.upload_unless_full()?
            } else {
                None
            };
            gpu.held = if let Some(windows) = uploaded {
                Held::Resident(Box::new(Resident::new(&gpu.device, inputs, windows, kernel, &gpu.point)?))
            } else {
                let stream = Stream::new(&gpu.device, kernel, &gpu.point, data, inputs, memory_bytes)?;
                Held::Streamed(Box::new(stream))
            };
        }
        Ok(gpu)
    }

    /// Brings the data to the device; `None` if its memory doesn't hold them.
    fn upload_unless_full(&mut self) -> Result<Option<Vec<Window>>, EngineError> {
        match resident::upload(&self.device, &self.data, &self.inputs) {
            Ok((windows, mut notices)) => {
                self.notices.append(&mut notices);
                Ok(Some(windows))
            }
            Err(EngineError::Gpu(GpuError::OutOfMemory { adapter, needed_mib })) => {
                self.notices.push(Notice::Streamed { adapter, needed_mib });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The same data on the same device, passed over by another tuning; `None`
    /// if they are not held on the device.
    ///
    /// # Errors
    /// [`GpuError::Limit`]: the device can't work by `tuning`.
    pub fn retuned(&self, tuning: Tuning) -> Result<Option<Self>, EngineError> {
        let Held::Resident(resident) = &self.held else { return Ok(None) };
        let (info, device) = (self.info.clone(), self.device.clone());
        let mut gpu = Self::empty(&self.data, self.inputs, info, device, tuning, self.precision)?;
        let (windows, kernel) = (resident.windows.clone(), gpu.compile(Quantity::Residuals)?);
        gpu.held =
            Held::Resident(Box::new(Resident::new(&gpu.device, gpu.inputs, windows, kernel, &gpu.point)?));
        gpu.readings = self.readings;
        // Of the data, which are the same; moments are what this tuning makes
        // of them.
        gpu.spread = self.spread;
        Ok(Some(gpu))
    }

    /// Without data yet.
    fn empty(
        data: &Problem,
        inputs: Inputs,
        info: EngineInfo,
        device: Device,
        tuning: Tuning,
        precision: Precision,
    ) -> Result<Self, EngineError> {
        tuning.check_within(&device.limits, device.has_subgroups).map_err(|reason| device.limit(reason))?;
        let forward = compile_forward(&device, &tuning, &inputs.x)?;
        let point = create_buffer(&device, "point", size_of::<Point>() as u64, STORAGE_INPUT)?;
        Ok(Self {
            data: data.clone(),
            readings: Readings::default(),
            is_narrow: false,
            inputs,
            info,
            notices: Vec::new(),
            device,
            tuning,
            precision,
            memory_bytes: u64::MAX,
            forward,
            point,
            held: Held::InputsOnly,
            moments: None,
            spread: None,
            parts: BTreeMap::new(),
            descent: None,
            keeps_rounding: None,
        })
    }

    /// The result of a pass over a range of chunks, as a part. Passes over the
    /// chunks of it would have been rounded elsewhere.
    fn partials<S: Mergeable>(&self, over: Range<u64>, value: S::Value) -> Result<Partials<S>, EngineError> {
        let arithmetic = match self.precision {
            Precision::Fast => "gpu f32",
            Precision::Compensated => "gpu compensated f32",
            Precision::F64 => "gpu f64",
        };
        let mut partials = Partials::new(Source::new(Tree::Ranges, arithmetic));
        if !over.is_empty() {
            let end = self.data.grid().end_after(&over);
            partials.push(over, self.data.fits().range().start, vec![value], end)?;
        }
        Ok(partials)
    }

    /// Fails if there is more than one fit.
    fn check_fits(&self) -> Result<(), EngineError> {
        let fits = self.data.fits().range();
        match fits.end - fits.start {
            1 => Ok(()),
            fits => Err(EngineError::ManyFits { fits }),
        }
    }

    fn compile(&self, quantity: Quantity) -> Result<SumsKernel, GpuError> {
        SumsKernel::compile(&self.device, &self.tuning, self.precision, quantity, &self.inputs)
    }

    /// All elements, and what the host knows of them.
    fn all(&self) -> Part {
        let (n, weight_sum) = (self.data.valid_len(), self.data.weight_sum());
        Part { elements: 0..self.data.len(), n, weight_sum }
    }

    /// The elements of a range of chunks.
    fn part(&mut self, over: &Range<u64>) -> Result<Part, EngineError> {
        let elements = elements_of(&self.data, over)?;
        if elements.len() == self.data.len() {
            return Ok(self.all());
        }
        let n = self.data.validity().map_or(elements.len() as u64, |validity| {
            validity.words(&elements).iter().map(|word| u64::from(word.count_ones())).sum()
        });
        #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
        let weight_sum = match self.data.weights() {
            Some(_) if n > 0 => self.host_moments_of(&elements)?.weight_sum,
            _ => n as f64,
        };
        Ok(Part { elements, n, weight_sum })
    }

    /// The moments of a range of elements, which starts with a chunk, in f64.
    fn host_moments_of(&mut self, elements: &Range<usize>) -> Result<Moments, EngineError> {
        let key = [elements.start, elements.end];
        if let Some(moments) = self.parts.get(&key) {
            return Ok(*moments);
        }
        let first = self.data.grid().chunks().start;
        let chunk = |element: usize| first + element.div_ceil(CHUNK) as u64;
        let over = chunk(elements.start)..chunk(elements.end);
        let moments = Cpu::new(&self.data).moments(over)?.total()?;
        Ok(*self.parts.entry(key).or_insert(moments))
    }

    /// The residual sums at W and b about the origin, with x about it.
    fn sums_at(&mut self, there: Affine, part: &Part) -> Result<LossSums, EngineError> {
        self.set_model(there)?;
        let sums = self.sums(Quantity::Residuals, &part.elements)?;
        let scale = self.inputs.weight_scale();
        let sums = sums.iter().map(|sums| {
            let [rr, rx, r, _] = sums.map(|sum| sum / scale);
            LossSums { rr, rx, r, ..LossSums::default() }
        });
        let sums = sums.collect::<SumsAccumulator>().total();
        self.with_left_out(LossSums { n: part.n, weight_sum: part.weight_sum, ..sums }, there, part)
    }

    /// Sets W and b, about the origin, for a residual pass.
    fn set_model(&self, at: Affine) -> Result<(), GpuError> {
        if self.precision == Precision::F64 {
            return self.set_point(&[at.weight, at.bias]);
        }
        self.set_point(&[Point {
            parameters: Parameters { weight: split(at.weight), bias: split(at.bias) },
            coarse: self.inputs.sizes().coarse(at),
            unused: [0.0; 2],
        }])
    }

    fn set_point<P: bytemuck::NoUninit>(&self, point: &[P]) -> Result<(), GpuError> {
        self.device.scoped(0, |_, queue| queue.write_buffer(&self.point, 0, bytemuck::cast_slice(point)))
    }

    /// The sums of a pass at the point that was set, those of parts of one kind
    /// next to another.
    fn sums(&mut self, quantity: Quantity, elements: &Range<usize>) -> Result<Vec<Sums>, EngineError> {
        match &mut self.held {
            Held::Resident(resident) => {
                let pass = match quantity {
                    Quantity::Residuals => &resident.residuals,
                    Quantity::Moments => resident.moments.as_ref().ok_or(EngineError::NoTarget)?,
                };
                let windows = &resident.windows;
                let part = (elements.len() < self.data.len())
                    .then(|| pass.over(&self.device, &self.inputs, windows, elements, &self.point));
                let part = part.transpose()?;
                let pass = part.as_ref().unwrap_or(pass);
                Ok(pass.partials.add_up(&self.device, |recorded| pass.dispatch(recorded))?)
            }
            Held::Streamed(stream) => {
                let sums = stream.sums(&self.device, quantity, elements)?;
                self.notices.append(&mut stream.take_notices());
                Ok(sums)
            }
            Held::InputsOnly => Err(EngineError::NoTarget),
        }
    }

    /// The least sum of squares of which no digit was lost below f32's range.
    fn least_squares(&self, moments: &Moments) -> f64 {
        // The least that every device keeps is 2⁻¹²⁶: of a mean square, the last
        // of 24 bits, or of 48. With f64 it is the elements that are lost.
        let bits = match self.precision {
            Precision::Fast => 24 - 126,
            Precision::Compensated => 48 - 126,
            Precision::F64 => 2 * (24 - 126),
        };
        f64::from(bits).exp2() * moments.weight_sum
    }

    /// Fails if squares were lost in f32, whose range is that of their roots
    /// squared. The host decides what looks like it: data may have no spread,
    /// and f64 may be too small as well.
    fn check_squares(&mut self, moments: &Moments, part: &Part) -> Result<(), EngineError> {
        let least = self.least_squares(moments);
        let how = if !moments.is_finite() {
            "overflow"
        } else if moments.xx < least || moments.tt < least {
            "vanish"
        } else {
            return Ok(());
        };
        let exact = self.host_moments_of(&part.elements)?;
        let vanished = |exact: f64| exact > 0.0 && exact < least;
        let is_lost = match how {
            // Scaled, nothing overflows.
            "overflow" => exact.is_finite(),
            _ => exact.units() != [0; 2] || vanished(exact.xx) || vanished(exact.tt),
        };
        if !is_lost {
            return Ok(());
        }
        let (x, t) = (self.data.x().label().to_owned(), targets(&self.data)?.label().to_owned());
        Err(DataError::SquaresBeyondF32 { x, t, how }.into())
    }

    /// Whether weights leave hardly any spread: the elements that weigh most are
    /// then so near one another that f32, which holds all of them, has too few
    /// digits for what is between those.
    fn is_narrow_in(&self, moments: &Moments) -> bool {
        /// Of the spread of all, a share of which f32 leaves 18 bits.
        const NARROW: f64 = 1.0 / 64.0;
        /// Of smaller ones the squares vanish, and residuals with them.
        const LEAST_SPREAD: f64 = 1e-18;
        let is_narrow = |squares: f64, spread: f64| (squares / moments.weight_sum).sqrt() < NARROW * spread;
        let least = self.inputs.x.spread.min(self.inputs.t.spread);
        self.inputs.weights.is_some()
            && least > LEAST_SPREAD
            && (is_narrow(moments.xx, self.inputs.x.spread) || is_narrow(moments.tt, self.inputs.t.spread))
    }

    /// The moments as the device has them, of which squares may be lost.
    fn moments_in_range(&mut self, part: &Part) -> Result<Moments, EngineError> {
        let is_all = part.elements.len() == self.data.len();
        if let Some(moments) = self.moments.filter(|_| is_all) {
            return Ok(moments);
        }
        self.prepare_moments()?;
        let centres = [self.inputs.x.centre, self.inputs.t.centre];
        let mut moments = self.moments_about(centres, part)?;
        // Elements may be elsewhere than a sample of them was.
        if let Some(centres) = self.better_centres(centres, &moments) {
            moments = self.moments_about(centres, part)?;
        }
        if is_all {
            self.moments = Some(moments);
        }
        Ok(moments)
    }

    /// The spread of X about the origin of residuals.
    fn spread(&mut self, part: &Part) -> Result<Spread, EngineError> {
        let origin = self.inputs.origin(self.precision).x;
        if part.elements.len() < self.data.len() {
            return Ok(Spread::about(origin, &self.host_moments_of(&part.elements)?));
        }
        if let Some(spread) = self.spread {
            return Ok(spread);
        }
        let moments = self.moments_in_range(part)?;
        let moments = if moments.is_finite() && moments.xx >= self.least_squares(&moments) {
            moments.of_readings(&self.readings, 0)
        } else {
            self.host_moments_of(&part.elements)?
        };
        let spread = Spread::about(origin, &moments);
        Ok(*self.spread.insert(spread))
    }

    /// The sums at W and b from those at what of them residuals in f32 are
    /// computed at, all about the origin.
    fn with_left_out(&mut self, sums: LossSums, at: Affine, part: &Part) -> Result<LossSums, EngineError> {
        let left_out = self.inputs.sizes().left_out(at);
        if self.precision != Precision::Fast || left_out == Affine::default() {
            return Ok(sums);
        }
        Ok(self.spread(part)?.moved(sums, left_out))
    }

    /// The moments from sums about a point on the device.
    fn moments_about(&mut self, centres: [f32; 2], part: &Part) -> Result<Moments, EngineError> {
        self.set_point(&centres.map(|centre| [centre, 0.0]))?;
        let mut sums = [Compensated::default(); 5];
        for pair in self.sums(Quantity::Moments, &part.elements)?.chunks_exact(2) {
            let [linear, quadratic] = [pair[0], pair[1]];
            let terms = [linear[0], linear[1], quadratic[0], quadratic[1], quadratic[2]];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| sum.add(term));
        }
        let scale = self.inputs.weight_scale();
        let [x, t, xx, xt, tt] = sums.map(|sum| sum.value() / scale);
        let [x_pivot, t_pivot] =
            [self.inputs.x.pivot + f64::from(centres[0]), self.inputs.t.pivot + f64::from(centres[1])];
        let (n, weight_sum) = (part.n, part.weight_sum);
        Ok(Moments::from_pivot_sums(&PivotSums { n, weight_sum, x_pivot, t_pivot, x, t, xx, xt, tt }))
    }

    /// Where to sum about, if that was far from the means that were found.
    fn better_centres(&self, centres: [f32; 2], moments: &Moments) -> Option<[f32; 2]> {
        /// Standard deviations: with so many, the sums of squares lose 17 times
        /// their rounding.
        const FAR: f64 = 4.0;
        let means = [moments.x_mean - self.inputs.x.pivot, moments.t_mean - self.inputs.t.pivot];
        let squares = [moments.xx, moments.tt].map(|squares| squares / moments.weight_sum);
        let is_far = |k: usize| (means[k] - f64::from(centres[k])).powi(2) > FAR * FAR * squares[k];
        let better = means.map(|mean| split(mean)[0]);
        (moments.is_finite() && (is_far(0) || is_far(1)) && better != centres).then_some(better)
    }

    /// Compiles the moments pass, which is not always wanted.
    fn prepare_moments(&mut self) -> Result<(), EngineError> {
        let kernel = match &self.held {
            Held::Resident(resident) if resident.moments.is_none() => self.compile(Quantity::Moments)?,
            Held::Streamed(stream) if !stream.has_moments() => self.compile(Quantity::Moments)?,
            _ => return Ok(()),
        };
        match &self.held {
            Held::Resident(resident) => {
                let pass =
                    ResidentPass::new(&self.device, &self.inputs, &resident.windows, kernel, &self.point)?;
                if let Held::Resident(resident) = &mut self.held {
                    resident.moments = Some(pass);
                }
            }
            _ => {
                if let Held::Streamed(stream) = &mut self.held {
                    stream.add_moments(&self.device, kernel, &self.point)?;
                }
            }
        }
        Ok(())
    }
}

/// The elements of a pass, and the host's sums over them.
struct Part {
    elements: Range<usize>,
    n: u64,
    weight_sum: f64,
}

const STORAGE: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC);
const STORAGE_INPUT: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_DST);

fn create_buffer(
    device: &Device,
    label: &str,
    size: u64,
    usage: wgpu::BufferUsages,
) -> Result<wgpu::Buffer, GpuError> {
    device.scoped(size, |device, _| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage,
            mapped_at_creation: false,
        })
    })
}

/// A uniform buffer with these contents.
fn uniform(device: &Device, label: &str, contents: &[u8]) -> Result<wgpu::Buffer, GpuError> {
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let buffer = create_buffer(device, label, contents.len() as u64, usage)?;
    device.scoped(0, |_, queue| queue.write_buffer(&buffer, 0, contents))?;
    Ok(buffer)
}

/// A number as the unevaluated sum of two f32.
#[expect(clippy::cast_possible_truncation, reason = "the rounding error is kept in the second part")]
fn split(value: f64) -> [f32; 2] {
    let hi = value as f32;
    [hi, (value - f64::from(hi)) as f32]
}

impl Engine for Gpu {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn problem(&self) -> &Problem {
        &self.data
    }

    fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn pass_bytes(&self) -> u64 {
        (self.data.len() * self.inputs.pair_bytes()) as u64
    }

    fn loss_sums(&mut self, at: &[Affine], over: Range<u64>) -> Result<Partials<LossSums>, EngineError> {
        self.check_fits()?;
        check_points(&self.data, at)?;
        let (at, part) = (super::point_of(at, 0), self.part(&over)?);
        if part.n == 0 {
            return self.partials(over, SumsAt { at, sums: SumsAccumulator::default() });
        }
        let origin = self.inputs.origin(self.precision);
        let sums = origin.uncentred_sums(self.sums_at(origin.centred(at), &part)?);
        self.partials(over, SumsAt { at, sums: sums.into() })
    }

    fn moments(&mut self, over: Range<u64>) -> Result<Partials<Moments>, EngineError> {
        self.check_fits()?;
        let part = self.part(&over)?;
        if part.n == 0 {
            return self.partials(over, Moments::default());
        }
        let moments = self.moments_in_range(&part)?;
        let is_narrow = self.is_narrow_in(&moments);
        if part.elements.len() == self.data.len() {
            self.is_narrow = is_narrow;
        }
        if is_narrow {
            let moments = self.host_moments_of(&part.elements)?;
            return self.partials(over, moments);
        }
        self.check_squares(&moments, &part)?;
        self.partials(over, moments.of_readings(&self.readings, 0))
    }

    /// Twice the digits of f64 are had on the host.
    fn sums_about(&mut self, line: &Line, digits: Digits) -> Result<LossSums, EngineError> {
        match digits {
            Digits::Usual => {
                let origin = self.inputs.origin(self.precision);
                let all = self.all();
                let sums = self.sums_at(origin.centred_line(line), &all)?;
                Ok(line.in_units(origin.sums_about(line.x, sums), &Readings::default()))
            }
            Digits::Double => Cpu::new(&self.data).sums_about(line, digits),
        }
    }

    fn host_moments(&mut self) -> Result<Option<Moments>, EngineError> {
        Cpu::new(&self.data).all_moments().map(Some)
    }

    fn resolved_share(&self) -> f64 {
        match self.precision {
            // Residuals are off by some 2⁻²³ of T's spread, and their mean
            // square by the square of that: 1e-6 of it at this share.
            Precision::Fast if !self.is_narrow => 1e-7,
            // The moments tell them above it, the host below.
            _ => super::RESOLVED_SHARE,
        }
    }

    fn predict(&mut self, at: Affine, sink: Sink<'_>) -> Result<(), EngineError> {
        self.predict_all(at, sink)
    }

    /// For data that are on the device.
    fn start_clock(&mut self) -> bool {
        match &self.device.clock {
            Some(clock) if !matches!(self.held, Held::Streamed(_)) => {
                clock.start();
                true
            }
            _ => false,
        }
    }

    fn stop_clock(&mut self) -> Option<f64> {
        self.device.clock.as_ref()?.stop()
    }

    /// For data that are on the device, with the precision that updates there
    /// have, if it keeps the rounding errors that they are made of.
    fn stepper(&mut self) -> Option<&mut dyn Stepper> {
        if !matches!(self.held, Held::Resident(_)) || self.precision != Precision::Fast {
            return None;
        }
        let device = &self.device;
        let keeps = *self.keeps_rounding.get_or_insert_with(|| precision::self_test(device).is_ok());
        keeps.then_some(self)
    }
}

#[cfg(test)]
mod tests;
