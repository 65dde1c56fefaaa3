//! A batch of named columns, viewed in the memory of its producer.

use std::borrow::Cow;

use crate::convert;
use crate::error::Error;
use crate::ffi::{ArrowArray, ArrowSchema};

/// A struct of columns, or one column by itself.
///
/// # Invariant
/// `schema` describes `array` as the Arrow C Data Interface asks (H2, not claimed); both are live for `'a`.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    schema: &'a ArrowSchema,
    array: &'a ArrowArray,
    is_struct: bool,
    n_rows: usize,
}

/// One column of a batch; its values are read when they are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    schema: &'a ArrowSchema,
    array: &'a ArrowArray,
    /// The struct whose missing rows and offset hold for the column too.
    around: Option<&'a ArrowArray>,
    name: &'a str,
    n_rows: usize,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Values<'a> {
    /// Numbers; NaN where missing.
    Numbers(Cow<'a, [f64]>),
    /// Positions of labels; NaN where missing.
    Categories {
        /// One position per row.
        codes: Vec<f64>,
        /// Label of each position.
        labels: Vec<String>,
    },
}

impl<'a> Batch<'a> {
    /// View an array by its schema.
    ///
    /// # Safety
    /// Both are live and stay so for `'a`, and `schema` describes `array`.
    ///
    /// # Errors
    /// A released struct, a negative length, fewer columns in the array than in the schema.
    pub unsafe fn new(array: &'a ArrowArray, schema: &'a ArrowSchema) -> Result<Self, Error> {
        if !array.is_live() || !schema.is_live() {
            return Err(Error::batch("the batch or its schema is released already"));
        }
        let is_struct = schema.format()? == "+s";
        if is_struct && array.n_children() != schema.n_children() {
            return Err(Error::batch(format!(
                "the schema has {} columns, the batch has {}",
                schema.n_children(),
                array.n_children()
            )));
        }
        let (n_rows, _) = array.extent()?;
        Ok(Batch {
            schema,
            array,
            is_struct,
            n_rows,
        })
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Whether it is a struct of columns; else it is one column without a name of its own.
    pub fn is_struct(&self) -> bool {
        self.is_struct
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        if self.is_struct {
            self.schema.n_children()
        } else {
            1
        }
    }

    /// Column `j`.
    pub fn column(&self, j: usize) -> Result<Column<'a>, Error> {
        if !self.is_struct {
            return Ok(Column {
                schema: self.schema,
                array: self.array,
                around: None,
                name: self.schema.name()?,
                n_rows: self.n_rows,
            });
        }
        let schema = self.schema.child(j)?;
        Ok(Column {
            schema,
            array: self.array.child(j)?,
            around: Some(self.array),
            name: schema.name()?,
            n_rows: self.n_rows,
        })
    }
}

impl<'a> Column<'a> {
    /// Name of the column.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Read the values, where they lie if they are float64 without missing ones.
    ///
    /// # Errors
    /// [`Error::InvalidDtype`] for text, times, lists and the like; [`Error::InvalidBatch`] where
    /// the array does not hold what its schema says.
    pub fn values(&self) -> Result<Values<'a>, Error> {
        let (length, offset) = self.array.extent()?;
        let shift = match self.around {
            Some(around) => around.extent()?.1,
            None => 0,
        };
        if shift
            .checked_add(self.n_rows)
            .is_none_or(|end| end > length)
        {
            return Err(Error::batch(format!(
                "column {:?} is shorter than its batch",
                self.name
            )));
        }
        let missing = Missing {
            own: Bits::of(self.array)?.map(|bits| bits.from(offset + shift)),
            around: match self.around {
                Some(around) => Bits::of(around)?.map(|bits| bits.from(shift)),
                None => None,
            },
        };
        let place = Place {
            name: self.name,
            array: self.array,
            start: offset + shift,
            n_rows: self.n_rows,
        };
        let format = self.schema.format()?;
        match (self.schema.dictionary(), self.array.dictionary()) {
            (Some(schema), Some(array)) => {
                let labels = convert::labels(self.name, schema, array)?;
                let codes = convert::numbers(&place, format, &missing)?.into_owned();
                convert::check_codes(self.name, &codes, labels.len())?;
                Ok(Values::Categories { codes, labels })
            }
            (None, _) => Ok(Values::Numbers(convert::numbers(&place, format, &missing)?)),
            (Some(_), None) => Err(Error::batch(format!(
                "column {:?} has no dictionary",
                self.name
            ))),
        }
    }
}

/// Where the values of a column begin.
pub(crate) struct Place<'a> {
    pub(crate) name: &'a str,
    pub(crate) array: &'a ArrowArray,
    pub(crate) start: usize,
    pub(crate) n_rows: usize,
}

/// A bitmap, least significant bit first.
#[derive(Clone, Copy)]
pub(crate) struct Bits {
    data: *const u8,
    start: usize,
}

impl Bits {
    pub(crate) fn new(data: *const u8, start: usize) -> Self {
        Bits { data, start }
    }

    /// Validity of an array; None where nothing is missing.
    pub(crate) fn of(array: &ArrowArray) -> Result<Option<Bits>, Error> {
        if array.null_count == 0 || array.n_buffers == 0 {
            return Ok(None);
        }
        let buffer = array.buffer(0)?;
        Ok(buffer.map(|data| Bits::new(data.cast(), 0)))
    }

    fn from(self, start: usize) -> Self {
        Bits { start, ..self }
    }

    pub(crate) fn get(&self, i: usize) -> bool {
        let at = self.start + i;
        // SAFETY: a bitmap holds offset + length bits, by the invariant of ArrowArray, and callers
        // stay below the length that `Column::values` has checked.
        unsafe { *self.data.add(at / 8) >> (at % 8) & 1 == 1 }
    }
}

/// Which rows of a column are missing.
pub(crate) struct Missing {
    own: Option<Bits>,
    around: Option<Bits>,
}

impl Missing {
    pub(crate) fn any(&self, n_rows: usize) -> bool {
        (self.own.is_some() || self.around.is_some()) && (0..n_rows).any(|i| self.at(i))
    }

    pub(crate) fn at(&self, i: usize) -> bool {
        let absent = |bits: Option<Bits>| bits.is_some_and(|bits| !bits.get(i));
        absent(self.own) || absent(self.around)
    }
}
