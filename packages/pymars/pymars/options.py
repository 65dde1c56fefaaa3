# Language policy: EXEMPT from the Rust-path rule. Checks arguments; the core fits.
"""Keyword arguments of the estimator as the core takes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from pymars.errors import InvalidArgumentError, UnknownColumnError

__all__ = [
    "allowed_question",
    "compat_rules",
    "feature_groups",
    "feature_numbers",
    "real_number",
    "row_span",
    "whole_number",
    "yes_or_no",
]

Question = Callable[[int, int, list[int]], bool]
_ARGUMENTS = ("degree", "pred", "parents", "names", "first")


def whole_number(value: Any, name: str, optional: bool = False) -> int | None:
    """Read a whole number of 0 or more, or None.

    Examples
    --------
    >>> whole_number(np.int64(3), "max_degree")
    3
    """
    if value is None and optional:
        return None
    if _is_whole(value) and 0 <= value < 2**62:
        return int(value)
    also = " or None" if optional else ""
    raise InvalidArgumentError(f"{name} is {value!r}; pass a whole number of 0 or more{also}")


def real_number(value: Any, name: str) -> float:
    """Read a number.

    Examples
    --------
    >>> real_number(2, "penalty")
    2.0
    """
    if _is_whole(value) or isinstance(value, (float, np.floating)):
        return float(value)
    raise InvalidArgumentError(f"{name} is {value!r}; pass a number")


def yes_or_no(value: Any, name: str) -> bool:
    """Read a truth value.

    Examples
    --------
    >>> yes_or_no(True, "auto_linpreds")
    True
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise InvalidArgumentError(f"{name} is {value!r}; pass True or False")


def row_span(value: Any, name: str) -> tuple[str, float]:
    """Read `minspan` or `endspan`: rows, knots (negative) or a risk (a fraction).

    Examples
    --------
    >>> row_span(None, "minspan"), row_span(5, "minspan"), row_span(-3, "minspan")
    (('auto', 0.0), ('rows', 5.0), ('knots', 3.0))
    >>> row_span(0.01, "endspan")
    ('alpha', 0.01)
    """
    if value is None or (_is_whole(value) and value == 0):
        return "auto", 0.0
    if _is_whole(value) and abs(value) < 2**53:
        return ("rows" if value > 0 else "knots"), float(abs(value))
    if isinstance(value, (float, np.floating)) and 0 < value < 1:
        return "alpha", float(value)
    raise InvalidArgumentError(
        f"{name} is {value!r}; pass rows (a whole number), a risk between 0 and 1, or None"
    )


def compat_rules(value: Any) -> bool:
    """Tell whether the rules of R earth are asked for.

    Examples
    --------
    >>> compat_rules("earth"), compat_rules(None)
    (True, False)
    """
    if value is None or (isinstance(value, str) and value == "earth"):
        return value is not None
    raise InvalidArgumentError(f'compat is {value!r}; pass "earth" or None')


def feature_numbers(chosen: Any, names: Sequence[str], option: str) -> list[int]:
    """Find the positions of features given by name or position, one or several, or as a mask.

    True stands for all, False for none.

    Examples
    --------
    >>> feature_numbers(["b", 0], ["a", "b"], "linpreds")
    [1, 0]
    >>> feature_numbers([False, True], ["a", "b"], "linpreds")
    [1]
    """
    if chosen is None:
        return []
    if isinstance(chosen, (bool, np.bool_)):
        return list(range(len(names))) if chosen else []
    single = isinstance(chosen, str) or _is_whole(chosen)
    if not single and not isinstance(chosen, Iterable):
        raise InvalidArgumentError(f"{option} is {chosen!r}; pass names or positions of features")
    several = [chosen] if single else list(chosen)
    if several and all(isinstance(one, (bool, np.bool_)) for one in several):
        if len(several) != len(names):
            raise InvalidArgumentError(
                f"{option} has {len(several)} flags for {len(names)} features; pass one per feature"
            )
        return [number for number, one in enumerate(several) if one]
    return [_number(one, names, option) for one in several]


def feature_groups(allowed: Any, names: Sequence[str]) -> list[list[int]] | None:
    """Read `allowed` as groups of features; None when it is no list.

    Examples
    --------
    >>> feature_groups([{"a"}, ("a", 1)], ["a", "b"])
    [[0], [0, 1]]
    """
    if allowed is None or callable(allowed):
        return None
    if isinstance(allowed, str) or not isinstance(allowed, Iterable):
        raise InvalidArgumentError(
            f"allowed is {allowed!r}; pass a function or groups of features that may meet"
        )
    groups = list(allowed)
    for group in groups:
        if isinstance(group, str) or not isinstance(group, Iterable):
            raise InvalidArgumentError(
                f"allowed holds {group!r}; each group is a list or set of features"
            )
    return [feature_numbers(group, names, "allowed") for group in groups]


def allowed_question(allowed: Any, names: Sequence[str]) -> Question | None:
    """Wrap a function `allowed(degree, pred, parents[, names[, first]])` for the core.

    Examples
    --------
    >>> ask = allowed_question(lambda degree, pred, parents: pred != 1, ["a", "b"])
    >>> ask(1, 0, [0, 0]), ask(1, 1, [0, 0])
    (True, False)
    """
    if not callable(allowed):
        return None
    known = list(names)
    count = _count_arguments(allowed)
    first = True

    def ask(degree: int, pred: int, parents: list[int]) -> bool:
        nonlocal first
        is_first, first = first, False
        answer = allowed(*(degree, pred, parents, known, is_first)[:count])
        if isinstance(answer, (bool, np.bool_)) or _is_whole(answer):
            return bool(answer)
        raise InvalidArgumentError(f"allowed returned {answer!r}; return True or False")

    return ask


def _count_arguments(function: Callable[..., Any]) -> int:
    try:
        kinds = [p.kind for p in inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        return len(_ARGUMENTS)
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return len(_ARGUMENTS)
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    count = sum(kind in places for kind in kinds)
    if not 3 <= count <= len(_ARGUMENTS):
        raise InvalidArgumentError(
            f"allowed takes {count} arguments; it is called with the first 3 to 5 of "
            + ", ".join(_ARGUMENTS)
        )
    return count


def _number(one: Any, names: Sequence[str], option: str) -> int:
    if isinstance(one, str):
        if one not in names:
            raise UnknownColumnError(f"{option} names {one!r}; the features are {list(names)}")
        return list(names).index(one)
    if _is_whole(one) and 0 <= one < len(names):
        return int(one)
    raise InvalidArgumentError(
        f"{option} holds {one!r}; pass names, or positions from 0 to {len(names) - 1}"
    )


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
