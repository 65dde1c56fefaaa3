//! What the forward pass needs of a search: the exact one, or the one on bins.

use super::basis::Factor;
use super::group::Block;
use super::knots::Spans;
use super::orthogonal::Factored;
use super::search::{Rules, Side};
use crate::error::Error;

/// Where a candidate stands: group, block, side.
pub(super) type Place = (usize, usize, usize);

/// Terms and the state of the search for the next ones. A group searches under one parent or under
/// the two hinges of a pair, one side each.
pub(super) trait Engine {
    /// Residual sum of squares of the terms so far, over all responses.
    fn rss(&self) -> f64;

    /// Terms so far, the intercept included.
    fn len(&self) -> usize;

    /// Rows where a term that waits to be a parent is not zero.
    fn n_on(&self, term: usize) -> usize;

    /// Search under these terms from now on, on these variables, with the spans of each term.
    fn open(&mut self, parents: &[usize], variables: &[usize], spans: &[Spans]);

    /// Bring all groups up to date; `alive` is asked between parts of the work whether to go on.
    fn refresh(&mut self, alive: &mut dyn FnMut() -> Result<(), Error>) -> Result<(), Error>;

    /// Find the best candidate of every side.
    fn search(&mut self, rules: Rules);

    /// The parents and the blocks of each group.
    fn groups(&self) -> Vec<(&[usize], &[Block])>;

    /// One side of a block.
    fn side(&mut self, place: Place) -> &mut Side;

    /// Add terms with these factors under the parent at a place; tells for each whether it was new to
    /// the others. Those that `may_be_parents` wait to be opened.
    fn add(&mut self, place: Place, factors: &[Factor], may_be_parents: bool) -> Vec<bool>;

    /// Take back all terms from `n_terms` on.
    fn truncate(&mut self, n_terms: usize);

    /// What is left to know once no term is added.
    fn finish(self) -> Factored;
}
