# Language policy: EXEMPT from the Rust-path rule. Declares exceptions; no computation.
"""Exceptions, one class per row of the error catalogue (`packaging/errors.yaml`).

All derive from :class:`EarthError`; those about values also from `ValueError` and those about files
from `OSError`, so that code written for scikit-learn catches them.
"""

from __future__ import annotations

__all__ = [
    "BY_CODE",
    "EarthError",
    "InterruptedFitError",
    "InvalidArgumentError",
    "InvalidBatchError",
    "InvalidDataError",
    "InvalidDtypeError",
    "InvalidSpecError",
    "InvalidValueError",
    "LimitExceededError",
    "MalformedSpecError",
    "MissingValueError",
    "ModelFileError",
    "ShapeMismatchError",
    "UnknownColumnError",
    "UnsupportedVersionError",
    "from_code",
]


class EarthError(Exception):
    """Base of every error that mars-earth raises.

    Attributes
    ----------
    code : int
        Status code of the catalogue, the same in every language.
    category : str
        Category of the catalogue.
    """

    code = 0
    category = ""


class MalformedSpecError(EarthError, ValueError):
    """The model is not JSON or is cut short."""

    code, category = 1, "malformed_spec"


class UnsupportedVersionError(EarthError, ValueError):
    """The model is of another major version of the format."""

    code, category = 2, "unsupported_version"


class InvalidSpecError(EarthError, ValueError):
    """The model is JSON but breaks the ModelSpec contract; the message lists every problem."""

    code, category = 3, "invalid_spec"


class ShapeMismatchError(EarthError, ValueError):
    """Rows, outputs or weights have the wrong shape."""

    code, category = 4, "shape_mismatch"


class MissingValueError(EarthError, ValueError):
    """A value is missing (NaN) and the model allows none."""

    code, category = 5, "missing_value"


class InvalidValueError(EarthError, ValueError):
    """A row holds a value the model cannot take."""

    code, category = 6, "invalid_value"


class InvalidArgumentError(EarthError, ValueError):
    """An option or argument is out of its range or of the wrong type."""

    code, category = 7, "invalid_argument"


class InvalidDataError(EarthError, ValueError):
    """No model can be fitted to these data."""

    code, category = 8, "invalid_data"


class LimitExceededError(EarthError, ValueError):
    """A document or table is larger than a named limit."""

    code, category = 9, "limit_exceeded"


class InterruptedFitError(EarthError):
    """The caller asked to stop; no model was made."""

    code, category = 10, "interrupted"


class ModelFileError(EarthError, OSError):
    """A file cannot be read or written."""

    code, category = 11, "model_file"


class UnknownColumnError(EarthError, ValueError):
    """A named column is not there."""

    code, category = 12, "unknown_column"


class InvalidDtypeError(EarthError, ValueError, TypeError):
    """A table or column holds text, objects or complex numbers where numbers are due."""

    code, category = 13, "invalid_dtype"


class InvalidBatchError(EarthError, ValueError):
    """An Arrow batch or stream breaks its interface, or its producer failed."""

    code, category = 14, "invalid_batch"


BY_CODE: dict[int, type[EarthError]] = {
    kind.code: kind
    for kind in (
        MalformedSpecError,
        UnsupportedVersionError,
        InvalidSpecError,
        ShapeMismatchError,
        MissingValueError,
        InvalidValueError,
        InvalidArgumentError,
        InvalidDataError,
        LimitExceededError,
        InterruptedFitError,
        ModelFileError,
        UnknownColumnError,
        InvalidDtypeError,
        InvalidBatchError,
    )
}


def from_code(code: int, message: str) -> EarthError:
    """Make the exception that a status code stands for.

    Examples
    --------
    >>> type(from_code(5, "row 3 has no value")).__name__
    'MissingValueError'
    """
    return BY_CODE[code](message)
