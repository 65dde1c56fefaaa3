//! An orthonormal frame that grows by columns: B = QR, z = Q'y, r = y - Qz.
//!
//! Everything lives in the weighted space: columns and responses are multiplied by sqrt(weight).
//! Classical Gram-Schmidt, again where much was taken away (Daniel et al. 1976), in parts of rows that
//! stay in the cache; new columns of a step share one reading of Q.

use super::workers::Workers;

/// See [`Frame::dependent`].
const DEPENDENT: f64 = 1e-6;
/// Below this share of the norm before, a pass is not the last.
const REPEAT: f64 = 0.1;

/// B = QR and z = Q'y without Q.
pub(super) struct Factored {
    /// Column k of R: its coordinates on the first k + 1 columns of Q.
    pub(super) r: Vec<Vec<f64>>,
    /// z[response][k] = q_k'y.
    pub(super) z: Vec<Vec<f64>>,
    /// Residual sum of squares of each response.
    pub(super) rss: Vec<f64>,
}

impl Factored {
    /// Residual sum of squares over all responses.
    pub(super) fn rss(&self) -> f64 {
        self.rss.iter().sum()
    }

    /// Multiply each response by its factor.
    pub(super) fn multiply(&mut self, factors: &[f64]) {
        for ((z, rss), factor) in self.z.iter_mut().zip(&mut self.rss).zip(factors) {
            z.iter_mut().for_each(|v| *v *= factor);
            *rss *= factor * factor;
        }
    }
}

pub(super) struct Frame {
    /// Orthonormal columns.
    q: Vec<Vec<f64>>,
    /// Column k of R: its coordinates on q[0..=k].
    r: Vec<Vec<f64>>,
    /// z[response][k] = q_k'y.
    pub(super) z: Vec<Vec<f64>>,
    /// Residual of each response.
    pub(super) residual: Vec<Vec<f64>>,
    /// A column whose part outside the frame is smaller than this share of it adds nothing.
    pub(super) dependent: f64,
}

impl Frame {
    pub(super) fn new(responses: &[Vec<f64>]) -> Self {
        Frame {
            q: Vec::new(),
            r: Vec::new(),
            z: vec![Vec::new(); responses.len()],
            residual: responses.to_vec(),
            dependent: DEPENDENT,
        }
    }

    /// Columns so far.
    pub(super) fn len(&self) -> usize {
        self.q.len()
    }

    pub(super) fn rss(&self) -> f64 {
        self.residual.iter().map(|r| dot(r, r)).sum()
    }

    /// Take back all columns from `columns` on.
    pub(super) fn truncate(&mut self, columns: usize) {
        for (z, residual) in self.z.iter_mut().zip(&mut self.residual) {
            for (along, q) in z.drain(columns..).zip(&self.q[columns..]) {
                subtract(residual, -along, q);
            }
        }
        self.q.truncate(columns);
        self.r.truncate(columns);
    }

    /// The residual of a response beside the first column.
    pub(super) fn start(&self, response: usize) -> (&[f64], Option<&[f64]>) {
        (&self.residual[response], Some(&self.q[0]))
    }

    /// Columns `k` and, if there is one, `k + 1`.
    pub(super) fn pair(&self, k: usize) -> (&[f64], Option<&[f64]>) {
        (&self.q[k], self.q.get(k + 1).map(Vec::as_slice))
    }

    /// Add columns one after the other; tells for each whether it was new to the frame.
    pub(super) fn push(&mut self, mut columns: Vec<Vec<f64>>, workers: &Workers) -> Vec<bool> {
        let before = self.q.len();
        let whole: Vec<f64> = columns.iter().map(|c| norm(c, workers)).collect();
        let mut coordinates = self.take_away(&mut columns, 0, workers);
        let mut added = Vec::with_capacity(columns.len());
        for (k, mut column) in columns.into_iter().enumerate() {
            let mut along = std::mem::take(&mut coordinates[k]);
            let own = std::slice::from_mut(&mut column);
            along.extend(self.take_away(own, before, workers).swap_remove(0));
            let mut left = norm(&own[0], workers);
            let mut last = whole[k];
            while left <= REPEAT * last && left > self.dependent * whole[k] {
                let more = self.take_away(own, 0, workers).swap_remove(0);
                for (along, more) in along.iter_mut().zip(more) {
                    *along += more;
                }
                last = left;
                left = norm(&own[0], workers);
            }
            let is_new = left > self.dependent * whole[k];
            if is_new {
                along.push(left);
                self.adopt(column, left, along, workers);
            }
            added.push(is_new);
        }
        added
    }

    /// What is left of a column outside the frame: its squared norm, and its product with each
    /// residual.
    pub(super) fn remainder(&self, column: Vec<f64>, workers: &Workers) -> (f64, Vec<f64>) {
        let mut own = [column];
        for _ in 0..2 {
            self.take_away(&mut own, 0, workers);
        }
        let along = self.residual.iter().map(|r| dot(&own[0], r)).collect();
        (dot(&own[0], &own[0]), along)
    }

    /// Forget the columns.
    pub(super) fn finish(self) -> Factored {
        Factored {
            rss: self.residual.iter().map(|r| dot(r, r)).collect(),
            r: self.r,
            z: self.z,
        }
    }

    fn adopt(&mut self, mut column: Vec<f64>, norm: f64, coordinates: Vec<f64>, workers: &Workers) {
        workers.fill(&mut column, |_, piece| {
            piece.iter_mut().for_each(|value| *value /= norm);
        });
        for (z, residual) in self.z.iter_mut().zip(&mut self.residual) {
            let along = workers.sum(column.len(), |from, to| {
                dot(&column[from..to], &residual[from..to])
            });
            z.push(along);
            workers.fill(residual, |from, piece| {
                let column = &column[from..from + piece.len()];
                subtract(piece, along, column);
            });
        }
        self.q.push(column);
        self.r.push(coordinates);
    }

    /// Make columns orthogonal to q[from..]; returns for each its coordinates there.
    fn take_away(&self, columns: &mut [Vec<f64>], from: usize, workers: &Workers) -> Vec<Vec<f64>> {
        let q = &self.q[from..];
        let n = columns.first().map_or(0, Vec::len);
        let parts: Vec<(usize, usize)> = Workers::parts(n).collect();
        let partial = workers.map(parts.len(), |part| {
            let (start, end) = parts[part];
            let mut sums = vec![0.0; q.len() * columns.len()];
            for (q, sums) in q.iter().zip(sums.chunks_mut(columns.len())) {
                for (sum, column) in sums.iter_mut().zip(&*columns) {
                    *sum = dot(&q[start..end], &column[start..end]);
                }
            }
            sums
        });
        let mut along = vec![vec![0.0; q.len()]; columns.len()];
        for sums in &partial {
            for (k, sums) in sums.chunks(columns.len()).enumerate() {
                for (along, sum) in along.iter_mut().zip(sums) {
                    along[k] += sum;
                }
            }
        }
        let mut pieces: Vec<(usize, usize, &mut [f64])> = columns
            .iter_mut()
            .enumerate()
            .flat_map(|(c, column)| {
                column
                    .chunks_mut(super::workers::ROWS)
                    .enumerate()
                    .map(move |(part, piece)| (c, part * super::workers::ROWS, piece))
            })
            .collect();
        workers.each(&mut pieces, |(c, start, piece)| {
            let end = *start + piece.len();
            for (q, &along) in q.iter().zip(&along[*c]) {
                subtract(piece, along, &q[*start..end]);
            }
        });
        along
    }
}

fn norm(column: &[f64], workers: &Workers) -> f64 {
    let part = |from: usize, to: usize| dot(&column[from..to], &column[from..to]);
    workers.sum(column.len(), part).sqrt()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Eight sums that do not wait for each other; their order is fixed.
    let mut sums = [0.0; 8];
    let (a_blocks, b_blocks) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f64 = a_blocks
        .remainder()
        .iter()
        .zip(b_blocks.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a_blocks.zip(b_blocks) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + tail
}

fn subtract(column: &mut [f64], along: f64, q: &[f64]) {
    for (value, q) in column.iter_mut().zip(q) {
        *value -= along * q;
    }
}
