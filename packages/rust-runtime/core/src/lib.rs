//! Fit MARS models and replay them.
//!
//! The crate knows no host language and does no input or output of its own. Data flows one way:
//!
//! ```text
//! X, y -> train -> ModelSpec (JSON, as written) -> Plan (checked, as meant) -> replay
//! ```
//!
//! A stored model is read in two stages. [`ModelSpec::from_json`] checks the document and reports
//! every problem at once. [`Plan::new`] turns it into what the engines read.
//!
//! ```
//! use mars_earth_core::{ModelSpec, Plan, Rows, predict};
//!
//! let text = r#"{
//!   "spec_version": "1.0", "allow_missing": false,
//!   "features": [{"name": "x"}], "responses": ["y"],
//!   "terms": [
//!     {"kind": "constant", "coefficients": [1.0]},
//!     {"kind": "hinge", "feature": 0, "knot": 2.0, "side": "right", "coefficients": [3.0]}
//!   ]
//! }"#;
//! let (spec, _warnings) = ModelSpec::from_json(text.as_bytes())?;
//! let plan = Plan::new(&spec);
//! let x = [1.0, 4.0];
//! let mut out = [0.0; 2];
//! predict(&plan, &Rows::row_major(&x, 2, 1)?, 1, &mut out)?;
//! assert_eq!(out, [1.0, 7.0]);
//! # Ok::<(), mars_earth_core::Error>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod json;
mod link;
mod plan;
mod read;
mod replay;
mod rows;
mod spec;
mod threads;
pub mod train;

pub use error::{CATALOGUE, CatalogueEntry, Error};
pub use link::Link;
pub use mars_earth_dispatch::Instructions;
pub use plan::Plan;
pub use replay::{Output, Replayed, design_matrix, linear_predictor, predict, replay};
pub use rows::{Rows, Source};
pub use spec::{
    Feature, MAX_DEGREE, MAX_FEATURES, MAX_JSON_BYTES, MAX_MAGNITUDE, MAX_RESPONSES, MAX_TERMS,
    ModelSpec, Producer, SPEC_VERSION, Side, Term, TermKind, When,
};
pub use threads::available_threads;
