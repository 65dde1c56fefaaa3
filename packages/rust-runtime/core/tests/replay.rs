//! Replay against a plain reading of the contract: every layout, type and size.

use mars_earth_core::{Error, ModelSpec, Output, Plan, Rows, Source, replay};

/// A small generator, so that the tests need no crate.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() * n as f64) as usize
    }
}

#[derive(Clone, Copy)]
struct Term {
    parent: Option<usize>,
    feature: usize,
    knot: f64,
    /// 0 linear, 1 right hinge, 2 left hinge.
    shape: usize,
    coefficient: f64,
}

fn draw_terms(draw: &mut Draw, n_terms: usize, p: usize, degree: usize) -> Vec<Term> {
    let mut terms: Vec<Term> = Vec::new();
    let mut degrees = Vec::new();
    for k in 0..n_terms {
        let candidate = if k > 2 && draw.next() < 0.6 {
            Some(draw.below(k))
        } else {
            None
        };
        let parent = candidate.filter(|&parent| degrees[parent] < degree);
        degrees.push(parent.map_or(1, |parent| degrees[parent] + 1));
        terms.push(Term {
            parent,
            feature: draw.below(p),
            knot: draw.next(),
            shape: draw.below(3),
            coefficient: draw.next() * 4.0 - 2.0,
        });
    }
    terms
}

fn plan(terms: &[Term], p: usize, allow_missing: bool) -> Plan {
    let features: Vec<String> = (0..p).map(|j| format!(r#"{{"name":"x{j}"}}"#)).collect();
    let written: Vec<String> = terms
        .iter()
        .map(|t| {
            let parent = t
                .parent
                .map_or(String::new(), |p| format!(r#""parent":{p},"#));
            let kind = match t.shape {
                0 => r#""kind":"linear""#.to_owned(),
                1 => format!(r#""kind":"hinge","side":"right","knot":{:?}"#, t.knot),
                _ => format!(r#""kind":"hinge","side":"left","knot":{:?}"#, t.knot),
            };
            let c = t.coefficient;
            format!(
                r#"{{{parent}{kind},"feature":{},"coefficients":[{c:?}]}}"#,
                t.feature
            )
        })
        .collect();
    let text = format!(
        r#"{{"spec_version":"1.0","allow_missing":{allow_missing},"features":[{}],
            "responses":["y"],"terms":[{}]}}"#,
        features.join(","),
        written.join(",")
    );
    Plan::new(&ModelSpec::from_json(text.as_bytes()).expect(&text).0)
}

/// The sum of one row, as docs/model_spec.md has it.
fn plainly(terms: &[Term], x: &[f64]) -> f64 {
    let mut values: Vec<f64> = Vec::new();
    let mut sum = 0.0;
    for t in terms {
        let v = x[t.feature];
        let d = if t.shape == 1 { v - t.knot } else { t.knot - v };
        let hinge = if d <= 0.0 { 0.0 } else { d };
        let factor = if t.shape == 0 { v } else { hinge };
        let value = t.parent.map_or(factor, |parent| values[parent] * factor);
        values.push(value);
        sum += t.coefficient * value;
    }
    sum
}

struct Columns<'a>(&'a [f64], usize);

impl Source for Columns<'_> {
    fn copy_column(&self, j: usize, from: usize, out: &mut [f64]) {
        out.copy_from_slice(&self.0[j * self.1 + from..][..out.len()]);
    }
}

fn same(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(
            a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
            "{what} row {i}: {a} {b}"
        );
    }
}

#[test]
fn every_layout_and_type_gives_the_bits_of_the_plain_sum() {
    let mut draw = Draw(7);
    for round in 0..60 {
        let p = 1 + draw.below(11);
        let n = [1, 3, 8, 63, 64, 65, 130, 1000][draw.below(8)];
        let (count, degree) = (1 + draw.below(40), 1 + draw.below(3));
        let terms = draw_terms(&mut draw, count, p, degree);
        let plan = plan(&terms, p, true);
        let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0, 1e300];
        let mut draw_value = || match draw.below(40) {
            0 => special[draw.below(6)],
            _ => f64::from(draw.next() as f32),
        };
        let x: Vec<f64> = (0..n * p).map(|_| draw_value()).collect();
        let single: Vec<f32> = x.iter().map(|&v| v as f32).collect();
        let x: Vec<f64> = single.iter().map(|&v| f64::from(v)).collect();
        let across: Vec<f64> = (0..n * p).map(|k| x[(k % n) * p + k / n]).collect();
        let single_across: Vec<f32> = across.iter().map(|&v| v as f32).collect();
        let wide: Vec<f64> = (0..2 * n * (p + 3))
            .map(|k| {
                let (i, j) = (k / (p + 3), k % (p + 3));
                if i % 2 == 0 && j < p {
                    x[i / 2 * p + j]
                } else {
                    f64::NAN
                }
            })
            .collect();
        let expected: Vec<f64> = x.chunks(p).map(|row| plainly(&terms, row)).collect();
        let source = Columns(&across, n);
        let tables = [
            ("rows", Rows::row_major(&x, n, p)),
            ("columns", Rows::column_major(&across, n, p)),
            ("strided", Rows::strided(&wide, n, p, 2 * (p + 3), 1)),
            ("float32 rows", Rows::strided_f32(&single, n, p, p, 1)),
            (
                "float32 columns",
                Rows::strided_f32(&single_across, n, p, 1, n),
            ),
            ("a source", Ok(Rows::from_source(&source, n, p))),
        ];
        for (name, rows) in tables {
            let rows = rows.expect("the table fits");
            let mut out = vec![f64::NAN; n];
            replay(&plan, &rows, Output::Responses, 1, &mut out).expect("replays");
            same(&out, &expected, &format!("round {round}, {name}"));
        }
    }
}

#[test]
fn threads_change_neither_bits_nor_the_row_that_fails() {
    let mut draw = Draw(11);
    let (n, p) = (300_000, 4);
    let terms = draw_terms(&mut draw, 12, p, 2);
    let plan = plan(&terms, p, false);
    let mut x: Vec<f64> = (0..n * p).map(|_| draw.next()).collect();
    let run = |x: &[f64], threads: usize| {
        let rows = Rows::row_major(x, n, p).expect("fits");
        let mut out = vec![0.0; n];
        replay(&plan, &rows, Output::Responses, threads, &mut out).map(|went| (out, went))
    };
    let (expected, went) = run(&x, 1).expect("replays");
    assert_eq!(went.threads, 1);
    for threads in [2, 3, 64] {
        let (found, went) = run(&x, threads).expect("replays");
        same(&found, &expected, "threads");
        assert!(went.threads <= threads.min(mars_earth_core::available_threads()));
        if mars_earth_core::available_threads() > 1 {
            assert!(went.threads > 1, "so many rows are worth a second thread");
        }
    }
    let feature = terms[0].feature;
    x[250_000 * p + feature] = f64::NAN;
    x[123_456 * p + feature] = f64::NAN;
    for threads in [1, 2, 5] {
        let error = run(&x, threads).map(|_| ());
        let name = format!("x{feature}");
        assert_eq!(
            error,
            Err(Error::MissingValue {
                row: 123_456,
                feature: name
            })
        );
    }
}

#[test]
fn a_view_may_repeat_one_row() {
    let terms = draw_terms(&mut Draw(3), 5, 2, 1);
    let plan = plan(&terms, 2, false);
    let rows = Rows::strided(&[0.25, 0.5], 100, 2, 0, 1).expect("fits");
    let mut out = [0.0; 100];
    replay(&plan, &rows, Output::Responses, 1, &mut out).expect("replays");
    same(&out, &[plainly(&terms, &[0.25, 0.5]); 100], "repeated");
}

/// `nox -s old-processor` names the instructions that an emulated processor has.
#[test]
fn the_loops_use_what_the_processor_has() {
    let terms = draw_terms(&mut Draw(3), 5, 2, 1);
    let rows = Rows::row_major(&[0.25, 0.5], 1, 2).expect("fits");
    let went = replay(
        &plan(&terms, 2, false),
        &rows,
        Output::Responses,
        1,
        &mut [0.0],
    );
    let found = went.expect("replays").instructions.name();
    if let Ok(expected) = std::env::var("MARS_EARTH_EXPECTED_INSTRUCTIONS") {
        assert_eq!(found, expected);
    }
}
