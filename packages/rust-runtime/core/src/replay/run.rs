//! Replay a part of the rows on the calling thread.

use std::cell::Cell;

use mars_earth_dispatch::Work;

use super::Output;
use super::load::{Ahead, load};
use super::program::{Product, Program, Shape, Step, Term, Value};
use super::tile::{
    Groups, LANES, Left, Linear, Right, Tile, add, add_child, add_constant, add_scaled, add_two,
    add_two_children, any_nan, multiply,
};
use crate::error::Error;
use crate::plan::Plan;
use crate::rows::Rows;

/// Buffers of one thread; how many there are depends on the model alone.
pub(super) struct Scratch<const G: usize> {
    inputs: Vec<Tile<G>>,
    /// Parents that are kept for their children.
    slots: Vec<Tile<G>>,
    /// One for each response.
    sums: Vec<Tile<G>>,
}

thread_local! {
    /// Buffers of this thread's last replay of a few rows, so that the next one allocates nothing.
    static KEPT: Cell<Option<Scratch<1>>> = const { Cell::new(None) };
}

/// Most bytes that are kept.
const MOST_KEPT: usize = 1 << 16;

impl Scratch<1> {
    /// Lend the buffers that this thread keeps, made to fit.
    pub(super) fn lend<T>(plan: &Plan, work: impl FnOnce(&mut Scratch<1>) -> T) -> T {
        let mut scratch = match KEPT.take() {
            Some(mut kept) => {
                kept.inputs.resize(plan.program.n_inputs(), Tile::ZERO);
                kept.slots.resize(plan.program.n_slots, Tile::ZERO);
                kept.sums.resize(plan.n_responses(), Tile::ZERO);
                kept
            }
            None => Scratch::new(plan),
        };
        let done = work(&mut scratch);
        if Scratch::<1>::bytes(plan) <= MOST_KEPT {
            KEPT.set(Some(scratch));
        }
        done
    }
}

impl<const G: usize> Scratch<G> {
    pub(super) fn new(plan: &Plan) -> Self {
        Scratch {
            inputs: vec![Tile::ZERO; plan.program.n_inputs()],
            slots: vec![Tile::ZERO; plan.program.n_slots],
            sums: vec![Tile::ZERO; plan.n_responses()],
        }
    }

    /// Bytes that the buffers of a plan take.
    pub(super) fn bytes(plan: &Plan) -> usize {
        let program = &plan.program;
        (program.n_inputs() + program.n_slots + plan.n_responses()) * size_of::<Tile<G>>()
    }
}

/// A part of the rows, and where its values go.
pub(super) struct Part<'a, const G: usize> {
    pub(super) plan: &'a Plan,
    pub(super) rows: &'a Rows<'a>,
    pub(super) output: Output,
    pub(super) scratch: &'a mut Scratch<G>,
    /// The first row.
    pub(super) from: usize,
    pub(super) out: &'a mut [f64],
}

impl<const G: usize> Work for Part<'_, G> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn run(self) -> Result<(), Error> {
        let (plan, program, scratch) = (self.plan, &self.plan.program, self.scratch);
        let width = self.output.width(plan);
        let one_sum = width == 1 && self.output != Output::DesignMatrix;
        for (t, out) in self.out.chunks_mut(G * LANES * width).enumerate() {
            let (from, n) = (self.from + t * G * LANES, out.len() / width);
            let on = Groups::holding(n);
            load(program, self.rows, from, n, &mut scratch.inputs);
            let steps = if one_sum {
                program.sum.len()
            } else {
                program.nodes.len()
            };
            let ahead = Ahead::of::<G>(self.rows, from + n, steps);
            if one_sum {
                if !program.nan_shows {
                    check(plan, &scratch.inputs, self.rows, from, n)?;
                }
                let sum = add_up(on, program, &scratch.inputs, &mut scratch.slots, ahead);
                if program.nan_shows && any_nan(&sum, n) {
                    check(plan, &scratch.inputs, self.rows, from, n)?;
                }
                out.copy_from_slice(&sum.rows()[..n]);
            } else {
                check(plan, &scratch.inputs, self.rows, from, n)?;
                each_node(on, self.output, plan, scratch, out, ahead);
            }
            if let (Output::Responses, Some(link)) = (self.output, plan.link) {
                out.chunks_exact_mut(width)
                    .for_each(|row| link.respond(row));
            }
        }
        Ok(())
    }
}

/// The one response of a tile, before any link.
#[inline(always)]
fn add_up<const G: usize>(
    on: Groups,
    program: &Program,
    inputs: &[Tile<G>],
    slots: &mut [Tile<G>],
    mut ahead: Ahead,
) -> Tile<G> {
    let mut sum = Tile::ZERO;
    for step in &program.sum {
        ahead.fetch();
        match step {
            Step::Constant(c) => {
                add_constant(on, &mut sum, *c);
            }
            Step::Node(k, coefficient) => {
                let node = &program.nodes[*k];
                let value = evaluate(on, node, inputs, slots);
                if let Some(slot) = node.slot {
                    slots[slot] = value;
                }
                if let Some(c) = coefficient {
                    add_scaled(on, &mut sum, &value, *c);
                }
            }
            Step::One(term) => one(on, &mut sum, term, inputs, slots),
            Step::Pair(first, second) => pair(on, &mut sum, first, second, inputs, slots),
        }
    }
    sum
}

#[inline(always)]
fn one<const G: usize>(
    on: Groups,
    sum: &mut Tile<G>,
    term: &Term,
    inputs: &[Tile<G>],
    slots: &[Tile<G>],
) {
    let (x, with) = (&inputs[term.input], (term.knot, term.coefficient));
    match (term.parent, term.shape) {
        (None, Shape::Linear) => add::<Linear, G>(on, sum, x, with),
        (None, Shape::Right) => add::<Right, G>(on, sum, x, with),
        (None, Shape::Left) => add::<Left, G>(on, sum, x, with),
        (Some(p), Shape::Linear) => add_child::<Linear, G>(on, sum, &slots[p], x, with),
        (Some(p), Shape::Right) => add_child::<Right, G>(on, sum, &slots[p], x, with),
        (Some(p), Shape::Left) => add_child::<Left, G>(on, sum, &slots[p], x, with),
    }
}

#[inline(always)]
fn pair<const G: usize>(
    on: Groups,
    sum: &mut Tile<G>,
    first: &Term,
    second: &Term,
    inputs: &[Tile<G>],
    slots: &[Tile<G>],
) {
    let x = (&inputs[first.input], &inputs[second.input]);
    let a = (first.knot, first.coefficient);
    let b = (second.knot, second.coefficient);
    let left = (first.shape == Shape::Left, second.shape == Shape::Left);
    if let (Some(p), Some(q)) = (first.parent, second.parent) {
        let p = (&slots[p], &slots[q]);
        match left {
            (false, false) => add_two_children::<Right, Right, G>(on, sum, p, x, a, b),
            (false, true) => add_two_children::<Right, Left, G>(on, sum, p, x, a, b),
            (true, false) => add_two_children::<Left, Right, G>(on, sum, p, x, a, b),
            (true, true) => add_two_children::<Left, Left, G>(on, sum, p, x, a, b),
        }
    } else {
        match left {
            (false, false) => add_two::<Right, Right, G>(on, sum, x, a, b),
            (false, true) => add_two::<Right, Left, G>(on, sum, x, a, b),
            (true, false) => add_two::<Left, Right, G>(on, sum, x, a, b),
            (true, true) => add_two::<Left, Left, G>(on, sum, x, a, b),
        }
    }
}

/// Evaluate all terms, and write the columns, or add them to the responses.
#[inline(always)]
fn each_node<const G: usize>(
    on: Groups,
    output: Output,
    plan: &Plan,
    scratch: &mut Scratch<G>,
    out: &mut [f64],
    mut ahead: Ahead,
) {
    let width = output.width(plan);
    scratch.sums.fill(Tile::ZERO);
    // Columns come in order, so a few of them are written together.
    let (mut together, mut first, mut held) = ([Tile::ZERO; TOGETHER], 0, 0);
    for node in &plan.program.nodes {
        ahead.fetch();
        let value = evaluate(on, node, &scratch.inputs, &scratch.slots);
        if let Some(slot) = node.slot {
            scratch.slots[slot] = value;
        }
        let Some(column) = node.column else {
            continue;
        };
        if output == Output::DesignMatrix {
            together[held] = value;
            held += 1;
            if held == TOGETHER {
                write_together(&together, first, width, out);
                (first, held) = (column + 1, 0);
            }
            continue;
        }
        let coefficients = &plan.coefficients[column * width..][..width];
        for (sum, c) in scratch.sums.iter_mut().zip(coefficients) {
            add_scaled(on, sum, &value, *c);
        }
    }
    let (tiles, first) = if output == Output::DesignMatrix {
        (&together[..held], first)
    } else {
        (&scratch.sums[..], 0)
    };
    for (k, tile) in tiles.iter().enumerate() {
        for (row, value) in out.chunks_exact_mut(width).zip(tile.rows()) {
            row[first + k] = *value;
        }
    }
}

/// Columns that are written together: the values of a row lie side by side, those of a column do
/// not, and each store reaches for a line of its own.
const TOGETHER: usize = 4;

/// Write neighbouring columns, from `first` on.
#[inline(always)]
fn write_together<const G: usize>(
    columns: &[Tile<G>; TOGETHER],
    first: usize,
    width: usize,
    out: &mut [f64],
) {
    for (g, rows) in out.chunks_mut(LANES * width).take(G).enumerate() {
        // Of a fixed size, so that the columns are turned into rows in registers.
        let mut turned = [[0.0; TOGETHER]; LANES];
        for (r, row) in turned.iter_mut().enumerate() {
            *row = columns.each_ref().map(|column| column.group(g)[r]);
        }
        for (row, values) in rows.chunks_exact_mut(width).zip(&turned) {
            row[first..first + TOGETHER].copy_from_slice(values);
        }
    }
}

/// The value of a node: the product of its parents from left to right, times its factor.
#[inline(always)]
fn evaluate<const G: usize>(
    on: Groups,
    node: &Product,
    inputs: &[Tile<G>],
    slots: &[Tile<G>],
) -> Tile<G> {
    let mut value = Tile::of(1.0);
    for (k, &parent) in node.parents.iter().enumerate() {
        if k == 0 {
            value = slots[parent];
        } else {
            multiply(on, &mut value, &slots[parent], |v| v);
        }
    }
    match &node.factor {
        Value::One => {}
        Value::Linear { input } => multiply(on, &mut value, &inputs[*input], |x| x),
        Value::Right { input, knot } => {
            multiply(on, &mut value, &inputs[*input], |x| hinge(x - knot));
        }
        Value::Left { input, knot } => {
            multiply(on, &mut value, &inputs[*input], |x| hinge(knot - x));
        }
        Value::Categorical { input, table } => {
            for (value, &x) in value.rows_mut().iter_mut().zip(inputs[*input].rows()) {
                // `check` left positions and NaN; a row beyond the last is at position 0.
                *value *= if x.is_nan() { x } else { table[x as usize] };
            }
        }
        Value::Missingness {
            input,
            missing,
            present,
        } => multiply(on, &mut value, &inputs[*input], |x| {
            if x.is_nan() { *missing } else { *present }
        }),
    }
    value
}

/// max(0, d) that lets NaN through, as `f64::max` does not, and whose 0 is never negative.
#[inline(always)]
fn hinge(d: f64) -> f64 {
    if d <= 0.0 { 0.0 } else { d }
}

/// Refuse missing values and category codes of a tile: the first row that has one.
#[inline(never)]
fn check<const G: usize>(
    plan: &Plan,
    inputs: &[Tile<G>],
    rows: &Rows,
    from: usize,
    n: usize,
) -> Result<(), Error> {
    let mut first: Option<(usize, usize)> = None;
    for check in &plan.program.checks {
        let (most, allowed) = (check.n_categories as f64, plan.allow_missing);
        let numbers = |x: f64| x.is_nan() & !allowed;
        let codes = |x: f64| {
            let position = (x >= 0.0) & (x < most) & (x as i64 as f64 == x);
            if x.is_nan() { !allowed } else { !position }
        };
        let values = &inputs[check.input].rows()[..n];
        let bad = if check.n_categories > 0 {
            first_where(values, codes)
        } else {
            first_where(values, numbers)
        };
        if let Some(row) = bad {
            if first.is_none_or(|(earliest, _)| row < earliest) {
                first = Some((row, check.feature));
            }
        }
    }
    let Some((row, feature)) = first else {
        return Ok(());
    };
    let input = &plan.inputs[feature];
    let value = rows.get(from + row, feature);
    if value.is_nan() {
        return Err(Error::MissingValue {
            row: from + row,
            feature: input.name.clone(),
        });
    }
    Err(Error::InvalidValue(format!(
        "row {} has {value} for the categorical feature {:?}; expected a position from 0 to {}",
        from + row,
        input.name,
        input.n_categories - 1
    )))
}

/// The first value that a question is true of. All are asked without a branch, as few are bad.
#[inline(always)]
fn first_where(values: &[f64], question: impl Fn(f64) -> bool) -> Option<usize> {
    let any = values.iter().fold(false, |any, &x| any | question(x));
    any.then(|| values.iter().position(|&x| question(x)))?
}
