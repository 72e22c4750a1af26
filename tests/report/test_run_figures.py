"""Pictures of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symloss.errors import DomainError
from symloss.report import plot_front, plot_history


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
