# Language policy: EXEMPT from the Rust-path rule. Copies files and calls cargo and maturin.
"""The source distribution, with its crates inside, and the wheel built from it without network.

The sdist is the same bytes wherever it is built, as recipes carry its digest: the crates are
unpacked from the very archives that Cargo.lock names, and maturin (one version, pinned by the
session) fixes times, owners and modes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

from hpcgate.doctor import require
from hpcgate.errors import GateError
from hpcgate.repo import find_root, sha256_file, tracked_files

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["make_sdist", "make_wheel"]

# Times inside the sdist: what maturin writes by itself, whatever epoch a caller has set.
_SDIST_EPOCH = 1153704088
# Times inside the wheel: the oldest a zip archive can hold, so that equal content is equal bytes.
_EPOCH = 315532800

# Read by cargo from the root of the unpacked sdist only; it never lies in the checkout, where it
# would silently bind developers to the vendored crates.
_CARGO_CONFIG = """\
[source.crates-io]
replace-with = "vendored-sources"

[source.vendored-sources]
directory = "vendor"
"""


def make_sdist(root: Path, out: Path) -> Path:
    """Build the sdist into `out` and return its path.

    Raises
    ------
    GateError
        If cargo or maturin is missing or fails, or a crate differs from Cargo.lock.
    """
    stage = root / "build" / "sdist"
    shutil.rmtree(stage, ignore_errors=True)
    for path in tracked_files(root):
        if path.parts[0] == "packages" and "hpcgate" not in path.parts:
            target = stage / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, target)
    project = stage / "packages" / "pymars"
    _vendor(stage / "packages", project / "vendor")
    (project / ".cargo").mkdir()
    (project / ".cargo" / "config.toml").write_text(_CARGO_CONFIG)
    out.mkdir(parents=True, exist_ok=True)
    command = ["maturin", "sdist", "--manifest-path", "Cargo.toml", "--out", str(out)]
    printed = _run(command, project, {"SOURCE_DATE_EPOCH": str(_SDIST_EPOCH)})
    return _built(printed, out, ".tar.gz")


def make_wheel(root: Path, sdist: Path, out: Path) -> Path:
    """Build the abi3 wheel from an sdist, with the crates it carries and no network."""
    stage = root / "build" / "wheel"
    shutil.rmtree(stage, ignore_errors=True)
    with tarfile.open(sdist) as archive:
        archive.extractall(stage, filter="data")
    (project,) = stage.iterdir()
    # One target folder for all builds, so that an unchanged crate is not compiled twice. cargo
    # tells a change by file times, which are equal in every sdist: a new sdist gets new ones.
    target = root / "build" / "target"
    digest, built = sha256_file(sdist), target / ".sdist"
    if not built.exists() or built.read_text() != digest:
        for path in project.rglob("*"):
            path.touch()
    environment = {"CARGO_TARGET_DIR": str(target), "SOURCE_DATE_EPOCH": str(_EPOCH)}
    command = ["maturin", "build", "--release", "--offline", "--locked", "--out", str(out)]
    wheel = _built(_run(command, project, environment), out, ".whl")
    built.write_text(digest)
    return wheel


def _vendor(workspace: Path, vendor: Path) -> None:
    """Unpack every crate of the lock file from cargo's own download cache."""
    _run(["cargo", "fetch", "--locked"], workspace)
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    lock = tomllib.loads((workspace / "Cargo.lock").read_text())
    for package in lock["package"]:
        if "checksum" not in package:
            continue
        name = f"{package['name']}-{package['version']}"
        archives = sorted((home / "registry" / "cache").glob(f"*/{name}.crate"))
        matching = [path for path in archives if sha256_file(path) == package["checksum"]]
        if not matching:
            raise GateError(
                f"{name}: no archive in cargo's cache has the checksum of Cargo.lock",
                hint="remove it from the cache and run: cargo fetch --locked",
            )
        with tarfile.open(matching[0]) as archive:
            archive.extractall(vendor, filter="data")
        # The whole archive was checked above, so single files need no digests.
        checksum = json.dumps({"files": {}, "package": package["checksum"]})
        (vendor / name / ".cargo-checksum.json").write_text(checksum)


def _run(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except FileNotFoundError:
        require(command[0], root=find_root(Path(__file__)))
        raise GateError(f"{command[0]} cannot be started", hint="nox -s doctor") from None
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise GateError(f"{' '.join(command[:2])} failed with status {done.returncode}")
    return done.stdout


def _built(printed: str, out: Path, suffix: str) -> Path:
    """Return the file that maturin says it built."""
    words = [word for word in printed.split() if word.endswith(suffix)]
    if not words or not (out / Path(words[-1]).name).is_file():
        raise GateError(f"maturin printed no {suffix} file:\n{printed}")
    return out / Path(words[-1]).name


def main(argv: list[str] | None = None) -> int:
    """Build sdist and wheel into `dist/`."""
    parser = argparse.ArgumentParser(description="Build the sdist and the wheel of mars-earth.")
    parser.add_argument("--sdist-only", action="store_true", help="build no wheel")
    arguments = parser.parse_args(argv)
    root = find_root()
    try:
        sdist = make_sdist(root, root / "dist")
        print(f"{sdist.relative_to(root)}  sha256 {sha256_file(sdist)}")
        if not arguments.sdist_only:
            wheel = make_wheel(root, sdist, root / "dist")
            print(f"{wheel.relative_to(root)}  sha256 {sha256_file(wheel)}")
    except GateError as error:
        print(f"hpcgate: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
