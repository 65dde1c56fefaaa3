# Language policy: EXEMPT from the Rust-path rule. Draws what the core has replayed.
"""Plots of a model: how each feature moves the prediction, and how pruning chose the size.

They need Matplotlib: `python3 -m pip install 'mars-earth[plots]'`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pymars.errors import InvalidArgumentError, InvalidDataError, ShapeMismatchError
from pymars.runtime import Model, load_model, predict
from pymars.tables import read_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_features", "plot_selection"]

POINTS = 200


def plot_features(model: Any, X: Any) -> Figure:
    """Draw the prediction against each feature that the model uses.

    One feature moves over its range in X while the others stay at their median, or at their most
    frequent category. For a model of degree 1 the curve is exact up to a shift; for a higher
    degree it is a slice, and another slice may look different.

    Parameters
    ----------
    model : path, dict, JSON text, Model or fitted estimator
    X : array-like of shape (rows, features), or a pandas, polars or Arrow table
        Rows that say where to look, such as those of the fit.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per feature, one line per response. No window is opened; call `savefig`.

    Raises
    ------
    InvalidArgumentError
        If Matplotlib is not installed, or the model uses no feature.
    InvalidDataError
        If a feature that the model uses has no finite value in X.
    ShapeMismatchError, UnknownColumnError, InvalidValueError
        If the rows do not fit the model.

    Examples
    --------
    >>> import pymars as earth
    >>> x = np.linspace(0, 1, 101).reshape(-1, 1)
    >>> model = earth.Earth().fit(x, np.abs(x[:, 0] - 0.5))
    >>> figure = plot_features(model, x)
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['x0']
    """
    new_figure = _figure()
    loaded = load_model(model)
    used = _used(loaded)
    if not used:
        raise InvalidArgumentError("the model is a constant; there is no feature to draw")
    rows = read_rows(X, loaded.feature_names, loaded._core.categories)
    if rows.shape[1] != len(loaded.feature_names):
        raise ShapeMismatchError(
            f"X has {rows.shape[1]} columns, the model has {len(loaded.feature_names)}"
        )
    middle = [_middle(rows[:, j], loaded, j) if j in used else 0.0 for j in range(rows.shape[1])]
    across = min(len(used), 3)
    down = -(-len(used) // across)
    figure = new_figure(figsize=(3.4 * across, 2.8 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharey=True).flat
    for panel, feature in zip(panels, used, strict=False):
        _draw_feature(panel, loaded, feature, rows[:, feature], middle)
    for panel in list(panels)[len(used) :]:
        panel.remove()
    if len(loaded.response_names) > 1:
        figure.axes[0].legend(fontsize="small")
    else:
        figure.supylabel(loaded.response_names[0], fontsize="medium")
    return figure


def plot_selection(estimator: Any) -> Figure:
    """Draw the GCV of every model size that the pruning pass went through.

    Parameters
    ----------
    estimator : Earth
        Fitted here; one that was loaded from a file does not carry its passes.

    Returns
    -------
    matplotlib.figure.Figure
        GCV against terms, the intercept included; the chosen size is marked.

    Raises
    ------
    InvalidArgumentError
        If Matplotlib is not installed, or the estimator has no record of its fit.

    Examples
    --------
    >>> import pymars as earth
    >>> x = np.linspace(0, 1, 101).reshape(-1, 1)
    >>> figure = plot_selection(earth.Earth().fit(x, np.abs(x[:, 0] - 0.5)))
    >>> figure.axes[0].get_xlabel()
    'terms'
    """
    new_figure = _figure()
    from matplotlib.ticker import MaxNLocator

    record = getattr(estimator, "record_", None)
    if record is None:
        raise InvalidArgumentError("no record of a fit; call fit on this estimator first")
    steps = sorted(record.pruning, key=lambda step: step.n_terms)
    figure = new_figure(figsize=(5.0, 3.4), layout="constrained")
    axes = figure.subplots()
    finite = [step for step in steps if np.isfinite(step.gcv)]
    axes.plot([s.n_terms for s in finite], [s.gcv for s in finite], marker=".", label="GCV")
    chosen = len(estimator.basis_)
    axes.axvline(chosen, linestyle=":", color="grey", label=f"chosen: {chosen}")
    axes.set(xlabel="terms", ylabel="GCV")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize="small")
    return figure


def _figure() -> type[Figure]:
    """Return Matplotlib's figure class, which opens no window and keeps no state."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InvalidArgumentError(
            "plots need Matplotlib; run: python3 -m pip install 'mars-earth[plots]'"
        ) from None
    return Figure


def _used(model: Model) -> list[int]:
    """List the features that a term with a coefficient depends on, in column order."""
    features: list[set[int]] = []
    found: set[int] = set()
    for term in model.spec["terms"]:
        parents = term.get("parents", [term["parent"]] if "parent" in term else [])
        own = set().union(*(features[parent] for parent in parents))
        features.append(own | ({term["feature"]} if "feature" in term else set()))
        if "coefficients" in term:
            found |= features[-1]
    return sorted(found)


def _middle(column: NDArray[np.float64], model: Model, feature: int) -> float:
    """Return where a feature stays: its median, or its most frequent category."""
    present = column[np.isfinite(column)]
    if not present.size:
        raise InvalidDataError(f"{model.feature_names[feature]} has no finite value in X")
    if model._core.categories[feature] is None:
        return float(np.median(present))
    labels, counts = np.unique(present, return_counts=True)
    return float(labels[counts.argmax()])


def _draw_feature(
    axes: Axes, model: Model, feature: int, column: NDArray[np.float64], middle: list[float]
) -> None:
    """Draw one panel."""
    labels = model._core.categories[feature]
    present = column[np.isfinite(column)]
    if labels is None:
        grid = np.linspace(present.min(), present.max(), POINTS)
    else:
        grid = np.arange(float(len(labels)))
    rows = np.tile(np.array(middle), (len(grid), 1))
    rows[:, feature] = grid
    responses = predict(model, rows, 1).reshape(len(grid), -1)
    style: dict[str, Any] = {"marker": "o", "linestyle": ""} if labels is not None else {}
    for name, found in zip(model.response_names, responses.T, strict=True):
        axes.plot(grid, found, label=name, **style)
    if labels is not None:
        axes.set_xticks(grid, labels)
    axes.set_xlabel(model.feature_names[feature])
