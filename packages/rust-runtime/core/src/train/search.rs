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
pub(super) type Sums<const C: usize> = [[f64; C]; 2];

/// Add p q and p q x of one row.
#[inline(always)]
pub(super) fn add(sums: &mut Sums<2>, p: f64, from_centre: f64, q: &[f64; 2]) {
    for c in 0..2 {
        let product = p * q[c];
        sums[0][c] += product;
        sums[1][c] += product * from_centre;
    }
}

/// A pair of new columns with their products with the residuals, one pair per response.
pub(super) struct Pair {
    q: Vec<[f64; 2]>,
    z: Vec<[f64; 2]>,
}

impl Pair {
    /// Columns `k` and, if there is one, `k + 1`; `since` as in [`products`].
    pub(super) fn of(frame: &Frame, k: usize, since: Since) -> Self {
        let n = frame.residual.first().map_or(0, Vec::len);
        Pair {
            q: frame.pair(k, 0, n),
            z: products(frame, k, since),
        }
    }
}

/// What the state of a search has seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Since {
    /// The residual as it is now: only norms are left to account for.
    Now,
    /// The residual before the columns.
    Before,
}

/// Products of columns `k` and `k + 1` with the residuals they have not been taken from yet.
pub(super) fn products(frame: &Frame, k: usize, since: Since) -> Vec<[f64; 2]> {
    match since {
        Since::Now => Vec::new(),
        Since::Before => {
            let z = frame.z.iter();
            z.map(|z| [z[k], z.get(k + 1).copied().unwrap_or(0.0)])
                .collect()
        }
    }
}

/// A variable as one group of parents sees it.
pub(super) struct View<'a> {
    pub(super) values: &'a Values,
    pub(super) variable: &'a Variable,
    pub(super) segment: &'a Segments,
}

impl View<'_> {
    /// Sum p q and p q x over the rows of each segment and side.
    fn sums(&self, q: &[[f64; 2]], n_segments: usize) -> Vec<Sums<2>> {
        let mut table = vec![[[0.0; 2]; 2]; n_segments * self.values.n_sides()];
        let (x, centre) = (&self.variable.values, self.variable.centre);
        self.values.visit(x, q, self.segment, |at, p, x, q| {
            add(&mut table[at], p, x - centre, q);
        });
        table
    }

    /// Sum p^2, p^2 d, p^2 d^2 and count rows, with d the distance to the knot below.
    fn squares(&self, knots: [&[f64]; 2], n_segments: usize) -> (Vec<[f64; 4]>, [f64; 2]) {
        let sides = self.values.n_sides();
        let mut table = vec![[0.0; 4]; n_segments * sides];
        let mut linear = [0.0; 2];
        let (x, centre) = (&self.variable.values, self.variable.centre);
        self.values.visit(x, x, self.segment, |at, p, x, _| {
            if p == 0.0 {
                return;
            }
            let side = at % sides;
            let squared = p * p;
            linear[side] += squared * (x - centre) * (x - centre);
            let d = knots[side].get(at / sides).map_or(0.0, |knot| x - knot);
            let sums = &mut table[at];
            sums[0] += squared;
            sums[1] += squared * d;
            sums[2] += squared * d * d;
            sums[3] += 1.0;
        });
        (table, linear)
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
        let n_segments = knots.iter().map(|knots| knots.len() + 1).max().unwrap_or(1);
        let n_sides = view.values.n_sides();
        let mut sides: Vec<Side> = knots
            .iter()
            .map(|knots| Side::new(knots.clone(), starts.len()))
            .collect();
        let both = [&knots[0][..], knots.get(1).map_or(&[][..], |k| &k[..])];
        let (squares, linear) = view.squares(both, n_segments);
        for (k, side) in sides.iter_mut().enumerate() {
            let own: Vec<[f64; 4]> = squares.iter().skip(k).step_by(n_sides).copied().collect();
            let on: Vec<u32> = own.iter().map(|sums| sums[3] as u32).collect();
            if !side.knots.is_empty() {
                side.at = choose(k, &on);
            }
            side.linear_norm = linear[k];
            side.norms(&own, view.variable.centre);
        }
        // One walk for the first residual and the first column, which is the intercept: what it
        // leaves of a norm is the scale.
        for (response, packed) in starts.iter().enumerate() {
            let table = view.sums(packed, n_segments);
            for (k, side) in sides.iter_mut().enumerate() {
                let (linear, hinges) = side.fold(&table, k, n_sides, view.variable.centre);
                side.linear_along[response] = linear[0];
                side.along[response] = hinges.iter().map(|h| h[0]).collect();
                if response == 0 {
                    let only: Vec<[f64; 1]> = hinges.iter().map(|h| [h[1]]).collect();
                    side.remove([linear[1]], &only);
                    side.scale = side.norm.iter().map(|&norm| norm as f32).collect();
                    side.linear_scale = side.linear_norm;
                }
            }
        }
        sides
    }

    /// Bring all sides up to date with a pair of columns.
    pub(super) fn refresh(sides: &mut [Side], view: &View, pair: &Pair) {
        let table = view.sums(&pair.q, Side::n_segments(sides));
        Side::absorb(sides, &table, view.variable.centre, &pair.z);
    }

    /// Segments of the longest grid of the sides.
    pub(super) fn n_segments(sides: &[Side]) -> usize {
        sides.iter().map(|s| s.knots.len() + 1).max().unwrap_or(1)
    }

    /// Account for a pair of columns by its sums; `z` has its products with each residual.
    pub(super) fn absorb(sides: &mut [Side], table: &[Sums<2>], centre: f64, z: &[[f64; 2]]) {
        let n_sides = sides.len();
        for (k, side) in sides.iter_mut().enumerate() {
            let (linear, hinges) = side.fold(table, k, n_sides, centre);
            side.remove(linear, &hinges);
            for (response, [a, b]) in z.iter().enumerate() {
                side.linear_along[response] -= a * linear[0] + b * linear[1];
                for (along, h) in side.along[response].iter_mut().zip(&hinges) {
                    *along -= a * h[0] + b * h[1];
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
        let pair = partner_is_free || (rules.always_pair && rules.new_form);
        let tolerance = rules.hinge[usize::from(partner_is_free)];
        let partner_gain: f64 = if partner_is_free {
            self.linear_along.iter().map(|c| c * c).sum::<f64>() / self.linear_norm
        } else {
            0.0
        };
        let per_linear = if partner_is_free {
            1.0 / self.linear_norm
        } else {
            0.0
        };
        let mut best: Option<Candidate> = partner_is_free.then_some(Candidate {
            gain: partner_gain,
            addition: Addition::Linear,
        });
        for s in 0..self.at.len() {
            let share = self.cross[s] * per_linear;
            let norm = self.norm[s] - share * self.cross[s];
            if norm <= tolerance * f64::from(self.scale[s]) || norm.is_nan() {
                continue;
            }
            let beyond: f64 = self
                .along
                .iter()
                .zip(&self.linear_along)
                .map(|(c, linear)| (c[s] - share * linear).powi(2))
                .sum();
            let gain = partner_gain + beyond / norm;
            let so_far = best.map_or(0.0, |best| best.gain);
            if gain > so_far * (1.0 + rules.tie) + rules.margin && gain < rules.most {
                let addition = if pair {
                    Addition::Pair(s)
                } else {
                    Addition::Right(s)
                };
                best = Some(Candidate { gain, addition });
            }
        }
        self.best = best;
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

    /// |h|^2 and L'h at every candidate.
    ///
    /// Folded from the top with offsets d = x - t of the segment's own knot: P2 - 2 t P1 + t^2 P0
    /// would lose its digits near the top.
    fn norms(&mut self, squares: &[[f64; 4]], centre: f64) {
        let (mut p0, mut h1, mut h2) = (0.0, 0.0, 0.0);
        let mut candidates = self.at.iter().peekable();
        for (s, (own, &knot)) in squares.iter().zip(self.knots.iter()).enumerate() {
            if s > 0 {
                let fall = self.knots[s - 1] - knot;
                h2 += 2.0 * fall * h1 + fall * fall * p0;
                h1 += fall * p0;
            }
            p0 += own[0];
            h1 += own[1];
            h2 += own[2];
            if candidates.next_if(|&&at| at as usize == s).is_some() {
                self.norm.push(h2);
                self.cross.push(h2 + (knot - centre) * h1);
            }
        }
    }

    /// (v'L, v'h at every candidate) from the sums of one or two vectors v.
    fn fold<const C: usize>(
        &self,
        table: &[Sums<C>],
        side: usize,
        n_sides: usize,
        centre: f64,
    ) -> ([f64; C], Vec<[f64; C]>) {
        let (mut a0, mut a1) = ([0.0; C], [0.0; C]);
        let mut hinges = Vec::with_capacity(self.at.len());
        let mut candidates = self.at.iter().map(|&at| at as usize);
        let mut next = candidates.next();
        for (s, own) in table.chunks_exact(n_sides).enumerate() {
            for c in 0..C {
                a0[c] += own[side][0][c];
                a1[c] += own[side][1][c];
            }
            if next == Some(s) {
                let t = self.knots[s] - centre;
                hinges.push(std::array::from_fn(|c| a1[c] - t * a0[c]));
                next = candidates.next();
            }
        }
        (a1, hinges)
    }

    fn remove<const C: usize>(&mut self, linear: [f64; C], hinges: &[[f64; C]]) {
        for l in linear {
            self.linear_norm -= l * l;
        }
        for ((norm, cross), hinge) in self.norm.iter_mut().zip(&mut self.cross).zip(hinges) {
            for c in 0..C {
                *norm -= hinge[c] * hinge[c];
                *cross -= linear[c] * hinge[c];
            }
        }
    }
}
