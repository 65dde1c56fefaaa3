//! Evaluate a plan on rows, tile by tile.
//!
//! Per row: a node is the product of its parents from left to right times its factor, and a
//! response is `((0 + c0 v0) + c1 v1) + ...` in column order, without fused operations. How rows
//! are cut into tiles and parts cannot change a bit.

mod load;
mod program;
mod run;
mod share;
mod tile;

use mars_earth_dispatch::Instructions;

use crate::error::Error;
use crate::plan::Plan;
use crate::rows::Rows;
use crate::threads;

pub(crate) use program::Program;

/// What is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// One value for each response: the inverse link of the linear predictor where there is a link.
    Responses,
    /// One value for each response: the sum of terms before any link.
    LinearPredictor,
    /// One value for each term that has coefficients.
    DesignMatrix,
}

impl Output {
    /// Values of a row.
    pub fn width(self, plan: &Plan) -> usize {
        match self {
            Output::Responses | Output::LinearPredictor => plan.n_responses(),
            Output::DesignMatrix => plan.n_columns(),
        }
    }
}

/// How a replay went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// Threads that had a part of the rows (H1, not claimed).
    pub threads: usize,
    /// Instructions the loops ran with.
    pub instructions: Instructions,
    /// Bytes of all buffers that the replay held.
    pub scratch_bytes: usize,
}

/// Fill `out` (rows x responses, row-major) with the model's responses.
///
/// With a link a response is the inverse link of the linear predictor, else the predictor itself.
///
/// # Errors
/// Shapes that do not fit, `threads` of 0, a missing value where the model allows none, a category
/// code out of range. `out` then holds no usable values.
pub fn predict(plan: &Plan, rows: &Rows, threads: usize, out: &mut [f64]) -> Result<(), Error> {
    replay(plan, rows, Output::Responses, threads, out).map(|_| ())
}

/// Fill `out` (rows x responses, row-major) with the linear predictors: the sums of terms before
/// any link.
///
/// # Errors
/// As [`predict`].
pub fn linear_predictor(
    plan: &Plan,
    rows: &Rows,
    threads: usize,
    out: &mut [f64],
) -> Result<(), Error> {
    replay(plan, rows, Output::LinearPredictor, threads, out).map(|_| ())
}

/// Fill `out` (rows x columns, row-major) with the design matrix: one column per term that has
/// coefficients.
///
/// # Errors
/// As [`predict`].
pub fn design_matrix(
    plan: &Plan,
    rows: &Rows,
    threads: usize,
    out: &mut [f64],
) -> Result<(), Error> {
    replay(plan, rows, Output::DesignMatrix, threads, out).map(|_| ())
}

/// Fill `out` (rows x width, row-major) with what is asked for, and say how it went.
///
/// # Errors
/// As [`predict`].
pub fn replay(
    plan: &Plan,
    rows: &Rows,
    output: Output,
    threads: usize,
    out: &mut [f64],
) -> Result<Replayed, Error> {
    threads::check(threads)?;
    if rows.n_columns() != plan.n_features() {
        return Err(Error::ShapeMismatch(format!(
            "the rows have {} columns, the model was fitted on {} features; pass the same columns",
            rows.n_columns(),
            plan.n_features()
        )));
    }
    let width = output.width(plan);
    if rows.n_rows().checked_mul(width) != Some(out.len()) {
        return Err(Error::ShapeMismatch(format!(
            "the output holds {} values, {} rows x {width} are needed",
            out.len(),
            rows.n_rows()
        )));
    }
    let (threads, scratch_bytes) = share::share(plan, rows, output, threads, out)?;
    Ok(Replayed {
        threads,
        instructions: Instructions::detected(),
        scratch_bytes,
    })
}
