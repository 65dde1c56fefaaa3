"""A small checkout with derived recipes, so that tests can break them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from hpcgate.lanes import generate
from hpcgate.lanes.base import Problem
from hpcgate.repo import find_root

ROOT = find_root(Path(__file__).parent)
DATA = Path(__file__).parent / "data"
MANIFESTS = (
    "packages/Cargo.toml",
    "packages/pymars/Cargo.toml",
    "packages/pymars/pyproject.toml",
    "packages/rust-runtime/core/Cargo.toml",
)


class Checkout:
    """Hold a scratch checkout and the archive whose digest its recipes carry."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sdist = root / "dist" / "mars_earth-2.0.0.tar.gz"

    def replace(self, pattern: str, old: str, new: str) -> None:
        """Change a text in every file a glob matches; it has to be there."""
        paths = list(self.root.glob(pattern))
        assert paths, pattern
        for path in paths:
            text = path.read_text()
            assert old in text, (path, old)
            path.write_text(text.replace(old, new))


def rules(problems: Iterable[Problem]) -> set[str]:
    """Return the rules that problems name."""
    return {problem.rule for problem in problems}


def copy_facts(folder: Path) -> Checkout:
    """Copy the facts and manifests of this checkout, without anything derived."""
    checkout = Checkout(folder / "checkout")
    shutil.copytree(ROOT / "packaging", checkout.root / "packaging")
    for name in MANIFESTS:
        target = checkout.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    shutil.copyfile(DATA / "Cargo.lock", checkout.root / "packages" / "Cargo.lock")
    checkout.sdist.parent.mkdir()
    checkout.sdist.write_bytes(b"an archive")
    return checkout


@pytest.fixture
def bare(tmp_path: Path) -> Checkout:
    """Return a scratch checkout without anything derived."""
    return copy_facts(tmp_path)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Derive the recipes of a scratch checkout once."""
    checkout = copy_facts(tmp_path_factory.mktemp("original"))
    generate(checkout.root, sdist=checkout.sdist)
    return checkout.root


@pytest.fixture
def checkout(original: Path, tmp_path: Path) -> Checkout:
    """Return a scratch checkout whose recipes are current."""
    return Checkout(shutil.copytree(original, tmp_path / "checkout"))
