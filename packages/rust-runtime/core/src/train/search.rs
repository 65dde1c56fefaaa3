//! The search for the best knot, without a refit and without a loop over old columns.
//!
//! For a parent with values p and a variable x, per knot t (all sums in the weighted space):
//!
//! ```text
//! h(t) = p max(x - t, 0)    L = p x     both made orthogonal to the frame Q
//! N(t) = |h|^2 - sum (q'h)^2            c(t) = r'h
//! G(t) = L'h - sum (q'L)(q'h)           NL = |L|^2 - sum (q'L)^2,  cL = r'L
//! gain = cL^2/NL + (c - G cL/NL)^2 / (N - G^2/NL)
//! ```
//!
//! A new column q changes this state by rank one: N -= (q'h)^2, G -= (q'L)(q'h), c -= (q'r)(q'h),
//! and the same for NL and cL. q'h at every knot comes from two sums per segment between knots.
//! The left hinge adds nothing to the space, as h+ - h- = p (x - t).

use super::data::{Kind, Variable};
use super::knots::{Grid, Spans, grid};
use super::orthogonal::Frame;

/// A linear partner with less than this share of its norm outside the frame is in its span.
const LINEAR_TOLERANCE: f64 = 1e-4;
/// A hinge with less than this share of its norm outside the frame is refused: much while the
/// model is small, so that the first knots do not chase noise at the rim (a rule of R `earth`).
const EARLY_HINGE_TOLERANCE: f64 = 0.01;
const HINGE_TOLERANCE: f64 = 1e-5;
const EARLY_SLOTS: usize = 15;

/// What a candidate would add to the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Addition {
    /// Both hinges at a knot (its position in the block's grid).
    Pair(usize),
    /// The right hinge alone, as the linear partner is in the span.
    Right(usize),
    /// The variable itself.
    Linear,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) gain: f64,
    pub(super) addition: Addition,
}

/// State of one (parent, variable).
pub(super) struct Block {
    pub(super) parent: usize,
    pub(super) variable: usize,
    grid: Grid,
    /// Columns of the frame this state accounts for.
    seen: usize,
    norm: Vec<f64>,
    cross: Vec<f64>,
    /// One per response.
    along: Vec<Vec<f64>>,
    /// |h|^2 around its mean, the scale of N.
    scale: Vec<f64>,
    linear_norm: f64,
    linear_along: Vec<f64>,
    linear_scale: f64,
    /// The linear term was tried and depends on the frame.
    linear_refused: bool,
}

impl Block {
    /// Set up the state of a parent (times sqrt(weight)) and a variable against the whole frame.
    pub(super) fn new(
        (parent, weighted): (usize, &[f64]),
        (variable, column): (usize, &Variable),
        spans: Spans,
        frame: &Frame,
    ) -> Self {
        let grid = if column.kind == Kind::Numeric {
            let on: Vec<bool> = weighted.iter().map(|&p| p != 0.0).collect();
            grid(column, &on, spans)
        } else {
            Grid {
                knots: Vec::new(),
                segment: vec![0; weighted.len()],
            }
        };
        let mut block = Block {
            parent,
            variable,
            seen: 0,
            norm: Vec::new(),
            cross: Vec::new(),
            along: Vec::new(),
            scale: Vec::new(),
            linear_norm: 0.0,
            linear_along: Vec::new(),
            linear_scale: 0.0,
            linear_refused: false,
            grid,
        };
        block.norms(weighted, column);
        for residual in &frame.residual {
            let (linear, hinges) = block.project(weighted, column, residual);
            block.linear_along.push(linear);
            block.along.push(hinges);
        }
        for (k, q) in frame.q.iter().enumerate() {
            let (linear, hinges) = block.project(weighted, column, q);
            block.remove(linear, &hinges);
            if k == 0 {
                // The first column is the intercept: what is left of the norm is the scale.
                block.scale = block.norm.clone();
                block.linear_scale = block.linear_norm;
            }
        }
        block.seen = frame.q.len();
        block
    }

    /// Bring the state up to date with the columns added since.
    pub(super) fn refresh(&mut self, weighted: &[f64], column: &Variable, frame: &Frame) {
        for k in self.seen..frame.q.len() {
            let (linear, hinges) = self.project(weighted, column, &frame.q[k]);
            self.remove(linear, &hinges);
            for (response, z) in frame.z.iter().enumerate() {
                self.linear_along[response] -= z[k] * linear;
                for (along, hinge) in self.along[response].iter_mut().zip(&hinges) {
                    *along -= z[k] * hinge;
                }
            }
        }
        self.seen = frame.q.len();
    }

    /// Best candidate of the block, knots from the top, the first of equals.
    pub(super) fn best(&self, slots: usize) -> Option<Candidate> {
        let partner_is_free =
            !self.linear_refused && self.linear_norm > LINEAR_TOLERANCE * self.linear_scale;
        let partner_gain: f64 = if partner_is_free {
            self.linear_along.iter().map(|c| c * c).sum::<f64>() / self.linear_norm
        } else {
            0.0
        };
        let tolerance = if slots < EARLY_SLOTS {
            EARLY_HINGE_TOLERANCE
        } else {
            HINGE_TOLERANCE
        };
        let mut best: Option<Candidate> = None;
        for s in 0..self.grid.knots.len() {
            let share = if partner_is_free {
                self.cross[s] / self.linear_norm
            } else {
                0.0
            };
            let norm = self.norm[s] - share * self.cross[s];
            if norm <= tolerance * self.scale[s] || norm.is_nan() {
                continue;
            }
            let beyond: f64 = self
                .along
                .iter()
                .zip(&self.linear_along)
                .map(|(c, linear)| (c[s] - share * linear).powi(2))
                .sum();
            let gain = partner_gain + beyond / norm;
            if best.is_none_or(|best| gain > best.gain) {
                let addition = if partner_is_free {
                    Addition::Pair(s)
                } else {
                    Addition::Right(s)
                };
                best = Some(Candidate { gain, addition });
            }
        }
        if best.is_none() && partner_is_free {
            best = Some(Candidate {
                gain: partner_gain,
                addition: Addition::Linear,
            });
        }
        best
    }

    pub(super) fn knot(&self, s: usize) -> f64 {
        self.grid.knots[s]
    }

    /// Never offer this addition again: its exact column turned out to depend on the frame.
    pub(super) fn refuse(&mut self, addition: Addition) {
        match addition {
            Addition::Pair(s) | Addition::Right(s) => self.norm[s] = f64::NEG_INFINITY,
            Addition::Linear => self.linear_refused = true,
        }
    }

    /// |h|^2 and L'h at every knot, and |L|^2.
    ///
    /// Folded from the top with offsets d = x - t of the segment's own knot: P2 - 2 t P1 + t^2 P0
    /// would lose its digits near the top.
    fn norms(&mut self, weighted: &[f64], column: &Variable) {
        let n_knots = self.grid.knots.len();
        let mut sums = vec![[0.0; 3]; n_knots];
        self.linear_norm = 0.0;
        for ((&p, &x), &s) in weighted.iter().zip(&column.values).zip(&self.grid.segment) {
            let squared = p * p;
            let centred = x - column.centre;
            self.linear_norm += squared * centred * centred;
            if let Some(sums) = sums.get_mut(s as usize) {
                let d = x - self.grid.knots[s as usize];
                sums[0] += squared;
                sums[1] += squared * d;
                sums[2] += squared * d * d;
            }
        }
        let (mut p0, mut h1, mut h2) = (0.0, 0.0, 0.0);
        for (s, own) in sums.iter().enumerate() {
            if s > 0 {
                let fall = self.grid.knots[s - 1] - self.grid.knots[s];
                h2 += 2.0 * fall * h1 + fall * fall * p0;
                h1 += fall * p0;
            }
            p0 += own[0];
            h1 += own[1];
            h2 += own[2];
            self.norm.push(h2);
            self.cross
                .push(h2 + (self.grid.knots[s] - column.centre) * h1);
        }
    }

    /// (v'L, v'h at every knot) for a vector v.
    fn project(&self, weighted: &[f64], column: &Variable, v: &[f64]) -> (f64, Vec<f64>) {
        let n_knots = self.grid.knots.len();
        let mut sums = vec![[0.0; 2]; n_knots + 1];
        let rows = weighted
            .iter()
            .zip(v)
            .zip(&column.values)
            .zip(&self.grid.segment);
        for (((&p, &v), &x), &s) in rows {
            let product = p * v;
            let sums = &mut sums[s as usize];
            sums[0] += product;
            sums[1] += product * (x - column.centre);
        }
        let (mut a0, mut a1) = (0.0, 0.0);
        let hinges = sums[..n_knots]
            .iter()
            .zip(&self.grid.knots)
            .map(|(own, knot)| {
                a0 += own[0];
                a1 += own[1];
                a1 - (knot - column.centre) * a0
            })
            .collect();
        (a1 + sums[n_knots][1], hinges)
    }

    fn remove(&mut self, linear: f64, hinges: &[f64]) {
        self.linear_norm -= linear * linear;
        for ((norm, cross), hinge) in self.norm.iter_mut().zip(&mut self.cross).zip(hinges) {
            *norm -= hinge * hinge;
            *cross -= linear * hinge;
        }
    }
}
