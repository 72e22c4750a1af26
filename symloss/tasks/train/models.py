"""Base models by name, or made by any factory."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from symloss.errors import TaskError
from symloss.tasks.names import suggestion

__all__ = ["MODELS", "Architecture", "ModelFactory", "architecture"]

ModelFactory = Callable[[], nn.Module]
MODELS = {
    "linear": "one linear layer",
    "mlp": "two hidden layers of 64 ReLU units; mlp-DEPTHxWIDTH for others (mlp-2x1000 is the paper's)",
    "lenet5": "LeNet-5 for images: two convolutions, three linear layers, ReLU, max pooling",
}
_MOST_WEIGHTS = 10**9
_MLP = re.compile(r"mlp(?:-(\d{1,2})x(\d{1,5}))?\Z")


@dataclass(frozen=True)
class Architecture:
    """A named model with the shapes it joins; calling it makes a fresh one.

    Attributes:
        name: `linear`, `mlp`, `mlp-DEPTHxWIDTH` or `lenet5`.
        inputs: shape of one instance.
        outputs: number of outputs; 1 for regression.

    >>> Architecture("mlp-1x8", (4,), 3)()
    Sequential(
      (0): Linear(in_features=4, out_features=8, bias=True)
      (1): ReLU()
      (2): Linear(in_features=8, out_features=3, bias=True)
    )
    """

    name: str
    inputs: tuple[int, ...]
    outputs: int

    def __call__(self) -> nn.Sequential:
        if self.name == "lenet5":
            return _lenet5(self.inputs, self.outputs)
        match = _MLP.match(self.name)
        depth, width = (int(match[1] or 2), int(match[2] or 64)) if match else (0, 0)
        sizes = [math.prod(self.inputs), *[width] * depth]
        layers: list[nn.Module] = [nn.Flatten()] if len(self.inputs) > 1 else []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(sizes[-1], self.outputs))


def architecture(name: str, inputs: tuple[int, ...], outputs: int) -> Architecture:
    """The named model for instances of shape `inputs`.

    Raises:
        TaskError: for an unknown name, a size of 0, more than 10**9 weights, or `lenet5` on no images.
    """
    match = _MLP.match(name)
    if match and match[2] and not (int(match[1]) and int(match[2])):
        raise TaskError(f"model {name}: expected a depth and a width of at least 1, as in mlp-2x64")
    if match and match[2] and int(match[1]) * int(match[2]) ** 2 > _MOST_WEIGHTS:
        raise TaskError(f"model {name}: expected at most {_MOST_WEIGHTS:,} weights between hidden layers")
    if not match and name not in MODELS:
        raise TaskError(f"unknown model {name!r}: {suggestion(name, MODELS)}")
    if name == "lenet5" and (len(inputs) != 3 or min(inputs[1:]) < 12):
        raise TaskError(
            f"model lenet5 needs images of at least 12 x 12, got instances of shape {inputs}: use mlp"
        )
    return Architecture(name, inputs, outputs)


def _lenet5(inputs: tuple[int, ...], outputs: int) -> nn.Sequential:
    """LeCun et al., Gradient-based learning applied to document recognition, 1998; ReLU and max pooling."""
    channels, height, width = inputs
    # Small images (28 x 28) are padded in the first layer, as the original pads MNIST to 32 x 32.
    padding = 2 if height < 32 else 0
    rows, columns = (((size + 2 * padding - 4) // 2 - 4) // 2 for size in (height, width))
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5, padding=padding),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * rows * columns, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, outputs),
    )
