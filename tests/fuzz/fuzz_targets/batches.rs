//! The C functions on Arrow batches: any types, offsets, nulls and indices over honest buffers, and
//! fields that are wrong in ways the library can tell.
#![no_main]

use std::ffi::{CString, c_char, c_void};
use std::ptr::{null, null_mut};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use mars_earth::*;

const SPEC: &str = r#"{"spec_version": "1.0", "allow_missing": true, "features": [{"name": "a"},
    {"name": "b", "categories": ["red", "a label of more than twelve bytes"], "impute": 0}],
    "responses": ["y", "n"], "terms": [{"kind": "linear", "feature": 0, "coefficients": [1, 2]},
    {"kind": "categorical", "feature": 1, "levels": ["red"], "coefficients": [1, 2]}]}"#;
const FORMATS: [&str; 19] = [
    "g", "f", "e", "c", "C", "s", "S", "i", "I", "l", "L", "b", "n", "u", "U", "vu", "tdD", "+s",
    "",
];
const NAMES: [&str; 4] = ["a", "b", "", "other"];

/// The fields of a schema.
#[repr(C)]
struct Schema {
    format: *const c_char,
    name: *const c_char,
    metadata: *const c_char,
    flags: i64,
    n_children: i64,
    children: *mut *mut Schema,
    dictionary: *mut Schema,
    release: Option<unsafe extern "C" fn(*mut Schema)>,
    private_data: *mut c_void,
}

/// The fields of an array.
#[repr(C)]
struct Array {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut Array,
    dictionary: *mut Array,
    release: Option<unsafe extern "C" fn(*mut Array)>,
    private_data: *mut c_void,
}

unsafe extern "C" fn release_schema(_: *mut Schema) {
    panic!("a batch that was lent is not released");
}

unsafe extern "C" fn release_array(_: *mut Array) {
    panic!("a batch that was lent is not released");
}

#[derive(Arbitrary, Debug)]
struct Part {
    format: u8,
    name: u8,
    offset: u8,
    length: Odd,
    null_count: i8,
    has_bitmap: bool,
    n_buffers: Odd,
    bytes: Vec<u8>,
    unaligned: bool,
    labels: Option<(u8, Vec<String>)>,
    no_values: bool,
}

/// A field that is right, or anything that cannot be read past honest memory.
#[derive(Arbitrary, Debug)]
enum Odd {
    Right,
    Less(u8),
    Negative(i64),
}

impl Odd {
    fn of(&self, right: i64) -> i64 {
        match self {
            Odd::Right => right,
            Odd::Less(by) => (right - i64::from(*by)).max(0),
            Odd::Negative(value) => -value.saturating_abs(),
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Input {
    rows: u8,
    offset: u8,
    around: Option<u8>,
    parts: Vec<Part>,
    what: u8,
    n_children: Odd,
    format: u8,
}

/// Memory that outlives the call.
#[derive(Default)]
struct Held {
    texts: Vec<CString>,
    bytes: Vec<Vec<u8>>,
    pointers: Vec<Vec<*const c_void>>,
    schemas: Vec<Box<Schema>>,
    arrays: Vec<Box<Array>>,
}

impl Held {
    fn text(&mut self, text: &str) -> *const c_char {
        self.texts
            .push(CString::new(text.replace('\0', "")).unwrap());
        self.texts.last().unwrap().as_ptr()
    }

    fn buffer(&mut self, mut bytes: Vec<u8>, unaligned: bool) -> *const c_void {
        bytes.push(0);
        self.bytes.push(bytes);
        let start = self.bytes.last().unwrap().as_ptr();
        // One byte in, where the caller has made room for that.
        if unaligned {
            start.wrapping_add(1).cast()
        } else {
            start.cast()
        }
    }

    fn pair(
        &mut self,
        format: &str,
        name: &str,
        [length, null_count, offset, n_buffers]: [i64; 4],
        buffers: Vec<*const c_void>,
    ) -> (*mut Schema, *mut Array) {
        let (format, name) = (self.text(format), self.text(name));
        self.schemas.push(Box::new(Schema {
            format,
            name,
            metadata: null(),
            flags: 2,
            n_children: 0,
            children: null_mut(),
            dictionary: null_mut(),
            release: Some(release_schema),
            private_data: null_mut(),
        }));
        self.pointers.push(buffers);
        let buffers = self.pointers.last_mut().unwrap().as_mut_ptr();
        self.arrays.push(Box::new(Array {
            length,
            null_count,
            offset,
            n_buffers,
            n_children: 0,
            buffers,
            children: null_mut(),
            dictionary: null_mut(),
            release: Some(release_array),
            private_data: null_mut(),
        }));
        (
            &raw mut **self.schemas.last_mut().unwrap(),
            &raw mut **self.arrays.last_mut().unwrap(),
        )
    }

    /// Text in one of three layouts.
    fn dictionary(&mut self, layout: u8, labels: &[String]) -> (*mut Schema, *mut Array) {
        let mut buffers = vec![null()];
        let format = match layout % 4 {
            0 | 1 => {
                let mut offsets = Vec::new();
                let mut all = Vec::new();
                for end in 0..=labels.len() {
                    match layout % 4 {
                        0 => offsets.extend((all.len() as i32).to_le_bytes()),
                        _ => offsets.extend((all.len() as i64).to_le_bytes()),
                    }
                    all.extend(labels.get(end).map_or(&b""[..], |label| label.as_bytes()));
                }
                buffers.push(self.buffer(offsets, false));
                buffers.push(self.buffer(all, false));
                if layout % 4 == 0 { "u" } else { "U" }
            }
            _ => {
                let (mut views, mut all) = (Vec::new(), Vec::new());
                for label in labels {
                    let mut view = [0u8; 16];
                    view[..4].copy_from_slice(&(label.len() as i32).to_le_bytes());
                    if label.len() <= 12 {
                        view[4..4 + label.len()].copy_from_slice(label.as_bytes());
                    } else {
                        view[12..].copy_from_slice(&(all.len() as i32).to_le_bytes());
                        all.extend(label.as_bytes());
                    }
                    views.extend(view);
                }
                buffers.push(self.buffer(views, false));
                buffers.push(self.buffer(all, false));
                if layout % 4 == 2 { "vu" } else { "z" }
            }
        };
        let sizes = [labels.len() as i64, 0, 0, buffers.len() as i64];
        self.pair(format, "", sizes, buffers)
    }
}

fuzz_target!(|input: Input| {
    let mut held = Held::default();
    let (rows, shift) = (i64::from(input.rows % 40), i64::from(input.offset % 8));
    let (mut schemas, mut arrays) = (Vec::new(), Vec::new());
    for part in input.parts.iter().take(4) {
        let offset = i64::from(part.offset % 16);
        let most = (rows + shift + offset) as usize;
        let mut bytes = part.bytes.clone();
        // The widest value has 8 bytes; one more for a start that is not aligned.
        bytes.resize(most * 8 + 2, 3);
        let mut bitmap = part.bytes.clone();
        bitmap.resize(most / 8 + 2, 0xa5);
        let bitmap = if part.has_bitmap {
            held.buffer(bitmap, false)
        } else {
            null()
        };
        let values = if part.no_values {
            null()
        } else {
            held.buffer(bytes, part.unaligned)
        };
        let sizes = [
            part.length.of(rows + shift),
            i64::from(part.null_count),
            offset,
            part.n_buffers.of(2),
        ];
        let format = FORMATS[usize::from(part.format) % FORMATS.len()];
        let name = NAMES[usize::from(part.name) % NAMES.len()];
        let (schema, array) = held.pair(format, name, sizes, vec![bitmap, values]);
        if let Some((layout, labels)) = &part.labels {
            let (inner, labels) = held.dictionary(*layout, labels);
            // SAFETY: boxes that `held` keeps.
            unsafe {
                (*schema).dictionary = inner;
                (*array).dictionary = labels;
            }
        }
        schemas.push(schema);
        arrays.push(array);
    }
    let mut around = vec![input.around.unwrap_or(0); 8];
    around.push(0);
    let around = if input.around.is_some() {
        held.buffer(around, false)
    } else {
        null()
    };
    let format = if input.format < 250 { "+s" } else { "g" };
    let sizes = [rows, -1, shift, 1];
    let (schema, array) = held.pair(format, "", sizes, vec![around]);
    let mut model = null_mut();
    // SAFETY: the pointers are to boxes that `held` keeps, and the buffers are as long as is said.
    unsafe {
        (*schema).n_children = schemas.len() as i64;
        (*schema).children = schemas.as_mut_ptr();
        (*array).n_children = input.n_children.of(arrays.len() as i64);
        (*array).children = arrays.as_mut_ptr();
        let loaded = mars_earth_model_load(SPEC.as_ptr(), SPEC.len(), &mut model, null_mut(), 0);
        assert_eq!(loaded, 0);
        let mut result = mars_earth_arrow::ArrowArray::empty();
        let mut result_schema = mars_earth_arrow::ArrowSchema::empty();
        let status = mars_earth_replay_batch(
            model,
            u32::from(input.what % 3),
            array.cast(),
            schema.cast(),
            null(),
            &mut result,
            &mut result_schema,
            null_mut(),
            0,
        );
        assert!((0..16).contains(&status), "{status}");
        assert_eq!(status == 0, result.is_live());
        assert_eq!(status == 0, result_schema.is_live());
        mars_earth_model_free(model);
    }
});
