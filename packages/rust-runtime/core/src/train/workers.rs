//! The threads of one fit (H1, not claimed; `docs/benchmarks/training.json` has what a second one gains).
//!
//! Work is cut the same way for any number of threads and put together in the order of the parts, so
//! the result does not depend on that number.

use std::sync::{Mutex, PoisonError};

use crate::threads;

/// Rows of one part: small enough to stay in the cache, large enough to be worth handing over.
pub(super) const ROWS: usize = 8192;

/// The calling thread, and a pool beside it that lives as long as the fit.
pub(super) struct Workers {
    pool: Option<rayon::ThreadPool>,
}

impl Workers {
    /// A pool as asked for, or none where the work is too small to share.
    pub(super) fn new(threads: usize, values: usize) -> Self {
        const SMALL: usize = 1 << 15;
        let pool = (values > SMALL).then(|| threads::beside(threads)).flatten();
        Workers { pool }
    }

    /// Change every item.
    pub(super) fn each<T: Send>(&self, items: &mut [T], work: impl Fn(&mut T) + Sync) {
        let work: &(dyn Fn(&mut T) + Sync) = &work;
        let Some(pool) = &self.pool else {
            return items.iter_mut().for_each(work);
        };
        let tasks = items.iter_mut();
        run(
            pool,
            tasks
                .map(|item| -> Task { Box::new(move || work(item)) })
                .collect(),
        );
    }

    /// One result per number below `count`, in order.
    pub(super) fn map<T: Send>(&self, count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let mut results: Vec<(usize, Option<T>)> = (0..count).map(|k| (k, None)).collect();
        self.each(&mut results, |(k, result)| *result = Some(work(*k)));
        results
            .into_iter()
            .filter_map(|(_, result)| result)
            .collect()
    }

    /// Write values in parts of rows; `work` gets the first row of its part.
    pub(super) fn fill<T: Send>(&self, values: &mut [T], work: impl Fn(usize, &mut [T]) + Sync) {
        let mut parts: Vec<_> = values.chunks_mut(ROWS).enumerate().collect();
        self.each(&mut parts, |(part, piece)| work(*part * ROWS, piece));
    }

    /// The sum of what `work` finds from one row to another, over the parts of `n` rows.
    pub(super) fn sum(&self, n: usize, work: impl Fn(usize, usize) -> f64 + Sync) -> f64 {
        let parts: Vec<(usize, usize)> = Workers::parts(n).collect();
        let sums = self.map(parts.len(), |part| work(parts[part].0, parts[part].1));
        sums.iter().sum()
    }

    /// Parts of `n` rows, each as (from, to).
    pub(super) fn parts(n: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..n.div_ceil(ROWS)).map(move |part| (part * ROWS, n.min((part + 1) * ROWS)))
    }
}

/// Work of one kind, so that the pool is compiled once and not for every closure.
type Task<'a> = Box<dyn FnOnce() + Send + 'a>;

/// The calling thread takes its share: it would only sleep and be woken.
fn run(pool: &rayon::ThreadPool, tasks: Vec<Task>) {
    let waiting = Mutex::new(tasks.into_iter());
    let next = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.next()
    };
    let work = || {
        while let Some(task) = next() {
            task();
        }
    };
    pool.in_place_scope(|scope| {
        for _ in 0..pool.current_num_threads() {
            scope.spawn(|_| work());
        }
        work();
    });
}
