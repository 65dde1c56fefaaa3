//! Threads per call, bounded by what the process may use (H1, not claimed).

use crate::error::Error;

/// Bound of any pool: the affinity and the control group of this process, at least 1.
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Bound a number of threads (H1, not claimed); at least 1.
pub(crate) fn bounded(threads: usize) -> usize {
    if threads <= 1 {
        return 1;
    }
    // Asked late: the control group is read from files each time.
    threads.min(available_threads())
}

/// A pool that with the calling thread makes `threads` (H1, not claimed); None: that one alone.
///
/// A pool of its own survives a fork of the caller between calls and starts nothing at import.
pub(crate) fn beside(threads: usize) -> Option<rayon::ThreadPool> {
    let n = bounded(threads) - 1;
    (n > 0)
        .then(|| rayon::ThreadPoolBuilder::new().num_threads(n).build())
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
