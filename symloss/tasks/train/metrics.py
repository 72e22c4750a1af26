"""What users read: metrics of a whole split, vectorised, never differentiated."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from symloss.errors import TaskError
from symloss.tasks.names import suggestion

__all__ = [
    "DEFAULT_METRIC", "METRICS", "AnyMetric", "Metric", "check_defined", "get_metric", "metric_names",
]  # fmt: skip

CLASSES = ("classification",)
LABELS = ("classification", "multilabel")
NUMBERS = ("regression",)
DEFAULT_METRIC = {"classification": "accuracy", "multilabel": "macro-f1", "regression": "mse"}


@dataclass(frozen=True)
class Metric:
    """A number for a whole split.

    Attributes:
        name: what users type.
        function: `(outputs, targets) -> float`; outputs are logits `[N, C]` (classification), logits `[N, K]`
            (multilabel) or predictions `[N]` (regression).
        greater_is_better: the direction.
        kinds: the kinds of task that it is defined for.
        description: one line.

    >>> get_metric("accuracy").fitness(0.9)
    -0.9
    """

    name: str
    function: Callable[[Tensor, Tensor], float]
    greater_is_better: bool
    kinds: tuple[str, ...] = ("classification", "multilabel", "regression")
    description: str = ""

    def __call__(self, outputs: Tensor, targets: Tensor) -> float:
        """The metric; NaN when an output is not finite: a diverged model is never a result."""
        if not bool(torch.isfinite(outputs).all()):
            return math.nan
        return float(self.function(outputs, targets))

    def fitness(self, value: float) -> float:
        """The value as a search minimises it: lower is better, not a number is worst."""
        if math.isnan(value):
            return math.inf
        return -value if self.greater_is_better else value


AnyMetric = str | Metric | Callable[[Tensor, Tensor], float]


def _decided(outputs: Tensor, targets: Tensor) -> Tensor:
    """Class indices `[N]`, or 0/1 labels `[N, K]`, as the shape of the targets asks."""
    return outputs.argmax(1) if targets.ndim == 1 else (outputs > 0).to(torch.int64)


def accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Share of the instances (multilabel: of the entries) that are decided correctly."""
    return float((_decided(outputs, targets) == targets).double().mean())


def error_rate(outputs: Tensor, targets: Tensor) -> float:
    """One minus the accuracy."""
    return 1.0 - accuracy(outputs, targets)


def _counts(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """True positives, decided and actual positives of each class or label."""
    decided = _decided(outputs, targets)
    if targets.ndim == 1:
        size = outputs.shape[1]
        hits = torch.bincount(targets[decided == targets], minlength=size)
        return (
            hits.double(),
            torch.bincount(decided, minlength=size).double(),
            torch.bincount(targets, minlength=size).double(),
        )
    actual = targets > 0.5
    hits = ((decided > 0) & actual).sum(0)
    return hits.double(), decided.sum(0).double(), actual.sum(0).double()


def balanced_accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Mean over classes of the recall; classes absent from the split do not count.

    Multilabel: mean over labels of the mean of sensitivity and specificity.
    """
    hits, decided, actual = _counts(outputs, targets)
    if targets.ndim == 1:
        present = actual > 0
        return float((hits[present] / actual[present]).mean())
    negatives = len(targets) - actual
    both = (actual > 0) & (negatives > 0)
    rejected = negatives - (decided - hits)
    return float((hits[both] / actual[both] + rejected[both] / negatives[both]).mean() / 2)


def macro_f1(outputs: Tensor, targets: Tensor) -> float:
    """Unweighted mean over classes of F1; a class neither present nor predicted does not count."""
    hits, decided, actual = _counts(outputs, targets)
    total = decided + actual
    return float((2 * hits[total > 0] / total[total > 0]).mean())


def auroc(outputs: Tensor, targets: Tensor) -> float:
    """Area under the receiver operating characteristic, ties counted half.

    Two classes: of `z_1 - z_0`. More: unweighted mean over classes, each against the rest, scored by its
    probability. Multilabel: mean over labels. Classes with one side empty do not count; NaN when none
    is left.
    """
    if targets.ndim == 1:
        classes = outputs.shape[1]
        scores = outputs.double().softmax(1) if classes > 2 else (outputs[:, 1:] - outputs[:, :1]).double()
        actual = F.one_hot(targets, classes)[:, -scores.shape[1] :].bool()
    else:
        scores, actual = outputs.double(), targets > 0.5
    positives = actual.sum(0).double()
    negatives = len(actual) - positives
    # Mann-Whitney: the mean rank of the positives, where tied scores share their mean rank.
    ordered = scores.sort(0).values.T.contiguous()
    columns = scores.T.contiguous()
    low, high = torch.searchsorted(ordered, columns), torch.searchsorted(ordered, columns, right=True)
    ranks = (low + high + 1).double().T / 2
    area = ((ranks * actual).sum(0) - positives * (positives + 1) / 2) / (positives * negatives)
    return float(area[(positives > 0) & (negatives > 0)].mean())


def nll(outputs: Tensor, targets: Tensor) -> float:
    """Mean negative log-likelihood, in nats: cross-entropy, or binary cross-entropy of the entries."""
    if targets.ndim == 1:
        return float(F.cross_entropy(outputs.double(), targets))
    return float(F.binary_cross_entropy_with_logits(outputs.double(), targets.double()))


def calibration_error(outputs: Tensor, targets: Tensor, bins: int = 15) -> float:
    """Expected calibration error: `sum_b (n_b / N) |accuracy_b - confidence_b|` over equal-width bins.

    Guo et al., On Calibration of Modern Neural Networks, 2017, eq. 3, with 15 bins. Multilabel: over the
    entries, by the probability of the decided side.
    """
    if targets.ndim == 1:
        confidence = outputs.double().softmax(1).amax(1)
    else:
        confidence = outputs.double().abs().sigmoid().flatten()
    correct = (_decided(outputs, targets) == targets).double().flatten()
    index = (confidence * bins).ceil().long().clamp(1, bins) - 1
    gap = torch.zeros(bins, dtype=torch.float64, device=outputs.device)
    return float(gap.index_add_(0, index, correct - confidence).abs().sum() / len(confidence))


def mse(outputs: Tensor, targets: Tensor) -> float:
    """Mean squared error, in squared standard deviations of the training targets."""
    return float((outputs.double() - targets.double()).square().mean())


def mae(outputs: Tensor, targets: Tensor) -> float:
    """Mean absolute error, in standard deviations of the training targets."""
    return float((outputs.double() - targets.double()).abs().mean())


def r2(outputs: Tensor, targets: Tensor) -> float:
    """Coefficient of determination `1 - sum (y-p)^2 / sum (y-mean y)^2`; NaN for constant targets."""
    actual = targets.double()
    spread = (actual - actual.mean()).square().sum()
    return float(1 - (outputs.double() - actual).square().sum() / spread) if spread > 0 else math.nan


@dataclass(frozen=True)
class Pinball:
    """Mean pinball loss `max(tau (y-p), (tau-1) (y-p))` of a quantile `tau`."""

    quantile: float = 0.5

    def __call__(self, outputs: Tensor, targets: Tensor) -> float:
        residual = targets.double() - outputs.double()
        return float(torch.maximum(self.quantile * residual, (self.quantile - 1) * residual).mean())


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", accuracy, True, LABELS, "share decided correctly"),
        Metric("error-rate", error_rate, False, LABELS, "share decided wrongly"),
        Metric("balanced-accuracy", balanced_accuracy, True, LABELS, "mean recall over classes"),
        Metric("macro-f1", macro_f1, True, LABELS, "mean F1 over classes or labels"),
        Metric("auroc", auroc, True, LABELS, "area under the ROC curve, mean over classes or labels"),
        Metric("nll", nll, False, LABELS, "negative log-likelihood, nats"),
        Metric("ece", calibration_error, False, LABELS, "expected calibration error, 15 bins"),
        Metric("mse", mse, False, NUMBERS, "mean squared error"),
        Metric("mae", mae, False, NUMBERS, "mean absolute error"),
        Metric("r2", r2, True, NUMBERS, "coefficient of determination"),
        Metric("pinball", Pinball(), False, NUMBERS, "pinball loss at 1/2; pinball:TAU for another quantile"),
    )
}


def metric_names(kind: str | None = None) -> list[str]:
    """The names of the metrics, of one kind of task or of all.

    >>> metric_names("regression")
    ['mse', 'mae', 'r2', 'pinball']
    """
    return [name for name, metric in METRICS.items() if kind is None or kind in metric.kinds]


def get_metric(
    metric: str | Metric | Callable[[Tensor, Tensor], float],
    kind: str | None = None,
    greater_is_better: bool = False,
) -> Metric:
    """The metric of a name, or one made of a function `(outputs, targets) -> float`.

    Args:
        metric: a name (`pinball:0.9` is the pinball loss of the 0.9 quantile), a `Metric`, or a function.
        kind: the kind of task that must support it.
        greater_is_better: the direction of a plain function, unless it has an attribute of that name.

    Raises:
        TaskError: for an unknown name, or a metric of another kind.

    >>> get_metric("r2").greater_is_better
    True
    """
    if isinstance(metric, Metric):
        found = metric
    elif callable(metric):
        name = getattr(metric, "__name__", type(metric).__name__).replace("_", "-").strip("<>")
        found = Metric(name, metric, bool(getattr(metric, "greater_is_better", greater_is_better)))
    else:
        found = _by_name(metric, kind)
    if kind is not None and kind not in found.kinds:
        raise TaskError(
            f"metric {found.name} is not for {kind}: expected one of {', '.join(metric_names(kind))}"
        )
    return found


def _by_name(name: str, kind: str | None) -> Metric:
    stem, _, argument = str(name).lower().replace("_", "-").partition(":")
    if stem == "pinball" and argument:
        try:
            quantile = float(argument)
        except ValueError:
            quantile = math.nan
        if not 0 < quantile < 1:
            raise TaskError(f"metric {name}: expected pinball:TAU with TAU between 0 and 1")
        return Metric(f"pinball:{quantile:g}", Pinball(quantile), False, NUMBERS)
    if stem not in METRICS or argument:
        raise TaskError(f"unknown metric {name!r}: {suggestion(stem, metric_names(kind))}")
    return METRICS[stem]


def check_defined(metric: Metric, targets: Tensor, classes: int | None) -> None:
    """Whether a metric of ours has a value on these validation targets; those of users are not asked.

    Raises:
        TaskError: when it has none for any outputs, as the AUROC where one class is all there is.
    """
    if metric.name.partition(":")[0] not in METRICS:
        return
    shape = (len(targets),) if classes is None else (len(targets), classes)
    guess = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    if math.isnan(metric(guess, targets.cpu())):
        raise TaskError(
            f"metric {metric.name} has no value on the validation part (one class, or constant targets): "
            "choose another metric or split seed"
        )
