//! The Arrow PyCapsule interface (H2, not claimed), both ways: capsules to structs, structs to capsules.

use std::ffi::CStr;
use std::sync::Mutex;

use mars_earth_arrow::{
    ArrowArray, ArrowArrayStream, ArrowSchema, Batch as View, Error, Frame, Replay, Values, join,
    schema_of,
};
use numpy::ndarray::ArrayView1;
use numpy::{PyArray1, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::refuse;

const SCHEMA: &CStr = c"arrow_schema";
const ARRAY: &CStr = c"arrow_array";
const STREAM: &CStr = c"arrow_array_stream";

fn raise(py: Python<'_>, error: &Error) -> PyErr {
    refuse(py, error.code(), &error.to_string())
}

/// What an object hands over by the Arrow PyCapsule interface (H2, not claimed).
enum Given {
    Array(ArrowArray, ArrowSchema),
    Stream(ArrowArrayStream),
}

fn take(data: &Bound<'_, PyAny>) -> PyResult<Given> {
    let py = data.py();
    if data.hasattr("__arrow_c_array__")? {
        let pair = data.call_method0("__arrow_c_array__")?;
        let (schema, array): (Bound<PyCapsule>, Bound<PyCapsule>) = pair.extract()?;
        let schema = schema.pointer_checked(Some(SCHEMA))?.cast::<ArrowSchema>();
        let array = array.pointer_checked(Some(ARRAY))?.cast::<ArrowArray>();
        // SAFETY: capsules of these names hold these structs, which a consumer may move out.
        return Ok(unsafe {
            Given::Array(
                ArrowArray::take(array.as_ptr()),
                ArrowSchema::take(schema.as_ptr()),
            )
        });
    }
    if data.hasattr("__arrow_c_stream__")? {
        let stream = data.call_method0("__arrow_c_stream__")?;
        let stream: Bound<PyCapsule> = stream.extract()?;
        let stream = stream
            .pointer_checked(Some(STREAM))?
            .cast::<ArrowArrayStream>();
        // SAFETY: as above.
        return Ok(Given::Stream(unsafe {
            ArrowArrayStream::take(stream.as_ptr())
        }));
    }
    let name = data.get_type().name()?;
    let message = format!(
        "{name} does not speak the Arrow PyCapsule interface; pass a table of pyarrow, polars, \
         duckdb or pandas, or call predict, which takes arrays too"
    );
    Err(refuse(py, 7, &message))
}

/// Values of a column, and its labels where it is categorical.
type Read<'py> = (Bound<'py, PyArray1<f64>>, Option<Vec<String>>);

/// Arrow batches in the memory of their producer, read column by column.
#[pyclass(frozen, module = "pymars._core", name = "ArrowColumns")]
pub(crate) struct Columns {
    schema: ArrowSchema,
    batches: Vec<ArrowArray>,
    #[pyo3(get)]
    names: Vec<String>,
}

/// Take over an Arrow table, batch or column; values stay where they lie (H2, not claimed).
#[pyfunction]
pub(crate) fn read_arrow(data: &Bound<'_, PyAny>) -> PyResult<Columns> {
    let py = data.py();
    let given = take(data)?;
    let columns = py.detach(|| {
        let (schema, batches) = match given {
            Given::Array(array, schema) => (schema, vec![array]),
            Given::Stream(mut stream) => {
                let schema = stream.schema()?;
                let mut batches = Vec::new();
                while let Some(batch) = stream.next_batch()? {
                    batches.push(batch);
                }
                (schema, batches)
            }
        };
        let names = schema.column_names()?;
        Ok(Columns {
            schema,
            batches,
            names,
        })
    });
    columns.map_err(|error| raise(py, &error))
}

#[pymethods]
impl Columns {
    /// Values of column `j` as float64, and the labels of a categorical one.
    ///
    /// The array is a view where one batch holds float64 values without missing ones.
    fn column<'py>(slf: &Bound<'py, Self>, j: usize) -> PyResult<Read<'py>> {
        let py = slf.py();
        let this = slf.get();
        let values = py
            .detach(|| this.values(j))
            .map_err(|error| raise(py, &error))?;
        Ok(match values {
            Values::Categories { codes, labels } => (PyArray1::from_vec(py, codes), Some(labels)),
            Values::Numbers(std::borrow::Cow::Owned(values)) => {
                (PyArray1::from_vec(py, values), None)
            }
            Values::Numbers(std::borrow::Cow::Borrowed(values)) => {
                let container = slf.clone().into_any();
                // SAFETY: the container owns the batches, which no one writes to, and the array
                // keeps it alive.
                let view =
                    unsafe { PyArray1::borrow_from_array(&ArrayView1::from(values), container) };
                view.readwrite().make_nonwriteable();
                (view, None)
            }
        })
    }
}

impl Columns {
    fn values(&self, j: usize) -> Result<Values<'_>, Error> {
        let pieces = self.batches.iter().map(|array| {
            // SAFETY: one producer gave both, so the schema is that of the array; both live here.
            unsafe { View::new(array, &self.schema) }?
                .column(j)?
                .values()
        });
        join(&self.names[j], pieces.collect::<Result<_, _>>()?)
    }
}

/// Predictions for one batch; exports `__arrow_c_array__` any number of times (H2, not claimed).
#[pyclass(frozen, module = "pymars._core", name = "ArrowBatch")]
pub(crate) struct Batch(Frame);

#[pymethods]
impl Batch {
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        PyCapsule::new_with_value(py, schema_of(&self.0.names), SCHEMA)
    }

    /// Export the batch; there is one form of it, whatever is requested.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        let _ = requested_schema;
        let (array, schema) = self.0.clone().into_arrow();
        Ok((
            PyCapsule::new_with_value(py, schema, SCHEMA)?,
            PyCapsule::new_with_value(py, array, ARRAY)?,
        ))
    }
}

/// Predictions for a stream, made as asked; exports `__arrow_c_stream__` once (H2, not claimed).
#[pyclass(frozen, module = "pymars._core", name = "ArrowStream")]
pub(crate) struct Stream {
    stream: Mutex<Option<ArrowArrayStream>>,
    names: Vec<String>,
}

#[pymethods]
impl Stream {
    /// The schema, which duckdb asks for before it asks for the stream.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        PyCapsule::new_with_value(py, schema_of(&self.names), SCHEMA)
    }

    /// Export the stream; there is one form of it, whatever is requested.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema;
        let stream = self.stream.lock().ok().and_then(|mut stream| stream.take());
        let gone = "the stream was handed over already; call predict_arrow again";
        let stream = stream.ok_or_else(|| refuse(py, 7, gone))?;
        PyCapsule::new_with_value(py, stream, STREAM)
    }
}

/// Replay what speaks the interface: a batch at once, a stream as its consumer asks.
pub(crate) fn predict<'py>(
    py: Python<'py>,
    replay: Replay,
    data: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    match take(data)? {
        Given::Array(array, schema) => {
            let frame = py.detach(|| {
                // SAFETY: one producer gave both, and both live until the batch was replayed.
                replay.batch(&unsafe { View::new(&array, &schema) }?)
            });
            let frame = frame.map_err(|error| raise(py, &error))?;
            Ok(Bound::new(py, Batch(frame))?.into_any())
        }
        Given::Stream(mut stream) => {
            let schema = py.detach(|| stream.schema());
            let schema = schema.map_err(|error| raise(py, &error))?;
            let names = replay.names();
            let stream = Mutex::new(Some(replay.stream(stream, schema)));
            Ok(Bound::new(py, Stream { stream, names })?.into_any())
        }
    }
}
