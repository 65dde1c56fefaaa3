//! How far knots stay apart, and the knot grid of R `earth`: which values may be knots under a parent.

use super::Options;
use super::data::Variable;
use super::grid::Segments;

/// Rows between knots, or at each end without one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Span {
    /// Chosen from the rows and columns at a risk of 5 % (Friedman 1991, eq. 43 and 45).
    Auto,
    /// So many rows.
    Rows(usize),
    /// As far apart as this many knots over all rows are; not for the ends.
    Knots(usize),
    /// Chosen as `Auto` does, at this risk between 0 and 1 of a knot that follows a run of noise.
    Alpha(f64),
}

/// Rows to keep clear of knots, counted from the top.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spans {
    pub(super) minspan: usize,
    pub(super) endspan: usize,
    /// Rows of the parent above the first knot, where R `earth` counts.
    pub(super) start: usize,
}

/// Rows that a term of some degree has to place knots in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// All rows.
    pub(super) n: usize,
    /// Rows where the parent is positive.
    pub(super) n_on: usize,
    /// Columns.
    pub(super) p: usize,
    /// Degree of the new term.
    pub(super) degree: usize,
}

impl Spans {
    pub(super) fn new(options: &Options, room: Room) -> Self {
        let endspan = end_zone(options, room);
        if let Span::Knots(count) = options.minspan {
            let minspan = room.n.div_ceil(count.saturating_add(1)).max(1);
            let start = endspan.div_ceil(minspan).max(1) * minspan;
            return Spans {
                minspan,
                endspan,
                start: (start - 1).max(1),
            };
        }
        let minspan = between(options.minspan, room).max(1);
        let free = room.n.saturating_sub(2 * endspan);
        let lead = if free <= minspan {
            free / 2
        } else if free % minspan == 0 {
            minspan / 2
        } else {
            free % minspan / 2
        };
        Spans {
            minspan,
            endspan,
            start: (endspan + lead).max(1),
        }
    }
}

/// The constants are those of R `earth`, which rounds them: a few sizes of data depend on that.
fn between(span: Span, room: Room) -> usize {
    let trials = ((room.p * room.n_on) as f64).max(1.0).ln();
    let run = match span {
        Span::Rows(rows) => return rows,
        Span::Alpha(alpha) => (trials - (-(-alpha).ln_1p()).ln()) / (2.5 * std::f64::consts::LN_2),
        Span::Auto | Span::Knots(_) => (2.9702 + trials) / 1.7329,
    };
    run as usize
}

/// Longer for interactions, as products of hinges at the rim have few rows to hold them; short
/// enough to leave room for a knot.
fn end_zone(options: &Options, room: Room) -> usize {
    let p = room.p as f64;
    let end = match options.endspan {
        Span::Rows(rows) => rows,
        Span::Alpha(alpha) => (3.0 - (alpha / p).log2()) as usize,
        Span::Auto | Span::Knots(_) => (7.32193 + p.log2()) as usize,
    };
    let more = if room.degree >= 2 {
        (options.adjust_endspan * end as f64 + 0.5) as usize
    } else {
        0
    };
    let most = (room.n / 2).saturating_sub(1);
    end.saturating_add(more).min(most).max(1)
}

/// Walk down the sorted variable and place knots by counting rows where a parent is positive; for one
/// parent or for two that are never both other than zero, so that the segments serve both.
///
/// The first knot comes after `start` such rows, the next after every `minspan`, each at the value of
/// the row below, be the parent zero there or not. At least `endspan` rows lie below the row of a
/// knot. A row counts only once the hinge is not constant, that is, when it or a row above it
/// with a parent that is not zero lies above the value below; with `weighted` it always counts.
/// `marks` are those of [`mark`].
pub(super) fn grids(
    variable: &Variable,
    marks: &[u8],
    spans: &[Spans],
    weighted: bool,
) -> (Vec<Vec<f64>>, Segments) {
    let n = variable.order.len();
    let least = spans.iter().map(|spans| spans.minspan).min().unwrap_or(1);
    let mut segment = Segments::zeros(n, n / least + 1);
    let mut grids: Vec<Growing> = spans
        .iter()
        .map(|&spans| Growing {
            knots: Vec::new(),
            top: weighted.then_some(f64::INFINITY),
            left: spans.start,
            spans,
        })
        .collect();
    let rows = variable.order.iter().zip(&variable.falling);
    let mut below = variable.falling.iter().skip(1);
    for (position, (&row, &value)) in rows.enumerate() {
        let mark = marks[row as usize];
        let grid = &mut grids[usize::from(mark & SECOND != 0)];
        segment.set(row as usize, grid.knots.len());
        let Some(&knot) = below.next() else {
            break;
        };
        if mark == ZERO {
            continue;
        }
        let top = *grid.top.get_or_insert(value);
        if mark & POSITIVE == 0 || knot >= top {
            continue;
        }
        grid.left -= 1;
        if grid.left > 0 {
            continue;
        }
        grid.left = grid.spans.minspan;
        // Equal values give one knot, but the count to the next one runs on.
        if n - position - 2 >= grid.spans.endspan && grid.knots.last() != Some(&knot) {
            grid.knots.push(knot);
        }
    }
    (grids.into_iter().map(|grid| grid.knots).collect(), segment)
}

const ZERO: u8 = 0;
const NEGATIVE: u8 = 1;
const POSITIVE: u8 = 2;
/// Added where the second parent is the one that is not zero.
const SECOND: u8 = 4;

/// What the knots depend on in one row.
pub(super) fn mark(first: f64, second: f64) -> u8 {
    let sign = |value: f64| if value > 0.0 { POSITIVE } else { NEGATIVE };
    if second != 0.0 {
        SECOND | sign(second)
    } else if first != 0.0 {
        sign(first)
    } else {
        ZERO
    }
}

/// The knots of one parent so far.
struct Growing {
    knots: Vec<f64>,
    /// The largest value where the parent is not zero, once it is met.
    top: Option<f64>,
    /// Rows to the next knot.
    left: usize,
    spans: Spans,
}
