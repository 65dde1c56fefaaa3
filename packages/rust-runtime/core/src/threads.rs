//! A pool per call, bounded by what the process may use (H1, not claimed).

use crate::error::Error;

/// Bound of any pool: the affinity and the control group of this process, at least 1.
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Threads to help the calling one, or None where one thread is asked for, allowed or had.
///
/// A pool of its own survives a fork of the caller between calls and starts nothing at import.
pub(crate) fn helpers(threads: usize) -> Option<rayon::ThreadPool> {
    if threads <= 1 {
        return None;
    }
    // Asked late: the control group is read from files each time.
    let bounded = threads.min(available_threads());
    (bounded > 1)
        .then(|| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(bounded - 1)
                .build()
        })
        .and_then(Result::ok)
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
