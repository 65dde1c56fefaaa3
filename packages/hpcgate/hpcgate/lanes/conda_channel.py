# Language policy: EXEMPT from the Rust-path rule. Reads facts and asks solvers; no computation.
"""The channel that a session builds against, and what is pinned for builds against it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from hpcgate.errors import GateError
from hpcgate.facts import Facts, read_yaml
from hpcgate.lanes.conda_sandbox import Sandbox, Unavailable

__all__ = ["PLATFORM", "VARIANTS", "Channel", "abi_tag", "given_channel"]

PLATFORM = "linux-64"
VARIANTS = "packaging/conda-forge/variants.yaml"


@dataclass(frozen=True, slots=True)
class Channel:
    """Hold the address of a channel and the pins of builds against it.

    Attributes
    ----------
    uri : str
        An address, or a name that conda's tools know.
    minors : tuple of str
        The oldest Python, on which the package is built, and a newer one.
    pins : dict
        What conda-forge's global pinning sets, but for Python.
    described : dict
        What a record says of it.
    """

    uri: str
    minors: tuple[str, str]
    pins: dict[str, list[Any]]
    described: dict[str, str]

    def variants(self, minor: str) -> dict[str, list[Any]]:
        """Return what the global pinning would set for a build on one Python."""
        return {
            **self.pins,
            "python": [f"{minor}.* *_{abi_tag(minor)}"],
            "python_min": [self.minors[0]],
            "is_python_min": [minor == self.minors[0]],
            "is_abi3": [True],
        }


def abi_tag(minor: str) -> str:
    """Return the word by which the pinning tells builds of Python apart.

    Examples
    --------
    >>> abi_tag("3.10"), abi_tag("3.13")
    ('cpython', 'cp313')
    """
    return "cpython" if Version(minor) < Version("3.13") else f"cp{minor.replace('.', '')}"


def given_channel(
    uri: str,
    variants: Path,
    newer: tuple[str, ...],
    facts: Facts,
    sandbox: Sandbox,
) -> Channel:
    """Return the channel that was asked for, once it has shown what it holds.

    Parameters
    ----------
    uri : str
        For example `conda-forge`, or the address of a mirror.
    variants : Path
        A file of pins for it, as `packaging/conda-forge/variants.yaml`.
    newer : tuple of str
        Pythons of which the first that it has becomes the second one.

    Raises
    ------
    Unavailable
        If it cannot be read, or lacks a package.
    GateError
        If the pins ask for a Python below the floor.

    Examples
    --------
    >>> given_channel("conda-forge", path, ("3.13",), facts, sandbox)  # doctest: +SKIP
    Channel(uri='conda-forge', ...)
    """
    pins: dict[str, list[Any]] = dict(read_yaml(variants))
    oldest = _oldest(pins, variants, facts)
    for key in ("python", "python_min", "is_python_min", "is_abi3", "zip_keys"):
        pins.pop(key, None)
    known = facts.dependencies.by_role("build", "run", "tool").values()
    compilers = [f"{pins[name][0]}_{PLATFORM}" for name in ("c_compiler", "rust_compiler")]
    names = [*(d.names.conda for d in known if d.names.conda), *compilers, "python-abi3", "pip"]
    found = sandbox.ask("find", "channel", channel=uri, names=["python", *names], platform=PLATFORM)
    # A record is committed, so it names no folder of this machine.
    shown = "the channel on disk" if uri.startswith("file:") else uri
    if not found["read"]:
        why = found["why"].replace(uri.removeprefix("file://").rstrip("/"), "")
        raise Unavailable(f"{shown} cannot be read: {why}", hint=sandbox.see("channel"))
    if lacking := [name for name in names if not found["versions"].get(name)]:
        raise Unavailable(f"{shown} has no {', '.join(lacking)}", hint=sandbox.see("channel"))
    minors = {version.rpartition(".")[0] for version in found["versions"].get("python", [])}
    second = next((minor for minor in newer if minor in minors), None)
    if oldest not in minors or second is None:
        raise Unavailable(f"{shown} has no Python {oldest}, or none of {', '.join(newer)}")
    described = {"channel": f"{shown}, with the pins of {variants.name}"}
    return Channel(uri, (oldest, second), pins, described)


def _oldest(pins: dict[str, list[Any]], variants: Path, facts: Facts) -> str:
    """Return the Python of the pins, which the package has to support."""
    try:
        (oldest,) = pins["python_min"]
        below = Version(str(oldest)) < Version(str(facts.release.floors.python))
    except (KeyError, TypeError, ValueError, InvalidVersion):
        raise GateError(f"{variants}: python_min is not one version of Python") from None
    if below:
        raise GateError(
            f"{variants}: Python {oldest} is below the floor {facts.release.floors.python}",
            hint="see floors in packaging/release.yaml",
        )
    return str(oldest)
