//! Replay on tables in the caller's memory.

use std::ffi::c_char;

use mars_earth_core::{Output, replay};

use crate::model::Model;
use crate::status::{Failure, Message, answer, check_size, mars_earth_status, view};
use crate::table::{Buffer, Table};

/// Compute the responses: where the model has a link, its inverse of the linear predictor.
pub const MARS_EARTH_RESPONSES: u32 = 0;
/// Compute the linear predictors: the sums of terms before any link.
pub const MARS_EARTH_LINEAR_PREDICTOR: u32 = 1;
/// Compute the design matrix: one column per term that has coefficients.
pub const MARS_EARTH_DESIGN_MATRIX: u32 = 2;

/// How to replay; NULL stands for one thread. Set `size` to `sizeof(struct mars_earth_options)`.
#[repr(C)]
pub struct Options {
    /// Size of this struct.
    pub size: usize,
    /// Most threads to use, 1 or more; the result does not depend on it.
    pub threads: u32,
    /// Must be 0.
    pub reserved: u32,
}

/// Read the options.
///
/// # Safety
/// `options` is NULL or readable.
pub(crate) unsafe fn threads(options: *const Options) -> Result<usize, Failure> {
    if options.is_null() {
        return Ok(1);
    }
    // SAFETY: the caller vouches for `options`.
    let options = unsafe { view(options, "options")? };
    check_size::<Options>(options.size, "options")?;
    if options.reserved != 0 {
        return Err(Failure::argument(format!(
            "options.reserved is {}; set it to 0",
            options.reserved
        )));
    }
    Ok(options.threads as usize)
}

pub(crate) fn output(code: u32) -> Result<Output, Failure> {
    match code {
        MARS_EARTH_RESPONSES => Ok(Output::Responses),
        MARS_EARTH_LINEAR_PREDICTOR => Ok(Output::LinearPredictor),
        MARS_EARTH_DESIGN_MATRIX => Ok(Output::DesignMatrix),
        _ => Err(Failure::argument(format!(
            "output is {code}; pass MARS_EARTH_RESPONSES, MARS_EARTH_LINEAR_PREDICTOR or \
             MARS_EARTH_DESIGN_MATRIX"
        ))),
    }
}

/// Replay `table` into `buffer`; `what` is one of `MARS_EARTH_RESPONSES`,
/// `MARS_EARTH_LINEAR_PREDICTOR`, `MARS_EARTH_DESIGN_MATRIX`.
///
/// After a failure the buffer holds no usable values.
///
/// # Safety
/// `model` is a handle; `table` and `buffer` are readable and what they say of their memory is
/// true; `options` is NULL or readable; `message` is NULL or writable for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mars_earth_replay(
    model: *const Model,
    what: u32,
    table: *const Table,
    buffer: *const Buffer,
    options: *const Options,
    message: *mut c_char,
    capacity: usize,
) -> mars_earth_status {
    answer(Message::at(message, capacity), || {
        // SAFETY: the caller vouches for the pointers and for what the two structs say.
        unsafe {
            let plan = view(model, "model")?.plan();
            let table = view(table, "table")?;
            let buffer = view(buffer, "buffer")?;
            let (output, threads) = (output(what)?, threads(options)?);
            let rows = table.rows()?;
            buffer.fill(table, output.width(plan), |out| {
                replay(plan, &rows, output, threads, out)?;
                Ok(())
            })
        }
    })
}

/// Rows that a check replays at a time.
const BLOCK: usize = 4096;

/// Check that a model can replay `table`: its shape, missing values and category positions.
///
/// The rows are replayed block by block and the results are dropped.
///
/// # Safety
/// As `mars_earth_replay`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mars_earth_check(
    model: *const Model,
    table: *const Table,
    message: *mut c_char,
    capacity: usize,
) -> mars_earth_status {
    answer(Message::at(message, capacity), || {
        // SAFETY: the caller vouches for the pointers.
        let (plan, table) = unsafe { (view(model, "model")?.plan(), view(table, "table")?) };
        // SAFETY: the caller vouches for what the struct says of its memory.
        unsafe { table.rows()? };
        let mut out = vec![0.0; table.rows.min(BLOCK) * plan.n_responses()];
        let mut from = 0;
        loop {
            let block = table.block(from, BLOCK);
            let out = &mut out[..block.rows * plan.n_responses()];
            // SAFETY: as above; a block of the table lies within it.
            let rows = unsafe { block.rows()? };
            mars_earth_core::linear_predictor(plan, &rows, 1, out)
                .map_err(|error| Failure::from(error).counted_from(from))?;
            from += block.rows;
            if from == table.rows {
                return Ok(());
            }
        }
    })
}
