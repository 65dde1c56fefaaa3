"""The evidence page: everything on it, nothing from elsewhere, and hostile text stays text."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from datetime import datetime, timezone
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hpcgate import evidence, page
from hpcgate.errors import GateError
from hpcgate.page.collect import read_benchmark
from hpcgate.page.plots import plot
from hpcgate.repo import find_root

ROOT = find_root(Path(__file__).parent)
NOW = datetime(2031, 1, 1, tzinfo=timezone.utc)
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Reader(HTMLParser):
    """Read a page strictly: every element is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"{tag} closes another element"

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, name: str) -> list[str]:
        return [value for _, known, value in self.attributes if known == name]


@pytest.fixture(scope="module")
def text(shown: Any) -> str:
    return page.render(shown.root, now=NOW)


def test_the_page_holds_everything_a_reviewer_asks_for(shown: Any, text: str) -> None:
    found = Reader(text)
    words = found.text()
    for wanted in evidence.contract(shown.root).requirements:
        assert wanted.title in words
        assert wanted.id in words
        assert wanted.deliverable in words
    for record in evidence.load(shown.root):
        assert record.id in found.values("id")
        assert record.path in words
    assert "not committed yet" in words
    assert "tampered: its bytes do not match the digest in its name" in words
    assert "nox -s smoke-easybuild" in words
    assert "Held-out R squared" in words
    assert re.search(r"The claims gate read \d+ texts", words)
    assert found.tags["svg"] >= 1


def test_every_link_on_the_page_has_its_target(text: str) -> None:
    found = Reader(text)
    ids = found.values("id")
    assert [name for name, times in Counter(ids).items() if times > 1] == []
    links = [value for tag, name, value in found.attributes if (tag, name) == ("a", "href")]
    assert links
    for link in links:
        assert link.startswith("#")
        assert link[1:] in ids
    for label in found.values("aria-labelledby"):
        assert label in ids


def test_nothing_on_the_page_comes_from_elsewhere_or_runs(text: str) -> None:
    found = Reader(text)
    assert not {"script", "iframe", "object", "embed", "img", "form", "base"} & found.tags.keys()
    assert [name for _, name, _ in found.attributes if name.startswith("on")] == []
    assert found.values("style") == []
    sources = found.values("src") + [
        v for t, n, v in found.attributes if (t, n) == ("link", "href")
    ]
    assert sources == ["data:,"]
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_hostile_text_stays_text(shown: Any, text: str) -> None:
    said = next(known.reason for known in evidence.load(shown.root) if known.reason)
    assert "<script>" in said
    assert "<script" not in text
    assert "onerror=alert(1)>" not in text
    assert said in Reader(text).text()


def test_the_document_has_a_language_a_title_and_headings_in_order(text: str) -> None:
    found = Reader(text)
    assert ("html", "lang", "en") in found.attributes
    assert "<title>Evidence of mars-earth " in text
    levels = [int(level) for level in re.findall(r"<h([1-6])[ >]", text)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert found.tags["table"] == found.tags["caption"]
    cells = [name for tag, name, _ in found.attributes if tag == "th"]
    assert cells.count("scope") == found.tags["th"]
    assert found.tags["main"] == found.tags["nav"] == found.tags["header"] == 1


def test_the_same_checkout_at_the_same_moment_gives_the_same_bytes(
    shown: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1900000000")
    first = page.write(shown.root).read_bytes()
    assert page.write(shown.root).read_bytes() == first
    assert b"2030-03-17 17:46 UTC" in first


def test_a_moment_that_is_no_number_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("soon", "1" * 40):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
        with pytest.raises(GateError, match="no number of seconds"):
            page.moment()


def test_an_empty_ledger_and_no_benchmark_still_make_a_page(checkout: Any) -> None:
    text = Reader(page.render(checkout.root, now=NOW)).text()
    assert "No level is reached." in text
    assert "The ledger is empty." in text
    assert "There is no benchmark record." in text


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\x00\xff", "is not JSON text"),
        (b'{"cases": [', "is not JSON text"),
        (b"[" * 100_000, "is not JSON text"),
        (b"[]", "is not a map"),
        (b'{"about": "x", "cases": 3}', "no drawing"),
        (b'{"about": "x", "cases": [3, {"a": [1]}]}', "no drawing"),
        (b'{"tolerance": NaN, "cases": [{"difference": Infinity}]}', "no drawing"),
        (b'{"tolerance": 1, "cases": [{"difference": 1e308, "degree": true}]}', "no drawing"),
        (b'{"tolerance": 1e-320, "cases": [{"difference": 0}]}', "no drawing"),
        (b'{"tolerance": 1, "cases": [{"difference": 1%s}]}' % (b"0" * 400), "no drawing"),
        (b'{"tolerance": 1, "cases": [{"difference": 2, "n": "<script>"}]}', "a diamond"),
        (b'{"cases": [{"fit_seconds": 1e-300}]}', "no drawing"),
        (b'{"cases": [{"fit_seconds": 1e-30, "n": "<script>"}]}', "logarithmic"),
    ],
)
def test_a_benchmark_of_any_shape_is_shown_or_named(
    checkout: Any, content: bytes, problem: str
) -> None:
    (checkout.root / "docs/benchmarks").mkdir()
    (checkout.root / "docs/benchmarks/x.json").write_bytes(content)
    found = read_benchmark(checkout.root, Path("docs/benchmarks/x.json"))
    assert re.search(problem, found.problem or found.drawing or "no drawing")
    assert "<script" not in found.drawing


def test_a_benchmark_that_links_out_of_the_checkout_is_named(checkout: Any, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"about": "secret"}')
    (checkout.root / "docs/benchmarks").mkdir()
    (checkout.root / "docs/benchmarks/x.json").symlink_to(tmp_path / "x.json")
    found = read_benchmark(checkout.root, Path("docs/benchmarks/x.json"))
    assert found.problem == "a symbolic link out of the checkout"
    assert found.about == ""


def test_a_file_name_that_is_no_text_is_spelled_out(checkout: Any) -> None:
    folder = checkout.root / evidence.LEDGER / "tests"
    folder.mkdir(parents=True)
    (folder / os.fsdecode(b"\xff<script>")).write_bytes(b"\x00")
    text = page.write(checkout.root).read_text()
    assert "\\udcff&lt;script&gt;" in text
    assert "<script" not in text


def test_packets_that_cannot_be_assembled_are_said(checkout: Any) -> None:
    (checkout.root / "packaging/hpsf/packet.yaml").write_text("[")
    assert "The packets cannot be assembled: " in page.render(checkout.root, now=NOW)


# -- Drawings --------------------------------------------------------------------------------------


def test_differences_are_drawn_by_group_and_beyond_the_tolerance_by_another_shape() -> None:
    cases = [
        {"data": "a, split 0", "degree": 1, "difference": 0.001},
        {"data": "a, split 1", "degree": 1, "difference": -0.02},
        {"data": "a, split 1", "degree": 2, "difference": 0.0},
    ]
    drawing = plot({"tolerance": 0.01}, cases)
    assert drawing.count("<circle") == 2
    assert drawing.count('class="odd"') == 1
    assert ">a, degree 1<" in drawing
    assert ">a, degree 2<" in drawing
    places = [float(x) for x in re.findall(r'cx="([-\d.]+)%"', drawing)]
    assert places[1] == pytest.approx(50)
    assert places[0] == pytest.approx(50 + 48 * 0.001 / (0.02 * 1.08), abs=0.01)


def test_times_are_drawn_on_a_logarithmic_scale_with_their_quartiles() -> None:
    case = {"rows": 1000, "fit_seconds": 0.1, "fit_seconds_q1": 0.01, "fit_seconds_q3": 1.0}
    drawing = plot({}, [case])
    assert drawing.count("<circle") == 1
    assert 'class="spread" x1="2.00%" x2="98.00%"' in drawing
    assert 'cx="50.00%"' in drawing


def test_the_record_of_this_checkout_is_drawn() -> None:
    record = json.loads((ROOT / "docs/benchmarks/r_earth_parity.json").read_text())
    drawing = plot(record, record["cases"])
    assert drawing.count("<circle") + drawing.count('class="odd"') == len(record["cases"])


# -- Contrast --------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_colour_of_words_is_legible_on_every_surface() -> None:
    style = (Path(page.__file__).parent / "style.css").read_text()
    palettes = re.findall(r":root \{([^}]*)\}", style)
    assert len(palettes) == 3  # light, dark, print
    for palette in palettes:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", palette))
        for words in ("ink", "soft", "mars", "pass", "fail", "warn"):
            for surface in ("paper", "card"):
                one, two = sorted((luminance(colours[words]), luminance(colours[surface])))
                assert (two + 0.05) / (one + 0.05) >= 4.5, (words, surface, palette)
