# Language policy: EXEMPT from the Rust-path rule. Reads XML names; no computation.
"""Read which tests of a JUnit XML file passed and which failed."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

from hpcgate.errors import GateError

__all__ = ["read_junit"]


def read_junit(path: Path, only: str = "") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tests that passed, by file with their number, and the names of those that failed.

    A skipped test is in neither. An error counts as a failure. With `only`, tests whose name does
    not hold that text are left out.

    Raises
    ------
    GateError
        If the file is missing, is not XML, or declares entities (no test tool writes those).

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "junit.xml"
    ...     _ = path.write_text('<testsuite><testcase classname="t" name="a"/></testsuite>')
    ...     read_junit(path)
    (('t (1)',), ())
    """
    try:
        content = path.read_bytes()
        if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
            raise GateError(f"{path}: declares entities, which no test tool writes")
        tree = ElementTree.fromstring(content)
    except OSError as error:
        raise GateError(f"{path}: cannot be read: {error.strerror}") from None
    except ElementTree.ParseError as error:
        raise GateError(f"{path}: not JUnit XML: {error}") from None
    passed: Counter[str] = Counter()
    failed = set()
    for case in tree.iter("testcase"):
        group = case.get("classname") or "tests"
        name = f"{group}::{case.get('name')}"
        kinds = {child.tag for child in case}
        if only not in name:
            continue
        if kinds & {"failure", "error"}:
            failed.add(name)
        elif "skipped" not in kinds:
            passed[group] += 1
    return tuple(f"{group} ({n})" for group, n in sorted(passed.items())), tuple(sorted(failed))
