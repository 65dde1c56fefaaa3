//! Parents that share a vector, and what the search knows under them.

use std::sync::Arc;

use super::products::Quarters;
use super::{Part, Sums, Term, combine};
use crate::train::Options;
use crate::train::data::{Kind, Prepared};
use crate::train::grid::supported;
use crate::train::group::Block;
use crate::train::knots::Spans;
use crate::train::orthogonal::Factored;
use crate::train::search::{self, Side};

pub(super) struct Family {
    pub(super) vector: usize,
    parents: Vec<usize>,
    /// What part of the vector each parent is.
    shares: Vec<[f64; 2]>,
    spans: Vec<Spans>,
    blocks: Vec<Block>,
    /// For each block, sums of the products with every orthonormal column: one per bin and side.
    along: Vec<Vec<Vec<f64>>>,
}

/// What all families read.
pub(super) struct Context<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) options: &'a Options,
    pub(super) terms: &'a [Term],
    pub(super) factored: &'a Factored,
    pub(super) tables: &'a [Sums],
    /// Terms that families accounted for before.
    pub(super) seen: usize,
}

impl Context<'_> {
    /// Sums of the products of two vectors over the bins of a variable, or counts of one.
    fn sums(&self, a: usize, b: Option<usize>, variable: usize) -> Option<Vec<Quarters>> {
        let (first, second) = match b {
            Some(b) => (a.max(b), Some(a.min(b))),
            None => (a, None),
        };
        let found = self.tables.iter().filter(|sums| sums.a == first);
        let (sums, other) = found
            .filter_map(|sums| {
                let at = sums.others.iter().position(|&other| other == second)?;
                Some((sums, at))
            })
            .next()?;
        let at = sums.variables.binary_search(&variable).ok()?;
        let of_bin = |bin: usize| {
            let mut products = sums.tables.of_bin(at, bin, other);
            if first != a {
                products.swap(1, 2);
            }
            products
        };
        let bins = self.prepared.variables[variable].means.len();
        Some((0..bins).map(of_bin).collect())
    }
}

impl Family {
    pub(super) fn new(
        vector: usize,
        variables: &[usize],
        (parent, share, spans): (usize, [f64; 2], Spans),
    ) -> Self {
        let block = |&variable: &usize| Block {
            variable,
            segment: None,
            sides: Vec::new(),
        };
        Family {
            vector,
            parents: vec![parent],
            shares: vec![share],
            spans: vec![spans],
            blocks: variables.iter().map(block).collect(),
            along: vec![Vec::new(); variables.len()],
        }
    }

    /// Let one more parent in, as long as the family is new.
    pub(super) fn push(&mut self, (parent, share, spans): (usize, [f64; 2], Spans)) {
        self.parents.push(parent);
        self.shares.push(share);
        self.spans.push(spans);
    }

    /// Whether it was not brought up to date yet.
    pub(super) fn is_new(&self) -> bool {
        self.along.iter().all(Vec::is_empty)
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = usize> {
        self.blocks.iter().map(|block| block.variable)
    }

    /// A parent, and what part of the vector it is.
    pub(super) fn parent(&self, side: usize) -> (usize, Part) {
        let part = Part {
            vector: self.vector,
            share: self.shares[side],
        };
        (self.parents[side], part)
    }

    pub(super) fn blocks(&self) -> (&[usize], &[Block]) {
        (&self.parents, &self.blocks)
    }

    pub(super) fn blocks_mut(&mut self) -> impl Iterator<Item = (&[usize], &mut Block)> {
        let parents = &self.parents[..];
        self.blocks.iter_mut().map(move |block| (parents, block))
    }

    pub(super) fn side(&mut self, block: usize, side: usize) -> &mut Side {
        &mut self.blocks[block].sides[side]
    }

    /// Account for all terms.
    pub(super) fn refresh(&mut self, context: &Context) {
        let is_new = self.is_new();
        let first = if is_new { 0 } else { context.seen };
        for b in 0..self.blocks.len() {
            for k in first..context.terms.len() {
                let sums = self.of_column(b, k, context);
                self.along[b].push(sums);
            }
            if is_new {
                self.begin(b, context);
            }
            let from = first.max(1);
            for k in (from..context.terms.len()).step_by(2) {
                let z: Vec<[f64; 2]> = match is_new {
                    // The residual it began with accounts for all terms.
                    true => Vec::new(),
                    false => {
                        let z = context.factored.z.iter();
                        z.map(|z| [z[k], z.get(k + 1).copied().unwrap_or(0.0)])
                            .collect()
                    }
                };
                let mut table = self.pair(b, &self.along[b][k], self.along[b].get(k + 1), context);
                let centre = context.prepared.variables[self.blocks[b].variable].centre;
                Side::absorb(&mut self.blocks[b].sides, &mut table, centre, &z);
            }
        }
    }

    /// Sums of the products of each parent with a part, per bin and side.
    fn sums(&self, b: usize, part: Part, context: &Context) -> Vec<f64> {
        let variable = self.blocks[b].variable;
        let found = context.sums(self.vector, Some(part.vector), variable);
        let of_bin = |products: Quarters| {
            let shares = self.shares.iter();
            shares.map(move |&share| combine(&products, share, part.share))
        };
        found.into_iter().flatten().flat_map(of_bin).collect()
    }

    /// The same with orthonormal column k, from those before it.
    fn of_column(&self, b: usize, k: usize, context: &Context) -> Vec<f64> {
        let mut sums = self.sums(b, context.terms[k].column, context);
        let r = &context.factored.r[k];
        for (r, earlier) in r.iter().zip(&self.along[b]) {
            for (sum, earlier) in sums.iter_mut().zip(earlier) {
                *sum -= r * earlier;
            }
        }
        sums.iter_mut().for_each(|sum| *sum /= r[k]);
        sums
    }

    /// Choose candidates, and take what the first residual and the first column have along them.
    fn begin(&mut self, b: usize, context: &Context) {
        let variable = &context.prepared.variables[self.blocks[b].variable];
        let responses = context.factored.z.len();
        let mut sides: Vec<Side> = self
            .shares
            .iter()
            .map(|_| Side::new(Arc::clone(&variable.knots), responses))
            .collect();
        let squares = self.squares(b, &sides, context);
        let is_linear =
            variable.kind != Kind::Numeric || context.options.linpreds.contains(&variable.feature);
        Side::begin(&mut sides, &squares, variable.centre, |side, on| {
            if is_linear {
                Vec::new()
            } else {
                supported(on, self.spans[side])
            }
        });
        for response in 0..responses {
            let part = Part {
                vector: 1 + response,
                share: super::WHOLE,
            };
            let mut residual = self.sums(b, part, context);
            let z = &context.factored.z[response];
            for (z, along) in z.iter().zip(&self.along[b]) {
                for (residual, along) in residual.iter_mut().zip(along) {
                    *residual -= z * along;
                }
            }
            let mut table = self.pair(b, &residual, self.along[b].first(), context);
            Side::start(&mut sides, response, &mut table, variable.centre);
        }
        self.blocks[b].sides = sides;
    }

    /// Sums of p^2, p^2 d, p^2 d^2 per bin and side, with d the distance of the mean of a bin to its
    /// origin, and the rows of the parent.
    fn squares(&self, b: usize, sides: &[Side], context: &Context) -> Vec<[f64; 4]> {
        let index = self.blocks[b].variable;
        let variable = &context.prepared.variables[index];
        let own = context.sums(self.vector, Some(self.vector), index);
        let counts = context.sums(self.vector, None, index);
        let bins = own.into_iter().flatten().zip(counts.into_iter().flatten());
        let mut squares = Vec::with_capacity(variable.means.len() * sides.len());
        for ((s, mean), (own, counts)) in variable.means.iter().enumerate().zip(bins) {
            for (side, &share) in sides.iter().zip(&self.shares) {
                let p = combine(&own, share, share);
                let d = mean - side.origin(s, variable.centre);
                let on = share.map(f64::abs);
                squares.push([p, p * d, p * d * d, combine(&counts, on, on)]);
            }
        }
        squares
    }

    /// The sums that two vectors of sums stand for.
    fn pair(
        &self,
        b: usize,
        first: &[f64],
        second: Option<&Vec<f64>>,
        context: &Context,
    ) -> Vec<search::Sums> {
        let variable = &context.prepared.variables[self.blocks[b].variable];
        let sides = self.shares.len();
        let each = first.iter().enumerate().map(|(at, &first)| {
            let second = second.map_or(0.0, |second| second[at]);
            let from_centre = variable.means[at / sides] - variable.centre;
            [[first, second], [first * from_centre, second * from_centre]]
        });
        each.collect()
    }
}
