"""Facts: what is refused, how it is said, and that an edit touches nothing else."""

from __future__ import annotations

import fnmatch
import itertools
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from hpcgate import facts
from hpcgate.errors import GateError
from hpcgate.repo import find_root, tracked_files

ROOT = find_root(Path(__file__).parent)

RELEASE = """\
# identity
name: mars-earth   # the name that pip uses
import: pymars
version: 2.0.0
summary: Multivariate adaptive regression splines
licence: Apache-2.0
home: https://github.com/edithatogo/mars
maintainers: [edithatogo]
floors: {python: "3.10", rust: '1.85'}
source:
    url: https://github.com/edithatogo/mars/releases/download/v{version}/m-{version}.tar.gz

    # pinned by a session
    sha256: null     # 64 digits
published: false
"""


@pytest.fixture
def release(tmp_path: Path) -> Path:
    path = tmp_path / "release.yaml"
    path.write_text(RELEASE)
    return path


def read(path: Path) -> facts.Release:
    return facts.check_model(facts.Release, facts.read_yaml(path), path.name)


def test_the_facts_of_this_checkout_are_sound() -> None:
    loaded = facts.load(ROOT)
    assert loaded.release.sdist == f"mars_earth-{loaded.release.version}.tar.gz"
    assert set(loaded.dependencies.by_role("run")) == {"numpy", "scikit-learn", "click"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("import:", "imports:", "imports: unknown key, did you mean `import`?"),
        ("python: ", "pyton: ", "floors.pyton: unknown key, did you mean `python`?"),
        ("    sha256: null     # 64 digits\n", "", "source.sha256: missing"),
        ('"3.10"', "3.10", "floors.python: 3.1 is not a text; write it in quotes"),
        ("2.0.0", "two", "version: invalid version: 'two'"),
        ("sha256: null", "sha256: abc", "source.sha256: 'abc' does not match"),
        ("Apache-2.0", "Apache 2.0", "licence: "),
        ("Apache-2.0", "apache-2.0", "write the SPDX expression as 'Apache-2.0'"),
        ("https://github.com/edithatogo/mars\n", "http://x.org\n", "home: 'http://x.org'"),
        ("[edithatogo]", "[]", "maintainers: "),
        ("[edithatogo]", "edithatogo", "maintainers: "),
        ("published: false", "published: maybe", "published: "),
    ],
)
def test_a_wrong_value_is_named(release: Path, old: str, new: str, message: str) -> None:
    release.write_text(RELEASE.replace(old, new, 1))
    with pytest.raises(GateError) as caught:
        read(release)
    assert str(caught.value).startswith("release.yaml: ")
    assert message in str(caught.value)


def test_all_problems_of_a_file_come_at_once(release: Path) -> None:
    broken = RELEASE.replace("import:", "imports:").replace("2.0.0", "two").replace("null", "0")
    release.write_text(broken)
    with pytest.raises(GateError) as caught:
        read(release)
    for key in ("import: missing", "imports: unknown key", "version: ", "source.sha256: "):
        assert key in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\n", ":2: "),
        ("a: 1\na: 2\n", ":2: found duplicate key"),
        ("x:\n  a: 1\n  a: 2\n", ":3: found duplicate key"),
        ("- 1\n", "holds list, a mapping is needed"),
        ("", "holds NoneType, a mapping is needed"),
        ("1: 2\n", "the key 1 is not a text"),
        ("a: !!python/name:os.system\n", "could not determine a constructor"),
        ("a: 2001-99-99\n", "not YAML"),
    ],
)
def test_broken_yaml_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "facts.yaml"
    path.write_text(text)
    with pytest.raises(GateError, match=r"facts\.yaml") as caught:
        facts.read_yaml(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unreadable_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="cannot be read"):
        facts.read_yaml(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    with pytest.raises(GateError, match="not UTF-8"):
        facts.read_yaml(tmp_path / "latin.yaml")


def test_an_edit_leaves_every_other_byte(release: Path) -> None:
    digest = "ab" * 32
    changes: dict[str, facts.Scalar] = {
        "source.sha256": digest,
        "version": "2.1.0",
        "floors.rust": "1.90",
        "published": True,
    }
    assert facts.edit_yaml(release, changes)
    expected = (
        RELEASE.replace("sha256: null ", f"sha256: {digest} ")
        .replace("version: 2.0.0", "version: 2.1.0")
        .replace("'1.85'", '"1.90"')
        .replace("published: false", "published: true")
    )
    assert release.read_text() == expected
    assert str(read(release).floors.rust) == "1.90"
    assert not facts.edit_yaml(release, changes)


@pytest.mark.parametrize(
    "value",
    ["1.10", "yes", "null", "a: b", "- x", "ends with :", "# no", "", 3, None, 1e300, "é\n"],
)
def test_an_edit_reads_back_as_written(release: Path, value: facts.Scalar) -> None:
    facts.edit_yaml(release, {"summary": value})
    assert facts.read_yaml(release)["summary"] == value


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("source.sha25", "no key source.sha25, did you mean `sha256`?"),
        ("version.major", "no key version.major"),
        ("maintainers", "not a single plain value"),
        ("source", "not a single plain value"),
    ],
)
def test_an_edit_of_the_wrong_place_changes_nothing(release: Path, key: str, message: str) -> None:
    with pytest.raises(GateError, match=r"release\.yaml") as caught:
        facts.edit_yaml(release, {"version": "9", key: "x"})
    assert message in str(caught.value)
    assert release.read_text() == RELEASE


def test_an_empty_value_is_not_edited(tmp_path: Path) -> None:
    path = tmp_path / "facts.yaml"
    path.write_text("a:\nb: 1\n")
    with pytest.raises(GateError, match="a has no value to replace; write null there"):
        facts.edit_yaml(path, {"a": "x"})
    assert path.read_text() == "a:\nb: 1\n"


def test_a_null_digest_is_refused_where_it_is_needed(release: Path) -> None:
    with pytest.raises(GateError, match="nox -s gen"):
        _ = read(release).sha256


def dependencies(**changes: object) -> dict[str, object]:
    entry = {"role": "run", "bounds": ">=1", "licence": "MIT", "reason": "Why", "names": {}}
    return {"extras": {}, "packages": {"thing": entry | changes}, "crates": {}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"role": "runtime"}, "packages.thing.role: "),
        ({"bounds": "=1"}, "packages.thing.bounds: invalid specifier"),
        (
            {"names": {"condo": "x"}},
            "packages.thing.names.condo: unknown key, did you mean `conda`?",
        ),
        ({"role": "extra"}, "`extra` names the extra"),
        ({"extra": "arrow"}, "`extra` names the extra"),
        ({"role": "extra", "extra": "arrow"}, "differ: arrow"),
        ({"reason": ""}, "packages.thing.reason: "),
    ],
)
def test_a_wrong_dependency_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(GateError) as caught:
        facts.check_model(facts.Dependencies, dependencies(**changes), "dependencies.yaml")
    assert message in str(caught.value)


def test_a_right_dependency_is_accepted() -> None:
    found = facts.check_model(facts.Dependencies, dependencies(), "dependencies.yaml")
    assert found.packages["thing"].bounds == SpecifierSet(">=1")


def test_a_glob_has_one_owner() -> None:
    lane = {"lane": "A", "level": "H0", "owns": ["x/**"], "leaves_alone": [], "owners": ["a"]}
    both = {"default_owners": ["a"], "lanes": [lane, lane | {"lane": "B"}]}
    with pytest.raises(GateError, match=r"owned by two lanes: x/\*\*"):
        facts.check_model(facts.WorkLanes, both, "lanes.yaml")


def test_no_file_has_two_lanes_and_no_lane_leaves_its_own_files_alone() -> None:
    lanes = facts.load(ROOT).work.lanes
    files = [path.as_posix() for path in tracked_files(ROOT)]

    def matched(globs: tuple[str, ...]) -> set[str]:
        return {file for file in files for glob in globs if fnmatch.fnmatch(file, glob)}

    for one, other in itertools.combinations(lanes, 2):
        assert not matched(one.owns) & matched(other.owns), (one.lane, other.lane)
    for lane in lanes:
        assert not matched(lane.owns) & matched(lane.leaves_alone), lane.lane
    for glob in (glob for lane in lanes for glob in lane.owns if "hpcgate" in glob):
        assert matched((glob,)), f"{glob} matches no file"
