# Language policy: EXEMPT from the Rust-path rule. Runs the auditors and reads their answers.
"""Ask auditors what is known against the dependencies.

An auditor that cannot ask says "nothing found" as readily as one that asked: pip-audit skips every
package that its service does not know, and ends well. So each answer is read whole, and whatever
was not looked up makes the audit `unavailable`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hpcgate.doctor import require
from hpcgate.errors import GateError
from hpcgate.evidence import Outcome, record
from hpcgate.repo import find_root, read_text
from hpcgate.supply.advisories import LIMIT, Database, clone, unpack_go
from hpcgate.supply.crates import LOCK

__all__ = [
    "Audit",
    "advised",
    "cargo_audit",
    "cargo_deny",
    "cargo_deny_advisories",
    "first_line",
    "main",
    "pip_audit",
    "run",
    "some",
]

RULES = "packaging/supply/deny.toml"
ENVIRONMENT = "dist/tests-environment.cdx.json"
# Packages of this checkout; no service can know them.
OURS = {"hpcgate", "mars-earth"}


@dataclass(frozen=True, slots=True)
class Audit:
    """What one auditor showed."""

    check: str
    outcome: Outcome
    reason: str = ""
    tools: Mapping[str, str] = field(default_factory=dict)
    measurements: Mapping[str, float | str] = field(default_factory=dict)
    passed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def cargo_deny(root: Path) -> Audit:
    """Hold licences, duplicates and sources of the crates against the rules; needs no network."""
    counts, errors = _deny(root, "licenses", "bans", "sources")
    failed = tuple(name for name in counts if counts[name])
    return Audit(
        "cargo-deny",
        "fail" if failed else "pass",
        some(errors) if failed else "",
        tools={"cargo-deny": require("cargo-deny", root)},
        passed=tuple(name for name in counts if not counts[name]),
        failed=failed,
    )


def cargo_deny_advisories(root: Path, database: Database) -> Audit:
    """Look every crate up in the advisories, with cargo-deny."""
    _, errors = _deny(root, "advisories", database=database)
    version = require("cargo-deny", root)
    return advised("cargo-deny-advisories", errors, database, version, {})


def cargo_audit(root: Path, database: Database) -> Audit:
    """Look every crate up in the advisories, with cargo-audit."""
    version = require("cargo-audit", root)
    # A yanked crate is cargo-deny's question: cargo-audit would ask the index, and say little.
    command = [
        "cargo-audit",
        "audit",
        "--json",
        "--no-fetch",
        "--stale",
        "--file",
        str(root / LOCK),
    ]
    done = run([*command, "--db", str(database.path)], root)
    answer = _json(done.stdout, "cargo-audit", done)
    try:
        found = [
            f"{one['advisory']['id']} {one['package']['name']} {one['package']['version']}"
            for one in answer["vulnerabilities"]["list"]
        ]
        for kind, warnings in answer["warnings"].items():
            found += [f"{kind} {w['package']['name']} {w['package']['version']}" for w in warnings]
        looked_up = answer["lockfile"]["dependency-count"]
        known = answer["database"]["advisory-count"]
    except (KeyError, TypeError, AttributeError) as error:
        raise GateError(f"cargo-audit {version} answers in an unknown form: {error!r}") from None
    if not known or looked_up != read_text(root / LOCK).count("[[package]]"):
        raise GateError(f"cargo-audit looked {looked_up} crates up in {known} advisories")
    measured = {"crates": looked_up, "advisories_known": known}
    return advised("cargo-audit", found, database, version, measured)


def pip_audit(root: Path, site: Path) -> Audit:
    """Look every Python package of an environment up in the vulnerability service."""
    version = require("pip-audit", root)
    command = ["pip-audit", "--format=json", "--progress-spinner=off", "--path", str(site)]
    done = run(command, root)
    answer = _json(done.stdout, "pip-audit", done)
    found, skipped, looked_up = [], [], 0
    try:
        for one in answer["dependencies"]:
            if one["name"] in OURS:
                continue
            if "skip_reason" in one:
                skipped.append(one["name"])
                continue
            looked_up += 1
            found += [f"{hit['id']} {one['name']} {one['version']}" for hit in one["vulns"]]
    except (KeyError, TypeError) as error:
        raise GateError(f"pip-audit {version} answers in an unknown form: {error!r}") from None
    outcome: Outcome = "pass"
    reason = ""
    if found:
        outcome, reason = "fail", some(found)
    elif skipped or not looked_up:
        total = looked_up + len(skipped)
        outcome = "unavailable"
        reason = f"the service does not know {len(skipped)} of {total} packages: {some(skipped)}"
    return Audit(
        "pip-audit",
        outcome,
        reason,
        tools={"pip-audit": version},
        measurements={"looked_up": looked_up, "not_looked_up": len(skipped)},
        failed=tuple(found),
    )


def advised(
    check: str,
    found: Sequence[str],
    database: Database,
    version: str,
    measured: Mapping[str, float],
) -> Audit:
    """Judge what was found in a database; an old one can condemn and cannot acquit."""
    outcome: Outcome = "pass"
    reason, age = "", database.age()
    if found:
        outcome, reason = "fail", some(found)
    elif age > LIMIT:
        outcome = "unavailable"
        reason = (
            f"nothing found, but the database of {database.date:%Y-%m-%d} "
            f"(commit {database.commit[:12]}) is {age.days} days old; {LIMIT.days} is the limit"
        )
    return Audit(
        check,
        outcome,
        reason,
        tools={check.removesuffix("-advisories"): version, "advisory-db": database.commit},
        measurements={
            **measured,
            "advisories_found": len(found),
            "database_date": f"{database.date:%Y-%m-%d}",
        },
        failed=tuple(found),
    )


def _deny(
    root: Path, *checks: str, database: Database | None = None
) -> tuple[dict[str, int], list[str]]:
    """Run cargo-deny; return the number of errors of each check, and the errors in words."""
    require("cargo-deny", root)
    command = ["cargo-deny", "--config", str(root / RULES), "--offline", "--locked"]
    home = database.path.parent if database else root / "build" / "advisory-dbs"
    done = run(
        [*command, "--format=json", "check", *checks], root / "packages", ADVISORY_DBS=str(home)
    )
    counts: dict[str, int] = {}
    errors = []
    for line in done.stderr.splitlines():
        try:
            entry = json.loads(line)
            said = entry["fields"]
            if entry["type"] == "summary":
                counts = {name: int(said[name]["errors"]) for name in checks}
            elif said.get("severity") == "error" or said.get("level") == "ERROR":
                labels = [label["span"] for label in said.get("labels", ())]
                errors.append(first_line(": ".join([said["message"], *labels])))
        except (json.JSONDecodeError, KeyError, TypeError):
            continue
    if not counts:
        last = done.stderr.strip().splitlines()[-1:]
        said = errors[0] if errors else first_line(*last)
        raise GateError(f"cargo-deny gives no answer: {said}")
    if done.returncode and not any(counts.values()):
        raise GateError(f"cargo-deny ends with status {done.returncode} and names no error")
    return counts, errors


def run(command: list[str], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run an auditor and keep what it prints."""
    try:
        return subprocess.run(
            command, cwd=folder, env={**os.environ, **more}, capture_output=True, text=True
        )
    except OSError as error:
        raise GateError(f"{command[0]} does not run: {error.strerror}") from None


def _json(text: str, tool: str, done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except json.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise GateError(f"{tool} gives no answer: {first_line(*said[-1:])}")
    return answer


def first_line(*words: str) -> str:
    """Return words as one short line; an auditor may print a page.

    Addresses are left out: a record is committed, and no commit names the host of a registry.
    """
    text = " ".join(re.sub(r"\w+://\S+", "its service", " ".join(words)).split())
    text = text or "it prints nothing"
    return text if len(text) <= 240 else f"{text[:240]}..."


def some(found: Sequence[str], most: int = 5) -> str:
    """Name the first of what was found, and how many more there are."""
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every auditor and record it; anything but passes is exit status 1."""
    from hpcgate.supply.services import SIDECAR, govulncheck, npm_audit

    parser = argparse.ArgumentParser(prog="python -m hpcgate.supply.audits", description=__doc__)
    parser.add_argument("--site", type=Path, required=True, help="packages that the tests run with")
    parser.add_argument("--advisory-db", type=Path, help="a clone of RustSec/advisory-db")
    parser.add_argument("--go-vulndb", type=Path, help="a clone of golang/vulndb")
    options = parser.parse_args(arguments)
    root = find_root()
    database: list[Database] = []

    def advised() -> Database:
        if not database:
            database.append(clone(root, options.advisory_db))
        return database[0]

    def asked_go() -> Audit:
        given = options.go_vulndb
        return govulncheck(root, unpack_go(root, given) if given else None)

    audits: list[tuple[str, str, Callable[[], Audit]]] = [
        ("cargo-deny", LOCK, lambda: cargo_deny(root)),
        ("cargo-deny-advisories", LOCK, lambda: cargo_deny_advisories(root, advised())),
        ("cargo-audit", LOCK, lambda: cargo_audit(root, advised())),
        ("pip-audit", ENVIRONMENT, lambda: pip_audit(root, options.site)),
        ("govulncheck", f"{SIDECAR}/go.mod", asked_go),
        ("npm-audit", LOCK, lambda: npm_audit(root)),
    ]
    passed = True
    for check, subject, run in audits:
        started = datetime.now(timezone.utc)
        try:
            audit = run()
        except GateError as error:
            audit = Audit(check, "unavailable", str(error))
        # Auditors name files by where they lie; a record is no place for that.
        reason = audit.reason.replace(str(root), ".").replace(str(options.site), "the environment")
        print(f"{check}: {audit.outcome}{f': {reason}' if reason else ''}")
        entry = record(
            root,
            check,
            audit.outcome,
            subjects=[Path(subject)] if (root / subject).is_file() else (),
            command="nox -s audit",
            started=started,
            finished=datetime.now(timezone.utc),
            reason=reason,
            tools=audit.tools,
            # A run that says nothing new is not recorded, and being asked again is what is new.
            measurements={**audit.measurements, "asked_on": f"{started:%Y-%m-%d}"},
            passed=audit.passed,
            failed=audit.failed,
        )
        print(f"  {entry.id}")
        passed = passed and audit.outcome == "pass"
    return 0 if passed else 1


if __name__ == "__main__":
    from hpcgate.smoke import exit_status

    sys.exit(exit_status("audit", main))
