//! Training data as the search wants it: checked, imputed, centred, column by column.

use std::sync::Arc;

use super::grid::{self, Segments};
use super::knots::{Room, Spans};
use super::workers::{self, Workers};
use super::{Data, Options};
use crate::error::Error;
use crate::rows::Rows;
use crate::spec::{Feature, When};

/// What a candidate variable is and how a term on it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A number: hinges and a linear partner.
    Numeric,
    /// 1 where the category is this label, else 0; enters linearly.
    Level(String),
    /// 1 where the value is missing; enters linearly.
    Missing(When),
}

/// A candidate column.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) feature: usize,
    pub(super) kind: Kind,
    /// Values of the n rows.
    pub(super) values: Vec<f64>,
    /// Subtracted from the values in sums, so that an offset costs no digits.
    pub(super) centre: f64,
    /// Rows by falling value, ties by row; empty for a variable without hinges, and where the
    /// knots of all parents come from one grid.
    pub(super) order: Vec<u32>,
    /// The values in that order.
    pub(super) falling: Vec<f64>,
    /// The grid all parents share, unless each has its own.
    pub(super) knots: Arc<Vec<f64>>,
    pub(super) segment: Segments,
    /// The mean of each segment, where segments are bins.
    pub(super) means: Vec<f64>,
}

pub(super) struct Prepared {
    pub(super) variables: Vec<Variable>,
    /// Responses times sqrt(weight), one vector each.
    pub(super) responses: Vec<Vec<f64>>,
    /// sqrt(weight) of each row.
    pub(super) root_weights: Vec<f64>,
    /// How often each row counts; empty: once.
    pub(super) repeats: Vec<f64>,
    /// Features with their imputed values.
    pub(super) features: Vec<Feature>,
}

impl Prepared {
    pub(super) fn new(data: &Data, options: &Options, workers: &Workers) -> Result<Self, Error> {
        Self::of_rows(data, options, &|_| true, workers)
    }

    /// Those rows that `is_there` names.
    pub(super) fn of_rows(
        data: &Data,
        options: &Options,
        is_there: &dyn Fn(usize) -> bool,
        workers: &Workers,
    ) -> Result<Self, Error> {
        check_shapes(data)?;
        let (rows, weights) = kept_rows(data, options.compat, is_there)?;
        if rows.len() < 2 {
            return Err(Error::InvalidData(match rows.len() {
                0 => {
                    "every sample_weight is zero; a fit needs at least 2 rows that count".to_owned()
                }
                _ => "1 sample is left (with a positive weight); a fit needs at least 2".to_owned(),
            }));
        }
        let root_weights: Vec<f64> = weights.iter().map(|w| w.sqrt()).collect();
        let repeats = if options.compat {
            Vec::new()
        } else {
            repeats(weights)
        };
        let n = total(rows.len(), &repeats);
        let responses = responses(data, &rows, &root_weights)?;
        let (features, mut variables) = variables(data, (&rows, &repeats), options, workers)?;
        let spans = Spans::new(
            options,
            Room {
                n,
                n_on: n,
                p: variables.len(),
                degree: 1,
            },
        );
        workers.each(&mut variables, |variable| match options.max_bins {
            Some(bins) => variable.cut_into_bins(spans, bins, &repeats),
            None if options.linpreds.contains(&variable.feature) => variable.leave_whole(),
            None => variable.place_knots(spans, options, &repeats),
        });
        Ok(Prepared {
            variables,
            responses,
            root_weights,
            repeats,
            features,
        })
    }

    /// Name of a variable: its feature's, with the label of an indicator.
    pub(super) fn name(&self, variable: &Variable) -> (&str, String) {
        let indicator = match &variable.kind {
            Kind::Numeric => String::new(),
            Kind::Level(label) => format!("={label}"),
            Kind::Missing(when) => format!(" {when:?}"),
        };
        (&self.features[variable.feature].name, indicator)
    }

    /// Give every response the standard deviation 1; returns what they had.
    pub(super) fn scale_responses(&mut self) -> Vec<f64> {
        let deviations: Vec<f64> = self.responses.iter().map(|y| self.deviation(y)).collect();
        let inverse: Vec<f64> = deviations.iter().map(|s| 1.0 / s).collect();
        self.multiply_responses(&inverse);
        deviations
    }

    /// Multiply each response by its factor.
    pub(super) fn multiply_responses(&mut self, factors: &[f64]) {
        for (y, factor) in self.responses.iter_mut().zip(factors) {
            y.iter_mut().for_each(|v| *v *= factor);
        }
    }

    /// Standard deviation of a response; weights that are not repetitions do not count.
    pub(super) fn deviation(&self, weighted: &[f64]) -> f64 {
        let rows = weighted.iter().zip(&self.root_weights);
        let y: Vec<f64> = rows.map(|(y, root)| y / root).collect();
        let n = self.n() as f64;
        let repeat = |i: usize| self.repeats.get(i).copied().unwrap_or(1.0);
        let centre = match self.repeats.is_empty() {
            true => mean(&y),
            false => y.iter().zip(&self.repeats).map(|(y, r)| y / n * r).sum(),
        };
        let each = y.iter().enumerate();
        let squares: f64 = each.map(|(i, y)| repeat(i) * (y - centre).powi(2)).sum();
        (squares / (n - 1.0)).sqrt()
    }

    /// Rows that count, each as often as it is repeated.
    pub(super) fn n(&self) -> usize {
        total(self.length(), &self.repeats)
    }

    /// Rows of every column.
    pub(super) fn length(&self) -> usize {
        self.root_weights.len()
    }

    /// How many rows these are, repetitions counted.
    pub(super) fn count(&self, rows: impl Iterator<Item = usize>) -> usize {
        match self.repeats.is_empty() {
            true => rows.count(),
            false => rows.map(|row| self.repeats[row] as usize).sum(),
        }
    }

    /// Weighted sum of squares around the weighted mean, summed over responses.
    pub(super) fn tss(&self) -> f64 {
        let total: f64 = self.root_weights.iter().map(|s| s * s).sum();
        self.responses
            .iter()
            .map(|y| {
                let mean = y
                    .iter()
                    .zip(&self.root_weights)
                    .map(|(y, s)| y * s)
                    .sum::<f64>()
                    / total;
                y.iter()
                    .zip(&self.root_weights)
                    .map(|(y, s)| (y - mean * s).powi(2))
                    .sum::<f64>()
            })
            .sum()
    }
}

fn check_shapes(data: &Data) -> Result<(), Error> {
    let (n, p) = (data.x.n_rows(), data.x.n_columns());
    let shape = |what: String| Err(Error::ShapeMismatch(what));
    if n == 0 || p == 0 {
        return Err(Error::InvalidData(format!(
            "X is empty: {n} sample(s), {p} feature(s) (shape=({n}, {p})) while a minimum of 1 is required."
        )));
    }
    if n > u32::MAX as usize {
        return Err(Error::LimitExceeded(format!(
            "X has {n} rows, the limit is {}",
            u32::MAX
        )));
    }
    if data.y.n_rows() != n {
        return shape(format!(
            "X has {n} rows, y has {}; pass one y per row",
            data.y.n_rows()
        ));
    }
    if data.y.n_columns() == 0 || data.y.n_columns() != data.responses.len() {
        return shape(format!(
            "y has {} columns and {} names; name every response",
            data.y.n_columns(),
            data.responses.len()
        ));
    }
    if data.features.len() != p {
        return shape(format!(
            "X has {p} columns, {} features are named",
            data.features.len()
        ));
    }
    match data.weights {
        Some(w) if w.len() != n => shape(format!(
            "X has {n} rows, there are {} weights; pass one per row",
            w.len()
        )),
        _ => Ok(()),
    }
}

/// Rows that count, and their weights.
///
/// A row of weight 0 is a row that is not there. Not so in R `earth`, which raises weights far below
/// the mean, and which takes equal weights for none.
fn kept_rows(
    data: &Data,
    compat: bool,
    is_there: &dyn Fn(usize) -> bool,
) -> Result<(Vec<usize>, Vec<f64>), Error> {
    const EQUAL: f64 = 1e-8;
    const LEAST: f64 = 1e-8;
    let mut rows: Vec<usize> = (0..data.x.n_rows()).filter(|&i| is_there(i)).collect();
    let Some(weights) = data.weights else {
        let ones = vec![1.0; rows.len()];
        return Ok((rows, ones));
    };
    if let Some(i) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
        return Err(Error::InvalidData(format!(
            "row {i} has weight {}; weights are finite and not negative",
            weights[i]
        )));
    }
    let own = |rows: &[usize]| rows.iter().map(|&i| weights[i]).collect::<Vec<f64>>();
    let mut all = own(&rows);
    if !compat || all.iter().all(|&w| w == 0.0) {
        rows.retain(|&i| weights[i] > 0.0);
        all = own(&rows);
    } else if all.iter().all(|w| (w - all[0]).abs() <= EQUAL) {
        all.fill(1.0);
    } else {
        let least = mean(&all) * LEAST;
        all.iter_mut().for_each(|w| *w = w.max(least));
    }
    Ok((rows, all))
}

/// Whole numbers are repetitions: a row of weight 3 is three rows. Other weights say how much a row
/// counts beside others, and no more. Empty: every row counts once.
fn repeats(weights: Vec<f64>) -> Vec<f64> {
    let is_whole = weights.iter().all(|w| w.fract() == 0.0);
    let is_one = weights.iter().all(|&w| w == 1.0);
    if is_one || !is_whole || weights.iter().sum::<f64>() > f64::from(u32::MAX) {
        return Vec::new();
    }
    weights
}

/// Rows, repetitions counted.
fn total(rows: usize, repeats: &[f64]) -> usize {
    match repeats.is_empty() {
        true => rows,
        false => repeats.iter().sum::<f64>() as usize,
    }
}

fn responses(data: &Data, rows: &[usize], roots: &[f64]) -> Result<Vec<Vec<f64>>, Error> {
    let mut all = Vec::with_capacity(data.y.n_columns());
    for k in 0..data.y.n_columns() {
        let y: Vec<f64> = rows.iter().map(|&i| data.y.get(i, k)).collect();
        if let Some(i) = y.iter().position(|v| !in_range(*v)) {
            return Err(Error::InvalidData(format!(
                "row {} has the response {}; responses are finite and within {:e}",
                rows[i],
                y[i],
                crate::MAX_MAGNITUDE
            )));
        }
        if y.iter().all(|v| *v == y[0]) {
            return Err(Error::InvalidData(format!(
                "response {:?} is constant ({}); there is nothing to fit",
                data.responses[k], y[0]
            )));
        }
        all.push(y.iter().zip(roots).map(|(y, s)| y * s).collect());
    }
    Ok(all)
}

/// The columns of the rows that count.
fn columns(x: &Rows, rows: &[usize], workers: &Workers) -> Vec<Vec<f64>> {
    // Each asks for zeros itself: the pages of a clone would be written here, by one thread.
    let mut all: Vec<Vec<f64>> = (0..x.n_columns()).map(|_| vec![0.0; rows.len()]).collect();
    let mut parts: Vec<(usize, Vec<&mut [f64]>)> = Workers::parts(rows.len())
        .map(|(from, _)| (from, Vec::with_capacity(all.len())))
        .collect();
    for column in &mut all {
        for ((_, pieces), piece) in parts.iter_mut().zip(column.chunks_mut(workers::ROWS)) {
            pieces.push(piece);
        }
    }
    workers.each(&mut parts, |(from, pieces)| {
        if rows.len() == x.n_rows() {
            return x.copy_columns(*from, pieces);
        }
        for (j, piece) in pieces.iter_mut().enumerate() {
            for (slot, &i) in piece.iter_mut().zip(&rows[*from..]) {
                *slot = x.get(i, j);
            }
        }
    });
    all
}

/// The features with what stands in for missing values, and their candidate columns.
fn variables(
    data: &Data,
    (rows, repeats): (&[usize], &[f64]),
    options: &Options,
    workers: &Workers,
) -> Result<(Vec<Feature>, Vec<Variable>), Error> {
    let mut work: Vec<_> = columns(&data.x, rows, workers)
        .into_iter()
        .zip(data.features.to_vec())
        .enumerate()
        .map(|(j, (column, feature))| (j, feature, Some(column), Ok(Vec::new())))
        .collect();
    workers.each(&mut work, |(j, feature, column, found)| {
        if let Some(column) = column.take() {
            *found = variables_of(*j, feature, column, (rows, repeats), options);
        }
    });
    let (mut features, mut all) = (Vec::new(), Vec::new());
    for (_, feature, _, found) in work {
        features.push(feature);
        all.extend(found?);
    }
    Ok((features, all))
}

fn variables_of(
    j: usize,
    feature: &mut Feature,
    mut column: Vec<f64>,
    (rows, repeats): (&[usize], &[f64]),
    options: &Options,
) -> Result<Vec<Variable>, Error> {
    // Values out of range and missing ones are counted first, as counting needs no branch.
    let n_odd = column.iter().filter(|v| !in_range(**v)).count();
    let is_wrong = |v: f64| n_odd > 0 && !in_range(v) && !v.is_nan();
    if let Some(i) = column.iter().position(|v| is_wrong(*v)) {
        return Err(Error::InvalidData(format!(
            "row {} has {} for feature {:?}; inputs are finite and within {:e}",
            rows[i],
            column[i],
            feature.name,
            crate::MAX_MAGNITUDE
        )));
    }
    let n_missing = match n_odd {
        0 => 0,
        _ => column.iter().filter(|v| v.is_nan()).count(),
    };
    let missing: Vec<f64> = match n_missing {
        0 => Vec::new(),
        _ => column.iter().map(|v| f64::from(v.is_nan())).collect(),
    };
    if n_missing > 0 && !options.allow_missing {
        let row = column
            .iter()
            .position(|v| v.is_nan())
            .map_or(0, |i| rows[i]);
        return Err(Error::MissingValue {
            row,
            feature: feature.name.clone(),
        });
    }
    if n_missing == column.len() {
        return Err(Error::InvalidData(format!(
            "feature {:?} has no value in any row; drop the column",
            feature.name
        )));
    }
    if let Some(categories) = &feature.categories {
        let bad = |v: f64| !(v >= 0.0 && v < categories.len() as f64 && v.fract() == 0.0);
        if let Some(i) = column.iter().position(|v| !v.is_nan() && bad(*v)) {
            return Err(Error::InvalidValue(format!(
                "row {} has {} for the categorical feature {:?}; expected a position from 0 to {}",
                rows[i],
                column[i],
                feature.name,
                categories.len() - 1
            )));
        }
    }
    if options.allow_missing {
        let stand_in = if feature.categories.is_some() {
            most_frequent(&column, repeats)
        } else {
            median(&column, repeats)
        };
        feature.impute = Some(stand_in);
        for value in column.iter_mut().filter(|value| value.is_nan()) {
            *value = stand_in;
        }
    }
    let mut variables = Vec::new();
    match &feature.categories {
        None => variables.push(Variable::new(j, Kind::Numeric, column)),
        Some(categories) => {
            // Two categories need one indicator; more need one each, as either may matter. R leaves
            // the first one out.
            let first = usize::from(categories.len() == 2 || options.compat);
            for (code, label) in categories.iter().enumerate().skip(first) {
                let flags = column
                    .iter()
                    .map(|v| f64::from(*v == code as f64))
                    .collect();
                variables.push(Variable::new(j, Kind::Level(label.clone()), flags));
            }
        }
    }
    if n_missing > 0 {
        variables.push(Variable::new(j, Kind::Missing(When::Missing), missing));
    }
    Ok(variables)
}

impl Variable {
    fn new(feature: usize, kind: Kind, values: Vec<f64>) -> Self {
        Variable {
            feature,
            kind,
            centre: mean(&values),
            order: Vec::new(),
            falling: Vec::new(),
            knots: Arc::default(),
            segment: Segments::default(),
            means: Vec::new(),
            values,
        }
    }

    /// Tell where knots may lie, or sort the rows where each parent has its own grid.
    fn place_knots(&mut self, spans: Spans, options: &Options, repeats: &[f64]) {
        if options.compat {
            self.order = grid::falling(&self.values);
            // R sorts upwards and walks down, so the last of equal rows comes first.
            self.order
                .chunk_by_mut(|&a, &b| self.values[a as usize] == self.values[b as usize])
                .for_each(<[u32]>::reverse);
            let value = |&row: &u32| self.values[row as usize];
            self.falling = self.order.iter().map(value).collect();
        }
        if options.compat || self.kind != Kind::Numeric {
            return self.leave_whole();
        }
        let grid = grid::exact(&self.values, spans, repeats);
        self.knots = Arc::new(grid.knots);
        self.segment = grid.segment;
    }

    /// Put every row into one segment.
    fn leave_whole(&mut self) {
        self.segment = Segments::zeros(self.values.len(), 0);
    }

    /// Put every row into a bin; an indicator has one for each value.
    fn cut_into_bins(&mut self, spans: Spans, bins: usize, repeats: &[f64]) {
        let grid = match self.kind {
            Kind::Numeric => grid::binned(&self.values, spans, bins, repeats),
            _ => grid::between(&self.values, vec![0.0]),
        };
        self.means = grid.means(&self.values, repeats);
        self.knots = Arc::new(grid.knots);
        self.segment = grid.segment;
    }
}

fn in_range(value: f64) -> bool {
    value.abs() <= crate::MAX_MAGNITUDE
}

fn mean(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let sum = sum(values);
    if sum.is_finite() {
        return sum / n;
    }
    // Values near the limit: divided first, they do not overflow.
    values.iter().map(|v| v / n).sum()
}

/// A sum in lanes: no addition waits for the one before it.
fn sum(values: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let eights = values.chunks_exact(lanes.len());
    let rest: f64 = eights.remainder().iter().sum();
    for eight in eights {
        for (lane, value) in lanes.iter_mut().zip(eight) {
            *lane += value;
        }
    }
    rest + lanes.iter().sum::<f64>()
}

/// The values that are there, rising, each with how often it counts.
fn there(column: &[f64], repeats: &[f64]) -> Vec<(f64, f64)> {
    let repeat = |i: usize| repeats.get(i).copied().unwrap_or(1.0);
    let mut there: Vec<(f64, f64)> = column
        .iter()
        .enumerate()
        .filter(|(_, value)| !value.is_nan())
        .map(|(i, &value)| (value, repeat(i)))
        .collect();
    there.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
    there
}

/// Lower median of the values that are there: a value of the data, so it needs no rounding.
fn median(column: &[f64], repeats: &[f64]) -> f64 {
    let there = there(column, repeats);
    let half = there.iter().map(|(_, count)| count).sum::<f64>() / 2.0;
    let mut below = 0.0;
    let mut reaches_half = |(_, count): &&(f64, f64)| {
        below += count;
        below >= half
    };
    there
        .iter()
        .find(|item| reaches_half(item))
        .map_or(0.0, |&(value, _)| value)
}

/// Most frequent value, the smallest of equals.
fn most_frequent(column: &[f64], repeats: &[f64]) -> f64 {
    let there = there(column, repeats);
    let count = |run: &[(f64, f64)]| run.iter().map(|(_, count)| count).sum::<f64>();
    there
        .chunk_by(|(a, _), (b, _)| a == b)
        .rev()
        .max_by(|a, b| count(a).total_cmp(&count(b)))
        .map_or(0.0, |run| run[0].0)
}
