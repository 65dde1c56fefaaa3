//! Time replay beside a plain read of the same bytes; called by `scripts/bench_replay.py`.
//!
//! Every round runs each work once, so that what disturbs the machine meets all of them. Prints one
//! JSON object: the seconds of each work, round by round.

use std::hint::black_box;
use std::ops::AddAssign;
use std::path::Path;
use std::time::Instant;

use mars_earth_core::{ModelSpec, Output, Plan, Rows, Side, TermKind, replay};
use mars_earth_dispatch::{Work, dispatch};

/// The sum of all values, and so a read of them all.
struct Read<'a, T>(&'a [T]);

impl<T: Copy + Default + AddAssign> Work for Read<'_, T> {
    type Output = [T; 32];

    #[inline(always)]
    fn run(self) -> [T; 32] {
        let mut sums = [T::default(); 32];
        for values in self.0.chunks_exact(32) {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += *value;
            }
        }
        sums
    }
}

/// One row of a model whose terms are hinges, a term after the other.
fn plain(spec: &ModelSpec, row: &[f64]) -> f64 {
    let terms = spec.terms.iter().map(|term| {
        let value = match term.kind {
            TermKind::Hinge {
                feature,
                knot,
                side: Side::Right,
            } => (row[feature] - knot).max(0.0),
            TermKind::Hinge { feature, knot, .. } => (knot - row[feature]).max(0.0),
            _ => 1.0,
        };
        value * term.coefficients.as_ref().map_or(0.0, |all| all[0])
    });
    terms.sum()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, n, rounds, ..] = &arguments[..] else {
        // `cargo test --benches` calls it so.
        return;
    };
    let n: usize = n.parse().expect("rows");
    let rounds: usize = rounds.parse().expect("rounds");
    let read = |name: &str| std::fs::read(Path::new(folder).join(name)).expect(name);
    let plan = |name: &str| Plan::new(&ModelSpec::from_json(&read(name)).expect(name).0);
    let (additive, products) = (plan("additive.json"), plan("products.json"));
    let spec = ModelSpec::from_json(&read("additive.json"))
        .expect("valid")
        .0;
    let large = read("large.json");
    let doubles = |bytes: Vec<u8>| -> Vec<f64> {
        let parts = bytes.chunks_exact(8);
        parts
            .map(|b| f64::from_le_bytes(b.try_into().expect("8 bytes")))
            .collect()
    };
    let across = doubles(read("x"));
    let p = additive.n_features();
    let x: Vec<f64> = (0..n * p).map(|k| across[(k % p) * n + k / p]).collect();
    let single: Vec<f32> = x.iter().map(|&v| v as f32).collect();
    let by_row = Rows::row_major(&x, n, p).expect("fits");
    let by_column = Rows::column_major(&across, n, p).expect("fits");
    let float32 = Rows::strided_f32(&single, n, p, p, 1).expect("fits");
    let tenth = Rows::row_major(&x[..n / 10 * p], n / 10, p).expect("fits");
    let one = Rows::row_major(&x[..p], 1, p).expect("fits");
    let mut out = vec![0.0; n];
    let mut wide = vec![0.0; n / 10 * additive.n_columns()];
    let mut run = |plan: &Plan, rows: &Rows, threads: usize| {
        let out = &mut out[..rows.n_rows()];
        replay(plan, rows, Output::Responses, threads, out).expect("replays");
    };
    let names = [
        "read",
        "additive",
        "additive_columns",
        "read_float32",
        "additive_float32",
        "additive_two_threads",
        "products",
        "products_columns",
        "products_two_threads",
        "design_matrix",
        "plain_row",
        "one_row",
        "parse",
        "load",
    ];
    let mut seconds = vec![Vec::new(); names.len()];
    for round in 0..=rounds {
        for (name, seconds) in names.iter().zip(&mut seconds) {
            let repeats = match *name {
                "one_row" | "plain_row" => 2000,
                "load" | "parse" => 10,
                _ => 1,
            };
            let started = Instant::now();
            for _ in 0..repeats {
                match *name {
                    "read" => {
                        black_box(dispatch(Read(black_box(&x))));
                    }
                    "read_float32" => {
                        black_box(dispatch(Read(black_box(&single))));
                    }
                    "additive" => run(&additive, &by_row, 1),
                    "additive_columns" => run(&additive, &by_column, 1),
                    "additive_float32" => run(&additive, &float32, 1),
                    "additive_two_threads" => run(&additive, &by_row, 2),
                    "products" => run(&products, &by_row, 1),
                    "products_columns" => run(&products, &by_column, 1),
                    "products_two_threads" => run(&products, &by_row, 2),
                    "design_matrix" => {
                        let asked = Output::DesignMatrix;
                        replay(&additive, &tenth, asked, 1, &mut wide).expect("replays");
                    }
                    "plain_row" => {
                        black_box(plain(black_box(&spec), black_box(&x[..p])));
                    }
                    "parse" => {
                        let parsed = serde_json::from_slice(black_box(&large));
                        black_box::<serde_json::Value>(parsed.expect("valid"));
                    }
                    "one_row" => run(&additive, black_box(&one), 1),
                    _ => {
                        let (spec, _) = ModelSpec::from_json(black_box(&large)).expect("valid");
                        black_box(Plan::new(&spec));
                    }
                }
            }
            // The first round only warms up.
            if round > 0 {
                seconds.push(started.elapsed().as_secs_f64() / f64::from(repeats));
            }
        }
    }
    let found: serde_json::Map<String, serde_json::Value> = names
        .iter()
        .zip(seconds)
        .map(|(name, seconds)| ((*name).to_owned(), seconds.into()))
        .collect();
    println!("{}", serde_json::Value::Object(found));
}
