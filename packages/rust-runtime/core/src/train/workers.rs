//! The threads of one fit (H1, not claimed; `docs/benchmarks/training.json` has what a second one gains).
//!
//! Work is cut the same way for any number of threads and put together in the order of the parts, so
//! the result does not depend on that number.

use rayon::prelude::*;

use crate::threads;

/// Rows of one part: small enough to stay in the cache, large enough to be worth handing over.
pub(super) const ROWS: usize = 8192;

/// A pool that lives as long as the fit, or the calling thread alone.
pub(super) struct Workers {
    pool: Option<rayon::ThreadPool>,
}

impl Workers {
    /// A pool as asked for, or none where the work is too small to share.
    pub(super) fn new(threads: usize, values: usize) -> Self {
        const SMALL: usize = 1 << 15;
        let pool = (values > SMALL).then(|| threads::pool(threads)).flatten();
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

    /// Parts of `n` rows, each as (from, to).
    pub(super) fn parts(n: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..n.div_ceil(ROWS)).map(move |part| (part * ROWS, n.min((part + 1) * ROWS)))
    }
}

/// Work of one kind, so that the pool is compiled once and not for every closure.
type Task<'a> = Box<dyn FnOnce() + Send + 'a>;

fn run(pool: &rayon::ThreadPool, tasks: Vec<Task>) {
    pool.install(|| tasks.into_par_iter().for_each(|task| task()));
}
