# Language policy: EXEMPT from the Rust-path rule. Calls conda's own tools; no computation.
"""What conda's own tools say of the lane's files, where this machine has them.

conda-smithy and conda-build come from conda-forge, not from a Python index, so most machines of
this project lack them. A stage that lacks its tool shows nothing: it neither passes nor fails, and
the record says so.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from hpcgate.errors import GateError
from hpcgate.facts import read_yaml
from hpcgate.lanes.conda_plans import conda_build_problems
from hpcgate.lanes.conda_sandbox import Sandbox
from hpcgate.lanes.conda_session import Session
from hpcgate.repo import write_text

__all__ = ["NotShown", "conda_build_renders", "conda_smithy_finds_nothing", "program"]


class NotShown(Exception):
    """Say that a stage can show nothing here, and why."""

    def __init__(self, tool: str, why: str) -> None:
        super().__init__(why)
        self.tool = tool


def program(name: str, sandbox: Sandbox, *, package: str = "") -> tuple[str, str]:
    """Return the path of a tool of this machine and its version.

    `package` is what brings the tool, where that has another name.

    Raises
    ------
    NotShown
        If it is not on the caller's PATH, or does not start.

    Examples
    --------
    >>> program("conda", sandbox)  # doctest: +SKIP
    ('/opt/conda/bin/conda', '26.7.1')
    """
    found = shutil.which(name)
    if found is None:
        raise NotShown(package or name, f"{name} is not on PATH; it comes from conda-forge")
    done = sandbox.run([found, "--version"], f"{name}-version")
    said = (done.stdout + done.stderr).split()
    if not done.ok or not said:
        raise NotShown(
            package or name, f"{name} --version failed; {sandbox.see(f'{name}-version')}"
        )
    return found, said[-1]


def conda_smithy_finds_nothing(session: Session) -> str:
    """Let conda-forge's own linter judge the recipe and the settings of the feedstock.

    It reads them twice: as staged-recipes gets them, and as a feedstock has them. Whether a
    maintainer exists is a question to GitHub, so it is not asked.
    """
    lint, session.smoke.tools["conda-smithy"] = program("conda-smithy", session.sandbox)
    folder = session.sandbox.folder / "conda-smithy"
    staged, feedstock = folder / session.facts.release.name, folder / "feedstock"
    settings = session.root / "conda-forge" / "conda-forge.yml"
    for recipe, beside in ((staged, staged), (feedstock / "recipe", feedstock)):
        shutil.copytree(session.recipe.parent, recipe)
        shutil.copy2(settings, beside)
    line = [lint, "recipe-lint", str(staged), str(feedstock / "recipe")]
    done = session.sandbox.run(line, "conda-smithy")
    if not done.ok or done.stdout.count("is in fine form") != 2:
        said = " ".join(done.stdout.split()).replace(f"{folder}/", "")
        raise GateError(said[:200] or done.why, hint=session.sandbox.see("conda-smithy"))
    return "no lint and no hint, in staged-recipes and in a feedstock"


def conda_build_renders(session: Session) -> str:
    """Let conda-build render its recipe, and check what it would build."""
    render, version = program("conda-render", session.sandbox, package="conda-build")
    session.smoke.tools["conda-build"] = version
    folder = session.sandbox.folder / "conda-build"
    pins = session.against.variants(session.against.minors[0])
    write_text(folder / "pins.yaml", _blocks(pins))
    line = [
        *(render, str(session.root / "conda-forge" / "conda-build")),
        *("--exclusive-config-files", str(folder / "pins.yaml")),
        *("--override-channels", "--channel", session.against.uri),
        *("--file", str(folder / "rendered.yaml")),
    ]
    done = session.sandbox.run(
        line,
        "conda-build",
        CONDA_BLD_PATH=str(folder / "work"),
        CONDA_PKGS_DIRS=str(folder / "packages"),
    )
    if not done.ok or not Path(folder, "rendered.yaml").is_file():
        raise GateError(done.why, hint=session.sandbox.see("conda-build"))
    rendered = read_yaml(folder / "rendered.yaml")
    if problems := conda_build_problems(rendered, session.facts):
        raise GateError("; ".join(problems), hint=session.sandbox.see("conda-build"))
    return ", ".join(rendered["requirements"]["build"])


def _blocks(pins: dict[str, list[object]]) -> str:
    r"""Write a list below its key: conda-build takes brackets at the end of a line for a selector.

    Examples
    --------
    >>> _blocks({"c_compiler": ["gcc"]})
    'c_compiler:\n  - "gcc"\n'
    """
    return "".join(
        f"{key}:\n" + "".join(f"  - {json.dumps(value)}\n" for value in values)
        for key, values in pins.items()
    )
