# Language policy: EXEMPT from the Rust-path rule. Looks at files and names; no computation.
"""Why a tier cannot run here: an empty string when it could.

A probe looks at files and at what is loaded already. It imports nothing and starts nothing, so what
it needs stands in this module, apart from the tiers.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from binascii import crc32
from pathlib import Path

from pymars.accel.chains import kind

__all__ = ["MOJO_SOURCE", "julia", "mojo", "mojo_library", "rust"]

MOJO_SOURCE = Path(__file__).with_name("mojo") / "kernels.mojo"


def rust() -> str:
    """Say why the compiled core cannot run."""
    return "" if importlib.util.find_spec("pymars._core") else "the extension is not built"


def julia() -> str:
    """Say why Julia cannot run: it is never started by a call."""
    if importlib.util.find_spec("juliacall") is None:
        return "juliacall is not installed; pip install 'juliacall>=0.9.23,<1'"
    tier = sys.modules.get("pymars.accel.julia")
    return "" if tier and tier._started else "is not started; call pymars.accel.julia.warm()"


def mojo() -> str:
    """Say why the library of the Mojo kernels cannot be loaded."""
    try:
        path = mojo_library()
        return _distrust(path) if path.exists() else "is not built; run python -m pymars.accel.mojo"
    except (OSError, RuntimeError) as error:  # no home folder, or one that may not be read
        return f"has no cache: {error}"


def mojo_library() -> Path:
    """Return where the library of this source and machine lies once it is built."""
    given = os.environ.get("MARS_EARTH_CACHE")
    home = (
        Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    )
    return home / ("" if given else "mars-earth") / f"mojo-{kind()[1]}-{_checksum()}.so"


def _distrust(path: Path) -> str:
    """Say why a library is not to be loaded: somebody else could have written it."""
    facts = path.stat()
    if hasattr(os, "getuid") and (facts.st_uid != os.getuid() or facts.st_mode & 0o022):
        return f"is not loaded: {path} can be written by others; build it again"
    return ""


@functools.lru_cache(maxsize=1)
def _checksum() -> str:
    """Tell versions of the source apart; it is no defence, which is what `_distrust` is for."""
    source = MOJO_SOURCE.read_bytes()
    return f"{len(source):x}-{crc32(source):08x}"
