//! Load a tile: 64 values of each input, transposed and widened as the caller's table needs it.

use mars_earth_dispatch::prefetch;

use super::program::Program;
use super::tile::{LANES, ROWS, Tile};
use crate::rows::{Rows, Values};

/// Rows that span more values than this are not fetched ahead: few of them are read.
const WIDEST: usize = 128;

/// Load rows `from..from + n` into the input tiles; what lies beyond them in a tile is 0.
#[inline(always)]
pub(super) fn load<const G: usize>(
    program: &Program,
    rows: &Rows,
    from: usize,
    n: usize,
    tiles: &mut [Tile<G>],
) {
    let (raw, imputed) = tiles.split_at_mut(program.features.len());
    if n < G * LANES {
        raw.iter_mut()
            .for_each(|tile| tile.rows_mut()[n..].fill(0.0));
    }
    let (values, row_stride, column_stride) = rows.parts();
    match values {
        Values::F64(data) => {
            transpose(
                data,
                (row_stride, column_stride),
                &program.features,
                from,
                n,
                raw,
            );
        }
        Values::F32(data) => {
            transpose(
                data,
                (row_stride, column_stride),
                &program.features,
                from,
                n,
                raw,
            );
        }
        Values::Source(source) => {
            for (tile, &feature) in raw.iter_mut().zip(&program.features) {
                source.copy_column(feature, from, &mut tile.rows_mut()[..n]);
            }
        }
    }
    for (tile, &(input, impute)) in imputed.iter_mut().zip(&program.imputed) {
        *tile = raw[input];
        for value in tile.rows_mut() {
            *value = if value.is_nan() { impute } else { *value };
        }
    }
}

/// Copy rows `from..from + n` of some columns.
#[inline(always)]
fn transpose<T: Copy + Into<f64>, const G: usize>(
    data: &[T],
    (row_stride, column_stride): (usize, usize),
    features: &[usize],
    from: usize,
    n: usize,
    tiles: &mut [Tile<G>],
) {
    let data = &data[from * row_stride..];
    let mut done = 0;
    while done < features.len() {
        let start = features[done] * column_stride;
        if n == ROWS && column_stride == 1 {
            let four = features[done..]
                .first_chunk()
                .zip(tiles[done..].first_chunk_mut());
            if let Some(([a, _, _, d], tiles)) = four {
                if *d == a + 3 {
                    four_columns(&data[start..], row_stride, tiles);
                    done += 4;
                    continue;
                }
            }
        }
        let column = &data[start..start + (n - 1) * row_stride + 1];
        let slots = &mut tiles[done].rows_mut()[..n];
        if row_stride == 1 {
            for (slot, value) in slots.iter_mut().zip(column) {
                *slot = (*value).into();
            }
        } else {
            for (r, slot) in slots.iter_mut().enumerate() {
                *slot = column[r * row_stride].into();
            }
        }
        done += 1;
    }
}

/// Copy a tile's rows of four neighbouring columns, in squares of four by four.
#[inline(always)]
fn four_columns<T: Copy + Into<f64>, const G: usize>(
    data: &[T],
    stride: usize,
    tiles: &mut [Tile<G>; 4],
) {
    for r in (0..G * LANES).step_by(4) {
        let mut square = [[0.0; 4]; 4];
        for (i, row) in square.iter_mut().enumerate() {
            if let Some(values) = data[(r + i) * stride..].first_chunk::<4>() {
                *row = values.map(Into::into);
            }
        }
        for (c, tile) in tiles.iter_mut().enumerate() {
            let column = [square[0][c], square[1][c], square[2][c], square[3][c]];
            tile.rows_mut()[r..r + 4].copy_from_slice(&column);
        }
    }
}

/// The rows of the next tile, to be fetched while this one is worked on: some at each step, as the
/// processor waits when it is asked for many at once.
pub(super) struct Ahead<'a> {
    rest: Rest<'a>,
    /// Values of a step.
    share: usize,
}

enum Rest<'a> {
    F64(&'a [f64]),
    F32(&'a [f32]),
}

impl<'a> Ahead<'a> {
    /// The tile from row `from` on, if its rows lie together, in so many steps.
    #[inline(always)]
    pub(super) fn of<const G: usize>(rows: &Rows<'a>, from: usize, steps: usize) -> Self {
        let (values, row_stride, column_stride) = rows.parts();
        let together = column_stride == 1 && row_stride <= WIDEST;
        let part = |length: usize| {
            let end = length.min((from + G * LANES) * row_stride);
            (from * row_stride).min(end)..end
        };
        let rest = match values {
            Values::F64(data) if together => Rest::F64(&data[part(data.len())]),
            Values::F32(data) if together => Rest::F32(&data[part(data.len())]),
            _ => Rest::F64(&[]),
        };
        let length = match rest {
            Rest::F64(rest) => rest.len(),
            Rest::F32(rest) => rest.len(),
        };
        // A line of the cache holds so many float32 values, or half as many float64 ones.
        let share = length.div_ceil(steps.max(1)).next_multiple_of(16);
        Ahead { rest, share }
    }

    /// Fetch the next step's.
    #[inline(always)]
    pub(super) fn fetch(&mut self) {
        match &mut self.rest {
            Rest::F64(rest) => fetch(rest, self.share),
            Rest::F32(rest) => fetch(rest, self.share),
        }
    }
}

#[inline(always)]
fn fetch<T>(rest: &mut &[T], share: usize) {
    let (now, later) = rest.split_at(share.min(rest.len()));
    prefetch(now);
    *rest = later;
}
