//! The C functions on tables: arguments of any kind over memory that is what they say.
#![no_main]

use std::ffi::c_char;
use std::ptr::{null, null_mut};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use mars_earth::*;

const SPECS: [&str; 3] = [
    r#"{"spec_version": "1.0", "allow_missing": false, "features": [{"name": "x"}, {"name": "z"}],
        "responses": ["y", "n"], "terms": [{"kind": "constant", "coefficients": [1, 2]},
        {"kind": "hinge", "feature": 0, "knot": 2, "side": "right", "coefficients": [3, -3]},
        {"kind": "linear", "feature": 1, "parent": 1, "coefficients": [3, -3]}]}"#,
    r#"{"spec_version": "1.1", "allow_missing": true, "link": "logit",
        "features": [{"name": "c", "categories": ["a", "b"], "impute": 1}], "responses": ["y"],
        "terms": [{"kind": "categorical", "feature": 0, "levels": ["b"], "coefficients": [2]}]}"#,
    r#"{"spec_version": "1.0", "allow_missing": true, "features": [{"name": "x"}],
        "responses": ["y"], "terms": [{"kind": "missingness", "feature": 0, "when": "missing"},
        {"kind": "linear", "feature": 0, "coefficients": [2]}]}"#,
];

#[derive(Arbitrary, Debug)]
enum Size {
    Right,
    Wrong(usize),
}

impl Size {
    fn of<T>(&self) -> usize {
        match self {
            Size::Right => size_of::<T>(),
            Size::Wrong(size) => *size,
        }
    }
}

/// A shape: mostly small, so that it often fits.
#[derive(Arbitrary, Debug)]
enum Count {
    Small(u8),
    Any(usize),
}

impl Count {
    fn get(&self) -> usize {
        match self {
            Count::Small(n) => usize::from(n % 24),
            Count::Any(n) => *n,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Stride {
    Small(i8),
    Any(isize),
}

impl Stride {
    fn get(&self) -> isize {
        match self {
            Stride::Small(n) => isize::from(*n),
            Stride::Any(n) => *n,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Input {
    spec: u8,
    text: Option<Vec<u8>>,
    what: u8,
    x: Vec<f64>,
    room: u8,
    sizes: [Size; 4],
    rows: [Count; 2],
    columns: [Count; 2],
    strides: [Stride; 4],
    shift: [bool; 2],
    nulls: [bool; 5],
    threads: Option<u32>,
    reserved: bool,
    capacity: u8,
    index: usize,
}

fuzz_target!(|input: Input| {
    let mut message = [1 as c_char; 256];
    let capacity = usize::from(input.capacity);
    let text = match &input.text {
        Some(text) => text.as_slice(),
        None => SPECS[usize::from(input.spec) % SPECS.len()].as_bytes(),
    };
    let [no_table, no_buffer, no_message, no_model, no_shape] = input.nulls;
    let note = if no_message {
        null_mut()
    } else {
        message.as_mut_ptr()
    };
    let mut model = null_mut();
    // SAFETY: below, each pointer is NULL, misaligned, or to memory as long as is said.
    unsafe {
        let status = mars_earth_model_load(text.as_ptr(), text.len(), &mut model, note, capacity);
        assert_eq!(status == 0, !model.is_null());
        assert!((0..16).contains(&status));
        if model.is_null() {
            return;
        }
        let given = if no_model { null() } else { model.cast_const() };
        let mut shape = Shape {
            size: input.sizes[0].of::<Shape>(),
            features: 0,
            responses: 0,
            columns: 0,
            terms: 0,
            allow_missing: 0,
            has_link: 0,
        };
        let place = if no_shape { null_mut() } else { &raw mut shape };
        let mut name = null();
        let mut length = 0;
        let mut room = vec![0.5; usize::from(input.room)];
        let shifted = |at: *const f64, shift: bool| {
            if shift {
                at.cast::<u8>().wrapping_add(4).cast()
            } else {
                at
            }
        };
        let table = Table {
            size: input.sizes[1].of::<Table>(),
            data: if no_table {
                null()
            } else {
                shifted(input.x.as_ptr(), input.shift[0])
            },
            length: input.x.len(),
            rows: input.rows[0].get(),
            columns: input.columns[0].get(),
            row_stride: input.strides[0].get(),
            column_stride: input.strides[1].get(),
        };
        let buffer = Buffer {
            size: input.sizes[2].of::<Buffer>(),
            data: if no_buffer {
                null_mut()
            } else {
                shifted(room.as_mut_ptr(), input.shift[1]).cast_mut()
            },
            length: room.len(),
            rows: input.rows[1].get(),
            columns: input.columns[1].get(),
            row_stride: input.strides[2].get(),
            column_stride: input.strides[3].get(),
        };
        let options = input.threads.map(|threads| Options {
            size: input.sizes[3].of::<Options>(),
            threads: threads % 4,
            reserved: u32::from(input.reserved),
        });
        let options = options
            .as_ref()
            .map_or(null(), |options| &raw const *options);
        // A row that stands for any number of rows is allowed, and would take as long.
        let is_cheap = table.rows < 1 << 16;
        let statuses = [
            mars_earth_model_shape(given, place, note, capacity),
            mars_earth_model_feature(given, input.index, &mut name, &mut length, note, capacity),
            mars_earth_model_response(given, input.index, &mut name, null_mut(), note, capacity),
            mars_earth_model_categories(given, input.index, &mut length, note, capacity),
            mars_earth_model_category(
                given,
                0,
                input.index,
                &mut name,
                &mut length,
                note,
                capacity,
            ),
            if is_cheap {
                mars_earth_check(given, &table, note, capacity)
            } else {
                0
            },
            mars_earth_replay(
                given,
                u32::from(input.what % 4),
                &table,
                &buffer,
                options,
                note,
                capacity,
            ),
        ];
        assert!(
            statuses.iter().all(|status| (0..16).contains(status)),
            "{statuses:?}"
        );
        if !no_message && capacity > 0 {
            assert!(message[..capacity].contains(&0));
        }
        mars_earth_model_free(model);
    }
});
