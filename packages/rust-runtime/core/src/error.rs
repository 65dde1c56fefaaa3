//! The one error of the crate, with the codes of `packaging/errors.yaml`.

use std::fmt;

/// What can go wrong, one variant per cause.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The document is not JSON, or is cut short.
    MalformedSpec(String),
    /// The document is of another major version.
    UnsupportedVersion {
        /// Version the document names.
        found: String,
    },
    /// The document is JSON but breaks the contract; every problem, with its path.
    InvalidSpec(Vec<String>),
    /// Rows, outputs or weights have the wrong shape.
    ShapeMismatch(String),
    /// A value is missing in a feature whose model does not allow it.
    MissingValue {
        /// Row, counted from 0.
        row: usize,
        /// Name of the feature.
        feature: String,
    },
    /// A row holds a value the model cannot take, such as a category code out of range.
    InvalidValue(String),
    /// An option or argument is out of its range.
    InvalidArgument(String),
    /// Training data that no model can be fitted to.
    InvalidData(String),
    /// A document is larger than a named limit.
    LimitExceeded(String),
    /// The caller asked to stop.
    Interrupted,
}

/// One row of the error catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// Status code; 0 is success.
    pub code: u8,
    /// Category, as in `packaging/errors.yaml`.
    pub category: &'static str,
}

/// Every code and category, in code order. A test holds it against `packaging/errors.yaml`.
pub const CATALOGUE: [CatalogueEntry; 11] = [
    entry(0, "ok"),
    entry(1, "malformed_spec"),
    entry(2, "unsupported_version"),
    entry(3, "invalid_spec"),
    entry(4, "shape_mismatch"),
    entry(5, "missing_value"),
    entry(6, "invalid_value"),
    entry(7, "invalid_argument"),
    entry(8, "invalid_data"),
    entry(9, "limit_exceeded"),
    entry(10, "interrupted"),
];

const fn entry(code: u8, category: &'static str) -> CatalogueEntry {
    CatalogueEntry { code, category }
}

impl Error {
    /// Status code of this error in [`CATALOGUE`].
    pub fn code(&self) -> u8 {
        match self {
            Error::MalformedSpec(_) => 1,
            Error::UnsupportedVersion { .. } => 2,
            Error::InvalidSpec(_) => 3,
            Error::ShapeMismatch(_) => 4,
            Error::MissingValue { .. } => 5,
            Error::InvalidValue(_) => 6,
            Error::InvalidArgument(_) => 7,
            Error::InvalidData(_) => 8,
            Error::LimitExceeded(_) => 9,
            Error::Interrupted => 10,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::MalformedSpec(why) => write!(
                f,
                "the model is not a readable JSON document: {why}; write it again with save_model"
            ),
            Error::UnsupportedVersion { found } => write!(
                f,
                "the model has spec_version {found}, this reader knows {}; \
                 convert the model or use a reader of its major version",
                crate::SPEC_VERSION
            ),
            Error::InvalidSpec(problems) => {
                write!(f, "the model breaks the ModelSpec contract: ")?;
                for (i, problem) in problems.iter().enumerate() {
                    write!(f, "{}{problem}", if i == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
            Error::MissingValue { row, feature } => write!(
                f,
                "row {row} has no value (NaN) for feature {feature:?} and the model does not allow \
                 missing values; fill the value in, or fit with allow_missing=True"
            ),
            Error::ShapeMismatch(why)
            | Error::InvalidValue(why)
            | Error::InvalidArgument(why)
            | Error::InvalidData(why)
            | Error::LimitExceeded(why) => f.write_str(why),
            Error::Interrupted => f.write_str("the fit was interrupted; no model was made"),
        }
    }
}

impl std::error::Error for Error {}
