//! What each knot of one variable under one parent would gain, for callers that hold a frame.
//!
//! The sums are those of `search`; here they start from nothing, for one variable. With p the parent's
//! values, x the variable, c its mean, Q the frame and r the residual:
//!
//! ```text
//! L = p (x - c)     h(t) = p max(x - t, 0)     N = |h|^2 - |Q'h|^2     G = L'h - (Q'L)'(Q'h)
//! gain(t) = (r'L)^2 / NL + (r'h - G r'L / NL)^2 / (N - G^2 / NL)
//! ```

use mars_earth_dispatch::{Work, dispatch};

use crate::error::Error;

/// A column with no more than this share of its squared norm outside the frame adds nothing.
const SPAN: f64 = 1e-6;

/// What a scan looks at; tables are in row order.
#[derive(Debug, Clone, Copy)]
pub struct Scan<'a> {
    /// The variable.
    pub x: &'a [f64],
    /// Values of the parent.
    pub parent: &'a [f64],
    /// Orthonormal columns of the model so far, rows x terms.
    pub frame: &'a [f64],
    /// What the model leaves of the responses, rows x responses.
    pub residual: &'a [f64],
    /// Where the hinges would bend, rising.
    pub knots: &'a [f64],
}

/// By how much the RSS falls when the variable and the hinges at a knot enter under the parent, for
/// each knot.
///
/// ```
/// use mars_earth_core::train::{Scan, knot_scan};
///
/// let x = [0.0, 1.0, 2.0, 3.0];
/// let (parent, frame) = ([1.0; 4], [0.5; 4]);
/// let residual = [-0.5, -0.5, -0.5, 1.5]; // what a bend at 2 explains in full
/// let gains = knot_scan(Scan { x: &x, parent: &parent, frame: &frame, residual: &residual, knots: &[1.0, 2.0] })?;
/// assert!((gains[1] - 3.0).abs() < 1e-12 && gains[0] < 2.9);
/// # Ok::<(), mars_earth_core::Error>(())
/// ```
///
/// # Errors
/// Lengths that do not fit, and knots that do not rise.
pub fn knot_scan(scan: Scan) -> Result<Vec<f64>, Error> {
    let n = scan.x.len();
    let fits = |length: usize| {
        if n == 0 { length == 0 } else { length % n == 0 }
    };
    if scan.parent.len() != n || !fits(scan.frame.len()) || !fits(scan.residual.len()) {
        return Err(Error::ShapeMismatch(format!(
            "x has {n} rows, parent {}, frame {} values and residual {}; pass the same rows",
            scan.parent.len(),
            scan.frame.len(),
            scan.residual.len()
        )));
    }
    if scan.knots.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(Error::InvalidArgument(
            "the knots do not rise; sort them, and pass each once".to_owned(),
        ));
    }
    if n == 0 {
        return Ok(vec![0.0; scan.knots.len()]);
    }
    Ok(dispatch(scan))
}

impl Work for Scan<'_> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn run(self) -> Vec<f64> {
        let n = self.x.len();
        let (terms, responses) = (self.frame.len() / n, self.residual.len() / n);
        let width = terms + responses;
        let centre = self.x.iter().sum::<f64>() / n as f64;
        let mut sums = Sums::new(self.knots.len(), width);
        for i in 0..n {
            let p = self.parent[i];
            if p == 0.0 {
                continue;
            }
            let q = &self.frame[i * terms..(i + 1) * terms];
            let r = &self.residual[i * responses..(i + 1) * responses];
            sums.add(p, self.x[i], centre, self.knots, q, r);
        }
        sums.gains(self.knots, centre, terms)
    }
}

/// Sums over the rows between two knots; those below the first knot are in the linear part alone.
struct Sums {
    width: usize,
    /// Of each segment: p v and p d v for each column v, with d the distance to the knot below.
    columns: Vec<f64>,
    /// Of each segment: p^2, p^2 d, p^2 d^2.
    squares: Vec<[f64; 3]>,
    /// L'v for each column v.
    linear: Vec<f64>,
    linear_norm: f64,
}

impl Sums {
    #[inline(always)]
    fn new(knots: usize, width: usize) -> Self {
        Sums {
            width,
            columns: vec![0.0; knots * 2 * width],
            squares: vec![[0.0; 3]; knots],
            linear: vec![0.0; width],
            linear_norm: 0.0,
        }
    }

    #[inline(always)]
    fn add(&mut self, p: f64, x: f64, centre: f64, knots: &[f64], q: &[f64], r: &[f64]) {
        let l = p * (x - centre);
        self.linear_norm += l * l;
        let (of_q, of_r) = self.linear.split_at_mut(q.len());
        axpy(l, q, of_q);
        axpy(l, r, of_r);
        let above = knots.partition_point(|&knot| knot < x);
        let Some(segment) = above.checked_sub(1) else {
            return;
        };
        let d = x - knots[segment];
        let squares = &mut self.squares[segment];
        squares[0] += p * p;
        squares[1] += p * p * d;
        squares[2] += p * p * d * d;
        let own = &mut self.columns[segment * 2 * self.width..(segment + 1) * 2 * self.width];
        let (level, slope) = own.split_at_mut(self.width);
        let (of_q, of_r) = level.split_at_mut(q.len());
        axpy(p, q, of_q);
        axpy(p, r, of_r);
        let (of_q, of_r) = slope.split_at_mut(q.len());
        axpy(p * d, q, of_q);
        axpy(p * d, r, of_r);
    }

    /// Walk the knots from the top; `level` and `slope` hold the sums of p v and of v'h so far.
    #[inline(always)]
    fn gains(&self, knots: &[f64], centre: f64, terms: usize) -> Vec<f64> {
        let (of_q, along) = self.linear.split_at(terms);
        let linear_norm = self.linear_norm - square(of_q);
        let linear_counts = linear_norm > SPAN * self.linear_norm;
        let per_norm = if linear_counts {
            1.0 / linear_norm
        } else {
            0.0
        };
        let linear_gain = square(along) * per_norm;
        let mut gains = vec![0.0; knots.len()];
        let (mut level, mut hinge) = (vec![0.0; self.width], vec![0.0; self.width]);
        let (mut p0, mut h1, mut h2) = (0.0, 0.0, 0.0);
        let mut above = knots.last().copied().unwrap_or(0.0);
        for (s, gain) in gains.iter_mut().enumerate().rev() {
            let fall = above - knots[s];
            above = knots[s];
            h2 += 2.0 * fall * h1 + fall * fall * p0;
            h1 += fall * p0;
            let own = self.squares[s];
            p0 += own[0];
            h1 += own[1];
            h2 += own[2];
            let columns = &self.columns[s * 2 * self.width..(s + 1) * 2 * self.width];
            let (add_level, add_hinge) = columns.split_at(self.width);
            let state = level.iter_mut().zip(&mut hinge);
            for ((level, hinge), (a, b)) in state.zip(add_level.iter().zip(add_hinge)) {
                *hinge += fall * *level + b;
                *level += a;
            }
            let (hinge_q, hinge_r) = hinge.split_at(terms);
            let norm = h2 - square(hinge_q);
            // L'h = sum p^2 (x - c)(x - t) over the rows above, and x - c = (x - t) + (t - c).
            let cross = h2 + (knots[s] - centre) * h1 - dot(of_q, hinge_q);
            let left = norm - cross * cross * per_norm;
            *gain = linear_gain;
            if left > SPAN * h2 {
                for (c, l) in hinge_r.iter().zip(along) {
                    let beyond = c - cross * per_norm * l;
                    *gain += beyond * beyond / left;
                }
            }
        }
        gains
    }
}

#[inline(always)]
fn axpy(a: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// Four sums side by side, as one would wait for itself.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let mut rest = 0.0;
    for (x, y) in a4.remainder().iter().zip(b4.remainder()) {
        rest += x * y;
    }
    for (x, y) in a4.zip(b4) {
        for k in 0..4 {
            sums[k] += x[k] * y[k];
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

#[inline(always)]
fn square(a: &[f64]) -> f64 {
    dot(a, a)
}
