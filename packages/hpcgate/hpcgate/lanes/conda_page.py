# Language policy: EXEMPT from the Rust-path rule. Reads a page, runs its commands; no computation.
"""The commands of the page on installing with conda, and which of them are really run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hpcgate.errors import GateError
from hpcgate.lanes.conda_foreign import program
from hpcgate.lanes.conda_session import Session
from hpcgate.repo import read_text

__all__ = ["PAGE", "TOOLS", "Block", "documented_blocks", "documented_commands_work", "tools_work"]

PAGE = "docs/install-conda.md"
# The tools that the page knows; a block of one is run where the machine has it.
TOOLS = ("conda", "mamba", "pixi")
RUN = "The smoke session runs this."
RUN_WHERE = "The smoke session runs this where {tool} is installed."
NOT_RUN = "The smoke session does not run this:"


@dataclass(frozen=True, slots=True)
class Block:
    """Hold one block of commands; `tool` and `reason` are empty for one that is always run."""

    text: str
    tool: str = ""
    reason: str = ""


def documented_blocks(page: Path) -> list[Block]:
    """Return every block of commands of a page; the sentence below it says who runs it.

    Raises
    ------
    GateError
        If a block has no such sentence.

    Examples
    --------
    >>> documented_blocks(find_root() / PAGE)[0].reason  # doctest: +SKIP
    'the package is not in conda-forge.'
    """
    found = re.findall(r"^```sh\n(.*?)^```\n\n?([^\n]*)", read_text(page), re.MULTILINE | re.DOTALL)
    where = {RUN: "", **{RUN_WHERE.format(tool=tool): tool for tool in TOOLS}}
    blocks = []
    for text, sentence in found:
        reason = sentence.removeprefix(NOT_RUN).strip() if sentence.startswith(NOT_RUN) else ""
        if not reason and sentence not in where:
            raise GateError(
                f"{page.name}: `{text.strip().splitlines()[0]}`: nothing says who runs it",
                hint=f'write below it: "{RUN}" or "{NOT_RUN} ..."',
            )
        blocks.append(Block(text, where.get(sentence, ""), reason))
    return blocks


def documented_commands_work(session: Session) -> str:
    """Run the commands of the page that need no tool but the package, in every environment."""
    blocks = [b for b in documented_blocks(session.root / PAGE) if not b.tool and not b.reason]
    for label in session.environments:
        prefix = session.sandbox.folder / label
        for number, block in enumerate(blocks, 1):
            _follow(session, block, f"{label}-page-{number}", prefix, session.sandbox.folder)
    return f"{len(blocks)} blocks of {PAGE}"


def tools_work(session: Session, tool: str) -> str:
    """Run the commands of the page for one tool of this machine, in order, in one folder.

    The channel `channel` of the page is the one that holds the package, and the one it calls
    `$DEPENDENCIES` is the one that the session builds against.
    """
    found, session.smoke.tools[tool] = program(tool, session.sandbox)
    folder = session.sandbox.folder / f"page-{tool}"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / tool).symlink_to(found)
    (folder / "channel").symlink_to(session.own_channel)
    blocks = [block for block in documented_blocks(session.root / PAGE) if block.tool == tool]
    for number, block in enumerate(blocks, 1):
        _follow(session, block, f"{tool}-page-{number}", folder, folder)
    return f"{len(blocks)} blocks of {PAGE}"


def _follow(session: Session, block: Block, log: str, prefix: Path, folder: Path) -> None:
    home = str(session.sandbox.folder / "home")
    done = session.sandbox.run(
        ["sh", "-euc", f'cd "{folder}"\n{block.text}'],
        log,
        prefix=prefix,
        DEPENDENCIES=session.against.uri,
        # Nothing gets into, or comes out of, what the machine's own conda has stored.
        CONDA_PKGS_DIRS=str(folder / "pkgs"),
        MAMBA_ROOT_PREFIX=f"{home}/mamba",
        PIXI_HOME=f"{home}/pixi",
    )
    if not done.ok:
        raise GateError(f"{PAGE}: {done.why}", hint=session.sandbox.see(log))
