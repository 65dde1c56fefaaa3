# Language policy: EXEMPT from the Rust-path rule. Writes SVG from numbers that are recorded.
"""Drawings of benchmark records as SVG, for a page without scripts.

A drawing is text: positions along the axis are percentages, so that it takes the width it is given
and its words keep their size; colours are classes, so that it follows light and dark. A plotting
library would draw letters as outlines in fixed colours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup, escape

__all__ = ["plot"]

ROW, TOP, LEFT, WIDTH = 46, 8, 2.0, 96.0
# No measurement lies outside of these; numbers that do would break the axis.
LEAST, MOST = 1e-100, 1e100


class Mark(NamedTuple):
    """One value in a row; `odd` draws another shape, `name` is read out and shown on hover."""

    value: float
    name: str
    odd: bool = False
    low: float | None = None
    high: float | None = None


def plot(record: Mapping[str, Any], cases: Sequence[Mapping[str, Any]]) -> str:
    """Draw a benchmark record: differences against their tolerance, or times on a log scale.

    Returns an empty text for a record without either; its table then is all there is.

    Examples
    --------
    >>> cases = [{"data": "a, split 0", "difference": 0.1}, {"data": "a, split 1", "difference": 0}]
    >>> plot({"tolerance": 0.5}, cases).count("<circle")
    2
    """
    tolerance = _number(record, "tolerance")
    if tolerance is not None and tolerance > LEAST:
        return _differences(cases, tolerance)
    return _times(cases)


def _differences(cases: Sequence[Mapping[str, Any]], tolerance: float) -> str:
    rows: dict[str, list[Mark]] = {}
    for case in cases:
        value = _number(case, "difference")
        if value is not None:
            mark = Mark(value, f"{_label(case)}: {value:.2g}", abs(value) > tolerance)
            rows.setdefault(_group(case), []).append(mark)
    if not rows:
        return ""
    most = max(tolerance, *(abs(mark.value) for marks in rows.values() for mark in marks)) * 1.08
    step = _step(2 * most)
    ticks = [n * step for n in range(-math.floor(most / step), math.floor(most / step) + 1)]

    def place(value: float) -> float:
        return LEFT + WIDTH * (value + most) / (2 * most)

    band = (place(-tolerance), place(tolerance))
    title = f"Differences by group; the band is the tolerance of {tolerance:g} to either side of 0"
    drawing = _draw(rows, place, [(tick, f"{tick:.10g}") for tick in ticks], title, band)
    legend = f"A dot differs by at most {tolerance:g}, the shaded band; a diamond differs by more."
    return drawing + _legend(legend)


def _times(cases: Sequence[Mapping[str, Any]]) -> str:
    """Put the recorded times of each case on one axis, and their quartiles where they are known."""
    rows: dict[str, list[Mark]] = {}
    for case in cases:
        for key in case:
            value = _number(case, key)
            if not key.endswith("_seconds") or value is None or value < LEAST:
                continue
            low, high = _number(case, f"{key}_q1"), _number(case, f"{key}_q3")
            spread = low is not None and high is not None and LEAST < low <= high
            name = f"{key.removesuffix('_seconds').replace('_', ' ')}: {value:.3g} s"
            label = ", ".join(filter(None, (_label(case), name)))
            mark = Mark(value, label, False, low if spread else None, high if spread else None)
            rows.setdefault(label, []).append(mark)
    if not rows:
        return ""
    values = [v for marks in rows.values() for m in marks for v in (m.value, m.low, m.high) if v]
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    last = max(last, first + 1)

    def place(value: float) -> float:
        return LEFT + WIDTH * (math.log10(value) - first) / (last - first)

    every = max(1, math.ceil((last - first) / 4))
    ticks = [(10.0**n, f"{10.0**n:g} s") for n in range(first, last + 1, every)]
    title = "Seconds on a logarithmic scale, less is better; a bar spans the quartiles"
    return _draw(rows, place, ticks, title) + _legend(f"{title}.")


def _draw(
    rows: Mapping[str, Sequence[Mark]],
    place: Callable[[float], float],
    ticks: Sequence[tuple[float, str]],
    title: str,
    band: tuple[float, float] | None = None,
) -> Markup:
    """Put rows of marks below each other, over one axis."""
    bottom = TOP + ROW * len(rows)
    height = bottom + 26
    size = f'width="100%" height="{height}"'
    parts = [f'<svg class="plot" role="img" {size} aria-label="{escape(title)}">']
    if band:
        parts.append(
            f'<rect class="band" x="{band[0]:.2f}%" y="{TOP}" width="{band[1] - band[0]:.2f}%" '
            f'height="{bottom - TOP}"/>'
        )
    for value, label in ticks:
        x = place(value)
        anchor = "start" if x < 8 else "end" if x > 92 else "middle"
        parts.append(f'<line class="grid" x1="{x:.2f}%" x2="{x:.2f}%" y1="{TOP}" y2="{bottom}"/>')
        parts.append(
            f'<text class="tick" x="{x:.2f}%" y="{bottom + 18}" text-anchor="{anchor}">'
            f"{escape(label)}</text>"
        )
    for number, (label, marks) in enumerate(rows.items()):
        top = TOP + ROW * number
        parts.append(f'<text class="row" x="{LEFT}%" y="{top + 16}">{escape(label)}</text>')
        parts += [_mark(mark, place, top + 32) for mark in marks]
    return Markup("".join([*parts, "</svg>"]))


def _legend(words: str) -> Markup:
    return Markup('<p class="small">{}</p>').format(words)


def _mark(mark: Mark, place: Callable[[float], float], y: int) -> str:
    x = f"{place(mark.value):.2f}%"
    title = f"<title>{escape(mark.name)}</title>"
    line = ""
    if mark.low is not None and mark.high is not None:
        low, high = place(mark.low), place(mark.high)
        line = f'<line class="spread" x1="{low:.2f}%" x2="{high:.2f}%" y1="{y}" y2="{y}"/>'
    if mark.odd:
        # A nested svg moves a shape by percentages; a path knows pixels only.
        shape = f'<path class="odd" d="M0-6L6 0 0 6-6 0z">{title}</path>'
        return f'<svg class="at" x="{x}" y="{y}">{shape}</svg>'
    return f'{line}<circle class="dot" cx="{x}" cy="{y}" r="5">{title}</circle>'


def _group(case: Mapping[str, Any]) -> str:
    """Name the row of a case: its words without the number of the split, and its degree."""
    words = [str(v).partition(", split")[0] for v in case.values() if isinstance(v, str)]
    degree = [f"degree {case['degree']}"] if isinstance(case.get("degree"), int) else []
    return ", ".join([*words, *degree]) or "all"


def _label(case: Mapping[str, Any]) -> str:
    """Name one case by its words and whole numbers."""
    parts = []
    for key, value in case.items():
        if isinstance(value, str):
            parts.append(value)
        elif isinstance(value, int) and not isinstance(value, bool) and "terms" not in key:
            parts.append(f"{key} {value}")
    return ", ".join(parts)


def _step(span: float) -> float:
    """Return the round distance that puts about five ticks on an axis."""
    power: float = 10.0 ** math.floor(math.log10(span / 5))
    return next(power * n for n in (1, 2, 5, 10) if span / (power * n) <= 6)


def _number(case: Mapping[str, Any], key: str) -> float | None:
    """Return a value if it is a number that an axis can hold."""
    value = case.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MOST:
        return float(value)
    return None
