"""Distils a neural loss into formulas, fitted to its gradient at the outputs that training visits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from symloss.errors import DomainError, RunError, SymlossError, TaskError
from symloss.expr import KINDS
from symloss.expr.trees import Weighted, symbols
from symloss.meta import LearnedLoss
from symloss.numbers import as_whole
from symloss.runs import derive
from symloss.search.distilling.fidelity import fidelity
from symloss.search.distilling.plain import misfit, named_fits, plainer
from symloss.search.distilling.result import Distillation, DistilledRow
from symloss.search.distilling.visits import LEAST, Visits, drawn, looked_at, visited
from symloss.search.loop.by_gradient import Screen, pointed, search_by_gradient
from symloss.search.loop.evidence import non_dominated
from symloss.search.loop.work import one_thread
from symloss.search.record.front import presented
from symloss.search.settings import PRESETS, check_most
from symloss.tasks import SupervisedTask, Task

__all__ = ["ENOUGH", "distill"]

ENOUGH = 0.99
"""The pick explains this share of the gradient, if any formula does."""
_FRONT, _PICK = 0.9, 0.25
"""Of what a shorter formula leaves unexplained, the share that a longer one may leave to stand on the front, and to be
picked in its place. A network has errors of its own, which long formulas fit little by little; the right formula takes
away most of the rest at once."""
_MORE = 8
"""To choose and to measure, so many times the instances of the fit are looked at: they cost next to nothing."""
_EXACT = 1e-7
"""What is left unexplained below this is rounding."""


def distill(
    neural_loss: LearnedLoss,
    *,
    coefficients: Mapping[str, Tensor] | None = None,
    task: Task | None = None,
    at: tuple[Tensor, Tensor] | None = None,
    classes: int | None = None,
    seed: int = 0,
    population: int = 50,
    generations: int = 20,
    max_complexity: int = 30,
    zoo: bool = True,
    seeds: int = 5,
) -> Distillation:
    """A front of formulas whose gradients come nearest to that of a neural loss.

    Evolution proposes formulas as it does in `discover`, but nothing is trained: the coefficients of each are fitted
    by Levenberg-Marquardt so that its gradient in the outputs, normalised, is that of the network. A loss has no fixed
    scale and no fixed constant, and neither is fitted; the scale is told beside the formula. What is left is told by

        R2 = 1 - |g - a f|^2 / |g - mean(g)|^2

    of the network's gradient g and the formula's f, with the scale a of the fit. Formulas are fitted to the instances
    of one training, chosen by those of a second, and R2 is measured on those of a third.

    Args:
        neural_loss: any `LearnedLoss`, as `sl.open_run("runs/ml3").network.loss`.
        coefficients: of the loss, where they are not those that it starts from.
        task: the trainings that are looked at, and by which the picked formula is held against the network. Without
            one, outputs are drawn from undecided to sure.
        at: outputs and targets to look at instead, as somebody's own training has visited them; in thirds, to
            fit, choose and measure.
        classes: number of classes or labels, 10 unless given, where neither a task nor `at` says it.
        seed: of the search and the trainings; the same front for the same seed.
        population, generations: formulas that are looked at.
        max_complexity: symbols of a formula at most.
        zoo: whether losses with names, fitted by their own coefficients, compete and are bred from.
        seeds: pairs of trainings by which the formula is held against the network; 0 for none.

    Returns:
        the front by rising complexity, each row leaving distinctly less unexplained than the one before. Picked is
        the simplest formula with R2 of at least 0.99, or a longer one that leaves at most a quarter of what it
        does; where none explains as much, the best.

    Raises:
        SymlossError: for a task of another kind, instances that are not of the loss, or a loss without a gradient.

    >>> import symloss as sl
    >>> from symloss.meta import FormulaLoss
    >>> found = distill(FormulaLoss(sl.named("gce", q=0.6)), classes=3, population=20, generations=1)
    >>> found.picked.known_as, found.picked.r2 > 0.9999
    ('gce(q=0.6)', True)
    """
    phi = neural_loss.coefficients if coefficients is None else dict(coefficients)
    _check(
        seed=(seed, 0), population=(population, 2), generations=(generations, 1), seeds=(seeds, 0),
        max_complexity=(max_complexity, 3),
    )  # fmt: skip
    check_most("", population=population, generations=generations)
    trained, notes = _usable(task, neural_loss.kind), []
    with one_thread():
        parts, where = _visits(neural_loss, phi, trained, at, classes, seed)
        # From the instances, which know it whether a task, outputs or nothing was given.
        number = round(parts.fit.points.symbols["C"]) if KINDS[neural_loss.kind].probabilities else None
        named = named_fits(parts.fit)
        bred = _bred(parts.fit, number, seed, population, generations, max_complexity, named if zoo else {})
        candidates = [*(named.values() if zoo else ()), *bred]
        rows = _front(candidates, parts, number, max_complexity, _hard(parts.fit))
        if not rows:
            raise RunError(
                f"none of {population * generations} formulas comes anywhere near: search longer or with another seed"
            )
        found = None
        picked, tree = next((row, tree) for row, tree in rows if row.picked)
        if trained is not None and seeds:
            try:
                found = fidelity(neural_loss, phi, tree.scaled(picked.scale), trained, seeds=seeds, seed=seed)
            except TaskError as error:
                notes.append(str(error))
        # Also without `zoo`: the nearest named loss is reported in either case.
        left = {name: parts.left(tree) for name, tree in named.items()}
        nearest = min(left, key=lambda name: left[name][0], default="")
    return Distillation(
        kind=neural_loss.kind, classes=number, seed=seed, rows=tuple(row for row, _ in rows),
        evaluated=population * generations, visited=where, nearest=nearest,
        nearest_r2=1 - left[nearest][1] if nearest else None, fidelity=found, notes=tuple(notes),
    )  # fmt: skip


def _check(**numbers: tuple[object, int]) -> None:
    for name, (value, least) in numbers.items():
        number = as_whole(value)
        if number is None or number < least:
            raise RunError(f"{name} is {value!r}: expected a whole number of at least {least}")


def _usable(task: Task | None, kind: str) -> SupervisedTask | None:
    if task is None:
        return None
    if not isinstance(task, SupervisedTask):
        raise TaskError(
            f"{task.name} trains in its own way, which cannot be looked into: give outputs and targets as at="
        )
    if task.kind != kind:
        raise DomainError(
            f"the network is a {kind} loss, {task.name} is a {task.kind} task: name one of its kind"
        )
    return task


def _hard(visits: Visits) -> bool:
    """Whether every label is 0 or 1, so that formulas may be simplified for hard labels."""
    points = visits.points
    return KINDS[points.kind].probabilities and bool(np.isin(points.y, (0.0, 1.0)).all())


@dataclass(frozen=True)
class _Parts:
    """Where formulas are fitted, where they are chosen, and where they are measured."""

    fit: Visits
    choose: Visits
    measure: Visits

    def left(self, loss: Weighted) -> tuple[float, float]:
        """What a formula leaves unexplained where it is chosen and where it is measured, at the scale of its fit."""
        scale = self.fit.scale(loss)
        if not scale > 0:
            return math.inf, math.inf
        return self.choose.unexplained(loss, scale), self.measure.unexplained(loss, scale)


def _visits(
    loss: LearnedLoss,
    phi: Mapping[str, Tensor],
    task: SupervisedTask | None,
    at: tuple[Tensor, Tensor] | None,
    classes: int | None,
    seed: int,
) -> tuple[_Parts, str]:
    """The instances at which gradients are compared, and a description of them."""
    seeds = [derive(seed, "distill", i) for i in range(3)]
    if at is not None:
        outputs, targets = at
        if len(outputs) < 3 * LEAST or len(outputs) != len(targets):
            raise DomainError(
                f"{len(outputs)} outputs and {len(targets)} targets: expected as many of both, at least {3 * LEAST}"
            )
        # Every third instance, so that each part covers the training from its beginning to its end.
        seen = [(outputs[i::3], targets[i::3]) for i in range(3)]
        where = f"{len(outputs)} instances that were given"
    elif task is not None:
        seen = [
            visited(loss, phi, task, each, times)
            for each, times in zip(seeds, (1, _MORE, _MORE), strict=True)
        ]
        where = f"three trainings on {task.name} of {task.settings.steps} steps"
    else:
        total = 10 if classes is None else classes
        _check(classes=(total, 2 if KINDS[loss.kind].exclusive else 1))
        seen = [drawn(loss.kind, total, each) for each in seeds]
        where = "outputs drawn from undecided to sure"
        if not KINDS[loss.kind].probabilities:
            where = "targets of standard deviation 1 and errors up to about four"
    return _Parts(*(looked_at(loss, phi, *each) for each in seen)), where


def _bred(
    visits: Visits,
    classes: int | None,
    seed: int,
    population: int,
    generations: int,
    longest: int,
    named: Mapping[str, Weighted],
) -> list[Weighted]:
    """The front of an evolutionary search, by rising complexity; its first population includes the named losses."""
    settings = replace(PRESETS["quick"], population=population)
    turn = pointed(visits.target, visits.points)
    outcomes = search_by_gradient(
        settings, seed, visits.target, visits.points, Screen(visits.points.kind, classes, turn),
        limit=population * generations, given=tuple(named.values()), neighbours=tuple(named.values()),
        longest=longest,
    )  # fmt: skip
    # The fit rounds and may turn a loss: asked once more which way it points.
    turned = [turn(outcome.loss) for outcome in outcomes if outcome.fitness is not None]
    turned_right = [loss.merged().rounded(6) for loss in turned if loss is not None]
    points = [(misfit(loss, visits), _length(loss), i) for i, loss in enumerate(turned_right)]
    return [turned_right[i] for i in _best(points)]


def _best(points: Iterable[tuple[float, float, int]]) -> list[int]:
    """The numbers of points `(misfit, complexity, number)` of which each leaves distinctly less than all shorter ones.

    >>> _best([(0.5, 3, 0), (0.49, 4, 1), (0.3, 5, 2), (0.2, 5, 3), (1.0, 2, 4)])
    [0, 3]
    """
    kept, left = [], 1.0
    for number in non_dominated(points := list(points)):
        misfit = next(missed for missed, _, i in points if i == number)
        if misfit + _EXACT <= _FRONT * left:
            kept.append(number)
            left = misfit
    return kept


def _length(loss: Weighted) -> float:
    """About the complexity of the formula as it is shown, where `aq(a, b)` is `a/sqrt(b**2 + 1)`."""
    # `aq` counts as one symbol; / sqrt ** 2 + 1 are six.
    return float(symbols(loss.formula) + 5 * loss.program.tokens.count("aq"))


def _promising(losses: Sequence[Weighted], parts: _Parts) -> list[Weighted]:
    """The losses worth simplifying by SymPy, which would take seconds for all of them: the first two fronts."""
    kept: list[int] = []
    # [0] is what is left on the second part: the first fitted the coefficients, the third only measures.
    points = [(parts.left(loss)[0], _length(loss), i) for i, loss in enumerate(losses)]
    for _ in range(2):
        kept += _best(point for point in points if point[2] not in kept)
    return [losses[i] for i in sorted(kept)]


def _front(
    candidates: Sequence[Weighted], parts: _Parts, classes: int | None, longest: int, hard: bool
) -> list[tuple[DistilledRow, Weighted]]:
    """The rows, by rising complexity of the formula as it is shown, each with its tree."""
    versions, shown = [], []
    for version in _promising([plainer(loss, parts.fit) for loss in candidates], parts):
        try:
            shown.append(presented(version.formula, parts.fit.points.kind, hard)[1])
        except SymlossError:  # no formula that may be written: an exponent out of bounds
            continue
        versions.append(version)
    left = [parts.left(version) for version in versions]
    points = [
        (left[i][0], float(loss.complexity), i) for i, loss in enumerate(shown) if loss.complexity <= longest
    ]
    kept = _best(points)
    if not kept:
        return []
    picked = next((i for i in kept if left[i][0] <= 1 - ENOUGH), kept[-1])
    # By rising complexity: each longer formula must earn its length against the one picked so far.
    for i in kept:
        # Chosen on the second part, while the rows show R2 of the third: a measured value that chose would flatter.
        if left[i][0] <= _PICK * left[picked][0]:
            picked = i
    return [
        (
            DistilledRow(
                row, shown[i], shown[i].complexity, 1 - left[i][1], parts.fit.scale(versions[i]), i == picked, classes
            ),
            versions[i],
        )
        for row, i in enumerate(kept, start=1)
    ]  # fmt: skip
