"""Does the language policy see what it must see? Each rule has a tree that must fail."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace as replace_root
from pathlib import Path

import pytest

from hpcgate import policy
from hpcgate.errors import GateError
from hpcgate.policy.computation import find_computation
from hpcgate.policy.data import Pin
from hpcgate.policy.pins import pins
from hpcgate.repo import find_root

SHA = "de0fac2e4500dabe0009e67214ff5f5447ce83dd"
EXEMPT = "# Language policy: EXEMPT from the Rust-path rule. Names the package.\n"
FILES = {
    "packaging/release.yaml": "version: 2.0.0\n",
    "packaging/language.yaml": """\
palette:
  rust:
    niche: Loops.
    suffix: .rs
    probe: pymars.floor:can_run
    extra: ""
    pins:
      - {file: packages/Cargo.lock, pattern: "^version", mend: run cargo generate-lockfile}
      - {file: packages/pymars/pyproject.toml, pattern: "maturin[^,]*,<2", mend: bound maturin}
    platforms: {linux-x86_64: MUST}
  python: {niche: The floor., suffix: .py, probe: "pymars.floor:can_run", extra: "",
           pins: [{file: packages/pymars/pyproject.toml, pattern: build-system, mend: name it}],
           platforms: {linux-x86_64: MUST, macos-arm64: MAY}}
canonical_host_classes: [linux-x86-64-small]
deprecations: []
categories:
  declarations: Declares names.
functions:
  predict:
    summary: Predictions.
    size_axis: rows
    sizes: [10, 100]
    production: [100]
    benchmark: docs/benchmarks/predict.json
    call_sites: ["packages/pymars/pymars/draft.py:predict"]
    floor: pymars.floor:predict
    tiers: [{language: rust, entry: _core.predict, source: packages/core/replay.rs}]
    tolerance: {atol: 1.0e-10, rtol: 1.0e-10}
core_calls:
  fit: {reason: Nothing stands in for it., computes: true, checked_by: [DEPRECATIONS.md]}
excluded_folders: [tests]
modules:
  packages/core/replay.rs:
    status: compiled
    reason: Evaluates stored models.
  packages/pymars/pymars/floor.py:
    status: compiled
    reason: The reference of the compiled core.
  packages/pymars/pymars/__init__.py:
    status: exempt
    category: declarations
    reason: Names the package.
  packages/pymars/pymars/draft.py:
    status: floor-only
    reason: Its compiled path is not written.
    until: 2.1.0
""",
    "packages/core/replay.rs": "pub fn predict() {}\n",
    "packages/pymars/pymars/floor.py": "def predict(model, rows):\n    return rows @ model\n\n\n"
    "def can_run():\n    return ''\n",
    "docs/benchmarks/predict.json": "{}\n",
    "DEPRECATIONS.md": "2026-11-22: rust goes.\n",
    "packages/pymars/pymars/__init__.py": EXEMPT + '"""The package."""\n',
    "packages/pymars/pymars/draft.py": "def square(x):\n    return _core.fit(predict(x))\n",
    "packages/core/tests/cases.rs": "fn checked_elsewhere() {}\n",
    "packages/Cargo.lock": "version = 4\n",
    "packages/pymars/pyproject.toml": '[build-system]\nrequires = ["maturin>=1.8,<2"]\n',
    ".github/workflows/ci.yml": f"steps:\n  - uses: actions/checkout@{SHA} # v6.0.2\n",
    "docs/language_policy.md": "Rows\n\n<!-- generated:language -->\n<!-- /generated:language -->",
}
DATA = "packaging/language.yaml"
INIT = "packages/pymars/pymars/__init__.py"


def plant(root: Path) -> Path:
    """Write a small checkout that keeps the policy."""
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    policy.fix(root)
    return root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return plant(tmp_path)


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new, 1))

    return edit


def write(name: str, text: str) -> Callable[[Path], None]:
    return lambda root: (root / name).write_text(text) and None


def delete(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


PALETTE_JULIA = """
  julia: {niche: Algebra., suffix: .jl, probe: "pymars.floor:can_run", extra: "",
          pins: [{file: packages/Cargo.lock, pattern: version, mend: name it}],
          platforms: {linux-x86_64: MAY}}"""


def deprecate(**changes: str) -> Callable[[Path], None]:
    """Announce that a tier goes, properly but for the changes."""
    row = {
        "language": "rust", "functions": "[predict]", "since": "2026-11-22",
        "since_version": "2.0.0", "reason": "It is slow.", "minors": "[2.1.0, 2.2.0]",
        "removal": "3.0.0", "archived": "docs/benchmarks/archived/predict.json", **changes,
    }  # fmt: skip
    text = ", ".join(f"{key}: {value}" for key, value in row.items())

    def edit(root: Path) -> None:
        replace(DATA, "deprecations: []", f"deprecations: [{{{text}}}]")(root)
        archive = root / "docs/benchmarks/archived"
        archive.mkdir()
        (archive / "predict.json").write_text("{}\n")

    return edit


def excuse(**changes: str) -> Callable[[Path], None]:
    """Excuse a module from the coverage it owes, properly but for the changes."""
    row = {"least": "40", "reason": "It drives a tool.", "until": "2.1.0"}
    path = changes.pop("path", "packages/pymars/pymars/draft.py")
    session = changes.pop("session", "smoke")
    text = ", ".join(f"{key}: {value}" for key, value in {**row, **changes}.items())

    def edit(root: Path) -> None:
        replace(
            DATA,
            "excluded_folders:",
            f"uncovered:\n  {session}:\n    {path}: {{{text}}}\nexcluded_folders:",
        )(root)
        (root / "noxfile.py").write_text('@task(name="smoke")\ndef smoke_it(session): ...\n')

    return edit


BREACHES = {
    "module without a row": (
        write("packages/pymars/pymars/new.py", "x = 1\n"),
        "packages/pymars/pymars/new.py:1: [row] no row",
    ),
    "row without a module": (delete(INIT), "there is no such module"),
    "reason that is no sentence": (
        replace(DATA, "Evaluates stored models.", "kernels"),
        "[row] packages/core/replay.rs: `reason:` must be one sentence",
    ),
    "answer that is left open": (
        replace(DATA, "summary: Predictions.", "summary: TBD"),
        "[row] TBD is no answer",
    ),
    "unknown category": (
        replace(DATA, "category: declarations", "category: misc"),
        "set `category:` to one of declarations",
    ),
    "category on a compiled row": (
        replace(
            DATA, "    status: compiled\n", "    status: compiled\n    category: declarations\n"
        ),
        "only exempt rows have a category",
    ),
    "limit that has passed": (replace(DATA, "until: 2.1.0", "until: 2.0.0"), "is due"),
    "limit that is missing": (replace(DATA, "    until: 2.1.0\n", ""), "is due"),
    "limit on a compiled row": (
        replace(DATA, "    status: compiled\n", "    status: compiled\n    until: 2.1.0\n"),
        "only floor-only rows run out",
    ),
    "header that differs": (
        replace(INIT, "Names the package.", "Names nothing."),
        f"{INIT}:1: [header] line 1 must be `{EXEMPT.strip()}`",
    ),
    "header that is missing": (write(INIT, '"""The package."""\n'), f"{INIT}:1: [header]"),
    "header on a compiled module": (
        replace("packages/core/replay.rs", "pub", "//" + EXEMPT[1:] + "pub"),
        "claims exemption but its row says compiled",
    ),
    "computation behind a header": (
        replace(INIT, '"""The package."""\n', "def f(a, b):\n    return a @ b\n"),
        f"{INIT}:3: [computes] a matrix product",
    ),
    "module that is not Python": (write(INIT, EXEMPT + "def f(:\n"), f"{INIT}:2: [syntax]"),
    "floor that does not exist": (
        replace("packages/pymars/pymars/floor.py", "def predict(", "def other("),
        "no pymars.floor:predict in the tree",
    ),
    "floor without a compiled row": (
        replace(DATA, "floor: pymars.floor:predict", "floor: pymars.draft:square"),
        "has no row with `status: compiled`",
    ),
    "function without a tier": (
        replace(
            DATA, "[{language: rust, entry: _core.predict, source: packages/core/replay.rs}]", "[]"
        ),
        "no compiled tier",
    ),
    "tier outside the palette": (
        replace(DATA, "language: rust", "language: zig"),
        "not in the pal",
    ),
    "tier without its source": (
        replace(DATA, "source: packages/core/replay.rs", "source: packages/core/gone.rs"),
        "source packages/core/gone.rs is missing",
    ),
    "tier whose source is not compiled": (
        replace(DATA, "source: packages/core/replay.rs", "source: packages/pymars/pymars/draft.py"),
        "packages/pymars/pymars/draft.py has no row with `status: compiled`",
    ),
    "language that serves no function": (
        replace(DATA, "\ncanonical", PALETTE_JULIA + "\ncanonical"),
        "[palette] julia serves no function",
    ),
    "probe that does not exist": (
        replace(DATA, "probe: pymars.floor:can_run", "probe: pymars.floor:never"),
        "[palette] rust: no pymars.floor:never in the tree",
    ),
    "language without a platform": (
        replace(DATA, "platforms: {linux-x86_64: MUST}", "platforms: {}"),
        "[palette] rust: say under `platforms:`",
    ),
    "function that nobody calls": (
        replace(DATA, 'call_sites: ["packages/pymars/pymars/draft.py:predict"]', "call_sites: []"),
        "[call] predict: nobody calls it",
    ),
    "call site that does not call": (
        replace("packages/pymars/pymars/draft.py", "predict(", "other("),
        "[call] predict: packages/pymars/pymars/draft.py does not call predict",
    ),
    "dispatcher without a row": (
        write(
            "packages/pymars/pymars/draft.py", '@register("other", size=len)\ndef predict(): ...\n'
        ),
        "packages/pymars/pymars/draft.py:1: [call] other is a dispatcher without a row",
    ),
    "call past the dispatchers": (
        replace("packages/pymars/pymars/draft.py", "predict(x)", "predict(x._core.predict())"),
        "packages/pymars/pymars/draft.py:2: [call] x._core.predict goes past the dispatchers",
    ),
    "call past the dispatchers that nobody makes": (
        replace("packages/pymars/pymars/draft.py", "_core.fit", "fit"),
        "[call] fit: nobody calls it past the dispatchers",
    ),
    "call past the dispatchers without a reason": (
        replace(DATA, "Nothing stands in for it.", "no"),
        "[call] fit: `reason:` must be one sentence",
    ),
    "call past the dispatchers that nothing checks": (
        replace(DATA, ", checked_by: [DEPRECATIONS.md]", ""),
        "[call] fit: it computes without a floor; name the tests",
    ),
    "call past the dispatchers whose check is gone": (
        replace(DATA, "[DEPRECATIONS.md]", "[tests/gone.py]"),
        "[call] fit: there is no tests/gone.py",
    ),
    "function that was not measured": (
        delete("docs/benchmarks/predict.json"),
        "[benchmark] predict: no docs/benchmarks/predict.json; run nox -s bench-tiers",
    ),
    "production size that is not measured": (
        replace(DATA, "production: [100]", "production: [1000]"),
        "`production:` holds a size that `sizes:` does not",
    ),
    "deprecation past its date": (
        deprecate(removal="2.0.0"),
        "[deprecation] rust: its removal was due with 2.0.0; delete its tiers",
    ),
    "tier that went too early": (
        deprecate(functions="[other]"),
        "its tiers are gone before 3.0.0",
    ),
    "removal by a minor version": (
        deprecate(removal="2.3.0"),
        "2.3.0 is no major version after 2.0.0",
    ),
    "removal without notice": (
        deprecate(minors="[2.1.0]"),
        "name under `minors:` 2 minor versions or more that lie before 3.0.0",
    ),
    "removal at no version": (deprecate(removal="soon"), "must be versions"),
    "deprecation without its measurement": (
        deprecate(archived="docs/benchmarks/archived/rust.json"),
        "no docs/benchmarks/archived/rust.json",
    ),
    "deprecation whose measurement is not archived": (
        deprecate(archived="docs/benchmarks/predict.json"),
        "lies outside docs/benchmarks/archived/",
    ),
    "deprecation that is not announced": (
        deprecate(since="2026-01-01"),
        "DEPRECATIONS.md does not say it; add an entry with the date 2026-01-01",
    ),
    "deprecation without a reason": (deprecate(reason="old"), "`reason:` must be one sentence"),
    "table that is stale": (
        replace("docs/language_policy.md", "Names the package.", "Names it."),
        "docs/language_policy.md:3: [table] not what the data says",
    ),
    "table without markers": (write("docs/language_policy.md", "Rows\n"), "[table]"),
    "lock that is missing": (delete("packages/Cargo.lock"), "packages/Cargo.lock:1: [pin]"),
    "build back end without a bound": (
        replace("packages/pymars/pyproject.toml", "maturin>=1.8,<2", "maturin>=1.8"),
        "packages/pymars/pyproject.toml:1: [pin] bound maturin",
    ),
    "build back end that is missing": (
        delete("packages/pymars/pyproject.toml"),
        "packages/pymars/pyproject.toml:1: [pin] missing; bound maturin",
    ),
    "image by tag": (
        write("packages/Containerfile", "FROM golang:1.26\n"),
        "packages/Containerfile:1: [pin] golang:1.26 is not pinned",
    ),
    "image by tag as a default": (
        write("packages/Containerfile", "ARG BASE=golang:1.26\nFROM ${BASE}\n"),
        "packages/Containerfile:2: [pin] ${BASE} is not pinned",
    ),
    "service by tag": (
        write("packages/compose.yaml", "services:\n  a:\n    image: redis:8\n"),
        "packages/compose.yaml:3: [pin] a: redis:8 is not pinned",
    ),
    "compose file without services": (
        write("packages/compose.yaml", "services:\n"),
        "packages/compose.yaml:1: [pin] no compose file",
    ),
    "compose file that is not YAML": (
        write("packages/compose.yaml", "services: [\n"),
        "packages/compose.yaml:1: [pin] no compose file",
    ),
    "Go without its toolchain": (
        write("packages/go.mod", "module x\n\ngo 1.24\n"),
        "packages/go.mod:1: [pin] no toolchain",
    ),
    "Go that needs others without go.sum": (
        write("packages/go.mod", "module x\n\ntoolchain go1.26.8\n\nrequire a.b/c v1.0.0\n"),
        "packages/go.mod:5: [pin] it needs others and has no go.sum",
    ),
    "language without a pin": (
        replace(
            DATA,
            "[{file: packages/pymars/pyproject.toml, pattern: build-system, mend: name it}]",
            "[]",
        ),
        "[palette] python: nothing is pinned",
    ),
    "excuse for a module that is gone": (
        excuse(path="packages/gone.py"),
        "[coverage] packages/gone.py: there is no such module",
    ),
    "excuse that has run out": (
        excuse(until="2.0.0"),
        "draft.py: its tests were due by 2.0.0",
    ),
    "excuse without a reason": (excuse(reason="hard"), "draft.py: `reason:` must be one sentence"),
    "excuse for what is covered": (excuse(least="95"), "`least:` must lie from 0 to 94"),
    "excuse by no session": (excuse(session="soon"), "noxfile.py has no session soon"),
    "action by tag": (
        replace(".github/workflows/ci.yml", SHA, "v6"),
        ".github/workflows/ci.yml:2: [pin] actions/checkout@v6 is not pinned",
    ),
    "action without its version": (
        replace(".github/workflows/ci.yml", " # v6.0.2", ""),
        "does not say its version",
    ),
}


REAL = find_root(Path(__file__))
PINNED = [
    (language, pin)
    for language, known in policy.read(REAL).policy.palette.items()
    for pin in known.pins
]


@pytest.mark.parametrize(
    ("language", "pin"), PINNED, ids=[f"{name}-{pin.file}" for name, pin in PINNED]
)
def test_each_real_pin_is_missed(language: str, pin: Pin, tmp_path: Path) -> None:
    """The pins of this repository, in a copy of their files with one of them gone or loosened."""
    for _, each in PINNED:
        (tmp_path / each.file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REAL / each.file, tmp_path / each.file)
    here = replace_root(policy.read(REAL), root=tmp_path, modules={})
    assert list(pins(here)) == []
    place = tmp_path / pin.file
    kept = place.read_text()
    loosened = re.sub(pin.pattern, "", kept, flags=re.MULTILINE)
    for text in (loosened, None):
        if text is None:
            place.unlink()
        else:
            place.write_text(text)
        found = [str(finding) for finding in pins(here)]
        assert any(line.startswith(f"{pin.file}:1: [pin]") for line in found), found


def test_an_image_that_the_caller_names_needs_no_pin(tree: Path) -> None:
    write("packages/Containerfile", "ARG BASE\nFROM ${BASE}\n")(tree)
    assert policy.check(tree) == []


def test_a_tree_that_keeps_the_policy_has_no_findings(tree: Path) -> None:
    assert policy.check(tree) == []


def test_a_proper_deprecation_and_a_pinned_image_are_no_findings(tree: Path) -> None:
    deprecate()(tree)
    image = f"FROM golang@sha256:{64 * '0'} AS build\nFROM scratch\nCOPY --from=build /a /a\n"
    write("packages/Containerfile", image + "FROM build\n")(tree)
    policy.fix(tree)
    assert policy.check(tree) == []


@pytest.mark.parametrize(("breach", "expected"), BREACHES.values(), ids=BREACHES)
def test_each_breach_is_found(tree: Path, breach: Callable[[Path], None], expected: str) -> None:
    breach(tree)
    found = [str(finding) for finding in policy.check(tree)]
    assert any(expected in line for line in found), found
    assert not any("\n" in line for line in found)


def test_the_page_lists_the_rules_that_can_fail(tmp_path: Path) -> None:
    shown = set()
    for number, (breach, _) in enumerate(BREACHES.values()):
        root = plant(tmp_path / str(number))
        breach(root)
        shown |= {finding.rule for finding in policy.check(root)}
    page = (find_root(Path(__file__)) / "docs/language_policy.md").read_text()
    section = page.partition("## Findings")[2].partition("## ")[0]
    named = {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")}
    assert named == shown


def test_an_unknown_key_names_the_nearest_one(tree: Path) -> None:
    replace(DATA, "    category: declarations", "    categori: declarations")(tree)
    with pytest.raises(GateError, match="did you mean `category`"):
        policy.check(tree)


def test_a_status_outside_the_three_is_refused(tree: Path) -> None:
    replace(DATA, "status: floor-only", "status: TBD")(tree)
    with pytest.raises(GateError, match="draft"):
        policy.check(tree)


def test_fix_takes_the_row_from_the_header_and_leaves_the_category_open(tree: Path) -> None:
    new = "packages/pymars/pymars/new.py"
    write(new, EXEMPT.replace("Names the package.", 'Says "a: b" and no more.') + "x = 1\n")(tree)
    assert policy.fix(tree) == [DATA, "docs/language_policy.md"]
    (finding,) = policy.check(tree)
    assert (finding.rule, finding.file) == ("row", DATA)
    assert "set `category:`" in finding.message
    assert finding.line == (tree / DATA).read_text().splitlines().index(f"  {new}:") + 1


def test_fix_never_decides_a_status(tree: Path) -> None:
    write("packages/pymars/pymars/new.py", "x = 1\n")(tree)
    write("packages/core/new.rs", "pub fn f() {}\n")(tree)
    assert policy.fix(tree) == []
    assert [finding.rule for finding in policy.check(tree)] == ["row", "row"]


def test_fix_refuses_to_append_rows_to_another_section(tree: Path) -> None:
    with (tree / DATA).open("a") as stream:
        stream.write("excluded_folders: [tests]\n")
    replace(DATA, "excluded_folders: [tests]\n", "")(tree)
    write("packages/pymars/pymars/new.py", EXEMPT)(tree)
    with pytest.raises(GateError, match="not the last section"):
        policy.fix(tree)


def test_fix_writes_the_header_of_the_row_and_keeps_the_rest(tree: Path) -> None:
    write(INIT, '"""The package."""\n')(tree)
    assert policy.fix(tree) == [INIT]
    assert (tree / INIT).read_text() == FILES[INIT]
    replace(INIT, "Names the package.", "Names nothing.")(tree)
    policy.fix(tree)
    assert (tree / INIT).read_text() == FILES[INIT]


def test_fix_takes_back_a_header_that_its_row_denies(tree: Path) -> None:
    draft = "packages/pymars/pymars/draft.py"
    write(draft, EXEMPT + FILES[draft])(tree)
    assert policy.fix(tree) == [draft]
    assert (tree / draft).read_text() == FILES[draft]


@pytest.mark.parametrize(
    "source",
    [
        "c = a @ b",
        "import numpy as np\nx = np.einsum('ij,j', a, b)",
        "from numpy import dot\nx = dot(a, b)",
        "import numpy.linalg as la\nx = la.solve(a, b)",
        "import numpy as np\nx = np.linalg.norm(a)",
        "x = a.dot(b)",
        "import numpy as np\nfor c in columns:\n    total = np.sum(c)",
        "import math\nx = [math.exp(v) for v in values]",
        "for i in r:\n    out[i] = a[i] * b[i]",
        "for i in r:\n    out[i] += a[i] * 2",
        "while go:\n    x = rows[i, j] - mean",
        "for i in r:\n    x = a[i] + b[i]",
        "x = sum(a * b for a, b in pairs)",
    ],
)
def test_computation_is_seen(source: str) -> None:
    assert find_computation(source)


@pytest.mark.parametrize(
    "source",
    [
        "x = a + b",
        "import numpy as np\nx = np.asarray(a, dtype=float)",
        "import numpy as np\nok = np.isfinite(a).all()",
        "for name in names:\n    counts[name] += 1",
        "for i in r:\n    text = lines[i] + '\\n'",
        "for i in r:\n    text = lines[i] + suffix",
        "for part in parts:\n    path = root / part['name']",
        "for i in r:\n    rest = text[:i] + text[i + 1:]",
        "for pair in pairs:\n    x = pair[0] * 2",
        "for pair in pairs:\n    x = pair[-1] + 1",
        "total = sum(len(x) for x in rows)",
    ],
)
def test_text_and_counting_are_not_computation(source: str) -> None:
    assert find_computation(source) == []


def test_patterns_over_lines_are_seen_where_users_bring_the_text() -> None:
    by_module = "import re\nfor line in text.splitlines():\n    re.search('a', line)\n"
    by_pattern = "rows = [PATTERN.match(x) for x in stream.readlines()]\n"
    for source in (by_module, by_pattern):
        assert [what for _, what in find_computation(source, patterns=True)] == [
            "a pattern over lines"
        ]
        assert find_computation(source) == []
    assert find_computation("for line in stream:\n    line.split(',')\n", patterns=True) == []
    assert find_computation("for name in names:\n    re.search('a', name)\n", patterns=True) == []


def test_too_little_coverage_is_found(tree: Path) -> None:
    def summary(percent: float) -> dict[str, object]:
        return {"summary": {"percent_covered": percent}, "missing_lines": [7, 9]}

    def found(**shares: float) -> list[str]:
        files = {
            "/env/site-packages/pymars/floor.py": summary(shares.get("floor", 95.0)),
            "packages/pymars/pymars/draft.py": summary(shares.get("draft", 95.0)),
            "packages/pymars/pymars/__init__.py": summary(100.0),
            "elsewhere.py": summary(0.0),
        }
        files = {name: facts for name, facts in files.items() if shares.get(name) != -1.0}
        report.write_text(json.dumps({"files": files}))
        return [str(finding) for finding in policy.check_coverage(tree, report)]

    report = tree / "coverage.json"
    assert found() == []
    (line,) = found(floor=94.9)
    assert line.startswith("packages/pymars/pymars/floor.py:7: [coverage] 94.9 %")
    (line,) = found(**{"/env/site-packages/pymars/floor.py": -1.0})
    assert line.startswith("packages/pymars/pymars/floor.py:1: [coverage] 0.0 %")
    excuse()(tree)
    assert found(draft=40.0) == []
    (line,) = found(draft=39.9)
    assert "draft.py:7: [coverage] 39.9 % of it is run by tests, 40 % are owed" in line
    (line,) = found(draft=95.0)
    assert line.startswith(DATA) and "95.0 % are run by tests; delete the row" in line
    report.write_text("{}")
    with pytest.raises(GateError, match="no coverage report"):
        policy.check_coverage(tree, report)


def test_this_checkout_keeps_the_policy() -> None:
    assert [str(finding) for finding in policy.check(find_root(Path(__file__)))] == []
