# Language policy: EXEMPT from the Rust-path rule. Finds and clones checkouts; no computation.
"""Where Spack and its builtin repository come from: given, found, or cloned at pinned commits."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from hpcgate.cleanroom.process import quiet
from hpcgate.errors import GateError
from hpcgate.facts import load_model
from hpcgate.lanes.spack import FACTS, Pin, SpackFacts

__all__ = ["BUILTIN", "commit_of", "packages_of", "spack_of"]

BUILTIN = Path("spack_repo/builtin")
CLONES = Path("build/spack")


def spack_of(root: Path, option: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the root of a Spack.

    It is the option, `SPACK_ROOT`, the one on PATH, or a clone of the commit that
    `packaging/spack/facts.yaml` pins.

    Raises
    ------
    GateError
        If the folder named is not one, or none is named and the pinned one cannot be cloned.
    """
    named = option or (Path(value) if (value := environment.get("SPACK_ROOT")) else None)
    if named is None:
        program = shutil.which("spack", path=environment.get("PATH", os.defpath))
        if program is None:
            return _clone(root, load_model(SpackFacts, root, FACTS).spack, "--spack-root")
        named = Path(program).resolve().parents[1]
    if not (named / "bin" / "spack").is_file():
        raise GateError(f"no Spack: {named} holds no bin/spack", hint="give --spack-root")
    return named.resolve()


def packages_of(
    root: Path,
    option: Path | None,
    spack: Path,
    environment: Mapping[str, str] = os.environ,
) -> Path:
    """Return the folder that holds `spack_repo/builtin`.

    It is the option, `SPACK_PACKAGES_ROOT`, what that Spack is configured with, or a clone of the
    pinned commit.

    Raises
    ------
    GateError
        If the folder named does not hold one, or none is named and the pinned one cannot be cloned.
    """
    named = option or (Path(value) if (value := environment.get("SPACK_PACKAGES_ROOT")) else None)
    if named is None:
        told = quiet([str(spack / "bin" / "spack"), "location", "--repo", "builtin"])
        if told.returncode == 0:
            named = Path(told.stdout.strip())
        else:
            named = _clone(root, load_model(SpackFacts, root, FACTS).packages, "--packages")
    # A checkout of spack-packages, or the folder of repo.yaml itself.
    for folder in (named / "repos", named, *named.resolve().parents[1:2]):
        if (folder / BUILTIN / "repo.yaml").is_file():
            return folder.resolve()
    raise GateError(f"no builtin repository: {named} holds no {BUILTIN}", hint="give --packages")


def commit_of(folder: Path) -> str:
    """Return the commit of a checkout, with `+changes` when its files differ from it."""
    head = quiet(["git", "-C", str(folder), "rev-parse", "HEAD"])
    if head.returncode:
        return "not a git checkout"
    changed = quiet(["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"])
    return head.stdout.strip() + ("+changes" if changed.stdout.strip() else "")


def _clone(root: Path, pin: Pin, option: str) -> Path:
    """Return a checkout of one commit below `build/`, cloned when it is not there yet."""
    name = pin.repository.rpartition("/")[2].removesuffix(".git")
    target = root / CLONES / f"{name}-{pin.commit[:12]}"
    if target.is_dir():
        return target
    # Cloned aside, so that a clone cut short is never taken for a whole one.
    part = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    part.mkdir(parents=True)
    git = ["env", "GIT_TERMINAL_PROMPT=0", "git", "-C", str(part)]
    git += ["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=30"]
    try:
        for step in (
            ["init", "--quiet"],
            ["fetch", "--quiet", "--depth=1", pin.repository, pin.commit],
            ["checkout", "--quiet", "FETCH_HEAD"],
        ):
            done = quiet([*git, *step])
            if done.returncode:
                why = (done.stderr.strip().splitlines() or ["git says nothing"])[0]
                raise GateError(
                    f"no {name}: none is given, and git cannot fetch {pin.commit[:12]}: {why}",
                    hint=f"give {option}",
                )
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target
