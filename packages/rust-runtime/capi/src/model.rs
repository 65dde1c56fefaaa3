//! The handle: a checked model that any number of threads may read (H1, not claimed).

use std::ffi::{CStr, CString, c_char};
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use mars_earth_arrow::Replay;
use mars_earth_core::{MAX_JSON_BYTES, ModelSpec, Output, Plan};

use crate::status::{
    Failure, MARS_EARTH_MODEL_FILE, MARS_EARTH_SHAPE_MISMATCH, Message, answer, check, check_size,
    mars_earth_status, target, view,
};

// Invariant: a `*const Model` of a caller's comes from `mars_earth_model_load` or `_load_file` and
// was not freed. C cannot be held to that; `docs/c_api.md` says so.
/// A checked model. It does not change, so any number of threads may use it at once
/// (H1, not claimed).
pub struct Model {
    spec: Arc<ModelSpec>,
    plan: Arc<Plan>,
    features: Vec<Name>,
    responses: Vec<Name>,
}

/// A name for C: it ends with NUL, and its length tells of a NUL inside.
struct Name {
    text: CString,
    length: usize,
    categories: Vec<Name>,
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Model>();
};

impl Model {
    fn new(spec: ModelSpec) -> Self {
        let plan = Arc::new(Plan::new(&spec));
        let features = spec.features.iter().map(|feature| {
            let labels = feature.categories.iter().flatten();
            Name {
                categories: labels.map(|label| Name::new(label)).collect(),
                ..Name::new(&feature.name)
            }
        });
        Model {
            plan,
            features: features.collect(),
            responses: spec.responses.iter().map(|name| Name::new(name)).collect(),
            spec: Arc::new(spec),
        }
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn replay(&self, output: Output, threads: usize) -> Replay {
        Replay {
            spec: self.spec.clone(),
            plan: self.plan.clone(),
            output,
            threads,
        }
    }
}

impl Name {
    fn new(text: &str) -> Self {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        Name {
            length: text.len(),
            // A NUL inside cuts the text for C; the length still counts what lies behind it.
            text: CStr::from_bytes_until_nul(&bytes)
                .unwrap_or_default()
                .to_owned(),
            categories: Vec::new(),
        }
    }
}

/// What a caller must know to make room. Set `size` to `sizeof(struct mars_earth_shape)` before.
#[repr(C)]
pub struct Shape {
    /// Size of this struct, set by the caller.
    pub size: usize,
    /// Columns of the input.
    pub features: usize,
    /// Columns of the responses.
    pub responses: usize,
    /// Columns of the design matrix.
    pub columns: usize,
    /// Terms of the model, those that serve only as parents among them.
    pub terms: usize,
    /// 1 where a missing value (NaN) may be replayed, else 0.
    pub allow_missing: u32,
    /// 1 where responses are an inverse link of the linear predictor, else 0.
    pub has_link: u32,
}

/// Load and check a ModelSpec document of `size` bytes.
///
/// On success `*model` is a handle that the caller frees with `mars_earth_model_free`, and the
/// message holds the warnings, if any. On failure `*model` is NULL.
///
/// # Safety
/// `bytes` is readable for `size` bytes, `model` is writable, `message` NULL or writable for
/// `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mars_earth_model_load(
    bytes: *const u8,
    size: usize,
    model: *mut *mut Model,
    message: *mut c_char,
    capacity: usize,
) -> mars_earth_status {
    let message = Message::at(message, capacity);
    answer(message, || {
        // SAFETY: the caller vouches for `model` and for `bytes`.
        let (place, bytes) = unsafe { (handle(model)?, document(bytes, size)?) };
        *place = Box::into_raw(Box::new(read(bytes, message)?));
        Ok(())
    })
}

/// Load and check a ModelSpec document in a file; `path` is UTF-8.
///
/// As `mars_earth_model_load`.
///
/// # Safety
/// `path` ends with NUL; the rest as `mars_earth_model_load`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mars_earth_model_load_file(
    path: *const c_char,
    model: *mut *mut Model,
    message: *mut c_char,
    capacity: usize,
) -> mars_earth_status {
    let message = Message::at(message, capacity);
    answer(message, || {
        // SAFETY: the caller vouches for `model`.
        let place = unsafe { handle(model)? };
        check(path, "path")?;
        // SAFETY: not NULL; the caller vouches that it ends with NUL.
        let path = unsafe { CStr::from_ptr(path) };
        let path = path
            .to_str()
            .map_err(|_| Failure::argument("path is not UTF-8"))?;
        let mut bytes = Vec::new();
        // One byte above the limit is enough for the reader to refuse the file.
        File::open(path)
            .and_then(|file| file.take(MAX_JSON_BYTES as u64 + 1).read_to_end(&mut bytes))
            .map_err(|error| {
                Failure::new(
                    MARS_EARTH_MODEL_FILE,
                    format!("{path}: cannot be read: {error}"),
                )
            })?;
        *place = Box::into_raw(Box::new(read(&bytes, message)?));
        Ok(())
    })
}

/// Check a ModelSpec document of `size` bytes; the message holds warnings or every problem.
///
/// # Safety
/// As `mars_earth_model_load`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mars_earth_model_validate(
    bytes: *const u8,
    size: usize,
    message: *mut c_char,
    capacity: usize,
) -> mars_earth_status {
    let message = Message::at(message, capacity);
    answer(message, || {
        // SAFETY: the caller vouches for `bytes`.
        read(unsafe { document(bytes, size)? }, message).map(drop)
    })
}

/// Free a handle; NULL is allowed. No call may use it any more; streams made with it may.
///
/// # Safety
/// `model` is NULL or a handle that was not freed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mars_earth_model_free(model: *mut Model) {
    answer(Message::none(), || {
        if !model.is_null() {
            // SAFETY: the invariant of Model; the caller gives the handle up.
            drop(unsafe { Box::from_raw(model) });
        }
        Ok(())
    });
}

/// Fill `*shape` with the numbers of features, responses and columns.
///
/// # Safety
/// `model` is a handle; `shape` is writable and its `size` is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mars_earth_model_shape(
    model: *const Model,
    shape: *mut Shape,
    message: *mut c_char,
    capacity: usize,
) -> mars_earth_status {
    answer(Message::at(message, capacity), || {
        // SAFETY: the caller vouches for both.
        let (model, shape) = unsafe { (view(model, "model")?, target(shape, "shape")?) };
        check_size::<Shape>(shape.size, "shape")?;
        *shape = Shape {
            size: shape.size,
            features: model.plan.n_features(),
            responses: model.plan.n_responses(),
            columns: model.plan.n_columns(),
            terms: model.spec.terms.len(),
            allow_missing: u32::from(model.spec.allow_missing),
            has_link: u32::from(model.spec.link.is_some()),
        };
        Ok(())
    })
}

/// Name of a feature, counted from 0.
///
/// The text ends with NUL, belongs to the handle and lives as long. `length` may be NULL.
///
/// # Safety
/// `model` is a handle; `name` is writable, `length` NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mars_earth_model_feature(
    model: *const Model,
    feature: usize,
    name: *mut *const c_char,
    length: *mut usize,
    message: *mut c_char,
    capacity: usize,
) -> mars_earth_status {
    answer(Message::at(message, capacity), || {
        // SAFETY: the caller vouches for the pointers.
        unsafe {
            give(
                &view(model, "model")?.features,
                feature,
                "feature",
                name,
                length,
            )
        }
    })
}

/// Name of a response, counted from 0; as `mars_earth_model_feature`.
///
/// # Safety
/// As `mars_earth_model_feature`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mars_earth_model_response(
    model: *const Model,
    response: usize,
    name: *mut *const c_char,
    length: *mut usize,
    message: *mut c_char,
    capacity: usize,
) -> mars_earth_status {
    answer(Message::at(message, capacity), || {
        // SAFETY: the caller vouches for the pointers.
        unsafe {
            give(
                &view(model, "model")?.responses,
                response,
                "response",
                name,
                length,
            )
        }
    })
}

/// Number of categories of a feature; 0 for a numeric one.
///
/// # Safety
/// `model` is a handle; `count` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mars_earth_model_categories(
    model: *const Model,
    feature: usize,
    count: *mut usize,
    message: *mut c_char,
    capacity: usize,
) -> mars_earth_status {
    answer(Message::at(message, capacity), || {
        // SAFETY: the caller vouches for the pointers.
        let (model, count) = unsafe { (view(model, "model")?, target(count, "count")?) };
        *count = at(&model.features, feature, "feature")?.categories.len();
        Ok(())
    })
}

/// Label of a category; a row holds its position, counted from 0. As `mars_earth_model_feature`.
///
/// # Safety
/// As `mars_earth_model_feature`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mars_earth_model_category(
    model: *const Model,
    feature: usize,
    category: usize,
    label: *mut *const c_char,
    length: *mut usize,
    message: *mut c_char,
    capacity: usize,
) -> mars_earth_status {
    answer(Message::at(message, capacity), || {
        // SAFETY: the caller vouches for the pointers.
        unsafe {
            let feature = at(&view(model, "model")?.features, feature, "feature")?;
            give(&feature.categories, category, "category", label, length)
        }
    })
}

/// Write the ModelSpec document into `buffer`; it does not end with NUL.
///
/// `*needed` is its size in bytes. With `buffer` NULL only that is told; a buffer that is too
/// short gets nothing, and the status is `MARS_EARTH_SHAPE_MISMATCH`.
///
/// # Safety
/// `model` is a handle; `buffer` is NULL or writable for `size` bytes; `needed` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mars_earth_model_json(
    model: *const Model,
    buffer: *mut u8,
    size: usize,
    needed: *mut usize,
    message: *mut c_char,
    capacity: usize,
) -> mars_earth_status {
    answer(Message::at(message, capacity), || {
        // SAFETY: the caller vouches for both.
        let (model, needed) = unsafe { (view(model, "model")?, target(needed, "needed")?) };
        let text = model.spec.to_json()?;
        *needed = text.len();
        if buffer.is_null() {
            return Ok(());
        }
        if size < text.len() {
            return Err(Failure::new(
                MARS_EARTH_SHAPE_MISMATCH,
                format!("the buffer has {size} bytes, {} are needed", text.len()),
            ));
        }
        // SAFETY: the caller vouches for `size` bytes, and the text is not longer.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), buffer, text.len()) };
        Ok(())
    })
}

/// Where a handle goes; NULL until there is one.
///
/// # Safety
/// As `target`.
unsafe fn handle<'a>(model: *mut *mut Model) -> Result<&'a mut *mut Model, Failure> {
    // SAFETY: the caller vouches for `model`.
    let place = unsafe { target(model, "model")? };
    *place = std::ptr::null_mut();
    Ok(place)
}

/// # Safety
/// `bytes` is NULL, or readable for `size` bytes for `'a`.
unsafe fn document<'a>(bytes: *const u8, size: usize) -> Result<&'a [u8], Failure> {
    check(bytes, "bytes")?;
    if isize::try_from(size).is_err() {
        return Err(Failure::argument(format!(
            "size is {size}, more than memory can hold"
        )));
    }
    // SAFETY: not NULL, not too large; the caller vouches for the rest.
    Ok(unsafe { std::slice::from_raw_parts(bytes, size) })
}

fn read(bytes: &[u8], message: Message) -> Result<Model, Failure> {
    let (spec, warnings) = ModelSpec::from_json(bytes)?;
    message.write(&warnings.join("; "));
    Ok(Model::new(spec))
}

fn at<'a>(names: &'a [Name], index: usize, what: &str) -> Result<&'a Name, Failure> {
    names.get(index).ok_or_else(|| {
        Failure::argument(format!(
            "there is no {what} {index}; there are {}",
            names.len()
        ))
    })
}

/// # Safety
/// `text` is NULL or writable, and so is `length`.
unsafe fn give(
    names: &[Name],
    index: usize,
    what: &str,
    text: *mut *const c_char,
    length: *mut usize,
) -> Result<(), Failure> {
    let name = at(names, index, what)?;
    // SAFETY: the caller vouches for both.
    unsafe {
        *target(text, "where the text goes")? = name.text.as_ptr();
        if !length.is_null() {
            *target(length, "length")? = name.length;
        }
    }
    Ok(())
}
