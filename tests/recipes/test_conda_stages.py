"""The stages of the conda-forge session, each to its end.

rattler-build and rattler are real, and so are the channels on disk. The interpreters that are
packed are small programs that answer as CPython and pip do; scripts are cargo, rustc and conda.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcgate import facts
from hpcgate.errors import GateError
from hpcgate.facts import read_yaml
from hpcgate.lanes.conda_channel import PLATFORM, Channel
from hpcgate.lanes.conda_foreign import (
    NotShown,
    conda_build_renders,
    conda_smithy_finds_nothing,
    program,
)
from hpcgate.lanes.conda_forge_smoke import STANDINS as STANDINS_FILE
from hpcgate.lanes.conda_page import PAGE, documented_commands_work, tools_work
from hpcgate.lanes.conda_python import Python, copy_python
from hpcgate.lanes.conda_sandbox import Sandbox, Unavailable, open_sandbox
from hpcgate.lanes.conda_session import SCRIPTS, Session
from hpcgate.lanes.conda_standins import StandIns, make_channel
from hpcgate.repo import sha256_file
from hpcgate.smoke import Smoke

from .conftest import ROOT
from .test_conda_forge_smoke import rendered_by_conda_build

FACTS = facts.load(ROOT)
STANDINS = facts.load_model(StandIns, ROOT, STANDINS_FILE)
# Becomes the script that lies beside it.
LAUNCHER = """\
#include <stdio.h>
#include <unistd.h>
int main(int count, char **words) {
    char path[4096], *line[64] = {"sh", path};
    long end = readlink("/proc/self/exe", path, 4000);
    snprintf(path + end, 96, ".sh");
    for (int i = 1; i < count && i < 60; i++) line[i + 1] = words[i];
    execv("/bin/sh", line);
    return 127;
}
"""
REPORT = (
    '{"tests": [{"name": "%s", "passed": true, "detail": ""}], "versions": {}, "measurements": {}}'
)
# Answers where its library lies, fetches one wheel as pip does, and runs the smoke scripts.
INTERPRETER = """\
case "$*" in
*sysconfig*) printf '%s\\n' cpython {version} {prefix} {library} {library}/site-packages \\
    {library}/site-packages;;
*" download "*) while [ "$1" != --dest ]; do shift; done; mkdir -p "$2"; cp {wheel} "$2";;
*wheel_smoke.py) echo '{first}';;
*conformance.py) echo '{second}';;
*) exit 1;;
esac
"""


def tool(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    return folder / name


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not all(map(shutil.which, ("cc", "gcc", "strip"))):
        pytest.skip("no compiler here, and the stand-ins wrap one; apt-get install gcc binutils")
    folder = tmp_path_factory.mktemp("launcher")
    (folder / "launcher.c").write_text(LAUNCHER)
    line = ["cc", "-g", "-o", str(folder / "launcher"), str(folder / "launcher.c")]
    subprocess.run(line, check=True)
    return folder / "launcher"


def an_interpreter(home: Path, launcher: Path, version: str, wheel: Path) -> Path:
    """Put an interpreter where pyenv has it, with what is packed of it and what is not."""
    minor = version.rpartition(".")[0]
    prefix = home / ".pyenv" / "versions" / version
    library = prefix / "lib" / f"python{minor}"
    for name in ("os.py", "site-packages/pip.py", "test/x.py", "__pycache__/os.pyc"):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_text("content\n")
    (prefix / "bin").mkdir()
    shutil.copy2(launcher, prefix / "bin" / f"python{minor}")
    first, second = (REPORT % name for name in ("fits", "replays"))
    text = INTERPRETER.format(
        version=version, prefix=prefix, library=library, wheel=wheel, first=first, second=second
    )
    (prefix / "bin" / f"python{minor}.sh").write_text(text)
    return prefix


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, launcher: Path) -> Path:
    """A home with two interpreters, Rust and cargo, beside a checkout that has no channel yet."""
    folder = tmp_path_factory.mktemp("machine")
    wheel = folder / "numpy-2.0.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        told = "Metadata-Version: 2.1\nName: numpy\nVersion: 2.0.0\n"
        archive.writestr("numpy-2.0.0.dist-info/METADATA", told)
        archive.writestr("numpy/__init__.py", "")
    for version in (f"{FACTS.release.floors.python}.4", f"{STANDINS.newer_pythons[0]}.1"):
        an_interpreter(folder / "home", launcher, version, wheel)
    rust = 'case "$1" in --version) echo rustc 1.90.0 "(x)";; *) echo /opt/rust;; esac'
    tool(folder / "bin", "rustc", rust)
    last = 'for word; do last=$word; done; mkdir -p "$last/bin"; echo tool > "$last/bin/{}"'
    tool(folder / "bin", "cargo", last.format("cargo-bundle-licenses"))
    return folder


@pytest.fixture
def here(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let this process see the tools of that machine first."""
    monkeypatch.setenv("HOME", str(machine / "home"))
    monkeypatch.setenv("PATH", f"{machine / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return machine


@pytest.fixture
def sandbox(here: Path) -> Iterator[Sandbox]:
    with open_sandbox(here, Path("logs")) as made:
        # An interpreter of the channel is beside its script only where it was copied from.
        tool(made.folder / "path", "patchelf", 'echo "$@" >> "$0.log"')
        yield made


@pytest.fixture
def channel(here: Path, sandbox: Sandbox) -> Channel:
    """The channel of that machine; the first test makes it, the others find it."""
    return make_channel(here, FACTS, STANDINS, sandbox)


def a_session(sandbox: Sandbox, channel: Channel | None = None) -> Session:
    recipe = ROOT / "conda-forge" / "recipes" / FACTS.release.name / "recipe.yaml"
    return Session(ROOT, ROOT, recipe, sandbox, FACTS, STANDINS, Smoke(), None, channel)


# The stand-ins


def test_the_stand_ins_of_a_machine_are_packed_once(
    here: Path, sandbox: Sandbox, channel: Channel
) -> None:
    folder = Path(channel.uri.removeprefix("file://"))
    names = {path.name.rsplit("-", 2)[0] for path in (folder / PLATFORM).glob("*.conda")}
    assert {"python", "numpy", "gcc_linux-64", "rust_linux-64", "sysroot_linux-64"} <= names
    assert {"cargo-bundle-licenses", "python_abi", "python-abi3", "libgcc"} <= names
    assert channel.minors == (str(FACTS.release.floors.python), STANDINS.newer_pythons[0])
    assert channel.pins["rust_compiler_version"] == ["1.90.0"]
    assert channel.described["channel"].endswith(
        "stand-ins made on this machine, none from conda-forge"
    )
    before = (folder / PLATFORM).stat().st_mtime_ns
    assert make_channel(here, FACTS, STANDINS, sandbox).uri == channel.uri
    assert (folder / PLATFORM).stat().st_mtime_ns == before
    assert not list((here / "build" / "conda-forge").glob(".making-*"))


@pytest.mark.parametrize(
    ("name", "script", "message"),
    [
        ("rustc", "echo 'error: no toolchain' >&2; exit 1", "rustc --version failed: error: no to"),
        ("cargo", "echo 'error: no index' >&2; exit 101", "cargo-bundle-licenses cannot be fetch"),
    ],
)
def test_a_tool_that_fails_leaves_no_channel(
    here: Path, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    name: str, script: str, message: str,
) -> None:  # fmt: skip
    bad = tool(tmp_path / "bad", name, script).parent
    monkeypatch.setenv("PATH", str(bad), prepend=os.pathsep)
    with pytest.raises(Unavailable, match=message):
        make_channel(tmp_path, FACTS, STANDINS, sandbox)
    channels = tmp_path / "build" / "conda-forge" / "channels"
    assert not channels.exists() or list(channels.iterdir()) == []


def test_without_a_compiler_there_are_no_stand_ins(
    here: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda n, **o: None if n == "gcc" else found(n, **o))
    with pytest.raises(Unavailable, match="gcc is not installed; apt-get install gcc"):
        make_channel(here, FACTS, STANDINS, sandbox)


def test_an_interpreter_is_copied_without_what_a_build_does_not_need(
    here: Path, sandbox: Sandbox, launcher: Path, tmp_path: Path
) -> None:
    prefix = an_interpreter(tmp_path, launcher, "3.10.4", tmp_path)
    (prefix / "lib" / "libpython3.10.so.1.0").write_bytes(launcher.read_bytes())
    (prefix / "lib" / "libpython3.10.so").symlink_to("libpython3.10.so.1.0")
    target = tmp_path / "target"
    target.mkdir()
    copy_python(Python("3.10", "3.10.4", str(prefix)), target, sandbox)
    names = {str(path.relative_to(target)) for path in target.rglob("*")}
    assert {"bin/python3.10", "lib/python3.10/os.py", "lib/libpython3.10.so.1.0"} <= names
    assert [name for name in names if name.startswith("lib/python3.10/")] == [
        "lib/python3.10/os.py"
    ]
    assert os.readlink(target / "bin" / "python3") == "python3.10"
    stripped = (target / "bin" / "python3.10").stat().st_size
    assert 0 < stripped < launcher.stat().st_size
    log = (sandbox.folder / "path" / "patchelf.log").read_text().split()
    assert log[:2] == ["--set-rpath", "$ORIGIN/../lib"]
    assert len(log) == 4  # the program and the library, not the link


# The stages with rattler-build


def test_the_plans_of_every_platform_are_right(sandbox: Sandbox, channel: Channel) -> None:
    session = a_session(sandbox, channel)
    assert session.plans_are_right() == f"{1 + len(STANDINS.platforms)} platforms"
    judged = {test.name: test.passed for test in session.smoke.tests}
    assert judged == dict.fromkeys(
        (f"plan-{name}" for name in (PLATFORM, *STANDINS.platforms)), True
    )


@pytest.fixture
def tiny(sandbox: Sandbox, channel: Channel) -> Session:
    """A session whose recipe packs one text file and asks for Python alone."""
    session = a_session(sandbox, channel)
    source = sandbox.folder / "source" / "text.txt"
    source.parent.mkdir()
    source.write_text("one\n")
    written = {
        "package": {"name": FACTS.release.name, "version": "1.0"},
        "source": {"url": source.as_uri(), "sha256": sha256_file(source)},
        "build": {
            "script": ["cp text.txt $PREFIX/"],
            "skip": ["not is_python_min"],
            "python": {"version_independent": True},
        },
        "requirements": {"host": ["python"], "run": ["python"]},
        "about": {"license": "MIT"},
    }
    session.local_recipe.parent.mkdir()
    session.local_recipe.write_text(json.dumps(written))
    return session


def test_a_package_is_skipped_built_and_used_in_every_environment(tiny: Session) -> None:
    newer = tiny.against.minors[1]
    assert tiny.newer_pythons_are_skipped() == f"nothing is built on {newer}"
    assert tiny.rattler_build_builds().startswith(f"{FACTS.release.name}-1.0-")
    assert tiny.package_passes_its_tests() == "0 tests"
    tiny.own_channel_holds_it()
    # The smoke script of an environment is run by its Python, which is a program without a script.
    with pytest.raises(GateError, match=r"wheel_smoke\.py printed no report: .*; see logs/py310-"):
        tiny.installs_and_works()
    judged = {test.name: test.passed for test in tiny.smoke.tests}
    assert judged == {"package-is-as-it-should-be": False, "py310-installs": True}
    prefix = tiny.sandbox.folder / "py310"
    assert (prefix / "text.txt").read_text() == "one\n"
    for name in ("fits", "replays"):
        line = f"case $1 in *smoke.py|*conformance.py) echo '{REPORT % name}';; esac"
        script = SCRIPTS[("fits", "replays").index(name)]
        tool(prefix / "bin", "python", f"shift\n{line}")
        tiny._use("py310", prefix, script)
    judged = {test.name: test.passed for test in tiny.smoke.tests}
    assert judged["py310-fits"] and judged["py310-replays"]
    tool(prefix / "bin", "python", f"echo '{REPORT % 'fits'}'; exit 139")
    with pytest.raises(GateError, match=r"wheel_smoke\.py: exit 139; see logs/py310-wheel-smoke"):
        tiny._use("py310", prefix, SCRIPTS[0])


def test_a_recipe_that_builds_on_a_newer_python_too_is_refused(tiny: Session) -> None:
    text = tiny.local_recipe.read_text()
    tiny.local_recipe.write_text(text.replace("not is_python_min", "win"))
    with pytest.raises(GateError, match=f"built on {tiny.against.minors[1]} too: mars-earth-1.0"):
        tiny.newer_pythons_are_skipped()


def test_a_recipe_whose_source_line_is_not_one_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    session = a_session(sandbox)
    recipe = tmp_path / "recipe" / "recipe.yaml"
    recipe.parent.mkdir()
    sdist = tmp_path / "x.tar.gz"
    sdist.write_bytes(b"archive")
    recipe.write_text(f'source: {{"url": "x", "sha256": "{sha256_file(sdist)}"}}\n')
    session.recipe, session.sdist = recipe, sdist
    with pytest.raises(GateError, match="no line holds the source address"):
        session.source_has_the_digest()


def test_a_variable_of_the_caller_that_gets_in_is_named(sandbox: Sandbox) -> None:
    sandbox = Sandbox(sandbox.folder, sandbox.root, sandbox.logs, "cut", ("env", "LEAK=1"))
    with pytest.raises(GateError, match="variables of the caller get in: LEAK"):
        a_session(sandbox).nothing_of_the_machine_leaks()


# conda's own tools


def test_a_tool_that_does_not_start_shows_nothing(sandbox: Sandbox, here: Path) -> None:
    path = tool(here / "bin", "mamba", "echo 2.1.1")
    assert program("mamba", sandbox) == (str(path), "2.1.1")
    tool(here / "bin", "mamba", "exit 1")
    with pytest.raises(NotShown, match=r"mamba --version failed; see logs/mamba-version\.log"):
        program("mamba", sandbox)


def test_the_linter_of_conda_forge_judges_both_layouts(sandbox: Sandbox, here: Path) -> None:
    each = 'shift; for f; do ls "$f" "$f/.." >&2; echo "$f is in fine form"; done'
    fine = f'case "$1" in --version) echo 3.50;; *) {each};; esac'
    tool(here / "bin", "conda-smithy", fine)
    session = a_session(sandbox)
    assert conda_smithy_finds_nothing(session).startswith("no lint and no hint")
    assert session.smoke.tools["conda-smithy"] == "3.50"
    seen = (sandbox.root / "logs" / "conda-smithy.log").read_text()
    assert seen.count("recipe.yaml") == 2 and seen.count("conda-forge.yml") == 2
    shutil.rmtree(sandbox.folder / "conda-smithy")
    said = f"echo '{sandbox.folder}/conda-smithy/x has some lint: no maintainer'"
    tool(here / "bin", "conda-smithy", f'case "$1" in --version) echo 3.50;; *) {said};; esac')
    with pytest.raises(GateError, match=r"^x has some lint: no maintainer; see logs/conda-smithy"):
        conda_smithy_finds_nothing(session)


def test_what_conda_build_renders_is_judged(sandbox: Sandbox, here: Path, tmp_path: Path) -> None:
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(json.dumps(rendered_by_conda_build(solved=True)))
    write = f'while [ "$1" != --file ]; do shift; done; cp {rendered} "$2"'
    tool(here / "bin", "conda-render", f'case "$1" in --version) echo 25.1;; *) {write};; esac')
    channel = Channel("file:///channel", ("3.10", "3.13"), {"c_compiler": ["gcc"]}, {})
    session = a_session(sandbox, channel)
    assert conda_build_renders(session).startswith("cargo-bundle-licenses 1.0 0, gcc_linux-64")
    pins = read_yaml(sandbox.folder / "conda-build" / "pins.yaml")
    assert pins["python_min"] == ["3.10"] and pins["c_compiler"] == ["gcc"]
    rendered.write_text(rendered.read_text().replace("Apache-2.0", "MIT"))
    with pytest.raises(GateError, match=r"licence is MIT, not Apache-2\.0; see logs/conda-build"):
        conda_build_renders(session)
    tool(
        here / "bin",
        "conda-render",
        'case "$1" in --version) echo 25.1;; *) echo no >&2; exit 1;; esac',
    )
    with pytest.raises(GateError, match=r"^no; see logs/conda-build.log"):
        conda_build_renders(session)


# The page


@pytest.fixture
def page(tmp_path: Path, sandbox: Sandbox, channel: Channel) -> Session:
    """A session over a page of two blocks."""
    text = (
        "```sh\nmars-earth --version > told\n```\n\nThe smoke session runs this.\n\n"
        '```sh\nconda create "$DEPENDENCIES"\nls channel\n```\n\n'
        "The smoke session runs this where conda is installed.\n"
    )
    (tmp_path / PAGE).parent.mkdir(parents=True)
    (tmp_path / PAGE).write_text(text)
    session = a_session(sandbox, channel)
    session.root = tmp_path
    session.own_channel.mkdir()
    (session.own_channel / "ours.conda").touch()
    return session


def test_the_commands_of_the_page_run_in_every_environment(page: Session) -> None:
    for label in page.environments:
        tool(page.sandbox.folder / label / "bin", "mars-earth", f"echo {label} $1")
    assert documented_commands_work(page) == f"1 blocks of {PAGE}"
    assert (page.sandbox.folder / "told").read_text() == "py313 --version\n"
    tool(page.sandbox.folder / "py310" / "bin", "mars-earth", "echo broken >&2; exit 1")
    with pytest.raises(GateError, match=f"{PAGE}: broken; see logs/py310-page-1.log"):
        documented_commands_work(page)


def test_the_commands_for_a_tool_of_the_machine_run_in_a_folder_of_their_own(
    page: Session, here: Path
) -> None:
    # It says where it keeps what it stores.
    tool(here / "bin", "conda", 'echo conda 26.1; echo "$2" "$CONDA_PKGS_DIRS"')
    assert tools_work(page, "conda") == f"1 blocks of {PAGE}"
    assert page.smoke.tools["conda"].endswith("pkgs") or page.smoke.tools["conda"] == "26.1"
    seen = (page.sandbox.root / "logs" / "conda-page-1.log").read_text()
    assert f"{page.against.uri} {page.sandbox.folder}/page-conda/pkgs" in seen
    assert "ours.conda" in seen
