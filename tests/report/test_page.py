"""The report of a run: what it says, and that nothing of a run can say anything in HTML or LaTeX."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from symloss import named
from symloss.compare import Adaptation, Comparison, Transfer
from symloss.errors import DomainError
from symloss.report import document_of
from symloss.report.page.common import Made
from symloss.report.page.document import Document, Picture, Section, Shown, Table
from symloss.report.page.html import as_html
from symloss.report.page.references import _ZOO, METHOD_KEYS, _entries, bibtex, keys_of_names
from symloss.report.page.tex import as_tex
from symloss.runs import Origin
from symloss.zoo.entries import ENTRIES
from tests.report.made import HOSTILE, adaptation, comparison, few_shot, transfer

MADE = Made(
    Path("runs/my run"), Origin(("discover", "diabetes", "--seed", "1"), {"python": "3.12"}, "Linux, x86_64"),
    {"population": 4, "blocks": {"final": 12, "zoo": True}},
)  # fmt: skip


@pytest.fixture(scope="module")
def document(result: Any) -> Document:
    return document_of(result, MADE)


@pytest.fixture(scope="module")
def page(document: Document) -> str:
    return as_html(document)


class Structure(HTMLParser):
    """The tags of a page, checked for what a reader by ear needs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return {
        "comparison": comparison(),
        "transfer": transfer(),
        "adaptation": adaptation(),
        "few shot": few_shot(),
    }


def test_a_search_says_what_was_done_found_proved_and_how_to_do_it_again(
    document: Document, page: str
) -> None:
    titles = [section.title for section in document.sections if section.blocks]
    assert titles == [
        "What was done", "The front", "The pick", "Against the ordinary loss", "What the pick looks like",
        "How the search went", "How to reproduce it", "How to cite it",
    ]  # fmt: skip
    text = html.unescape(re.sub(r"<[^>]+>", "", page))
    assert "does not beat the tuned baseline" in document.lead or "beats the tuned baseline" in document.lead
    assert "symloss discover diabetes --seed 1" in text
    assert "symloss verify 'runs/my run'" in text
    assert "python 3.12" in text
    assert "It is least where the prediction meets the target." in text
    assert "@article{huber1964," in text
    assert "@article{green1990," not in text
    assert page.count("<math") > 5


def test_the_page_is_built_for_every_reader(page: str) -> None:
    found = Structure(page)
    assert found.of("html") == [{"lang": "en"}]
    assert len(found.of("h1")) == 1
    assert len(found.ids) == len(set(found.ids))
    for picture in found.of("svg"):
        assert picture["role"] == "img"
        assert picture["aria-labelledby"] in found.ids
    assert len(found.of("svg")) >= 5
    assert all(head["scope"] in ("col", "row") for head in found.of("th"))
    assert len(found.of("caption")) == len(found.of("table"))
    assert found.of("main")
    assert found.of("nav")


def test_the_only_script_is_ours_and_the_policy_says_so(page: str) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", page, flags=re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert f"script-src 'sha256-{html.unescape(digest)}'" in html.unescape(policy)
    assert "default-src 'none'" in policy
    outside = re.findall(r"""(?:src|href)=["'](?!#|data:)([^"']*)""", page)
    assert outside == []


def test_no_text_of_a_run_is_markup(result: Any, page: str) -> None:
    name = " ".join(HOSTILE)
    task = {**result.task, "name": name, "metric": name}
    hostile = replace(result, task=task, notes=(name,), method=name, status=name)
    made = Made(None, Origin((name,), {name: name}, name), {name: name})
    found, usual = Structure(as_html(document_of(hostile, made))), Structure(page)
    assert len(found.of("script")) == 1
    assert {tag for tag, _ in found.tags} <= {tag for tag, _ in usual.tags} | {"li", "ul"}
    assert not [key for _, attributes in found.tags for key in attributes if key.startswith("on")]


@pytest.mark.parametrize("kind", ["comparison", "transfer", "adaptation", "few shot"])
def test_every_verb_that_ends_in_a_table_has_a_report(found: dict[str, Any], kind: str) -> None:
    document = document_of(found[kind], MADE)
    tables = [block for section in document.sections for block in section.blocks if isinstance(block, Table)]
    pictures = [
        block for section in document.sections for block in section.blocks if isinstance(block, Picture)
    ]
    assert tables
    assert pictures
    assert all(picture.alternative for picture in pictures)
    page = as_html(document)
    assert page.count("<table") == len(tables)
    assert page.count("<svg") == len(pictures)
    assert ("@inproceedings{finn2017," if kind == "few shot" else "@article{nadeau2003,") in page


def test_an_interrupted_run_has_one_too(result: Any) -> None:
    nothing = replace(result, front=(), evaluations=(), baselines=(), status="interrupted")
    assert "No candidate was trained to the end." in as_html(document_of(nothing))
    for empty in (
        Comparison(None, {"name": "wine"}, "accuracy", 0, 3, 10, None, (), status="interrupted"),
        Transfer(None, {"name": "wine"}, "accuracy", 0, 3, 10, None, (), status="interrupted"),
        Adaptation(None, {"name": "wine"}, "accuracy", "neural", 0, 0, {}, ()),
    ):
        assert "interrupted" in as_html(document_of(empty)) or isinstance(empty, Adaptation)
    with pytest.raises(DomainError, match="no report is written of int"):
        document_of(3)


def test_bibtex_is_of_what_was_used_and_no_more() -> None:
    text = bibtex(
        [*METHOD_KEYS["taylorglo"], *keys_of_names(["gce(q=0.5)", "best zoo: gce"], "classification")]
    )
    assert re.findall(r"@\w+\{(\w+),", text) == ["symloss", "gonzalez2021", "hansen2001", "zhang2018"]
    assert keys_of_names(["mae"], "regression") == ("laplace1774",)
    assert keys_of_names(["y*log(p)", "runs/a#1", ""], "classification") == ()


def test_every_loss_of_the_zoo_has_the_entry_of_its_reference() -> None:
    entries = _entries()
    for entry in ENTRIES:
        (key,) = keys_of_names([entry.title(entry.defaults)], entry.kind)
        year = re.search(r"year = \{(\d+)\}", entries[key])
        author = re.search(r"author = \{([^,}]+)", entries[key])
        assert year is not None
        assert author is not None
        assert year[1] in entry.reference
        assert author[1].replace('\\"o', "ö") in entry.reference
    assert {key for keys in METHOD_KEYS.values() for key in keys} | set(_ZOO.values()) <= set(entries)


def test_latex_escapes_whatever_a_run_says(result: Any) -> None:
    name = r"\input{/etc/passwd} 100 % of a_b & ${x}$ ü→"
    bare = replace(result, task={**result.task, "name": name}, evaluations=())
    text, included = as_tex(document_of(bare, MADE), "report")
    assert r"\input" not in text.replace(r"\textbackslash{}input", "")
    assert r"100 \% of a\_b \& \$\{x\}\$ \"u?" in text
    assert {"report.bib", "report-front.pdf", "report-tree.pdf"} <= set(included)
    assert included["report-front.pdf"].startswith(b"%PDF")
    assert text.count(r"\bottomrule") == 2


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX is installed: pdflatex is missing")
def test_the_document_compiles(result: Any, found: dict[str, Any], tmp_path: Path) -> None:
    hostile = replace(result, task={**result.task, "name": " ".join(HOSTILE)}, notes=HOSTILE)
    for place, each in enumerate((hostile, *found.values())):
        text, included = as_tex(document_of(each, MADE), f"r{place}")
        (tmp_path / f"r{place}.tex").write_text(text)
        for name, content in included.items():
            (tmp_path / name).write_bytes(content)
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"r{place}"], cwd=tmp_path,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:]
        wide = re.findall(r"Overfull \\hbox \(([\d.]+)pt", done.stdout)
        assert all(float(width) < 30 for width in wide), done.stdout[-3000:]


def test_a_picture_that_cannot_be_drawn_is_left_out() -> None:
    def draw() -> Any:
        raise DomainError("infinite")

    document = Document("A", "b", (Section("C", (Picture("x", "t", "a", draw),)),))
    assert "<svg" not in as_html(document)
    assert ">C<" not in as_html(document)
    assert as_tex(document, "r")[1] == {}


def test_formulas_are_mathematics_and_neural_losses_words(result: Any, page: str) -> None:
    assert named("mse").mathml() in page
    neural = tuple(replace(row, written=None, neural="regression", complexity=2601) for row in result.front)
    document = document_of(replace(result, front=neural, evaluations=(), baselines=()))
    told = document.sections[:4]
    assert "a network of 2,601 weights" in as_html(replace(document, sections=told))


@pytest.mark.parametrize(("name", "arguments"), [("ce", "y, p"), ("mse", "y, p"), ("hinge", "m")])
def test_a_loss_is_written_as_a_function_of_what_its_kind_knows(name: str, arguments: str) -> None:
    document = Document("A", "b", (Section("C", (Shown(named(name)),)),))
    (mathematics,) = re.findall(r"<math .*?</math>", as_html(document))
    assert re.sub(r"<[^>]+>", "", mathematics).startswith(f"M({arguments.replace(' ', '')})=")
    assert f"$M({arguments}) = $" in as_tex(document, "r")[0]


def test_the_sizes_of_splits_are_told_in_their_order(result: Any) -> None:
    task = {
        **result.task, "kind": "regression", "model": "linear",
        "sizes": {"test": 700, "train": 2112, "val": 712},
    }  # fmt: skip
    assert ", 2112/712/700 instances, " in as_html(document_of(replace(result, task=task), MADE))
