//! What options mean for the search, and which make sense, alone and for the data.

use super::basis::{Basis, Factor};
use super::data::{Prepared, Variable};
use super::{Allowed, Data, MOST_BINS, MOST_TERMS, Options, Span};
use crate::error::Error;
use crate::spec::Side;

/// Bounds of R `earth`, generous ones, that catch a slip of the hand.
const MOST_PENALTY: f64 = 1000.0;
const MOST_ADJUST_ENDSPAN: f64 = 10.0;
const MOST_NEWVAR_PENALTY: f64 = 100.0;
const MOST_FAST_BETA: f64 = 1000.0;

impl Options {
    /// The variables that a term may be multiplied with.
    pub(super) fn free_variables(
        &self,
        term: usize,
        basis: &Basis,
        prepared: &Prepared,
    ) -> Result<Vec<usize>, Error> {
        let parents = basis.directions(term, prepared.features.len());
        let mut free = Vec::new();
        for (v, variable) in prepared.variables.iter().enumerate() {
            let feature = variable.feature;
            if !basis.uses(term, feature) && self.allowed.permits(feature, &parents)? {
                free.push(v);
            }
        }
        Ok(free)
    }

    /// How a variable enters whose knots gain nothing more.
    pub(super) fn linear_factor(&self, variable: &Variable) -> Factor {
        if self.auto_linpreds || self.linpreds.contains(&variable.feature) {
            return Factor::Linear;
        }
        let values = variable.values.iter().copied();
        Factor::Hinge {
            knot: values.fold(f64::INFINITY, f64::min),
            side: Side::Right,
        }
    }
}

pub(super) fn check(options: &Options, data: &Data) -> Result<(), Error> {
    let problem = counts(options)
        .or_else(|| numbers(options))
        .or_else(|| spans(options, data.x.n_rows()))
        .or_else(|| features(options, data.features.len()))
        .or_else(|| together(options, data));
    problem.map_or(Ok(()), |what| Err(Error::InvalidArgument(what)))
}

fn counts(options: &Options) -> Option<String> {
    match options.max_terms {
        Some(0) => return Some("max_terms is 0; ask for 1 or more".to_owned()),
        Some(most) if most > MOST_TERMS => {
            return Some(format!(
                "max_terms is {most}; a forward pass makes at most {MOST_TERMS}"
            ));
        }
        _ => {}
    }
    if options.nprune == Some(0) {
        return Some("nprune is 0; expected 1 or more, or None for no bound".to_owned());
    }
    if let Some(bins) = options.max_bins.filter(|b| !(2..=MOST_BINS).contains(b)) {
        return Some(format!("max_bins is {bins}; expected 2 to {MOST_BINS}"));
    }
    let degree = options.max_degree;
    (!(1..=crate::MAX_DEGREE).contains(&degree)).then(|| {
        format!(
            "max_degree is {degree}; expected 1 to {}",
            crate::MAX_DEGREE
        )
    })
}

fn numbers(options: &Options) -> Option<String> {
    let penalty = options.penalty;
    if !(penalty == -1.0 || (0.0..=MOST_PENALTY).contains(&penalty)) {
        return Some(format!(
            "penalty is {penalty}; expected a number from 0 to {MOST_PENALTY}, or -1 for free terms"
        ));
    }
    if let Some(thresh) = options.thresh.filter(|t| !(0.0..1.0).contains(t)) {
        return Some(format!(
            "thresh is {thresh}; expected 0 or more and less than 1"
        ));
    }
    [
        (
            "adjust_endspan",
            options.adjust_endspan,
            MOST_ADJUST_ENDSPAN,
        ),
        (
            "newvar_penalty",
            options.newvar_penalty,
            MOST_NEWVAR_PENALTY,
        ),
        ("fast_beta", options.fast_beta, MOST_FAST_BETA),
    ]
    .into_iter()
    .find(|(_, value, most)| !(0.0..=*most).contains(value))
    .map(|(name, value, most)| format!("{name} is {value}; expected a number from 0 to {most}"))
}

fn spans(options: &Options, n: usize) -> Option<String> {
    for (name, span) in [("minspan", options.minspan), ("endspan", options.endspan)] {
        match span {
            Span::Rows(0) => {
                return Some(format!(
                    "{name} is 0 rows; ask for 1 or more, or leave the choice to the fit"
                ));
            }
            Span::Rows(rows) if rows > n => {
                return Some(format!(
                    "{name} is {rows}, X has {n} rows; ask for fewer than there are"
                ));
            }
            Span::Alpha(alpha) if !(alpha > 0.0 && alpha < 1.0) => {
                return Some(format!(
                    "{name} is {alpha}; a fraction is a risk between 0 and 1"
                ));
            }
            Span::Knots(0) => {
                return Some(format!("{name} asks for 0 knots; ask for 1 or more"));
            }
            _ => {}
        }
    }
    matches!(options.endspan, Span::Knots(_))
        .then(|| "endspan is negative; expected rows at each end, or a fraction".to_owned())
}

fn features(options: &Options, p: usize) -> Option<String> {
    let groups = match &options.allowed {
        Allowed::Groups(groups) => &groups[..],
        _ => &[],
    };
    let linear = options.linpreds.iter().map(|&j| ("linpreds", j));
    let grouped = groups.iter().flatten().map(|&j| ("allowed", j));
    linear
        .chain(grouped)
        .find(|(_, j)| *j >= p)
        .map(|(name, j)| format!("{name} names feature {j}, X has {p}, counted from 0"))
}

fn together(options: &Options, data: &Data) -> Option<String> {
    if options.compat && options.max_bins.is_some() {
        return Some(
            "knots=\"hist\" cannot keep R's rules; leave out compat or ask for knots=\"exact\""
                .to_owned(),
        );
    }
    if options.fast_k > 0 && !options.compat {
        return Some("fast_k is for R's rules; leave it out, or set compat=\"earth\"".to_owned());
    }
    (options.compat && options.newvar_penalty != 0.0 && data.weights.is_some()).then(|| {
        "newvar_penalty with sample_weight does not exist in R earth; leave one of them out, or compat"
            .to_owned()
    })
}
