# Language policy: EXEMPT from the Rust-path rule. Hands labels and families to the core.
"""Estimators under the names that scikit-learn users look for: regression, classes, GLM."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from pymars import _core
from pymars.earth import Earth, read_vector
from pymars.errors import InvalidArgumentError, InvalidDataError, ShapeMismatchError
from pymars.links import LinkFit, fit_link
from pymars.runtime import linear_predictor, predict
from pymars.tables import read_table

__all__ = ["EarthClassifier", "EarthRegressor", "GLMEarth"]

E = TypeVar("E", bound=type[Earth])


def _with_earths_options(kind: E) -> E:
    """Show Earth's options in the signature, where scikit-learn looks for parameters."""
    own = inspect.signature(kind.__init__)
    options = inspect.signature(Earth.__init__).parameters.values()
    kept = [p for p in own.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    more = [p for p in options if p.name != "self"]
    kind.__init__.__signature__ = own.replace(parameters=kept + more)  # type: ignore[attr-defined]
    return kind


def _link_line(model: Any) -> str:
    """What a summary says beyond least squares."""
    link, deviance, null = model.model_.link, model.deviance_, model.null_deviance_
    if link is None:
        return ""
    return f"\nlink {link}  deviance {deviance:.6g}  null deviance {null:.6g}"


class EarthRegressor(Earth):
    """:class:`pymars.Earth` under scikit-learn's naming, for pipelines and searches.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> x = np.arange(40.0).reshape(-1, 1)
    >>> model = make_pipeline(StandardScaler(), EarthRegressor()).fit(x, np.abs(x[:, 0] - 20))
    >>> bool(model.score(x, np.abs(x[:, 0] - 20)) > 0.99)
    True
    """


@_with_earths_options
class GLMEarth(Earth):
    """Fit a generalised linear model on MARS terms, as R earth's `glm` argument does.

    The terms are found by least squares on y; then their coefficients are fitted anew by maximum
    likelihood. `predict` returns means of the family, `linear_predictor` the sum before the link.

    Parameters
    ----------
    family : {"gaussian", "binomial", "poisson", "gamma"}, default "gaussian"
        Distribution of y: any number, a share from 0 to 1, a count, an amount above 0. For class
        labels use :class:`EarthClassifier`.
    link : str, optional
        binomial: "logit" (default) or "cloglog"; poisson: "log"; gamma: "inverse" (default) or
        "log".
    **options
        Those of :class:`pymars.Earth`.

    Attributes
    ----------
    deviance_, null_deviance_ : float
        Of the model and of the mean alone, summed over responses.
    link_fits_ : tuple of LinkFit
        How the fit of each response went; empty for the family gaussian.

    Notes
    -----
    `gcv_`, `rss_`, `rsq_` and `grsq_` are figures of the least squares fit that chose the terms.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(0, 1, 200).reshape(-1, 1)
    >>> y = np.round(np.exp(3 * x[:, 0]))
    >>> model = GLMEarth(family="poisson").fit(x, y)
    >>> bool(model.deviance_ < 0.1 * model.null_deviance_), model.export_model().link
    (True, 'log')
    """

    def __init__(self, family: str = "gaussian", link: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.family = family
        self.link = link

    def linear_predictor(self, X: Any) -> NDArray[np.float64]:
        """Evaluate the sum of terms before the link; shape as for `predict`."""
        check_is_fitted(self)
        found = linear_predictor(self.model_, self._checked(X))
        return found if self._single or found.ndim == 2 else found.reshape(-1, 1)

    def summary(self) -> str:
        """Describe the fitted model in a few lines of text."""
        return super().summary() + _link_line(self)

    def _linked(
        self,
        core: _core.Model,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        weights: NDArray[np.float64] | None,
    ) -> _core.Model:
        fits: tuple[LinkFit, ...] = ()
        if self.family == "gaussian":
            if self.link not in (None, "identity"):
                raise InvalidArgumentError(
                    f"link is {self.link!r}; the family gaussian takes None or 'identity'"
                )
        elif self.family == "multinomial":
            raise InvalidArgumentError("family is 'multinomial'; use EarthClassifier for classes")
        else:
            core, fits = fit_link(core, x, y, weights, str(self.family), self.link)
        self.link_fits_ = fits
        return core

    def _adopt(self, model: Any) -> None:
        super()._adopt(model)
        figures = model.spec.get("fit", {})
        null = self.rss_ / (1.0 - self.rsq_) if self.rsq_ < 1.0 else float("nan")
        self.deviance_: float = figures.get("deviance", self.rss_)
        self.null_deviance_ = figures.get("null_deviance", null)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self.family in ("poisson", "gamma")
        return tags


@_with_earths_options
class EarthClassifier(ClassifierMixin, Earth):  # type: ignore[misc]
    """Classify by a logistic (two classes) or multinomial (more) model on MARS terms.

    The terms are found by least squares on indicators of the classes, as in R earth; then their
    coefficients are fitted by maximum likelihood. R earth fits one logistic model per class where
    there are more than two; the multinomial fits them together, so that probabilities sum to 1.

    Parameters
    ----------
    **options
        Those of :class:`pymars.Earth`.

    Attributes
    ----------
    classes_ : ndarray of shape (classes,)
        Labels, sorted.
    deviance_, null_deviance_ : float
        Of the model and of the shares of the classes alone.
    link_fits_ : tuple of LinkFit
        How the fit went.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(size=(300, 2))
    >>> y = np.where(np.abs(x[:, 0] - 0.5) + 0.1 * rng.normal(size=300) > 0.25, "far", "near")
    >>> model = EarthClassifier().fit(x, y)
    >>> bool(model.score(x, y) > 0.8), model.predict_proba(x).shape
    (True, (300, 2))
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> EarthClassifier:
        """Fit the model.

        Parameters
        ----------
        X : array-like of shape (rows, features), or a pandas, polars or Arrow table
        y : array-like of shape (rows,)
            Labels of any kind that sorts.
        sample_weight : array-like of shape (rows,), optional
            Not negative; a row of weight 0 is left out.

        Returns
        -------
        EarthClassifier
            This estimator.

        Raises
        ------
        InvalidDataError
            If fewer than two classes are left, or X is of no use; nothing changes then.
        """
        table = read_table(X)
        if y is None:
            raise InvalidDataError(
                "EarthClassifier requires y to be passed, but the target y is None; pass one label "
                "per row"
            )
        labels = column_or_1d(y, warn=True)
        check_classification_targets(labels)
        if len(labels) != len(table.values):
            raise ShapeMismatchError(
                f"X has {len(table.values)} rows, y has {len(labels)}; pass one label per row"
            )
        weights = None if sample_weight is None else read_vector(sample_weight, "sample_weight")
        counted = labels
        if weights is not None and weights.shape == labels.shape and weights.any():
            counted = labels[weights != 0]
        classes = np.unique(counted)
        if len(classes) < 2:
            raise InvalidDataError(
                f"y holds {len(classes)} class(es) in rows that count; a classifier needs two"
            )
        chosen = classes[1:] if len(classes) == 2 else classes
        indicators = np.column_stack([labels == label for label in chosen]).astype(np.float64)
        names = [str(label) for label in chosen]
        if len(set(names)) < len(names) or not all(names):
            names = [f"class {k}" for k in range(len(names))]
        self._learn(table, indicators, names, weights)
        self.classes_ = classes
        self._single = True
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Evaluate log odds of the second class, or one linear predictor per class.

        Returns
        -------
        ndarray of shape (rows,) for two classes, else (rows, classes)
        """
        check_is_fitted(self)
        return linear_predictor(self.model_, self._checked(X))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict the probability of each class, in the order of `classes_`.

        Returns
        -------
        ndarray of shape (rows, classes)
        """
        check_is_fitted(self)
        found = predict(self.model_, self._checked(X))
        return np.column_stack([1.0 - found, found]) if found.ndim == 1 else found

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict the logarithm of the probability of each class."""
        with np.errstate(divide="ignore"):
            found: NDArray[np.float64] = np.log(self.predict_proba(X))
        return found

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the likeliest class of each row."""
        scores = self.decision_function(X)
        chosen = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        labels: NDArray[Any] = self.classes_[chosen]
        return labels

    def summary(self) -> str:
        """Describe the fitted model in a few lines of text."""
        return super().summary() + _link_line(self)

    @classmethod
    def from_model(cls, model: Any) -> Earth:
        """Refuse: a stored model carries no class labels."""
        raise InvalidArgumentError(
            "a ModelSpec does not carry class labels; pymars.predict(model, X) gives the "
            "probabilities"
        )

    def _linked(
        self,
        core: _core.Model,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        weights: NDArray[np.float64] | None,
    ) -> _core.Model:
        family = "binomial" if y.shape[1] == 1 else "multinomial"
        core, self.link_fits_ = fit_link(core, x, y, weights, family, None)
        return core

    def _adopt(self, model: Any) -> None:
        super()._adopt(model)
        figures = model.spec["fit"]
        self.deviance_ = figures["deviance"]
        self.null_deviance_ = figures["null_deviance"]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        tags.regressor_tags = None
        tags.target_tags.multi_output = False
        return tags
