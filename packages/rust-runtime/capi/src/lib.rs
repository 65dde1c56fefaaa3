//! The C interface of mars-earth: `include/mars_earth.h` is made from this crate.
//!
//! It holds no logic. Each function checks its pointers, calls `mars-earth-core` or
//! `mars-earth-arrow`, and returns a status of `packaging/errors.yaml`. Nothing unwinds out of it.
//! `docs/c_api.md` is the contract for callers; the interface grows by adding functions only.
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

mod arrow;
mod model;
mod replay;
mod status;
mod table;
mod version;

pub use arrow::{mars_earth_replay_batch, mars_earth_replay_stream};
pub use model::{
    Model, Shape, mars_earth_model_categories, mars_earth_model_category, mars_earth_model_feature,
    mars_earth_model_free, mars_earth_model_json, mars_earth_model_load,
    mars_earth_model_load_file, mars_earth_model_response, mars_earth_model_shape,
    mars_earth_model_validate,
};
pub use replay::{
    MARS_EARTH_DESIGN_MATRIX, MARS_EARTH_LINEAR_PREDICTOR, MARS_EARTH_RESPONSES, Options,
    mars_earth_check, mars_earth_replay,
};
pub use status::*;
pub use table::{Buffer, Table};
pub use version::{
    MARS_EARTH_ABI_MAJOR, MARS_EARTH_ABI_MINOR, mars_earth_abi_version, mars_earth_negotiate,
    mars_earth_spec_version, mars_earth_version,
};
