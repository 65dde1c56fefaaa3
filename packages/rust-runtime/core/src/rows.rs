//! A read-only view of a table of float64 values.

use std::fmt;

use crate::error::Error;

/// A table that hands out its columns as float64, whatever it is made of.
pub trait Source: Sync {
    /// Copy rows `from..from + out.len()` of column `j`.
    fn copy_column(&self, j: usize, from: usize, out: &mut [f64]);
}

/// A table in the caller's memory: value (i, j) of a slice lies at
/// `i * row_stride + j * column_stride`.
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
enum Values<'a> {
    F64(&'a [f64]),
    Source(&'a dyn Source),
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Values::F64(data) => write!(out, "{} float64 values", data.len()),
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
            Some(needed) if needed <= data.len() => Ok(Rows {
                values: Values::F64(data),
                n_rows,
                n_columns,
                row_stride,
                column_stride,
            }),
            _ => Err(Error::ShapeMismatch(format!(
                "{n_rows} x {n_columns} values do not fit into {} values; check shape and strides",
                data.len()
            ))),
        }
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

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Value at row `i`, column `j`.
    #[inline(always)]
    pub fn get(&self, i: usize, j: usize) -> f64 {
        match self.values {
            Values::F64(data) => data[i * self.row_stride + j * self.column_stride],
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
        let data = match self.values {
            Values::F64(data) => data,
            Values::Source(source) => return source.copy_column(j, from, out),
        };
        let start = from * self.row_stride + j * self.column_stride;
        if self.row_stride == 0 {
            // One row stands for all of them.
            out.fill(data[start]);
        } else if self.row_stride == 1 {
            out.copy_from_slice(&data[start..start + out.len()]);
        } else {
            let values = data[start..].iter().step_by(self.row_stride);
            for (slot, value) in out.iter_mut().zip(values) {
                *slot = *value;
            }
        }
    }
}
