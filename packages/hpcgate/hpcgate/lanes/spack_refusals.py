# Language policy: EXEMPT from the Rust-path rule. Spoils a site on purpose; no computation.
"""How Spack refuses bad input, and whether our session tells so.

`nox -s smoke-spack -- --bad-input` runs it.

Each case spoils one thing of a good site and then runs the very stage that a user runs. Spack has
to stop with a message of its own, the session has to report a failure with that message and the
log's path, and nothing half-installed may remain.
"""

from __future__ import annotations

import io
import re
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ruamel.yaml import YAML

from hpcgate.errors import GateError
from hpcgate.facts import read_yaml
from hpcgate.lanes import spack_site as site
from hpcgate.lanes.spack_session import Session, StageFailed
from hpcgate.repo import read_text, write_text
from hpcgate.smoke import Smoke

__all__ = ["CASES", "CHECK", "Case", "refuse", "show", "without_crate"]

CHECK = "spack-bad-input"
OLDER = "1.9.0"


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is wrong with a site.

    Attributes
    ----------
    name : str
        Also the folder of its logs and of its configuration.
    spoil : callable
        Takes the session, the source archive and the case's configuration folder.
    says : str
        Regular expression; the session's own report of the failure has to match it.
    log : str
        Regular expression that a kept log of the failed build has to match, where there is one.
    """

    name: str
    spoil: Callable[[Session, Path, Path], None]
    says: str
    log: str = ""


def show(session: Session, sdist: Path, wrapper: Path | None) -> None:
    """Go through every case, then through an older version that is installed already."""
    session.stage("repository")
    site.fill_mirror(session, sdist, wrapper)
    for case in CASES:
        refuse(session, case, sdist)
    _older_version(session, sdist)


def without_crate(sdist: Path, crate: str) -> bytes:
    """Return the source archive without one of its vendored crates."""
    sink, folder = io.BytesIO(), re.compile(rf"/vendor/{re.escape(crate)}-\d")
    with tarfile.open(sdist) as old, tarfile.open(fileobj=sink, mode="w:gz") as new:
        members = old.getmembers()
        kept = [member for member in members if not folder.search(member.name)]
        if len(kept) == len(members):
            raise GateError(f"{sdist} holds no crate {crate} to leave out")
        for member in kept:
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    return sink.getvalue()


def _wrong_checksum(session: Session, sdist: Path, scope: Path) -> None:
    archive = _in_mirror(session)
    archive.write_bytes(archive.read_bytes()[:-1] + b"\0")


def _missing_crate(session: Session, sdist: Path, scope: Path) -> None:
    _in_mirror(session).write_bytes(without_crate(sdist, "serde_json"))
    # What a site does that trusts its own mirror; otherwise the checksum stops it before.
    _edit(scope / "config.yaml", "config.checksum", False)


def _old_rust(session: Session, sdist: Path, scope: Path) -> None:
    entry = {"spec": "rust@1.70.0", "prefix": session.places.rust}
    _edit(scope / "packages.yaml", "packages.rust.externals", [entry])


def _old_python(session: Session, sdist: Path, scope: Path) -> None:
    packages = read_yaml(scope / "packages.yaml")["packages"]
    prefix = packages["python"]["externals"][0]["prefix"]
    entry = {"spec": "python@3.9.19", "prefix": prefix}
    _edit(scope / "packages.yaml", "packages.python.externals", [entry])


def _read_only(session: Session, sdist: Path, scope: Path) -> None:
    # The builtin repository is mounted read-only, so even root cannot write there.
    _edit(scope / "config.yaml", "config.install_tree.root", f"{session.places.builtin}/opt")


def _no_source(session: Session, sdist: Path, scope: Path) -> None:
    _edit(scope / "mirrors.yaml", "mirrors", {})


CASES = (
    Case("wrong-checksum", _wrong_checksum, r"sha256 checksum failed for .*mars_earth"),
    Case("missing-crate", _missing_crate, r"ProcessError.*; build log ", "serde_json"),
    Case("too-old-rust", _old_rust, r"Cannot build rust.* no externals satisfy"),
    Case("python-out-of-range", _old_python, r"python@3\.10:"),
    Case("read-only-prefix", _read_only, r"Read-only file system|Permission denied"),
    Case("source-out-of-reach", _no_source, r"All fetchers failed"),
)


def refuse(session: Session, case: Case, sdist: Path) -> None:
    """Run the install stage on a spoiled site, and judge what is told and what is left."""
    work, logs = session.room.work, session.logs / case.name
    scope = work / "bad" / case.name
    shutil.copytree(work / "scope", scope)
    shutil.rmtree(work / "source_cache", ignore_errors=True)
    case.spoil(session, sdist, scope)
    tried = replace(session, smoke=Smoke(), logs=logs)
    before = f"export SPACK_USER_CONFIG_PATH=$WORK/bad/{case.name}"
    try:
        tried.stage("install", before=before)
        told = "Spack installed it"
    except StageFailed:
        told = tried.smoke.reason
    left = ", ".join(session.prefixes())
    built = "\n".join(read_text(log) for log in (session.root / logs).glob("build-*.log"))
    passed = (
        tried.smoke.outcome == "fail"
        and re.search(case.says, told) is not None
        and f"see {logs}/install.log" in told
        and re.search(case.log, built) is not None
        and not left
    )
    session.smoke.add(case.name, passed, f"{told}; left behind: {left or 'nothing'}")
    site.store(work / "mirror", sdist, site.recipe_digest(session.root))
    shutil.rmtree(work / "stage", ignore_errors=True)


def _older_version(session: Session, sdist: Path) -> None:
    """Install an older version first, and then the one of this tree as the guide says."""
    work = session.room.work
    scope = work / "bad" / "older"
    shutil.copytree(work / "scope", scope)
    _write_older_repository(session, scope)
    use = "export SPACK_USER_CONFIG_PATH=$WORK/bad/older"
    spack = f"{use}\n. $WORK/spack/share/spack/setup-env.sh\n"
    session.prepare("older", f"{spack}spack install --fresh mars-earth@{OLDER}")
    version = str(session.facts.release.version)
    session.stage(
        "install", before=use, after=f"spack find mars-earth@{OLDER} mars-earth@{version}"
    )
    loose = session.say("older-loose-load", f"{spack}spack load mars-earth")
    told = " ".join((loose.stdout + loose.stderr).split())[:160]
    ambiguous = not loose.ok and "matches multiple packages" in told
    session.judge("load-without-version-is-refused", ambiguous, told, "older-loose-load")
    session.stage("load", before=use, after=f"spack find --loaded | grep -w mars-earth@{version}")
    session.stage("uninstall", before=use, after=f"spack find mars-earth@{OLDER}")


def _write_older_repository(session: Session, scope: Path) -> None:
    """Write a repository in which our packages have an older version, from the same archive."""
    home = session.room.work / "bad" / "spack_repo" / "older"
    version = str(session.facts.release.version)
    for path in session.root.glob("spack/spack_repo/*/packages/*/package.py"):
        text = read_text(path)
        (line,) = [line for line in text.splitlines() if line.startswith("    version(")]
        text = text.replace(line, f"{line}\n{line.replace(version, OLDER)}")
        own = f'        depends_on("py-mars-earth@{version}", when="@{version}")'
        text = text.replace(own, f"{own}\n{own.replace(version, OLDER)}")
        write_text(home / "packages" / path.parent.name / "package.py", text)
    (description,) = session.root.glob("spack/spack_repo/*/repo.yaml")
    text = re.sub(r"namespace: \w+", "namespace: older", read_text(description))
    write_text(home / "repo.yaml", text)
    builtin = read_yaml(scope / "repos.yaml")["repos"]["builtin"]
    folder = f"{session.places.work}/bad/spack_repo/older"
    _edit(scope / "repos.yaml", "repos", {"older": folder, "builtin": builtin})


def _in_mirror(session: Session) -> Path:
    digest = site.recipe_digest(session.root)
    (archive,) = (session.room.work / "mirror").rglob(f"{digest}.tar.gz")
    return archive


def _edit(path: Path, keys: str, value: object) -> None:
    """Set one value of a configuration file; dots part the keys that lead to it."""
    data = inner = read_yaml(path)
    *parents, last = keys.split(".")
    for key in parents:
        inner = inner[key]
    inner[last] = value
    with path.open("w", encoding="utf-8") as stream:
        YAML(pure=True).dump(data, stream)
