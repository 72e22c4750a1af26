"""Can this task tell losses apart at all? Measured before a search, on losses that are known.

The zoo, each loss with its scale taken out, and a few random losses are trained over a few blocks. What one
block's paired difference scatters by is the *noise*; what a loss with a name gains over the ordinary one, in
units of it, is the *headroom*. Nothing here forbids a search.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symloss.search.loop.evidence import DEPENDENCE, Evidence
from symloss.tasks.train.metrics import METRICS

__all__ = ["POWER", "Headroom", "HeadroomRow", "headroom_of"]

POWER = 2.8
"""Standard errors of a difference that is told with 80 % power at the 5 % level: 1.96 + 0.84."""


@dataclass(frozen=True)
class HeadroomRow:
    """A loss of the sweep: its name, its mean over the blocks as users read the metric, a 95 % interval."""

    name: str
    formula: str
    mean: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Headroom:
    """What the sweep says.

    Attributes:
        task, metric: of what, measured how.
        noise: standard deviation of one paired difference between losses, in the metric's units.
        detectable: the smallest difference that the planned search can tell with 80 % power.
        detectable_clean: the same in terms of clean labels, where label noise is known to shrink differences;
            else None.
        headroom: what the best loss of the zoo gains over the ordinary one, in units of `noise`: best on odd
            blocks, measured on even ones, and the other way round.
        interval: of `headroom`, 95 %.
        leader: the loss that is best over all blocks.
        ordinary: the name of the ordinary loss.
        candidates: how many the planned search considers.
        rows: by rising or falling mean, the best first.
        said: remarks, such as what a block varies on this task.
    """

    task: str
    metric: str
    noise: float
    detectable: float
    detectable_clean: float | None
    headroom: float
    interval: tuple[float, float]
    leader: str
    ordinary: str
    candidates: int
    rows: tuple[HeadroomRow, ...]
    said: tuple[str, ...] = ()

    @property
    def differ(self) -> bool:
        """Whether the interval lies above 0."""
        return self.interval[0] > 0

    @property
    def verdict(self) -> str:
        """`"losses differ"` or `"nothing told apart"`."""
        return "losses differ" if self.differ else "nothing told apart"

    def sentence(self) -> str:
        """The verdict in plain words."""
        low, high = self.interval
        if not (math.isfinite(self.detectable) and math.isfinite(low)):
            return "nothing told apart: too few losses could be trained on the same blocks"
        told = points(self.detectable, self.metric)
        clean = ""
        if self.detectable_clean is not None:
            clean = f" ({points(self.detectable_clean, self.metric)} on clean labels)"
        if self.differ:
            return (
                f"losses differ here: {self.leader} leads {self.ordinary} by {self.headroom:.1f} "
                f"({low:.1f} to {high:.1f}) times the noise; {self.candidates} candidates can tell {told}{clean}"
            )
        return (
            f"nothing told apart: gains under {told}{clean} cannot be excluded; more validation rows would "
            "help, more blocks would not"
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "task": self.task, "metric": self.metric, "noise": _finite(self.noise),
            "detectable": _finite(self.detectable), "detectable_clean": self.detectable_clean,
            "headroom": _finite(self.headroom), "headroom_interval": list(map(_finite, self.interval)),
            "verdict": self.verdict, "leader": self.leader,
            "ordinary": self.ordinary, "candidates": self.candidates, "sentence": self.sentence(),
            "rows": [
                {
                    "name": row.name, "formula": row.formula, "mean": row.mean,
                    "interval": list(map(_finite, row.interval)),
                }
                for row in self.rows
            ],
            "notes": list(self.said),
        }  # fmt: skip


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None


def points(value: float, metric: str) -> str:
    """A difference of a metric in words: shares in points of a hundred.

    >>> points(0.009, "accuracy"), points(0.0312, "mse")
    ('0.9 points', '0.031 (mse)')
    """
    if metric in METRICS and METRICS[metric].share:
        return f"{100 * value:.1f} points"
    return f"{value:.2g} ({metric})"


def headroom_of(
    evidence: Evidence,
    named: Mapping[int, str],
    ordinary: int,
    *,
    final_blocks: int,
) -> tuple[float, float, float, tuple[float, float], int]:
    """Noise, detectable difference, headroom with its interval, and the leader.

    Args:
        evidence: over the sweep; every loss on the same blocks.
        named: the losses of the zoo among the candidates, the ordinary one included; random ones are not.
        ordinary: the candidate that is the ordinary loss.
        final_blocks: J of the planned search.

    Returns:
        `(noise, detectable, headroom, interval, leader)`, the first two in units of the fitness.
    """
    # The difference of two scores with independent errors of one spread.
    noise = math.sqrt(2) * evidence.spread
    detectable = POWER * noise * math.sqrt(1 / final_blocks + DEPENDENCE)
    alive = [i for i in named if i in evidence.candidates]
    if ordinary not in alive:
        return noise, detectable, math.nan, (math.nan, math.nan), ordinary
    blocks = sorted(evidence.scores[ordinary])
    leader = min(alive, key=lambda i: (evidence.mean(i), i))
    # The loss that is best on a half owes part of it to that half's luck, so its gain is measured on the other.
    halves = blocks[::2], blocks[1::2]
    gains = [
        evidence.scores[ordinary][block] - evidence.scores[chosen][block]
        for chosen, measured in zip(
            (_best(evidence, alive, halves[0]), _best(evidence, alive, halves[1])), halves[::-1], strict=True
        )
        for block in measured
    ]
    if not noise > 0 or not gains:
        return noise, detectable, math.nan, (math.nan, math.nan), leader
    from scipy.stats import t  # most of a second to import, which no worker needs

    centre = math.fsum(gains) / len(gains) / noise
    # In units of the noise, so the standard error of a mean gain is sqrt(1/n + c) alone.
    half = float(t.ppf(0.975, evidence.freedom)) * math.sqrt(1 / len(gains) + DEPENDENCE)
    return noise, detectable, centre, (centre - half, centre + half), leader


def _best(evidence: Evidence, alive: Sequence[int], blocks: Sequence[int]) -> int:
    return min(alive, key=lambda i: (math.fsum(evidence.scores[i][block] for block in blocks), i))
