//! Parents that are searched together.
//!
//! The two hinges of a pair are never both positive in a row, so one walk over the rows serves both: each
//! row belongs to one side, and the sides have disjoint parts of one table.

use std::sync::Arc;

use super::data::{Kind, Prepared, Variable};
use super::grid::{Segments, supported};
use super::knots::{self, Spans};
use super::orthogonal::Frame;
use super::search::{Pair, Rules, Side, View};
use super::workers::Workers;

/// Below this share of rows a list of them is shorter than walking past zeros.
const SPARSE: f64 = 0.6;

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

    /// Call `each(place, value, x, q)` for every row, with the place of segment and side in a table.
    #[inline(always)]
    pub(super) fn visit<Q>(
        &self,
        x: &[f64],
        q: &[Q],
        segment: &Segments,
        each: impl FnMut(usize, f64, f64, &Q),
    ) {
        match segment {
            Segments::Tiny(all) => self.walk(x, q, all, |s| usize::from(*s), each),
            Segments::Narrow(all) => self.walk(x, q, all, |s| usize::from(*s), each),
            Segments::Wide(all) => self.walk(x, q, all, |s| *s as usize, each),
        }
    }

    #[inline(always)]
    fn walk<Q, S>(
        &self,
        x: &[f64],
        q: &[Q],
        segment: &[S],
        index: impl Fn(&S) -> usize,
        mut each: impl FnMut(usize, f64, f64, &Q),
    ) {
        match (&self.rows, self.side.is_empty()) {
            (None, true) => {
                let rows = self.weighted.iter().zip(x).zip(q).zip(segment);
                for (((&p, &x), q), s) in rows {
                    each(index(s), p, x, q);
                }
            }
            (None, false) => {
                let rows = self.weighted.iter().zip(x).zip(q).zip(segment);
                for ((((&p, &x), q), s), &side) in rows.zip(&self.side) {
                    each(2 * index(s) + usize::from(side), p, x, q);
                }
            }
            (Some(rows), true) => {
                for (&row, &p) in rows.iter().zip(&self.weighted) {
                    let row = row as usize;
                    each(index(&segment[row]), p, x[row], &q[row]);
                }
            }
            (Some(rows), false) => {
                for ((&row, &p), &side) in rows.iter().zip(&self.weighted).zip(&self.side) {
                    let row = row as usize;
                    let place = 2 * index(&segment[row]) + usize::from(side);
                    each(place, p, x[row], &q[row]);
                }
            }
        }
    }
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
}

impl Group {
    /// Set up the search under `parents`, with one column of values each, on `variables`.
    ///
    /// `spans` gives the spans of a side; `own_grids` has the knots counted per parent, as R does.
    pub(super) fn new(
        parents: Vec<usize>,
        columns: &[&[f64]],
        variables: &[usize],
        spans: &[Spans],
        own_grids: bool,
        (prepared, frame, workers): (&Prepared, &Frame, &Workers),
    ) -> Self {
        let values = Values::new(columns);
        let starts = frame.starts();
        let blocks = workers.map(variables.len(), |k| {
            let variable = &prepared.variables[variables[k]];
            let (knots, segment) = if own_grids && variable.kind == Kind::Numeric {
                let (knots, segment) = grids_of(columns, variable, spans);
                (knots, Some(segment))
            } else {
                (vec![variable.knots.clone(); columns.len()], None)
            };
            let view = View {
                values: &values,
                variable,
                segment: segment.as_ref().unwrap_or(&variable.segment),
            };
            let sides = Side::all(&view, &knots, &starts, |side, on| {
                if own_grids {
                    (0..knots[side].len() as u32).collect()
                } else {
                    supported(on, spans[side])
                }
            });
            Block {
                variable: variables[k],
                segment,
                sides,
            }
        });
        let mut group = Group {
            parents,
            values,
            blocks,
        };
        for k in (1..frame.len()).step_by(2) {
            group.refresh(prepared, &Pair::of_norms(frame, k), workers);
        }
        group
    }

    /// Account for a pair of columns.
    pub(super) fn refresh(&mut self, prepared: &Prepared, pair: &Pair, workers: &Workers) {
        let values = &self.values;
        workers.each(&mut self.blocks, |block| {
            let variable = &prepared.variables[block.variable];
            let view = View {
                values,
                variable,
                segment: block.segment.as_ref().unwrap_or(&variable.segment),
            };
            Side::refresh(&mut block.sides, &view, pair);
        });
    }

    /// Find the best candidate of every side.
    pub(super) fn search(&mut self, rules: Rules, workers: &Workers) {
        workers.each(&mut self.blocks, |block| {
            for side in &mut block.sides {
                side.search(rules);
            }
        });
    }
}

/// The knots of each parent and, as each row belongs to one, the segments of all rows.
fn grids_of(
    columns: &[&[f64]],
    variable: &Variable,
    spans: &[Spans],
) -> (Vec<Arc<Vec<f64>>>, Segments) {
    let mut grids: Vec<_> = columns
        .iter()
        .zip(spans)
        .map(|(column, &spans)| {
            let on: Vec<bool> = column.iter().map(|&p| p != 0.0).collect();
            knots::grid(variable, &on, spans)
        })
        .collect();
    let most = grids.iter().map(|grid| grid.knots.len()).max().unwrap_or(0);
    let segment = match columns {
        [_, second] => {
            let mut both = Segments::zeros(second.len(), most);
            for (row, &p) in second.iter().enumerate() {
                both.set(row, grids[usize::from(p != 0.0)].segment.get(row));
            }
            both
        }
        _ => std::mem::take(&mut grids[0].segment),
    };
    let knots = grids.into_iter().map(|g| Arc::new(g.knots)).collect();
    (knots, segment)
}
