//! Predictions.

use std::path::PathBuf;

use linfit::array::{Array, Order, Real};
use linfit::math::Affine;
use numpy::{PyArrayDyn, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rayon::prelude::*;

use crate::error::{of_data, of_document, of_value};
use crate::problem::Input;
use crate::run::pool;

/// The elements that a thread goes through at a time.
const RUN_ELEMENTS: usize = 1 << 16;

/// The elements that are read at a time.
const BLOCK_ELEMENTS: usize = 1024;

/// Puts X·W + b, in f64 arithmetic, into an array of f32 or f64 of X's shape: stored
/// row by row without gaps, in this machine's byte order.
#[pyfunction]
pub(crate) fn predict_into(
    py: Python<'_>,
    x: &Bound<'_, PyAny>,
    weight: f64,
    bias: f64,
    out: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let x = match Input::of("x", x)? {
        Input::File(opened) => (*opened).clone(),
        Input::Memory(array) => array,
    };
    if x.shape().0 != out.getattr("shape")?.extract::<Vec<u64>>()? {
        return Err(PyValueError::new_err(format!("out: expected an array of X's shape, {}", x.shape())));
    }
    if let Ok(out) = out.cast::<PyArrayDyn<f32>>() {
        let mut out = out.try_readwrite().map_err(|e| of_value(&e))?;
        fill(py, &x, out.as_slice_mut()?, weight, bias)
    } else if let Ok(out) = out.cast::<PyArrayDyn<f64>>() {
        let mut out = out.try_readwrite().map_err(|e| of_value(&e))?;
        fill(py, &x, out.as_slice_mut()?, weight, bias)
    } else {
        Err(PyValueError::new_err("out: expected float32 or float64"))
    }
}

fn fill<R: Real>(py: Python<'_>, x: &Array, out: &mut [R], weight: f64, bias: f64) -> PyResult<()> {
    let run = |k: usize, ys: &mut [R]| {
        let mut xs = [0f64; BLOCK_ELEMENTS];
        for (block, ys) in ys.chunks_mut(BLOCK_ELEMENTS).enumerate() {
            let xs = &mut xs[..ys.len()];
            x.read(Order::C, k * RUN_ELEMENTS + block * BLOCK_ELEMENTS, xs);
            for (x, y) in xs.iter().zip(ys) {
                *y = R::from_element(*x * weight + bias);
            }
        }
    };
    if out.len() <= RUN_ELEMENTS {
        run(0, out);
    } else {
        let pool = pool(None)?;
        py.detach(|| {
            pool.install(|| out.par_chunks_mut(RUN_ELEMENTS).enumerate().for_each(|(k, ys)| run(k, ys)));
        });
    }
    x.check_intact().map_err(of_data)
}

/// W and b of a file that a fit was saved to.
#[pyfunction]
pub(crate) fn load_model(path: PathBuf) -> PyResult<(f64, f64)> {
    let Affine { weight, bias } = linfit::io::load_model(&path).map_err(of_document)?;
    Ok((weight, bias))
}
