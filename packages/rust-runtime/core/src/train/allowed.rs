//! Which features may meet in a term.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;

/// Which features may meet in a term.
#[derive(Debug, Clone, PartialEq)]
pub enum Allowed {
    /// Any.
    All,
    /// Those that are together in one of the groups; a feature of no group stays alone.
    Groups(Vec<Vec<usize>>),
    /// Those that a function lets in.
    Ask(Ask),
}

/// A function (degree, feature, parents) that says whether a feature may enter a term.
///
/// The degree is that of the new term. `parents` has a number per feature: 1 or -1 where the parent
/// has a right or left hinge on it, 2 where it has it without a knot, 0 where it has it not. None ends
/// the fit with [`Error::Interrupted`].
#[derive(Clone)]
pub struct Ask(pub Arc<Question>);

/// See [`Ask`].
pub type Question = dyn Fn(usize, usize, &[i8]) -> Option<bool> + Send + Sync;

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ask(..)")
    }
}

impl PartialEq for Ask {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Allowed {
    /// Whether the two hinges of a pair may take the same features.
    pub(super) fn is_for_both_sides(&self) -> bool {
        !matches!(self, Allowed::Ask(_))
    }

    /// Whether `feature` may enter a term whose parent has the others.
    pub(super) fn permits(&self, feature: usize, parents: &[i8]) -> Result<bool, Error> {
        let others = || (0..parents.len()).filter(|&j| parents[j] != 0);
        match self {
            Allowed::All => Ok(true),
            Allowed::Groups(groups) => Ok(others().count() == 0
                || groups
                    .iter()
                    .any(|group| group.contains(&feature) && others().all(|j| group.contains(&j)))),
            Allowed::Ask(Ask(ask)) => {
                ask(others().count() + 1, feature, parents).ok_or(Error::Interrupted)
            }
        }
    }
}
