# Language policy: EXEMPT from the Rust-path rule. Asks rustc where it lies; no computation.
"""The machine's own Rust, for rooms and images that hold none."""

from __future__ import annotations

import re
from pathlib import Path

from hpcgate.cleanroom.process import quiet
from hpcgate.errors import GateError

__all__ = ["rust_toolchain"]


def rust_toolchain() -> tuple[str, Path]:
    """Return the version and the folder of this machine's Rust toolchain.

    The folder is the toolchain's own, not that of the shims which rustup puts on PATH.

    Raises
    ------
    GateError
        If there is no working rustc.
    """
    told = quiet(["rustc", "--version"])
    where = quiet(["rustc", "--print", "sysroot"])
    version = re.match(r"rustc (\d+\.\d+\.\d+)", told.stdout)
    if told.returncode or where.returncode or version is None:
        raise GateError("no Rust toolchain: rustc does not run", hint="nox -s doctor")
    return version.group(1), Path(where.stdout.strip())
