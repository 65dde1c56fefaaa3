//! Generalised linear models on the terms of a fitted model (McCullagh and Nelder 1989).
//!
//! The terms are those of least squares, as in R `earth`; only their coefficients are fitted anew.

mod family;
mod frame;
mod scoring;

pub use family::Family;

use super::Data;
use crate::error::Error;
use crate::link::Link;
use crate::plan::Plan;
use crate::replay::design_matrix;
use crate::spec::{MAX_MAGNITUDE, ModelSpec, SPEC_VERSION};
use frame::Frame;

/// Most parameters of a multinomial: its equations hold the square of their number.
const MOST_PARAMETERS: usize = 4000;

/// How a fit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// At the maximum of the likelihood.
    Converged,
    /// The likelihood has no maximum at finite coefficients: some term tells responses apart
    /// without error.
    Separated,
    /// Still on the way when the steps ran out.
    NotConverged,
}

/// How the fit of a response went; a multinomial has one for all its classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Deviance of the model of the mean alone.
    pub null_deviance: f64,
    /// Deviance of the fit.
    pub deviance: f64,
    /// Steps taken.
    pub iterations: usize,
    /// How it ended.
    pub outcome: Outcome,
}

/// Fit the coefficients of a model anew, for a family and its link.
///
/// `model` was trained on the same data. Its figures of least squares stay, as they tell how the
/// terms were chosen; `deviance` and `null_deviance` come beside them.
///
/// # Errors
/// Shapes that do not fit, responses that the family refuses, a fit beyond the limits, interruption.
pub fn refit(
    model: &ModelSpec,
    data: &Data,
    family: Family,
    link: Link,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<(ModelSpec, Vec<Figures>), Error> {
    let (n, k) = (data.x.n_rows(), model.responses.len());
    if data.y.n_rows() != n || data.y.n_columns() != k {
        return Err(Error::ShapeMismatch(format!(
            "y is {} x {}, the model needs {n} x {k}",
            data.y.n_rows(),
            data.y.n_columns()
        )));
    }
    if data.weights.is_some_and(|weights| weights.len() != n) {
        return Err(Error::ShapeMismatch(format!(
            "X has {n} rows; pass one weight per row"
        )));
    }
    let weight = |i: usize| data.weights.map_or(1.0, |weights| weights[i]);
    let rows: Vec<usize> = (0..n).filter(|&i| weight(i) > 0.0).collect();
    check_responses(data, &rows, family)?;
    let plan = Plan::new(model);
    let m = plan.n_columns();
    let mut all = vec![0.0; n * m];
    design_matrix(&plan, &data.x, 1, &mut all)?;
    let b: Vec<f64> = rows
        .iter()
        .flat_map(|&i| &all[i * m..][..m])
        .copied()
        .collect();
    drop(all);
    let frame = Frame::new(&b, m, go_on)?;
    let weights: Vec<f64> = rows.iter().map(|&i| weight(i)).collect();
    let mut coefficients: Vec<Vec<f64>> = Vec::with_capacity(k);
    let mut figures = Vec::new();
    if family == Family::Multinomial {
        check_size(k, frame.width())?;
        let y: Vec<f64> = rows
            .iter()
            .flat_map(|&i| (0..k).map(move |j| data.y.get(i, j)))
            .collect();
        let (found, went) = scoring::classes(&frame, (&y, &weights), k, go_on)?;
        coefficients.push(vec![0.0; m]);
        coefficients.extend(
            found
                .chunks_exact(frame.width())
                .map(|g| frame.coefficients(g)),
        );
        figures.push(went);
    } else {
        for j in 0..k {
            let y: Vec<f64> = rows.iter().map(|&i| data.y.get(i, j)).collect();
            let (found, went) = scoring::one(&frame, (&y, &weights), (family, link), go_on)?;
            coefficients.push(frame.coefficients(&found));
            figures.push(went);
        }
    }
    Ok((written(model, link, &coefficients, &figures)?, figures))
}

fn check_responses(data: &Data, rows: &[usize], family: Family) -> Result<(), Error> {
    let k = data.y.n_columns();
    for &i in rows {
        for j in 0..k {
            let y = data.y.get(i, j);
            if let Some(why) = family.refuses(y) {
                return Err(Error::InvalidData(format!(
                    "row {i} has the response {y}; {why}"
                )));
            }
        }
        let sum: f64 = (0..k).map(|j| data.y.get(i, j)).sum();
        if family == Family::Multinomial && (sum - 1.0).abs() > 1e-6 {
            return Err(Error::InvalidData(format!(
                "row {i} has shares that sum to {sum}; pass one share per class, summing to 1"
            )));
        }
    }
    if family == Family::Multinomial && k < 2 {
        return Err(Error::InvalidData(
            "a multinomial needs two classes or more; pass one column of y per class".to_owned(),
        ));
    }
    Ok(())
}

fn check_size(classes: usize, terms: usize) -> Result<(), Error> {
    let parameters = (classes - 1) * terms;
    if parameters > MOST_PARAMETERS {
        return Err(Error::LimitExceeded(format!(
            "{classes} classes and {terms} terms make {parameters} parameters, the limit is \
             {MOST_PARAMETERS}; lower max_terms or nprune"
        )));
    }
    Ok(())
}

fn written(
    model: &ModelSpec,
    link: Link,
    coefficients: &[Vec<f64>],
    figures: &[Figures],
) -> Result<ModelSpec, Error> {
    let usable = |b: &f64| b.abs() <= MAX_MAGNITUDE;
    if !coefficients.iter().flatten().all(usable) {
        return Err(Error::InvalidData(
            "the fit of the link ran beyond the range of numbers; scale the responses, or lower \
             max_terms"
                .to_owned(),
        ));
    }
    let mut spec = model.clone();
    spec.spec_version = SPEC_VERSION.to_owned();
    spec.link = Some(link);
    let with = spec.terms.iter_mut().filter(|t| t.coefficients.is_some());
    for (position, term) in with.enumerate() {
        term.coefficients = Some(coefficients.iter().map(|b| b[position]).collect());
    }
    let sum = |figure: fn(&Figures) -> f64| figures.iter().map(figure).sum::<f64>();
    spec.fit.push(("deviance".to_owned(), sum(|f| f.deviance)));
    spec.fit
        .push(("null_deviance".to_owned(), sum(|f| f.null_deviance)));
    spec.fit.retain(|(_, value)| value.is_finite());
    Ok(spec)
}
