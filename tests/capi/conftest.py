"""The C library in a prefix (H2, not claimed), and programs that use it."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from compiled import PROGRAMS, ROOT, WARNINGS, flags_of, need, run


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, installed once; `MARS_EARTH_PREFIX` names one that is there already."""
    given = os.environ.get("MARS_EARTH_PREFIX")
    if given:
        return Path(given)
    need("cargo", "cc")
    from hpcgate.capi.install import install

    folder = tmp_path_factory.mktemp("prefix")
    install(ROOT, folder)
    return folder


@pytest.fixture
def program(prefix: Path, tmp_path: Path) -> Callable[[str], str]:
    """Compile a program of `c/` against the installed library, by pkg-config."""
    need("cc", "pkg-config")

    def compile_one(name: str) -> str:
        target = tmp_path / name
        flags = flags_of(prefix, "--cflags", "--libs")
        source = str(PROGRAMS / f"{name}.c")
        library = [*flags, f"-Wl,-rpath,{prefix / 'lib'}", "-lpthread", "-lm"]
        run(["cc", "-std=c11", "-g", *WARNINGS, source, "-o", str(target), *library])
        return str(target)

    return compile_one
