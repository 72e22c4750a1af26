"""Base models by name, or made by any factory."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from symloss.errors import TaskError
from symloss.tasks.names import suggestion
from symloss.tasks.train.models import chains, residual

__all__ = ["MODELS", "Architecture", "ModelFactory", "architecture"]

ModelFactory = Callable[[], nn.Module]
# 4 GB in single precision, before gradients and momentum.
_MOST_WEIGHTS = 10**9


@dataclass(frozen=True)
class _Family:
    """What is known of a name.

    Attributes:
        about: one line.
        make: `(inputs, outputs, *sizes)` to a fresh model.
        smallest: the side of the smallest image that it takes; 0 where instances need not be images.
        form: how sizes follow the name, a word in capitals for each; "" where they are given.
        usual: the sizes of the bare name.
        weights: roughly how many weights a model of these sizes has; raises TaskError when there is none.
    """

    about: str
    make: Callable[..., nn.Sequential]
    smallest: int = 0
    form: str = ""
    usual: tuple[int, ...] = ()
    weights: Callable[..., int] = lambda *sizes: 0


def _perceptron_weights(depth: int, width: int) -> int:
    if not (depth and width):
        raise TaskError(
            f"model mlp-{depth}x{width}: expected a depth and a width of at least 1, as in mlp-2x64"
        )
    # Roughly: the layers between hidden ones, which is where a width that was mistyped costs memory.
    return depth * width**2


def _residual_weights(widths: Callable[..., list[int]]) -> Callable[..., int]:
    # Two convolutions of 3 x 3 a block have 18 weights for a pair of channels, a bottleneck has 17.
    return lambda *sizes: 18 * sum(width**2 for width in widths(*sizes))


_FAMILIES = {
    "linear": _Family("one linear layer", chains.perceptron),
    "mlp": _Family(
        "two hidden layers of 64 ReLU units; mlp-DEPTHxWIDTH for others (mlp-2x1000 is the paper's)",
        chains.perceptron,
        form="-DEPTHxWIDTH",
        usual=(2, 64),
        weights=_perceptron_weights,
    ),
    "lenet5": _Family(
        "LeNet-5 for images: two convolutions, three linear layers, ReLU, max pooling", chains.lenet5, 12
    ),
    "alexnet": _Family("AlexNet's five convolutions and one linear layer", chains.alexnet, 16),
    "vgg16": _Family(
        "VGG-16's thirteen convolutions, batch normalisation, one linear layer", chains.vgg16, 16
    ),
    "allcnn-c": _Family("All-CNN-C: nine convolutions, dropout", chains.allcnn_c, 16),
    "squeezenet": _Family(
        "SqueezeNet 1.1: eight fire modules, batch normalisation, dropout", chains.squeezenet, 16
    ),
    "resnet18": _Family("ResNet-18 with a first convolution of 3 x 3", residual.resnet18, 16),
    "preresnet": _Family(
        "pre-activation ResNet-110; preresnet-DEPTH for others",
        residual.preresnet,
        16,
        form="-DEPTH",
        usual=(110,),
        weights=_residual_weights(residual.preresnet_widths),
    ),
    "wideresnet": _Family(
        "WRN-28-10; wideresnet-DEPTH-WIDTH for others",
        residual.wideresnet,
        16,
        form="-DEPTH-WIDTH",
        usual=(28, 10),
        weights=_residual_weights(residual.wideresnet_widths),
    ),
    "pyramidnet": _Family(
        "PyramidNet-110, alpha 48; pyramidnet-DEPTH-ALPHA for others",
        residual.pyramidnet,
        16,
        form="-DEPTH-ALPHA",
        usual=(110, 48),
        weights=_residual_weights(residual.pyramidnet_widths),
    ),
}
MODELS = {name: family.about for name, family in _FAMILIES.items()}


@dataclass(frozen=True)
class Architecture:
    """A named model with the shapes it joins; calling it makes a fresh one.

    Attributes:
        name: one of `MODELS`, perhaps with its sizes: `mlp-2x64`, `preresnet-110`, `wideresnet-28-10`.
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
        family, sizes = _read(self.name)
        return family.make(self.inputs, self.outputs, *sizes)


def architecture(name: str, inputs: tuple[int, ...], outputs: int) -> Architecture:
    """The named model for instances of shape `inputs`.

    Raises:
        TaskError: for an unknown name, sizes of which there is no model, more than 10**9 weights, or a model for
            images on other instances or on images that are too small.
    """
    family, sizes = _read(name)
    if family.weights(*sizes) > _MOST_WEIGHTS:
        raise TaskError(f"model {name}: expected at most {_MOST_WEIGHTS:,} weights between hidden layers")
    if family.smallest and (len(inputs) != 3 or min(inputs[1:]) < family.smallest):
        raise TaskError(
            f"model {name} needs images of at least {family.smallest} x {family.smallest}, got instances of shape "
            f"{inputs}: use mlp"
        )
    return Architecture(name, inputs, outputs)


def _read(name: str) -> tuple[_Family, tuple[int, ...]]:
    """The family of a name, and its sizes."""
    for known, family in _FAMILIES.items():
        if name == known:
            return family, family.usual
        if family.form and name.startswith(f"{known}-"):
            match = re.fullmatch(known + re.sub("[A-Z]+", "([0-9]{1,5})", family.form), name)
            if match is None:
                example = known + re.sub("[A-Z]+", "{}", family.form).format(*family.usual)
                raise TaskError(f"model {name}: expected {known}{family.form}, as {example}")
            return family, tuple(map(int, match.groups()))
    raise TaskError(f"unknown model {name!r}: {suggestion(name, MODELS)}")
