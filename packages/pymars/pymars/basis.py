# Language policy: EXEMPT from the Rust-path rule. Describes terms in words; no computation.
"""Terms of a model, as values one can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Term", "terms_of"]


@dataclass(frozen=True, slots=True)
class Term:
    """One basis function that is a column of the design matrix.

    Attributes
    ----------
    factors : tuple of str
        Its non-constant factors from left to right, such as `h(x0-0.5)`.
    coefficients : tuple of float
        One per response.

    Examples
    --------
    >>> str(Term(("h(x-1)", "z"), (2.0,)))
    'h(x-1)*z'
    """

    factors: tuple[str, ...]
    coefficients: tuple[float, ...]

    @property
    def degree(self) -> int:
        """Number of non-constant factors."""
        return len(self.factors)

    def __str__(self) -> str:
        return "*".join(self.factors) or "(Intercept)"


def terms_of(spec: Mapping[str, Any]) -> list[Term]:
    """List the terms of a valid ModelSpec, in order.

    Examples
    --------
    >>> spec = {"features": [{"name": "x"}], "terms": [
    ...     {"kind": "hinge", "feature": 0, "knot": 1.5, "side": "left", "coefficients": [2.0]}]}
    >>> [str(term) for term in terms_of(spec)]
    ['h(1.5-x)']
    """
    names = [feature["name"] for feature in spec["features"]]
    factors: list[tuple[str, ...]] = []
    terms = []
    for term in spec["terms"]:
        parents = term.get("parents", [term["parent"]] if "parent" in term else [])
        own = tuple(factor for parent in parents for factor in factors[parent])
        label = _label(term, names)
        factors.append((*own, label) if label else own)
        if "coefficients" in term:
            terms.append(Term(factors[-1], tuple(term["coefficients"])))
    return terms


def _label(term: Mapping[str, Any], names: list[str]) -> str:
    kind = term["kind"]
    if kind in ("constant", "interaction"):
        return ""
    name: str = names[term["feature"]]
    if kind == "linear":
        return name
    if kind == "hinge":
        knot = f"{term['knot']:.6g}"
        if term["side"] == "left":
            return f"h({knot}-{name})"
        return f"h({name}{knot.replace('-', '+', 1) if term['knot'] < 0 else '-' + knot})"
    if kind == "categorical":
        return f"{name} in {{{', '.join(term['levels'])}}}"
    return f"{term['when']}({name})"
