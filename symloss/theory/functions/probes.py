"""Where formulas are looked at before anything is proved: every grid and every step, by name.

Nothing is proved by them alone. They say where to look for a counterexample, which is then enclosed, and where to cut
cells. None is a round number: kinks, roots and poles of formulas that people write lie at round ones.
"""

from __future__ import annotations

import numpy as np
from sympy import Rational

from symloss.theory.functions.interval import FloatArray

__all__ = [
    "CHORD_REACHES",
    "CHORD_SHARES",
    "CUT",
    "ENTRIES_OF_CERTAINTY",
    "EVEN_SHARES",
    "FIT_AXIS",
    "GROWTH",
    "KINK_OFFSETS",
    "LEAST_STEP",
    "LIMIT_REACHES",
    "LINE",
    "MARGINS",
    "MARGINS_FAR",
    "MARGINS_FEW",
    "MARGINS_SIGNED",
    "MOVES",
    "MOVE_SHARES",
    "OFFSETS",
    "POSTERIOR_HEADS",
    "POSTERIOR_SHARES",
    "POSTERIOR_TOPS",
    "RESIDUALS",
    "SHARES_OF_ONE",
    "SIGN_REACHES",
    "STEP_SHIFT",
    "TARGETS",
    "TARGETS_AND_RESIDUALS",
    "UNIT",
    "UNIT_FEW",
    "UNIT_HALF",
    "UNIT_INSIDE",
    "UNIT_TO_THE_ENDS",
    "shares_of",
]

# Shares without a pattern, so that no symmetric formula vanishes at all of them.
_SHARES: FloatArray = np.array([0.1234567, 0.2718281, 0.4142135, 0.5772156, 0.7320508, 0.9162907])


def shares_of(low: float, high: float) -> FloatArray:
    """Six points of a stretch, at which a formula that vanishes there must vanish."""
    return low + (high - low) * _SHARES


# Bisection (`signs`) and tails
CUT = 0.48712385
"""The share of a cell at which it is cut: off the middle, as roots lie at round numbers, which no border should hit."""
GROWTH = 1.9173
"""By how much cells grow away from an end that a tail covers."""
LEAST_STEP = 1.0379e-3
"""The smallest such cell, of a stretch of length 1."""
STEP_SHIFT = 0.0012347
"""By how much inner borders are off the round ones."""
SIGN_REACHES = (3e-2, 1e-3, 1e-5, 1e-7, 1e-9, 1e-12)
"""How far from an end a tail is asked for the sign, the farthest first: what it covers need not be cut."""
LIMIT_REACHES = (1e-2, 1e-4, 1e-8, 1e-12)
"""The same for a limit."""

# Convexity
CHORD_SHARES: FloatArray = np.arange(1, 240) / 240.0 + 0.0009173
"""Middles of chords, as shares of the stretch."""
CHORD_REACHES: FloatArray = np.array([0.9, 0.5, 0.2, 0.05, 0.01, 1e-3, 1e-4])
"""Half lengths of chords, as shares of what there is room for."""
KINK_OFFSETS: FloatArray = 10.0 ** -np.arange(1, 9, 0.5)
"""Distances of middles from a kink."""
OFFSETS: FloatArray = 10.0 ** -np.arange(1, 12, 0.5)
"""The same from an end, where a curve may bend within a hair."""

# Probabilities
UNIT: FloatArray = np.asarray((np.arange(1, 30) * 0.6180339887) % 1.0 * 0.97 + 0.0153, dtype=np.float64)
"""Where slopes are compared to find a loss of the zoo, by the golden ratio."""
UNIT_FEW: FloatArray = np.array([0.31, 0.5123, 0.77, 0.12, 0.93])
UNIT_HALF: FloatArray = np.linspace(0.0137, 0.4973, 60)
UNIT_INSIDE: FloatArray = np.concatenate([np.linspace(0.013, 0.931, 40), 10.0 ** -np.arange(2.1, 6.4, 0.7)])
"""Pairs of them leave room for a third class."""
UNIT_TO_THE_ENDS: FloatArray = np.concatenate(
    [10.0 ** -np.arange(12, 2, -0.5), np.linspace(0.0107, 0.9931, 200), 1 - 10.0 ** -np.arange(3, 9)]
)
MOVE_SHARES: FloatArray = np.array([0.9, 0.5, 0.11, 0.013])
"""Shares of a class's probability that are moved to another."""
ENTRIES_OF_CERTAINTY = (0.5, 0.6, 0.75, 0.9, 0.95, 0.99, 0.999)
"""From where on the target may rise whatever the spread of the rest."""

# Posteriors
POSTERIOR_TOPS: FloatArray = np.array([1e-6, 1e-4, 3e-3, 0.03, 0.1, 0.21, 0.33, 0.45, 0.62, 0.8, 0.93])
"""The first class's share of a posterior under which a better prediction is looked for ..."""
POSTERIOR_SHARES = (0.07, 0.3, 0.5, 0.81, 0.97)
"""... and the second's of the rest."""
MOVES: FloatArray = np.array([0.9, 0.5, 0.2, 0.05, 0.01, 1e-3])
"""Shares of a class's probability by which predictions leave the posterior."""
POSTERIOR_HEADS = (
    (0.99,), (0.9,), (0.75,), (0.6,), (0.51,), (0.4,), (0.25,),
    (0.5, 0.45), (0.55, 0.35), (0.45, 0.3), (0.3, 0.25), (0.7, 0.2), (0.6, 0.39),
)  # fmt: skip
"""The first entries of posteriors under which another class may come out on top."""
EVEN_SHARES = 1.3
"""One more head: a single class with so many times the even share `1/C`."""

# Margins
MARGINS: FloatArray = np.array([0.01, 0.0347, 0.11, 0.26, 0.51, 0.77, 1.13, 1.7, 2.6, 4.1, 6.3])
"""At which a link is looked at; a zoo's kinks are at 1 and 2."""
MARGINS_FEW: FloatArray = np.array([0.3141, 0.7183, 1.4142, 2.7182, 5.7721])
MARGINS_FAR: FloatArray = np.concatenate([10.0 ** np.arange(-3, 2.01, 0.1), [200.0, 500.0]])
"""Among which a margin of the wrong sign is looked for that is as good as any of the right one."""
_STEPS: FloatArray = np.asarray(np.arange(1, 61) * 0.1487213, dtype=np.float64)
MARGINS_SIGNED: FloatArray = np.concatenate([-_STEPS[::-1], _STEPS])
"""At which slopes are compared: close enough for a kink that moves to be seen; farther out an exponential would count
for all the others."""
SHARES_OF_ONE = tuple(
    Rational(*pair) for pair in ((3, 4), (9, 10), (3, 5), (99, 100), (11, 20), (51, 100), (999, 1000))
)
"""Probabilities of the label +1 at which a counterexample to calibration is looked for."""

# The line
_SIZES: FloatArray = np.asarray(10.0 ** np.arange(-2.0, 2.3, 0.2718281), dtype=np.float64)
LINE: FloatArray = np.concatenate([-_SIZES[::-1], _SIZES])
"""Residuals at which slopes are compared to find a loss of the zoo."""
RESIDUALS = tuple(Rational(n, 8) for n in (-40, -17, -9, -4, -1, 0, 1, 3, 8, 15, 41))
"""Targets, and residuals, among which a prediction better than the target is looked for."""
TARGETS = tuple(Rational(n, 2) for n in (0, 2, -2, 1, -5))
"""Targets at which a curve is looked at, 0 first."""
TARGETS_AND_RESIDUALS = tuple(Rational(n, 4) for n in (-13, -6, -2, 0, 1, 3, 9))
"""Targets, and residuals, among which a dependence on more than the residual is looked for."""
FIT_AXIS: FloatArray = np.array([0.03, 0.1, 0.2, 0.35, 0.5, 0.75, 1.5, 2.5, 5.0, 12.0])
"""Coefficients from which a fit starts."""
