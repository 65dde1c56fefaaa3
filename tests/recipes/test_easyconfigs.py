"""EasyBuild: its own framework reads our easyconfigs and knows every module they name."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from hpcgate.errors import GateError
from hpcgate.facts import load, load_model
from hpcgate.lanes.easybuild import (
    FACTS,
    LOCK,
    EasyBuildFacts,
    EasyBuildLane,
    Generation,
    read_lock,
)
from hpcgate.lanes.easybuild_site import site_facts

from .conftest import DATA, ROOT, Checkout

# pip puts the easyconfigs of the installed EasyBuild there.
UPSTREAM = Path(sys.prefix) / "easybuild" / "easyconfigs"
GENERATIONS = load_model(EasyBuildFacts, ROOT, FACTS).generations


@pytest.fixture(scope="module")
def easybuild(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Set EasyBuild up once; its configuration is global."""
    if importlib.util.find_spec("easybuild") is None or not UPSTREAM.is_dir():
        pytest.fail("EasyBuild is missing; run: pip install easybuild pycodestyle")
    from easybuild.framework.easyconfig import easyconfig
    from easybuild.tools.modules import NoModulesTool
    from easybuild.tools.options import set_up_configuration

    with pytest.MonkeyPatch.context() as patch:
        # Reading an easyconfig asks which modules exist; here is no modules tool to ask.
        patch.setattr(easyconfig, "modules_tool", lambda *_, **__: NoModulesTool())
        set_up_configuration(
            args=[
                f"--prefix={tmp_path_factory.mktemp('easybuild')}",
                f"--robot-paths={UPSTREAM}",
                "--allow-use-as-root-and-accept-consequences",
            ],
            silent=True,
        )
        yield easyconfig


@pytest.mark.parametrize("generation", GENERATIONS)
def test_easybuild_reads_the_file_and_knows_its_modules(
    easybuild: Any, checkout: Checkout, generation: str
) -> None:
    (path,) = checkout.root.glob(f"easybuild/**/*-{generation}.eb")
    (read,) = easybuild.process_easyconfig(str(path))
    config, facts = read["ec"], GENERATIONS[generation]
    assert config.easyblock == "CargoPythonPackage"
    assert config["source_urls"] == ["https://github.com/edithatogo/mars/releases/download/v2.0.0"]
    # A module that is unknown upstream would keep our own toolchain in its name.
    toolchain = f"gfbf-{generation}"
    core = f"GCCcore-{facts.GCCcore}"
    at = dict.fromkeys(("SciPy-bundle", "scikit-learn"), toolchain)
    assert [d["full_mod_name"] for d in read["dependencies"]] == [
        *(f"{n}/{v}-{at.get(n, core)}" for n, v in {**facts.build, **facts.run}.items()),
        f"gfbf/{generation}",
    ]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_easybuild_accepts_the_style(easybuild: Any, checkout: Checkout, generation: str) -> None:
    from easybuild.framework.easyconfig.style import check_easyconfigs_style

    (path,) = checkout.root.glob(f"easybuild/**/*-{generation}.eb")
    assert check_easyconfigs_style([str(path)]) == 0
    path.write_text(path.read_text().replace("name = ", "name="))
    assert check_easyconfigs_style([str(path)]) > 0


def test_the_title_of_the_request_is_the_one_easybuild_makes(
    easybuild: Any, checkout: Checkout, tmp_path: Path
) -> None:
    from easybuild.tools.github import det_pr_title

    facts = load(checkout.root)
    ((path, text),) = EasyBuildLane().upstream(facts, checkout.root).items()
    offered = tmp_path / Path(path).name
    offered.write_text(text)
    (read,) = easybuild.process_easyconfig(str(offered))
    template = (ROOT / "packaging/upstream/easybuild/pull_request.md.j2").read_text()
    (title,) = re.findall(r"^# (.+)$", template, re.MULTILINE)
    for name in ("name", "version"):
        title = title.replace(f"{{{{ release.{name} }}}}", str(getattr(facts.release, name)))
    assert title == det_pr_title([read["ec"]])


def test_upstream_is_offered_what_the_smoke_records() -> None:
    facts = load_model(EasyBuildFacts, ROOT, FACTS)
    assert facts.upstream_generation == site_facts(ROOT).generation


@pytest.mark.parametrize(("name", "generation"), GENERATIONS.items())
def test_the_bundles_hold_what_the_facts_say(
    easybuild: Any, name: str, generation: Generation
) -> None:
    from easybuild.framework.easyconfig.parser import EasyConfigParser

    held: dict[str, str] = {}
    for bundle in ("Python-bundle-PyPI", "SciPy-bundle"):
        version = generation.run[bundle]
        (path,) = UPSTREAM.glob(
            f"*/{bundle}/{bundle}-{version}-*{_suffix(bundle, name, generation)}.eb"
        )
        for extension in EasyConfigParser(str(path)).get_config_dict()["exts_list"]:
            held[extension[0]] = extension[1]
    assert {key: held.get(key) for key in generation.provides} == generation.provides


def _suffix(bundle: str, name: str, generation: Generation) -> str:
    return f"gfbf-{name}" if bundle == "SciPy-bundle" else f"GCCcore-{generation.GCCcore}"


def test_crates_come_sorted_from_the_lock_file() -> None:
    crates = read_lock(DATA / "Cargo.lock")
    assert [crate.archive for crate in crates] == ["autocfg-1.5.1.tar.gz", "serde-1.0.229.tar.gz"]
    assert crates[0].checksum.startswith("f2032f91")


def test_a_change_of_the_lock_file_reaches_every_easyconfig(checkout: Checkout) -> None:
    checkout.replace(LOCK, 'version = "1.0.229"', 'version = "1.0.230"')
    files = EasyBuildLane().render(load(checkout.root), checkout.root)
    assert len(files) == len(GENERATIONS) + 1
    assert all("serde-1.0.230.tar.gz" in text for text in files.values())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("registry+https", "git+https", "a lane needs a registry crate"),
        ("4148590a", "", "serde has no checksum"),
        ("version = 4", "version = ", "not TOML"),
        ("source =", "origin =", "pins no crate"),
    ],
)
def test_a_lock_file_that_no_lane_can_use_is_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "Cargo.lock"
    path.write_text((DATA / "Cargo.lock").read_text().replace(old, new))
    with pytest.raises(GateError, match=r"Cargo\.lock") as caught:
        read_lock(path)
    assert message in str(caught.value)
