# Language policy: EXEMPT from the Rust-path rule. Calls a comparer and compares names.
"""Hold the C interface against the snapshot of the last release.

Three things are compared. The symbols that the built library exports must be the functions of the
header, in one version node. The header is compiled with stubs for its functions, so that the
compiler writes down every type as a caller sees it, and goes to abidiff (H2, not claimed). Its
constants, which no compiler writes down, are compared as text. Functions and constants may be
added; nothing may change or go.
"""

from __future__ import annotations

import argparse
import platform
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hpcgate.capi.install import CAPI, abi_version, functions, install, run
from hpcgate.doctor import require
from hpcgate.errors import GateError
from hpcgate.repo import find_root, write_text

__all__ = [
    "Comparison",
    "check",
    "compare",
    "compare_constants",
    "constants",
    "exported",
    "make_header",
    "snapshot_path",
    "stubs",
    "take",
]

CONSTANTS = CAPI / "abi" / "constants.txt"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is new, and whether anything else differs."""

    added: tuple[str, ...]
    broken: bool
    report: str


def snapshot_path(root: Path) -> Path:
    """Return the snapshot of this kind of machine."""
    machine = f"{platform.system()}-{platform.machine()}".lower()
    return root / CAPI / "abi" / f"{machine}.abi"


def stubs(header: str) -> str:
    """Return C code that defines each function of a header, doing nothing.

    Examples
    --------
    >>> print(stubs("const char *mars_earth_version(void);").splitlines()[-1])
    const char *mars_earth_version(void) { __builtin_trap(); }
    """
    found = re.findall(r"^(\w[\w *]*\bmars_earth_\w+\([^;{]*\));", header, re.MULTILINE)
    bodies = [f"{prototype} {{ __builtin_trap(); }}" for prototype in found]
    return "\n".join(["#include <mars_earth.h>", *bodies])


def constants(header: str) -> str:
    r"""List the constants of a header with their values (H2, not claimed), one per line.

    The minor version is left out: it grows with every function that is added.

    Examples
    --------
    >>> constants("#define MARS_EARTH_OK 0\n#define OTHER 4")
    'MARS_EARTH_OK 0\n'
    """
    found = re.findall(r"^#define (MARS_EARTH_\w+ \d+)$", header, re.MULTILINE)
    kept = [line for line in found if not line.startswith("MARS_EARTH_ABI_MINOR ")]
    return "".join(f"{line}\n" for line in kept)


def compare_constants(before: str, after: str) -> Comparison:
    r"""Compare two lists of constants.

    Examples
    --------
    >>> compare_constants("MARS_EARTH_OK 0\n", "MARS_EARTH_OK 1\n").broken
    True
    """
    old, new = (dict(line.split() for line in text.splitlines()) for text in (before, after))
    gone = [f"{name} was {value}" for name, value in old.items() if new.get(name) != value]
    return Comparison(tuple(name for name in new if name not in old), bool(gone), "; ".join(gone))


def exported(library: Path) -> set[str]:
    """Return the symbols that a shared library defines, with their version nodes."""
    lines = run(["nm", "-D", "--defined-only", str(library)]).splitlines()
    return {parts[2] for parts in map(str.split, lines) if parts[1] != "A"}


def make_header(root: Path) -> str:
    """Return the header that cbindgen makes of the crate."""
    require("cbindgen", root)
    return run(["cbindgen", "-q", "--config", "cbindgen.toml", "."], root / CAPI)


def take(include: Path, name: str, out: Path) -> None:
    """Write what abidw sees of the header in `include` into `out`."""
    with tempfile.TemporaryDirectory() as folder:
        # abidw writes the paths it was given into the snapshot, so they are relative and short.
        (Path(folder) / "include").mkdir()
        header = (include / "mars_earth.h").read_text()
        (Path(folder) / "include" / "mars_earth.h").write_text(header)
        (Path(folder) / "stubs.c").write_text(stubs(header))
        flags = ["-std=c11", "-g", "-O0", "-fPIC", "-shared", "-Iinclude", f"-Wl,-soname,{name}"]
        prefix = ["-fdebug-prefix-map=" + folder + "=.", "-o", "stubs.so", "stubs.c"]
        run(["cc", *flags, *prefix], Path(folder))
        options = ["--no-corpus-path", "--no-comp-dir-path", "--no-show-locs"]
        run(["abidw", *options, "--out-file", str(out.resolve()), "stubs.so"], Path(folder))


def compare(before: Path, after: Path) -> Comparison:
    """Compare two snapshots with abidiff (H2, not claimed).

    Raises
    ------
    GateError
        If abidiff cannot read one of them.
    """
    quiet = ["--no-show-locs", str(before), str(after)]
    strict = _abidiff(["--no-added-syms", *quiet])
    full = _abidiff(quiet)
    added = re.findall(r"\[A\] '.*?\b(mars_earth_\w+)\(", full.stdout)
    return Comparison(tuple(sorted(added)), strict.returncode != 0, full.stdout.strip())


def check(root: Path, prefix: Path) -> Comparison:
    """Compare header and library of an installed prefix with the snapshot.

    Raises
    ------
    GateError
        If there is no snapshot for this kind of machine, or the exports are not the header's.
    """
    committed = snapshot_path(root)
    header = (prefix / "include" / "mars_earth.h").read_text()
    major, _ = abi_version(header)
    expected = {f"{name}@@MARS_EARTH_{major}" for name in functions(header)}
    seen = exported(prefix / "lib" / "libmars_earth.so")
    if seen != expected:
        raise GateError(f"library and header differ in {', '.join(sorted(seen ^ expected))}")
    if not committed.is_file():
        raise GateError(f"there is no {committed.name}", hint="run: nox -s abi -- --update")
    with tempfile.TemporaryDirectory() as folder:
        now = Path(folder) / "now.abi"
        take(prefix / "include", f"libmars_earth.so.{major}", now)
        types = compare(committed, now)
    values = compare_constants((root / CONSTANTS).read_text(), constants(header))
    report = "\n".join(filter(None, (types.report, values.report)))
    return Comparison((*types.added, *values.added), types.broken or values.broken, report)


def _abidiff(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    require("abidiff")
    done = subprocess.run(["abidiff", *arguments], capture_output=True, text=True)
    # Bits 0 and 1 are failures of the tool; 2 and 3 say that something changed.
    if done.returncode & 3:
        raise GateError(f"abidiff failed: {(done.stderr or done.stdout).strip()}")
    return done


def main(argv: list[str] | None = None) -> int:
    """Compare, or with `--update` take a new snapshot, or with `--header` write the header."""
    parser = argparse.ArgumentParser(description="Hold the C interface against the last release.")
    parser.add_argument("--update", action="store_true", help="take the snapshot of a release")
    parser.add_argument("--header", action="store_true", help="write the header with cbindgen")
    parser.add_argument("--prefix", type=Path, help="an installed library; else one is made")
    arguments = parser.parse_args(argv)
    root = find_root()
    try:
        if arguments.header:
            write_text(root / CAPI / "include" / "mars_earth.h", make_header(root))
            return 0
        with tempfile.TemporaryDirectory() as folder:
            prefix = arguments.prefix or Path(folder)
            if arguments.prefix is None:
                install(root, prefix)
            if arguments.update:
                header = (prefix / "include" / "mars_earth.h").read_text()
                major, _ = abi_version(header)
                write_text(root / CONSTANTS, constants(header))
                take(prefix / "include", f"libmars_earth.so.{major}", snapshot_path(root))
                print(f"wrote {snapshot_path(root).relative_to(root)}")
                return 0
            found = check(root, prefix)
    except GateError as error:
        print(f"hpcgate: {error}", file=sys.stderr)
        return 2
    for name in found.added:
        print(f"added: {name}")
    if found.broken:
        print(found.report)
        print("hpcgate: the C interface changed; it may only grow", file=sys.stderr)
        return 1
    print(f"the C interface is that of the snapshot, with {len(found.added)} names added")
    return 0


if __name__ == "__main__":
    sys.exit(main())
