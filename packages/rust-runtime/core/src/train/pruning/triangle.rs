//! The triangle of B = QR, with columns that can change places.
//!
//! The first k columns tell the RSS of the first k terms: what lies outside all columns plus the
//! last z^2. Two neighbours change places by one rotation of two rows.

/// R with its columns in some order, and z = Q'y in the frame of that order.
#[derive(Clone)]
pub(super) struct Triangle {
    /// The term of each column.
    pub(super) order: Vec<usize>,
    /// Column k has k + 1 entries.
    columns: Vec<Vec<f64>>,
    /// z[response], as long as there are columns.
    z: Vec<Vec<f64>>,
    /// RSS with all columns.
    rss: f64,
}

impl Triangle {
    pub(super) fn new(r: &[Vec<f64>], z: &[Vec<f64>], rss: f64) -> Self {
        Triangle {
            order: (0..r.len()).collect(),
            columns: r.to_vec(),
            z: z.to_vec(),
            rss,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// RSS of the first `size` columns.
    pub(super) fn rss(&self, size: usize) -> f64 {
        (size..self.len())
            .rev()
            .fold(self.rss, |rss, k| rss + self.step(k))
    }

    /// What column k takes off the RSS of those before it.
    pub(super) fn step(&self, k: usize) -> f64 {
        self.z.iter().map(|z| z[k] * z[k]).sum()
    }

    /// The column from `place` on that would take most off the RSS there, and how much.
    pub(super) fn best_at(&self, place: usize) -> (usize, f64) {
        let mut best = (place, f64::NEG_INFINITY);
        for (j, column) in self.columns.iter().enumerate().skip(place) {
            let outside = &column[place..];
            let norm: f64 = outside.iter().map(|r| r * r).sum();
            let along = |z: &[f64]| {
                let product: f64 = outside.iter().zip(&z[place..]).map(|(r, z)| r * z).sum();
                product * product
            };
            let gain = self.z.iter().map(|z| along(z)).sum::<f64>() / norm;
            if gain > best.1 {
                best = (j, gain);
            }
        }
        best
    }

    /// What the RSS rises by when a column is dropped, for each of them.
    pub(super) fn costs(&self) -> Vec<f64> {
        let inverse = self.inverse();
        let coefficients = self.solve(&inverse);
        (0..self.len())
            .map(|k| {
                let row: f64 = inverse[k..].iter().map(|c| c[k] * c[k]).sum();
                coefficients[k].iter().map(|b| b * b).sum::<f64>() / row
            })
            .collect()
    }

    /// b = R^-1 z: one row per column, one value per response.
    pub(super) fn coefficients(&self) -> Vec<Vec<f64>> {
        self.solve(&self.inverse())
    }

    /// Take column k out.
    pub(super) fn drop(&mut self, k: usize) {
        self.shift(k, self.len() - 1);
        self.order.pop();
        self.columns.pop();
        for z in &mut self.z {
            if let Some(last) = z.pop() {
                self.rss += last * last;
            }
        }
    }

    /// Move a column; those between close the gap.
    pub(super) fn shift(&mut self, from: usize, to: usize) {
        for k in from..to {
            self.swap(k);
        }
        for k in (to..from).rev() {
            self.swap(k);
        }
    }

    /// Let columns k and k + 1 change places.
    fn swap(&mut self, k: usize) {
        self.order.swap(k, k + 1);
        self.columns.swap(k, k + 1);
        self.columns[k + 1].push(0.0);
        // Column k reaches one row too far: rotate rows k and k + 1 to end it.
        let (a, b) = (self.columns[k][k], self.columns[k][k + 1]);
        let length = a.hypot(b);
        let (cosine, sine) = if length > 0.0 {
            (a / length, b / length)
        } else {
            (1.0, 0.0)
        };
        for values in self.columns[k..].iter_mut().chain(&mut self.z) {
            let (a, b) = (values[k], values[k + 1]);
            values[k] = cosine * a + sine * b;
            values[k + 1] = cosine * b - sine * a;
        }
        self.columns[k].truncate(k + 1);
    }

    fn solve(&self, inverse: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let row = |k: usize, z: &[f64]| (k..self.len()).map(|j| inverse[j][k] * z[j]).sum();
        (0..self.len())
            .map(|k| self.z.iter().map(|z| row(k, z)).collect())
            .collect()
    }

    /// Columns of R^-1; column j has j + 1 entries.
    fn inverse(&self) -> Vec<Vec<f64>> {
        let mut inverse: Vec<Vec<f64>> = Vec::with_capacity(self.len());
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
}
