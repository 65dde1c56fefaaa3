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

use super::data::Variable;
use super::grid::Segments;
use super::group::Values;
use super::orthogonal::Frame;

/// A squared norm that shrank to this share may be rounding.
const DOUBTFUL: f64 = 1e-7;
/// What rounding adds to it or takes away is a smaller share.
const ROUNDING: f64 = 1e-12;
/// Computed exactly, one of this share is rounding.
const NOTHING: f64 = 1e-16;

/// The share of a hinge's norm that must lie outside the frame when so many term slots are in use:
/// much while the model is small, so that the first knots do not chase noise at the rim (a rule of R
/// `earth`).
pub(super) fn hinge_tolerance(slots: usize) -> f64 {
    if slots < 15 { 0.01 } else { 1e-5 }
}

/// What a candidate must satisfy at this step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// A linear partner with less than this share of its norm outside the frame is in its span.
    pub(super) linear: f64,
    /// So is one with no more than this squared norm.
    pub(super) linear_least: f64,
    /// Whether a linear partner may enter at all.
    pub(super) new_form: bool,
    /// Whether a hinge has its left one beside it also when the partner is in the span.
    pub(super) always_pair: bool,
    /// A hinge with less than this share of its norm outside the frame is refused: one that enters
    /// alone, one that enters with its partner.
    pub(super) hinge: [f64; 2],
    /// A knot must gain more than what came before by this share, and by this much.
    pub(super) tie: f64,
    pub(super) margin: f64,
    /// A knot that gains this much or more is refused.
    pub(super) most: f64,
}

/// What a candidate would add to the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Addition {
    /// Both hinges at a knot (its position among the candidates of the side).
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

/// Gains that are computed before they are looked at, so that the first is done without a branch.
const GAINS: usize = 64;

/// What the linear partner takes from every knot.
struct Partner {
    /// One over its squared norm; 0 when it is not free.
    per_norm: f64,
    gain: f64,
    /// The least share of a hinge outside the frame.
    tolerance: f64,
}

/// State of one (parent, variable).
#[derive(Default)]
pub(super) struct Side {
    /// Knots of the whole grid this side looks at, from the top.
    knots: std::sync::Arc<Vec<f64>>,
    /// Segments that end at a candidate.
    at: Vec<u32>,
    norm: Vec<f64>,
    cross: Vec<f64>,
    /// One per response.
    along: Vec<Vec<f64>>,
    /// |h|^2 around its mean, the scale of N.
    scale: Vec<f32>,
    linear_norm: f64,
    linear_along: Vec<f64>,
    linear_scale: f64,
    /// The linear term was tried and depends on the frame.
    linear_refused: bool,
    best: Option<Candidate>,
}

/// Sums of one segment and side: of p q, and of p q x.
pub(super) type Sums = [[f64; 2]; 2];

/// Add p q and p q x of one row.
#[inline(always)]
pub(super) fn add(sums: &mut Sums, p: f64, from_centre: f64, q: &[f64; 2]) {
    for c in 0..2 {
        let product = p * q[c];
        sums[0][c] += product;
        sums[1][c] += product * from_centre;
    }
}

/// A pair of columns with their products with the residuals, one pair per response.
pub(super) struct Pair {
    q: Vec<[f64; 2]>,
    z: Vec<[f64; 2]>,
}

impl Pair {
    /// Columns `k` and, if there is one, `k + 1`.
    pub(super) fn of(frame: &Frame, k: usize) -> Self {
        let n = frame.residual.first().map_or(0, Vec::len);
        Pair {
            q: frame.pair(k, 0, n),
            z: products(frame, k),
        }
    }
}

/// Products of columns `k` and `k + 1` with each residual as it was before them.
pub(super) fn products(frame: &Frame, k: usize) -> Vec<[f64; 2]> {
    let z = frame.z.iter();
    z.map(|z| [z[k], z.get(k + 1).copied().unwrap_or(0.0)])
        .collect()
}

/// A variable as one group of parents sees it.
pub(super) struct View<'a> {
    pub(super) values: &'a Values,
    pub(super) variable: &'a Variable,
    pub(super) segment: &'a Segments,
}

impl View<'_> {
    /// Sum p q and p q x over the rows of each segment and side.
    fn sums(&self, q: &[[f64; 2]], n_segments: usize) -> Vec<Sums> {
        let mut table = vec![[[0.0; 2]; 2]; n_segments * self.values.n_sides()];
        let all = (0, q.len());
        self.values
            .sums(all, self.variable, q, self.segment, &mut table);
        table
    }

    /// Sum p^2, p^2 d, p^2 d^2 and count rows, with d the distance to the knot below; below the last
    /// knot, to the centre.
    fn squares(&self, sides: &[Side]) -> Vec<[f64; 4]> {
        let centre = self.variable.centre;
        let origins: Vec<f64> = (0..Side::n_segments(sides))
            .flat_map(|s| sides.iter().map(move |side| side.origin(s, centre)))
            .collect();
        let mut table = vec![[0.0; 4]; origins.len()];
        let x = &self.variable.values;
        self.values
            .visit((0, x.len()), x, x, self.segment, |at, p, x, _| {
                let (squared, d) = (p * p, x - origins[at]);
                let first = squared * d;
                let sums = &mut table[at];
                sums[0] += squared;
                sums[1] += first;
                sums[2] += first * d;
                sums[3] += f64::from(p != 0.0);
            });
        table
    }
}

impl Side {
    fn new(knots: std::sync::Arc<Vec<f64>>, responses: usize) -> Self {
        Side {
            knots,
            along: vec![Vec::new(); responses],
            linear_along: vec![0.0; responses],
            ..Side::default()
        }
    }

    /// Set up the sides of a group on a variable against the first column of the frame.
    ///
    /// `starts` has for each response its residual beside the first column; `choose` picks the
    /// candidates of a side from the rows of each segment.
    pub(super) fn all(
        view: &View,
        knots: &[std::sync::Arc<Vec<f64>>],
        starts: &[Vec<[f64; 2]>],
        choose: impl Fn(usize, &[u32]) -> Vec<u32>,
    ) -> Vec<Side> {
        let mut sides: Vec<Side> = knots
            .iter()
            .map(|knots| Side::new(knots.clone(), starts.len()))
            .collect();
        let (n_sides, n_segments) = (sides.len(), Side::n_segments(&sides));
        let centre = view.variable.centre;
        let squares = view.squares(&sides);
        for (k, side) in sides.iter_mut().enumerate() {
            let own = || squares.iter().skip(k).step_by(n_sides);
            if !side.knots.is_empty() {
                let on: Vec<u32> = own().map(|sums| sums[3] as u32).collect();
                side.at = choose(k, &on);
            }
            side.norms(own(), centre);
        }
        // One walk for the first residual and the first column, which is the intercept: what it
        // leaves of a norm is the scale.
        for (response, packed) in starts.iter().enumerate() {
            let mut table = view.sums(packed, n_segments);
            for (k, side) in sides.iter_mut().enumerate() {
                let linear = side.fold(&mut table, (k, n_sides), centre);
                side.linear_along[response] = linear[0];
                let hinges = || {
                    side.at
                        .iter()
                        .map(|&at| table[at as usize * n_sides + k][0])
                };
                side.along[response] = hinges().map(|h| h[0]).collect();
                if response == 0 {
                    side.linear_norm -= linear[1] * linear[1];
                    for ((norm, cross), h) in
                        side.norm.iter_mut().zip(&mut side.cross).zip(hinges())
                    {
                        *norm -= h[1] * h[1];
                        *cross -= linear[1] * h[1];
                    }
                    side.scale = side.norm.iter().map(|&norm| norm as f32).collect();
                    side.linear_scale = side.linear_norm;
                }
            }
        }
        sides
    }

    /// Bring all sides up to date with a pair of columns; `is_past` when the residual they saw came
    /// after it.
    pub(super) fn refresh(sides: &mut [Side], view: &View, pair: &Pair, is_past: bool) {
        let mut table = view.sums(&pair.q, Side::n_segments(sides));
        let z = if is_past { &[][..] } else { &pair.z };
        Side::absorb(sides, &mut table, view.variable.centre, z);
    }

    /// Segments of the longest grid of the sides.
    pub(super) fn n_segments(sides: &[Side]) -> usize {
        sides.iter().map(|s| s.knots.len() + 1).max().unwrap_or(1)
    }

    /// Where a segment counts distances from.
    fn origin(&self, segment: usize, centre: f64) -> f64 {
        self.knots.get(segment).copied().unwrap_or(centre)
    }

    /// Account for a pair of columns by its sums; `z` has its products with each residual, or nothing.
    pub(super) fn absorb(sides: &mut [Side], table: &mut [Sums], centre: f64, z: &[[f64; 2]]) {
        let n_sides = sides.len();
        for (k, side) in sides.iter_mut().enumerate() {
            let [a, b] = side.fold(table, (k, n_sides), centre);
            let hinge = |at: u32| table[at as usize * n_sides + k][0];
            side.linear_norm -= a * a + b * b;
            let state = side.norm.iter_mut().zip(&mut side.cross);
            for ((norm, cross), &at) in state.zip(&side.at) {
                let [of_a, of_b] = hinge(at);
                *norm -= of_a * of_a + of_b * of_b;
                *cross -= a * of_a + b * of_b;
            }
            for (response, z) in z.iter().enumerate() {
                side.linear_along[response] -= z[0] * a + z[1] * b;
                for (along, &at) in side.along[response].iter_mut().zip(&side.at) {
                    let [of_a, of_b] = hinge(at);
                    *along -= z[0] * of_a + z[1] * of_b;
                }
            }
        }
    }

    /// Find the best candidate: knots from the top, the first of equals.
    pub(super) fn search(&mut self, rules: Rules) {
        let partner_is_free = rules.new_form
            && !self.linear_refused
            && self.linear_norm > rules.linear * self.linear_scale
            && self.linear_norm > rules.linear_least;
        let is_pair = partner_is_free || (rules.always_pair && rules.new_form);
        let addition = if is_pair {
            Addition::Pair
        } else {
            Addition::Right
        };
        let mut partner = Partner {
            per_norm: 0.0,
            gain: 0.0,
            tolerance: rules.hinge[usize::from(partner_is_free)],
        };
        self.best = None;
        if partner_is_free {
            partner.per_norm = 1.0 / self.linear_norm;
            partner.gain = self.linear_along.iter().map(|c| c * c).sum::<f64>() / self.linear_norm;
            self.best = Some(Candidate {
                gain: partner.gain,
                addition: Addition::Linear,
            });
        }
        let bound = |gain: f64| gain * (1.0 + rules.tie) + rules.margin;
        let mut least = bound(self.best.map_or(0.0, |best| best.gain));
        let mut gains = [0.0; GAINS];
        for start in (0..self.at.len()).step_by(GAINS) {
            let gains = &mut gains[..GAINS.min(self.at.len() - start)];
            self.gains(start, &partner, gains);
            for (k, &gain) in gains.iter().enumerate() {
                if gain > least && gain < rules.most {
                    least = bound(gain);
                    let addition = addition(start + k);
                    self.best = Some(Candidate { gain, addition });
                }
            }
        }
    }

    /// Gains at the candidates from `start` on; -inf where a hinge has too little of its own.
    fn gains(&self, start: usize, partner: &Partner, gains: &mut [f64]) {
        let part = start..start + gains.len();
        let (norm, cross) = (&self.norm[part.clone()], &self.cross[part.clone()]);
        let scale = &self.scale[part.clone()];
        gains.fill(0.0);
        for (along, linear) in self.along.iter().zip(&self.linear_along) {
            let state = along[part.clone()].iter().zip(cross);
            for (gain, (along, cross)) in gains.iter_mut().zip(state) {
                let beyond = along - cross * partner.per_norm * linear;
                *gain += beyond * beyond;
            }
        }
        let state = norm.iter().zip(cross).zip(scale);
        for (gain, ((norm, cross), &scale)) in gains.iter_mut().zip(state) {
            let left = norm - cross * partner.per_norm * cross;
            let reached = partner.gain + *gain / left;
            let is_enough = left > partner.tolerance * f64::from(scale);
            *gain = if is_enough {
                reached
            } else {
                f64::NEG_INFINITY
            };
        }
    }

    pub(super) fn best(&self) -> Option<Candidate> {
        self.best
    }

    /// Whether rounding may have made up what is left of the linear partner, where that could decide
    /// whether it has more than `least`.
    pub(super) fn linear_is_doubtful(&self, least: f64) -> bool {
        !self.linear_refused
            && self.linear_norm <= DOUBTFUL * self.linear_scale
            && self.linear_norm + ROUNDING * self.linear_scale > least
    }

    /// Put exact values in the place of doubtful ones; with next to no norm it is in the span.
    pub(super) fn set_linear(&mut self, norm: f64, along: Vec<f64>) {
        self.linear_refused = norm <= NOTHING * self.linear_scale;
        self.linear_norm = norm;
        self.linear_along = along;
    }

    pub(super) fn knot(&self, s: usize) -> f64 {
        self.knots[self.at[s] as usize]
    }

    /// Never offer this addition again: its exact column turned out to depend on the frame.
    pub(super) fn refuse(&mut self, addition: Addition) {
        match addition {
            Addition::Pair(s) | Addition::Right(s) => self.norm[s] = f64::NEG_INFINITY,
            Addition::Linear => self.linear_refused = true,
        }
    }

    /// |h|^2 and L'h at every candidate, and |L|^2.
    ///
    /// Folded from the top with offsets d = x - t of the segment's own knot: P2 - 2 t P1 + t^2 P0
    /// would lose its digits near the top.
    fn norms<'a>(&mut self, squares: impl Iterator<Item = &'a [f64; 4]>, centre: f64) {
        let (mut p0, mut h1, mut h2) = (0.0, 0.0, 0.0);
        let mut candidates = self.at.iter().peekable();
        let mut above = None;
        for (s, own) in squares.enumerate() {
            let origin = self.origin(s, centre);
            let from_centre = origin - centre;
            self.linear_norm += own[2] + from_centre * (2.0 * own[1] + from_centre * own[0]);
            let fall = above.replace(origin).map_or(0.0, |above| above - origin);
            h2 += 2.0 * fall * h1 + fall * fall * p0;
            h1 += fall * p0;
            p0 += own[0];
            h1 += own[1];
            h2 += own[2];
            if candidates.next_if(|&&at| at as usize == s).is_some() {
                self.norm.push(h2);
                self.cross.push(h2 + from_centre * h1);
            }
        }
    }

    /// Turn the sums of one or two vectors v into v'h at every knot, in the place of the first ones;
    /// returns v'L.
    fn fold(&self, table: &mut [Sums], (side, n_sides): (usize, usize), centre: f64) -> [f64; 2] {
        let (mut a0, mut a1) = ([0.0; 2], [0.0; 2]);
        for (s, own) in table.chunks_exact_mut(n_sides).enumerate() {
            let t = self.origin(s, centre) - centre;
            let own = &mut own[side];
            for c in 0..2 {
                a0[c] += own[0][c];
                a1[c] += own[1][c];
                own[0][c] = a1[c] - t * a0[c];
            }
        }
        a1
    }
}
