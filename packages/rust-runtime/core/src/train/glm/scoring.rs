//! Fisher scoring with step halving, for one response and for the classes of a multinomial.

use std::ops::Range;

use super::family::{Family, Row, share};
use super::frame::{BLOCK, Frame, solve};
use super::{Figures, Outcome};
use crate::error::Error;
use crate::link::Link;

/// Scoring ends when the deviance changes by less than this share.
const TOLERANCE: f64 = 1e-12;
const MOST_STEPS: usize = 100;
const MOST_HALVINGS: usize = 30;
/// Where a coefficient runs to infinity, steps go on moving some linear predictor by about 1 when
/// the deviance no longer changes by more than `STILL`; at a maximum both end together.
const STILL: f64 = 1e-8;
const RUNAWAY: f64 = 0.1;
const MOST_RUNAWAYS: usize = 3;

/// Parameters, and how the scoring went.
pub(super) type Scored = (Vec<f64>, Figures);

/// What scoring maximises.
trait Problem {
    /// Linear predictors of all rows at some parameters.
    fn predictors(&self, parameters: &[f64]) -> Vec<f64>;
    /// Deviance at linear predictors; not finite where they give no mean.
    fn deviance(&self, predictors: &[f64]) -> f64;
    /// Add what some rows give to the equations of a step.
    fn add_equations(&self, predictors: &[f64], rows: Range<usize>, sums: &mut Equations);
}

/// Expected information (lower triangle, row by row) and score.
struct Equations {
    information: Vec<Vec<f64>>,
    score: Vec<f64>,
}

/// Where a step leads.
struct Next {
    parameters: Vec<f64>,
    predictors: Vec<f64>,
    deviance: f64,
    /// 1 for the whole step.
    size: f64,
}

/// Fit one response.
pub(super) fn one(
    frame: &Frame,
    (y, weights): (&[f64], &[f64]),
    (family, link): (Family, Link),
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Scored, Error> {
    let total: f64 = weights.iter().sum();
    let mean = y.iter().zip(weights).map(|(y, w)| y * (w / total)).sum();
    let start = frame.intercept(Family::predictor(link, mean));
    let problem = Single {
        frame,
        y,
        weights,
        family,
        link,
    };
    run(&problem, y.len(), start, go_on)
}

/// Fit classes 1, 2, ... against class 0; `y` is row-major, one share per class.
pub(super) fn classes(
    frame: &Frame,
    (y, weights): (&[f64], &[f64]),
    n_classes: usize,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Scored, Error> {
    let mut totals = vec![0.0; n_classes];
    for (row, w) in y.chunks_exact(n_classes).zip(weights) {
        for (total, share) in totals.iter_mut().zip(row) {
            *total += w * share;
        }
    }
    let start = totals[1..]
        .iter()
        .flat_map(|total| frame.intercept((total / totals[0]).ln()))
        .collect();
    let problem = Several {
        frame,
        y,
        weights,
        others: n_classes - 1,
    };
    run(&problem, weights.len(), start, go_on)
}

fn run(
    problem: &dyn Problem,
    rows: usize,
    start: Vec<f64>,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Scored, Error> {
    let mut parameters = start;
    let mut predictors = problem.predictors(&parameters);
    let mut deviance = problem.deviance(&predictors);
    let mut figures = Figures {
        null_deviance: deviance,
        deviance,
        iterations: 0,
        outcome: Outcome::NotConverged,
    };
    let mut runaways = 0;
    while figures.iterations < MOST_STEPS {
        figures.iterations += 1;
        let mut sums = Equations {
            information: (0..parameters.len()).map(|j| vec![0.0; j + 1]).collect(),
            score: vec![0.0; parameters.len()],
        };
        for from in (0..rows).step_by(BLOCK) {
            if !go_on() {
                return Err(Error::Interrupted);
            }
            problem.add_equations(&predictors, from..rows.min(from + BLOCK), &mut sums);
        }
        let Some(step) = solve(sums.information, sums.score) else {
            figures.outcome = Outcome::Separated;
            break;
        };
        let Some(next) = better(problem, &parameters, &step, deviance) else {
            // No step along a direction of ascent gains: this is the maximum, to rounding.
            figures.outcome = Outcome::Converged;
            break;
        };
        let moved = next
            .predictors
            .iter()
            .zip(&predictors)
            .fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()));
        let change = (deviance - next.deviance).abs() / (next.deviance.abs() + 0.1);
        let runs = change <= STILL && moved > RUNAWAY;
        parameters = next.parameters;
        predictors = next.predictors;
        deviance = next.deviance;
        runaways = if runs { runaways + 1 } else { 0 };
        if runaways == MOST_RUNAWAYS {
            figures.outcome = Outcome::Separated;
            break;
        }
        if next.size == 1.0 && change <= TOLERANCE && !runs {
            figures.outcome = Outcome::Converged;
            break;
        }
    }
    figures.deviance = deviance;
    Ok((parameters, figures))
}

/// The whole step, or the first half, quarter, ... of it that does not raise the deviance.
fn better(problem: &dyn Problem, from: &[f64], step: &[f64], deviance: f64) -> Option<Next> {
    let bound = deviance + 1e-10 * (deviance.abs() + 0.1);
    let mut size = 1.0;
    for _ in 0..MOST_HALVINGS {
        let parameters: Vec<f64> = from.iter().zip(step).map(|(p, s)| p + size * s).collect();
        let predictors = problem.predictors(&parameters);
        let deviance = problem.deviance(&predictors);
        if deviance <= bound {
            return Some(Next {
                parameters,
                predictors,
                deviance,
                size,
            });
        }
        size /= 2.0;
    }
    None
}

struct Single<'a> {
    frame: &'a Frame,
    y: &'a [f64],
    weights: &'a [f64],
    family: Family,
    link: Link,
}

impl Problem for Single<'_> {
    fn predictors(&self, parameters: &[f64]) -> Vec<f64> {
        self.frame.predictors(parameters)
    }

    fn deviance(&self, predictors: &[f64]) -> f64 {
        let rows = self.y.iter().zip(self.weights).zip(predictors);
        rows.map(|((&y, w), &eta)| w * Row::new(self.family, self.link, y, eta).deviance)
            .sum()
    }

    fn add_equations(&self, predictors: &[f64], rows: Range<usize>, sums: &mut Equations) {
        let (mut weights, mut scores) = (Vec::new(), Vec::new());
        for i in rows.clone() {
            let row = Row::new(self.family, self.link, self.y[i], predictors[i]);
            weights.push(self.weights[i] * row.information);
            scores.push(self.weights[i] * row.score);
        }
        self.frame.add_score(&scores, &rows, &mut sums.score);
        let lines = &mut sums.information[..];
        self.frame.add_information(&weights, &rows, (lines, 0));
    }
}

struct Several<'a> {
    frame: &'a Frame,
    y: &'a [f64],
    weights: &'a [f64],
    /// Classes but the first, whose linear predictor is 0.
    others: usize,
}

impl Several<'_> {
    /// The shares of each row in the order of the classes.
    fn shares<'a>(&self, eta: &[f64], out: &'a mut Vec<f64>) -> &'a [f64] {
        out.clear();
        out.push(0.0);
        out.extend_from_slice(eta);
        Link::Softmax.respond(out);
        out
    }
}

impl Problem for Several<'_> {
    fn predictors(&self, parameters: &[f64]) -> Vec<f64> {
        let mut predictors = vec![0.0; self.weights.len() * self.others];
        for (k, part) in parameters.chunks_exact(self.frame.width()).enumerate() {
            let slots = predictors.iter_mut().skip(k).step_by(self.others);
            for (slot, value) in slots.zip(self.frame.predictors(part)) {
                *slot = value;
            }
        }
        predictors
    }

    fn deviance(&self, predictors: &[f64]) -> f64 {
        let mut p = Vec::new();
        let rows = self.y.chunks_exact(self.others + 1).zip(self.weights);
        rows.zip(predictors.chunks_exact(self.others))
            .map(|((y, w), eta)| {
                let shares = self.shares(eta, &mut p);
                2.0 * w
                    * y.iter()
                        .zip(shares)
                        .map(|(&y, &p)| share(y, p))
                        .sum::<f64>()
            })
            .sum()
    }

    fn add_equations(&self, predictors: &[f64], rows: Range<usize>, sums: &mut Equations) {
        let (m, others) = (self.frame.width(), self.others);
        let mut shares = Vec::with_capacity(rows.len() * others);
        let mut p = Vec::new();
        for i in rows.clone() {
            let eta = &predictors[i * others..][..others];
            shares.extend_from_slice(&self.shares(eta, &mut p)[1..]);
        }
        let mut values = vec![0.0; rows.len()];
        for k in 0..others {
            for ((slot, p), i) in values
                .iter_mut()
                .zip(shares.chunks(others))
                .zip(rows.clone())
            {
                *slot = self.weights[i] * (self.y[i * (others + 1) + k + 1] - p[k]);
            }
            let part = &mut sums.score[k * m..][..m];
            self.frame.add_score(&values, &rows, part);
            for l in 0..=k {
                let same = f64::from(k == l);
                let each = values.iter_mut().zip(shares.chunks(others));
                for ((slot, p), i) in each.zip(rows.clone()) {
                    *slot = self.weights[i] * p[k] * (same - p[l]);
                }
                let lines = &mut sums.information[k * m..][..m];
                self.frame.add_information(&values, &rows, (lines, l * m));
            }
        }
    }
}
