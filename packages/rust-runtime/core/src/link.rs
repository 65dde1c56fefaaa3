//! Inverse links: from the linear predictor to the response.
//!
//! Built from sums, products, quotients and rounding alone, in a fixed order, so that every language
//! gives the same bits; the system's exponential differs from one library to the next.
//! `docs/model_spec.md` spells the steps out.

use serde::Serialize;

use crate::error::Error;

/// How a linear predictor eta becomes a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// 1 / (1 + exp(-eta))
    Logit,
    /// 1 - exp(-exp(eta))
    Cloglog,
    /// exp(eta)
    Log,
    /// 1 / eta
    Inverse,
    /// exp(eta_k) over the sum of all exp(eta_j)
    Softmax,
}

impl Link {
    /// The links and what they are called.
    pub const NAMED: [(&'static str, Link); 5] = [
        ("logit", Link::Logit),
        ("cloglog", Link::Cloglog),
        ("log", Link::Log),
        ("inverse", Link::Inverse),
        ("softmax", Link::Softmax),
    ];

    /// The link of a name.
    ///
    /// # Errors
    /// A name that no link has.
    pub fn named(name: &str) -> Result<Self, Error> {
        let found = Self::NAMED.iter().find(|(known, _)| *known == name);
        found.map(|(_, link)| *link).ok_or_else(|| {
            Error::InvalidArgument(format!(
                "link is {name:?}; expected one of {}",
                Self::names()
            ))
        })
    }

    /// The names, for a message.
    pub(crate) fn names() -> String {
        let known: Vec<&str> = Self::NAMED.iter().map(|(known, _)| *known).collect();
        known.join(", ")
    }

    /// Turn the linear predictors of one row into its responses.
    pub(crate) fn respond(self, row: &mut [f64]) {
        match self {
            Link::Logit => row.iter_mut().for_each(|v| *v = logistic(*v).0),
            Link::Cloglog => row.iter_mut().for_each(|v| *v = complementary(*v).0),
            Link::Log => row.iter_mut().for_each(|v| *v = exp(*v)),
            Link::Inverse => row.iter_mut().for_each(|v| *v = 1.0 / *v),
            Link::Softmax => softmax(row),
        }
    }
}

/// The probability and its complement, each to full precision.
pub(crate) fn logistic(eta: f64) -> (f64, f64) {
    let e = exp(-eta.abs());
    let (large, small) = (1.0 / (1.0 + e), e / (1.0 + e));
    if eta >= 0.0 {
        (large, small)
    } else {
        (small, large)
    }
}

/// 1 - exp(-exp(eta)) and its complement.
pub(crate) fn complementary(eta: f64) -> (f64, f64) {
    let u = exp(eta);
    if u > 0.5 {
        let q = exp(-u);
        return (1.0 - q, q);
    }
    // u (1 - u/2! + u^2/3! - ...) keeps the digits that 1 - exp(-u) would lose.
    let mut sum = 0.0;
    for coefficient in INVERSE_FACTORIALS.iter().skip(1).rev() {
        sum = sum * -u + coefficient;
    }
    (u * sum, exp(-u))
}

fn softmax(row: &mut [f64]) {
    let most = row
        .iter()
        .fold(f64::NEG_INFINITY, |m, &v| if v > m { v } else { m });
    let mut sum = 0.0;
    for value in row.iter_mut() {
        *value = exp(*value - most);
        sum += *value;
    }
    for value in row.iter_mut() {
        *value /= sum;
    }
}

/// 1/0! to 1/14!, each rounded once.
const INVERSE_FACTORIALS: [f64; 15] = {
    let mut table = [1.0; 15];
    let (mut factorial, mut i) = (1.0, 1);
    while i < 15 {
        factorial *= i as f64;
        table[i] = 1.0 / factorial;
        i += 1;
    }
    table
};
const LOG2_E: f64 = std::f64::consts::LOG2_E;
/// ln 2 in two parts; a whole number of up to 11 bits times the first is exact.
const LN2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);

/// exp(x): 2^k times the Taylor sum of what is left, |r| <= 0.35.
pub(crate) fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > 709.78 {
        return f64::INFINITY;
    }
    if x < -745.0 {
        return 0.0;
    }
    let k = (x * LOG2_E).round_ties_even();
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let mut sum = 0.0;
    for coefficient in INVERSE_FACTORIALS.iter().rev() {
        sum = sum * r + coefficient;
    }
    // In two steps, so that neither power leaves the range; the first product is exact.
    let half = (k / 2.0).floor();
    sum * power_of_two(half) * power_of_two(k - half)
}

/// 2^k for -1022 <= k <= 1023.
fn power_of_two(k: f64) -> f64 {
    f64::from_bits(((k + 1023.0) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_exponential() {
        for i in -74400..=70970 {
            let x = f64::from(i) / 100.0 + 1e-3;
            let (found, expected) = (exp(x), x.exp());
            let error = (found - expected).abs();
            assert!(
                error <= 4e-16 * expected + 5e-324,
                "exp({x}) = {found}, {expected}"
            );
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
        assert_eq!(exp(f64::INFINITY), f64::INFINITY);
        assert!(exp(f64::NAN).is_nan());
    }

    #[test]
    fn probabilities_and_their_complements_sum_to_one() {
        for i in -4000..4000 {
            let eta = f64::from(i) / 100.0;
            let (p, q) = logistic(eta);
            assert!((p + q - 1.0).abs() < 3e-16, "{eta}");
            let (p, q) = complementary(eta);
            let expected = -(-eta.exp()).exp_m1();
            assert!((p + q - 1.0).abs() < 3e-16, "{eta}");
            assert!(
                (p - expected).abs() <= 1e-15 * expected,
                "{eta}: {p} {expected}"
            );
        }
    }
}
