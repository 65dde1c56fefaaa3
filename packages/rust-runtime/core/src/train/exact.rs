//! The search at every knot the spans allow: columns are made orthogonal, and the rows are walked
//! once for each group, variable and pair of columns.

use super::basis::Factor;
use super::data::Prepared;
use super::engine::{Engine, Place};
use super::group::{Block, Grids, Group, blocks, refresh, search};
use super::knots::Spans;
use super::orthogonal::{Factored, Frame};
use super::search::{Rules, Side};
use super::workers::Workers;
use crate::error::Error;

pub(super) struct Exact<'a> {
    prepared: &'a Prepared,
    workers: &'a Workers,
    frame: Frame,
    groups: Vec<Group>,
    /// Terms that have no group yet, with their values times sqrt(weight).
    waiting: Vec<(usize, Vec<f64>)>,
}

impl<'a> Exact<'a> {
    pub(super) fn new(prepared: &'a Prepared, workers: &'a Workers) -> Self {
        let mut frame = Frame::new(&prepared.responses);
        frame.push(vec![prepared.root_weights.clone()], workers);
        Exact {
            prepared,
            workers,
            frame,
            groups: Vec::new(),
            waiting: vec![(0, prepared.root_weights.clone())],
        }
    }
}

impl Engine for Exact<'_> {
    fn rss(&self) -> f64 {
        self.frame.rss()
    }

    fn len(&self) -> usize {
        self.frame.len()
    }

    fn n_on(&self, term: usize) -> usize {
        let of_term = self.waiting.iter().filter(|(waiting, _)| *waiting == term);
        let values = of_term.flat_map(|(_, column)| column.iter().enumerate());
        let on = values.filter(|&(_, &p)| p != 0.0);
        self.prepared.count(on.map(|(row, _)| row))
    }

    fn open(&mut self, parents: &[usize], variables: &[usize], spans: &[Spans]) {
        let (opened, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(term, _)| parents.contains(term));
        self.waiting = waiting;
        let opened: Vec<(usize, Vec<f64>)> = opened;
        let columns: Vec<&[f64]> = opened.iter().map(|(_, column)| &column[..]).collect();
        self.groups.push(Group::new(
            parents.to_vec(),
            &columns,
            variables,
            spans,
            Grids::Shared,
            (self.prepared, &self.frame, self.workers),
        ));
    }

    fn refresh(&mut self, alive: &mut dyn FnMut() -> Result<(), Error>) -> Result<(), Error> {
        let context = (self.prepared, &self.frame, self.workers);
        let mut groups: Vec<&mut Group> = self.groups.iter_mut().collect();
        refresh(&mut groups, context, alive)
    }

    fn search(&mut self, rules: Rules) {
        search(blocks(&mut self.groups), &|_, _| rules, self.workers);
    }

    fn groups(&self) -> Vec<(&[usize], &[Block])> {
        let groups = self.groups.iter();
        groups
            .map(|group| (&group.parents[..], &group.blocks[..]))
            .collect()
    }

    fn side(&mut self, (g, block, side): Place) -> &mut Side {
        &mut self.groups[g].blocks[block].sides[side]
    }

    fn add(&mut self, (g, b, side): Place, factors: &[Factor], may_be_parents: bool) -> Vec<bool> {
        let group = &self.groups[g];
        let variable = &self.prepared.variables[group.blocks[b].variable];
        let parent_values = group
            .values
            .column(side, self.prepared.length(), self.workers);
        let columns: Vec<Vec<f64>> = factors
            .iter()
            .map(|factor| factor.column(&parent_values, variable, self.workers))
            .collect();
        let first = self.frame.len();
        let added = self.frame.push(columns.clone(), self.workers);
        if may_be_parents {
            let new = columns.into_iter().zip(&added);
            let new = new.filter(|(_, added)| **added).map(|(column, _)| column);
            self.waiting.extend((first..).zip(new));
        }
        added
    }

    fn truncate(&mut self, n_terms: usize) {
        self.frame.truncate(n_terms);
    }

    fn finish(self) -> Factored {
        self.frame.finish()
    }
}
