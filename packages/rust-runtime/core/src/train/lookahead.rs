//! When to stop without a threshold: look past a plateau, then cut back to what counted.
//!
//! Of T candidates that only fit noise, the best is expected to lower the RSS by about 2 ln(T) / n of it
//! (the largest of T chi-squared variables with one degree of freedom). A step that gains clearly
//! more counts. The pass goes on until many steps in a row do not count, and drops those.
//!
//! With few rows noise hides steps that are real. So the first steps stay in any case, for the pruning
//! pass to judge, as long as each gains a little and the GCV stays below that of the mean.

use super::ForwardStep;

/// How many times the expected gain of noise a step must reach.
const FACTOR: f64 = 3.0;
/// Candidates per variable and parent that are as good as independent.
const INDEPENDENT_KNOTS: f64 = 10.0;
/// Steps to look ahead. Plateaus of pure interactions were up to 12 steps long.
const STEPS: usize = 15;
/// Steps that may stay in any case: R `earth` has as many for up to ten columns.
const FIRST_STEPS: usize = 10;
/// The least rise of R squared of such a step, R `earth`'s threshold.
const FIRST_RISE: f64 = 0.001;

pub(super) struct LookAhead {
    /// Steps since the last one that counted.
    idle: usize,
    /// The first steps that stay, and whether there may be more.
    first: usize,
    is_first: bool,
    steps: usize,
}

impl LookAhead {
    pub(super) fn new() -> Self {
        LookAhead {
            idle: 0,
            first: 0,
            is_first: true,
            steps: 0,
        }
    }

    /// Note a step to `now` from the one `before`, with `trials` pairs of parent and variable to choose
    /// from, where `null_gcv` is the GCV of the mean; true once nothing has counted for a while.
    pub(super) fn is_enough(
        &mut self,
        samples: usize,
        (before, now): (&ForwardStep, &ForwardStep),
        null_gcv: f64,
        trials: usize,
    ) -> bool {
        self.steps += 1;
        let bound = FACTOR * (INDEPENDENT_KNOTS * trials as f64).ln();
        let share = 1.0 - now.rss / before.rss;
        if samples as f64 * share >= bound {
            self.idle = 0;
        } else {
            self.idle += 1;
        }
        self.is_first &=
            self.steps <= FIRST_STEPS && now.rsq - before.rsq >= FIRST_RISE && now.gcv <= null_gcv;
        if self.is_first {
            self.first = self.steps;
        }
        self.idle >= STEPS
    }

    /// Steps since the last one that stays.
    pub(super) fn idle(&self) -> usize {
        self.idle.min(self.steps - self.first)
    }
}
