# Language policy: EXEMPT from the Rust-path rule. Orders stages; no computation.
"""The smoke session of the conda-forge lane: build the recipe, test, install, use, record it.

The committed recipe is built as it is, but for its address: the source archive of this tree takes
the place of the released one and has to have the same digest. The packages it is built against
are stand-ins, see `conda_standins`, or come from the channel that is asked for.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from rich.console import Console

from hpcgate import facts as facts_module
from hpcgate.errors import GateError
from hpcgate.evidence import Outcome
from hpcgate.lanes.conda_channel import VARIANTS
from hpcgate.lanes.conda_foreign import NotShown, conda_build_renders, conda_smithy_finds_nothing
from hpcgate.lanes.conda_page import TOOLS, documented_commands_work, tools_work
from hpcgate.lanes.conda_sandbox import Unavailable, open_sandbox
from hpcgate.lanes.conda_session import Session
from hpcgate.lanes.conda_standins import StandIns
from hpcgate.repo import find_root
from hpcgate.smoke import Smoke, conclude, exit_status

__all__ = ["main", "run"]

CHECK = "smoke-conda-forge"
LOGS = Path("build/logs") / CHECK
STANDINS = "packaging/conda-forge/standins.yaml"
LIBRARIES = ("py-rattler-build", "py-rattler")

STAGES: dict[str, Callable[[Session], str]] = {
    "recipe_keeps_the_rules": Session.recipe_keeps_the_rules,
    "source_has_the_digest": Session.source_has_the_digest,
    "nothing_of_the_machine_leaks": Session.nothing_of_the_machine_leaks,
    "conda_smithy_finds_nothing": conda_smithy_finds_nothing,
    "channel_is_there": Session.channel_is_there,
    "plans_are_right": Session.plans_are_right,
    "conda_build_renders": conda_build_renders,
    "newer_pythons_are_skipped": Session.newer_pythons_are_skipped,
    "rattler_build_builds": Session.rattler_build_builds,
    "package_passes_its_tests": Session.package_passes_its_tests,
    "own_channel_holds_it": Session.own_channel_holds_it,
    "installs_and_works": Session.installs_and_works,
    "documented_commands_work": documented_commands_work,
    **{f"{tool}_commands_work": functools.partial(tools_work, tool=tool) for tool in TOOLS},
}


def run(
    root: Path,
    sdist: Path,
    *,
    channel: str | None = None,
    variants: Path | None = None,
    keep: bool = False,
) -> Outcome:
    """Build, test, install and use the conda package, and write the evidence.

    Parameters
    ----------
    root : Path
        The checkout.
    sdist : Path
        The source archive whose digest the recipe carries.
    channel : str, optional
        The channel to build against, such as `conda-forge` or the address of a mirror; without it
        one of stand-ins is made.
    variants : Path, optional
        Pins for that channel; those of `packaging/conda-forge/variants.yaml` by default.
    keep : bool
        Keep the package and the environments in `build/conda-forge/kept`.

    Returns
    -------
    {"pass", "fail", "unavailable"}
        Unavailable when a tool, a Python, a channel or a package index cannot be had here.

    Examples
    --------
    >>> run(find_root(), Path("dist/mars_earth-2.0.0.tar.gz"))  # doctest: +SKIP
    'pass'
    """
    facts = facts_module.load(root)
    recipe = root / "conda-forge" / "recipes" / facts.release.name / "recipe.yaml"
    for path in (sdist, recipe):
        if not path.is_file():
            raise GateError(f"{path}: no such file", hint="run: nox -s gen")
    standins = facts_module.load_model(StandIns, root, STANDINS)
    asked = None if channel is None else (channel, variants or root / VARIANTS)
    remote = channel is not None and not channel.startswith("file:")
    smoke = Smoke()
    shutil.rmtree(root / LOGS, ignore_errors=True)
    try:
        smoke.tools |= _libraries()
        with open_sandbox(root, LOGS, keep=keep, network=remote) as sandbox:
            smoke.tools["network"] = sandbox.network
            _stages(Session(root, sdist, recipe, sandbox, facts, standins, smoke, asked))
    except Unavailable as error:
        smoke.unavailable = _portable(error, root)
    title = recipe.relative_to(root).as_posix()
    return conclude(smoke, root, [sdist, recipe], CHECK, title=title, logs=f"logs {LOGS}")


def _stages(session: Session) -> None:
    """Run the stages up to the first that fails."""
    console, smoke = Console(stderr=True), session.smoke
    for number, (name, stage) in enumerate(STAGES.items(), 1):
        began = time.monotonic()
        with console.status(f"{number}/{len(STAGES)} {name.replace('_', ' ')}"):
            try:
                passed, detail = True, stage(session)
            except NotShown as error:
                smoke.tools[error.tool] = f"unavailable: {error}"
                continue
            except Unavailable:
                raise
            except GateError as error:
                passed, detail = False, _portable(error, session.root)
        smoke.measurements[f"{name}_seconds"] = round(time.monotonic() - began, 1)
        smoke.add(name.replace("_", "-"), passed, detail)
        if not all(test.passed for test in smoke.tests):
            return


def _portable(error: Exception, root: Path) -> str:
    """Return what an error says without a folder of this machine, as a record is committed."""
    return str(error).replace(f"{root}/", "")


def _libraries() -> dict[str, str]:
    try:
        return {name: metadata.version(name) for name in LIBRARIES}
    except metadata.PackageNotFoundError as error:
        raise Unavailable(
            f"{error.name} is not installed", hint=f"run: python -m pip install {error.name}"
        ) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the session from the command line; anything but a pass is exit status 1."""
    parser = argparse.ArgumentParser(
        prog="python -m hpcgate.lanes.conda_forge_smoke", description=__doc__
    )
    parser.add_argument("--sdist", type=Path, help="the archive in dist/ by default")
    parser.add_argument("--channel", help="build against it, not against stand-ins")
    parser.add_argument("--variants", type=Path, help=f"pins for --channel; {VARIANTS} by default")
    parser.add_argument("--keep", action="store_true", help="keep the package and environments")
    options = parser.parse_args(arguments)
    root = find_root()
    sdist = options.sdist or root / "dist" / facts_module.load(root).release.sdist
    outcome = run(
        root,
        sdist.resolve(),
        channel=options.channel,
        variants=options.variants,
        keep=options.keep,
    )
    return 0 if outcome == "pass" else 1


if __name__ == "__main__":
    sys.exit(exit_status(CHECK, main))
