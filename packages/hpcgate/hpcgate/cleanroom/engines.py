# Language policy: EXEMPT from the Rust-path rule. Starts containers; no computation.
"""Engines: the programs that run a command inside a root."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from hpcgate.cleanroom.process import last_line, quiet, run_group
from hpcgate.cleanroom.roots import Root
from hpcgate.errors import GateError
from hpcgate.repo import write_text

__all__ = ["Engine", "EngineName", "View", "choose", "installed"]

EngineName = Literal["auto", "podman", "docker", "bwrap"]

INSTALL = "apt-get install bubblewrap mmdebstrap"


@dataclass(frozen=True, slots=True)
class View:
    """What a command sees of the machine: its folders, its network, its variables."""

    binds: tuple[tuple[Path, str, bool], ...]  # host, guest, writable
    network: bool
    environment: Mapping[str, str]


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


class _Bubblewrap:
    """Namespaces over the root, without images and without a daemon."""

    def __init__(self, root: Root) -> None:
        self.name = "bwrap"
        self.version = quiet(["bwrap", "--version"]).stdout.strip()
        self._tree = root.tree

    def command(self, name: str, view: View, private: Path) -> list[str]:
        line = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session"]
        line += ["--share-net"] if view.network else []
        # The root's entries hang in an empty tmpfs, so that a mount point can be made anywhere
        # without writing to the root.
        for entry in sorted(self._tree.iterdir()):
            guest = f"/{entry.name}"
            if entry.is_symlink():
                line += ["--symlink", os.readlink(entry), guest]
            elif entry.is_dir() and any(entry.iterdir()):
                line += ["--ro-bind", str(entry), guest]
            else:
                line += ["--dir", guest]
        line += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/var/tmp"]
        binds = list(view.binds)
        if view.network:
            names = (Path("/etc/resolv.conf"), Path("/etc/hosts"))
            binds += [(path, str(path), False) for path in names if path.exists()]
        for host, guest, writable in sorted(binds, key=lambda bind: bind[1]):
            line += ["--bind" if writable else "--ro-bind", str(host.resolve()), guest]
        return [*line, "--remount-ro", "/", "--chdir", "/work"]

    def environment(self, view: View) -> Mapping[str, str]:
        # Inherited, not written on the command line: an index address may hold a password.
        return view.environment

    def stop(self, name: str) -> None:
        pass  # The namespaces die with the process group.


class _Container:
    """Podman or docker over an image imported from the root."""

    def __init__(self, program: str, root: Root, *, private_cgroups: bool = False) -> None:
        self.name = program
        self.version = quiet([program, "--version"]).stdout.strip()
        self._base = [program]
        self._switches = ["--tmpfs=/tmp:rw,exec", "--tmpfs=/var/tmp:rw,exec"]
        self._image = f"mars-earth-room:{root.tree.parent.name[:16]}"
        if program == "podman":
            self._image = f"localhost/{self._image}"
            self._switches += ["--http-proxy=false"]
        else:
            # Docker's root is the machine's root; files it leaves could not be removed by others.
            self._switches += [f"--user={os.getuid()}:{os.getgid()}"]
        if private_cgroups:
            # Podman as root refuses hybrid cgroups, and limits above those it may set. Cgroup v2
            # alone in a private mount namespace, and limits named outright, avoid both.
            script = (
                "umount -R -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup;"
                ' exec podman --cgroup-manager=cgroupfs "$@"'
            )
            self._base = ["unshare", "-m", "sh", "-c", script, "podman"]
            self._switches += ["--cgroups=disabled"]
            self._switches += ["--ulimit=nofile=1000:1000", "--ulimit=nproc=1000:1000"]
            self.version += ", private cgroups"
        if quiet([*self._base, "image", "inspect", self._image]).returncode:
            self._import(root.tree)

    def _import(self, tree: Path) -> None:
        pack = ["tar", "-C", str(tree), "--owner=0", "--group=0", "-c", "."]
        with subprocess.Popen(pack, stdout=subprocess.PIPE) as tar:
            line = [*self._base, "import", "-", self._image]
            done = subprocess.run(line, stdin=tar.stdout, capture_output=True, text=True)
        if done.returncode or tar.returncode:
            raise GateError(f"import failed: {last_line(done.stderr)}")

    def command(self, name: str, view: View, private: Path) -> list[str]:
        variables = private / "environment"
        write_text(variables, "".join(f"{k}={v}\n" for k, v in view.environment.items()))
        variables.chmod(0o600)
        line = [*self._base, "run", "--rm", "--init", "--name", name, "--read-only"]
        line += [*self._switches, "--network", "host" if view.network else "none"]
        line += ["--env-file", str(variables), "--workdir", "/work"]
        for host, guest, writable in view.binds:
            line += ["--volume", f"{host.resolve()}:{guest}:{'rw' if writable else 'ro'}"]
        return [*line, self._image]

    def environment(self, view: View) -> Mapping[str, str]:
        return os.environ

    def stop(self, name: str) -> None:
        quiet([*self._base, "rm", "-f", name])


def installed(engine: EngineName) -> list[str]:
    """List the programs to try, in order.

    Raises
    ------
    GateError
        If none of them is installed; it names the command that installs one.
    """
    names = ["podman", "docker", "bwrap"] if engine == "auto" else [engine]
    found = [name for name in names if shutil.which(name)]
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


def _attempts(name: str, root: Root) -> list[Callable[[], Engine]]:
    if name == "bwrap":
        return [functools.partial(_Bubblewrap, root)]
    attempts: list[Callable[[], Engine]] = [functools.partial(_Container, name, root)]
    if name == "podman" and os.geteuid() == 0:
        attempts.append(functools.partial(_Container, name, root, private_cgroups=True))
    return attempts


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
