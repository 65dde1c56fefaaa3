//! Parents that are searched together.
//!
//! The two hinges of a pair are never both positive in a row, so one walk over the rows serves both: each
//! row belongs to one side, and the sides have disjoint parts of one table.

use std::sync::Arc;

use super::data::{Prepared, Variable};
use super::grid::{Segments, supported};
use super::knots::{self, Spans};
use super::orthogonal::Frame;
use super::search::{Pair, Rules, Side, Sums, View, add, products};
use super::workers::{self, Workers};
use crate::error::Error;

/// Below this share of rows a list of them is shorter than walking past zeros.
const SPARSE: f64 = 0.6;
/// Parts of all rows that have tables of their own.
const PARTS: usize = 16;
/// Rows whose values stay in the cache while all groups and variables read them.
const CACHED_ROWS: usize = 4096;
/// Rows times blocks of one part of the work, after which a fit can be ended: some 50 ms.
const VISITS: usize = 1 << 25;

/// Values of one parent or of two that are never both positive, times sqrt(weight).
pub(super) struct Values {
    /// The rows that count; None: all.
    rows: Option<Vec<u32>>,
    weighted: Vec<f64>,
    /// Which parent an entry belongs to; empty for one parent.
    side: Vec<u8>,
}

impl Values {
    pub(super) fn new(columns: &[&[f64]]) -> Self {
        let n = columns[0].len();
        let value = |i: usize| columns.iter().map(|c| c[i]).sum::<f64>();
        let counts = (0..n).filter(|&i| value(i) != 0.0).count();
        let rows: Option<Vec<u32>> = ((counts as f64) < SPARSE * n as f64).then(|| {
            (0..n as u32)
                .filter(|&i| value(i as usize) != 0.0)
                .collect()
        });
        let all = |i: usize| rows.as_ref().map_or(i, |rows| rows[i] as usize);
        let length = rows.as_ref().map_or(n, Vec::len);
        let side = match columns {
            [_, second] => (0..length)
                .map(|k| u8::from(second[all(k)] != 0.0))
                .collect(),
            _ => Vec::new(),
        };
        Values {
            weighted: (0..length).map(|k| value(all(k))).collect(),
            side,
            rows,
        }
    }

    pub(super) fn n_sides(&self) -> usize {
        if self.side.is_empty() { 1 } else { 2 }
    }

    /// Values of one side in all `n` rows.
    pub(super) fn column(&self, side: usize, n: usize) -> Vec<f64> {
        let mut column = vec![0.0; n];
        for (k, &value) in self.weighted.iter().enumerate() {
            let row = self.rows.as_ref().map_or(k, |rows| rows[k] as usize);
            if self.side.is_empty() || usize::from(self.side[k]) == side {
                column[row] = value;
            }
        }
        column
    }

    /// Add p q and p q x of the rows `part` to the sums of their segments and sides; `q` begins with
    /// the first of these rows.
    pub(super) fn sums(
        &self,
        part: (usize, usize),
        variable: &Variable,
        q: &[[f64; 2]],
        segment: &Segments,
        table: &mut [Sums],
    ) {
        let centre = variable.centre;
        self.visit(part, &variable.values, q, segment, |at, p, x, q| {
            add(&mut table[at], p, x - centre, q);
        });
    }

    /// Call `each(place, value, x, q)` for the rows `part`, with the place of segment and side in a
    /// table.
    #[inline(always)]
    pub(super) fn visit<Q>(
        &self,
        part: (usize, usize),
        x: &[f64],
        q: &[Q],
        segment: &Segments,
        each: impl FnMut(usize, f64, f64, &Q),
    ) {
        match segment {
            Segments::Tiny(all) => self.walk(part, x, q, all, |s| usize::from(*s), each),
            Segments::Narrow(all) => self.walk(part, x, q, all, |s| usize::from(*s), each),
            Segments::Wide(all) => self.walk(part, x, q, all, |s| *s as usize, each),
        }
    }

    #[inline(always)]
    fn walk<Q, S>(
        &self,
        (from, to): (usize, usize),
        x: &[f64],
        q: &[Q],
        segment: &[S],
        index: impl Fn(&S) -> usize,
        mut each: impl FnMut(usize, f64, f64, &Q),
    ) {
        let Some(rows) = &self.rows else {
            let rows = self.weighted[from..to].iter().zip(&x[from..to]);
            let rows = rows.zip(q).zip(&segment[from..to]);
            if self.side.is_empty() {
                for (((&p, &x), q), s) in rows {
                    each(index(s), p, x, q);
                }
            } else {
                for ((((&p, &x), q), s), &side) in rows.zip(&self.side[from..to]) {
                    each(2 * index(s) + usize::from(side), p, x, q);
                }
            }
            return;
        };
        let start = rows.partition_point(|&row| (row as usize) < from);
        let end = rows.partition_point(|&row| (row as usize) < to);
        let rows = rows[start..end].iter().zip(&self.weighted[start..end]);
        if self.side.is_empty() {
            for (&row, &p) in rows {
                let row = row as usize;
                each(index(&segment[row]), p, x[row], &q[row - from]);
            }
        } else {
            for ((&row, &p), &side) in rows.zip(&self.side[start..end]) {
                let row = row as usize;
                let place = 2 * index(&segment[row]) + usize::from(side);
                each(place, p, x[row], &q[row - from]);
            }
        }
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
    segment: Option<Segments>,
    pub(super) sides: Vec<Side>,
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
        let values = Values::new(columns);
        let starts = frame.starts();
        let blocks = workers.map(variables.len(), |k| {
            let variable = &prepared.variables[variables[k]];
            let (knots, segment) = match grids {
                Grids::Own { weighted } if !variable.order.is_empty() => {
                    let (knots, segment) = knots::grids(variable, columns, spans, weighted);
                    (knots.into_iter().map(Arc::new).collect(), Some(segment))
                }
                _ => (vec![variable.knots.clone(); columns.len()], None),
            };
            let view = View {
                values: &values,
                variable,
                segment: segment.as_ref().unwrap_or(&variable.segment),
            };
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

/// Account for all columns of the frame, in all groups; `is_binned` when all tables fit in the cache.
///
/// `alive` is asked between parts of the work whether to go on.
pub(super) fn refresh(
    groups: &mut [&mut Group],
    is_binned: bool,
    (prepared, frame, workers): (&Prepared, &Frame, &Workers),
    alive: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<(), Error> {
    let behind = |groups: &[&mut Group]| groups.iter().map(|group| group.seen).min();
    while let Some(k) = behind(groups).filter(|&k| k < frame.len()) {
        let mut due: Vec<&mut Group> = groups
            .iter_mut()
            .filter(|group| group.seen == k)
            .map(|group| &mut **group)
            .collect();
        if is_binned {
            alive()?;
            refresh_binned(&mut due, k, (prepared, frame, workers));
        } else {
            let pair = Pair::of(frame, k);
            let mut blocks: Vec<_> = due
                .iter_mut()
                .flat_map(|group| {
                    let (values, is_past) = (&group.values, k < group.born);
                    let blocks = group.blocks.iter_mut();
                    blocks.map(move |block| (values, is_past, block))
                })
                .collect();
            for part in blocks.chunks_mut(VISITS.div_ceil(prepared.n())) {
                alive()?;
                workers.each(part, |(values, is_past, block)| {
                    let variable = &prepared.variables[block.variable];
                    let view = View {
                        values,
                        variable,
                        segment: block.segment.as_ref().unwrap_or(&variable.segment),
                    };
                    Side::refresh(&mut block.sides, &view, &pair, *is_past);
                });
            }
        }
        for group in due {
            group.seen = frame.len().min(k + 2);
        }
    }
    Ok(())
}

/// Find the best candidate of every side; `rules` tells what holds for a parent and a variable.
pub(super) fn search(
    groups: &mut [&mut Group],
    rules: &(dyn Fn(usize, usize) -> Rules + Sync),
    workers: &Workers,
) {
    let mut blocks: Vec<_> = groups
        .iter_mut()
        .flat_map(|group| {
            let parents = &group.parents;
            group.blocks.iter_mut().map(move |block| (parents, block))
        })
        .collect();
    workers.each(&mut blocks, |(parents, block)| {
        for (side, &parent) in block.sides.iter_mut().zip(*parents) {
            side.search(rules(parent, block.variable));
        }
    });
}

/// Account for two columns where all tables fit in the cache: rows in parts, so that one reading of
/// them serves all groups and variables. The sums of the parts are added in their order.
fn refresh_binned(
    groups: &mut [&mut Group],
    k: usize,
    (prepared, frame, workers): (&Prepared, &Frame, &Workers),
) {
    let mut size = 0;
    let places: Vec<Vec<(usize, usize)>> = groups
        .iter()
        .map(|group| {
            let place = |block: &Block| {
                let own = Side::n_segments(&block.sides) * block.sides.len();
                size += own;
                (size - own, size)
            };
            group.blocks.iter().map(place).collect()
        })
        .collect();
    let n = prepared.n();
    let most = n.div_ceil(PARTS).max(workers::ROWS);
    let mut tables = workers.map(n.div_ceil(most), |part| {
        let mut table: Vec<Sums> = vec![[[0.0; 2]; 2]; size];
        let end = n.min((part + 1) * most);
        for from in (part * most..end).step_by(CACHED_ROWS) {
            let to = end.min(from + CACHED_ROWS);
            let q = frame.pair(k, from, to);
            for (group, places) in groups.iter().zip(&places) {
                for (block, &(start, stop)) in group.blocks.iter().zip(places) {
                    let variable = &prepared.variables[block.variable];
                    let segment = block.segment.as_ref().unwrap_or(&variable.segment);
                    let own = &mut table[start..stop];
                    group.values.sums((from, to), variable, &q, segment, own);
                }
            }
        }
        table
    });
    let Some((total, others)) = tables.split_first_mut() else {
        return;
    };
    for table in others {
        let more = table.as_flattened().as_flattened();
        for (sum, more) in total
            .as_flattened_mut()
            .as_flattened_mut()
            .iter_mut()
            .zip(more)
        {
            *sum += more;
        }
    }
    let z = products(frame, k);
    for (group, places) in groups.iter_mut().zip(&places) {
        let z = if k < group.born { &[][..] } else { &z };
        for (block, &(start, stop)) in group.blocks.iter_mut().zip(places) {
            let centre = prepared.variables[block.variable].centre;
            Side::absorb(&mut block.sides, &mut total[start..stop], centre, z);
        }
    }
}
