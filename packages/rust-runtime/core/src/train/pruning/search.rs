//! Ways to look for the best subset of each size. The intercept, column 0, always stays.

use super::{Subsets, Triangle};
use crate::error::Error;

/// Asked now and then whether to go on.
pub(super) type GoOn<'a> = &'a mut dyn FnMut() -> bool;

/// Drop the term that costs least, again and again.
///
/// Each triangle on the way also tells the RSS of its first 1, 2, ... terms in order of growth, so
/// the best of each size is taken over all of them, as R's `leaps` does; unless `only_nested`.
pub(super) fn backward(
    mut triangle: Triangle,
    subsets: &mut Subsets,
    only_nested: bool,
    go_on: GoOn,
) -> Result<(), Error> {
    let mut note = |triangle: &Triangle| {
        if only_nested {
            subsets.note_whole(triangle);
        } else {
            subsets.note(triangle);
        }
    };
    note(&triangle);
    while triangle.len() > 1 {
        check(go_on)?;
        let costs = triangle.costs();
        let cheapest = (1..costs.len()).min_by(|&a, &b| costs[a].total_cmp(&costs[b]));
        triangle.drop(cheapest.unwrap_or(1));
        note(&triangle);
    }
    Ok(())
}

/// Add the term that gains most, again and again.
pub(super) fn forward(
    mut triangle: Triangle,
    subsets: &mut Subsets,
    go_on: GoOn,
) -> Result<(), Error> {
    subsets.note(&triangle);
    for place in 1..triangle.len().saturating_sub(1) {
        check(go_on)?;
        let (best, gain) = triangle.best_at(place);
        subsets.note_replaced(&triangle, place, best, gain);
        triangle.shift(best, place);
    }
    Ok(())
}

/// Sequential replacement: at each size, replace a term by a better one outside until none is.
///
/// Which replacement counts as the best is decided as in R's `leaps`: by what the newcomer takes
/// off the RSS without the old term, not by the RSS reached.
pub(super) fn replace(
    mut triangle: Triangle,
    subsets: &mut Subsets,
    go_on: GoOn,
) -> Result<(), Error> {
    subsets.note(&triangle);
    for last in 1..triangle.len().saturating_sub(1) {
        let mut start = 1;
        loop {
            check(go_on)?;
            let mut found: Option<(f64, usize, usize)> = None;
            for _ in start..=last {
                let (best, gain) = triangle.best_at(last);
                if best > last {
                    subsets.note_replaced(&triangle, last, best, gain);
                    if found.is_none_or(|(most, _, _)| gain > most) {
                        found = Some((gain, triangle.order[last], triangle.order[best]));
                    }
                }
                triangle.shift(last, start);
            }
            let Some((_, old, new)) = found else { break };
            triangle.shift(place_of(&triangle, old), last);
            triangle.shift(place_of(&triangle, new), 1);
            // The newcomer is not up for replacement at once.
            start = 2;
        }
    }
    Ok(())
}

/// Every subset of at most `most` terms, by branch and bound (Gatu and Kontoghiorghes 2006).
///
/// A node is a set of terms of which the first `fixed` stay. No subset of a set has a smaller RSS,
/// so a branch ends where the best of every size it can reach is at least as good already.
pub(super) fn exhaustive(
    triangle: Triangle,
    subsets: &mut Subsets,
    most: usize,
    go_on: GoOn,
) -> Result<(), Error> {
    // Good subsets to start from end many branches early.
    backward(triangle.clone(), subsets, false, go_on)?;
    replace(triangle.clone(), subsets, go_on)?;
    branch(triangle, 1, subsets, most, go_on)
}

fn branch(
    mut node: Triangle,
    fixed: usize,
    subsets: &mut Subsets,
    most: usize,
    go_on: GoOn,
) -> Result<(), Error> {
    check(go_on)?;
    let size = node.len();
    let costs = by_cost(&mut node, fixed);
    subsets.note(&node);
    let rss = node.rss(size);
    // The last terms matter least: dropping them first finds good subsets soon.
    for k in (fixed..size).rev() {
        // Without term k, and with the k before it fixed, sizes k + 1 to size - 1 can be reached.
        let reach = (k + 1)..=most.min(size - 1);
        if subsets.may_improve(reach, rss + costs[k]) {
            let mut child = node.clone();
            child.drop(k);
            branch(child, k, subsets, most, go_on)?;
        }
    }
    Ok(())
}

/// Sort the free columns, dearest to drop first, and return what each costs.
fn by_cost(node: &mut Triangle, fixed: usize) -> Vec<f64> {
    let mut costs = node.costs();
    for place in fixed..node.len() {
        let dearest = (place..node.len()).max_by(|&a, &b| costs[a].total_cmp(&costs[b]));
        let from = dearest.unwrap_or(place);
        node.shift(from, place);
        costs[place..=from].rotate_right(1);
    }
    costs
}

fn place_of(triangle: &Triangle, term: usize) -> usize {
    let found = triangle.order.iter().position(|&t| t == term);
    found.unwrap_or_default()
}

fn check(go_on: GoOn) -> Result<(), Error> {
    if go_on() {
        Ok(())
    } else {
        Err(Error::Interrupted)
    }
}
