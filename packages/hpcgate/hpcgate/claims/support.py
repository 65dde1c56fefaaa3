# Language policy: EXEMPT from the Rust-path rule. Waits for the level; no computation.
"""What the evidence supports, found out beside the reading of files.

This module loads little, so that the work begins before the words and the readers are loaded.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

from hpcgate.errors import GateError

__all__ = ["Support", "can_fork", "level_number", "meanwhile", "support"]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Support:
    """What the evidence supports: a level, and for each requirement whether it is met."""

    level: int
    requirements: Mapping[str, bool]


def support(root: Path, assumed: int | None = None) -> Support:
    """Return the supported level; an assumed level stands for the ledger.

    The ledger is read without the verdict of this gate, which the level itself depends on.
    """
    if assumed is not None:
        return Support(assumed, _Assumed(root, assumed))
    from hpcgate.levels import assess

    assessment = assess(root)
    return Support(assessment.claimable, {r.id: r.satisfied for r in assessment.requirements})


class _Assumed(Mapping[str, bool]):
    """The requirements met at an assumed level; the contract is read when a text cites one."""

    def __init__(self, root: Path, level: int) -> None:
        self._root = root
        self._level = level

    @cached_property
    def _met(self) -> dict[str, bool]:
        from hpcgate.levels import assess

        return {r.id: r.level <= self._level for r in assess(self._root).requirements}

    def __getitem__(self, key: str) -> bool:
        return self._met[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._met)

    def __len__(self) -> int:
        return len(self._met)


@contextmanager
def meanwhile(work: Callable[[], Result]) -> Iterator[Callable[[], Result]]:
    """Begin some work beside this process and yield a function that waits for its result.

    Work that fails there is done again here, where it can say why.
    """
    if (os.cpu_count() or 1) < 2 or not can_fork():
        yield work
        return
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, work))
    process.start()
    sender.close()

    def wait() -> Result:
        try:
            result: Result = receiver.recv()
        except EOFError:
            return work()
        return result

    try:
        yield wait
    finally:
        receiver.close()
        process.terminate()
        process.join()


def _send(sender: Connection, work: Callable[[], object]) -> None:
    with suppress(Exception):
        sender.send(work())


def can_fork() -> bool:
    """Whether a fork is there and takes no thread by surprise."""
    return "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1


def level_number(text: str, where: str) -> int:
    """Return the level that `H0` to `H4` or `none` names, -1 for none."""
    match = re.fullmatch(r"H([0-4])", text)
    if match:
        return int(match[1])
    if text == "none":
        return -1
    raise GateError(f"{where}: {text!r} is not a level", hint="use H0, H1, H2, H3, H4 or none")
