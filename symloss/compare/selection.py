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
        edge: whether the rate lies at an end of the grid, which could not be widened further.
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
        best = min(self.curves, key=self._best)
        tried = sorted(each.rate for each in self.curves if each.variant == best.variant)
        rates = [rate for rate in RATES if rate not in tried] or self._more(tried, best.rate)
        return [Configuration(best.variant, rate) for rate in rates[:left]]

    def chosen(self, *, all_steps: bool = False) -> Chosen:
        """The best configuration and its number of steps.

        Args:
            all_steps: with the task's own number of steps: the learning rate alone is tuned.
        """
        stops = self.stops
        places = range(len(stops) - 1, len(stops)) if all_steps else range(len(stops))
        means = {each: self._means(each) for each in self.curves}
        best, place = min(
            ((each, i) for each in means for i in places),
            key=lambda one: (means[one[0]][one[1]], one[1], abs(math.log(one[0].rate)), one[0].variant),
        )
        tried = [each.rate for each in self.curves if each.variant == best.variant]
        return Chosen(best.variant, best.rate, stops[place], best.rate in (min(tried), max(tried)))

    def _means(self, configuration: Configuration) -> list[float]:
        return [statistics.fmean(at_stop) for at_stop in zip(*self.curves[configuration], strict=True)]

    def _best(self, configuration: Configuration) -> tuple[float, float, int]:
        return min(self._means(configuration)), abs(math.log(configuration.rate)), configuration.variant

    @staticmethod
    def _more(tried: Sequence[float], best: float) -> list[float]:
        """Wider where the best lies at the edge, else finer around it."""
        if best == tried[0]:
            return [_short(best / 3)] if best / 3 > _WIDEST[0] * 0.99 else []
        if best == tried[-1]:
            return [_short(best * 3)] if best * 3 < _WIDEST[1] * 1.01 else []
        place = tried.index(best)
        neighbours = (tried[place - 1], tried[place + 1])
        return [
            _short(math.sqrt(best * other))
            for other in neighbours
            if max(best / other, other / best) > _FINEST
        ]


def _short(rate: float) -> float:
    return float(f"{rate:.3g}")
