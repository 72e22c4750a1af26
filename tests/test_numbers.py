"""NumPy's numbers, and 0-dimensional arrays, are numbers wherever a user gives one; booleans and text are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import symloss as sl
from symloss.errors import CompileError, DomainError, ParseError, RunError, SymlossError, TaskError
from symloss.numbers import as_real, as_whole
from symloss.search.settings import SearchSettings
from symloss.tasks import TrainingSettings
from symloss.tasks.train.metrics import get_metric

HALVES = [0.5, np.float32(0.5), np.float64(0.5), np.float16(0.5), np.array(0.5), torch.tensor(0.5)]
THREES = [3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)]
FUNCTION = sl.Task.from_function
NO_NUMBERS = [True, np.bool_(True), "1", None, np.array([1.0, 2.0]), [1], 1j, torch.tensor([1, 2])]


@pytest.mark.parametrize("value", HALVES + THREES, ids=repr)
def test_numbers_are_pythons_own(value: Any) -> None:
    assert type(as_real(value)) is float
    assert as_whole(value) == (3 if value == 3 else None)


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_anything_else_is_no_number(value: Any) -> None:
    assert as_real(value) is None
    assert as_whole(value) is None


@pytest.mark.parametrize("value", HALVES, ids=repr)
def test_coefficients(value: Any) -> None:
    gce = sl.named("gce", q=value)
    assert gce == sl.named("gce", q=0.5)
    assert type(gce.coefficients["q"]) is float
    assert sl.parse("a*y*p", coefficients={"a": value}).coefficients == {"a": 0.5}
    assert gce.with_coefficients(q=value) == gce
    assert json.loads(json.dumps(gce.to_dict()))["coefficients"] == {"q": 0.5}


@pytest.mark.parametrize("value", THREES, ids=repr)
def test_whole_numbers(value: Any) -> None:
    ce = sl.named("ce")
    assert sl.analyze(ce, classes=value).to_dict() == sl.analyze(ce, classes=3).to_dict()
    assert ce.at_classes(value) == ce.at_classes(3)
    assert ce.to_torch(ignore_index=value).ignore_index == 3
    settings = SearchSettings(population=value, generations=value, max_evaluations=value)
    assert json.loads(json.dumps(settings.to_dict()))["population"] == 3
    assert type(TrainingSettings(batch_size=value, steps=value).steps) is int
    task = sl.Task.from_function(
        lambda loss, seed, budget: {"metric": np.float32(0.5)}, kind="classification", classes=value
    )
    assert task.classes == 3
    assert task.score(task.base_loss(), seed=0) == {"metric": 0.5}
    batches = [(torch.randn(8, 2), torch.arange(8) % 2)]
    loaders = {"model": "linear", "kind": "classification", "classes": value}
    assert sl.Task.from_loaders(batches, batches, batches, **loaders).classes == 3


def test_seeds_and_population_of_a_search() -> None:
    task = sl.Task.from_function(lambda loss, seed, budget: {"metric": 0.5}, kind="regression")
    options: dict[str, Any] = {"method": "random", "blocks": {"resample": False, "zoo": False}}
    result = sl.discover(task, seed=np.int64(1), population=np.int64(2), generations=np.array(1), **options)
    assert result.seed == 1
    assert type(result.seed) is int


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda x: sl.named("gce", q=x), DomainError, "expected a finite number"),
        (lambda x: sl.parse("a*y*p", coefficients={"a": x}), ParseError, "expected a finite number"),
        (lambda x: sl.analyze(sl.named("ce"), classes=[x]), DomainError, "expected an integer of at least 2"),
        (
            lambda x: sl.named("ce").to_torch(ignore_index=x),
            CompileError,
            "expected ignore_index as an integer",
        ),
        (lambda x: SearchSettings(population=x), SymlossError, "expected a whole number of at least 2"),
        (lambda x: TrainingSettings(steps=x), TaskError, "steps is .*: expected an integer"),
        (lambda x: FUNCTION(print, kind="multilabel", classes=[x]), TaskError, "expected a whole number"),
        (
            lambda x: sl.discover(FUNCTION(print, kind="regression"), seed=x),
            RunError,
            "whole number of at least 0",
        ),
    ],
)
@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_is_no_number_is_refused(
    make: Callable[[Any], object], error: type[SymlossError], message: str, value: Any
) -> None:
    with pytest.raises(error, match=message):
        make(value)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, "NoneType"),
        ("0.5", "str"),
        (np.array([0.5, 0.5]), r"ndarray of shape \(2,\)"),
        (torch.tensor([0.5]), r"Tensor of shape \(1,\)"),
        ({"metric": 0.5}, "dict"),
        (True, "bool"),
    ],
)
def test_a_metric_that_returns_no_number_is_named(returned: Any, said: str) -> None:
    def mean_gap(outputs: torch.Tensor, targets: torch.Tensor) -> Any:
        return returned

    metric = get_metric(mean_gap)
    with pytest.raises(TaskError, match=f"metric mean-gap returns {said}: expected one number"):
        metric(torch.zeros(2), torch.zeros(2))


@pytest.mark.parametrize("returned", HALVES, ids=repr)
def test_a_metric_may_return_any_kind_of_number(returned: Any) -> None:
    assert get_metric(lambda outputs, targets: returned)(torch.zeros(2), torch.zeros(2)) == 0.5
