"""A search inside a theorem: nothing else is found, and it is a run like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import symloss as sl
from symloss.errors import DomainError, SymlossError
from symloss.search import Search, verify
from symloss.search.discover import plan
from symloss.search.loop.stages import Stages
from symloss.search.loop.workers import Workers
from symloss.search.propose.inside import inside_of
from symloss.search.propose.inside.read import read
from symloss.search.record.memory import Memory
from symloss.search.settings import SearchSettings
from symloss.tasks import Task, load_task

SMALL: dict[str, Any] = {
    "population": 5, "generations": 2, "screening": {"sample": 2}, "tuning": {"steps": 2},
    "grammar": {"max_height": 2}, "rates": {"initial_depth": (1, 2)},
    "blocks": {"headroom": False, "settle": False, "final": 2, "finalists": 2},
}  # fmt: skip


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("wine", model="linear").with_settings(steps=10)


@pytest.fixture(scope="module")
def run(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inside") / "run"
    sl.discover(task, inside="proper", out=folder, **SMALL)
    return folder


def inside_all(result: sl.Result, names: list[str], classes: int | None = 3) -> None:
    """Every loss that was trained is read as a member, or was derived as one: its formula has the property."""
    inside = inside_of(names, str(result.task["kind"]))
    assert inside is not None
    certificates = [sl.analyze(row.loss, classes) for row in result.front]
    assert all(c.findings[name].verdict == "proved" for c in certificates for name in inside.findings)


def test_a_run_remembers_what_it_is_inside_of(run: Path) -> None:
    result = sl.open_run(run)
    assert list(result.settings["inside"]) == ["proper"]
    inside_all(result, ["proper"])
    assert result.notes[0].startswith(
        "inside proper: every loss of the front is strictly proper: its minimiser is"
    )
    assert any(note.startswith("inside proper: analyze proves it again of rows 1") for note in result.notes)
    assert {entry.name for entry in result.evaluations if entry.name} == {"ce", "brier"}, (
        "of the zoo the members"
    )
    checks = verify(run)
    assert all(check.holds for check in checks), [check for check in checks if not check.holds]


def test_a_run_that_was_stopped_ends_as_one_that_was_not(task: Task, run: Path, tmp_path: Path) -> None:
    sl.discover(task, inside=["proper"], out=tmp_path / "run", time_limit=0.0, **SMALL)
    resumed = sl.resume(tmp_path / "run")
    assert (tmp_path / "run" / "front.csv").read_bytes() == (run / "front.csv").read_bytes()
    assert resumed.notes == sl.open_run(run).notes


@pytest.mark.slow
def test_workers_do_not_matter(task: Task, run: Path, tmp_path: Path) -> None:
    sl.discover(task, inside="proper", out=tmp_path / "run", workers=2, executor="process", **SMALL)
    assert (tmp_path / "run" / "front.csv").read_bytes() == (run / "front.csv").read_bytes()


@pytest.mark.parametrize(
    ("names", "options"),
    [
        ("symmetric", {"method": "gplfl"}),
        ("calibrated,bounded", {"method": "random"}),
        ("smoothing=0.2", {"objectives": 1, "rates": {"inherit": False, "initial_depth": (1, 2)}}),
        ("bounded", {"keep_scale": True}),
    ],
)
def test_methods_and_theorems(task: Task, names: str, options: dict[str, Any]) -> None:
    result = sl.discover(task, inside=names, **{**SMALL, "population": 4, **options})
    assert result.front
    inside_all(result, names.split(","))


def test_regression() -> None:
    task = load_task("diabetes", model="linear").with_settings(steps=10)
    result = sl.discover(task, inside="mean", **SMALL)
    certificates = [row.certificate for row in result.front]
    assert {str(c.findings["converges_to"].value) for c in certificates} == {"mean"}


def test_losses_with_a_name_outside_are_held_against_and_left_out(task: Task) -> None:
    wide = {
        **SMALL,
        "generations": 1,
        "blocks": {**SMALL["blocks"], "headroom": True, "sweep": 2, "strangers": 2},
    }
    result = sl.discover(task, inside="symmetric", **wide)
    named = {entry.name: entry for entry in result.evaluations if entry.name}
    first = next(entry for entry in result.evaluations if entry.name == "mae")
    assert first.outcome == "trained"
    assert named["ce"].outcome == "rejected"
    assert named["ce"].reason == "zoo: ce; outside: not read as a member of symmetric"
    assert {"ce", "mae"} <= {row.name for row in result.headroom[0].rows}
    assert all(row.name in ("", "mae") for row in result.front)


def test_formulas_from_outside_are_read_or_refused(task: Task, tmp_path: Path) -> None:
    small = {**SMALL, "blocks": {**SMALL["blocks"], "zoo": False}}
    for key in ("generations",):
        small.pop(key)
    with Search(task, inside="proper", out=tmp_path / "run", **small) as search:
        asked = search.ask(4)
        told = search.tell([*asked, "ce", "-2*y*log(p) + p**2 - 2*p*y", "gce", "y*"], tune=True)
        search.finish()
    outcomes = [entry.outcome for entry in told]
    assert outcomes[:4] == ["trained"] * 4
    assert outcomes[4:6] == ["trained"] * 2
    assert "not in the grammar of proper" in told[6].reason
    assert told[6].outcome == told[7].outcome == "rejected"
    assert told[5].loss is not None
    assert sl.analyze(told[5].loss, 3).findings["proper"].verdict == "proved", (
        "it was tuned, and is proper still"
    )
    checks = verify(tmp_path / "run")
    assert all(check.holds for check in checks), [check for check in checks if not check.holds]


def test_seed_losses_must_be_members(task: Task) -> None:
    small = {**SMALL, "generations": 1, "blocks": {**SMALL["blocks"], "zoo": False}}
    result = sl.discover(task, inside="proper", seed_losses=["brier"], **small)
    assert result.evaluations[1].formula == "(y - p)**2"
    with pytest.raises(DomainError, match="is not in the grammar of proper"):
        sl.discover(task, inside="proper", seed_losses=["focal"], **small)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inside": "proper,symmetric"}, r"symloss derive --theorem proper-symmetric-exclusive"),
        (
            {"require": ["proper", "symmetric_noise_robust"]},
            r"^proper, symmetric_noise_robust: no loss is both .*symloss derive",
        ),
        (
            {"inside": "proper", "require": ["symmetric_noise_robust"]},
            r"symloss derive --theorem proper-symmetric",
        ),
        (
            {"inside": "symmetric", "require": ["proper"]},
            r"symloss derive --theorem proper-symmetric-exclusive",
        ),
        (
            {"inside": "smoothing=0.1", "require": ["symmetric_noise_robust"]},
            r"symloss derive --theorem proper-symm",
        ),
        ({"inside": "smoothing=0.1", "require": ["proper"]}, r"a loss that smooths labels is not proper"),
        ({"inside": "mean"}, r"mean is a property of regression losses, and this is a classification task"),
        ({"inside": "proper", "method": "taylorglo"}, r"inside: taylorglo breeds no trees; leave it out"),
        ({"inside": "proper", "method": "ml3"}, r"inside: ml3 breeds no trees; leave it out"),
        (
            {"inside": "proper", "grammar": {"operators": ("add", "mul")}},
            r"grammar.operators: inside a theorem",
        ),
        ({"inside": "proper", "extra_symbols": ["w"]}, r"grammar.extra_symbols: inside a theorem"),
    ],
)
def test_what_is_refused_at_once(task: Task, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SymlossError, match=message):
        sl.discover(task, **options)


def test_the_command_line_refuses_with_a_line_and_exit_code_2(run: Callable[..., Any]) -> None:
    from symloss.cli import app

    del run
    with pytest.raises(SystemExit) as stop:
        app(["discover", "wine", "--require", "proper,symmetric_noise_robust"])
    assert stop.value.code == 2


def test_old_runs_have_no_theorem() -> None:
    data = SearchSettings().to_dict()
    del data["inside"]
    assert SearchSettings.from_dict(data).inside == ()
    assert replace(SearchSettings(), inside="proper,bounded").inside == ("proper", "bounded")  # type: ignore[arg-type]


def test_what_the_gate_turns_away_is_not_turned(task: Task) -> None:
    """A bounded loss that points the wrong way is rejected: a sign may be what the theorem rests on."""
    config, tasks, settings = plan(task, seed=0, inside="calibrated")
    from symloss.runs import executor

    with executor("serial") as place:
        stages = Stages(settings, 0, Workers(tasks, Memory(config), place, 8))
        assert stages.inside is not None
        one = read(sl.parse("5*p**2 - 0.1*y*p"), stages.inside, 3)
        assert stages.turn(one) == 1
        wrong = read(sl.parse("-y*p - 5*p"), stages.inside, 3)
        assert stages.turn(wrong) in (0, 1)
        assert stages.member(sl.named("gce")) is not None
        assert stages.member(sl.named("ace")) is None
