//! What the search knows under each parent, and what R's rules make of it.

use super::{ALMOST_ZERO, Form, LEAST_SQUARES, Pass};
use crate::error::Error;
use crate::train::data::Prepared;
use crate::train::group::{Grids, Group, blocks, refresh, search};
use crate::train::knots::{Room, Spans};
use crate::train::orthogonal::Frame;
use crate::train::search::{Rules, hinge_tolerance};
use crate::train::workers::Workers;

/// The least share of a hinge outside the model with weights, where R has a full regression for each
/// knot: what double precision tells.
const WEIGHTED_TOLERANCE: f64 = 1e-11;

impl Pass<'_> {
    /// Bring the state under these parents up to date, or set it up.
    pub(super) fn prepare(
        &mut self,
        terms: Vec<usize>,
        alive: &mut dyn FnMut() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut is_up = vec![false; self.groups.len()];
        for term in terms {
            let (g, _) = match self.place[term] {
                Some(place) => place,
                None => {
                    alive()?;
                    is_up.push(true);
                    self.set_up(term)?
                }
            };
            is_up[g] = true;
        }
        let groups = self.groups.iter_mut().zip(is_up);
        let mut groups: Vec<&mut Group> = groups.filter(|g| g.1).map(|g| g.0).collect();
        let context = (self.prepared, &self.frame, self.workers);
        refresh(&mut groups, context, alive)?;
        let least = if self.weighted { 0.0 } else { LEAST_SQUARES };
        for group in groups {
            settle_doubts(group, least, context);
        }
        Ok(())
    }

    /// A new group for a term, with the other hinge of its pair; returns its place.
    fn set_up(&mut self, term: usize) -> Result<(usize, usize), Error> {
        let mut terms = vec![term];
        if self.options.allowed.is_for_both_sides() {
            let next = Some(term + 1).filter(|next| *next < self.basis.len());
            terms.extend(next.filter(|next| self.basis.is_pair(term, *next)));
        }
        let group = self.group_of(&terms)?;
        let g = self.groups.len();
        for (side, &term) in terms.iter().enumerate() {
            self.place[term] = Some((g, side));
        }
        self.groups.push(group);
        Ok((g, 0))
    }

    fn group_of(&self, terms: &[usize]) -> Result<Group, Error> {
        let (prepared, options) = (self.prepared, self.options);
        let columns: Vec<Vec<f64>> = terms.iter().map(|&term| self.values(term)).collect();
        let free = options.free_variables(terms[0], &self.basis, prepared)?;
        let spans: Vec<Spans> = columns
            .iter()
            .map(|column| {
                let room = Room {
                    n: prepared.n(),
                    n_on: column.iter().filter(|&&p| p > 0.0).count(),
                    p: prepared.variables.len(),
                    degree: self.basis.degree(terms[0]) + 1,
                };
                Spans::new(options, room)
            })
            .collect();
        let columns: Vec<&[f64]> = columns.iter().map(|column| &column[..]).collect();
        let grids = Grids::Own {
            weighted: self.weighted,
        };
        let state = (prepared, &self.frame, self.workers);
        Ok(Group::new(
            terms.to_vec(),
            &columns,
            &free,
            &spans,
            grids,
            state,
        ))
    }

    /// Find the best candidate of every variable under the parents that are up to date.
    pub(super) fn search(&mut self, bound: f64) {
        let slots = self.queue.slots();
        let shares: Vec<f64> = (0..self.prepared.variables.len())
            .map(|v| self.share(v))
            .collect();
        let forms: Vec<Option<Vec<usize>>> =
            (0..self.basis.len()).map(|t| self.old_form(t)).collect();
        let (weighted, unit) = (self.weighted, self.unit);
        let rules = |parent: usize, variable: usize| {
            let is_old = |form: &Vec<usize>| form.contains(&variable);
            let common = Rules {
                linear: 0.0,
                linear_least: LEAST_SQUARES,
                new_form: !forms[parent].as_ref().is_some_and(is_old),
                always_pair: false,
                hinge: [slots, slots + 1].map(hinge_tolerance),
                tie: 0.0,
                margin: 0.0,
                most: bound / shares[variable],
            };
            if weighted {
                Rules {
                    linear_least: 0.0,
                    always_pair: true,
                    hinge: [WEIGHTED_TOLERANCE; 2],
                    margin: ALMOST_ZERO * unit,
                    most: f64::INFINITY,
                    ..common
                }
            } else {
                common
            }
        };
        let groups = self.groups.iter_mut();
        let current = groups.filter(|g| g.is_up_to_date(&self.frame));
        search(blocks(current), &rules, self.workers);
    }

    /// Variables that would not give a parent's children a new form: when every term has just the
    /// variables of the parent and one more, that one.
    pub(super) fn old_form(&self, parent: usize) -> Option<Vec<usize>> {
        let Form::One(set) = &self.form else {
            return None;
        };
        let own = self.variables(parent);
        let more: Vec<usize> = set.iter().copied().filter(|v| !own.contains(v)).collect();
        (more.len() == 1 && set.len() == own.len() + 1).then_some(more)
    }
}

/// Recompute what is left of a linear partner where subtraction has used up its digits.
fn settle_doubts(
    group: &mut Group,
    least: f64,
    (prepared, frame, workers): (&Prepared, &Frame, &Workers),
) {
    for block in &mut group.blocks {
        let variable = &prepared.variables[block.variable];
        for (k, side) in block.sides.iter_mut().enumerate() {
            if side.linear_is_doubtful(least) {
                let mut column = group.values.column(k, prepared.length(), workers);
                for (p, x) in column.iter_mut().zip(&variable.values) {
                    *p *= x - variable.centre;
                }
                let (norm, along) = frame.remainder(column, workers);
                side.set_linear(norm, along);
            }
        }
    }
}
