"""What is written is read again; what a stranger wrote is refused, never run."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from symloss import search
from symloss.errors import RunError
from symloss.expr import parse
from symloss.runs import RunStore
from symloss.search.record.codec import evaluation_from, evaluation_record
from symloss.search.record.result import Evaluation, later
from symloss.search.settings import SearchSettings, preset
from symloss.tasks import load_task

RECORD: dict[str, Any] = {
    "generation": 1, "slot": 2, "tokens": ["sub", "y", "p"], "outcome": "trained", "reason": "",
    "kind": "regression", "formula": "(y - p)**2", "validation": 0.5, "fitness": 0.5, "seconds": 1.0,
    "scale": 1.0, "scores": {"a": 0.5}, "complexity": 5, "rungs": {},
}  # fmt: skip


def test_a_candidate_is_read_as_it_was_written() -> None:
    entry = evaluation_from(7, RECORD)
    assert entry.loss == parse("(y - p)**2", kind="regression")
    assert evaluation_record(entry, "regression") == RECORD
    assert evaluation_from(7, json.loads(json.dumps(RECORD))) == entry


@pytest.mark.parametrize(
    ("key", "value"),
    [("tokens", 3), ("seconds", "soon"), ("scores", []), ("complexity", "x"), ("slot", None)],
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
    options: dict[str, Any] = {"population": 4, "generations": 1, "fresh_seeds": 0, "sample": 0}
    search.discover(task, "gplfl", out=tmp_path / "run", **options)
    with RunStore.open(tmp_path / "run", write=True) as store:
        store.put(
            "evaluation", 0, {**data, "fitness": -1.0, "validation": -1.0, "scores": {"diabetes": -1.0}}
        )
    with pytest.raises(RunError, match="cannot be read"):
        search.open_run(tmp_path / "run")
    assert not target.exists()


def test_a_loss_given_as_a_function_is_called_once() -> None:
    calls = []

    def make() -> Any:
        calls.append(1)
        return parse("y - p", kind="regression")

    entry = Evaluation(0, 0, 0, ("y",), "trained", "", make, 1.0, 1.0, 0.0)  # type: ignore[arg-type]
    assert not calls
    assert entry.loss is entry.loss
    assert len(calls) == 1
    assert later("", "regression") is None


def test_settings_are_read_as_they_were_written() -> None:
    settings = preset("paper", operators=("add", "mul"), nesting={"tanh": {"tanh": 0}}, rungs=(0.1,))
    assert SearchSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings
