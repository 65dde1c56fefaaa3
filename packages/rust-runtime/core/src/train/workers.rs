//! The threads of one fit (H1, not claimed: no gain is recorded yet).
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
    pub(super) fn each<T: Send>(&self, items: &mut [T], work: impl Fn(&mut T) + Sync + Send) {
        match &self.pool {
            Some(pool) => pool.install(|| items.par_iter_mut().for_each(work)),
            None => items.iter_mut().for_each(work),
        }
    }

    /// One result per number below `count`, in order.
    pub(super) fn map<T: Send>(
        &self,
        count: usize,
        work: impl Fn(usize) -> T + Sync + Send,
    ) -> Vec<T> {
        match &self.pool {
            Some(pool) => pool.install(|| (0..count).into_par_iter().map(work).collect()),
            None => (0..count).map(work).collect(),
        }
    }

    /// Parts of `n` rows, each as (from, to).
    pub(super) fn parts(n: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..n.div_ceil(ROWS)).map(move |part| (part * ROWS, n.min((part + 1) * ROWS)))
    }
}
