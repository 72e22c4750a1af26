"""One search by one method, ended by the steps of training that it may spend.

`analysis.method_table` and `analysis.learned_smoothing` compare methods of search. Each begins with the ordinary loss
and none knows the rest of the zoo (mixtures aside, which are made of it), so that what it picks is its own. Each ends
when its generations have spent as many optimiser steps as every other method's, whatever it spends them on:
candidates, parents on a new block, coefficients, networks. A meta-step counts as `META` steps. Then come the same
finals: a learning rate and a number of steps of its own for every finalist, and blocks that decided nothing.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from symloss.expr import default_registry, parse
from symloss.expr.trees import weighted_from
from symloss.meta import NeuralLoss
from symloss.runs import Executor, executor
from symloss.search.discover import plan
from symloss.search.loop.candidate import NEURAL, Candidate, Graph
from symloss.search.loop.engine import Engine
from symloss.search.loop.work import loss_of
from symloss.search.prepare import given_losses
from symloss.search.propose.outside import NOTHING
from symloss.search.record.memory import Memory
from symloss.search.record.reading import read_result
from symloss.search.record.result import FrontRow, Result
from symloss.tasks import SupervisedTask

__all__ = [
    "ARMS",
    "META",
    "Searched",
    "best_named",
    "candidate_of",
    "formula_graph",
    "graph_of",
    "row_of",
    "sample",
    "search",
    "zoo",
]

A = TypeVar("A")
R = TypeVar("R")

META = 2
"""Optimiser steps that a meta-step counts as: a step on training rows, and a gradient through it on validation rows."""
FINALS = {"finalists": 3, "final": 6}
"""Half of what a search holds by default: the finals cost as much as the search, for every method alike."""
SIZES: dict[str, Any] = {
    "population": 10, "headroom": False, "screening": {"sample": 0}, "blocks": {"zoo": False, **FINALS},
}  # fmt: skip
OWN = {"rates": {"neighbours": 0.0}}
"""No tree is made from a loss with a name, as evolution does by default: else what is found would be the zoo's."""
ARMS: dict[str, dict[str, Any]] = {
    "evomal": OWN,
    "random": {"method": "random", **OWN},
    "shuffled": {"shuffled": True, **OWN},
    "gplfl": {"method": "gplfl", **OWN},
    "ml3": {"method": "ml3"},
    "taylorglo": {"method": "taylorglo"},
    "mixture": {"method": "mixture"},
    "raw": {"method": "random", "tuning": {"steps": 0}, **OWN},
}
"""Options of `symloss.discover` by method; *raw* are random trees whose coefficients stay 1."""


SMALL: dict[str, Any] = {"population": 4, "blocks": {"final": 2, "finalists": 1}}
"""Of the short forms."""
_SMALL_TUNING: dict[str, Any] = {"tuning": {"steps": 2, "tidy": False}}


@dataclass
class _Counted:
    """A place to work that counts optimiser steps."""

    place: Executor
    steps: int = 0
    workers: int = field(default=1, init=False)

    def map_ordered(
        self,
        function: Callable[[A], R],
        items: Sequence[A],
        on_done: Callable[[int, R], object] | None = None,
    ) -> Iterator[R]:
        """See `symloss.runs.Executor`."""
        self.steps += sum(map(_cost, items))
        return self.place.map_ordered(function, items, on_done)


def _cost(piece: Any) -> int:
    if piece.what == "tune":
        return META * len(piece.graphs) * int(piece.options["steps"])
    return sum(max(stops) for by_task in piece.options["stops"] for stops in by_task)


@dataclass(frozen=True)
class Searched:
    """A search that has ended.

    Attributes:
        result: as `symloss.discover` gives it.
        steps: optimiser steps of its generations.
        all_steps: those of the finals, and of settling the ordinary loss, as well.
        seconds: of CPU.
    """

    result: Result
    steps: int
    all_steps: int
    seconds: float

    def record(self) -> dict[str, Any]:
        """JSON-ready: what it cost."""
        outcomes = [entry.outcome for entry in self.result.evaluations]
        return {
            "steps": self.steps, "all_steps": self.all_steps, "cpu": round(self.seconds, 2),
            "candidates": len(outcomes), "trained": outcomes.count("trained"),
        }  # fmt: skip


def search(task: SupervisedTask, arm: str, seed: int, steps: int, *, quick: bool = False) -> Searched:
    """One search whose generations spend so many optimiser steps.

    Args:
        task: with its model.
        arm: one of `ARMS`.
        seed: of the search.
        steps: of all generations; they end where one more would lead further from it.
        quick: in the short form.
    """
    small: Mapping[str, Any] = {}
    if quick:
        tuned = {"ml3": {"neural": {"steps": 2}}, "taylorglo": {}, "mixture": {}}.get(arm, _SMALL_TUNING)
        small = {**SMALL, **tuned}
    return _run(task, seed, steps, _merged(SIZES, small, ARMS[arm]))


def zoo(task: SupervisedTask, seed: int, *, quick: bool = False) -> Searched:
    """The losses with a name, each at its defaults and the values that its entry suggests, by the same finals.

    They get learning rates of their own on two blocks, are scored on two more, and the best of
    them meet on the final blocks. The two random trees that a search cannot do without are left aside.
    """
    options = {
        "method": "random", "headroom": True, **_SMALL_TUNING,
        "blocks": {"zoo": True, "sweep": 2, "strangers": 0},
    }  # fmt: skip
    return _run(task, seed, 1, _merged(SIZES, SMALL if quick else {}, options, {"population": 2}))


def _run(task: SupervisedTask, seed: int, steps: int, options: Mapping[str, Any]) -> Searched:
    start = time.process_time()
    config, tasks, settings = plan(task, seed=seed, **options)
    with executor("serial") as serial:
        place, store = _Counted(serial), Memory(config)
        engine = Engine(tasks, settings, seed, store, place, given_losses(settings, tasks))
        engine.begin()
        before, scored_again = place.steps, 0
        while slots := _slots(engine, steps - (place.steps - before), place.steps - before - scored_again):
            scored_again += _again(engine)
            if not engine.generation(slots):
                break
        spent = place.steps - before
        engine.end("finished")
        return Searched(read_result(store), spent, place.steps, time.process_time() - start)


def _slots(engine: Engine, left: int, spent: int) -> int:
    """How many candidates the next generation may have: 0 where the budget is met better without it.

    Args:
        engine: of the search.
        left: of the budget.
        spent: by the candidates so far, without what it took to score parents again.
    """
    proposed = len(engine.field.candidates) if engine.generations else 0
    each = spent / proposed if spent and proposed else _stop(engine)
    again, population = _again(engine), engine.settings.population
    slots = min(population, max(1, round((left - again) / each)))
    return slots if not engine.generations or left > (again + slots * each) / 2 else 0


def _again(engine: Engine) -> int:
    """Steps to score parents on the block of the next generation."""
    return _stop(engine) * len(engine._still_racing(len(engine.generations)))


def _stop(engine: Engine) -> int:
    return max(engine.stages.stops[0])


def _merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
            merged[key] = {**merged[key], **value} if both else value
    return merged


def best_named(found: Searched) -> FrontRow:
    """Of the finalists with a name the one that did best on the final blocks: no simpler one is preferred."""
    sign = found.result.signs[0]
    named = [row for row in found.result.finalists if row.name]
    return min(named, key=lambda row: sign * statistics.fmean(row.finals))


def row_of(found: Searched, row: FrontRow) -> dict[str, Any]:
    """JSON-ready: a loss, and how its finals had it trained."""
    entry = found.result.evaluations[row.evaluation]
    return {
        "loss": row.name or row.text, "formula": entry.formula, "rate": row.rates[0], "steps": row.steps[0],
        "complexity": row.complexity,
    }  # fmt: skip


def graph_of(found: Searched, row: FrontRow) -> Graph:
    """The loss as it is trained: a tree, or the network of the run."""
    network = found.result.network
    if row.neural:
        assert network is not None
        assert network.evaluation == row.evaluation
        return (NEURAL, *map(str, network.loss.hidden)), (network.loss.factor, *network.loss.weights)
    return formula_graph(found.result.evaluations[row.evaluation].formula, row.loss.kind)


def formula_graph(formula: str, kind: str) -> Graph:
    """A formula as it is trained."""
    program, edges = weighted_from(parse(formula, kind=kind)).graph()
    return program.tokens, edges


def candidate_of(graph: Graph, kind: str) -> Candidate:
    """A loss that is trained as it is."""
    loss = loss_of(graph, kind, default_registry())
    if isinstance(loss, NeuralLoss):
        one = Candidate(-1, 0, 0, NOTHING.program, NOTHING, fixed=True, as_given=True)
        one.network = loss
        return one
    return Candidate(-1, 0, 0, loss.program, loss, fixed=True, as_given=True)


def sample(found: Searched, count: int, seed: int) -> list[str]:
    """Formulas of some of the candidates that were trained, drawn at random; not those that were given."""
    entries = found.result.evaluations
    given = {entry.formula for entry in entries[:1]} if not any(entry.name for entry in entries) else set()
    formulas = [
        entry.formula
        for entry in entries
        if entry.outcome == "trained" and not entry.neural and not entry.name and entry.formula not in given
    ]
    drawn = np.random.default_rng(seed).permutation(len(formulas))[:count]
    return [formulas[i] for i in sorted(drawn)]
