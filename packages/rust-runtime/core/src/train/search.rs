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

use std::cell::RefCell;

use super::data::Variable;
use super::grid::Segments;
use super::group::Values;

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

/// A variable as one group of parents sees it.
pub(super) struct View<'a> {
    values: &'a Values,
    variable: &'a Variable,
    segment: &'a Segments,
}

impl<'a> View<'a> {
    /// A variable with segments of its own, or those all parents share.
    pub(super) fn new(
        values: &'a Values,
        variable: &'a Variable,
        segment: Option<&'a Segments>,
    ) -> Self {
        View {
            values,
            variable,
            segment: segment.unwrap_or(&variable.segment),
        }
    }

    /// Hand over the sums of p q and p q x over the rows of each segment and side, from the products
    /// p q of all entries.
    fn with_sums(
        &self,
        products: &[[f64; 2]],
        n_segments: usize,
        use_up: impl FnOnce(&mut [Sums]),
    ) {
        thread_local! {
            /// One table of this thread after the other.
            static TABLE: RefCell<Vec<Sums>> = const { RefCell::new(Vec::new()) };
        }
        let mut table = TABLE.take();
        table.clear();
        table.resize(n_segments * self.values.n_sides(), [[0.0; 2]; 2]);
        self.values
            .sums(self.variable, products, self.segment, &mut table);
        use_up(&mut table);
        TABLE.set(table);
    }

    /// Sum p^2, p^2 d, p^2 d^2 and count rows, with d the distance to the knot below; below the last
    /// knot, to the centre.
    fn squares(&self, sides: &[Side]) -> Vec<[f64; 4]> {
        let centre = self.variable.centre;
        let origins: Vec<f64> = (0..Side::n_segments(sides))
            .flat_map(|s| sides.iter().map(move |side| side.origin(s, centre)))
            .collect();
        let mut table = vec![[0.0; 4]; origins.len()];
        self.values
            .squares(&self.variable.values, &origins, self.segment, &mut table);
        table
    }
}

impl Side {
    /// A side without candidates.
    pub(super) fn new(knots: std::sync::Arc<Vec<f64>>, responses: usize) -> Self {
        Side {
            knots,
            along: vec![Vec::new(); responses],
            linear_along: vec![0.0; responses],
            ..Side::default()
        }
    }

    /// Set up the sides of a group on a variable against the first column of the frame.
    ///
    /// `starts` has for each response the products of the parents' values with its residual and with
    /// the first column; `choose` picks the candidates of a side from the rows of each segment.
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
        let n_segments = Side::n_segments(&sides);
        let centre = view.variable.centre;
        let squares = view.squares(&sides);
        Side::begin(&mut sides, &squares, centre, choose);
        // One walk for the first residual and the first column.
        for (response, products) in starts.iter().enumerate() {
            view.with_sums(products, n_segments, |table| {
                Side::start(&mut sides, response, table, centre);
            });
        }
        sides
    }

    /// Choose candidates and take their norms, from the sums of squares of each segment and side.
    pub(super) fn begin(
        sides: &mut [Side],
        squares: &[[f64; 4]],
        centre: f64,
        choose: impl Fn(usize, &[u32]) -> Vec<u32>,
    ) {
        let n_sides = sides.len();
        for (k, side) in sides.iter_mut().enumerate() {
            let own = || squares.iter().skip(k).step_by(n_sides);
            if !side.knots.is_empty() {
                let on: Vec<u32> = own().map(|sums| sums[3] as u32).collect();
                side.at = choose(k, &on);
            }
            side.norms(own(), centre);
        }
    }

    /// Take the products with a residual and, with the first one, what the first column takes: that
    /// is the intercept, and what it leaves of a norm is the scale.
    pub(super) fn start(sides: &mut [Side], response: usize, table: &mut [Sums], centre: f64) {
        let n_sides = sides.len();
        let linear = fold(sides, table, centre);
        for (k, (side, linear)) in sides.iter_mut().zip(linear).enumerate() {
            side.start_one(response, linear, hinges(table, k, n_sides));
        }
    }

    fn start_one(&mut self, response: usize, linear: [f64; 2], hinge: impl Fn(u32) -> [f64; 2]) {
        self.linear_along[response] = linear[0];
        self.along[response] = self.at.iter().map(|&at| hinge(at)[0]).collect();
        if response > 0 {
            return;
        }
        self.linear_norm -= linear[1] * linear[1];
        self.linear_scale = self.linear_norm;
        let state = self.norm.iter_mut().zip(&mut self.cross);
        for ((norm, cross), &at) in state.zip(&self.at) {
            let along = hinge(at)[1];
            *norm -= along * along;
            *cross -= linear[1] * along;
        }
        self.scale = self.norm.iter().map(|&norm| norm as f32).collect();
    }

    /// Bring all sides up to date with a pair of columns by the products with the parents' values;
    /// `z` as in [`Side::absorb`].
    pub(super) fn refresh(sides: &mut [Side], view: &View, products: &[[f64; 2]], z: &[[f64; 2]]) {
        view.with_sums(products, Side::n_segments(sides), |table| {
            Side::absorb(sides, table, view.variable.centre, z);
        });
    }

    /// Segments of the longest grid of the sides.
    pub(super) fn n_segments(sides: &[Side]) -> usize {
        sides.iter().map(|s| s.knots.len() + 1).max().unwrap_or(1)
    }

    /// Where a segment counts distances from.
    pub(super) fn origin(&self, segment: usize, centre: f64) -> f64 {
        self.knots.get(segment).copied().unwrap_or(centre)
    }

    /// Account for a pair of columns by its sums; `z` has its products with each residual, or nothing.
    pub(super) fn absorb(sides: &mut [Side], table: &mut [Sums], centre: f64, z: &[[f64; 2]]) {
        let n_sides = sides.len();
        let linear = fold(sides, table, centre);
        for (k, (side, [a, b])) in sides.iter_mut().zip(linear).enumerate() {
            let hinge = hinges(table, k, n_sides);
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
        self.norm.reserve_exact(self.at.len());
        self.cross.reserve_exact(self.at.len());
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
}

/// Turn the sums of one or two vectors v into v'h at every knot, in the place of the first ones;
/// returns v'L of each side.
fn fold(sides: &[Side], table: &mut [Sums], centre: f64) -> [[f64; 2]; 2] {
    match sides {
        [first, second] => fold_sides([first, second], table, centre),
        [only] => [fold_sides([only], table, centre)[0], [0.0; 2]],
        _ => [[0.0; 2]; 2],
    }
}

/// Both sides at once, so that one does not wait for the other.
fn fold_sides<const S: usize>(sides: [&Side; S], table: &mut [Sums], centre: f64) -> [[f64; 2]; S] {
    let (mut a0, mut a1) = ([[0.0; 2]; S], [[0.0; 2]; S]);
    for (s, own) in table.chunks_exact_mut(S).enumerate() {
        for (side, own) in own.iter_mut().enumerate() {
            let t = sides[side].origin(s, centre) - centre;
            for c in 0..2 {
                a0[side][c] += own[0][c];
                a1[side][c] += own[1][c];
                own[0][c] = a1[side][c] - t * a0[side][c];
            }
        }
    }
    a1
}

/// v'h at the knots of a side, from a folded table.
fn hinges(table: &[Sums], side: usize, n_sides: usize) -> impl Fn(u32) -> [f64; 2] {
    move |at| table[at as usize * n_sides + side][0]
}
