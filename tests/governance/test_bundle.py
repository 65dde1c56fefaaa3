"""The site bundle: whole, the same each time, and checked by sha256sum."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from hpcgate import bundle, facts
from hpcgate.errors import GateError
from hpcgate.facts import edit_yaml
from hpcgate.lanes.easybuild_lint import read_easyconfig
from hpcgate.lanes.spack_site import recipe_digest
from hpcgate.repo import find_root, sha256_file, tracked_files

ROOT = find_root(Path(__file__).parent)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this tree with a wheel and an sdist, whose digest the recipes carry."""
    root = tmp_path_factory.mktemp("bundle") / "checkout"
    for path in tracked_files(ROOT):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, root / path)
    release = facts.load(root).release
    sdist = root / "dist" / release.sdist
    sdist.parent.mkdir()
    sdist.write_bytes(b"an archive")
    (root / "dist" / f"mars_earth-{release.version}-cp310-abi3-any.whl").write_bytes(b"a wheel")
    digest = sha256_file(sdist)
    edit_yaml(root / "packaging/release.yaml", {"source.sha256": digest})
    for path in [*(root / "easybuild").rglob("*.*"), *(root / "spack").rglob("package.py")]:
        path.write_text(path.read_text().replace(str(release.sha256), digest))
    return root


@pytest.fixture(scope="module")
def archive(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle.make_bundle(checkout, tmp_path_factory.mktemp("out"))


@pytest.fixture
def unpacked(archive: Path, tmp_path: Path) -> Path:
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    return folder


def test_sha256sum_finds_it_whole(unpacked: Path) -> None:
    (command,) = [
        line for line in (unpacked / "README.md").read_text().splitlines() if "sha256sum" in line
    ]
    done = subprocess.run(command.split(), cwd=unpacked, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert bundle.verify(unpacked) == []


def test_what_was_changed_added_or_taken_is_named(unpacked: Path) -> None:
    (unpacked / "LICENSE").write_text("mine\n")
    (unpacked / "README.md").unlink()
    (unpacked / "more").write_text("x")
    assert bundle.verify(unpacked) == [
        "more: not in SHA256SUMS",
        "LICENSE: other bytes than SHA256SUMS says",
        "README.md: missing",
    ]


def test_each_package_manager_finds_its_sources(unpacked: Path, checkout: Path) -> None:
    digest = recipe_digest(checkout)
    mirror = unpacked / "spack" / "mirror" / "_source-cache" / "archive" / digest[:2]
    assert sha256_file(mirror / f"{digest}.tar.gz") == digest
    easyconfigs = sorted(unpacked.glob("easybuild/easyconfigs/**/*.eb"))
    assert easyconfigs
    for path in easyconfigs:
        listed = read_easyconfig(path.name, path.read_text()).values["checksums"]
        assert listed
        for name, digest in (pair for entry in listed for pair in entry.items()):
            assert sha256_file(unpacked / "easybuild/sources/archives" / name) == digest


def test_the_same_files_give_the_same_bytes(archive: Path, checkout: Path, tmp_path: Path) -> None:
    assert sha256_file(bundle.make_bundle(checkout, tmp_path)) == sha256_file(archive)
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]


def test_no_name_leads_out_of_the_bundle(archive: Path) -> None:
    with tarfile.open(archive) as packed:
        members = packed.getmembers()
    assert all(m.isfile() and m.name.startswith("mars-earth-") for m in members)
    assert {(m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {(0, 0, "", "", 0o644)}


def test_another_sdist_than_that_of_the_recipes_is_refused(checkout: Path, tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    shutil.copytree(checkout, root)
    (sdist,) = (root / "dist").glob("*.tar.gz")
    sdist.write_bytes(b"another")
    with pytest.raises(GateError, match=r"is not the archive of the recipes; nox -s gen"):
        bundle.make_bundle(root, tmp_path / "out")
    sdist.unlink()
    with pytest.raises(GateError, match=r"holds no sdist or no wheel; nox -s build"):
        bundle.make_bundle(root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_bundle_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="SHA256SUMS: cannot be read"):
        bundle.verify(tmp_path)
