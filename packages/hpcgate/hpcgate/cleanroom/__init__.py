# Language policy: EXEMPT from the Rust-path rule. Starts containers; no computation.
"""The clean room behind every smoke session: a small private Linux in which one thing is tried.

A room stands on a root of Debian packages that `containers/<image>.yaml` describes. The first that
works of podman, docker, apptainer, bubblewrap and a chroot by buildah runs it, and all of them show
the same room: the root is read-only, `/work` is private and goes when the room closes, `/tmp` is
empty for each command, and no variable of the machine gets in unasked.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpcgate.cleanroom.containers import Container
from hpcgate.cleanroom.emulation import is_foreign
from hpcgate.cleanroom.engines import Engine, EngineName, choose, installed
from hpcgate.cleanroom.index import BUNDLE, certificates, index_settings
from hpcgate.cleanroom.process import Result, quiet, run_group
from hpcgate.cleanroom.roots import Image, load_image, make_root
from hpcgate.cleanroom.view import View
from hpcgate.errors import GateError

__all__ = [
    "PATH",
    "THREADS",
    "EngineName",
    "Image",
    "Result",
    "Room",
    "load_image",
    "open_image",
    "open_room",
]

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Without a limit the linear algebra reserves address space for every core of a large machine.
THREADS = {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}


class Room:
    """A clean room that is open; `open_room` makes it.

    Attributes
    ----------
    engine : str
        The engine that runs it, with its version.
    image : str
        Name of the definition and the SHA-256 of the root's package list, or the name of an image
        and its identifier.
    packages : tuple of str
        Every installed package of a root as `name version architecture`.
    work : Path
        The folder of this machine that the room sees as `/work`.
    """

    def __init__(
        self,
        engine: Engine,
        image: str,
        packages: tuple[str, ...],
        view: View,
        private: Path,
        memory: int,
        timeout: float,
    ) -> None:
        self.engine = engine.version
        self.image = image
        self.packages = packages
        self.work = private / "work"
        self._engine = engine
        self._view = view
        self._private = private
        self._memory = memory
        self._timeout = timeout

    def run(
        self,
        command: Sequence[str] | str,
        *,
        network: bool | None = None,
        timeout: float | None = None,
    ) -> Result:
        r"""Run one command in the room and wait for it.

        Parameters
        ----------
        command : sequence of str or str
            Arguments, or a shell script that stops at its first error.
        network : bool, optional
            False cuts the network of this command in a room that has one.
        timeout : float, optional
            Seconds, the room's own limit by default. A command that exceeds it is killed with
            everything it started, and its exit status is 124.

        Examples
        --------
        >>> room.run(["python3", "--version"]).stdout  # doctest: +SKIP
        'Python 3.11.2\n'
        """
        arguments = ["sh", "-euc", command] if isinstance(command, str) else list(command)
        view = replace(self._view, network=False) if network is False else self._view
        # A shell inside bounds the address space of each process: not every engine can.
        bound = ["sh", "-c", 'ulimit -v "$1"; shift; exec "$@"', "room", str(self._memory >> 10)]
        name = self._private.name
        return run_group(
            [*self._engine.command(name, view, self._private), *bound, *arguments],
            environment=self._engine.environment(view),
            timeout=self._timeout if timeout is None else timeout,
            stop=lambda: self._engine.stop(name),
        )


@contextlib.contextmanager
def open_room(
    image: str,
    root: Path,
    *,
    engine: EngineName = "auto",
    network: bool = False,
    mounts: Mapping[Path, str] | None = None,
    writable: Mapping[Path, str] | None = None,
    environment: Mapping[str, str] | None = None,
    memory: int = 8 << 30,
    timeout: float = 600.0,
) -> Iterator[Room]:
    """Open a clean room, and remove every trace of it afterwards.

    Parameters
    ----------
    image : str
        Name of a definition in `containers/`, without its suffix.
    root : Path
        The checkout.
    engine : {"auto", "podman", "docker", "apptainer", "bwrap", "chroot"}
        Auto takes the first one that runs a command in this root.
    network : bool
        Whether the room reaches the network. If so, it gets the machine's package index and proxy
        settings too.
    mounts, writable : mapping of Path to str, optional
        Folders or files of this machine and where the room sees them, read-only or writable.
    environment : mapping of str to str, optional
        Variables beside `PATH`, `HOME`, `LANG` and the certificate bundle.
    memory : int
        Bytes of address space each process may use.
    timeout : float
        Seconds a command may take.

    Raises
    ------
    GateError
        If no engine or no root can be had here, or the root holds a tool it must not hold.

    Examples
    --------
    >>> with open_room("debian-bookworm", find_root()) as room:  # doctest: +SKIP
    ...     room.run("test ! -e /work/left-over").ok
    True
    """
    definition = load_image(root, image)
    # Bubblewrap runs a root of another architecture as it is.
    alone = engine == "auto" and is_foreign(definition.architecture)
    programs = installed("bwrap" if alone else engine)
    made = make_root(image, definition, root)
    chosen = choose(tuple(programs), made)
    given = _View(network, mounts or {}, writable or {}, environment or {}, {"PATH": PATH})
    with _open(chosen, made.identity, made.packages, root, given, memory, timeout) as room:
        _refuse_tools(room, definition.absent)
        yield room


@contextlib.contextmanager
def open_image(
    engine: Container,
    root: Path,
    *,
    absent: Sequence[str] = (),
    mounts: Mapping[Path, str] | None = None,
    environment: Mapping[str, str] | None = None,
    memory: int = 8 << 30,
    timeout: float = 600.0,
) -> Iterator[Room]:
    """Open a room over an image as it is, with its user and its PATH, and no network.

    Parameters
    ----------
    engine : Container
        Podman or docker with the image.
    absent : sequence of str
        Tools that the image must not hold.
    root, mounts, environment, memory, timeout
        As for `open_room`.

    Examples
    --------
    >>> with open_image(engine, find_root()) as room:  # doctest: +SKIP
    ...     room.run(["mars-earth", "--version"]).ok
    True
    """
    given = _View(False, mounts or {}, {}, environment or {}, {})
    with _open(engine, engine.identity, (), root, given, memory, timeout) as room:
        room.work.chmod(0o777)  # the image's user is not this machine's
        _refuse_tools(room, absent)
        yield room


@dataclass(frozen=True, slots=True)
class _View:
    """What a caller asks a room to see."""

    network: bool
    mounts: Mapping[Path, str]
    writable: Mapping[Path, str]
    environment: Mapping[str, str]
    defaults: Mapping[str, str]

    def of(self, work: Path) -> View:
        binds = [(work, "/work", True)]
        variables = {**self.defaults, "HOME": "/work", "LANG": "C.UTF-8"}
        if bundle := certificates():
            binds.append((bundle, BUNDLE, False))
            variables |= {"SSL_CERT_FILE": BUNDLE, "PIP_CERT": BUNDLE}
        if self.network:
            variables |= index_settings()
        binds += [(host, guest, False) for host, guest in self.mounts.items()]
        binds += [(host, guest, True) for host, guest in self.writable.items()]
        for host, guest, _ in binds[1:]:
            if not host.exists():
                raise GateError(f"{host}: no such file or folder to mount at {guest}")
        return View(tuple(binds), self.network, variables | dict(self.environment))


@contextlib.contextmanager
def _open(
    engine: Engine,
    image: str,
    packages: tuple[str, ...],
    root: Path,
    given: _View,
    memory: int,
    timeout: float,
) -> Iterator[Room]:
    rooms = root / "build" / "rooms"
    _sweep(rooms, engine)
    private = rooms / f"{engine.name}-room-{os.getpid()}-{secrets.token_hex(4)}"
    view = given.of(private / "work")
    try:
        (private / "work").mkdir(parents=True)
        yield Room(engine, image, packages, view, private, memory, timeout)
    finally:
        _remove(private)


def _refuse_tools(room: Room, absent: Sequence[str]) -> None:
    """Raise when the room does not start, or finds a tool that is excluded."""
    tools = " ".join(absent)
    done = room.run(f"for tool in {tools}; do command -v $tool || true; done")
    if not done.ok:
        raise GateError(f"{room.image}: the room does not start: {done.why}")
    if found := done.stdout.split():
        raise GateError(f"{room.image}: the room is not clean, it holds {', '.join(found)}")


def _sweep(rooms: Path, engine: Engine) -> None:
    """Remove what sessions of this engine left behind that were killed before they could."""
    for folder in rooms.glob(f"{engine.name}-room-*-*"):
        try:
            os.kill(int(folder.name.split("-")[2]), 0)
        except ProcessLookupError:
            engine.stop(folder.name)
            _remove(folder)
        except (PermissionError, ValueError):
            continue


def _remove(folder: Path) -> None:
    # Caches such as cargo's hold folders that their owner may not write to.
    quiet(["chmod", "-R", "u+rwX", str(folder)])
    shutil.rmtree(folder, ignore_errors=True)
