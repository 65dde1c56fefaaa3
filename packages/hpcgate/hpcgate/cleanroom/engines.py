# Language policy: EXEMPT from the Rust-path rule. Starts containers; no computation.
"""Engines: the programs that run a command inside a root, and the choice among them."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol

from hpcgate.cleanroom.containers import Container, launchers
from hpcgate.cleanroom.process import run_group
from hpcgate.cleanroom.roots import Root
from hpcgate.cleanroom.trees import Apptainer, Bubblewrap, Chroot
from hpcgate.cleanroom.view import View
from hpcgate.errors import GateError

__all__ = ["Engine", "EngineName", "View", "choose", "container", "installed"]

EngineName = Literal["auto", "podman", "docker", "apptainer", "bwrap", "chroot"]

INSTALL = "apt-get install bubblewrap mmdebstrap"

# In the order in which they are tried: an engine, and the program that it is.
_PROGRAMS = {
    "podman": "podman",
    "docker": "docker",
    "apptainer": "apptainer",
    "bwrap": "bwrap",
    "chroot": "buildah",
}


class Engine(Protocol):
    """Turn a command for the room into a command for the machine."""

    name: str
    version: str

    def command(self, name: str, view: View, private: Path) -> list[str]:
        """Return the words before the room's command; `private` is a folder for the engine."""

    def environment(self, view: View) -> Mapping[str, str]:
        """Return the environment in which the engine itself starts."""

    def stop(self, name: str) -> None:
        """End what outlives the engine's process group."""


def installed(engine: EngineName) -> list[str]:
    """List the engines to try, in order.

    Raises
    ------
    GateError
        If none of them is installed; it names the command that installs one.

    Examples
    --------
    >>> installed("auto")  # doctest: +SKIP
    ['podman', 'bwrap']
    """
    names = list(_PROGRAMS) if engine == "auto" else [engine]
    found = [name for name in names if shutil.which(_PROGRAMS[name])]
    if not found:
        raise GateError(f"no container engine is installed: {', '.join(names)}", hint=INSTALL)
    return found


@functools.cache
def choose(names: tuple[str, ...], root: Root) -> Engine:
    """Return the first engine that runs a command in the root, tried once per process.

    Raises
    ------
    GateError
        If none works; it says why each does not.
    """
    refusals = []
    for name in names:
        for attempt in _attempts(name, root):
            try:
                engine = attempt()
                why = _try(engine)
            except GateError as error:
                why = error.message
            if not why:
                return engine
            refusals.append(f"{name}: {why}")
    raise GateError(f"no container engine works here ({'; '.join(refusals)})", hint=INSTALL)


def container(root: Root) -> Container:
    """Return podman or docker, whichever runs here: a driver such as cibuildwheel needs one.

    Raises
    ------
    GateError
        If neither is installed or works.
    """
    found = [name for name in ("podman", "docker") if shutil.which(name)]
    if not found:
        raise GateError("neither podman nor docker is installed", hint="apt-get install podman")
    chosen = choose(tuple(found), root)
    assert isinstance(chosen, Container)
    return chosen


def _attempts(name: str, root: Root) -> list[Callable[[], Engine]]:
    others: dict[str, Callable[[Root], Engine]] = {
        "apptainer": Apptainer,
        "bwrap": Bubblewrap,
        "chroot": Chroot,
    }
    if name in others:
        return [functools.partial(others[name], root)]
    return [functools.partial(Container.of_root, launcher, root) for launcher in launchers(name)]


def _try(engine: Engine) -> str:
    """Return why the engine does not run a command, or nothing when it does."""
    with tempfile.TemporaryDirectory() as folder:
        private = Path(folder)
        (private / "work").mkdir()
        view = View(((private / "work", "/work", True),), False, {"PATH": "/usr/bin:/bin"})
        name = f"{engine.name}-room-probe-{private.name}"
        done = run_group(
            [*engine.command(name, view, private), "touch", "/work/probe"],
            environment=engine.environment(view),
            timeout=60.0,
            stop=lambda: engine.stop(name),
        )
        return "" if done.ok and (private / "work" / "probe").exists() else done.why
