//! Terms while they grow: a tree of factors, written out as ModelSpec terms at the end.

use super::data::{Kind, Variable};
use crate::spec::{Side, Term, TermKind};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Factor {
    Linear,
    Hinge { knot: f64, side: Side },
}

/// One term: its parent times a factor on a variable. Term 0 is the intercept.
#[derive(Debug, Clone)]
pub(super) struct Growing {
    parent: usize,
    kind: TermKind,
    features: Vec<usize>,
}

#[derive(Debug, Clone)]
pub(super) struct Basis {
    terms: Vec<Growing>,
}

impl Basis {
    pub(super) fn intercept() -> Self {
        Basis {
            terms: vec![Growing {
                parent: 0,
                kind: TermKind::Constant,
                features: Vec::new(),
            }],
        }
    }

    pub(super) fn push(&mut self, parent: usize, variable: &Variable, factor: Factor) {
        let feature = variable.feature;
        let kind = match (&variable.kind, factor) {
            (Kind::Level(label), _) => TermKind::Categorical {
                feature,
                levels: vec![label.clone()],
            },
            (Kind::Missing(when), _) => TermKind::Missingness {
                feature,
                when: *when,
            },
            (Kind::Numeric, Factor::Linear) => TermKind::Linear { feature },
            (Kind::Numeric, Factor::Hinge { knot, side }) => TermKind::Hinge {
                feature,
                knot,
                side,
            },
        };
        let mut features = self.terms[parent].features.clone();
        features.push(feature);
        self.terms.push(Growing {
            parent,
            kind,
            features,
        });
    }

    pub(super) fn degree(&self, term: usize) -> usize {
        self.terms[term].features.len()
    }

    /// A feature enters a term once (Friedman 1991, section 3.2).
    pub(super) fn uses(&self, term: usize, feature: usize) -> bool {
        self.terms[term].features.contains(&feature)
    }

    /// Write the kept terms, and the parents they need, in order of growth.
    ///
    /// `coefficients[k]` belongs to `kept[k]`.
    pub(super) fn to_terms(&self, kept: &[usize], coefficients: &[Vec<f64>]) -> Vec<Term> {
        let mut wanted = vec![false; self.terms.len()];
        for &term in kept {
            let mut ancestor = term;
            while !wanted[ancestor] {
                wanted[ancestor] = true;
                ancestor = self.terms[ancestor].parent;
                if ancestor == 0 {
                    break;
                }
            }
        }
        let mut position = vec![0; self.terms.len()];
        let mut written = Vec::new();
        for (i, growing) in self.terms.iter().enumerate().filter(|(i, _)| wanted[*i]) {
            position[i] = written.len();
            let has_parent = i != 0 && growing.parent != 0;
            written.push(Term {
                kind: growing.kind.clone(),
                parent: has_parent.then(|| position[growing.parent]),
                coefficients: kept
                    .iter()
                    .position(|&term| term == i)
                    .map(|k| coefficients[k].clone()),
            });
        }
        written
    }
}
