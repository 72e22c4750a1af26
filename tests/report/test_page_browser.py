"""The report page in a real browser: nothing goes wrong, nothing leaves the page, and its tables are sorted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from symloss.report import document_of
from symloss.report.page.html import as_html
from tests.browser import Browser, chromium
from tests.report.made import HOSTILE, comparison

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="no Chromium is installed: apt-get install chromium"
)

COLUMN = "[...document.querySelectorAll('#part-2 ~ .scroll tbody tr')].map(row => row.cells[%d].textContent.trim())"
HEAD = "document.querySelectorAll('#part-2 ~ .scroll thead th')[%d]"
CONTRAST = """(() => {
  const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number)
    .map((x) => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
    .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
  const paper = light(getComputedStyle(document.body).backgroundColor);
  return ["p", "caption", "thead th", "a[href^='#part']", "figcaption", "dt"].map((each) => {
    const ink = light(getComputedStyle(document.querySelector(each)).color);
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  });
})()"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as one:
        yield one


@pytest.fixture(scope="module")
def report(result: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a search in which every text would be markup if it could."""
    name = " ".join(HOSTILE)
    task = {**result.task, "name": name}
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(as_html(document_of(replace(result, task=task, notes=(name,)))), encoding="utf-8")
    return path


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (375, 800)])
def test_it_renders_for_every_reader(
    browser: Browser, report: Path, width: int, height: int, dark: bool
) -> None:
    browser.look(width, height, dark)
    browser.open(report)
    assert browser.troubles == []
    assert [url for url in browser.requests if not url.startswith("data:")] == [report.resolve().as_uri()]
    assert not [event for event in browser.events if event.get("method") == "Page.javascriptDialogOpening"]
    # What is wider than a phone is moved by itself, never the page.
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run(
        "[...document.querySelectorAll('.scroll')].every(e => getComputedStyle(e).overflowY === 'hidden')"
    )
    assert browser.run("document.querySelectorAll('svg').length") >= 5
    assert browser.run(
        "[...document.querySelectorAll('svg')].every(svg => svg.getBoundingClientRect().height > 50)"
    )
    assert min(browser.run(CONTRAST)) >= 4.5


def test_text_of_a_run_is_text(browser: Browser, report: Path) -> None:
    browser.open(report)
    assert browser.run("document.querySelectorAll('script').length") == 1
    assert (
        browser.run("document.querySelectorAll('img, iframe, object, embed, link:not([rel=icon])').length")
        == 0
    )
    assert HOSTILE[0] in browser.run("document.querySelector('h1').textContent")
    assert HOSTILE[3] in browser.run("document.querySelector('h1').textContent")


def test_the_front_is_sorted_by_any_column(browser: Browser, report: Path) -> None:
    browser.look(1280, 900)
    browser.open(report)
    assert browser.run("document.querySelector('#part-2').textContent") == "The front"
    heads = browser.run(
        "[...document.querySelectorAll('#part-2 ~ .scroll thead th')].map(h => h.textContent.trim())"
    )
    column = heads.index("mse")
    before = browser.run(COLUMN % column)
    assert before == sorted(before, reverse=True)
    assert len(before) == 3
    browser.run(f"{HEAD % column}.querySelector('button').click()")
    assert browser.run(COLUMN % column) == sorted(before)
    assert browser.run(f"{HEAD % column}.getAttribute('aria-sort')") == "ascending"
    browser.run(f"{HEAD % column}.querySelector('button').click()")
    assert browser.run(COLUMN % column) == before
    assert browser.run(f"{HEAD % column}.getAttribute('aria-sort')") == "descending"
    # What has no number comes last, up or down.
    score = heads.index("score")
    for _ in range(2):
        browser.run(f"{HEAD % score}.querySelector('button').click()")
        assert browser.run(COLUMN % score)[-1] == "-"


def test_formulas_are_set_as_mathematics(browser: Browser, report: Path) -> None:
    browser.open(report)
    assert browser.run("document.querySelector('math').namespaceURI") == "http://www.w3.org/1998/Math/MathML"
    size = browser.run(
        "(box => [box.width, box.height])(document.querySelector('math').getBoundingClientRect())"
    )
    assert min(size) > 5


def test_a_comparison_renders_too(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(as_html(document_of(comparison())), encoding="utf-8")
    browser.open(path)
    assert browser.troubles == []
    assert HOSTILE[4] in browser.run("document.querySelector('main').textContent")
