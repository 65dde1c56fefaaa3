//! Tables in the caller's memory.

use mars_earth_core::Rows;

use crate::status::{Failure, MARS_EARTH_SHAPE_MISMATCH, check, check_size};

/// Rows to read. Value (i, j) is `data[i * row_stride + j * column_stride]`.
///
/// Set `size` to `sizeof(struct mars_earth_table)`. Strides count values, not bytes, and are not
/// negative. Missing is NaN; a categorical feature holds the position of its label.
#[repr(C)]
pub struct Table {
    /// Size of this struct.
    pub size: usize,
    /// Value (0, 0); NULL is allowed where there are no values.
    pub data: *const f64,
    /// Values that may be read from `data` on.
    pub length: usize,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns: the features of the model.
    pub columns: usize,
    /// Values from one row to the next.
    pub row_stride: isize,
    /// Values from one column to the next.
    pub column_stride: isize,
}

/// Room for a result; as `mars_earth_table`, and no two values may lie at one place.
///
/// Room whose rows lie one after the other without gaps is filled directly. Any other is filled
/// by way of a table of its size.
#[repr(C)]
pub struct Buffer {
    /// Size of this struct.
    pub size: usize,
    /// Value (0, 0); NULL is allowed where there are no values.
    pub data: *mut f64,
    /// Values that may be written from `data` on.
    pub length: usize,
    /// Number of rows: those of the table.
    pub rows: usize,
    /// Number of columns: responses, or columns of the design matrix.
    pub columns: usize,
    /// Values from one row to the next.
    pub row_stride: isize,
    /// Values from one column to the next.
    pub column_stride: isize,
}

fn mismatch(text: String) -> Failure {
    Failure::new(MARS_EARTH_SHAPE_MISMATCH, text)
}

fn strides(row: isize, column: isize, what: &str) -> Result<(usize, usize), Failure> {
    match (usize::try_from(row), usize::try_from(column)) {
        (Ok(row), Ok(column)) => Ok((row, column)),
        _ => Err(mismatch(format!(
            "{what} has the strides {row} and {column}; negative ones are not read, so copy the \
             values into an order that goes up"
        ))),
    }
}

/// Refuse memory that cannot be: NULL with a length, misaligned, larger than an address space.
fn check_memory(data: *const f64, length: usize, what: &str) -> Result<(), Failure> {
    if length == 0 {
        return Ok(());
    }
    check(data, what)?;
    match length.checked_mul(size_of::<f64>()).map(isize::try_from) {
        Some(Ok(_)) => Ok(()),
        _ => Err(mismatch(format!("{what} cannot hold {length} values"))),
    }
}

impl Table {
    /// The rows from `from` on, `count` of them at most, of a table that was viewed already.
    pub(crate) fn block(&self, from: usize, count: usize) -> Table {
        let skipped = from * self.row_stride as usize;
        Table {
            data: self.data.wrapping_add(skipped),
            length: self.length - skipped.min(self.length),
            rows: (self.rows - from).min(count),
            ..*self
        }
    }

    /// View the rows.
    ///
    /// # Safety
    /// `length` values from `data` on are initialised and not written to for `'a`.
    pub(crate) unsafe fn rows<'a>(&self) -> Result<Rows<'a>, Failure> {
        check_size::<Table>(self.size, "the table")?;
        let (row, column) = strides(self.row_stride, self.column_stride, "the table")?;
        check_memory(self.data, self.length, "the table's data")?;
        let values = if self.length == 0 {
            &[][..]
        } else {
            // SAFETY: not NULL, aligned and not too large; the caller vouches for the rest.
            unsafe { std::slice::from_raw_parts(self.data, self.length) }
        };
        Ok(Rows::strided(values, self.rows, self.columns, row, column)?)
    }
}

impl Buffer {
    /// Fill the room with what `work` writes into a row-major table.
    ///
    /// # Safety
    /// `length` values from `data` on are writable and initialised, and nothing else uses them
    /// meanwhile.
    pub(crate) unsafe fn fill(
        &self,
        table: &Table,
        width: usize,
        work: impl FnOnce(&mut [f64]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        check_size::<Buffer>(self.size, "the buffer")?;
        if (self.rows, self.columns) != (table.rows, width) {
            return Err(mismatch(format!(
                "the buffer is {} x {}, {} x {width} is needed; ask mars_earth_model_shape",
                self.rows, self.columns, table.rows
            )));
        }
        let (row, column) = strides(self.row_stride, self.column_stride, "the buffer")?;
        check_memory(self.data, self.length, "the buffer's data")?;
        let needed = needed(self.rows, width, row, column)
            .filter(|needed| *needed <= self.length)
            .ok_or_else(|| {
                mismatch(format!(
                    "{} x {width} values with the strides {row} and {column} do not fit into \
                     the buffer's {}; check its shape and strides",
                    self.rows, self.length
                ))
            })?;
        if needed == 0 {
            return work(&mut []);
        }
        if overlap(table, self.data, self.length) {
            return Err(Failure::argument(
                "table and buffer overlap; inputs are never changed, so give the result a place \
                 of its own",
            ));
        }
        // SAFETY: not NULL, aligned and not too large; the caller vouches for the rest, and no
        // slice of the table shares memory with it.
        let room = unsafe { std::slice::from_raw_parts_mut(self.data, self.length) };
        if (row == width || self.rows == 1) && (column == 1 || width == 1) {
            return work(&mut room[..self.rows * width]);
        }
        let apart = |outer: usize, inner: usize, count: usize| outer > (count - 1) * inner;
        if !((width == 1 || column > 0) && apart(row, column, width)
            || (self.rows == 1 || row > 0) && apart(column, row, self.rows))
        {
            return Err(mismatch(format!(
                "the buffer's strides {row} and {column} put several values at one place"
            )));
        }
        let mut values = vec![0.0; self.rows * width];
        work(&mut values)?;
        for (i, values) in values.chunks_exact(width).enumerate() {
            for (j, value) in values.iter().enumerate() {
                room[i * row + j * column] = *value;
            }
        }
        Ok(())
    }
}

/// Values from the first to the last of a table, and whether they can be counted at all.
fn needed(rows: usize, columns: usize, row: usize, column: usize) -> Option<usize> {
    if rows == 0 || columns == 0 {
        return Some(0);
    }
    rows.checked_mul(columns)?;
    let down = (rows - 1).checked_mul(row)?;
    let across = (columns - 1).checked_mul(column)?;
    down.checked_add(across)?.checked_add(1)
}

/// Whether the memory of a table and of a buffer share an address.
fn overlap(table: &Table, data: *mut f64, length: usize) -> bool {
    let end = |start: usize, length: usize| start.saturating_add(length * size_of::<f64>());
    let (read, written) = (table.data.addr(), data.addr());
    table.length > 0 && read < end(written, length) && written < end(read, table.length)
}
