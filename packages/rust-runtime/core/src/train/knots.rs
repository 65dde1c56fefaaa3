//! The knot grid of R `earth`: which values of a variable may be knots under a parent.

use super::data::Variable;
use super::grid::{Grid, Segments};

/// Rows to keep clear of knots.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spans {
    pub(super) minspan: usize,
    pub(super) endspan: usize,
}

/// R `earth` triples the end zone for interactions (`Adjust.endspan` 2), since products of
/// hinges at the rim of the data have few rows to hold them.
const INTERACTION_ENDSPAN: usize = 3;

impl Spans {
    /// Friedman (1991) eq. 43 and 45 with alpha = 0.05, as R `earth` rounds them.
    ///
    /// `n_on` counts the rows where the parent is not zero.
    pub(super) fn new(
        minspan: Option<usize>,
        endspan: Option<usize>,
        p: usize,
        n_on: usize,
        parent_is_intercept: bool,
    ) -> Self {
        let p = p as f64;
        let automatic_min = || {
            let run = -(-(0.95_f64.ln()) / (p * n_on.max(1) as f64)).log2() / 2.5;
            run.floor().max(1.0) as usize
        };
        let automatic_end = || (3.0 - (0.05 / p).log2()).floor().max(1.0) as usize;
        let end = endspan.unwrap_or_else(automatic_end);
        Spans {
            minspan: minspan.unwrap_or_else(automatic_min),
            endspan: if parent_is_intercept {
                end
            } else {
                end.saturating_mul(INTERACTION_ENDSPAN)
            },
        }
    }
}

/// Walk down the sorted variable and place knots by counting rows of the parent.
///
/// With e the end zone and n all rows, the first knot comes after e + ceil(((n - 2e - 1) mod
/// minspan) / 2) rows of the parent and the next every minspan rows; the knot is the next lower
/// value. Rows that share the largest value count as one, as no hinge can part them. At least e
/// rows lie at or below a knot. When the end zones leave no room there is one knot in the middle.
pub(super) fn grid(variable: &Variable, on: &[bool], spans: Spans) -> Grid {
    let n = on.len();
    let (e, step) = (spans.endspan, spans.minspan);
    let top = on_rows_at_the_top(variable, on);
    let (first, end) = match n.checked_sub(e.saturating_mul(2).saturating_add(1)) {
        Some(free) => (e + (free % step).div_ceil(2), e),
        None => (on.iter().filter(|&&on| on).count() / 2, 0),
    };
    let mut knots: Vec<f64> = Vec::new();
    let mut segment = Segments::zeros(n, n / step.max(1) + 1);
    let mut above = 0;
    let mut next = first.max(1) + top.saturating_sub(1);
    for (position, &row) in variable.order.iter().enumerate() {
        let row = row as usize;
        segment.set(row, knots.len());
        above += usize::from(on[row]);
        if !on[row] || above != next || n - position <= end {
            continue;
        }
        // Without room for two end zones there is one knot, so no next one.
        next += if end == 0 && spans.endspan > 0 {
            n
        } else {
            step
        };
        let Some(&below) = variable.order.get(position + 1) else {
            break;
        };
        let knot = variable.values[below as usize];
        // Equal values give one knot, but the count to the next one runs on.
        if knots.last() != Some(&knot) {
            knots.push(knot);
        }
    }
    Grid { knots, segment }
}

/// Rows of the parent that share its largest value of the variable.
fn on_rows_at_the_top(variable: &Variable, on: &[bool]) -> usize {
    let mut rows = variable
        .order
        .iter()
        .map(|&row| row as usize)
        .filter(|&row| on[row])
        .peekable();
    let Some(&first) = rows.peek() else { return 0 };
    rows.take_while(|&row| variable.values[row] == variable.values[first])
        .count()
}
