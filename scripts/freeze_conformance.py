# Language policy: EXEMPT from the Rust-path rule. Writes test data that the floor computes.
"""Write the conformance vectors from the Python floor, and the manifest with their digests.

Run it only to add vectors; changing one needs a note in CHANGELOG.md. With `--check` it writes
nothing and exits 1 when the committed files differ from what the floor gives.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from pymars.accel import floor

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "conformance"
COMMAND = "python scripts/freeze_conformance.py"

FEATURES: list[dict[str, Any]] = [
    {"name": "x"},
    {"name": "z"},
    {"name": "c", "categories": ["red", "green", "blue"]},
    {"name": "w"},
]
IMPUTES = [0.25, -1.5, 1, 2.0]
# Values at, near and far from the knots; the last rows are missing in one column each.
ROWS: list[list[float | None]] = [
    [0.5, -1.0, 0, 3.0],
    [0.5000000000000001, 0.1, 1, -3.0],
    [-7.25, 1e-3, 2, 0.1],
    [1e6, -1e6, 0, 1e-9],
    [0.1, 0.2, 2, 0.30000000000000004],
]
MISSING_ROWS: list[list[float | None]] = [
    [None, 0.2, 1, 0.3],
    [0.1, None, 1, 0.3],
    [0.1, 0.2, None, 0.3],
    [0.1, 0.2, 2, None],
    [None, None, None, None],
]
KINDS: dict[str, dict[str, Any]] = {
    "linear": {"kind": "linear", "feature": 0},
    "hinge_right": {"kind": "hinge", "feature": 0, "knot": 0.5, "side": "right"},
    "hinge_left": {"kind": "hinge", "feature": 0, "knot": 0.1, "side": "left"},
    "categorical": {"kind": "categorical", "feature": 2, "levels": ["red", "blue"]},
    "missingness_missing": {"kind": "missingness", "feature": 0, "when": "missing"},
    "missingness_present": {"kind": "missingness", "feature": 0, "when": "present"},
}
PARENTS: dict[str, dict[str, Any]] = {
    "hinge": {"kind": "hinge", "feature": 1, "knot": 0.1, "side": "left"},
    "linear": {"kind": "linear", "feature": 3},
}


def terms(kind: str, degree: int, parent: str) -> list[dict[str, Any]]:
    """List an intercept and a chain of `degree` factors that ends in the kind."""
    chain: list[dict[str, Any]] = [{"kind": "constant", "coefficients": [0.1, -2.0]}]
    for depth in range(1, degree):
        node = dict(PARENTS[parent] if depth == 1 else PARENTS["linear"])
        if depth > 1:
            node["parent"] = len(chain) - 1
        chain.append(node)
    last = dict(KINDS[kind])
    if degree > 1:
        last["parent"] = len(chain) - 1
    chain.append(last | {"coefficients": [1.7, 1 / 3]})
    return chain


def interactions() -> list[dict[str, Any]]:
    """List products of terms by position, one of them of another product."""
    return [
        {"kind": "constant", "coefficients": [0.1, -2.0]},
        KINDS["hinge_right"],
        PARENTS["hinge"],
        KINDS["categorical"],
        {"kind": "interaction", "parents": [1, 2], "coefficients": [1.0, 0.5]},
        {"kind": "interaction", "parents": [4, 3], "coefficients": [-1.0, 0.7]},
        {"kind": "interaction", "parents": [3, 2, 1], "coefficients": [0.3, 0.1]},
    ]


# Linear predictors from -760 to 760 and around 0, where the branches of the links meet.
LINK_ROWS: list[list[float | None]] = [
    [x]
    for x in (
        *(-760.0, -745.5, -700.0, -40.0, -36.7, -5.5, -1.0, -0.8, -0.7, -0.5, -1e-9, 0.0),
        *(1e-17, 0.1, 0.3, 0.34657359027997264, 0.5, 1.0, 2.3, 3.7, 30.0, 37.5, 700.0),
    )
]
LINKS = ("logit", "cloglog", "log", "inverse", "softmax")


def link_case(link: str, missing: str) -> dict[str, Any]:
    """Evaluate a linear model of one feature through a link."""
    spec = {
        "spec_version": "1.1",
        "allow_missing": missing != "forbidden",
        "features": [{"name": "x"}],
        "responses": ["first", "second", "third"],
        "link": link,
        "terms": [
            {"kind": "constant", "coefficients": [0.125, -0.3, 0.0625]},
            {"kind": "linear", "feature": 0, "coefficients": [1.0, -0.5, 0.03125]},
        ],
    }
    absent: list[list[float | None]] = [[None]]
    rows = LINK_ROWS if missing == "forbidden" else LINK_ROWS + absent
    return evaluated(f"{link}, missing {missing}", spec, rows)


def case(name: str, model_terms: list[dict[str, Any]], missing: str) -> dict[str, Any]:
    """Evaluate one model under one way of handling missing values."""
    features = [dict(feature) for feature in FEATURES]
    if missing == "imputed":
        for feature, value in zip(features, IMPUTES, strict=True):
            feature["impute"] = value
    spec = {
        "spec_version": "1.0",
        "allow_missing": missing != "forbidden",
        "features": features,
        "responses": ["first", "second"],
        "terms": model_terms,
    }
    rows = ROWS if missing == "forbidden" else ROWS + MISSING_ROWS
    return evaluated(f"{name}, missing {missing}", spec, rows)


def evaluated(name: str, spec: dict[str, Any], rows: list[list[float | None]]) -> dict[str, Any]:
    """Write down what the floor makes of a model and rows."""
    x = np.array(rows, dtype=np.float64)
    return {
        "name": name,
        "spec": spec,
        "rows": rows,
        "design_matrix": numbers(floor.design_matrix(spec, x)),
        "predictions": numbers(floor.predict(spec, x)),
    }


def numbers(table: Any) -> list[list[float | None]]:
    """List a table with null for NaN; JSON text gives every other value back bit for bit."""
    return [[None if np.isnan(v) else float(v) for v in row] for row in table]


def build() -> dict[str, str]:
    """Render every file by its path below tests/conformance."""
    files = {}
    for kind in KINDS:
        cases = [
            case(f"{kind}, degree {degree}, parent {parent if degree > 1 else 'none'}", chain, how)
            for how in ("forbidden", "propagated", "imputed")
            for degree in (1, 2, 3)
            for parent in (PARENTS if degree > 1 else ["hinge"])
            for chain in [terms(kind, degree, parent)]
        ]
        files[f"cases/{kind}.json"] = dump(cases)
    files["cases/interaction.json"] = dump(
        [case("interaction", interactions(), how) for how in ("forbidden", "propagated", "imputed")]
    )
    constant = [{"kind": "constant", "coefficients": [0.1, -2.0]}]
    files["cases/constant.json"] = dump(
        [case("constant", constant, how) for how in ("forbidden", "propagated")]
    )
    files["cases/link.json"] = dump(
        [link_case(link, how) for link in LINKS for how in ("forbidden", "propagated")]
    )
    hostile = json.loads((FOLDER / "hostile" / "expected.json").read_text())
    manifest = {
        "about": "Null stands for NaN. Every other value is met bit for bit by every language.",
        "spec_version": "1.1",
        "written_by": COMMAND,
        "capabilities": {
            "missing": True,
            "categorical": True,
            "several_responses": True,
            "links": True,
        },
        "cases": {path: sha256(text) for path, text in sorted(files.items())},
        "hostile": {
            f"hostile/{name}": sha256((FOLDER / "hostile" / name).read_text())
            for name in sorted(hostile)
        },
    }
    files["manifest.json"] = json.dumps(manifest, indent=2) + "\n"
    return files


def dump(cases: list[dict[str, Any]]) -> str:
    """Write one case a line, so that a change shows as one line."""
    return "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n"


def sha256(text: str) -> str:
    """Digest a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> int:
    """Write or check the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 on a difference"
    )
    check = parser.parse_args().check
    differing = []
    for name, text in build().items():
        path = FOLDER / name
        if not path.exists() or path.read_text() != text:
            differing.append(name)
            if not check:
                path.write_text(text)
    for name in differing:
        print(f"{'differs' if check else 'wrote'}: tests/conformance/{name}")
    if check and differing:
        print(f"run: {COMMAND}, and say why in CHANGELOG.md", file=sys.stderr)
    return 1 if check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
