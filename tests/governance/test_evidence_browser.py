"""The evidence page in a real, headless Chromium: `nox -s evidence-page`.

Without a browser these tests are skipped by name; that session installs one and then takes no skip.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from hpcgate import page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SURFACES = {"light": "rgb(248, 246, 241)", "dark": "rgb(20, 18, 15)"}
OPEN_ALL = "document.querySelectorAll('details').forEach(d => d.open = true)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    missing = pytest.fail if os.environ.get("HPC_NEED_BROWSER") else pytest.skip
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("no playwright here; run: nox -s evidence-page")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        missing("no Chromium here; run: apt-get install chromium")
    with sync_playwright() as driver:
        # Chromium keeps no sandbox for root, as in a container. The page is our own file.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        started = driver.chromium.launch(executable_path=program, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(browser: Any, shown: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("page") / "evidence.html"
    path.write_text(page.render(shown.root, now=datetime(2031, 1, 1, tzinfo=timezone.utc)))
    return path.as_uri()


@contextmanager
def opened(browser: Any, address: str, *, width: int = 1100, **options: Any) -> Iterator[Any]:
    """Open the page without network, and fail on any request, message or error."""
    context = browser.new_context(offline=True, viewport={"width": width, "height": 800}, **options)
    tab = context.new_page()
    requests: list[str] = []
    said: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(address)
    yield tab
    assert requests == [address]
    assert said == []
    context.close()


def focused(tab: Any) -> str:
    """Return the element that has the focus, by its tag and first words."""
    return str(
        tab.evaluate(
            "(e => e.tagName + ' ' + e.textContent.trim().split(/\\s+/).slice(0, 3).join(' '))"
            "(document.activeElement)"
        )
    )


def test_it_opens_from_a_file_without_network(browser: Any, address: str) -> None:
    with opened(browser, address) as tab:
        assert tab.title().startswith("Evidence of mars-earth ")
        assert tab.locator("h1").inner_text() == "Evidence"
        plots = tab.locator("svg.plot").all()
        assert plots
        assert all(plot.bounding_box()["height"] > 100 for plot in plots)


def test_hostile_words_are_shown_and_do_nothing(browser: Any, address: str) -> None:
    with opened(browser, address) as tab:
        tab.evaluate(OPEN_ALL)
        assert tab.title() != "taken"
        assert tab.locator("script, img").count() == 0
        assert tab.get_by_text("<script>document.title='taken'</script>").first.is_visible()


def test_a_script_could_not_run_even_if_one_were_there(browser: Any, address: str) -> None:
    with opened(browser, address) as tab:
        rule = tab.locator("meta[http-equiv]").get_attribute("content")
        assert rule.startswith("default-src 'none'")
        assert "script-src" not in rule
    context = browser.new_context(offline=True)
    tab = context.new_page()
    tab.goto(address)
    tab.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        "{textContent: 'document.title = \"taken\"'}))"
    )
    assert tab.title() != "taken"
    context.close()


def test_light_and_dark_have_their_own_colours(browser: Any, address: str) -> None:
    pictures = {}
    for scheme, surface in SURFACES.items():
        with opened(browser, address, color_scheme=scheme) as tab:
            paint = "e => getComputedStyle(document.querySelector(e)).{}"
            assert tab.evaluate(paint.format("backgroundColor"), "body") == surface
            colours = {tab.evaluate(paint.format("color"), e) for e in ("body", "a", "dt")}
            assert len(colours) == 3
            pictures[scheme] = (tab.screenshot(), colours)
    assert pictures["light"][0] != pictures["dark"][0]
    assert not pictures["light"][1] & pictures["dark"][1]


def test_the_keyboard_reaches_and_opens_everything(browser: Any, address: str) -> None:
    with opened(browser, address) as tab:
        tab.keyboard.press("Tab")
        assert focused(tab) == "A Skip to the"
        box = tab.locator(".skip").bounding_box()
        assert box["x"] >= 0
        assert box["y"] >= 0
        tab.keyboard.press("Enter")
        assert tab.evaluate("document.activeElement.id") == "main"
        tab.evaluate(OPEN_ALL)
        wanted = tab.locator("summary").count()
        tab.evaluate("document.activeElement.blur()")
        reached, last = 0, ""
        for _ in range(4 * wanted + 100):
            tab.keyboard.press("Tab")
            last = tab.evaluate("document.activeElement.tagName")
            reached += last == "SUMMARY"
            if last == "BODY":
                break
        assert reached == wanted > 10


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_key_opens_and_closes_a_disclosure(browser: Any, address: str, key: str) -> None:
    with opened(browser, address) as tab:
        closed = tab.locator("details:not([open]) > summary").first.element_handle()
        closed.focus()
        outline = "e => getComputedStyle(e).outlineStyle"
        tab.keyboard.press("Shift+Tab")
        tab.keyboard.press("Tab")
        assert tab.evaluate(outline, closed) == "solid"
        for state in (True, False):
            tab.keyboard.press(key)
            assert closed.evaluate("e => e.parentElement.open") is state


def test_a_link_to_a_record_opens_what_hides_it(browser: Any, address: str) -> None:
    with opened(browser, address) as tab:
        link = tab.locator("#requirements ~ details[open] td a").first
        target = tab.locator(f"[id='{link.get_attribute('href')[1:]}']")
        assert not target.is_visible()
        link.click()
        assert target.is_visible()


@pytest.mark.parametrize("opening", [False, True])
def test_it_fits_320_pixels(browser: Any, address: str, opening: bool) -> None:
    with opened(browser, address, width=320) as tab:
        if opening:
            tab.evaluate(OPEN_ALL)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 320
        sizes = tab.evaluate(
            "[...document.querySelectorAll('main *')].filter(e => e.checkVisibility() &&"
            "[...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()))"
            ".map(e => parseFloat(getComputedStyle(e).fontSize))"
        )
        assert min(sizes) >= 12


def test_print_shows_what_is_folded(browser: Any, address: str) -> None:
    with opened(browser, address) as tab:
        tab.emulate_media(media="print")
        assert tab.locator("nav").is_hidden()
        table = tab.locator("details:not([open]) table").first
        assert table.bounding_box()["height"] > 20
        assert (
            tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        )
        assert len(re.findall(rb"/Type\s*/Page\b", tab.pdf(format="A4"))) >= 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1100])
def test_axe_finds_nothing(browser: Any, address: str, scheme: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with opened(browser, address, width=width, color_scheme=scheme) as tab:
        tab.evaluate(OPEN_ALL)
        result = Axe().run(tab)
        assert len(result.response["passes"]) > 20
        assert result.violations_count == 0, result.generate_report()
        # axe cannot judge a glyph as text; each stands before its word and is hidden from readers.
        unsure = [node["html"] for item in result.response["incomplete"] for node in item["nodes"]]
        assert [html for html in unsure if 'aria-hidden="true"' not in html] == []
