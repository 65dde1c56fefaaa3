# Language policy: EXEMPT from the Rust-path rule. The core fits and replays; this adapts it.
"""The estimator: fit a MARS model, predict, explain, export."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from pymars import _core
from pymars.basis import Term, terms_of
from pymars.errors import (
    InvalidArgumentError,
    InvalidDataError,
    InvalidDtypeError,
    InvalidValueError,
    MissingValueError,
    ShapeMismatchError,
)
from pymars.options import (
    allowed_question,
    compat_rules,
    feature_groups,
    feature_numbers,
    real_number,
    row_span,
    whole_number,
    yes_or_no,
)
from pymars.runtime import Model, design_matrix, load_model, predict, runtime_threads
from pymars.tables import Table, check_names, read_table

__all__ = ["Earth", "Fold", "PassStep", "Record"]


@dataclass(frozen=True, slots=True)
class PassStep:
    """A model size that a pass went through.

    Attributes
    ----------
    n_terms : int
        Terms, the intercept included.
    rss : float
        Weighted residual sum of squares, summed over responses.
    gcv : float
        Generalised cross-validation of that size; infinite when it has too many terms for the rows.
    """

    n_terms: int
    rss: float
    gcv: float


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold of a cross-validation: a model of the other rows, judged on its own.

    Attributes
    ----------
    cross, fold : int
        Repetition and fold, counted from 0.
    n_terms : int
        Terms that the GCV would keep.
    rsq : tuple of float
        R squared on the rows left out for 1, 2, ... terms, a mean over responses; NaN where those
        rows have no variance.
    """

    cross: int
    fold: int
    n_terms: int
    rsq: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """How a fit went.

    Attributes
    ----------
    forward, pruning : tuple of PassStep
        Steps of the forward pass upwards, of the pruning pass downwards.
    stop : str
        Why the forward pass ended.
    folds : tuple of Fold
        Folds of `pmethod="cv"`, repetition by repetition.
    mean_rsq : tuple of float
        Mean over the folds of R squared for 1, 2, ... terms; NaN where most folds have not as many.
    """

    forward: tuple[PassStep, ...]
    pruning: tuple[PassStep, ...]
    stop: str
    folds: tuple[Fold, ...] = ()
    mean_rsq: tuple[float, ...] = ()


class Earth(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Fit multivariate adaptive regression splines (MARS; Friedman 1991).

    Parameters
    ----------
    max_terms : int, optional
        Most terms of the forward pass, the intercept included; default 201, with a `thresh`
        min(200, max(20, 2p)) + 1.
    max_degree : int, default 1
        Most factors of a term; 1 is an additive model.
    penalty : float, optional
        Price of a knot in the GCV; -1 makes terms free as well. Default 3, with `compat` 2 when
        `max_degree` is 1.
    thresh : float, optional
        The forward pass ends when its best step gains less than this share of the sum of squares.
        By default it looks ahead instead: it ends when 15 steps in a row gained no more than
        noise does, and goes back to the last step that did.
    minspan, endspan : int or float, optional
        Rows of the parent between knots, and rows at each end without a knot. A fraction is the
        risk that a knot follows a run of noise (Friedman 1991, eq. 43 and 45); 0 or None takes 5 %.
        A negative `minspan` asks for so many knots per variable.
    knots : {"exact", "hist"}, default "exact"
        Where knots may lie: at every row that the spans allow (at most 16 384 per feature), or at
        the borders of quantile bins, for very many rows. It is never chosen for you.
    max_bins : int, default 255
        Bins per feature with `knots="hist"`.
    adjust_endspan : float, default 2.0
        By how many times itself `endspan` grows for interactions.
    newvar_penalty : float, default 0.0
        The gain of a variable that is not in the model yet is divided by one more than this.
    fast_k : int, optional
        Most parents that a step looks at, those that gained most before; 0 looks at all. Only
        with `compat`, where it is 20 by default; without, every step looks at all.
    fast_beta : float, default 1.0
        How soon a parent that `fast_k` passed over is looked at again.
    linpreds : str, int, list of these, mask or bool, optional
        Features, by name, position or a flag each, that enter without knots; True for all.
    auto_linpreds : bool, default True
        A variable whose knots gain nothing more enters without one; else as a hinge at its least
        value.
    allowed : callable or list of lists, optional
        Which features may meet in a term. A list has groups; a feature of no group stays alone.
        A function `allowed(degree, pred, parents, names, first)` returns whether feature number
        `pred` may enter a new term of that degree; `parents` has per feature 1 or -1 for a right
        or left hinge of the parent, 2 for another factor, 0 for none; `names` has all features,
        and `first` is True in the first call. The last two may be left out.
    scale_y : bool, optional
        Whether the forward pass gives every response the standard deviation 1. By default
        only a single response is scaled, where it matters for R's absolute bounds alone.
    compat : {"earth"}, optional
        Follow the rules of R earth 5.3 to the letter, also where they depend on the unit of a
        column or on the order of rows and columns: the same terms and knots in nearly all cases.
        Its `thresh` is 0.001.
    allow_missing : bool, default False
        Take NaN in X as a missing value: it is imputed by the column's median (or most frequent
        category), and whether it was missing may become a term.
    pmethod : {"backward", "none", "exhaustive", "forward", "seqrep", "cv"}, default "backward"
        How the pruning pass looks for the best subset of each size: drop the cheapest term, prune
        nothing, try every subset (at most 50 terms), add the best term, or replace one by one.
        "cv" is backward with the number of terms that has the best mean R squared on rows left
        out; with the others the GCV decides.
    nprune : int, optional
        Most terms after the pruning pass, the intercept included.
    nfold, ncross : int, default 10 and 1
        Folds and repetitions of `pmethod="cv"`.
    stratify : bool, default True
        Give each fold its share of the rows where a response is not 0.
    random_state : int, RandomState or None, default None
        Draws the folds; an int makes the fit reproducible.
    verbose : bool, default False
        Show a progress bar on standard error while fitting.

    Attributes
    ----------
    gcv_, rss_, rsq_, grsq_ : float
        Figures of the pruned model; R squared is 1 - RSS / TSS and GRSq the same on GCV.
    coef_ : ndarray of shape (terms,) or (terms, responses)
    basis_ : list of Term
    record_ : Record
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only when X had column names.

    Notes
    -----
    GCV = (RSS / n) / (1 - C / n)^2 with C = M + penalty (M - 1) / 2 for M terms.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(0, 1, 101).reshape(-1, 1)
    >>> y = np.abs(x[:, 0] - 0.5)
    >>> model = Earth(minspan=1).fit(x, y)
    >>> [str(term) for term in model.basis_]
    ['(Intercept)', 'h(x0-0.5)', 'h(0.5-x0)']
    """

    def __init__(
        self,
        max_terms: int | None = None,
        max_degree: int = 1,
        penalty: float | None = None,
        thresh: float | None = None,
        minspan: float | None = None,
        endspan: float | None = None,
        adjust_endspan: float = 2.0,
        newvar_penalty: float = 0.0,
        fast_k: int | None = None,
        fast_beta: float = 1.0,
        linpreds: Any = None,
        auto_linpreds: bool = True,
        allowed: Any = None,
        scale_y: bool | None = None,
        compat: str | None = None,
        knots: str = "exact",
        max_bins: int = 255,
        allow_missing: bool = False,
        pmethod: str = "backward",
        nprune: int | None = None,
        nfold: int = 10,
        ncross: int = 1,
        stratify: bool = True,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.max_terms = max_terms
        self.max_degree = max_degree
        self.penalty = penalty
        self.thresh = thresh
        self.minspan = minspan
        self.endspan = endspan
        self.adjust_endspan = adjust_endspan
        self.newvar_penalty = newvar_penalty
        self.fast_k = fast_k
        self.fast_beta = fast_beta
        self.linpreds = linpreds
        self.auto_linpreds = auto_linpreds
        self.allowed = allowed
        self.scale_y = scale_y
        self.compat = compat
        self.knots = knots
        self.max_bins = max_bins
        self.allow_missing = allow_missing
        self.pmethod = pmethod
        self.nprune = nprune
        self.nfold = nfold
        self.ncross = ncross
        self.stratify = stratify
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Earth:
        """Fit the model.

        Parameters
        ----------
        X : array-like of shape (rows, features), or a pandas, polars or Arrow table
            Categorical columns enter by indicator; text columns are refused.
        y : array-like of shape (rows,) or (rows, responses)
        sample_weight : array-like of shape (rows,), optional
            Not negative; a row of weight 0 is left out. Whole numbers are repetitions: a row of
            weight 3 is three rows, in the GCV and for the distance of knots too. Other weights
            only say how much a row counts beside others. With `compat="earth"` all weights do.

        Returns
        -------
        Earth
            This estimator.

        Raises
        ------
        InvalidDataError, MissingValueError, InvalidValueError, ShapeMismatchError
            If no model can be fitted to the data; nothing of the estimator changes then.
        InvalidArgumentError
            If an option is out of its range.
        """
        table = read_table(X)
        responses, response_names = _read_responses(y)
        self._learn(table, responses, response_names, sample_weight)
        self._single = responses.shape[1] == 1 and np.asarray(y).ndim == 1
        return self

    def _learn(
        self,
        table: Table,
        responses: NDArray[np.float64],
        response_names: list[str],
        sample_weight: Any,
    ) -> None:
        """Fit the model to what was read, and take it over once all went well."""
        weights = None if sample_weight is None else read_vector(sample_weight, "sample_weight")
        names = table.names or [f"x{j}" for j in range(table.values.shape[1])]
        with _progress(self.verbose) as report:
            core, forward, pruning, stop, cross = _core.fit(
                table.values,
                responses,
                weights,
                list(zip(names, table.categories, strict=True)),
                response_names,
                self._options(names) | {"folds": self._folds(responses)},
                report,
            )
        self._adopt(Model(self._linked(core, table.values, responses, weights)))
        self.record_ = Record(
            tuple(PassStep(*step) for step in forward),
            tuple(PassStep(*step) for step in pruning),
            stop,
            tuple(Fold(c, f, n, tuple(rsq)) for c, f, n, rsq in cross[0]) if cross else (),
            tuple(cross[1]) if cross else (),
        )
        if table.names is not None:
            self.feature_names_in_ = np.array(table.names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _linked(
        self,
        core: _core.Model,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        weights: NDArray[np.float64] | None,
    ) -> _core.Model:
        """Fit a link on the terms; least squares has none."""
        return core

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict responses.

        Returns
        -------
        ndarray of shape (rows,), or (rows, responses) when y had two dimensions; float64
        """
        check_is_fitted(self)
        found = predict(self.model_, self._checked(X))
        return found if self._single or found.ndim == 2 else found.reshape(-1, 1)

    def design_matrix(self, X: Any) -> NDArray[np.float64]:
        """Evaluate every term on rows: the design matrix, (rows, terms), float64."""
        check_is_fitted(self)
        return design_matrix(self.model_, self._checked(X))

    def summary(self) -> str:
        """Describe the fitted model in a few lines of text."""
        check_is_fitted(self)
        width = max(len(str(term)) for term in self.basis_)
        lines = [
            f"{term!s:<{width}}  " + "  ".join(f"{c:>14.7g}" for c in term.coefficients)
            for term in self.basis_
        ]
        figures = "  ".join(
            f"{label} {value:.6g}"
            for label, value in [
                ("GCV", self.gcv_),
                ("RSS", self.rss_),
                ("GRSq", self.grsq_),
                ("RSq", self.rsq_),
            ]
        )
        grown = f", {self.record_.forward[-1].n_terms} grown" if hasattr(self, "record_") else ""
        return "\n".join([*lines, "", f"{len(self.basis_)} terms{grown}", figures])

    def export_model(self) -> Model:
        """Return the fitted model, ready to be saved or replayed."""
        check_is_fitted(self)
        model: Model = self.model_
        return model

    def get_model_spec(self) -> dict[str, Any]:
        """Return the fitted model as a ModelSpec dict."""
        return self.export_model().spec

    @classmethod
    def from_model(cls, model: Any) -> Earth:
        """Make a fitted estimator from a stored model.

        Parameters
        ----------
        model : path, dict, JSON text, Model or fitted estimator

        Returns
        -------
        Earth
            It predicts as the model does; `record_` is absent, as a model does not carry it.
        """
        loaded = load_model(model)
        figures = loaded.spec.get("fit", {})
        options = {key: figures[key] for key in ("penalty", "thresh") if key in figures}
        options |= {key: int(figures[key]) for key in ("max_terms", "max_degree") if key in figures}
        estimator = cls(**options, allow_missing=loaded.spec["allow_missing"])
        estimator._adopt(loaded)
        estimator.feature_names_in_ = np.array(loaded.feature_names, dtype=object)
        estimator._single = len(loaded.response_names) == 1
        return estimator

    def _adopt(self, model: Model) -> None:
        spec = model.spec
        figures = spec.get("fit", {})
        self.model_ = model
        self.basis_: list[Term] = terms_of(spec)
        coefficients = np.array([term.coefficients for term in self.basis_])
        self.coef_ = coefficients[:, 0] if coefficients.shape[1] == 1 else coefficients
        for name in ("gcv", "rss", "rsq", "grsq"):
            setattr(self, f"{name}_", figures.get(name, float("nan")))
        self.n_features_in_ = len(spec["features"])

    def _checked(self, X: Any) -> Any:
        """Refuse what scikit-learn's conventions refuse, in its words.

        The replay itself looks only at the features that the model uses.
        """
        if not isinstance(X, np.ndarray) or X.ndim != 2:
            if hasattr(self, "feature_names_in_"):
                check_names(X, list(self.feature_names_in_))
            return X
        if X.shape[1] != self.n_features_in_:
            raise ShapeMismatchError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input"
            )
        if X.dtype.kind == "f" and not np.isfinite(X.sum()):
            refused = np.isinf(X) if self.allow_missing else ~np.isfinite(X)
            rows = np.flatnonzero(refused.any(axis=1))
            if rows.size and np.isinf(X).any():
                raise InvalidValueError(f"row {rows[0]} of X holds inf; rows are finite")
            if rows.size:
                raise MissingValueError(
                    f"row {rows[0]} of X holds NaN; fill it in, or fit with allow_missing=True"
                )
        return X

    def _options(self, names: list[str]) -> dict[str, Any]:
        compat = compat_rules(self.compat)
        degree = whole_number(self.max_degree, "max_degree")
        penalty = 2.0 if compat and degree == 1 else 3.0
        fast_k = 20 if compat else 0
        return {
            "max_terms": whole_number(self.max_terms, "max_terms", optional=True),
            "max_degree": degree,
            "penalty": penalty if self.penalty is None else real_number(self.penalty, "penalty"),
            "thresh": None if self.thresh is None else real_number(self.thresh, "thresh"),
            "minspan": row_span(self.minspan, "minspan"),
            "endspan": row_span(self.endspan, "endspan"),
            "adjust_endspan": real_number(self.adjust_endspan, "adjust_endspan"),
            "newvar_penalty": real_number(self.newvar_penalty, "newvar_penalty"),
            "fast_k": fast_k if self.fast_k is None else whole_number(self.fast_k, "fast_k"),
            "fast_beta": real_number(self.fast_beta, "fast_beta"),
            "linpreds": feature_numbers(self.linpreds, names, "linpreds"),
            "auto_linpreds": yes_or_no(self.auto_linpreds, "auto_linpreds"),
            "groups": feature_groups(self.allowed, names),
            "ask": allowed_question(self.allowed, names),
            "scale_y": None if self.scale_y is None else yes_or_no(self.scale_y, "scale_y"),
            "compat": compat,
            "allow_missing": bool(self.allow_missing),
            "pmethod": "backward" if self.pmethod == "cv" else str(self.pmethod),
            "nprune": whole_number(self.nprune, "nprune", optional=True),
            "max_bins": self._max_bins(),
            "threads": runtime_threads(),
        }

    def _folds(self, responses: NDArray[np.float64]) -> list[list[int]]:
        if self.pmethod != "cv":
            return []
        from pymars.folds import draw_folds

        nfold, ncross = (
            whole_number(self.nfold, "nfold") or 0,
            whole_number(self.ncross, "ncross") or 0,
        )
        drawn = draw_folds(responses, nfold, ncross, bool(self.stratify), self.random_state)
        rows: list[list[int]] = drawn.tolist()
        return rows

    def _max_bins(self) -> int | None:
        if self.knots not in ("exact", "hist"):
            raise InvalidArgumentError(f'knots is {self.knots!r}; expected "exact" or "hist"')
        return whole_number(self.max_bins, "max_bins") if self.knots == "hist" else None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = bool(self.allow_missing)
        tags.target_tags.multi_output = True
        return tags


def read_vector(values: Any, what: str) -> NDArray[np.float64]:
    try:
        vector = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidDataError(f"{what} holds values that are not numbers") from None
    if vector.ndim != 1:
        raise ShapeMismatchError(f"{what} has {vector.ndim} dimensions, expected 1")
    return np.ascontiguousarray(vector)


def _read_responses(y: Any) -> tuple[NDArray[np.float64], list[str]]:
    if y is None:
        raise InvalidDataError(
            "Earth requires y to be passed, but the target y is None; pass one response per row"
        )
    name = getattr(y, "name", None)
    if isinstance(y, dict) or hasattr(y, "columns") or hasattr(y, "column_names"):
        table = read_table(y, "y")
        if any(table.categories):
            raise InvalidDataError("y is categorical; a regression needs numbers")
        values, names = table.values, table.names
    else:
        values, names = _numeric(y), None
    if values.ndim == 1:
        values = values.reshape(-1, 1)
        names = [str(name)] if name is not None else ["y"]
    if values.ndim != 2:
        raise ShapeMismatchError(f"y has {values.ndim} dimensions, expected 1 or 2")
    rows = np.flatnonzero(np.isnan(values).any(axis=1))
    if rows.size:
        raise MissingValueError(
            f"row {rows[0]} has no response (NaN in y); leave such rows out before fitting"
        )
    count = values.shape[1]
    return np.ascontiguousarray(values), names or [f"y{k}" for k in range(count)]


def _numeric(y: Any) -> NDArray[np.float64]:
    values = np.asarray(y)
    if values.dtype.kind == "c":
        raise InvalidDtypeError(f"Complex data not supported: y has dtype {values.dtype}")
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        raise InvalidDataError(
            f"y has dtype {values.dtype} and holds values that are not numbers"
        ) from None


class _progress:
    """A progress bar on standard error, or nothing."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self.bar: Any = None

    def __enter__(self) -> Callable[[int, int, float], None] | None:
        return self._report if self.shown else None

    def _report(self, terms: int, most: int, rsq: float) -> None:
        import click

        if self.bar is None:  # only now is its length known
            self.bar = click.progressbar(
                length=most,
                label="growing terms",
                show_eta=False,
                show_pos=True,
                item_show_func=lambda found: None if found is None else f"RSq {found:.4f}",
                file=sys.stderr,
            ).__enter__()
        self.bar.update(terms - self.bar.pos, rsq)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.render_finish()
