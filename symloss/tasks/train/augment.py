"""Augmentation of training images; validation and test images never pass through here."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from symloss.errors import TaskError
from symloss.tasks.names import suggestion

__all__ = ["AUGMENTATIONS", "Augmentation", "augmentation"]

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


def random_crop(images: Tensor, generator: torch.Generator, padding: int = 4) -> Tensor:
    """Each image padded with `padding` zeros (the mean, once scaled) on all sides and cut back at random."""
    count, channels, height, width = images.shape
    padded = F.pad(images, [padding] * 4)
    # Drawn on the CPU and then moved: the same crops on every device.
    top, left = torch.randint(0, 2 * padding + 1, (2, count, 1), generator=generator).to(images.device)
    rows = (top + torch.arange(height, device=images.device))[:, None, :, None]
    columns = (left + torch.arange(width, device=images.device))[:, None, None, :]
    which = torch.arange(count, device=images.device)[:, None, None, None]
    return padded[which, torch.arange(channels, device=images.device)[None, :, None, None], rows, columns]


def random_crop_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """`random_crop`, then each image mirrored left to right with probability 1/2."""
    flip = torch.rand(len(images), generator=generator).to(images.device) < 0.5
    cropped = random_crop(images, generator)
    return torch.where(flip[:, None, None, None], cropped.flip(3), cropped)


AUGMENTATIONS: dict[str, Augmentation] = {
    "crop": random_crop,
    "crop-flip": random_crop_flip,
}


def augmentation(chosen: str | Augmentation) -> Augmentation:
    """The augmentation of a name, or the function itself.

    Raises:
        TaskError: for an unknown name.
    """
    if callable(chosen):
        return chosen
    if chosen not in AUGMENTATIONS:
        raise TaskError(f"unknown augmentation {chosen!r}: {suggestion(chosen, AUGMENTATIONS)}")
    return AUGMENTATIONS[chosen]
