"""Roots from archives: what is unpacked, listed and named; tar and dpkg-query are real."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hpcgate.cleanroom.roots import load_image, make_root
from hpcgate.errors import GateError
from hpcgate.repo import sha256_bytes

STATUS = """\
Package: python3
Status: install ok installed
Maintainer: Nobody <nobody@localhost>
Architecture: amd64
Version: 3.11.2-1
Description: a language

"""
LISTED = "python3 3.11.2-1 amd64\n"
# The suite's archive comes second to last of the arguments, before the mirrors.
BOOTSTRAP = 'for word; do case "$word" in *root.tar) exec {cp} {archive} "$word";; esac; done'

Script = Callable[[str, str], Path]


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    """Write what mmdebstrap writes: a system in an archive, with a database of packages."""
    if shutil.which("dpkg-query") is None:
        pytest.skip("no dpkg-query here, so the packages of a root cannot be listed")

    def write(status: str = STATUS, end: int | None = None) -> Path:
        files = {
            "./etc/resolv.conf": "nameserver 10.0.0.1\n",
            "./etc/hosts": "10.0.0.1 machine\n",
            "./dev/null": "",
            "./var/lib/dpkg/status": status,
        }
        path = tmp_path / "made.tar"
        with tarfile.open(path, "w") as tar:
            for name, text in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        path.write_bytes(path.read_bytes()[:end])
        return path

    return write


@pytest.fixture
def bootstrap(script: Script) -> Callable[[Path], None]:
    """Let mmdebstrap be a program that leaves an archive where it was asked to."""

    def write(archive: Path) -> None:
        for name in ("apt-config", "apt-get"):
            script(name, "exit 0")
        script("mmdebstrap", BOOTSTRAP.format(cp=shutil.which("cp"), archive=archive))

    return write


def test_a_root_is_made_once_and_holds_nothing_of_this_machine(
    definitions: Path, archive: Callable[..., Path], bootstrap: Callable[[Path], None]
) -> None:
    bootstrap(archive())
    image = load_image(definitions, "debian-bookworm")
    root = make_root("debian-bookworm", image, definitions)
    assert root.packages == (LISTED.strip(),)
    assert root.identity == f"debian-bookworm sha256:{sha256_bytes(LISTED.encode())}"
    assert root.tree == definitions / "build" / "roots" / image.digest / "tree"
    assert (root.tree / "etc" / "resolv.conf").read_text() == ""
    assert "machine" not in (root.tree / "etc" / "hosts").read_text()
    assert not (root.tree / "dev" / "null").exists()
    bootstrap(Path("/nowhere"))
    assert make_root("debian-bookworm", image, definitions) == root
    assert [path.name for path in root.tree.parent.parent.iterdir()] == [image.digest]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"end": 700}, "root.tar: cannot be unpacked: "),
        ({"status": ""}, "its packages cannot be listed"),
        ({"status": "no field\n"}, "its packages cannot be listed: field name .no."),
    ],
    ids=["archive that ends early", "no package", "broken database"],
)
def test_a_broken_archive_makes_no_root(
    definitions: Path,
    archive: Callable[..., Path],
    bootstrap: Callable[[Path], None],
    given: dict[str, object],
    message: str,
) -> None:
    bootstrap(archive(**given))
    with pytest.raises(GateError, match=message):
        make_root("debian-bookworm", load_image(definitions, "debian-bookworm"), definitions)
    assert list((definitions / "build" / "roots").iterdir()) == []


def test_the_root_of_a_quicker_session_is_taken(
    definitions: Path, archive: Callable[..., Path], script: Script, tmp_path: Path
) -> None:
    image = load_image(definitions, "debian-bookworm")
    folder = definitions / "build" / "roots" / image.digest
    quicker = f"mkdir -p {folder}/tree; echo 'python3 3.12 amd64' > {folder}/packages.txt; "
    for name in ("apt-config", "apt-get"):
        script(name, "exit 0")
    copy = BOOTSTRAP.format(cp=shutil.which("cp"), archive=archive())
    script("mmdebstrap", quicker + copy)
    assert make_root("debian-bookworm", image, definitions).packages == ("python3 3.12 amd64",)
    assert [path.name for path in folder.parent.iterdir()] == [image.digest]
