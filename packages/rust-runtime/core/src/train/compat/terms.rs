//! What a step adds, and the model at the end.

use super::{DEPENDENT, Form, Found, LEAST_SQUARES, Made, Pass, Plan};
use crate::spec::Side;
use crate::train::basis::{Basis, Factor};
use crate::train::data::Variable;
use crate::train::orthogonal::Frame;
use crate::train::queue::Slot;
use crate::train::search::Addition;

impl Pass<'_> {
    /// Values of a term, times sqrt(weight).
    pub(super) fn values(&self, term: usize) -> Vec<f64> {
        let Some(made) = term.checked_sub(1).map(|k| &self.made[k]) else {
            return self.prepared.root_weights.clone();
        };
        let parent = self.values(made.parent);
        made.factor.column(
            &parent,
            &self.prepared.variables[made.variable],
            self.workers,
        )
    }

    pub(super) fn variables(&self, term: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut at = term;
        while let Some(made) = at.checked_sub(1).map(|k| &self.made[k]) {
            found.push(made.variable);
            at = made.parent;
        }
        found.sort_unstable();
        found
    }

    pub(super) fn note_form(&mut self, set: Vec<usize>) {
        self.form = match std::mem::replace(&mut self.form, Form::Many) {
            Form::Empty => Form::One(set),
            Form::One(other) if other == set => Form::One(set),
            _ => Form::Many,
        };
    }

    /// What a candidate would add.
    pub(super) fn plan(&mut self, found: &Found) -> Plan {
        let (g, b, side) = found.place;
        let variable = &self.prepared.variables[found.variable];
        let knot = |s: usize| self.groups[g].blocks[b].sides[side].knot(s);
        let right = |knot: f64| Factor::Hinge {
            knot,
            side: Side::Right,
        };
        let one = |factor: Factor, zeros: bool| Plan {
            factors: vec![factor],
            left_counts: false,
            zeros,
        };
        match found.addition {
            Addition::Linear => {
                let factor = self.options.linear_factor(variable);
                let zeros = factor != Factor::Linear && found.zeros_beside && !self.weighted;
                one(factor, zeros)
            }
            Addition::Right(s) | Addition::Pair(s) => {
                let left = Factor::Hinge {
                    knot: knot(s),
                    side: Side::Left,
                };
                let factors = vec![right(knot(s)), left];
                let left_counts = matches!(found.addition, Addition::Pair(_))
                    && self.is_worth_adding(&factors, found.parent, variable);
                Plan {
                    factors,
                    left_counts,
                    zeros: false,
                }
            }
        }
    }

    /// Whether enough of a left hinge is outside the columns that R keeps to tell; always without
    /// weights.
    pub(super) fn is_worth_adding(
        &mut self,
        factors: &[Factor],
        parent: usize,
        variable: &Variable,
    ) -> bool {
        let parent = self.values(parent);
        let Some(chain) = &mut self.chain else {
            return true;
        };
        let mut columns = factors
            .iter()
            .map(|f| f.column(&parent, variable, self.workers));
        let before = chain.len();
        chain.push(columns.by_ref().take(1).collect(), self.workers);
        let left = columns
            .next()
            .map(|left| chain.remainder(left, self.workers).0);
        chain.truncate(before);
        left.is_some_and(|left| left > LEAST_SQUARES)
    }

    pub(super) fn add(&mut self, found: &Found, plan: Plan) {
        let variable = &self.prepared.variables[found.variable];
        let parent = self.values(found.parent);
        let degree = self.basis.degree(found.parent) + 1;
        let mut set = self.variables(found.parent);
        set.push(found.variable);
        set.sort_unstable();
        let n_terms = plan.terms();
        let mut slots = [Slot::Dead; 2];
        let mut columns = Vec::new();
        let mut owners = Vec::new();
        for (k, factor) in plan.factors.into_iter().enumerate() {
            if k >= n_terms && !self.weighted {
                continue;
            }
            let column = factor.column(&parent, variable, self.workers);
            if k < n_terms {
                let term = self.basis.push(found.parent, variable, factor);
                self.made.push(Made {
                    parent: found.parent,
                    variable: found.variable,
                    factor,
                });
                self.place.push(None);
                slots[k] = Slot::Term(term);
                owners.push(Some(term));
                if let Some(chain) = &mut self.chain {
                    chain.push(vec![column.clone()], self.workers);
                }
            } else {
                owners.push(None);
            }
            columns.push(column);
        }
        let added = self.frame.push(columns, self.workers);
        let new = owners.into_iter().zip(added).filter(|(_, added)| *added);
        self.columns.extend(new.map(|(owner, _)| owner));
        if plan.zeros {
            slots[1] = Slot::Zeros(degree);
        }
        self.queue.add(slots, n_terms + usize::from(plan.zeros));
        self.note_form(set);
    }

    /// Basis and frame of the terms alone, with the term of every column.
    pub(super) fn finish(self) -> (Basis, Frame, Vec<usize>) {
        let all: Vec<Option<usize>> = (0..self.basis.len()).map(Some).collect();
        if self.columns == all {
            return (self.basis, self.frame, all.into_iter().flatten().collect());
        }
        let mut frame = Frame::new(&self.prepared.responses);
        frame.dependent = DEPENDENT;
        let mut terms = Vec::new();
        for term in 0..self.basis.len() {
            if frame.push(vec![self.values(term)], self.workers)[0] {
                terms.push(term);
            }
        }
        (self.basis, frame, terms)
    }
}
