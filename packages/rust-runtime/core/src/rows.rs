//! A read-only view of a table of float64 values.

use crate::error::Error;

/// A table in the caller's memory: value (i, j) lies at `i * row_stride + j * column_stride`.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    data: &'a [f64],
    n_rows: usize,
    n_columns: usize,
    row_stride: usize,
    column_stride: usize,
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
                data,
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
        self.data[i * self.row_stride + j * self.column_stride]
    }

    /// Copy rows `from..from + out.len()` of column `j`.
    #[inline]
    pub fn copy_column(&self, j: usize, from: usize, out: &mut [f64]) {
        let start = from * self.row_stride + j * self.column_stride;
        if out.is_empty() {
            return;
        }
        if self.row_stride == 1 {
            out.copy_from_slice(&self.data[start..start + out.len()]);
        } else {
            let values = self.data[start..].iter().step_by(self.row_stride);
            for (slot, value) in out.iter_mut().zip(values) {
                *slot = *value;
            }
        }
    }
}
