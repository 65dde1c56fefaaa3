//! The shared vectors and hostile models of `tests/conformance`, run against the crate itself.

use std::fs;
use std::path::{Path, PathBuf};

use mars_earth_core::{Error, ModelSpec, Plan, Rows, design_matrix, predict};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/conformance")
}

fn read(path: &str) -> Value {
    let bytes = fs::read(folder().join(path)).expect("the conformance data are in the checkout");
    serde_json::from_slice(&bytes).expect("the conformance data are JSON")
}

fn table(value: &Value) -> (Vec<f64>, usize) {
    let rows = value.as_array().expect("a table");
    let number = |v: &Value| v.as_f64().unwrap_or(f64::NAN);
    let flat = rows
        .iter()
        .flat_map(|row| row.as_array().expect("a row").iter().map(number));
    (flat.collect(), rows.len())
}

fn assert_same(found: &[f64], expected: &[f64], name: &str) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
        assert!(same, "{name}: {found:?} is not {expected:?}");
    }
}

#[test]
fn every_vector_is_met_bit_for_bit() {
    let manifest = read("manifest.json");
    let mut count = 0;
    for path in manifest["cases"].as_object().expect("cases").keys() {
        for case in read(path).as_array().expect("a list of cases") {
            let name = case["name"].as_str().expect("a name");
            let (spec, warnings) =
                ModelSpec::from_json(case["spec"].to_string().as_bytes()).expect(name);
            assert!(warnings.is_empty(), "{name}: {warnings:?}");
            let plan = Plan::new(&spec);
            let (x, n) = table(&case["rows"]);
            let rows = Rows::row_major(&x, n, plan.n_features()).expect(name);
            for threads in [1, 2] {
                let mut out = vec![0.0; n * plan.n_responses()];
                predict(&plan, &rows, threads, &mut out).expect(name);
                assert_same(&out, &table(&case["predictions"]).0, name);
                let mut out = vec![0.0; n * plan.n_columns()];
                design_matrix(&plan, &rows, threads, &mut out).expect(name);
                assert_same(&out, &table(&case["design_matrix"]).0, name);
            }
            let again = ModelSpec::from_json(spec.to_json().expect(name).as_bytes()).expect(name);
            assert_eq!(again.0, spec, "{name}");
            count += 1;
        }
    }
    assert!(count > 90, "only {count} cases ran");
}

#[test]
fn every_hostile_model_is_refused_for_its_reason() {
    let expected = read("hostile/expected.json");
    for (name, expected) in expected.as_object().expect("a map") {
        let bytes = fs::read(folder().join("hostile").join(name)).expect(name);
        let error = ModelSpec::from_json(&bytes).expect_err(name);
        let category = mars_earth_core::CATALOGUE[usize::from(error.code())].category;
        assert_eq!(
            category,
            expected["category"].as_str().expect("a category"),
            "{name}"
        );
        let says = expected["says"].as_str().expect("a text");
        assert!(error.to_string().contains(says), "{name}: {error}");
    }
}

#[test]
fn shapes_are_checked_without_overflow() {
    let values = [0.0; 6];
    assert!(Rows::row_major(&values, 2, 3).is_ok());
    assert!(Rows::row_major(&values, 3, 3).is_err());
    assert!(Rows::strided(&values, usize::MAX, 2, usize::MAX, 1).is_err());
    assert!(Rows::strided(&values, 2, 2, 1, usize::MAX).is_err());
    assert!(Rows::row_major(&values, 0, usize::MAX).is_ok());
}

#[test]
fn replay_refuses_what_does_not_fit() {
    let text = r#"{"spec_version": "1.0", "allow_missing": false, "features": [{"name": "x"}],
        "responses": ["y"], "terms": [{"kind": "linear", "feature": 0, "coefficients": [2.0]}]}"#;
    let (spec, _) = ModelSpec::from_json(text.as_bytes()).expect("valid");
    let plan = Plan::new(&spec);
    let x = [1.0, f64::NAN, 3.0, f64::NAN];
    let rows = Rows::row_major(&x, 4, 1).expect("fits");
    let missing = Error::MissingValue {
        row: 1,
        feature: "x".to_owned(),
    };
    assert_eq!(predict(&plan, &rows, 1, &mut [0.0; 4]), Err(missing));
    assert!(matches!(
        predict(&plan, &rows, 0, &mut [0.0; 4]),
        Err(Error::InvalidArgument(_))
    ));
    assert!(matches!(
        predict(&plan, &rows, 1, &mut [0.0; 3]),
        Err(Error::ShapeMismatch(_))
    ));
    let wide = Rows::row_major(&x, 2, 2).expect("fits");
    assert!(matches!(
        predict(&plan, &wide, 1, &mut [0.0; 2]),
        Err(Error::ShapeMismatch(_))
    ));
    let empty = Rows::row_major(&[], 0, 1).expect("fits");
    assert_eq!(predict(&plan, &empty, 1, &mut []), Ok(()));
}

#[test]
fn the_first_failing_row_is_named_whatever_the_threads() {
    let text = r#"{"spec_version": "1.0", "allow_missing": false, "features": [{"name": "x"}],
        "responses": ["y"], "terms": [{"kind": "linear", "feature": 0, "coefficients": [2.0]}]}"#;
    let (spec, _) = ModelSpec::from_json(text.as_bytes()).expect("valid");
    let plan = Plan::new(&spec);
    let n = 200_000;
    let mut x = vec![1.0; n];
    x[70_001] = f64::NAN;
    x[190_000] = f64::NAN;
    let rows = Rows::row_major(&x, n, 1).expect("fits");
    for threads in [1, 2, 64] {
        let error = predict(&plan, &rows, threads, &mut vec![0.0; n]);
        assert_eq!(
            error,
            Err(Error::MissingValue {
                row: 70_001,
                feature: "x".to_owned()
            })
        );
    }
}
