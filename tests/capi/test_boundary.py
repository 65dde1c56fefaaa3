"""The C library (H2, not claimed) as its users meet it: installed, found, compiled, called."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).parent))
from compiled import ROOT, WARNINGS, flags_of, need, run

from hpcgate.capi import abi
from hpcgate.capi.install import CAPI, functions

HEADER = ROOT / CAPI / "include" / "mars_earth.h"
EXAMPLES = ROOT / CAPI / "examples"
PRINTED = "1\n7\n8\n"
STANDARDS = [("cc", "c99"), ("cc", "c11"), ("cc", "c17"), ("c++", "c++11"), ("c++", "c++17")]


@pytest.mark.parametrize(("compiler", "standard"), STANDARDS)
def test_the_installed_header_compiles_alone(prefix, tmp_path, compiler, standard):
    need(compiler)
    suffix = "c" if compiler == "cc" else "cpp"
    source = tmp_path / f"alone.{suffix}"
    source.write_text("#include <mars_earth.h>\nint main(void) { return 0; }\n")
    flags = [f"-std={standard}", *WARNINGS, f"-I{prefix / 'include'}"]
    run([compiler, *flags, "-c", str(source), "-o", str(tmp_path / "alone.o")])


@pytest.mark.parametrize("name", ["predict.c", "predict.cpp"])
def test_an_example_runs_by_pkg_config(prefix, tmp_path, name):
    compiler = "cc" if name.endswith(".c") else "c++"
    need(compiler, "pkg-config")
    program = tmp_path / "program"
    rpath = f"-Wl,-rpath,{prefix / 'lib'}"
    standard = "-std=c99" if compiler == "cc" else "-std=c++17"
    source = str(EXAMPLES / name)
    flags = [*flags_of(prefix, "--cflags", "--libs"), rpath]
    run([compiler, standard, *WARNINGS, source, *flags, "-o", str(program)])
    assert run_example(program, tmp_path, compiler == "c++") == PRINTED


def test_the_examples_run_by_cmake(prefix, tmp_path):
    need("cmake", "cc", "c++")
    # A prefix can be moved.
    moved = tmp_path / "moved"
    shutil.copytree(prefix, moved, symlinks=True)
    build = tmp_path / "build"
    run(["cmake", "-S", str(EXAMPLES), "-B", str(build), f"-DCMAKE_PREFIX_PATH={moved}"])
    run(["cmake", "--build", str(build)])
    for name in ("predict_c", "predict_static", "predict_cpp"):
        assert run_example(build / name, tmp_path, name == "predict_cpp") == PRINTED
    older = tmp_path / "CMakeLists.txt"
    older.write_text(
        (EXAMPLES / "CMakeLists.txt").read_text().replace("mars_earth 2 ", "mars_earth 1 ")
    )
    for path in EXAMPLES.glob("predict.*"):
        shutil.copy(path, tmp_path)
    refused = subprocess.run(
        ["cmake", "-S", str(tmp_path), "-B", str(tmp_path / "b"), f"-DCMAKE_PREFIX_PATH={moved}"],
        capture_output=True,
        text=True,
    )
    assert refused.returncode != 0
    assert "version: 2." in refused.stderr


def run_example(program: Path, folder: Path, is_cpp: bool) -> str:
    """Run an example; the one in C++ reads the model of the one in C, and its rows."""
    if not is_cpp:
        return run([str(program)])
    text = (EXAMPLES / "predict.c").read_text()
    model = folder / "model.json"
    pieces = re.findall(r'^ *"(.*)";?$', text, re.MULTILINE)
    model.write_text("".join(pieces).replace('\\"', '"'))
    return run([str(program), str(model)], input="1 0  4 0  4 2\n")


def test_the_library_exports_the_header_and_nothing_else(prefix):
    need("nm", "readelf")
    names = functions(HEADER.read_text())
    assert len(names) == 19
    library = prefix / "lib" / "libmars_earth.so"
    assert abi.exported(library) == {f"{name}@@MARS_EARTH_1" for name in names}
    dynamic = run(["readelf", "-d", str(library)])
    assert "soname: [libmars_earth.so.1]" in dynamic
    needed = set(re.findall(r"\(NEEDED\).*\[(.*?)\.so", dynamic))
    assert needed <= {"libc", "libm", "libgcc_s", "ld-linux-x86-64", "ld-linux-aarch64"}


def test_the_header_is_what_cbindgen_makes():
    need("cbindgen")
    assert abi.make_header(ROOT) == HEADER.read_text(), "run: nox -s abi -- --header"


def test_the_header_has_the_codes_of_the_catalogue():
    rows = YAML(typ="safe").load(ROOT / "packaging" / "errors.yaml")["errors"]
    header = dict(re.findall(r"#define MARS_EARTH_(\w+) (\d+)\n", HEADER.read_text()))
    for row in rows:
        assert header[row["category"].upper()] == str(row["code"])
        assert row["sentence"] in HEADER.read_text()


def test_each_function_and_status_is_on_the_page():
    page = (ROOT / "docs" / "c_api.md").read_text()
    header = HEADER.read_text()
    for name in functions(header):
        assert f"`{name}`" in page
    for row in YAML(typ="safe").load(ROOT / "packaging" / "errors.yaml")["errors"]:
        assert f"| {row['code']} | `{row['category']}` |" in page


def test_the_page_shows_the_example_that_is_run():
    page = (ROOT / "docs" / "c_api.md").read_text()
    (shown,) = re.findall(r"```c\n(.*?)```", page, re.DOTALL)
    assert shown in (EXAMPLES / "predict.c").read_text()


# -- The snapshot of the last release ---------------------------------------------------------


@pytest.fixture
def header_with(tmp_path):
    """A snapshot of the header after an edit."""
    need("cc", "abidw", "abidiff")

    def take(old: str = "", new: str = "") -> Path:
        text = HEADER.read_text()
        assert old in text
        folder = tmp_path / f"{abs(hash((old, new)))}"
        folder.mkdir(exist_ok=True)
        (folder / "mars_earth.h").write_text(text.replace(old, new, 1) if old else text)
        abi.take(folder, "libmars_earth.so.1", folder / "out.abi")
        return folder / "out.abi"

    return take


def test_the_boundary_is_that_of_the_snapshot(prefix):
    need("nm", "cc", "abidw", "abidiff")
    snapshot = abi.snapshot_path(ROOT)
    if not snapshot.is_file():
        # A kind of machine without a release has none; one whose file was deleted must not pass.
        assert snapshot.name != "linux-x86_64.abi", "run: git checkout -- " + str(snapshot)
        pytest.skip(f"there is no snapshot for this machine, {snapshot.name}")
    found = abi.check(ROOT, prefix)
    assert not found.broken, found.report


ADDED = "uint32_t mars_earth_abi_version(void);\nuint32_t mars_earth_more(int *level);"
BREAKS = [
    ("uint32_t mars_earth_abi_version(void);", ""),
    ("  uint32_t threads;\n", "  uint64_t threads;\n"),
    ("  uint32_t reserved;\n", "  uint32_t reserved;\n  uint32_t more;\n"),
    ("  size_t rows;\n", ""),
    ("uint32_t mars_earth_abi_version(void);", "uint64_t mars_earth_abi_version(void);"),
    ("mars_earth_status_name(mars_earth_status", "mars_earth_status_name(int64_t"),
]


def test_the_snapshot_lets_the_interface_grow(header_with):
    same = abi.compare(header_with(), header_with("\n", "\n\n"))
    assert (same.added, same.broken) == ((), False)
    grown = abi.compare(header_with(), header_with("uint32_t mars_earth_abi_version(void);", ADDED))
    assert (grown.added, grown.broken) == (("mars_earth_more",), False)


@pytest.mark.parametrize(("old", "new"), BREAKS)
def test_the_snapshot_refuses_a_change(header_with, old, new):
    assert abi.compare(header_with(), header_with(old, new)).broken


def test_constants_may_be_added_and_nothing_else():
    now = abi.constants(HEADER.read_text())
    assert "MARS_EARTH_INTERNAL 16\n" in now
    grown = abi.compare_constants(now, now + "MARS_EARTH_MORE 17\n")
    assert (grown.added, grown.broken) == (("MARS_EARTH_MORE",), False)
    assert abi.compare_constants(now, now.replace("INTERNAL 16", "INTERNAL 17")).broken
    assert abi.compare_constants(now, now.replace("MARS_EARTH_OK 0\n", "")).broken
