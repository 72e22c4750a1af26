r"""Wu's noisy quadratic: where the best learning rate is known, whatever the horizon that it is learned with.

`L(w) = 1/2 sum_i h_i (w_i - c_i)^2` with fresh `c_i ~ N(0, s_i^2)` at each step of SGD. The second moments
`A_i = E w_i^2` follow `A_i' = (1 - a h_i)^2 A_i + a^2 h_i^2 s_i^2`, so that the rate `a` which lowers the expected loss
most in one step is `sum h_i^2 A_i / sum h_i^3 (A_i + s_i^2)`. It serves the steep directions alone: as soon as they
have come down to their noise it is small, and the flat directions, where most of the loss is by then, hardly move.

Here `COPIES` weight vectors, each with noise of its own, are one model, and the ordinary loss times a number - what
`adapt` calls *learning rate only* - learns the rate by the package's own algorithms.

References: Wu et al., Understanding short-horizon bias in stochastic meta-optimization, 2018 (arXiv 1803.02021).
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.nn import functional as F

from symloss.meta import AdaptiveLoss
from symloss.meta.adaptable import RATE_ONLY, ScaledLoss
from symloss.meta.hypergradient import unrolled_hypergradient
from symloss.meta.inner import Adam
from symloss.tasks import TrainingSettings

__all__ = ["HORIZONS", "after", "best_rate", "curvatures", "excess", "greedy", "measure", "start"]

Array = NDArray[np.float64]
HORIZONS = (1, 10, 100)
DIRECTIONS = 20
STEEPEST, FLATTEST = 1.0, 1e-3
NOISE = 0.1
"""`s_i^2 h_i`: as in Wu, the gradient's variance is in proportion to the curvature."""
COPIES = 500
ETA = 0.05
"""Of the online rate: the greedy one falls by a factor of a hundred in the first few steps."""
LATER = 100
"""Greedy steps after which the steep directions are down at their noise."""
UNROLLED = 80
"""Meta-steps at most of what is unrolled: from the greedy rate, a factor of `exp(0.1)` each, that is far enough."""
_SLOWEST = 1e-6


def curvatures() -> tuple[Array, Array]:
    """`h` and `s^2`."""
    h = np.geomspace(STEEPEST, FLATTEST, DIRECTIONS)
    return h, NOISE / h


def start() -> Array:
    """Where training begins: `A_i = 1/h_i`, the same share of the loss in every direction."""
    return np.asarray(1 / curvatures()[0])


def excess(moments: Array) -> float:
    """The expected loss but for the part that no weights can change: `1/2 sum h_i A_i`."""
    return float(curvatures()[0] @ moments) / 2


def greedy(moments: Array) -> float:
    """Wu's rate of one step: `sum h_i^2 A_i / sum h_i^3 (A_i + s_i^2)`."""
    h, noise = curvatures()
    return float((h**2 @ moments) / (h**3 @ (moments + noise)))


def after(moments: Array, rate: float, steps: int) -> Array:
    """The second moments after so many steps at one rate.

    >>> h, noise = curvatures()
    >>> once = (1 - 0.5 * h) ** 2 * 2 + 0.25 * h**2 * noise
    >>> bool(np.allclose(after(np.full(DIRECTIONS, 2.0), 0.5, 1), once))
    True
    """
    h, noise = curvatures()
    shrink = (1 - rate * h) ** 2
    rest = rate * h * noise / (2 - rate * h)  # where (1 - shrink) A = rate^2 h^2 s^2
    return np.asarray(rest + shrink**steps * (moments - rest))


def best_rate(moments: Array, horizon: int) -> float:
    """The one rate that leaves the least loss after so many steps: where learning it with that horizon ends."""

    def loss(log_rate: float) -> float:
        return excess(after(moments, math.exp(log_rate), horizon))

    bounds = (math.log(_SLOWEST), math.log(1.99 / STEEPEST))
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-8}).x)


def schedule(horizon: int, steps: int) -> tuple[list[float], list[float]]:
    """Rate and loss of each of so many steps, the rate chosen anew for every `horizon` of them."""
    moments, rates, losses = start(), list[float](), list[float]()
    for begun in range(0, steps, horizon):
        rate = best_rate(moments, min(horizon, steps - begun))
        for _ in range(min(horizon, steps - begun)):
            moments = after(moments, rate, 1)
            rates.append(rate)
            losses.append(excess(moments))
    return rates, losses


class Copies(nn.Module):
    """`COPIES` weight vectors of given second moments; outputs `sqrt(h_i) w_i`, so that squared errors are the loss."""

    def __init__(self, moments: Array, draw: torch.Generator) -> None:
        super().__init__()
        signs = 2.0 * torch.randint(2, (COPIES, DIRECTIONS), generator=draw) - 1
        self.weights = nn.Parameter(signs.double() * torch.from_numpy(moments).sqrt())
        self.root = torch.from_numpy(curvatures()[0]).sqrt()

    def forward(self, inputs: Tensor) -> Tensor:
        return (self.root * self.weights).flatten()


def noisy(draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """A batch: no inputs, and for each copy its own `c`."""
    h, noise = (torch.from_numpy(each) for each in curvatures())
    drawn = torch.randn(COPIES, DIRECTIONS, dtype=torch.float64, generator=draw)
    return torch.zeros(1), (h.sqrt() * noise.sqrt() * drawn).flatten()


def clean() -> tuple[Tensor, Tensor]:
    """The validation batch: the noise would add a constant."""
    return torch.zeros(1), torch.zeros(COPIES * DIRECTIONS, dtype=torch.float64)


RATE = COPIES * DIRECTIONS / 2
"""At which the mean squared error over all outputs moves `w` by `h (w - c)`: the learned scale is then the rate `a`."""


def initialised(moments: Array, steps: int, seed: int) -> float:
    """The rate that AdaLFL's offline initialisation learns: one step from these moments, again and again."""
    draw = torch.Generator().manual_seed(seed)
    adaptive = AdaptiveLoss(RATE_ONLY, kind="regression", eta=0.1)
    adaptive.initialise(
        lambda: Copies(moments, draw),
        lambda weights: torch.optim.SGD(weights, lr=RATE),
        ((noisy(draw), clean()) for _ in range(steps)),
    )
    return math.exp(adaptive.values[0])


def online(steps: int, seed: int) -> tuple[list[float], list[float], float]:
    """The rate that adapts in lockstep, beside the greedy rate of the moments at hand, and the loss at the end."""
    draw = torch.Generator().manual_seed(seed)
    model = Copies(start(), draw)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    adaptive = AdaptiveLoss(RATE_ONLY, kind="regression", eta=ETA)
    learned, known = [], []
    for _ in range(steps):
        known.append(greedy(_moments(model)))
        learned.append(math.exp(adaptive.values[0]))
        adaptive.step(model, optimizer, noisy(draw), clean())
    return learned, known, excess(_moments(model))


def _moments(model: Copies) -> Array:
    return np.asarray(model.weights.detach().square().mean(0).numpy())


def unrolled(moments: Array, horizon: int, steps: int, seed: int) -> float:
    """The rate that is learned through so many unrolled steps of SGD, each time from these moments."""
    draw = torch.Generator().manual_seed(seed)
    loss = ScaledLoss("regression", math.log(greedy(moments)))
    phi, state = loss.coefficients["log_scale"].reshape(1), dict[str, Tensor]()
    settings = TrainingSettings(learning_rate=RATE, momentum=0.0, nesterov=False, weight_decay=0.0)
    rule, last = Adam(0.1), []
    for _ in range(steps):
        found = unrolled_hypergradient(
            Copies(moments, draw), lambda c, outputs, targets: loss({"log_scale": c[0]}, outputs, targets),
            phi, list(itertools.islice(_noise(draw), horizon)), clean(), F.mse_loss, settings,
        )  # fmt: skip
        phi, state = rule.step(phi, found.gradient, state)
        last.append(float(phi))
    return math.exp(statistics.fmean(last[-max(1, steps // 4) :]))


def _noise(draw: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield noisy(draw)


def measure(steps: int, outer: int, unroll: tuple[int, ...]) -> dict[str, Any]:
    """Everything that is asked of the quadratic, JSON-ready.

    Args:
        steps: of a training.
        outer: meta-steps of everything that is learned.
        unroll: horizons that are learned through unrolled steps too, not only solved for.
    """
    later = start()
    for _ in range(LATER):
        later = after(later, greedy(later), 1)
    learned, known, end = online(steps, 0)
    half = len(learned) // 2  # the rate comes from where it was begun
    gaps = [abs(math.log(a / b)) for a, b in zip(learned[half:], known[half:], strict=True)]
    fixed = best_rate(start(), steps)
    every = {str(horizon): schedule(horizon, steps) for horizon in HORIZONS}
    return {
        "steps": steps,
        "offline": {
            name: {"learned": initialised(moments, outer, 1), "greedy": greedy(moments)}
            for name, moments in (("start", start()), ("later", later))
        },
        "online": {
            "gap": statistics.median(gaps), "learned": _thinned(learned), "greedy": _thinned(known), "loss": end,
        },
        "horizons": {
            name: {
                "rate later": best_rate(later, int(name)), "loss": losses[-1], "rates": _thinned(rates),
                "mean rate": math.exp(statistics.fmean(map(math.log, rates))), "losses": _thinned(losses),
            }
            for name, (rates, losses) in every.items()
        },
        "unrolled": {str(horizon): unrolled(later, horizon, min(outer, UNROLLED), 2) for horizon in unroll},
        "fixed": {"rate": fixed, "loss": excess(after(start(), fixed, steps))},
    }  # fmt: skip


def _thinned(values: list[float]) -> list[float]:
    """About a hundred of them, for the figure."""
    return values[:: max(1, len(values) // 100)]
