"""Models by name."""

from __future__ import annotations

import pytest
import torch

from symloss.errors import TaskError
from symloss.tasks.train.models import MODELS, architecture


@pytest.mark.parametrize("name", [*MODELS, "mlp-2x1000", "mlp-1x4"])
@pytest.mark.parametrize("inputs", [(1, 28, 28), (3, 32, 32)])
def test_shapes(name, inputs):
    model = architecture(name, inputs, 10)()
    assert model(torch.zeros(2, *inputs)).shape == (2, 10)


def test_sizes_of_the_classics():
    def size(name, inputs):
        return sum(weight.numel() for weight in architecture(name, inputs, 10)().parameters())

    assert size("lenet5", (1, 28, 28)) == size("lenet5", (1, 32, 32)) == 61706
    assert size("mlp", (64,)) == 64 * 64 + 64 + 64 * 64 + 64 + 640 + 10
    assert size("mlp-2x1000", (64,)) == 65_000 + 1_001_000 + 10_010


@pytest.mark.parametrize(
    ("name", "inputs", "message"),
    [("mpl", (4,), "did you mean mlp"),
     ("mlp-0x8", (4,), "at least 1"), ("mlp-99x99999", (4,), "at most 1,0"),
     ("lenet5", (4,), "needs images"),
     ("lenet5", (1, 8, 8), "at least 12 x 12"), ("vgg", (4,), "expected one of linear, mlp, lenet5")],
)  # fmt: skip
def test_models_that_do_not_fit(name, inputs, message):
    with pytest.raises(TaskError, match=message):
        architecture(name, inputs, 2)
