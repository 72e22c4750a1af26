"""Formulas from anywhere: a command, a function, or whoever tells them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import symloss as sl
from symloss.errors import RunError
from symloss.search import Search
from symloss.search.propose.outside import Command, Received
from symloss.tasks import Task, load_task

SMALL: dict[str, Any] = {
    "population": 4, "generations": 2, "screening": {"sample": 0}, "tuning": {"tidy": False},
    "blocks": {"headroom": False, "zoo": False, "settle": False, "final": 2, "finalists": 2},
}  # fmt: skip

PROPOSER = """
import json, sys
known = [json.loads(line) for line in sys.stdin]
assert all(set(each) == {"formula", "outcome", "reason", "mean", "se", "complexity"} for each in known)
print("# a remark, and an empty line")
print()
best = min((each for each in known if each["mean"] is not None), key=lambda each: -each["mean"], default=None)
print("ce")
print("-y*log(p) + 0.1*(y - p)**2" if best is None else f"({best['formula']}) + 0.05*(y - p)**2")
print("import os")
"""


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("wine", model="linear").with_settings(steps=10)


@pytest.fixture
def command(tmp_path: Path) -> str:
    script = tmp_path / "propose.py"
    script.write_text(PROPOSER)
    return f"{sys.executable} {script}"


def test_a_command_proposes_each_generation(task: Task, command: str, tmp_path: Path) -> None:
    result = sl.discover(task, propose=command, out=tmp_path / "run", **SMALL)
    assert result.status == "finished"
    first = [entry for entry in result.evaluations if entry.generation == 0]
    assert [entry.outcome for entry in first] == ["trained", "trained", "rejected"]
    assert "no loss:" in first[2].reason
    assert first[2].tokens == ()
    assert "proposed import os" in first[2].reason
    second = [entry for entry in result.evaluations if entry.generation == 1]
    assert second[0].outcome == "reused", "cross-entropy again"
    assert "0.05" in second[1].reason, "made of what was told of the first generation"
    checks = sl.verify(tmp_path / "run")
    assert all(check.holds for check in checks), [check for check in checks if not check.holds]


def test_a_run_folder_never_says_what_to_run(task: Task, command: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    sl.discover(task, propose=command, out=run, time_limit=0.0, **SMALL)
    assert command.split()[-1].encode() not in (run / "run.sqlite").read_bytes()
    with pytest.raises(RunError, match="give --propose COMMAND again"):
        sl.resume(run)
    resumed = sl.resume(run, propose=command)
    whole = sl.discover(task, propose=command, out=tmp_path / "whole", **SMALL)
    assert resumed.front == whole.front
    assert (run / "front.csv").read_bytes() == (tmp_path / "whole" / "front.csv").read_bytes()
    # What was proposed is told again, whatever the command has become.
    assert sl.resume(run) == resumed


FAILURES = [
    ("print('ce'); sys.exit('out of ideas')", "the command ended with exit code 1: out of ideas"),
    ("pass", "the command printed no formula"),
    ("print('ce', flush=True); time.sleep(60)", "the command took longer than its limit of 5 s"),
    ("os.abort()", "the command ended with exit code -6"),
    ("print('garbage(((')", "nothing that came is a loss, beginning with 'garbage((('"),
]


@pytest.mark.parametrize(("code", "problem"), FAILURES)
def test_what_goes_wrong_later_is_an_outcome_and_a_note(
    task: Task, tmp_path: Path, code: str, problem: str
) -> None:
    script = tmp_path / "propose.py"
    script.write_text(f"import os, sys, time\nif not sys.stdin.read(): print('brier'); sys.exit()\n{code}\n")
    ask = Command(f"{sys.executable} {script}", limit=5.0 if "sleep" in code else 60.0)
    result = sl.discover(task, propose=ask, out=tmp_path / "run", **SMALL)
    assert result.status == "finished"
    last = result.evaluations[-1]
    assert last.outcome == "rejected"
    assert any(f"the proposer failed in generation 2: {problem}" in note for note in result.notes)
    trained = [entry for entry in result.evaluations if entry.generation == 1 and entry.outcome == "trained"]
    assert len(trained) == ("'ce'" in code), "what was printed before counts"
    assert sl.open_run(tmp_path / "run").notes == result.notes


@pytest.mark.parametrize(("code", "problem"), FAILURES)
def test_a_first_call_that_fails_ends_the_search(
    task: Task, command: str, tmp_path: Path, code: str, problem: str
) -> None:
    script, run = tmp_path / "failing.py", tmp_path / "run"
    script.write_text(f"import os, sys, time\n{code}\n")
    ask = Command(f"{sys.executable} {script}", limit=5.0 if "sleep" in code else 60.0)
    with pytest.raises(RunError) as failed:
        sl.discover(task, propose=ask, out=run, **SMALL)
    assert f"the proposer failed in its first call: {problem}" in str(failed.value)
    assert f"symloss resume {run} --propose COMMAND" in str(failed.value)
    # Nothing of it is remembered: the run goes on with a command that works, as if that had been the first.
    resumed = sl.resume(run, propose=command)
    assert resumed.status == "finished"
    assert resumed.front == sl.discover(task, propose=command, **SMALL).front


def test_a_command_that_is_not_there(task: Task, tmp_path: Path) -> None:
    received = Command("/nowhere/at/all")([])
    assert received == Received((), received.problem)
    assert "cannot be run: No such file" in received.problem
    run = tmp_path / "run"
    with pytest.raises(RunError, match="there is no program '/nowhere/at/all'"):
        sl.discover(task, propose="/nowhere/at/all", out=run, **SMALL)
    assert not run.exists(), "nothing was begun"
    with pytest.raises(RunError, match="expected a command"):
        Command("  ")
    with pytest.raises(RunError, match="No closing quotation"):
        Command("python 'x")


def test_a_function_proposes_as_well(task: Task) -> None:
    told: list[int] = []

    def ask(candidates: Sequence[dict[str, Any]]) -> Received:
        told.append(len(candidates))
        json.dumps(list(candidates))
        return Received(("brier", "y*(1 - p)", "x" * 3000))

    result = sl.discover(task, propose=ask, **SMALL)
    assert told == [0, 3]
    assert any("longer than 2000 characters" in entry.reason for entry in result.evaluations)


def test_ask_and_tell(task: Task, tmp_path: Path) -> None:
    with Search(task, seed=1, out=tmp_path / "run", **SMALL) as search:
        proposals = search.ask(3)
        assert len(proposals) == 3
        assert all(loss.kind == "classification" for loss in proposals)
        outcomes = search.tell(proposals)
        assert [entry.slot for entry in outcomes] == [0, 1, 2]
        more = search.tell([sl.named("gce", q=0.5), "no formula ((", "-log(p)*y"], tune=True)
        assert [entry.outcome for entry in more][1] == "rejected"
        assert more[0].generation == 1
        assert search.tell([]) == ()
        result = search.finish()
        with pytest.raises(RunError, match="this search is finished: begin another"):
            search.tell(["ce"])
    assert result.status == "finished"
    assert sl.open_run(tmp_path / "run") == result
    assert sl.resume(tmp_path / "run") == result
    assert all(check.holds for check in sl.verify(tmp_path / "run"))


def test_a_search_that_was_left_is_ended_by_resume(task: Task, tmp_path: Path) -> None:
    with Search(task, out=tmp_path / "run", **SMALL) as search:
        search.tell(["ce", "brier"])
    result = sl.resume(tmp_path / "run")
    assert result.status == "finished"
    assert len(result.finalists) == 2


def test_as_many_are_told_as_one_likes(task: Task, tmp_path: Path) -> None:
    losses = [f"-y*log(p) + {0.1 * i:.1f}*(y - p)**2" for i in range(6)]
    for name in ("left", "ended"):
        with Search(task, out=tmp_path / name, **{**SMALL, "population": 2}) as search:
            assert len(search.tell(losses)) == 6
            result = search.result if name == "left" else search.finish()
    again = sl.resume(tmp_path / "left")
    assert [(e.formula, e.blocks) for e in again.evaluations] == [
        (e.formula, e.blocks) for e in result.evaluations
    ]
    assert again.front == result.front
    assert all(check.holds for check in sl.verify(tmp_path / "ended"))


def test_options_that_say_nothing_here_are_refused(task: Task, command: str, tmp_path: Path) -> None:
    for name, value in {"seed_losses": ["ce"], "max_evaluations": 3, "patience": 1}.items():
        with pytest.raises(RunError, match=f"{name} says nothing of a search that is told"):
            Search(task, **SMALL, **{name: value})
    with pytest.raises(RunError, match="let the command print them"):
        sl.discover(task, propose=command, seed_losses=["brier"], **SMALL)
    with Search(task, out=tmp_path / "run", **SMALL) as search:
        search.tell(["ce"])
    with pytest.raises(RunError, match="did not come from a command"):
        sl.resume(tmp_path / "run", propose=command)
    for blocks in ({"folds": 3}, {"val_size": 0.5}, {"final": 3}):
        with pytest.raises(RunError, match="the preset paper has no blocks"):
            sl.discover(task, preset="paper", blocks=blocks)
    with pytest.raises(RunError, match="the preset paper has no blocks to measure it on"):
        sl.discover(task, preset="paper", headroom=True)
