//! The forward pass: grow terms in pairs, the best (parent, variable, knot) at each step.

use std::cmp::Ordering;

use super::basis::{Basis, Factor};
use super::data::Prepared;
use super::engine::{Engine, Place};
use super::knots::{Room, Spans};
use super::lookahead::LookAhead;
use super::orthogonal::Factored;
use super::search::{Addition, Candidate, Rules, hinge_tolerance};
use super::{ForwardStep, Options, Progress, Stop};
use crate::error::Error;
use crate::spec::Side;

pub(super) struct Grown {
    pub(super) basis: Basis,
    pub(super) factored: Factored,
    /// The term of every column.
    pub(super) terms: Vec<usize>,
    pub(super) steps: Vec<ForwardStep>,
    pub(super) stop: Stop,
}

/// Differences this small are rounding, whatever `thresh` says.
const ROUNDING: f64 = 1e-10;
/// Gains that differ by a smaller share are equal, and a written rule chooses.
const TIE: f64 = 1e-10;
/// A linear partner with less than this share of its norm outside the frame is in its span.
const LINEAR_TOLERANCE: f64 = 1e-4;

pub(super) fn grow(
    prepared: &Prepared,
    options: &Options,
    most: usize,
    engine: impl Engine,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Grown, Error> {
    let mut pass = Pass {
        prepared,
        options,
        basis: Basis::intercept(),
        engine,
        waiting: vec![0],
    };
    let tss = pass.engine.rss();
    let mut steps = vec![pass.step(tss)];
    let mut look_ahead = LookAhead::new();
    let least = options.thresh.unwrap_or(0.0).max(ROUNDING);
    // Each step takes two slots, also when it adds one term.
    let mut slots = 1;
    let stop = loop {
        if slots + 2 > most {
            break Stop::MaxTerms;
        }
        let rss_before = pass.engine.rss();
        let first_new = pass.engine.len();
        if !pass.search(slots, progress)? {
            break Stop::NoCandidate;
        }
        let gain = rss_before - pass.engine.rss();
        if gain < least * tss {
            pass.cut_back(first_new);
            break Stop::Thresh;
        }
        slots += 2;
        let step = pass.step(tss);
        let rsq = step.rsq;
        let go_on = progress(Progress::Step { step: &step, most });
        steps.push(step);
        if !go_on {
            return Err(Error::Interrupted);
        }
        if rsq >= 1.0 - least {
            break Stop::PerfectFit;
        }
        if options.thresh.is_none() {
            let trials = prepared.variables.len() * pass.basis.parents(options.max_degree);
            let samples = prepared.n() * prepared.responses.len();
            let last = (&steps[steps.len() - 2], &steps[steps.len() - 1]);
            if look_ahead.is_enough(samples, last, steps[0].gcv, trials) {
                break Stop::NothingAhead;
            }
        }
    };
    if options.thresh.is_none() {
        // Steps after the last one that counts were only looked at.
        let kept = steps.len() - look_ahead.idle();
        pass.cut_back(steps[kept - 1].n_terms);
        steps.truncate(kept);
    }
    Ok(Grown {
        terms: (0..pass.engine.len()).collect(),
        basis: pass.basis,
        factored: pass.engine.finish(),
        steps,
        stop,
    })
}

struct Pass<'a, E> {
    prepared: &'a Prepared,
    options: &'a Options,
    basis: Basis,
    engine: E,
    /// Terms that are not searched under yet.
    waiting: Vec<usize>,
}

impl<E: Engine> Pass<'_, E> {
    fn step(&self, tss: f64) -> ForwardStep {
        let (n, penalty) = (self.prepared.n(), self.options.penalty);
        ForwardStep::of(self.engine.rss(), tss, n, self.engine.len(), penalty)
    }

    /// Bring the search up to date and add the best candidate; false when there is none.
    fn search(
        &mut self,
        slots: usize,
        progress: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<bool, Error> {
        let mut alive = || match progress(Progress::Working) {
            true => Ok(()),
            false => Err(Error::Interrupted),
        };
        let rules = Rules {
            linear: LINEAR_TOLERANCE,
            linear_least: 0.0,
            new_form: true,
            always_pair: false,
            hinge: [hinge_tolerance(slots); 2],
            tie: TIE,
            margin: 0.0,
            most: f64::INFINITY,
        };
        for terms in self.new_parents() {
            alive()?;
            self.open(&terms)?;
        }
        self.engine.refresh(&mut alive)?;
        self.engine.search(rules);
        while let Some((place, candidate)) = self.choose() {
            if self.add(place, candidate.addition) {
                return Ok(true);
            }
            let side = self.engine.side(place);
            side.refuse(candidate.addition);
            side.search(rules);
        }
        Ok(false)
    }

    /// Waiting terms, the two hinges of a pair together.
    fn new_parents(&mut self) -> Vec<Vec<usize>> {
        let mut found: Vec<Vec<usize>> = Vec::new();
        for term in self.waiting.drain(..) {
            match found.last_mut() {
                Some(pair)
                    if pair.len() == 1
                        && self.options.allowed.is_for_both_sides()
                        && self.basis.is_pair(pair[0], term) =>
                {
                    pair.push(term);
                }
                _ => found.push(vec![term]),
            }
        }
        found
    }

    fn open(&mut self, terms: &[usize]) -> Result<(), Error> {
        let free = self
            .options
            .free_variables(terms[0], &self.basis, self.prepared)?;
        let spans: Vec<Spans> = terms
            .iter()
            .map(|&term| {
                let n_on = self.engine.n_on(term);
                let room = Room {
                    n: n_on,
                    n_on,
                    p: self.prepared.variables.len(),
                    degree: self.basis.degree(term) + 1,
                };
                Spans::new(self.options, room)
            })
            .collect();
        self.engine.open(terms, &free, &spans);
        Ok(())
    }

    /// The best candidate of all.
    ///
    /// Equal gains: the smaller name of the variable, the
    /// larger knot, the parent whose factors sort first. So the order of columns does not matter.
    fn choose(&self) -> Option<(Place, Candidate)> {
        let mut best: Option<(Place, Candidate)> = None;
        let mut order: Vec<(usize, usize, usize)> = Vec::new();
        let groups = self.engine.groups();
        for (g, (parents, _)) in groups.iter().enumerate() {
            for (side, &parent) in parents.iter().enumerate() {
                order.push((parent, g, side));
            }
        }
        order.sort_unstable();
        let variables = self.prepared.variables.iter();
        let shares: Vec<f64> = variables.map(|v| self.share(v.feature)).collect();
        for (_, g, side) in order {
            for (b, block) in groups[g].1.iter().enumerate() {
                let Some(mut candidate) = block.sides[side].best() else {
                    continue;
                };
                candidate.gain *= shares[block.variable];
                let place = (g, b, side);
                let better = match &best {
                    None => true,
                    Some((other, best)) => {
                        let tie = TIE * best.gain;
                        candidate.gain > best.gain + tie
                            || (candidate.gain >= best.gain - tie
                                && self.compare(place, candidate, *other, *best) == Ordering::Less)
                    }
                };
                if better {
                    best = Some((place, candidate));
                }
            }
        }
        best
    }

    /// What the gain of a feature counts: less while no term has it.
    fn share(&self, feature: usize) -> f64 {
        if (0..self.basis.len()).any(|term| self.basis.uses(term, feature)) {
            1.0
        } else {
            1.0 / (1.0 + self.options.newvar_penalty)
        }
    }

    fn compare(&self, a: Place, of_a: Candidate, b: Place, of_b: Candidate) -> Ordering {
        let groups = self.engine.groups();
        let key = |(g, block, side): Place, candidate: Candidate| {
            let (parents, blocks) = groups[g];
            let block = &blocks[block];
            let knot = match candidate.addition {
                Addition::Linear => f64::INFINITY,
                Addition::Pair(s) | Addition::Right(s) => block.sides[side].knot(s),
            };
            let variable = &self.prepared.variables[block.variable];
            let name = self.prepared.name(variable);
            let factors = self.basis.factors(parents[side], &self.prepared.features);
            (name, knot, factors)
        };
        let (a, b) = (key(a, of_a), key(b, of_b));
        a.0.cmp(&b.0)
            .then(b.1.total_cmp(&a.1))
            .then_with(|| a.2.cmp(&b.2))
    }

    /// Add the columns of a candidate; false when they depend on the frame.
    fn add(&mut self, (g, b, side): Place, addition: Addition) -> bool {
        let (parents, blocks) = self.engine.groups()[g];
        let (parent, block) = (parents[side], &blocks[b]);
        let variable = &self.prepared.variables[block.variable];
        let hinge = |s: usize, to: Side| Factor::Hinge {
            knot: block.sides[side].knot(s),
            side: to,
        };
        let factors = match addition {
            Addition::Linear => vec![self.options.linear_factor(variable)],
            Addition::Right(s) => vec![hinge(s, Side::Right)],
            Addition::Pair(s) => vec![hinge(s, Side::Right), hinge(s, Side::Left)],
        };
        let may_be_parents = self.basis.degree(parent) + 1 < self.options.max_degree;
        let added = self.engine.add((g, b, side), &factors, may_be_parents);
        let each = factors.into_iter().zip(&added);
        for (factor, _) in each.filter(|(_, added)| **added) {
            let term = self.basis.push(parent, variable, factor);
            if may_be_parents {
                self.waiting.push(term);
            }
        }
        added.contains(&true)
    }

    fn cut_back(&mut self, n_terms: usize) {
        self.engine.truncate(n_terms);
        self.basis.truncate(n_terms);
    }
}
