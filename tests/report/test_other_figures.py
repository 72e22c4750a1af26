"""Pictures of gradients as maps, certificates, lineage and landscapes: they say what is so, and nothing is cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from symloss import analyze, named, parse
from symloss.compare import Landscape, Sharpness
from symloss.errors import DomainError
from symloss.report import (
    landscape_sentences,
    plot_certificates,
    plot_gradient,
    plot_heat,
    plot_landscape,
    plot_lineage,
    plot_loss,
    sharpness_table,
)
from symloss.report.heat_figure import logit_gradients
from symloss.report.lineage_figure import ancestors
from symloss.search import Evaluation, Result


def whole(figure: Figure) -> Figure:
    """A figure that is drawn, of which no text lies outside or on another of the same axes."""
    figure.canvas.draw()
    for ax in figure.axes:
        shown = [text for text in ax.texts if text.get_text()]
        for text in shown:
            box = text.get_window_extent()
            assert box.x0 >= 0, text.get_text()
            assert box.x1 <= figure.bbox.x1 + 1, text.get_text()
    return figure


@pytest.mark.parametrize("name", ["ce", "sce", "brier", "lsr"])
def test_the_map_is_the_gradient_that_torch_has(name: str) -> None:
    rng = np.random.default_rng(0)
    target, other = rng.uniform(0.05, 0.45, (2, 20))
    pulls = logit_gradients(named(name), target, other, 5)
    rest = (1 - target - other) / 3
    p = torch.tensor(np.stack([target, other, rest, rest, rest], axis=1))
    z = p.log().requires_grad_()
    named(name).to_torch(reduction="sum")(z, torch.zeros(20, dtype=torch.int64)).backward()
    np.testing.assert_allclose(pulls[0], z.grad[:, 0].numpy(), atol=1e-6)
    np.testing.assert_allclose(pulls[1], z.grad[:, 1].numpy(), atol=1e-6)
    assert np.isnan(logit_gradients(named(name), np.array(0.7), np.array(0.5), 5)[0])


@pytest.mark.parametrize(("loss", "panels"), [("ace", 4), ("focal-bce", 2), ("huber", 2)])
def test_maps_draw(loss: str, panels: int) -> None:
    assert len(whole(plot_heat(named(loss))).axes) == panels  # each with its scale


def test_of_two_classes_the_gradient_is_a_curve() -> None:
    with pytest.raises(DomainError, match="their gradient is a curve"):
        plot_heat(named("ce"), 2)


def test_several_losses_stand_in_one_picture_with_their_attractors() -> None:
    losses = {"ce": named("ce"), "ace": named("ace"), "a $ b": named("lsr")}
    shown = [text.get_text() for text in whole(plot_gradient(losses)).legends[0].get_texts()]
    assert "ce" in shown
    assert "ace, rests at 0.769" in shown
    assert r"a \$ b, rests at 0.91" in shown
    values = [text.get_text() for text in whole(plot_loss(losses)).legends[0].get_texts()]
    # What looks at the target alone is 0 elsewhere: one line less for each.
    assert values == ["ce, $y = 1$", "ace, $y = 1$", r"a \$ b, $y = 1$", r"a \$ b, $y = 0$"]
    weighted = {"huber": named("huber"), "weighted": parse("y**2*(y - p)**2", "regression")}
    texts = [text.get_text() for text in plot_loss(weighted).legends[0].get_texts()]
    assert texts == ["huber", "weighted at $y = 0$", "squared error"]
    with pytest.raises(DomainError, match="expected losses of one kind"):
        plot_loss({"ce": named("ce"), "mse": named("mse")})
    with pytest.raises(DomainError, match="at most 7 lines"):
        plot_loss({str(i): named("ce") for i in range(8)})


def test_certificates_stand_as_a_matrix() -> None:
    found = {name: analyze(named(name, "regression")) for name in ("mse", "tukey")}
    figure = whole(plot_certificates(found))
    (ax,) = figure.axes
    keys = list(found["mse"].findings)
    assert [label.get_text() for label in ax.get_xticklabels()] == [key.replace("_", " ") for key in keys]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["mse", "tukey"]
    signs = [text.get_text() for text in ax.texts if text.get_text() in "✓✗?"]
    want = {"proved": "✓", "refuted": "✗", "unknown": "?"}
    assert signs == [want[f.verdict] for each in found.values() for f in each.findings.values()]
    assert "mse" in [text.get_text() for text in ax.texts]
    with pytest.raises(DomainError, match="draw them apart"):
        plot_certificates({**found, "ce": analyze(named("ce"), 10)})
    with pytest.raises(DomainError, match="name some losses"):
        plot_certificates({})


def family(result: Result) -> Result:
    """Candidates 0 to 11 of which the last, the pick's, comes from 9 and 5, these from 2 and 1, one of them twice."""
    parents = {2: (), 1: (), 5: (1,), 9: (2, 1), 11: (9, 5)}
    bred: list[Evaluation] = [
        replace(
            entry, parents=parents.get(entry.number, ()), way="crossover" if parents.get(entry.number) else ""
        )
        for entry in result.evaluations
    ]
    front = (*result.front[:2], replace(result.front[2], evaluation=11))
    return replace(result, front=front, evaluations=tuple(bred))


def test_lineage_shows_every_ancestor_once(result: Any) -> None:
    run = family(result)
    assert [entry.number for entry in ancestors(run, run.picked)] == [11, 9, 5, 2, 1]
    figure = whole(plot_lineage(run))
    lines = [text.get_text() for text in figure.axes[0].texts]
    assert len(lines) == 6
    assert lines[-1].split() == ["no.", "made", "by", "mse", "formula"]
    assert any("crossover" in line and line.split()[0] == "11" for line in lines)
    with pytest.raises(DomainError, match="row 1 comes from no other loss: it was drawn or given"):
        plot_lineage(run, run.front[0])
    with pytest.raises(DomainError, match="has not kept it"):
        plot_lineage(result)


def test_a_long_line_of_ancestors_is_cut_to_the_nearest(result: Any) -> None:
    first = result.evaluations[0]
    chain = tuple(
        replace(first, number=i, generation=i, parents=(i - 1,) if i else (), way="mutation")
        for i in range(60)
    )
    run = replace(result, evaluations=chain, front=(replace(result.front[2], evaluation=59),))
    assert [entry.number for entry in ancestors(run, run.picked)] == list(range(59, 37, -1))
    whole(plot_lineage(run))


def made(directions: str, dimensions: int, losses: int = 2) -> Landscape:
    x = np.linspace(-1, 1, 5)
    y = x if dimensions == 2 else np.zeros(1)
    bowl = x**2 + y[:, None] ** 2
    planes = losses if directions == "random" else 1
    values = np.stack([np.stack([bowl * (i + 1) for i in range(losses)])] * planes)
    names = ("ce", "a $ b")[:losses]
    starts = np.array([*[3.0] * losses, 0.1])
    return Landscape(
        config={"directions": directions, "name": "digits", "model": "mlp"}, losses=names, names=names,
        metric="accuracy", greater_is_better=True, x=x, y=y, values=values, scores=np.stack([1 - bowl / 2] * planes),
        places=np.array([[[0.9, 0.5], [0.0, 0.0]], [[0.9, 0.5], [1.0, 0.0]]][:losses]),
        ends=np.array([[0.0] * losses + [1.0]] * losses), starts=starts,
        paths=tuple(np.array([[0.9, 0.5], [0.5, 0.4], [0, 0]]) for _ in range(losses)) if directions == "path" else (),
        explained=(0.9, 0.05)[:dimensions] if directions == "path" else (),
        sharpness=tuple(Sharpness(1.0, 2.0, 0.1, 0.2) for _ in range(losses)),
    )  # fmt: skip


def landscapes() -> Iterator[Landscape]:
    for directions in ("random", "minima", "path"):
        for dimensions in (1, 2):
            yield made(directions, dimensions)
    yield made("random", 2, losses=1)
    yield made("random", 1, losses=1)


@pytest.mark.parametrize(
    "found", list(landscapes()), ids=lambda each: f"{each.directions}-{len(each.y)}-{len(each.names)}"
)
def test_landscapes_draw_whatever_is_known(found: Landscape) -> None:
    figure = whole(plot_landscape(found))
    titles = " ".join(ax.get_title() for ax in figure.axes)
    if len(found.y) > 1:
        assert "validation accuracy" in titles
        panels = {"random": 2 * len(found.names)}.get(found.directions, len(found.names) + 1)
        assert len(figure.axes) == 2 * panels  # each with its scale


@pytest.mark.parametrize("dimensions", [1, 2])
def test_a_landscape_draws_however_little_is_known_or_finite(dimensions: int) -> None:
    found = made("random", dimensions, losses=1)
    part, nothing = found.scores.copy(), np.full_like(found.scores, np.nan)
    part[..., -2:] = np.nan
    for scores in (part, nothing):
        unknown = np.isnan(scores)[:, None]
        whole(plot_landscape(replace(found, scores=scores, values=np.where(unknown, np.nan, found.values))))
    whole(plot_landscape(replace(found, values=np.where(found.values > 0.5, np.inf, found.values))))
    flat = replace(found, values=np.ones_like(found.values), scores=np.ones_like(found.scores))
    whole(plot_landscape(flat))


def test_what_is_printed_of_a_landscape() -> None:
    found = made("path", 2)
    assert landscape_sentences(found) == [
        "The axes hold 90.0% and 5.0% of the variance of the way that training took."
    ]
    part = found.scores.copy()
    part[0, 0] = np.nan
    (first, _) = landscape_sentences(replace(found, scores=part))
    assert first == "80% of the points are computed: the same command goes on."
    table = sharpness_table(found)
    assert [str(cell) for cell in table.columns[1].cells] == ["1.000", "1.000"]
