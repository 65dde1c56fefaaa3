//! Run a loop with the newest instructions of the processor at hand (H1, not claimed).
//!
//! A build for the oldest processors of an architecture holds the loop twice: as the architecture
//! guarantees it, and for AVX2 (H1, not claimed). Which one runs is asked of the processor at run
//! time, so the build runs on old nodes too. The results are the same: both are compiled from one source, and neither
//! holds a fused multiply-add.
//!
//! This crate holds the unsafe code of replay, so that the core can forbid it.
#![deny(unsafe_op_in_unsafe_fn)]

/// A loop that is worth compiling for newer instructions.
pub trait Work {
    /// What the loop returns.
    type Output;

    /// Run it. Mark it, and all that it calls, `#[inline(always)]`: only what is inlined is compiled
    /// for the newer instructions.
    fn run(self) -> Self::Output;
}

/// Instructions that a loop can be run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instructions {
    /// What the architecture guarantees.
    Baseline,
    /// AVX2, on x86-64 (H1, not claimed).
    Avx2,
}

impl Instructions {
    /// The newest that this processor has and a loop is compiled for.
    #[inline]
    pub fn detected() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return Instructions::Avx2;
        }
        Instructions::Baseline
    }

    /// Short name.
    pub fn name(self) -> &'static str {
        match self {
            Instructions::Baseline => "baseline",
            Instructions::Avx2 => "avx2",
        }
    }
}

/// Run the loop with the newest instructions.
#[inline]
pub fn dispatch<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if Instructions::detected() == Instructions::Avx2 {
        // SAFETY: the processor has just said that it has AVX2.
        return unsafe { with_avx2(work) };
    }
    work.run()
}

/// # Safety
/// The processor must know the instructions that the attribute names.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn with_avx2<W: Work>(work: W) -> W::Output {
    work.run()
}

/// Ask the processor to fetch the cache lines of some values; it may ignore that.
#[inline(always)]
pub fn prefetch<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(64 / size_of::<T>().clamp(1, 64)) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the address lies in a borrowed slice, and a prefetch changes no value. The
        // instruction belongs to SSE, which every x86-64 processor has.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sum<'a>(&'a [f64]);

    impl Work for Sum<'_> {
        type Output = f64;

        #[inline(always)]
        fn run(self) -> f64 {
            self.0.iter().sum()
        }
    }

    #[test]
    fn the_loop_runs_once_with_any_instructions() {
        let values = [1.0, 2.0, 3.0, 4.5];
        prefetch(&values);
        assert_eq!(dispatch(Sum(&values)), Sum(&values).run());
        assert_eq!(Instructions::detected(), Instructions::detected());
    }
}
