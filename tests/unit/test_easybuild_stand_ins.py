"""The stand-in site of the EasyBuild lane, made in a room without walls.

Scripts are the room's Python, pip and rustup; folders, links and module files are real.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hpcgate.errors import GateError
from hpcgate.lanes import easybuild_smoke
from hpcgate.lanes.easybuild_site import FACTS, PLAN, STAMP, Site, prepare
from hpcgate.lanes.easybuild_smoke import Options
from hpcgate.repo import find_root

CHECKOUT = find_root(Path(__file__))


def module(name: str, version: str, *needs: str, **extensions: str) -> dict[str, Any]:
    full = f"{name}/{version}"
    return {
        "full_name": full,
        "name": name,
        "version": version,
        "needs": needs,
        "extensions": extensions,
    }


MODULES = [
    module("GCCcore", "14.3.0"),
    module("Python", "3.13.5", "GCCcore/14.3.0", flit_core="3.12.0", packaging="25.0", pip="25.1.1",
           setuptools="80.9.0", wheel="0.45.1"),
    module("Rust", "1.88.0", "GCCcore/14.3.0"),
    module("FlexiBLAS", "3.4.5", "GCCcore/14.3.0"),
    module("maturin", "1.13.1", "Python/3.13.5", "Rust/1.88.0"),
]  # fmt: skip
# Python of the room: makes environments whose pip leaves a library where it is told to.
PYTHON = f"""\
case "$*" in
*version_info*) echo ${{MINOR:-3.13}};;
"-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python";;
*plan_site.py*) cat <<'END'
reading easyconfigs
{json.dumps({"modules": MODULES})}
END
;;
*"pip install"*)
    case "$*" in *maturin==1.13.1*) echo 'ERROR: No such version' >&2; exit 1;; esac
    while [ "$1" ]; do
        [ "$1" = --prefix ] && mkdir -p "$2/lib/python3.13/site-packages"
        shift
    done;;
esac
"""
RUSTUP = 'mkdir -p "$RUSTUP_HOME/toolchains/$3-host/bin"'


@pytest.fixture
def root(definitions: Path, here: Any) -> Path:
    for name in (FACTS, str(PLAN)):
        (definitions / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CHECKOUT / name, definitions / name)
    here.program("python3", PYTHON)
    here.program("rustup", RUSTUP)
    here.program("ln", f'exec {shutil.which("ln")} "$@"')
    for name in ("cc", "cpp", "gcc", "gcov", "ar", "as", "ld", "nm"):
        here.program(name, "exit 0")
    return definitions


@pytest.fixture
def easyconfig() -> Path:
    folder = CHECKOUT / "easybuild" / "easyconfigs" / "m" / "mars-earth"
    return next(folder.glob("*2025b.eb"))


def make(root: Path, easyconfig: Path, said: list[str] | None = None) -> Site:
    # A build tool that the room must not hold is what GCCcore offers here.
    say = (said if said is not None else []).append
    return prepare(root, easyconfig, "2025b", root / "site", root / "logs", say=say)


def test_each_module_has_its_file_and_what_stands_for_it(root: Path, easyconfig: Path) -> None:
    said: list[str] = []
    site = make(root, easyconfig, said)
    assert [one.full_name for one in site.modules] == [one["full_name"] for one in MODULES]
    assert said[0] == "EasyBuild from the package index" and len(said) == 1 + len(MODULES)
    software, modules = site.folder / "software", site.folder / "modules"
    assert os.readlink(software / "GCCcore" / "14.3.0" / "bin" / "gcc").endswith("/gcc")
    assert (software / "Rust" / "1.88.0").resolve().name == "1.88.0-host"
    asked = [software / "FlexiBLAS" / "3.4.5" / "bin" / "flexiblas", "list"]
    done = subprocess.run(asked, capture_output=True, text=True)
    assert "library = libflexiblas_openblas.so" in done.stdout
    texts = {path.parent.name: path.read_text() for path in modules.glob("*/*.lua")}
    assert set(texts) == {one["name"] for one in MODULES}
    assert 'prepend_path("PATH"' in texts["GCCcore"] and "PYTHONPATH" not in texts["Python"]
    assert "lib/python3.13/site-packages" in texts["maturin"]
    assert 'depends_on("Rust/1.88.0")' in texts["maturin"]
    assert os.readlink(site.folder / "bin" / "eb") == "../easybuild/bin/eb"
    # What EasyBuild itself comes from, and each module, left a log.
    assert {"site-easybuild.log", "site-plan.log", "site-maturin.log"} <= set(
        os.listdir(root / "logs")
    )


def test_a_site_that_stands_is_taken_until_its_facts_change(
    root: Path, easyconfig: Path, here: Any
) -> None:
    first = make(root, easyconfig)
    assert first.seconds > 0
    again = make(root, easyconfig)
    assert (again.seconds, again.modules) == (0.0, first.modules)
    kept = json.loads((root / "site" / STAMP).read_text())
    (root / FACTS).write_text((root / FACTS).read_text() + "# changed\n")
    assert make(root, easyconfig).seconds > 0
    assert json.loads((root / "site" / STAMP).read_text())["key"] != kept["key"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("reading easyconfigs", "[]", ""),
        ('{"modules"', '{"module"', "plan_site.py printed no plan"),
        ("3.13}", "3.12}", "the clean root has Python 3.12, which cannot stand for Python/3.13.5"),
        ("1.13.1*)", "1.13.2*)", "cannot be made: maturin: No such version"),
    ],
    ids=["good", "no plan", "another Python", "no wheel"],
)
def test_a_site_that_cannot_be_made_leaves_nothing(
    root: Path, easyconfig: Path, here: Any, old: str, new: str, message: str
) -> None:
    assert old in PYTHON
    here.program("python3", PYTHON.replace(old, new))
    if not message:
        assert make(root, easyconfig).modules
        return
    with pytest.raises(GateError) as error:
        make(root, easyconfig)
    assert message in str(error.value)
    assert not (root / "site").exists()
    assert not list(root.glob(".making-*"))


# The command line of the session


@pytest.mark.parametrize(("outcome", "status"), [("pass", 0), ("fail", 1), ("unavailable", 1)])
def test_the_command_line_says_what_a_run_does(
    monkeypatch: pytest.MonkeyPatch, outcome: str, status: int
) -> None:
    given: list[tuple[Path, Path, Options]] = []

    def run(*arguments: Any) -> str:
        given.append(arguments)
        return outcome

    monkeypatch.setattr(easybuild_smoke, "run", run)
    monkeypatch.chdir(CHECKOUT)
    assert easybuild_smoke.main(["--generation", "2025a", "--engine", "bwrap", "--keep"]) == status
    assert easybuild_smoke.main(["--sdist", "x.tar.gz", "--edges", "--rehearse"]) == status
    (_, sdist, options), (_, other, edges) = given
    assert sdist.parent == CHECKOUT / "dist" and sdist.name.startswith("mars_earth-")
    assert options == Options(generation="2025a", engine="bwrap", keep=True)
    assert other == CHECKOUT / "x.tar.gz" and edges == Options(edges=True, rehearse=True)
