# Language policy: EXEMPT from the Rust-path rule. Reads a page; no computation.
"""The commands of the page on installing with conda, and which of them are really run."""

from __future__ import annotations

import re
from pathlib import Path

from hpcgate.errors import GateError
from hpcgate.repo import read_text

__all__ = ["PAGE", "documented_commands"]

PAGE = "docs/install-conda.md"
RUN, NOT_RUN = "The smoke session runs this.", "The smoke session does not run this:"


def documented_commands(page: Path) -> list[tuple[str, str]]:
    r"""Return every command block of a page with the reason why the session does not run it.

    The reason is empty for a block that it runs. A sentence below each block says which it is.

    Raises
    ------
    GateError
        If a block has no such sentence.

    Examples
    --------
    >>> documented_commands(find_root() / PAGE)[0][1]  # doctest: +SKIP
    'the package is not in conda-forge yet.'
    """
    found = re.findall(r"^```sh\n(.*?)^```\n\n?([^\n]*)", read_text(page), re.MULTILINE | re.DOTALL)
    commands = []
    for block, sentence in found:
        reason = sentence.removeprefix(NOT_RUN).strip() if sentence.startswith(NOT_RUN) else ""
        if not reason and sentence != RUN:
            first = block.strip().splitlines()[0]
            raise GateError(
                f"{page.name}: `{first}`: nothing says whether the smoke session runs it",
                hint=f'write below it: "{RUN}" or "{NOT_RUN} ..."',
            )
        commands.append((block, reason))
    return commands
