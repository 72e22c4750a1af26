"""Landscapes: where they are looked at, what is seen there, and that an interrupted one goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from symloss import named, parse
from symloss.compare import landscape, load_landscape
from symloss.compare.landscapes.plane import (
    filter_normalised,
    flat,
    plane_of_paths,
    plane_of_points,
    random_plane,
)
from symloss.compare.landscapes.record import save_landscape
from symloss.compare.landscapes.surface import Surface, at_once
from symloss.errors import DomainError, RunError
from symloss.tasks import Task, load_task


def normalised() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(13, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))


@pytest.fixture(scope="module")
def wine() -> Any:
    return load_task("wine", model="linear").with_settings(steps=30)


@pytest.fixture(scope="module")
def batched() -> Any:
    return load_task("wine").with_model(normalised).with_settings(steps=30)


def test_directions_are_as_long_as_the_filters_and_leave_biases_and_normalisation_alone() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 5))
    direction = filter_normalised(model, torch.Generator().manual_seed(0))
    start = 0
    for weight in model.parameters():
        part = direction[start : start + weight.numel()].view(weight.shape)
        start += weight.numel()
        if weight.ndim < 2:
            assert not part.any()
        else:
            torch.testing.assert_close(part.flatten(1).norm(dim=1), weight.detach().flatten(1).norm(dim=1))
    assert start == len(direction)


def test_directions_are_those_of_the_seed(wine: Any) -> None:
    model = wine.build_model(0)
    one, same, other = (random_plane(model, 2, seed).axes for seed in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    # Two directions of one seed have nothing to do with each other.
    assert abs(float(torch.nn.functional.cosine_similarity(one[0], one[1], dim=0))) < 0.5
    # A filter twice as large is looked at twice as far.
    with torch.no_grad():
        next(model.parameters()).mul_(2)
    torch.testing.assert_close(random_plane(model, 1, 3).axes[0], 2 * one[0])


def test_a_plane_goes_through_its_points() -> None:
    first, second, third = torch.randn(3, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    plane = plane_of_points(first, second, third)
    assert torch.equal(plane.at(torch.zeros(1, 2))[0], first)
    torch.testing.assert_close(plane.at(torch.tensor([[1.0, 0.0]]))[0], second)
    torch.testing.assert_close(plane.at(torch.tensor([plane.place(third)]))[0], third)
    assert abs(float(plane.axes[0] @ plane.axes[1])) < 1e-9
    torch.testing.assert_close(plane.axes[0].norm(), plane.axes[1].norm())
    # A third point on the line leaves no second direction, and no NaN.
    assert bool(torch.isfinite(plane_of_points(first, second, (first + second) / 2).axes).all())


def test_principal_directions_hold_a_path_that_lies_in_a_plane() -> None:
    generator = torch.Generator().manual_seed(0)
    corner, along, across = torch.randn(3, 50, dtype=torch.float64, generator=generator)
    steps = torch.linspace(0, 1, 9, dtype=torch.float64).unsqueeze(1)
    path = corner + 3 * steps * along + torch.sin(3 * steps) * across
    plane = plane_of_paths([path], 2)
    assert sum(plane.explained) == pytest.approx(1.0)
    assert plane.explained[0] > plane.explained[1] > 0
    for point in path:
        torch.testing.assert_close(
            plane.at(torch.tensor([plane.place(point)], dtype=torch.float64))[0], point
        )
    assert plane.place(path[-1]) == pytest.approx((0.0, 0.0))


@pytest.mark.parametrize(
    ("name", "losses"),
    [("wine", ["ce", "sce"]), ("diabetes", ["mse", "huber"]), ("multilabel", ["bce", "focal-bce"])],
)
def test_many_points_in_one_pass_are_each_alone(name: str, losses: list[str]) -> None:
    found = multilabel_task() if name == "multilabel" else name
    task = load_task(found, model="mlp-1x4").with_settings(steps=2)
    chosen = [named(each, task.kind) for each in losses]
    model = task.fit(chosen[0], seed=0)
    surface = Surface(task, model, chosen)
    points = random_plane(model, 2, 0).at(torch.tensor([[0.0, 0.0], [0.5, -1.0], [2.0, 1.0]]))
    values, scores = surface.values(points)
    for i in range(3):
        alone, score = surface.values(points[i : i + 1])
        np.testing.assert_allclose(values[i], alone[0], rtol=1e-5)
        assert scores[i] == pytest.approx(score[0], rel=1e-5)
        changed = task.build_model(0)
        nn.utils.vector_to_parameters(points[i], changed.parameters())
        assert score[0] == pytest.approx(task.evaluate(changed)[task.metric], rel=1e-5)
        outputs, targets = changed(task.train.X), task.train.y
        for loss, value in zip(chosen, alone[0], strict=True):
            assert value == pytest.approx(loss.to_torch()(outputs, targets).item(), rel=1e-5)


def multilabel_task() -> str:
    from symloss.tasks import catalogue

    return next(entry.name for entry in catalogue() if entry.kind == "multilabel")


def test_weights_of_instances_and_priors_are_known() -> None:
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(60, 4)).astype("float32"), rng.uniform(1, 3, 60).astype("float32")
    y = (X[:, 0] > 0).astype(int)
    task = Task.from_arrays(X, y, kind="classification", model=lambda: nn.Linear(4, 2), weights=w)
    loss = parse("-w*y*log(p) + 0*pi")
    model = task.build_model(0)
    values, _ = Surface(task, model, [loss]).values(flat(model).repeat(2, 1))
    each = nn.functional.cross_entropy(model(task.train.X), task.train.y, reduction="none")
    expected = (each * task.train.w).mean().item()
    assert [value for (value,) in values] == pytest.approx([expected, expected], rel=1e-5)


def test_the_trained_model_stands_in_the_middle(batched: Any) -> None:
    found = landscape(batched, ["ce", "sce"], grid=3, seed=1)
    model = batched.fit(named("ce"), seed=1)
    assert found.x.tolist() == [-1.0, 0.0, 1.0]
    assert found.scores[0, 1, 1] == pytest.approx(batched.evaluate(model)["accuracy"])
    model.eval()
    expected = named("ce").to_torch()(model(batched.train.X), batched.train.y).item()
    assert found.values[0, 0, 1, 1] == pytest.approx(expected, rel=1e-6)
    assert found.ends[0, 0] == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(found.values[1, :, 1, 1], found.ends[1, :2], rtol=1e-5)
    assert found.done == 1.0
    assert found.sharpness[0].own == pytest.approx(found.sharpness[0].ordinary, rel=1e-5)
    assert len({each.ordinary for each in found.sharpness}) == 2


def test_both_minima_stand_in_one_plane_with_their_statistics(batched: Any) -> None:
    found = landscape(batched, ["ce", "mae"], directions="minima", grid=5, seed=1)
    assert found.scores.shape == (1, 5, 5)
    np.testing.assert_allclose(found.places[:, 1], [[0, 0], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(found.places[0, 0], found.places[1, 0])
    low, high = found.x[[0, -1]]
    assert low < 0 < 1 < high
    line = landscape(batched, ["ce", "mae"], directions="minima", grid=3, dimensions=1, seed=1)
    assert line.values.shape == (1, 2, 1, 3)
    # Statistics go from those of one minimum to those of the other.
    from symloss.compare.landscapes import compute as room

    walks = [room.walk(batched, named(name), 1, False, None) for name in ("ce", "mae")]
    surface = Surface(batched, walks[0].model, [named("ce"), named("mae")])
    laid = room._LaidOut(surface, room._planes(walks, line.config), walks, line)
    buffers = laid.buffers(0, torch.tensor([[0.0], [1.0], [-9.0]]))
    for i, walk in enumerate(walks):
        for name, each in walk.buffers.items():
            torch.testing.assert_close(buffers[name][i], each, msg=name)
    assert bool((buffers["1.running_var"] >= 0).all())


def test_paths_of_training_have_their_principal_plane(wine: Any) -> None:
    found = landscape(wine, ["ce", "gce"], directions="path", grid=3)
    assert len(found.paths) == 2
    assert len(found.paths[0]) == 31
    np.testing.assert_allclose(found.paths[0][-1], [0, 0], atol=1e-6)
    np.testing.assert_allclose(found.paths[0][0], found.paths[1][0], atol=1e-5)
    assert 0.5 < sum(found.explained) <= 1.0 + 1e-9


def test_an_interrupted_landscape_goes_on_to_the_same_end(
    wine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = landscape(wine, ["ce"], grid=9)
    values, calls = Surface.values, []

    def stopped(self: Surface, *arguments: Any) -> Any:
        calls.append(len(arguments[0]))  # the end and the start alone, then 20 points at once
        if len(calls) == 4:
            raise KeyboardInterrupt
        return values(self, *arguments)

    monkeypatch.setattr(Surface, "values", stopped)
    monkeypatch.setattr("symloss.compare.landscapes.compute.at_once", lambda model: 20)
    path = tmp_path / "a.npz"
    part = landscape(wine, ["ce"], grid=9, out=path)
    assert part.done == pytest.approx(20 / 81)
    assert np.isnan(part.scores).sum() == 61
    held = load_landscape(path)
    np.testing.assert_array_equal(held.scores, part.scores)
    monkeypatch.setattr(Surface, "values", values)
    end = landscape(wine, ["ce"], grid=9, out=path)
    assert end.done == 1.0
    np.testing.assert_allclose(end.values, whole.values, rtol=1e-5)
    np.testing.assert_array_equal(end.scores, whole.scores)
    # One that is whole is only read.
    monkeypatch.setattr(Surface, "values", None)
    np.testing.assert_array_equal(landscape(wine, ["ce"], grid=9, out=path).values, end.values)


def test_a_file_holds_one_landscape_and_no_pickle(wine: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    found = landscape(wine, ["ce", "gce"], directions="path", grid=3, out=path)
    again = load_landscape(path)
    assert (again.config, again.losses, again.names, again.sharpness) == (
        found.config, found.losses, found.names, found.sharpness,
    )  # fmt: skip
    np.testing.assert_array_equal(again.paths[1], found.paths[1])
    with pytest.raises(RunError, match=r"holds another landscape, with another seed"):
        landscape(wine, ["ce", "gce"], directions="path", grid=3, out=path, seed=1)
    path.write_bytes(b"nothing")
    with pytest.raises(RunError, match="is no landscape"):
        load_landscape(path)
    np.savez(path, told=np.array({"a": 1}, dtype=object))
    with pytest.raises(RunError, match="is no landscape: ValueError Object arrays"):
        load_landscape(path)
    with pytest.raises(RunError, match="does not exist"):
        load_landscape(tmp_path / "none.npz")
    with pytest.raises(RunError, match="cannot write"):
        save_landscape(tmp_path / "no" / "a.npz", found)


def test_what_is_not_finite_is_infinite_and_not_unknown(wine: Any) -> None:
    model = wine.build_model(0)
    surface = Surface(wine, model, [named("ce")])
    values, scores = surface.values(torch.full((2, len(flat(model))), torch.nan))
    assert values == [[np.inf], [np.inf]]
    assert all(score in (-np.inf, 0.0) or score < 0.5 for score in scores)
    error = replace(wine, measure=replace(wine.measure, greater_is_better=False))
    assert Surface(error, model, [])._finite(float("nan"), worst=True) == np.inf


def test_a_large_model_is_looked_at_point_by_point() -> None:
    assert at_once(nn.Linear(3, 3)) == 64
    assert at_once(nn.Linear(3000, 3000, bias=False)) == 1
    assert at_once(nn.Conv2d(3, 3, 3)) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"losses": []}, "0 losses: a landscape is of one, or of two"),
        ({"losses": ["ce", "gce", "sce"]}, "3 losses"),
        ({"losses": [named("mse")]}, "is a regression loss, and wine is a classification task"),
        ({"directions": "both"}, "expected one of random, minima, path"),
        ({"directions": "minima"}, "name a second loss"),
        ({"dimensions": 3}, "expected 1 or 2"),
        ({"grid": 4}, "expected an odd number"),
        ({"grid": 1}, "at least 3"),
        ({"span": 0}, "expected a number above 0"),
        ({"seed": -1}, "at least 0"),
        ({"steps": 0}, "at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused(wine: Any, change: dict[str, Any], message: str) -> None:
    options = {"losses": ["ce"], **change}
    with pytest.raises(DomainError, match=message):
        landscape(wine, **options)


def test_a_trainer_of_the_users_has_no_weights_to_look_at() -> None:
    box = Task.from_function(lambda loss, seed, budget: {"mse": 1.0}, kind="regression", metric="mse")
    with pytest.raises(DomainError, match="cannot be looked at"):
        landscape(box, ["mse"])


def test_a_training_that_diverges_has_no_minimum(wine: Any) -> None:
    wild = wine.with_settings(learning_rate=1e30)
    with pytest.raises(DomainError, match="diverged: there is no minimum"):
        landscape(wild, ["ce"])
