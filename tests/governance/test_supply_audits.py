"""Audits: what each auditor's answer means, and that silence is never taken for a pass."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hpcgate import evidence
from hpcgate.errors import GateError
from hpcgate.repo import find_root
from hpcgate.supply import audits, services
from hpcgate.supply.advisories import clone, unpack_go
from hpcgate.supply.release import blockers

ROOT = find_root(Path(__file__).parent)
ADVISORY = """\
```toml
[advisory]
id = "RUSTSEC-2020-0071"
package = "time"
date = "2020-11-18"

[versions]
patched = [">= 0.2.23"]
```

# Potential segfault in the time crate

Words.
"""
BAD_CRATE = '\n[[package]]\nname = "time"\nversion = "0.1.43"\nsource = "{}"\n'
INDEX = "registry+https://github.com/rust-lang/crates.io-index"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Make a repository in the form of the RustSec database, committed now."""
    home = tmp_path / "advisory-db"
    (home / "crates/time").mkdir(parents=True)
    (home / "crates/time/RUSTSEC-2020-0071.md").write_text(ADVISORY)
    subprocess.run(["git", "-C", home, "init", "-q"], check=True)
    commit(home)
    return home


def commit(home: Path, date: str = "") -> None:
    when = {"GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date} if date else {}
    subprocess.run(["git", "-C", home, "add", "--all"], check=True)
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    words = ["commit", "-q", "--allow-empty", "-m", "state"]
    environment = {**os.environ, **when}
    subprocess.run(["git", "-C", home, *identity, *words], check=True, env=environment)


@pytest.fixture
def answering(checkout: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Put a stand-in for an auditor first on the PATH; its answers are those of the real one."""
    shutil.copy(ROOT / "packaging/tools.yaml", checkout.root / "packaging")
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def stand_in(name: str, *, out: Any = "", err: str = "", status: int = 0) -> Path:
        text = out if isinstance(out, str) else json.dumps(out)
        (folder / f"{name}.out").write_text(text)
        (folder / f"{name}.err").write_text(err)
        script = f"""#!/bin/sh
case "$*" in *--version*) echo {name} 9.9.9; exit 0;; esac
cat {folder}/{name}.out; cat {folder}/{name}.err >&2; exit {status}
"""
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
        root: Path = checkout.root
        return root

    return stand_in


# -- The database ----------------------------------------------------------------------------------


def test_the_clone_is_named_by_commit_and_date(checkout: Any, copy: Path) -> None:
    commit(copy, "2020-01-02T03:04:05+02:00")
    found = clone(checkout.root, copy)
    head = subprocess.run(
        ["git", "-C", copy, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    )
    assert found.commit == head.stdout.strip()
    assert found.date.isoformat() == "2020-01-02T01:04:05+00:00"
    # A second clone takes the place of the first.
    commit(copy)
    assert clone(checkout.root, copy).commit != found.commit


def test_what_is_no_database_is_one_line(checkout: Any, copy: Path, tmp_path: Path) -> None:
    with pytest.raises(GateError, match=r"cannot be fetched.*--advisory-db PATH") as caught:
        clone(checkout.root, tmp_path / "none")
    assert "\n" not in str(caught.value) and str(tmp_path) not in str(caught.value)
    shutil.rmtree(copy / "crates")
    commit(copy)
    with pytest.raises(GateError, match="it holds no advisory"):
        clone(checkout.root, copy)


# -- pip-audit -------------------------------------------------------------------------------------

KNOWN = {"name": "numpy", "version": "2.0.0", "vulns": []}
HIT = {"name": "rich", "version": "13.0", "vulns": [{"id": "PYSEC-2030-1", "fix_versions": []}]}
SKIPPED = {"name": "click", "skip_reason": "Dependency not found on PyPI and could not be audited"}
OWN = {"name": "hpcgate", "skip_reason": "Dependency not found on PyPI and could not be audited"}


@pytest.mark.parametrize(
    ("dependencies", "outcome", "reason"),
    [
        ([KNOWN], "pass", ""),
        ([KNOWN, OWN], "pass", ""),
        ([KNOWN, HIT], "fail", "PYSEC-2030-1 rich 13.0"),
        ([SKIPPED, HIT], "fail", "PYSEC-2030-1 rich 13.0"),
        # The real one prints "No known vulnerabilities found" here and ends with status 0.
        ([KNOWN, SKIPPED], "unavailable", "the service does not know 1 of 2 packages: click"),
        ([SKIPPED], "unavailable", "the service does not know 1 of 1 packages: click"),
        ([OWN], "unavailable", "the service does not know 0 of 0 packages"),
        ([], "unavailable", "the service does not know 0 of 0 packages"),
    ],
)
def test_a_package_that_was_not_looked_up_is_no_pass(
    answering: Any, dependencies: list[Any], outcome: str, reason: str
) -> None:
    root = answering("pip-audit", out={"dependencies": dependencies, "fixes": []})
    found = audits.pip_audit(root, root)
    assert (found.outcome, found.tools) == (outcome, {"pip-audit": "9.9.9"})
    assert found.reason.startswith(reason) and bool(found.reason) == bool(reason)


@pytest.mark.parametrize(
    ("out", "err", "message"),
    [
        ("", "Traceback\n  ...\nConnectionError: no route\n", "gives no answer: ConnectionError"),
        ("", "", "gives no answer: it prints nothing"),
        ("No known vulnerabilities", "", "gives no answer"),
        ("[]", "", "gives no answer"),
        ("{}", "", "answers in an unknown form"),
        ('{"dependencies": [{"name": "x"}]}', "", "answers in an unknown form"),
    ],
)
def test_an_auditor_without_an_answer_is_one_line(
    answering: Any, out: str, err: str, message: str
) -> None:
    root = answering("pip-audit", out=out, err=err, status=1)
    with pytest.raises(GateError, match=message) as caught:
        audits.pip_audit(root, root)
    assert "\n" not in str(caught.value)


# -- cargo-audit -----------------------------------------------------------------------------------


def answer(root: Path, found: list[Any], **more: Any) -> dict[str, Any]:
    crates = (root / "packages/Cargo.lock").read_text().count("[[package]]")
    return {
        "database": {"advisory-count": 1225},
        "lockfile": {"dependency-count": crates},
        "vulnerabilities": {"found": bool(found), "count": len(found), "list": found},
        "warnings": {},
        **more,
    }


TIME = {"advisory": {"id": "RUSTSEC-2020-0071"}, "package": {"name": "time", "version": "0.1.43"}}


def test_an_old_database_condemns_and_does_not_acquit(
    answering: Any, checkout: Any, copy: Path
) -> None:
    for date, hits, outcome in [
        ("", [], "pass"),
        ("", [TIME], "fail"),
        ("2020-01-02T03:04:05Z", [], "unavailable"),
        ("2020-01-02T03:04:05Z", [TIME], "fail"),
    ]:
        commit(copy, date)
        database = clone(checkout.root, copy)
        root = answering("cargo-audit", out=answer(checkout.root, hits), status=bool(hits))
        found = audits.cargo_audit(root, database)
        assert found.outcome == outcome
        assert found.tools == {"cargo-audit": "9.9.9", "advisory-db": database.commit}
        expected = {"pass": "", "fail": "RUSTSEC-2020-0071 time 0.1.43"}
        assert found.reason == expected.get(outcome, found.reason)
    assert (
        "of 2020-01-02"
        in audits.cargo_audit(
            answering("cargo-audit", out=answer(checkout.root, [])), database
        ).reason
    )


@pytest.mark.parametrize(
    "more",
    [
        {"database": {"advisory-count": 0}},
        {"lockfile": {"dependency-count": 1}},
        {"warnings": None},
    ],
)
def test_an_audit_of_too_little_is_no_pass(
    answering: Any, checkout: Any, copy: Path, more: Any
) -> None:
    database = clone(checkout.root, copy)
    root = answering("cargo-audit", out=answer(checkout.root, [], **more))
    with pytest.raises(GateError):
        audits.cargo_audit(root, database)


def test_a_warning_counts(answering: Any, checkout: Any, copy: Path) -> None:
    warnings = {"unsound": [{"package": {"name": "time", "version": "0.1.43"}}]}
    root = answering("cargo-audit", out=answer(checkout.root, [], warnings=warnings))
    assert audits.cargo_audit(root, clone(root, copy)).reason == "unsound time 0.1.43"


@pytest.mark.skipif(not shutil.which("cargo-audit"), reason="cargo-audit is not installed")
def test_the_real_cargo_audit_finds_a_known_weakness(checkout: Any, copy: Path) -> None:
    shutil.copy(ROOT / "packaging/tools.yaml", checkout.root / "packaging")
    database = clone(checkout.root, copy)
    assert audits.cargo_audit(checkout.root, database).outcome == "pass"
    with (checkout.root / "packages/Cargo.lock").open("a") as stream:
        stream.write(BAD_CRATE.format(INDEX))
    assert audits.cargo_audit(checkout.root, database).reason == "RUSTSEC-2020-0071 time 0.1.43"


# -- cargo-deny ------------------------------------------------------------------------------------


def lines(*entries: Any) -> str:
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def summary(**errors: int) -> dict[str, Any]:
    return {"type": "summary", "fields": {name: {"errors": n} for name, n in errors.items()}}


REJECTED = {
    "type": "diagnostic",
    "fields": {
        "severity": "error",
        "message": "failed to satisfy license requirements",
        "labels": [{"span": "GPL-3.0"}],
    },
}


def test_the_rules_are_judged_one_by_one(answering: Any) -> None:
    counts = {"licenses": 1, "bans": 0, "sources": 0}
    root = answering("cargo-deny", err=lines(REJECTED, summary(**counts)), status=4)
    found = audits.cargo_deny(root)
    assert (found.outcome, found.failed, found.passed) == (
        "fail",
        ("licenses",),
        ("bans", "sources"),
    )
    assert found.reason == "failed to satisfy license requirements: GPL-3.0"
    root = answering("cargo-deny", err=lines(summary(licenses=0, bans=0, sources=0)))
    assert audits.cargo_deny(root).outcome == "pass"


@pytest.mark.parametrize(
    ("err", "status", "message"),
    [
        ("", 0, "gives no answer: it prints nothing"),
        ("error: no such file\n", 1, "gives no answer: error: no such file"),
        (lines(summary(licenses=0)), 0, "gives no answer"),
        (lines(summary(licenses=0, bans=0, sources=0)), 1, "ends with status 1 and names no error"),
    ],
)
def test_rules_without_a_verdict_are_no_pass(
    answering: Any, err: str, status: int, message: str
) -> None:
    with pytest.raises(GateError, match=message) as caught:
        audits.cargo_deny(answering("cargo-deny", err=err, status=status))
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not shutil.which("cargo-deny"), reason="cargo-deny is not installed")
def test_the_real_cargo_deny_keeps_and_breaks_the_rules(tmp_path: Path) -> None:
    assert audits.cargo_deny(ROOT).outcome == "pass"
    home = tmp_path / "packages"
    (home / "src").mkdir(parents=True)
    (home / "src/lib.rs").write_text("")
    (home / "Cargo.toml").write_text(
        '[package]\nname = "alone"\nversion = "1.0.0"\nedition = "2021"\nlicense = "GPL-3.0-only"\n'
    )
    (home / "Cargo.lock").write_text(
        'version = 3\n\n[[package]]\nname = "alone"\nversion = "1.0.0"\n'
    )
    shutil.copytree(ROOT / "packaging/supply", tmp_path / "packaging/supply")
    shutil.copy(ROOT / "packaging/tools.yaml", tmp_path / "packaging")
    found = audits.cargo_deny(tmp_path)
    assert (found.outcome, "licenses" in found.failed) == ("fail", True)


# -- The session -----------------------------------------------------------------------------------


def test_a_missing_tool_is_recorded_with_the_command_that_installs_it(
    checkout: Any, copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "packaging/tools.yaml", checkout.root / "packaging")
    bare = tmp_path / "bare"
    bare.mkdir()
    for tool in ("git", "sh"):
        (bare / tool).symlink_to(shutil.which(tool) or "")
    monkeypatch.setenv("PATH", str(bare))
    monkeypatch.chdir(checkout.root)
    assert audits.main(["--site", str(tmp_path), "--advisory-db", str(copy)]) == 1
    records = {record.check: record for record in evidence.load(checkout.root)}
    assert set(records) == set(evidence.contract(checkout.root).release.checks)
    for record in records.values():
        assert record.outcome == "unavailable"
        assert "is not installed; run: " in record.reason


def test_passes_end_well_and_one_less_does_not(
    answering: Any, checkout: Any, copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(checkout.root)
    checkout.write("dist/tests-environment.cdx.json")
    clean = lines(summary(licenses=0, bans=0, sources=0, advisories=0))
    both = {**answer(checkout.root, []), "dependencies": [KNOWN]}
    for name in ("pip-audit", "cargo-audit", "cargo-deny"):
        answering(name, out=both, err=clean)
    (checkout.root / services.SIDECAR).mkdir(parents=True, exist_ok=True)
    answering("govulncheck", out=CONFIG)
    answering("npm", out=npm_answer("minimist"))
    arguments = ["--site", str(tmp_path), "--advisory-db", str(copy)]
    assert audits.main(arguments) == 0
    answering("pip-audit", out={**both, "dependencies": [SKIPPED]}, err=clean)
    assert audits.main(arguments) == 1
    last = {record.check: record.outcome for record in evidence.load(checkout.root)}
    assert last["pip-audit"] == "unavailable" and last["cargo-audit"] == "pass"


# -- Go and npm ------------------------------------------------------------------------------------

CONFIG = {"config": {"scanner_name": "govulncheck", "db_last_modified": "2026-11-20T10:00:00Z"}}


def npm_answer(*names: str) -> dict[str, Any]:
    found = {name: {} for name in names}
    return {"vulnerabilities": found, "metadata": {"dependencies": {"total": 7}}}


@pytest.mark.parametrize(
    ("trace", "outcome"),
    [([{"module": "stdlib"}], "pass"), ([{"module": "stdlib", "function": "Parse"}], "fail")],
)
def test_what_the_sidecar_calls_condemns_it(answering: Any, trace: Any, outcome: str) -> None:
    found = json.dumps(CONFIG) + "\n" + json.dumps({"finding": {"osv": "GO-1", "trace": trace}})
    answering("govulncheck", out=found)
    audit = services.govulncheck(ROOT)
    assert (audit.outcome, audit.measurements["present"]) == (outcome, 1)


@pytest.mark.parametrize("printed", ["", "[]", "{", "{}"])
def test_govulncheck_without_an_answer_is_no_pass(answering: Any, printed: str) -> None:
    answering("govulncheck", out=printed)
    with pytest.raises(GateError, match="govulncheck"):
        services.govulncheck(ROOT)


def test_a_local_copy_of_the_go_database_is_named_and_dated(
    answering: Any, checkout: Any, tmp_path: Path
) -> None:
    copy = tmp_path / "vulndb"
    (copy / "data/osv").mkdir(parents=True)
    subprocess.run(["git", "-C", copy, "init", "-q"], check=True)
    for path, words in (("data/README", "none"), ("data/osv/README.md", "none")):
        (copy / path).write_text(words)
        commit(copy)
        with pytest.raises(GateError, match="no clone of golang/vulndb"):
            unpack_go(checkout.root, copy)
    (copy / "data/osv/GO-2021-0067.json").write_text("{}")
    for date, traces, outcome in [
        ("", [], "pass"),
        ("2020-01-02T03:04:05Z", [], "unavailable"),
        ("2020-01-02T03:04:05Z", [{"module": "stdlib", "function": "Parse"}], "fail"),
    ]:
        commit(copy, date)
        database = unpack_go(checkout.root, copy)
        assert [path.name for path in database.path.iterdir()] == ["GO-2021-0067.json"]
        found = json.dumps({"finding": {"osv": "GO-1", "trace": traces}}) if traces else ""
        answering("govulncheck", out=f"{json.dumps(CONFIG)}{found}")
        audit = services.govulncheck(ROOT, database)
        assert (audit.outcome, audit.tools["advisory-db"]) == (outcome, database.commit)


@pytest.mark.skipif(not shutil.which("govulncheck"), reason="govulncheck is not installed")
def test_the_real_govulncheck_finds_what_is_called(checkout: Any, tmp_path: Path) -> None:
    shutil.copy(ROOT / "packaging/tools.yaml", checkout.root / "packaging")
    home = checkout.root / services.SIDECAR
    shutil.rmtree(home)
    shutil.copytree(ROOT / services.SIDECAR, home)
    copy = tmp_path / "vulndb"
    (copy / "data/osv").mkdir(parents=True)
    subprocess.run(["git", "-C", copy, "init", "-q"], check=True)
    for symbol, outcome in (("NoSuchThing", "pass"), ("Unmarshal", "fail")):
        (copy / "data/osv/GO-1970-0001.json").write_text(json.dumps(entry(symbol)))
        commit(copy)
        audit = services.govulncheck(checkout.root, unpack_go(checkout.root, copy))
        assert audit.outcome == outcome, audit


def entry(symbol: str) -> dict[str, Any]:
    """An advisory that says that every version of a function of encoding/json is vulnerable."""
    ranges = [{"type": "SEMVER", "events": [{"introduced": "0"}]}]
    imports = {"imports": [{"path": "encoding/json", "symbols": [symbol]}]}
    package = {"name": "stdlib", "ecosystem": "Go"}
    affected = [{"package": package, "ranges": ranges, "ecosystem_specific": imports}]
    return {"schema_version": "1.3.1", "id": "GO-1970-0001", "affected": affected}


def test_npm_is_asked_about_each_lock_once_it_finds_a_known_weakness(
    answering: Any, checkout: Any
) -> None:
    shutil.copy(ROOT / "packaging/tools.yaml", checkout.root / "packaging")
    answering("npm", out=npm_answer())
    with pytest.raises(GateError, match=r"finds nothing against minimist 0\.0\.8"):
        services.npm_audit(checkout.root)
    answering("npm", out=npm_answer("minimist"))
    found = services.npm_audit(checkout.root)
    assert (found.outcome, found.measurements["locks"]) == ("pass", 0)
    checkout.write("a/package-lock.json")
    found = services.npm_audit(checkout.root)
    assert (found.outcome, found.reason) == ("fail", "a: minimist")
    # What the registry says where it does not take the question.
    refused = "405 Method Not Allowed - POST https://registry.example/-/npm/v1/security"
    answering("npm", out={"message": refused, "error": {"summary": ""}})
    expected = "npm audit gives no answer: 405 Method Not Allowed - POST its service$"
    with pytest.raises(GateError, match=expected):
        services.npm_audit(checkout.root)
    answering("npm", out="", err="npm error: no network")
    with pytest.raises(GateError, match="npm audit gives no answer: npm error: no network"):
        services.npm_audit(checkout.root)


# -- The release -----------------------------------------------------------------------------------


def test_a_release_waits_for_every_audit(checkout: Any) -> None:
    names = evidence.contract(checkout.root).release.checks
    assert [line.split(":")[0] for line in blockers(checkout.root)] == list(names)
    assert all("no record; run: nox -s audit" in line for line in blockers(checkout.root))
    passed = [checkout.record(name) for name in names]
    now = max(record.finished for record in passed) + timedelta(hours=1)
    assert blockers(checkout.root, now) == []
    # An older pass does not stand in for an auditor that could not ask.
    checkout.record("pip-audit", "unavailable", reason="no network")
    assert blockers(checkout.root, now) == ["pip-audit: unavailable: no network; run: nox -s audit"]
    checkout.record("pip-audit", "fail", reason="PYSEC-2030-1 rich 13.0")
    (line,) = blockers(checkout.root, now)
    assert line.startswith("pip-audit: fail: PYSEC-2030-1")
    checkout.record("pip-audit")
    assert blockers(checkout.root, now) == []
    late = blockers(checkout.root, now + timedelta(days=8))
    assert len(late) == len(names)
    assert all(": passed 8 days ago; 7 is the limit; run: " in line for line in late)
    checkout.write("packages/Cargo.lock", "another lock\n")
    stale = [line for line in blockers(checkout.root, now) if "stale: packages/Cargo.lock" in line]
    assert [line.split(":")[0] for line in stale] == list(names)[:3]
    path = checkout.root / passed[-1].path
    path.write_text(path.read_text().replace("nox -s x", "nox -s y"))
    assert any("tampered" in line for line in blockers(checkout.root, now))


def test_signing_asks_first(checkout: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hpcgate.cli", "release", "--root", checkout.root],
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == len(evidence.contract(checkout.root).release.checks)
    text = (ROOT / "noxfile.py").read_text()
    sign = text[text.index("def sign(") : text.index("def bench_training(")]
    assert sign.index('"hpcgate", "release"') < sign.index('"sigstore", "sign"')
