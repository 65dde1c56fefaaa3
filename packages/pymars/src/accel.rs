//! The Rust tier of the compute functions that are no replay: arrays in, arrays out.

use mars_earth_core::train::{self, Scan};
use numpy::ndarray::Array2;
use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods,
};
use pyo3::prelude::*;

use crate::raise;

/// RSS, GCV and the next term to go, for each size on the path of backward elimination.
#[pyfunction]
pub(crate) fn gcv_path<'py>(
    py: Python<'py>,
    r: PyReadonlyArray2<'py, f64>,
    z: PyReadonlyArray2<'py, f64>,
    rss: f64,
    n: usize,
    penalty: f64,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let size = r.shape()[0];
    let (r, z) = (r.as_slice()?, z.as_slice()?);
    let path = py
        .detach(|| train::gcv_path(r, z, size, rss, n, penalty))
        .map_err(|error| raise(py, &error))?;
    let found = Array2::from_shape_fn((path.len(), 3), |(k, column)| match column {
        0 => path[k].rss,
        1 => path[k].gcv,
        _ => path[k].next.map_or(-1.0, |next| next as f64),
    });
    Ok(found.into_pyarray(py))
}

/// By how much the RSS falls at each knot of one variable under one parent.
#[pyfunction]
pub(crate) fn knot_scan<'py>(
    py: Python<'py>,
    x: PyReadonlyArray1<'py, f64>,
    parent: PyReadonlyArray1<'py, f64>,
    frame: PyReadonlyArray2<'py, f64>,
    residual: PyReadonlyArray2<'py, f64>,
    knots: PyReadonlyArray1<'py, f64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let scan = Scan {
        x: x.as_slice()?,
        parent: parent.as_slice()?,
        frame: frame.as_slice()?,
        residual: residual.as_slice()?,
        knots: knots.as_slice()?,
    };
    let gains = py
        .detach(|| train::knot_scan(scan))
        .map_err(|error| raise(py, &error))?;
    Ok(gains.into_pyarray(py))
}
