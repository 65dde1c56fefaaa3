# Language policy: EXEMPT from the Rust-path rule. Clones a repository and reads its date.
"""The databases of advisories, copied here so that a record can name their commit and their age.

cargo-deny and cargo-audit both refuse a database of more than 90 days, but take the time of the
download for its age. A clone of an old copy would look new; the date of its last commit does not.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from hpcgate.errors import GateError
from hpcgate.evidence.statement import as_utc
from hpcgate.repo import git

__all__ = ["LIMIT", "Database", "clone", "unpack_go"]

URL = "https://github.com/RustSec/advisory-db"
# cargo-deny looks for a clone of that address in a folder of this name.
FOLDER = "advisory-db-3157b0e258782691"
GO_ENTRIES = "data/osv"
LIMIT = timedelta(days=90)
SECONDS = 180


@dataclass(frozen=True, slots=True)
class Database:
    """A copy of a database: where it is, and what it is."""

    path: Path
    commit: str
    date: datetime

    def age(self, now: datetime | None = None) -> timedelta:
        """Return how long ago its last commit was made."""
        return (now or datetime.now(timezone.utc)) - self.date


def clone(root: Path, given: Path | None = None) -> Database:
    """Clone the database into `build/`, from the network or from a copy at hand.

    Raises
    ------
    GateError
        If it cannot be fetched, or the copy is no repository with advisories.
    """
    home = root / "build" / "advisory-dbs" / FOLDER
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    source = given.resolve().as_uri() if given else URL
    command = ["git", "clone", "--quiet", "--depth=1", source, str(home)]
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
    except FileNotFoundError:
        raise GateError("git is not installed", hint="apt-get install git") from None
    except subprocess.TimeoutExpired:
        raise GateError(f"the advisory database did not come in {SECONDS} s") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["git clone failed"])[-1]
        # What is said goes into a record, which names no path of this machine.
        said = said.replace(str(given.resolve()), "PATH") if given else said
        raise GateError(
            f"the advisory database cannot be fetched: {said}",
            hint="run: nox -s audit -- --advisory-db PATH, with a clone of RustSec/advisory-db",
        )
    if not any((home / "crates").glob("*/RUSTSEC-*.md")):
        raise GateError("the copy given is not the RustSec database: it holds no advisory")
    commit, date = git(home, "log", "-1", "--format=%H %cI").split()
    return Database(home, commit, as_utc(date))


def unpack_go(root: Path, given: Path) -> Database:
    """Take the entries of a clone of golang/vulndb into `build/`, where govulncheck reads them.

    Raises
    ------
    GateError
        If the folder is no such clone.
    """
    home = root / "build" / "advisory-dbs" / "go-vulndb"
    command = ["git", "-C", str(given), "archive", f"HEAD:{GO_ENTRIES}"]
    done = subprocess.run(command, capture_output=True)
    if done.returncode:
        raise GateError(
            f"the copy given is no clone of golang/vulndb: it holds no {GO_ENTRIES}",
            hint="run: nox -s audit -- --go-vulndb PATH, with such a clone",
        )
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive:
            content = archive.extractfile(member)
            # By its last name alone: whatever the archive says, it lands in this folder.
            if content is not None and member.name.endswith(".json"):
                (home / Path(member.name).name).write_bytes(content.read())
    if not any(home.glob("GO-*.json")):
        raise GateError("the copy given is no clone of golang/vulndb: it holds no entry")
    commit, date = git(given, "log", "-1", "--format=%H %cI").split()
    return Database(home, commit, as_utc(date))
