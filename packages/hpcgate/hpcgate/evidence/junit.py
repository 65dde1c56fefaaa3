# Language policy: EXEMPT from the Rust-path rule. Reads XML names; no computation.
"""Read which tests of a JUnit XML file passed and which failed."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from hpcgate.errors import GateError

__all__ = ["read_junit"]


def read_junit(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the tests that passed and of those that failed, sorted.

    A skipped test is in neither. An error counts as a failure.

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
    (('t::a',), ())
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
    passed, failed = set(), set()
    for case in tree.iter("testcase"):
        name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failed.add(name)
        elif "skipped" not in kinds:
            passed.add(name)
    # A parametrised test may share its name with a failing sibling; the failure decides.
    return tuple(sorted(passed - failed)), tuple(sorted(failed))
