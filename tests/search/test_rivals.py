"""The rival methods end to end: every kind of task, one front whatever happens, clear refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from symloss import search
from symloss.errors import SymlossError
from symloss.search import METHODS
from symloss.search.loop import workers
from symloss.search.loop.work import do
from symloss.tasks import Task, load_task

SMALL: dict[str, Any] = {
    "population": 4, "generations": 2, "screening": {"sample": 0}, "chunk": 2,
    "blocks": {"headroom": False, "zoo": False, "final": 2, "finalists": 2},
}  # fmt: skip
OWN: dict[str, dict[str, Any]] = {"ml3": {"neural": {"steps": 3, "hidden": (6, 5)}}}
"""What keeps a method small."""
TASKS = {"classification": "wine", "multilabel": "digits-attributes", "regression": "diabetes"}
RIVALS = [name for name, method in METHODS.items() if not method.breeds]


def task_of(kind: str) -> Task:
    return load_task(TASKS[kind], model="linear").with_settings(steps=10)


class Counting:
    """Does the work and counts the pieces; Ctrl-C comes at the one after the last that is allowed."""

    def __init__(self, allowed: float) -> None:
        self.allowed, self.done = allowed, 0

    def __call__(self, piece: Any) -> Any:
        if self.done == self.allowed:
            raise KeyboardInterrupt
        self.done += 1
        return do(piece)


@pytest.mark.parametrize("method", RIVALS)
@pytest.mark.parametrize("kind", TASKS)
def test_a_rival_on_each_kind_of_task(
    kind: str, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, path = task_of(kind), tmp_path / "whole"
    result = search.discover(task, method, out=path, **SMALL, **OWN.get(method, {}))
    assert (result.status, result.method) == ("finished", method)
    assert len(result.evaluations) == 8
    own = [entry for entry in result.evaluations[1:] if entry.outcome in ("trained", "reused")]
    assert len(own) > 3, "the gate is asked before a slot is taken"
    assert result.evaluations[0].loss == task.base_loss(), "no front does without the ordinary loss"
    assert any(set(entry.blocks) == {0, 1} for entry in own if entry.generation == 0), "scored again"
    assert result.front
    checks = search.verify(path)
    assert all(check.holds for check in checks), [check for check in checks if not check.holds]
    counting = Counting(6)
    monkeypatch.setattr(workers, "do", counting)
    assert (
        search.discover(task, method, out=tmp_path / "run", **SMALL, **OWN.get(method, {})).status
        == "interrupted"
    )
    monkeypatch.undo()
    assert search.resume(tmp_path / "run").status == "finished"
    for name in ("front.csv", "front.json", *(["neural.json"] if method == "ml3" else [])):
        assert (tmp_path / "run" / name).read_bytes() == (path / name).read_bytes()


@pytest.mark.parametrize("method", ["taylorglo", "ml3"])
def test_workers_do_not_change_a_byte(method: str, tmp_path: Path) -> None:
    task = task_of("classification")
    search.discover(task, method, out=tmp_path / "one", **SMALL, **OWN.get(method, {}))
    search.discover(
        task, method, out=tmp_path / "two", workers=2, executor="process", **SMALL, **OWN.get(method, {})
    )
    assert (tmp_path / "one/front.csv").read_bytes() == (tmp_path / "two/front.csv").read_bytes()


@pytest.mark.parametrize("method", RIVALS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grammar": {"operators": ("add", "mul")}}, "grammar.operators: {} breeds no trees; leave it out"),
        ({"extra_symbols": ["pi"]}, "grammar.extra_symbols: {} breeds no trees"),
        ({"grammar": {"max_height": 4}}, "grammar.max_height: {} breeds no trees"),
        ({"rates": {"hoist": 1.0}}, "rates: {} breeds no trees"),
        ({"objectives": 1}, "objectives: {} breeds no trees"),
        ({"seed_losses": ["ce"]}, "seed_losses: {} breeds no trees"),
        ({"tuning": {"steps": 7}}, "tuning(.steps)?: {} tunes"),
        ({"preset": "paper", "screening": {"equivalence": False}}, "screening.equivalence: {} has no such"),
        ({"neural": {"steps": 1}, "cma": {"sigma": 2.0}}, "(neural|cma): {} has no"),
        ({"propose": "echo ce"}, "losses from elsewhere: {} learns from its own only"),
    ],
)
def test_options_that_say_nothing_to_a_rival_are_refused(
    method: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(SymlossError, match=message.format(method)):
        search.discover(task_of("classification"), method, **options)


def test_settings_of_rivals_say_nothing_to_evomal() -> None:
    task = task_of("classification")
    with pytest.raises(SymlossError, match="cma: evomal has no evolution strategy; leave it out"):
        search.discover(task, cma={"sigma": 0.5})
    with pytest.raises(SymlossError, match=r"cma\.sigma is 0: expected a number above 0"):
        search.discover(task, "taylorglo", cma={"sigma": 0})
    with pytest.raises(SymlossError, match="learns from its own only"):
        search.Search(task, method="taylorglo")
    with pytest.raises(SymlossError, match="neural: gplfl has no network; leave it out"):
        search.discover(task, "gplfl", neural={"hidden": (3,)})
    with pytest.raises(SymlossError, match=r"neural\.hidden is \(0,\): expected whole numbers above 0"):
        search.discover(task, "ml3", neural={"hidden": (0,)})
    with pytest.raises(SymlossError, match="shuffled: ml3 learns nothing from one generation for the next"):
        search.discover(task, "ml3", shuffled=True)
    with pytest.raises(SymlossError, match=r"screening\.require: ml3 has no formula"):
        search.discover(task, "ml3", require=["proper"])


def test_a_run_from_before_a_group_of_settings_is_read() -> None:
    settings = search.SearchSettings()
    data = {name: value for name, value in settings.to_dict().items() if name != "cma"}
    assert search.SearchSettings.from_dict(data) == settings
    del data["blocks"]
    with pytest.raises(SymlossError, match="not of this version"):
        search.SearchSettings.from_dict(data)


def test_the_command_line_knows_the_methods() -> None:
    from typer.testing import CliRunner

    from symloss.cli import app
    from symloss.cli.search import Method

    assert sorted(map(str, Method)) == sorted(METHODS)
    said = " ".join(CliRunner().invoke(app, ["discover", "--help"], env={"COLUMNS": "200"}).output.split())
    for name, method in METHODS.items():
        assert f"{name}: {method.does}" in said


@pytest.mark.parametrize("method", RIVALS)
def test_limits(method: str) -> None:
    task = task_of("classification")
    result = search.discover(task, method, max_evaluations=6, **SMALL, **OWN.get(method, {}))
    assert (result.status, len(result.evaluations)) == ("max evaluations", 6)


def test_shuffled_fitness_is_a_control() -> None:
    task = task_of("regression")
    shuffled = search.discover(task, "taylorglo", shuffled=True, **{**SMALL, "population": 6})
    plain = search.discover(task, "taylorglo", **{**SMALL, "population": 6})
    assert [e.tokens for e in shuffled.evaluations[:6]] == [e.tokens for e in plain.evaluations[:6]]
    assert [e.formula for e in shuffled.evaluations[6:]] != [e.formula for e in plain.evaluations[6:]]


@pytest.mark.parametrize("method", RIVALS)
def test_the_paper_preset_has_no_filter_of_evomal(method: str) -> None:
    task = task_of("classification")
    small = {"population": 4, "generations": 1, "preset": "paper", **OWN.get(method, {})}
    result = search.discover(task, method, **small)
    assert {entry.outcome for entry in result.evaluations} <= {"trained", "reused", "failed"}
    assert result.settings["keep_scale"]
    assert all(entry.scale == 1 for entry in result.evaluations)
