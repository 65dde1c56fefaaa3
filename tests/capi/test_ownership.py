"""Misuse, threads (H1, not claimed) and batches of the C library, plain and under valgrind."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from compiled import need, run

NAMES = ["misuse", "threads", "arrow"]
CHECKED = ["valgrind", "-q", "--error-exitcode=9", "--leak-check=full"]
LEAKS = "--errors-for-leak-kinds=definite,indirect,possible"


@pytest.mark.parametrize("name", NAMES)
def test_ownership_holds(program, name):
    assert run([program(name)]) == "ok\n"


@pytest.mark.parametrize("name", NAMES)
def test_ownership_holds_under_valgrind(program, name):
    need("valgrind")
    assert run([*CHECKED, LEAKS, program(name)]) == "ok\n"
