# Language policy: EXEMPT from the Rust-path rule. Finds and runs programs; no computation.
"""What this machine brings to the Spack smoke: a toolchain, and a room to run in."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

from hpcgate.cleanroom import PATH, THREADS, EngineName, open_room
from hpcgate.cleanroom.process import Result, run_group, without_network
from hpcgate.errors import GateError

__all__ = [
    "ENGINES",
    "EngineChoice",
    "Places",
    "Room",
    "room",
]

IMAGE = "debian-bookworm-spack"
EngineChoice = EngineName | Literal["none"]
ENGINES: tuple[EngineChoice, ...] = (*get_args(EngineName), "none")


@dataclass(frozen=True, slots=True)
class Places:
    """Name the folders of a site as the room sees them."""

    work: str
    builtin: str
    rust: str

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables under which Spack runs; the last five are used by the guide."""
        work = self.work
        return {
            "SPACK_PYTHON": f"{work}/venv/bin/python3",
            "SPACK_USER_CONFIG_PATH": f"{work}/scope",
            "SPACK_SYSTEM_CONFIG_PATH": f"{work}/no-scope",
            "SPACK_USER_CACHE_PATH": f"{work}/cache",
            # The builtin repository is read-only, and compiling its recipes each time is slow.
            "PYTHONPYCACHEPREFIX": f"{work}/pycache",
            "SPACK_COLOR": "never",
            "WORK": work,
            "MARS_REPOSITORY": f"file://{work}/origin",
            "MIRROR": f"{work}/site-mirror",
            "CACHE": f"{work}/site-cache",
            "ENVIRONMENT": f"{work}/environment",
        }

    def prefix(self, package: str) -> str:
        """Return the prefix of an external package."""
        return f"{self.work}/externals/{package}"


class Room(Protocol):
    """What the session needs of a room; a clean room and this machine both have it."""

    engine: str
    image: str
    work: Path

    def run(
        self,
        command: Sequence[str] | str,
        *,
        network: bool | None = None,
        timeout: float | None = None,
    ) -> Result:
        """Run a command; without a network when `network` is False."""


@contextlib.contextmanager
def room(
    root: Path, engine: EngineChoice, builtin: Path, rust: Path
) -> Iterator[tuple[Room, Places]]:
    """Open a room for Spack, and say where things lie in it.

    Parameters
    ----------
    root : Path
        The checkout.
    engine : {"auto", "podman", "docker", "bwrap", "none"}
        None is this machine with its network cut, for where no engine or no root can be had.
    builtin, rust : Path
        Folders of this machine that the room sees, read-only.

    Examples
    --------
    >>> with room(find_root(), "auto", builtin, rust) as (opened, places):  # doctest: +SKIP
    ...     opened.run(["gcc", "--version"]).ok
    True
    """
    if engine == "none":
        work = root / "build" / "rooms" / f"none-room-{os.getpid()}" / "work"
        places = Places(str(work), str(builtin), str(rust))
        try:
            work.mkdir(parents=True)
            yield _Machine(work, places.environment | THREADS), places
        finally:
            shutil.rmtree(work.parent, ignore_errors=True)
        return
    places = Places("/work", "/opt/packages", "/opt/rust")
    opened = open_room(
        IMAGE,
        root,
        engine=engine,
        network=True,
        mounts={builtin: places.builtin, rust: places.rust},
        environment=places.environment | THREADS,
        timeout=900.0,
    )
    with opened as clean:
        yield clean, places


class _Machine:
    """Be a room without a root of its own: only the network and the variables are cut."""

    def __init__(self, work: Path, environment: Mapping[str, str]) -> None:
        self.engine = "none, unshare -n"
        self.image = f"this machine, {platform.freedesktop_os_release()['PRETTY_NAME']}"
        self.work = work
        self._environment = {
            "PATH": f"{Path(sys.base_prefix) / 'bin'}:{PATH}",
            "HOME": str(work),
            "LANG": "C.UTF-8",
            **environment,
        }
        self._cut = without_network()
        if not self._cut:
            raise GateError("the network cannot be cut here", hint="give another --engine")

    def run(
        self,
        command: Sequence[str] | str,
        *,
        network: bool | None = None,
        timeout: float | None = None,
    ) -> Result:
        """Run a command in the work folder."""
        arguments = ["sh", "-euc", command] if isinstance(command, str) else list(command)
        line = [*(self._cut if network is False else []), "env", "-C", str(self.work), *arguments]
        environment = dict(self._environment)
        if network is not False:
            # Where the package index is, and who asks for it.
            wanted = re.compile(r"PIP_(EXTRA_)?INDEX_URL|HOME|(https?|all|no)_proxy|SSL_.*", re.I)
            environment |= {k: v for k, v in os.environ.items() if wanted.fullmatch(k)}
        return run_group(line, environment=environment, timeout=timeout or 900.0)
