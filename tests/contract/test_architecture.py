"""The directions in which the rooms depend on each other."""

import ast
import importlib.util
import sys
from pathlib import Path

import packaging
import pytest
from ruamel.yaml import YAML

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]


def imports_of(folder: Path) -> dict[str, set[str]]:
    """Top-level names that each module of a folder imports."""
    found = {}
    for path in folder.rglob("*.py"):
        names = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
        found[str(path.relative_to(ROOT))] = names
    assert found
    return found


@pytest.mark.parametrize(
    ("folder", "never"),
    [
        ("packages/pymars/pymars", {"hpcgate", "tests", "scripts", "noxfile"}),
        ("packages/hpcgate/hpcgate", {"pymars", "tests", "scripts", "noxfile"}),
    ],
)
def test_the_libraries_do_not_meet(folder, never):
    for module, names in imports_of(ROOT / folder).items():
        assert not names & never, module


def test_the_core_knows_few_crates_and_each_has_a_reason():
    manifest = tomllib.loads((ROOT / "packages/rust-runtime/core/Cargo.toml").read_text())
    own, foreign = {"mars-earth-dispatch"}, {"rayon", "serde", "serde_json"}
    assert set(manifest["dependencies"]) == own | foreign
    assert "forbid(unsafe_code)" in (ROOT / "packages/rust-runtime/core/src/lib.rs").read_text()
    facts = YAML(typ="safe").load(ROOT / "packaging/dependencies.yaml")
    text = str(facts)
    assert all(crate in text for crate in foreign)


def test_the_unsafe_code_of_replay_is_in_one_file_and_says_why():
    manifest = tomllib.loads((ROOT / "packages/rust-runtime/dispatch/Cargo.toml").read_text())
    assert "dependencies" not in manifest
    (source,) = (ROOT / "packages/rust-runtime/dispatch").rglob("*.rs")
    lines = source.read_text().splitlines()
    for number, line in enumerate(lines):
        if "unsafe {" in line:
            assert "SAFETY:" in "".join(lines[max(0, number - 2) : number]), line


def test_the_c_library_and_arrow_need_no_foreign_crate():
    for name, own in (("arrow", {"core"}), ("capi", {"core", "arrow"})):
        folder = ROOT / "packages" / "rust-runtime" / name
        manifest = tomllib.loads((folder / "Cargo.toml").read_text())
        assert set(manifest["dependencies"]) == {f"mars-earth-{crate}" for crate in own}
        assert "clippy::undocumented_unsafe_blocks" in (folder / "src/lib.rs").read_text()


@pytest.mark.parametrize("name", ["packaging", "spack", "easybuild"])
def test_no_folder_hides_a_library(name):
    assert not (ROOT / name / "__init__.py").exists()
    spec = importlib.util.find_spec("packaging")
    assert spec is not None
    assert spec.origin is not None
    assert not Path(packaging.__file__).is_relative_to(ROOT / "packaging")


def test_versions_are_one():
    import pymars

    release = YAML(typ="safe").load(ROOT / "packaging/release.yaml")
    project = tomllib.loads((ROOT / "packages/pymars/pyproject.toml").read_text())["project"]
    workspace = tomllib.loads((ROOT / "packages/Cargo.toml").read_text())["workspace"]["package"]
    assert release["version"] == project["version"] == workspace["version"] == pymars.__version__
