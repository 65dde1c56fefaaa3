"""What the engines of the clean room are told, and what reaches them.

A script stands for the engine; the trees, the archives and the commands are real.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpcgate.cleanroom import open_image, open_room
from hpcgate.cleanroom.containers import Container, Launcher
from hpcgate.cleanroom.engines import choose
from hpcgate.cleanroom.images import build_image
from hpcgate.cleanroom.index import certificates
from hpcgate.cleanroom.roots import Root
from hpcgate.cleanroom.toolchain import rust_toolchain
from hpcgate.cleanroom.trees import Apptainer, Bubblewrap, Chroot
from hpcgate.cleanroom.view import View
from hpcgate.errors import GateError

Script = Callable[[str, str], Path]
# Runs what stands after the image, as podman does; says who the image is.
PODMAN = """\
case "$1" in
image) echo sha256:0123; exit ${EXISTS:-0};;
run) while [ "$1" != localhost/base:1 ]; do echo "$1" >> "$0.run"; shift; done; shift; exec "$@";;
*) echo "$@" >> "$0.log";;
esac
"""


@pytest.fixture
def root(tmp_path: Path) -> Root:
    tree = tmp_path / "0123456789abcdef01" / "tree"
    for folder in ("usr/bin", "etc", "srv"):
        (tree / folder).mkdir(parents=True)
    (tree / "usr" / "bin" / "tool").write_text("a tool\n")
    (tree / "etc" / "hosts").write_text("127.0.0.1 localhost\n")
    (tree / "bin").symlink_to("usr/bin")
    return Root(tree, "test sha256:0", ())


@pytest.fixture
def view(tmp_path: Path) -> View:
    (tmp_path / "work").mkdir()
    return View(((tmp_path / "work", "/work", True),), False, {"A": "it's 1"})


@pytest.fixture
def podman(script: Script) -> Container:
    script("podman", PODMAN)
    return Container(Launcher("podman", "podman 4"), "localhost/base:1")


# Engines over a folder


def test_bubblewrap_hangs_the_entries_of_a_root_into_an_empty_one(root: Root, view: View) -> None:
    engine = Bubblewrap(root)
    line = " ".join(engine.command("room", view, root.tree))
    for words in (
        "--symlink usr/bin /bin",
        f"--ro-bind {root.tree}/etc /etc",
        f"--ro-bind {root.tree}/usr /usr",
        "--dir /srv",
        f"--bind {view.binds[0][0]} /work",
        "--remount-ro / --chdir /work",
    ):
        assert words in line
    assert "--share-net" not in line
    assert engine.environment(view) == view.environment
    assert engine.stop("room") is None


def test_bubblewrap_shows_the_root_where_it_may(root: Root, view: View) -> None:
    probe = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]
    if not shutil.which("bwrap") or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("no bubblewrap that opens namespaces here")
    # The only program of this root is a link to the loader's own folder of this machine.
    binds = [f"{path}:{path}" for path in ("/usr", "/lib", "/lib64") if Path(path).exists()]
    assert binds
    engine = Bubblewrap(root)
    line = engine.command("room", view, root.tree)
    end = line.index("--remount-ro")
    shown = [word for bind in binds for word in ("--ro-bind", *bind.split(":"))]
    script = "cat /etc/hosts; readlink /bin; touch /work/made; touch /srv/made"
    done = subprocess.run(
        [*line[:end], *shown, *line[end:], "/usr/bin/env", "sh", "-c", script],
        capture_output=True, text=True, env={"PATH": "/usr/bin"},
    )  # fmt: skip
    assert done.stdout.splitlines() == ["127.0.0.1 localhost", "usr/bin"], done.stderr
    assert "Read-only file system" in done.stderr
    assert (view.binds[0][0] / "made").exists() and not (root.tree / "srv" / "made").exists()


@pytest.mark.parametrize("user", [0, 1000])
def test_apptainer_gives_up_privileges_of_root_and_takes_variables_from_a_file(
    root: Root, view: View, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    engine = Apptainer(root)
    line = engine.command("room", view, tmp_path)
    assert ("--no-privs" in line) is (user == 0)
    assert "--network=none" in line and str(root.tree) in line
    assert engine.environment(view) is os.environ
    assert engine.stop("room") is None
    # The words that the room's shell gets take the variables up, with their quotes.
    file = tmp_path / "environment"
    taken = line[line.index("sh") :]
    words = [word.replace("/run/room-environment", str(file)) for word in taken]
    done = subprocess.run([*words, "sh", "-c", 'echo "$A"'], capture_output=True, text=True)
    assert done.stdout == "it's 1\n"
    assert file.stat().st_mode & 0o777 == 0o600


BUILDAH = """\
case "$1" in
--version) echo buildah 1.28;;
inspect) exit 1;;
unshare) shift; exec "$@";;
from) echo name;;
mount) mkdir -p "$0.root"; echo "$0.root";;
commit) exit ${REFUSES:-0};;
rm) echo "$@" >> "$0.log";;
esac
"""


@pytest.mark.parametrize("user", [0, 1000])
def test_a_chroot_imports_the_whole_root(
    root: Root, view: View, tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch,
    user: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(os, "geteuid", lambda: user)
    program = script("buildah", BUILDAH)
    engine = Chroot(root)
    assert engine.version == "chroot, buildah 1.28"
    copied = Path(f"{program}.root")
    assert (copied / "usr" / "bin" / "tool").read_text() == "a tool\n"
    assert os.readlink(copied / "bin") == "usr/bin"
    line = engine.command("room", view, tmp_path)
    assert (line[:2] == ["buildah", "unshare"]) is (user != 0)
    assert "-n" in line and "localhost/mars-earth-room:0123456789abcdef" in line
    assert engine.environment(view) is os.environ
    engine.stop("room")
    assert Path(f"{program}.log").read_text().splitlines() == ["rm name", "rm room"]


def test_a_root_that_cannot_be_imported_is_refused(
    root: Root, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    script("buildah", BUILDAH)
    script("tar", "echo 'tar: no space left' >&2; exit 2")
    monkeypatch.setenv("REFUSES", "1")
    with pytest.raises(GateError, match="import failed: tar: no space left"):
        Chroot(root)


# Engines with images


def test_podman_and_docker_import_the_root_as_an_archive(
    root: Root, tmp_path: Path, script: Script
) -> None:
    for name, image in (("podman", "localhost/mars-earth-room"), ("docker", "mars-earth-room")):
        archive = tmp_path / f"{name}.tar"
        script(name, f'case "$1" in image) exit 1;; import) cat > {archive};; esac')
        engine = Container.of_root(Launcher(name, name), root)
        assert engine.image == f"{image}:0123456789abcdef"
        with tarfile.open(archive) as tar:
            owners = {member.name: member.uid for member in tar.getmembers()}
        assert owners["./usr/bin/tool"] == 0 and "./bin" in owners
        line = engine.command("room", View((), False, {}), tmp_path)
        assert (f"--user={os.getuid()}:{os.getgid()}" in line) is (name == "docker")


def test_an_engine_that_works_is_chosen_and_asked_once(
    root: Root, view: View, script: Script
) -> None:
    log = script("bwrap", 'echo "$@" >> "$0.log"; for word; do last=$word; done').parent / "log"
    # It does what the last words say, on this machine, where the room's folder is bound.
    script(
        "bwrap",
        f'echo run >> {log}; while [ "$1" != --bind ]; do shift; done; touch "$2/probe"',
    )
    engine = choose(("bwrap",), root)
    assert engine.name == "bwrap" and choose(("bwrap",), root) is engine
    assert log.read_text().splitlines().count("run") == 2  # its version, and the probe


def test_a_room_over_an_image_runs_its_commands_and_is_closed(
    podman: Container, definitions: Path, tmp_path: Path
) -> None:
    given = tmp_path / "given"
    given.write_text("given\n")
    with open_image(podman, definitions, absent=["no-such-tool"], mounts={given: "/g"}) as room:
        assert room.run(["echo", "a word"]).stdout == "a word\n"
        assert room.image == "localhost/base:1 sha256:0123"
        assert room.work.stat().st_mode & 0o777 == 0o777
    told = Path(f"{shutil.which('podman')}.run").read_text().splitlines()
    assert f"{given}:/g:ro" in told and "none" in told and "--http-proxy=false" in told
    with (
        pytest.raises(GateError, match=r"not clean, it holds .*/echo"),
        open_image(podman, definitions, absent=["no-such-tool", "/bin/echo"]),
    ):
        pass
    assert list((definitions / "build" / "rooms").iterdir()) == []
    assert podman.environment(View((), False, {})) is os.environ
    podman.stop("room-1")
    assert Path(f"{shutil.which('podman')}.log").read_text() == "rm -f room-1\n"


def test_a_room_that_does_not_start_says_so(definitions: Path, here: Any) -> None:
    here.program("sh", "echo 'no such root' >&2; exit 1")
    with (
        pytest.raises(GateError, match="test sha256:0: the room does not start: no such root"),
        open_room("debian-bookworm", definitions),
    ):
        pass


def test_a_folder_that_is_no_room_of_a_session_is_left_alone(definitions: Path, here: Any) -> None:
    other = definitions / "build" / "rooms" / "here-room-notes-of-mine"
    other.mkdir(parents=True)
    with open_room("debian-bookworm", definitions):
        assert other.exists()


# Images


def test_an_image_is_built_from_its_context_and_two_secrets_that_go_again(
    tmp_path: Path, podman: Container, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, given, bundle = tmp_path / "Containerfile", tmp_path / "a.whl", tmp_path / "ca.pem"
    recipe.write_text("ARG BASE\nFROM ${BASE}\n")
    given.write_bytes(b"1")
    bundle.write_text("a certificate\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("PIP_INDEX_URL", "index:/simple")
    program = script(
        "podman",
        'case "$1" in image) exit 1;; esac; for word; do case $word in *pip,src=*) '
        'cat "${word#*src=}"; stat -c %a "${word#*src=}";; esac; last=$word; done; '
        'cat "$last/wheel.whl"; echo; echo "$@" > "$0.log"',
    )
    log = tmp_path / "image.log"
    image = build_image(podman, recipe, "x", log=log, context={given: "wheel.whl"})
    said = ["[global]", "index-url = index:/simple", "600", "1"]
    assert log.read_text().splitlines() == said
    words = Path(f"{program}.log").read_text().split()
    assert f"--tag={image}" in words and "--build-arg=BASE=localhost/base:1" in words
    assert f"--secret=id=ca,src={bundle}" in words and f"--file={recipe}" in words
    (secret,) = (word.partition("src=")[2] for word in words if "id=pip" in word)
    assert not Path(secret).exists()


# What the machine has


def test_a_machine_without_certificates_gives_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CABUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "absent.pem"))
    monkeypatch.setattr(Path, "is_file", lambda path: False)
    assert certificates() is None


@pytest.mark.parametrize("told", ["exit 1", "echo rustc nightly", "echo cargo 1.85.0"])
def test_a_rust_that_tells_no_version_is_none(script: Script, told: str) -> None:
    script("rustc", told)
    with pytest.raises(GateError, match="no Rust toolchain: rustc does not run; nox -s doctor"):
        rust_toolchain()


def test_the_folder_of_a_toolchain_is_its_own(script: Script) -> None:
    script("rustc", 'case "$1" in --version) echo rustc 1.85.0 "(x)";; *) echo /opt/rust;; esac')
    assert rust_toolchain() == ("1.85.0", Path("/opt/rust"))
