"""How steep a loss is where training starts, relative to the ordinary one."""

from __future__ import annotations

import numpy as np
import pytest

from symloss.expr import parse
from symloss.expr.trees import weighted_from
from symloss.search.screen.null_scale import null_scale
from symloss.tasks import Task


def test_the_weights_of_the_first_batch_count():
    X = np.random.default_rng(0).normal(size=(100, 3))
    plain, weighted = (
        Task.from_arrays(X, X.sum(1), kind="regression", weights=weights)
        for weights in (None, np.full(100, 3.0))
    )
    loss = weighted_from(parse("w*(y - p)**2", kind="regression"))
    assert null_scale([plain], loss, seed=0) == pytest.approx(1)
    assert null_scale([weighted], loss, seed=0) == pytest.approx(3)


def test_a_black_box_counts_as_one():
    task = Task.from_function(lambda loss, seed, budget: {"metric": 0.0}, kind="regression")
    assert null_scale([task], weighted_from(parse("5*(y - p)**2", kind="regression")), seed=0) == 1
