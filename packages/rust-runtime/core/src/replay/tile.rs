//! Passes over a tile: 64 rows of one column, in an array of fixed size.
//!
//! The size is part of the type so that every pass compiles to packed code without a remainder.
//! Everything is inlined into the loop that `dispatch` compiles for the processor at hand.

/// Rows of a tile.
pub(super) const ROWS: usize = GROUPS * LANES;
/// Rows of a group: what a pass does at once.
pub(super) const LANES: usize = 8;
pub(super) const GROUPS: usize = 8;

/// One value for each row: of 64 rows, or of one group where there are no more.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Tile<const G: usize>([[f64; LANES]; G]);

impl<const G: usize> Tile<G> {
    pub(super) const ZERO: Self = Self::of(0.0);

    #[inline(always)]
    pub(super) const fn of(value: f64) -> Self {
        Tile([[value; LANES]; G])
    }

    /// The values, row after row.
    #[inline(always)]
    pub(super) fn rows(&self) -> &[f64] {
        self.0.as_flattened()
    }

    /// The values of a group.
    #[inline(always)]
    pub(super) fn group(&self, g: usize) -> &[f64; LANES] {
        &self.0[g]
    }

    /// The values, row after row.
    #[inline(always)]
    pub(super) fn rows_mut(&mut self) -> &mut [f64] {
        self.0.as_flattened_mut()
    }
}

/// How many groups of a tile hold rows; a pass leaves the others as they are.
#[derive(Clone, Copy)]
pub(super) struct Groups(usize);

impl Groups {
    /// Those that hold `n` rows.
    #[inline(always)]
    pub(super) fn holding(n: usize) -> Self {
        Groups(n.div_ceil(LANES).min(GROUPS))
    }
}

/// A factor of a term, evaluated at one value of its input.
pub(super) trait Factor {
    fn at(knot: f64, x: f64) -> f64;
}

pub(super) struct Linear;
pub(super) struct Right;
pub(super) struct Left;

impl Factor for Linear {
    #[inline(always)]
    fn at(_: f64, x: f64) -> f64 {
        x
    }
}

impl Factor for Right {
    #[inline(always)]
    fn at(knot: f64, x: f64) -> f64 {
        positive(x - knot)
    }
}

impl Factor for Left {
    #[inline(always)]
    fn at(knot: f64, x: f64) -> f64 {
        positive(knot - x)
    }
}

/// max(0, d) that lets NaN through, as `f64::max` does not, in one instruction.
///
/// It lets -0 through as well. No sum shows that: a sum starts at +0 and no addition to it gives -0.
#[inline(always)]
fn positive(d: f64) -> f64 {
    if 0.0 > d { 0.0 } else { d }
}

/// Change each row of a tile by what `f` makes of it and of the rows of other tiles.
#[inline(always)]
fn pass<const N: usize, const G: usize>(
    Groups(groups): Groups,
    sum: &mut Tile<G>,
    others: [&Tile<G>; N],
    f: impl Fn(f64, [f64; N]) -> f64,
) {
    for g in 0..groups.min(G) {
        for r in 0..LANES {
            let values = others.map(|tile| tile.0[g][r]);
            sum.0[g][r] = f(sum.0[g][r], values);
        }
    }
}

/// Add `c f(x)` to the sum.
#[inline(always)]
pub(super) fn add<F: Factor, const W: usize>(
    on: Groups,
    sum: &mut Tile<W>,
    x: &Tile<W>,
    (knot, c): (f64, f64),
) {
    pass(on, sum, [x], |sum, [x]| sum + c * F::at(knot, x));
}

/// Add `c p f(x)` to the sum.
#[inline(always)]
pub(super) fn add_child<F: Factor, const W: usize>(
    on: Groups,
    sum: &mut Tile<W>,
    p: &Tile<W>,
    x: &Tile<W>,
    (knot, c): (f64, f64),
) {
    pass(on, sum, [p, x], |sum, [p, x]| {
        sum + c * (p * F::at(knot, x))
    });
}

/// Add `c f(x)`, then `d g(y)`, to the sum.
#[inline(always)]
pub(super) fn add_two<F: Factor, G: Factor, const W: usize>(
    on: Groups,
    sum: &mut Tile<W>,
    (x, y): (&Tile<W>, &Tile<W>),
    (knot, c): (f64, f64),
    (other, d): (f64, f64),
) {
    pass(on, sum, [x, y], |sum, [x, y]| {
        (sum + c * F::at(knot, x)) + d * G::at(other, y)
    });
}

/// Add `c p f(x)`, then `d q g(y)`, to the sum.
#[inline(always)]
pub(super) fn add_two_children<F: Factor, G: Factor, const W: usize>(
    on: Groups,
    sum: &mut Tile<W>,
    (p, q): (&Tile<W>, &Tile<W>),
    (x, y): (&Tile<W>, &Tile<W>),
    (knot, c): (f64, f64),
    (other, d): (f64, f64),
) {
    pass(on, sum, [p, x, q, y], |sum, [p, x, q, y]| {
        (sum + c * (p * F::at(knot, x))) + d * (q * G::at(other, y))
    });
}

/// Add `c v` to the sum.
#[inline(always)]
pub(super) fn add_scaled<const W: usize>(on: Groups, sum: &mut Tile<W>, v: &Tile<W>, c: f64) {
    pass(on, sum, [v], |sum, [v]| sum + c * v);
}

/// Add `c` to the sum.
#[inline(always)]
pub(super) fn add_constant<const W: usize>(on: Groups, sum: &mut Tile<W>, c: f64) {
    pass(on, sum, [], |sum, []| sum + c);
}

/// Multiply by a function of another tile.
#[inline(always)]
pub(super) fn multiply<const W: usize>(
    on: Groups,
    value: &mut Tile<W>,
    x: &Tile<W>,
    f: impl Fn(f64) -> f64,
) {
    pass(on, value, [x], |value, [x]| value * f(x));
}

/// Whether one of the first `n` values is NaN.
#[inline(always)]
pub(super) fn any_nan<const W: usize>(tile: &Tile<W>, n: usize) -> bool {
    let mut found = false;
    for value in &tile.rows()[..n] {
        found |= value.is_nan();
    }
    found
}
