# Language policy: EXEMPT from the Rust-path rule. Starts containers; no computation.
"""Podman and docker: engines with images, which drivers such as cibuildwheel call as well."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hpcgate.cleanroom.process import last_line, quiet
from hpcgate.cleanroom.roots import Root
from hpcgate.cleanroom.view import View
from hpcgate.errors import GateError
from hpcgate.repo import find_root, write_text

__all__ = ["Container", "Launcher", "launchers"]

# Podman as root refuses hybrid cgroups, and limits above those it may set. Cgroup v2 alone in a
# private mount namespace, and the limits that the settings name outright, avoid both.
_PRIVATE = """\
umount -R -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || exit 125
CONTAINERS_CONF=$1; export CONTAINERS_CONF; shift
exec "$@"
"""
_SETTINGS = "containers/sandbox.conf"


@dataclass(frozen=True, slots=True)
class Launcher:
    """How podman or docker is called on this machine.

    Attributes
    ----------
    program : str
        What a driver, such as cibuildwheel, is told to call.
    version : str
        What the program says of itself, and whether it runs in cgroups of its own.
    words : tuple of str
        What stands before the program.
    """

    program: str
    version: str
    words: tuple[str, ...] = ()

    def around(self, line: Sequence[str]) -> list[str]:
        """Return a command line in which the program works, also one that calls it.

        Examples
        --------
        >>> Launcher("podman", "podman 4").around(["podman", "images"])
        ['podman', 'images']
        """
        return [*self.words, *line]


def launchers(*programs: str) -> list[Launcher]:
    """List the ways to call podman and docker that this machine may allow, the plain ones first.

    Examples
    --------
    >>> launchers("no-such-engine")
    []
    """
    found = []
    for program in programs or ("podman", "docker"):
        if shutil.which(program) is None:
            continue
        version = quiet([program, "--version"]).stdout.strip()
        found.append(Launcher(program, version))
        if program == "podman" and os.geteuid() == 0 and shutil.which("unshare"):
            settings = str(find_root(Path(__file__)) / _SETTINGS)
            words = ("unshare", "-m", "sh", "-c", _PRIVATE, "podman", settings)
            found.append(Launcher(program, f"{version}, private cgroups", words))
    return found


class Container:
    """Podman or docker over an image.

    Attributes
    ----------
    launcher : Launcher
        How the program is called.
    image : str
        The image that rooms stand on.
    """

    def __init__(self, launcher: Launcher, image: str) -> None:
        self.launcher = launcher
        self.name, self.version = launcher.program, launcher.version
        self.image = image
        self._switches = ["--tmpfs=/tmp:rw,exec", "--tmpfs=/var/tmp:rw,exec"]
        self._switches += ["--http-proxy=false"] if self.name == "podman" else []

    @classmethod
    def of_root(cls, launcher: Launcher, root: Root) -> Container:
        """Return an engine over an image of the root, which is imported once.

        Examples
        --------
        >>> Container.of_root(launchers()[0], root).image  # doctest: +SKIP
        'localhost/mars-earth-room:45bf71137d5c382b'
        """
        image = f"mars-earth-room:{root.tree.parent.name[:16]}"
        engine = cls(launcher, f"localhost/{image}" if launcher.program == "podman" else image)
        if launcher.program == "docker":
            # Docker's root is the machine's root; files it leaves could not be removed by others.
            engine._switches += [f"--user={os.getuid()}:{os.getgid()}"]
        if quiet(launcher.around([engine.name, "image", "inspect", engine.image])).returncode:
            engine._import(root.tree)
        return engine

    @property
    def identity(self) -> str:
        """Return the image's name and identifier."""
        return f"{self.image} {self.inspect('{{.Id}}')}".strip()

    def inspect(self, wanted: str) -> str:
        """Return what the engine says of the image, by a template of its own.

        Examples
        --------
        >>> engine.inspect("{{.Size}}")  # doctest: +SKIP
        '298000000'
        """
        line = [self.name, "image", "inspect", f"--format={wanted}", self.image]
        return quiet(self.launcher.around(line)).stdout.strip()

    def _import(self, tree: Path) -> None:
        pack = ["tar", "-C", str(tree), "--owner=0", "--group=0", "-c", "."]
        with subprocess.Popen(pack, stdout=subprocess.PIPE) as tar:
            line = self.launcher.around([self.name, "import", "-", self.image])
            done = subprocess.run(line, stdin=tar.stdout, capture_output=True, text=True)
        if done.returncode or tar.returncode:
            raise GateError(f"import failed: {last_line(done.stderr)}")

    def command(self, name: str, view: View, private: Path) -> list[str]:
        """Return the words before the room's command."""
        variables = private / "environment"
        write_text(variables, "".join(f"{k}={v}\n" for k, v in view.environment.items()))
        variables.chmod(0o600)
        line = self.launcher.around(
            [self.name, "run", "--rm", "--init", "--name", name, "--read-only"]
        )
        line += [*self._switches, "--network", "host" if view.network else "none"]
        line += ["--env-file", str(variables), "--workdir", "/work", "--entrypoint", ""]
        for host, guest, writable in view.binds:
            line += ["--volume", f"{host.resolve()}:{guest}:{'rw' if writable else 'ro'}"]
        return [*line, self.image]

    def environment(self, view: View) -> Mapping[str, str]:
        """Return the environment in which the engine itself starts."""
        return os.environ

    def stop(self, name: str) -> None:
        """End what outlives the engine's process group."""
        quiet(self.launcher.around([self.name, "rm", "-f", name]))
