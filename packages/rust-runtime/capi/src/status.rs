//! Status codes, and the one way out of every function.

use std::ffi::{CStr, c_char};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How a call ended: 0, or a code of `packaging/errors.yaml`.
#[allow(non_camel_case_types)]
pub type mars_earth_status = i32;

/// The call did what it says.
pub const MARS_EARTH_OK: i32 = 0;
/// The model is not JSON or is cut short.
pub const MARS_EARTH_MALFORMED_SPEC: i32 = 1;
/// The model is of another major version of the format.
pub const MARS_EARTH_UNSUPPORTED_VERSION: i32 = 2;
/// The model is JSON but breaks the ModelSpec contract.
pub const MARS_EARTH_INVALID_SPEC: i32 = 3;
/// Rows, outputs or weights have the wrong shape.
pub const MARS_EARTH_SHAPE_MISMATCH: i32 = 4;
/// A value is missing and the model allows none.
pub const MARS_EARTH_MISSING_VALUE: i32 = 5;
/// A row holds a value the model cannot take.
pub const MARS_EARTH_INVALID_VALUE: i32 = 6;
/// An option or argument is out of its range.
pub const MARS_EARTH_INVALID_ARGUMENT: i32 = 7;
/// No model can be fitted to these data.
pub const MARS_EARTH_INVALID_DATA: i32 = 8;
/// A document or table is larger than a named limit.
pub const MARS_EARTH_LIMIT_EXCEEDED: i32 = 9;
/// The caller asked to stop; no model was made.
pub const MARS_EARTH_INTERRUPTED: i32 = 10;
/// A file cannot be read or written.
pub const MARS_EARTH_MODEL_FILE: i32 = 11;
/// A named column is not there.
pub const MARS_EARTH_UNKNOWN_COLUMN: i32 = 12;
/// A table or column holds text, objects or complex numbers where numbers are due.
pub const MARS_EARTH_INVALID_DTYPE: i32 = 13;
/// An Arrow batch or stream breaks its interface, or its producer failed.
pub const MARS_EARTH_INVALID_BATCH: i32 = 14;
/// The caller was compiled for another version of this library.
pub const MARS_EARTH_UNSUPPORTED_ABI: i32 = 15;
/// A defect of mars-earth; the call was given up.
pub const MARS_EARTH_INTERNAL: i32 = 16;

/// Name of each status, by code.
const NAMES: [&CStr; 17] = [
    c"ok",
    c"malformed_spec",
    c"unsupported_version",
    c"invalid_spec",
    c"shape_mismatch",
    c"missing_value",
    c"invalid_value",
    c"invalid_argument",
    c"invalid_data",
    c"limit_exceeded",
    c"interrupted",
    c"model_file",
    c"unknown_column",
    c"invalid_dtype",
    c"invalid_batch",
    c"unsupported_abi",
    c"internal",
];

/// Name a status, such as `shape_mismatch`; `unknown` for a code this library does not have.
#[unsafe(no_mangle)]
pub extern "C" fn mars_earth_status_name(status: mars_earth_status) -> *const c_char {
    let known = usize::try_from(status).ok().and_then(|at| NAMES.get(at));
    known.map_or(c"unknown", |name| name).as_ptr()
}

/// A status that is no success, with what to tell the caller.
pub(crate) struct Failure {
    code: mars_earth_status,
    text: String,
}

impl Failure {
    pub(crate) fn new(code: mars_earth_status, text: impl fmt::Display) -> Self {
        Failure {
            code,
            text: text.to_string(),
        }
    }

    /// Say that the rows of the text are counted from a later one.
    pub(crate) fn counted_from(self, row: usize) -> Self {
        match row {
            0 => self,
            _ => Failure {
                text: format!("counted from row {row}: {}", self.text),
                ..self
            },
        }
    }

    pub(crate) fn argument(text: impl fmt::Display) -> Self {
        Self::new(MARS_EARTH_INVALID_ARGUMENT, text)
    }
}

impl From<mars_earth_core::Error> for Failure {
    fn from(error: mars_earth_core::Error) -> Self {
        Self::new(i32::from(error.code()), error)
    }
}

impl From<mars_earth_arrow::Error> for Failure {
    fn from(error: mars_earth_arrow::Error) -> Self {
        Self::new(i32::from(error.code()), error)
    }
}

/// Memory of the caller's for a text; NULL or no capacity: the caller wants none.
///
/// # Invariant
/// `start` is NULL, or `capacity` bytes from it may be written during the call.
#[derive(Clone, Copy)]
pub(crate) struct Message {
    start: *mut c_char,
    capacity: usize,
}

impl Message {
    /// The caller's room for a text, emptied.
    pub(crate) fn at(start: *mut c_char, capacity: usize) -> Self {
        let message = Message { start, capacity };
        message.write("");
        message
    }

    pub(crate) fn none() -> Self {
        Self::at(std::ptr::null_mut(), 0)
    }

    /// Write as much of the text as fits, in whole characters, and a NUL.
    pub(crate) fn write(self, text: &str) {
        if self.start.is_null() || self.capacity == 0 {
            return;
        }
        let mut length = text.len().min(self.capacity - 1);
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        // SAFETY: length < capacity, and the invariant of Message.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr().cast(), self.start, length);
            *self.start.add(length) = 0;
        }
    }
}

/// Run the body of a function and turn what comes of it, a panic too, into a status and a message.
pub(crate) fn answer(
    message: Message,
    work: impl FnOnce() -> Result<(), Failure>,
) -> mars_earth_status {
    // The bodies change the caller's memory alone, which a failure leaves unusable anyway.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => MARS_EARTH_OK,
        Ok(Err(failure)) => {
            message.write(&failure.text);
            failure.code
        }
        Err(_) => {
            message.write("a defect of mars-earth; please report what was called with which data");
            MARS_EARTH_INTERNAL
        }
    }
}

/// View what a pointer of the caller's names.
///
/// # Safety
/// NULL, or it points to a T that is initialised and is not written to for `'a`.
///
/// # Errors
/// NULL and misaligned pointers.
pub(crate) unsafe fn view<'a, T>(pointer: *const T, what: &str) -> Result<&'a T, Failure> {
    check(pointer, what)?;
    // SAFETY: neither NULL nor misaligned; the caller vouches for the rest.
    Ok(unsafe { &*pointer })
}

/// Where a result goes.
///
/// # Safety
/// NULL, or it may be written to for `'a` and nothing else refers to it.
///
/// # Errors
/// NULL and misaligned pointers.
pub(crate) unsafe fn target<'a, T>(pointer: *mut T, what: &str) -> Result<&'a mut T, Failure> {
    check(pointer, what)?;
    // SAFETY: as in `view`.
    Ok(unsafe { &mut *pointer })
}

pub(crate) fn check<T>(pointer: *const T, what: &str) -> Result<(), Failure> {
    if pointer.is_null() {
        return Err(Failure::argument(format!("{what} is NULL")));
    }
    if !pointer.is_aligned() {
        return Err(Failure::argument(format!(
            "{what} is misaligned: its address is not a multiple of {}",
            align_of::<T>()
        )));
    }
    Ok(())
}

/// Refuse a struct of another size than this library's.
pub(crate) fn check_size<T>(size: usize, what: &str) -> Result<(), Failure> {
    if size == size_of::<T>() {
        return Ok(());
    }
    Err(Failure::new(
        MARS_EARTH_UNSUPPORTED_ABI,
        format!(
            "{what} has size {size}, this library knows {}; set it to sizeof of the struct, and \
             compile with the header of this library",
            size_of::<T>()
        ),
    ))
}
