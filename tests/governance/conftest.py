"""A small checkout with the real contract, in which tests may record, damage and change things."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from hpcgate import evidence
from hpcgate.evidence import Record
from hpcgate.repo import find_root

ROOT = find_root(Path(__file__).parent)
COPIED = tuple(
    f"{name}.yaml" for name in ("hosts", "release", "dependencies", "lanes", "claims", "tools")
)

EXTRAS = (
    "GOVERNANCE.md",
    "CODE_OF_CONDUCT.md",
    "docs/hpc_contracts.md",
    "docs/model_spec.md",
    "dist/wheel.whl",
)

HOSTILE = "</code><script>document.title='taken'</script><img src=x onerror=alert(1)>&lt;b&gt;"


class Checkout:
    """A git checkout below a temporary folder; every check has a session and one input file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._clock = datetime.now(timezone.utc) - timedelta(days=2)

    def furnish(self) -> None:
        """Copy the facts, and write one file for each input of each check."""
        facts = self.root / "packaging"
        facts.mkdir(parents=True)
        for name in COPIED:
            if (ROOT / "packaging" / name).exists():
                shutil.copy(ROOT / "packaging" / name, facts)
        lanes = ("spack", "easybuild", "conda-forge")
        for name in ("hpsf", "e4s", "packets", "supply", "upstream", *lanes):
            shutil.copytree(ROOT / "packaging" / name, facts / name)
        (self.root / "packages").mkdir()
        shutil.copy(ROOT / "packages" / "Cargo.lock", self.root / "packages")
        levels = (ROOT / "packaging" / "levels.yaml").read_text()
        (facts / "levels.yaml").write_text(levels.replace("session: null", "session: later"))
        for check in evidence.contract(self.root).checks.values():
            for glob in check.inputs:
                if not glob.startswith("!"):
                    self.write(glob.replace("**/", "").replace("**", "file").replace("*", "x"))
        for name in EXTRAS:
            self.write(name)
        self.git("init", "--quiet")
        self.commit()

    def write(self, name: str, text: str = "content\n") -> Path:
        path = self.root / name
        if not path.exists() or text != "content\n":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return path

    def git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
        subprocess.run(["git", "-C", self.root, *identity, *arguments], check=True)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "state")

    def record(
        self,
        check: str,
        outcome: evidence.Outcome = "pass",
        *,
        subjects: Sequence[str] = ("dist/wheel.whl",),
        **options: Any,
    ) -> Record:
        self._clock += timedelta(minutes=10)
        options.setdefault("started", self._clock)
        options.setdefault("finished", self._clock + timedelta(minutes=1))
        options.setdefault("command", "nox -s x")
        known = evidence.contract(self.root).checks.get(check)
        if known and known.kind == "benchmark":
            options.setdefault("measurements", {"seconds": 1.5})
        if outcome != "pass":
            options.setdefault("reason", "because")
        return evidence.record(
            self.root, check, outcome, subjects=[Path(name) for name in subjects], **options
        )

    def reach(self, level: int) -> list[Record]:
        """Record a pass of every check that the levels up to `level` require."""
        checks = {r.check for r in evidence.contract(self.root).requirements if r.level <= level}
        return [self.record(check) for check in sorted(checks)]


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("furnished") / "checkout"
    Checkout(root).furnish()
    return root


@pytest.fixture
def checkout(furnished: Path, tmp_path: Path) -> Checkout:
    return _copy(furnished, tmp_path / "checkout")


@pytest.fixture(scope="module")
def shown(furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout to look at: a record of each state, a failure whose words are hostile, a drawing.

    A page of it takes seconds, so that the tests of a module share one.
    """
    shown = _copy(furnished, tmp_path_factory.mktemp("shown") / "checkout")
    shown.reach(0)
    shown.record("tests", "fail", reason=HOSTILE, failed=[HOSTILE])
    bad = shown.root / shown.record("smoke-easybuild").path
    bad.write_bytes(bad.read_bytes().replace(b"nox -s x", b"nox -s y"))
    shown.write("packages/pymars/new.py")
    shutil.copytree(ROOT / "docs/benchmarks", shown.root / "docs/benchmarks")
    return shown


def _copy(furnished: Path, root: Path) -> Checkout:
    shutil.copytree(furnished, root, symlinks=True)
    return Checkout(root)
