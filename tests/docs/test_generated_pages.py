"""The generated pages are up to date, and the names of the library are exactly those that are documented.

Certificates of the whole zoo take some seconds: `python -m docs.make --check`, which is part of `make check`, works
them all out again; here it is done for a few losses.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import docs.make
import symloss as sl
from docs.api_page import api_page, documented
from docs.zoo_pages import zoo_head, zoo_page
from symloss.zoo import Entry, entry
from symloss.zoo.entries import ENTRIES

DOCS = Path(docs.make.__file__).parent
STALE = "run `make docs` and commit what it writes"


def _page(loss: Entry) -> str:
    return (DOCS / "zoo" / loss.kind / f"{loss.name}.md").read_text("utf-8")


@pytest.mark.parametrize("loss", ENTRIES, ids=lambda loss: f"{loss.kind}-{loss.name}")
def test_every_loss_of_the_zoo_has_its_page(loss: Entry) -> None:
    assert _page(loss).startswith(zoo_head(loss)), STALE
    keys = re.findall(r"^\| `(\w+)` \| (?:proved|refuted|unknown) \|", _page(loss), flags=re.M)
    assert len(keys) >= 6


@pytest.mark.parametrize(
    ("name", "kind"), [("mae", "classification"), ("bce", "multilabel"), ("mse", "regression")]
)
def test_certificates_are_those_of_today(name: str, kind: str) -> None:
    loss = entry(name, kind)
    assert _page(loss) == zoo_page(loss, sl.analyze(loss.loss)), STALE


def test_no_page_is_left_of_a_loss_that_is_gone() -> None:
    pages = {path.relative_to(DOCS / "zoo").as_posix() for path in (DOCS / "zoo").rglob("*.md")}
    assert pages == {f"{loss.kind}/{loss.name}.md" for loss in ENTRIES} | {"README.md"}, STALE


def test_the_page_of_names_is_up_to_date() -> None:
    assert (DOCS / "api.md").read_text("utf-8") == api_page(), STALE


def test_public_names_are_exactly_those_documented() -> None:
    assert documented((DOCS / "api.md").read_text("utf-8")) == set(sl.__all__)


def test_names_that_pages_use_are_public() -> None:
    root = DOCS.parent
    for page in (
        "README.md",
        "AGENTS.md",
        *(f"docs/{path.name}" for path in DOCS.glob("*.md") if path.name != "api.md"),
    ):
        used = set(re.findall(r"\bsl\.([A-Za-z]\w*)", (root / page).read_text("utf-8")))
        assert used - {"NAME"} <= set(sl.__all__), page


def test_a_stale_page_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The check is shown to fail before it is trusted."""
    monkeypatch.setattr(docs.make, "FOLDER", tmp_path)
    monkeypatch.setattr(docs.make, "ZOO", tmp_path / "zoo")
    monkeypatch.setattr(docs.make, "ENTRIES", [entry("mse")])
    assert docs.make.main([]) == 0
    assert docs.make.main(["--check"]) == 0
    (tmp_path / "zoo/regression/mse.md").write_text("old", "utf-8")
    (tmp_path / "zoo/regression/gone.md").write_text("", "utf-8")
    capsys.readouterr()
    assert docs.make.main(["--check"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert docs.make.main([]) == 0
    assert not (tmp_path / "zoo/regression/gone.md").exists()
