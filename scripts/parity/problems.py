# Language policy: EXEMPT from the Rust-path rule. Lists the problems that both programs fit.
"""The problems of the comparison with R earth: a table and options, by `pymars.Earth`'s names.

They were chosen before the rules were worked out, and none of them was used for that.
"""

from __future__ import annotations

from typing import Any

__all__ = ["PROBLEMS", "SEED"]

SEED = 20261122

D2: dict[str, Any] = {"max_degree": 2}
D3: dict[str, Any] = {"max_degree": 3}
ALL: dict[str, Any] = {"thresh": 0.0, "fast_k": 0}

#: name: table, options, and `weights` (a column) where there are any
PROBLEMS: dict[str, tuple[str, dict[str, Any]]] = {
    "trees": ("trees", {}),
    "trees, degree 2": ("trees", D2),
    "trees, spans": ("trees", {"max_terms": 9, "minspan": 1, "endspan": 2}),
    "ozone": ("ozone1", {}),
    "ozone, degree 2": ("ozone1", D2),
    "ozone, degree 3": ("ozone1", {**D3, "max_terms": 41}),
    "ozone, three knots": ("ozone1", {**D2, "minspan": -3}),
    "ozone, linear": ("ozone1", {**D2, "linpreds": ["temp", "vis"]}),
    "ozone, no linear": ("ozone1", {"auto_linpreds": False}),
    "ozone, full search": ("ozone1", {**D2, **ALL, "max_terms": 31}),
    "titanic": ("etitanic", {}),
    "titanic, degree 2": ("etitanic", D2),
    "titanic, degree 3": ("etitanic", {**D3, "penalty": 2.0}),
    "diabetes": ("diabetes", {}),
    "diabetes, degree 2": ("diabetes", D2),
    "diabetes, degree 3": ("diabetes", {**D3, "max_terms": 31}),
    "friedman": ("friedman", {}),
    "friedman, degree 2": ("friedman", D2),
    "friedman, short queue": (
        "friedman",
        {**D2, "max_terms": 41, "thresh": 1e-4, "fast_k": 5, "fast_beta": 0.0},
    ),
    "friedman, new variables": ("friedman", {**D2, "newvar_penalty": 0.2}),
    "friedman, spans": ("friedman", {"minspan": 3, "endspan": 10}),
    "friedman, endspan": ("friedman", {**D2, "endspan": 25, "adjust_endspan": 0.0}),
    "additive": ("additive", {}),
    "additive, long": ("additive", {"max_terms": 61, "thresh": 1e-4}),
    "product": ("product", D2),
    "product, allowed": ("product", {**D2, "allowed": "x0 alone"}),
    "product, groups": ("product", {**D2, "allowed": "groups"}),
    "threeway": ("threeway", D3),
    "threeway, short queue": ("threeway", {**D3, "fast_k": 3, "max_terms": 41}),
    "threeway, slow ageing": ("threeway", {**D3, "fast_k": 8, "fast_beta": 0.5, "max_terms": 41}),
    "ties": ("ties", {}),
    "ties, degree 2": ("ties", D2),
    "ties, every value": ("ties", {**D2, "minspan": 1, "endspan": 1}),
    "responses": ("responses", {}),
    "responses, degree 2": ("responses", D2),
    "responses, scaled": ("responses", {**D2, "scale_y": True}),
    "weights": ("weights", {"weights": "w"}),
    "weights, degree 2": ("weights", {**D2, "weights": "w"}),
    "weights, zeros": ("weights", {"weights": "w0"}),
    "weights, equal": ("weights", {**D2, "weights": "w2"}),
    "factors": ("factors", {}),
    "factors, degree 2": ("factors", D2),
    "factors, linear": ("factors", {**D2, "linpreds": [1]}),
    "units": ("units", D2),
    "noise": ("noise", {}),
    "noise, free knots": ("noise", {**D2, "penalty": 0.0}),
    "noise, no penalty": ("noise", {"penalty": -1.0}),
    "wide": ("wide", {}),
    "wide, degree 2": ("wide", D2),
    "small columns": ("small", D2),
    "curve": ("curve", {"max_terms": 30}),
    "curve, five knots": ("curve", {"minspan": -5}),
}
