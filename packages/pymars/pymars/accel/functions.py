# Language policy: EXEMPT from the Rust-path rule. Registers functions and tiers; no computation.
"""The compute functions of the library, with their tiers.

`packaging/language.yaml` says the same as data: floor, tiers, tolerance, size axis. Tiers other
than Rust are loaded by their first call; their probes load nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from pymars.accel import floor, probes, rust
from pymars.accel.dispatcher import register
from pymars.accel.prepare import Array, path_arguments, scan_arguments
from pymars.accel.rows import deliver, read

if TYPE_CHECKING:
    from pymars.runtime import Model

__all__ = ["design_matrix", "gcv_path", "knot_scan", "predict"]


def _n_rows(model: Model, X: Any, *_: Any) -> int:
    try:
        return len(X)
    except TypeError:  # the tier says what is wrong with it
        return 0


def _late(tier: str, name: str) -> Callable[..., Any]:
    """Name a function of a tier's module, which is loaded when it is called."""

    def call(*args: Any) -> Any:
        return getattr(importlib.import_module(f"pymars.accel.{tier}"), name)(*args)

    return call


def _predict(tier: str, model: Model, X: Any, out: NDArray[Any] | None, link: bool) -> Array:
    spec, rows = read(model, X)
    found = _late(tier, "predict")(spec, rows)
    return deliver(floor.respond(spec.get("link"), found) if link else found, out, flat=True)


@register("predict", size=_n_rows)
def predict(
    model: Model, X: Any, threads: int = 1, out: NDArray[Any] | None = None, link: bool = True
) -> Array:
    """Replay a model: what :func:`pymars.predict` and :func:`pymars.linear_predictor` call.

    Parameters
    ----------
    model : Model
    X : array-like of shape (rows, features), or a table
    threads : int
        Most threads to use (H1, not claimed); tiers other than Rust use one.
    out : ndarray of float64 in row order, optional
    link : bool
        Whether the inverse link is taken; without it the result is the linear predictor.

    Returns
    -------
    ndarray of shape (rows,) or (rows, responses), float64
    """
    spec, rows = read(model, X)
    replayed = floor.predict if link else floor.linear_predictor
    return deliver(replayed(spec, rows), out, flat=True)


@predict.tier("rust", probe=probes.rust)
def _(
    model: Model, X: Any, threads: int = 1, out: NDArray[Any] | None = None, link: bool = True
) -> Array:
    core = model._core
    return rust.replay(core, core.predict if link else core.linear_predictor, X, threads, out)


@predict.tier("mojo", probe=probes.mojo)
def _(
    model: Model, X: Any, threads: int = 1, out: NDArray[Any] | None = None, link: bool = True
) -> Array:
    return _predict("mojo", model, X, out, link)


@predict.tier("julia", probe=probes.julia)
def _(
    model: Model, X: Any, threads: int = 1, out: NDArray[Any] | None = None, link: bool = True
) -> Array:
    return _predict("julia", model, X, out, link)


@register("design_matrix", size=_n_rows)
def design_matrix(model: Model, X: Any, threads: int = 1, out: NDArray[Any] | None = None) -> Array:
    """Evaluate every term of a model on rows: what :func:`pymars.design_matrix` calls.

    Parameters are the first four of :func:`predict`.

    Returns
    -------
    ndarray of shape (rows, terms), float64
    """
    spec, rows = read(model, X)
    return deliver(floor.design_matrix(spec, rows), out, flat=False)


@design_matrix.tier("rust", probe=probes.rust)
def _(model: Model, X: Any, threads: int = 1, out: NDArray[Any] | None = None) -> Array:
    return rust.replay(model._core, model._core.design_matrix, X, threads, out)


@design_matrix.tier("mojo", probe=probes.mojo)
def _(model: Model, X: Any, threads: int = 1, out: NDArray[Any] | None = None) -> Array:
    return deliver(_late("mojo", "design_matrix")(*read(model, X)), out, flat=False)


@design_matrix.tier("julia", probe=probes.julia)
def _(model: Model, X: Any, threads: int = 1, out: NDArray[Any] | None = None) -> Array:
    return deliver(_late("julia", "design_matrix")(*read(model, X)), out, flat=False)


gcv_path = register("gcv_path", size=lambda r, *_: len(r), prepare=path_arguments)(floor.gcv_path)
gcv_path.tier("rust", probe=probes.rust)(rust.gcv_path)
gcv_path.tier("mojo", probe=probes.mojo)(_late("mojo", "gcv_path"))
gcv_path.tier("julia", probe=probes.julia)(_late("julia", "gcv_path"))

knot_scan = register("knot_scan", size=lambda x, *_: len(x), prepare=scan_arguments)(
    floor.knot_scan
)
knot_scan.tier("rust", probe=probes.rust)(rust.knot_scan)
knot_scan.tier("mojo", probe=probes.mojo)(_late("mojo", "knot_scan"))
knot_scan.tier("julia", probe=probes.julia)(_late("julia", "knot_scan"))
