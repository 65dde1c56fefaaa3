//! Plan: a model as it is meant. Engines read it and nothing else.

use crate::link::Link;
use crate::replay::Program;
use crate::spec::{ModelSpec, Side, TermKind, When};

/// A checked, flat model. Built once from a [`ModelSpec`], never stored.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What replay evaluates.
    pub(crate) program: Program,
    n_columns: usize,
    /// `n_columns` x `n_responses`, row-major.
    pub(crate) coefficients: Vec<f64>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) allow_missing: bool,
    pub(crate) link: Option<Link>,
    n_responses: usize,
}

/// Value of a node: the product of its parents from left to right, times its factor.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) parents: Vec<usize>,
    pub(crate) factor: Factor,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Factor {
    One,
    Linear {
        feature: usize,
    },
    Hinge {
        feature: usize,
        knot: f64,
        side: Side,
    },
    /// `table[code]` is 1 or 0.
    Categorical {
        feature: usize,
        table: Vec<f64>,
    },
    Missingness {
        feature: usize,
        when: When,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) impute: Option<f64>,
    /// Number of categories; 0 for a numeric feature.
    pub(crate) n_categories: usize,
}

impl Plan {
    /// Build the plan of a valid model.
    pub fn new(spec: &ModelSpec) -> Self {
        let n_responses = spec.responses.len();
        let mut nodes = Vec::with_capacity(spec.terms.len());
        let mut columns = Vec::new();
        let mut coefficients = Vec::new();
        let mut is_used = vec![false; spec.features.len()];
        for (position, term) in spec.terms.iter().enumerate() {
            let factor = match &term.kind {
                TermKind::Constant | TermKind::Interaction { .. } => Factor::One,
                TermKind::Linear { feature } => Factor::Linear { feature: *feature },
                TermKind::Hinge {
                    feature,
                    knot,
                    side,
                } => Factor::Hinge {
                    feature: *feature,
                    knot: *knot,
                    side: *side,
                },
                TermKind::Categorical { feature, levels } => {
                    let categories = spec.features[*feature].categories.as_deref().unwrap_or(&[]);
                    let table = categories
                        .iter()
                        .map(|c| f64::from(levels.contains(c)))
                        .collect();
                    Factor::Categorical {
                        feature: *feature,
                        table,
                    }
                }
                TermKind::Missingness { feature, when } => Factor::Missingness {
                    feature: *feature,
                    when: *when,
                },
            };
            if let Some(feature) = term.kind.feature() {
                is_used[feature] = true;
            }
            let parents = match &term.kind {
                TermKind::Interaction { parents } => parents.clone(),
                _ => term.parent.into_iter().collect(),
            };
            nodes.push(Node { parents, factor });
            if let Some(values) = &term.coefficients {
                columns.push(position);
                coefficients.extend_from_slice(values);
            }
        }
        let used: Vec<usize> = (0..is_used.len())
            .filter(|&feature| is_used[feature])
            .collect();
        let inputs: Vec<Input> = spec
            .features
            .iter()
            .map(|feature| Input {
                name: feature.name.clone(),
                impute: feature.impute,
                n_categories: feature.categories.as_ref().map_or(0, Vec::len),
            })
            .collect();
        let program = Program::new(
            &nodes,
            &columns,
            &coefficients,
            &inputs,
            &used,
            spec.allow_missing,
        );
        Plan {
            program,
            n_columns: columns.len(),
            coefficients,
            inputs,
            allow_missing: spec.allow_missing,
            link: spec.link,
            n_responses,
        }
    }

    /// Number of input columns.
    pub fn n_features(&self) -> usize {
        self.inputs.len()
    }

    /// Number of outputs.
    pub fn n_responses(&self) -> usize {
        self.n_responses
    }

    /// Number of columns of the design matrix.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }
}
