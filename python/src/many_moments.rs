//! Moments of groups of parts of the data, which add up group by group.

use std::ops::ControlFlow;

use linfit::array::{DataError, LabelNames, Shape};
use linfit::engine::EngineError;
use linfit::fit::Method;
use linfit::io::Metadata;
use linfit::io::fits::Keys;
use linfit::math::Moments;
use linfit::report::ManyReport;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple, PyType};

use crate::engine::EngineChoice;
use crate::error::{of_fit, warn_of};
use crate::keywords::Keywords;
use crate::many::{ManyResult, of_many};
use crate::problem::Arguments;
use crate::run::{Cancelled, detached};

/// The moments of each of many groups, in a shape.
#[pyclass(module = "linfit._linfit", frozen)]
pub(crate) struct ManyMoments {
    shape: Vec<u64>,
    moments: Vec<Moments>,
}

/// The version of the bytes.
const VERSION: u64 = 1;

#[pymethods]
impl ManyMoments {
    /// The moments of the groups of two arrays, and their labels, if they have such;
    /// None if nothing is valid.
    #[staticmethod]
    fn _of<'py>(
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        t: &Bound<'py, PyAny>,
        settings: &Bound<'py, PyDict>,
    ) -> PyResult<Option<(Self, Option<Vec<i128>>)>> {
        let Keywords { engine, validity, grouping, watch, .. } = Keywords::of(settings)?;
        let grouping = grouping
            .grouping(py)?
            .ok_or_else(|| PyValueError::new_err("give the groups by axis=, groups= or tile="))?;
        let choice = EngineChoice::of(py, engine, validity.memory, false)?;
        let arguments = Arguments::of(x, t, &validity)?;
        let work = move |_: &Cancelled| -> Result<_, EngineError> {
            let many = match arguments.many(grouping) {
                Ok(many) => many,
                // Nothing adds nothing.
                Err(EngineError::Data(DataError::NoneValid { .. })) => return Ok(None),
                Err(error) => return Err(error),
            };
            let data = many.problem;
            let mut engine = choice.open(&data)?;
            let (_, moments) = engine.moments(data.grid().chunks())?.into_totals()?;
            let shape = data.fits().shape().0.clone();
            Ok(Some((Self { shape, moments }, many.grouped.wholes, engine.take_notices())))
        };
        let Some((moments, wholes, notices)) = detached(py, watch.threads, work)?.map_err(of_many)? else {
            return Ok(None);
        };
        notices.iter().try_for_each(|notice| warn_of(py, notice))?;
        Ok(Some((moments, wholes)))
    }

    /// The moments of groups without elements.
    #[staticmethod]
    fn none(shape: Vec<u64>) -> PyResult<Self> {
        let count = Shape(shape.clone()).elements().and_then(|count| usize::try_from(count).ok());
        let count = count.ok_or_else(|| PyValueError::new_err("there are too many groups"))?;
        Ok(Self { shape, moments: vec![Moments::default(); count] })
    }

    /// The moments of the same groups over all parts, combined two and two.
    #[staticmethod]
    fn merge(py: Python<'_>, parts: Vec<PyRef<'_, Self>>) -> PyResult<Self> {
        let Some(first) = parts.first() else {
            return Err(PyValueError::new_err("there are no moments to merge"));
        };
        let shape = first.shape.clone();
        if parts.iter().any(|part| part.shape != shape) {
            return Err(PyValueError::new_err("moments of other groups do not merge"));
        }
        let parts: Vec<&[Moments]> = parts.iter().map(|part| part.moments.as_slice()).collect();
        let moments = py.detach(|| {
            let merged = |group: usize| {
                let of_group: Vec<Moments> = parts.iter().map(|part| part[group]).collect();
                Moments::of_parts(&of_group)
            };
            (0..parts[0].len()).map(merged).collect()
        });
        Ok(Self { shape, moments })
    }

    /// The moments of blocks of groups as those of one: so many blocks along each axis,
    /// given row by row.
    #[staticmethod]
    fn joined(parts: Vec<PyRef<'_, Self>>, blocks: Vec<usize>) -> PyResult<Self> {
        let uneven = || PyValueError::new_err("the blocks do not make up one array of groups");
        let rank = blocks.len();
        if blocks.iter().product::<usize>() != parts.len()
            || parts.iter().any(|part| part.shape.len() != rank)
        {
            return Err(uneven());
        }
        // The place of a block along each axis, and where it starts there.
        let place = |block: usize, axis: usize| {
            block / blocks[axis + 1..].iter().product::<usize>().max(1) % blocks[axis].max(1)
        };
        let mut starts = vec![vec![0usize]; rank];
        for (axis, starts) in starts.iter_mut().enumerate() {
            for wanted in 0..blocks[axis] {
                let found =
                    (0..parts.len()).find(|&block| place(block, axis) == wanted).ok_or_else(uneven)?;
                let extent = usize::try_from(parts[found].shape[axis]).map_err(|_| uneven())?;
                starts.push(starts[wanted] + extent);
            }
        }
        let shape: Vec<usize> = starts.iter().map(|starts| starts.last().copied().unwrap_or(0)).collect();
        let mut moments = vec![Moments::default(); shape.iter().product()];
        for (block, part) in parts.iter().enumerate() {
            for (number, own) in part.moments.iter().enumerate() {
                let (mut rest, mut at, mut step) = (number, 0, 1);
                for axis in (0..rank).rev() {
                    let start = starts[axis][place(block, axis)];
                    let extent = starts[axis][place(block, axis) + 1] - start;
                    if part.shape[axis] != extent as u64 {
                        return Err(uneven());
                    }
                    at += (start + rest % extent) * step;
                    rest /= extent;
                    step *= shape[axis];
                }
                moments[at] = *own;
            }
        }
        Ok(Self { shape: shape.into_iter().map(|extent| extent as u64).collect(), moments })
    }

    /// The same moments as those of the groups number `places` of `count`.
    fn placed(&self, places: Vec<usize>, count: usize) -> PyResult<Self> {
        let mut moments = vec![Moments::default(); count];
        for (place, own) in places.into_iter().zip(&self.moments) {
            let place = moments.get_mut(place);
            *place.ok_or_else(|| PyValueError::new_err("a place is beyond the groups"))? = *own;
        }
        Ok(Self { shape: vec![count as u64], moments })
    }

    /// The line of each group, by the closed form or by steps from its moments.
    #[pyo3(signature = (settings, axes=None, labels=None, texts=None))]
    fn _fit(
        &self,
        py: Python<'_>,
        settings: &Bound<'_, PyDict>,
        axes: Option<Vec<usize>>,
        labels: Option<Vec<i128>>,
        texts: Option<Vec<String>>,
    ) -> PyResult<ManyResult> {
        let Keywords { solver, watch, .. } = Keywords::of(settings)?;
        let solver = solver.solver()?;
        if solver.method == Method::GradientDescent {
            return Err(PyValueError::new_err(
                "solver=\"sgd\" passes over the data for each step; use solver=\"moments\", which takes the same \
                 steps from the moments",
            ));
        }
        let method = solver.method;
        let (shape, moments) = (Shape(self.shape.clone()), self.moments.clone());
        let work = move |cancelled: &Cancelled| {
            let mut observe =
                |_, _| if cancelled.is_set() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            solver.solve_many_moments(shape, &moments, &mut observe)
        };
        let fits = detached(py, watch.threads, work)?.map_err(of_fit)?;
        let keys = match (labels, texts) {
            (Some(labels), _) => Keys::Labels(LabelNames::Whole(labels)),
            (None, Some(texts)) => Keys::Labels(LabelNames::Text(texts)),
            (None, None) => Keys::along(axes.unwrap_or_default()),
        };
        let source = "from moments".to_owned();
        let report = ManyReport::from_moments(&fits, &self.moments, &keys, method, source);
        let metadata = Metadata::default();
        Ok(ManyResult { fits, report, keys, wholes: None, texts: None, metadata, far: 0 })
    }

    /// The shape in which groups are numbered.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.shape)
    }

    /// The moments as bytes, for another process.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let head = [VERSION, self.shape.len() as u64].into_iter().chain(self.shape.iter().copied());
        let words: Vec<u64> = head.chain(self.moments.iter().flat_map(Moments::to_words)).collect();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        PyBytes::new(py, &bytes)
    }

    /// The moments of such bytes.
    #[classmethod]
    fn from_bytes(_: &Bound<'_, PyType>, bytes: &[u8]) -> PyResult<Self> {
        let unreadable =
            || PyValueError::new_err("these bytes are no moments that this version of linfit wrote");
        let (words, rest) = bytes.as_chunks::<8>();
        let mut words = words.iter().copied().map(u64::from_le_bytes);
        let (version, rank) = (words.next(), words.next());
        let rank = rank.and_then(|rank| usize::try_from(rank).ok()).ok_or_else(unreadable)?;
        // The bytes may be anyone's.
        if version != Some(VERSION) || !rest.is_empty() || rank > words.len() {
            return Err(unreadable());
        }
        let shape: Vec<u64> = words.by_ref().take(rank).collect();
        let words: Vec<u64> = words.collect();
        let (all, rest) = words.as_chunks::<{ Moments::WORDS }>();
        if !rest.is_empty() || Shape(shape.clone()).elements() != Some(all.len() as u64) {
            return Err(unreadable());
        }
        let moments: Option<Vec<Moments>> = all.iter().map(|words| Moments::from_words(*words)).collect();
        Ok(Self { shape, moments: moments.ok_or_else(unreadable)? })
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let py = slf.py();
        Ok((py.get_type::<Self>().getattr("from_bytes")?, (slf.get().to_bytes(py),)))
    }
}
