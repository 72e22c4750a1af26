"""What the convolutional networks share, and what models of pairs end with."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["Difference", "convolution", "head", "started"]


class Difference(nn.Module):
    """Scores of the rows of pairs, `[2N]` or `[2N, 1]`, to the first row's less the second's, `[N]`."""

    def forward(self, scores: Tensor) -> Tensor:
        first, second = scores.reshape(-1, 2).unbind(1)
        return first - second


def convolution(before: int, after: int, size: int = 3, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """A convolution whose padding keeps the size of the image, but for the stride.

    Without a bias unless asked for: the batch normalisation that follows would take it out again.
    """
    return nn.Conv2d(before, after, size, stride, padding=size // 2, bias=bias)


def head(channels: int, outputs: int) -> list[nn.Module]:
    """The mean over the image and one linear layer: any size of image will do."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, outputs)]


def started(model: nn.Sequential) -> nn.Sequential:
    """The model with its convolutions drawn as He et al. draw them (arXiv 1502.01852, equation 10).

    It keeps the scale of the activations from layer to layer: without it, eight layers and no batch
    normalisation end in outputs that hardly depend on the image.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model
