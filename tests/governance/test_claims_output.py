"""What the gate says can be acted on: wordings that pass, annotations, suppressions, records."""

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import jsonschema
import pytest

from hpcgate.claims import main
from hpcgate.claims.gate import Gate, Support
from hpcgate.claims.lexicon import Suppression, load
from hpcgate.claims.model import Finding
from hpcgate.claims.output import github, sarif
from hpcgate.claims.records import claimed_ratio, unsupported
from hpcgate.claims.suppress import apply

ROOT = Path(__file__).resolve().parents[2]
ROWS = ROOT / "tests" / "governance" / "claims" / "own.jsonl"


def _findings(text: str, folder: Path, level: int = 0, name: str = "page.md") -> list[Finding]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return Gate(ROOT, load(ROOT), Support(level, {}), strict=True).file(path)


def test_every_wording_that_is_proposed_passes(tmp_path):
    """The wording of each finding on the labelled snippets is accepted in its place."""
    texts = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()]
    wordings = {}
    for level in range(-1, 4):
        for row in texts[:200]:
            for finding in _findings(row["text"], tmp_path, level):
                if finding.rule != "unreadable":
                    wordings[finding.wording, level] = finding.rule
    assert {rule for rule in wordings.values()} >= {"claim-above-level", "level-above-evidence"}
    refused = [key for key in wordings if not key[0] or _findings(f"{key[0]}\n", tmp_path, key[1])]
    assert refused == []


def test_a_number_needs_a_record_that_supports_it(tmp_path):
    """A factor is refused without a record, above the record, and against somebody else."""
    folder = tmp_path / "docs" / "benchmarks"
    folder.mkdir(parents=True)
    ratios = [{"what": "parsing", "against": "markdown-it", "ratio": 3.2}]
    (folder / "parse.json").write_text(json.dumps({"ratios": ratios}))
    (folder / "empty.json").write_text("{}")
    (folder / "broken.json").write_text("{")
    near = "see docs/benchmarks/{}.json"
    said = "It is 3x faster than markdown-it."
    assert unsupported(tmp_path, said, near.format("parse")) is None
    assert unsupported(tmp_path, "It parses.", "") is None
    for text, beside, why in (
        (said, "", "without a benchmark record"),
        (said.replace("3x", "4x"), near.format("parse"), "supports a factor of 3.2"),
        (said.replace("markdown-it", "R earth"), near.format("parse"), "does not compare"),
        (said, near.format("empty"), "records no ratio"),
        (said, near.format("broken"), "no record that can be read"),
        (said, near.format("missing"), "no record that can be read"),
    ):
        assert why in (unsupported(tmp_path, text, beside) or ""), (text, beside)


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("10x faster than R earth", 10),
        ("3.2 × speed-up", 3.2),
        ("twice as fast as before", 2),
        ("five times faster", 5),
        ("50 % less time", 2),
        ("20 percent quicker", 1.2),
        ("a speed-up of 3.6", 3.6),
        ("tenfold speed-up", 10),
        ("halves the run time", 2),
        ("a 3 x 4 matrix", None),
        ("100 rows per second", None),
    ],
)
def test_factors_are_read(text, ratio):
    """Factors, folds, percentages and words are the same number."""
    assert claimed_ratio(text) == pytest.approx(ratio) if ratio else claimed_ratio(text) is None


def test_a_number_is_refused_at_every_level(tmp_path):
    """A level that allows the claim does not allow a number without a record."""
    found = _findings("It is 10x faster than R earth.\n", tmp_path, level=4)
    assert [f.rule for f in found] == ["speed-without-record"]
    assert _findings("It is faster than R earth.\n", tmp_path, level=4) == []


def test_suppressions_hold_until_their_day_and_must_match():
    """A suppression hides its finding, and is a finding when it is late or idle."""
    finding = Finding("a.md", 3, "claim-above-level", "It runs on a GPU.", "why", 3)
    entry = Suppression(
        path="a.md",
        rule="claim-above-level",
        text="runs on a GPU",
        reason="quoted from a letter that is printed in full",
        expires=date(2026, 12, 31),
    )
    assert apply([finding], [entry], ["a.md"], date(2026, 12, 31)) == []
    late = apply([finding], [entry], ["a.md"], date(2027, 1, 1))
    assert [f.rule for f in late] == ["claim-above-level", "suppression-expired"]
    assert [f.rule for f in apply([], [entry], ["a.md"], date(2026, 1, 1))] == ["suppression-idle"]
    assert apply([], [entry], ["b.md"], date(2027, 1, 1)) == []


@pytest.mark.parametrize("lacking", ["reason", "expires", "text"])
def test_a_suppression_says_why_and_until_when(lacking):
    """A suppression without a reason, a day or words is refused."""
    whole = {"path": "a", "rule": "placeholder", "text": "abc", "reason": "x" * 20}
    whole["expires"] = date(2027, 1, 1)
    with pytest.raises(ValueError, match=lacking):
        Suppression(**{key: value for key, value in whole.items() if key != lacking})


def test_annotations_escape_what_github_would_misread(tmp_path, capsys, monkeypatch):
    """Each finding is one workflow command, whatever its text holds."""
    said = github([Finding("a,b.md", 2, "placeholder", "50 %\nnext", "why")])
    assert said == '::error file=a%2Cb.md,line=2,title=placeholder::why: "50 %25%0Anext"\n'
    path = tmp_path / "page.md"
    path.write_text("It runs on a GPU.\n")
    argv = ["--path", str(path), "--assume-evidence", "H1"]
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    main(argv)
    assert "::error" not in capsys.readouterr().out
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    main(argv)
    assert capsys.readouterr().out.count("::error file=") == 1


def test_sarif_is_valid_against_the_official_schema():
    """The schema of OASIS accepts every rule; it is read from where SARIF_SCHEMA says."""
    schema_path = os.environ.get("SARIF_SCHEMA")
    if not schema_path:
        pytest.skip("SARIF_SCHEMA does not name the official schema; our subset counts alone")
    schema = json.loads(Path(schema_path).read_text(encoding="utf-8"))
    assert schema["title"].startswith("Static Analysis Results Format (SARIF) Version 2.1.0")
    found = [
        Finding("a b.md", 2, "claim-above-level", "On many.", "why", 3, "this", "that"),
        Finding(str(ROOT / "a.md"), 1, "unreadable", "a", "not UTF-8 text"),
    ]
    validator = jsonschema.validators.validator_for(schema)
    assert list(validator(schema).iter_errors(sarif(found))) == []
    assert list(validator(schema).iter_errors(sarif([]))) == []


def test_the_hook_stops_a_commit(tmp_path):
    """The real pre-commit refuses a claim in a fresh repository and lets an honest text pass."""
    pytest.importorskip("pre_commit", reason="pre-commit is not installed here")
    env = {
        **os.environ,
        "PRE_COMMIT_HOME": str(tmp_path / "home"),
        "HPC_EVIDENCE_LEVEL": "H1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }

    def run(text: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "page.md").write_text(text)
        subprocess.run(["git", "add", "page.md"], cwd=tmp_path, check=True)
        command = [sys.executable, "-m", "pre_commit", "try-repo", str(ROOT), "hpc-claims"]
        return subprocess.run(
            [*command, "--files", "page.md"],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    refused = run("Replay runs on a GPU.\n")
    assert refused.returncode == 1
    assert "needs H3" in refused.stdout
    assert run("Replay runs on the CPU.\n").returncode == 0
