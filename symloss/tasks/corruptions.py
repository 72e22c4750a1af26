"""Named corruptions of the test inputs: does a model hold up on inputs worse than those that it was trained on?

Training and validation inputs stay clean, and with them every choice that they decide: the model never saw such inputs
(Hendrycks, Dietterich, Benchmarking neural network robustness to common corruptions and perturbations, 2019). Training
on corrupted inputs would be another task.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from symloss.errors import TaskError
from symloss.numbers import as_real
from symloss.tasks.names import suggestion
from symloss.tasks.supervised import SupervisedTask
from symloss.tasks.task import Task

__all__ = ["CORRUPTIONS", "Corruption", "corrupted", "read_corruption"]

_BLURRED_BEYOND = 3.0
"""Standard deviations after which a Gaussian kernel is cut off: less than 0.3 % of it lies beyond."""


@dataclass(frozen=True)
class _Named:
    """A corruption.

    Attributes:
        about: one line.
        change: test inputs, severity, mean and spread of the training inputs (by feature, or by channel), and a
            generator, to the corrupted inputs.
        usual: severity unless one is given.
        most: the largest severity.
        images: whether it is for images alone.
    """

    about: str
    change: Callable[[Tensor, float, Tensor, Tensor, torch.Generator], Tensor]
    usual: float
    most: float = math.inf
    images: bool = False


def _gaussian(X: Tensor, severity: float, mean: Tensor, spread: Tensor, drawn: torch.Generator) -> Tensor:
    """`x + severity * spread * e`, `e` standard normal."""
    # Drawn on the CPU, so that a device does not decide what is drawn.
    return X + severity * spread * torch.randn(X.shape, generator=drawn).to(X.device)


def _missing(X: Tensor, severity: float, mean: Tensor, spread: Tensor, drawn: torch.Generator) -> Tensor:
    """With probability `severity` a feature, or a pixel in all of its channels, is the mean of the training inputs."""
    # A pixel is missing in all of its channels at once, as a dead pixel of a camera is.
    shape = (len(X), 1, *X.shape[2:]) if X.ndim == 4 else X.shape
    gone = torch.rand(shape, generator=drawn).to(X.device) < severity
    return torch.where(gone, mean, X)


def _blur(X: Tensor, severity: float, mean: Tensor, spread: Tensor, drawn: torch.Generator) -> Tensor:
    """A Gaussian filter with a standard deviation of `severity` pixels; beyond the border the border goes on."""
    reach = max(1, math.ceil(_BLURRED_BEYOND * severity))
    places = torch.arange(-reach, reach + 1, device=X.device, dtype=X.dtype)
    kernel = torch.exp(-0.5 * (places / severity) ** 2)
    kernel = kernel / kernel.sum()
    channels = X.shape[1]
    padded = F.pad(X, [reach] * 4, mode="replicate")
    # exp(-(i^2 + j^2)/(2 s^2)) is a product, so two passes of 2r + 1 weights do the work of one of (2r + 1)^2.
    for shape in ((-1, 1), (1, -1)):
        each = kernel.view(1, 1, *shape).expand(channels, 1, -1, -1)
        padded = F.conv2d(padded, each, groups=channels)
    return padded


CORRUPTIONS = {
    "gaussian": _Named("noise of SEVERITY standard deviations of each feature or channel", _gaussian, 0.5),
    "missing": _Named("each feature or pixel is its mean, with probability SEVERITY", _missing, 0.25, 1.0),
    "blur": _Named("of images: a Gaussian filter of SEVERITY pixels", _blur, 1.0, 10.0, images=True),
}


@dataclass(frozen=True)
class Corruption:
    """A corruption of the test inputs.

    Attributes:
        name: one of `CORRUPTIONS`.
        severity: how much of it, above 0; what it means is up to the name.
    """

    name: str
    severity: float

    def __str__(self) -> str:
        return f"{self.name}:{self.severity:g}"

    def unsuited(self, task: Task) -> str:
        """Why the test inputs of a task cannot be corrupted so, or `""`."""
        if not isinstance(task, SupervisedTask):
            return f"the inputs of {task.name} are its function's business, so they cannot be corrupted"
        if CORRUPTIONS[self.name].images and len(task.inputs) != 3:
            return f"{self.name} is for images, and instances of {task.name} have shape {task.inputs}"
        return ""


def read_corruption(text: str) -> Corruption:
    """The corruption that a user means: `NAME` or `NAME:SEVERITY`.

    Raises:
        TaskError: for an unknown name, or a severity out of range.

    >>> str(read_corruption("missing:0.3")), str(read_corruption("gaussian"))
    ('missing:0.3', 'gaussian:0.5')
    """
    name, colon, number = (part.strip() for part in text.partition(":"))
    if name not in CORRUPTIONS:
        raise TaskError(f"unknown corruption {name!r}: {suggestion(name, CORRUPTIONS)}")
    known = CORRUPTIONS[name]
    try:
        severity = as_real(float(number)) if colon else known.usual
    except ValueError:
        severity = None
    if severity is None or not 0 < severity <= known.most or math.isinf(severity):
        most = "" if math.isinf(known.most) else f" and at most {known.most:g}"
        raise TaskError(f"corruption {text!r}: expected a severity above 0{most}, as {name}:{known.usual:g}")
    return Corruption(name, severity)


def corrupted(task: SupervisedTask, corruption: Corruption, seed: int) -> SupervisedTask:
    """The task with its test inputs corrupted, the same for the same seed on every device; nothing else changes.

    Raises:
        TaskError: for a corruption that is not for such inputs.

    >>> from symloss.tasks import load_task
    >>> wine = load_task("wine")
    >>> noisy = corrupted(wine, Corruption("gaussian", 0.5), seed=0)
    >>> noisy.train is wine.train, noisy.fingerprint == wine.fingerprint
    (True, False)
    """
    why = corruption.unsuited(task)
    if why:
        raise TaskError(why)
    # By feature of a table, by channel of an image.
    over = [0, 2, 3] if task.train.X.ndim == 4 else [0]
    mean = task.train.X.mean(over, keepdim=True)
    spread = task.train.X.std(over, keepdim=True, correction=0)
    drawn = torch.Generator().manual_seed(seed % 2**63)
    change = CORRUPTIONS[corruption.name].change
    return task.with_test_inputs(lambda X: change(X, corruption.severity, mean, spread, drawn))
