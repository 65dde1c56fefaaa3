# Language policy: EXEMPT from the Rust-path rule. Runs style checkers; no computation.
"""The style checks of a pull request to Spack's builtin repository, with its own settings.

Its CI runs ruff with the repository's `pyproject.toml` and vermin for Python 3.6, in pinned
versions; so does this, on the recipe at its upstream path.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from packaging.requirements import Requirement

from hpcgate.lanes.spack import SpackLane
from hpcgate.lanes.spack_lint import HARDWARE
from hpcgate.lanes.spack_session import Session
from hpcgate.repo import read_text, write_text

__all__ = ["check_catalogue", "check_style", "checkers", "lay_out"]

PINS = Path(".github/workflows/requirements/style/requirements.txt")
CHECKS = """\
cd $WORK/upstream
ruff=$WORK/venv/bin/ruff
$ruff format --diff repos
$ruff check --no-fix repos
$WORK/venv/bin/vermin --no-tips --violations --backport importlib --backport argparse \\
  --backport typing -t=3.6- repos
"""


def checkers(checkout: Path) -> list[str]:
    """Return ruff and vermin as pip reads them, in the versions that a checkout pins.

    Examples
    --------
    >>> checkers(Path("no-checkout"))
    ['ruff', 'vermin']
    """
    pins = checkout / PINS
    lines = read_text(pins).splitlines() if pins.is_file() else []
    listed = {Requirement(line).name: line for line in lines if line and line[0] not in "#-"}
    return [listed.get(name, name) for name in ("ruff", "vermin")]


def lay_out(session: Session, checkout: Path) -> None:
    """Write our recipe at its upstream path, beside the settings of the builtin repository."""
    folder = session.room.work / "upstream"
    for name, text in SpackLane().upstream(session.facts, session.root).items():
        write_text(folder / name, text)
    if (settings := checkout / "pyproject.toml").is_file():
        shutil.copy(settings, folder)


def check_style(session: Session) -> None:
    """Run what the builtin repository's CI runs on a changed package file."""
    if not (session.room.work / "upstream" / "pyproject.toml").is_file():
        session.smoke.tools["style"] = "not tried, this builtin repository has no settings"
        return
    done = session.say("style", CHECKS)
    session.judge("style", done.ok, "" if done.ok else done.why, "style")


def check_catalogue(session: Session, printed: str) -> None:
    """Search what `spack info` prints of the variants, as the catalogue of E4S does.

    A package that holds one of the words there, even inside a longer word, is listed under H3,
    which is not claimed.
    """
    section = re.search(r"^Variants:\n((?: .*\n|\n)*)", printed, re.MULTILINE)
    text = section[1].casefold() if section else ""
    words = [word for word in HARDWARE if word in text]
    shown = f"found {', '.join(words)}" if words else f"{len(text.split())} words of variants"
    session.judge("no-accelerator-in-variants", bool(text) and not words, shown, "info")
