//! Cross-validation: how many terms to keep, by the R squared of rows left out, as in R `earth`.

use super::data::Prepared;
use super::pruning::{best_subsets, solve};
use super::workers::Workers;
use super::{Data, Options, Progress, PruningMethod, gcv, grow};
use crate::error::Error;
use crate::plan::Plan;
use crate::replay::design_matrix;
use crate::rows::Rows;
use crate::spec::{ModelSpec, PLAIN_VERSION};

/// One fold: a model of the other rows, judged on its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold {
    /// Repetition, counted from 0.
    pub cross: usize,
    /// Number of the fold within it.
    pub fold: u32,
    /// Terms that the GCV would keep.
    pub n_terms: usize,
    /// R squared on the rows left out, for each number of terms from 1 on; NaN where the rows left
    /// out have no variance.
    pub rsq: Vec<f64>,
}

/// All folds of all repetitions.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossValidation {
    /// Folds, repetition by repetition.
    pub folds: Vec<Fold>,
    /// Mean R squared over the folds for each number of terms; NaN where most folds have none.
    pub mean: Vec<f64>,
}

impl CrossValidation {
    /// The number of terms with the largest mean, at most `most`; the smaller of equals.
    pub(super) fn best(&self, most: usize) -> usize {
        let mut best = (1, f64::NEG_INFINITY);
        for (k, &rsq) in self.mean.iter().take(most).enumerate() {
            if rsq > best.1 {
                best = (k + 1, rsq);
            }
        }
        best.0
    }
}

/// Fit once per fold and judge every size; `sizes` is the number of terms of the whole model.
///
/// `assignments` holds one fold number per row for each repetition.
pub(super) fn validate(
    data: &Data,
    options: &Options,
    assignments: &[Vec<u32>],
    (sizes, most): (usize, usize),
    workers: &Workers,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<CrossValidation, Error> {
    let n = data.x.n_rows();
    let mut folds = Vec::new();
    for (cross, assignment) in assignments.iter().enumerate() {
        if assignment.len() != n {
            return Err(Error::ShapeMismatch(format!(
                "X has {n} rows, there are {} fold numbers; pass one per row",
                assignment.len()
            )));
        }
        let mut numbers = assignment.clone();
        numbers.sort_unstable();
        numbers.dedup();
        for fold in numbers {
            // The steps of a fold are not those of the model.
            let mut quiet = |_: Progress| progress(Progress::Working);
            let judged = judge(data, options, (assignment, fold), most, workers, &mut quiet);
            let (n_terms, rsq) = judged.map_err(|error| match error {
                Error::InvalidData(why) => Error::InvalidData(format!(
                    "fold {} of {} cannot be fitted without its rows: {why}; use a smaller nfold, \
                     or stratify",
                    fold + 1,
                    cross + 1
                )),
                other => other,
            })?;
            folds.push(Fold {
                cross,
                fold,
                n_terms,
                rsq,
            });
        }
    }
    let mean = (0..sizes).map(|k| mean_at(&folds, k)).collect();
    Ok(CrossValidation { folds, mean })
}

/// Mean over the folds that have the size; NaN where over half have not.
fn mean_at(folds: &[Fold], k: usize) -> f64 {
    let there: Vec<f64> = folds
        .iter()
        .filter_map(|fold| fold.rsq.get(k).copied().filter(|rsq| !rsq.is_nan()))
        .collect();
    if 2 * there.len() < folds.len() || there.is_empty() {
        return f64::NAN;
    }
    there.iter().sum::<f64>() / there.len() as f64
}

fn judge(
    data: &Data,
    options: &Options,
    (assignment, fold): (&[u32], u32),
    most: usize,
    workers: &Workers,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<(usize, Vec<f64>), Error> {
    let weight = |i: usize| data.weights.map_or(1.0, |w| w[i]);
    let is_there = |i: usize| assignment[i] != fold;
    let mut prepared = Prepared::of_rows(data, options, &is_there, workers)?;
    let grown = grow(&mut prepared, options, most, workers, progress)?;
    let terms = grown.factored.r.len();
    let mut go_on = || progress(Progress::Working);
    let subsets = best_subsets(
        &grown.factored,
        PruningMethod::Backward,
        terms,
        options.compat,
        &mut go_on,
    )?;
    let mut chosen = (1, f64::INFINITY);
    for (k, subset) in subsets.iter().enumerate() {
        let score = gcv(subset.rss, prepared.n(), k + 1, options.penalty);
        if score < chosen.1 {
            chosen = (k + 1, score);
        }
    }
    let left_out: Vec<usize> = (0..data.x.n_rows())
        .filter(|&i| assignment[i] == fold && weight(i) > 0.0)
        .collect();
    let everything: Vec<usize> = (0..terms).collect();
    let model = ModelSpec {
        spec_version: PLAIN_VERSION.to_owned(),
        producer: None,
        allow_missing: options.allow_missing,
        features: prepared.features.clone(),
        responses: data.responses.to_vec(),
        link: None,
        terms: grown
            .basis
            .to_terms(&grown.terms, &solve(&grown.factored, &everything).0),
        fit: Vec::new(),
    };
    let columns = evaluate(&model, data, &left_out)?;
    let mut rsq = Vec::with_capacity(terms);
    for subset in &subsets {
        if !progress(Progress::Working) {
            return Err(Error::Interrupted);
        }
        let (coefficients, _) = solve(&grown.factored, &subset.terms);
        let predict = |row: usize, response: usize| {
            let values = &columns[row * terms..][..terms];
            let of = subset.terms.iter().zip(&coefficients);
            of.map(|(&term, b)| values[term] * b[response]).sum::<f64>()
        };
        let each = (0..data.y.n_columns()).map(|k| {
            let truth: Vec<f64> = left_out.iter().map(|&i| data.y.get(i, k)).collect();
            let weights: Vec<f64> = left_out.iter().map(|&i| weight(i)).collect();
            weighted_rsq(&truth, &weights, |row| predict(row, k))
        });
        rsq.push(each.sum::<f64>() / data.y.n_columns() as f64);
    }
    Ok((chosen.0, rsq))
}

/// Values of every term on some rows, row by row.
fn evaluate(model: &ModelSpec, data: &Data, rows: &[usize]) -> Result<Vec<f64>, Error> {
    let p = data.x.n_columns();
    let x: Vec<f64> = rows
        .iter()
        .flat_map(|&i| (0..p).map(move |j| data.x.get(i, j)))
        .collect();
    let plan = Plan::new(model);
    let mut columns = vec![0.0; rows.len() * plan.n_columns()];
    design_matrix(&plan, &Rows::row_major(&x, rows.len(), p)?, 1, &mut columns)?;
    Ok(columns)
}

/// 1 - residual over total sum of squares; NaN where there is no variance.
fn weighted_rsq(truth: &[f64], weights: &[f64], predict: impl Fn(usize) -> f64) -> f64 {
    let total: f64 = weights.iter().sum();
    let mean = truth.iter().zip(weights).map(|(y, w)| y * w).sum::<f64>() / total;
    let (mut residual, mut around) = (0.0, 0.0);
    for (row, (y, w)) in truth.iter().zip(weights).enumerate() {
        residual += w * (y - predict(row)).powi(2);
        around += w * (y - mean).powi(2);
    }
    if around > 0.0 {
        1.0 - residual / around
    } else {
        f64::NAN
    }
}
