"""Turn what users hold (arrays, pandas, polars, Arrow) into one table of float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymars import _core
from pymars.errors import (
    InvalidArgumentError,
    InvalidDtypeError,
    InvalidValueError,
    ShapeMismatchError,
    UnknownColumnError,
)

__all__ = ["Table", "check_names", "read_columns", "read_rows", "read_table"]


@dataclass(frozen=True, slots=True)
class Table:
    """A float64 table with what is known of its columns.

    Attributes
    ----------
    values : ndarray of shape (rows, columns), float64
        C- or Fortran-contiguous; a categorical column holds positions of its labels.
    names : list of str or None
        Column names; None when the input has none.
    categories : list of (list of str or None)
        Labels of each categorical column.
    """

    values: NDArray[np.float64]
    names: list[str] | None
    categories: list[list[str] | None]


def read_table(data: Any, what: str = "X") -> Table:
    """Read training inputs.

    Parameters
    ----------
    data : array-like of shape (rows, columns), or a pandas, polars or Arrow table
        Text and object columns are refused; a categorical dtype is read by its labels.

    Raises
    ------
    ShapeMismatchError
        If the data are not two-dimensional.
    InvalidDtypeError
        If a column is neither numeric nor categorical.
    """
    columns = _named_columns(data)
    if columns is None:
        values = _array(data, what)
        return Table(values, None, [None] * values.shape[1])
    read = [_read_column(name, column) for name, column in columns.items()]
    return Table(
        _stack([codes for codes, _ in read]), list(columns), [labels for _, labels in read]
    )


def read_rows(
    data: Any, names: Sequence[str], categories: Sequence[list[str] | None]
) -> NDArray[np.float64]:
    """Read rows for a model into one table, columns by name where there are names.

    A named table may hold more columns, in any order; the model's own are picked out.

    Raises
    ------
    UnknownColumnError
        If a column of the model is not there.
    InvalidValueError
        If a categorical column holds a label the model does not know.
    """
    found, _ = read_columns(data, names, categories)
    return _stack(found) if isinstance(found, list) else _contiguous(found)


def read_columns(
    data: Any, names: Sequence[str], categories: Sequence[list[str] | None]
) -> tuple[NDArray[Any] | list[NDArray[Any]], int]:
    """Read rows for a model as they lie: an array, or the model's columns of a named table.

    Returns
    -------
    array or list of arrays, int
        Columns are float64 or float32, an array may be of any number type; and the bytes that were
        copied to get there.

    Raises
    ------
    As :func:`read_rows`.
    """
    columns = _named_columns(data)
    if columns is None:
        values = _numeric(data, "X")
        return values, 0 if values is data or values.base is not None else values.nbytes
    missing = [name for name in names if name not in columns]
    if missing:
        raise UnknownColumnError(_missing_message(missing, list(columns)))
    read = []
    for name, known in zip(names, categories, strict=True):
        codes, labels = _read_column(name, columns[name])
        read.append(_recode(name, codes, labels, known))
    # A view of the caller's values owns none.
    given = {id(columns[name]) for name in names}
    copied = sum(c.nbytes for c in read if c.flags.owndata and id(c) not in given)
    return read, copied


def check_names(data: Any, known: Sequence[str]) -> None:
    """Refuse a named table without the columns of a fit, or with them in another order.

    This is scikit-learn's convention for estimators, in its words. Other columns may stand between.

    Raises
    ------
    UnknownColumnError
        If a column is not there.
    InvalidArgumentError
        If the columns stand in another order than in the fit.
    """
    names = list(data) if isinstance(data, dict) else getattr(data, "columns", None)
    names = getattr(data, "column_names", names)  # pyarrow has its columns' values there
    if names is None:
        return
    present = [str(name) for name in names]
    rule = "The feature names should match those that were passed during fit.\n"
    missing = sorted(set(known) - set(present))
    if missing:
        unseen = _listed("Feature names unseen at fit time:\n", sorted(set(present) - set(known)))
        missed = _listed("Feature names seen at fit time, yet now missing:\n", missing)
        raise UnknownColumnError(f"{rule}{unseen}{missed}{_nearest(missing, present)}")
    wanted = set(known)
    if [name for name in present if name in wanted] != list(known):
        raise InvalidArgumentError(
            f"{rule}Feature names must be in the same order as they were in fit.\nPick them by "
            "X[model.feature_names_in_], or predict with model.export_model(), which finds columns "
            "by name in any order"
        )


def _listed(heading: str, names: list[str]) -> str:
    most = 5
    more = "- ...\n" if len(names) > most else ""
    return heading + "".join(f"- {name}\n" for name in names[:most]) + more if names else ""


class _ArrowColumn(NamedTuple):
    """Column `j` of an Arrow table; it is read when it is needed."""

    table: _core.ArrowColumns
    j: int
    in_use_only: bool


def _named_columns(data: Any) -> dict[str, Any] | None:
    if hasattr(data, "toarray") and hasattr(data, "tocsr"):
        raise InvalidDtypeError(
            "the table is a sparse matrix; pass a dense array, for example X.toarray()"
        )
    if isinstance(data, dict):
        return {str(name): column for name, column in data.items()}
    if _speaks_arrow(data):
        table = _core.read_arrow(data)
        _refuse_twice(table.names)
        kinds = getattr(data, "dtypes", None) or [None] * len(table.names)
        columns = zip(table.names, kinds, strict=True)
        return {name: _arrow_column(table, j, kind) for j, (name, kind) in enumerate(columns)}
    names = getattr(data, "columns", None)
    if names is None or not hasattr(data, "__getitem__"):
        return None
    found = [str(name) for name in names]
    _refuse_twice(found)
    return {str(name): data[name] for name in names}


def _refuse_twice(names: list[str]) -> None:
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InvalidArgumentError(f"the column names {twice} stand twice; rename them")


def _speaks_arrow(data: Any) -> bool:
    """Say whether to read data by the Arrow PyCapsule interface (H2, not claimed).

    pandas speaks it by way of pyarrow, which need not be installed, and holds NumPy arrays anyway.
    """
    speaks = hasattr(data, "__arrow_c_array__") or hasattr(data, "__arrow_c_stream__")
    return speaks and not hasattr(data, "iloc")


def _arrow_column(table: _core.ArrowColumns, j: int, kind: Any) -> _ArrowColumn:
    # The labels of a polars Categorical may be shared with other columns; those in use count.
    return _ArrowColumn(table, j, str(kind).startswith("Categorical"))


def _array(data: Any, what: str) -> NDArray[np.float64]:
    return _contiguous(_numeric(data, what))


def _numeric(data: Any, what: str) -> NDArray[Any]:
    """Return the array of rows and columns that the data are, in the type they have."""
    try:
        values = np.asarray(data)
    except ValueError as error:
        raise ShapeMismatchError(f"{what} is not a table of numbers: {error}") from None
    if values.dtype.kind == "c":
        raise InvalidDtypeError(
            f"Complex data not supported: {what} has dtype {values.dtype}; pass real numbers"
        )
    if values.dtype.kind == "O":
        values = _from_objects(values, what)
    elif values.dtype.kind not in "fiub":
        raise InvalidDtypeError(
            f"{what} has dtype {values.dtype}; pass numbers, or a table with categorical columns"
        )
    if values.ndim != 2:
        raise ShapeMismatchError(
            f"Expected 2D array, got {values.ndim}D array instead: {what} is rows x columns. "
            "Reshape your data: for one column use reshape(-1, 1), for one row reshape(1, -1)"
        )
    return values


def _from_objects(values: NDArray[Any], what: str) -> NDArray[np.float64]:
    """Read an object array only when each of its values is a number already."""
    flat = values.ravel()
    if not all(isinstance(v, (int, float, np.integer, np.floating)) for v in flat):
        odd = next(v for v in flat if not isinstance(v, (int, float, np.integer, np.floating)))
        raise InvalidDtypeError(
            f"{what} has dtype object and holds {odd!r}; argument must be a string or a number "
            "table, so convert text to numbers, or pass a table with categorical columns"
        )
    return values.astype(np.float64)


def _contiguous(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return float64 in row or column order; a copy only when the input is neither."""
    if values.dtype != np.float64 or not values.dtype.isnative or not values.flags.aligned:
        values = values.astype(np.float64)
    if values.flags.c_contiguous or values.flags.f_contiguous:
        return values
    return np.ascontiguousarray(values)


def _stack(columns: list[NDArray[Any]]) -> NDArray[np.float64]:
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        raise ShapeMismatchError(f"the columns have different lengths: {sorted(lengths)}")
    if not columns:
        return np.empty((0, 0))
    table = np.empty((len(columns[0]), len(columns)), order="F")
    for j, column in enumerate(columns):
        table[:, j] = column
    return table


def _read_column(name: str, column: Any) -> tuple[NDArray[Any], list[str] | None]:
    """Read one column as (values, None) or (positions, labels)."""
    if _speaks_arrow(column):
        column = _arrow_column(_core.read_arrow(column), 0, getattr(column, "dtype", None))
    if isinstance(column, _ArrowColumn):
        return _read_arrow(name, column)
    if hasattr(column, "cat") and str(column.dtype) == "category":
        codes = np.asarray(column.cat.codes, dtype=np.float64)
        codes[codes < 0] = np.nan
        return codes, [str(label) for label in column.cat.categories]
    values = _nullable(column) if hasattr(column, "to_numpy") else np.asarray(column)
    return _numbers(name, values), None


def _nullable(column: Any) -> NDArray[Any]:
    """Read a pandas column; a nullable number becomes NaN where it is absent."""
    dtype = getattr(column, "dtype", None)
    if hasattr(dtype, "na_value") and getattr(dtype, "kind", "O") in "iufb":
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.asarray(column.to_numpy())


def _read_arrow(name: str, column: _ArrowColumn) -> tuple[NDArray[Any], list[str] | None]:
    try:
        values, labels = column.table.column(column.j)
    except InvalidDtypeError as error:
        # A column by itself does not know what its table calls it.
        raise InvalidDtypeError(str(error).replace("column ''", f"column {name!r}")) from None
    if labels is None or not column.in_use_only:
        return values, labels
    used = sorted({labels[int(code)] for code in values[~np.isnan(values)]})
    return _recode(name, values, labels, used), used


def _numbers(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Return float64, or float32 where the column is that."""
    if values.ndim != 1:
        raise ShapeMismatchError(f"column {name!r} has {values.ndim} dimensions, expected 1")
    if values.dtype.kind == "O" and all(isinstance(v, (bool, type(None))) for v in values):
        values = np.array([np.nan if v is None else float(v) for v in values])
    if values.dtype.kind not in "fiub":
        raise InvalidDtypeError(_text_message(name))
    if values.dtype == np.float32 and values.dtype.isnative:
        return values
    return values.astype(np.float64, copy=False)


def _text_message(name: str) -> str:
    return (
        f"column {name!r} holds text or objects; make it numeric, or give it a categorical "
        "dtype so that its labels are part of the model"
    )


def _recode(
    name: str, codes: NDArray[Any], labels: list[str] | None, known: list[str] | None
) -> NDArray[Any]:
    """Carry positions over from the column's own labels to the model's."""
    if labels is None or known is None or labels == known:
        if labels is not None and known is None:
            raise InvalidDtypeError(
                f"column {name!r} is categorical, the model was fitted on numbers there"
            )
        return codes
    used = {int(code) for code in codes[~np.isnan(codes)]}
    place = {label: float(i) for i, label in enumerate(known)}
    unknown = sorted(labels[code] for code in used if labels[code] not in place)
    if unknown:
        raise InvalidValueError(
            f"column {name!r} holds {unknown[0]!r}, which the model does not know; "
            f"its categories are {known}"
        )
    table = np.array([place.get(label, np.nan) for label in labels] + [np.nan])
    positions: NDArray[np.float64] = table[np.where(np.isnan(codes), -1, codes).astype(int)]
    return positions


def _missing_message(missing: list[str], present: list[str]) -> str:
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    return (
        "The feature names should match those that were passed during fit: there is no column "
        f"{', '.join(map(repr, missing[:5]))}{more}; the table has {present[:20]}"
        f"{_nearest(missing, present)}"
    )


def _nearest(missing: list[str], present: list[str]) -> str:
    import difflib  # late: only an error needs it

    near = [(name, difflib.get_close_matches(name, present, n=1)) for name in missing[:5]]
    meant = [f"{name!r} (is {close[0]!r} meant?)" for name, close in near if close]
    return f"; {', '.join(meant)}" if meant else ""
