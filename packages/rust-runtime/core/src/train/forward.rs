//! The forward pass: grow terms in pairs, the best (parent, variable, knot) at each step.

use super::basis::{Basis, Factor};
use super::data::{Kind, Prepared};
use super::knots::Spans;
use super::orthogonal::Frame;
use super::search::{Addition, Block};
use super::{ForwardStep, Options, Stop, gcv};
use crate::error::Error;
use crate::spec::Side;

pub(super) struct Grown {
    pub(super) basis: Basis,
    pub(super) frame: Frame,
    pub(super) steps: Vec<ForwardStep>,
    pub(super) stop: Stop,
}

/// Differences this small are rounding, whatever `thresh` says.
const ROUNDING: f64 = 1e-10;

pub(super) fn grow(
    prepared: &Prepared,
    options: &Options,
    most: usize,
    progress: &mut dyn FnMut(&ForwardStep, usize) -> bool,
) -> Result<Grown, Error> {
    let mut pass = Pass::new(prepared, options);
    let tss = pass.frame.rss();
    let mut steps = vec![pass.step(tss)];
    // Each step takes two slots, also when it adds one term.
    let mut slots = 1;
    let stop = loop {
        if slots + 2 > most {
            break Stop::MaxTerms;
        }
        let Some(added) = pass.add_best(slots) else {
            break Stop::NoCandidate;
        };
        let gain = added.rss_before - pass.frame.rss();
        if gain < options.thresh.max(ROUNDING) * tss {
            pass.undo(added);
            break Stop::Thresh;
        }
        for k in added.first_term..pass.columns.len() {
            pass.slots.push(slots + 1 + k - added.first_term);
        }
        slots += 2;
        pass.offer_parents();
        let step = pass.step(tss);
        let rsq = step.rsq;
        let go_on = progress(&step, most);
        steps.push(step);
        if !go_on {
            return Err(Error::Interrupted);
        }
        if rsq >= 1.0 - options.thresh.max(ROUNDING) {
            break Stop::PerfectFit;
        }
    };
    Ok(Grown {
        basis: pass.basis,
        frame: pass.frame,
        steps,
        stop,
    })
}

struct Pass<'a> {
    prepared: &'a Prepared,
    options: &'a Options,
    basis: Basis,
    frame: Frame,
    /// Values of every term, times sqrt(weight).
    columns: Vec<Vec<f64>>,
    /// Slot of every term, counted from 1.
    slots: Vec<usize>,
    /// Terms from here on have not been offered as parents yet.
    waiting: usize,
    blocks: Vec<Block>,
}

struct Added {
    rss_before: f64,
    first_term: usize,
    mark: super::orthogonal::Mark,
    basis_before: Basis,
}

impl<'a> Pass<'a> {
    fn new(prepared: &'a Prepared, options: &'a Options) -> Self {
        let mut frame = Frame::new(&prepared.responses);
        frame.push(prepared.root_weights.clone());
        let mut pass = Pass {
            prepared,
            options,
            basis: Basis::intercept(),
            frame,
            columns: vec![prepared.root_weights.clone()],
            slots: vec![1],
            waiting: 0,
            blocks: Vec::new(),
        };
        pass.offer_parents();
        pass
    }

    fn step(&self, tss: f64) -> ForwardStep {
        let (rss, n_terms) = (self.frame.rss(), self.columns.len());
        ForwardStep {
            n_terms,
            rss,
            rsq: 1.0 - rss / tss,
            gcv: gcv(rss, self.prepared.n(), n_terms, self.options.penalty),
        }
    }

    /// Set up a block for each variable that a new parent can take.
    ///
    /// A term waits until there are as many terms as its slot number: so does R `earth`, and single
    /// hinges leave slots empty.
    fn offer_parents(&mut self) {
        while self.waiting < self.columns.len() && self.slots[self.waiting] <= self.columns.len() {
            let parent = self.waiting;
            self.waiting += 1;
            if self.basis.degree(parent) >= self.options.max_degree {
                continue;
            }
            let weighted = &self.columns[parent];
            let spans = Spans::new(
                self.options.minspan,
                self.options.endspan,
                self.prepared.variables.len(),
                weighted.iter().filter(|&&p| p != 0.0).count(),
                parent == 0,
            );
            for (v, variable) in self.prepared.variables.iter().enumerate() {
                if !self.basis.uses(parent, variable.feature) {
                    let block = Block::new((parent, weighted), (v, variable), spans, &self.frame);
                    self.blocks.push(block);
                }
            }
        }
    }

    /// Add the best candidate whose exact columns are independent of the frame.
    fn add_best(&mut self, slots: usize) -> Option<Added> {
        for block in &mut self.blocks {
            let variable = &self.prepared.variables[block.variable];
            block.refresh(&self.columns[block.parent], variable, &self.frame);
        }
        loop {
            let mut best: Option<(usize, f64, Addition)> = None;
            for (b, block) in self.blocks.iter().enumerate() {
                if let Some(candidate) = block.best(slots) {
                    if best.is_none_or(|(_, gain, _)| candidate.gain > gain) {
                        best = Some((b, candidate.gain, candidate.addition));
                    }
                }
            }
            let (b, _, addition) = best?;
            let added = Added {
                rss_before: self.frame.rss(),
                first_term: self.columns.len(),
                mark: self.frame.mark(),
                basis_before: self.basis.clone(),
            };
            if self.add(b, addition) {
                return Some(added);
            }
            self.blocks[b].refuse(addition);
        }
    }

    fn add(&mut self, b: usize, addition: Addition) -> bool {
        let block = &self.blocks[b];
        let hinge = |s: usize, side| Factor::Hinge {
            knot: block.knot(s),
            side,
        };
        let factors = match addition {
            Addition::Linear => vec![Factor::Linear],
            Addition::Right(s) => vec![hinge(s, Side::Right)],
            Addition::Pair(s) => vec![hinge(s, Side::Right), hinge(s, Side::Left)],
        };
        let (parent, v) = (block.parent, block.variable);
        let before = self.columns.len();
        for factor in factors {
            let variable = &self.prepared.variables[v];
            let column: Vec<f64> = self.columns[parent]
                .iter()
                .zip(&variable.values)
                .map(|(&p, &x)| match (&variable.kind, &factor) {
                    (
                        Kind::Numeric,
                        Factor::Hinge {
                            knot,
                            side: Side::Right,
                        },
                    ) => p * (x - knot).max(0.0),
                    (
                        Kind::Numeric,
                        Factor::Hinge {
                            knot,
                            side: Side::Left,
                        },
                    ) => p * (knot - x).max(0.0),
                    _ => p * x,
                })
                .collect();
            if self.frame.push(column.clone()) {
                self.columns.push(column);
                self.basis.push(parent, variable, factor);
            }
        }
        self.columns.len() > before
    }

    fn undo(&mut self, added: Added) {
        self.columns.truncate(added.first_term);
        self.basis = added.basis_before;
        self.frame.undo(added.mark);
    }
}
