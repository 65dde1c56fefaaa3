"""The whole Spack session in a room without walls.

A shell script is Spack: it keeps what it installs in the install tree, and says what Spack 1.2 says
where the session reads it. Folders, archives, git and configuration are real.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hpcgate import facts
from hpcgate.cleanroom.process import without_network
from hpcgate.errors import GateError
from hpcgate.evidence import Outcome
from hpcgate.lanes import spack_host as host
from hpcgate.lanes import spack_refusals as refusals
from hpcgate.lanes import spack_site as site
from hpcgate.lanes import spack_smoke
from hpcgate.lanes import spack_style as style
from hpcgate.lanes.spack_source import BUILTIN
from hpcgate.repo import find_root
from hpcgate.smoke import Smoke

CHECKOUT = find_root(Path(__file__))
FACTS = facts.load(CHECKOUT)
WANTED = [
    canonicalize_name(Requirement(text).name) for text in site.requirements(FACTS.dependencies)
]
FITS = {"name": "fits", "passed": True, "detail": ""}
REPORT = json.dumps({"tests": [FITS], "versions": {"numpy": "2"}, "measurements": {"rows": 5}})
NODES = [
    {"name": "mars-earth", "version": "2.0.0", "hash": "aaaaaaa"},
    {"name": "py-mars-earth", "version": "2.0.0", "hash": "bbbbbbb"},
    {"name": "py-pip", "version": "25.0", "hash": "ccccccc"},
    {"name": "compiler-wrapper", "version": "1.0", "hash": "ddddddd"},
    {"name": "gcc", "version": "12.2.0", "hash": "eeeeeee", "external": {}},
]
SPACK = f"""\
tree="$WORK/opt/linux"
case "$*" in
--version) echo '1.2.0 (0123abc)';;
arch) echo linux-debian12-x86_64;;
"repo list") [ -e "$WORK/added" ] && echo mars;;
"repo add "*) git ls-remote "$MARS_REPOSITORY" >&2 && touch "$WORK/added";;
python*known_dependencies*) echo '{json.dumps({f"py-{name}": [] for name in WANTED})}';;
"info "*) printf 'Variants:\\n    arrow [false]    reads tables%s\\n\\nDependencies:\\n' "$EXTRA";;
"spec "*--json*) echo '{json.dumps({"spec": {"nodes": NODES}})}';;
"find --loaded") echo mars-earth@2.0.0;;
"find "*) [ ! -e "$WORK/forgotten" ] && ls "$tree" 2> /dev/null | grep -q .;;
"load mars-earth") echo '==> Error: mars-earth matches multiple packages.' >&2; exit 1;;
"test results "*) cat "$WORK/results";;
"uninstall "*--all*)
    case "$STAYS" in
    '') rm -rf "$tree"/*mars-earth-2.0.0-*;;
    forgotten) touch "$WORK/forgotten";;
    esac;;
*install*mars-earth@1.9.0) mkdir -p "$tree/mars-earth-1.9.0-ccccccc";;
*install*mars-earth*)
    case "$SPACK_USER_CONFIG_PATH" in
    *wrong-checksum) said='ChecksumError: sha256 checksum failed for x/py_mars_earth.tar.gz';;
    *missing-crate) said='ProcessError: Command exited with status 1: maturin'
        mkdir -p "$WORK/stage/spack-stage-py-mars-earth"
        echo 'no matching package named serde_json' \\
            > "$WORK/stage/spack-stage-py-mars-earth/spack-build-out.txt";;
    *too-old-rust) said='Cannot build rust, since no externals satisfy it';;
    *python-out-of-range) said='mars-earth needs python@3.10:';;
    *read-only-prefix) said='[Errno 30] Read-only file system';;
    *source-out-of-reach) said='FetchError: All fetchers failed';;
    *) said=$FAILS;;
    esac
    [ -z "$said" ] || {{ echo "==> Error: $said" >&2; exit 1; }}
    mkdir -p "$tree/mars-earth-2.0.0-aaaaaaa" "$tree/py-mars-earth-2.0.0-bbbbbbb"
    echo '==> py-mars-earth: Successfully installed py-mars-earth-2.0.0-bbbbbbb'
    echo '  Stage: 0.10s.  Install: 1m 1.00s.  Total: 1m 2.50s';;
esac
"""
# The room's Python: an environment with pip, ruff and vermin, and the answers of small scripts.
PYTHON = """\
case "$*" in
"-m venv "*)
    mkdir -p "$3/bin"
    for name in pip ruff vermin python3; do cp "$WORK/../$name.txt" "$3/bin/$name"; done
    chmod +x "$3/bin/"*;;
*use_installed.py*) echo "$USED";;
*use_variants.py*) ;;
*get_path*) echo /lib/python3/dist-packages;;
*base_prefix*) echo 3.11.2 /usr;;
*) exit 2;;
esac
"""
PIP = """\
case "$*" in
*NO_INDEX*) exit 1;;
*download*) while [ "$1" != -d ]; do shift; done; mkdir -p "$2"; cp WHEELS/*.whl "$2";;
*--prefix*) while [ "$1" != --prefix ]; do shift; done; mkdir -p "$2/lib/python3.11/site-packages";;
esac
"""
LINKED = ("bash", "git", "xargs", "cut", "tail", "dirname", "ls", "grep", "ln")


def results() -> str:
    """Write what `spack test results -l` prints when every test of our recipes has passed."""
    lines = []
    for folder, package in (("mars_earth", "mars-earth"), ("py_mars_earth", "py-mars-earth")):
        recipe = site.recipe_of(CHECKOUT, folder)
        lines.append(f"==>   {package}-2.0.0-aaaaaaa PASSED")
        lines += [f"PASSED: {recipe.class_name}::{name}" for name in recipe.tests]
    return "\n".join(lines) + "\n"


@pytest.fixture
def root(definitions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the recipes and facts of this one, an sdist, Spack and its repository."""
    for name in ("packaging", "packages", "spack", "spack-repo-index.yaml"):
        (definitions / name).symlink_to(CHECKOUT / name)
    (definitions / "tests" / "smoke").mkdir(parents=True)
    shutil.copytree(CHECKOUT / site.SCRIPTS, definitions / site.SCRIPTS)
    (definitions / site.VECTORS).mkdir()
    (definitions / "dist").mkdir()
    with tarfile.open(definitions / "dist" / FACTS.release.sdist, "w:gz") as archive:
        for name in ("pyproject.toml", "vendor/serde_json-1.0.0/Cargo.toml"):
            archive.addfile(tarfile.TarInfo(f"mars_earth-2.0.0/{name}"), io.BytesIO())
    spack, repos = tmp_path / "spack", tmp_path / "packages" / "repos"
    for folder in (spack / "bin", spack / "share" / "spack", repos / BUILTIN):
        folder.mkdir(parents=True)
    (spack / "bin" / "spack").write_text(f"#!/bin/sh\n{SPACK}")
    (spack / "bin" / "spack").chmod(0o755)
    functions = 'spack() { "$WORK/spack/bin/spack" "$@"; }\nexport SPACK_ROOT="$WORK/spack"\n'
    (spack / "share" / "spack" / "setup-env.sh").write_text(functions)
    (repos / BUILTIN / "repo.yaml").write_text("repo:\n  namespace: builtin\n")
    (repos.parent / "pyproject.toml").write_text("[tool.ruff]\n")
    monkeypatch.setattr(spack_smoke, "find_root", lambda: definitions)
    return definitions


@pytest.fixture
def run(
    root: Path, tmp_path: Path, here: Any, script: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Smoke]:  # fmt: skip
    """Return a function that runs the session from its command line and returns what it saw."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in WANTED:
        with zipfile.ZipFile(wheels / f"{name}-9.0.whl", "w") as archive:
            archive.writestr(f"{name}-9.0.dist-info/METADATA", f"Name: {name}\nVersion: 9.0\n")
    for name in LINKED:
        (tmp_path / "programs-of-the-room" / name).symlink_to(shutil.which(name) or name)
    here.program("python3", PYTHON)
    here.program("gcc", "echo 12.2.0")
    here.program("mars-earth", "echo mars-earth, version 2.0.0")
    (tmp_path / "rust").mkdir()
    rust = f'case "$1" in --version) echo rustc 1.95.0 "(x)";; *) echo {tmp_path}/rust;; esac'
    script("rustc", rust)
    here.cut = without_network()
    if not here.cut:
        pytest.skip("the network of a program cannot be cut here, and the session asks for that")
    given = dict.fromkeys(("FAILS", "STAYS", "EXTRA"), "")
    given |= {"PIP": PIP.replace("WHEELS", str(wheels)), "RUFF": "exit 0", "USED": REPORT}
    given["RESULTS"] = results()
    seen: list[tuple[str, Smoke]] = []

    def conclude(smoke: Smoke, *arguments: Any, **options: Any) -> Outcome:
        seen.append((arguments[2], smoke))
        return smoke.outcome

    monkeypatch.setattr(spack_smoke, "conclude", conclude)

    opened = host.room

    @contextlib.contextmanager
    def furnished(*arguments: Any) -> Iterator[tuple[host.Room, host.Places]]:
        with opened(*arguments) as (room, places):
            texts = {"pip": given["PIP"], "ruff": given["RUFF"], "vermin": "exit 0"}
            for name, text in (texts | {"python3": "echo 5.8.0"}).items():
                (room.work.parent / f"{name}.txt").write_text(f"#!/bin/sh\n{text}\n")
            (room.work / "results").write_text(given["RESULTS"])
            here.variables.update(given)
            yield room, places

    monkeypatch.setattr(host, "room", furnished)

    def start(*arguments: str, **changed: str) -> Smoke:
        given.update(changed)
        line = ["--spack-root", str(tmp_path / "spack"), "--packages", str(tmp_path / "packages")]
        status = spack_smoke.main([*line, *arguments])
        check, smoke = seen[-1]
        assert check == ("spack-bad-input" if "--bad-input" in arguments else "smoke-spack")
        assert status == (0 if smoke.outcome == "pass" else 1)
        return smoke

    return start


def test_a_recipe_is_installed_tested_used_and_removed(
    root: Path, run: Callable[..., Smoke], here: Any
) -> None:
    smoke = run("--keep")
    assert smoke.outcome == "pass", smoke.reason
    names = [test.name for test in smoke.tests]
    assert names[:2] == ["no-network", "repository"]
    for name in ("style", "no-accelerator-in-variants", "audit", "concretize", "install", "test",
                 "spack-test-py-mars-earth", "fits", "environment", "mirror", "cache", "variants",
                 "uninstall", "nothing-left-behind"):  # fmt: skip
        assert name in names
    assert smoke.measurements["py_mars_earth_build_seconds"] == 62.5
    assert smoke.tools["spec of mars-earth"] == "/aaaaaaa"
    assert smoke.tools["rust"] == "1.95.0" and smoke.tools["numpy"] == "2"
    kept = root / "build" / "smoke-spack"
    packages = facts.read_yaml(kept / "scope" / "packages.yaml")["packages"]
    assert packages["rust"]["externals"] == [{"spec": "rust@1.95.0", "prefix": "/opt/rust"}]
    assert {f"py-{name}" for name in WANTED} <= set(packages)
    stored = [path.name for path in (kept / "mirror").rglob("*.tar.gz")]
    assert stored == [f"{site.recipe_digest(CHECKOUT)}.tar.gz"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (
            {"FAILS": "ChecksumError: sha256 checksum failed"},
            "install: ChecksumError: sha256 check",
        ),
        ({"STAYS": "installed"}, "uninstall: exit 1"),
        ({"STAYS": "forgotten"}, "nothing-left-behind: mars-earth-2.0.0-aaaaaaa, py-mars-"),
        ({"EXTRA": " on a GPU, with cuda"}, "no-accelerator-in-variants: found "),
        ({"RUFF": "echo 'would reformat package.py' >&2; exit 1"}, "style: would reformat"),
        ({"USED": "Segmentation fault"}, "use-reports: the script printed no report"),
        ({"USED": REPORT.replace("true", "false")}, "fits: "),
        ({"RESULTS": ""}, "spack-test-mars-earth: "),
    ],
    ids=[
        "install",
        "not removed",
        "left behind",
        "accelerator",
        "style",
        "no report",
        "failing",
        "no tests",
    ],
)
def test_the_first_thing_that_is_wrong_ends_the_session(
    root: Path, run: Callable[..., Smoke], changed: dict[str, str], reason: str
) -> None:
    smoke = run(**changed)
    assert smoke.outcome == "fail"
    assert smoke.reason.startswith(reason), smoke.reason
    assert "(see build/logs/smoke-spack/" in smoke.reason
    assert list((root / "build" / "rooms").iterdir()) == []


def test_wheels_that_cannot_be_had_say_nothing_about_the_recipe(
    run: Callable[..., Smoke],
) -> None:
    smoke = run(PIP="echo 'ERROR: no index in reach' >&2; exit 1")
    assert smoke.outcome == "unavailable"
    assert smoke.reason.startswith("download: no index in reach; see build/logs/smoke-spack/")


def test_each_bad_input_is_refused_and_leaves_nothing(run: Callable[..., Smoke]) -> None:
    smoke = run("--bad-input")
    assert smoke.outcome == "pass", smoke.reason
    names = {test.name for test in smoke.tests}
    assert {case.name for case in refusals.CASES} <= names
    assert {"install", "load-without-version-is-refused", "load", "uninstall"} <= names


def test_the_wrapper_that_is_given_lies_in_the_mirror(
    root: Path, tmp_path: Path, run: Callable[..., Smoke]
) -> None:
    wrapper = tmp_path / "wrapper.tar.gz"
    wrapper.write_bytes(b"wrapper")
    smoke = run("--keep", "--compiler-wrapper", str(wrapper))
    assert smoke.outcome == "pass", smoke.reason
    assert len(list((root / "build" / "smoke-spack" / "mirror").rglob("*.tar.gz"))) == 2
    assert not (root / "build" / "logs" / "smoke-spack" / "compiler-wrapper.log").exists()


# Parts


def test_an_archive_without_the_crate_has_none_to_leave_out(root: Path) -> None:
    sdist = root / "dist" / FACTS.release.sdist
    with pytest.raises(GateError, match="holds no crate rayon to leave out"):
        refusals.without_crate(sdist, "rayon")


def test_a_machine_that_cannot_cut_its_network_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    opened = host.room(tmp_path, "none", tmp_path, tmp_path)
    with (
        pytest.raises(GateError, match="network cannot be cut here; give another --engine"),
        opened,
    ):
        pass
    assert not list((tmp_path / "build" / "rooms").iterdir())


def test_a_builtin_repository_without_settings_tries_no_style(tmp_path: Path) -> None:
    class Session:
        class room:
            work = tmp_path

        smoke = Smoke()

    style.check_style(Session)  # type: ignore[arg-type]
    assert Session.smoke.tools["style"].startswith("not tried, this builtin repository has no")
