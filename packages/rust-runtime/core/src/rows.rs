//! A read-only view of a table of numbers.

use std::fmt;

use crate::error::Error;

/// A table that hands out its columns as float64, whatever it is made of.
pub trait Source: Sync {
    /// Copy rows `from..from + out.len()` of column `j`.
    fn copy_column(&self, j: usize, from: usize, out: &mut [f64]);
}

/// A table in the caller's memory.
///
/// Values of a slice lie at `i * row_stride + j * column_stride`; float32 values are widened as they
/// are read, which is exact.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    values: Values<'a>,
    n_rows: usize,
    n_columns: usize,
    row_stride: usize,
    column_stride: usize,
}

/// Where the values of a table lie.
#[derive(Clone, Copy)]
pub(crate) enum Values<'a> {
    F64(&'a [f64]),
    F32(&'a [f32]),
    Source(&'a dyn Source),
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Values::F64(data) => write!(out, "{} float64 values", data.len()),
            Values::F32(data) => write!(out, "{} float32 values", data.len()),
            Values::Source(_) => out.write_str("a source of columns"),
        }
    }
}

impl<'a> Rows<'a> {
    /// View row after row.
    pub fn row_major(data: &'a [f64], n_rows: usize, n_columns: usize) -> Result<Self, Error> {
        Self::strided(data, n_rows, n_columns, n_columns, 1)
    }

    /// View column after column.
    pub fn column_major(data: &'a [f64], n_rows: usize, n_columns: usize) -> Result<Self, Error> {
        Self::strided(data, n_rows, n_columns, 1, n_rows)
    }

    /// View with strides counted in values. Refuses a view that would leave `data`.
    pub fn strided(
        data: &'a [f64],
        n_rows: usize,
        n_columns: usize,
        row_stride: usize,
        column_stride: usize,
    ) -> Result<Self, Error> {
        let strides = (row_stride, column_stride);
        Self::checked(Values::F64(data), data.len(), n_rows, n_columns, strides)
    }

    /// As [`Rows::strided`], of float32 values.
    pub fn strided_f32(
        data: &'a [f32],
        n_rows: usize,
        n_columns: usize,
        row_stride: usize,
        column_stride: usize,
    ) -> Result<Self, Error> {
        let strides = (row_stride, column_stride);
        Self::checked(Values::F32(data), data.len(), n_rows, n_columns, strides)
    }

    /// View a table that hands out its columns.
    pub fn from_source(source: &'a dyn Source, n_rows: usize, n_columns: usize) -> Self {
        Rows {
            values: Values::Source(source),
            n_rows,
            n_columns,
            row_stride: 0,
            column_stride: 0,
        }
    }

    fn checked(
        values: Values<'a>,
        length: usize,
        n_rows: usize,
        n_columns: usize,
        (row_stride, column_stride): (usize, usize),
    ) -> Result<Self, Error> {
        let last = if n_rows == 0 || n_columns == 0 {
            Some(0)
        } else {
            (n_rows - 1)
                .checked_mul(row_stride)
                .zip((n_columns - 1).checked_mul(column_stride))
                .and_then(|(down, across)| down.checked_add(across))
                .and_then(|last| last.checked_add(1))
        };
        match last {
            Some(needed) if needed <= length => Ok(Rows {
                values,
                n_rows,
                n_columns,
                row_stride,
                column_stride,
            }),
            _ => Err(Error::ShapeMismatch(format!(
                "{n_rows} x {n_columns} values do not fit into {length} values; check shape and \
                 strides"
            ))),
        }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Where the values lie, and the strides between rows and between columns.
    #[inline(always)]
    pub(crate) fn parts(&self) -> (Values<'a>, usize, usize) {
        (self.values, self.row_stride, self.column_stride)
    }

    /// Value at row `i`, column `j`.
    #[inline(always)]
    pub fn get(&self, i: usize, j: usize) -> f64 {
        match self.values {
            Values::F64(data) => data[i * self.row_stride + j * self.column_stride],
            Values::F32(data) => data[i * self.row_stride + j * self.column_stride].into(),
            Values::Source(source) => {
                let mut value = [0.0];
                source.copy_column(j, i, &mut value);
                value[0]
            }
        }
    }

    /// Copy rows `from..from + out.len()` of column `j`.
    #[inline]
    pub fn copy_column(&self, j: usize, from: usize, out: &mut [f64]) {
        if out.is_empty() {
            return;
        }
        let start = from * self.row_stride + j * self.column_stride;
        match self.values {
            Values::F64(data) if self.row_stride == 1 => {
                out.copy_from_slice(&data[start..start + out.len()]);
            }
            Values::F64(data) => widen(&data[start..], self.row_stride, out),
            Values::F32(data) => widen(&data[start..], self.row_stride, out),
            Values::Source(source) => source.copy_column(j, from, out),
        }
    }

    /// Copy rows from `from` on of all columns, as many as each slice takes.
    pub(crate) fn copy_columns(&self, from: usize, columns: &mut [&mut [f64]]) {
        // Few rows at a time, so that what is read for one column is still there for the next.
        const TILE: usize = 64;
        let length = columns.first().map_or(0, |column| column.len());
        let tile = match self.values {
            Values::Source(_) => length,
            _ if self.row_stride == 1 => length,
            _ => TILE,
        };
        for start in (0..length).step_by(tile.max(1)) {
            let end = length.min(start + tile);
            for (j, column) in columns.iter_mut().enumerate() {
                self.copy_column(j, from + start, &mut column[start..end]);
            }
        }
    }
}

/// Copy every `stride`th value, widened to float64. A stride of 0 repeats the first.
#[inline(always)]
fn widen<T: Copy + Into<f64>>(data: &[T], stride: usize, out: &mut [f64]) {
    if stride == 0 {
        return out.fill(data[0].into());
    }
    for (slot, value) in out.iter_mut().zip(data.iter().step_by(stride)) {
        *slot = (*value).into();
    }
}
