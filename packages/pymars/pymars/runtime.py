# Language policy: EXEMPT from the Rust-path rule. Hands arrays to the core; no computation.
"""Load, save, check and replay models, whatever form they come in."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pymars import _core, accel
from pymars.errors import EarthError, InvalidArgumentError, ModelFileError

__all__ = [
    "Model",
    "design_matrix",
    "inspect",
    "linear_predictor",
    "load_model",
    "predict",
    "predict_arrow",
    "replay_info",
    "runtime_threads",
    "save_model",
    "set_runtime_threads",
    "validate",
]

_ENVIRONMENT = "MARS_EARTH_THREADS"
_threads: int | None = None


class Model:
    """A checked model that can be replayed.

    Made by :func:`load_model`; two models are equal when their ModelSpecs are.

    Attributes
    ----------
    spec : dict
        The ModelSpec, a fresh copy at each access.
    """

    __slots__ = ("_core",)

    def __init__(self, core: _core.Model) -> None:
        self._core = core

    @property
    def spec(self) -> dict[str, Any]:
        """The ModelSpec as a dict."""
        spec: dict[str, Any] = json.loads(self._core.to_json())
        return spec

    @property
    def feature_names(self) -> list[str]:
        """Names of the input columns, in order."""
        return self._core.feature_names

    @property
    def link(self) -> str | None:
        """Name of the link; None where responses are linear predictors."""
        return self._core.link

    @property
    def response_names(self) -> list[str]:
        """Names of the outputs, in order."""
        return self._core.response_names

    def to_json(self) -> str:
        """Write the ModelSpec document."""
        return self._core.to_json()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __repr__(self) -> str:
        return f"<Model: {self._core.n_columns} terms on {len(self.feature_names)} features>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_json, (self.to_json(),)


def load_model(model: Any) -> Model:
    """Load and check a model.

    Parameters
    ----------
    model : path, dict, JSON text, Model or fitted estimator
        Text that starts with `{` is read as JSON, other text as a path.

    Returns
    -------
    Model

    Raises
    ------
    ModelFileError
        If the file cannot be read.
    MalformedSpecError, UnsupportedVersionError, InvalidSpecError, LimitExceededError
        If the document is not a ModelSpec this reader takes.

    Examples
    --------
    >>> spec = {"spec_version": "1.0", "allow_missing": False, "features": [{"name": "x"}],
    ...         "responses": ["y"], "terms": [{"kind": "constant", "coefficients": [2.0]}]}
    >>> load_model(spec)
    <Model: 1 terms on 1 features>
    """
    if isinstance(model, Model):
        return model
    exported = getattr(model, "export_model", None)
    if exported is not None:
        found: Model = exported()
        return found
    if isinstance(model, Mapping):
        return _from_json(_dump(model))
    if isinstance(model, str) and model.lstrip().startswith("{"):
        return _from_json(model)
    if isinstance(model, (str, os.PathLike)):
        return _from_json(_read(Path(model)))
    raise InvalidArgumentError(
        f"a model is a path, a dict, JSON text or a fitted estimator, not {type(model).__name__}"
    )


def save_model(model: Any, path: str | os.PathLike[str]) -> Path:
    """Save a model as a ModelSpec document, whole or not at all.

    Parameters
    ----------
    model : path, dict, JSON text, Model or fitted estimator
    path : path
        File to write; one that exists is replaced.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ModelFileError
        If the file cannot be written; nothing is left behind then.
    """
    target = Path(path)
    write_bytes(target, f"{load_model(model).to_json()}\n".encode())
    return target


def validate(model: Any) -> list[str]:
    """Check a model; return warnings, raise on the first error class that applies.

    The exception's message lists every problem of the document.

    Examples
    --------
    >>> validate({"spec_version": "1.0"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    pymars.errors.InvalidSpecError: the model breaks the ModelSpec contract: allow_missing: ...
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_model(model)._core.warnings


def inspect(model: Any) -> dict[str, Any]:
    """Describe a model: version, features, responses, terms, degree and figures of the fit.

    Returns
    -------
    dict
        Plain values that can be written as JSON.
    """
    from pymars.basis import terms_of

    spec = load_model(model).spec
    terms = terms_of(spec)
    return {
        "spec_version": spec["spec_version"],
        "producer": spec.get("producer"),
        "allow_missing": spec["allow_missing"],
        "link": spec.get("link"),
        "features": [feature["name"] for feature in spec["features"]],
        "responses": spec["responses"],
        "n_terms": len(terms),
        "max_degree": max(term.degree for term in terms),
        "terms": [{"label": str(term), "coefficients": list(term.coefficients)} for term in terms],
        "fit": spec.get("fit", {}),
    }


def predict(
    model: Any, X: Any, threads: int | None = None, *, out: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Replay a model on rows.

    Parameters
    ----------
    model : path, dict, JSON text, Model or fitted estimator
        A path or a document is read at each call; load it once with :func:`load_model`.
    X : array-like of shape (rows, features), or a pandas, polars or Arrow table
        Columns of a table are taken by name, those of an array by position. Arrays and columns of
        float64 and float32 are read where they lie, whatever their strides; others are converted.
    threads : int, optional
        Most threads to use (H1, not claimed); default :func:`runtime_threads`. The result does not
        depend on it.
    out : ndarray of float64 in row order, optional
        Where the result goes; its shape is that of the result.

    Returns
    -------
    ndarray of shape (rows,), or (rows, responses) when there are several; float64
        Responses: where the model has a link, the inverse link of the linear predictor.

    Raises
    ------
    ShapeMismatchError, UnknownColumnError, MissingValueError, InvalidValueError
        If the rows do not fit the model.

    Examples
    --------
    >>> spec = {"spec_version": "1.0", "allow_missing": False, "features": [{"name": "x"}],
    ...         "responses": ["y"], "terms": [
    ...     {"kind": "hinge", "feature": 0, "knot": 1.0, "side": "right", "coefficients": [2.0]}]}
    >>> predict(spec, np.array([[0.0], [3.0]])).tolist()
    [0.0, 4.0]
    """
    found: NDArray[np.float64] = accel.predict(load_model(model), X, _resolve(threads), out)
    return found


def predict_arrow(
    model: Any, data: Any, threads: int | None = None
) -> _core.ArrowBatch | _core.ArrowStream:
    """Replay a model on an Arrow batch or stream, and hand the responses on as one.

    No Arrow library is needed for it. Level H2, which this belongs to, is not claimed.

    Parameters
    ----------
    model : path, dict, JSON text, Model or fitted estimator
    data : object with `__arrow_c_array__` or `__arrow_c_stream__`
        A batch or table of pyarrow, polars, duckdb, pandas and others. Columns are found by name;
        a float64 column without missing values is read where it lies (H2, not claimed).
    threads : int, optional
        Most threads to use (H1, not claimed), as in :func:`predict`.

    Returns
    -------
    object with `__arrow_c_array__` or `__arrow_c_stream__`
        As what `data` has; one float64 column per response. A stream is replayed batch by batch,
        as its consumer asks, and can be handed over once: an error of a later batch meets the
        consumer, with its row counted from the start of that batch.

    Raises
    ------
    UnknownColumnError, InvalidDtypeError, InvalidBatchError, MissingValueError, InvalidValueError
        If the batch does not fit the model, or breaks the Arrow interface.
    """
    return load_model(model)._core.predict_arrow(data, _resolve(threads))


def linear_predictor(
    model: Any, X: Any, threads: int | None = None, *, out: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Replay the sums of terms before any link: log odds, logs of rates and the like.

    Parameters, shape and errors are those of :func:`predict`, whose result this is where the model
    has no link.
    """
    model, threads = load_model(model), _resolve(threads)
    found: NDArray[np.float64] = accel.predict(model, X, threads, out, False)
    return found


def design_matrix(
    model: Any, X: Any, threads: int | None = None, *, out: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Evaluate every term of a model on rows.

    Parameters are those of :func:`predict`.

    Returns
    -------
    ndarray of shape (rows, terms), float64
        One column per term that has coefficients, in the order of the ModelSpec.
    """
    found: NDArray[np.float64] = accel.design_matrix(load_model(model), X, _resolve(threads), out)
    return found


def replay_info() -> dict[str, Any]:
    """Say how the last replay of this thread went, and what it allocated.

    Returns
    -------
    dict
        Figures by name; empty before the first replay. `rows`; `threads` that took part and the
        `instructions` of the loops (H1, not claimed). Then bytes: `bytes_input` of an input that
        had to be converted, `bytes_buffers` of the core, `bytes_result` of an array made for the
        result, `bytes_peak` of all three, and `bytes_per_row`, the part that grows with the rows.

    Examples
    --------
    >>> spec = {"spec_version": "1.0", "allow_missing": False, "features": [{"name": "x"}],
    ...         "responses": ["y"], "terms": [{"kind": "constant", "coefficients": [2.0]}]}
    >>> _ = predict(spec, np.zeros((1000, 1)))
    >>> replay_info()["bytes_result"], replay_info()["bytes_per_row"]
    (8000, 8.0)
    """
    last = _core.replay_info()
    if last is None:
        return {}
    rows, threads, instructions, copied, buffers, made = last
    return {
        "rows": rows,
        "threads": threads,
        "instructions": instructions,
        "bytes_input": copied,
        "bytes_buffers": buffers,
        "bytes_result": made,
        "bytes_peak": copied + buffers + made,
        "bytes_per_row": (copied + made) / max(rows, 1),
    }


def set_runtime_threads(threads: int | None) -> None:
    """Set the bound for replays that do not name one; None resets.

    Threads are H1, which is not claimed.

    Examples
    --------
    >>> set_runtime_threads(2)
    >>> runtime_threads()
    2
    >>> set_runtime_threads(None)
    """
    global _threads
    _threads = None if threads is None else _checked(threads, "threads")


def runtime_threads() -> int:
    """Return the bound for replays that do not name one.

    That is what :func:`set_runtime_threads` set, else the environment variable
    `MARS_EARTH_THREADS`, else 1; a replay never goes beyond what the process may use. Threads are
    H1, which is not claimed.
    """
    if _threads is not None:
        return _threads
    # Asked of the core: os.environ.get takes as long as the replay of a row.
    text = _core.threads_variable()
    return 1 if text is None else _checked(text, _ENVIRONMENT)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as stream:
        stream.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` once all of it is written."""
    # Opened by name, not by mkstemp, so that the file gets the permissions the user's mask gives.
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        with temporary.open("xb") as stream:
            yield stream
        os.replace(temporary, path)
    except EarthError:
        raise
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ModelFileError(f"{path}: cannot be written: {why}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _resolve(threads: int | None) -> int:
    return runtime_threads() if threads is None else _checked(threads, "threads")


def _checked(value: Any, name: str) -> int:
    try:
        threads = int(value)
        if threads != float(value) or isinstance(value, bool):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise InvalidArgumentError(
            f"{name} is {value!r}; pass a whole number of 1 or more"
        ) from None
    if not 1 <= threads <= 2**31:
        raise InvalidArgumentError(f"{name} is {value!r}; pass a whole number of 1 or more")
    return threads


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ModelFileError(f"{str(path)!r}: is no path: {error}") from None


def _from_json(text: str | bytes) -> Model:
    core = _core.Model.from_json(text.encode() if isinstance(text, str) else text)
    for warning in core.warnings:
        warnings.warn(warning, UserWarning, stacklevel=3)
    return Model(core)


def _dump(spec: Mapping[str, Any]) -> str:
    try:
        return json.dumps(spec, allow_nan=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"the dict is not a JSON document: {error}") from None
