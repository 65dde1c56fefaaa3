# Language policy: EXEMPT from the Rust-path rule. Fills a template with records; no computation.
"""One page for a reviewer: level, requirements, records, benchmarks, claims and packets.

The page is one HTML file without a script and without anything from elsewhere. The same checkout at
the same moment gives the same bytes; `SOURCE_DATE_EPOCH` fixes the moment.
"""

from __future__ import annotations

import os
from base64 import b64encode
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hpcgate.errors import GateError
from hpcgate.levels import ago, level_name
from hpcgate.page.collect import Content, collect
from hpcgate.repo import write_text

__all__ = ["PAGE", "moment", "render", "write"]

PAGE = Path("build/evidence.html")


def render(root: Path, *, now: datetime | None = None, release: bool = False) -> str:
    """Return the page of a checkout as HTML text.

    Parameters
    ----------
    now : datetime, optional
        The moment that ages are counted to; by default `moment()`.
    release : bool
        Whether only current records count.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> render(find_root()).startswith("<!doctype html>")  # doctest: +SKIP
    True
    """
    return _fill(collect(root.resolve(), release=release), now or moment())


def write(root: Path, *, release: bool = False) -> Path:
    """Write the page below `build/` and return its path."""
    path = root / PAGE
    write_text(path, render(root, release=release))
    return path


def moment() -> datetime:
    """Return the moment the page speaks of: `SOURCE_DATE_EPOCH` where it is set, else now.

    Examples
    --------
    >>> os.environ["SOURCE_DATE_EPOCH"] = "0"
    >>> moment().isoformat()
    '1970-01-01T00:00:00+00:00'
    >>> del os.environ["SOURCE_DATE_EPOCH"]
    """
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not given:
        return datetime.now(timezone.utc).replace(microsecond=0)
    try:
        return datetime.fromtimestamp(int(given), timezone.utc)
    except (ValueError, OverflowError, OSError):
        raise GateError(f"SOURCE_DATE_EPOCH={given!r} is no number of seconds") from None


def _fill(content: Content, now: datetime) -> str:
    environment = Environment(
        loader=PackageLoader("hpcgate.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["when"] = _when
    environment.filters["level"] = level_name
    environment.filters["number"] = _number
    environment.globals["ago"] = lambda when: ago(max(now - when, timedelta()))
    style = environment.get_template("style.css").render()
    text = environment.get_template("page.html").render(
        content=content,
        now=now,
        style=Markup(style),  # our own file; everything else is escaped
        style_digest=b64encode(sha256(style.encode()).digest()).decode(),
    )
    # A name may hold bytes that are no UTF-8; the page spells them out.
    return text.encode("utf-8", "backslashreplace").decode() + "\n"


def _when(when: datetime) -> str:
    return f"{when.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


def _number(value: object) -> str:
    """Write a number shortly; words stay words."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
