//! Products of two vectors over all rows, by the signs of both.

use mars_earth_dispatch::{Work, dispatch};

use crate::train::workers::Workers;

/// Products of parts: of a positive and of a negative part with each.
pub(super) type Quarters = [f64; 4];

/// Rows of one step.
const BLOCK: usize = 512;
const LANES: usize = 4;

type Lanes = [[f64; LANES]; 4];

/// A vector, and whether anything takes it apart; one that nothing does counts as its first part.
#[derive(Clone, Copy)]
pub(super) struct Vector<'a> {
    pub(super) values: &'a [f64],
    pub(super) has_parts: bool,
}

/// Sums of the products of the parts of a vector with the parts of others over all rows.
pub(super) fn products(a: &[f64], others: &[Vector], workers: &Workers) -> Vec<Quarters> {
    let parts: Vec<(usize, usize)> = Workers::parts(a.len()).collect();
    let sums = workers.map(parts.len(), |part| {
        dispatch(Products {
            a,
            others,
            rows: parts[part],
        })
    });
    let mut total = vec![[0.0; 4]; others.len()];
    for sums in sums {
        for (total, lanes) in total.iter_mut().zip(sums) {
            for (total, lanes) in total.iter_mut().zip(lanes) {
                *total += lanes.iter().sum::<f64>();
            }
        }
    }
    total
}

/// Products of some rows.
struct Products<'a> {
    a: &'a [f64],
    others: &'a [Vector<'a>],
    rows: (usize, usize),
}

impl Work for Products<'_> {
    type Output = Vec<Lanes>;

    #[inline(always)]
    fn run(self) -> Self::Output {
        let mut sums: Vec<Lanes> = vec![[[0.0; LANES]; 4]; self.others.len()];
        let mut split = [[0.0; BLOCK]; 2];
        for from in (self.rows.0..self.rows.1).step_by(BLOCK) {
            let to = self.rows.1.min(from + BLOCK);
            let [positive, negative] = &mut split;
            let rows = positive.iter_mut().zip(negative);
            for ((positive, negative), &a) in rows.zip(&self.a[from..to]) {
                *positive = if a > 0.0 { a } else { 0.0 };
                *negative = *positive - a;
            }
            for (sums, other) in sums.iter_mut().zip(self.others) {
                let b = &other.values[from..to];
                match other.has_parts {
                    true => with_parts([&split[0], &split[1]], b, sums),
                    false => with_whole([&split[0], &split[1]], b, sums),
                }
            }
        }
        sums
    }
}

#[inline(always)]
fn with_parts([positive, negative]: [&[f64]; 2], b: &[f64], sums: &mut Lanes) {
    let mut own = *sums;
    by_lanes([positive, negative], b, |lane, [positive, negative], b| {
        let b_positive = if b > 0.0 { b } else { 0.0 };
        let b_negative = b_positive - b;
        own[0][lane] += positive * b_positive;
        own[1][lane] += positive * b_negative;
        own[2][lane] += negative * b_positive;
        own[3][lane] += negative * b_negative;
    });
    *sums = own;
}

#[inline(always)]
fn with_whole(a: [&[f64]; 2], b: &[f64], sums: &mut Lanes) {
    let mut own = *sums;
    by_lanes(a, b, |lane, [positive, negative], b| {
        own[0][lane] += positive * b;
        own[2][lane] += negative * b;
    });
    *sums = own;
}

/// All rows, as many side by side as there are lanes.
#[inline(always)]
fn by_lanes(a: [&[f64]; 2], b: &[f64], mut row: impl FnMut(usize, [f64; 2], f64)) {
    let [positive, negative] = a.map(|part| part[..b.len()].chunks_exact(LANES));
    let fours = b.chunks_exact(LANES);
    let rest = (positive.remainder().iter().zip(negative.remainder())).zip(fours.remainder());
    for ((positive, negative), b) in positive.zip(negative).zip(fours) {
        for lane in 0..LANES {
            row(lane, [positive[lane], negative[lane]], b[lane]);
        }
    }
    for (lane, ((&positive, &negative), &b)) in rest.enumerate() {
        row(lane, [positive, negative], b);
    }
}
