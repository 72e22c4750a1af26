"""Searches end to end on real data, small: what is found, recorded, repeated, interrupted and resumed."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from symloss import search
from symloss.errors import RunError, SymlossError, TaskError
from symloss.expr import parse
from symloss.search.loop import workers
from symloss.search.loop.work import do
from symloss.tasks import Task, load_task

SMALL: dict[str, Any] = {
    "population": 6, "generations": 3, "tuning": {"steps": 3, "tidy": False}, "screening": {"sample": 0},
    "blocks": {"headroom": False, "zoo": False, "final": 2, "finalists": 3}, "chunk": 2,
}  # fmt: skip
THOROUGH = {**SMALL, "tuning": {"steps": 3}, "screening": {"sample": 2}}
"""With rounder numbers and an audit of the gate at the end."""


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("diabetes", model="mlp-1x16").with_settings(steps=20)


def test_evomal_leaves_a_front_and_the_fate_of_every_candidate(task: Task, tmp_path: Path) -> None:
    seen = []
    result = search.discover(task, out=tmp_path / "run", on_generation=seen.append, **SMALL)
    assert result.status == "finished"
    assert [entry.number for entry in result.evaluations] == list(range(18))
    for entry in result.evaluations:
        assert entry.outcome in ("trained", "reused", "rejected", "failed")
        assert entry.outcome == "trained" or entry.reason
        if entry.outcome == "trained":
            assert entry.loss is not None
            assert entry.fitness == entry.validation
            assert entry.generation in entry.blocks, "its own block"
    assert [g.number for g in seen] == [1, 2, 3]
    assert seen[-1].evaluated == 18
    assert sum(row.picked for row in result.front) == 1
    assert result.best == result.picked.loss
    assert [row.complexity for row in result.front] == sorted(row.complexity for row in result.front)
    lines = (tmp_path / "run" / "front.csv").read_text().splitlines()
    assert len(lines) == 1 + len(result.front)
    assert json.loads((tmp_path / "run" / "front.json").read_text())["front"][0]["row"] == 1
    assert task.test_evaluations == 0


def test_the_printed_formula_is_what_was_trained(task: Task) -> None:
    """Compiled from its text and trained on the task's own split, a row scores as the front says."""
    from symloss.runs import derive

    published = {"resample": False, "settle": False, "zoo": False, "headroom": False}
    result = search.discover(task, seed=3, **{**SMALL, "blocks": published})
    assert result.front
    for row in result.front:
        loss = parse(str(row.loss), kind="regression")
        again = task.score(loss, seed=derive(derive(3, "training"), 0))[task.metric]
        assert again == pytest.approx(row.validation, rel=1e-3)


def test_parents_are_scored_on_every_block_and_finalists_on_blocks_of_their_own(task: Task) -> None:
    result = search.discover(task, **SMALL)
    trained = [entry for entry in result.evaluations if entry.outcome == "trained"]
    assert any(len(entry.blocks) == 3 for entry in trained if entry.generation == 0)
    assert all(min(entry.blocks) == entry.generation for entry in trained)
    assert result.finalists
    assert all(len(row.finals) == 2 and row.steps and row.rates for row in result.finalists)
    assert {row.evaluation for row in result.front} <= {row.evaluation for row in result.finalists}
    assert sum(row.picked for row in result.finalists) == 1


def test_the_zoo_is_swept_first_and_the_pick_may_have_a_name(task: Task, tmp_path: Path) -> None:
    blocks = {"sweep": 2, "strangers": 2, "final": 2, "finalists": 2}
    seen: list[Any] = []
    result = search.discover(
        task, out=tmp_path / "run", on_headroom=seen.extend, **{**SMALL, "generations": 1, "blocks": blocks}
    )
    (headroom,) = result.headroom
    assert seen == [headroom]
    assert {"mse", "mae", "huber(delta=1)"} <= {row.name for row in headroom.rows}
    named = [entry for entry in result.evaluations if entry.name]
    assert all(set(entry.blocks) >= {0, 1} for entry in named if entry.outcome == "trained")
    assert len(result.evaluations) == len(named) + 2 + 6
    assert any(row.name == "mse" for row in result.finalists), "the ordinary loss is always there"
    if result.picked.name:
        assert any("use " + result.picked.name in note for note in result.notes)
    assert search.open_run(tmp_path / "run").headroom == result.headroom
    alone = search.headroom(task, **{**SMALL, "generations": 1, "blocks": blocks})
    assert alone == headroom, "discover begins with the very trainings of headroom"
    without = search.discover(task, **{**SMALL, "generations": 1, "blocks": {**blocks, "zoo": False}})
    assert without.headroom == (headroom,)
    assert not any(entry.name for entry in without.evaluations)


def test_the_scale_is_taken_out_unless_it_is_kept(task: Task) -> None:
    result = search.discover(task, "gplfl", seed_losses=["100*(y - p)**2"], keep_scale=False, **SMALL)
    assert result.evaluations[1].formula == "100*(y - p)**2"
    assert result.evaluations[1].scale == 1.0  # a given loss is trained as it is given
    scaled = [e for e in result.evaluations if e.outcome == "trained" and e.number]
    assert any(entry.scale != 1.0 for entry in scaled)
    kept = search.discover(task, "gplfl", keep_scale=True, **SMALL)
    assert all(entry.scale == 1.0 for entry in kept.evaluations)


@pytest.mark.parametrize("method", ["random", "gplfl"])
def test_controls_run_too(task: Task, method: str) -> None:
    result = search.discover(task, method, **{**SMALL, "generations": 2})
    assert result.method == method
    assert len(result.evaluations) == 12
    if method == "random":
        assert len({entry.tokens for entry in result.evaluations}) == 12


def test_one_seed_one_front(task: Task, tmp_path: Path) -> None:
    first = search.discover(task, seed=5, out=tmp_path / "a", **SMALL)
    torch.manual_seed(99)
    second = search.discover(task, seed=5, out=tmp_path / "b", **SMALL)
    other = search.discover(task, seed=6, **SMALL)
    assert (tmp_path / "a/front.csv").read_bytes() == (tmp_path / "b/front.csv").read_bytes()
    assert [e.tokens for e in first.evaluations] == [e.tokens for e in second.evaluations]
    assert [e.tokens for e in first.evaluations] != [e.tokens for e in other.evaluations]


@pytest.mark.slow
def test_workers_do_not_change_a_byte(task: Task, tmp_path: Path) -> None:
    options = {**SMALL, "generations": 2}
    search.discover(task, out=tmp_path / "one", **options)
    for count in (2, 4):
        search.discover(task, out=tmp_path / f"{count}", workers=count, executor="process", **options)
        assert (tmp_path / "one/front.csv").read_bytes() == (tmp_path / f"{count}/front.csv").read_bytes()


class Counting:
    """Does the work and counts the pieces; Ctrl-C comes at the one after the last that is allowed."""

    def __init__(self, allowed: float = math.inf) -> None:
        self.allowed, self.done = allowed, 0

    def __call__(self, piece: Any) -> Any:
        if self.done == self.allowed:
            raise KeyboardInterrupt
        self.done += 1
        return do(piece)


@pytest.fixture(scope="module")
def whole(task: Task, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, search.Result, int]:
    """A run never interrupted, with everything on, and how many pieces of work it took."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        counter = Counting()
        patch.setattr(workers, "do", counter)
        result = search.discover(task, out=path, **THOROUGH)
    return path, result, counter.done


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_interrupted_and_resumed_is_never_interrupted(
    task: Task,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    whole: tuple[Path, search.Result, int],
    share: float,
) -> None:
    path, expected, pieces = whole
    first = Counting(round(share * pieces))
    monkeypatch.setattr(workers, "do", first)
    stopped = search.discover(task, out=tmp_path / "run", **THOROUGH)
    assert stopped.status == "interrupted"
    assert (tmp_path / "run/front.csv").exists()
    second = Counting()
    monkeypatch.setattr(workers, "do", second)
    resumed = search.resume(tmp_path / "run", task)
    assert resumed.status == "finished"
    for name in ("front.csv", "front.json"):
        assert (tmp_path / "run" / name).read_bytes() == (path / name).read_bytes()
    assert [(e.tokens, e.outcome, e.reason, e.fitness) for e in resumed.evaluations] == [
        (e.tokens, e.outcome, e.reason, e.fitness) for e in expected.evaluations
    ]
    assert first.done + second.done == pieces  # nothing was paid twice


def test_the_end_of_a_run_tidies_and_audits(whole: tuple[Path, search.Result, int]) -> None:
    _, result, _ = whole
    extra = result.evaluations[18:]
    assert extra
    assert all(entry.generation == 3 for entry in extra)
    assert all("coefficients" in entry.reason or "written with few digits" in entry.reason for entry in extra)
    assert any(
        note.startswith("gate:") and "would have been in the better half" in note for note in result.notes
    )


def test_what_is_shown_has_the_digits_that_were_trained(whole: tuple[Path, search.Result, int]) -> None:
    for row in whole[1].front:
        numbers = re.findall(r"\d+\.?\d*", str(row.shown))
        assert all(len(number.replace(".", "").strip("0")) <= 4 for number in numbers), str(row.shown)


def test_a_time_limit_ends_between_generations_and_resume_goes_on(
    task: Task, tmp_path: Path, whole: tuple[Path, search.Result, int]
) -> None:
    options = THOROUGH
    short = search.discover(task, out=tmp_path / "run", time_limit=0.0, **options)
    assert short.status == "time limit"
    assert {entry.generation for entry in short.evaluations} <= {0, 1}
    resumed = search.resume(tmp_path / "run", task)
    assert (tmp_path / "run/front.csv").read_bytes() == (whole[0] / "front.csv").read_bytes()
    assert len(resumed.evaluations) == len(whole[1].evaluations)


@pytest.mark.parametrize("allowed", [0, 3])
def test_a_run_that_goes_on_keeps_what_it_had_until_it_has_more(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    """Stopped again at once, or with half a generation more, it shows a front that its record bears out."""
    path, options = tmp_path / "run", {**THOROUGH, "screening": {"sample": 0}, "chunk": 1}
    search.discover(task, seed=1, out=path, time_limit=0.0, **options)
    before = (path / "front.csv").read_bytes(), search.open_run(path).generations
    monkeypatch.setattr(workers, "do", Counting(allowed))
    stopped = search.resume(path, task)
    assert stopped.status == "interrupted"
    assert stopped.front
    assert stopped.generations == before[1], "seconds included"
    assert allowed or search.open_run(path).evaluations == stopped.evaluations
    monkeypatch.undo()
    checks = search.verify(path, task)
    assert all(check.holds for check in checks), [check for check in checks if not check.holds]
    assert search.resume(path, task).status == "finished"


def test_lost_files_of_a_finished_run_are_written_anew(
    task: Task, tmp_path: Path, whole: tuple[Path, search.Result, int]
) -> None:
    path = shutil.copytree(whole[0], tmp_path / "run")
    (path / "front.csv").write_text("torn")
    (path / "front.json").unlink()
    assert search.resume(path, task).status == "finished"
    for name in ("front.csv", "front.json"):
        assert (path / name).read_bytes() == (whole[0] / name).read_bytes()


def test_max_evaluations_is_exact(task: Task) -> None:
    result = search.discover(task, max_evaluations=13, **SMALL)
    assert (result.status, len(result.evaluations)) == ("max evaluations", 13)


def test_patience_ends_a_search_that_stands_still(task: Task) -> None:
    result = search.discover(task, "random", patience=1, seed=1, **{**SMALL, "generations": 30})
    assert result.status == "finished"
    last = len(result.generations) - 1
    assert last < 29
    assert min((e.fitness, e.generation) for e in result.evaluations if e.fitness is not None)[1] < last


def test_a_finished_run_is_read_not_run(task: Task, tmp_path: Path) -> None:
    result = search.discover(task, out=tmp_path / "run", **SMALL)
    assert search.open_run(tmp_path / "run") == result
    assert search.resume(tmp_path / "run") == result
    with pytest.raises(RunError, match="holds a run"):
        search.discover(task, out=tmp_path / "run", **SMALL)


def test_resume_wants_the_same_data(tmp_path: Path) -> None:
    task = load_task("diabetes", model="linear").with_settings(steps=5)
    search.discover(task, out=tmp_path / "run", time_limit=0.0, **SMALL)
    other = load_task("diabetes", model="linear", seed=1).with_settings(steps=5)
    with pytest.raises(TaskError, match="its data are others"):
        search.resume(tmp_path / "run", other)
    assert search.resume(tmp_path / "run").status == "finished"  # made again from where it came


@pytest.mark.parametrize("name", ["wine", "digits"])
def test_classification(name: str) -> None:
    task = load_task(name, model="linear").with_settings(steps=30)
    result = search.discover(task, seed=1, **SMALL)
    best = min(row.fitness for row in result.front)
    assert best == -max(row.validation for row in result.front)
    assert result.picked.validation > 0.3
    assert result.picked.se is None or 0 <= result.picked.se < 0.2


def test_what_explodes_is_an_outcome() -> None:
    task = load_task("diabetes", model="linear").with_settings(steps=30, learning_rate=1e6)
    result = search.discover(task, "gplfl", **{**SMALL, "blocks": {**SMALL["blocks"], "settle": False}})
    failed = [entry for entry in result.evaluations if entry.outcome == "failed"]
    assert failed
    assert all("diverged" in entry.reason and entry.fitness is None for entry in failed)
    assert all(math.isfinite(row.fitness) for row in result.front)


def nearest_to_mse(loss: Any, seed: int, budget: int) -> dict[str, float]:
    """How far the direction of a loss's gradients is from that of squared error."""
    targets = torch.linspace(-2, 2, 9).repeat_interleave(9)
    outputs = (torch.linspace(-2, 2, 9).repeat(9) * 1.1 + 0.05).requires_grad_()
    (slope,) = torch.autograd.grad(loss(outputs, targets), outputs, materialize_grads=True, allow_unused=True)
    wanted = (outputs - targets).detach()
    cosine = (slope * wanted).sum() / (slope.norm() * wanted.norm())
    return {"metric": float(1 - cosine)}


def test_a_planted_loss_is_found() -> None:
    """Fitness that rewards closeness to squared error's gradient field finds squared error."""
    task = Task.from_function(nearest_to_mse, kind="regression", metric="distance")
    result = search.discover(task, generations=8, blocks={"final": 2})
    best = min(result.front, key=lambda row: row.fitness)
    assert best.fitness < 1e-6
    # Others equal it on these points to the last digit of float32.
    assert parse("(y - p)**2", kind="regression") in [
        entry.loss for entry in result.evaluations if entry.loss
    ]
    assert any("coefficients are not tuned" in note for note in result.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "cmaes"}, "unknown method 'cmaes': expected one of evomal, random, gplfl"),
        ({"preset": "slow"}, "unknown preset 'slow': expected one of quick, paper"),
        ({"population": 1}, "population is 1: expected a whole number of at least 2"),
        ({"seed": -1}, "seed -1"),
        ({"colour": 3}, "unknown setting 'colour'"),
        ({"blocks": 3}, "blocks is 3: expected a mapping with some of final"),
        ({"seed_losses": ["y*foo"]}, "unknown name 'foo'"),
        ({"workers": 0}, "0 workers"),
    ],
)
def test_options_that_make_no_sense_are_refused(task: Task, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SymlossError, match=message):
        search.discover(task, **options)


def test_kinds_are_not_mixed(task: Task) -> None:
    with pytest.raises(TaskError, match="one loss serves tasks of one kind only"):
        search.discover([task, load_task("wine")])
