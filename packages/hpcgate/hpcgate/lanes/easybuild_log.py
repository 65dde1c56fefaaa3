# Language policy: EXEMPT from the Rust-path rule. Reads logs; no computation.
"""Say in one sentence why EasyBuild failed, and where its log lies."""

from __future__ import annotations

import re
from pathlib import Path

from hpcgate.cleanroom.process import Result
from hpcgate.repo import read_text

__all__ = ["explain", "why"]


def explain(done: Result, log: Path, inner: str, kept: Path) -> str:
    """Say why a step failed: in EasyBuild's words, then in those of the command it ran.

    Parameters
    ----------
    done : Result
        What the step did.
    log : Path
        Where its output is kept; named unless the command's own output tells more.
    inner : str
        The folder of EasyBuild's logs, as EasyBuild sees it.
    kept : Path
        The same folder on this machine.
    """
    said = why(done)
    if found := re.search(r"output \(stdout \+ stderr\)\s+->\s+(\S+)", done.stderr):
        output = kept / Path(found[1]).relative_to(inner)
        if output.is_file():
            log = output
            # The first is the compiler's; pip and cargo repeat in their words that it failed.
            pattern = r"^\s*(error(?:\[E\d+\])?: (?!subprocess-exited).+)$"
            errors = re.findall(pattern, read_text(output), re.MULTILINE)
            said = f"{said}: {errors[0]}" if errors else said
    return f"{said}; see {log}"


def why(done: Result) -> str:
    """Return the one sentence in which EasyBuild says why it failed.

    Examples
    --------
    >>> why(Result(1, "== FAILED: Installation ended unsuccessfully: no gcc (took 2 secs)", "", 2))
    'no gcc'
    """
    text = done.stdout + done.stderr
    for pattern in (
        r"^== FAILED: Installation ended unsuccessfully: (.+?)(?: \(took .*)?$",
        r"^ERROR: (.+)$",
        r"^(?:Lmod has detected the following error:)\s+(.+)$",
    ):
        if found := re.search(pattern, text, re.MULTILINE):
            return found[1].strip()
    return done.why
