//! An orthonormal frame of the columns, so that the scoring equations stay well conditioned.

use std::ops::Range;

use crate::error::Error;

/// A column whose part outside the frame is smaller than this share of it gets the coefficient 0.
const DEPENDENT: f64 = 1e-9;
/// Gram-Schmidt runs again when a pass left less than this share of the norm.
const REPEAT: f64 = 0.5;
/// A pivot below this share of the largest diagonal is rounding.
const SINGULAR: f64 = 1e-13;
/// Rows taken together, so that their part of every column stays in the cache.
pub(super) const BLOCK: usize = 2048;

/// B = QR, both column by column.
pub(super) struct Frame {
    q: Vec<Vec<f64>>,
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
            let (mut before, mut rest) = (f64::INFINITY, whole);
            // Again where much was taken away, as that leaves rounding behind.
            while rest > DEPENDENT * whole && rest < REPEAT * before {
                let along = products(&columns, &column);
                for (block, part) in column.chunks_mut(BLOCK).enumerate() {
                    for (q, along) in columns.iter().zip(&along) {
                        add(part, -along, &q[block * BLOCK..]);
                    }
                }
                for (coordinate, along) in coordinates.iter_mut().zip(&along) {
                    *coordinate += along;
                }
                before = rest;
                rest = norm(&column);
            }
            if rest <= DEPENDENT * whole {
                continue;
            }
            coordinates.push(rest);
            column.iter_mut().for_each(|value| *value /= rest);
            columns.push(column);
            r.push(coordinates);
            kept.push(j);
        }
        Ok(Frame {
            q: columns,
            r,
            kept,
            all: m,
        })
    }

    /// Columns of Q.
    pub(super) fn width(&self) -> usize {
        self.q.len()
    }

    /// Q times coordinates.
    pub(super) fn predictors(&self, coordinates: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.q.first().map_or(0, Vec::len)];
        for (block, part) in sum.chunks_mut(BLOCK).enumerate() {
            for (q, factor) in self.q.iter().zip(coordinates) {
                add(part, *factor, &q[block * BLOCK..]);
            }
        }
        sum
    }

    /// Add Q' times a value per row of some rows.
    pub(super) fn add_score(&self, values: &[f64], rows: &Range<usize>, sum: &mut [f64]) {
        for (slot, q) in sum.iter_mut().zip(&self.q) {
            *slot += dot(values, &q[rows.clone()]);
        }
    }

    /// Add the products of the columns under weights, for some rows, to the lines of a matrix from
    /// column `at` on; a short line takes what it holds.
    pub(super) fn add_information(
        &self,
        weights: &[f64],
        rows: &Range<usize>,
        (lines, at): (&mut [Vec<f64>], usize),
    ) {
        let mut weighted = vec![0.0; weights.len()];
        for (line, q) in lines.iter_mut().zip(&self.q) {
            let values = q[rows.clone()].iter().zip(weights);
            for (slot, (q, w)) in weighted.iter_mut().zip(values) {
                *slot = q * w;
            }
            for (slot, q) in line[at..].iter_mut().zip(&self.q) {
                *slot += dot(&weighted, &q[rows.clone()]);
            }
        }
    }

    /// Coordinates of a multiple of the first column, the intercept.
    pub(super) fn intercept(&self, value: f64) -> Vec<f64> {
        let mut coordinates = vec![0.0; self.width()];
        coordinates[0] = value * self.r[0][0];
        coordinates
    }

    /// From coordinates in the frame to coefficients of the columns: b = R^-1 g.
    pub(super) fn coefficients(&self, coordinates: &[f64]) -> Vec<f64> {
        let mut left = coordinates.to_vec();
        let mut coefficients = vec![0.0; self.all];
        for j in (0..self.width()).rev() {
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

/// Q'c, block by block of rows.
fn products(columns: &[Vec<f64>], column: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; columns.len()];
    for (block, part) in column.chunks(BLOCK).enumerate() {
        let from = block * BLOCK;
        for (sum, q) in sums.iter_mut().zip(columns) {
            *sum += dot(part, &q[from..from + part.len()]);
        }
    }
    sums
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
    dot(column, column).sqrt()
}

fn add(sum: &mut [f64], factor: f64, values: &[f64]) {
    for (slot, value) in sum.iter_mut().zip(values) {
        *slot += factor * value;
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Eight sums that do not wait for each other; their order is fixed.
    let mut sums = [0.0; 8];
    let (a_blocks, b_blocks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a_blocks.remainder().iter().zip(b_blocks.remainder());
    let tail: f64 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a_blocks.zip(b_blocks) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + tail
}
