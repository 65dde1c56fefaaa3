//! An orthonormal frame that grows by a column: B = QR, z = Q'y, r = y - Qz.
//!
//! Everything lives in the weighted space: columns and responses are multiplied by sqrt(weight).

/// A column whose part outside the frame is smaller than this share of it adds nothing.
const DEPENDENT: f64 = 1e-6;
/// Gram-Schmidt runs again when a pass removed more than this share of the norm (Daniel et al. 1976).
const REPEAT: f64 = 0.1;

pub(super) struct Frame {
    /// Orthonormal columns.
    pub(super) q: Vec<Vec<f64>>,
    /// Column k of R: its coordinates on q[0..=k].
    pub(super) r: Vec<Vec<f64>>,
    /// z[response][k] = q_k'y.
    pub(super) z: Vec<Vec<f64>>,
    /// Residual of each response.
    pub(super) residual: Vec<Vec<f64>>,
}

/// What a step changes, kept so that a rejected step can be undone.
pub(super) struct Mark {
    columns: usize,
    residual: Vec<Vec<f64>>,
}

impl Frame {
    pub(super) fn new(responses: &[Vec<f64>]) -> Self {
        Frame {
            q: Vec::new(),
            r: Vec::new(),
            z: vec![Vec::new(); responses.len()],
            residual: responses.to_vec(),
        }
    }

    pub(super) fn rss(&self) -> f64 {
        self.residual.iter().flatten().map(|r| r * r).sum()
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            columns: self.q.len(),
            residual: self.residual.clone(),
        }
    }

    pub(super) fn undo(&mut self, mark: Mark) {
        self.q.truncate(mark.columns);
        self.r.truncate(mark.columns);
        for z in &mut self.z {
            z.truncate(mark.columns);
        }
        self.residual = mark.residual;
    }

    /// Add a column; false when it depends on those already there.
    pub(super) fn push(&mut self, mut column: Vec<f64>) -> bool {
        let whole = dot(&column, &column).sqrt();
        let mut coordinates = vec![0.0; self.q.len()];
        let mut before = whole;
        let mut norm;
        loop {
            for (coordinate, q) in coordinates.iter_mut().zip(&self.q) {
                let along = dot(q, &column);
                *coordinate += along;
                subtract(&mut column, along, q);
            }
            norm = dot(&column, &column).sqrt();
            if norm <= DEPENDENT * whole || norm.is_nan() {
                return false;
            }
            if norm > REPEAT * before {
                break;
            }
            before = norm;
        }
        for value in &mut column {
            *value /= norm;
        }
        coordinates.push(norm);
        for (z, residual) in self.z.iter_mut().zip(&mut self.residual) {
            let along = dot(&column, residual);
            z.push(along);
            subtract(residual, along, &column);
        }
        self.q.push(column);
        self.r.push(coordinates);
        true
    }
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
