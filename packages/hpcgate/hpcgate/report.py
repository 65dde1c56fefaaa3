# Language policy: EXEMPT from the Rust-path rule. Lays out tables for the terminal.
"""Tables for the terminal: requirements with their outcome, records, and where the packets lie.

Nothing depends on colour, and every table fits into 100 columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hpcgate.evidence import Record
from hpcgate.levels import Assessment, Status, level_name
from hpcgate.repo import printable

if TYPE_CHECKING:
    from hpcgate.packets import Packet

__all__ = ["records", "table"]

STYLES = {"pass": "green", "fail": "bold red", "unavailable": "yellow", "missing": "yellow"}


def table(assessment: Assessment, packets: Sequence[Packet] = ()) -> RenderableType:
    """Return every requirement with outcome, age and reason, the level, and the packets.

    Examples
    --------
    >>> from rich.console import Console
    >>> from hpcgate.levels import Assessment
    >>> empty = Assessment(level=-1, level_name="none", claimable=-1, release=False,
    ...                    requirements=(), checks={})
    >>> Console(width=100).print(table(empty))  # doctest: +SKIP
    """
    grid = _grid()
    grid.add_column("Requirement", no_wrap=True)
    grid.add_column("Outcome", no_wrap=True)
    grid.add_column("Age", no_wrap=True)
    grid.add_column("Record, or why it is not met", ratio=1)
    before = None
    for wanted in assessment.requirements:
        if before not in (None, wanted.level):
            grid.add_section()
        before = wanted.level
        grid.add_row(wanted.id, _outcome(wanted), wanted.age, _plain(_note(wanted)))
    parts: list[RenderableType] = [grid, _verdict(assessment)]
    parts += [_plain(packet.summary()) for packet in packets]
    return Group(*parts)


def records(found: Sequence[Record]) -> RenderableType:
    """Return the ledger as a table, oldest record first."""
    grid = _grid()
    grid.add_column("Record", no_wrap=True)
    grid.add_column("Outcome", no_wrap=True)
    grid.add_column("State", no_wrap=True)
    grid.add_column("Ended (UTC)", no_wrap=True)
    grid.add_column("Host class; reason; what changed", ratio=1)
    for record in found:
        notes = "; ".join(filter(None, (record.run.host_class, record.reason, *record.changed[:3])))
        ended = record.finished.strftime("%Y-%m-%d %H:%M")
        outcome = Text(record.outcome, style=STYLES[record.outcome])
        grid.add_row(record.id, outcome, record.state, ended, _plain(notes))
    return grid if found else Text("The ledger is empty.")


def _grid() -> Table:
    return Table(box=box.SIMPLE_HEAD, expand=True, pad_edge=False, header_style="bold")


def _outcome(status: Status) -> Text:
    word = f"{status.outcome} (stale)" if status.state == "stale" else status.outcome
    # A stale pass that does not count must not look like one that does.
    counts = status.outcome != "pass" or status.satisfied
    return Text(word, style=STYLES[status.outcome] if counts else STYLES["fail"])


def _note(status: Status) -> str:
    """Name the record that decided, and what speaks against it."""
    return "; ".join(filter(None, (status.record, status.reason)))


def _verdict(assessment: Assessment) -> Text:
    met = sum(wanted.satisfied for wanted in assessment.requirements)
    rule = "current evidence only" if assessment.release else "stale evidence still counts"
    lines = [
        f"Level: {assessment.level_name} "
        f"({met} of {len(assessment.requirements)} requirements are met; {rule})"
    ]
    if assessment.claimable != assessment.level:
        lines.append(
            f"The evidence without the claims gate reaches {level_name(assessment.claimable)}."
        )
    if assessment.level < 4:
        lines.append(f"For {level_name(assessment.level + 1)}, run: hpcgate level --explain")
    return Text("\n".join(lines), style="bold")


def _plain(words: str) -> Text:
    """Keep square brackets, which rich would read as markup, and spell out control codes."""
    return Text("\n".join(map(printable, words.split("\n"))))
