"""What a search can be asked for besides: several tasks, requirements, seeds, symbols, costs, presets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from symloss import search
from symloss.errors import SymlossError
from symloss.expr import C, P, Y, default_registry, parse, register_primitive
from symloss.expr.trees import weighted_from
from symloss.runs import derive
from symloss.search.screen.published import gain, norms_key
from symloss.tasks import Task, load_task
from symloss.zoo import named, names

SMALL: dict[str, Any] = {
    "population": 6, "generations": 2, "tuning": {"steps": 3, "tidy": False}, "screening": {"sample": 0},
    "blocks": {"headroom": False, "zoo": False, "final": 2, "finalists": 2},
}  # fmt: skip


@pytest.fixture(scope="module")
def wine() -> Task:
    return load_task("wine", model="linear").with_settings(steps=20)


def test_one_loss_for_several_tasks(wine: Task, tmp_path: Path) -> None:
    other = load_task("breast-cancer", model="linear").with_settings(steps=20)
    blocks = {"sweep": 3, "strangers": 2, "final": 2, "finalists": 2}
    result = search.discover([wine, other], out=tmp_path / "run", **{**SMALL, "blocks": blocks})
    trained = [entry for entry in result.evaluations if entry.outcome == "trained"]
    assert trained
    assert all(len(values) == 2 for entry in trained for values in entry.blocks.values())
    assert [each.task for each in result.headroom] == ["wine", "breast-cancer"]
    assert result.noises == tuple(each.noise for each in result.headroom), "what the tasks are measured in"
    assert result.task["metric"] == "mean in units of noise"
    assert all(set(row.scores) == {"wine", "breast-cancer"} for row in result.front)
    assert search.open_run(tmp_path / "run") == result
    assert search.resume(tmp_path / "run") == result


@pytest.mark.parametrize(
    ("name", "wanted", "seeds", "run"),
    [
        ("wine", "bounded_above", ("ce", "mae"), 0),
        ("diabetes", "bounded_influence", ("mse", "cauchy"), 0),
        ("digits-attributes", "bounded_above", ("bce", "focal-bce"), 3),
    ],
)
def test_no_row_of_the_front_refutes_a_requirement(
    name: str, wanted: str, seeds: tuple[str, str], run: int
) -> None:
    task = load_task(name, model="linear").with_settings(steps=20)
    given = [named(seed, task.kind) for seed in seeds]
    published = {"resample": False, "settle": False, "zoo": False, "headroom": False}
    options = {**SMALL, "generations": 1, "seed_losses": given, "blocks": published, "seed": run}
    free = search.discover(task, **options)
    bound = search.discover(task, require=[wanted], **options)
    assert bound.settings["screening"]["require"] in ([wanted], (wanted,))
    assert any(row.certificate.findings[wanted].verdict == "refuted" for row in free.front)
    assert all(row.certificate.findings[wanted].verdict != "refuted" for row in bound.front)
    rejected = [entry for entry in bound.evaluations if f"required {wanted} is refuted" in entry.reason]
    assert rejected
    assert all(entry.outcome == "rejected" and entry.fitness is None for entry in rejected)
    proofs = [note for note in bound.notes if note.startswith("required of row")]
    verdicts = [row.certificate.findings[wanted] for row in bound.front]
    assert len(proofs) == len(verdicts)
    for row, proof, finding in zip(bound.front, proofs, verdicts, strict=True):
        assert proof.startswith(f"required of row {row.row}: {wanted} is {finding.verdict}")
        assert finding.reason in proof


def test_a_requirement_must_be_a_finding(wine: Task) -> None:
    with pytest.raises(SymlossError, match="unknown finding 'beautiful': expected one of target_only"):
        search.discover(wine, require=["beautiful"], **SMALL)


def test_seeds_are_trained_as_they_are_and_bred_from(wine: Task) -> None:
    seeds = [named("brier"), named("ace", phi1=1.3)]
    result = search.discover(wine, seed_losses=seeds, **SMALL)
    # The ordinary loss comes first, so that no front does without it.
    assert [entry.loss for entry in result.evaluations[:3]] == [wine.base_loss(), *seeds]
    assert {entry.outcome for entry in result.evaluations[:3]} == {"trained"}
    alone = search.discover(wine, seed_losses=seeds, ordinary=False, **SMALL)
    assert [entry.loss for entry in alone.evaluations[:2]] == seeds


@pytest.mark.parametrize(
    ("symbol", "name", "message"),
    [
        ("q", "wine", "unknown symbol 'q': expected one of C, pi, w"),
        ("pi", "diabetes", "the symbol 'pi' has no value on diabetes, a regression task"),
        ("C", "diabetes", "the symbol 'C' has no value on diabetes"),
    ],
)
def test_a_symbol_without_a_value_leaves_no_folder(
    tmp_path: Path, symbol: str, name: str, message: str
) -> None:
    with pytest.raises(SymlossError, match=message):
        search.discover(load_task(name), extra_symbols=[symbol], out=tmp_path / "run", **SMALL)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["classification", "regression", "multilabel"])
def test_every_loss_of_the_zoo_has_a_tree(kind: str) -> None:
    for name in names(kind):
        loss = named(name, kind)
        again = weighted_from(loss).to_loss(kind)
        values = {"classification": [0.2, 0.7], "multilabel": [0.2, 0.7], "regression": [-1.3, 0.4]}[kind]
        for y in (0.0, 1.0):
            for p in values:
                at = {Y: y, P: p, C: 10}
                theirs, ours = loss.value_expr.subs(at), again.value_expr.subs(at)
                if theirs.is_finite:
                    assert float(ours) == pytest.approx(float(theirs), rel=1e-6, abs=1e-9), name


def test_extra_symbols_are_terminals(wine: Task) -> None:
    result = search.discover(wine, "random", extra_symbols=["pi"], **{**SMALL, "population": 20})
    assert any("pi" in entry.tokens for entry in result.evaluations)
    trained = [e for e in result.evaluations if "pi" in e.tokens and e.outcome == "trained"]
    assert trained
    assert trained[0].loss is not None


def test_operators_cost_what_is_said(wine: Task) -> None:
    result = search.discover(wine, "gplfl", grammar={"costs": {"plog": 10}}, **{**SMALL, "population": 10})
    dear = [e for e in result.evaluations if e.outcome == "trained" and "plog(" in e.formula]
    assert dear
    for entry in dear:
        assert entry.complexity is not None
        assert entry.complexity >= 10 * entry.formula.count("plog(")


def test_the_paper_preset_searches_as_published() -> None:
    task = load_task("wine", model="mlp").with_settings(steps=3)
    small = {"generations": 2, "tuning": {"steps": 3}, "population": 4, "model": "mlp-1x8"}
    result = search.discover(task, preset="paper", **small)
    assert not result.headroom
    assert not result.finalists
    assert all(set(entry.blocks) <= {-1} for entry in result.evaluations), "the task's own split alone"
    assert result.settings["keep_scale"]
    assert result.task["model"] == "mlp-1x8"
    assert all(entry.scale == 1.0 for entry in result.evaluations)
    elites = [entry for entry in result.evaluations if "elite" in entry.reason]
    assert [(entry.generation, entry.slot) for entry in elites] == [(1, 0)]


def test_the_published_protocol_rejects_what_does_not_improve_predictions(wine: Task) -> None:
    seed = derive(0, "protocol")
    good, bad = weighted_from(named("ce")), weighted_from(named("ce")).scaled(-1.0)
    assert gain(wine, good, seed, steps=200) > 0
    assert not gain(wine, bad, seed, steps=200) > 0
    assert norms_key(wine, good, seed) == norms_key(wine, bad, seed)
    assert norms_key(wine, good, seed) != norms_key(wine, good.scaled(2.0), seed)


def test_own_operators_are_searched_and_printed_by_their_definition(wine: Task) -> None:
    register_primitive("searched_bump", ["x"], "x/(1 + x**2)")
    assert "searched_bump" in default_registry().operators
    operators = ("add", "sub", "mul", "searched_bump")
    result = search.discover(wine, "gplfl", grammar={"operators": operators}, **{**SMALL, "population": 10})
    used = [e for e in result.evaluations if e.outcome == "trained" and "searched_bump" in e.tokens]
    assert used
    assert all("searched_bump" not in entry.formula for entry in used)
    assert all(parse(entry.formula) is not None for entry in used)
