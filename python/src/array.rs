//! Arrays of files, as Python has them.

use std::path::PathBuf;

use linfit::array::{ElementType, MemoryPlan, Order};
use linfit::io::{Opened, RawLayout, Reading, Source, TextRules};
use linfit::with_element;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{of_data, warn};
use crate::hint::keywords;
use crate::run::detached;

/// An array of a file, usually still in it.
#[pyclass(module = "linfit", frozen)]
pub(crate) struct Array(pub(crate) Opened);

#[pymethods]
impl Array {
    /// The file, and the array in it.
    #[getter]
    fn name(&self) -> &str {
        self.0.label()
    }

    /// The extent of each axis.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyTuple>> {
        pyo3::types::PyTuple::new(py, &self.0.shape().0)
    }

    /// The type of the elements: `uint16`, `float32`, ….
    #[getter]
    fn dtype(&self) -> &'static str {
        match self.0.element() {
            ElementType::Bool => "bool",
            ElementType::U8 => "uint8",
            ElementType::I8 => "int8",
            ElementType::U16 => "uint16",
            ElementType::I16 => "int16",
            ElementType::U32 => "uint32",
            ElementType::I32 => "int32",
            ElementType::U64 => "uint64",
            ElementType::I64 => "int64",
            ElementType::F16 => "float16",
            ElementType::Bf16 => "bfloat16",
            ElementType::F32 => "float32",
            ElementType::F64 => "float64",
        }
    }

    /// The nodata value that the file names, if it names one.
    #[getter]
    fn nodata(&self) -> Option<f64> {
        self.0.metadata().nodata()
    }

    /// The array in memory, as NumPy has it; without its mask.
    #[pyo3(signature = (dtype=None, copy=None))]
    fn __array__<'py>(
        slf: &Bound<'py, Self>,
        dtype: Option<Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if copy == Some(false) {
            return Err(PyValueError::new_err(
                "an array of a file is read into memory: copy=False cannot be",
            ));
        }
        let array = slf.py().import("linfit._arrays")?.call_method1("to_numpy", (slf,))?;
        match dtype {
            Some(dtype) => array.call_method1("astype", (dtype,)),
            None => Ok(array),
        }
    }

    /// The elements row by row, in this machine's byte order.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes =
            usize::try_from(self.0.stored_bytes()).map_err(|e| PyValueError::new_err(e.to_string()))?;
        PyBytes::new_with(py, bytes, |out| {
            let array = &self.0;
            py.detach(|| {
                with_element!(array.element(), E => {
                    let run = 1 << 16;
                    let mut values = vec![<E as bytemuck::Zeroable>::zeroed(); run.min(array.len())];
                    let size = size_of::<E>();
                    for start in (0..array.len()).step_by(run) {
                        let values = &mut values[..run.min(array.len() - start)];
                        array.copy(Order::C, start, values);
                        let bytes: &[u8] = bytemuck::cast_slice(values);
                        out[start * size..][..bytes.len()].copy_from_slice(bytes);
                    }
                });
            });
            self.0.check_intact().map_err(of_data)
        })
    }

    /// Whether each element is valid, row by row, as bytes of 0 and 1; None if none
    /// is null or under a mask of the file.
    fn valid_bytes<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let metadata = self.0.metadata();
        metadata.has_nulls().then(|| {
            let valid: Vec<u8> = (0..self.0.len()).map(|k| u8::from(!metadata.is_null(k))).collect();
            PyBytes::new(py, &valid)
        })
    }

    fn __len__(&self) -> usize {
        self.0.shape().0.first().map_or(0, |&extent| usize::try_from(extent).unwrap_or(usize::MAX))
    }

    fn __repr__(&self) -> String {
        format!("linfit.Array({}, {}, {})", self.0.label(), self.dtype(), self.0.shape())
    }
}

/// The reading that settings ask for.
#[expect(clippy::too_many_arguments, reason = "the keywords of the Python function")]
fn reading(
    raw_dtype: Option<&str>,
    raw_shape: Option<Vec<u64>>,
    raw_offset: u64,
    header: Option<bool>,
    comment: Option<char>,
    alpha: bool,
    memory: u64,
    arrays: usize,
) -> PyResult<Reading> {
    let raw = raw_dtype
        .map(|dtype| -> PyResult<RawLayout> {
            let dtype = dtype.parse().map_err(|e| PyValueError::new_err(format!("raw_dtype: {e}")))?;
            let shape = raw_shape.map(linfit::array::Shape);
            Ok(RawLayout { dtype, shape, offset: raw_offset })
        })
        .transpose()?;
    let comment = comment
        .map(|character| {
            u8::try_from(character)
                .map_err(|_| PyValueError::new_err("comment: expected # or %, for example"))
        })
        .transpose()?;
    let text = TextRules { header, comment, ..TextRules::default() };
    Ok(Reading { memory_bytes: MemoryPlan::new(memory).array_bytes(arrays), raw, text, alpha })
}

/// Opens an array of a file: `FILE` or `FILE:KEY`.
#[pyfunction]
#[pyo3(signature = (source, *, key=None, raw_dtype=None, raw_shape=None, raw_offset=0, header=None, comment=None, alpha=true, memory=None))]
#[expect(clippy::too_many_arguments, reason = "the keywords of the Python function")]
pub(crate) fn open(
    py: Python<'_>,
    source: PathBuf,
    key: Option<String>,
    raw_dtype: Option<&str>,
    raw_shape: Option<Vec<u64>>,
    raw_offset: u64,
    header: Option<bool>,
    comment: Option<char>,
    alpha: bool,
    memory: Option<u64>,
) -> PyResult<Array> {
    let memory = memory.unwrap_or_else(crate::problem::half_of_free);
    let reading = reading(raw_dtype, raw_shape, raw_offset, header, comment, alpha, memory, 1)?;
    let source = source_of(source, key);
    let opened = detached(py, None, move |_| reading.open(&source))?.map_err(of_data)?;
    tell_notes(py, &opened)?;
    Ok(Array(opened))
}

/// Opens X and T. Two columns of one text file are read in one go.
#[pyfunction]
#[pyo3(signature = (x, t, *, memory=None))]
pub(crate) fn open_pair(
    py: Python<'_>,
    x: PathBuf,
    t: PathBuf,
    memory: Option<u64>,
) -> PyResult<(Array, Array)> {
    let memory = memory.unwrap_or_else(crate::problem::half_of_free);
    let reading = Reading { memory_bytes: MemoryPlan::new(memory).array_bytes(2), ..Reading::default() };
    let (x, t) = (source_of(x, None), source_of(t, None));
    let (x, t) = detached(py, None, move |_| reading.open_pair(&x, &t))?.map_err(of_data)?;
    tell_notes(py, &x)?;
    tell_notes(py, &t)?;
    Ok((Array(x), Array(t)))
}

fn source_of(path: PathBuf, key: Option<String>) -> Source {
    match (key, path.to_str().map(str::parse::<Source>)) {
        (None, Some(Ok(source))) => source,
        (key, _) => Source { path, key },
    }
}

/// Warns of what a reader noted, unless it is a detail.
fn tell_notes(py: Python<'_>, opened: &Opened) -> PyResult<()> {
    let notes = opened.metadata().notes().iter().filter(|note| !note.is_detail());
    notes.into_iter().try_for_each(|note| warn(py, &format!("{}: {}", opened.label(), keywords(note))))
}
