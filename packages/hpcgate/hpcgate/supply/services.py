# Language policy: EXEMPT from the Rust-path rule. Runs the auditors and reads their answers.
"""Ask govulncheck and npm audit what is known against the Go sidecar and packages of npm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hpcgate.doctor import require
from hpcgate.errors import GateError
from hpcgate.repo import tracked_files
from hpcgate.supply.audits import Audit, first_line, run, some

__all__ = ["SIDECAR", "govulncheck", "npm_audit"]

SIDECAR = "packages/go-sidecar"


def govulncheck(root: Path) -> Audit:
    """Look the sidecar and Go's standard library up in the Go vulnerability database."""
    version = require("govulncheck", root)
    done = run(["govulncheck", "-format", "json", "./..."], root / SIDECAR)
    if done.returncode:
        raise GateError(f"govulncheck gives no answer: {first_line(done.stderr)}")
    called, present, database = set(), set(), ""
    for entry in _objects(done.stdout):
        database = entry.get("config", {}).get("db_last_modified", database)
        finding = entry.get("finding")
        if finding is not None:
            present.add(str(finding["osv"]))
            if any("function" in frame for frame in finding.get("trace", ())):
                called.add(str(finding["osv"]))
    if not database:
        raise GateError("govulncheck does not say which state of its database it asked")
    return Audit(
        "govulncheck",
        "fail" if called else "pass",
        some(sorted(called)) if called else "",
        tools={"govulncheck": version},
        measurements={"called": len(called), "present": len(present), "database_date": database},
        failed=tuple(sorted(called)),
    )


def npm_audit(root: Path) -> Audit:
    """Look every package of each tracked lock file of npm up in the registry's advisories."""
    locks = [path for path in tracked_files(root) if path.name == "package-lock.json"]
    if not locks:
        raise GateError("no package-lock.json is tracked, so npm has nothing to be asked about")
    version = require("npm", root)
    found, looked_up = [], 0
    for lock in locks:
        done = run(["npm", "audit", "--json", "--package-lock-only"], root / lock.parent)
        try:
            answer: dict[str, Any] = json.loads(done.stdout)
            looked_up += int(answer["metadata"]["dependencies"]["total"])
            found += [f"{lock.parent}: {name}" for name in answer["vulnerabilities"]]
        except (ValueError, KeyError, TypeError):
            raise GateError(f"npm audit gives no answer: {first_line(done.stderr)}") from None
    return Audit(
        "npm-audit",
        "fail" if found else "pass",
        some(found) if found else "",
        tools={"npm": version},
        measurements={"looked_up": looked_up},
        failed=tuple(found),
    )


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Read JSON objects that follow each other."""
    decoder, at = json.JSONDecoder(), 0
    text = text.strip()
    while at < len(text):
        try:
            entry, at = decoder.raw_decode(text, at)
        except ValueError:
            raise GateError("govulncheck answers in an unknown form") from None
        if not isinstance(entry, dict):
            raise GateError("govulncheck answers in an unknown form")
        yield entry
        at += len(text[at:]) - len(text[at:].lstrip())
