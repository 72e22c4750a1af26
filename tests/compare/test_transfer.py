"""Losses on other tasks, models, noise, sizes and inputs: the matrix, its certificates, its record, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import symloss as sl
from symloss.compare.broken import certified
from symloss.compare.contenders import Contender, Origin, Variant, contenders_of
from symloss.compare.transferred import Transfer, TransferRow
from symloss.errors import RunError, SymlossError
from symloss.runs import RunStore
from symloss.tasks import SupervisedTask, Task, load_task, with_label_noise

WINE = load_task("wine", model="linear").with_settings(steps=5)
BREAST = load_task("breast-cancer", model="linear").with_settings(steps=5)
DIABETES = load_task("diabetes", model="linear").with_settings(steps=5)
SMALL: dict[str, Any] = {"seeds": 1, "splits": 2, "tune": False}
SEARCH: dict[str, Any] = {
    "population": 3, "generations": 1, "tuning": {"steps": 1, "tidy": False}, "screening": {"sample": 0},
    "blocks": {"headroom": False, "zoo": False, "final": 2, "finalists": 2}, "model": None,
}  # fmt: skip
SMOOTH = "y*abs(log(1.3*p))"
EVERYWHERE: dict[str, Any] = {
    "models": ["linear", "mlp-1x4"], "label_noise": 0.3, "fractions": [0.5, 1], "corruptions": ["missing:0.4"],
}  # fmt: skip


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on wine whose front holds a loss that smooths at three classes, by 0.35."""
    path = tmp_path_factory.mktemp("runs") / "a"
    sl.discover(WINE, out=path, seed_losses=[SMOOTH], **SEARCH)
    return path


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Transfer]:
    path = tmp_path_factory.mktemp("runs") / "elsewhere"
    found = sl.transfer(
        ["brier", SMOOTH], [WINE, BREAST], out=path, seeds=1, splits=2, tune=False, **EVERYWHERE
    )
    return path, found


def rows_of(found: Transfer, **where: Any) -> list[TransferRow]:
    return [row for row in found.rows if all(getattr(row, key) == value for key, value in where.items())]


def test_every_loss_meets_the_ordinary_one_in_every_cell(matrix: Any) -> None:
    _, found = matrix
    cells = {row.cell for row in found.rows}
    assert len(cells) == 2 * 2 * 2 * 2  # tasks, models, shares, inputs
    assert len(found.rows) == 3 * len(cells)
    for cell in cells:
        assert [row.name for row in found.rows if row.cell == cell] == ["ce", "brier", SMOOTH]
    assert found.losses == ("brier", SMOOTH)
    assert {row.verdict for row in rows_of(found, name="ce")} == {"baseline"}
    assert {row.classes for row in rows_of(found, task="wine")} == {3}
    assert rows_of(found, name="brier")[0].place == "wine, linear, label noise 0.3, 50 % of the rows"


def test_a_corrupted_cell_is_the_clean_model_on_other_test_inputs(matrix: Any) -> None:
    _, found = matrix
    where: dict[str, Any] = {
        "name": "brier",
        "task": "wine",
        "model": "linear",
        "label_noise": 0.3,
        "fraction": 1.0,
    }
    clean, gone = rows_of(found, **where)
    assert (clean.inputs, gone.inputs) == ("clean", "missing:0.4")
    assert clean.scores != gone.scores
    assert (clean.learning_rate, clean.steps) == (gone.learning_rate, gone.steps)
    # The clean cell is that of a transfer without corruptions, and of a comparison of that very task.
    alone = sl.transfer("brier", WINE, label_noise=0.3, **SMALL)
    assert rows_of(alone, name="brier")[0].scores == clean.scores
    compared = sl.compare(with_label_noise(WINE, 0.3), ["brier"], **SMALL)
    assert [row.scores for row in compared.rows if row.treatment == "normalised"] == [clean.scores]


def test_the_hypothesis_is_one_over_all_cells() -> None:
    found = sl.transfer(["mae"], [WINE, BREAST], corruptions=["gaussian:2"], seeds=1, splits=10, tune=False)
    primary = [row for row in found.rows if row.primary]
    assert len(primary) == 4
    smallest = min(primary, key=lambda row: row.p or 0)
    assert smallest.p_corrected == pytest.approx(min(1, 4 * (smallest.p or 0)))
    assert {row.verdict for row in primary} <= {"better", "worse", "as good as", "not told apart"}
    assert sum(found.verdicts["mae"].values()) == 4
    assert found.detectable is not None


def test_tuned_losses_meet_the_tuned_ordinary_loss() -> None:
    found = sl.transfer("mae", DIABETES, seeds=1, splits=1)
    assert [(row.name, row.role, row.treatment) for row in found.rows] == [
        ("mse", "ordinary tuned", "tuned"), ("mae", "", "tuned"),
    ]  # fmt: skip
    both = sl.compare(DIABETES, ["mae"], seeds=1, splits=1)
    tuned = [row.scores for row in both.rows if row.treatment == "tuned"]
    assert [row.scores for row in found.rows] == tuned
    assert found.rows[1].cost.selection_steps > 0


def test_the_record_the_files_and_what_they_are_verified_by(matrix: Any) -> None:
    path, found = matrix
    assert sl.open_run(path) == found
    assert (path / "transfer.csv").read_text() == found.to_csv()
    assert (path / "transfer.tex").read_text() == found.to_latex()
    assert found.to_latex().count(r"\midrule") == 16
    json.dumps(found.to_dict(), allow_nan=False)
    frame = found.to_frame()
    assert {"model", "label_noise", "inputs", "classes", "broken", "split_2"} <= set(frame.columns)
    assert sl.resume(path, [WINE, BREAST]) == found
    checks = sl.verify(path, [WINE, BREAST])
    assert all(check.holds for check in checks), [check for check in checks if not check.holds]


def test_verify_finds_what_was_changed(tmp_path: Path) -> None:
    sl.transfer("brier", WINE, label_noise=[0, 0.2], out=tmp_path / "a", **SMALL)
    assert {row.label_noise for row in sl.open_run(tmp_path / "a").rows} == {0, 0.2}
    with RunStore.open(tmp_path / "a", write=True) as store:
        table = store.get("transfer", "table")
        table["rows"][1]["mean"] *= 1.1
        table["rows"][2]["broken"] = ["proper"]
        store.put("transfer", "table", table)
    wrong = [check.what for check in sl.verify(tmp_path / "a") if not check.holds]
    assert wrong == ["content", "content", "rows, from the record", "mean", "proved no more"]


def plain(found: Transfer) -> list[dict[str, Any]]:
    rows = [row.to_dict() for row in found.rows]
    for row in rows:
        row["cost"] = {key: value for key, value in row["cost"].items() if "seconds" not in key}
    return rows


def test_any_interruption_gives_one_matrix(tmp_path: Path) -> None:
    options: dict[str, Any] = {"seeds": 1, "splits": 2, "corruptions": ["gaussian"]}
    whole = sl.transfer("brier", WINE, ["linear"], **options)

    def stop(stage: str, done: int, total: int) -> None:
        if stage.startswith("tuning, round 2") and done == 1:
            raise KeyboardInterrupt

    path = tmp_path / "run"
    stopped = sl.transfer("brier", WINE, ["linear"], out=path, on_progress=stop, **options)
    assert (stopped.status, stopped.rows) == ("interrupted", ())
    assert sl.open_run(path).status == "interrupted"
    seen: list[str] = []
    resumed = sl.resume(path, on_progress=lambda stage, *_: seen.append(stage))
    assert plain(resumed) == plain(whole)
    assert resumed.status == "finished"
    assert "tuning, round 1" not in seen


def test_rows_of_a_run_and_its_certificates_elsewhere(searched: Path) -> None:
    result = sl.open_run(searched)
    picked = next(row for row in result.front if row.picked)
    found = sl.transfer(searched, BREAST, **SMALL)
    assert found.losses == (f"{searched}#{picked.row}",)
    assert found.rows[1].loss == str(picked.loss)
    assert found.rows[1].cost.candidates >= 3
    assert any("was searched on wine and is used here unchanged" in note for note in found.notes)
    whole = sl.transfer(result, BREAST, rows="front", **SMALL)
    assert len(whole.losses) == len(result.front)
    (one,) = (each for each in found.certificates if each.name == found.losses[0])
    assert (one.searched, one.classes) == (3, 2)
    proved = {key for key, each in picked.certificate.findings.items() if each.verdict == "proved"}
    there = {k for k, each in sl.analyze(picked.loss, 2).findings.items() if each.verdict == "proved"}
    assert (set(one.held), set(one.broken)) == (proved, proved - there)
    assert set(found.rows[1].broken) == proved - there
    # On the task of the search there is nothing to break, and its score flatters it.
    own = sl.transfer(f"{searched}#{picked.row}", WINE, **SMALL)
    assert own.certificates == ()
    assert any("its score flatters it" in note for note in own.notes)


def found_elsewhere(formula: str, searched: int, classes: list[int | None]) -> Any:
    origin = Origin("a", ("x",), ("y",), 0.0, 1, searched)
    loss = sl.parse(formula)
    one = Contender("a#1", "discovered", (Variant("a#1", loss),), origin)
    return certified([one], classes, lambda key, make: make())


def test_what_breaks_at_another_number_of_classes() -> None:
    # Its attractor is 10/13 whatever the classes, which is more smoothing where there are fewer of them.
    (same,), _ = found_elsewhere(SMOOTH, 10, [3, 10, None])
    assert same.broken == {}
    assert "attractor" in {*same.held} - same.changed.keys()
    before, after = same.changed["label_smoothing"]
    assert before < after
    assert "findings still proved; changed: " in same.sentence()
    # Below 1/C a loss pulls the target down, where training starts: trainable at 10 classes, not at 2.
    (broken,), _ = found_elsewhere("y*(p - 0.3)**2", 10, [2])
    assert "trainable_at_start" in broken.held
    assert broken.broken["trainable_at_start"].startswith("refuted")
    assert "a#1 at 2 classes, searched at 10: proved no more: " in broken.sentence()


def test_a_network_transfers_as_its_run_kept_it(tmp_path: Path) -> None:
    run = tmp_path / "n"
    sl.discover(
        WINE, "ml3", out=run, model=None, population=2, generations=1, neural={"steps": 1, "hidden": (4, 3)},
        ordinary=False, blocks={"headroom": False, "zoo": False, "settle": False, "resample": False},
    )  # fmt: skip
    result = sl.open_run(run)
    (row,) = (row for row in result.front if row.neural)
    found = sl.transfer(f"{run}#{row.row}", BREAST, out=tmp_path / "t", **SMALL)
    network = found.rows[1]
    assert (network.loss, network.mean is not None) == ("neural", True)
    assert any("is a network, of which nothing is proved" in note for note in found.notes)
    assert sl.resume(tmp_path / "t", BREAST) == found
    assert all(check.holds for check in sl.verify(tmp_path / "t", BREAST))
    # What it was trained with is that network, scale taken out.
    (contender,) = contenders_of([f"{run}#{row.row}"], WINE)[1:]
    assert result.network is not None
    assert contender.loss == result.network.loss
    assert Contender.from_record(json.loads(json.dumps(contender.record())), "classification") == contender
    from dataclasses import replace

    from symloss.compare.contenders import contender_of_row

    with pytest.raises(SymlossError, match="did not keep its weights: distil it"):
        contender_of_row(row, replace(result, network=None), "n#1", WINE)


def picture_task() -> SupervisedTask:
    X = np.random.default_rng(0).normal(size=(120, 1, 12, 12))
    task = Task.from_arrays(X, X.mean((1, 2, 3)) > 0, kind="classification", model="linear", name="pictures")
    return task.with_settings(steps=3)


def test_what_does_not_suit_a_task_leaves_its_cell_out() -> None:
    found = sl.transfer("brier", [WINE, picture_task()], ["linear", "lenet5"], corruptions=["blur"], **SMALL)
    assert {(row.task, row.model) for row in found.rows} == {
        ("wine", "linear"), ("pictures", "linear"), ("pictures", "lenet5"),
    }  # fmt: skip
    assert {row.task for row in found.rows if row.inputs == "blur:1"} == {"pictures"}
    assert any(
        note.startswith("left out, wine with lenet5: model lenet5 needs images") for note in found.notes
    )
    assert any(
        note.startswith("left out, blur:1: blur is for images, and instances of wine") for note in found.notes
    )


def tiny() -> nn.Module:
    return nn.Linear(13, 3)


def test_models_and_trainers_of_the_users(tmp_path: Path) -> None:
    found = sl.transfer("brier", WINE, [tiny, "linear"], out=tmp_path / "a", **SMALL)
    assert {row.model for row in found.rows} == {"tiny", "linear"}
    with pytest.raises(RunError, match="a model of this run was a function: give its models again"):
        sl.resume(tmp_path / "a", WINE)
    assert sl.resume(tmp_path / "a", WINE, models=[tiny, "linear"]) == found

    def trainer(loss: Any, seed: int, budget: int) -> dict[str, float]:
        value = float(loss(torch.full((4,), 0.5 + 1e-9 * (seed % 97)), torch.zeros(4)))
        return {"metric": value, "test": value}

    box = Task.from_function(trainer, kind="regression", metric="error").with_settings(steps=3)
    made = sl.transfer("huber", box, seeds=1, splits=10)
    assert [(row.treatment, row.model) for row in made.rows] == [("as is", "its own")] * 2
    assert made.rows[1].primary
    with pytest.raises(SymlossError, match="which chooses its model: leave models out"):
        sl.transfer("huber", box, ["linear"])
    with pytest.raises(SymlossError, match="cannot be corrupted"):
        sl.transfer("huber", box, corruptions=["gaussian"])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("mse", WINE), {}, "mse is a regression loss, wine is a classification task"),
        (("brier", [WINE, DIABETES]), {}, "one loss serves tasks of one kind only"),
        (("brier", [WINE, WINE]), {}, "one name twice"),
        (("brier", WINE, ["linaer"]), {}, "unknown model 'linaer': did you mean"),
        (("brier", WINE, ["linear", "linear"]), {}, "a model or a label noise is named twice"),
        (("brier", WINE, []), {}, "no models: name at least one"),
        (("brier", WINE, ["lenet5"]), {}, "model lenet5 needs images"),
        (("brier", WINE), {"corruptions": ["fog"]}, "unknown corruption 'fog'"),
        (("brier", WINE), {"corruptions": ["blur"]}, "corruption blur:1: blur is for images"),
        (("mae", DIABETES), {"label_noise": 0.4}, "label noise is for labels, this task is regression"),
        (("ce", WINE), {}, "ce is the ordinary loss of wine: name another"),
        (("best-zoo", WINE), {"tune": False}, "best-zoo is chosen by tuning: leave one of the two out"),
        (("brier", WINE), {"rows": "all"}, "rows 'all': expected one of pick, front"),
        (("runs/none#1", WINE), {}, "does not exist"),
        (("brier", WINE), {"fractions": [2]}, "expected shares above 0"),
        (("brier", WINE), {"seed": -1}, "seed -1: expected"),
        (("brier", []), {}, "no task: expected one or several"),
    ],
)
def test_bad_input(arguments: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SymlossError, match=message):
        sl.transfer(*arguments, **options)


def test_runs_that_are_none_or_have_no_pick(searched: Path, tmp_path: Path, matrix: Any) -> None:
    path, _ = matrix
    from dataclasses import replace

    with pytest.raises(SymlossError, match="no loss survived in"):
        sl.transfer(replace(sl.open_run(searched), front=()), BREAST)
    with pytest.raises(SymlossError, match="no loss survived in"):
        sl.transfer(replace(sl.open_run(searched), front=()), BREAST, rows="front")
    with pytest.raises(SymlossError, match=r"a#1 is a classification loss, diabetes is a regression task"):
        sl.transfer(f"{searched}#1", DIABETES)
    with pytest.raises(RunError, match="is a run of 'symloss transfer', not of 'symloss discover'"):
        sl.transfer(path, BREAST)
    with pytest.raises(SymlossError, match="models are of a transfer, and the run is a search"):
        sl.verify(searched, models=["linear"])
    with pytest.raises(RunError, match="holds a run: go on with"):
        sl.transfer("brier", WINE, out=path, **SMALL)
    with pytest.raises(SymlossError, match="the run has 4 tasks, got 2"):
        sl.resume(path, WINE)
