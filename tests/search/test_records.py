"""What is written is read again; what a stranger wrote is refused, never run."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from symloss import search
from symloss.errors import RunError
from symloss.expr import parse
from symloss.runs import RunStore
from symloss.search.loop.headroom import Headroom, HeadroomRow
from symloss.search.record.codec import evaluation_from, evaluation_record, headroom_from
from symloss.search.settings import SearchSettings, preset
from symloss.tasks import load_task

RECORD: dict[str, Any] = {
    "generation": 1, "slot": 2, "tokens": ["sub", "y", "p"], "outcome": "trained", "reason": "",
    "kind": "regression", "formula": "(y - p)**2", "seconds": 1.0, "scale": 1.0, "complexity": 5, "name": "",
    "source": None, "parents": [3], "way": "crossover", "blocks": [[0, [0.5]], [1, [None]]],
}  # fmt: skip


def test_a_candidate_is_read_as_it_was_written() -> None:
    entry = evaluation_from(7, RECORD)
    assert entry.loss == parse("(y - p)**2", kind="regression")
    assert evaluation_record(entry) == RECORD
    assert evaluation_from(7, json.loads(json.dumps(RECORD))) == entry


@pytest.mark.parametrize(
    ("key", "value"),
    [("tokens", 3), ("seconds", "soon"), ("blocks", [3]), ("complexity", "x"), ("slot", None)],
)
def test_a_damaged_candidate_is_refused(key: str, value: Any) -> None:
    data = copy.deepcopy(RECORD)
    data[key] = value
    with pytest.raises(RunError, match="evaluation 7 of the run cannot be read"):
        evaluation_from(7, data)


def test_a_formula_is_parsed_when_it_is_read_and_only_by_the_safe_parser(tmp_path: Path) -> None:
    target = tmp_path / "touched"
    data = {**RECORD, "formula": f"__import__('pathlib').Path('{target}').touch()"}
    entry = evaluation_from(0, data)
    with pytest.raises(Exception, match="expected"):
        _ = entry.loss
    task = load_task("diabetes", model="linear").with_settings(steps=2)
    blocks = {"headroom": False, "zoo": False, "resample": False}
    options: dict[str, Any] = {
        "population": 4, "generations": 1, "blocks": blocks, "screening": {"sample": 0},
    }  # fmt: skip
    search.discover(task, "gplfl", out=tmp_path / "run", **options)
    with RunStore.open(tmp_path / "run", write=True) as store:
        store.put("evaluation", 0, {**data, "blocks": [[-1, [-1.0]]]})
    with pytest.raises(RunError, match="cannot be read"):
        search.open_run(tmp_path / "run")
    assert not target.exists()


def test_headroom_is_read_as_it_was_written() -> None:
    row = HeadroomRow("mse", "(y - p)**2", 0.5, (0.4, 0.6))
    known = Headroom(
        "a", "mse", 0.1, 0.05, None, 1.5, (0.5, 2.5), "mae", "mse", 250, (row,), ("a remark",)
    )  # fmt: skip
    assert headroom_from(json.loads(json.dumps(known.to_dict()))) == known
    assert "losses differ here: mae leads mse by 1.5 (0.5 to 2.5) times the noise" in known.sentence()
    unknown = replace(known, interval=(-1.0, 1.0))
    assert unknown.verdict == "nothing told apart"
    assert "more blocks would not" in unknown.sentence()


def test_settings_are_read_as_they_were_written() -> None:
    grammar = {"operators": ("add", "mul"), "nesting": {"tanh": {"tanh": 0}}}
    settings = preset("paper", grammar=grammar, tuning={"steps": 7}, blocks={"val_size": 0.5})
    assert SearchSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings
