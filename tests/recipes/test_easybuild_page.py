"""The guide of the EasyBuild lane says what its smoke session does."""

from __future__ import annotations

import re

import pytest

from hpcgate.lanes.easybuild_bad_input import bad_inputs
from hpcgate.lanes.easybuild_lint import read_easyconfigs
from hpcgate.lanes.easybuild_stages import eb_command, edges, stages

from .conftest import ROOT

PAGE = ROOT / "docs" / "install-easybuild.md"
OURS = ("mars-earth", "2.0.0", "gfbf-2025b")
EDGES = edges(*OURS, "gfbf,2026.1", "/mnt/bad")
STAGES = {stage.name: stage for stage in (*stages(*OURS), *EDGES)}


def blocks(text: str) -> list[tuple[str, str]]:
    """Return the commands of every block, with the sentence that follows it."""
    return re.findall(r"```sh\n(.*?)```\n\n([^\n]+)", text, re.DOTALL)


def disagreements(text: str) -> list[str]:
    """Return the lines of a page that no stage executes although the page says so."""
    found = []
    for commands, sentence in blocks(text):
        executed = re.match(r"Executed by the smoke session, stage `([a-z-]+)`[.,]", sentence)
        if executed:
            known = STAGES[executed[1]].commands.splitlines()
            found += [line for line in commands.splitlines() if line not in known]
        elif not re.match(r"Not executed: \S", sentence):
            found.append(sentence)
    return found


def test_every_command_of_the_page_is_executed_or_says_why_not() -> None:
    text = PAGE.read_text()
    assert text.count("```sh") == len(blocks(text)) > 5
    assert disagreements(text) == []
    assert "stand-in" in text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("--optarch=GENERIC ", "--optarch=Intel:xHost "),
        ("Not executed: ", "It is known that "),
        ("module load mars-earth/2.0.0-gfbf-2025b\n", "module load mars-earth\n"),
    ],
)
def test_a_page_that_says_other_than_the_session_does_is_found(old: str, new: str) -> None:
    text = PAGE.read_text()
    assert old in text
    assert disagreements(text.replace(old, new)) != []


def test_the_page_tells_what_easybuild_says_about_bad_input() -> None:
    (config,) = [found for found in read_easyconfigs(ROOT) if "2025b" in found.file]
    cases = bad_inputs(eb_command(*OURS), config)
    starred = re.findall(r"^\| `(.+?)` \* \|", PAGE.read_text(), re.MULTILINE)
    assert len(starred) == len(cases)
    for case in cases:
        # What comes first does not differ from site to site.
        first = re.split(r"`|\.\*", case.says)[0].strip()
        assert len(first) > 10 and any(first in row for row in starred), case.name
