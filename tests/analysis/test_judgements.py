"""Judgements over the cells of a study: paired, corrected, and not inferior to the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from analysis.judgements import Cell, gains, judged, not_inferior
from symloss.compare import paired_t


def _cell(scores: dict[str, Sequence[float]], metric: str = "accuracy", **facts: Any) -> Cell:
    rows = [
        {"name": name, "treatment": "tuned", "fraction": 1.0, "scores": values, "mean": sum(values) / len(values)}
        for name, values in scores.items()
    ]  # fmt: skip
    rows[1].update(facts)
    return {"metric": metric, "overlap": 0.25, "rows": rows}


def test_gains_are_positive_where_a_loss_is_better() -> None:
    assert gains(_cell({"ce": [0.5], "a": [0.75]}), "a", "ce") == [0.25]
    assert gains(_cell({"mse": [0.5], "a": [0.75]}, "mse"), "a", "mse") == [-0.25]
    assert gains(_cell({"ce": [0.5], "a": [0.75]}), "b", "ce") == []


def test_judgements_are_corrected_over_cells() -> None:
    base, ours = [0.80, 0.82, 0.81, 0.79, 0.80] * 2, [0.84, 0.83, 0.85, 0.84, 0.81] * 2
    alone = judged({"one": _cell({"ce": base, "a": ours})}, "a", "ce")["one"]
    test = paired_t([a - b for a, b in zip(ours, base, strict=True)], 0.25)
    assert alone["p_corrected"] == alone["p"] == pytest.approx(test.p_value)
    assert alone["verdict"] == "better"
    # Beside cells in which nothing is found, the same numbers no longer suffice.
    even = [0.80, 0.81, 0.79, 0.83, 0.80] * 2
    cells = {"one": _cell({"ce": base, "a": ours})}
    cells |= {f"even {i}": _cell({"ce": base, "a": even}) for i in range(6)}
    together = judged(cells, "a", "ce")
    assert together["one"]["p_corrected"] == pytest.approx(7 * alone["p"])
    assert together["one"]["verdict"] == "as good as"
    # The p value of the comparison, which knows more of pools, takes precedence.
    assert judged({"one": _cell({"ce": base, "a": ours}, p=0.5)}, "a", "ce")["one"]["verdict"] == "as good as"


def test_not_inferior_to_the_best_is_not_inferior_to_each() -> None:
    ours = [0.80, 0.82, 0.81, 0.79, 0.80] * 2
    near, above = [value + 0.001 for value in ours], [value + 0.03 for value in ours]
    cells = {"near": _cell({"a": ours, "b": near}), "above": _cell({"a": ours, "b": near, "c": above})}
    found = not_inferior(cells, "a", ["b", "c"])
    assert found["near"]["holds"]
    assert found["near"]["rival"] == "b"
    assert not found["above"]["holds"]
    assert found["above"]["rival"] == found["above"]["best"] == "c"
    assert found["above"]["gain"] == pytest.approx(-0.03)
