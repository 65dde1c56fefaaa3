//! An orthonormal frame of the columns, so that the scoring equations stay well conditioned.

use crate::error::Error;

/// A column whose part outside the frame is smaller than this share of it gets the coefficient 0.
const DEPENDENT: f64 = 1e-9;
/// A pivot below this share of the largest diagonal is rounding.
const SINGULAR: f64 = 1e-13;

/// B = QR: Q row by row, R column by column.
pub(super) struct Frame {
    /// Columns of Q.
    pub(super) m: usize,
    q: Vec<f64>,
    r: Vec<Vec<f64>>,
    /// Columns of B that Q stands for.
    kept: Vec<usize>,
    /// Columns of B.
    all: usize,
}

impl Frame {
    /// Orthonormalise the columns of `b` (n x m, row-major).
    pub(super) fn new(b: &[f64], m: usize, go_on: &mut dyn FnMut() -> bool) -> Result<Self, Error> {
        let n = b.len() / m;
        let mut given = vec![0.0; b.len()];
        transpose(b, m, &mut given);
        let mut columns: Vec<Vec<f64>> = Vec::with_capacity(m);
        let mut r: Vec<Vec<f64>> = Vec::with_capacity(m);
        let mut kept = Vec::with_capacity(m);
        for j in 0..m {
            if !go_on() {
                return Err(Error::Interrupted);
            }
            let mut column = given[j * n..][..n].to_vec();
            let whole = norm(&column);
            let mut coordinates = vec![0.0; columns.len()];
            // Twice is enough (Kahan; Parlett 1980).
            for _ in 0..2 {
                for (coordinate, q) in coordinates.iter_mut().zip(&columns) {
                    let along: f64 = q.iter().zip(&column).map(|(q, c)| q * c).sum();
                    *coordinate += along;
                    for (value, q) in column.iter_mut().zip(q) {
                        *value -= along * q;
                    }
                }
            }
            let rest = norm(&column);
            if rest <= DEPENDENT * whole {
                continue;
            }
            coordinates.push(rest);
            column.iter_mut().for_each(|value| *value /= rest);
            columns.push(column);
            r.push(coordinates);
            kept.push(j);
        }
        let (all, m) = (m, columns.len());
        let mut q = vec![0.0; n * m];
        transpose(&columns.concat(), n, &mut q);
        Ok(Frame { m, q, r, kept, all })
    }

    pub(super) fn rows(&self) -> std::slice::ChunksExact<'_, f64> {
        self.q.chunks_exact(self.m)
    }

    pub(super) fn row(&self, i: usize) -> &[f64] {
        &self.q[i * self.m..][..self.m]
    }

    /// Coordinates of a multiple of the first column, the intercept.
    pub(super) fn intercept(&self, value: f64) -> Vec<f64> {
        let mut coordinates = vec![0.0; self.m];
        coordinates[0] = value * self.r[0][0];
        coordinates
    }

    /// From coordinates in the frame to coefficients of the columns: b = R^-1 g.
    pub(super) fn coefficients(&self, coordinates: &[f64]) -> Vec<f64> {
        let mut left = coordinates.to_vec();
        let mut coefficients = vec![0.0; self.all];
        for j in (0..self.m).rev() {
            let b = left[j] / self.r[j][j];
            coefficients[self.kept[j]] = b;
            for (slot, r) in left[..j].iter_mut().zip(&self.r[j]) {
                *slot -= r * b;
            }
        }
        coefficients
    }
}

/// Solve H x = g by Cholesky for a symmetric H, lower triangle row by row; None where H is singular.
pub(super) fn solve(mut h: Vec<Vec<f64>>, mut g: Vec<f64>) -> Option<Vec<f64>> {
    let n = g.len();
    let largest = (0..n).map(|i| h[i][i]).fold(0.0, f64::max);
    for j in 0..n {
        let (above, rest) = h.split_at_mut(j);
        let row = &mut rest[0];
        for (i, pivot_row) in above.iter().enumerate() {
            let product: f64 = row[..i].iter().zip(pivot_row).map(|(a, b)| a * b).sum();
            row[i] = (row[i] - product) / pivot_row[i];
        }
        let left = row[j] - row[..j].iter().map(|v| v * v).sum::<f64>();
        if left.is_nan() || left <= largest * SINGULAR {
            return None;
        }
        row[j] = left.sqrt();
    }
    for i in 0..n {
        let below: f64 = h[i][..i].iter().zip(&g).map(|(h, g)| h * g).sum();
        g[i] = (g[i] - below) / h[i][i];
    }
    for i in (0..n).rev() {
        let above: f64 = (i + 1..n).map(|k| h[k][i] * g[k]).sum();
        g[i] = (g[i] - above) / h[i][i];
    }
    g.iter().all(|v| v.is_finite()).then_some(g)
}

/// Turn a row-major table of `width` columns into one of as many rows, tile by tile.
fn transpose(from: &[f64], width: usize, to: &mut [f64]) {
    const TILE: usize = 32;
    let height = from.len() / width;
    for i in (0..height).step_by(TILE) {
        for j in (0..width).step_by(TILE) {
            for a in i..height.min(i + TILE) {
                for b in j..width.min(j + TILE) {
                    to[b * height + a] = from[a * width + b];
                }
            }
        }
    }
}

fn norm(column: &[f64]) -> f64 {
    column.iter().map(|v| v * v).sum::<f64>().sqrt()
}
