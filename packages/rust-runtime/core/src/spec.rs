//! ModelSpec: a model as it is written. `docs/model_spec.md` is the contract.

use serde::Serialize;

use crate::error::Error;
use crate::link::Link;

/// Newest version this crate knows; it reads every 1.x.
pub const SPEC_VERSION: &str = "1.1";
/// Version of a model without a link. A model names the lowest version that has its keys.
pub const PLAIN_VERSION: &str = "1.0";
/// Largest document, in bytes.
pub const MAX_JSON_BYTES: usize = 256 << 20;
/// Most terms in a model.
pub const MAX_TERMS: usize = 100_000;
/// Most features in a model.
pub const MAX_FEATURES: usize = 1_000_000;
/// Most responses in a model.
pub const MAX_RESPONSES: usize = 10_000;
/// Most non-constant factors in one term.
pub const MAX_DEGREE: usize = 32;
/// Largest magnitude of a knot, an imputed value or a coefficient.
pub const MAX_MAGNITUDE: f64 = 1e100;

/// A model as it is written. Made by [`ModelSpec::from_json`] or by training, so it is valid.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelSpec {
    /// `major.minor` of the format.
    pub spec_version: String,
    /// Software that made the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producer: Option<Producer>,
    /// Whether a missing value (NaN) may be replayed.
    pub allow_missing: bool,
    /// Columns of the input, in order.
    pub features: Vec<Feature>,
    /// Names of the outputs, in order.
    pub responses: Vec<String>,
    /// From the linear predictor to the responses; None: they are the same. Needs version 1.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    /// Terms; a parent stands before its children.
    pub terms: Vec<Term>,
    /// Figures of the fit by name; replay does not read them.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    pub fit: Vec<(String, f64)>,
}

/// Software that made a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Producer {
    /// Name of the software.
    pub name: String,
    /// Version of the software.
    pub version: String,
}

/// One column of the input.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Feature {
    /// Unique name.
    pub name: String,
    /// Labels of a categorical feature; a row holds the position of its label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<String>>,
    /// Value (or category position) that stands in for a missing one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impute: Option<f64>,
}

/// One term. Without coefficients it serves only as a parent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Term {
    /// What the term computes.
    #[serde(flatten)]
    pub kind: TermKind,
    /// Term that this one multiplies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<usize>,
    /// One coefficient per response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coefficients: Option<Vec<f64>>,
}

/// The factor a term adds to its parent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TermKind {
    /// 1.
    Constant,
    /// x.
    Linear {
        /// Position of the feature.
        feature: usize,
    },
    /// max(0, x - knot) on the right, max(0, knot - x) on the left.
    Hinge {
        /// Position of the feature.
        feature: usize,
        /// Where the hinge bends.
        knot: f64,
        /// On which side it is not zero.
        side: Side,
    },
    /// 1 where the category is one of the levels, else 0.
    Categorical {
        /// Position of the feature.
        feature: usize,
        /// Labels, a subset of the feature's categories.
        levels: Vec<String>,
    },
    /// 1 where the value is missing (or present), else 0.
    Missingness {
        /// Position of the feature.
        feature: usize,
        /// Which case gives 1.
        when: When,
    },
    /// Product of other terms.
    Interaction {
        /// Positions of the terms, at least two.
        parents: Vec<usize>,
    },
}

/// Side of a hinge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// max(0, x - knot)
    Right,
    /// max(0, knot - x)
    Left,
}

/// Case in which a missingness term is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The value is missing.
    Missing,
    /// The value is there.
    Present,
}

impl TermKind {
    /// Position of the feature the factor reads, if it reads one.
    pub fn feature(&self) -> Option<usize> {
        match *self {
            TermKind::Linear { feature }
            | TermKind::Hinge { feature, .. }
            | TermKind::Categorical { feature, .. }
            | TermKind::Missingness { feature, .. } => Some(feature),
            TermKind::Constant | TermKind::Interaction { .. } => None,
        }
    }
}

impl ModelSpec {
    /// Write the model as JSON, indented by two spaces. Numbers come back bit for bit.
    pub fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(self)
            .map_err(|error| Error::InvalidArgument(format!("cannot write the model: {error}")))
    }
}

fn as_map<S: serde::Serializer>(fit: &[(String, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fit.iter().map(|(key, value)| (key, value)))
}
