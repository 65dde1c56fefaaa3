"""No text of any kind makes the gate fail: it reads it or names what it cannot read."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from hpcgate.claims.gate import Gate, Support
from hpcgate.claims.lexicon import load
from hpcgate.claims.model import RULES
from hpcgate.claims.words import word_set

ROOT = Path(__file__).resolve().parents[2]
GATE = Gate(ROOT, load(ROOT), Support(1, {}), strict=True)
NAMES = sorted(
    word_set(
        "page.md a.py package.py a.eb recipe.yaml a.toml a.json DESCRIPTION a.rs a.jl a.R a.go a.cs"
        " a.ts CITATION.cff a.sh page.rst"
    )
)
# Words and marks that the rules look at, in any order.
WORDS = sorted(
    word_set(
        "GPU MPI not no neither nor without never we XGBoost it than like is are runs on several"
        " nodes threads 10x faster H1 H3 implemented level: planned optional only but and , . ? : ;"
        " ( ) # - [ ] [x] | > ``` ` --- hpc_level: Q: A: No <!-- --> // /** */ { } %"
    )
)
MARKS = ["\n", "\n\n", "\t", "\0", "\u2028", "\u0130", "\uff11\uff12", "10\u2079", "\u201c"]
PIECES = [*WORDS, *MARKS, "| a | b |\n|---|---|\n|", "#' ", '"""', "'''", '"']


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(NAMES), text=st.text(max_size=400))
def test_any_text_is_read_or_named(name: str, text: str) -> None:
    """Arbitrary characters give findings of known rules, and no exception."""
    _judge(name, text.encode("utf-8", "surrogatepass"))


@settings(max_examples=400, deadline=None)
@given(name=st.sampled_from(NAMES), pieces=st.lists(st.sampled_from(PIECES), max_size=40))
def test_any_order_of_telling_words_is_read(name: str, pieces: list[str]) -> None:
    """The words of the rules, in any order and any structure, raise nothing."""
    _judge(name, " ".join(pieces).encode())


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(NAMES), raw=st.binary(max_size=200))
def test_any_bytes_are_read_or_named(name: str, raw: bytes) -> None:
    """Bytes that are no text are a named finding."""
    _judge(name, raw)


def _judge(name: str, raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(raw)
        for finding in GATE.file(path):
            assert finding.rule in RULES
            assert finding.line >= 1
            assert finding.reason
