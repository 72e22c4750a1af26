"""Tuning at equal total budget: learning rate, number of steps, and a loss's own parameters, chosen on blocks.

Every loss is trained in as many configurations, `BUDGET`, on each of `BLOCKS` blocks of the replicate's rows that are
not test rows: first each of its variants at the middle of the grid of rates, then the best of them at the other rates;
what is left widens the grid where its best lies at the edge, or else refines it around the best.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

# The grids are those on which a search tunes its finalists; here they apply to losses divided by their null-epoch
# gradient scale.
from symloss.search.loop.training import RATES, STOPS, TRIALS, WIDENED
from symloss.tasks import Task

__all__ = ["BLOCKS", "BUDGET", "Chosen", "Configuration", "Selection"]

BUDGET = 12
"""Configurations of a loss; the best of the zoo gets as many beside one for each loss and parameter."""
BLOCKS = TRIALS
"""Blocks on which each configuration is trained."""
_WIDEST = (RATES[0] / 3**WIDENED, RATES[-1] * 3**WIDENED)
"""How far the grid is widened, at either end."""
_FINEST = 1.25
"""Ratio of neighbouring rates below which nothing is refined: no number of blocks tells them apart."""
_MARGIN = 3.0
"""By how much a chosen rate lies below any at which training diverged on a block, a step of the grid. A few blocks do
not show what diverges once in thirty trainings, as happens just below the rates at which nothing trains. Nor is the
largest rate chosen that was tried: what lies beyond it is not known."""


@dataclass(frozen=True)
class Configuration:
    """One way to train a loss: the place of its variant, and a rate as a multiple of the task's."""

    variant: int
    rate: float


@dataclass(frozen=True)
class Chosen:
    """What tuning chose.

    Attributes:
        variant: place of the variant.
        rate: as a multiple of the task's.
        steps: of the training.
        edge: whether the best rate lies at an end of the grid, which could not be widened further; at the upper end
            the rate below it is chosen.
    """

    variant: int
    rate: float
    steps: int
    edge: bool


@dataclass
class Selection:
    """The tuning of one loss on one replicate, configuration by configuration.

    Attributes:
        task: on the replicate's rows, or the task that it repeats: its metric and settings count.
        variants: how many there are.
        curves: by configuration, by block, the fitness after each of the stops; infinite where it diverged.
    """

    task: Task
    variants: int
    curves: dict[Configuration, list[list[float]]] = field(default_factory=dict)

    @property
    def stops(self) -> tuple[int, ...]:
        """The numbers of steps that are tried."""
        steps = self.task.settings.steps
        return tuple(sorted({max(1, round(share * steps)) for share in STOPS}))

    def record(self, configuration: Configuration, curves: Sequence[Sequence[float | None]]) -> None:
        """Remembers the metric of a configuration, by block after each stop."""
        fitness = self.task.measure.fitness
        self.curves[configuration] = [
            [math.inf if value is None else fitness(value) for value in curve] for curve in curves
        ]

    def wanted(self) -> list[Configuration]:
        """The configurations to train next; none when the budget is spent, or nothing is left to refine."""
        if not self.curves:
            return [Configuration(variant, 1.0) for variant in range(self.variants)]
        # However many variants there are, the rates of the best one are looked at.
        left = max(BUDGET, self.variants + len(RATES) + 2) - len(self.curves)
        # Of all variants: the others were seen at one rate only, the price of an equal budget.
        best = min(self.curves, key=self._best)
        tried = sorted(each.rate for each in self.curves if each.variant == best.variant)
        rates = [rate for rate in RATES if rate not in tried] or self._more(tried, best.rate)
        return [Configuration(best.variant, rate) for rate in rates[:left]]

    def chosen(self, *, all_steps: bool = False) -> Chosen:
        """The best configuration that trains safely, and its number of steps; the best of all where none does.

        Args:
            all_steps: with the task's own number of steps: the learning rate alone is tuned.
        """
        stops = self.stops
        places = range(len(stops) - 1, len(stops)) if all_steps else range(len(stops))
        means = {each: self._means(each) for each in self.curves}

        def order(one: tuple[Configuration, int]) -> tuple[float, int, float, int]:
            each, i = one
            # On ties fewer steps, a rate near the task's, the loss at its defaults.
            return means[each][i], i, abs(math.log(each.rate)), each.variant

        every = [(each, i) for each in means for i in places]
        best, _ = min(every, key=order)
        tried = [each.rate for each in self.curves if each.variant == best.variant]
        # `edge` tells of the best, not of the chosen: the safety margin must not hide that the grid was too narrow.
        chosen, place = min([one for one in every if self._safe(*one)] or every, key=order)
        return Chosen(chosen.variant, chosen.rate, stops[place], best.rate in (min(tried), max(tried)))

    def _safe(self, configuration: Configuration, place: int) -> bool:
        """Whether every block trained to that stop, at this rate and at those up to a step of the grid above it."""
        above = [
            each
            for each in self.curves
            if each.variant == configuration.variant and each.rate > configuration.rate
        ]
        near = [each for each in above if each.rate <= _MARGIN * configuration.rate]
        # Without a rate above it there is no margin: beyond the largest that was tried nothing is known.
        return bool(above) and all(math.isfinite(self._means(each)[place]) for each in (configuration, *near))

    def _means(self, configuration: Configuration) -> list[float]:
        return [statistics.fmean(at_stop) for at_stop in zip(*self.curves[configuration], strict=True)]

    def _best(self, configuration: Configuration) -> tuple[float, float, int]:
        return min(self._means(configuration)), abs(math.log(configuration.rate)), configuration.variant

    @staticmethod
    def _more(tried: Sequence[float], best: float) -> list[float]:
        """More rates: beyond the grid where the best lies at its edge, else between the best and its neighbours."""
        if best == tried[0]:
            # The slack of 1 % is for `_short`, which rounds rates to three digits.
            return [_short(best / 3)] if best / 3 > _WIDEST[0] * 0.99 else []
        if best == tried[-1]:
            return [_short(best * 3)] if best * 3 < _WIDEST[1] * 1.01 else []
        place = tried.index(best)
        neighbours = (tried[place - 1], tried[place + 1])
        return [
            # The geometric mean: the grid is even in the logarithm.
            _short(math.sqrt(best * other))
            for other in neighbours
            if max(best / other, other / best) > _FINEST
        ]


def _short(rate: float) -> float:
    return float(f"{rate:.3g}")
