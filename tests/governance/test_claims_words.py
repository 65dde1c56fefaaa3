"""Every entry of the lexicon keeps its promise: one sentence is flagged, one passes."""

from pathlib import Path

import pytest

from hpcgate.claims.gate import Gate, Support
from hpcgate.claims.lexicon import PATH, Words, load
from hpcgate.errors import GateError
from hpcgate.facts import check_model, read_yaml

ROOT = Path(__file__).resolve().parents[2]
DATA = load(ROOT).data


def _entries() -> list[tuple[str, str, str]]:
    entries = [(f"term {e.id}", e.flag, e.passes) for e in DATA.terms]
    entries += [(f"homonym {e.id}", e.flag, e.passes) for e in DATA.homonyms]
    for part in (DATA.negators, DATA.cues):
        for name in type(part).model_fields:
            group = getattr(part, name)
            entries.append((name, group.flag, group.passes))
    entries += [(n, getattr(DATA, n).flag, getattr(DATA, n).passes) for n in ("ours", "others")]
    return entries


def _flagged(text: str, folder: Path) -> bool:
    path = folder / "page.md"
    path.write_text(text + "\n", encoding="utf-8")
    return bool(Gate(ROOT, load(ROOT), Support(0, {}), strict=False).file(path))


@pytest.mark.parametrize(
    ("flag", "passes"), [e[1:] for e in _entries()], ids=[e[0] for e in _entries()]
)
def test_an_entry_flags_and_passes_its_examples(flag: str, passes: str, tmp_path: Path) -> None:
    """The flagged sentence is a finding at H0, the other one is not."""
    assert _flagged(flag, tmp_path)
    assert not _flagged(passes, tmp_path)


GRAMMAR = {
    "what another has": (
        "Windows has no SIMD path, but Linux has one.",
        "There is no GPU path here, but XGBoost has one.",
    ),
    "what a relative clause interrupts": (
        "The core, which we wrote in Rust, uses SIMD.",
        "LAMMPS, from which we took the style of the log file, uses MPI.",
    ),
    "what an insertion interrupts": (
        "No compiler is needed and, since last year, GPUs are used.",
        "It has neither threads nor, since nobody asked, SIMD.",
    ),
    "what may not change": (
        "The Python functions may change, the C ABI may not.",
        "The Python functions are short, the C ABI is not stable.",
    ),
    "what has a subject of its own": (
        "The C ABI is stable, tables are not covered.",
        "A stable ABI, this is not covered.",
    ),
    "none of it": (
        "It runs on several nodes; none of it needs a licence.",
        "Dask runs on several nodes; none of it applies here.",
    ),
    "what it cannot be used with": (
        "GPUs work, but our table cannot be printed with them.",
        "Dask can use many computers, but our package cannot be used with it.",
    ),
    "what lies about": (
        "A GPU is not needed. It helps if it is there.",
        "Do not buy a GPU. It would just sit there.",
    ),
    "what is to come": (
        "The ABI is stable, you can rely on it in the coming years.",
        "A stable ABI is for the coming years.",
    ),
    "a branch that ends in an error": (
        '```python\nif backend == "gpu":\n    start()\n```',
        '```python\nif backend == "gpu":\n    raise ValueError(backend)\n```',
    ),
}


@pytest.mark.parametrize(("flag", "passes"), GRAMMAR.values(), ids=GRAMMAR)
def test_a_rule_of_grammar_flags_and_passes(flag: str, passes: str, tmp_path: Path) -> None:
    """Sentences with the same words, of which one claims and the other does not."""
    assert _flagged(flag, tmp_path)
    assert not _flagged(passes, tmp_path)


def test_a_term_is_flagged_for_its_own_level(tmp_path: Path) -> None:
    """The level of the finding is the level of the entry, or a higher one named beside it."""
    gate = Gate(ROOT, load(ROOT), Support(0, {}), strict=False)
    for term in DATA.terms:
        path = tmp_path / "page.md"
        path.write_text(term.flag, encoding="utf-8")
        assert max(f.required or 0 for f in gate.file(path)) >= term.number, term.id


def test_an_unknown_key_is_refused() -> None:
    """A misspelt key is an error that names the nearest one."""
    data = read_yaml(ROOT / PATH)
    data["terms"][0]["levl"] = data["terms"][0].pop("level")
    with pytest.raises(GateError, match="did you mean `level`"):
        check_model(Words, data, PATH)


def test_every_exemption_covers_a_file() -> None:
    """An exemption without a file is left over and must go."""
    from hpcgate.claims.gate import matches
    from hpcgate.repo import tracked_files

    files = tracked_files(ROOT)
    idle = [e.path for e in DATA.exempt if not any(matches(f, [e.path]) for f in files)]
    assert idle == []
