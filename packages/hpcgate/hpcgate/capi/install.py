# Language policy: EXEMPT from the Rust-path rule. Copies files and calls cargo and the C compiler.
"""Install the C library into a prefix: header, libraries, pkg-config file, CMake config.

rustc gives a shared library a version script of its own, which leaves no room for named symbol
versions. So the shared library is linked here, from the static one.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hpcgate.doctor import require
from hpcgate.errors import GateError
from hpcgate.repo import find_root

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["CAPI", "abi_version", "functions", "install", "run"]

CAPI = Path("packages/rust-runtime/capi")


@dataclass(frozen=True, slots=True)
class System:
    """How one system names and links a shared library; `{major}` and `{full}` are versions."""

    library: str
    soname: str
    plain: str
    link: tuple[str, ...]
    private: tuple[str, ...]


# Windows has no entry: there, cargo's own mars_earth.dll is the library, and nothing installs it
# yet.
SYSTEMS = {
    "Linux": System(
        library="libmars_earth.so.{full}",
        soname="libmars_earth.so.{major}",
        plain="libmars_earth.so",
        link=(
            "-shared",
            "-Wl,-soname,libmars_earth.so.{major}",
            "-Wl,--version-script={capi}/install/mars_earth.map",
            "-Wl,--gc-sections",
            "-Wl,--no-undefined",
            "-Wl,--strip-debug",
        ),
        private=("-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"),
    ),
    # Written from Apple's manual pages; no machine of that kind has run it.
    "Darwin": System(
        library="libmars_earth.{full}.dylib",
        soname="libmars_earth.{major}.dylib",
        plain="libmars_earth.dylib",
        link=(
            "-dynamiclib",
            "-Wl,-install_name,@rpath/libmars_earth.{major}.dylib",
            "-Wl,-compatibility_version,{major}",
            "-Wl,-exported_symbol,_mars_earth_*",
            "-Wl,-dead_strip",
        ),
        private=("-liconv", "-lSystem", "-lc", "-lm"),
    ),
}


def functions(header: str) -> tuple[str, ...]:
    """Name the functions that a header declares.

    Examples
    --------
    >>> functions("const char *mars_earth_version(void);")
    ('mars_earth_version',)
    """
    return tuple(sorted(set(re.findall(r"^\w[\w *]*\b(mars_earth_\w+)\(", header, re.MULTILINE))))


def abi_version(header: str) -> tuple[int, int]:
    """Read major and minor version of the C interface from its header (H2, not claimed)."""
    found = dict(re.findall(r"#define MARS_EARTH_ABI_(MAJOR|MINOR) (\d+)", header))
    return int(found["MAJOR"]), int(found["MINOR"])


def install(root: Path, prefix: Path) -> None:
    """Build the library and put it, its header and its build-system files below `prefix`.

    Raises
    ------
    GateError
        If cargo or the C compiler is missing or fails, or the system is none this can install on.
    """
    system = SYSTEMS.get(platform.system())
    if system is None:
        raise GateError(
            f"the C library cannot be installed on {platform.system()} by this command",
            hint="build it with: cargo build --release -p mars-earth-capi",
        )
    capi = root / CAPI
    archive = _build(root)
    header = (capi / "include" / "mars_earth.h").read_text()
    major, minor = abi_version(header)
    workspace = tomllib.loads((root / "packages" / "Cargo.toml").read_text())["workspace"]
    words = {
        "VERSION": workspace["package"]["version"],
        "MAJOR": workspace["package"]["version"].partition(".")[0],
        "PRIVATE": " ".join(system.private),
        "LIBRARY": system.library.format(full=f"{major}.{minor}.0"),
        "SONAME": system.soname.format(major=major),
    }
    folders = {
        "include": prefix / "include",
        "lib": prefix / "lib",
        "pkgconfig": prefix / "lib" / "pkgconfig",
        "cmake": prefix / "lib" / "cmake" / "mars_earth",
        "licence": prefix / "share" / "licenses" / "mars-earth",
    }
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(capi / "include" / "mars_earth.h", folders["include"] / "mars_earth.h")
    shutil.copyfile(root / "LICENSE", folders["licence"] / "LICENSE")
    shutil.copyfile(archive, folders["lib"] / "libmars_earth.a")
    _link(system, capi, header, folders["lib"], words)
    templates = {
        "mars_earth.pc.in": folders["pkgconfig"],
        "mars_earth-config.cmake.in": folders["cmake"],
        "mars_earth-config-version.cmake.in": folders["cmake"],
    }
    for name, folder in templates.items():
        text = (capi / "install" / name).read_text()
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        folder.joinpath(name.removesuffix(".in")).write_text(text)


def run(command: Sequence[str], folder: Path | None = None) -> str:
    """Run a tool and return what it prints; a missing or failing one is a `GateError`."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    except FileNotFoundError:
        require(command[0], root=find_root(Path(__file__)))
        raise GateError(f"{command[0]} cannot be started", hint="nox -s doctor") from None
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise GateError(f"{' '.join(command[:2])} failed with status {done.returncode}")
    return done.stdout


def _build(root: Path) -> Path:
    target = Path(os.environ.setdefault("CARGO_TARGET_DIR", str(root / "build" / "target")))
    build = ["cargo", "build", "--release", "--locked", "-q", "-p", "mars-earth-capi"]
    run(build, root / "packages")
    return target / "release" / "libmars_earth.a"


def _link(system: System, capi: Path, header: str, lib: Path, words: dict[str, str]) -> None:
    """Link the shared library from the static one, with only the header's functions as roots."""
    major, _ = abi_version(header)
    underscore = "_" if platform.system() == "Darwin" else ""
    roots = [f"-Wl,-u,{underscore}{name}" for name in functions(header)]
    options = [option.format(major=major, capi=capi) for option in system.link]
    library = lib / words["LIBRARY"]
    sources = ["-o", str(library), str(lib / "libmars_earth.a")]
    run([os.environ.get("CC", "cc"), *options, *roots, *sources, *system.private])
    for name, target in ((words["SONAME"], library.name), (system.plain, words["SONAME"])):
        link = lib / name
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def main(argv: list[str] | None = None) -> int:
    """Install the C library."""
    parser = argparse.ArgumentParser(description="Install the C library of mars-earth.")
    parser.add_argument("--prefix", type=Path, required=True, help="folder to install into")
    arguments = parser.parse_args(argv)
    try:
        install(find_root(), arguments.prefix.resolve())
    except GateError as error:
        print(f"hpcgate: {error}", file=sys.stderr)
        return 2
    print(f"installed into {arguments.prefix}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
