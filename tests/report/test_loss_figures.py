"""Pictures of losses: every zoo loss draws, and the curves are the formula's."""

from __future__ import annotations

import io

import numpy as np
import pytest

from symloss import named, parse
from symloss.errors import DomainError
from symloss.expr import KINDS
from symloss.report import plot_gradient, plot_loss, plot_posterior
from symloss.report.curves import entry, entry_expr, logit_gradient
from symloss.report.posterior_figure import minimisers
from symloss.zoo.entries import ENTRIES

P = np.linspace(0.05, 0.95, 19)


@pytest.mark.parametrize("loss", [e.loss for e in ENTRIES], ids=[f"{e.name}-{e.kind}" for e in ENTRIES])
@pytest.mark.parametrize("plot", [plot_loss, plot_gradient])
def test_every_zoo_loss_draws(loss, plot):
    figure = plot(loss)
    figure.canvas.draw()
    (ax,) = figure.axes
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert figure.get_suptitle().startswith(f"${KINDS[loss.kind].signature} = ")
    legend = figure.legends[0].get_window_extent()
    assert figure.bbox.x0 <= legend.x0
    assert legend.x1 <= figure.bbox.x1, "the legend is cut off"
    low, high = ax.yaxis.label.get_window_extent().get_points()[:, 1]
    left, right = ax.xaxis.label.get_window_extent().get_points()[:, 0]
    assert 0 <= low < high <= figure.bbox.height, "a label is cut off"
    assert 0 <= left < right <= figure.bbox.width, "a label is cut off"
    assert not legend.overlaps(ax.get_window_extent()), "the legend covers the curves"


def test_curves_are_the_formula():
    loss = named("focal")
    np.testing.assert_allclose(entry(loss, 1)(P), -((1 - P) ** 2) * np.log(P))
    np.testing.assert_allclose(entry(loss, 0)(P), np.zeros_like(P))
    np.testing.assert_allclose(entry(named("brier"), 1, derivative=True)(P), 2 * (P - 1))


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("-y*log(p)", lambda p: p - 1),
        ("y*plog(p)", lambda p: 1 - p),
        ("abs(y - p)", lambda p: -2 * p * (1 - p)),
        ("min(-y*log(p), y)", lambda p: np.where(p > np.exp(-1), p - 1, 0)),
    ],
)
def test_logit_gradient(formula, expected):
    np.testing.assert_allclose(logit_gradient(parse(formula))(P), expected(P), atol=1e-12)


def test_a_limit_stands_in_at_a_hard_zero():
    assert entry_expr(parse("y*log(y*p)"), 0) == 0
    with pytest.raises(DomainError, match=r"infinite there .* write y\*abs"):
        plot_loss(parse("abs(log(y*p))"))


def test_ace_rests_at_its_attractor():
    labels = [text.get_text() for text in plot_gradient(named("ace")).legends[0].get_texts()]
    assert any(label.endswith("rests at $p_t = $0.769") for label in labels)


def test_regression_curves_split_by_target_where_the_residual_does_not_decide():
    assert len(plot_loss(parse("(y - p)**2", "regression")).axes[0].get_lines()) == 2
    assert len(plot_loss(parse("y**2*(y - p)**2", "regression")).axes[0].get_lines()) == 4


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (named("ce"), lambda q: q),
        (named("gce", q=0.5), lambda q: q**2 / (q**2).sum(axis=1, keepdims=True)),
        (named("lsr", xi=0.3), lambda q: 0.7 * q + 0.3 / q.shape[1]),
    ],
)
@pytest.mark.parametrize("classes", [2, 3])
def test_posterior_map(loss, expected, classes):
    q = np.array([[0.6, 0.4, 0.0], [0.1, 0.9, 0.0]])[:, :2] if classes == 2 else np.array([[0.5, 0.3, 0.2]])
    np.testing.assert_allclose(minimisers(loss, q), expected(q), atol=5e-3)


@pytest.mark.parametrize("classes", [2, 3])
def test_posterior_figures_draw(classes):
    figure = plot_posterior(named("mae"), classes)
    figure.savefig(io.BytesIO())
    assert figure.legends


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot_loss(named("ce"), classes=1), "expected at least 2"),
        (lambda: plot_posterior(named("mse")), "not of a regression loss"),
        (lambda: plot_posterior(named("ce"), classes=4), "2 or 3 classes"),
        (lambda: plot_loss(parse("(y + 1)*exp(exp(9/p))")), "not finite anywhere"),
        (lambda: plot_loss(parse("(y + 1)*log(-1 - p)")), "-p - 1 is negative"),
    ],
)
def test_what_cannot_be_drawn(call, message):
    with pytest.raises(DomainError, match=message):
        call()


def test_a_pole_does_not_flatten_the_rest():
    low, high = plot_gradient(parse("psqrt(y - p)", "regression")).axes[0].get_ylim()
    assert -3 < low < high < 3


def test_a_formula_too_wide_for_mathematics_is_plain_text():
    long = "+".join(f"{n}.5*y*tanh(p - 0.{n})*log(p + {n}.25)" for n in range(1, 9))
    figure = plot_loss(parse(long))
    assert "$" not in figure.get_suptitle()
    figure.canvas.draw()
