"""conda-forge's own linter agrees with ours, where this machine has it.

conda-smithy is not on a Python index; it comes from conda-forge or from its repository.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import Checkout

LINTER = shutil.which("conda-smithy")
pytestmark = pytest.mark.skipif(
    LINTER is None,
    reason="conda-smithy is not installed; it comes from conda-forge",
)

RECIPE = "conda-forge/recipes/mars-earth/recipe.yaml"
SETTINGS = "conda-forge/conda-forge.yml"

# file, text that is there, text that breaks a rule, what conda-smithy says
BROKEN = {
    "order": (RECIPE, "about:\n", "abuot:\n", "abuot is unexpected"),
    "sha256": (RECIPE, "  sha256: ", "  md: ", "add a sha256"),
    "wheel": (RECIPE, ".tar.gz", "-cp310-abi3-linux_x86_64.whl", "compiled wheel"),
    "number": (RECIPE, "  number: 0\n", "", "`build/number`"),
    "stdlib": (RECIPE, "    - ${{ stdlib('c') }}\n", "", "stdlib"),
    "licences": (RECIPE, "    - cargo-bundle-licenses\n", "", "Rust dependencies"),
    "run-python": (RECIPE, "  run:\n    - python\n", "  run:\n", "should be a run requirement"),
    "spec": (RECIPE, "- numpy >=1.23", "- numpy>=1.23", "a space between the name"),
    "jinja": (RECIPE, "${{ version }}", "${{version}}", "Jinja2 variable"),
    "licence": (RECIPE, "license: Apache-2.0", "license: Apache", "SPDX"),
    "license-file": (RECIPE, "  license_file:\n    - LICENSE\n    - THIRDPARTY.yml\n", "", "entry"),
    "maintainers": (RECIPE, "recipe-maintainers:\n    - edithatogo", "about: x", "maintainers"),
    "newline": (RECIPE, "    - edithatogo\n", "    - edithatogo\n\n", "too many lines"),
    "settings": (SETTINGS, "native_and_emulated", "sometimes", "sometimes"),
}


def judge(folders: list[Path], home: Path) -> dict[str, str]:
    """Return what the linter says of each folder."""
    assert LINTER is not None
    line = [LINTER, "recipe-lint", *(f"{folder.name}/recipe" for folder in folders)]
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    done = subprocess.run(
        line, env=environment, cwd=folders[0].parent, capture_output=True, text=True, check=False
    )
    found = re.split(r"^([a-z0-9-]+)/recipe ", done.stdout, flags=re.MULTILINE)
    said = dict(zip(found[1::2], found[2::2], strict=True))
    assert set(said) == {folder.name for folder in folders}, done.stdout + done.stderr
    return said


def a_feedstock(checkout: Checkout, folder: Path) -> Path:
    """Lay the recipe and the settings out as a feedstock has them."""
    (folder / "recipe").mkdir(parents=True)
    shutil.copy2(checkout.root / RECIPE, folder / "recipe")
    shutil.copy2(checkout.root / SETTINGS, folder)
    return folder


def test_conda_smithy_agrees_with_our_rules(checkout: Checkout, tmp_path: Path) -> None:
    folders = [a_feedstock(checkout, tmp_path / "good")]
    for rule, (file, old, new, _) in BROKEN.items():
        folder = a_feedstock(checkout, tmp_path / rule)
        path = folder / ("recipe/recipe.yaml" if file == RECIPE else "conda-forge.yml")
        assert old in path.read_text(), rule
        path.write_text(path.read_text().replace(old, new))
        folders.append(folder)
    said = judge(folders, tmp_path)
    assert "is in fine form" in said["good"]
    missed = {rule: said[rule] for rule, (*_, words) in BROKEN.items() if words not in said[rule]}
    assert not missed
