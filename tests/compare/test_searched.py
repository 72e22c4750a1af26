"""Losses that are searched anew inside each split: what they see, what they cost, and that they go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import symloss as sl
from symloss.compare import Comparison
from symloss.errors import SymlossError
from symloss.runs import derive
from symloss.tasks import load_task, replicate, thinned

WINE = load_task("wine", model="linear").with_settings(steps=10)
SEARCH: dict[str, Any] = {
    "population": 4, "generations": 2, "tuning": {"steps": 1, "tidy": False}, "screening": {"sample": 0},
    "ordinary": False, "blocks": {"headroom": False, "zoo": False, "final": 2, "finalists": 2},
}  # fmt: skip
LOSSES = {"found": sl.Searched("evomal", **SEARCH)}
OPTIONS: dict[str, Any] = {"seeds": 1, "splits": 1, "tune": False, "fractions": [0.5, 1]}


def plain(found: Comparison) -> list[dict[str, Any]]:
    rows = [row.to_dict() for row in found.rows]
    for row in rows:
        row["cost"] = {
            key: value
            for key, value in row["cost"].items()
            if key in ("steps", "selection_steps", "candidates")
        }
    return rows


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Comparison]:
    path = tmp_path_factory.mktemp("runs") / "nested"
    return path, sl.compare(WINE, LOSSES, out=path, **OPTIONS)


def test_each_split_and_share_has_a_search_of_its_own_rows(whole: tuple[Path, Comparison]) -> None:
    _, found = whole
    before = WINE.test_evaluations
    for fraction in OPTIONS["fractions"]:
        picked = []
        for number in range(OPTIONS["splits"]):
            rows = replicate(WINE, "splits", number, OPTIONS["splits"], seed=0)
            rows = thinned(rows, fraction, derive(0, "fraction", number))
            result = sl.discover(rows, seed=derive(0, "search", number), model=None, **SEARCH)
            picked.append(str(result.picked.written))
        row = next(row for row in found.rows if (row.name, row.fraction) == ("found", fraction))
        assert sorted(row.chosen) == sorted(set(picked))
        assert row.loss in picked
    assert WINE.test_evaluations == before
    assert any("found: searched anew in each split" in note for note in found.notes)
    assert not any("flatters" in note for note in found.notes)


def test_the_cost_has_the_search_with_all_that_it_rejected(whole: tuple[Path, Comparison]) -> None:
    _, found = whole
    for row in found.rows:
        searched = row.name == "found"
        assert (row.cost.candidates >= 8, row.cost.search_seconds > 0) == (searched, searched)
        assert (row.cost.search_steps > row.cost.steps) == searched


def test_workers_interruptions_and_verify(whole: tuple[Path, Comparison], tmp_path: Path) -> None:
    path, found = whole
    assert plain(sl.compare(WINE, LOSSES, workers=2, executor="process", **OPTIONS)) == plain(found)

    def stop(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("searching", 3):
            raise KeyboardInterrupt

    stopped = sl.compare(WINE, LOSSES, out=tmp_path / "a", on_progress=stop, **OPTIONS)
    assert (stopped.status, stopped.rows) == ("interrupted", ())
    resumed = sl.resume(tmp_path / "a")
    assert plain(resumed) == plain(found)
    assert sl.open_run(path) == found
    checks = sl.verify(path)
    assert all(check.holds for check in checks), [check for check in checks if not check.holds]


def test_networks_are_searched_too() -> None:
    network = {"neural": {"steps": 2, "hidden": (3,)}, "population": 2, "generations": 1, "ordinary": False}
    blocks = {**SEARCH["blocks"], "settle": False}
    found = sl.compare(WINE, [sl.Searched("ml3", blocks=blocks, **network)], **{**OPTIONS, "fractions": None})
    assert {row.loss for row in found.rows if row.role == "discovered"} == {"neural"}


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        ("evomal", {"time_limit": 3.0}, "time_limit: the comparison decides it for its searches"),
        ("genetic", {}, "unknown method 'genetic': expected one of"),
        ("ml3", {"rates": {"hoist": 1.0}}, "rates: ml3 breeds no trees; leave it out"),
        ("evomal", {"extra_symbols": ["q"]}, "unknown symbol 'q'"),
    ],
)
def test_what_a_search_cannot_be_asked(method: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SymlossError, match=message):
        sl.compare(WINE, [sl.Searched(method, **settings)], **OPTIONS)


def test_only_a_comparison_searches() -> None:
    with pytest.raises(SymlossError, match=r"Searched\('random'\) is no loss: expected a formula"):
        sl.transfer(sl.Searched("random"), WINE)  # type: ignore[arg-type]
    with pytest.raises(SymlossError, match="searched by random is named twice"):
        sl.compare(WINE, [sl.Searched("random"), sl.Searched("random")], **OPTIONS)
