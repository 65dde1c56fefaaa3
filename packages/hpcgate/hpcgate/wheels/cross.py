# Language policy: EXEMPT from the Rust-path rule. Calls maturin in a room; no computation.
"""Wheels for other architectures: Debian's compiler and its libraries for them, linked by zig.

Rust's own servers have these libraries as well, for a toolchain that can reach them; Debian's lie
where all else of a room comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from hpcgate.cleanroom import Room, open_room
from hpcgate.cleanroom.process import Result
from hpcgate.errors import GateError

__all__ = ["TARGETS", "Target", "build_cross", "target_of"]


@dataclass(frozen=True, slots=True)
class Target:
    """An architecture: what Rust calls it, and where its wheel is built and used.

    Both rooms are definitions in `containers/`. `provided` tells that the second has NumPy and
    scikit-learn from Debian, as no package index has wheels of them.
    """

    rust: str
    builder: str
    room: str
    tag: str = "manylinux2014"
    provided: bool = False


TARGETS = {
    # Not foreign at all: shows that the oldest Rust that the project promises builds this wheel.
    "x86_64": Target("x86_64-unknown-linux-gnu", "debian-trixie-cross-arm64", "debian-bookworm"),
    "aarch64": Target(
        "aarch64-unknown-linux-gnu", "debian-trixie-cross-arm64", "debian-trixie-arm64"
    ),
    "ppc64le": Target(
        "powerpc64le-unknown-linux-gnu",
        "debian-forky-cross-ppc64el",
        "debian-forky-ppc64el",
        tag="manylinux_2_28",  # zig has no glibc of 2.17 for it
        provided=True,
    ),
}
_TOOLS = "/work/tools/bin"
_SECONDS = 3600.0


def build_cross(
    root: Path, project: Path, out: Path, machine: str
) -> tuple[Result, dict[str, str]]:
    """Build the wheel of an unpacked sdist for another architecture, and say with what.

    Parameters
    ----------
    root, project, out : Path
        The checkout, the unpacked sdist, and where the wheel goes.
    machine : {"x86_64", "aarch64", "ppc64le"}
        What the wheel is for.

    Raises
    ------
    GateError
        If the way is not for that architecture, or no room or no package index can be had.

    Examples
    --------
    >>> build_cross(root, project, out, "aarch64")[0].ok  # doctest: +SKIP
    True
    """
    target = target_of(machine)
    pins = [f"{name}=={metadata.version(name)}" for name in ("maturin", "ziglang")]
    with open_room(
        target.builder,
        root,
        network=True,
        mounts={project: "/mnt/project"},
        writable={out: "/mnt/out"},
        environment={"SOURCE_DATE_EPOCH": "315532800"},
        memory=64 << 30,  # compilers reserve address space that they never use
        timeout=_SECONDS,
    ) as room:
        tools = {"engine": room.engine, "builder_image": room.image, "rustc": _rustc(room)}
        given = room.run(
            f"python3 -m venv /work/tools; {_TOOLS}/pip install -q --no-cache-dir {' '.join(pins)}"
        )
        if not given.ok:
            raise GateError(f"maturin and zig cannot be installed in the room: {given.why}")
        line = f"maturin build --release --zig --target {target.rust} --offline --locked"
        # Its build folder lies in the project, which the room may not write to.
        script = f"cp -r /mnt/project /work/project; cd /work/project; PATH={_TOOLS}:$PATH; "
        done = room.run(
            f"{script}{line} --compatibility {target.tag} --out /mnt/out", network=False
        )
    return done, tools | {pin.partition("==")[0]: pin.partition("==")[2] for pin in pins}


def target_of(machine: str) -> Target:
    """Return an architecture that this way builds for.

    Raises
    ------
    GateError
        If it builds for no such architecture.

    Examples
    --------
    >>> target_of("aarch64").rust
    'aarch64-unknown-linux-gnu'
    """
    if machine not in TARGETS:
        known = " or ".join(f"--archs {name}" for name in TARGETS)
        raise GateError(f"the way cross has no architecture {machine!r}", hint=known)
    return TARGETS[machine]


def _rustc(room: Room) -> str:
    words = room.run(["rustc", "--version"]).stdout.split()
    return words[1] if len(words) > 1 else "unknown"
