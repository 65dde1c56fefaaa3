//! The forward pass by the rules of R `earth` 5.3, which decide its models to the last term.
//!
//! Rules that look odd are R's: bounds in the unit of the data, slots that stay empty, other rules for
//! rows with weights. `docs/r_earth.md` lists them.

mod state;
mod terms;

use crate::error::Error;
use crate::train::basis::{Basis, Factor};
use crate::train::data::Prepared;
use crate::train::forward::Grown;
use crate::train::group::Group;
use crate::train::orthogonal::Frame;
use crate::train::queue::{Queue, Slot};
use crate::train::search::{Addition, Candidate};
use crate::train::workers::Workers;
use crate::train::{ForwardStep, Options, Progress, Stop, gcv};

/// A column with no more squared norm outside the others than this is left out, whatever its unit.
const LEAST_SQUARES: f64 = 0.01;
/// Gains and sums of squares below this are zero, in the unit of the response as it is searched.
const ALMOST_ZERO: f64 = 1e-10;
/// A mean square of the response below this counts as this.
const LEAST_VARIANCE: f64 = 1e-8;
/// A column with less than this share of its length outside the others leaves the model.
const DEPENDENT: f64 = 1e-8;
/// A knot may gain so many times what the step before gained, and this share of the RSS.
const MOST_GROWTH: f64 = 10.0;
const MOST_SHARE: f64 = 1.01;
const LEAST_GRSQ: f64 = -10.0;
const THRESH: f64 = 0.001;

pub(super) fn grow(
    prepared: &Prepared,
    options: &Options,
    most: usize,
    workers: &Workers,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Grown, Error> {
    let mut pass = Pass::new(prepared, options, workers);
    let thresh = options.thresh.unwrap_or(THRESH);
    let null = pass.null_rss();
    let null_gcv = gcv(null, prepared.n(), 1, options.penalty);
    let tss = prepared.tss();
    let mut steps = vec![pass.step(tss)];
    let (mut rss, mut gain, mut rsq) = (null, null, 0.0);
    let stop = loop {
        if pass.queue.slots() + 2 > most {
            break Stop::MaxTerms;
        }
        let bound = (MOST_SHARE * rss).min(MOST_GROWTH * gain);
        let Some(found) = pass.find(rss, bound, progress)? else {
            break Stop::NoCandidate;
        };
        gain = found.gain;
        rss -= gain;
        if rss.abs() < ALMOST_ZERO * pass.unit {
            rss = 0.0;
        }
        let rise = 1.0 - rss / null - rsq;
        rsq += rise;
        let plan = pass.plan(&found);
        let n_terms = pass.basis.len() + plan.terms();
        let grsq = 1.0 - gcv(rss, prepared.n(), n_terms, options.penalty) / null_gcv;
        if thresh != 0.0 && rise < thresh {
            break Stop::Thresh;
        }
        if thresh != 0.0 && grsq < LEAST_GRSQ {
            break Stop::LowGrsq;
        }
        pass.add(&found, plan);
        let step = pass.step(tss);
        let go_on = progress(Progress::Step { step: &step, most });
        steps.push(step);
        if !go_on {
            return Err(Error::Interrupted);
        }
        if rsq >= 1.0 - thresh {
            break Stop::PerfectFit;
        }
    };
    let (basis, frame, terms) = pass.finish();
    Ok(Grown {
        basis,
        factored: frame.finish(),
        terms,
        steps,
        stop,
    })
}

/// How a term was made.
struct Made {
    parent: usize,
    variable: usize,
    factor: Factor,
}

struct Pass<'a> {
    prepared: &'a Prepared,
    options: &'a Options,
    workers: &'a Workers,
    weighted: bool,
    /// What a squared unit of the response is while R searches.
    unit: f64,
    basis: Basis,
    /// Of every term but the intercept.
    made: Vec<Made>,
    frame: Frame,
    /// The term of every column of the frame.
    columns: Vec<Option<usize>>,
    queue: Queue,
    groups: Vec<Group>,
    /// Where each term is a parent: group and side.
    place: Vec<Option<(usize, usize)>>,
    /// Sets of variables of the terms and of columns of zeros, while all are the same.
    form: Form,
    /// With weights: the columns that tell whether a left hinge is worth adding.
    chain: Option<Frame>,
}

enum Form {
    Empty,
    One(Vec<usize>),
    Many,
}

/// Where a candidate stands: group, block, side.
type Place = (usize, usize, usize);

/// The best candidate of a step.
struct Found {
    parent: usize,
    variable: usize,
    place: Place,
    addition: Addition,
    gain: f64,
    /// Whether the last knot that was best until then brought a new form.
    zeros_beside: bool,
}

/// What a step adds.
struct Plan {
    factors: Vec<Factor>,
    /// Of a pair, whether the left hinge becomes a term.
    left_counts: bool,
    zeros: bool,
}

impl Plan {
    fn terms(&self) -> usize {
        1 + usize::from(self.left_counts)
    }
}

impl<'a> Pass<'a> {
    fn new(prepared: &'a Prepared, options: &'a Options, workers: &'a Workers) -> Self {
        let mut frame = Frame::new(&prepared.responses);
        frame.dependent = DEPENDENT;
        frame.push(vec![prepared.root_weights.clone()], workers);
        let weighted = prepared.root_weights.iter().any(|&root| root != 1.0);
        let chain = weighted.then(|| {
            let mut chain = Frame::new(&[]);
            chain.dependent = DEPENDENT;
            chain.push(vec![vec![1.0; prepared.length()]], workers);
            chain
        });
        let unit = match &prepared.responses[..] {
            [y] if options.scale_y != Some(false) => prepared.deviation(y).powi(2),
            _ => 1.0,
        };
        Pass {
            prepared,
            options,
            workers,
            weighted,
            unit,
            basis: Basis::intercept(),
            made: Vec::new(),
            frame,
            columns: vec![Some(0)],
            queue: Queue::new(options.fast_k, options.fast_beta),
            groups: Vec::new(),
            place: vec![None],
            form: Form::Empty,
            chain,
        }
    }

    fn null_rss(&self) -> f64 {
        let least = LEAST_VARIANCE * self.prepared.n() as f64 * self.unit;
        let each = self.frame.residual.iter();
        each.fold(0.0, |sum: f64, r| {
            (sum + r.iter().map(|r| r * r).sum::<f64>()).max(least)
        })
    }

    fn step(&self, tss: f64) -> ForwardStep {
        let (n, penalty) = (self.prepared.n(), self.options.penalty);
        ForwardStep::of(self.frame.rss(), tss, n, self.basis.len(), penalty)
    }

    /// The best candidate under the parents that are up; None when nothing gains.
    fn find(
        &mut self,
        rss: f64,
        bound: f64,
        progress: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Option<Found>, Error> {
        let mut alive = || match progress(Progress::Working) {
            true => Ok(()),
            false => Err(Error::Interrupted),
        };
        let parents = self.queue.parents();
        let is_open = |term: &usize| self.basis.degree(*term) < self.options.max_degree;
        let terms = parents.iter().filter_map(|&(_, slot)| match slot {
            Slot::Term(term) => Some(term).filter(is_open),
            _ => None,
        });
        self.prepare(terms.collect(), &mut alive)?;
        self.search(bound);
        // With weights R regresses on left hinges that it did not make terms of.
        let hidden = if self.weighted {
            rss - self.frame.rss()
        } else {
            0.0
        };
        let mut best: Option<Found> = None;
        let mut zeros_beside = false;
        for (number, slot) in parents {
            let term = match slot {
                Slot::Term(term) if self.basis.degree(term) < self.options.max_degree => term,
                Slot::Zeros(degree) if degree < self.options.max_degree => {
                    self.queue.note(number, 0.0);
                    continue;
                }
                _ => continue,
            };
            let mut parent_best = -1.0_f64;
            let mut is_from_here = false;
            for (place, variable, candidate) in self.candidates(term) {
                let gain = match candidate {
                    Some(candidate) => (candidate.gain + hidden) * self.share(variable),
                    None => 0.0,
                };
                parent_best = parent_best.max(gain);
                let Some(Candidate { addition, .. }) = candidate else {
                    continue;
                };
                if gain > best.as_ref().map_or(0.0, |best| best.gain) {
                    if addition != Addition::Linear {
                        zeros_beside = matches!(addition, Addition::Pair(_));
                    }
                    is_from_here = true;
                    best = Some(Found {
                        parent: term,
                        variable,
                        place,
                        addition,
                        gain,
                        zeros_beside,
                    });
                }
            }
            if let Some(best) = best.as_mut().filter(|_| is_from_here) {
                best.gain /= self.share(best.variable);
            }
            self.queue.note(number, parent_best);
        }
        Ok(best)
    }

    /// What the gain of a variable counts: less while no term has it.
    fn share(&self, variable: usize) -> f64 {
        if self.made.iter().any(|made| made.variable == variable) {
            1.0
        } else {
            1.0 / (1.0 + self.options.newvar_penalty)
        }
    }

    /// The variables that a parent can take, in order, with the best candidate of each.
    fn candidates(&self, term: usize) -> Vec<(Place, usize, Option<Candidate>)> {
        let Some((g, side)) = self.place[term] else {
            return Vec::new();
        };
        let blocks = self.groups[g].blocks.iter().enumerate();
        blocks
            .map(|(b, block)| ((g, b, side), block.variable, block.sides[side].best()))
            .collect()
    }
}
