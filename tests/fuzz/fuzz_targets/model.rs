//! The ModelSpec reader: any bytes end in a model or an error; a model is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mars_earth_core::{ModelSpec, Plan, Rows, predict};

fuzz_target!(|bytes: &[u8]| {
    let Ok((spec, _)) = ModelSpec::from_json(bytes) else {
        return;
    };
    let text = spec
        .to_json()
        .expect("a model that was read can be written");
    let (again, _) = ModelSpec::from_json(text.as_bytes()).expect("and read again");
    assert_eq!(again, spec);
    let plan = Plan::new(&spec);
    let (p, m) = (plan.n_features(), plan.n_responses());
    // As many values as one input should cost.
    if p > 1000 || m > 1000 {
        return;
    }
    let values = [0.0, 1.0, -1.5, f64::NAN, f64::INFINITY, 2.0, 1e300];
    let x: Vec<f64> = (0..7 * p).map(|i| values[i % 7]).collect();
    let rows = Rows::row_major(&x, 7, p).expect("the shape is right");
    let _ = predict(&plan, &rows, 1, &mut vec![0.0; 7 * m]);
});
