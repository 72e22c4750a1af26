"""What users type for losses that are compared, and what is refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from symloss import search
from symloss.compare.contenders import Contender, contenders_of
from symloss.errors import SymlossError
from symloss.expr import parse
from symloss.tasks import load_task

WINE, DIABETES = load_task("wine", model="linear"), load_task("diabetes", model="linear")
SMALL: dict[str, Any] = {
    "population": 3, "generations": 1, "tuning": {"steps": 1, "tidy": False}, "screening": {"sample": 0},
    "blocks": {"headroom": False, "zoo": False, "final": 2, "finalists": 2},
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "a"
    search.discover(WINE.with_settings(steps=5), out=path, model=None, seed_losses=["brier"], **SMALL)
    return path


def test_names_values_formulas_and_sums() -> None:
    found = contenders_of(["gce", "gce(q=0.55)", "ce+0.1*brier", parse("abs(y-p)"), "best-zoo"], WINE)
    assert [each.name for each in found] == [
        "ce", "gce", "gce(q=0.55)", "ce+0.1*brier", "abs(y - p)", "best-zoo"
    ]  # fmt: skip
    assert [each.role for each in found] == ["ordinary", "", "", "", "", "best zoo"]
    assert [variant.name for variant in found[1].variants] == [
        "gce(q=0.7)",
        "gce(q=0.3)",
        "gce(q=0.5)",
        "gce(q=0.9)",
    ]
    assert [len(each.variants) for each in found[2:5]] == [1, 1, 1]
    assert len(found[5].variants) > 20
    assert found[3].loss == parse("-y*log(p) + 0.1*(y-p)**2")
    for each in found:
        assert Contender.from_record(each.record(), "classification").record() == each.record()


def test_the_ordinary_loss_is_the_baseline_by_any_name() -> None:
    for given in (["mse", "mae"], ["mae", "(y-p)**2"], ["mae"], {"mae": "mae"}):
        assert [each.name for each in contenders_of(given, DIABETES)] == ["mse", "mae"]


def test_a_row_of_a_run_knows_where_it_comes_from(run: Path) -> None:
    _, row = contenders_of([f"{run}#1"], WINE)
    assert row.role == "discovered"
    assert row.origin is not None
    assert (row.origin.tasks, row.origin.candidates >= 3) == (("wine",), True)
    assert Contender.from_record(row.record(), "classification") == row


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([], "no losses"),
        ("ce", r"expected a list, as \['ce'\]"),
        (["ce", "mse"], "mse is a regression loss, wine is a classification task"),
        ([parse("(y-p)**2", kind="regression")], "is a regression loss, wine is a classification task"),
        (["focall"], "did you mean 'focal'"),
        (["gce(q=two)"], "expected NAME=NUMBER"),
        (["gce(q=7)"], "q is 7, expected"),
        (["gce", "gce"], "gce is named twice"),
        (["y*frog(p)"], "frog"),
        (["nowhere#1"], "does not exist"),
        ([" "], "a loss has an empty name"),
        (["."], "is not a run folder"),
    ],
)
def test_what_is_refused(losses: Any, message: str) -> None:
    with pytest.raises(SymlossError, match=message):
        contenders_of(losses, WINE)


def test_runs_are_refused_where_they_do_not_fit(run: Path) -> None:
    with pytest.raises(SymlossError, match=r"is a run; name one of its rows, as .*#1"):
        contenders_of([str(run)], WINE)
    with pytest.raises(SymlossError, match="has no row 99"):
        contenders_of([f"{run}#99"], WINE)
    with pytest.raises(SymlossError, match="is a classification loss, diabetes is a regression task"):
        contenders_of([f"{run}#1"], DIABETES)
