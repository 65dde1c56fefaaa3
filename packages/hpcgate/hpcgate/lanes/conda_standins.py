# Language policy: EXEMPT from the Rust-path rule. Packs stand-ins; no computation.
"""A local conda channel of stand-ins: what conda-forge would supply, made from this machine.

The Pythons are copies of interpreters found here, the compilers are wrappers around the
machine's, and the other packages are unpacked wheels. The channel shows that a recipe is right;
it shows nothing about conda-forge's own compilers.
"""

from __future__ import annotations

import contextlib
import json
import platform
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from hpcgate.errors import GateError
from hpcgate.facts import FactModel, Facts, bounds_text
from hpcgate.lanes import conda_wheels
from hpcgate.lanes.conda_channel import PLATFORM, Channel, abi_tag
from hpcgate.lanes.conda_python import Python, copy_python, find_python
from hpcgate.lanes.conda_sandbox import Sandbox, Unavailable, ask_tool
from hpcgate.repo import sha256_bytes

__all__ = ["StandIns", "make_channel", "wheel_requirements"]

# Raised when the channel is made differently, so that one made before is not used.
_FORMAT = 2

_Minor = Annotated[str, Field(pattern=r"^3\.[1-9]\d+$")]


class StandIns(FactModel):
    """Hold `packaging/conda-forge/standins.yaml`."""

    newer_pythons: Annotated[tuple[_Minor, ...], Field(min_length=1)]
    cargo_bundle_licenses: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    platforms: Annotated[dict[str, dict[str, str]], Field(min_length=1)]


def make_channel(root: Path, facts: Facts, standins: StandIns, sandbox: Sandbox) -> Channel:
    """Return the channel of this machine; the first call makes it.

    Raises
    ------
    Unavailable
        If a tool, a Python or a package index is missing. A channel that is half made is removed.
    """
    pythons = (
        find_python((str(facts.release.floors.python),)),
        find_python(standins.newer_pythons),
    )
    compiler = shutil.which("gcc", path="/usr/bin:/bin")
    if compiler is None:
        raise Unavailable("gcc is not installed", hint="apt-get install gcc libc6-dev")
    definition: dict[str, Any] = {
        "format": _FORMAT,
        "pythons": [asdict(python) for python in pythons],
        "compiler": ask_tool(compiler, "-dumpversion"),
        "libc": platform.libc_ver()[1],
        "rust": ask_tool("rustc", "--version").split()[1],
        "rust_sysroot": ask_tool("rustc", "--print", "sysroot"),
        "wheels": wheel_requirements(facts),
        "licences": standins.cargo_bundle_licenses,
    }
    base = root / "build" / "conda-forge"
    folder = base / "channels" / sha256_bytes(json.dumps(definition, sort_keys=True).encode())[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=base, prefix=".making-") as temporary:
            made = Path(temporary)
            try:
                _make(made, base, pythons, definition | {"gcc": compiler}, sandbox)
            except Unavailable:
                raise
            except GateError as error:
                raise Unavailable(f"the stand-ins cannot be packed: {error}") from None
            # Another session may have been quicker; its channel is as good.
            with contextlib.suppress(OSError):
                (made / "channel").rename(folder)
    count = len(list((folder / PLATFORM).glob("*.conda")))
    return Channel(
        folder.as_uri(),
        (pythons[0].minor, pythons[1].minor),
        {
            "c_compiler": ["gcc"],
            "c_compiler_version": [definition["compiler"]],
            "c_stdlib": ["sysroot"],
            "c_stdlib_version": [definition["libc"]],
            "rust_compiler": ["rust"],
            "rust_compiler_version": [definition["rust"]],
        },
        {
            "channel": f"{count} stand-ins made on this machine, none from conda-forge",
            "python": ", ".join(python.version for python in pythons),
            "gcc": definition["compiler"],
            "glibc": definition["libc"],
            "rust": definition["rust"],
            "cargo-bundle-licenses": definition["licences"],
        },
    )


def _make(
    staging: Path,
    base: Path,
    pythons: tuple[Python, Python],
    versions: dict[str, Any],
    sandbox: Sandbox,
) -> None:
    """Fetch, stage and pack every package into `channel`, whatever is ready first."""

    def for_python(python: Python) -> int:
        wheels = _fetch_wheels(staging, python, versions["wheels"], sandbox)
        packages = _python(staging, python, sandbox, oldest=python == pythons[0])
        return _pack(staging, python.minor, packages + _wheels(staging, python, wheels), sandbox)

    def for_compilers() -> int:
        tool = _licence_tool(base, versions["licences"], sandbox)
        package = _stage(staging, tool.name, versions["licences"])
        Path(package["files"], "bin").mkdir()
        shutil.copy2(tool, Path(package["files"], "bin"))
        return _pack(staging, "compilers", [*_toolchain(staging, versions), package], sandbox)

    # The network is slow, so are packing and the compiler: none waits for another.
    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(for_compilers), *(pool.submit(for_python, p) for p in pythons)]
        staged = sum(job.result() for job in jobs)
    target = staging / "channel" / PLATFORM
    target.mkdir(parents=True)
    for package in staging.glob(f"packed-*/{PLATFORM}/*.conda"):
        package.rename(target / package.name)
    sandbox.ask("index", "channel", channel=str(target.parent))
    if (packed := len(list(target.glob("*.conda")))) != staged:
        raise GateError(f"{staged} were staged, {packed} are packed")


def _pack(staging: Path, name: str, packages: list[dict[str, Any]], sandbox: Sandbox) -> int:
    """Pack staged folders, apart from what is packed beside them; return how many there are."""
    out = str(staging / f"packed-{name}")
    sandbox.ask("pack", f"pack-{name}", out=out, packages=packages, platform=PLATFORM)
    return len(packages)


def wheel_requirements(facts: Facts) -> list[str]:
    """Return what pip has to find: all that the recipe asks for and that is on a package index.

    Examples
    --------
    >>> wheel_requirements(facts)[0]  # doctest: +SKIP
    'pip'
    """
    known = facts.dependencies.by_role("build", "run", "tool").values()
    named = [d for d in known if d.names.conda and d.names.pypi]
    return ["pip", *sorted(f"{d.names.pypi}{bounds_text(d.bounds)}" for d in named)]


def _stage(
    staging: Path,
    name: str,
    version: str,
    *,
    build: str = "0",
    depends: tuple[str, ...] = (),
    exports: dict[str, list[str]] | None = None,
) -> dict[str, Any]:
    """Return a package with an empty folder for its files."""
    files = staging / f"{name}-{version}-{build}"
    files.mkdir()
    return {
        "name": name,
        "version": version,
        "build": build,
        "files": str(files),
        "depends": list(depends),
        "run_exports": exports or {},
    }


def _toolchain(staging: Path, versions: dict[str, Any]) -> list[dict[str, Any]]:
    """Wrap the machine's compilers the way conda-forge's packages present theirs."""
    gcc = _stage(
        staging,
        f"gcc_{PLATFORM}",
        versions["compiler"],
        exports={"strong": ["libgcc"]},
    )
    cc = Path(gcc["files"], "bin", "x86_64-conda-linux-gnu-cc")
    # The compiler finds the assembler and the linker on its PATH.
    _program(cc, f'PATH=/usr/bin:/bin exec {versions["gcc"]} "$@"')
    _activate(gcc, {"CC": f"$BUILD_PREFIX/bin/{cc.name}"})

    rust = _stage(staging, f"rust_{PLATFORM}", versions["rust"])
    for name in ("cargo", "rustc", "rustdoc"):
        # The real programs: rustup's proxies look for the caller's home.
        _program(
            Path(rust["files"], "bin", name), f'exec {versions["rust_sysroot"]}/bin/{name} "$@"'
        )
    linker = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER"
    _activate(rust, {"CARGO_HOME": "$BUILD_PREFIX/.cargo", linker: "$CC"})

    glibc = f"__glibc >={versions['libc']},<3.0.a0"
    libc = _stage(
        staging, f"sysroot_{PLATFORM}", versions["libc"], exports={"strong": [glibc]}
    )  # fmt: skip
    libgcc = _stage(staging, "libgcc", versions["compiler"])
    for package in (libc, libgcc):
        _note(package)
    return [gcc, rust, libc, libgcc]


def _python(
    staging: Path, python: Python, sandbox: Sandbox, *, oldest: bool
) -> list[dict[str, Any]]:
    """Copy an interpreter, and add the packages by which conda-forge names its ABI."""
    number = f"cp{python.minor.replace('.', '')}"
    abi = f"python_abi {python.minor}.* *_{number}"
    package = _stage(
        staging,
        "python",
        python.version,
        build=f"0_{abi_tag(python.minor)}",
        exports={"weak": [abi], "noarch": ["python"]},
    )
    copy_python(python, Path(package["files"]), sandbox)
    names = [
        _stage(
            staging, "python_abi", python.minor, build=f"0_{number}",
            depends=(f"python {python.minor}.*",),
        ),
        _stage(
            staging, "cpython", python.version, build=f"0_{number}",
            depends=(f"python {python.version}.*",),
        ),
    ]  # fmt: skip
    if oldest:
        stable = ["_python_abi3_support 1.*", f"cpython >={python.minor}"]
        names += [
            _stage(staging, "_python_abi3_support", "1.0", depends=("cpython",)),
            _stage(
                staging, "python-abi3", python.minor, depends=(f"python {python.minor}.*",),
                exports={"weak": stable},
            ),
        ]  # fmt: skip
    for name in names:
        _note(name)
    return [package, *names]


def _fetch_wheels(staging: Path, python: Python, requirements: list[str], sandbox: Sandbox) -> Path:
    folder = staging / f"wheels-{python.minor}"
    arguments = ["download", "--dest", str(folder), *requirements]
    sandbox.pip(python.executable, arguments, folder.name)
    return folder


def _wheels(staging: Path, python: Python, folder: Path) -> list[dict[str, Any]]:
    """Unpack the wheels that pip found for an interpreter, each into a package."""
    packages = []
    for path in sorted(folder.glob("*.whl")):
        wheel = conda_wheels.read(path)
        package = _stage(
            staging,
            wheel.name,
            wheel.version,
            build=f"py{python.minor.replace('.', '')}_0",
            depends=(f"python {python.minor}.*", *wheel.depends(python.version)),
        )
        conda_wheels.unpack(path, Path(package["files"]), python.minor)
        packages.append(package)
    return packages


def _licence_tool(base: Path, version: str, sandbox: Sandbox) -> Path:
    """Return cargo-bundle-licenses, which the first call compiles."""
    name = "cargo-bundle-licenses"
    folder = base / f"{name}-{version}"
    if not (folder / "bin" / name).exists():
        # It runs for a second, so optimising it would take longer than it saves.
        line = ["cargo", "install", name, "--version", version, "--locked", "--debug"]
        sandbox.prepare([*line, "--root", str(folder)], name, CARGO_PROFILE_DEV_DEBUG="0")
    return folder / "bin" / name


def _program(path: Path, line: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def _activate(package: dict[str, Any], variables: dict[str, str]) -> None:
    path = Path(package["files"], "etc", "conda", "activate.d", f"{package['name']}.sh")
    path.parent.mkdir(parents=True)
    path.write_text("".join(f'export {name}="{value}"\n' for name, value in variables.items()))


def _note(package: dict[str, Any]) -> None:
    """Give a package that is only a name one file."""
    path = Path(package["files"], "share", "stand-in", package["name"])
    path.parent.mkdir(parents=True)
    path.write_text("A stand-in without content.\n")
