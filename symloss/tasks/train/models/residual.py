"""Residual networks for images of 32 x 32: ResNet-18, PreResNet, WideResNet, PyramidNet.

Depths count as in the papers: the layers with weights, without those of the shortcuts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from symloss.errors import TaskError
from symloss.tasks.train.models.layers import convolution, head, started

__all__ = [
    "preresnet", "preresnet_widths", "pyramidnet", "pyramidnet_widths", "resnet18", "wideresnet",
    "wideresnet_widths",
]  # fmt: skip

_BOTTLENECKS_FROM = 164
"""The depth from which the papers build blocks of three layers; below, of two."""


def resnet18(inputs: tuple[int, ...], outputs: int, width: int = 64) -> nn.Sequential:
    """He et al., Deep residual learning for image recognition, arXiv 1512.03385.

    torchvision's, but for the start: for 32 x 32 a convolution of 3 x 3 without a stride, and no first pooling.
    """
    layers: list[nn.Module] = [convolution(inputs[0], width), nn.BatchNorm2d(width), nn.ReLU()]
    channels = width
    for group, after in enumerate((width, 2 * width, 4 * width, 8 * width)):
        layers.append(_post_activated(channels, after, 2 if group else 1))
        layers.append(_post_activated(after, after, 1))
        channels = after
    return started(nn.Sequential(*layers, *head(channels, outputs)))


def preresnet(inputs: tuple[int, ...], outputs: int, depth: int = 110) -> nn.Sequential:
    """He et al., Identity mappings in deep residual networks, arXiv 1603.05027.

    Three groups of as many blocks, 16, 32 and 64 wide. Below a depth of 164 the blocks have two layers (depth
    6n + 2), from 164 they are bottlenecks of three (9n + 2). Where the shape changes, the shortcut is a convolution
    of 1 x 1.
    """
    bottleneck = depth >= _BOTTLENECKS_FROM

    def block(before: int, width: int, stride: int) -> tuple[nn.Module, int]:
        return _pre_activated(before, width, stride, bottleneck)

    start = [convolution(inputs[0], 16)]
    return _three_groups(start, outputs, preresnet_widths(depth), block)


def wideresnet(inputs: tuple[int, ...], outputs: int, depth: int = 28, widening: int = 10) -> nn.Sequential:
    """Zagoruyko and Komodakis, Wide residual networks, arXiv 1605.07146: WRN-depth-widening.

    Three groups of blocks of two layers (depth 6n + 4), 16, 32 and 64 times `widening` wide; otherwise as
    `preresnet`. Without the dropout inside blocks that the paper tries as an option.
    """

    def block(before: int, width: int, stride: int) -> tuple[nn.Module, int]:
        return _pre_activated(before, width, stride, bottleneck=False)

    start = [convolution(inputs[0], 16)]
    return _three_groups(start, outputs, wideresnet_widths(depth, widening), block)


def pyramidnet(inputs: tuple[int, ...], outputs: int, depth: int = 110, alpha: int = 48) -> nn.Sequential:
    """Han, Kim and Kim, Deep pyramidal residual networks, arXiv 1610.02915: the additive one.

    Depths as those of `preresnet`. Every block is a little wider than the last, `16 + alpha` the last of all.
    Widths are rounded down as in equation 3, but after the sum, not at each block; the authors' release rounds to the
    nearest. Shortcuts are padded with channels of zeros.
    """
    bottleneck = depth >= _BOTTLENECKS_FROM

    def block(before: int, width: int, stride: int) -> tuple[nn.Module, int]:
        return _pyramidal(before, width, stride, bottleneck)

    start = [convolution(inputs[0], 16), nn.BatchNorm2d(16)]
    return _three_groups(start, outputs, pyramidnet_widths(depth, alpha), block)


def preresnet_widths(depth: int) -> list[int]:
    """The width of each block.

    Raises:
        TaskError: when there is no such depth.

    >>> preresnet_widths(14)
    [16, 16, 32, 32, 64, 64]
    """
    return [width for width in (16, 32, 64) for _ in range(_blocks_a_group(f"preresnet-{depth}", depth))]


def wideresnet_widths(depth: int, widening: int) -> list[int]:
    """The width of each block.

    Raises:
        TaskError: when there is no such depth or width.
    """
    count, rest = divmod(depth - 4, 6)
    if rest or count < 1:
        raise TaskError(
            f"model wideresnet-{depth}-{widening}: expected a depth of 10, 16, 22, 28, ... (6n + 4)"
        )
    if not widening:
        raise TaskError(f"model wideresnet-{depth}-{widening}: expected a width of at least 1")
    return [width * widening for width in (16, 32, 64) for _ in range(count)]


def pyramidnet_widths(depth: int, alpha: int) -> list[int]:
    """The width of each block.

    Raises:
        TaskError: when there is no such depth.

    >>> pyramidnet_widths(14, 10)
    [17, 19, 21, 22, 24, 26]
    """
    total = 3 * _blocks_a_group(f"pyramidnet-{depth}-{alpha}", depth)
    return [16 + alpha * i // total for i in range(1, total + 1)]


def _blocks_a_group(name: str, depth: int) -> int:
    count, rest = divmod(depth - 2, 9 if depth >= _BOTTLENECKS_FROM else 6)
    if rest or count < 1:
        raise TaskError(
            f"model {name}: expected a depth of 8, 14, 20, ... 158 (6n + 2) or of 164, 173, 182, ... "
            "(9n + 2, bottlenecks)"
        )
    return count


Block = Callable[[int, int, int], tuple[nn.Module, int]]
"""`(channels, width, stride)` to the block and the number of channels that leave it."""


class _Residual(nn.Module):
    """`shortcut(x) + body(x)`."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.shortcut(x) + self.body(x)
        return total


class _MoreChannels(nn.Module):
    """Channels of zeros after those that there are."""

    def __init__(self, extra: int) -> None:
        super().__init__()
        self.extra = extra

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, 0, 0, 0, 0, self.extra))


def _three_groups(
    start: Sequence[nn.Module], outputs: int, widths: Sequence[int], block: Block
) -> nn.Sequential:
    """All blocks at full size, half and a quarter, a third of them each, between the start and the head."""
    # All three papers start with 16 channels.
    layers, channels = [*start], 16
    for i, width in enumerate(widths):
        halved = i in (len(widths) // 3, 2 * len(widths) // 3)
        made, channels = block(channels, width, 2 if halved else 1)
        layers.append(made)
    return started(nn.Sequential(*layers, nn.BatchNorm2d(channels), nn.ReLU(), *head(channels, outputs)))


def _body(before: int, width: int, stride: int, bottleneck: bool = False) -> tuple[list[nn.Module], int]:
    """Two convolutions, or those of a bottleneck, which leaves four times its width; and how many channels leave."""
    between = [nn.BatchNorm2d(width), nn.ReLU()]
    if not bottleneck:
        return [convolution(before, width, 3, stride), *between, convolution(width, width)], width
    again = [nn.BatchNorm2d(width), nn.ReLU()]
    narrow, wide = convolution(before, width, 1), convolution(width, 4 * width, 1)
    return [narrow, *between, convolution(width, width, 3, stride), *again, wide], 4 * width


def _post_activated(before: int, width: int, stride: int) -> nn.Module:
    body, after = _body(before, width, stride)
    shortcut: nn.Module = nn.Identity()
    if before != after:
        shortcut = nn.Sequential(convolution(before, after, 1, stride), nn.BatchNorm2d(after))
    return nn.Sequential(_Residual(nn.Sequential(*body, nn.BatchNorm2d(after)), shortcut), nn.ReLU())


def _pre_activated(before: int, width: int, stride: int, bottleneck: bool) -> tuple[nn.Module, int]:
    body, after = _body(before, width, stride, bottleneck)
    # Before the weights, so that the identity path from block to block is untouched.
    activation = [nn.BatchNorm2d(before), nn.ReLU()]
    if before == after:
        return _Residual(nn.Sequential(*activation, *body), nn.Identity()), after
    # A shortcut that is a convolution sees what the body sees.
    shortcut = convolution(before, after, 1, stride)
    return nn.Sequential(*activation, _Residual(nn.Sequential(*body), shortcut)), after


def _pyramidal(before: int, width: int, stride: int, bottleneck: bool) -> tuple[nn.Module, int]:
    """No ReLU first and a batch normalisation last, the paper's figure 6 (d)."""
    body, after = _body(before, width, stride, bottleneck)
    # As many rows as the convolution with this stride leaves, where their number is odd.
    shrink = nn.AvgPool2d(2, ceil_mode=True) if stride == 2 else nn.Identity()
    shortcut = nn.Sequential(shrink, _MoreChannels(after - before))
    return _Residual(nn.Sequential(nn.BatchNorm2d(before), *body, nn.BatchNorm2d(after)), shortcut), after
