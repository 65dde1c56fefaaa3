//! Where knots may lie, and between which of them each row lies.
//!
//! By default each variable has one grid for all parents: segments are told once, and a parent takes
//! those knots that its own rows support. Borders lie between different values, so neither the order
//! of rows nor that of columns matters. `knots` has the grids of R `earth`, one per parent.

use super::knots::Spans;

/// Most knots of a variable that the exact search looks at; R `earth` has 90 000 for a million rows.
const MOST_KNOTS: usize = 16_384;
/// Rows that tell where the quantiles lie, when bins are asked for.
const SAMPLE: usize = 1 << 17;

/// Knots from the top and the segment of every row.
///
/// A row in segment `s` lies above knots `s, s + 1, ...` and not above `s - 1`; rows at or below the last
/// knot are in segment `knots.len()`. A row that equals a knot may count on either side, as its
/// hinge is zero there.
#[derive(Debug, Clone, Default)]
pub(super) struct Grid {
    pub(super) knots: Vec<f64>,
    pub(super) segment: Segments,
}

/// Segment numbers, as narrow as they fit.
#[derive(Debug, Clone)]
pub(super) enum Segments {
    Tiny(Vec<u8>),
    Narrow(Vec<u16>),
    Wide(Vec<u32>),
}

impl Default for Segments {
    fn default() -> Self {
        Segments::Tiny(Vec::new())
    }
}

impl Segments {
    /// Room for `n` rows and numbers up to `most`.
    pub(super) fn zeros(n: usize, most: usize) -> Self {
        if most <= usize::from(u8::MAX) {
            Segments::Tiny(vec![0; n])
        } else if most <= usize::from(u16::MAX) {
            Segments::Narrow(vec![0; n])
        } else {
            Segments::Wide(vec![0; n])
        }
    }

    pub(super) fn set(&mut self, row: usize, segment: usize) {
        match self {
            Segments::Tiny(all) => all[row] = segment as u8,
            Segments::Narrow(all) => all[row] = segment as u16,
            Segments::Wide(all) => all[row] = segment as u32,
        }
    }
}

/// The grid of a variable for all parents.
///
/// With e the end zone, the first knot comes after e + ceil(((n - 2e - 1) mod minspan) / 2) rows and the
/// next after every minspan, always at the next lower value. Without room for two end zones there
/// is one knot, in the middle.
pub(super) fn exact(values: &[f64], spans: Spans) -> Grid {
    shared(values, spans, MOST_KNOTS)
}

/// At most `bins` - 1 knots at quantiles; of many rows, every k-th tells where these lie.
pub(super) fn binned(values: &[f64], spans: Spans, bins: usize) -> Grid {
    let every = values.len().div_ceil(SAMPLE);
    if every == 1 {
        return shared(values, spans, bins - 1);
    }
    let sample: Vec<f64> = values.iter().copied().step_by(every).collect();
    let spans = Spans {
        minspan: spans.minspan.div_ceil(every),
        endspan: spans.endspan.div_ceil(every),
        ..spans
    };
    let knots = shared(&sample, spans, bins - 1).knots;
    let mut segment = Segments::zeros(values.len(), knots.len());
    for (row, x) in values.iter().enumerate() {
        segment.set(row, knots.partition_point(|knot| knot >= x));
    }
    Grid { knots, segment }
}

fn shared(values: &[f64], spans: Spans, most_knots: usize) -> Grid {
    let order = falling(values);
    let n = order.len();
    let wanted = Counter::new(n, spans, n.div_ceil(most_knots));
    let mut grid = Grid {
        knots: Vec::new(),
        segment: Segments::zeros(n, n / wanted.step + 1),
    };
    let mut next = wanted.first;
    for (position, pair) in order.windows(2).enumerate() {
        let (row, below) = (pair[0] as usize, pair[1] as usize);
        grid.segment.set(row, grid.knots.len());
        let above = position + 1;
        let is_border = values[row] != values[below];
        if is_border && above >= next && n - above >= wanted.end {
            grid.knots.push(values[below]);
            next = above.saturating_add(wanted.step);
        }
    }
    if let Some(&last) = order.last() {
        grid.segment.set(last as usize, grid.knots.len());
    }
    grid
}

/// Knots of a shared grid that a parent takes; `on[s]` counts its rows in segment s.
pub(super) fn supported(on: &[u32], spans: Spans) -> Vec<u32> {
    let n_on: usize = on.iter().map(|&count| count as usize).sum();
    let wanted = Counter::new(n_on, spans, 1);
    let (mut above, mut next) = (0, wanted.first);
    let mut taken = Vec::new();
    for (s, &count) in on.iter().enumerate().take(on.len().saturating_sub(1)) {
        above += count as usize;
        if count > 0 && above >= next && n_on - above >= wanted.end {
            taken.push(s as u32);
            next = above.saturating_add(wanted.step);
        }
    }
    taken
}

/// Rows by falling value, ties by row.
pub(super) fn falling(values: &[f64]) -> Vec<u32> {
    // 0 - x makes one zero of both, so that they tie.
    let mut pairs: Vec<(f64, u32)> = values.iter().map(|x| 0.0 - x).zip(0..).collect();
    radsort::sort_by_key(&mut pairs, |pair| pair.0);
    pairs.into_iter().map(|(_, row)| row).collect()
}

/// Which counts of rows from the top are knots.
struct Counter {
    first: usize,
    step: usize,
    /// Rows that must be left at or below a knot.
    end: usize,
}

impl Counter {
    fn new(n: usize, spans: Spans, least_step: usize) -> Self {
        let step = spans.minspan.max(least_step).max(1);
        let end = spans.endspan;
        match n.checked_sub(end.saturating_mul(2).saturating_add(1)) {
            Some(free) => Counter {
                first: (end + (free % step).div_ceil(2)).max(1),
                step,
                end,
            },
            None => Counter {
                first: (n / 2).max(1),
                step: n.max(1),
                end: 0,
            },
        }
    }
}
