//! Arrow batches in and out of `mars-earth-core`, by the Arrow C Data and C Stream
//! Interfaces (H2, not claimed).
//!
//! The C interface (`capi`) and the Python extension share this crate, so that there is one
//! definition of the structs and one way to read them. It depends on the core alone: the structs
//! are a page long, and an Arrow library would bring dozens of crates to mirror and to license.
//!
//! A float64 column without missing values is read where it lies (H2, not claimed). Any other number is converted to
//! a float64 column of its own; a null becomes NaN; a dictionary becomes positions and labels.
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

mod batch;
mod convert;
mod error;
mod export;
mod ffi;
mod replay;

pub use batch::{Batch, Column, Values};
pub use convert::join;
pub use error::Error;
pub use export::{Frame, Source, export_stream, schema_of};
pub use ffi::{ArrowArray, ArrowArrayStream, ArrowSchema};
pub use replay::Replay;
