"""Every block of code in the pages of the policy runs, and prints what the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).parent))

from support import DISPATCHED, home

from hpcgate.policy.data import Deprecation, Function
from pymars.accel import dispatcher

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = {
    "docs/language_policy.md": {"python", "text", "yaml", "sh"},
    "docs/pipeline_performance.md": {"python", "text"},
    "docs/examples/accel/README.md": {"python", "text", "sh"},
    "DEPRECATIONS.md": {"yaml"},
    "packages/go-sidecar/README.md": {"python", "sh"},
}


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(page, capsys, monkeypatch, tmp_path):
    blocks = BLOCK.findall((ROOT / page).read_text())
    assert {kind for kind, _ in blocks} == PAGES[page]
    for name in DISPATCHED:
        home(name)  # registered for good, before the registry is a copy
    monkeypatch.setattr(dispatcher, "_REGISTRY", dict(dispatcher._REGISTRY))
    monkeypatch.syspath_prepend(str(ROOT / "docs/examples/accel"))
    names: dict[str, object] = {}
    printed = None
    for kind, text in blocks:
        if kind == "python" and "Sidecar" in text:
            compile(text, page, "exec")  # test_sidecar.py runs it
        elif kind == "python":
            exec(compile(text, page, "exec"), names)
            printed = capsys.readouterr().out
        elif kind == "text" and printed is not None:
            assert printed == text
            printed = None
        elif kind == "sh":
            run(text, page, tmp_path)
        elif kind == "yaml":
            check_rows(text)


def run(text, page, folder):
    """Run commands beside their page, with the programs of this environment."""
    if "go build" in text:
        return  # test_sidecar.py builds with these very options
    here = ROOT if page == "docs/language_policy.md" else (ROOT / page).parent
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "MARS_EARTH_CACHE": str(folder)}
    done = subprocess.run(
        ["sh", "-e"], input=text, cwd=here, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def check_rows(text):
    rows = YAML(typ="safe").load(text)
    for row in rows.pop("deprecations", []):
        Deprecation.model_validate(row)
    for row in rows.values():
        Function.model_validate(row)


def test_the_go_options_of_the_readme_are_those_that_are_tested():
    readme = (ROOT / "packages/go-sidecar/README.md").read_text()
    assert 'CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -buildid="' in readme
