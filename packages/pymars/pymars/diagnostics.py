"""Look at a model's terms again on rows: which would be pruned, and where a knot would gain.

LAPACK factors the design matrix once; the scores come from the compute functions of `pymars.accel`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymars import accel
from pymars.basis import terms_of
from pymars.errors import InvalidArgumentError, InvalidDataError, ShapeMismatchError
from pymars.runtime import Model, load_model
from pymars.tables import read_rows

__all__ = ["PathStep", "knot_gains", "pruning_path"]

Array = NDArray[np.float64]

# A column that keeps less than this share of its norm beside those before it depends on them.
DEPENDENT = 1e-6


@dataclass(frozen=True, slots=True)
class PathStep:
    """One size on the path of backward elimination.

    Attributes
    ----------
    n_terms : int
    rss, gcv : float
        Of the least-squares fit of these terms.
    next_term : str or None
        The term that goes next; None once only the intercept is left.
    """

    n_terms: int
    rss: float
    gcv: float
    next_term: str | None


def pruning_path(model: Any, X: Any, y: Any, *, penalty: float = 3.0) -> list[PathStep]:
    """Drop the terms of a model one by one on rows, each time the one that costs least.

    Terms are fitted by least squares on these rows; the coefficients of the model play no part. So
    a stored model can be asked, on new rows or at another penalty, how many terms still pay.

    Parameters
    ----------
    model : path, dict, JSON text, Model or fitted estimator
    X : array-like of shape (rows, features), or a table
    y : array-like of shape (rows,) or (rows, responses)
    penalty : float
        GCV penalty per knot; -1 counts no parameters.

    Returns
    -------
    list of PathStep
        Sizes 1, 2, ... up to all terms.

    Raises
    ------
    InvalidDataError
        If the terms depend on each other on these rows.

    Examples
    --------
    >>> import pymars as earth
    >>> x = np.linspace(-1.0, 1.0, 50).reshape(-1, 1)
    >>> path = earth.pruning_path(earth.Earth().fit(x, abs(x[:, 0])), x, abs(x[:, 0]))
    >>> path[0].n_terms, path[0].next_term, path[-1].gcv < path[0].gcv
    (1, None, True)
    """
    loaded = load_model(model)
    r, z, rss, _, residual = _factor(loaded, X, y)
    terms = terms_of(loaded.spec)
    found = accel.gcv_path(r, z, rss, len(residual), penalty)
    return [
        PathStep(size, float(rss), float(gcv), None if gone < 0 else str(terms[int(gone)]))
        for size, (rss, gcv, gone) in enumerate(found, 1)
    ]


def knot_gains(
    model: Any, X: Any, y: Any, feature: int | str, *, parent: int = 0, knots: Any = None
) -> tuple[Array, Array]:
    """Say by how much the RSS would fall if a feature entered under a term, bent at each knot.

    Parameters
    ----------
    model, X, y :
        As in :func:`pruning_path`.
    feature : int or str
        Position or name of a numeric feature.
    parent : int
        Column of the design matrix that the new terms multiply; 0 is the intercept.
    knots : array-like, optional
        Rising; by default every value of the feature on rows where the parent is not 0.

    Returns
    -------
    knots, gains : ndarray of shape (knots,)

    Examples
    --------
    >>> import pymars as earth
    >>> x = np.linspace(-1.0, 1.0, 51).reshape(-1, 1)
    >>> flat = earth.Earth(max_terms=1).fit(x, abs(x[:, 0]))
    >>> knots, gains = earth.knot_gains(flat, x, abs(x[:, 0]), 0)
    >>> bool(abs(knots[gains.argmax()]) < 1e-9)
    True
    """
    loaded = load_model(model)
    names = loaded.feature_names
    if isinstance(feature, str) and feature not in names:
        raise InvalidArgumentError(f"no feature {feature!r}; there are {', '.join(names)}")
    j = names.index(feature) if isinstance(feature, str) else int(feature)
    if not 0 <= j < len(names) or loaded._core.categories[j] is not None:
        raise InvalidArgumentError(f"feature is {feature!r}; name a numeric one of the model")
    _, _, _, (columns, frame), residual = _factor(loaded, X, y)
    if not 0 <= parent < columns.shape[1]:
        raise InvalidArgumentError(f"parent is {parent}; the model has columns 0 to "
                                   f"{columns.shape[1] - 1}")  # fmt: skip
    x = np.ascontiguousarray(read_rows(X, names, loaded._core.categories)[:, j])
    values = np.ascontiguousarray(columns[:, parent])
    places = np.unique(x[values != 0.0]) if knots is None else np.asarray(knots)
    return places, accel.knot_scan(x, values, frame, residual, places)


def _factor(model: Model, X: Any, y: Any) -> tuple[Array, Array, float, tuple[Array, Array], Array]:
    """Return R, Q'y, the RSS, the design matrix with Q, and the residual."""
    columns: Array = accel.design_matrix(model, X)
    try:
        response = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidDataError(f"y is not numeric: {error}") from None
    response = response[:, None] if response.ndim == 1 else response
    if response.ndim != 2 or len(response) != len(columns):
        raise ShapeMismatchError(
            f"y has shape {response.shape} and X {len(columns)} rows; pass as many rows"
        )
    if not (np.isfinite(columns).all() and np.isfinite(response).all()):
        raise InvalidDataError("a term or y is missing or infinite on some rows; leave them out")
    if len(columns) < columns.shape[1]:
        raise InvalidDataError(
            f"{len(columns)} rows cannot tell {columns.shape[1]} terms apart; pass more rows"
        )
    frame, r = np.linalg.qr(columns)
    own, norm = np.abs(r.diagonal()), np.sqrt((r**2).sum(axis=0))
    if (own <= DEPENDENT * norm).any():
        k = int((own <= DEPENDENT * norm).argmax())
        raise InvalidDataError(f"column {k} of the design matrix depends on those before it here")
    z = frame.T @ response
    residual = response - frame @ z
    return r, z, float((residual**2).sum()), (columns, frame), residual
