//! The pruning pass: the best subset of each size, then the size of the best GCV.
//!
//! Works on the triangle of B = QR alone, so its cost does not depend on the number of rows.

mod path;
mod search;
mod triangle;

use super::orthogonal::Factored;
use super::{Options, PruningMethod, PruningStep, gcv};
use crate::error::Error;
pub use path::{PathStep, gcv_path};
use triangle::Triangle;

/// The most terms that an exhaustive search takes: its cost can double with each.
pub(super) const MOST_EXHAUSTIVE: usize = 50;

pub(super) struct Pruned {
    /// Positions of the terms that stay, rising; the intercept is always there.
    pub(super) kept: Vec<usize>,
    /// One coefficient per response for each kept term.
    pub(super) coefficients: Vec<Vec<f64>>,
    pub(super) rss: f64,
    pub(super) gcv: f64,
    pub(super) steps: Vec<PruningStep>,
}

/// Prune as the options say, or to exactly so many terms; `go_on` is asked now and then and ends the pass when false.
pub(super) fn prune(
    factored: &Factored,
    n: usize,
    options: &Options,
    exactly: Option<usize>,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Pruned, Error> {
    let terms = factored.r.len();
    let most = options.nprune.unwrap_or(terms).min(terms);
    let subsets = best_subsets(factored, options.pmethod, most, options.compat, go_on)?;
    let score = |subset: &Subset| gcv(subset.rss, n, subset.terms.len(), options.penalty);
    let steps = subsets
        .iter()
        .rev()
        .map(|s| PruningStep {
            n_terms: s.terms.len(),
            rss: s.rss,
            gcv: score(s),
        })
        .collect();
    let kept = if options.pmethod == PruningMethod::None {
        (0..most).collect()
    } else if let Some(size) = exactly {
        subsets[size - 1].terms.clone()
    } else {
        // From small to large, strictly better: ties go to the smaller model.
        let mut best = &subsets[0];
        for subset in &subsets[1..most] {
            if score(subset) < score(best) {
                best = subset;
            }
        }
        best.terms.clone()
    };
    let (coefficients, rss) = solve(factored, &kept);
    Ok(Pruned {
        gcv: gcv(rss, n, kept.len(), options.penalty),
        kept,
        coefficients,
        rss,
        steps,
    })
}

/// The best subsets found, sizes 1, 2, ...
///
/// With several responses R `earth` takes the models of backward elimination as they are; that is
/// what `compat` asks for.
pub(super) fn best_subsets(
    factored: &Factored,
    method: PruningMethod,
    most: usize,
    compat: bool,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Vec<Subset>, Error> {
    let triangle = Triangle::new(&factored.r, &factored.z, factored.rss());
    let mut subsets = Subsets::new(triangle.len());
    match method {
        // R, too, evaluates the sizes of a backward pass when it prunes nothing.
        PruningMethod::None | PruningMethod::Backward => {
            let only_nested = compat && factored.z.len() > 1;
            search::backward(triangle, &mut subsets, only_nested, go_on)?;
        }
        PruningMethod::Forward => search::forward(triangle, &mut subsets, go_on)?,
        PruningMethod::Seqrep => search::replace(triangle, &mut subsets, go_on)?,
        PruningMethod::Exhaustive => {
            if triangle.len() > MOST_EXHAUSTIVE {
                return Err(Error::LimitExceeded(format!(
                    "pmethod is exhaustive and the forward pass made {} terms, the limit is \
                     {MOST_EXHAUSTIVE}; lower max_terms, or use pmethod=\"seqrep\"",
                    triangle.len()
                )));
            }
            search::exhaustive(triangle, &mut subsets, most, go_on)?;
            subsets.0.truncate(most);
        }
    }
    for subset in &mut subsets.0 {
        subset.terms.sort_unstable();
    }
    Ok(subsets.0)
}

/// Coefficients of the terms at rising positions, and their RSS.
pub(super) fn solve(factored: &Factored, kept: &[usize]) -> (Vec<Vec<f64>>, f64) {
    let mut triangle = Triangle::new(&factored.r, &factored.z, factored.rss());
    for term in (0..factored.r.len())
        .rev()
        .filter(|term| !kept.contains(term))
    {
        triangle.drop(term);
    }
    (triangle.coefficients(), triangle.rss(kept.len()))
}

/// The best subset of its size so far.
pub(super) struct Subset {
    pub(super) terms: Vec<usize>,
    pub(super) rss: f64,
}

/// One subset per size, size 1 first.
struct Subsets(Vec<Subset>);

impl Subsets {
    fn new(terms: usize) -> Self {
        let none = |_| Subset {
            terms: Vec::new(),
            rss: f64::INFINITY,
        };
        Subsets((0..terms).map(none).collect())
    }

    /// Take all columns as the best subset of their size.
    fn note_whole(&mut self, triangle: &Triangle) {
        let size = triangle.len();
        self.0[size - 1] = Subset {
            terms: triangle.order.clone(),
            rss: triangle.rss(size),
        };
    }

    /// Compare the first 1, 2, ... columns with the best subsets of their sizes.
    fn note(&mut self, triangle: &Triangle) {
        let mut rss = triangle.rss(triangle.len());
        for size in (1..=triangle.len()).rev() {
            let best = &mut self.0[size - 1];
            if rss < best.rss {
                best.rss = rss;
                best.terms = triangle.order[..size].to_vec();
            }
            rss += triangle.step(size - 1);
        }
    }

    /// Compare the first columns, with column `new` at `place`, with the best of that size.
    fn note_replaced(&mut self, triangle: &Triangle, place: usize, new: usize, gain: f64) {
        let rss = triangle.rss(place) - gain;
        let best = &mut self.0[place];
        if rss < best.rss {
            best.rss = rss;
            best.terms = triangle.order[..place].to_vec();
            best.terms.push(triangle.order[new]);
        }
    }

    /// Whether an RSS of `bound` would be the best of any of the sizes.
    fn may_improve(&self, mut sizes: std::ops::RangeInclusive<usize>, bound: f64) -> bool {
        sizes.any(|size| bound < self.0[size - 1].rss)
    }
}
