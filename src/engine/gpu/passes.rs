//! A pass over the data at a point, wherever they are.

use std::ops::Range;

use super::abi::{Parameters, WideParameters};
use super::buffers::split;
use super::host::Host;
use super::kernels::Quantity;
use super::partials::Sums;
use super::pipelines::SumsKernel;
use super::{Gpu, GpuError, Held, Precision};
use crate::engine::{EngineError, Mergeable, Partials, Source, Tree, elements_of};
use crate::math::{Affine, LossSums, Moments, SumsAccumulator};

/// The elements of a pass, and the host's sums over them.
pub(super) struct Part {
    pub(super) elements: Range<usize>,
    pub(super) n: u64,
    pub(super) weight_sum: f64,
}

impl Gpu {
    /// The result of a pass over a range of chunks, as a part. Passes over the
    /// chunks of it would have been rounded elsewhere.
    pub(super) fn partials<S: Mergeable>(
        &self,
        over: Range<u64>,
        value: S::Value,
    ) -> Result<Partials<S>, EngineError> {
        let arithmetic = match self.precision {
            Precision::Fast => "gpu f32",
            Precision::Compensated => "gpu compensated f32",
            Precision::F64 => "gpu f64",
        };
        let mut partials = Partials::new(Source::of(&self.data, Tree::Ranges, arithmetic));
        if !over.is_empty() {
            let end = self.data.grid().end_after(&over);
            partials.push(over, self.data.fits().range().start, vec![value], end)?;
        }
        Ok(partials)
    }

    /// Fails if there is more than one fit.
    pub(super) fn check_fits(&self) -> Result<(), EngineError> {
        let fits = self.data.fits().range();
        match fits.end - fits.start {
            1 => Ok(()),
            fits => Err(EngineError::ManyFits { fits }),
        }
    }

    pub(super) fn compile(&self, quantity: Quantity) -> Result<SumsKernel, GpuError> {
        SumsKernel::compile(&self.device, &self.tuning, self.precision, quantity, &self.inputs)
    }

    /// All elements, and what the host knows of them.
    pub(super) fn all(&self) -> Part {
        let (n, weight_sum) = (self.data.valid_len(), self.data.weight_sum());
        Part { elements: 0..self.data.len(), n, weight_sum }
    }

    /// The elements of a range of chunks.
    pub(super) fn part(&mut self, over: &Range<u64>) -> Result<Part, EngineError> {
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
    pub(super) fn host_moments_of(&mut self, elements: &Range<usize>) -> Result<Moments, EngineError> {
        self.host().moments(elements)
    }

    /// The data as the host passes over them.
    pub(super) fn host(&mut self) -> &mut Host {
        self.host.get_or_insert_with(|| Host::new(&self.data))
    }

    /// The residual sums at W and b less the shift, with x less it.
    pub(super) fn sums_at(&mut self, there: Affine, part: &Part) -> Result<LossSums, EngineError> {
        self.set_model(there)?;
        let sums = self.sums(Quantity::LossSums, &part.elements)?;
        let scale = self.inputs.weight_scale();
        let sums = sums.iter().map(|sums| {
            let [rr, rx, r, _] = sums.map(|sum| sum / scale);
            LossSums { rr, rx, r, ..LossSums::default() }
        });
        let sums = sums.collect::<SumsAccumulator>().total();
        self.with_left_out(LossSums { n: part.n, weight_sum: part.weight_sum, ..sums }, there, part)
    }

    /// Sets W and b, for elements less the shift, for a residual pass.
    pub(super) fn set_model(&self, at: Affine) -> Result<(), GpuError> {
        if self.precision == Precision::F64 {
            return self.set_point(&WideParameters { weight: at.weight, bias: at.bias });
        }
        self.set_point(&Parameters {
            weight: split(at.weight),
            bias: split(at.bias),
            coarse: self.inputs.sizes().coarse(at),
            unused: [0.0; 2],
        })
    }

    pub(super) fn set_point<P: bytemuck::NoUninit>(&self, point: &P) -> Result<(), GpuError> {
        self.device.scoped(0, |_, queue| queue.write_buffer(&self.point, 0, bytemuck::bytes_of(point)))
    }

    /// The sums of a pass at the point that was set, those of parts of one kind
    /// next to another.
    pub(super) fn sums(
        &mut self,
        quantity: Quantity,
        elements: &Range<usize>,
    ) -> Result<Vec<Sums>, EngineError> {
        match &mut self.held {
            Held::Resident(resident) => {
                let pass = resident.passes.of(quantity)?;
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
}
