"""Statistics of paired comparisons: tests, intervals, power, corrections. Pure functions of numbers.

Notation: `d_1 ... d_J` are the differences between two losses on J splits, `dbar` their mean, `s` their standard
deviation (with `J - 1`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symloss.errors import SymlossError

__all__ = [
    "LEVEL", "POWER", "Evidence", "Joint", "PairedTest", "Resampled", "bootstrap", "detectable_difference",
    "effect_size", "holm", "kaplan_meier", "kaplan_meier_median", "overlap_of", "paired_t",
]  # fmt: skip

LEVEL = 0.05
"""Two-sided level of a claim; intervals cover with one minus it."""
POWER = 0.8
"""Probability with which a difference of the detectable size is told."""
_DRAWS = 2000
"""Bootstrap samples: the ends of a 95 % interval then rest on 50 samples each."""
_DRAWN_AT_ONCE = 2**22
"""Row indices drawn at once, 32 MB."""


@dataclass(frozen=True)
class PairedTest:
    """A mean difference with its standard error: `t = mean / se` with `dof` degrees of freedom.

    Attributes:
        mean: of the differences.
        se: standard error; 0 where all differences are equal, NaN for fewer than two.
        dof: degrees of freedom.

    >>> test = paired_t([1.0, 2.0, 3.0])
    >>> round(test.p_value, 4), [round(end, 2) for end in test.interval()]
    (0.0742, [-0.48, 4.48])
    """

    mean: float
    se: float
    dof: int

    @property
    def p_value(self) -> float:
        """Two-sided p of "no difference"; NaN for fewer than two differences."""
        if math.isnan(self.se):
            return math.nan
        if self.se == 0:
            # Equal differences have no scatter: t is infinite, or 0/0.
            return 1.0 if self.mean == 0 else 0.0
        from scipy.stats import t  # most of a second to import, which no worker needs

        return float(2 * t.sf(abs(self.mean) / self.se, self.dof))

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The two-sided interval that covers with probability `1 - level`; NaN for fewer than two differences."""
        if math.isnan(self.se) or self.se == 0:
            return (self.mean, self.mean) if self.se == 0 else (math.nan, math.nan)
        from scipy.stats import t

        half = float(t.ppf(1 - level / 2, self.dof)) * self.se
        return self.mean - half, self.mean + half


def paired_t(differences: Sequence[float], overlap: float = 0.0) -> PairedTest:
    """The corrected resampled t test: `t = dbar / (s sqrt(1/J + overlap))`, `J - 1` degrees of freedom.

    Random splits of one data set share rows, so their differences are correlated and `s / sqrt(J)` is too small;
    no unbiased estimate of the variance exists, and this one is conservative. With `overlap = 0` it is the plain
    paired t test, for differences that are independent: disjoint pools of rows.

    Args:
        differences: one a split, seeds averaged; finite.
        overlap: `n_test / (n_train + n_val)`, see `overlap_of`; 0 for independent splits.

    Raises:
        SymlossError: for no differences, or a negative overlap.

    References:
        Nadeau, Bengio, Inference for the generalization error, Machine Learning 52, 2003, sec. 3 (corrected
        resampled t test).

    >>> plain, corrected = paired_t([1, 2, 3, 2]), paired_t([1, 2, 3, 2], overlap=0.25)
    >>> round(corrected.se / plain.se, 3)  # sqrt((1/4 + 1/4) / (1/4))
    1.414
    """
    values = np.asarray(differences, dtype=np.float64)
    if not values.size or overlap < 0:
        raise SymlossError(
            f"{values.size} differences with overlap {overlap:g}: expected at least one, and 0 or more"
        )
    mean, count = float(values.mean()), values.size
    if count < 2:
        return PairedTest(mean, math.nan, 0)
    if values.min() == values.max():  # rounding must not make a spread of it
        return PairedTest(float(values[0]), 0.0, count - 1)
    # The variance of a mean of J values with correlation rho is `s^2 (1/J + rho/(1 - rho))`; for random splits Nadeau
    # and Bengio put rho at n_test/n, which makes the second term n_test/(n_train + n_val).
    return PairedTest(mean, float(values.std(ddof=1)) * math.sqrt(1 / count + overlap), count - 1)


def overlap_of(test_rows: int, other_rows: int) -> float:
    """`n_test / (n_train + n_val)`: what `paired_t` adds to `1/J` for splits that are drawn from one pool.

    >>> overlap_of(88, 265 + 89)
    0.24858757062146894
    """
    return test_rows / other_rows


def effect_size(differences: Sequence[float]) -> float:
    """Cohen's `d_z = dbar / s`: the mean paired difference in units of its standard deviation over splits.

    Infinite where all differences are equal and not 0, NaN for fewer than two.

    References:
        Cohen, Statistical power analysis for the behavioral sciences, 2nd ed. 1988, sec. 2.3.5.

    >>> round(effect_size([1.0, 2.0, 3.0]), 6)
    2.0
    """
    test = paired_t(differences)
    if math.isnan(test.se):
        return math.nan
    if test.se == 0:
        return math.copysign(math.inf, test.mean) if test.mean else 0.0
    # Without overlap `se = s/sqrt(J)`, so this is dbar/s.
    return test.mean / (test.se * math.sqrt(len(differences)))


def detectable_difference(
    deviation: float, splits: int, overlap: float = 0.0, power: float = POWER, level: float = LEVEL
) -> float:
    """The smallest true difference that `paired_t` tells from 0 with this power.

    `delta = ncp s sqrt(1/J + overlap)`, where `ncp` is the noncentrality at which the two-sided t test with `J - 1`
    degrees of freedom rejects with probability `power`; for many splits `ncp` is 2.80 at 80 % and 5 %.

    Args:
        deviation: `s`, the standard deviation of the difference over splits.
        splits: `J`, at least 2; NaN is returned for fewer.
        overlap: as in `paired_t`.
        power, level: of the test.

    >>> round(detectable_difference(1.0, splits=10), 3), round(detectable_difference(1.0, 10**6) * 1000, 2)
    (0.996, 2.8)
    """
    if splits < 2 or math.isnan(deviation):
        return math.nan
    return _noncentrality(splits - 1, power, level) * deviation * math.sqrt(1 / splits + overlap)


def _noncentrality(dof: int, power: float, level: float) -> float:
    from scipy.optimize import brentq
    from scipy.stats import nct, norm, t

    if dof > 1000:  # scipy's noncentral t loses its digits there, and the normal has them
        return float(norm.ppf(1 - level / 2) + norm.ppf(power))
    critical = t.ppf(1 - level / 2, dof)

    def missing(ncp: float) -> float:
        # The other tail adds less than 1e-4 to the power, and scipy has NaN for it.
        return float(nct.sf(critical, dof, ncp)) - power

    # A bracket: the power is level/2 at 0, and above 0.9999 at four critical values for any dof.
    return float(brentq(missing, 0.0, 4 * critical))


@dataclass(frozen=True)
class Resampled:
    """A mean over rows, drawn with replacement many times.

    Attributes:
        means: of the resampled rows, sorted.

    >>> low, high = bootstrap([0.0, 1.0] * 50).interval()
    >>> bool(0.35 < low < 0.45 and 0.55 < high < 0.65)
    True
    """

    means: NDArray[np.float64]

    @property
    def p_value(self) -> float:
        """Two-sided p of a mean of 0: twice the smaller share on one side of it, both counted with one more."""
        below, above = int(np.sum(self.means <= 0)) + 1, int(np.sum(self.means >= 0)) + 1
        return min(1.0, 2 * min(below, above) / (self.means.size + 1))

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The percentile interval that covers with probability `1 - level`."""
        low, high = np.quantile(self.means, [level / 2, 1 - level / 2])
        return float(low), float(high)


def bootstrap(rows: ArrayLike, seed: int = 0, units: ArrayLike | None = None) -> Resampled:
    """The mean over test rows, resampled: what it owes to the choice of these rows.

    For replicates that share their test rows. An instance that is made of several rows, as a pair is of two, counts as
    often as the product of the numbers of times that its rows are drawn: instances that share rows are dependent, and
    drawing them one by one would take them for more than they are.

    Args:
        rows: difference of two losses on each test instance, averaged over replicates, `[N]`.
        seed: of the resampling.
        units: the rows that each instance is made of, `[N, k]`; each is one of its own unless given.

    References:
        Efron, Tibshirani, An introduction to the bootstrap, 1993, sec. 13.3; Davison, Hinkley, Bootstrap methods
        and their application, 1997, eq. 4.11 (the one more).
    """
    values = np.asarray(rows, dtype=np.float64)
    generator = np.random.default_rng(seed)
    if units is not None:
        return _of_units(values, np.asarray(units), generator)
    at_once = max(1, _DRAWN_AT_ONCE // values.size)
    means: list[NDArray[np.float64]] = []
    for start in range(0, _DRAWS, at_once):
        # In pieces, as all draws of many rows at once would not fit into memory.
        drawn = generator.integers(values.size, size=(min(at_once, _DRAWS - start), values.size))
        means.append(values[drawn].mean(axis=1))
    return Resampled(np.sort(np.concatenate(means)))


def _of_units(values: NDArray[np.float64], units: NDArray[Any], generator: np.random.Generator) -> Resampled:
    names, places = np.unique(units, return_inverse=True)
    places = places.reshape(units.shape)
    means = np.empty(_DRAWS)
    for i in range(_DRAWS):
        total = 0.0
        while not total:  # of a handful of rows no two of one instance may be drawn
            counts = np.bincount(generator.integers(names.size, size=names.size), minlength=names.size)
            # A pair is present as often as both of its rows are: twice and three times make six.
            weights = counts[places].prod(axis=1)
            total = weights.sum()
        means[i] = weights @ values / total
    return Resampled(np.sort(means))


class Evidence(Protocol):
    """A difference with its intervals."""

    @property
    def p_value(self) -> float:
        """Two-sided p of no difference."""

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The two-sided interval that covers with probability `1 - level`."""


@dataclass(frozen=True)
class Joint:
    """A claim that must hold on every part of the evidence, as over pools *and* over test rows.

    The interval is the hull, `p` the largest: an intersection-union test, of the level of its parts.

    References:
        Berger, Multiparameter hypothesis testing and acceptance sampling, Technometrics 24, 1982.

    >>> both = Joint((paired_t([1, 2, 3]), paired_t([1, 2, 2])))
    >>> both.p_value == paired_t([1, 2, 3]).p_value, both.interval()[1] == paired_t([1, 2, 3]).interval()[1]
    (True, True)
    """

    parts: tuple[Evidence, ...]

    @property
    def p_value(self) -> float:
        """The largest of the parts."""
        return max(part.p_value for part in self.parts)

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The hull of the parts' intervals."""
        ends = [part.interval(level) for part in self.parts]
        return min(low for low, _ in ends), max(high for _, high in ends)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for their number: the largest `(m - k + 1) p_(k)` over the `k` smallest, at most 1.

    Below 0.05 they bound the probability of any false claim among all by 5 %, whatever their dependence.

    References:
        Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    # Step-down: the smallest p is multiplied by m, the next by m - 1, and none may fall below the one before.
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = largest
    return corrected


def kaplan_meier(times: Sequence[float], reached: Sequence[bool]) -> list[tuple[float, float]]:
    """By time, the share of runs that have not reached the target: `S(t) = prod_(t_i <= t) (1 - d_i / n_i)`.

    `d_i` runs reach it at `t_i` and `n_i` are still under way; runs that end without reaching it are censored at their
    end, and one that ends at `t_i` counts as under way there.

    Args:
        times: steps to the target, or to the end of the run.
        reached: whether the run reached it.

    Returns:
        the times at which a run reaches it, ascending, each with the share from then on.

    References:
        Kaplan, Meier, Nonparametric estimation from incomplete observations, JASA 53, 1958.

    >>> kaplan_meier([10, 20, 30, 30], [True, True, False, False])
    [(10, 0.75), (20, 0.5)]
    """
    survival, curve = 1.0, []
    for time in sorted({time for time, hit in zip(times, reached, strict=True) if hit}):
        # `>=`: a run censored at this very time still was under way, by convention.
        under_way = sum(each >= time for each in times)
        hits = sum(hit and each == time for each, hit in zip(times, reached, strict=True))
        survival *= 1 - hits / under_way
        curve.append((time, survival))
    return curve


def kaplan_meier_median(times: Sequence[float], reached: Sequence[bool]) -> float | None:
    """The first time by which half of the runs have reached the target; None where fewer than half ever do.

    See `kaplan_meier`.

    >>> kaplan_meier_median([10, 20, 30, 30], [True, True, False, False])
    20
    >>> kaplan_meier_median([10, 30, 30], [True, False, False]) is None
    True
    """
    below = 0.5 + 1e-12  # of the product's rounding
    return next((time for time, survival in kaplan_meier(times, reached) if survival <= below), None)
