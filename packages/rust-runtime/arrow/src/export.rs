//! Columns handed to an Arrow consumer, and streams that make them on demand.

use std::ffi::{CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::Arc;

use crate::error::Error;
use crate::ffi::{ArrowArray, ArrowArrayStream, ArrowSchema};

/// Named float64 columns of one length; cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Name of each column.
    pub names: Vec<String>,
    /// Values of each column.
    pub columns: Vec<Arc<Vec<f64>>>,
    /// Number of rows, where there is no column to tell it.
    pub n_rows: usize,
}

impl Frame {
    /// Hand the columns to an Arrow consumer; their memory is not copied (H2, not claimed).
    pub fn into_arrow(self) -> (ArrowArray, ArrowSchema) {
        let schema = schema_of(&self.names);
        let columns = self.columns.into_iter().map(column);
        let children = columns
            .map(|child| Box::into_raw(Box::new(child)))
            .collect();
        let parts = ArrayParts::new(Arc::default(), vec![std::ptr::null()], children);
        (parts.into_array(self.n_rows), schema)
    }
}

/// The schema of a struct of float64 columns without missing values.
pub fn schema_of(names: &[String]) -> ArrowSchema {
    let child = |name: &String| Box::into_raw(Box::new(field("g", name, Vec::new())));
    field("+s", "", names.iter().map(child).collect())
}

fn field(format: &str, name: &str, children: Vec<*mut ArrowSchema>) -> ArrowSchema {
    let mut parts = Box::new(SchemaParts {
        format: c_text(format),
        name: c_text(name),
        children,
    });
    let mut schema = ArrowSchema::empty();
    schema.format = parts.format.as_ptr();
    schema.name = parts.name.as_ptr();
    schema.n_children = parts.children.len() as i64;
    schema.children = parts.children.as_mut_ptr();
    schema.release = Some(release_schema);
    schema.private_data = Box::into_raw(parts).cast();
    schema
}

/// A text of C; a NUL inside would end it, so it becomes the replacement character.
fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

/// What a schema made here owns.
///
/// # Invariant
/// `private_data` of such a schema is this box and nothing else refers to it; each child is a box
/// that the consumer may have moved out of and marked as released, but never freed.
struct SchemaParts {
    format: CString,
    name: CString,
    children: Vec<*mut ArrowSchema>,
}

unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    // SAFETY: the consumer calls it once, on a schema made by `field` and moved at most.
    let schema = unsafe { &mut *schema };
    // SAFETY: the invariant of SchemaParts.
    let parts = unsafe { Box::from_raw(schema.private_data.cast::<SchemaParts>()) };
    for &child in &parts.children {
        // SAFETY: the invariant of SchemaParts; dropping releases what is not released yet.
        drop(unsafe { Box::from_raw(child) });
    }
    schema.release = None;
    schema.private_data = null_mut();
}

fn column(values: Arc<Vec<f64>>) -> ArrowArray {
    let n_rows = values.len();
    let data = values.as_ptr().cast::<c_void>();
    ArrayParts::new(values, vec![std::ptr::null(), data], Vec::new()).into_array(n_rows)
}

/// What an array made here owns; the invariant is that of [`SchemaParts`].
struct ArrayParts {
    /// Kept alive for `buffers`.
    _values: Arc<Vec<f64>>,
    buffers: Vec<*const c_void>,
    children: Vec<*mut ArrowArray>,
}

impl ArrayParts {
    fn new(
        values: Arc<Vec<f64>>,
        buffers: Vec<*const c_void>,
        children: Vec<*mut ArrowArray>,
    ) -> Box<Self> {
        Box::new(ArrayParts {
            _values: values,
            buffers,
            children,
        })
    }

    fn into_array(mut self: Box<Self>, n_rows: usize) -> ArrowArray {
        let mut array = ArrowArray::empty();
        array.length = n_rows as i64;
        array.n_buffers = self.buffers.len() as i64;
        array.buffers = self.buffers.as_mut_ptr();
        array.n_children = self.children.len() as i64;
        array.children = self.children.as_mut_ptr();
        array.release = Some(release_array);
        array.private_data = Box::into_raw(self).cast();
        array
    }
}

unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    // SAFETY: the consumer calls it once, on an array made by `into_array` and moved at most.
    let array = unsafe { &mut *array };
    // SAFETY: the invariant of ArrayParts.
    let parts = unsafe { Box::from_raw(array.private_data.cast::<ArrayParts>()) };
    for &child in &parts.children {
        // SAFETY: the invariant of ArrayParts; dropping releases what is not released yet.
        drop(unsafe { Box::from_raw(child) });
    }
    array.release = None;
    array.private_data = null_mut();
}

/// Makes the batches of a stream.
pub trait Source: Send {
    /// Names of the columns of every batch.
    fn names(&self) -> &[String];

    /// The next batch; None at the end.
    ///
    /// # Errors
    /// What the consumer is told; the stream may be asked again and ends then.
    fn next_frame(&mut self) -> Result<Option<Frame>, Error>;
}

/// Hand a source to an Arrow consumer.
pub fn export_stream(source: Box<dyn Source>) -> ArrowArrayStream {
    let parts = Box::new(StreamParts {
        source: Some(source),
        said: CString::default(),
    });
    ArrowArrayStream {
        get_schema: Some(get_schema),
        get_next: Some(get_next),
        get_last_error: Some(get_last_error),
        release: Some(release_stream),
        private_data: Box::into_raw(parts).cast(),
    }
}

/// What a stream made here owns.
///
/// # Invariant
/// `private_data` of such a stream is this box; the consumer makes one call at a time, as the
/// C Stream Interface asks (H2, not claimed).
struct StreamParts {
    /// None after a failure: the stream has ended then.
    source: Option<Box<dyn Source>>,
    said: CString,
}

const EINVAL: c_int = 22;
const EIO: c_int = 5;

impl StreamParts {
    fn fail(&mut self, error: &Error) -> c_int {
        self.source = None;
        self.said = c_text(&error.to_string());
        // Bad data of the caller's, or a producer that failed.
        if matches!(error, Error::InvalidBatch(_)) {
            EIO
        } else {
            EINVAL
        }
    }
}

/// Run `work` on the parts of a stream; nothing unwinds out of it.
///
/// # Safety
/// `stream` was made by [`export_stream`] and is live.
unsafe fn answer(
    stream: *mut ArrowArrayStream,
    work: impl FnOnce(&mut StreamParts) -> Result<(), Error>,
) -> c_int {
    // SAFETY: the invariant of StreamParts; the caller vouches for `stream`.
    let parts = unsafe { &mut *(*stream).private_data.cast::<StreamParts>() };
    match catch_unwind(AssertUnwindSafe(|| work(parts))) {
        Ok(Ok(())) => 0,
        Ok(Err(error)) => parts.fail(&error),
        Err(_) => parts.fail(&Error::batch("a defect of mars-earth ended the stream")),
    }
}

unsafe extern "C" fn get_schema(stream: *mut ArrowArrayStream, out: *mut ArrowSchema) -> c_int {
    // SAFETY: the consumer calls it on a live stream of ours, with `out` to be filled.
    unsafe {
        answer(stream, |parts| {
            let names = parts
                .source
                .as_ref()
                .map_or(&[][..], |source| source.names());
            schema_of(names).give(out);
            Ok(())
        })
    }
}

unsafe extern "C" fn get_next(stream: *mut ArrowArrayStream, out: *mut ArrowArray) -> c_int {
    // SAFETY: as in `get_schema`.
    unsafe {
        answer(stream, |parts| {
            let next = match &mut parts.source {
                Some(source) => source.next_frame()?,
                None => None,
            };
            let array = next.map_or_else(ArrowArray::empty, |frame| frame.into_arrow().0);
            array.give(out);
            Ok(())
        })
    }
}

unsafe extern "C" fn get_last_error(stream: *mut ArrowArrayStream) -> *const c_char {
    // SAFETY: as in `get_schema`.
    let parts = unsafe { &*(*stream).private_data.cast::<StreamParts>() };
    if parts.said.is_empty() {
        std::ptr::null()
    } else {
        parts.said.as_ptr()
    }
}

unsafe extern "C" fn release_stream(stream: *mut ArrowArrayStream) {
    // SAFETY: the consumer calls it once, on a stream made by `export_stream` and moved at most.
    let stream = unsafe { &mut *stream };
    // SAFETY: the invariant of StreamParts.
    let parts = unsafe { Box::from_raw(stream.private_data.cast::<StreamParts>()) };
    // A foreign release may be behind the source, and nothing may unwind through C.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(parts)));
    stream.release = None;
    stream.private_data = null_mut();
}
