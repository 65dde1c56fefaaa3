//! Values of every Arrow type that stands for numbers or labels, as float64 and text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::c_void;

use mars_earth_core::Error as CoreError;

use crate::batch::{Bits, Missing, Place, Values};
use crate::error::Error;
use crate::ffi::{ArrowArray, ArrowSchema};

/// Read numbers; a float64 column without missing values stays where it lies (H2, not claimed).
pub(crate) fn numbers<'a>(
    place: &Place<'a>,
    format: &str,
    missing: &Missing,
) -> Result<Cow<'a, [f64]>, Error> {
    if place.n_rows == 0 {
        return Ok(Cow::Borrowed(&[]));
    }
    let mut values = match format {
        "n" => return collect((0..place.n_rows).map(|_| f64::NAN)).map(Cow::Owned),
        "g" => match view(place)? {
            Some(values) => Cow::Borrowed(values),
            None => Cow::Owned(read::<f64>(place, |v| v)?),
        },
        "f" => Cow::Owned(read::<f32>(place, f64::from)?),
        "e" => Cow::Owned(read::<u16>(place, half)?),
        "c" => Cow::Owned(read::<i8>(place, f64::from)?),
        "C" => Cow::Owned(read::<u8>(place, f64::from)?),
        "s" => Cow::Owned(read::<i16>(place, f64::from)?),
        "S" => Cow::Owned(read::<u16>(place, f64::from)?),
        "i" => Cow::Owned(read::<i32>(place, f64::from)?),
        "I" => Cow::Owned(read::<u32>(place, f64::from)?),
        "l" => Cow::Owned(read::<i64>(place, |v| v as f64)?),
        "L" => Cow::Owned(read::<u64>(place, |v| v as f64)?),
        "b" => {
            let bits = Bits::new(data(place)?.cast(), place.start);
            Cow::Owned(collect((0..place.n_rows).map(|i| f64::from(bits.get(i))))?)
        }
        other => return Err(refuse(place.name, other)),
    };
    if missing.any(place.n_rows) {
        for (i, value) in values.to_mut().iter_mut().enumerate() {
            if missing.at(i) {
                *value = f64::NAN;
            }
        }
    }
    Ok(values)
}

fn refuse(name: &str, format: &str) -> Error {
    let why = match format {
        "u" | "U" | "vu" | "z" | "Z" | "vz" => {
            "holds text or objects; make it numeric, or give it a categorical dtype so that its \
             labels are part of the model"
                .to_owned()
        }
        _ => format!("is of the Arrow type {format:?}; cast it to float64"),
    };
    Error::InvalidDtype(format!("column {name:?} {why}").replace('"', "'"))
}

fn data(place: &Place) -> Result<*const c_void, Error> {
    let buffer = place.array.buffer(1)?;
    buffer.ok_or_else(|| Error::batch(format!("column {:?} has no values", place.name)))
}

/// The float64 values in place; None where they are not aligned.
fn view<'a>(place: &Place<'a>) -> Result<Option<&'a [f64]>, Error> {
    let start = data(place)?.cast::<f64>();
    if !start.is_aligned() {
        return Ok(None);
    }
    // SAFETY: aligned; the buffer holds offset + length values, by the invariant of ArrowArray, and
    // start + n_rows stays within (`Column::values`). It lives and is not written to for 'a.
    Ok(Some(unsafe {
        std::slice::from_raw_parts(start.add(place.start), place.n_rows)
    }))
}

fn read<T: Copy>(place: &Place, convert: impl Fn(T) -> f64) -> Result<Vec<f64>, Error> {
    let start = data(place)?.cast::<T>();
    // SAFETY: as in `view`, and every bit pattern is a T; `read_unaligned` asks for no alignment.
    let value = |i: usize| unsafe { start.add(place.start + i).read_unaligned() };
    collect((0..place.n_rows).map(|i| convert(value(i))))
}

/// Collect values; a length that memory does not hold is an error, as nothing vouches for it.
pub(crate) fn collect(values: impl ExactSizeIterator<Item = f64>) -> Result<Vec<f64>, Error> {
    let mut collected = Vec::new();
    collected.try_reserve_exact(values.len()).map_err(|_| {
        CoreError::LimitExceeded(format!(
            "the batch has {} rows, more than memory holds; pass smaller batches",
            values.len()
        ))
    })?;
    collected.extend(values);
    Ok(collected)
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (fraction + 1024.0) * 2f64.powi(exponent - 25),
    }
}

/// Refuse positions that no label has.
pub(crate) fn check_codes(name: &str, codes: &[f64], n_labels: usize) -> Result<(), Error> {
    let known = |code: f64| code >= 0.0 && code < n_labels as f64 && code.fract() == 0.0;
    let bad = |code: &&f64| !code.is_nan() && !known(**code);
    match codes.iter().find(bad) {
        Some(code) => Err(Error::batch(format!(
            "column {name:?} has the dictionary position {code} of {n_labels}"
        ))),
        None => Ok(()),
    }
}

/// Read the labels of a dictionary of text.
pub(crate) fn labels(
    name: &str,
    schema: &ArrowSchema,
    array: &ArrowArray,
) -> Result<Vec<String>, Error> {
    let (length, offset) = array.extent()?;
    let valid = Bits::of(array)?;
    let format = schema.format()?;
    let mut labels = Vec::new();
    for i in offset..offset + length {
        let bytes = if valid.is_some_and(|valid| !valid.get(i)) {
            &[][..]
        } else {
            match format {
                "u" => stored::<i32>(array, i)?,
                "U" => stored::<i64>(array, i)?,
                "vu" => viewed(array, i)?,
                _ => {
                    return Err(Error::InvalidDtype(format!(
                        "column '{name}' has categories of the Arrow type '{format}'; \
                         make them text"
                    )));
                }
            }
        };
        let label = std::str::from_utf8(bytes);
        labels.push(
            label
                .map_err(|_| Error::batch("a label is not UTF-8"))?
                .to_owned(),
        );
    }
    Ok(labels)
}

/// Text `i` of an array of offsets and bytes.
fn stored<O: Copy + TryInto<usize>>(array: &ArrowArray, i: usize) -> Result<&[u8], Error> {
    let odd = || Error::batch("a dictionary has no text or broken offsets");
    let offsets = array.buffer(1)?.ok_or_else(odd)?.cast::<O>();
    // SAFETY: offset + length + 1 offsets, by the invariant of ArrowArray; i is below that.
    let ends = unsafe {
        [
            offsets.add(i).read_unaligned(),
            offsets.add(i + 1).read_unaligned(),
        ]
    };
    let [from, to] = ends.map(|end| end.try_into().ok());
    let (from, to) = from
        .zip(to)
        .filter(|(from, to)| from <= to)
        .ok_or_else(odd)?;
    if from == to {
        return Ok(&[]);
    }
    let bytes = array.buffer(2)?.ok_or_else(odd)?.cast::<u8>();
    // SAFETY: the bytes reach to the last offset, by the invariant of ArrowArray.
    Ok(unsafe { std::slice::from_raw_parts(bytes.add(from), to - from) })
}

/// Text `i` of an array of views: 12 bytes in place, or a piece of a further buffer.
fn viewed(array: &ArrowArray, i: usize) -> Result<&[u8], Error> {
    let odd = || Error::batch("a dictionary has broken views");
    let views = array.buffer(1)?.ok_or_else(odd)?.cast::<u8>();
    // SAFETY: offset + length views of 16 bytes, by the invariant of ArrowArray; i is below that.
    let at = unsafe { std::slice::from_raw_parts(views.add(16 * i), 16) };
    let word = |k: usize| i32::from_le_bytes([at[k], at[k + 1], at[k + 2], at[k + 3]]);
    let length = usize::try_from(word(0)).map_err(|_| odd())?;
    if length <= 12 {
        return Ok(&at[4..4 + length]);
    }
    let further = usize::try_from(word(8)).map_err(|_| odd())?;
    let from = usize::try_from(word(12)).map_err(|_| odd())?;
    let bytes = array.buffer(2 + further)?.ok_or_else(odd)?.cast::<u8>();
    // SAFETY: the named buffer holds the piece, by the invariant of ArrowArray.
    Ok(unsafe { std::slice::from_raw_parts(bytes.add(from), length) })
}

/// Put the pieces of one column together; labels are those of all pieces, in order of appearance.
///
/// # Errors
/// Pieces of which one has numbers and another has categories.
pub fn join<'a>(name: &str, pieces: Vec<Values<'a>>) -> Result<Values<'a>, Error> {
    let mut pieces = pieces.into_iter();
    let Some(mut joined) = pieces.next() else {
        return Ok(Values::Numbers(Cow::Borrowed(&[])));
    };
    for piece in pieces {
        match (&mut joined, piece) {
            (Values::Numbers(all), Values::Numbers(more)) => all.to_mut().extend_from_slice(&more),
            (
                Values::Categories { codes, labels },
                Values::Categories {
                    codes: more,
                    labels: theirs,
                },
            ) => {
                let table = places(labels, &theirs);
                codes.extend(more.iter().map(|&code| recode(&table, code)));
            }
            _ => {
                return Err(Error::batch(format!(
                    "column {name:?} holds numbers in one batch and categories in another"
                )));
            }
        }
    }
    Ok(joined)
}

/// Position in `labels` of each of `theirs`; labels that are not there are added.
fn places(labels: &mut Vec<String>, theirs: &[String]) -> Vec<f64> {
    let known: HashMap<String, usize> = labels.iter().cloned().zip(0..).collect();
    let mut place = |label: &String| match known.get(label) {
        Some(&at) => at as f64,
        None => {
            labels.push(label.clone());
            (labels.len() - 1) as f64
        }
    };
    theirs.iter().map(&mut place).collect()
}

/// Carry a position over; NaN stays.
pub(crate) fn recode(table: &[f64], code: f64) -> f64 {
    if code.is_nan() {
        code
    } else {
        table[code as usize]
    }
}
