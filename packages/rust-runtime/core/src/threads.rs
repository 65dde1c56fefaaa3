//! A pool per call, bounded by what the process may use (H1, not claimed: no gain is measured).

use crate::error::Error;

/// Bound of any pool: the affinity and the control group of this process, at least 1.
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Run `work` in a bounded pool that ends with the call.
///
/// A pool of its own survives a fork of the caller between calls and starts nothing at import.
/// Where the system refuses threads the work runs on the calling thread.
pub(crate) fn with_pool<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    match pool(threads) {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

/// A pool of `threads`, or None where one thread is asked for, allowed or had.
pub(crate) fn pool(threads: usize) -> Option<rayon::ThreadPool> {
    let bounded = threads.min(available_threads());
    (bounded > 1)
        .then(|| rayon::ThreadPoolBuilder::new().num_threads(bounded).build())
        .and_then(Result::ok)
}

pub(crate) fn check(threads: usize) -> Result<(), Error> {
    if threads == 0 {
        return Err(Error::InvalidArgument(
            "threads is 0; ask for 1 or more".to_owned(),
        ));
    }
    Ok(())
}
