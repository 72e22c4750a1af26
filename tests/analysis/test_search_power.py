"""The power study in its short form: what is planted is hidden, what is recovered is what was planted."""

from __future__ import annotations

import json

import pytest

import symloss as sl
from analysis import search_power
from symloss.expr.trees import weighted_from
from symloss.meta.gradient_distance import fit, gradient_distance, unit_gradient


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("power")
    data = search_power.main(["--quick", "--out", str(folder)])
    assert json.loads((folder / "search_power.json").read_text()) == json.loads(json.dumps(data))
    assert (folder / "search_power.png").stat().st_size > 10_000
    assert not list(folder.glob("*.partial.jsonl"))
    data["folder"] = str(folder)
    return data


def test_evolution_finds_more_than_random_search(study: dict) -> None:
    power = study["answers"]["power"]
    found = {
        arm: sum(power[plant][arm]["recovered at 150"] for plant in power) for arm in ("evomal", "random")
    }
    assert found["evomal"] > found["random"]


def test_what_is_recovered_has_the_gradient_of_the_plant(study: dict) -> None:
    recovered = {key: cell for key, cell in study["cells"].items() if cell["found"]}
    for key, cell in recovered.items():
        plant = search_power.planted(key.split("/")[1])
        loss = weighted_from(sl.parse(cell["formula"], kind=plant.kind))
        distance = float(gradient_distance(unit_gradient(loss, plant.points), plant.target))
        assert distance < 1.01 * search_power.NEAR
        assert cell["found"] <= cell["limit"]


def test_a_second_run_finds_every_cell_finished(study: dict, capsys: pytest.CaptureFixture[str]) -> None:
    again = search_power.main(["--quick", "--out", study["folder"]])
    assert again["answers"] == study["answers"]
    assert not [line for line in capsys.readouterr().out.splitlines() if line[:5].strip().isdigit()]


@pytest.mark.parametrize(
    ("plant", "family"), [("poly1", {"poly1", "sce", "sparse-lsr"}), ("huber", {"huber"})]
)
def test_the_family_of_the_plant_is_taken_out(plant: str, family: set[str]) -> None:
    hidden = search_power.planted(plant)
    formulas = {weighted_from(sl.named(name, hidden.kind)) for name in sl.names(hidden.kind)}
    left_out = {
        name
        for name in sl.names(hidden.kind)
        if weighted_from(sl.named(name, hidden.kind)) not in hidden.others
    }
    assert left_out == family
    assert len(formulas) == len(hidden.others) + len(family)
    for arm in search_power.ARMS.values():
        given = search_power.start(hidden, arm)
        assert all(
            each.distance > search_power.NEAR for each in fit(given, hidden.target, hidden.points, steps=40)
        )


@pytest.mark.parametrize(
    ("times", "limits", "expected"),
    [
        ([100, 200, 300], [400] * 3, 200),
        ([100, 200, None, None], [400] * 4, 200),
        ([100, None, None, None], [400] * 4, None),
        # One that is given up at 150 says nothing of later times: two of the other three are the median.
        ([100, None, 300, 350], [400, 150, 400, 400], 300),
    ],
)
def test_the_median_takes_censored_runs_into_account(
    times: list[int | None], limits: list[int], expected: int | None
) -> None:
    assert search_power.median(times, limits) == expected


def test_the_full_study_keeps_to_what_was_announced() -> None:
    jobs = search_power.jobs(quick=False)
    assert len({job.key for job in jobs}) == len(jobs)
    main = [job for job in jobs if job.limit == 4000]
    assert {job.plant for job in main} == set(search_power.PLANTS)
    assert {job.arm for job in main} == set(search_power.ARMS)
