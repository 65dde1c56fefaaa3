//! When to stop without a threshold: look past a plateau, then cut back to what counted.
//!
//! Of T candidates that only fit noise, the best is expected to lower the RSS by about 2 ln(T) / n of it
//! (the largest of T chi-squared variables with one degree of freedom). A step that gains clearly
//! more counts. The pass goes on until many steps in a row do not count, and drops those.

/// How many times the expected gain of noise a step must reach.
const FACTOR: f64 = 3.0;
/// Candidates per variable and parent that are as good as independent.
const INDEPENDENT_KNOTS: f64 = 10.0;
/// Steps to look ahead. Plateaus of pure interactions were up to 12 steps long.
const STEPS: usize = 15;

#[derive(Default)]
pub(super) struct LookAhead {
    idle: usize,
}

impl LookAhead {
    /// Note a step that lowered the RSS by `share` of it, with `trials` pairs of parent and variable
    /// to choose from; true once nothing has counted for a while.
    pub(super) fn is_enough(&mut self, samples: usize, share: f64, trials: usize) -> bool {
        let bound = FACTOR * (INDEPENDENT_KNOTS * trials as f64).ln();
        if samples as f64 * share >= bound {
            self.idle = 0;
        } else {
            self.idle += 1;
        }
        self.idle >= STEPS
    }

    /// Steps since the last one that counted.
    pub(super) fn idle(&self) -> usize {
        self.idle
    }
}
