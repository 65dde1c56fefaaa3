# Language policy: EXEMPT from the Rust-path rule. Starts containers; no computation.
"""Bubblewrap, Apptainer and a chroot by buildah: engines that run over the root's own folder."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from hpcgate.cleanroom.emulation import emulated
from hpcgate.cleanroom.process import last_line, quiet
from hpcgate.cleanroom.roots import Root
from hpcgate.cleanroom.view import View
from hpcgate.errors import GateError
from hpcgate.repo import write_text

__all__ = ["Apptainer", "Bubblewrap", "Chroot"]


# Where the room finds its variables, and the words that take them up before the command.
_VARIABLES = "/run/room-environment"
_TAKE_VARIABLES = ("sh", "-c", f'. {_VARIABLES}; exec "$@"', "room")


def _keep_variables(view: View, private: Path) -> tuple[Path, str, bool]:
    """Write the room's variables to a file: an index address may hold a password."""
    file = private / "environment"
    lines = (f"export {key}={shlex.quote(value)}\n" for key, value in view.environment.items())
    write_text(file, "".join(lines))
    file.chmod(0o600)
    return (file, _VARIABLES, False)


class Bubblewrap:
    """Namespaces over the root, without images and without a daemon."""

    def __init__(self, root: Root) -> None:
        self.name = "bwrap"
        self.version = quiet(["bwrap", "--version"]).stdout.strip()
        self._tree = root.tree
        self._outer = emulated(root.architecture)

    def command(self, name: str, view: View, private: Path) -> list[str]:
        """Return the words before the room's command."""
        line = [*self._outer, "bwrap", "--unshare-all", "--die-with-parent", "--new-session"]
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
        for host, guest, writable in sorted((*view.binds, *view.names), key=lambda bind: bind[1]):
            line += ["--bind" if writable else "--ro-bind", str(host.resolve()), guest]
        return [*line, "--remount-ro", "/", "--chdir", "/work"]

    def environment(self, view: View) -> Mapping[str, str]:
        """Return the environment in which the engine itself starts."""
        # Inherited, not written on the command line: an index address may hold a password.
        return view.environment

    def stop(self, name: str) -> None:
        """End what outlives the engine's process group."""
        pass  # The namespaces die with the process group.


class Apptainer:
    """Apptainer over the root as a sandbox folder, for sites that have no other engine."""

    def __init__(self, root: Root) -> None:
        self.name = "apptainer"
        self.version = quiet(["apptainer", "--version"]).stdout.strip()
        self._tree = root.tree

    def command(self, name: str, view: View, private: Path) -> list[str]:
        """Return the words before the room's command."""
        # Apptainer keeps /tmp here; the room's is empty for each command.
        scratch = private / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        line = ["apptainer", "--silent", "exec", "--containall", "--cleanenv", "--no-home"]
        # A sandbox's root lacks some of the capabilities that Apptainer would give.
        line += ["--no-privs"] if os.geteuid() == 0 else []
        line += ["--no-init", "--workdir", str(scratch), "--pwd", "/work"]
        line += [] if view.network else ["--net", "--network=none"]
        for host, guest, writable in (*view.binds, *view.names, _keep_variables(view, private)):
            line += ["--bind", f"{host.resolve()}:{guest}:{'rw' if writable else 'ro'}"]
        return [*line, str(self._tree), *_TAKE_VARIABLES]

    def environment(self, view: View) -> Mapping[str, str]:
        """Return the environment in which the engine itself starts."""
        return os.environ

    def stop(self, name: str) -> None:
        """End what outlives the engine's process group."""
        pass  # Its process namespace dies with the process group.


# $1 name, $2 image, $3 mount points; the rest is what `buildah run` gets.
_CHROOT = """\
name=$1 image=$2 points=$3; shift 3
buildah from --pull-never --name "$name" "$image" > /dev/null || exit 125
root=$(buildah mount "$name") && mount --make-rprivate / && mount --bind "$root" "$root" || exit 125
# What the machine's own /sys tells of its network is not the room's.
mount -t sysfs sysfs /sys 2> /dev/null
for folder in run tmp var/tmp; do mount -t tmpfs tmpfs "$root/$folder" || exit 125; done
# The mount points must exist before the root is read-only.
for point in $points; do
    host=${point%%:*} guest=$root${point#*:}
    if [ -d "$host" ]; then mkdir -p "$guest"
    else mkdir -p "${guest%/*}"; [ -e "$guest" ] || touch "$guest"; fi
done
mount -o remount,bind,ro "$root" || exit 125
buildah run --isolation=chroot --workingdir=/work "$@"
status=$?
buildah rm "$name" > /dev/null
exit $status
"""


class Chroot:
    """A chroot by buildah: needs root or user namespaces, and no container runtime."""

    def __init__(self, root: Root) -> None:
        self.name = "chroot"
        self.version = f"chroot, {quiet(['buildah', '--version']).stdout.strip()}"
        self._image = f"localhost/mars-earth-room:{root.tree.parent.name[:16]}"
        self._outer = [] if os.geteuid() == 0 else ["buildah", "unshare"]
        if quiet(["buildah", "inspect", "--type=image", self._image]).returncode:
            self._import(root.tree)

    def _import(self, tree: Path) -> None:
        script = (
            'name=$(buildah from scratch) && root=$(buildah mount "$name")'
            ' && tar -C "$1" --owner=0 --group=0 -c . | tar -C "$root" -x'
            ' && buildah commit -q "$name" "$2"; status=$?; buildah rm "$name"; exit $status'
        )
        done = quiet([*self._outer, "sh", "-c", script, "import", str(tree), self._image])
        if done.returncode:
            raise GateError(f"import failed: {last_line(done.stderr)}")

    def command(self, name: str, view: View, private: Path) -> list[str]:
        """Return the words before the room's command."""
        binds = [*view.binds, *view.names, _keep_variables(view, private)]
        points = " ".join(f"{host.resolve()}:{guest}" for host, guest, _ in binds)
        cut = [] if view.network else ["-n"]
        line = [
            *self._outer,
            "unshare",
            "-mpf",
            "--mount-proc",
            "--kill-child",
            *cut,
            "sh",
            "-c",
            _CHROOT,
            name,
        ]
        line += [name, self._image, points]
        for host, guest, writable in binds:
            line += ["--volume", f"{host.resolve()}:{guest}:{'rw' if writable else 'ro'}"]
        return [*line, name, "--", *_TAKE_VARIABLES]

    def environment(self, view: View) -> Mapping[str, str]:
        """Return the environment in which the engine itself starts."""
        return os.environ

    def stop(self, name: str) -> None:
        """End what outlives the engine's process group."""
        quiet(["buildah", "rm", name])
