"""Whole comparisons on tiny tasks: what they conclude, what they keep, what they say of what they cannot do."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import symloss as sl
from symloss import search
from symloss.compare.compare import COMPARE
from symloss.compare.comparison import Comparison, Row
from symloss.compare.work import row_scores
from symloss.errors import RunError, SymlossError
from symloss.runs import RunStore, derive
from symloss.tasks import METRICS, SupervisedTask, Task, load_task

WINE = load_task("wine", model="linear").with_settings(steps=10)
RNG = np.random.default_rng(0)


def overfitting() -> SupervisedTask:
    """Few rows, much noise: the learning rate of the settings is too high for as many steps."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(150, 20))
    y = X[:, 0] + 1.5 * rng.normal(size=150)
    return Task.from_arrays(X, y, kind="regression", model="mlp-1x32").with_settings(
        steps=60, learning_rate=0.1, batch_size=32
    )


def row_of(found: Comparison, name: str, treatment: str, **more: Any) -> Row:
    (row,) = (
        row
        for row in (*found.rows, *found.controls)
        if (row.name, row.treatment) == (name, treatment)
        and all(getattr(row, key) == value for key, value in more.items())
    )
    return row


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SupervisedTask, Comparison]:
    """A comparison of the ordinary loss with a fifth of it: nothing but a learning rate."""
    path, task = tmp_path_factory.mktemp("runs") / "fair", overfitting()
    return path, task, sl.compare(task, ["mse", "0.2*(y-p)**2"], seeds=2, splits=10, out=path)


def test_a_multiple_of_the_loss_is_explained_by_the_learning_rate(scaled: Any) -> None:
    _, _, found = scaled
    name = "0.2*(y-p)**2"
    as_is, normalised, tuned = (row_of(found, name, how) for how in ("as is", "normalised", "tuned"))
    assert as_is.difference is not None
    assert as_is.difference_interval is not None
    assert as_is.difference_interval[1] < 0
    assert (as_is.verdict, as_is.explained_by) == ("better", "learning rate")
    assert (normalised.difference, tuned.difference) == (0.0, 0.0)
    assert (tuned.verdict, tuned.p_corrected) == ("as good as", 1.0)
    assert found.verdicts == {name: "as good as"}
    assert not as_is.primary
    assert as_is.effect is not None
    assert as_is.effect > 0


def test_splits_are_the_units_and_test_rows_are_read_once(scaled: Any) -> None:
    _, task, found = scaled
    ordinary = row_of(found, "mse", "as is")
    assert ordinary.role == "ordinary"
    assert row_of(found, "mse", "tuned").role == "ordinary tuned"
    assert len(ordinary.scores) == 10
    assert ordinary.mean == pytest.approx(sum(ordinary.scores) / 10)
    assert ordinary.interval is not None
    s = np.std(ordinary.scores, ddof=1)
    assert ordinary.interval[1] - ordinary.mean == pytest.approx(
        2.262157 * s * math.sqrt(0.1 + 30 / 120), rel=1e-5
    )
    # mse: as is, tuned, rate only; its multiple those and normalised; two seeds on ten splits
    # (a few fewer where tuning chose all of the steps, as the control does: one training then)
    assert 6 * 2 * 10 <= task.test_evaluations <= 7 * 2 * 10
    assert ordinary.cost.steps == 2 * 10 * 60
    tuned = row_of(found, "mse", "tuned")
    assert tuned.cost.selection_steps == row_of(found, "0.2*(y-p)**2", "tuned").cost.selection_steps > 0
    assert (ordinary.area or 0) > 0
    assert ordinary.steps_to_target is not None
    steps, means, _, _ = zip(*ordinary.curve, strict=True)
    assert (steps[0], steps[-1]) == (0, 60)
    assert ordinary.area == pytest.approx(np.trapezoid(means, steps) / 60)
    assert ordinary.target == pytest.approx(means[0] + 0.9 * (min(means) - means[0]))
    assert next(step for step, share in ordinary.reached if share >= 0.5) == ordinary.steps_to_target


def test_one_number_again_by_hand(scaled: Any) -> None:
    from symloss.tasks import replicate

    _, task, found = scaled
    split = replicate(task, "splits", 3, 10, seed=0)
    assert isinstance(split, SupervisedTask)
    scores = [
        split.score(task.base_loss(), seed=derive(0, "report", 3, start), split="test")["mse"]
        for start in range(2)
    ]
    assert row_of(found, "mse", "as is").scores[3] == pytest.approx(sum(scores) / 2, rel=1e-4)


def test_the_record_the_files_and_what_they_are_verified_by(scaled: Any) -> None:
    path, task, found = scaled
    read = sl.open_run(path)
    assert read.to_dict() == found.to_dict()
    assert read == found
    assert (path / "comparison.csv").read_text() == found.to_csv()
    assert found.to_latex().count("\n") == len(found.rows) + 6
    assert r"\toprule" in found.to_latex()
    frame = found.to_frame()
    assert len(frame) == len(found.rows) + len(found.controls)
    assert {"mean", "difference_interval_low", "cost_seconds", "split_10"} <= set(frame.columns)
    json.dumps(found.to_dict(), allow_nan=False)
    assert sl.resume(path, task) == found
    checks = sl.verify(path, task)
    assert len(checks) > 2 * len(found.rows)
    assert all(check.holds for check in checks), [check for check in checks if not check.holds]


def test_verify_finds_what_was_changed(scaled: Any, tmp_path: Path) -> None:
    import shutil

    path, task, _ = scaled
    shutil.copytree(path, tmp_path / "changed")
    with RunStore.open(tmp_path / "changed", write=True) as store:
        table = store.get("comparison", "table")
        table["rows"][0]["mean"] *= 1.1
        store.put("comparison", "table", table)
    wrong = [check for check in sl.verify(tmp_path / "changed", task) if not check.holds]
    assert [check.what for check in wrong] == ["content", "content", "rows, from the record", "mean"]


SMALL: dict[str, Any] = {"seeds": 2, "splits": 3, "tune": False}


def plain(found: Comparison) -> list[dict[str, Any]]:
    rows = [row.to_dict() for row in (*found.rows, *found.controls)]
    for row in rows:
        row["cost"] = {
            key: value
            for key, value in row["cost"].items()
            if key not in ("seconds", "selection_seconds", "search_seconds", "search_steps")
        }
    return rows


def test_any_workers_and_any_interruption_give_one_table(tmp_path: Path) -> None:
    losses, options = ["focal", "y*abs(log(1.3*p))"], {**SMALL, "tune": True, "splits": 2, "seeds": 1}
    whole = sl.compare(WINE, losses, **options)
    processes = sl.compare(WINE, losses, workers=2, executor="process", **options)
    assert plain(processes) == plain(whole)

    def stop(stage: str, done: int, total: int) -> None:
        if stage.startswith("tuning, round 2") and done == 1:
            raise KeyboardInterrupt

    path = tmp_path / "run"
    partial = sl.compare(WINE, losses, out=path, on_progress=stop, **options)
    assert partial.status == sl.open_run(path).status == "interrupted"
    assert {row.treatment for row in partial.rows} == {"as is", "normalised"}
    seen: list[str] = []
    resumed = sl.resume(path, on_progress=lambda stage, *_: seen.append(stage))
    assert plain(resumed) == plain(whole)
    assert resumed.status == "finished"
    assert not any(stage.startswith(("reporting, as is", "tuning, round 1")) for stage in seen)


def test_few_splits_have_means_and_no_verdict() -> None:
    found = sl.compare(WINE, ["brier"], **{**SMALL, "splits": 1})
    row = row_of(found, "brier", "normalised")
    assert (row.verdict, row.p_corrected, row.interval) == ("too few splits to tell", None, None)
    assert row.mean is not None
    assert any("at least 10 are needed" in note for note in found.notes)


def test_a_loss_that_diverges_is_a_row_that_says_so() -> None:
    task = load_task("diabetes", model="linear").with_settings(steps=10)
    found = sl.compare(task, ["mae", "(y-p)**2*1000000000"], **{**SMALL, "splits": 10, "seeds": 1})
    wild = row_of(found, "(y-p)**2*1000000000", "as is")
    assert (wild.verdict, wild.mean) == ("diverged", None)
    assert wild.note.startswith("10 of 10 trainings failed: training diverged")
    assert row_of(found, "(y-p)**2*1000000000", "normalised").verdict == "as good as"
    assert row_of(found, "mae", "as is").verdict in ("better", "worse", "not told apart", "as good as")


def test_a_baseline_that_diverges_leaves_the_rest() -> None:
    task = load_task("diabetes", model="linear").with_settings(steps=10, learning_rate=1e9)
    found = sl.compare(task, ["welsch"], **{**SMALL, "splits": 10, "seeds": 1})
    assert row_of(found, "mse", "as is").verdict == "diverged"
    row = row_of(found, "welsch", "as is")
    assert row.verdict in ("not told apart", "diverged")
    assert row.note
    found.to_latex()


def test_a_classification_is_verified_at_once(tmp_path: Path) -> None:
    sl.compare(WINE, ["brier"], out=tmp_path / "a", **SMALL)
    assert all(check.holds for check in sl.verify(tmp_path / "a"))


def test_disjoint_pools_and_their_common_test_rows() -> None:
    X = RNG.normal(size=(13000, 2))
    task = Task.from_arrays(
        X, X[:, 0] + 0.5 * RNG.normal(size=13000) > 0, kind="classification", model="linear"
    )
    task = task.with_settings(steps=5)
    found = sl.compare(task, ["mae", "brier"], seeds=1, splits=10, tune=False)
    assert "10 disjoint pools of 1,040 rows and 2,600 common test rows" in found.notes[0]
    row = row_of(found, "mae", "normalised")
    assert row.difference_interval is not None
    low, high = row.difference_interval
    differences = np.subtract(row.scores, row_of(found, "ce", "as is").scores)
    half = 2.262157 * differences.std(ddof=1) / math.sqrt(10)
    assert low <= differences.mean() - half + 1e-9
    assert high >= differences.mean() + half - 1e-9
    assert set(row.metrics) == {"nll", "ece"}


@pytest.mark.parametrize("name", ["accuracy", "error-rate", "nll", "mse", "mae"])
def test_the_scores_of_rows_have_the_metric_as_their_mean(name: str) -> None:
    of_rows = row_scores(name)
    assert of_rows is not None
    pairs = [
        (torch.randn(7, 3), torch.arange(7) % 3), (torch.randn(7, 3), (torch.randn(7, 3) > 0).float()),
    ]  # fmt: skip
    if name in ("mse", "mae"):
        pairs = [(torch.randn(7), torch.randn(7))]
    for outputs, targets in pairs:
        assert float(of_rows(outputs, targets).mean()) == pytest.approx(
            METRICS[name](outputs, targets), rel=1e-5
        )


def test_sample_efficiency_on_shares_of_the_rows() -> None:
    found = sl.compare(WINE, ["brier"], fractions=[0.5, 1], **{**SMALL, "splits": 10, "seeds": 1})
    half = row_of(found, "brier", "normalised", fraction=0.5)
    whole = row_of(found, "brier", "normalised", fraction=1.0)
    assert half.scores != whole.scores
    assert (half.primary, whole.primary) == (False, True)
    alone = sl.compare(WINE, ["brier"], **{**SMALL, "splits": 10, "seeds": 1})
    assert row_of(alone, "brier", "normalised").scores == whole.scores


def test_several_tasks_are_corrected_together_and_ranked() -> None:
    tasks = [load_task(name, model="linear").with_settings(steps=5) for name in ("wine", "breast-cancer")]
    found = sl.compare(tasks, ["brier", "mae"], **{**SMALL, "splits": 10, "seeds": 1})
    primary = [row for row in found.rows if row.primary]
    assert len(primary) == 4
    smallest = min(primary, key=lambda row: row.p or 0)
    assert smallest.p_corrected == pytest.approx(min(1, 4 * (smallest.p or 0)))
    assert set(found.verdicts) == {"wine: brier", "wine: mae", "breast-cancer: brier", "breast-cancer: mae"}
    # The ordinary loss has no row of its own where the scale is taken out: it is 1.
    assert set(found.rankings["normalised"].names) == {"ce", "brier", "mae"}
    assert set(found.wilcoxon) == {"brier", "mae"}
    assert any("takes at least 20" in note for note in found.notes)
    with pytest.raises(SymlossError, match="one loss serves tasks of one kind only"):
        sl.compare([tasks[0], load_task("diabetes")], ["brier"])


def test_parts_that_were_given_and_trainers_that_are_not_ours_do_what_they_can() -> None:
    batches = [(torch.randn(8, 3), torch.arange(8) % 2) for _ in range(3)]
    loaders = Task.from_loaders(batches, batches, batches, model="linear", kind="classification")
    found = sl.compare(loaders.with_settings(steps=3), ["brier"], **SMALL)
    assert "its rows cannot be drawn anew" in found.notes[0]
    with pytest.raises(SymlossError, match="the rows of loaders cannot be drawn"):
        sl.compare(loaders, ["brier"], fractions=[0.5])

    def trainer(loss: Any, seed: int, budget: int) -> dict[str, float]:
        outputs = torch.full((4,), 0.5 + 1e-9 * (seed % 97))
        value = float(loss(outputs, torch.zeros(4)))
        if value > 0.4:
            raise ValueError("too steep")
        return {"metric": value, "test": value}

    box = Task.from_function(trainer, kind="regression", metric="error").with_settings(steps=3)
    found = sl.compare(box, ["mae", "huber"], seeds=1, splits=10)
    assert {row.treatment for row in found.rows} == {"as is"}
    assert row_of(found, "huber", "as is").verdict == "better"
    failed = row_of(found, "mae", "as is")
    assert (failed.verdict, "too steep" in failed.note) == ("diverged", True)
    assert any("compared as they are" in note for note in found.notes)


def test_the_best_of_the_zoo_is_chosen_on_blocks_of_each_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symloss.compare.contenders.names", lambda kind=None: ["ce", "brier", "mae"])
    found = sl.compare(WINE.with_settings(steps=3), ["best-zoo"], seeds=1, splits=2)
    (row,) = (row for row in found.rows if row.role == "best zoo")
    assert row.treatment == "tuned"
    assert sum(row.chosen.values()) == 2
    assert set(row.chosen) <= {"ce", "brier", "mae"}


def test_a_row_of_a_run_says_what_it_was_searched_on(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "population": 3, "generations": 1, "tuning": {"steps": 1, "tidy": False}, "screening": {"sample": 0},
        "blocks": {"headroom": False, "zoo": False, "final": 2, "finalists": 2}, "model": None,
    }  # fmt: skip
    sl.discover(WINE, out=tmp_path / "a", **options)
    row = f"{tmp_path}/a#1"
    own = sl.compare(WINE, [row], **{**SMALL, "splits": 1})
    assert any(f"{row} was searched on rows of wine that are test rows" in note for note in own.notes)
    assert own.rows[1].cost.candidates >= 3
    other = sl.compare(load_task("breast-cancer", model="linear"), [row], **{**SMALL, "splits": 1})
    assert any("was searched on wine and is used here unchanged" in note for note in other.notes)
    assert isinstance(sl.open_run(tmp_path / "a"), sl.Result)
    with pytest.raises(RunError, match="is a run of 'symloss discover', not of 'symloss compare'"):
        COMPARE.open(tmp_path / "a")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "seeds 0: expected a whole number of at least 1"),
        ({"splits": 0}, "splits 0: expected"),
        ({"fractions": [0.5, 1.5]}, "expected shares above 0 and at most 1"),
        ({"fractions": []}, "expected shares above 0"),
        ({"seed": -1}, "seed -1: expected"),
    ],
)
def test_numbers_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SymlossError, match=message):
        sl.compare(WINE, ["brier"], **options)


def test_a_folder_that_holds_another_run_is_refused(tmp_path: Path) -> None:
    sl.compare(WINE, ["brier"], out=tmp_path / "a", **{**SMALL, "splits": 1})
    with pytest.raises(RunError, match="holds a run: go on with"):
        sl.compare(WINE, ["brier"], out=tmp_path / "a", **SMALL)
    with pytest.raises(RunError, match="is a run of 'symloss compare', not of 'symloss discover'"):
        search.open_run(tmp_path / "a")
    with pytest.raises(SymlossError, match=r"propose is about a search, and .* is a run of compare"):
        sl.resume(tmp_path / "a", propose="cat")
    with pytest.raises(SymlossError, match="models are of a transfer, and the run is a comparison"):
        sl.resume(tmp_path / "a", models=["linear"])
    with pytest.raises(SymlossError, match="is not the task of this run"):
        sl.resume(tmp_path / "a", load_task("wine", seed=1, model="linear").with_settings(steps=10))


def test_a_training_in_a_few_that_diverges_counts_as_an_untrained_model() -> None:
    from symloss.compare.contenders import contenders_of
    from symloss.compare.convergence import Reported as Run
    from symloss.compare.table import Tried, concluded, drafts_of
    from symloss.compare.work import Replicate

    task = load_task("wine", model="linear")

    def trained(score: float, reason: str = "") -> Run:
        answer = {
            "values": [0.3, score], "test": {"accuracy": score}, "rows": None, "reason": reason, "scale": 1.0,
            "seconds": 1.0,
        }  # fmt: skip
        return Run((0, 10), answer)

    def verdict_of(failing: int) -> Row:
        ours = {
            n: [trained(0.3, "training diverged") if n < failing else trained(0.9 + 0.01 * (n % 2))]
            for n in range(10)
        }
        theirs = {n: [trained(0.9)] for n in range(10)}
        tried = [
            Tried(one, {"as is": runs}, {})
            for one, runs in zip(contenders_of(["brier"], task), (theirs, ours), strict=True)
        ]
        return concluded(drafts_of(task, Replicate(0, "splits", 0, 10), tried, 0, "as is"))[1]

    assert verdict_of(0).note == ""
    few = verdict_of(2)
    assert (few.verdict, few.note) == (
        "not told apart",
        "2 of 10 trainings failed and count as untrained models",
    )
    assert few.mean == pytest.approx((2 * 0.3 + 4 * 0.9 + 4 * 0.91) / 10, abs=0.002)
    many = verdict_of(5)
    assert (many.verdict, many.mean) == ("diverged", None)
    assert many.note == "5 of 10 trainings failed: training diverged"
