"""Statistics against scipy, brute force and simulation."""

from __future__ import annotations

import math
from itertools import pairwise, product

import numpy as np
import pytest
import scipy.stats

from symloss.compare import statistics as st
from symloss.compare.ranks import rank_losses, wilcoxon_p
from symloss.errors import SymlossError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("count", [2, 3, 10, 40])
def test_without_overlap_it_is_scipys_paired_t(count: int) -> None:
    ours, theirs = RNG.normal(size=(2, count))
    test = st.paired_t(list(ours - theirs))
    expected = scipy.stats.ttest_rel(ours, theirs)
    assert test.p_value == pytest.approx(expected.pvalue)
    assert test.interval(0.1) == pytest.approx(tuple(expected.confidence_interval(0.9)))


def test_the_overlap_widens_the_error() -> None:
    differences = list(RNG.normal(size=10))
    s = np.std(differences, ddof=1)
    test = st.paired_t(differences, overlap=0.25)
    assert test.se == pytest.approx(s * math.sqrt(1 / 10 + 0.25))
    assert test.p_value == pytest.approx(2 * scipy.stats.t.sf(abs(np.mean(differences)) / test.se, 9))


def test_differences_that_are_all_equal_and_too_few() -> None:
    same = st.paired_t([0.1, 0.1, 0.1])
    assert (same.p_value, same.interval()) == (0.0, (0.1, 0.1))
    assert st.paired_t([0.0, 0.0]).p_value == 1.0
    assert math.isnan(st.paired_t([1.0]).p_value)
    assert math.isnan(st.paired_t([1.0]).interval()[0])
    assert math.isnan(st.effect_size([1.0]))
    assert (st.effect_size([2.0, 2.0]), st.effect_size([0.0, 0.0])) == (math.inf, 0.0)
    with pytest.raises(SymlossError, match="0 differences"):
        st.paired_t([])


def test_naive_tests_reject_too_often_on_overlapping_splits_and_the_corrected_one_does_not() -> None:
    """Two classifiers that differ by chance alone, on random splits of one pool: level 5 %."""
    naive = corrected = 0
    runs, splits, rows, test_rows = 400, 10, 60, 12
    for _ in range(runs):
        data = RNG.normal(size=(2, rows))  # what each of two rules predicts from, equally useful
        truth = data.sum(axis=0) + RNG.normal(size=rows)
        differences = []
        for _ in range(splits):
            order = RNG.permutation(rows)
            held, kept = order[:test_rows], order[test_rows:]
            errors = []
            for x in data:
                slope, offset = np.polyfit(x[kept], truth[kept], 1)
                errors.append(np.mean((truth[held] - slope * x[held] - offset) ** 2))
            differences.append(errors[0] - errors[1])
        naive += st.paired_t(differences).p_value < 0.05
        overlap = st.overlap_of(test_rows, rows - test_rows)
        corrected += st.paired_t(differences, overlap).p_value < 0.05
    assert naive / runs > 0.2
    assert corrected / runs < 0.08


def test_intervals_cover() -> None:
    inside = sum(
        low <= 0.3 <= high
        for low, high in (st.paired_t(list(RNG.normal(0.3, 1, size=10))).interval() for _ in range(1000))
    )
    assert 0.93 < inside / 1000 < 0.97


@pytest.mark.parametrize(("splits", "overlap"), [(5, 0.0), (10, 0.25), (30, 0.0)])
def test_the_detectable_difference_is_told_with_80_percent_power(splits: int, overlap: float) -> None:
    delta = st.detectable_difference(1.0, splits, overlap)
    error = math.sqrt(1 / splits + overlap)  # of a mean whose variance the correction gets right
    told = 0
    critical = scipy.stats.t.ppf(0.975, splits - 1)
    for _ in range(4000):
        mean = delta + error * RNG.normal()
        s = math.sqrt(RNG.chisquare(splits - 1) / (splits - 1))
        told += abs(mean) > critical * s * error
    assert told / 4000 == pytest.approx(0.8, abs=0.025)
    assert math.isnan(st.detectable_difference(1.0, 1))


def test_the_bootstrap_agrees_with_the_normal_interval_on_many_rows() -> None:
    rows = RNG.normal(0.05, 1, size=3000)
    found = st.bootstrap(rows, seed=1)
    low, high = found.interval()
    half = 1.96 * rows.std(ddof=1) / math.sqrt(rows.size)
    assert (low, high) == pytest.approx((rows.mean() - half, rows.mean() + half), abs=0.004)
    assert found.p_value == pytest.approx(2 * scipy.stats.norm.sf(rows.mean() / half * 1.96), abs=0.02)
    nothing = st.bootstrap([0.0] * 20)
    assert (nothing.interval(), nothing.p_value) == ((0.0, 0.0), 1.0)


def test_a_joint_claim_needs_every_part() -> None:
    sure, unsure = st.paired_t([1.0, 1.1, 0.9]), st.paired_t([2.0, -1.0, 1.0])
    both = st.Joint((sure, unsure))
    assert both.p_value == unsure.p_value > 0.05 > sure.p_value
    assert both.interval() == unsure.interval()


def test_holm_is_the_closed_test_of_bonferronis() -> None:
    """The closure: a hypothesis falls when every intersection that holds it does."""
    for _ in range(20):
        p = list(RNG.uniform(size=4) ** 2)
        corrected = st.holm(p)
        for i in range(4):
            sets = [s for s in product((False, True), repeat=4) if s[i]]
            worst = max(
                min(1.0, sum(s) * min(v for v, inside in zip(p, s, strict=True) if inside)) for s in sets
            )
            assert corrected[i] == pytest.approx(worst)
    assert st.holm([]) == []


def test_kaplan_meier_against_scipys() -> None:
    for _ in range(20):
        times = list(map(float, RNG.integers(1, 8, size=12)))
        reached = list(map(bool, RNG.uniform(size=12) < 0.6))
        sample = scipy.stats.CensoredData(
            uncensored=[t for t, hit in zip(times, reached, strict=True) if hit],
            right=[t for t, hit in zip(times, reached, strict=True) if not hit],
        )
        survival = scipy.stats.ecdf(sample).sf
        below = [
            t for t, s in zip(survival.quantiles, survival.probabilities, strict=True) if s <= 0.5 + 1e-9
        ]
        assert st.kaplan_meier_median(times, reached) == (below[0] if below else None)
    assert st.kaplan_meier_median([5], [True]) == 5


def test_friedman_and_nemenyi_against_scipy_and_demsars_table() -> None:
    scores = RNG.normal(size=(12, 4)) + np.array([0.0, 0.5, 1.0, 3.0])
    found = rank_losses(list("abcd"), scores)
    assert found.p_value == pytest.approx(scipy.stats.friedmanchisquare(*scores.T).pvalue)
    # Demsar 2006, table 5(a): q at 5 % for 4 classifiers is 2.569
    assert found.critical_difference == pytest.approx(2.569 * math.sqrt(4 * 5 / (6 * 12)), abs=2e-3)
    assert all(a <= b for a, b in pairwise(found.ranks))
    for (a, b), p in found.pairs.items():
        assert (p < 0.05) == (found.ranks[b] - found.ranks[a] > found.critical_difference)
        together = any(a in group and b in group for group in found.groups)
        assert together == (found.ranks[b] - found.ranks[a] <= found.critical_difference)


def test_losses_that_tie_everywhere_and_too_few_of_them() -> None:
    found = rank_losses(["a", "b"], [[1, 1], [2, 2], [0, 0]])
    assert (found.ranks, found.p_value, found.groups) == ((1.5, 1.5), 1.0, ((0, 1),))
    with pytest.raises(SymlossError, match="two or more data sets"):
        rank_losses(["a", "b"], [[1, 2]])


def test_wilcoxon_by_all_signs() -> None:
    differences = [0.3, -0.1, 0.5, 0.7, 0.2]
    ranks = scipy.stats.rankdata(np.abs(differences))
    seen = sum(r for r, d in zip(ranks, differences, strict=True) if d < 0)
    sums = [sum(r for r, s in zip(ranks, signs, strict=True) if s) for signs in product((0, 1), repeat=5)]
    assert wilcoxon_p(differences) == pytest.approx(2 * sum(s <= seen for s in sums) / 2**5)
    assert wilcoxon_p([0.0, 0.0]) == 1.0
