"""What the claims gate takes as supported, and work that is done beside it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hpcgate import evidence
from hpcgate.claims.support import can_fork, level_number, meanwhile, support
from hpcgate.errors import GateError

Checkout = Any  # of conftest.py, which is no module


def test_an_assumed_level_meets_what_it_and_the_levels_below_ask_for(checkout: Checkout) -> None:
    """Nothing is recorded here, so all that is met is met by the assumption."""
    assumed = support(checkout.root, 1)
    asked = {r.id: r.level <= 1 for r in evidence.contract(checkout.root).requirements}
    assert assumed.level == 1
    assert dict(assumed.requirements) == asked
    assert len(assumed.requirements) == len(asked)
    assert set(asked.values()) == {True, False}


def test_without_an_assumption_the_ledger_says_what_is_met(checkout: Checkout) -> None:
    """One record meets the requirements of its check, and no level."""
    checkout.record("smoke-spack")
    found = support(checkout.root)
    asked = evidence.contract(checkout.root).requirements
    assert found.level == -1
    assert {i for i, met in found.requirements.items() if met} == {
        r.id for r in asked if r.check == "smoke-spack"
    }


def test_work_is_done_in_another_process_while_this_one_goes_on() -> None:
    """Where nothing can run beside this process, it does the work itself."""
    beside = can_fork() and (os.cpu_count() or 1) > 1
    with meanwhile(os.getpid) as wait:
        assert (wait() != os.getpid()) is beside
    assert can_fork() is (threading.active_count() == 1 and hasattr(os, "fork"))


def test_a_machine_with_one_core_does_the_work_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is gained there by a second process."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    with meanwhile(os.getpid) as wait:
        assert wait() == os.getpid()


def test_a_process_with_threads_does_the_work_itself() -> None:
    """A fork would take a lock that another thread holds for ever."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert not can_fork()
        with meanwhile(os.getpid) as wait:
            assert wait() == os.getpid()
    finally:
        done.set()
        thread.join()


def test_work_that_fails_there_says_here_why(tmp_path: Path) -> None:
    """A child that is killed, or raises, leaves its result to this process."""

    def read() -> str:
        return (tmp_path / "absent").read_text()

    with meanwhile(read) as wait, pytest.raises(FileNotFoundError):
        wait()


def test_work_that_nobody_waits_for_is_ended(tmp_path: Path) -> None:
    """Leaving the block early, by an error too, leaves no process behind."""
    if not can_fork() or (os.cpu_count() or 1) < 2:
        pytest.skip("this process cannot fork, or has one core, so nothing runs beside it")
    name = tmp_path / "pid"

    def linger() -> None:
        name.with_suffix(".new").write_text(str(os.getpid()))
        name.with_suffix(".new").rename(name)
        time.sleep(300)

    with pytest.raises(KeyError), meanwhile(linger):
        deadline = time.monotonic() + 60
        while not name.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        raise KeyError
    with pytest.raises(ProcessLookupError):
        os.kill(int(name.read_text()), 0)


@pytest.mark.parametrize(("text", "number"), [("H0", 0), ("H4", 4), ("none", -1)])
def test_a_level_has_a_number(text: str, number: int) -> None:
    """None stands below H0."""
    assert level_number(text, "--assume-evidence") == number


@pytest.mark.parametrize("text", ["H5", "h0", "H01", "H0\n", ""])
def test_another_word_is_refused_with_its_place(text: str) -> None:
    """The message names the levels."""
    with pytest.raises(GateError, match=r"--assume-evidence.*not a level.*H0, H1, H2"):
        level_number(text, "--assume-evidence")
