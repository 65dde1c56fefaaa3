//! Replay NumPy arrays as they lie: float64 or float32, any strides, or one array for each column.

use std::cell::Cell;

use mars_earth_core::{Error, Output, Plan, Replayed, Rows, Source, replay};
use numpy::ndarray::{ArrayView1, ArrayView2, s};
use numpy::{
    Element, PyArray, PyArray1, PyArray2, PyArrayDyn, PyArrayMethods, PyReadonlyArray1,
    PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::{raise, refuse};

/// Rows, bytes of a converted input, bytes of the result where it was made here, and how it went.
type Info = (usize, usize, usize, Replayed);

thread_local! {
    /// The last replay of this thread.
    static LAST: Cell<Option<Info>> = const { Cell::new(None) };
}

/// The last replay of this thread (H1, not claimed): rows, threads, instructions, and the bytes of
/// its converted input, its buffers and its result.
#[pyfunction]
pub(crate) fn replay_info() -> Option<(usize, usize, &'static str, usize, usize, usize)> {
    let (rows, copied, made, replayed) = LAST.get()?;
    let instructions = replayed.instructions.name();
    let buffers = replayed.scratch_bytes;
    Some((rows, replayed.threads, instructions, copied, buffers, made))
}

/// Replay `x` into `out` or a new array; None where `x` must be converted first.
pub(crate) fn run<'py>(
    py: Python<'py>,
    plan: &Plan,
    x: &Bound<'py, PyAny>,
    output: Output,
    threads: usize,
    out: Option<&Bound<'py, PyAny>>,
    copied: usize,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if let Ok(columns) = x.cast::<PyList>() {
        return of_columns(py, plan, columns, output, threads, out, copied);
    }
    let Ok(array) = x.cast::<PyUntypedArray>() else {
        return Ok(None);
    };
    if array.ndim() != 2 || !array.is_aligned() {
        return Ok(None);
    }
    if let Ok(array) = x.cast::<PyArray2<f64>>() {
        let x = array.try_readonly().map_err(|_| busy(py, "X"))?;
        let (n, p) = (x.shape()[0], x.shape()[1]);
        let strided = Strided(x.as_array());
        let rows = match x.as_slice() {
            Ok(data) if x.is_c_contiguous() => Rows::row_major(data, n, p),
            Ok(data) => Rows::column_major(data, n, p),
            Err(_) => Ok(Rows::from_source(&strided, n, p)),
        };
        let rows = rows.map_err(|error| raise(py, &error))?;
        return fill(py, plan, &rows, output, threads, out, copied).map(Some);
    }
    if let Ok(array) = x.cast::<PyArray2<f32>>() {
        let x = array.try_readonly().map_err(|_| busy(py, "X"))?;
        let (n, p) = (x.shape()[0], x.shape()[1]);
        let strided = Strided(x.as_array());
        let rows = match x.as_slice() {
            Ok(data) if x.is_c_contiguous() => Rows::strided_f32(data, n, p, p, 1),
            Ok(data) => Rows::strided_f32(data, n, p, 1, n),
            Err(_) => Ok(Rows::from_source(&strided, n, p)),
        };
        let rows = rows.map_err(|error| raise(py, &error))?;
        return fill(py, plan, &rows, output, threads, out, copied).map(Some);
    }
    Ok(None)
}

fn of_columns<'py>(
    py: Python<'py>,
    plan: &Plan,
    columns: &Bound<'py, PyList>,
    output: Output,
    threads: usize,
    out: Option<&Bound<'py, PyAny>>,
    copied: usize,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut held = Vec::with_capacity(columns.len());
    for column in columns.iter() {
        let Some(column) = Held::new(py, &column)? else {
            return Ok(None);
        };
        held.push(column);
    }
    let views: Vec<Column> = held.iter().map(Held::view).collect();
    let n = views.first().map_or(0, Column::len);
    if let Some(other) = views.iter().map(Column::len).find(|&length| length != n) {
        let message = format!("the columns have different lengths: {n} and {other}");
        return Err(raise(py, &Error::ShapeMismatch(message)));
    }
    let source = Columns(views);
    let rows = Rows::from_source(&source, n, columns.len());
    fill(py, plan, &rows, output, threads, out, copied).map(Some)
}

fn fill<'py>(
    py: Python<'py>,
    plan: &Plan,
    rows: &Rows<'_>,
    output: Output,
    threads: usize,
    out: Option<&Bound<'py, PyAny>>,
    copied: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let (n, width) = (rows.n_rows(), output.width(plan));
    let flat = width == 1 && output != Output::DesignMatrix;
    match out {
        Some(out) => {
            let target = target(py, out, n, width, flat)?;
            write(py, plan, rows, output, threads, target, (copied, 0))?;
            Ok(out.clone())
        }
        None if flat => {
            let made = PyArray1::<f64>::zeros(py, n, false);
            write(py, plan, rows, output, threads, &made, (copied, n * 8))?;
            Ok(made.into_any())
        }
        None => {
            let made = PyArray2::<f64>::zeros(py, (n, width), false);
            write(
                py,
                plan,
                rows,
                output,
                threads,
                &made,
                (copied, n * width * 8),
            )?;
            Ok(made.into_any())
        }
    }
}

fn write<D: numpy::ndarray::Dimension>(
    py: Python<'_>,
    plan: &Plan,
    rows: &Rows<'_>,
    output: Output,
    threads: usize,
    target: &Bound<'_, PyArray<f64, D>>,
    (copied, made): (usize, usize),
) -> PyResult<()> {
    let mut target = target
        .try_readwrite()
        .map_err(|_| busy(py, "out, which must be writable and may not overlap X,"))?;
    let out = target.as_slice_mut()?;
    let replayed = py
        .detach(|| replay(plan, rows, output, threads, out))
        .map_err(|error| raise(py, &error))?;
    LAST.set(Some((rows.n_rows(), copied, made, replayed)));
    Ok(())
}

/// The caller's array, if the result fits into it as it lies.
fn target<'a, 'py>(
    py: Python<'py>,
    out: &'a Bound<'py, PyAny>,
    n: usize,
    width: usize,
    flat: bool,
) -> PyResult<&'a Bound<'py, PyArrayDyn<f64>>> {
    let Ok(array) = out.cast::<PyArrayDyn<f64>>() else {
        let message = "out is no float64 array; pass numpy.empty(shape)";
        return Err(refuse(py, 13, message));
    };
    let fits = array.shape() == [n, width] || (flat && array.shape() == [n]);
    if !fits {
        let needed = if flat {
            format!("({n},)")
        } else {
            format!("({n}, {width})")
        };
        let message = format!("out has shape {:?}, {needed} is needed", array.shape());
        return Err(raise(py, &Error::ShapeMismatch(message)));
    }
    if !array.is_c_contiguous() || !array.is_aligned() {
        let message = "out is strided; pass an array in row order, such as numpy.empty makes";
        return Err(refuse(py, 7, message));
    }
    Ok(array)
}

fn busy(py: Python<'_>, what: &str) -> PyErr {
    let message =
        format!("{what} cannot be used: it is read-only, or another call is writing to it");
    refuse(py, 7, &message)
}

/// A view with any strides.
struct Strided<'a, T>(ArrayView2<'a, T>);

impl<T: Copy + Into<f64> + Sync> Source for Strided<'_, T> {
    fn copy_column(&self, j: usize, from: usize, out: &mut [f64]) {
        copy(&self.0.column(j), from, out);
    }
}

fn copy<T: Copy + Into<f64>>(column: &ArrayView1<'_, T>, from: usize, out: &mut [f64]) {
    let part = column.slice(s![from..from + out.len()]);
    for (slot, value) in out.iter_mut().zip(part) {
        *slot = (*value).into();
    }
}

/// A column that Python keeps while it is read.
enum Held<'py> {
    F64(PyReadonlyArray1<'py, f64>),
    F32(PyReadonlyArray1<'py, f32>),
}

impl<'py> Held<'py> {
    fn new(py: Python<'py>, column: &Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        let aligned = column
            .cast::<PyUntypedArray>()
            .is_ok_and(|a| a.is_aligned());
        if !aligned {
            return Ok(None);
        }
        if let Ok(column) = column.cast::<PyArray1<f64>>() {
            return readonly(py, column).map(|column| Some(Held::F64(column)));
        }
        if let Ok(column) = column.cast::<PyArray1<f32>>() {
            return readonly(py, column).map(|column| Some(Held::F32(column)));
        }
        Ok(None)
    }

    fn view(&self) -> Column<'_> {
        match self {
            Held::F64(column) => Column::F64(column.as_array()),
            Held::F32(column) => Column::F32(column.as_array()),
        }
    }
}

fn readonly<'py, T: Element>(
    py: Python<'py>,
    column: &Bound<'py, PyArray1<T>>,
) -> PyResult<PyReadonlyArray1<'py, T>> {
    column.try_readonly().map_err(|_| busy(py, "X"))
}

enum Column<'a> {
    F64(ArrayView1<'a, f64>),
    F32(ArrayView1<'a, f32>),
}

impl Column<'_> {
    fn len(&self) -> usize {
        match self {
            Column::F64(column) => column.len(),
            Column::F32(column) => column.len(),
        }
    }
}

/// A table whose columns lie apart.
struct Columns<'a>(Vec<Column<'a>>);

impl Source for Columns<'_> {
    fn copy_column(&self, j: usize, from: usize, out: &mut [f64]) {
        match &self.0[j] {
            Column::F64(column) => copy(column, from, out),
            Column::F32(column) => copy(column, from, out),
        }
    }
}
