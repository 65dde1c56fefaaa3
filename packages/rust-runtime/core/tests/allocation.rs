//! The bytes that a replay reports are those that it allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mars_earth_core::{ModelSpec, Output, Plan, Rows, replay};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it is; the counters are atomic.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(held, Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_bytes_reported_are_the_bytes_allocated() {
    let hinge = |parent: &str| {
        format!(
            r#"{{"kind":"hinge","feature":0,"knot":0.5,"side":"right",{parent}"coefficients":[1.0]}}"#
        )
    };
    let text = format!(
        r#"{{"spec_version":"1.0","allow_missing":false,"features":[{{"name":"x"}}],
            "responses":["y"],"terms":[{},{}]}}"#,
        hinge(""),
        hinge(r#""parent":0,"#)
    );
    let plan = Plan::new(&ModelSpec::from_json(text.as_bytes()).expect("valid").0);
    let n = 200_000;
    let x = vec![0.7; n];
    let mut out = vec![0.0; n];
    let rows = Rows::row_major(&x, n, 1).expect("fits");
    for output in [Output::Responses, Output::LinearPredictor] {
        let before = HELD.load(Relaxed);
        PEAK.store(before, Relaxed);
        let went = replay(&plan, &rows, output, 1, &mut out).expect("replays");
        assert_eq!(PEAK.load(Relaxed) - before, went.scratch_bytes);
        assert_eq!(HELD.load(Relaxed), before, "all is given back");
        // An input, a parent and a sum of 64 rows: it does not grow with the rows.
        assert_eq!(went.scratch_bytes, 3 * 64 * 8);
    }
}
