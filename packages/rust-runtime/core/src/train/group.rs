//! Parents that are searched together.
//!
//! The two hinges of a pair are never both positive in a row, so one walk over the rows serves both: each
//! row belongs to one side, and the sides have disjoint parts of one table.

use std::ops::Range;
use std::sync::Arc;

use mars_earth_dispatch::{Work, dispatch};

use super::data::{Prepared, Variable};
use super::grid::{Segments, supported};
use super::knots::{self, Spans};
use super::orthogonal::Frame;
use super::search::{Rules, Side, Sums, View};
use super::workers::Workers;
use crate::error::Error;

/// Below this share of rows a list of them is shorter than walking past zeros.
const SPARSE: f64 = 0.6;

/// Values of one parent or of two that are never both positive, times sqrt(weight).
pub(super) struct Values {
    /// The rows that count; None: all.
    rows: Option<Vec<u32>>,
    weighted: Vec<f64>,
    /// Which parent an entry belongs to; empty for one parent.
    side: Vec<u8>,
    /// How often the row of an entry counts, 0 where the entry is zero; empty: once.
    repeats: Vec<f64>,
}

impl Values {
    /// Of the columns of one parent or two, in parts of rows.
    pub(super) fn new(columns: &[&[f64]], repeats: &[f64], workers: &Workers) -> Self {
        let (first, second) = (columns[0], columns.get(1));
        let n = first.len();
        let value = |i: usize| first[i] + second.map_or(0.0, |second| second[i]);
        let parts: Vec<(usize, usize)> = Workers::parts(n).collect();
        let mut lengths = workers.map(parts.len(), |part| {
            let (from, to) = parts[part];
            (from..to).filter(|&i| value(i) != 0.0).count()
        });
        let listed = (lengths.iter().sum::<usize>() as f64) < SPARSE * n as f64;
        if !listed {
            lengths = parts.iter().map(|(from, to)| to - from).collect();
        }
        let all: usize = lengths.iter().sum();
        let length = |is_there: bool| if is_there { all } else { 0 };
        let mut rows = vec![0; length(listed)];
        let mut weighted = vec![0.0; all];
        let mut side = vec![0; length(second.is_some())];
        let mut times = vec![0.0; length(!repeats.is_empty())];
        let mut rest = (
            &mut rows[..],
            &mut weighted[..],
            &mut side[..],
            &mut times[..],
        );
        let each = parts.into_iter().zip(lengths);
        let mut pieces: Vec<_> = each
            .map(|(part, length)| {
                let own = (
                    first_of(&mut rest.0, length),
                    first_of(&mut rest.1, length),
                    first_of(&mut rest.2, length),
                    first_of(&mut rest.3, length),
                );
                (part, own)
            })
            .collect();
        workers.each(
            &mut pieces,
            |((from, to), (rows, weighted, side, times))| {
                let entries = (*from..*to).filter(|&i| !listed || value(i) != 0.0);
                for (k, i) in entries.enumerate() {
                    let value = value(i);
                    weighted[k] = value;
                    if listed {
                        rows[k] = i as u32;
                    }
                    if let Some(second) = second {
                        side[k] = u8::from(second[i] != 0.0);
                    }
                    if !repeats.is_empty() {
                        times[k] = if value != 0.0 { repeats[i] } else { 0.0 };
                    }
                }
            },
        );
        Values {
            rows: listed.then_some(rows),
            weighted,
            side,
            repeats: times,
        }
    }

    pub(super) fn n_sides(&self) -> usize {
        if self.side.is_empty() { 1 } else { 2 }
    }

    /// Values of one side in all `n` rows.
    pub(super) fn column(&self, side: usize, n: usize, workers: &Workers) -> Vec<f64> {
        let entry = |row: usize| match &self.rows {
            Some(rows) => rows.partition_point(|&listed| (listed as usize) < row),
            None => row,
        };
        let mut column = vec![0.0; n];
        workers.fill(&mut column, |from, piece| {
            for k in entry(from)..entry(from + piece.len()) {
                let row = self.rows.as_ref().map_or(k, |rows| rows[k] as usize);
                if self.side.is_empty() || usize::from(self.side[k]) == side {
                    piece[row - from] = self.weighted[k];
                }
            }
        });
        column
    }

    /// The products of entries with one or two columns.
    fn times(&self, entries: Range<usize>, (a, b): (&[f64], Option<&[f64]>), out: &mut [[f64; 2]]) {
        let each = out.iter_mut().zip(&self.weighted[entries.clone()]);
        match (&self.rows, b) {
            (None, Some(b)) => {
                let rows = a[entries.clone()].iter().zip(&b[entries]);
                for ((out, p), (a, b)) in each.zip(rows) {
                    *out = [p * a, p * b];
                }
            }
            (None, None) => {
                for ((out, p), a) in each.zip(&a[entries]) {
                    *out = [p * a, 0.0];
                }
            }
            (Some(rows), _) => {
                for ((out, p), &row) in each.zip(&rows[entries]) {
                    let row = row as usize;
                    *out = [p * a[row], b.map_or(0.0, |b| p * b[row])];
                }
            }
        }
    }

    /// All products, in the first places of a buffer that grows as it must.
    fn all_times<'a>(
        &self,
        columns: (&[f64], Option<&[f64]>),
        buffer: &'a mut Vec<[f64; 2]>,
        workers: &Workers,
    ) -> &'a [[f64; 2]] {
        let length = self.weighted.len();
        if buffer.len() < length {
            buffer.resize(length, [0.0; 2]);
        }
        let products = &mut buffer[..length];
        workers.fill(products, |from, products| {
            self.times(from..from + products.len(), columns, products);
        });
        products
    }

    /// Add the products p q, and the same times x, to the sums of segments and sides.
    pub(super) fn sums(
        &self,
        variable: &Variable,
        products: &[[f64; 2]],
        segment: &Segments,
        table: &mut [Sums],
    ) {
        dispatch(Walk {
            values: self,
            variable,
            products,
            segment,
            table,
        });
    }

    /// Sum p^2, p^2 d, p^2 d^2 and count rows, with d the distance to the origin of the place.
    pub(super) fn squares(
        &self,
        x: &[f64],
        origins: &[f64],
        segment: &Segments,
        table: &mut [[f64; 4]],
    ) {
        let once = self.repeats.is_empty();
        self.visit(x, &self.weighted, segment, |at, x, p| {
            let (squared, d) = (p * p, x - origins[at]);
            let first = squared * d;
            let sums = &mut table[at];
            sums[0] += squared;
            sums[1] += first;
            sums[2] += first * d;
            sums[3] += f64::from(once && *p != 0.0);
        });
        if !once {
            self.visit(x, &self.repeats, segment, |at, _, times| {
                table[at][3] += times;
            });
        }
    }

    /// Call `each(place, x, item)` for entries, with the place of segment and side in a table; each
    /// entry has an item.
    #[inline(always)]
    fn visit<Q>(
        &self,
        x: &[f64],
        items: &[Q],
        segment: &Segments,
        each: impl FnMut(usize, f64, &Q),
    ) {
        match segment {
            Segments::Tiny(all) => self.walk(x, items, all, |s| usize::from(*s), each),
            Segments::Narrow(all) => self.walk(x, items, all, |s| usize::from(*s), each),
            Segments::Wide(all) => self.walk(x, items, all, |s| *s as usize, each),
        }
    }

    #[inline(always)]
    fn walk<Q, S>(
        &self,
        x: &[f64],
        items: &[Q],
        segment: &[S],
        index: impl Fn(&S) -> usize,
        mut each: impl FnMut(usize, f64, &Q),
    ) {
        let Some(rows) = &self.rows else {
            let all = x.iter().zip(items).zip(segment);
            if self.side.is_empty() {
                for ((&x, item), s) in all {
                    each(index(s), x, item);
                }
            } else {
                for (((&x, item), s), &side) in all.zip(&self.side) {
                    each(2 * index(s) + usize::from(side), x, item);
                }
            }
            return;
        };
        let all = rows.iter().zip(items);
        if self.side.is_empty() {
            for (&row, item) in all {
                let row = row as usize;
                each(index(&segment[row]), x[row], item);
            }
        } else {
            for ((&row, item), &side) in all.zip(&self.side) {
                let row = row as usize;
                let place = 2 * index(&segment[row]) + usize::from(side);
                each(place, x[row], item);
            }
        }
    }
}

/// Take the first places off a rest, as many as it has.
fn first_of<'a, T>(rest: &mut &'a mut [T], length: usize) -> &'a mut [T] {
    let whole = std::mem::take(rest);
    let (first, others) = whole.split_at_mut(length.min(whole.len()));
    *rest = others;
    first
}

/// One walk over the entries, see [`Values::sums`].
struct Walk<'a> {
    values: &'a Values,
    variable: &'a Variable,
    products: &'a [[f64; 2]],
    segment: &'a Segments,
    table: &'a mut [Sums],
}

impl Work for Walk<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let centre = self.variable.centre;
        let x = &self.variable.values;
        self.values
            .visit(x, self.products, self.segment, |at, x, [a, b]| {
                let from_centre = x - centre;
                // All four are read before one is written, so that they move as one.
                let [[a0, b0], [a1, b1]] = self.table[at];
                self.table[at] = [
                    [a0 + a, b0 + b],
                    [a1 + a * from_centre, b1 + b * from_centre],
                ];
            });
    }
}

/// Where the knots of a parent come from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Grids {
    /// From the grid of the variable.
    Shared,
    /// Counted for each parent, as R `earth` does.
    Own {
        /// Whether rows have different weights.
        weighted: bool,
    },
}

/// One variable under the parents of a group.
pub(super) struct Block {
    pub(super) variable: usize,
    /// None: the segments all parents share.
    pub(super) segment: Option<Segments>,
    pub(super) sides: Vec<Side>,
}

/// Products of columns `k` and `k + 1` with each residual as it was before them.
fn products(frame: &Frame, k: usize) -> Vec<[f64; 2]> {
    let z = frame.z.iter();
    z.map(|z| [z[k], z.get(k + 1).copied().unwrap_or(0.0)])
        .collect()
}

pub(super) struct Group {
    /// The terms, in order.
    pub(super) parents: Vec<usize>,
    pub(super) values: Values,
    pub(super) blocks: Vec<Block>,
    /// Columns of the frame whose residual the blocks began with.
    born: usize,
    /// Columns of the frame that the blocks account for.
    seen: usize,
}

impl Group {
    /// Set up the search under `parents`, with one column of values each, on `variables`.
    ///
    /// `spans` gives the spans of a side.
    pub(super) fn new(
        parents: Vec<usize>,
        columns: &[&[f64]],
        variables: &[usize],
        spans: &[Spans],
        grids: Grids,
        (prepared, frame, workers): (&Prepared, &Frame, &Workers),
    ) -> Self {
        let values = Values::new(columns, &prepared.repeats, workers);
        let marks: Vec<u8> = match (grids, columns) {
            (Grids::Shared, _) => Vec::new(),
            (_, [first, second]) => {
                let rows = first.iter().zip(*second);
                rows.map(|(&p, &q)| knots::mark(p, q)).collect()
            }
            _ => columns[0].iter().map(|&p| knots::mark(p, 0.0)).collect(),
        };
        let starts: Vec<Vec<[f64; 2]>> = (0..frame.residual.len())
            .map(|response| {
                let mut products = Vec::new();
                values.all_times(frame.start(response), &mut products, workers);
                products
            })
            .collect();
        let blocks = workers.map(variables.len(), |k| {
            let variable = &prepared.variables[variables[k]];
            let (knots, segment) = match grids {
                Grids::Own { weighted } if !variable.order.is_empty() => {
                    let (knots, segment) = knots::grids(variable, &marks, spans, weighted);
                    (knots.into_iter().map(Arc::new).collect(), Some(segment))
                }
                _ => (vec![variable.knots.clone(); columns.len()], None),
            };
            let view = View::new(&values, variable, segment.as_ref());
            let sides = Side::all(&view, &knots, &starts, |side, on| match grids {
                Grids::Own { .. } => (0..knots[side].len() as u32).collect(),
                Grids::Shared => supported(on, spans[side]),
            });
            Block {
                variable: variables[k],
                segment,
                sides,
            }
        });
        Group {
            parents,
            values,
            blocks,
            born: frame.len(),
            seen: 1,
        }
    }

    /// Whether the blocks account for the whole frame.
    pub(super) fn is_up_to_date(&self, frame: &Frame) -> bool {
        self.seen == frame.len()
    }
}

/// Account for all columns of the frame, in all groups.
///
/// `alive` is asked between parts of the work whether to go on.
pub(super) fn refresh(
    groups: &mut [&mut Group],
    (prepared, frame, workers): (&Prepared, &Frame, &Workers),
    alive: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<(), Error> {
    let mut buffer = Vec::new();
    let behind = |groups: &[&mut Group]| groups.iter().map(|group| group.seen).min();
    while let Some(k) = behind(groups).filter(|&k| k < frame.len()) {
        let z = products(frame, k);
        for group in groups.iter_mut().filter(|group| group.seen == k) {
            alive()?;
            let z = if k < group.born { &[][..] } else { &z };
            let values = &group.values;
            let products = values.all_times(frame.pair(k), &mut buffer, workers);
            workers.each(&mut group.blocks, |block| {
                let variable = &prepared.variables[block.variable];
                let view = View::new(values, variable, block.segment.as_ref());
                Side::refresh(&mut block.sides, &view, products, z);
            });
            group.seen = frame.len().min(k + 2);
        }
    }
    Ok(())
}

/// The blocks of groups, with the parents of their sides.
pub(super) fn blocks<'a>(
    groups: impl IntoIterator<Item = &'a mut Group>,
) -> Vec<(&'a [usize], &'a mut Block)> {
    let of_group = |group: &'a mut Group| {
        let parents = &group.parents[..];
        group.blocks.iter_mut().map(move |block| (parents, block))
    };
    groups.into_iter().flat_map(of_group).collect()
}

/// Find the best candidate of every side; `rules` tells what holds for a parent and a variable.
pub(super) fn search(
    mut blocks: Vec<(&[usize], &mut Block)>,
    rules: &(dyn Fn(usize, usize) -> Rules + Sync),
    workers: &Workers,
) {
    workers.each(&mut blocks, |(parents, block)| {
        for (side, &parent) in block.sides.iter_mut().zip(*parents) {
            side.search(rules(parent, block.variable));
        }
    });
}
