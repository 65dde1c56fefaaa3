# Language policy: EXEMPT from the Rust-path rule. Reads a lock file and asks cargo.
"""The crates of the release: versions and digests from the lock, licences from a derived table.

The lock has no licences, and cargo is not at hand wherever a packet is assembled. `nox -s gen`
therefore asks cargo once and writes the answer down; whoever reads compares it with the lock.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from hpcgate.doctor import require
from hpcgate.errors import GateError
from hpcgate.facts import FactModel, Licence, load_model
from hpcgate.repo import read_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["LOCK", "TABLE", "LockedCrate", "crates", "table_text"]

LOCK = "packages/Cargo.lock"
TABLE = "packaging/supply/crates.yaml"
HEAD = """\
# Every crate of packages/Cargo.lock with its licence. Derived from `cargo metadata` by
# `nox -s gen`; not edited. The lock holds versions, digests and the graph.
#
# use   linked: in the extension module, on some platform; build: only while it is made

crates:
"""

Use = Literal["linked", "build"]


class _Row(FactModel):
    licence: Licence
    use: Use


class _Table(FactModel):
    crates: dict[str, _Row]


@dataclass(frozen=True, slots=True)
class LockedCrate:
    """One crate of the lock file.

    Attributes
    ----------
    sha256 : str
        Digest of its archive; empty for a crate of this workspace.
    needs : tuple of str
        Keys of the crates it depends on.
    """

    name: str
    version: str
    sha256: str
    needs: tuple[str, ...]
    licence: str
    use: Use

    @property
    def key(self) -> str:
        """Name and version; unique in a lock file."""
        return f"{self.name} {self.version}"


def crates(root: Path) -> list[LockedCrate]:
    """Return every crate of the lock file with its licence, in the order of the lock.

    Raises
    ------
    GateError
        If the lock is missing or is no lock, or if the table of licences is not its table.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> next(c.licence for c in crates(find_root(Path(__file__))) if c.name == "serde")
    'MIT OR Apache-2.0'
    """
    locked = _read_lock(root)
    rows = load_model(_Table, root, TABLE).crates
    odd = [f"{TABLE} lacks {key}" for key in locked if key not in rows]
    odd += [f"{LOCK} lacks {key}" for key in rows if key not in locked]
    if odd:
        raise GateError(odd[0], hint="run: nox -s gen")
    return [
        LockedCrate(
            package["name"],
            package["version"],
            package.get("checksum", ""),
            tuple(_resolve(word, locked) for word in package.get("dependencies", ())),
            rows[key].licence,
            rows[key].use,
        )
        for key, package in locked.items()
    ]


def table_text(root: Path) -> str:
    """Return the table of licences that cargo's metadata gives.

    Raises
    ------
    GateError
        If cargo is missing or refuses the lock, or a crate names no licence.
    """
    locked = _read_lock(root)
    metadata = _metadata(root)
    linked = _linked(metadata)
    rows = {}
    for package in metadata["packages"]:
        key = f"{package['name']} {package['version']}"
        use = get_args(Use)[package["id"] not in linked]
        rows[key] = f"  {key}: {{licence: {_licence(package, key)}, use: {use}}}\n"
    if missing := sorted(locked.keys() - rows.keys()):
        raise GateError(f"cargo metadata does not list {missing[0]} of {LOCK}")
    return HEAD + "".join(rows[key] for key in sorted(rows))


def _read_lock(root: Path) -> dict[str, dict[str, Any]]:
    """Return the packages of the lock by name and version."""
    path = root / LOCK
    if not path.is_file():
        raise GateError(f"{LOCK} is missing", hint="run: cargo generate-lockfile, in packages/")
    try:
        packages = tomllib.loads(read_text(path))["package"]
        return {f"{found['name']} {found['version']}": found for found in packages}
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise GateError(f"{LOCK} is not a lock file of cargo: {error}") from None


def _resolve(word: str, locked: Mapping[str, Any]) -> str:
    """Return the key that an entry of `dependencies` means: a name, with a version where needed."""
    parts = word.split()
    found = [
        key
        for key in locked
        if key.split()[0] == parts[0] and (len(parts) == 1 or key.split()[1] == parts[1])
    ]
    if len(found) != 1:
        raise GateError(f"{LOCK}: the dependency {word!r} names {len(found)} crates, not one")
    return found[0]


def _metadata(root: Path) -> dict[str, Any]:
    """Ask cargo, without network: the crates were fetched when the sdist was built."""
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--offline"]
    try:
        done = subprocess.run(command, cwd=root / "packages", capture_output=True, text=True)
    except FileNotFoundError:
        require("cargo", root=root)
        raise GateError("cargo cannot be started", hint="nox -s doctor") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise GateError(f"cargo metadata: {said[0] if said else 'failed'}", hint="cargo fetch")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _linked(metadata: Mapping[str, Any]) -> set[str]:
    """Return the ids of the crates that end up in the extension module.

    Those are reached from the workspace over normal dependencies, and no further than a procedural
    macro: the compiler runs it, so it and what it needs stay behind.
    """
    macros = {
        package["id"]
        for package in metadata["packages"]
        if any("proc-macro" in target["kind"] for target in package["targets"])
    }
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    waiting, reached = list(metadata["workspace_members"]), set[str]()
    while waiting:
        here = waiting.pop()
        if here in reached or here in macros:
            continue
        reached.add(here)
        for needed in nodes[here]["deps"]:
            if any(kind["kind"] is None for kind in needed["dep_kinds"]):
                waiting.append(needed["pkg"])
    return reached


def _licence(package: Mapping[str, Any], key: str) -> str:
    """Return a crate's SPDX expression; old manifests write `/` where they mean OR."""
    said = package["license"]
    if not said:
        what = f"only the file {package['license_file']}" if package["license_file"] else "none"
        raise GateError(f"crate {key} has no SPDX licence ({what})", hint="use another crate")
    try:
        return str(canonicalize_license_expression(said.replace("/", " OR ")))
    except InvalidLicenseExpression as error:
        raise GateError(f"crate {key}: licence {said!r}: {error}") from None
