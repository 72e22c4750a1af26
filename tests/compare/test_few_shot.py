"""`sl.fewshot`: kept as it goes, stopped anywhere and gone on with to the same end, verified."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import symloss as sl
from symloss.compare import FewShot, SeedScores, open_run, resume, verify
from symloss.compare.few_shot import record as record_module
from symloss.errors import DomainError, RunError, SymlossError, TaskError
from symloss.tasks.episodes import Sinusoid, load_episodes

SMALL: dict[str, Any] = {
    "shots": 3, "steps": 4, "every": 2, "validation_tasks": 3, "test_tasks": 5, "meta_batch": 2, "encoder": "mlp-1x5",
    "inner_steps": 2,
}  # fmt: skip


def _learn(out: Path | None = None, method: str = "maml", **options: Any) -> FewShot:
    return sl.fewshot("sinusoid", method, out=out, **{**SMALL, **options})


def _stopped_at(count: int) -> Any:
    """A Ctrl-C after so many reports."""
    seen = []

    def watch(stage: str, done: int, total: int) -> None:
        seen.append(stage)
        if len(seen) == count:
            raise KeyboardInterrupt

    return watch


def _facts(found: FewShot) -> dict[str, Any]:
    return {name: value for name, value in found.to_dict().items() if name not in ("run", "status")}


def test_a_run_in_memory_and_one_on_disk_are_the_same(tmp_path: Path) -> None:
    one, other = _learn(seeds=2), _learn(tmp_path / "a", seeds=2)
    assert _facts(one) == _facts(other) == _facts(open_run(tmp_path / "a"))
    assert other.status == "finished"
    assert sorted(file.name for file in (tmp_path / "a").glob("*.npz")) == ["weights-0.npz", "weights-1.npz"]
    assert (tmp_path / "a" / "tasks.csv").read_text().startswith("seed,task,before,step 1,step 2\n0,0,")


@pytest.fixture(scope="module")
def never_stopped(tmp_path_factory: pytest.TempPathFactory) -> FewShot:
    return _learn(tmp_path_factory.mktemp("whole") / "a", "npbml", seeds=2)


@pytest.mark.parametrize(("count", "every"), [(1, 0.0), (3, 0.0), (4, 1e9), (8, 0.0), (13, 1e9)])
def test_stopped_and_gone_on_with_is_never_stopped(
    count: int, every: float, never_stopped: FewShot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_module, "_EVERY", every)
    stopped = _learn(tmp_path / "a", "npbml", seeds=2, on_progress=_stopped_at(count))
    assert stopped.status == "interrupted"
    assert open_run(tmp_path / "a").history
    found = resume(tmp_path / "a")
    assert _facts(found) == _facts(never_stopped)
    for name in ("weights-0.npz", "weights-1.npz", "tasks.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (never_stopped.path / name).read_bytes()
    assert resume(tmp_path / "a").to_dict() == found.to_dict()


def test_a_kill_while_a_state_is_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_module, "_EVERY", 0.0)
    whole = _learn(tmp_path / "whole")
    _learn(tmp_path / "a", on_progress=_stopped_at(3))
    (current,) = {json.dumps(sl.open_run(tmp_path / "a").begun)}
    files = sorted((tmp_path / "a").glob("state-0-*.npz"))
    assert len(files) == 2
    older = min(files, key=lambda file: file.stat().st_mtime_ns)
    older.write_bytes(b"half a fi")
    assert json.dumps(sl.open_run(tmp_path / "a").begun) == current
    assert _facts(resume(tmp_path / "a")) == _facts(whole)


def test_a_state_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_module, "_EVERY", 0.0)
    _learn(tmp_path / "a", on_progress=_stopped_at(3))
    for file in (tmp_path / "a").glob("state-0-*.npz"):
        file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(RunError, match="is not what was written"):
        resume(tmp_path / "a")


def test_verify_trains_again(tmp_path: Path) -> None:
    _learn(tmp_path / "a", seeds=2)
    checks = verify(tmp_path / "a")
    assert all(check.holds for check in checks)
    assert sum(check.found == "the same bit for bit" for check in checks) == 2
    (tmp_path / "a" / "tasks.csv").write_text("seed,task\n")
    assert [check.what for check in verify(tmp_path / "a") if not check.holds] == ["content"]


def test_a_source_of_ones_own_is_given_again(tmp_path: Path) -> None:
    source = Sinusoid(training_tasks=7)
    whole = sl.fewshot(source, "maml", **SMALL)
    sl.fewshot(source, "maml", out=tmp_path / "a", on_progress=_stopped_at(2), **SMALL)
    with pytest.raises(TaskError, match="give the source again"):
        resume(tmp_path / "a")
    with pytest.raises(TaskError, match="its data are others"):
        resume(tmp_path / "a", Sinusoid())
    assert _facts(resume(tmp_path / "a", source)) == _facts(whole)
    assert all(check.holds for check in verify(tmp_path / "a", source))


def test_fewer_training_classes_are_part_of_the_recipe(tmp_path: Path) -> None:
    whole = _learn(classes=7)
    stopped = _learn(tmp_path / "a", classes=7, on_progress=_stopped_at(2))
    assert stopped.task["training_classes"] == 7
    assert _facts(resume(tmp_path / "a")) == _facts(whole)


def test_what_a_study_needs() -> None:
    found = _learn(seeds=2, train_tasks=5)
    other = _learn(method="npbml")
    assert len(found.scores) == len(other.scores) == 5
    assert [row[0] for row in found.seeds[0].tasks] != [row[0] for row in found.seeds[1].tasks]
    assert found.gap == pytest.approx(
        sum((seed.train or math.nan) - seed.mean for seed in found.seeds) / 2
    )  # fmt: skip
    assert found.worse is not None
    assert 0 <= found.worse <= 1
    low, high = found.interval or (math.nan, math.nan)
    assert low < (found.mean or math.nan) < high
    assert len(found.curve) == 3
    assert found.models[1].phi["head.weight"].shape == (1, 5)


def test_intervals() -> None:
    tasks = tuple((0.2, value) for value in (0.5, 0.7, 0.1))
    seed = SeedScores(0, 10, ((10, 0.6),), tasks)
    assert seed.mean == pytest.approx(1.3 / 3)
    assert seed.worse(True) == pytest.approx(1 / 3)
    assert seed.worse(False) == pytest.approx(2 / 3)
    low, high = seed.interval or (0, 0)
    spread = math.sqrt(sum((value - 1.3 / 3) ** 2 for value in (0.5, 0.7, 0.1)) / 2)
    assert high - low == pytest.approx(2 * 1.96 * spread / math.sqrt(3))
    assert SeedScores.from_dict(json.loads(json.dumps(seed.to_dict()))) == seed


def test_a_formula_is_learned() -> None:
    found = _learn(method="npbml", parts=("init", "loss"), loss=sl.parse("abs(y - p)**c", kind="regression",
                                                                       coefficients={"c": 1.5}))  # fmt: skip
    assert found.seeds[0].formula == str(found.model.formula)
    assert found.seeds[0].formula != "abs(p - y)**1.5"
    scale = found.settings.design.formula_scale
    assert scale > 1


def test_the_json_keys_are_those_that_were_promised() -> None:
    found = _learn().to_dict()
    promised = {
        "task",
        "method",
        "ways",
        "shots",
        "parts",
        "tasks",
        "metric",
        "mean",
        "interval",
        "seeds",
        "before",
    }
    assert promised | {"history"} <= set(found)
    assert json.loads(json.dumps(found, allow_nan=False)) == json.loads(json.dumps(found))
    assert found["history"][0].keys() == {"step", "validation"}


@pytest.mark.parametrize(
    ("task", "options", "match"),
    [
        ("sinusoid", {"seeds": 0}, "seeds"),
        ("sinusoid", {"seed": -1}, "seed -1"),
        ("sinus", {}, "unknown few-shot task 'sinus'"),
        ("glyphs", {"ways": 100_000}, "too few for 100000 ways"),
        ("glyphs", {"shots": 1000}, "ask for fewer shots"),
        ("sinusoid", {"classes": 0}, "classes"),
        ("sinusoid", {"device": "tpu"}, "the device 'tpu' cannot be used here"),
        ("sinusoid", {"method": "npbml", "loss": "ce"}, "no regression loss is named 'ce'"),
        (Sinusoid(), {"data": "/data"}, "leave them out"),
        ("sinusoid", {"method": "npbml", "loss": sl.parse("a*(y - y*p/p)", kind="regression", coefficients={"a": 1})},
         "no task can be learned"),
    ],
)  # fmt: skip
def test_bad_input_is_said_before_anything_is_kept(
    task: Any, options: dict[str, Any], match: str, tmp_path: Path
) -> None:
    with pytest.raises(SymlossError, match=match):
        sl.fewshot(task, **{"method": "maml", "out": tmp_path / "a", **options})
    assert not (tmp_path / "a").exists()


def test_what_says_nothing_to_a_run_is_refused(tmp_path: Path) -> None:
    _learn(tmp_path / "a")
    with pytest.raises(DomainError, match="one worker"):
        resume(tmp_path / "a", workers=2)
    with pytest.raises(DomainError, match="models are of a transfer"):
        resume(tmp_path / "a", models=["mlp"])
    with pytest.raises(DomainError, match="is about a search"):
        resume(tmp_path / "a", propose="command")
    with pytest.raises(DomainError, match="one source of tasks, got 2"):
        resume(tmp_path / "a", [Sinusoid(), Sinusoid()])
    with pytest.raises(RunError, match="holds a run"):
        _learn(tmp_path / "a")
    assert load_episodes("sinusoid").fingerprint == open_run(tmp_path / "a").task["fingerprint"]
