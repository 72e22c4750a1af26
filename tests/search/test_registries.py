"""Two runs with different operators of one name live in one process, and none touches the process's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import symloss as sl
from symloss import search
from symloss.errors import DomainError, RunError
from symloss.expr import Program, Registry, default_registry
from symloss.expr.trees import Weighted
from symloss.runs import RunStore
from symloss.tasks import Task, load_task

SMALL: dict[str, Any] = {
    "population": 6, "generations": 2, "tuning": {"steps": 2, "tidy": False}, "screening": {"sample": 0},
    "blocks": {"headroom": False, "zoo": False, "final": 2, "finalists": 2},
}  # fmt: skip
DEFINITIONS = {"gentle": "x*sigmoid(x)", "steep": "x*tanh(x) + 0.5*x"}


@pytest.fixture(scope="module")
def wine() -> Task:
    return load_task("wine", model="linear").with_settings(steps=10)


def test_two_runs_with_different_swish_resume_and_verify(wine: Task, tmp_path: Path) -> None:
    before = default_registry()
    registries = {name: Registry().define("swish", ["x"], formula) for name, formula in DEFINITIONS.items()}
    seed = "y*swish(1 - p)"
    for name, registry in registries.items():
        stopped = search.discover(
            wine, registry=registry, grammar={"operators": ("add", "sub", "mul", "swish")}, seed_losses=[seed],
            out=tmp_path / name, time_limit=0, **SMALL,
        )  # fmt: skip
        assert stopped.status == "time limit"
    results = {name: search.resume(tmp_path / name) for name in registries}
    for name, result in results.items():
        assert result.status == "finished"
        assert all(check.holds for check in search.verify(tmp_path / name))
        assert search.open_run(tmp_path / name) == result
        bred = [entry for entry in result.evaluations if "swish" in entry.tokens and entry.formula]
        assert bred
        with RunStore.open(tmp_path / name) as store:
            assert store.config["operators"] == {"swish": [["x"], DEFINITIONS[name]]}
        # The trees are those of this run's operator: written again by it, they are the recorded formulas.
        for entry in bred:
            assert "swish" not in entry.formula
            assert ("tanh" in entry.formula) == (name == "steep")
    given = {name: sl.parse(seed, registry=registry) for name, registry in registries.items()}
    assert given["gentle"] != given["steep"]
    assert default_registry() is before
    assert "swish" not in before.operators


def test_trees_of_one_wording_differ_where_their_operators_do() -> None:
    tokens = ("mul", "y", "swish", "p")
    gentle, steep = (
        Program(tokens, Registry().define("swish", ["x"], formula)) for formula in DEFINITIONS.values()
    )
    assert gentle != steep
    assert Weighted.plain(gentle).formula != Weighted.plain(steep).formula
    plain = ("mul", "y", "p")
    assert gentle.with_tokens(plain) == steep.with_tokens(plain)
    assert hash(gentle.with_tokens(plain)) == hash(steep.with_tokens(plain))


def test_what_is_known_is_one_registry_and_no_other() -> None:
    registry = Registry().define("swish", ["x"], "x*sigmoid(x)")
    assert registry.define("swish", ["x"], "x*sigmoid(x)") is registry
    with pytest.raises(DomainError, match="the name 'swish' is taken"):
        registry.define("swish", ["x"], "x*tanh(x)")
    nested = registry.define("twice", ["x"], "swish(swish(x))")
    assert Registry.of(nested.definitions) == nested
    with pytest.raises(sl.errors.ParseError, match="unknown name 'swish'"):
        sl.parse("swish(p)")


def test_a_damaged_record_of_operators_is_an_error(wine: Task, tmp_path: Path) -> None:
    search.discover(wine, out=tmp_path / "run", max_evaluations=2, **SMALL)
    with RunStore.open(tmp_path / "run") as store:
        config = store.config
    for operators in ({"swish": ["x"]}, ["swish"], {"swish": [["x"], "1/x"]}):
        with pytest.raises(RunError, match="the operators of the run cannot be read"):
            search.SearchSettings.from_config({**config, "operators": operators})
