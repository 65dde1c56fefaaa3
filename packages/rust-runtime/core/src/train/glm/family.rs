//! What a family and its link give for one row: deviance, and the two numbers of a scoring step.

use crate::error::Error;
use crate::link::{Link, complementary, exp, logistic};

/// Distribution of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// A probability or share from 0 to 1; logit or cloglog.
    Binomial,
    /// One share per class, summing to 1 in each row; softmax.
    Multinomial,
    /// Counts of 0 or more; log.
    Poisson,
    /// Amounts above 0; inverse or log.
    Gamma,
}

impl Family {
    /// Each family with its name and links, the default first.
    pub const NAMED: [(&'static str, Family, &'static [Link]); 4] = [
        ("binomial", Family::Binomial, &[Link::Logit, Link::Cloglog]),
        ("multinomial", Family::Multinomial, &[Link::Softmax]),
        ("poisson", Family::Poisson, &[Link::Log]),
        ("gamma", Family::Gamma, &[Link::Inverse, Link::Log]),
    ];

    /// The family of a name, and its link: the one named, or the default.
    ///
    /// # Errors
    /// A name that no family has, or a link that the family does not take.
    pub fn named(family: &str, link: Option<&str>) -> Result<(Self, Link), Error> {
        let wrong = |what: String| Err(Error::InvalidArgument(what));
        let Some((_, found, links)) = Self::NAMED.iter().find(|(name, _, _)| *name == family)
        else {
            let known: Vec<&str> = Self::NAMED.iter().map(|(name, _, _)| *name).collect();
            return wrong(format!(
                "family is {family:?}; expected one of {}",
                known.join(", ")
            ));
        };
        let Some(link) = link else {
            return Ok((*found, links[0]));
        };
        let named = |link: &Link| Link::NAMED.iter().find(|(_, l)| l == link).map(|(n, _)| *n);
        match links.iter().find(|l| named(l) == Some(link)) {
            Some(link) => Ok((*found, *link)),
            None => {
                let known: Vec<&str> = links.iter().filter_map(named).collect();
                wrong(format!(
                    "link is {link:?}; the family {family} takes {}",
                    known.join(" or ")
                ))
            }
        }
    }

    /// Why a response cannot be of this family, if so.
    pub(super) fn refuses(self, y: f64) -> Option<&'static str> {
        match self {
            Family::Binomial | Family::Multinomial if !(0.0..=1.0).contains(&y) => {
                Some("a response of this family lies from 0 to 1")
            }
            Family::Poisson if y < 0.0 => Some("a count is 0 or more"),
            Family::Gamma if y <= 0.0 => Some("a response of this family is above 0"),
            _ => None,
        }
    }

    /// The linear predictor of a mean.
    pub(super) fn predictor(link: Link, mean: f64) -> f64 {
        match link {
            Link::Logit => (mean / (1.0 - mean)).ln(),
            Link::Cloglog => (-(-mean).ln_1p()).ln(),
            Link::Log | Link::Softmax => mean.ln(),
            Link::Inverse => 1.0 / mean,
        }
    }
}

/// One row at one linear predictor.
pub(super) struct Row {
    /// Its part of the deviance, for a weight of 1; not finite where eta gives no mean.
    pub(super) deviance: f64,
    /// (d mu / d eta)^2 / variance.
    pub(super) information: f64,
    /// (y - mu) (d mu / d eta) / variance.
    pub(super) score: f64,
}

impl Row {
    pub(super) fn new(family: Family, link: Link, y: f64, eta: f64) -> Self {
        match (family, link) {
            (Family::Poisson, _) => {
                let mean = exp(eta);
                Row {
                    deviance: 2.0 * (share(y, mean) - (y - mean)),
                    information: mean,
                    score: y - mean,
                }
            }
            (Family::Gamma, _) => {
                let mean = if link == Link::Log {
                    exp(eta)
                } else {
                    1.0 / eta
                };
                if mean.is_nan() || mean <= 0.0 {
                    return Row::impossible();
                }
                let deviance = 2.0 * ((y - mean) / mean - (y / mean).ln());
                let (information, score) = if link == Link::Log {
                    (1.0, (y - mean) / mean)
                } else {
                    (mean * mean, mean - y)
                };
                Row {
                    deviance,
                    information,
                    score,
                }
            }
            (_, Link::Cloglog) => {
                let (p, q) = complementary(eta);
                let u = exp(eta);
                if p == 0.0 || !u.is_finite() {
                    return Row::impossible();
                }
                Row {
                    deviance: 2.0 * (share(y, p) + share(1.0 - y, q)),
                    information: u * u * q / p,
                    score: (y - p) * u / p,
                }
            }
            _ => {
                let (p, q) = logistic(eta);
                Row {
                    deviance: 2.0 * (share(y, p) + share(1.0 - y, q)),
                    information: p * q,
                    // y - p, without the digits that it would lose near 1.
                    score: y * q - (1.0 - y) * p,
                }
            }
        }
    }

    fn impossible() -> Self {
        Row {
            deviance: f64::INFINITY,
            information: 0.0,
            score: 0.0,
        }
    }
}

/// y ln(y / mean), 0 for y = 0.
pub(super) fn share(y: f64, mean: f64) -> f64 {
    if y > 0.0 { y * (y / mean).ln() } else { 0.0 }
}
