//! Sums over the rows of each bin: the only work of the binned search that grows with the rows.
//!
//! Vectors are split by sign: u = max(u, 0) - max(-u, 0). Products of |a| with both parts of a few other
//! vectors lie side by side, so that one row of a table takes them all at once; the sign of a tells
//! which row of its bin.
//!
//! A part of the rows is summed in single precision: vectors have length 1 there, and a sum of a few
//! hundred products has six digits, which is more than bins leave. Parts are added up in double precision.

use crate::train::data::Variable;
use crate::train::grid::Segments;
use crate::train::workers::Workers;

/// Products of parts: of a positive and of a negative part with each.
pub(super) type Quarters = [f64; 4];

/// Rows of one step: their products stay in the first cache while all variables read them.
const STEP: usize = 256;
/// Rows of one step where all products of two vectors are summed.
const BLOCK: usize = 512;
/// Rows of a part, which has tables of its own.
const PART: usize = 1 << 16;
/// Variables of one walk over the rows: so many tables stay in the second cache.
const TOGETHER: usize = 16;
/// Other vectors of one walk.
const MANY: usize = 8;
const SOME: usize = 4;
const FEW: usize = 2;

/// What the parts of the first vector are multiplied with.
#[derive(Clone, Copy)]
pub(super) enum Other<'a> {
    Vector(Scaled<'a>),
    /// Count the rows where the first vector is not zero.
    Count,
}

/// A vector and one over its length.
#[derive(Clone, Copy)]
pub(super) struct Scaled<'a> {
    pub(super) values: &'a [f64],
    pub(super) scale: f64,
}

/// Sums over the rows of each bin of some variables, by sign.
pub(super) struct Job<'a> {
    pub(super) a: Scaled<'a>,
    pub(super) others: Vec<Other<'a>>,
    pub(super) variables: Vec<&'a Variable>,
}

/// The sums of a job for one variable.
pub(super) struct Table {
    /// Per bin, for each sign of a, both parts of each other vector.
    sums: Vec<f64>,
    others: usize,
}

impl Table {
    /// The sums of a bin with one of the other vectors: of both parts positive, of the first, of the
    /// second, of none.
    pub(super) fn of_bin(&self, bin: usize, other: usize) -> Quarters {
        let width = 2 * self.others;
        let positive = 2 * bin * width + 2 * other;
        let negative = positive + width;
        let s = &self.sums;
        [s[positive], s[positive + 1], s[negative], s[negative + 1]]
    }
}

/// Other vectors that are worth a walk of their own, for so many.
pub(super) fn group_size(others: usize) -> usize {
    [FEW, SOME]
        .into_iter()
        .find(|&size| others <= size)
        .unwrap_or(MANY)
}

/// Do a job: one table per variable. There are at most [`group_size`] others.
pub(super) fn fill(job: &Job, workers: &Workers) -> Vec<Table> {
    let of_chunk = |variables: &[&Variable]| match group_size(job.others.len()) {
        FEW => fill_chunk::<FEW, { 2 * FEW }>(job, variables, workers),
        SOME => fill_chunk::<SOME, { 2 * SOME }>(job, variables, workers),
        _ => fill_chunk::<MANY, { 2 * MANY }>(job, variables, workers),
    };
    job.variables.chunks(TOGETHER).flat_map(of_chunk).collect()
}

fn n_rows(variable: &Variable) -> usize {
    2 * variable.means.len()
}

fn fill_chunk<const OTHERS: usize, const WIDTH: usize>(
    job: &Job,
    variables: &[&Variable],
    workers: &Workers,
) -> Vec<Table> {
    let n = job.a.values.len();
    let size: usize = variables.iter().map(|v| n_rows(v)).sum();
    let parts = workers.map(n.div_ceil(PART), |part| {
        let mut sums = vec![[0.0_f32; WIDTH]; size];
        let mut products = vec![[0.0_f32; WIDTH]; STEP];
        let mut signs = [0; STEP];
        let end = n.min((part + 1) * PART);
        for from in (part * PART..end).step_by(STEP) {
            let to = end.min(from + STEP);
            for (sign, a) in signs.iter_mut().zip(&job.a.values[from..to]) {
                *sign = u8::from(*a < 0.0);
            }
            multiply(job, (from, to), &mut products);
            let mut rest = &mut sums[..];
            for variable in variables {
                let (table, others) = rest.split_at_mut(n_rows(variable));
                rest = others;
                match &variable.segment {
                    Segments::Tiny(all) => add(&all[from..to], &signs, &products, table),
                    Segments::Narrow(all) => add(&all[from..to], &signs, &products, table),
                    Segments::Wide(all) => add(&all[from..to], &signs, &products, table),
                }
            }
        }
        sums
    });
    // The sums of the parts are added in their order.
    let mut total = vec![[0.0; WIDTH]; size];
    for part in parts {
        for (sum, more) in total.iter_mut().flatten().zip(part.iter().flatten()) {
            *sum += f64::from(*more);
        }
    }
    // Lengths as they were.
    for (k, other) in job.others.iter().enumerate() {
        if let Other::Vector(b) = other {
            let scale = job.a.scale * b.scale;
            for sums in &mut total {
                sums[2 * k] /= scale;
                sums[2 * k + 1] /= scale;
            }
        }
    }
    let mut rest = &total[..];
    let tables = variables.iter().map(|variable| {
        let (own, others) = rest.split_at(n_rows(variable));
        rest = others;
        Table {
            sums: own.as_flattened().to_vec(),
            others: OTHERS,
        }
    });
    tables.collect()
}

/// |a| times both parts of the other vectors, side by side.
fn multiply<const WIDTH: usize>(
    job: &Job,
    (from, to): (usize, usize),
    products: &mut [[f32; WIDTH]],
) {
    let a = &job.a.values[from..to];
    for (k, other) in job.others.iter().enumerate() {
        let (first, second) = (2 * k, 2 * k + 1);
        match other {
            Other::Vector(b) => {
                let scale = job.a.scale * b.scale;
                for ((out, a), &b) in products.iter_mut().zip(a).zip(&b.values[from..to]) {
                    let (a, positive) = (a.abs() * scale, if b > 0.0 { b } else { 0.0 });
                    out[first] = (a * positive) as f32;
                    out[second] = (a * (positive - b)) as f32;
                }
            }
            Other::Count => {
                for (out, &a) in products.iter_mut().zip(a) {
                    out[first] = f32::from(u8::from(a > 0.0));
                    out[second] = f32::from(u8::from(a < 0.0));
                }
            }
        }
    }
}

/// Add the products of some rows to the rows of a table.
fn add<S: Copy + Into<u32>, const WIDTH: usize>(
    segment: &[S],
    signs: &[u8],
    products: &[[f32; WIDTH]],
    table: &mut [[f32; WIDTH]],
) {
    for ((&s, &sign), products) in segment.iter().zip(signs).zip(products) {
        let sums = &mut table[2 * s.into() as usize + usize::from(sign)];
        for (sum, product) in sums.iter_mut().zip(products) {
            *sum += product;
        }
    }
}

/// Sums of the products of the parts of a vector with the parts of others over all rows.
pub(super) fn products(a: &[f64], others: &[&[f64]], workers: &Workers) -> Vec<Quarters> {
    let parts: Vec<(usize, usize)> = Workers::parts(a.len()).collect();
    let sums = workers.map(parts.len(), |part| {
        let (start, end) = parts[part];
        let mut sums = vec![[[0.0; 4]; 4]; others.len()];
        let mut split = [[0.0; BLOCK]; 2];
        for from in (start..end).step_by(BLOCK) {
            let to = end.min(from + BLOCK);
            let [positive, negative] = &mut split;
            for ((positive, negative), &a) in positive.iter_mut().zip(negative).zip(&a[from..to]) {
                *positive = if a > 0.0 { a } else { 0.0 };
                *negative = *positive - a;
            }
            for (sums, other) in sums.iter_mut().zip(others) {
                add_products([&split[0], &split[1]], &other[from..to], sums);
            }
        }
        sums
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

/// Four rows of a block after the other.
fn add_products(a: [&[f64]; 2], b: &[f64], sums: &mut [[f64; 4]; 4]) {
    let whole = b.len() - b.len() % 4;
    let (fours, rest) = b.split_at(whole);
    let mut own = *sums;
    let rows = a[0].chunks_exact(4).zip(a[1].chunks_exact(4));
    for ((positive, negative), b) in rows.zip(fours.chunks_exact(4)) {
        for lane in 0..4 {
            let b_positive = if b[lane] > 0.0 { b[lane] } else { 0.0 };
            let b_negative = b_positive - b[lane];
            own[0][lane] += positive[lane] * b_positive;
            own[1][lane] += positive[lane] * b_negative;
            own[2][lane] += negative[lane] * b_positive;
            own[3][lane] += negative[lane] * b_negative;
        }
    }
    for (lane, &b) in rest.iter().enumerate() {
        let (positive, negative) = (a[0][whole + lane], a[1][whole + lane]);
        own[0][lane] += positive * b.max(0.0);
        own[1][lane] += positive * (-b).max(0.0);
        own[2][lane] += negative * b.max(0.0);
        own[3][lane] += negative * (-b).max(0.0);
    }
    *sums = own;
}
