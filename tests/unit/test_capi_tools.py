"""The C interface (H2, not claimed) held against a snapshot; compiler and abidiff are real.

The library is a small one, which a script builds in cargo's place; it is linked as ours is.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpcgate.capi import abi, fuzz, install
from hpcgate.capi.install import CAPI
from hpcgate.errors import GateError
from hpcgate.evidence import Outcome
from hpcgate.repo import find_root

CHECKOUT = find_root(Path(__file__))
Script = Callable[[str, str], Path]
HEADER = """\
#ifndef MARS_EARTH_H
#define MARS_EARTH_H
#define MARS_EARTH_ABI_MAJOR 1
#define MARS_EARTH_ABI_MINOR 2
#define MARS_EARTH_OK 0
typedef struct mars_earth_rows { double *data; long count; } mars_earth_rows;
const char *mars_earth_version(void);
long mars_earth_count(const mars_earth_rows *rows);
#endif
"""
SOURCE = """\
#include <mars_earth.h>
long inner(const mars_earth_rows *rows) { return rows->count; }
const char *mars_earth_version(void) { return "2.0.0"; }
long mars_earth_count(const mars_earth_rows *rows) { return inner(rows); }
"""
CARGO = """\
set -e
mkdir -p "$CARGO_TARGET_DIR/release"
cd "$CARGO_TARGET_DIR"
cc -fPIC -c -I {include} {source} -o part.o
rm -f release/libmars_earth.a
ar rc release/libmars_earth.a part.o
"""

linux = pytest.mark.skipif(platform.system() != "Linux", reason="links as Linux does")
needs_abidiff = pytest.mark.skipif(
    not all(map(shutil.which, ("abidiff", "abidw", "cc", "ar", "nm"))),
    reason="no abidiff or no compiler here; apt-get install abigail-tools gcc",
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the C interface of the header above."""
    root = tmp_path / "checkout"
    for folder in ("include", "abi"):
        (root / CAPI / folder).mkdir(parents=True)
    shutil.copytree(CHECKOUT / CAPI / "install", root / CAPI / "install")
    (root / CAPI / "include" / "mars_earth.h").write_text(HEADER)
    (root / "packages" / "Cargo.toml").write_text('[workspace.package]\nversion = "2.0.0"\n')
    (root / "LICENSE").write_text("a licence\n")
    (root / "packaging").mkdir()
    for name in ("tools.yaml", "release.yaml"):
        shutil.copyfile(CHECKOUT / "packaging" / name, root / "packaging" / name)
    for module in (abi, install, fuzz):
        monkeypatch.setattr(module, "find_root", lambda *given: root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def cargo(root: Path, script: Script, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Write the source that the script in cargo's place builds."""
    if shutil.which("cc") is None or shutil.which("ar") is None:
        pytest.skip("no C compiler here")
    monkeypatch.setenv("CARGO_TARGET_DIR", str(root / "target"))
    (root / "target").mkdir()

    def write(source: str) -> None:
        path = root / "source.c"
        path.write_text(source)
        script("cargo", CARGO.format(include=root / CAPI / "include", source=path))

    write(SOURCE)
    return write


def change(root: Path, old: str, new: str) -> None:
    header = root / CAPI / "include" / "mars_earth.h"
    assert old in header.read_text()
    header.write_text(header.read_text().replace(old, new))


# The prefix


@linux
@pytest.mark.usefixtures("cargo")
def test_the_prefix_has_a_library_with_only_the_functions_of_the_header(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prefix = tmp_path / "prefix"
    for _ in range(2):  # a second time over the first
        assert install.main(["--prefix", str(prefix)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"installed into {prefix}"
    library = prefix / "lib" / "libmars_earth.so"
    assert os.readlink(library) == "libmars_earth.so.1"
    assert os.readlink(prefix / "lib" / "libmars_earth.so.1") == "libmars_earth.so.1.2.0"
    assert abi.exported(library) == {
        "mars_earth_version@@MARS_EARTH_1",
        "mars_earth_count@@MARS_EARTH_1",
    }
    settings = (prefix / "lib" / "pkgconfig" / "mars_earth.pc").read_text()
    assert "Version: 2.0.0" in settings and "@" not in settings
    assert (prefix / "share" / "licenses" / "mars-earth" / "LICENSE").read_text() == "a licence\n"
    program = tmp_path / "program.c"
    program.write_text(
        "#include <mars_earth.h>\n#include <stdio.h>\n"
        "int main(void) { return puts(mars_earth_version()) < 0; }\n"
    )
    flags = [f"-I{prefix}/include", f"-L{prefix}/lib", "-lmars_earth", f"-Wl,-rpath,{prefix}/lib"]
    subprocess.run(["cc", str(program), *flags, "-o", str(tmp_path / "program")], check=True)
    done = subprocess.run([tmp_path / "program"], capture_output=True, text=True)
    assert done.stdout == "2.0.0\n"


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("echo 'error: no lock' >&2; exit 101", "cargo build failed with status 101"),
        (None, "cargo is not installed; run: "),
    ],
)
def test_a_build_that_fails_is_one_line_and_status_two(
    tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], program: str | None, message: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setenv("CARGO_TARGET_DIR", str(tmp_path))
    if program is None:
        monkeypatch.setenv("PATH", str(tmp_path))
    else:
        script("cargo", program)
    assert install.main(["--prefix", str(tmp_path / "prefix")]) == 2
    assert f"hpcgate: {message}" in capsys.readouterr().err
    assert not (tmp_path / "prefix").exists()


def test_a_system_on_which_nothing_installs_it_is_named(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    with pytest.raises(GateError, match=r"cannot be installed on Windows .*cargo build --release"):
        install.install(root, tmp_path / "prefix")


# The snapshot


@linux
@needs_abidiff
@pytest.mark.usefixtures("cargo")
def test_the_interface_may_grow_and_may_not_change(
    root: Path, cargo: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert abi.main([]) == 2
    told = capsys.readouterr().err
    assert f"there is no {abi.snapshot_path(root).name}; run: nox -s abi -- --update" in told
    assert abi.main(["--update"]) == 0
    assert (root / abi.CONSTANTS).read_text() == "MARS_EARTH_ABI_MAJOR 1\nMARS_EARTH_OK 0\n"
    assert str(root) not in abi.snapshot_path(root).read_text()
    capsys.readouterr()
    assert abi.main([]) == 0
    assert capsys.readouterr().out.endswith("snapshot, with 0 names added\n")

    change(root, "#endif", "#define MARS_EARTH_LATE 7\nint mars_earth_late(void);\n#endif")
    assert abi.main([]) == 2
    message = "library and header differ in mars_earth_late@@MARS_EARTH_1"
    assert message in capsys.readouterr().err
    cargo(SOURCE + "int mars_earth_late(void) { return 7; }\n")
    assert abi.main([]) == 0
    seen = capsys.readouterr().out
    assert "added: mars_earth_late\nadded: MARS_EARTH_LATE\n" in seen
    assert seen.endswith("with 2 names added\n")

    change(root, "long count;", "long count; long first;")
    assert abi.main([]) == 1
    changed = capsys.readouterr()
    assert "mars_earth_rows" in changed.out and "it may only grow" in changed.err
    change(root, "long count; long first;", "long count;")
    change(root, "MARS_EARTH_OK 0", "MARS_EARTH_OK 1")
    assert abi.main([]) == 1
    assert "MARS_EARTH_OK was 0" in capsys.readouterr().out


@linux
@needs_abidiff
def test_functions_of_another_library_are_named(root: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    for folder in ("include", "lib"):
        (prefix / folder).mkdir(parents=True)
    shutil.copy(root / CAPI / "include" / "mars_earth.h", prefix / "include")
    library = prefix / "lib" / "libmars_earth.so"
    line = ["cc", "-shared", "-x", "c", "/dev/null", "-o", str(library)]
    subprocess.run(line, check=True)
    with pytest.raises(GateError, match=r"library and header differ in .*mars_earth_count@@"):
        abi.check(root, prefix)


@needs_abidiff
def test_a_snapshot_that_is_none_is_a_failure_of_the_tool(tmp_path: Path) -> None:
    (tmp_path / "a.abi").write_text("no snapshot\n")
    with pytest.raises(GateError, match="abidiff failed: "):
        abi.compare(tmp_path / "a.abi", tmp_path / "a.abi")


def test_the_header_is_what_cbindgen_writes(root: Path, script: Script) -> None:
    script("cbindgen", 'case "$1" in --version) echo cbindgen 0.29.0;; *) echo "// $*";; esac')
    assert abi.main(["--header"]) == 0
    written = (root / CAPI / "include" / "mars_earth.h").read_text()
    assert written == "// -q --config cbindgen.toml .\n"


def test_an_old_cbindgen_writes_nothing(
    root: Path, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    script("cbindgen", "echo cbindgen 0.26.0")
    assert abi.main(["--header"]) == 2
    assert "cbindgen 0.26.0 is not usable: older than 0.29" in capsys.readouterr().err
    assert (root / CAPI / "include" / "mars_earth.h").read_text() == HEADER


# Fuzzing

# As cargo-fuzz and libFuzzer print; one target stops at an input, one runs nothing.
FUZZ = """\
case "$*" in
"+nightly fuzz build "*) [ -z "$BROKEN" ] || { echo "error: $BROKEN" >&2; exit 101; };;
*" model "*) echo 'stat::number_of_executed_units: 1234' >&2;;
*" stops "*) for word; do case $word in -artifact_prefix=*) touch "${word#*=}crash-1";; esac; done
    echo 'panicked at src/read.rs' >&2; exit 77;;
esac
"""


@pytest.fixture
def fuzzed(
    root: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[Outcome, dict[str, Any]]]:
    """Three targets, the programs that run them, and what is recorded of it."""
    targets = root / fuzz.FUZZ / "fuzz_targets"
    targets.mkdir(parents=True)
    for name in ("model", "stops", "empty"):
        (targets / f"{name}.rs").touch()
    monkeypatch.setenv("CARGO_TARGET_DIR", str(root / "target"))
    script("cargo", FUZZ)
    script("cargo-fuzz", "echo cargo-fuzz 0.12.0")
    script("rustc", "echo rustc 1.90.0-nightly")
    seen: list[tuple[Outcome, dict[str, Any]]] = []

    def record(checkout: Path, check: str, outcome: Outcome, **more: Any) -> None:
        seen.append((outcome, more))

    monkeypatch.setattr(fuzz, "record", record)
    return seen


def test_each_target_says_how_much_it_tried_and_what_it_found(
    root: Path, fuzzed: list[tuple[Outcome, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    left = root / "build" / "fuzz" / "artifacts" / "model" / "crash-of-yesterday"
    left.parent.mkdir(parents=True)
    left.touch()
    assert fuzz.main(["90"]) == 1
    ((outcome, told),) = fuzzed
    assert (outcome, told["reason"]) == ("fail", "a finding of empty, stops")
    assert (told["passed"], told["failed"]) == (["model"], ["empty", "stops"])
    assert told["measurements"]["model_inputs"] == 1234 and told["measurements"]["seconds"] == 90
    assert told["command"] == "nox -s fuzz -- 90"
    assert "stops: 0 inputs, panicked at src/read.rs" in capsys.readouterr().out
    for name in ("stops", "empty"):
        (root / fuzz.FUZZ / "fuzz_targets" / f"{name}.rs").unlink()
    assert fuzz.main(["90"]) == 0
    assert fuzzed[1][0] == "pass"


def test_targets_that_do_not_build_and_a_missing_fuzzer_are_unavailable(
    fuzzed: list[tuple[Outcome, dict[str, Any]]], script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKEN", "no such crate")
    assert fuzz.main([]) == 1
    script("cargo-fuzz", "exit 127")
    assert fuzz.main([]) == 1
    (built, told), (missing, named) = fuzzed
    assert built == missing == "unavailable"
    assert told["reason"] == "the fuzz targets do not build:"
    assert named["reason"].startswith("cargo-fuzz is not installed; run: cargo install")
