# Language policy: EXEMPT from the Rust-path rule. Runs the auditors and reads their answers.
"""Ask govulncheck and npm audit what is known against the Go sidecar and packages of npm."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hpcgate.doctor import require
from hpcgate.errors import GateError
from hpcgate.evidence.statement import as_utc
from hpcgate.repo import tracked_files
from hpcgate.supply.advisories import Database
from hpcgate.supply.audits import Audit, advised, first_line, run, some

__all__ = ["SIDECAR", "govulncheck", "npm_audit"]

SIDECAR = "packages/go-sidecar"
# Its advisory, GHSA-xvch-5gv4-984h, is of 2022.
KNOWN_BAD, KNOWN_BAD_VERSION = "minimist", "0.0.8"


def govulncheck(root: Path, database: Database | None = None) -> Audit:
    """Look the sidecar and Go's standard library up in the Go vulnerability database.

    Parameters
    ----------
    root : Path
    database : Database, optional
        A local copy; by default the service is asked.
    """
    require("govulncheck", root)
    command = ["govulncheck", "-format", "json"]
    command += ["-db", database.path.as_uri()] if database else []
    done = run([*command, "./..."], root / SIDECAR)
    if done.returncode:
        raise GateError(f"govulncheck gives no answer: {first_line(done.stderr)}")
    called, present, date, version = set(), set(), "", ""
    for entry in _objects(done.stdout):
        date = entry.get("config", {}).get("db_last_modified", date)
        version = entry.get("config", {}).get("scanner_version", version)
        finding = entry.get("finding")
        if finding is not None:
            present.add(str(finding["osv"]))
            if any("function" in frame for frame in finding.get("trace", ())):
                called.add(str(finding["osv"]))
    if not date:
        raise GateError("govulncheck does not say which state of its database it asked")
    if database is None:
        database = Database(root, "the service", as_utc(date))
    measured = {"called": len(called), "present": len(present)}
    return advised("govulncheck", sorted(called), database, version, measured)


def npm_audit(root: Path) -> Audit:
    """Look every package of each tracked lock file of npm up in the registry's advisories.

    A package that is known to be vulnerable is asked about first: a registry that does not find it
    answers nothing about the others either.
    """
    version = require("npm", root)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "package.json").write_text(json.dumps(_manifest("")))
        (Path(folder) / "package-lock.json").write_text(json.dumps(_manifest("package-lock")))
        if KNOWN_BAD not in _ask_npm(Path(folder))["vulnerabilities"]:
            raise GateError(f"npm audit finds nothing against {KNOWN_BAD} {KNOWN_BAD_VERSION}")
    locks = [path for path in tracked_files(root) if path.name == "package-lock.json"]
    answers = {lock.parent: _ask_npm(root / lock.parent) for lock in locks}
    looked_up = sum(int(answer["metadata"]["dependencies"]["total"]) for answer in answers.values())
    found = [f"{place}: {name}" for place in answers for name in answers[place]["vulnerabilities"]]
    return Audit(
        "npm-audit",
        "fail" if found else "pass",
        some(found) if found else "",
        tools={"npm": version},
        measurements={"locks": len(locks), "looked_up": looked_up},
        failed=tuple(found),
    )


def _ask_npm(folder: Path) -> dict[str, Any]:
    done = run(["npm", "audit", "--json", "--package-lock-only"], folder)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
        if "vulnerabilities" in answer and int(answer["metadata"]["dependencies"]["total"]) >= 0:
            return answer
        said = str(answer.get("message") or answer.get("error"))
    except (ValueError, KeyError, TypeError, AttributeError):
        said = done.stderr
    raise GateError(f"npm audit gives no answer: {first_line(said)}")


def _manifest(kind: str) -> dict[str, Any]:
    """Return a package that needs the one known to be vulnerable, or its lock file."""
    needed = {"name": "probe", "version": "1.0.0", "dependencies": {KNOWN_BAD: KNOWN_BAD_VERSION}}
    locked = {"": needed, f"node_modules/{KNOWN_BAD}": {"version": KNOWN_BAD_VERSION}}
    return {**needed, "lockfileVersion": 3, "packages": locked} if kind else needed


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
