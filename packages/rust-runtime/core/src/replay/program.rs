//! A plan compiled for replay: what is evaluated for each tile of rows, and in which order.
//!
//! The order of additions is part of the contract, so terms are never sorted by variable and no
//! lookup replaces a sum of hinges. What is grouped is the work: inputs that no term reads are not
//! loaded, a parent is evaluated once for all its children, factors that are 1 are dropped, and two
//! hinges that follow each other are added in one pass over the tile.

use crate::plan::{Factor, Input, Node};
use crate::spec::{Side, When};

/// What a plan comes to for each tile.
#[derive(Debug, Clone, Default)]
pub(crate) struct Program {
    /// Features whose values are loaded, one input tile each.
    pub(super) features: Vec<usize>,
    /// Further input tiles: a loaded one with its missing values imputed.
    pub(super) imputed: Vec<(usize, f64)>,
    /// What must be looked for in the input tiles before they are used.
    pub(super) checks: Vec<Check>,
    /// Whether a missing value always shows in the sum, so that only sums that are NaN are looked into.
    pub(super) nan_shows: bool,
    /// Every node that some column needs, parents first.
    pub(super) nodes: Vec<Product>,
    /// The steps of a model with one response; empty where there are more.
    pub(super) sum: Vec<Step>,
    /// Tiles that hold parents.
    pub(super) n_slots: usize,
}

/// An input whose values are judged.
#[derive(Debug, Clone)]
pub(super) struct Check {
    pub(super) input: usize,
    pub(super) feature: usize,
    pub(super) n_categories: usize,
}

/// A node: the product of its parents from left to right, times its factor.
#[derive(Debug, Clone)]
pub(super) struct Product {
    pub(super) parents: Vec<usize>,
    pub(super) factor: Value,
    /// Where it is kept for its children.
    pub(super) slot: Option<usize>,
    /// Which column of the design matrix it is.
    pub(super) column: Option<usize>,
}

/// A factor and the input tile it reads.
#[derive(Debug, Clone)]
pub(super) enum Value {
    One,
    Linear {
        input: usize,
    },
    Right {
        input: usize,
        knot: f64,
    },
    Left {
        input: usize,
        knot: f64,
    },
    Categorical {
        input: usize,
        table: Vec<f64>,
    },
    Missingness {
        input: usize,
        missing: f64,
        present: f64,
    },
}

/// One step of a sum of terms.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// Add a coefficient to every row.
    Constant(f64),
    /// Evaluate a node by its position in `nodes`, and add it where it has a coefficient.
    Node(usize, Option<f64>),
    /// Add a term.
    One(Term),
    /// Add two terms, one after the other, in one pass.
    Pair(Term, Term),
}

/// A term that is a hinge or an input, by itself or times one parent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    pub(super) parent: Option<usize>,
    pub(super) shape: Shape,
    pub(super) input: usize,
    pub(super) knot: f64,
    pub(super) coefficient: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    Linear,
    Right,
    Left,
}

impl Program {
    /// Compile the nodes of a plan. `used` names the features that some factor reads, in order.
    pub(crate) fn new(
        nodes: &[Node],
        columns: &[usize],
        coefficients: &[f64],
        inputs: &[Input],
        used: &[usize],
        allow_missing: bool,
    ) -> Self {
        let mut program = Program {
            features: used.to_vec(),
            ..Program::default()
        };
        let live = live(nodes, columns);
        let mut has_child = vec![false; nodes.len()];
        for (node, _) in nodes.iter().zip(&live).filter(|&(_, &live)| live) {
            node.parents.iter().for_each(|&p| has_child[p] = true);
        }
        let mut column_of = vec![None; nodes.len()];
        for (position, &column) in columns.iter().enumerate() {
            column_of[column] = Some(position);
        }
        let mut tiles = Inputs::new(used, inputs);
        let mut is_one = vec![false; nodes.len()];
        let mut place = vec![None; nodes.len()];
        for (k, node) in nodes.iter().enumerate() {
            let parents: Vec<usize> = node
                .parents
                .iter()
                .copied()
                .filter(|&p| !is_one[p])
                .collect();
            is_one[k] = parents.is_empty() && node.factor == Factor::One;
            if !live[k] {
                continue;
            }
            let slot = (!is_one[k] && has_child[k]).then_some(program.n_slots);
            program.n_slots += usize::from(slot.is_some());
            place[k] = slot;
            let product = Product {
                parents: parents.iter().filter_map(|&p| place[p]).collect(),
                factor: tiles.value(&node.factor),
                slot,
                column: column_of[k],
            };
            program.nodes.push(product);
        }
        program.imputed = tiles.imputed;
        program.judge(inputs, allow_missing);
        if coefficients.len() == columns.len() {
            program.sum = program.steps(coefficients);
        }
        program
    }

    /// Number of input tiles.
    pub(super) fn n_inputs(&self) -> usize {
        self.features.len() + self.imputed.len()
    }

    /// Say which inputs are checked, and whether a missing value always reaches the sum.
    fn judge(&mut self, inputs: &[Input], allow_missing: bool) {
        let mut reaches = vec![false; self.n_inputs()];
        for node in &self.nodes {
            match node.factor {
                Value::Linear { input }
                | Value::Right { input, .. }
                | Value::Left { input, .. } => {
                    reaches[input] = true;
                }
                _ => {}
            }
        }
        let judged = |feature: usize| !allow_missing || inputs[feature].n_categories > 0;
        let features = self.features.iter().enumerate();
        self.checks = features
            .filter(|&(_, &feature)| judged(feature))
            .map(|(input, &feature)| Check {
                input,
                feature,
                n_categories: inputs[feature].n_categories,
            })
            .collect();
        let mut checks = self.checks.iter();
        self.nan_shows = checks.all(|check| check.n_categories == 0 && reaches[check.input]);
    }

    /// The steps of the one response.
    fn steps(&self, coefficients: &[f64]) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::with_capacity(self.nodes.len());
        for (k, node) in self.nodes.iter().enumerate() {
            let coefficient = node.column.map(|column| coefficients[column]);
            let step = match (coefficient, &node.factor, node.parents.is_empty()) {
                (Some(coefficient), Value::One, true) => Step::Constant(coefficient),
                (None, Value::One, true) => continue,
                (Some(coefficient), _, _) => match node.term(coefficient) {
                    Some(term) => Step::One(term),
                    None => Step::Node(k, Some(coefficient)),
                },
                (None, _, _) => Step::Node(k, None),
            };
            match (steps.last_mut(), step) {
                (Some(last), Step::One(next)) => match *last {
                    Step::One(term) if term.pairs_with(next) => *last = Step::Pair(term, next),
                    _ => steps.push(step),
                },
                _ => steps.push(step),
            }
        }
        steps
    }
}

/// Which input tile a factor reads.
struct Inputs<'a> {
    inputs: &'a [Input],
    n_raw: usize,
    /// The tile of each feature as it is, and with its missing values imputed.
    raw: Vec<usize>,
    filled: Vec<Option<usize>>,
    imputed: Vec<(usize, f64)>,
}

impl<'a> Inputs<'a> {
    fn new(used: &[usize], inputs: &'a [Input]) -> Self {
        let mut raw = vec![0; inputs.len()];
        for (position, &feature) in used.iter().enumerate() {
            raw[feature] = position;
        }
        Inputs {
            inputs,
            n_raw: used.len(),
            raw,
            filled: vec![None; inputs.len()],
            imputed: Vec::new(),
        }
    }

    fn filled(&mut self, feature: usize) -> usize {
        let raw = self.raw[feature];
        let Some(impute) = self.inputs[feature].impute else {
            return raw;
        };
        *self.filled[feature].get_or_insert_with(|| {
            self.imputed.push((raw, impute));
            self.n_raw + self.imputed.len() - 1
        })
    }

    fn value(&mut self, factor: &Factor) -> Value {
        match *factor {
            Factor::One => Value::One,
            Factor::Linear { feature } => Value::Linear {
                input: self.filled(feature),
            },
            Factor::Hinge {
                feature,
                knot,
                side,
            } => {
                let input = self.filled(feature);
                match side {
                    Side::Right => Value::Right { input, knot },
                    Side::Left => Value::Left { input, knot },
                }
            }
            Factor::Categorical { feature, ref table } => Value::Categorical {
                input: self.filled(feature),
                table: table.clone(),
            },
            Factor::Missingness { feature, when } => {
                let (missing, present) = match when {
                    When::Missing => (1.0, 0.0),
                    When::Present => (0.0, 1.0),
                };
                Value::Missingness {
                    input: self.raw[feature],
                    missing,
                    present,
                }
            }
        }
    }
}

impl Product {
    /// This node as a term that needs no slot, if it is that simple.
    fn term(&self, coefficient: f64) -> Option<Term> {
        let (shape, input, knot) = match self.factor {
            Value::Linear { input } => (Shape::Linear, input, 0.0),
            Value::Right { input, knot } => (Shape::Right, input, knot),
            Value::Left { input, knot } => (Shape::Left, input, knot),
            _ => return None,
        };
        (self.slot.is_none() && self.parents.len() <= 1).then(|| Term {
            parent: self.parents.first().copied(),
            shape,
            input,
            knot,
            coefficient,
        })
    }
}

impl Term {
    fn pairs_with(self, next: Term) -> bool {
        let hinges = self.shape != Shape::Linear && next.shape != Shape::Linear;
        hinges && self.parent.is_some() == next.parent.is_some()
    }
}

/// The nodes that some column is or needs.
fn live(nodes: &[Node], columns: &[usize]) -> Vec<bool> {
    let mut live = vec![false; nodes.len()];
    columns.iter().for_each(|&column| live[column] = true);
    for k in (0..nodes.len()).rev() {
        if live[k] {
            nodes[k].parents.iter().for_each(|&p| live[p] = true);
        }
    }
    live
}
