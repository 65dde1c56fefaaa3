"""The sdist and the wheel of this tree: reproducible, self-contained, never stale."""

import shutil
import tarfile
from pathlib import Path

import pytest

from hpcgate import sdist
from hpcgate.errors import GateError
from hpcgate.repo import sha256_file

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path]:
    """A copy of the checkout's packages, and the sdist built from it."""
    root = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("target", "*.so", "__pycache__")
    shutil.copytree(ROOT / "packages", root / "packages", ignore=ignored)
    return root, sdist.make_sdist(root, root / "dist")


def test_two_builds_are_the_same_bytes(built, tmp_path, monkeypatch):
    root, first = built
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1600000000")
    for path in (root / "packages").rglob("*.rs"):
        path.chmod(0o600)
        path.touch()
    second = sdist.make_sdist(root, tmp_path)
    assert sha256_file(first) == sha256_file(second)


def test_it_carries_every_crate_and_nothing_of_the_machine(built):
    _, archive = built
    lock = sdist.tomllib.loads((ROOT / "packages" / "Cargo.lock").read_text())
    with tarfile.open(archive) as tar:
        names = {name.split("/", 1)[1] for name in tar.getnames()}
        config = tar.extractfile("mars_earth-2.0.0/.cargo/config.toml").read().decode()
        owners = {(member.uid, member.gid, member.mtime) for member in tar.getmembers()}
    for package in lock["package"]:
        if "checksum" in package:
            crate = f"vendor/{package['name']}-{package['version']}"
            assert f"{crate}/.cargo-checksum.json" in names
            assert f"{crate}/Cargo.toml" in names
    assert 'directory = "vendor"' in config
    assert len(owners) == 1
    assert not [name for name in names if "hpcgate" in name or name.endswith(".so")]


def test_the_checkout_itself_is_not_bound_to_the_vendored_crates():
    assert not (ROOT / "packages" / "pymars" / ".cargo").exists()
    assert not (ROOT / "packages" / "pymars" / "vendor").exists()


def test_cargo_sees_that_a_source_changed(built, tmp_path, monkeypatch):
    """Times in every sdist are equal, so a new sdist must get new ones, or cargo builds nothing."""
    root, archive = built
    (tmp_path / "build" / "target").mkdir(parents=True)
    calls = []

    def compile_nothing(command: list[str], folder: Path, environment: dict[str, str]) -> str:
        times = {path.stat().st_mtime for path in folder.rglob("*.rs")}
        calls.append((max(times), command))
        (tmp_path / "built.whl").touch()
        return "built built.whl"

    monkeypatch.setattr(sdist, "_run", compile_nothing)
    for _ in range(2):
        sdist.make_wheel(tmp_path, archive, tmp_path)
    source = root / "packages" / "rust-runtime" / "core" / "src" / "error.rs"
    text = source.read_text()
    monkeypatch.undo()
    source.write_text(text + "\n// changed\n")
    changed = sdist.make_sdist(root, tmp_path / "changed")
    source.write_text(text)
    monkeypatch.setattr(sdist, "_run", compile_nothing)
    sdist.make_wheel(tmp_path, changed, tmp_path)
    (first, command), (same, _), (new, _) = calls
    assert same < first <= new, "only the first and the changed sdist look new"
    assert {"--offline", "--locked"} <= set(command)


def test_a_crate_that_differs_from_the_lock_is_named(built, tmp_path, monkeypatch):
    root, _ = built
    copy = tmp_path / "checkout"
    shutil.copytree(root / "packages", copy / "packages")
    lock = copy / "packages" / "Cargo.lock"
    found = sdist.tomllib.loads(lock.read_text())["package"]
    checksum = next(package["checksum"] for package in found if package["name"] == "serde")
    lock.write_text(lock.read_text().replace(checksum, "0" * 64))
    monkeypatch.setattr(sdist, "_run", lambda *_: "")  # cargo itself would refuse the lock
    with pytest.raises(GateError, match=r"serde-.*checksum of Cargo\.lock"):
        sdist.make_sdist(copy, tmp_path / "dist")


def test_missing_tools_are_named(built, tmp_path, monkeypatch):
    root, _ = built
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GateError, match=r"cargo is not installed; run: "):
        sdist.make_sdist(root, tmp_path / "dist")
