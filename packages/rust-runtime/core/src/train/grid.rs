//! Where knots may lie, and between which of them each row lies.
//!
//! By default each variable has one grid for all parents: segments are told once, and a parent takes
//! those knots that its own rows support. Borders lie between different values, so neither the order
//! of rows nor that of columns matters. `knots` has the grids of R `earth`, one per parent.

use super::knots::Spans;

/// Most knots of a variable that the exact search looks at; R `earth` has 90 000 for a million rows.
const MOST_KNOTS: usize = 16_384;
/// Rows that tell where the quantiles lie, when bins are asked for.
const SAMPLE: usize = 1 << 16;

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

impl Grid {
    /// The mean of the values of each segment; 0 where there are none.
    pub(super) fn means(&self, values: &[f64], repeats: &[f64]) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); self.knots.len() + 1];
        for (row, x) in values.iter().enumerate() {
            let (sum, count) = &mut sums[self.segment.get(row)];
            let times = repeats.get(row).copied().unwrap_or(1.0);
            *sum += times * x;
            *count += times;
        }
        let mean = |(sum, count): (f64, f64)| if count > 0.0 { sum / count } else { 0.0 };
        sums.into_iter().map(mean).collect()
    }
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

    pub(super) fn get(&self, row: usize) -> usize {
        match self {
            Segments::Tiny(all) => usize::from(all[row]),
            Segments::Narrow(all) => usize::from(all[row]),
            Segments::Wide(all) => all[row] as usize,
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
pub(super) fn exact(values: &[f64], spans: Spans, repeats: &[f64]) -> Grid {
    shared(values, spans, MOST_KNOTS, repeats)
}

/// At most `bins` - 1 knots at quantiles; of many rows, every k-th tells where these lie.
pub(super) fn binned(values: &[f64], spans: Spans, bins: usize, repeats: &[f64]) -> Grid {
    let every = values.len().div_ceil(SAMPLE);
    if every == 1 {
        return shared(values, spans, bins - 1, repeats);
    }
    let sample: Vec<f64> = values.iter().copied().step_by(every).collect();
    let repeats: Vec<f64> = repeats.iter().copied().step_by(every).collect();
    let spans = Spans {
        minspan: spans.minspan.div_ceil(every),
        endspan: spans.endspan.div_ceil(every),
        ..spans
    };
    between(values, shared(&sample, spans, bins - 1, &repeats).knots)
}

/// The grid of given knots, from the top.
///
/// Cells of equal width tell where to begin to look.
pub(super) fn between(values: &[f64], knots: Vec<f64>) -> Grid {
    const CELLS: usize = 2048;
    let mut segment = Segments::zeros(values.len(), knots.len());
    let (Some(&top), Some(&bottom)) = (knots.first(), knots.last()) else {
        return Grid { knots, segment };
    };
    let per_unit = CELLS as f64 / (top - bottom).max(f64::MIN_POSITIVE);
    // Added to this, a number from 0 to CELLS stands in the last bits, rounded; a cast would cost more.
    const LAST_BITS: f64 = (1_u64 << 52) as f64;
    let cell = |x: f64| {
        let at = ((top - x) * per_unit).max(0.0).min(CELLS as f64);
        (at + LAST_BITS).to_bits() as usize & (2 * CELLS - 1)
    };
    // Knots in the cells before, which lie above all values of a cell; and in the cell.
    let mut found = vec![(0_u32, 0_u32); CELLS + 1];
    for &knot in &knots {
        found[cell(knot)].1 += 1;
    }
    let mut before = 0;
    for cell in &mut found {
        cell.0 = before;
        before += cell.1;
    }
    match &mut segment {
        Segments::Tiny(all) => find(values, &knots, cell, &found, all, |s| s as u8),
        Segments::Narrow(all) => find(values, &knots, cell, &found, all, |s| s as u16),
        Segments::Wide(all) => find(values, &knots, cell, &found, all, |s| s),
    }
    Grid { knots, segment }
}

/// The segment of every value, by the cell it lies in.
fn find<S>(
    values: &[f64],
    knots: &[f64],
    cell: impl Fn(f64) -> usize,
    found: &[(u32, u32)],
    segments: &mut [S],
    narrow: impl Fn(u32) -> S,
) {
    const BLOCK: usize = 256;
    let mut cells = [0_u16; BLOCK];
    for (segments, values) in segments.chunks_mut(BLOCK).zip(values.chunks(BLOCK)) {
        for (at, &x) in cells.iter_mut().zip(values) {
            *at = cell(x) as u16;
        }
        for ((segment, &x), &at) in segments.iter_mut().zip(values).zip(&cells) {
            let (before, within) = found[usize::from(at)];
            let first = before as usize;
            let above = match within {
                // Most cells: no guess which of the two it is.
                0 | 1 => u32::from((within == 1) & (knots[first.min(knots.len() - 1)] >= x)),
                _ => {
                    knots[first..first + within as usize].partition_point(|&knot| knot >= x) as u32
                }
            };
            *segment = narrow(before + above);
        }
    }
}

/// `repeats` tells how often each row counts; empty: once.
fn shared(values: &[f64], spans: Spans, most_knots: usize, repeats: &[f64]) -> Grid {
    let order = falling(values);
    let times = |row: usize| repeats.get(row).map_or(1, |times| *times as usize);
    let n: usize = order.iter().map(|&row| times(row as usize)).sum();
    let wanted = Counter::new(n, spans, n.div_ceil(most_knots));
    let mut grid = Grid {
        knots: Vec::new(),
        segment: Segments::zeros(order.len(), order.len().min(n / wanted.step + 1)),
    };
    let mut next = wanted.first;
    let mut above = 0;
    for pair in order.windows(2) {
        let (row, below) = (pair[0] as usize, pair[1] as usize);
        grid.segment.set(row, grid.knots.len());
        above += times(row);
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
///
/// Keys have the leading digits of a value and, in the place of the last ones, the row. They are
/// sorted by those digits first (least significant digit first, Knuth 1998, 5.2.5), and where these
/// are alike, by the values.
pub(super) fn falling(values: &[f64]) -> Vec<u32> {
    let row_bits = usize::BITS - values.len().leading_zeros();
    let row_mask = (1_u64 << row_bits) - 1;
    let row = |key: u64| (key & row_mask) as u32;
    let mut keys: Vec<u64> = values
        .iter()
        .zip(0_u64..)
        .map(|(&value, row)| (rank(value) & !row_mask) | row)
        .collect();
    let shift = sort_by_leading_digits(&mut keys).max(row_bits);
    keys.chunk_by_mut(|a, b| a >> shift == b >> shift)
        .filter(|alike| alike.len() > 1)
        .for_each(|alike| {
            alike.sort_unstable_by_key(|&key| (rank(values[row(key) as usize]), key));
        });
    keys.into_iter().map(row).collect()
}

/// Sort by the leading digits in which keys differ; returns how many bits behind them were not
/// looked at.
fn sort_by_leading_digits(keys: &mut Vec<u64>) -> u32 {
    const DIGIT: u32 = 11;
    let first = keys.first().copied().unwrap_or(0);
    let differing = keys.iter().fold(0, |bits, key| bits | (key ^ first));
    let digits = if keys.len() < 1 << 15 { 2 } else { 3 };
    let end = u64::BITS - differing.leading_zeros();
    let begin = end.saturating_sub(digits * DIGIT);
    let mut sorted = vec![0; keys.len()];
    for shift in (0..digits).map(|digit| begin + digit * DIGIT) {
        let digit = |key: u64| (key.checked_shr(shift).unwrap_or(0) & ((1 << DIGIT) - 1)) as usize;
        let mut places = vec![0; 1 << DIGIT];
        for &key in &*keys {
            places[digit(key)] += 1;
        }
        let mut next = 0;
        for place in &mut places {
            next += std::mem::replace(place, next);
        }
        for &key in &*keys {
            let place = &mut places[digit(key)];
            sorted[*place] = key;
            *place += 1;
        }
        std::mem::swap(keys, &mut sorted);
    }
    begin
}

/// A number that falls as the value rises.
fn rank(value: f64) -> u64 {
    const SIGN: u64 = 1 << 63;
    // 0 - x makes one zero of both, so that they tie.
    let bits = (0.0 - value).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
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

#[cfg(test)]
mod tests {
    use super::falling;

    /// Numbers of all kinds, drawn by xorshift (Marsaglia 2003).
    fn numbers(n: usize, steps: f64) -> Vec<f64> {
        let mut state = 88_172_645_463_325_252_u64;
        (0..n)
            .map(|row| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let share = (state >> 11) as f64 / (1_u64 << 53) as f64;
                match row % 7 {
                    0 => -(share * steps).floor(),
                    1 => 1e300 * share,
                    2 => f64::from_bits(state & 0xff),
                    3 => 1.0 + f64::EPSILON * (share * 9.0).floor(),
                    _ => (share * steps).floor() / steps,
                }
            })
            .collect()
    }

    #[test]
    fn rows_fall_by_value_and_ties_keep_their_order() {
        for n in [1, 2, 3, 255, 5_000, 40_000] {
            for steps in [1.0, 50.0, 1e15] {
                let values = numbers(n, steps);
                let mut expected: Vec<u32> = (0..n as u32).collect();
                expected.sort_by(|&a, &b| {
                    let falls = values[b as usize].partial_cmp(&values[a as usize]);
                    falls.expect("no value is NaN")
                });
                assert_eq!(falling(&values), expected, "{n} rows, {steps} steps");
            }
        }
    }
}
