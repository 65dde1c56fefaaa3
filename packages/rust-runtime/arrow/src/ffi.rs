//! The three structs of the Arrow C Data and C Stream Interfaces (H2, not claimed), with ownership in types.
//!
//! A struct is *live* while its `release` is set. Whoever holds it by value owns it: dropping it
//! calls `release` once. Moving the value is what the Arrow specification calls moving a struct.

use std::ffi::{CStr, c_char, c_int, c_void};

use crate::error::Error;

/// Type and name of a column, or of a struct of columns.
///
/// # Invariant
/// While live, every pointer is what the Arrow C Data Interface (H2, not claimed) says of it.
/// Whoever makes one from foreign memory, by `take` or as a reference, vouches for that.
#[repr(C)]
#[derive(Debug)]
pub struct ArrowSchema {
    pub(crate) format: *const c_char,
    pub(crate) name: *const c_char,
    pub(crate) metadata: *const c_char,
    pub(crate) flags: i64,
    pub(crate) n_children: i64,
    pub(crate) children: *mut *mut ArrowSchema,
    pub(crate) dictionary: *mut ArrowSchema,
    pub(crate) release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    pub(crate) private_data: *mut c_void,
}

/// Values of a column, or of a struct of columns.
///
/// # Invariant
/// As that of a schema; and the buffers hold what `length`, `offset` and the schema's format ask
/// for. The interface carries no sizes of buffers, so that cannot be checked.
#[repr(C)]
#[derive(Debug)]
pub struct ArrowArray {
    pub(crate) length: i64,
    pub(crate) null_count: i64,
    pub(crate) offset: i64,
    pub(crate) n_buffers: i64,
    pub(crate) n_children: i64,
    pub(crate) buffers: *mut *const c_void,
    pub(crate) children: *mut *mut ArrowArray,
    pub(crate) dictionary: *mut ArrowArray,
    pub(crate) release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    pub(crate) private_data: *mut c_void,
}

/// A producer of batches that are pulled one after the other.
///
/// # Invariant
/// While live, the callbacks are those of the Arrow C Stream Interface (H2, not claimed). They are called through
/// `&mut self`, so never by two threads at once.
#[repr(C)]
#[derive(Debug)]
pub struct ArrowArrayStream {
    pub(crate) get_schema:
        Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowSchema) -> c_int>,
    pub(crate) get_next:
        Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowArray) -> c_int>,
    pub(crate) get_last_error: Option<unsafe extern "C" fn(*mut ArrowArrayStream) -> *const c_char>,
    pub(crate) release: Option<unsafe extern "C" fn(*mut ArrowArrayStream)>,
    pub(crate) private_data: *mut c_void,
}

macro_rules! owned {
    ($name:ident { $($field:ident: $empty:expr),* $(,)? }) => {
        impl $name {
            /// One that is released already, for a producer to fill.
            pub fn empty() -> Self {
                $name { $($field: $empty,)* release: None, private_data: std::ptr::null_mut() }
            }

            /// Whether it holds something that is not released yet.
            pub fn is_live(&self) -> bool {
                self.release.is_some()
            }

            /// Move it out of foreign memory and mark it as released there.
            ///
            /// # Safety
            /// `from` points to a struct that is writable, initialised and keeps the invariant.
            pub unsafe fn take(from: *mut Self) -> Self {
                // SAFETY: the caller vouches for `from`; `empty` leaves it released, so one owner.
                unsafe { std::ptr::replace(from, Self::empty()) }
            }

            /// Move it into foreign memory, whose owner releases it then.
            ///
            /// # Safety
            /// `to` is writable and aligned; what lies there is overwritten and not released.
            pub unsafe fn give(self, to: *mut Self) {
                // SAFETY: the caller vouches for `to`; the value is moved, so it is not dropped.
                unsafe { std::ptr::write(to, self) }
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                if let Some(release) = self.release {
                    // SAFETY: live, so the callback is set and was not called; it clears `release`.
                    unsafe { release(self) }
                    self.release = None;
                }
            }
        }

        // SAFETY: the specification ties neither a struct nor its release to one thread.
        unsafe impl Send for $name {}
    };
}

use std::ptr::{null, null_mut};

owned!(ArrowSchema {
    format: null(),
    name: null(),
    metadata: null(),
    flags: 0,
    n_children: 0,
    children: null_mut(),
    dictionary: null_mut(),
});
owned!(ArrowArray {
    length: 0,
    null_count: 0,
    offset: 0,
    n_buffers: 0,
    n_children: 0,
    buffers: null_mut(),
    children: null_mut(),
    dictionary: null_mut(),
});
owned!(ArrowArrayStream {
    get_schema: None,
    get_next: None,
    get_last_error: None
});

// SAFETY: a released or live struct is only read through a shared reference; the specification has
// consumers share an array between threads.
unsafe impl Sync for ArrowSchema {}
// SAFETY: as for ArrowSchema.
unsafe impl Sync for ArrowArray {}

impl ArrowSchema {
    /// Format text, such as `g` for float64.
    pub(crate) fn format(&self) -> Result<&str, Error> {
        text(self.format).ok_or_else(|| Error::batch("a schema has no format text"))
    }

    /// Name; a schema may have none.
    pub(crate) fn name(&self) -> Result<&str, Error> {
        if self.name.is_null() {
            return Ok("");
        }
        text(self.name).ok_or_else(|| Error::batch("a column has a name that is not UTF-8"))
    }

    /// Names of the columns of a struct; of anything else, its own name.
    pub fn column_names(&self) -> Result<Vec<String>, Error> {
        if !self.is_live() {
            return Err(Error::batch("its schema is released already"));
        }
        if self.format()? != "+s" {
            return Ok(vec![self.name()?.to_owned()]);
        }
        let name = |j| self.child(j)?.name().map(str::to_owned);
        (0..self.n_children()).map(name).collect()
    }

    pub(crate) fn n_children(&self) -> usize {
        usize::try_from(self.n_children).unwrap_or(0)
    }

    pub(crate) fn child(&self, j: usize) -> Result<&ArrowSchema, Error> {
        child(self.children, self.n_children(), j)
    }

    pub(crate) fn dictionary(&self) -> Option<&ArrowSchema> {
        // SAFETY: NULL or a schema that lives as long as this one, by the invariant.
        unsafe { self.dictionary.as_ref() }
    }
}

impl ArrowArray {
    pub(crate) fn n_children(&self) -> usize {
        usize::try_from(self.n_children).unwrap_or(0)
    }

    pub(crate) fn child(&self, j: usize) -> Result<&ArrowArray, Error> {
        child(self.children, self.n_children(), j)
    }

    pub(crate) fn dictionary(&self) -> Option<&ArrowArray> {
        // SAFETY: NULL or an array that lives as long as this one, by the invariant.
        unsafe { self.dictionary.as_ref() }
    }

    /// Length and offset as sizes that can be added.
    pub(crate) fn extent(&self) -> Result<(usize, usize), Error> {
        let sizes = (usize::try_from(self.length), usize::try_from(self.offset));
        match sizes {
            (Ok(length), Ok(offset)) if length.checked_add(offset).is_some_and(fits) => {
                Ok((length, offset))
            }
            _ => Err(Error::batch(format!(
                "an array has length {} and offset {}",
                self.length, self.offset
            ))),
        }
    }

    /// Buffer `k`; None where it is absent.
    pub(crate) fn buffer(&self, k: usize) -> Result<Option<*const c_void>, Error> {
        let count = usize::try_from(self.n_buffers).unwrap_or(0);
        if k >= count || self.buffers.is_null() {
            return Err(Error::batch(format!(
                "an array has {count} buffers, buffer {k} is needed"
            )));
        }
        // SAFETY: `buffers` holds `n_buffers` pointers, by the invariant, and k is below that.
        let found = unsafe { *self.buffers.add(k) };
        Ok((!found.is_null()).then_some(found))
    }
}

/// Values of eight bytes that one address space can hold.
fn fits(count: usize) -> bool {
    count <= isize::MAX as usize / 16
}

fn text<'a>(pointer: *const c_char) -> Option<&'a str> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: text of a live struct ends with NUL and lives as long, by the invariant.
    unsafe { CStr::from_ptr(pointer) }.to_str().ok()
}

fn child<'a, T>(children: *mut *mut T, count: usize, j: usize) -> Result<&'a T, Error> {
    if j >= count || children.is_null() {
        return Err(Error::batch(format!("a struct has no column {j}")));
    }
    // SAFETY: `children` holds `count` pointers to structs that live as long, by the invariant.
    unsafe { (*children.add(j)).as_ref() }
        .ok_or_else(|| Error::batch(format!("column {j} of a struct is NULL")))
}

impl ArrowArrayStream {
    /// Ask for the schema of all batches.
    pub fn schema(&mut self) -> Result<ArrowSchema, Error> {
        let mut schema = ArrowSchema::empty();
        let get = self.get_schema.filter(|_| self.is_live());
        let get = get.ok_or_else(|| Error::batch("the stream is released already"))?;
        // SAFETY: live, so the callback is set and takes this stream; `schema` is for it to fill.
        let status = unsafe { get(self, &mut schema) };
        if status != 0 || !schema.is_live() {
            return Err(self.failure(status));
        }
        Ok(schema)
    }

    /// Pull the next batch; None at the end.
    pub fn next_batch(&mut self) -> Result<Option<ArrowArray>, Error> {
        let mut array = ArrowArray::empty();
        let get = self.get_next.filter(|_| self.is_live());
        let get = get.ok_or_else(|| Error::batch("the stream is released already"))?;
        // SAFETY: as in `schema`.
        let status = unsafe { get(self, &mut array) };
        if status != 0 {
            return Err(self.failure(status));
        }
        Ok(array.is_live().then_some(array))
    }

    fn failure(&mut self, status: c_int) -> Error {
        let said = match self.get_last_error {
            // SAFETY: live; the text is valid until the next call on the stream.
            Some(get) => text(unsafe { get(self) }).map(str::to_owned),
            None => None,
        };
        let said = said.unwrap_or_else(|| "it gives no reason".to_owned());
        Error::batch(format!("the stream failed with errno {status}: {said}"))
    }
}
