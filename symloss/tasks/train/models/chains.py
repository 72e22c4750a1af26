"""Networks that are one layer after another: perceptrons, LeNet-5, AlexNet, VGG-16, All-CNN-C, SqueezeNet.

`inputs` is the shape of one instance, `[channels, height, width]` for images; `outputs` the number of outputs. The
published form has the `width` that stands in the signature; all its layers grow and shrink with it.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from symloss.tasks.train.models.layers import convolution, head, started

__all__ = ["alexnet", "allcnn_c", "lenet5", "perceptron", "squeezenet", "vgg16"]


def perceptron(inputs: tuple[int, ...], outputs: int, depth: int = 0, width: int = 0) -> nn.Sequential:
    """`depth` hidden layers of `width` ReLU units; none, and it is linear."""
    sizes = [math.prod(inputs), *[width] * depth]
    layers: list[nn.Module] = [nn.Flatten()] if len(inputs) > 1 else []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], outputs))


def lenet5(inputs: tuple[int, ...], outputs: int) -> nn.Sequential:
    """LeCun et al., Gradient-based learning applied to document recognition, 1998; ReLU and max pooling."""
    channels, height, width = inputs
    # Small images (28 x 28) are padded in the first layer, as the original pads MNIST to 32 x 32.
    padding = 2 if height < 32 else 0
    # Twice: a 5 x 5 convolution takes 4 off, pooling halves.
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


def alexnet(inputs: tuple[int, ...], outputs: int, width: int = 64) -> nn.Sequential:
    """Krizhevsky, One weird trick for parallelizing convolutional neural networks, arXiv 1404.5997.

    The five convolutions are torchvision's. For 32 x 32: 5 rows of padding before the first rather than 2, poolings
    of 2 x 2 that do not overlap, and one linear layer for the three of the ImageNet form, so no dropout.
    """

    def layer(before: int, after: int, size: int = 3, stride: int = 1) -> list[nn.Module]:
        return [convolution(before, after, size, stride, bias=True), nn.ReLU()]

    return started(
        nn.Sequential(
            *layer(inputs[0], width, 11, 4),
            _halved(),
            *layer(width, 3 * width, 5),
            _halved(),
            *layer(3 * width, 6 * width),
            *layer(6 * width, 4 * width),
            *layer(4 * width, 4 * width),
            _halved(),
            *head(4 * width, outputs),
        )
    )


def vgg16(inputs: tuple[int, ...], outputs: int, width: int = 64) -> nn.Sequential:
    """Simonyan and Zisserman, Very deep convolutional networks, arXiv 1409.1556, configuration D.

    The thirteen convolutions are those of torchvision's `vgg16_bn`, with batch normalisation. For 32 x 32: one
    linear layer for the three of the ImageNet form, so no dropout.
    """
    layers: list[nn.Module] = []
    channels = inputs[0]
    for group in ([width] * 2, [2 * width] * 2, [4 * width] * 3, [8 * width] * 3, [8 * width] * 3):
        for after in group:
            layers += _normalised(convolution(channels, after, bias=True), after)
            channels = after
        layers.append(_halved())
    return started(nn.Sequential(*layers, *head(channels, outputs)))


def allcnn_c(inputs: tuple[int, ...], outputs: int, width: int = 96) -> nn.Sequential:
    """Springenberg et al., Striving for simplicity: the all convolutional net, arXiv 1412.6806, table 2.

    Made for 32 x 32, and as it is there: dropout of 0.2 of the image and of 0.5 after each convolution that stands
    for a pooling. Three by three without padding in the seventh, whose image is then 6 x 6.
    """
    wide = 2 * width

    def layer(before: int, after: int, size: int = 3, stride: int = 1) -> list[nn.Module]:
        return [convolution(before, after, size, stride, bias=True), nn.ReLU()]

    return started(
        nn.Sequential(
            nn.Dropout(0.2),
            *layer(inputs[0], width),
            *layer(width, width),
            *layer(width, width, stride=2),
            nn.Dropout(0.5),
            *layer(width, wide),
            *layer(wide, wide),
            *layer(wide, wide, stride=2),
            nn.Dropout(0.5),
            nn.Conv2d(wide, wide, 3),
            nn.ReLU(),
            *layer(wide, wide, 1),
            # No ReLU last, though the paper has one: a logit that it cuts off is never corrected.
            convolution(wide, outputs, 1, bias=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
    )


def squeezenet(inputs: tuple[int, ...], outputs: int, width: int = 64) -> nn.Sequential:
    """Iandola et al., SqueezeNet, arXiv 1602.07360; version 1.1 of their release, as torchvision's.

    For 32 x 32: no stride in the first convolution and no first pooling. Batch normalisation before each ReLU, which
    the ImageNet form does without: 26 layers by plain SGD then often end in a constant. No ReLU last, as in
    `allcnn_c`; dropout of 0.5 before the last convolution, as there.
    """
    squeezed = width // 4
    layers: list[nn.Module] = [*_normalised(convolution(inputs[0], width, bias=True), width)]
    channels = width
    for factors in ((1, 1), (2, 2), (3, 3, 4, 4)):
        for factor in factors:
            layers += _fire(channels, factor * squeezed)
            channels = 8 * factor * squeezed
        if factors[-1] < 4:
            layers.append(_halved(3))
    layers += [nn.Dropout(0.5), convolution(channels, outputs, 1, bias=True)]
    return started(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()))


class _Beside(nn.Module):
    """Two layers on the same input, the channels of one after those of the other."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.first(x), self.second(x)], dim=1)


def _fire(before: int, squeezed: int) -> list[nn.Module]:
    """Few channels by a 1 x 1 convolution, then eight times as many by 1 x 1 and 3 x 3 ones."""
    wide = 4 * squeezed
    expand = _Beside(convolution(squeezed, wide, 1, bias=True), convolution(squeezed, wide, bias=True))
    return [
        *_normalised(convolution(before, squeezed, 1, bias=True), squeezed),
        *_normalised(expand, 2 * wide),
    ]


def _normalised(layer: nn.Module, channels: int) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(channels), nn.ReLU()]


def _halved(size: int = 2) -> nn.MaxPool2d:
    """Max pooling to half the size, rounded up: images of 28 x 28 outlast as many as those of 32 x 32."""
    return nn.MaxPool2d(size, 2, ceil_mode=True)
