# Language policy: EXEMPT from the Rust-path rule. Names the public interface; loads it late.
"""Multivariate adaptive regression splines with a Rust core.

Examples
--------
>>> import numpy as np
>>> import pymars as earth
>>> x = np.linspace(0.0, 4.0, 50).reshape(-1, 1)
>>> y = np.maximum(0.0, x[:, 0] - 1.5)
>>> model = earth.Earth(max_degree=1, penalty=3.0).fit(x, y)
>>> bool(model.score(x, y) > 0.99)
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymars import errors
from pymars._core import SPEC_VERSION, __version__
from pymars.runtime import (
    Model,
    design_matrix,
    inspect,
    linear_predictor,
    load_model,
    predict,
    predict_arrow,
    replay_info,
    runtime_threads,
    save_model,
    set_runtime_threads,
    validate,
)

if TYPE_CHECKING:
    from pymars.batches import predict_batches
    from pymars.diagnostics import knot_gains, pruning_path
    from pymars.earth import Earth
    from pymars.estimators import EarthClassifier, EarthRegressor, GLMEarth

__all__ = [
    "SPEC_VERSION",
    "Earth",
    "EarthClassifier",
    "EarthRegressor",
    "GLMEarth",
    "Model",
    "__version__",
    "design_matrix",
    "errors",
    "inspect",
    "knot_gains",
    "linear_predictor",
    "load_model",
    "predict",
    "predict_arrow",
    "predict_batches",
    "pruning_path",
    "replay_info",
    "runtime_threads",
    "save_model",
    "set_runtime_threads",
    "validate",
]

# Replay needs NumPy alone; scikit-learn is loaded when an estimator is first named.
_LATE = {
    "knot_gains": "pymars.diagnostics",
    "predict_batches": "pymars.batches",
    "pruning_path": "pymars.diagnostics",
    "Earth": "pymars.earth",
    "EarthClassifier": "pymars.estimators",
    "EarthRegressor": "pymars.estimators",
    "GLMEarth": "pymars.estimators",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'pymars' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LATE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
