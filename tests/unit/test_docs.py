"""Pages that show code show what it prints."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", ["classes_and_counts.md", "replay.md"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_code_prints_what_the_page_says(page, capsys):
    names: dict[str, object] = {}
    blocks = BLOCK.findall((DOCS / page).read_text())
    assert len(blocks) >= 2
    printed = ""
    for kind, text in blocks:
        if kind == "python":
            exec(text, names)
            printed = capsys.readouterr().out
        else:
            assert printed == text
