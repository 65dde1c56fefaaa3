//! Terms while they grow: a tree of factors, written out as ModelSpec terms at the end.

use super::data::{Kind, Variable};
use super::workers::Workers;
use crate::spec::{Feature, Side, Term, TermKind};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Factor {
    Linear,
    Hinge { knot: f64, side: Side },
}

impl Factor {
    /// Values of the term that a parent makes with this factor.
    pub(super) fn column(
        &self,
        parent: &[f64],
        variable: &Variable,
        workers: &Workers,
    ) -> Vec<f64> {
        let mut column = vec![0.0; parent.len()];
        workers.fill(&mut column, |from, piece| {
            let values = &variable.values[from..];
            let rows = piece.iter_mut().zip(parent[from..].iter().zip(values));
            match (&variable.kind, self) {
                (Kind::Numeric, Factor::Hinge { knot, side }) => match side {
                    Side::Right => rows.for_each(|(v, (p, x))| *v = p * (x - knot).max(0.0)),
                    Side::Left => rows.for_each(|(v, (p, x))| *v = p * (knot - x).max(0.0)),
                },
                _ => rows.for_each(|(v, (p, x))| *v = p * x),
            }
        });
        column
    }
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

    /// Add a term; returns its position.
    pub(super) fn push(&mut self, parent: usize, variable: &Variable, factor: Factor) -> usize {
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
        self.terms.len() - 1
    }

    pub(super) fn len(&self) -> usize {
        self.terms.len()
    }

    /// Forget all terms from `n_terms` on.
    pub(super) fn truncate(&mut self, n_terms: usize) {
        self.terms.truncate(n_terms);
    }

    /// Terms that may have children.
    pub(super) fn parents(&self, max_degree: usize) -> usize {
        let is_parent = |term: &&Growing| term.features.len() < max_degree;
        self.terms.iter().filter(is_parent).count()
    }

    /// Whether two terms are the right and the left hinge at one knot of one parent.
    pub(super) fn is_pair(&self, first: usize, second: usize) -> bool {
        let (a, b) = (&self.terms[first], &self.terms[second]);
        match (&a.kind, &b.kind) {
            (
                TermKind::Hinge {
                    feature,
                    knot,
                    side,
                    ..
                },
                TermKind::Hinge {
                    feature: other,
                    knot: at,
                    side: to,
                },
            ) => feature == other && knot == at && side != to && a.parent == b.parent,
            _ => false,
        }
    }

    /// The factors of a term in words, sorted: the same whatever the order of columns.
    pub(super) fn factors(&self, term: usize, features: &[Feature]) -> Vec<String> {
        let mut found = Vec::new();
        let mut at = term;
        while at != 0 {
            let growing = &self.terms[at];
            let name = growing.kind.feature().map_or("", |j| &features[j].name);
            found.push(match &growing.kind {
                TermKind::Hinge { knot, side, .. } => format!("{name} {side:?} {knot:e}"),
                kind => format!("{name} {kind:?}"),
            });
            at = growing.parent;
        }
        found.sort_unstable();
        found
    }

    /// Per feature: 1 or -1 for a right or left hinge, 2 for another factor, 0 for none.
    pub(super) fn directions(&self, term: usize, n_features: usize) -> Vec<i8> {
        let mut found = vec![0; n_features];
        let mut at = term;
        while at != 0 {
            let growing = &self.terms[at];
            if let Some(feature) = growing.kind.feature() {
                found[feature] = match &growing.kind {
                    TermKind::Hinge {
                        side: Side::Right, ..
                    } => 1,
                    TermKind::Hinge {
                        side: Side::Left, ..
                    } => -1,
                    _ => 2,
                };
            }
            at = growing.parent;
        }
        found
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
