//! Share the rows among threads where that pays (H1, not claimed).

use std::sync::{Mutex, PoisonError};
use std::thread::Builder;

use mars_earth_dispatch::dispatch;

use super::Output;
use super::run::{Part, Scratch};
use super::tile::{GROUPS, LANES, ROWS};
use crate::error::Error;
use crate::plan::Plan;
use crate::rows::Rows;
use crate::threads;

/// Passes over a tile, times rows, that a thread must have to do to be worth starting.
const WORTH_A_THREAD: usize = 1 << 20;
/// Rows that are taken at a time.
const PART: usize = 64 * ROWS;

/// Replay all rows; return how many threads took part (H1, not claimed), and the bytes of buffers.
pub(super) fn share(
    plan: &Plan,
    rows: &Rows,
    output: Output,
    threads: usize,
    out: &mut [f64],
) -> Result<(usize, usize), Error> {
    let program = &plan.program;
    let width = output.width(plan).max(1);
    let passes = program.n_inputs() + program.nodes.len();
    let paying = rows.n_rows().saturating_mul(passes) / WORTH_A_THREAD;
    // A row or a few: one group of a tile, in buffers that are there already.
    if rows.n_rows() <= LANES {
        Scratch::lend(plan, |scratch| {
            dispatch(Part {
                plan,
                rows,
                output,
                scratch,
                from: 0,
                out,
            })
        })?;
        return Ok((1, Scratch::<1>::bytes(plan)));
    }
    let run = |scratch: &mut Scratch<GROUPS>, from: usize, out: &mut [f64]| {
        dispatch(Part {
            plan,
            rows,
            output,
            scratch,
            from,
            out,
        })
    };
    let n = threads::bounded(threads.min(paying));
    if n <= 1 {
        run(&mut Scratch::new(plan), 0, out)?;
        return Ok((1, Scratch::<GROUPS>::bytes(plan)));
    }
    let taken = Mutex::new((
        out.chunks_mut(PART * width).enumerate(),
        None::<(usize, Error)>,
    ));
    // Each thread takes the next part until there is none, or until a row before it has failed.
    let work = || {
        let mut scratch = Scratch::new(plan);
        loop {
            let Ok(mut queue) = taken.lock() else { return };
            let (Some((part, out)), None) = (queue.0.next(), &queue.1) else {
                return;
            };
            drop(queue);
            if let Err(error) = run(&mut scratch, part * PART, out) {
                let Ok(mut queue) = taken.lock() else { return };
                // The first failing row is reported, whichever thread met it.
                if queue
                    .1
                    .as_ref()
                    .is_none_or(|&(earliest, _)| part < earliest)
                {
                    queue.1 = Some((part, error));
                }
                return;
            }
        }
    };
    let n = std::thread::scope(|scope| {
        // Where no more can be started, those that are there do the work.
        let start = |_: &usize| Builder::new().spawn_scoped(scope, work).is_ok();
        let n = 1 + (1..n).take_while(start).count();
        work();
        n
    });
    match taken.into_inner().unwrap_or_else(PoisonError::into_inner) {
        (_, None) => Ok((n, n * Scratch::<GROUPS>::bytes(plan))),
        (_, Some((_, error))) => Err(error),
    }
}
