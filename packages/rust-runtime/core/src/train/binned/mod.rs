//! The search on bins: a row counts as if its value were the mean of its bin.
//!
//! What a candidate needs are then products of its parent with every column, summed over the rows of
//! each bin. The two hinges of a pair are never both other than zero, so one vector holds both, told
//! apart by sign, and one walk over the rows (`tables`) sums all products of two pairs. Columns are not
//! made orthogonal: R comes from their products (Cholesky), and the sums of an orthonormal column from
//! those of the columns before it. Columns that are added have the exact values of the rows.

mod family;
mod products;
mod tables;

use super::Options;
use super::basis::Factor;
use super::data::{Kind, Prepared, Variable};
use super::engine::{Engine, Place};
use super::group::{Block, search};
use super::knots::Spans;
use super::orthogonal::Factored;
use super::search::{Rules, Side};
use super::workers::Workers;
use crate::error::Error;
use crate::spec;
use family::{Context, Family};
use products::Quarters;
use tables::{Job, Other, Scaled, Tables};

/// A column with less than this share of its squared norm outside the others adds nothing: products
/// have half the digits.
const DEPENDENT: f64 = 1e-10;

pub(super) struct Binned<'a> {
    prepared: &'a Prepared,
    options: &'a Options,
    workers: &'a Workers,
    vectors: Vec<Vector>,
    terms: Vec<Term>,
    /// Of the columns as they are kept, and of responses around their means.
    factored: Factored,
    families: Vec<Family>,
    /// Vectors and terms that the families account for.
    seen: (usize, usize),
}

struct Vector {
    values: Vec<f64>,
    /// One over its length.
    scale: f64,
    /// Whether a term is one of its parts alone.
    has_parts: bool,
    /// Products with itself and the vectors before it; none for one that is a parent only.
    products: Vec<Quarters>,
}

/// A part of a vector: its positive part times the first share plus its negative part times the second.
#[derive(Debug, Clone, Copy)]
struct Part {
    vector: usize,
    share: [f64; 2],
}

const WHOLE: [f64; 2] = [1.0, -1.0];
const POSITIVE: [f64; 2] = [1.0, 0.0];
const NEGATIVE: [f64; 2] = [0.0, 1.0];

struct Term {
    /// The column that is kept for it.
    column: Part,
    /// Its values, as a parent has them.
    values: Part,
    /// The column lacks so many times that of another term: a linear term is kept around its centre.
    shift: Option<(usize, f64)>,
}

impl<'a> Binned<'a> {
    pub(super) fn new(prepared: &'a Prepared, options: &'a Options, workers: &'a Workers) -> Self {
        let root = &prepared.root_weights;
        let responses = prepared.responses.len();
        let mut engine = Binned {
            prepared,
            options,
            workers,
            vectors: Vec::new(),
            terms: Vec::new(),
            factored: Factored {
                r: Vec::new(),
                z: vec![Vec::new(); responses],
                rss: Vec::new(),
            },
            families: Vec::new(),
            seen: (0, 0),
        };
        engine.push(root.clone(), &[WHOLE]);
        for y in &prepared.responses {
            let mean = engine.mean(y);
            let centred = y.iter().zip(root).map(|(y, root)| y - mean * root);
            engine.push(centred.collect(), &[WHOLE]);
            let last = engine.vectors.len() - 1;
            let whole = engine.whole(last);
            let squares = engine.product(whole, whole);
            engine.factored.rss.push(squares);
        }
        let intercept = Part {
            vector: 0,
            share: POSITIVE,
        };
        engine.adopt(Term {
            column: intercept,
            values: intercept,
            shift: None,
        });
        engine
    }

    /// Weighted mean of a response.
    fn mean(&self, y: &[f64]) -> f64 {
        let root = &self.prepared.root_weights;
        let total: f64 = root.iter().map(|root| root * root).sum();
        y.iter().zip(root).map(|(y, root)| y * root).sum::<f64>() / total
    }

    fn whole(&self, vector: usize) -> Part {
        Part {
            vector,
            share: WHOLE,
        }
    }

    /// Add a vector of which these parts become columns.
    fn push(&mut self, values: Vec<f64>, columns: &[[f64; 2]]) {
        let mut products = Vec::new();
        if !columns.is_empty() {
            let others = self.vectors.iter().map(|vector| products::Vector {
                values: &vector.values,
                has_parts: vector.has_parts,
            });
            let own = products::Vector {
                values: &values,
                has_parts: true,
            };
            let others: Vec<products::Vector> = others.chain([own]).collect();
            products = products::products(&values, &others, self.workers);
        }
        let squares: f64 = match products.last() {
            Some(own) => own.iter().sum(),
            None => values.iter().map(|u| u * u).sum(),
        };
        let scale = if squares > 0.0 {
            1.0 / squares.sqrt()
        } else {
            1.0
        };
        self.vectors.push(Vector {
            values,
            scale,
            has_parts: columns.iter().any(|&share| share != WHOLE),
            products,
        });
    }

    /// a'b of two parts.
    fn product(&self, a: Part, b: Part) -> f64 {
        let (a, b) = if a.vector < b.vector { (b, a) } else { (a, b) };
        combine(&self.vectors[a.vector].products[b.vector], a.share, b.share)
    }

    /// The part of a response.
    fn response(&self, response: usize) -> Part {
        self.whole(1 + response)
    }

    /// Add a term whose vectors are there; false when it depends on the terms before it.
    fn adopt(&mut self, term: Term) -> bool {
        let mut column: Vec<f64> = Vec::with_capacity(self.terms.len() + 1);
        for (k, earlier) in self.terms.iter().enumerate() {
            let r = &self.factored.r[k];
            let known: f64 = r.iter().zip(&column).map(|(r, q)| r * q).sum();
            column.push((self.product(earlier.column, term.column) - known) / r[k]);
        }
        let squares = self.product(term.column, term.column);
        let left = squares - column.iter().map(|q| q * q).sum::<f64>();
        if left <= DEPENDENT * squares {
            return false;
        }
        let norm = left.sqrt();
        for response in 0..self.factored.z.len() {
            let along = self.product(term.column, self.response(response));
            let z = &mut self.factored.z[response];
            let known: f64 = z.iter().zip(&column).map(|(z, q)| z * q).sum();
            let own = (along - known) / norm;
            z.push(own);
            self.factored.rss[response] = (self.factored.rss[response] - own * own).max(0.0);
        }
        column.push(norm);
        self.factored.r.push(column);
        self.terms.push(term);
        true
    }

    /// Values of a part in all rows.
    fn values(&self, part: Part) -> impl Iterator<Item = f64> {
        let [positive, negative] = part.share;
        let values = self.vectors[part.vector].values.iter();
        values.map(move |u| positive * u.max(0.0) + negative * (-u).max(0.0))
    }

    /// Values of a part times those of a variable, as `of_x` changes them.
    fn times(&self, part: Part, variable: &Variable, of_x: impl Fn(f64) -> f64) -> Vec<f64> {
        let rows = self.values(part).zip(&variable.values);
        rows.map(|(p, &x)| p * of_x(x)).collect()
    }

    /// The pairs of a new vector with those before it, and with itself, of which one is a parent; with
    /// the variables it is free for. None in the place of the second: its rows are counted.
    fn pairs(&self, a: usize) -> Vec<(Option<usize>, Vec<usize>)> {
        let free = |vector: usize| {
            let of_vector = self.families.iter().filter(move |f| f.vector == vector);
            of_vector.flat_map(Family::variables)
        };
        let is_column = |v: usize| !self.vectors[v].products.is_empty();
        let mut pairs: Vec<(Option<usize>, Vec<usize>)> = Vec::new();
        for b in 0..=a {
            let mut variables: Vec<usize> = Vec::new();
            if a == b || is_column(b) {
                variables.extend(free(a));
            }
            if is_column(a) {
                variables.extend(free(b));
            }
            pairs.push((Some(b), variables));
        }
        pairs.push((None, free(a).collect()));
        pairs.retain(|(_, variables)| !variables.is_empty());
        pairs
    }

    /// Sums of the products of a new vector with those it needs, some at a time.
    fn fill(
        &self,
        a: usize,
        alive: &mut dyn FnMut() -> Result<(), Error>,
    ) -> Result<Vec<Sums>, Error> {
        let pairs = self.pairs(a);
        let mut filled = Vec::new();
        let others: Vec<Other> = pairs.iter().map(|&(b, _)| self.other(b)).collect();
        let mut from = 0;
        while from < pairs.len() {
            alive()?;
            let to = from + tables::fitting(&others[from..]);
            let own = &pairs[from..to];
            let mut variables: Vec<usize> = own.iter().flat_map(|(_, v)| v).copied().collect();
            variables.sort_unstable();
            variables.dedup();
            let job = Job {
                a: self.vectors[a].scaled(),
                others: others[from..to].to_vec(),
                variables: variables
                    .iter()
                    .map(|&v| &self.prepared.variables[v])
                    .collect(),
            };
            from = to;
            filled.push(Sums {
                a,
                others: own.iter().map(|(b, _)| *b).collect(),
                tables: tables::fill(&job, self.workers),
                variables,
            });
        }
        Ok(filled)
    }

    fn other(&self, vector: Option<usize>) -> Other<'_> {
        match vector.map(|b| &self.vectors[b]) {
            None => Other::Count(&self.prepared.repeats),
            Some(b) if b.has_parts => Other::Parts(b.scaled()),
            Some(b) => Other::Whole(b.scaled()),
        }
    }
}

impl Vector {
    fn scaled(&self) -> Scaled<'_> {
        Scaled {
            values: &self.values,
            scale: self.scale,
        }
    }
}

/// A product of two parts from the products of the positive and negative parts of their vectors.
fn combine(products: &Quarters, a: [f64; 2], b: [f64; 2]) -> f64 {
    a[0] * (b[0] * products[0] + b[1] * products[1])
        + a[1] * (b[0] * products[2] + b[1] * products[3])
}

impl Engine for Binned<'_> {
    fn rss(&self) -> f64 {
        self.factored.rss()
    }

    fn len(&self) -> usize {
        self.terms.len()
    }

    fn n_on(&self, term: usize) -> usize {
        let part = self.terms[term].values;
        let [positive, negative] = part.share.map(|share| share != 0.0);
        let values = self.vectors[part.vector].values.iter().enumerate();
        let on = values.filter(|&(_, &u)| (positive & (u > 0.0)) | (negative & (u < 0.0)));
        self.prepared.count(on.map(|(row, _)| row))
    }

    fn open(&mut self, parents: &[usize], variables: &[usize], spans: &[Spans]) {
        // The two terms of a pair under a parent that can be negative have no vector in common.
        for (&parent, &spans) in parents.iter().zip(spans) {
            let values = self.terms[parent].values;
            let side = (parent, values.share, spans);
            match self.families.last_mut() {
                Some(family) if family.is_new() && family.vector == values.vector => {
                    family.push(side);
                }
                _ => self
                    .families
                    .push(Family::new(values.vector, variables, side)),
            }
        }
    }

    fn refresh(&mut self, alive: &mut dyn FnMut() -> Result<(), Error>) -> Result<(), Error> {
        let mut tables = Vec::new();
        for a in self.seen.0..self.vectors.len() {
            tables.extend(self.fill(a, alive)?);
        }
        let context = Context {
            prepared: self.prepared,
            options: self.options,
            terms: &self.terms,
            factored: &self.factored,
            tables: &tables,
            seen: self.seen.1,
        };
        self.workers
            .each(&mut self.families, |family| family.refresh(&context));
        self.seen = (self.vectors.len(), self.terms.len());
        Ok(())
    }

    fn search(&mut self, rules: Rules) {
        let blocks = self.families.iter_mut().flat_map(Family::blocks_mut);
        search(blocks.collect(), &|_, _| rules, self.workers);
    }

    fn groups(&self) -> Vec<(&[usize], &[Block])> {
        self.families.iter().map(Family::blocks).collect()
    }

    fn side(&mut self, (g, block, side): Place) -> &mut Side {
        self.families[g].side(block, side)
    }

    fn add(&mut self, (g, b, side): Place, factors: &[Factor], may_be_parents: bool) -> Vec<bool> {
        let family = &self.families[g];
        let (parent, parent_part) = family.parent(side);
        let variable = &self.prepared.variables[family.blocks().1[b].variable];
        let is_signed = parent_part.share == WHOLE;
        // Each vector with the parts of it that become terms.
        let mut made: Vec<(Vec<f64>, Vec<[f64; 2]>)> = Vec::new();
        let mut shift = None;
        let mut raw = None;
        match factors {
            [Factor::Hinge { knot, .. }, ..] if !is_signed => {
                let shares = factors.iter().map(|factor| match factor {
                    Factor::Hinge {
                        side: spec::Side::Left,
                        ..
                    } => NEGATIVE,
                    _ => POSITIVE,
                });
                made.push((
                    self.times(parent_part, variable, |x| x - knot),
                    shares.collect(),
                ));
            }
            _ => {
                for factor in factors {
                    let column = match factor {
                        Factor::Hinge { knot, side } => match side {
                            spec::Side::Right => {
                                self.times(parent_part, variable, |x| (x - knot).max(0.0))
                            }
                            spec::Side::Left => {
                                self.times(parent_part, variable, |x| (knot - x).max(0.0))
                            }
                        },
                        Factor::Linear if variable.kind == Kind::Numeric => {
                            shift = Some((parent, variable.centre));
                            raw = may_be_parents.then(|| self.times(parent_part, variable, |x| x));
                            self.times(parent_part, variable, |x| x - variable.centre)
                        }
                        Factor::Linear => self.times(parent_part, variable, |x| x),
                    };
                    made.push((column, vec![WHOLE]));
                }
            }
        }
        let mut added = Vec::with_capacity(factors.len());
        for (column, shares) in made {
            let vector = self.vectors.len();
            self.push(column, &shares);
            let first = added.len();
            for share in shares {
                let column = Part { vector, share };
                let values = match &raw {
                    Some(_) => self.whole(vector + 1),
                    None => column,
                };
                added.push(self.adopt(Term {
                    column,
                    values,
                    shift,
                }));
            }
            if !added[first..].contains(&true) {
                self.vectors.pop();
            } else if let Some(values) = raw.take() {
                self.push(values, &[]);
            }
        }
        added
    }

    fn truncate(&mut self, n_terms: usize) {
        for (z, rss) in self.factored.z.iter_mut().zip(&mut self.factored.rss) {
            *rss += z.drain(n_terms..).map(|z| z * z).sum::<f64>();
        }
        self.factored.r.truncate(n_terms);
        self.terms.truncate(n_terms);
    }

    fn finish(self) -> Factored {
        let mut factored = self.factored;
        for (k, term) in self.terms.iter().enumerate() {
            if let Some((other, times)) = term.shift {
                let (before, rest) = factored.r.split_at_mut(k);
                for (r, other) in rest[0].iter_mut().zip(&before[other]) {
                    *r += times * other;
                }
            }
        }
        let norm = factored.r[0][0];
        for (z, y) in factored.z.iter_mut().zip(&self.prepared.responses) {
            let root = &self.prepared.root_weights;
            let along: f64 = y.iter().zip(root).map(|(y, root)| y * root).sum();
            z[0] = along / norm;
        }
        factored
    }
}

/// Sums over bins of the products of a vector with some others, or its counts.
struct Sums {
    a: usize,
    others: Vec<Option<usize>>,
    variables: Vec<usize>,
    tables: Tables,
}
