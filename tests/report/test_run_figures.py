"""Pictures of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symloss.errors import DomainError
from symloss.report import plot_front, plot_history
from symloss.report.run_figures import label_generations
from symloss.report.style import figure


def labels(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_front_shows_rows_pick_and_baselines(result):
    figure = plot_front(result)
    figure.canvas.draw()
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == ["1", "2", "3"]
    assert {"front, by row", "picked", "mse as is", "mse tuned", "best zoo: huber"} <= set(labels(figure))
    assert "discovered" not in labels(figure)
    assert not figure.legends[0].get_window_extent().overlaps(ax.get_window_extent())
    assert ax.get_ylabel() == "validation mse (lower is better)"


def test_what_lies_off_the_picture_is_said(result):
    assert "trained (6, 3 off the picture)" in labels(plot_front(result))


def test_one_bad_row_squashes_nothing(result):
    usual = plot_front(result).axes[0].get_ylim()
    bad = replace(result.front[0], validation=40.0, fitness=40.0)
    untuned = replace(result.baselines[0], validation=9.0)
    figure = plot_front(
        replace(result, front=(bad, *result.front[1:]), baselines=(untuned, *result.baselines[1:]))
    )
    figure.canvas.draw()
    low, high = figure.axes[0].get_ylim()
    assert low >= usual[0] - 0.05
    assert high < 1
    assert [text.get_text() for text in figure.axes[0].texts] == ["1: 40.00", "2", "3"]
    assert "mse as is: 9.000, off the picture" in labels(figure)
    # One row, or rows that are equal, have no scale of their own.
    for front in (result.front[2:], tuple(replace(row, validation=0.5) for row in result.front)):
        low, high = plot_front(replace(result, front=front, baselines=())).axes[0].get_ylim()
        assert low < 0.5 < high


def test_after_finals_stands_what_met_there(result):
    losers = [
        replace(row, evaluation=90 + i, validation=0.55 + 0.01 * i) for i, row in enumerate(result.front)
    ]
    front = tuple(replace(row, se=0.01) for row in result.front)
    shown = labels(plot_front(replace(result, front=front, finalists=(*front, *losers))))
    assert "other finalists" in shown
    assert not [label for label in shown if "trained" in label or "mse" in label]


def test_history_counts_every_candidate(result):
    figure = plot_history(result)
    figure.canvas.draw()
    scores, outcomes = figure.axes
    assert sum(bar.get_height() for bar in outcomes.patches) == len(result.evaluations)
    best = scores.get_lines()[0].get_ydata()
    assert list(best) == sorted(best, reverse=True)


def test_greater_may_be_better(result):
    task = {**result.task, "greater_is_better": True}
    best = plot_history(replace(result, task=task)).axes[0].get_lines()[0].get_ydata()
    assert list(best) == sorted(best)


def test_an_empty_run_is_no_picture(result):
    with pytest.raises(DomainError, match="front is empty"):
        plot_front(replace(result, front=()))
    with pytest.raises(DomainError, match="no history"):
        plot_history(replace(result, evaluations=()))


def test_a_share_ends_at_one(result):
    task = {**result.task, "metric": "accuracy", "greater_is_better": True}
    front = tuple(replace(row, validation=0.98 + 0.01 * i) for i, row in enumerate(result.front, 1))
    evaluations = tuple(replace(entry, validation=1.006, fitness=-1.006) for entry in result.evaluations)
    run = replace(result, task=task, front=front, evaluations=evaluations, baselines=())
    for drawn in (plot_front(run), plot_history(run)):
        drawn.canvas.draw()
        ax = drawn.axes[0]
        assert max(max(line.get_ydata()) for line in ax.get_lines() if len(line.get_ydata())) <= 1
        low, high = ax.get_ylim()
        assert 1 <= high < 1 + 0.1 * (high - low)
    # What a file says stays as it was worked out.
    assert run.front[2].validation > 1


def test_a_front_of_the_pick_alone_has_no_other_mark(result):
    assert "front, by row" not in labels(plot_front(replace(result, front=result.front[2:])))


def test_rounder_numbers_are_no_generation(result):
    last = result.evaluations[-1]
    more = replace(last, number=12, generation=3, slot=0, way="rounder numbers")
    figure = plot_history(replace(result, evaluations=(*result.evaluations, more)))
    figure.canvas.draw()
    scores, outcomes = figure.axes
    assert [list(line.get_xdata()) for line in scores.get_lines()] == [[1, 2, 3]] * 2
    assert [tick.get_text() for tick in outcomes.get_xticklabels()] == ["1", "2", "3", "end"]
    assert outcomes.get_xlabel() == "generation, and at the end rounder numbers"
    assert sum(bar.get_height() for bar in outcomes.patches) == 13


@pytest.mark.parametrize("count", [1, 12, 40, 100])
def test_generations_are_labelled_once_each(count):
    ax = figure()[1][0]
    label_generations(ax, range(1, count + 2), {count + 1})
    shown = [tick.get_text() for tick in ax.get_xticklabels()]
    assert shown[0] == "1"
    assert shown[-1] == "end"
    assert len(shown) <= 14
