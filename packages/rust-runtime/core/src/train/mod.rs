//! Training: the forward pass grows terms in pairs, the pruning pass removes them by GCV.
//!
//! The mathematics is that of Friedman (1991), "Multivariate adaptive regression splines",
//! Annals of Statistics 19(1), with the knot grid of R `earth`. What a knot needs is kept per
//! (parent, variable) and brought up to date by rank one for each new column (see `search`), so
//! no candidate is ever refitted from scratch.

mod allowed;
mod basis;
mod binned;
mod compat;
mod cross;
mod data;
mod engine;
mod exact;
mod forward;
pub mod glm;
mod grid;
mod group;
mod knots;
mod lookahead;
mod options;
mod orthogonal;
mod pruning;
mod queue;
mod scan;
mod search;
mod workers;

use crate::error::Error;
use crate::rows::Rows;
use crate::spec::{Feature, ModelSpec, PLAIN_VERSION, Producer};
pub use allowed::{Allowed, Ask};
use binned::Binned;
pub use cross::{CrossValidation, Fold};
use data::Prepared;
use exact::Exact;
pub use knots::Span;
pub use pruning::{PathStep, gcv_path};
pub use scan::{Scan, knot_scan};
use workers::Workers;

/// The pruning pass costs the fourth power of the terms, so their number is bounded.
const MOST_TERMS: usize = 1000;
/// As many as a byte can tell apart, and a few times more.
const MOST_BINS: usize = 1024;
/// Far beyond where looking ahead ends.
const LOOK_AHEAD_TERMS: usize = 201;

/// How the pruning pass looks for the best subset of each size. Names are R `earth`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PruningMethod {
    /// Drop the term that costs least, again and again.
    Backward,
    /// Keep what the forward pass made, at most `nprune` terms in order of growth.
    None,
    /// Every subset, by branch and bound.
    Exhaustive,
    /// Add the term that gains most, again and again.
    Forward,
    /// Sequential replacement.
    Seqrep,
}

impl PruningMethod {
    /// Each method with its name.
    pub const NAMED: [(&'static str, PruningMethod); 5] = [
        ("backward", PruningMethod::Backward),
        ("none", PruningMethod::None),
        ("exhaustive", PruningMethod::Exhaustive),
        ("forward", PruningMethod::Forward),
        ("seqrep", PruningMethod::Seqrep),
    ];

    /// The method of a name.
    ///
    /// # Errors
    /// A name that no method has.
    pub fn named(name: &str) -> Result<Self, Error> {
        let found = Self::NAMED.iter().find(|(known, _)| *known == name);
        found.map(|(_, method)| *method).ok_or_else(|| {
            let known: Vec<&str> = Self::NAMED.iter().map(|(known, _)| *known).collect();
            Error::InvalidArgument(format!(
                "pmethod is {name:?}; expected one of {}, cv",
                known.join(", ")
            ))
        })
    }
}

/// How to train. The defaults are those of `pymars.Earth`.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Most terms the forward pass makes, the intercept included; None: 201 when it looks ahead,
    /// else min(200, max(20, 2p)) + 1.
    pub max_terms: Option<usize>,
    /// Most factors of a term.
    pub max_degree: usize,
    /// Price of a knot in the GCV; -1 makes terms free as well.
    pub penalty: f64,
    /// A step must lower the RSS by this share of the total sum of squares; None: look ahead, and
    /// cut back to the last step that gained more than noise does.
    pub thresh: Option<f64>,
    /// Rows of the parent between knots.
    pub minspan: Span,
    /// Rows at each end without a knot.
    pub endspan: Span,
    /// By how many times itself `endspan` grows for interactions.
    pub adjust_endspan: f64,
    /// The gain of a variable that is not in the model yet is divided by one more than this.
    pub newvar_penalty: f64,
    /// Parents that R's rules look at in a step; 0: all.
    pub fast_k: usize,
    /// How fast a parent that was not looked at comes back.
    pub fast_beta: f64,
    /// Features that enter without knots.
    pub linpreds: Vec<usize>,
    /// Whether a variable whose knots gain nothing more enters without one.
    pub auto_linpreds: bool,
    /// Which features may meet in a term.
    pub allowed: Allowed,
    /// Whether the forward pass gives every response the same standard deviation; None: only a
    /// single one, where it matters for no more than R's absolute bounds.
    pub scale_y: Option<bool>,
    /// Whether NaN in X is a missing value to be imputed, or an error.
    pub allow_missing: bool,
    /// How the pruning pass looks for subsets.
    pub pmethod: PruningMethod,
    /// Most terms after the pruning pass, the intercept included; None: no bound.
    pub nprune: Option<usize>,
    /// Fold of each row, once per repetition: the pruning pass keeps as many terms as fit the rows
    /// left out best. Empty: the GCV decides.
    pub folds: Vec<Vec<u32>>,
    /// Knots at the borders of so many quantile bins; None: at every row the spans allow.
    pub max_bins: Option<usize>,
    /// Keep the rules of R `earth` to the letter.
    pub compat: bool,
    /// Most threads to work with; the result does not depend on it.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            max_terms: None,
            max_degree: 1,
            penalty: 3.0,
            thresh: None,
            minspan: Span::Auto,
            endspan: Span::Auto,
            adjust_endspan: 2.0,
            newvar_penalty: 0.0,
            fast_k: 0,
            fast_beta: 1.0,
            linpreds: Vec::new(),
            auto_linpreds: true,
            allowed: Allowed::All,
            scale_y: None,
            allow_missing: false,
            pmethod: PruningMethod::Backward,
            nprune: None,
            folds: Vec::new(),
            max_bins: None,
            compat: false,
            threads: 1,
        }
    }
}

/// Training data. Nothing is changed or kept.
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    /// n x p inputs; a categorical feature holds positions of its categories.
    pub x: Rows<'a>,
    /// n x responses outputs.
    pub y: Rows<'a>,
    /// One weight per row, not negative; None: all 1.
    pub weights: Option<&'a [f64]>,
    /// Names and categories of the p features; `impute` is filled in by training.
    pub features: &'a [Feature],
    /// Names of the responses.
    pub responses: &'a [String],
}

/// State after a step of the forward pass.
#[derive(Debug, Clone, PartialEq)]
pub struct ForwardStep {
    /// Terms so far, the intercept included.
    pub n_terms: usize,
    /// Weighted residual sum of squares, summed over responses.
    pub rss: f64,
    /// 1 - RSS / TSS.
    pub rsq: f64,
    /// GCV of the model of this step.
    pub gcv: f64,
}

impl ForwardStep {
    fn of(rss: f64, tss: f64, n: usize, n_terms: usize, penalty: f64) -> Self {
        ForwardStep {
            n_terms,
            rss,
            rsq: 1.0 - rss / tss,
            gcv: gcv(rss, n, n_terms, penalty),
        }
    }
}

/// A model size that the pruning pass visited.
#[derive(Debug, Clone, PartialEq)]
pub struct PruningStep {
    /// Terms left, the intercept included.
    pub n_terms: usize,
    /// Weighted residual sum of squares.
    pub rss: f64,
    /// GCV of that size.
    pub gcv: f64,
}

/// What a fit reports while it runs.
#[derive(Debug)]
pub enum Progress<'a> {
    /// It works; asked for often, so that it can be ended at any time.
    Working,
    /// A step of the forward pass is done.
    Step {
        /// The step.
        step: &'a ForwardStep,
        /// Most terms there may be.
        most: usize,
    },
}

/// Why the forward pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// No room for another pair.
    MaxTerms,
    /// The best step gains less than `thresh`.
    Thresh,
    /// No step of the last ones gained more than noise does.
    NothingAhead,
    /// R squared is within `thresh` of 1.
    PerfectFit,
    /// GRSq is below -10 (R's rules only).
    LowGrsq,
    /// No admissible knot or column is left.
    NoCandidate,
}

impl Stop {
    /// One sentence for a report.
    pub fn reason(self) -> &'static str {
        match self {
            Stop::MaxTerms => "reached max_terms",
            Stop::Thresh => "the best step gains less than thresh",
            Stop::NothingAhead => "no further step gains more than noise does",
            Stop::PerfectFit => "R squared is within thresh of 1",
            Stop::LowGrsq => "GRSq is below -10",
            Stop::NoCandidate => "no admissible candidate is left",
        }
    }
}

/// A fitted model and how it came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// The model.
    pub spec: ModelSpec,
    /// Steps of the forward pass, from the intercept on.
    pub forward: Vec<ForwardStep>,
    /// Sizes of the pruning pass, from the full model down.
    pub pruning: Vec<PruningStep>,
    /// Why the forward pass ended.
    pub stop: Stop,
    /// What cross-validation found, where it was asked for.
    pub cross_validation: Option<CrossValidation>,
}

/// Fit a model.
///
/// `progress` is called on the calling thread, often; returning false ends the fit with
/// [`Error::Interrupted`].
///
/// # Errors
/// Options out of range, shapes that do not fit, data no model can be fitted to (empty, not
/// finite, a constant response), and interruption.
pub fn fit(
    data: &Data,
    options: &Options,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Fit, Error> {
    options::check(options, data)?;
    let values = data.x.n_rows().saturating_mul(data.x.n_columns());
    let workers = Workers::new(options.threads, values);
    let mut prepared = Prepared::new(data, options, &workers)?;
    let most = options.max_terms.unwrap_or_else(|| match options.thresh {
        None if !options.compat => LOOK_AHEAD_TERMS,
        _ => default_max_terms(prepared.variables.len()),
    });
    let grown = grow(&mut prepared, options, most, &workers, progress)?;
    let cross_validation = if options.folds.is_empty() {
        None
    } else {
        let sizes = (grown.factored.r.len(), most);
        let folds = &options.folds;
        Some(cross::validate(
            data, options, folds, sizes, &workers, progress,
        )?)
    };
    let exactly = cross_validation
        .as_ref()
        .map(|found| found.best(options.nprune.unwrap_or(usize::MAX)));
    let mut go_on = || progress(Progress::Working);
    let pruned = pruning::prune(&grown.factored, prepared.n(), options, exactly, &mut go_on)?;
    let kept: Vec<usize> = pruned.kept.iter().map(|&k| grown.terms[k]).collect();
    let terms = grown.basis.to_terms(&kept, &pruned.coefficients);
    let spec = ModelSpec {
        spec_version: PLAIN_VERSION.to_owned(),
        producer: Some(Producer {
            name: "mars-earth".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }),
        allow_missing: options.allow_missing,
        features: prepared.features.clone(),
        responses: data.responses.to_vec(),
        link: None,
        terms,
        fit: figures(&prepared, options, most, &pruned),
    };
    Ok(Fit {
        spec,
        forward: grown.steps,
        pruning: pruned.steps,
        stop: grown.stop,
        cross_validation,
    })
}

/// Grow terms by the rules and on the scale of response that the options ask for.
fn grow(
    prepared: &mut Prepared,
    options: &Options,
    most: usize,
    workers: &Workers,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<forward::Grown, Error> {
    let deviations = (options.scale_y == Some(true)).then(|| prepared.scale_responses());
    let mut grown = if options.compat {
        compat::grow(prepared, options, most, workers, progress)?
    } else if options.max_bins.is_some() {
        let engine = Binned::new(prepared, options, workers);
        forward::grow(prepared, options, most, engine, progress)?
    } else {
        let engine = Exact::new(prepared, workers);
        forward::grow(prepared, options, most, engine, progress)?
    };
    if let Some(deviations) = deviations {
        prepared.multiply_responses(&deviations);
        grown.factored.multiply(&deviations);
    }
    Ok(grown)
}

/// Generalised cross-validation: (RSS / n) / (1 - C / n)^2 with C = M + penalty (M - 1) / 2
/// effective parameters (Friedman 1991, eq. 30 and 32). Infinite once C reaches n. A penalty of
/// -1 stands for C = 0.
pub fn gcv(rss: f64, n: usize, n_terms: usize, penalty: f64) -> f64 {
    let n = n as f64;
    let m = n_terms as f64;
    let effective = if penalty == -1.0 {
        0.0
    } else {
        m + penalty * (m - 1.0) / 2.0
    };
    if effective >= n {
        return f64::INFINITY;
    }
    (rss / n) / (1.0 - effective / n).powi(2)
}

fn default_max_terms(p: usize) -> usize {
    (2 * p).clamp(20, 200) + 1
}

fn figures(
    prepared: &Prepared,
    options: &Options,
    most: usize,
    pruned: &pruning::Pruned,
) -> Vec<(String, f64)> {
    let n = prepared.n();
    let tss = prepared.tss();
    let null_gcv = gcv(tss, n, 1, options.penalty);
    [
        ("rows", n as f64),
        ("rss", pruned.rss),
        ("gcv", pruned.gcv),
        ("rsq", 1.0 - pruned.rss / tss),
        ("grsq", 1.0 - pruned.gcv / null_gcv),
        ("max_terms", most as f64),
        ("max_degree", options.max_degree as f64),
        ("penalty", options.penalty),
    ]
    .into_iter()
    .chain(options.thresh.map(|thresh| ("thresh", thresh)))
    // A saturated model (C >= n) has no finite GCV, and JSON has no infinity.
    .filter(|(_, value)| value.is_finite())
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}
