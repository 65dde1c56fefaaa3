//! Sums over the rows of each bin: the only work of the binned search that grows with the rows.
//!
//! Vectors are split by sign: u = max(u, 0) - max(-u, 0). Products of |a| with the parts of a few other
//! vectors lie side by side, so that one row of a table takes them all at once; the sign of a tells
//! which row of its bin.
//!
//! A part of the rows is summed in single precision: vectors have length 1 there, and a sum of a few
//! hundred products has six digits, which is more than bins leave. Parts are added up in double precision.

use mars_earth_dispatch::{Work, dispatch};

use super::products::Quarters;
use crate::train::data::Variable;
use crate::train::grid::Segments;
use crate::train::workers::Workers;

/// Rows of one step: their products stay in the first cache while all variables read them.
const STEP: usize = 128;
/// Rows of a part, which has tables of its own.
const PART: usize = 1 << 16;
/// Variables of one walk over the rows: so many tables stay in the second cache.
const TOGETHER: usize = 16;
/// Products of one walk: a line of the cache.
const WIDEST: usize = 16;

/// What the first vector is multiplied with.
#[derive(Clone, Copy)]
pub(super) enum Other<'a> {
    /// Both parts of a vector.
    Parts(Scaled<'a>),
    /// A vector that nothing takes apart.
    Whole(Scaled<'a>),
    /// Count the rows where the first vector is not zero, each so often; empty: once.
    Count(&'a [f64]),
}

impl Other<'_> {
    fn width(&self) -> usize {
        match self {
            Other::Parts(_) => 2,
            Other::Whole(_) | Other::Count(_) => 1,
        }
    }
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
    /// As many as [`fitting`] allows.
    pub(super) others: Vec<Other<'a>>,
    pub(super) variables: Vec<&'a Variable>,
}

/// The sums of a job.
pub(super) struct Tables {
    /// Where the products with each other vector begin in a row, and what they are.
    places: Vec<(usize, Products)>,
    width: usize,
    /// Per variable and bin, a row for each sign of a.
    sums: Vec<Vec<f64>>,
}

enum Products {
    Parts,
    Whole,
    Counts,
}

impl Tables {
    /// The sums of a bin of a variable with one of the other vectors: of both parts positive, of the
    /// first, of the second, of none. A vector that is not taken apart counts as its first part.
    pub(super) fn of_bin(&self, variable: usize, bin: usize, other: usize) -> Quarters {
        let (place, products) = &self.places[other];
        let positive = 2 * bin * self.width + place;
        let negative = positive + self.width;
        let s = &self.sums[variable];
        match products {
            Products::Parts => [s[positive], s[positive + 1], s[negative], s[negative + 1]],
            Products::Whole => [s[positive], 0.0, s[negative], 0.0],
            Products::Counts => [s[positive], 0.0, 0.0, s[negative]],
        }
    }
}

/// How many of the vectors fit into one walk.
pub(super) fn fitting(others: &[Other]) -> usize {
    let mut width = 0;
    let fits = |other: &&Other| {
        width += other.width();
        width <= WIDEST
    };
    others.iter().take_while(fits).count()
}

/// Do a job.
pub(super) fn fill(job: &Job, workers: &Workers) -> Tables {
    let mut width = 0;
    let mut places = Vec::with_capacity(job.others.len());
    for other in &job.others {
        let products = match other {
            Other::Parts(_) => Products::Parts,
            Other::Whole(_) => Products::Whole,
            Other::Count(_) => Products::Counts,
        };
        places.push((width, products));
        width += other.width();
    }
    let of_chunk = |variables: &[&Variable]| match width {
        0..=4 => fill_chunk::<4>(job, variables, workers),
        5..=8 => fill_chunk::<8>(job, variables, workers),
        9..=12 => fill_chunk::<12>(job, variables, workers),
        _ => fill_chunk::<WIDEST>(job, variables, workers),
    };
    Tables {
        places,
        width: width.next_multiple_of(4),
        sums: job.variables.chunks(TOGETHER).flat_map(of_chunk).collect(),
    }
}

fn n_rows(variable: &Variable) -> usize {
    2 * variable.means.len()
}

fn fill_chunk<const WIDTH: usize>(
    job: &Job,
    variables: &[&Variable],
    workers: &Workers,
) -> Vec<Vec<f64>> {
    let n = job.a.values.len();
    let size: usize = variables.iter().map(|v| n_rows(v)).sum();
    let parts = workers.map(n.div_ceil(PART), |part| {
        let mut sums = vec![[0.0_f32; WIDTH]; size];
        dispatch(Walk {
            job,
            variables,
            rows: (part * PART, n.min((part + 1) * PART)),
            sums: &mut sums,
        });
        sums
    });
    // The sums of the parts are added in their order.
    let mut total = vec![[0.0; WIDTH]; size];
    for part in parts {
        for (sums, more) in total.iter_mut().zip(&part) {
            for (sum, more) in sums.iter_mut().zip(more) {
                *sum += f64::from(*more);
            }
        }
    }
    // Lengths as they were.
    let lengths = job.others.iter().flat_map(|other| match other {
        Other::Parts(b) => vec![job.a.scale * b.scale; 2],
        Other::Whole(b) => vec![job.a.scale * b.scale],
        Other::Count(_) => vec![1.0],
    });
    for (k, scale) in lengths.enumerate() {
        for sums in &mut total {
            sums[k] /= scale;
        }
    }
    let mut rest = &total[..];
    let tables = variables.iter().map(|variable| {
        let (own, others) = rest.split_at(n_rows(variable));
        rest = others;
        own.as_flattened().to_vec()
    });
    tables.collect()
}

/// One walk over some rows.
struct Walk<'a, const WIDTH: usize> {
    job: &'a Job<'a>,
    variables: &'a [&'a Variable],
    rows: (usize, usize),
    /// The tables of all variables, one after the other.
    sums: &'a mut [[f32; WIDTH]],
}

impl<const WIDTH: usize> Work for Walk<'_, WIDTH> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let mut products = [[0.0_f32; WIDTH]; STEP];
        let mut signs = [0; STEP];
        for from in (self.rows.0..self.rows.1).step_by(STEP) {
            let to = self.rows.1.min(from + STEP);
            for (sign, a) in signs.iter_mut().zip(&self.job.a.values[from..to]) {
                *sign = u8::from(*a < 0.0);
            }
            multiply(self.job, (from, to), &mut products);
            let mut rest = &mut self.sums[..];
            for variable in self.variables {
                let (table, others) = rest.split_at_mut(n_rows(variable));
                rest = others;
                match &variable.segment {
                    Segments::Tiny(all) => add(&all[from..to], &signs, &products, table),
                    Segments::Narrow(all) => add(&all[from..to], &signs, &products, table),
                    Segments::Wide(all) => add(&all[from..to], &signs, &products, table),
                }
            }
        }
    }
}

/// |a| times the other vectors, side by side.
#[inline(always)]
fn multiply<const WIDTH: usize>(
    job: &Job,
    (from, to): (usize, usize),
    products: &mut [[f32; WIDTH]],
) {
    let a = &job.a.values[from..to];
    let mut place = 0;
    for other in &job.others {
        match other {
            Other::Parts(b) => {
                let scale = job.a.scale * b.scale;
                for ((out, a), &b) in products.iter_mut().zip(a).zip(&b.values[from..to]) {
                    let (a, positive) = (a.abs() * scale, if b > 0.0 { b } else { 0.0 });
                    out[place] = (a * positive) as f32;
                    out[place + 1] = (a * (positive - b)) as f32;
                }
            }
            Other::Whole(b) => {
                let scale = job.a.scale * b.scale;
                for ((out, a), &b) in products.iter_mut().zip(a).zip(&b.values[from..to]) {
                    out[place] = (a.abs() * scale * b) as f32;
                }
            }
            Other::Count(repeats) => {
                for (out, &a) in products.iter_mut().zip(a) {
                    out[place] = f32::from(u8::from(a != 0.0));
                }
                for (out, &times) in products
                    .iter_mut()
                    .zip(repeats.iter().skip(from).take(to - from))
                {
                    out[place] *= times as f32;
                }
            }
        }
        place += other.width();
    }
}

/// Add the products of some rows to the rows of a table.
#[inline(always)]
fn add<S: Copy + Into<u32>, const WIDTH: usize>(
    segment: &[S],
    signs: &[u8],
    products: &[[f32; WIDTH]],
    table: &mut [[f32; WIDTH]],
) {
    for ((&s, &sign), products) in segment.iter().zip(signs).zip(products) {
        let sums = &mut table[2 * s.into() as usize + usize::from(sign)];
        // All of the old row is read before any of the new one is written: no lane waits for another.
        let mut own = *sums;
        for (own, product) in own.iter_mut().zip(products) {
            *own += product;
        }
        *sums = own;
    }
}
