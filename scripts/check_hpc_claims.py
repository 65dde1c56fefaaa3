#!/usr/bin/env python3
# Language policy: EXEMPT from the Rust-path rule. Starts the claims gate; no computation.
"""Start the claims gate with any python3; `hpcgate.claims` does the work.

Example: `python3 scripts/check_hpc_claims.py --strict`
"""

import gc
import os
import subprocess
import sys
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "packages" / "hpcgate"
NEEDED = (
    f"import sys; sys.path.insert(0, {str(PACKAGE)!r}); import hpcgate.claims.gate, hpcgate.levels"
)
MARKER = "HPC_CLAIMS_REEXECUTED"


class KeepsBytecode(SourceFileLoader):
    """Keep bytecode in the user's cache folder where none may be written beside the sources.

    Python checks it against the source as it always does; no result of the gate is in it.
    """

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code of a module, compiled only if its source is new."""
        kept = sys.dont_write_bytecode, sys.pycache_prefix
        base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        sys.dont_write_bytecode, sys.pycache_prefix = False, str(base / "mars-earth" / "bytecode")
        try:
            return super().get_code(fullname)
        finally:
            sys.dont_write_bytecode, sys.pycache_prefix = kept


def finder(folder: str) -> FileFinder:
    """Return what finds the modules of this checkout; other folders keep their own."""
    if not Path(folder).is_relative_to(PACKAGE):
        raise ImportError(folder)
    return FileFinder(folder, (KeepsBytecode, SOURCE_SUFFIXES))


def main() -> int:
    """Run the gate here, or in an interpreter of the checkout that has its libraries."""
    sys.path.insert(0, str(PACKAGE))
    if sys.dont_write_bytecode and sys.pycache_prefix is None:
        sys.path_hooks.insert(0, finder)
    # A run is short: what it would collect is freed at its end.
    gc.disable()
    arguments = sys.argv[1:]
    if "--root" not in " ".join(arguments):
        arguments = ["--root", str(ROOT), *arguments]
    try:
        from hpcgate.claims import main as run

        # The gate loads more libraries when it needs the evidence, before it prints anything.
        return run(arguments)
    except ImportError as error:
        return elsewhere(error)


def elsewhere(error: ImportError) -> int:
    """Start again with the newest session interpreter that can, or say what to install."""
    if MARKER not in os.environ:
        found = sorted(
            ROOT.glob(".nox/*/bin/python"), key=lambda p: p.lstat().st_mtime, reverse=True
        )
        for python in found:
            if able(python):
                os.environ[MARKER] = "1"
                sys.stdout.flush()
                os.execv(python, [str(python), str(Path(__file__).resolve()), *sys.argv[1:]])
    print(
        f"claims: {error.name or error} is not installed for {sys.executable}; "
        "run: python3 -m pip install ./packages/hpcgate (or: nox -s claims)",
        file=sys.stderr,
    )
    return 2


def able(python: Path) -> bool:
    """Whether an interpreter has the libraries of the gate."""
    try:
        tried = subprocess.run([python, "-c", NEEDED], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Nothing is left to be done, and taking everything apart takes time.
    os._exit(status)
