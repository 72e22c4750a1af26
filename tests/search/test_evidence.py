"""The statistics of the search on tables whose truth is known."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from symloss.search.loop.evidence import (
    DEPENDENCE,
    Evidence,
    contenders,
    non_dominated,
    pick,
    shrink,
)
from symloss.search.loop.headroom import headroom_of, points
from symloss.search.loop.race import check_race

Table = dict[int, dict[int, float]]


def table(
    rng: np.random.Generator, values: list[float], blocks: int, noise: float, spread: float = 5.0
) -> Table:
    """Scores `value + block + error`."""
    lift = spread * rng.normal(size=blocks)
    return {
        i: {j: float(value + lift[j] + noise * rng.normal()) for j in range(blocks)}
        for i, value in enumerate(values)
    }


def test_a_table_without_errors_is_taken_apart_exactly_whatever_is_missing() -> None:
    values, lift = [1.0, 1.5, 2.5, 4.0], [-3.0, 0.0, 1.0, 2.0]
    seen = {0: (0, 1, 2, 3), 1: (1, 2), 2: (3,), 3: (0, 3)}
    evidence = Evidence({i: {j: values[i] + lift[j] for j in blocks} for i, blocks in seen.items()})
    assert evidence.spread == pytest.approx(0, abs=1e-12)
    for i, value in enumerate(values):
        assert evidence.mean(i) - evidence.mean(0) == pytest.approx(value - values[0])
    assert math.fsum(evidence.effects.values()) == pytest.approx(0, abs=1e-12)


def test_an_easy_block_flatters_nobody() -> None:
    """A loss seen on the easy block alone has the lower raw score, and the higher mean."""
    evidence = Evidence({0: {0: 1.0, 1: 0.0}, 1: {0: 1.1, 1: 0.1}, 2: {1: 0.2}})
    assert evidence.mean(2) > evidence.mean(1) > evidence.mean(0)


def test_the_spread_is_that_of_the_better_half() -> None:
    rng = np.random.default_rng(0)
    field = table(rng, [0.0] * 20, 8, 1.0)
    wild = {20 + i: {j: 100 + 50 * rng.normal() for j in range(8)} for i in range(20)}
    alone, both = Evidence(field).spread, Evidence(field | wild).spread
    assert alone == pytest.approx(1.0, rel=0.2)
    assert both == pytest.approx(1.0, rel=0.2)


def test_differences_are_paired_and_their_errors_true() -> None:
    """The blocks are independent here: the error of a mean of n is `s sqrt(1/n)`."""
    found, errors = [], []
    for seed in range(300):
        evidence = Evidence(table(np.random.default_rng(seed), [0.0, 0.3, 0.1, 0.2, 0.4, 0.5], 6, 1.0))
        difference, error = evidence.difference(1, 0, dependence=0.0)
        found.append(difference)
        errors.append(error)
    assert statistics.fmean(found) == pytest.approx(0.3, abs=0.1)
    assert statistics.stdev(found) == pytest.approx(statistics.fmean(errors), rel=0.12)
    assert evidence.difference(1, 0)[1] > evidence.difference(1, 0, dependence=0.0)[1]


def test_a_failure_has_no_mean_and_leads_nothing() -> None:
    evidence = Evidence({0: {0: 1.0, 1: 2.0}, 1: {0: 0.0, 1: math.inf}})
    assert evidence.candidates == (0,)
    assert evidence.leader == 0
    assert evidence.out_of_race(1)
    assert not evidence.out_of_race(0)


def test_one_lucky_block_does_not_lead() -> None:
    rng = np.random.default_rng(1)
    scores = table(rng, [0.0, 0.1, 3.0], 6, 0.1)
    scores[9] = {5: scores[0][5] - 1.0}
    evidence = Evidence(scores)
    assert evidence.mean(9) < evidence.mean(0)
    assert evidence.leader == 0


def test_the_race_begins_at_the_fourth_block_and_drops_what_is_far_behind() -> None:
    rng = np.random.default_rng(2)
    scores = table(rng, [0.0, 0.05, 5.0], 4, 0.1)
    assert Evidence(scores).out_of_race(2)
    assert not Evidence(scores).out_of_race(1)
    three = {i: {j: row[j] for j in range(3)} for i, row in scores.items()}
    assert not Evidence(three).out_of_race(2)


def test_the_race_seldom_drops_the_best() -> None:
    """Fifteen close losses, in many orders of twelve blocks."""
    drops = [
        check.false_drops
        for seed in range(8)
        if (check := check_race(table(np.random.default_rng(seed), list(np.linspace(0, 3, 15)), 12, 1.0), 25))
    ]
    assert len(drops) == 8
    assert statistics.fmean(drops) <= 0.05


def test_a_race_checker_sees_a_race_that_is_too_keen(monkeypatch: pytest.MonkeyPatch) -> None:
    from symloss.search.loop import evidence

    monkeypatch.setattr(evidence, "RACE_ERRORS", 0.1)
    check = check_race(table(np.random.default_rng(0), [0.0, 0.1, 0.2, 0.3], 12, 1.0), 50)
    assert check is not None
    assert check.false_drops > 0.2
    assert check.saved > 0.1


def test_shrinking_is_nearer_to_the_truth_than_what_was_measured() -> None:
    rng = np.random.default_rng(3)
    raw, drawn, winner = [], [], []
    for _ in range(300):
        truth = 0.5 * rng.normal(size=8)
        seen = truth + rng.normal(size=8)
        found = shrink(dict(enumerate(seen.tolist())), dict.fromkeys(range(8), 1.0))
        raw.append(float(((seen - truth) ** 2).mean()))
        drawn.append(statistics.fmean((found[i].mean - truth[i]) ** 2 for i in range(8)))
        best = int(np.argmin(seen))
        winner.append((seen[best] - truth[best], found[best].mean - truth[best]))
    assert statistics.fmean(drawn) < 0.5 * statistics.fmean(raw)
    flattered, honest = (statistics.fmean(each) for each in zip(*winner, strict=True))
    assert flattered < -1.0, "the winner's own score flatters it"
    assert abs(honest) < 0.3


def test_shrinking_keeps_clear_differences_and_the_order() -> None:
    found = shrink({0: 0.0, 1: 10.0, 2: 30.0}, dict.fromkeys(range(3), 0.5))
    values = [found[i].mean for i in range(3)]
    assert values == sorted(values)
    assert values == pytest.approx([0, 10, 30], abs=0.2)


def test_the_maximum_of_the_likelihood_is_that_of_a_fine_grid() -> None:
    """With equal errors tau^2 has a closed form: the scatter less the errors."""
    d = {0: 1.0, 1: 2.0, 2: 4.0, 3: 7.0}
    found = shrink(d, dict.fromkeys(d, 1.0))
    scatter = float(np.var(list(d.values())))
    keep = (scatter - 1) / scatter
    centre = statistics.fmean(d.values())
    for i, value in d.items():
        assert found[i].mean == pytest.approx(centre + keep * (value - centre), rel=0.01)


def test_finalists_overlap_the_leader_whatever_their_complexity() -> None:
    rng = np.random.default_rng(4)
    evidence = Evidence(table(rng, [0.0, 0.1, 0.2, 9.0, 9.1, 9.2], 8, 1.0))
    assert contenders(evidence, 8) == [0, 1, 2]
    assert len(contenders(evidence, 2)) == 2


@pytest.mark.parametrize(
    ("means", "complexities", "ordinary", "taken"),
    [
        ({0: 0.30, 1: 0.20, 2: 0.209}, {0: 3, 1: 20, 2: 7}, 0, 2),  # keeps nine tenths of the gain
        ({0: 0.30, 1: 0.20, 2: 0.215}, {0: 3, 1: 20, 2: 7}, 0, 1),  # does not
        ({0: 0.20, 1: 0.25}, {0: 3, 1: 1}, 0, 0),  # nothing beats the ordinary loss
        ({1: 0.20, 2: 0.20}, {1: 9, 2: 5}, None, 2),
    ],
)
def test_the_pick(
    means: dict[int, float], complexities: dict[int, float], ordinary: int | None, taken: int
) -> None:
    assert pick(means, complexities, ordinary) == taken


def test_noise_is_no_margin() -> None:
    """The rule of one standard error takes the simplest loss of a noisy field; this one does not."""
    means = {0: 0.30, 1: 0.20, 2: 0.25}
    assert pick(means, {0: 3, 1: 20, 2: 2}, 0) == 1


def test_non_dominated_rows_only() -> None:
    assert non_dominated([(0.5, 3, 0), (0.4, 7, 1), (0.6, 5, 2), (0.4, 7, 3), (math.nan, 1, 4)]) == [0, 1]


def _headroom(seed: int, lead: float) -> tuple[float, float, float, tuple[float, float], int]:
    rng = np.random.default_rng(seed)
    evidence = Evidence(table(rng, [0.0, -lead, 0.5, 0.3, 0.2, 0.4, 0.6, 0.8], 6, 1.0))
    names = {0: "ce", 1: "sce", 2: "mae", 3: "gce"}
    return headroom_of(evidence, names, 0, final_blocks=12)


def test_headroom_is_unbiased_and_seldom_claims_what_is_not_there() -> None:
    nothing = [_headroom(seed, 0.0) for seed in range(200)]
    noise = statistics.fmean(found[0] for found in nothing)
    assert noise == pytest.approx(math.sqrt(2), rel=0.1)
    assert nothing[0][1] == pytest.approx(2.8 * nothing[0][0] * math.sqrt(1 / 12 + DEPENDENCE))
    assert statistics.fmean(found[2] for found in nothing) == pytest.approx(0, abs=0.1)
    claims = sum(found[3][0] > 0 for found in nothing)
    assert claims <= 10, "a one-sided error of 2.5 %, and less since the blocks are independent here"
    much = [_headroom(seed, 4.0) for seed in range(50)]
    assert sum(found[3][0] > 0 for found in much) >= 48
    assert all(found[4] == 1 for found in much)
    assert statistics.fmean(found[2] for found in much) == pytest.approx(4 / math.sqrt(2), rel=0.15)


def test_differences_of_shares_are_said_in_points() -> None:
    for metric in ("accuracy", "error-rate", "balanced-accuracy", "macro-f1", "pair-accuracy"):
        assert points(0.0123, metric) == "1.2 points"
    assert "mse" in points(0.0123, "mse")


def test_scores_that_never_change_have_no_standard_error() -> None:
    # Of a fit in floating point a block effect leaves residuals of some 1e-17.
    field = Evidence({i: {0: 0.1 * i + 0.1, 1: 0.1 * i + 0.3} for i in range(4)})
    assert [field.standard_error(i) for i in range(4)] == [0.0] * 4
    assert Evidence({0: {0: 1.0, 1: 2.0}, 1: {0: 1.0, 1: 2.0 + 1e-6}}).spread > 0
