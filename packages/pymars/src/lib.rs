//! The Python extension: arrays in, arrays out, the interpreter lock released while working.

use std::sync::{Arc, Mutex};

use mars_earth_core::train::glm::{self, Family, Outcome};
use mars_earth_core::train::{self, Allowed, Ask, Data, Options, Progress, PruningMethod, Span};
use mars_earth_core::{CATALOGUE, Error, Feature, Link, ModelSpec, Output, Plan, Rows};
use numpy::{PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;

mod accel;
mod arrow;
mod replay;

/// A checked model, ready to be replayed.
#[pyclass(frozen, module = "pymars._core")]
struct Model {
    spec: Arc<ModelSpec>,
    plan: Arc<Plan>,
    #[pyo3(get)]
    warnings: Vec<String>,
}

#[pymethods]
impl Model {
    /// Read and check a ModelSpec document.
    #[staticmethod]
    fn from_json(py: Python<'_>, text: &[u8]) -> PyResult<Self> {
        let (spec, warnings) = py
            .detach(|| ModelSpec::from_json(text))
            .map_err(|error| raise(py, &error))?;
        Ok(Model {
            plan: Arc::new(Plan::new(&spec)),
            spec: Arc::new(spec),
            warnings,
        })
    }

    /// Write the ModelSpec document.
    fn to_json(&self, py: Python<'_>) -> PyResult<String> {
        self.spec.to_json().map_err(|error| raise(py, &error))
    }

    #[getter]
    fn feature_names(&self) -> Vec<String> {
        self.spec
            .features
            .iter()
            .map(|feature| feature.name.clone())
            .collect()
    }

    /// Labels of each categorical feature, None for a numeric one.
    #[getter]
    fn categories(&self) -> Vec<Option<Vec<String>>> {
        self.spec
            .features
            .iter()
            .map(|feature| feature.categories.clone())
            .collect()
    }

    #[getter]
    fn response_names(&self) -> Vec<String> {
        self.spec.responses.clone()
    }

    #[getter]
    fn n_columns(&self) -> usize {
        self.plan.n_columns()
    }

    #[getter]
    fn allow_missing(&self) -> bool {
        self.spec.allow_missing
    }

    /// Replay the responses into `out` or a new array; None where `x` must be converted first.
    /// `copied` is what that conversion took, in bytes.
    #[pyo3(signature = (x, threads, out=None, copied=0))]
    fn predict<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        threads: usize,
        out: Option<&Bound<'py, PyAny>>,
        copied: usize,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        replay::run(py, &self.plan, x, Output::Responses, threads, out, copied)
    }

    /// Replay the responses of an Arrow batch or stream; what comes back speaks the same interface.
    fn predict_arrow<'py>(
        &self,
        py: Python<'py>,
        data: &Bound<'py, PyAny>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let replay = mars_earth_arrow::Replay {
            spec: self.spec.clone(),
            plan: self.plan.clone(),
            output: Output::Responses,
            threads,
        };
        arrow::predict(py, replay, data)
    }

    /// Name of the link, None where the responses are the linear predictors.
    #[getter]
    fn link(&self) -> Option<&'static str> {
        let link = self.spec.link?;
        let named = Link::NAMED.iter().find(|(_, known)| *known == link);
        named.map(|(name, _)| *name)
    }

    /// Replay the linear predictors into `out` or a new array; None where `x` must be converted first.
    /// `copied` is what that conversion took, in bytes.
    #[pyo3(signature = (x, threads, out=None, copied=0))]
    fn linear_predictor<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        threads: usize,
        out: Option<&Bound<'py, PyAny>>,
        copied: usize,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        replay::run(
            py,
            &self.plan,
            x,
            Output::LinearPredictor,
            threads,
            out,
            copied,
        )
    }

    /// Replay the design matrix into `out` or a new array; None where `x` must be converted first.
    /// `copied` is what that conversion took, in bytes.
    #[pyo3(signature = (x, threads, out=None, copied=0))]
    fn design_matrix<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        threads: usize,
        out: Option<&Bound<'py, PyAny>>,
        copied: usize,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        replay::run(
            py,
            &self.plan,
            x,
            Output::DesignMatrix,
            threads,
            out,
            copied,
        )
    }
}

/// View a C- or Fortran-contiguous array as rows.
fn view<'a>(py: Python<'_>, x: &'a PyReadonlyArray2<'_, f64>) -> PyResult<Rows<'a>> {
    let (n, p) = (x.shape()[0], x.shape()[1]);
    let data = x.as_slice()?;
    let rows = if x.is_c_contiguous() {
        Rows::row_major(data, n, p)
    } else {
        Rows::column_major(data, n, p)
    };
    rows.map_err(|error| raise(py, &error))
}

/// How to train; see `pymars.Earth`.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct FitOptions {
    max_terms: Option<usize>,
    max_degree: usize,
    penalty: f64,
    thresh: Option<f64>,
    minspan: (String, f64),
    endspan: (String, f64),
    adjust_endspan: f64,
    newvar_penalty: f64,
    fast_k: usize,
    fast_beta: f64,
    linpreds: Vec<usize>,
    auto_linpreds: bool,
    groups: Option<Vec<Vec<usize>>>,
    ask: Option<Py<PyAny>>,
    scale_y: Option<bool>,
    allow_missing: bool,
    pmethod: String,
    nprune: Option<usize>,
    folds: Vec<Vec<u32>>,
    max_bins: Option<usize>,
    compat: bool,
    threads: usize,
}

type Step = (usize, f64, f64);
/// Repetition, fold, terms by GCV, R squared by number of terms; and the means over the folds.
type Folds = (Vec<(usize, u32, usize, Vec<f64>)>, Vec<f64>);
type Fitted = (Model, Vec<Step>, Vec<Step>, &'static str, Option<Folds>);

/// The exception that a call back into Python raised.
type Raised = Arc<Mutex<Option<PyErr>>>;

/// The value, or None with the exception kept.
fn keep<T>(raised: &Raised, outcome: PyResult<T>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            if let Ok(mut kept) = raised.lock() {
                kept.get_or_insert(error);
            }
            None
        }
    }
}

fn span((kind, value): &(String, f64)) -> Span {
    match kind.as_str() {
        "rows" => Span::Rows(*value as usize),
        "knots" => Span::Knots(*value as usize),
        "alpha" => Span::Alpha(*value),
        _ => Span::Auto,
    }
}

fn question(ask: Py<PyAny>, raised: Raised) -> Ask {
    Ask(Arc::new(move |degree, feature, parents| {
        let answer = Python::attach(|py| {
            let parents: Vec<i64> = parents.iter().map(|&p| i64::from(p)).collect();
            ask.call1(py, (degree, feature, parents))?.extract(py)
        });
        keep(&raised, answer)
    }))
}

/// Fit a model; returns it with the steps of both passes, why the forward pass ended, and what
/// cross-validation found.
///
/// `progress(terms, most, rsq)` runs after each step of the forward pass; an exception it raises
/// ends the fit, and so does Ctrl-C.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
fn fit(
    py: Python<'_>,
    x: PyReadonlyArray2<'_, f64>,
    y: PyReadonlyArray2<'_, f64>,
    weights: Option<PyReadonlyArray1<'_, f64>>,
    features: Vec<(String, Option<Vec<String>>)>,
    responses: Vec<String>,
    options: FitOptions,
    progress: Option<Py<PyAny>>,
) -> PyResult<Fitted> {
    let features: Vec<Feature> = features
        .into_iter()
        .map(|(name, categories)| Feature {
            name,
            categories,
            impute: None,
        })
        .collect();
    let raised: Raised = Raised::default();
    let options = Options {
        max_terms: options.max_terms,
        max_degree: options.max_degree,
        penalty: options.penalty,
        thresh: options.thresh,
        minspan: span(&options.minspan),
        endspan: span(&options.endspan),
        adjust_endspan: options.adjust_endspan,
        newvar_penalty: options.newvar_penalty,
        fast_k: options.fast_k,
        fast_beta: options.fast_beta,
        linpreds: options.linpreds,
        auto_linpreds: options.auto_linpreds,
        allowed: match (options.groups, options.ask) {
            (Some(groups), _) => Allowed::Groups(groups),
            (None, Some(ask)) => Allowed::Ask(question(ask, raised.clone())),
            (None, None) => Allowed::All,
        },
        scale_y: options.scale_y,
        allow_missing: options.allow_missing,
        pmethod: PruningMethod::named(&options.pmethod).map_err(|error| raise(py, &error))?,
        nprune: options.nprune,
        folds: options.folds,
        max_bins: options.max_bins,
        compat: options.compat,
        threads: options.threads,
    };
    let data = Data {
        x: view(py, &x)?,
        y: view(py, &y)?,
        weights: weights.as_ref().map(|w| w.as_slice()).transpose()?,
        features: &features,
        responses: &responses,
    };
    let mut report = |now: Progress| {
        let outcome = Python::attach(|py| {
            py.check_signals()?;
            if let (Progress::Step { step, most }, Some(progress)) = (now, &progress) {
                progress.call1(py, (step.n_terms, most, step.rsq))?;
            }
            Ok(())
        });
        keep(&raised, outcome).is_some()
    };
    let fitted = py.detach(|| train::fit(&data, &options, &mut report));
    if let Some(error) = raised.lock().ok().and_then(|mut kept| kept.take()) {
        return Err(error);
    }
    let fitted = fitted.map_err(|error| raise(py, &error))?;
    let forward = fitted
        .forward
        .iter()
        .map(|s| (s.n_terms, s.rss, s.gcv))
        .collect();
    let pruning = fitted
        .pruning
        .iter()
        .map(|s| (s.n_terms, s.rss, s.gcv))
        .collect();
    let cross = fitted.cross_validation.map(|found| {
        let each = found.folds.into_iter();
        (
            each.map(|f| (f.cross, f.fold, f.n_terms, f.rsq)).collect(),
            found.mean,
        )
    });
    let plan = Arc::new(Plan::new(&fitted.spec));
    let model = Model {
        plan,
        spec: Arc::new(fitted.spec),
        warnings: Vec::new(),
    };
    Ok((model, forward, pruning, fitted.stop.reason(), cross))
}

/// Deviance, null deviance, steps, and how it ended.
type Went = (f64, f64, usize, &'static str);

/// Fit the coefficients of a model anew, for a family and its link; Ctrl-C ends it.
#[pyfunction]
#[pyo3(signature = (model, x, y, weights, family, link))]
fn refit(
    py: Python<'_>,
    model: &Model,
    x: PyReadonlyArray2<'_, f64>,
    y: PyReadonlyArray2<'_, f64>,
    weights: Option<PyReadonlyArray1<'_, f64>>,
    family: &str,
    link: Option<&str>,
) -> PyResult<(Model, Vec<Went>)> {
    let (family, link) = Family::named(family, link).map_err(|error| raise(py, &error))?;
    let data = Data {
        x: view(py, &x)?,
        y: view(py, &y)?,
        weights: weights.as_ref().map(|w| w.as_slice()).transpose()?,
        features: &model.spec.features,
        responses: &model.spec.responses,
    };
    let mut raised: Option<PyErr> = None;
    let mut go_on = || {
        raised = Python::attach(|py| py.check_signals()).err();
        raised.is_none()
    };
    let fitted = py.detach(|| glm::refit(&model.spec, &data, family, link, &mut go_on));
    if let Some(error) = raised {
        return Err(error);
    }
    let (spec, figures) = fitted.map_err(|error| raise(py, &error))?;
    let went = figures
        .iter()
        .map(|f| {
            let outcome = match f.outcome {
                Outcome::Converged => "converged",
                Outcome::Separated => "separated",
                Outcome::NotConverged => "not converged",
            };
            (f.deviance, f.null_deviance, f.iterations, outcome)
        })
        .collect();
    let model = Model {
        plan: Arc::new(Plan::new(&spec)),
        spec: Arc::new(spec),
        warnings: Vec::new(),
    };
    Ok((model, went))
}

/// Code and category of every error, in code order.
#[pyfunction]
fn error_catalogue() -> Vec<(u8, &'static str)> {
    CATALOGUE
        .iter()
        .map(|entry| (entry.code, entry.category))
        .collect()
}

/// Bound of any pool: the affinity and the control group of this process.
#[pyfunction]
fn available_threads() -> usize {
    mars_earth_core::available_threads()
}

/// What the variable `MARS_EARTH_THREADS` holds (H1, not claimed).
#[pyfunction]
fn threads_variable() -> Option<String> {
    std::env::var_os("MARS_EARTH_THREADS").map(|text| text.to_string_lossy().into_owned())
}

/// Make the exception of `pymars.errors` that an error of the core stands for.
fn raise(py: Python<'_>, error: &Error) -> PyErr {
    refuse(py, error.code(), &error.to_string())
}

/// Make the exception of `pymars.errors` that a code stands for.
fn refuse(py: Python<'_>, code: u8, message: &str) -> PyErr {
    let made = py
        .import("pymars.errors")
        .and_then(|module| module.call_method1("from_code", (code, message)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(failed) => failed,
    }
}

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("SPEC_VERSION", mars_earth_core::SPEC_VERSION)?;
    module.add_class::<Model>()?;
    module.add_class::<arrow::Columns>()?;
    module.add_class::<arrow::Batch>()?;
    module.add_class::<arrow::Stream>()?;
    module.add_function(wrap_pyfunction!(arrow::read_arrow, module)?)?;
    module.add_function(wrap_pyfunction!(fit, module)?)?;
    module.add_function(wrap_pyfunction!(refit, module)?)?;
    module.add_function(wrap_pyfunction!(error_catalogue, module)?)?;
    module.add_function(wrap_pyfunction!(available_threads, module)?)?;
    module.add_function(wrap_pyfunction!(threads_variable, module)?)?;
    module.add_function(wrap_pyfunction!(replay::replay_info, module)?)?;
    module.add_function(wrap_pyfunction!(accel::gcv_path, module)?)?;
    module.add_function(wrap_pyfunction!(accel::knot_scan, module)?)?;
    Ok(())
}
