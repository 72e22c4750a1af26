"""A transfer as a table, sentences and a picture: drawn from made-up rows."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from symloss.compare import Cost, Transfer, TransferRow
from symloss.compare.broken import Certified
from symloss.report import plot_transfer, transfer_sentences, transfer_table, write_transfer_files


def row(name: str, task: str, verdict: str, **more: Any) -> TransferRow:
    known: dict[str, Any] = {
        "role": "", "loss": "y", "treatment": "tuned", "metric": "accuracy", "fraction": 1.0, "mean": 0.9,
        "interval": (0.88, 0.92), "difference": 0.02, "difference_interval": (0.01, 0.03), "p": 0.01,
        "p_corrected": 0.02, "effect": 1.0, "detectable": 0.01, "explained_by": None, "learning_rate": 0.01,
        "steps": 100, "at_edge": 0, "scores": (0.9,), "metrics": {}, "area": None, "steps_to_target": None,
        "chosen": {}, "cost": Cost(1.0, 100), "model": "linear", "classes": 3,
    }  # fmt: skip
    return TransferRow(name=name, task=task, verdict=verdict, **{**known, **more})


NOTHING: dict[str, Any] = {"difference": None, "difference_interval": None, "p": None, "p_corrected": None}
ROWS = (
    row("ce", "wine", "baseline", role="ordinary tuned", **NOTHING),
    row("a_b", "wine", "better", broken=("proper",)),
    row("ce", "digits", "baseline", role="ordinary tuned", classes=10, **NOTHING),
    row("a_b", "digits", "as good as", classes=10),
)
BROKEN = Certified(
    "a_b", 3, 10, ("proper", "attractor"), {"proper": "refuted: here"}, {"attractor": (0.7, 0.8)}
)
FOUND = Transfer(None, {"name": "wine,digits"}, "accuracy", 0, 3, 10, 0.01, ROWS, certificates=(BROKEN,))


def test_the_table_and_what_it_says() -> None:
    console = Console(width=170, record=True, file=io.StringIO())
    console.print(transfer_table(FOUND))
    text = console.export_text()
    assert "better; proved no more: proper" in text
    assert "inputs" not in text  # the same everywhere
    assert " C " in text
    assert transfer_sentences(FOUND) == [
        "a_b against tuned ce: better in 1 of 2 cells (wine, linear), as good as it in 1 of 2 cells.",
        "a_b at 3 classes, searched at 10: proved no more: proper (refuted: here); changed: attractor 0.7 -> 0.8.",
    ]
    shares = replace(FOUND, rows=(*ROWS, *(replace(each, fraction=0.1, inputs="blur:1") for each in ROWS)))
    console.print(transfer_table(shares))
    assert "10%" in (text := console.export_text())
    assert "blur:1" in text


def test_latex() -> None:
    text = FOUND.to_latex()
    assert r" & a\_b & 0.9000 & $+0.02$ [$0.01$, $0.03$] & 0.02 & better$^\star$$^\dagger$ proper \\" in text
    assert text.count(r"\midrule") == 2


def test_the_picture_and_the_files(tmp_path: Path) -> None:
    ax = plot_transfer(FOUND).axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["wine\nlinear", "digits\nlinear"]
    assert [text.get_text() for text in ax.texts] == ["+0.02†\nbetter", "+0.02\nas good as"]
    assert write_transfer_files(FOUND) == []
    (picture,) = write_transfer_files(replace(FOUND, path=tmp_path))
    assert (picture.name, picture.stat().st_size > 1000) == ("transfer.png", True)
