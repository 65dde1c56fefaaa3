# Language policy: EXEMPT from the Rust-path rule. Calls cibuildwheel and maturin; no computation.
"""The ways to build wheels, and which of them this machine allows.

official
    cibuildwheel in the manylinux and musllinux images that it pins by digest.
own
    cibuildwheel in an image made here from Debian packages, for the machine's own architecture.
machine
    cibuildwheel without a container, as on macOS and Windows.
zig
    maturin, linking against an old glibc with zig; no engine, no image.
cross
    The same for another architecture, with Debian's compiler in a clean room.
"""

from __future__ import annotations

import configparser
import importlib.util
import os
import platform
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata, resources
from pathlib import Path
from typing import Literal, get_args

from hpcgate.cleanroom.containers import Launcher, launchers
from hpcgate.cleanroom.engines import container
from hpcgate.cleanroom.images import build_image
from hpcgate.cleanroom.index import BUNDLE, certificates, index_settings
from hpcgate.cleanroom.process import Result, quiet, run_group, without_network
from hpcgate.cleanroom.roots import load_image, make_root
from hpcgate.cleanroom.toolchain import rust_toolchain
from hpcgate.errors import GateError
from hpcgate.repo import write_text
from hpcgate.wheels.cross import build_cross

__all__ = ["WAYS", "BuildError", "Built", "Way", "build"]

Way = Literal["official", "own", "machine", "zig", "cross"]
WAYS: tuple[Way, ...] = get_args(Way)

IMAGE = "debian-bookworm-wheel-builder"
RECIPE = Path("containers/wheel-builder/Containerfile")
# Debian 12 has this Python; the wheel is abi3 from 3.10 all the same.
OWN_PYTHON = "cp311"
LOG = Path("build/logs/wheels.log")
_SECONDS = 3600.0
# Written by Linux itself, whichever program meets it.
_CAUSES = {
    "No space left on device": "the disk is full",
    "Temporary failure in name resolution": "no package index can be reached",
    "Name or service not known": "no package index can be reached",
    "Network is unreachable": "no package index can be reached",
}


@dataclass(slots=True)
class Built:
    """What a way made, and with what."""

    way: Way
    wheels: list[Path]
    tools: dict[str, str]
    measurements: dict[str, float] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)  # ways that do not work here, and why
    offline: bool = False  # the project was built where there was no network


def build(
    root: Path,
    project: Path,
    out: Path,
    way: Way | None = None,
    *,
    only: str = "",
    architectures: str = "",
) -> Built:
    """Build the wheels of an unpacked sdist.

    Parameters
    ----------
    root, project, out : Path
        The checkout, the unpacked sdist, and where the wheels go. `out` is emptied first.
    way : {"official", "own", "machine", "zig", "cross"}, optional
        The first that works by default; `cross` is never chosen for you.
    only, architectures : str
        Build identifiers and architectures for cibuildwheel instead of the configured ones, such as
        `cp310-manylinux_x86_64`; the ways `own` and `zig` have one of each, and `cross` needs an
        architecture.

    Raises
    ------
    BuildError
        If a build fails by itself.
    GateError
        If no way works here, or the disk is full, or the package index is out of reach.

    Examples
    --------
    >>> build(root, project, out).way  # doctest: +SKIP
    'own'
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    choice = _Choice(only, architectures)
    ways: dict[Way, Callable[[], Built]] = {
        "official": lambda: _official(root, project, out, choice),
        "own": lambda: _own(root, project, out),
        "machine": lambda: _drive("machine", root, project, out, {}, choice),
        "zig": lambda: _zig(root, project, out),
        "cross": lambda: _cross(root, project, out, architectures),
    }
    if platform.system() != "Linux":
        possible: Sequence[Way] = ("machine",)
    else:
        possible = ("official", "own", "zig", "cross")
    if way is not None and way not in possible:
        raise GateError(f"the way {way} is not for {platform.system()}: {', '.join(possible)}")
    refused = []
    for name in [way] if way else [name for name in possible if name != "cross"]:
        try:
            built = ways[name]()
        except _NotHere as error:
            refused.append(f"{name}: {error}")
        else:
            built.refused = refused
            return built
    raise GateError(f"no wheel can be built here ({'; '.join(refused)})", hint="nox -s doctor")


@dataclass(frozen=True, slots=True)
class _Choice:
    """What of the configured builds is wanted; all where a text is empty."""

    only: str
    architectures: str


class BuildError(GateError):
    """Say that the project does not build, which is no fault of this machine."""


class _NotHere(Exception):
    """Say that a way does not work on this machine; another may."""


def _official(root: Path, project: Path, out: Path, choice: _Choice) -> Built:
    image = _pinned("manylinux_2_28")
    refusals = []
    for engine in launchers():
        pulled = run_group(
            engine.around([engine.program, "pull", "--quiet", image]),
            environment=dict(os.environ),
            timeout=900.0,
        )
        if pulled.ok:
            return _drive("official", root, project, out, {}, choice, engine)
        refusals.append(f"{engine.program} cannot pull: {pulled.why}")
    raise _NotHere("; ".join(refusals) or "neither podman nor docker is installed")


def _own(root: Path, project: Path, out: Path) -> Built:
    try:
        rust, sysroot = rust_toolchain()
        tree = make_root(IMAGE, load_image(root, IMAGE), root)
        base = container(tree)
        image = build_image(
            base, root / RECIPE, "mars-earth-wheel-builder", log=root / "build/logs/image.log"
        )
    except GateError as error:
        raise _NotHere(str(error)) from None
    machine = platform.machine()
    volumes = [f"--volume={sysroot}:/opt/rust:ro"]
    # The test imports little of what pip would compile, and Python compiles that by itself.
    passed = {**index_settings(), "PIP_COMPILE": "0"}
    if bundle := certificates():
        volumes.append(f"--volume={bundle.resolve()}:{BUNDLE}:ro")
        passed |= {"PIP_CERT": BUNDLE, "SSL_CERT_FILE": BUNDLE}
    settings = {
        f"CIBW_MANYLINUX_{machine.upper()}_IMAGE": image,
        "CIBW_ENVIRONMENT_PASS_LINUX": " ".join(passed),
        **passed,
    }
    choice = _Choice(f"{OWN_PYTHON}-manylinux_{machine}", machine)
    built = _drive("own", root, project, out, settings, choice, base.launcher, volumes)
    built.tools |= {"builder_image": tree.identity, "rustc": rust}
    return built


def _drive(
    way: Way,
    root: Path,
    project: Path,
    out: Path,
    settings: Mapping[str, str],
    choice: _Choice,
    engine: Launcher | None = None,
    volumes: Sequence[str] = (),
) -> Built:
    """Run cibuildwheel, and leave no container behind, however it ends."""
    tools = {"way": way, "cibuildwheel": _cibuildwheel()}
    environment = {**os.environ, **settings}
    wanted = {"CIBW_BUILD": choice.only, "CIBW_ARCHS": choice.architectures}
    environment |= {name: value for name, value in wanted.items() if value}
    label = f"mars-earth-wheels={os.getpid()}-{secrets.token_hex(4)}"
    line = [sys.executable, "-m", "cibuildwheel", "--output-dir", str(out), str(project)]
    if engine:
        line = engine.around(line)
        create = " ".join([f"--label={label}", *volumes])
        environment["CIBW_CONTAINER_ENGINE"] = (
            f"{engine.program}; create_args: {create}; disable_host_mount: true"
        )
        tools["engine"] = engine.version
    done = run_group(
        line,
        environment=environment,
        folder=project,
        timeout=_SECONDS,
        grace=20.0,
        stop=lambda: _remove(engine, label),
    )
    _judge(root, "cibuildwheel", done)
    return Built(way, sorted(out.glob("*.whl")), tools, {"build_seconds": done.seconds})


def _remove(engine: Launcher | None, label: str) -> None:
    """Remove the containers of a driver that was killed before it could."""
    if engine is None:
        return
    listed = quiet(engine.around([engine.program, "ps", "-aq", "--filter", f"label={label}"]))
    if names := listed.stdout.split():
        quiet(engine.around([engine.program, "rm", "-f", *names]))


def _zig(root: Path, project: Path, out: Path) -> Built:
    for module in ("ziglang", "maturin"):
        if importlib.util.find_spec(module) is None:
            raise _NotHere(f"{module} is not installed; python3 -m pip install {module}")
    try:
        rust, _ = rust_toolchain()
    except GateError as error:
        raise _NotHere(str(error)) from None
    cut = without_network()
    line = [*cut, sys.executable, "-m", "maturin", "build", "--release", "--zig"]
    line += ["--compatibility", "manylinux2014", "--offline", "--locked", "--out", str(out)]
    # maturin looks for ziglang in the first Python on PATH.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "SOURCE_DATE_EPOCH": "315532800"}
    done = run_group(line, environment=environment, folder=project, timeout=_SECONDS, grace=5.0)
    _judge(root, "maturin build --zig", done)
    zig = quiet([sys.executable, "-m", "ziglang", "version"]).stdout.strip()
    tools = {"way": "zig", "zig": zig, "rustc": rust}
    tools["maturin"] = metadata.version("maturin")
    measured = {"build_seconds": done.seconds}
    return Built("zig", sorted(out.glob("*.whl")), tools, measured, offline=bool(cut))


def _cross(root: Path, project: Path, out: Path, machine: str) -> Built:
    done, tools = build_cross(root, project, out, machine)
    _judge(root, "maturin build --zig", done)
    tools = {"way": "cross", **tools}
    measured = {"build_seconds": done.seconds}
    return Built("cross", sorted(out.glob("*.whl")), tools, measured, offline=True)


def _judge(root: Path, what: str, done: Result) -> None:
    printed = done.stdout + done.stderr
    write_text(root / LOG, printed)
    if done.ok:
        return
    for words, cause in _CAUSES.items():
        if words in printed:
            raise GateError(f"{what} stopped: {cause}", hint=f"see {LOG}")
    errors = re.findall(r"^.*\berror: (.*)$", printed, re.IGNORECASE | re.MULTILINE)
    raise BuildError(f"{what} failed: {errors[-1] if errors else done.why}", hint=f"see {LOG}")


def _pinned(name: str) -> str:
    """Return the address of an image, with its digest, as cibuildwheel pins it."""
    _cibuildwheel()
    file = resources.files("cibuildwheel") / "resources" / "pinned_docker_images.cfg"
    images = configparser.ConfigParser(inline_comment_prefixes=("#",))
    images.read_string(file.read_text(encoding="utf-8"))
    machine = platform.machine()
    if not images.has_option(machine, name):
        raise _NotHere(f"cibuildwheel knows no {name} image for {machine}")
    return images.get(machine, name)


def _cibuildwheel() -> str:
    try:
        return metadata.version("cibuildwheel")
    except metadata.PackageNotFoundError:
        raise _NotHere("cibuildwheel is not installed; it needs Python 3.11") from None
