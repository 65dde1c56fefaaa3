//! The pruning pass: drop the term that costs least, again and again; the best GCV wins.
//!
//! Works on the triangle of B = QR alone. Dropping term k raises the RSS by b_k^2 / |row k of
//! R^-1|^2 with b = R^-1 z, summed over responses. Each triangle on the way also tells the RSS of
//! its first 1, 2, ... terms in order of growth, for nothing: RSS + sum of the last z^2. The best
//! subset of each size is taken over all of them, as backward elimination does in R's `leaps`.

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
    let mut subsets: Vec<Subset> = (0..frame.r.len())
        .map(|_| Subset {
            kept: Vec::new(),
            rss: f64::INFINITY,
        })
        .collect();
    loop {
        triangle.note_subsets(&mut subsets);
        let inverse = triangle.inverse();
        let coefficients = triangle.coefficients(&inverse);
        match cheapest(&inverse, &coefficients) {
            Some(k) => triangle.drop(k),
            None => break,
        }
    }
    let score = |subset: &Subset| gcv(subset.rss, n, subset.kept.len(), penalty);
    // From small to large, strictly better: ties go to the smaller model.
    let mut best = &subsets[0];
    for subset in &subsets[1..] {
        if score(subset) < score(best) {
            best = subset;
        }
    }
    let steps = subsets
        .iter()
        .rev()
        .map(|s| PruningStep {
            n_terms: s.kept.len(),
            rss: s.rss,
            gcv: score(s),
        })
        .collect();
    let mut triangle = Triangle::new(frame);
    for term in (0..frame.r.len())
        .rev()
        .filter(|term| !best.kept.contains(term))
    {
        triangle.drop(term);
    }
    let coefficients = triangle.coefficients(&triangle.inverse());
    Pruned {
        kept: best.kept.clone(),
        coefficients,
        rss: best.rss,
        gcv: score(best),
        steps,
    }
}

/// The best subset of its size so far.
struct Subset {
    kept: Vec<usize>,
    rss: f64,
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

    /// Compare the first 1, 2, ... terms with the best subsets of their sizes.
    fn note_subsets(&self, subsets: &mut [Subset]) {
        let mut rss = self.rss;
        for size in (1..=self.kept.len()).rev() {
            if rss < subsets[size - 1].rss {
                subsets[size - 1] = Subset {
                    kept: self.kept[..size].to_vec(),
                    rss,
                };
            }
            rss += self
                .z
                .iter()
                .map(|z| z[size - 1] * z[size - 1])
                .sum::<f64>();
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
