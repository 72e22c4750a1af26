"""Adaptation beside its controls: the table, its claims, and the run that keeps them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import symloss as sl
from symloss.compare import (
    Adaptation,
    AdaptationRow,
    loss_at,
    open_run,
    resume,
    verify,
)
from symloss.compare.adapt_table import CLAIMS, ORDER, _claims, _rows
from symloss.compare.adapt_work import steady
from symloss.compare.adaptation import adaptation_from
from symloss.errors import DomainError, RunError, SymlossError
from symloss.meta import NeuralLoss
from symloss.runs import RunStore
from symloss.tasks import Task, load_task

QUICK: dict[str, Any] = {"steps": 16, "seeds": 2, "etas": [0.03], "initial_steps": 3}
CONTRACT = {
    "adaptive", "fixed", "learning rate only", "replayed", "scale only", "ordinary tuned",
    "ordinary tuned on all rows",
}  # fmt: skip


def wine() -> Task:
    return load_task("wine", model="linear")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Adaptation, Path]:
    folder = tmp_path_factory.mktemp("adapt") / "a"
    return sl.adapt(wine(), sl.named("lsr", xi=0.2), out=folder, **QUICK), folder


def test_rows_and_keys_are_those_of_the_contract(run: tuple[Adaptation, Path]) -> None:
    found, _ = run
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert {row["name"] for row in data["rows"]} >= CONTRACT
    assert [row["name"] for row in data["rows"]] == [name for name in ORDER if name != "offline ML3"]
    assert {"task", "metric", "rows", "moved", "path", "claims"} <= data.keys()
    for row in data["rows"]:
        assert {"name", "mean", "interval", "p", "verdict"} <= row.keys()
    for step in data["path"]:
        assert {"step", "validation", "attractor", "label_smoothing", "implicit_learning_rate"} <= step.keys()
        assert list(step["coefficients"]) == list(sl.named("lsr", xi=0.2).coefficients)
    assert data["rows"][0]["verdict"] == "baseline"
    assert data["moved"] > 0
    assert found.trajectory[0].step == 0
    assert found.trajectory[-1].step == 16


def test_the_path_has_its_certificates(run: tuple[Adaptation, Path]) -> None:
    found, _ = run
    last = found.trajectory[-1]
    assert last.formula is not None
    findings = sl.analyze(sl.parse(last.formula), classes=3).findings
    assert set(last.proved) == {"attractor", "label_smoothing", "implicit_learning_rate"}
    for name in last.proved:
        assert getattr(last, name) == pytest.approx(findings[name].numeric, rel=1e-5, abs=1e-9)
    # Those of the other replicates are measured, and agree with what a certificate would say.
    other = found.trajectories[1][0]
    assert other.proved == ()
    assert other.attractor == pytest.approx(found.trajectory[0].attractor or 0, rel=0.05)


def test_a_run_is_kept_shown_and_verified(run: tuple[Adaptation, Path]) -> None:
    found, folder = run
    again = open_run(folder)
    assert again.to_dict() == found.to_dict()
    assert (folder / "path.csv").read_text() == found.to_csv()
    checks = verify(folder)
    assert len(checks) > 20
    assert all(check.holds for check in checks), [check for check in checks if not check.holds]
    assert isinstance(loss_at(folder, 16), sl.Loss)
    assert str(loss_at(folder, 16, replicate=0)) == found.trajectory[-1].formula
    with pytest.raises(RunError, match="has no step 7: expected one of 0, 2"):
        loss_at(folder, 7)
    with pytest.raises(RunError, match="has no replicate 9"):
        loss_at(folder, 16, replicate=9)


def test_a_forged_number_is_found(run: tuple[Adaptation, Path], tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "forged"
    shutil.copytree(run[1], folder)
    with RunStore.open(folder, write=True) as store:
        key, answer = next((k, a) for k, a in store.all("work") if "ordinary tuned" in a["rows"])
        answer["rows"]["ordinary tuned"]["test"] += 0.1
        store.put("work", key, answer)
    failed = {check.what for check in verify(folder) if not check.holds}
    assert failed == {"table, from the record", "ordinary tuned, test"}


def test_interrupted_and_resumed_is_as_never_interrupted(
    run: tuple[Adaptation, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "b"

    def stop(stage: str, done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    part = sl.adapt(wine(), sl.named("lsr", xi=0.2), out=folder, on_progress=stop, **QUICK)
    assert part.status == "interrupted"
    assert part.seeds < 2
    whole = resume(folder)
    assert whole.status == "finished"
    expected = {**run[0].to_dict(), "run": str(folder)}
    ours = whole.to_dict()
    for data in (expected, ours):
        assert all(row.pop("seconds") >= 0 for row in data["rows"])
    assert ours == expected


def test_networks_have_their_rival_and_no_formula(tmp_path: Path) -> None:
    found = sl.adapt(
        load_task("diabetes", model="linear"), "neural", out=tmp_path / "n", **{**QUICK, "seeds": 1}
    )
    assert "offline ML3" in {row.name for row in found.rows}
    assert found.trajectory[0].coefficients is None
    assert found.trajectory[0].attractor is None
    assert found.trajectory[0].implicit_learning_rate is not None
    network = loss_at(tmp_path / "n", 16)
    assert isinstance(network, NeuralLoss)
    assert network.complexity == 1720
    assert found.row("adaptive").p is None
    assert math.isnan(found.row("fixed").scores[0]) is False


def test_a_loss_that_did_not_move_is_said_to_be_offline() -> None:
    found = sl.adapt(wine(), "gce", **{**QUICK, "seeds": 1, "etas": [1e-9]})
    assert found.moved is not None
    assert found.moved < 1e-4
    assert any("did not move" in note and "offline" in note for note in found.notes)
    assert found.row("fixed").mean == pytest.approx(found.row("adaptive").mean)


def test_a_coefficient_without_gradient_is_named() -> None:
    found = sl.adapt(wine(), sl.named("ace", phi1=1.1), **{**QUICK, "seeds": 1})
    assert any(note.startswith("phi1 did not move") for note in found.notes)


def scored(name: str, tests: list[float], diverged: str = "") -> tuple[str, list[dict[str, Any]]]:
    return name, [{"test": test, "diverged": diverged, "seconds": 1.0} for test in tests]


def test_claims_rest_on_their_controls_alone() -> None:
    better, same = [0.9 + 0.001 * i for i in range(10)], [0.8 + 0.001 * (9 - i) for i in range(10)]
    task = wine()
    rows = _rows(
        task,
        dict([scored("adaptive", better), scored("replayed", same), scored("scale only", list(better)),
              scored("fixed", same, "step 3: it broke")]),
        overlap=0.0,
    )  # fmt: skip
    by_name = {row.name: row for row in rows}
    assert by_name["replayed"].verdict == "worse"
    assert by_name["scale only"].verdict == "as good as"
    assert by_name["fixed"].diverged == 10
    assert by_name["fixed"].p_corrected is None
    claims = _claims(rows)
    assert claims["adaptivity"] == "yes: better than its path replayed on another start"
    assert claims["shape"].endswith("is as good")
    assert set(claims) == set(CLAIMS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"etas": []}, "etas .*expected rates above 0"),
        ({"etas": [-1.0]}, "etas .*expected rates above 0"),
        ({"initial_steps": -1}, "initial_steps -1"),
        ({"meta_rows": "test"}, "meta_rows 'test'"),
        ({"steps": 0}, "steps 0: expected a whole number"),
        ({"seeds": 0}, "seeds 0"),
        ({"loss": "mse"}, "mse"),
        ({"loss": "nowhere#1"}, "nowhere"),
    ],
)
def test_bad_input(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SymlossError, match=message):
        sl.adapt(wine(), out=tmp_path / "no", **{"loss": "gce", **QUICK, **options})
    assert not (tmp_path / "no").exists()


def test_damaged_records(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="has no table yet"):
        adaptation_from(None, tmp_path, "running")
    with pytest.raises(RunError, match="is damaged"):
        adaptation_from({"rows": 3}, tmp_path, "finished")
    with pytest.raises(DomainError, match="no validation"):
        sl.AdaptiveLoss("gce").step(None, None, (), None)  # type: ignore[arg-type]
    assert AdaptationRow.__doc__


def test_scale_is_taken_out_unless_it_is_kept() -> None:
    one, hundred = (sl.parse(f"{scale}*a*y*abs(log(p))", coefficients={"a": 1.0}) for scale in ("1", "100"))
    options = {**QUICK, "seeds": 1, "initial_steps": 0}
    told = [sl.adapt(wine(), loss, **options) for loss in (one, hundred)]
    speeds = [found.settings["chosen"]["speed"][0] for found in told]
    assert speeds[0] == pytest.approx(100 * speeds[1])
    assert told[0].row("fixed").scores == pytest.approx(told[1].row("fixed").scores)
    kept = sl.adapt(wine(), hundred, keep_scale=True, **options)
    assert kept.settings["chosen"]["speed"] == [1.0]
    assert kept.row("fixed").scores != told[1].row("fixed").scores


def test_a_rate_just_below_divergence_is_not_trusted() -> None:
    inf = float("inf")
    assert steady({0.3: 0.4, 1.0: 0.2, 3.0: 0.1, 10.0: inf}) == [0.3, 1.0]
    assert steady({1.0: 0.2, 3.0: float("nan"), 10.0: 0.1}) == [1.0, 3.0], (
        "no neighbours train: none is better known"
    )
    assert steady({1.0: inf, 3.0: inf, 10.0: inf}) == [1.0, 3.0]


def test_a_task_on_which_every_rate_diverges_is_still_told() -> None:
    task = load_task("diabetes", model="linear").with_settings(learning_rate=1e9)
    loss = sl.parse("a*(y - p)**2", kind="regression", coefficients={"a": 1.0})
    found = sl.adapt(task, loss, **{**QUICK, "seeds": 1, "initial_steps": 0, "steps": 40}, model=None)
    assert found.row("ordinary tuned").diverged == 1
    assert "diverged" in found.row("adaptive").note
