//! Training through the public interface.

use mars_earth_core::train::{Data, Options, Progress, PruningMethod, Span, Stop, fit, gcv};
use mars_earth_core::{Error, Feature, ModelSpec, Plan, Rows, TermKind, predict};

struct Table {
    x: Vec<f64>,
    y: Vec<f64>,
    n: usize,
    features: Vec<Feature>,
}

/// A small generator, so that the tests need no crate of their own.
fn uniform(seed: &mut u64) -> f64 {
    *seed = seed
        .wrapping_mul(6364136223846793005)
        .wrapping_add(1442695040888963407);
    (*seed >> 11) as f64 / (1u64 << 53) as f64
}

fn table(n: usize, p: usize, response: impl Fn(&[f64]) -> f64) -> Table {
    let mut seed = 7;
    let x: Vec<f64> = (0..n * p).map(|_| uniform(&mut seed)).collect();
    let y = x.chunks(p).map(response).collect();
    let features = (0..p)
        .map(|j| Feature {
            name: format!("x{j}"),
            categories: None,
            impute: None,
        })
        .collect();
    Table { x, y, n, features }
}

fn data<'a>(table: &'a Table, responses: &'a [String], weights: Option<&'a [f64]>) -> Data<'a> {
    Data {
        x: Rows::row_major(&table.x, table.n, table.features.len()).expect("fits"),
        y: Rows::row_major(&table.y, table.n, 1).expect("fits"),
        weights,
        features: &table.features,
        responses,
    }
}

fn names() -> Vec<String> {
    vec!["y".to_owned()]
}

#[test]
fn a_hinge_is_found_and_replayed() {
    let table = table(400, 3, |x| 2.0 + 3.0 * (x[1] - 0.4).max(0.0));
    let fitted = fit(
        &data(&table, &names(), None),
        &Options {
            thresh: Some(0.001),
            ..Options::default()
        },
        &mut |_| true,
    )
    .expect("a model");
    assert_eq!(fitted.stop, Stop::PerfectFit);
    let knots: Vec<f64> = fitted
        .spec
        .terms
        .iter()
        .filter_map(|term| match term.kind {
            TermKind::Hinge {
                feature: 1, knot, ..
            } => Some(knot),
            _ => None,
        })
        .collect();
    assert!(
        knots.iter().all(|knot| (knot - 0.4).abs() < 0.02),
        "{knots:?}"
    );
    assert!(
        knots.iter().all(|knot| table.x.contains(knot)),
        "knots are values of the data"
    );
    let plan = Plan::new(&fitted.spec);
    let mut found = vec![0.0; table.n];
    let rows = Rows::row_major(&table.x, table.n, 3).expect("fits");
    predict(&plan, &rows, 1, &mut found).expect("replay");
    let rss: f64 = found
        .iter()
        .zip(&table.y)
        .map(|(a, b)| (a - b).powi(2))
        .sum();
    let told = fitted
        .spec
        .fit
        .iter()
        .find(|(key, _)| key == "rss")
        .expect("rss")
        .1;
    assert!(
        (rss - told).abs() < 1e-9 * table.n as f64,
        "{rss} is not {told}"
    );
}

#[test]
fn a_product_needs_degree_two() {
    let table = table(1500, 2, |x| {
        (x[0] - 0.3).max(0.0) * (0.8 - x[1]).max(0.0) * 10.0
    });
    let rsq = |max_degree| {
        let options = Options {
            max_degree,
            ..Options::default()
        };
        let fitted = fit(&data(&table, &names(), None), &options, &mut |_| true).expect("fits");
        fitted
            .spec
            .fit
            .iter()
            .find(|(key, _)| key == "rsq")
            .expect("rsq")
            .1
    };
    assert!(rsq(1) < 0.97);
    assert!(rsq(2) > 0.99);
}

#[test]
fn a_weight_of_two_is_a_row_given_twice_and_of_zero_a_row_left_out() {
    let table = table(120, 2, |x| (x[0] - 0.5).abs() + 0.3 * x[1]);
    let names = names();
    // Fixed spans: the automatic ones count rows.
    let options = Options {
        minspan: Span::Rows(1),
        endspan: Span::Rows(1),
        max_terms: Some(7),
        ..Options::default()
    };
    let weights: Vec<f64> = (0..120)
        .map(|i| if i % 3 == 0 { 0.0 } else { 1.0 })
        .collect();
    let weighted = fit(&data(&table, &names, Some(&weights)), &options, &mut |_| {
        true
    })
    .unwrap();
    let kept: Vec<usize> = (0..120).filter(|i| i % 3 != 0).collect();
    let fewer = Table {
        x: kept
            .iter()
            .flat_map(|&i| [table.x[2 * i], table.x[2 * i + 1]])
            .collect(),
        y: kept.iter().map(|&i| table.y[i]).collect(),
        n: kept.len(),
        features: table.features.clone(),
    };
    let left_out = fit(&data(&fewer, &names, None), &options, &mut |_| true).unwrap();
    assert_eq!(weighted.spec, left_out.spec);
}

#[test]
fn what_cannot_be_fitted_is_named() {
    let constant = table(50, 2, |_| 3.0);
    let names = names();
    let run = |table: &Table, weights: Option<&[f64]>, options: &Options| {
        fit(&data(table, &names, weights), options, &mut |_| true).expect_err("an error")
    };
    let options = Options::default();
    assert!(
        run(&constant, None, &options)
            .to_string()
            .contains("constant")
    );
    let mut odd = table(50, 2, |x| x[0]);
    odd.x[7] = f64::NAN;
    assert_eq!(
        run(&odd, None, &options),
        Error::MissingValue {
            row: 3,
            feature: "x1".to_owned()
        }
    );
    odd.x[7] = f64::INFINITY;
    assert!(matches!(run(&odd, None, &options), Error::InvalidData(_)));
    odd.x[7] = 0.0;
    odd.y[4] = f64::NAN;
    assert!(matches!(run(&odd, None, &options), Error::InvalidData(_)));
    odd.y[4] = 0.0;
    assert!(matches!(
        run(&odd, Some(&[-1.0; 50]), &options),
        Error::InvalidData(_)
    ));
    assert!(matches!(
        run(&odd, Some(&[0.0; 50]), &options),
        Error::InvalidData(_)
    ));
    assert!(matches!(
        run(&odd, Some(&[1.0; 3]), &options),
        Error::ShapeMismatch(_)
    ));
    for options in [
        Options {
            max_degree: 0,
            ..Options::default()
        },
        Options {
            max_terms: Some(0),
            ..Options::default()
        },
        Options {
            max_terms: Some(1 << 40),
            ..Options::default()
        },
        Options {
            penalty: f64::NAN,
            ..Options::default()
        },
        Options {
            penalty: -2.0,
            ..Options::default()
        },
        Options {
            thresh: Some(1.0),
            ..Options::default()
        },
        Options {
            minspan: Span::Rows(0),
            ..Options::default()
        },
    ] {
        assert!(
            matches!(run(&odd, None, &options), Error::InvalidArgument(_)),
            "{options:?}"
        );
    }
}

#[test]
fn a_caller_can_stop_a_fit() {
    let table = table(300, 3, |x| x[0] * x[1] + (x[2] - 0.5).abs());
    let mut calls = 0;
    let outcome = fit(
        &data(&table, &names(), None),
        &Options::default(),
        &mut |report| {
            let Progress::Step { step, most } = report else {
                return true;
            };
            calls += 1;
            assert!(step.n_terms <= most);
            calls < 2
        },
    );
    assert_eq!(outcome.expect_err("interrupted"), Error::Interrupted);
    assert_eq!(calls, 2);
}

#[test]
fn missing_values_are_imputed_and_may_become_terms() {
    let mut odd = table(300, 2, |x| x[0]);
    for i in 0..60 {
        odd.x[2 * i] = f64::NAN;
        odd.y[i] = 5.0;
    }
    let options = Options {
        allow_missing: true,
        ..Options::default()
    };
    let fitted = fit(&data(&odd, &names(), None), &options, &mut |_| true).expect("a model");
    let kinds: Vec<_> = fitted.spec.terms.iter().map(|term| &term.kind).collect();
    assert!(
        kinds
            .iter()
            .any(|kind| matches!(kind, TermKind::Missingness { feature: 0, .. })),
        "{kinds:?}"
    );
    assert!(fitted.spec.features[0].impute.is_some());
    let text = fitted.spec.to_json().expect("JSON");
    assert_eq!(
        ModelSpec::from_json(text.as_bytes()).expect("valid").0,
        fitted.spec
    );
}

#[test]
fn gcv_is_the_formula() {
    // n = 10, M = 3, penalty 2: C = 3 + 2 * 2 / 2 = 5; (20 / 10) / (1 - 0.5)^2 = 8
    assert_eq!(gcv(20.0, 10, 3, 2.0), 8.0);
    assert_eq!(gcv(20.0, 4, 3, 3.0), f64::INFINITY);
}

#[test]
fn the_pruning_pass_can_be_stopped() {
    let table = table(100, 2, |x| x[0]);
    let options = Options {
        // Without a step of the forward pass it is the pruning pass that asks.
        max_terms: Some(1),
        pmethod: PruningMethod::Exhaustive,
        ..Options::default()
    };
    let stopped = fit(&data(&table, &names(), None), &options, &mut |_| false);
    assert_eq!(stopped.err(), Some(Error::Interrupted));
}
