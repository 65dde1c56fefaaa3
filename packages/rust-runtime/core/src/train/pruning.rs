//! The pruning pass: drop the term that costs least, again and again; the best GCV wins.
//!
//! Works on the triangle of B = QR alone. Dropping term k raises the RSS by b_k^2 / |row k of
//! R^-1|^2 with b = R^-1 z, summed over responses.

use super::orthogonal::Frame;
use super::{PruningStep, gcv};

pub(super) struct Pruned {
    /// Positions of the terms that stay, rising; the intercept is always there.
    pub(super) kept: Vec<usize>,
    /// One coefficient per response for each kept term.
    pub(super) coefficients: Vec<Vec<f64>>,
    pub(super) rss: f64,
    pub(super) gcv: f64,
    pub(super) steps: Vec<PruningStep>,
}

pub(super) fn prune(frame: &Frame, n: usize, penalty: f64) -> Pruned {
    let mut triangle = Triangle::new(frame);
    let mut steps = Vec::new();
    let mut best: Option<Pruned> = None;
    loop {
        let size = triangle.kept.len();
        let score = gcv(triangle.rss, n, size, penalty);
        steps.push(PruningStep {
            n_terms: size,
            rss: triangle.rss,
            gcv: score,
        });
        let inverse = triangle.inverse();
        let coefficients = triangle.coefficients(&inverse);
        // Sizes fall, so "not worse" gives ties to the smaller model.
        if best.as_ref().is_none_or(|best| score <= best.gcv) {
            best = Some(Pruned {
                kept: triangle.kept.clone(),
                coefficients: coefficients.clone(),
                rss: triangle.rss,
                gcv: score,
                steps: Vec::new(),
            });
        }
        let Some(cheapest) = cheapest(&inverse, &coefficients) else {
            break;
        };
        triangle.drop(cheapest);
    }
    let mut best = best.expect("the loop visits at least the intercept");
    best.steps = steps;
    best
}

/// Position of the term whose removal raises the RSS least, never the intercept.
fn cheapest(inverse: &[Vec<f64>], coefficients: &[Vec<f64>]) -> Option<usize> {
    let cost = |k: usize| {
        let row: f64 = inverse[k..]
            .iter()
            .map(|column| column[k] * column[k])
            .sum();
        coefficients[k].iter().map(|b| b * b).sum::<f64>() / row
    };
    (1..coefficients.len())
        .map(|k| (k, cost(k)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(k, _)| k)
}

struct Triangle {
    kept: Vec<usize>,
    /// Column k has k + 1 entries.
    columns: Vec<Vec<f64>>,
    /// z[response], as long as there are columns.
    z: Vec<Vec<f64>>,
    rss: f64,
}

impl Triangle {
    fn new(frame: &Frame) -> Self {
        Triangle {
            kept: (0..frame.r.len()).collect(),
            columns: frame.r.clone(),
            z: frame.z.clone(),
            rss: frame.rss(),
        }
    }

    /// Columns of R^-1; column j has j + 1 entries.
    fn inverse(&self) -> Vec<Vec<f64>> {
        let mut inverse: Vec<Vec<f64>> = Vec::with_capacity(self.columns.len());
        for (j, column) in self.columns.iter().enumerate() {
            // R^-1 e_j = (e_j - sum_{i<j} R_ij R^-1 e_i) / R_jj
            let mut solved = vec![0.0; j + 1];
            for (i, earlier) in inverse.iter().enumerate() {
                for (slot, value) in solved.iter_mut().zip(earlier) {
                    *slot -= column[i] * value;
                }
            }
            for slot in &mut solved[..j] {
                *slot /= column[j];
            }
            solved[j] = 1.0 / column[j];
            inverse.push(solved);
        }
        inverse
    }

    /// b = R^-1 z: coefficients[k][response].
    fn coefficients(&self, inverse: &[Vec<f64>]) -> Vec<Vec<f64>> {
        (0..self.columns.len())
            .map(|k| {
                let row = |z: &[f64]| {
                    (k..self.columns.len())
                        .map(|j| inverse[j][k] * z[j])
                        .sum::<f64>()
                };
                self.z.iter().map(|z| row(z)).collect()
            })
            .collect()
    }

    /// Take column k out and rotate the rest back to a triangle.
    fn drop(&mut self, k: usize) {
        self.kept.remove(k);
        self.columns.remove(k);
        for i in k..self.columns.len() {
            // Column i reaches one row too far: rotate rows i and i + 1 to end it.
            let (a, b) = (self.columns[i][i], self.columns[i][i + 1]);
            let length = a.hypot(b);
            let (cosine, sine) = (a / length, b / length);
            for column in &mut self.columns[i..] {
                rotate(column, i, cosine, sine);
            }
            for z in &mut self.z {
                rotate(z, i, cosine, sine);
            }
            self.columns[i].truncate(i + 1);
        }
        for z in &mut self.z {
            if let Some(last) = z.pop() {
                self.rss += last * last;
            }
        }
    }
}

fn rotate(values: &mut [f64], i: usize, cosine: f64, sine: f64) {
    let (a, b) = (values[i], values[i + 1]);
    values[i] = cosine * a + sine * b;
    values[i + 1] = cosine * b - sine * a;
}
