"""Inputs become one float64 table, in place where they are one already."""

import numpy as np
import pandas as pd
import pytest

from pymars.errors import InvalidArgumentError, InvalidDtypeError, ShapeMismatchError
from pymars.tables import read_rows, read_table

X = np.arange(12.0).reshape(6, 2)


@pytest.mark.parametrize("array", [X, np.asfortranarray(X), X.T.copy().T])
def test_a_contiguous_array_is_taken_as_it_is(array):
    assert np.shares_memory(read_table(array).values, array)
    assert np.shares_memory(read_rows(array, ["a", "b"], [None, None]), array)


@pytest.mark.parametrize("array", [X[::2], X[::-1], X.astype(np.float32), X.astype(int)])
def test_any_other_array_is_read_once(array):
    values = read_table(array).values
    assert values.dtype == np.float64
    assert values.flags.c_contiguous or values.flags.f_contiguous
    assert np.array_equal(values, array)


def test_booleans_and_nullable_numbers_are_numbers():
    frame = pd.DataFrame(
        {"flag": [True, False, True], "count": pd.array([1, None, 3], dtype="Int32")}
    )
    expected = np.array([[1.0, 1.0], [0.0, np.nan], [1.0, 3.0]])
    assert np.array_equal(read_table(frame).values, expected, equal_nan=True)


def test_tables_that_cannot_be_read():
    with pytest.raises(InvalidArgumentError, match="stand twice"):
        read_table(pd.DataFrame(X, columns=["a", "a"]))
    with pytest.raises(ShapeMismatchError, match="different lengths"):
        read_table({"a": np.ones(2), "b": np.ones(3)})
    with pytest.raises(InvalidDtypeError, match="'when' holds text or objects"):
        read_table({"when": np.array(["2026-01-01"], dtype="datetime64[D]")})
    with pytest.raises(InvalidDtypeError, match="categorical"):
        frame = pd.DataFrame({"a": pd.Categorical(["u", "v"])})
        read_rows(frame, ["a"], [None])
