"""The conda-forge smoke session judges before it builds, and says what is missing."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from hpcgate import facts
from hpcgate.errors import GateError
from hpcgate.evidence.ledger import load
from hpcgate.lanes import conda_forge_smoke as session
from hpcgate.lanes import conda_wheels
from hpcgate.lanes.conda_channel import Channel
from hpcgate.lanes.conda_page import PAGE, TOOLS, Block, documented_blocks
from hpcgate.lanes.conda_plans import conda_build_problems, package_problems, plan_problems
from hpcgate.lanes.conda_python import Python, find_python
from hpcgate.lanes.conda_sandbox import Sandbox, Unavailable, open_sandbox
from hpcgate.lanes.conda_session import Session
from hpcgate.lanes.conda_standins import StandIns, wheel_requirements
from hpcgate.repo import sha256_file
from hpcgate.smoke import Smoke

from .conftest import ROOT, Checkout

FACTS = facts.load(ROOT)
STANDINS = facts.load_model(StandIns, ROOT, session.STANDINS)
CHANNEL = Channel("file:///channel", ("3.10", "3.13"), {"c_compiler": ["gcc"]}, {})


def the_only_record(checkout: Checkout) -> Any:
    (record,) = load(checkout.root)
    return record


# -- before anything is built ----------------------------------------------------------------------


def test_an_archive_with_another_digest_is_named(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout.sdist.write_bytes(b"another archive")
    assert session.run(checkout.root, checkout.sdist) == "fail"
    record = the_only_record(checkout)
    assert record.run.failed == ("source-has-the-digest",)
    wanted = facts.load(checkout.root).release.sha256
    assert f"the recipe has sha256 {wanted}" in record.reason
    assert f"{checkout.sdist.name} has {sha256_file(checkout.sdist)}" in record.reason
    assert "nox -s gen" in record.reason
    assert "source-has-the-digest" in capsys.readouterr().err


def test_a_second_format_beside_the_recipe_is_refused(checkout: Checkout) -> None:
    (checkout.root / "conda-forge/recipes/mars-earth/meta.yaml").write_text("package: {}\n")
    assert session.run(checkout.root, checkout.sdist) == "fail"
    assert "meta.yaml lies beside recipe.yaml" in the_only_record(checkout).reason


def test_a_missing_library_is_unavailable(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert session.run(checkout.root, checkout.sdist) == "unavailable"
    reason = the_only_record(checkout).reason
    assert reason == (
        "py-rattler-build is not installed; run: python -m pip install py-rattler-build"
    )


def test_a_missing_python_is_unavailable(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(self: Sandbox) -> str:
        find_python(("3.99",))
        return ""

    monkeypatch.setattr(session, "_libraries", dict)
    monkeypatch.setattr(Sandbox, "add_patchelf", nowhere)
    assert session.run(checkout.root, checkout.sdist) == "unavailable"
    record = the_only_record(checkout)
    assert record.reason.startswith("no CPython 3.99 that can be packed")
    assert "source-has-the-digest" in record.run.passed
    assert str(checkout.root) not in json.dumps(record.run.model_dump(mode="json"))


def test_a_missing_archive_is_an_error(checkout: Checkout) -> None:
    with pytest.raises(GateError, match="no such file; run: nox -s gen"):
        session.run(checkout.root, checkout.root / "dist" / "absent.tar.gz")


# -- nothing of the machine gets in ----------------------------------------------------------------


def test_the_sandbox_holds_nothing_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "x")
    with open_sandbox(tmp_path, Path("logs")) as sandbox:
        seen = sandbox.run(["sh", "-c", "env; command -v python3 gcc cargo pip"], "env").stdout
        assert "SECRET" not in seen
        assert "HOME=" in seen
        assert not [line for line in seen.splitlines() if line.startswith("/")]
        assert (tmp_path / "logs" / "env.log").read_text() == seen
        folder = sandbox.folder
    assert not folder.exists()


def test_a_tool_of_the_machine_in_the_sandbox_is_found(tmp_path: Path) -> None:
    with open_sandbox(tmp_path, Path("logs")) as sandbox:
        (sandbox.folder / "path" / "pytest").symlink_to(shutil.which("true") or "")
        stages = Session(ROOT, tmp_path, tmp_path, sandbox, FACTS, STANDINS, Smoke())
        with pytest.raises(GateError, match="pytest of this machine can be reached"):
            stages.nothing_of_the_machine_leaks()


def test_what_is_kept_survives(tmp_path: Path) -> None:
    for _ in range(2):
        with open_sandbox(tmp_path, Path("logs"), keep=True) as sandbox:
            (sandbox.folder / "new").mkdir()
    assert (tmp_path / "build" / "conda-forge" / "kept" / "new").is_dir()


def test_a_preparation_that_fails_is_unavailable(tmp_path: Path) -> None:
    with open_sandbox(tmp_path, Path("logs")) as sandbox:
        with pytest.raises(Unavailable, match=r"wheels cannot be fetched: no index; see logs"):
            sandbox.prepare(["sh", "-c", "echo no index >&2; exit 1"], "wheels")
        with pytest.raises(GateError, match=r"KeyError: 'nonsense'; see logs/none.log"):
            sandbox.ask("nonsense", "none")


# -- the channel -----------------------------------------------------------------------------------


def test_the_channel_has_what_the_recipe_asks_for() -> None:
    names = {requirement.partition(">")[0] for requirement in wheel_requirements(FACTS)}
    run = FACTS.dependencies.by_role("run", "build")
    assert {dependency.names.pypi for dependency in run.values()} <= names
    assert {"pip", "abi3audit"} <= names


def test_the_oldest_python_is_the_floor_of_the_variants() -> None:
    oldest, newer = map(CHANNEL.variants, CHANNEL.minors)
    assert (oldest["python"], newer["python"]) == (["3.10.* *_cpython"], ["3.13.* *_cp313"])
    assert (oldest["is_python_min"], newer["is_python_min"]) == ([True], [False])
    assert newer["python_min"] == oldest["python_min"] == [str(FACTS.release.floors.python)]
    assert all(minor > CHANNEL.minors[0] for minor in STANDINS.newer_pythons)


def an_interpreter(prefix: Path, packages: str) -> Path:
    """Write a program that answers like CPython 3.10 with its packages in a folder."""
    library = f"{prefix}/lib/python3.10"
    lines = ("cpython", "3.10.4", prefix, library, f"{prefix}/{packages}", f"{prefix}/{packages}")
    program = prefix / "bin" / "python3.10"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nprintf '%s\\n' " + " ".join(map(str, lines)) + "\n")
    program.chmod(0o755)
    return program


def test_a_python_is_taken_only_where_conda_would_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    debian = an_interpreter(tmp_path / "debian", "local/lib/python3.10/dist-packages")
    monkeypatch.setenv("PATH", str(debian.parent))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(Unavailable, match=r"no CPython 3\.10 .* run: pyenv install 3\.10"):
        find_python(("3.10",))
    base = tmp_path / ".pyenv" / "versions" / "3.10.4"
    usual = an_interpreter(base, "lib/python3.10/site-packages")
    assert find_python(("3.11", "3.10")) == Python("3.10", "3.10.4", str(base))
    link = tmp_path / "links" / "python3.10"
    link.parent.mkdir()
    link.symlink_to(usual)
    monkeypatch.setenv("PATH", str(link.parent))
    assert find_python(("3.10",)).prefix == str(base)


def a_wheel(folder: Path, **files: str) -> Path:
    path = folder / "a_b-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


METADATA = """Metadata-Version: 2.1
Name: A.b
Version: 1.0
Requires-Dist: NumPy >=1.23
Requires-Dist: tomli ; python_full_version < "3.11"
Requires-Dist: colorama ; sys_platform == "win32"
Requires-Dist: pytest ; extra == "test"
"""


def test_a_wheel_becomes_a_package(tmp_path: Path) -> None:
    path = a_wheel(
        tmp_path,
        **{
            "a_b/__init__.py": "x = 1\n",
            "a_b-1.0.dist-info/METADATA": METADATA,
            "a_b-1.0.dist-info/entry_points.txt": "[console_scripts]\nab = a_b.cli:main\n",
            "a_b-1.0.data/scripts/tool": "#!python\nprint(1)\n",
        },
    )
    wheel = conda_wheels.read(path)
    assert (wheel.name, wheel.version) == ("a-b", "1.0")
    assert wheel.depends("3.10.4") == ["numpy", "tomli"]
    assert wheel.depends("3.13.0") == ["numpy"]
    conda_wheels.unpack(path, tmp_path / "prefix", "3.10")
    library = tmp_path / "prefix" / "lib" / "python3.10" / "site-packages"
    assert (library / "a_b" / "__init__.py").read_text() == "x = 1\n"
    command, tool = (tmp_path / "prefix" / "bin" / name for name in ("ab", "tool"))
    assert "from a_b.cli import main" in command.read_text()
    for script in (command, tool):
        assert script.read_text().startswith("#!/bin/sh\n")
        assert script.stat().st_mode & 0o111


@pytest.mark.parametrize("name", ["../out.py", "/out.py"])
def test_a_wheel_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    path = a_wheel(tmp_path, **{"a_b-1.0.dist-info/METADATA": METADATA, name: ""})
    with pytest.raises(GateError, match="leads out of the wheel"):
        conda_wheels.unpack(path, tmp_path / "prefix", "3.10")


def test_a_file_that_is_no_wheel_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.whl"
    path.write_bytes(b"PK")
    with pytest.raises(GateError, match="not a wheel"):
        conda_wheels.read(path)


# -- plans and packages ----------------------------------------------------------------------------


def a_plan(target: str) -> dict[str, Any]:
    compilers = STANDINS.platforms.get(target, {"c_compiler": "gcc", "c_stdlib": "sysroot"})
    build = [f"{name}_{target}" for name in compilers.values()] + [f"rust_{target} 1.90.*"]
    windows = target == "win-64"
    if target != "linux-64":
        build += ["python", f"cross-python_{target}", "maturin >=1.8,<2"]
    module = "%SP_DIR%/pymars/_core.pyd" if windows else "$SP_DIR/pymars/_core.abi3.so"
    run = ["numpy >=1.23", "scikit-learn >=1.6", "click >=8.1"]
    return {
        "build": {
            "script": ["set X=1" if windows else "export X=1"],
            "python": {"version_independent": True},
        },
        "requirements": {
            "build": [*build, "cargo-bundle-licenses"],
            "host": ["python-abi3", "python", "pip", "maturin >=1.8,<2"],
            "run": ["python", *run],
            "run_constraints": ["nrg-pymars <0a0"],
        },
        "tests": [{"script": f"abi3audit {module}"}],
    }


@pytest.mark.parametrize("target", ["linux-64", *STANDINS.platforms])
def test_a_right_plan_has_no_problem(target: str) -> None:
    assert plan_problems(target, "linux-64", a_plan(target), FACTS) == []


Breaks = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("breaks", "problem"),
    [
        (lambda p: p["requirements"]["build"].remove("cross-python_osx-arm64"), "build lacks"),
        (lambda p: p["requirements"]["build"].remove("clang_osx-arm64"), "not one C compiler"),
        (lambda p: p["requirements"]["build"].append("gcc_linux-64"), "of another platform"),
        (lambda p: p["requirements"]["host"].remove("python-abi3"), "host is"),
        (lambda p: p["requirements"]["run"].remove("numpy >=1.23"), "run is"),
        (lambda p: p["requirements"]["run"].append("scipy"), "run is"),
        (lambda p: p["requirements"].pop("run_constraints"), "module has the same name"),
        (lambda p: p["build"].pop("python"), "not version independent"),
        (lambda p: p["build"].update(script=["set X=1"]), "not a line for the shell"),
        (lambda p: p["tests"].clear(), "no test audits"),
    ],
)
def test_a_wrong_plan_is_named(breaks: Breaks, problem: str) -> None:
    plan = a_plan("osx-arm64")
    breaks(plan)
    (found,) = plan_problems("osx-arm64", "linux-64", plan, FACTS)
    assert problem in found


def test_a_plan_for_this_machine_crosses_nothing() -> None:
    plan = a_plan("linux-64")
    plan["requirements"]["build"].append("python")
    assert plan_problems("linux-64", "linux-64", plan, FACTS) == ["build needs no python"]


def rendered_by_conda_build(*, solved: bool) -> dict[str, Any]:
    """Return what conda-render writes, with the requirements solved or only filled in."""
    run = ["click >=8.1", "numpy >=1.23", "python >=3.10,<3.11.0a0"]
    build = ["cargo-bundle-licenses", "gcc_linux-64 12.*", "rust_linux-64", "sysroot_linux-64"]
    host = ["maturin >=1.8,<2", "pip", "python 3.10.* *_cpython"]
    if solved:
        build = [f"{spec.split()[0]} 1.0 0" for spec in build]
        host = ["libgcc 12 0", *(f"{spec.split()[0]} 1.0 0" for spec in host)]
        run = ["__glibc >=2.36,<3.0.a0", "libgcc", "python_abi 3.10.* *_cp310", *run]
    release = FACTS.release
    return {
        "package": {"name": release.name, "version": str(release.version)},
        "source": {"url": release.url, "sha256": release.sha256},
        "requirements": {"build": build, "host": host, "run": [*run, "scikit-learn >=1.6"]},
        "about": {"license": "Apache-2.0"},
    }


@pytest.mark.parametrize("solved", [False, True])
def test_what_conda_build_renders_may_ask_for_more(solved: bool) -> None:
    assert conda_build_problems(rendered_by_conda_build(solved=solved), FACTS) == []


@pytest.mark.parametrize(
    ("breaks", "problem"),
    [
        (lambda r: r["package"].update(version="1"), "version is 1"),
        (lambda r: r["source"].update(url="x"), "url is x"),
        (lambda r: r["source"].update(sha256="x"), "sha256 is x"),
        (lambda r: r["about"].update(license="MIT"), "licence is MIT"),
        (lambda r: r["requirements"]["build"].pop(), "build has not one C compiler"),
        (lambda r: r["requirements"]["host"].pop(0), "host lacks maturin"),
        (lambda r: r["requirements"]["run"].pop(), "run lacks scikit-learn >=1.6"),
    ],
)
def test_a_wrong_rendering_is_named(
    breaks: Callable[[dict[str, Any]], object], problem: str
) -> None:
    recipe = rendered_by_conda_build(solved=False)
    breaks(recipe)
    (found,) = conda_build_problems(recipe, FACTS)
    assert problem in found


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    run = ["python", "numpy >=1.23", "scikit-learn >=1.6", "click >=8.1"]
    depends = [*run, "cpython >=3.10", "_python_abi3_support 1.*"]
    crates = [
        {"package_name": name, "licenses": [{"license": "MIT", "text": "Permission\n"}]}
        for name in FACTS.dependencies.crates
    ]
    command = "mars-earth = pymars.cli:main"
    texts = {
        "info/index.json": {"depends": depends, "license": "Apache-2.0"},
        "info/link.json": {"noarch": {"type": "python", "entry_points": [command]}},
        "info/licenses/THIRDPARTY.yml": {"third_party_libraries": crates},
        "info/licenses/LICENSE": "",
        "site-packages/pymars/_core.abi3.so": "",
    }
    for name, content in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return tmp_path


def test_a_right_package_has_no_problem(unpacked: Path) -> None:
    assert package_problems(unpacked, FACTS) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("info/index.json", "numpy >=1.23", "numpy", "does not depend on numpy >=1.23"),
        ("info/index.json", "cpython >=3.10", "x", "does not depend on cpython >=3.10"),
        ("info/index.json", '"python"', '"python_abi 3.10.* *_cp310"', "bound to one Python"),
        ("info/index.json", "Apache-2.0", "MIT", "its licence is MIT"),
        ("info/link.json", "pymars.cli:main", "pymars:main", "does not write the command"),
        ("info/licenses/THIRDPARTY.yml", '"pyo3"', '"pyo"', "does not list pyo3"),
        ("info/licenses/THIRDPARTY.yml", "Permission\\n", " ", "no licence text for"),
    ],
)
def test_a_wrong_package_is_named(
    unpacked: Path, file: str, old: str, new: str, problem: str
) -> None:
    path = unpacked / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    (found,) = package_problems(unpacked, FACTS)
    assert problem in found


def test_a_package_without_a_licence_or_with_another_module_is_named(unpacked: Path) -> None:
    (unpacked / "info" / "licenses" / "LICENSE").unlink()
    (unpacked / "site-packages" / "pymars" / "stray.so").write_text("")
    (unpacked / "site-packages" / "pymars" / "core.a").write_text("")
    modules, static, licence = package_problems(unpacked, FACTS)
    assert "stray.so" in modules
    assert static == "it ships the static library site-packages/pymars/core.a"
    assert licence == "no LICENSE in info/licenses"


# -- the page --------------------------------------------------------------------------------------


def test_every_block_of_the_page_is_run_or_says_why_not() -> None:
    blocks = documented_blocks(ROOT / PAGE)
    assert len(blocks) == (ROOT / PAGE).read_text().count("```sh\n")
    assert any(not block.tool and not block.reason for block in blocks)
    assert {block.tool for block in blocks if block.tool} == set(TOOLS)
    for block in blocks:
        if block.tool:
            # What another tool does is not shown by this one.
            assert not [tool for tool in TOOLS if f"{tool} " in block.text and tool != block.tool]


def test_a_block_without_a_word_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\nls\n```\n\nThe smoke session does not run this:\n")
    with pytest.raises(GateError, match=r"page\.md: `ls`: nothing says who runs it"):
        documented_blocks(page)
    page.write_text("```sh\nls\n```\n\nThe smoke session runs this where yum is installed.\n")
    with pytest.raises(GateError, match="nothing says who runs it"):
        documented_blocks(page)
    page.write_text("```sh\nls\n```\n\nThe smoke session does not run this: no reason to.\n")
    assert documented_blocks(page) == [Block("ls\n", reason="no reason to.")]


def test_a_machine_without_a_tool_shows_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    foreign = (
        "conda_smithy_finds_nothing",
        "conda_build_renders",
        *(f"{t}_commands_work" for t in TOOLS),
    )
    stages = {name: session.STAGES[name] for name in foreign}
    monkeypatch.setattr(session, "STAGES", stages | {"another": lambda _: "runs"})
    with open_sandbox(tmp_path, Path("logs")) as sandbox:
        found = Session(ROOT, tmp_path, tmp_path, sandbox, FACTS, STANDINS, Smoke(), None, CHANNEL)
        session._stages(found)
    assert [test.name for test in found.smoke.tests] == ["another"]
    assert set(found.smoke.tools) == {"conda-smithy", "conda-build", *TOOLS}
    for reason in found.smoke.tools.values():
        assert re.fullmatch(
            r"unavailable: [a-z-]+ is not on PATH; it comes from conda-forge", reason
        )


def test_the_page_names_the_version_of_the_release() -> None:
    assert FACTS.release.sdist in (ROOT / PAGE).read_text()
