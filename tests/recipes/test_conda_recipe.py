"""conda-forge: rattler-build reads and renders our recipe, also for another machine."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from hpcgate.errors import GateError
from hpcgate.lanes.conda_forge import conda_range

from .conftest import DATA, Checkout


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [("<2,>=1.8", ">=1.8,<2"), (">=1.23", ">=1.23"), ("~=1.4", "~=1.4"), ("", "")],
)
def test_bounds_are_written_lowest_first(bounds: str, expected: str) -> None:
    assert conda_range(SpecifierSet(bounds)) == expected


def test_bounds_that_conda_cannot_say_are_refused() -> None:
    with pytest.raises(GateError, match="conda has no range for ===1"):
        conda_range(SpecifierSet("===1"))


def render(checkout: Checkout, platform: str) -> list[dict[str, Any]]:
    if importlib.util.find_spec("rattler_build") is None:
        pytest.fail("rattler-build is missing; run: pip install py-rattler-build")
    from rattler_build import PlatformConfig, RenderConfig, Stage0Recipe, VariantConfig

    (path,) = checkout.root.glob("conda-forge/recipes/*/recipe.yaml")
    recipe = Stage0Recipe.from_file(path)
    variants = VariantConfig.from_file(DATA / "variants.yaml")
    target = PlatformConfig(
        target_platform=platform, build_platform="linux-64", host_platform=platform
    )
    rendered = recipe.render(variants, RenderConfig(target))
    return [variant.recipe.to_dict() for variant in rendered]


def test_the_recipe_renders_with_and_without_abi3(checkout: Checkout) -> None:
    variants = render(checkout, "linux-64")
    by_abi3: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for variant in variants:
        independent = bool(variant["build"].get("python", {}).get("version_independent"))
        by_abi3[independent].append(variant)
    assert len(by_abi3[True]) == len(by_abi3[False]) == 2
    for independent, found in by_abi3.items():
        for variant in found:
            assert ("python-abi3" in variant["requirements"]["host"]) is independent
            assert ("abi3audit" in str(variant["tests"])) is independent
            assert "maturin >=1.8,<2" in variant["requirements"]["host"]
            assert variant["requirements"]["run"][0] == "python"


def test_the_recipe_renders_for_another_machine(checkout: Checkout) -> None:
    for variant in render(checkout, "linux-aarch64"):
        build = variant["requirements"]["build"]
        assert "cross-python_linux-aarch64" in build
        assert "rust_linux-aarch64" in build
        assert "maturin >=1.8,<2" in build


def test_the_parser_is_strict(checkout: Checkout) -> None:
    checkout.replace(
        "conda-forge/**/recipe.yaml", "  script:\n    - if: unix", "  scripts:\n    - if: unix"
    )
    with pytest.raises(Exception, match="scripts"):
        render(checkout, "linux-64")
