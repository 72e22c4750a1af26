r"""An adapting loss at one step, in numbers: no algebra, so for networks too, and cheap enough for a training loop.

Notation of the certificate (`symloss.theory`), measured on the gradient in the outputs:

- *implicit learning rate*: the ratio of the null-epoch gradient to that of the ordinary loss. Classification: at even
  probabilities; multilabel: at 1/2; regression: at the mean of the targets, over the targets, where the two gradients
  need not be parallel: the least-squares ratio.
- *attractor* `p*`: where the target's probability comes to rest, moving from the null epoch with the rest spread
  evenly; *label smoothing* `xi = (1 - p*) C/(C - 1)`. For classification alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from symloss.expr import KINDS
from symloss.meta.learned_loss import Coefficients, LearnedLoss, unpacked
from symloss.meta.sharpness import top_eigenvalue
from symloss.tasks import SupervisedTask
from symloss.tasks.train.objectives import ordinary

__all__ = ["Reading", "Shift", "rates_along", "read", "sharpness", "shift"]

_SURE = 1e-7
"""`p` is looked at in [1e-7, 1 - 1e-7], the domain of the certificate."""
_GRID = 400
_REFINED = 4
"""Times that the grid is laid anew between two neighbours: 400^4 points are beyond float64."""
_FLAT = 1e-13
"""Slopes below are rounding: no direction can be read off them."""
_PROBES = 256
_ROWS = 512
"""Training rows on which sharpness is measured."""


@dataclass(frozen=True)
class Reading:
    """A loss in numbers; None where a number is not defined.

    Attributes:
        attractor, label_smoothing, implicit_learning_rate: see above.
    """

    attractor: float | None
    label_smoothing: float | None
    implicit_learning_rate: float | None


def read(loss: LearnedLoss, coefficients: Coefficients, classes: int | None, targets: Tensor) -> Reading:
    """What a loss is with these coefficients.

    Args:
        loss: of any kind.
        coefficients: of it.
        classes: number of classes or labels; None for regression.
        targets: of the training rows, for the null epoch of a regression.

    >>> import symloss as sl
    >>> from symloss.meta import FormulaLoss
    >>> ace = FormulaLoss(sl.parse("y*abs(log(a*p))", coefficients={"a": 1.25}))
    >>> found = read(ace, ace.coefficients, 10, torch.arange(10))
    >>> round(found.attractor, 6), round(found.label_smoothing, 6), round(found.implicit_learning_rate, 6)
    (0.8, 0.222222, 1.0)
    """
    # Double throughout: `_FLAT` is a statement about float64.
    used = {name: each.double() for name, each in coefficients.items()}
    rate = _rate(loss, used, classes, targets)
    point = _attractor(loss, used, classes) if KINDS[loss.kind].exclusive and classes else None
    smoothing = None if point is None or classes is None else (1 - point) * classes / (classes - 1)
    return Reading(point, smoothing, rate)


def _rate(loss: LearnedLoss, used: Coefficients, classes: int | None, targets: Tensor) -> float | None:
    if KINDS[loss.kind].exclusive:
        labels = torch.arange(classes or 2)
        outputs = torch.zeros(len(labels), len(labels), dtype=torch.float64)
    elif KINDS[loss.kind].independent:
        outputs = torch.zeros(2, 1, dtype=torch.float64)
        labels = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    elif KINDS[loss.kind].signed:
        labels = torch.tensor([0.0, 1.0], dtype=torch.float64)
        outputs = torch.zeros(2, dtype=torch.float64)
    else:
        labels = targets[:_ROWS].double().cpu()
        outputs = labels.mean().expand(len(labels))
    context = {"pi": _even(outputs)}
    slope = loss.output_gradient(used, outputs, labels, context)
    leaf = outputs.clone().requires_grad_()
    (reference,) = torch.autograd.grad(ordinary(loss.kind, leaf, labels), leaf)
    # argmin over r of |slope - r reference|^2; where the two are parallel, as for classification and multilabel
    # by symmetry, simply their ratio.
    ratio = float((slope * reference).sum() / reference.square().sum())
    return ratio if math.isfinite(ratio) else None


def rates_along(
    loss: LearnedLoss, path: Tensor, classes: int | None, targets: Tensor, points: int = 51
) -> list[float]:
    """The implicit learning rate of every step of a path, measured at some of them and linear between.

    Args:
        loss: of the coefficients.
        path: `[steps, E]`.
        classes, targets: see `read`.
        points: how many are measured.

    Returns:
        `steps` numbers; NaN where it is not defined.
    """
    like = loss.coefficients
    # A loss moves little in one step, and each measurement is a pass in Python.
    at = np.unique(np.linspace(0, len(path) - 1, min(points, len(path))).round().astype(int))
    known = [_rate(loss, unpacked(path[int(i)].double().cpu(), like), classes, targets) for i in at]
    measured = [math.nan if rate is None else rate for rate in known]
    return [float(rate) for rate in np.interp(np.arange(len(path)), at, measured)]


def _even(outputs: Tensor) -> Tensor | None:
    return None if outputs.dim() < 2 else torch.full_like(outputs[0], 1 / max(2, outputs.shape[1]))


def _attractor(loss: LearnedLoss, used: Coefficients, classes: int) -> float | None:
    """Where the slope by the target's logit changes sign first, on the way from even probabilities."""
    even = math.log(classes - 1)

    def slopes(d: Tensor) -> Tensor:
        outputs = torch.zeros(len(d), classes, dtype=torch.float64)
        outputs[:, 0] = d
        labels = torch.zeros(len(d), dtype=torch.int64)
        # The loss is a mean over the rows of the batch: times their number, each row's own slope.
        return loss.output_gradient(used, outputs, labels, {"pi": _even(outputs)})[:, 0] * len(d)

    start = float(slopes(torch.zeros(1, dtype=torch.float64)))
    if not math.isfinite(start) or abs(start) < _FLAT:
        return None
    # d is the target's logit above the others': p = sigmoid(d - log(C - 1)).
    # Descent on the logit goes up where the slope is negative, down where it is positive.
    end = math.copysign(math.log((1 - _SURE) / _SURE), -start) + even
    low, high = 0.0, end
    for _ in range(_REFINED):
        d = torch.linspace(low, high, _GRID + 1, dtype=torch.float64)
        # Opposite to the start by more than rounding: a slope that only comes near 0 is no place of rest. A jump
        # through 0, as at the kink of ACE, is found too, as no root is solved for.
        turned = slopes(d) * start < -_FLAT * abs(start)
        if not bool(turned.any()):
            # Never turned back: descent goes to the end of the interval, p = 1 where the slope is negative.
            return (1.0 if start < 0 else 0.0) if high == end else _probability(high, even)
        i = int(turned.nonzero()[0])
        low, high = float(d[max(i - 1, 0)]), float(d[i])
    return _probability((low + high) / 2, even)


def _probability(d: float, even: float) -> float:
    return 1 / (1 + math.exp(even - d))


@dataclass(frozen=True)
class Shift:
    """How far a loss is from another, by its gradient in the outputs at fixed points.

    Attributes:
        distance: `|g' - g| / |g|`.
        shape: the same after the best rescaling of `g'`: `sin` of the angle between the two, in [0, 1].
    """

    distance: float
    shape: float


def shift(loss: LearnedLoss, before: Coefficients, after: Coefficients, classes: int | None) -> Shift:
    """How far a loss has moved between two sets of coefficients.

    >>> import symloss as sl
    >>> from symloss.meta import ScaledLoss
    >>> one, two = ({"log_scale": torch.tensor(a)} for a in (0.0, 0.6931472))
    >>> moved = shift(ScaledLoss("regression"), one, two, None)
    >>> round(moved.distance, 4), round(moved.shape, 4)
    (1.0, 0.0)
    """
    outputs, targets = _probes(loss.kind, classes)
    context = {"pi": _even(outputs)}
    old, new = (
        loss.output_gradient(
            {name: each.double() for name, each in phi.items()}, outputs, targets, context
        ).flatten()
        for phi in (before, after)
    )
    size = float(old.norm())
    # Equal directions: rounding must not make an angle of them.
    cosine = float(old @ new) / (size * float(new.norm()) or 1.0)
    angle = math.sqrt(max(0.0, 1 - cosine**2)) if cosine < 1 - 1e-12 else 0.0
    return Shift(float((new - old).norm()) / (size or 1.0), angle)


def _probes(kind: str, classes: int | None) -> tuple[Tensor, Tensor]:
    """Outputs from nearly even to nearly sure, or errors of up to about four."""
    # Fixed, so that shifts of different runs can be compared.
    draw = torch.Generator().manual_seed(20230131)
    if KINDS[kind].exclusive:
        count = classes or 2
        outputs = torch.randn(_PROBES, count, generator=draw, dtype=torch.float64)
        return outputs * torch.linspace(0.2, 4, _PROBES).unsqueeze(1), torch.arange(_PROBES) % count
    if KINDS[kind].independent:
        outputs = torch.linspace(-5, 5, _PROBES, dtype=torch.float64).unsqueeze(1)
        return outputs, (torch.arange(_PROBES, dtype=torch.float64) % 2).unsqueeze(1)
    if KINDS[kind].signed:
        return torch.linspace(-5, 5, _PROBES, dtype=torch.float64), torch.arange(
            _PROBES, dtype=torch.float64
        ) % 2
    targets = torch.randn(_PROBES, generator=draw, dtype=torch.float64)
    return targets + 1.7 * torch.randn(_PROBES, generator=draw, dtype=torch.float64), targets


def sharpness(model: nn.Module, task: SupervisedTask, iterations: int = 12) -> float:
    """The largest eigenvalue, by magnitude, of the ordinary loss's Hessian in the weights, by power iteration.

    On the first 512 training rows, in evaluation mode. By the *ordinary* loss, whatever trains: losses of different
    scale would otherwise have different sharpness at one and the same point.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    was_training = model.training
    model.eval()
    value = ordinary(task.kind, model(task.train.X[:_ROWS]), task.train.y[:_ROWS])
    sharpest = top_eigenvalue(value, weights, iterations)
    model.train(was_training)
    return sharpest
