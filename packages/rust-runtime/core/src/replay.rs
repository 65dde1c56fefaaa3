//! Evaluate a plan on rows, block by block.
//!
//! Per row: a node is the product of its parents from left to right times its factor, and a
//! response is `((0 + c0 v0) + c1 v1) + ...` in column order, without fused operations. How rows
//! are cut into blocks cannot change a bit. A caller may ask for threads: H1, not claimed, as no
//! gain from them is measured yet.

use rayon::prelude::*;

use crate::error::Error;
use crate::plan::{Factor, Plan};
use crate::rows::Rows;
use crate::spec::{Side, When};
use crate::threads;

/// Work (rows x nodes) below which everything stays on the calling thread.
const SERIAL_WORK: usize = 1 << 16;
/// Values the node table of one block should hold, so that it stays in the L2 cache.
const BLOCK_VALUES: usize = 1 << 14;

/// Fill `out` (rows x responses, row-major) with the model's responses.
///
/// With a link a response is the inverse link of the linear predictor, else the predictor itself.
///
/// # Errors
/// Shapes that do not fit, `threads` of 0, a missing value where the model allows none, a category
/// code out of range. `out` then holds no usable values.
pub fn predict(plan: &Plan, rows: &Rows, threads: usize, out: &mut [f64]) -> Result<(), Error> {
    let width = plan.n_responses();
    replay(plan, rows, threads, width, out, |nodes, block, out| {
        sum_terms(plan, nodes, block, out);
        if let Some(link) = plan.link {
            out.chunks_exact_mut(width)
                .for_each(|row| link.respond(row));
        }
    })
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
    let width = plan.n_responses();
    replay(plan, rows, threads, width, out, |nodes, block, out| {
        sum_terms(plan, nodes, block, out);
    })
}

fn sum_terms(plan: &Plan, nodes: &[f64], block: usize, out: &mut [f64]) {
    let width = plan.n_responses();
    out.fill(0.0);
    for (k, &column) in plan.columns.iter().enumerate() {
        let values = &nodes[column * block..][..block];
        let coefficients = &plan.coefficients[k * width..][..width];
        for (row, value) in out.chunks_exact_mut(width).zip(values) {
            for (slot, coefficient) in row.iter_mut().zip(coefficients) {
                *slot += coefficient * value;
            }
        }
    }
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
    let width = plan.n_columns();
    replay(plan, rows, threads, width, out, |nodes, block, out| {
        for (k, &column) in plan.columns.iter().enumerate() {
            let values = &nodes[column * block..][..block];
            for (row, value) in out.chunks_exact_mut(width).zip(values) {
                row[k] = *value;
            }
        }
    })
}

fn replay(
    plan: &Plan,
    rows: &Rows,
    threads: usize,
    width: usize,
    out: &mut [f64],
    emit: impl Fn(&[f64], usize, &mut [f64]) + Sync,
) -> Result<(), Error> {
    threads::check(threads)?;
    if rows.n_columns() != plan.n_features() {
        return Err(Error::ShapeMismatch(format!(
            "the rows have {} columns, the model was fitted on {} features; pass the same columns",
            rows.n_columns(),
            plan.n_features()
        )));
    }
    if rows.n_rows().checked_mul(width) != Some(out.len()) {
        return Err(Error::ShapeMismatch(format!(
            "the output holds {} values, {} rows x {width} are needed",
            out.len(),
            rows.n_rows()
        )));
    }
    let block = (BLOCK_VALUES / plan.nodes.len()).clamp(16, 512);
    let run = |scratch: &mut Scratch, b: usize, out: &mut [f64]| -> Result<(), Error> {
        scratch.evaluate(plan, rows, b * block, out.len() / width)?;
        emit(&scratch.nodes, block, out);
        Ok(())
    };
    let work = rows.n_rows().saturating_mul(plan.nodes.len());
    if threads == 1 || work < SERIAL_WORK {
        let mut scratch = Scratch::new(plan, block);
        return out
            .chunks_mut(block * width)
            .enumerate()
            .try_for_each(|(b, out)| run(&mut scratch, b, out));
    }
    // The first failing row is reported, whichever thread met it.
    let outcomes: Vec<Result<(), Error>> = threads::with_pool(threads, || {
        out.par_chunks_mut(block * width)
            .enumerate()
            .map_init(
                || Scratch::new(plan, block),
                |scratch, (b, out)| run(scratch, b, out),
            )
            .collect()
    });
    outcomes.into_iter().collect()
}

/// Buffers of one thread: one value per node and row of the block.
struct Scratch {
    block: usize,
    column: Vec<f64>,
    nodes: Vec<f64>,
}

impl Scratch {
    fn new(plan: &Plan, block: usize) -> Self {
        Scratch {
            block,
            column: vec![0.0; block],
            nodes: vec![0.0; block * plan.nodes.len()],
        }
    }

    fn evaluate(&mut self, plan: &Plan, rows: &Rows, from: usize, n: usize) -> Result<(), Error> {
        self.check(plan, rows, from, n)?;
        let block = self.block;
        for (position, node) in plan.nodes.iter().enumerate() {
            let (earlier, rest) = self.nodes.split_at_mut(position * block);
            let value = &mut rest[..n];
            match node.parents.split_first() {
                None => value.fill(1.0),
                Some((&first, others)) => {
                    value.copy_from_slice(&earlier[first * block..][..n]);
                    for &other in others {
                        multiply(value, &earlier[other * block..][..n]);
                    }
                }
            }
            let feature = match node.factor {
                Factor::One => continue,
                Factor::Linear { feature }
                | Factor::Hinge { feature, .. }
                | Factor::Categorical { feature, .. }
                | Factor::Missingness { feature, .. } => feature,
            };
            let x = &mut self.column[..n];
            rows.copy_column(feature, from, x);
            if !matches!(node.factor, Factor::Missingness { .. }) {
                if let Some(impute) = plan.inputs[feature].impute {
                    for x in x.iter_mut().filter(|x| x.is_nan()) {
                        *x = impute;
                    }
                }
            }
            apply(&node.factor, x, value);
        }
        Ok(())
    }

    /// Refuse missing values and category codes before any value of the block is computed.
    fn check(&mut self, plan: &Plan, rows: &Rows, from: usize, n: usize) -> Result<(), Error> {
        let mut first: Option<(usize, usize)> = None;
        for &feature in &plan.used {
            let input = &plan.inputs[feature];
            if plan.allow_missing && input.n_categories == 0 {
                continue;
            }
            let x = &mut self.column[..n];
            rows.copy_column(feature, from, x);
            let bad = |x: f64| {
                if x.is_nan() {
                    return !plan.allow_missing;
                }
                input.n_categories > 0
                    && !(x >= 0.0 && x < input.n_categories as f64 && x.fract() == 0.0)
            };
            if let Some(row) = x.iter().position(|&x| bad(x)) {
                if first.is_none_or(|(earliest, _)| row < earliest) {
                    first = Some((row, feature));
                }
            }
        }
        let Some((row, feature)) = first else {
            return Ok(());
        };
        let input = &plan.inputs[feature];
        let value = rows.get(from + row, feature);
        if value.is_nan() {
            return Err(Error::MissingValue {
                row: from + row,
                feature: input.name.clone(),
            });
        }
        Err(Error::InvalidValue(format!(
            "row {} has {value} for the categorical feature {:?}; expected a position from 0 to {}",
            from + row,
            input.name,
            input.n_categories - 1
        )))
    }
}

fn multiply(value: &mut [f64], by: &[f64]) {
    for (value, by) in value.iter_mut().zip(by) {
        *value *= by;
    }
}

fn apply(factor: &Factor, x: &[f64], value: &mut [f64]) {
    match factor {
        Factor::One => {}
        Factor::Linear { .. } => multiply(value, x),
        Factor::Hinge {
            knot,
            side: Side::Right,
            ..
        } => {
            for (value, x) in value.iter_mut().zip(x) {
                *value *= positive(x - knot);
            }
        }
        Factor::Hinge {
            knot,
            side: Side::Left,
            ..
        } => {
            for (value, x) in value.iter_mut().zip(x) {
                *value *= positive(knot - x);
            }
        }
        Factor::Categorical { table, .. } => {
            for (value, x) in value.iter_mut().zip(x) {
                // `check` left only positions and NaN.
                *value *= if x.is_nan() { *x } else { table[*x as usize] };
            }
        }
        Factor::Missingness { when, .. } => {
            let (missing, present) = match when {
                When::Missing => (1.0, 0.0),
                When::Present => (0.0, 1.0),
            };
            for (value, x) in value.iter_mut().zip(x) {
                *value *= if x.is_nan() { missing } else { present };
            }
        }
    }
}

/// max(0, d) that lets NaN through, as `f64::max` does not.
#[inline(always)]
fn positive(d: f64) -> f64 {
    if d <= 0.0 { 0.0 } else { d }
}
