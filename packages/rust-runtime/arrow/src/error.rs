//! What can go wrong between Arrow and the core, with the codes of `packaging/errors.yaml`.

use std::fmt;

/// A failure of the core, or of a batch on its way to it.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The core refused the rows.
    Core(mars_earth_core::Error),
    /// A column of the model is not in the batch.
    UnknownColumn(String),
    /// A column is of a type that holds no numbers.
    InvalidDtype(String),
    /// The batch or stream breaks its interface, or its producer failed.
    InvalidBatch(String),
}

impl Error {
    /// Status code of this error.
    pub fn code(&self) -> u8 {
        match self {
            Error::Core(error) => error.code(),
            Error::UnknownColumn(_) => 12,
            Error::InvalidDtype(_) => 13,
            Error::InvalidBatch(_) => 14,
        }
    }

    pub(crate) fn batch(why: impl fmt::Display) -> Self {
        Error::InvalidBatch(format!(
            "the Arrow data cannot be read: {why}; pass what the Arrow C interface asks for"
        ))
    }
}

impl From<mars_earth_core::Error> for Error {
    fn from(error: mars_earth_core::Error) -> Self {
        Error::Core(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Core(error) => error.fmt(f),
            Error::UnknownColumn(why) | Error::InvalidDtype(why) | Error::InvalidBatch(why) => {
                f.write_str(why)
            }
        }
    }
}

impl std::error::Error for Error {}
