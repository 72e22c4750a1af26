"""Encoders as functions of their weights, block by block: an MLP, 4-CONV, ResNet-12.

A block is what adapts, what is modulated, and what a layer of the preconditioner follows.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from symloss.errors import DomainError
from symloss.meta.fewshot.layers import Rows, Weights, modulate, normalise
from symloss.runs import generator

__all__ = ["Encoder", "encode", "encoder_named"]

Shape = tuple[int, ...]


class Encoder(ABC):
    """A stack of blocks; weights of block `i` are called `encoder.i.NAME`, `i` from 0.

    Attributes:
        name: what users type.
        blocks: how many.
    """

    name: str
    blocks: int

    @abstractmethod
    def check(self, input_shape: Shape) -> None:
        """Raise `DomainError` for inputs that it cannot take."""

    @abstractmethod
    def widths(self, input_shape: Shape) -> list[int]:
        """Channels before each block, and after the last."""

    @abstractmethod
    def features(self, input_shape: Shape) -> int:
        """The length of the vector that the head gets."""

    @abstractmethod
    def shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """The shape of every weight, by its name."""

    @abstractmethod
    def block(self, i: int, x: Tensor, weights: Weights, rows: Rows) -> Tensor:
        """What block `i` makes of its input, modulated where `weights` say how."""

    @abstractmethod
    def flat(self, x: Tensor) -> Tensor:
        """What the last block leaves, as one vector a row, `[n, features]`."""

    def warp(self, i: int, h: Tensor, weights: Weights, rows: Rows) -> Tensor:
        """The preconditioner's linear layer after block `i`: a convolution and its normalisation."""
        weight = weights[f"warp.{i}.weight"]
        made = F.conv2d(h, weight, padding=weight.shape[-1] // 2)
        made = normalise(made, weights[f"warp.{i}.scale"], weights[f"warp.{i}.shift"], rows)
        return modulate(made, h, weights, f"warp.{i}", rows)

    def warp_shapes(self, i: int, input_shape: Shape) -> dict[str, Shape]:
        """The shapes of its weights; it starts as the identity."""
        width = self.widths(input_shape)[i + 1]
        return {
            f"warp.{i}.weight": (width, width, 3, 3),
            f"warp.{i}.scale": (width,),
            f"warp.{i}.shift": (width,),
        }

    def start(self, input_shape: Shape, seed: int) -> dict[str, Tensor]:
        """Fresh weights, float32: the same for a seed on every machine."""
        return {
            name: _drawn(name, shape, seed, self._spread(shape))
            for name, shape in self.shapes(input_shape).items()
        }

    def _spread(self, shape: Shape) -> float:
        """Of uniform numbers; He's variance for a ReLU."""
        # Uniform in [-a, a] has variance a^2/3, and He's is 2/inputs (arXiv 1502.01852, equation 10).
        return math.sqrt(6 / math.prod(shape[1:]))


def encode(
    encoder: Encoder, x: Tensor, weights: Weights, rows: Rows, first: int = 0, last: int | None = None
) -> Tensor:
    """What blocks `first` to `last` (not included) make of their input, each warped where there is a warp layer."""
    for i in range(first, encoder.blocks if last is None else last):
        x = encoder.block(i, x, weights, rows)
        if f"warp.{i}.weight" in weights:
            x = encoder.warp(i, x, weights, rows)
    return x


@dataclass(frozen=True)
class _Dense(Encoder):
    """Linear layers with ReLU, as Finn et al. (2017) use for sine waves: 1-40-40 and a head."""

    depth: int
    width: int

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"mlp-{self.depth}x{self.width}"

    @property
    def blocks(self) -> int:  # type: ignore[override]
        return self.depth

    def check(self, input_shape: Shape) -> None:
        pass

    def widths(self, input_shape: Shape) -> list[int]:
        return [math.prod(input_shape), *[self.width] * self.depth]

    def features(self, input_shape: Shape) -> int:
        return self.width

    def shapes(self, input_shape: Shape) -> dict[str, Shape]:
        widths = self.widths(input_shape)
        return {
            f"encoder.{i}.{name}": shape
            for i in range(self.depth)
            for name, shape in (("weight", (widths[i + 1], widths[i])), ("bias", (widths[i + 1],)))
        }

    def block(self, i: int, x: Tensor, weights: Weights, rows: Rows) -> Tensor:
        x = x.flatten(1)
        h = F.linear(x, weights[f"encoder.{i}.weight"], weights[f"encoder.{i}.bias"])
        return modulate(h, x, weights, f"encoder.{i}", rows).relu()

    def flat(self, x: Tensor) -> Tensor:
        return x

    def warp(self, i: int, h: Tensor, weights: Weights, rows: Rows) -> Tensor:
        made = F.linear(h, weights[f"warp.{i}.weight"], weights[f"warp.{i}.bias"])
        return modulate(made, h, weights, f"warp.{i}", rows)

    def warp_shapes(self, i: int, input_shape: Shape) -> dict[str, Shape]:
        return {f"warp.{i}.weight": (self.width, self.width), f"warp.{i}.bias": (self.width,)}

    def start(self, input_shape: Shape, seed: int) -> dict[str, Tensor]:
        # Biases too, as torch's Linear: with all of them 0 every kink would lie at the origin.
        found = {}
        for i, into in enumerate(self.widths(input_shape)[:-1]):
            for name in (f"encoder.{i}.weight", f"encoder.{i}.bias"):
                shape = self.shapes(input_shape)[name]
                found[name] = uniform(name, shape, seed, 1 / math.sqrt(into))
        return found


@dataclass(frozen=True)
class _FourConv(Encoder):
    """4-CONV: four times convolution, normalisation, ReLU, and pooling or a stride (Vinyals et al., 2016).

    With strides, as MAML has it for Omniglot, the features are averaged over the pixels; pooled ones are not.
    """

    filters: int
    stride: bool = False
    blocks = 4

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"4conv-{self.filters}" + ("-stride" if self.stride else "")

    def check(self, input_shape: Shape) -> None:
        _check_image(self.name, input_shape, 16)

    def widths(self, input_shape: Shape) -> list[int]:
        return [input_shape[0], *[self.filters] * self.blocks]

    def features(self, input_shape: Shape) -> int:
        return (
            # Four poolings, each rounded down; with strides the pixels are averaged away.
            self.filters if self.stride else self.filters * math.prod(size // 16 for size in input_shape[1:])
        )

    def shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return _conv_shapes(self.widths(input_shape))

    def block(self, i: int, x: Tensor, weights: Weights, rows: Rows) -> Tensor:
        h = F.conv2d(x, weights[f"encoder.{i}.conv"], padding=1, stride=2 if self.stride else 1)
        h = normalise(h, weights[f"encoder.{i}.scale"], weights[f"encoder.{i}.shift"], rows)
        # After the normalisation, which would take the modulation out again, and before the ReLU.
        h = modulate(h, x, weights, f"encoder.{i}", rows).relu()
        return h if self.stride else F.max_pool2d(h, 2)

    def flat(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)) if self.stride else x.flatten(1)


@dataclass(frozen=True)
class _ResNet12(Encoder):
    """ResNet-12: four residual blocks of three convolutions, leaky ReLU of 0.1, pooled; features averaged over pixels.

    Filters double from block to block, and the shortcut is a convolution of 1 x 1 (Oreshkin et al., 2018). Without
    the dropout of some releases. A block is modulated before its shortcut is added.
    """

    filters: int
    blocks = 4

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"resnet12-{self.filters}"

    def check(self, input_shape: Shape) -> None:
        _check_image(self.name, input_shape, 16)

    def widths(self, input_shape: Shape) -> list[int]:
        return [input_shape[0], *(self.filters * 2**i for i in range(self.blocks))]

    def features(self, input_shape: Shape) -> int:
        return self.widths(input_shape)[-1]

    def shapes(self, input_shape: Shape) -> dict[str, Shape]:
        found: dict[str, Shape] = {}
        widths = self.widths(input_shape)
        for i in range(self.blocks):
            into, out = widths[i : i + 2]
            for name, before, size in (("1", into, 3), ("2", out, 3), ("3", out, 3), ("shortcut", into, 1)):
                found[f"encoder.{i}.{name}.conv"] = (out, before, size, size)
                found[f"encoder.{i}.{name}.scale"] = (out,)
                found[f"encoder.{i}.{name}.shift"] = (out,)
        return found

    def block(self, i: int, x: Tensor, weights: Weights, rows: Rows) -> Tensor:
        def layer(name: str, h: Tensor) -> Tensor:
            weight = weights[f"encoder.{i}.{name}.conv"]
            h = F.conv2d(h, weight, padding=weight.shape[-1] // 2)
            return normalise(
                h, weights[f"encoder.{i}.{name}.scale"], weights[f"encoder.{i}.{name}.shift"], rows
            )

        h = F.leaky_relu(layer("1", x), 0.1)
        h = F.leaky_relu(layer("2", h), 0.1)
        h = modulate(layer("3", h), x, weights, f"encoder.{i}", rows)
        return F.max_pool2d(F.leaky_relu(h + layer("shortcut", x), 0.1), 2)

    def flat(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def encoder_named(name: str) -> Encoder:
    """The encoder that a user means.

    Raises:
        DomainError: when there is none.

    >>> encoder_named("4conv-64-stride").blocks
    4
    """
    for pattern, make in _NAMED.items():
        found = re.fullmatch(pattern, str(name))
        if found:
            return make(found.groups())
    raise DomainError(
        f"encoder {name!r}: expected mlp-DEPTHxWIDTH, 4conv-FILTERS, 4conv-FILTERS-stride or resnet12-FILTERS, "
        "as 4conv-64"
    )


_NAMED: dict[str, Callable[[Sequence[str]], Encoder]] = {
    # Digits are bounded: a width of ten digits is a slip, and would be allocated.
    r"mlp-([1-9]\d?)x([1-9]\d{0,4})": lambda found: _Dense(int(found[0]), int(found[1])),
    r"4conv-([1-9]\d{0,3})(|-stride)": lambda found: _FourConv(int(found[0]), bool(found[1])),
    r"resnet12-([1-9]\d{0,3})": lambda found: _ResNet12(int(found[0])),
}


def _conv_shapes(widths: Sequence[int]) -> dict[str, Shape]:
    found: dict[str, Shape] = {}
    for i in range(len(widths) - 1):
        found[f"encoder.{i}.conv"] = (widths[i + 1], widths[i], 3, 3)
        found[f"encoder.{i}.scale"] = (widths[i + 1],)
        found[f"encoder.{i}.shift"] = (widths[i + 1],)
    return found


def _check_image(name: str, input_shape: Shape, least: int) -> None:
    if len(input_shape) != 3:
        shape = " x ".join(map(str, input_shape))
        raise DomainError(f"the encoder {name} takes images, and the inputs are {shape}: choose mlp-2x40")
    if min(input_shape[1:]) < least:
        height, width = input_shape[1:]
        raise DomainError(f"the encoder {name} halves images four times, and these are {height} x {width}")


def _drawn(name: str, shape: Shape, seed: int, spread: float) -> Tensor:
    if name.endswith((".scale", ".shift")):
        return torch.full(shape, float(name.endswith(".scale")))
    return uniform(name, shape, seed, spread)


def uniform(name: str, shape: Shape, seed: int, spread: float) -> Tensor:
    """Numbers between `-spread` and `spread`, by NumPy's generator on a seed of the weight's own."""
    # By its name, not by its place: a learner with one part more has the same weights in all others.
    draw = generator(seed, "weights", name)
    return torch.from_numpy(draw.uniform(-spread, spread, size=shape).astype(np.float32))
