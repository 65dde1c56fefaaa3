//! Replay on Arrow batches and streams.

use std::ffi::c_char;

use mars_earth_arrow::{ArrowArray, ArrowArrayStream, ArrowSchema, Batch};

use crate::model::Model;
use crate::replay::{Options, output, threads};
use crate::status::{Failure, Message, answer, check, mars_earth_status, target, view};

/// Replay one Arrow batch: a struct of columns, found by the names of the features.
///
/// `batch` and `schema` are read during the call and stay the caller's. On success `*result` and
/// `*result_schema` are live and the caller releases them; what lies there before is overwritten.
/// On failure both are marked as released.
///
/// # Safety
/// `model` is a handle; `batch` and `schema` are live and fit each other; the results are writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mars_earth_replay_batch(
    model: *const Model,
    what: u32,
    batch: *const ArrowArray,
    schema: *const ArrowSchema,
    options: *const Options,
    result: *mut ArrowArray,
    result_schema: *mut ArrowSchema,
    message: *mut c_char,
    capacity: usize,
) -> mars_earth_status {
    answer(Message::at(message, capacity), || {
        check(result, "result")?;
        check(result_schema, "result_schema")?;
        // SAFETY: the caller vouches for the pointers.
        let (model, batch) = unsafe {
            ArrowArray::empty().give(result);
            ArrowSchema::empty().give(result_schema);
            let batch = Batch::new(view(batch, "batch")?, view(schema, "schema")?)?;
            (view(model, "model")?, batch)
        };
        // SAFETY: the caller vouches for `options`.
        let replay = model.replay(output(what)?, unsafe { threads(options)? });
        let (array, schema) = replay.batch(&batch)?.into_arrow();
        // SAFETY: the caller vouches for the results.
        unsafe {
            array.give(result);
            schema.give(result_schema);
        }
        Ok(())
    })
}

/// Replay an Arrow stream batch by batch: each is pulled when the consumer of `*result` asks.
///
/// On success `*input` is moved into `*result` and marked as released; releasing `*result`
/// releases it. The handle may be freed before. On failure `*input` stays the caller's, and
/// `*result` is marked as released.
///
/// # Safety
/// `model` is a handle; `input` is a live stream; `result` is writable and not `input`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mars_earth_replay_stream(
    model: *const Model,
    what: u32,
    input: *mut ArrowArrayStream,
    options: *const Options,
    result: *mut ArrowArrayStream,
    message: *mut c_char,
    capacity: usize,
) -> mars_earth_status {
    answer(Message::at(message, capacity), || {
        check(result, "result")?;
        if std::ptr::eq(input, result) {
            return Err(Failure::argument("input and result are the same stream"));
        }
        // SAFETY: the caller vouches for `result`.
        unsafe { ArrowArrayStream::empty().give(result) };
        // SAFETY: the caller vouches for the pointers.
        let (model, input) = unsafe { (view(model, "model")?, target(input, "input")?) };
        // SAFETY: the caller vouches for `options`.
        let replay = model.replay(output(what)?, unsafe { threads(options)? });
        let schema = input.schema()?;
        // SAFETY: live, as its schema was read; from here on the result owns it.
        let input = unsafe { ArrowArrayStream::take(input) };
        let stream = replay.stream(input, schema);
        // SAFETY: the caller vouches for `result`.
        unsafe { stream.give(result) };
        Ok(())
    })
}
