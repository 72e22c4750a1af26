"""A comparison as tables, sentences and figures: drawn from made-up rows."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from symloss.compare import Comparison, Cost, Row, rank_losses
from symloss.errors import DomainError
from symloss.report import (
    comparison_sentences,
    comparison_table,
    plot_comparison,
    plot_convergence,
    plot_ranking,
    plot_sample_efficiency,
    write_comparison_files,
)


def row(name: str, treatment: str, verdict: str, **more: Any) -> Row:
    known: dict[str, Any] = {
        "role": "", "loss": "y", "task": "wine", "metric": "accuracy", "fraction": 1.0, "mean": 0.9,
        "interval": (0.88, 0.92), "difference": 0.02, "difference_interval": (0.01, 0.03), "p": 0.01,
        "p_corrected": None, "effect": 1.0, "detectable": 0.01, "explained_by": None, "learning_rate": 0.01,
        "steps": 100, "at_edge": 0, "scores": (0.9,), "metrics": {}, "area": None, "steps_to_target": None,
        "chosen": {}, "cost": Cost(1.0, 100),
    }  # fmt: skip
    return Row(name=name, treatment=treatment, verdict=verdict, **{**known, **more})


NOTHING = {"difference": None, "difference_interval": None, "p": None}
ROWS = (
    row("ce", "as is", "baseline", role="ordinary", **NOTHING),
    row("a_b", "as is", "better", explained_by="learning rate"),
    row("a_b", "normalised", "not told apart"),
    row("a_b", "tuned", "as good as", p_corrected=0.2),
    row("c", "as is", "worse"),
    row("c", "tuned", "diverged", mean=None, note="3 of 3 trainings failed: too steep", **NOTHING),
)
FOUND = Comparison(Path("x"), {"name": "wine"}, "accuracy", 0, 3, 10, 0.01, ROWS)


def test_the_table_and_what_it_says() -> None:
    console = Console(width=170, record=True, file=io.StringIO())
    console.print(comparison_table(FOUND))
    text = console.export_text()
    assert "better: explained by the learning rate" in text
    assert "+0.01 to +0.03" in text
    assert "diverged (3 of 3 trainings failed: too steep)" in text
    assert comparison_sentences(FOUND) == [
        "a_b: as it is, better than ce by 0.02 accuracy, which is explained by the learning rate: it goes when both "
        "are tuned; tuned, as good as ce.",
        "c: as it is, worse than ce by 0.02 accuracy; tuned, diverged (3 of 3 trainings failed: too steep).",
    ]


def test_latex_escapes_and_marks_the_hypothesis() -> None:
    text = FOUND.to_latex()
    assert r"a\_b & tuned & 0.9000 & $+0.02$ [$0.01$, $0.03$] & 0.2 & as good as$^\star$ \\" in text
    assert r"c & tuned & -- & -- & -- & diverged \\" in text
    assert text.count(r"\midrule") == 1
    two = replace(FOUND, rows=(*ROWS, *(replace(each, task="digits") for each in ROWS)))
    assert two.to_latex().count(r"\midrule") == 2
    assert r"\begin{tabular}{lllrrrl}" in two.to_latex()


def test_figures_show_every_interval() -> None:
    fig = plot_comparison(FOUND)
    labels = [label.get_text() for label in fig.axes[0].get_yticklabels()]
    assert labels == ["a_b, as is", "a_b, normalised", "a_b, tuned", "c, as is"]
    shares = replace(FOUND, rows=tuple(replace(each, fraction=f) for f in (0.5, 1.0) for each in ROWS))
    assert plot_sample_efficiency(shares).axes[0].get_xscale() == "log"
    ranking = rank_losses(["a", "b", "c"], [[1, 2, 3]] * 8)
    assert "critical difference" in plot_ranking(ranking).axes[0].get_xlabel()


CURVE = ((0, 0.3, 0.2, 0.4), (10, 0.8, 0.7, 0.9), (20, 0.9, 0.88, 0.92))


def test_convergence_has_the_curve_and_the_share_that_arrived() -> None:
    seen = [replace(each, curve=CURVE, target=0.85, reached=((10, 0.25), (20, 0.5))) for each in ROWS]
    fig = plot_convergence(replace(FOUND, rows=tuple(seen)), "wine")
    left, right = fig.axes
    assert [line.get_label() for line in left.get_lines()[:3]] == ["ce", "a_b", "c"]
    assert list(left.get_lines()[0].get_ydata()) == [0.3, 0.8, 0.9]
    assert list(right.get_lines()[0].get_ydata()) == [0.0, 0.25, 0.5, 0.5]
    assert right.get_ylabel() == "share of trainings that reached 0.85"
    # One split alone has no interval, a trainer of somebody else's no curve.
    alone = [replace(each, curve=((0, 0.3, None, None), (9, 0.5, None, None))) for each in ROWS]
    assert len(plot_convergence(replace(FOUND, rows=tuple(alone)), "wine").axes) == 1
    with pytest.raises(DomainError, match="were not looked at on the way"):
        plot_convergence(FOUND, "wine")


def test_files(tmp_path: Path) -> None:
    ranking = rank_losses(["a", "b"], [[1, 2]] * 3)
    shares = tuple(replace(each, fraction=f, curve=CURVE) for f in (0.5, 1.0) for each in ROWS)
    found = replace(FOUND, path=tmp_path, rows=shares, rankings={"tuned": ranking})
    names = [path.name for path in write_comparison_files(found)]
    assert names == ["comparison.png", "sample_efficiency.png", "convergence.png", "ranks.png"]
    assert all((tmp_path / name).stat().st_size > 1000 for name in names)
    assert write_comparison_files(replace(found, path=None)) == []


@pytest.mark.parametrize("verdict", ["better", "not told apart", "too few splits to tell", "as good as"])
def test_a_sentence_for_every_verdict(verdict: str) -> None:
    found = replace(FOUND, rows=(ROWS[0], row("d", "as is", verdict)))
    (sentence,) = comparison_sentences(found)
    assert sentence.startswith(f"d: as it is, {verdict}")
