# Language policy: EXEMPT from the Rust-path rule. Calls mmdebstrap; no computation.
"""Roots: folders of Debian packages, made once from a definition and never written to again."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from hpcgate.cleanroom.emulation import emulated
from hpcgate.cleanroom.process import last_line, quiet, run_group
from hpcgate.errors import GateError
from hpcgate.facts import FactModel, load_model
from hpcgate.repo import read_text, sha256_bytes, write_text

__all__ = ["Image", "Root", "load_image", "make_root"]

# Raised when make_root prepares a root differently, so that roots made before are not used.
_FORMAT = 1
# An emulated root takes many times as long as one of this machine.
_SECONDS = 2700.0

_Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+_-]*$")]
_Package = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+_-]*(:[a-z0-9]+)?$")]
_Path = Annotated[str, Field(pattern=r"^/[A-Za-z0-9/._*-]+$")]


class Image(FactModel):
    """Hold one image definition of `containers/`.

    `left_out` are files of packages that are not unpacked, such as manuals. `architectures` are
    Debian's names: the root's own, the machine's by default, then those whose packages it takes as
    `name:architecture`.
    """

    why: str
    origin: _Word
    suite: _Word
    variant: Literal["minbase", "apt", "essential", "standard"]
    packages: Annotated[tuple[_Package, ...], Field(min_length=1)]
    absent: tuple[_Word, ...]
    left_out: tuple[_Path, ...] = ()
    architectures: tuple[Literal["amd64", "arm64", "ppc64el"], ...] = ()

    @property
    def architecture(self) -> str:
        """Return the root's own architecture; empty for the machine's."""
        return self.architectures[0] if self.architectures else ""

    @property
    def digest(self) -> str:
        """Return the digest of what decides the root's content; comments and `why` do not."""
        # A key that a definition does not use leaves the digests of its root as they were.
        content = self.model_dump(mode="json", exclude={"why", "absent"}, exclude_defaults=True)
        return sha256_bytes(json.dumps([_FORMAT, content], sort_keys=True).encode())


@dataclass(frozen=True, slots=True)
class Root:
    """A root on disk, who it is, and what is installed in it."""

    tree: Path
    identity: str
    packages: tuple[str, ...]
    architecture: str = ""


def load_image(root: Path, name: str) -> Image:
    """Read one image definition of a checkout.

    Raises
    ------
    GateError
        If there is no such definition, or it holds an unknown key or a wrong value.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> load_image(find_root(Path(__file__)), "debian-bookworm").suite
    'bookworm'
    """
    folder = root / "containers"
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in known:
        hint = f"there are: {', '.join(known) or 'none'}"
        raise GateError(f"{folder}: no image definition {name!r}", hint=hint)
    return load_model(Image, root, f"containers/{name}.yaml")


def make_root(name: str, image: Image, checkout: Path) -> Root:
    """Return the root of a definition; the first call makes it with mmdebstrap.

    Raises
    ------
    GateError
        If mmdebstrap is missing or fails. A root that is half made is removed.
    """
    folder = checkout / "build" / "roots" / image.digest
    if not folder.exists():
        if not shutil.which("mmdebstrap"):
            raise GateError("mmdebstrap is not installed", hint="apt-get install mmdebstrap")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as temporary:
            Path(temporary).chmod(0o755)  # apt reads its scratch as another user
            archive, made = Path(temporary) / "root.tar", Path(temporary) / "made"
            _bootstrap(image, archive, checkout / "build" / "logs" / f"root-{name}.log")
            _unpack(archive, made)
            # Another session may have been quicker; its root is as good.
            with contextlib.suppress(OSError):
                made.rename(folder)
    packages = read_text(folder / "packages.txt")
    identity = f"{name} sha256:{sha256_bytes(packages.encode())}"
    return Root(folder / "tree", identity, tuple(packages.splitlines()), image.architecture)


def _bootstrap(image: Image, archive: Path, log: Path) -> None:
    line = [*emulated(image.architecture), "mmdebstrap"]
    line += [f"--variant={image.variant}", f"--include={','.join(image.packages)}"]
    line += [f"--architectures={','.join(image.architectures)}"] if image.architectures else []
    # A proxy, or a mirror frozen at a date, needs apt's own settings; mmdebstrap reads none.
    for setting in quiet(["apt-config", "dump", "--format", '%f "%v";%n']).stdout.splitlines():
        if re.fullmatch(r'Acquire::(https?::|Check-)\S+ ".+";', setting):
            line += [f"--aptopt={setting}"]
    # A root that is half made is thrown away, so no file needs to reach the disk before the next.
    line += ["--dpkgopt=force-unsafe-io"]
    line += [f"--dpkgopt=path-exclude={pattern}" for pattern in image.left_out]
    line += [image.suite, str(archive), *_mirrors(image)]
    # Its scratch goes with the archive's folder, also when it is killed before it has cleaned up.
    environment = {**os.environ, "TMPDIR": str(archive.parent)}
    done = run_group(line, environment=environment, timeout=_SECONDS, grace=10.0)
    write_text(log, done.stdout + done.stderr)
    if not done.ok:
        errors = re.findall(r"^E: (.*)$", done.stderr, re.MULTILINE)
        why = errors[0] if errors else done.why
        raise GateError(f"mmdebstrap {image.suite} failed: {why}", hint=f"see {log}")


def _mirrors(image: Image) -> list[str]:
    """List the suite's archives apt is configured with; none lets mmdebstrap take its default."""
    fields = "$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)"
    listed = quiet(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"]).stdout
    suites = (image.suite, f"{image.suite}-updates", f"{image.suite}-security")
    found = []
    for target in listed.splitlines():
        origin, suite, component, address = target.split("|", 3)
        if (origin, component) == (image.origin, "main") and suite in suites:
            found.append(f"deb {address} {suite} main")
    return list(dict.fromkeys(found))


def _unpack(archive: Path, made: Path) -> None:
    tree = made / "tree"
    tree.mkdir(parents=True)
    done = quiet(["tar", "-C", str(tree), "--exclude=./dev/*", "-xf", str(archive)])
    if done.returncode:
        raise GateError(f"{archive}: cannot be unpacked: {last_line(done.stderr)}")
    # Nothing of this machine stays in the root; both files are mount points as well.
    write_text(tree / "etc" / "resolv.conf", "")
    write_text(tree / "etc" / "hosts", "127.0.0.1 localhost\n::1 localhost\n")
    query = ["dpkg-query", f"--admindir={tree / 'var/lib/dpkg'}", "--show"]
    listed = quiet([*query, "--showformat=${Package} ${Version} ${Architecture}\\n"])
    if listed.returncode or not listed.stdout:
        raise GateError(f"{tree}: its packages cannot be listed: {last_line(listed.stderr)}")
    write_text(made / "packages.txt", listed.stdout)
