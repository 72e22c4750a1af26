"""What users read: metrics of a whole split, vectorised, never differentiated."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from symloss.errors import TaskError
from symloss.expr import KINDS
from symloss.numbers import as_real
from symloss.tasks.names import suggestion

__all__ = [
    "METRICS", "AnyMetric", "Metric", "check_defined", "get_metric",
    "greater_by_name", "metric_names",
]  # fmt: skip

CLASSES = ("classification",)
LABELS = ("classification", "multilabel")
NUMBERS = ("regression",)
SCORES = ("margin",)


def suits(kinds: Sequence[str], kind: str | None) -> bool:
    """Whether what is made for some kinds serves another: one whose outputs mean the same does.

    >>> suits(NUMBERS, "regression"), suits(NUMBERS, "multilabel")
    (True, False)
    """
    return kind is None or any(KINDS[known].link == KINDS[kind].link for known in kinds)


@dataclass(frozen=True)
class Metric:
    """A number for a whole split.

    Attributes:
        name: what users type.
        function: `(outputs, targets) -> float`; outputs are logits `[N, C]` (classification), logits `[N, K]`
            (multilabel), predictions `[N]` (regression) or scores `[N]` (margin).
        greater_is_better: the direction.
        kinds: the kinds of task that it is defined for.
        description: one line.
        share: whether 1 is all there is, so that differences are told in points of a hundred.

    >>> get_metric("accuracy").fitness(0.9)
    -0.9
    """

    name: str
    function: Callable[[Tensor, Tensor], float]
    greater_is_better: bool
    kinds: tuple[str, ...] = tuple(KINDS)
    description: str = ""
    share: bool = False

    def __call__(self, outputs: Tensor, targets: Tensor) -> float:
        """The metric; NaN when an output is not finite: a diverged model is never a result.

        Raises:
            TaskError: when the function returns no number.
        """
        # argmax and sort give NaN a place like any number: a diverged model would have an accuracy.
        if not bool(torch.isfinite(outputs).all()):
            return math.nan
        found = self.function(outputs, targets)
        value = as_real(found)
        if value is None:
            raise TaskError(
                f"metric {self.name} returns {_described(found)}: expected one number for all outputs; "
                "return a float, such as the mean"
            )
        return value

    def suits(self, kind: str | None) -> bool:
        """Whether it is defined for a kind of task, or None for any: outputs and targets are those of its kinds."""
        return suits(self.kinds, kind)

    def fitness(self, value: float) -> float:
        """The value as a search minimises it: lower is better, not a number is worst."""
        if math.isnan(value):
            return math.inf
        return -value if self.greater_is_better else value


AnyMetric = str | Metric | Callable[[Tensor, Tensor], float]


# scikit-learn measures (imported where it is used: it takes a second). In torch remain what a search evaluates
# every few steps on the device of the task: accuracy, error rate, squared error.


def _described(found: object) -> str:
    shape = getattr(found, "shape", None)
    return type(found).__name__ + (f" of shape {tuple(shape)}" if shape is not None else "")


def _decided(outputs: Tensor, targets: Tensor) -> Tensor:
    """Class indices `[N]`, or 0/1 labels `[N, K]`, as the shape of the targets asks."""
    return outputs.argmax(1) if targets.ndim == 1 else (outputs > 0).to(torch.int64)


def accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Share of the instances (multilabel: of the entries) that are decided correctly."""
    return float((_decided(outputs, targets) == targets).double().mean())


def error_rate(outputs: Tensor, targets: Tensor) -> float:
    """One minus the accuracy."""
    return 1.0 - accuracy(outputs, targets)


def pair_accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Share of the pairs that are ranked rightly, ties counted half; of single scores, of those on their side of 0."""
    # sign(score) (2t - 1) is 1, -1 or 0 (a tie), mapped to 1, 0 or 1/2.
    return float(((outputs.double().sign() * (2 * targets.double() - 1)) / 2 + 0.5).mean())


def _tables(outputs: Tensor, targets: Tensor) -> tuple[NDArray[Any], NDArray[Any]]:
    """What was decided and what is right, for scikit-learn, which is for the CPU."""
    return _decided(outputs, targets).cpu().numpy(), targets.cpu().numpy().astype(np.int64)


def balanced_accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Mean over classes of the recall; classes absent from the split do not count.

    Multilabel: mean over labels of the mean of sensitivity and specificity, where both are defined.
    """
    from sklearn.metrics import recall_score

    decided, actual = _tables(outputs, targets)
    if targets.ndim == 1:
        return float(recall_score(actual, decided, labels=np.unique(actual), average="macro"))
    # A label that is always or never set has no sensitivity or no specificity.
    both = (actual.min(0) == 0) & (actual.max(0) == 1)
    if not both.any():
        return math.nan
    sides = [(actual[:, both], decided[:, both]), (1 - actual[:, both], 1 - decided[:, both])]
    return float(np.mean([recall_score(*side, average=None) for side in sides]))


def macro_f1(outputs: Tensor, targets: Tensor) -> float:
    """Unweighted mean over classes of F1; a class neither present nor predicted does not count."""
    from sklearn.metrics import f1_score

    decided, actual = _tables(outputs, targets)
    return float(f1_score(actual, decided, average="macro", zero_division=np.nan))


def auroc(outputs: Tensor, targets: Tensor) -> float:
    """Area under the receiver operating characteristic, ties counted half.

    Two classes: of `z_1 - z_0`. More: unweighted mean over classes, each against the rest, scored by its
    probability. Multilabel: mean over labels. Classes with one side empty do not count; NaN when none
    is left.
    """
    from sklearn.metrics import roc_auc_score

    if targets.ndim == 1:
        classes = outputs.shape[1]
        scores = outputs.double().softmax(1) if classes > 2 else (outputs[:, 1:] - outputs[:, :1]).double()
        # All columns, or of two classes the second one's, which z_1 - z_0 scores.
        actual = F.one_hot(targets, classes)[:, -scores.shape[1] :]
    else:
        scores, actual = outputs.double(), targets
    columns = zip(actual.T.cpu().numpy(), scores.T.cpu().numpy(), strict=True)
    areas = [roc_auc_score(right, score) for right, score in columns if 0 < right.sum() < len(right)]
    return float(np.mean(areas)) if areas else math.nan


def nll(outputs: Tensor, targets: Tensor) -> float:
    """Mean negative log-likelihood, in nats: cross-entropy, or binary cross-entropy of the entries.

    Of the logits: scikit-learn's `log_loss` clips probabilities.
    """
    if targets.ndim == 1:
        return float(F.cross_entropy(outputs.double(), targets))
    return float(F.binary_cross_entropy_with_logits(outputs.double(), targets.double()))


def neg_nll(outputs: Tensor, targets: Tensor) -> float:
    """The mean log-likelihood, in nats: scikit-learn's `neg_log_loss`."""
    return -nll(outputs, targets)


def calibration_error(outputs: Tensor, targets: Tensor, bins: int = 15) -> float:
    """Expected calibration error: `sum_b (n_b / N) |accuracy_b - confidence_b|` over equal-width bins.

    Guo et al., On Calibration of Modern Neural Networks, 2017, eq. 3, with 15 bins; scikit-learn has none.
    Multilabel: over the entries, by the probability of the decided side.
    """
    if targets.ndim == 1:
        confidence = outputs.double().softmax(1).amax(1)
    else:
        confidence = outputs.double().abs().sigmoid().flatten()
    correct = (_decided(outputs, targets) == targets).double().flatten()
    # Bins ((b-1)/B, b/B], as in the paper.
    index = (confidence * bins).ceil().long().clamp(1, bins) - 1
    # Summed over a bin, correct - confidence is n_b (accuracy_b - confidence_b): no counts needed, and empty bins
    # are 0.
    gap = torch.zeros(bins, dtype=torch.float64, device=outputs.device)
    return float(gap.index_add_(0, index, correct - confidence).abs().sum() / len(confidence))


def mse(outputs: Tensor, targets: Tensor) -> float:
    """Mean squared error, in squared standard deviations of the training targets."""
    return float((outputs.double() - targets.double()).square().mean())


def _pair(outputs: Tensor, targets: Tensor) -> tuple[NDArray[Any], NDArray[Any]]:
    return targets.double().cpu().numpy(), outputs.double().cpu().numpy()


def mae(outputs: Tensor, targets: Tensor) -> float:
    """Mean absolute error, in standard deviations of the training targets."""
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(*_pair(outputs, targets)))


def r2(outputs: Tensor, targets: Tensor) -> float:
    """Coefficient of determination `1 - sum (y-p)^2 / sum (y-mean y)^2`; NaN for constant targets."""
    from sklearn.metrics import r2_score

    if bool((targets == targets[0]).all()):
        return math.nan  # scikit-learn says 0 or 1
    return float(r2_score(*_pair(outputs, targets)))


@dataclass(frozen=True)
class Pinball:
    """Mean pinball loss `max(tau (y-p), (tau-1) (y-p))` of a quantile `tau`."""

    quantile: float = 0.5

    def __call__(self, outputs: Tensor, targets: Tensor) -> float:
        from sklearn.metrics import mean_pinball_loss

        return float(mean_pinball_loss(*_pair(outputs, targets), alpha=self.quantile))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", accuracy, True, LABELS, "share decided correctly", share=True),
        Metric("error-rate", error_rate, False, LABELS, "share decided wrongly", share=True),
        Metric("balanced-accuracy", balanced_accuracy, True, LABELS, "mean recall over classes", share=True),
        Metric("macro-f1", macro_f1, True, LABELS, "mean F1 over classes or labels", share=True),
        Metric(
            "auroc", auroc, True, LABELS, "area under the ROC curve, mean over classes or labels", share=True
        ),
        Metric("nll", nll, False, LABELS, "negative log-likelihood, nats"),
        Metric("ece", calibration_error, False, LABELS, "expected calibration error, 15 bins", share=True),
        Metric(
            "pair-accuracy",
            pair_accuracy,
            True,
            SCORES,
            "share of pairs ranked rightly, ties half",
            share=True,
        ),
        Metric("mse", mse, False, NUMBERS, "mean squared error"),
        Metric("mae", mae, False, NUMBERS, "mean absolute error"),
        Metric("r2", r2, True, NUMBERS, "coefficient of determination", share=True),
        Metric("pinball", Pinball(), False, NUMBERS, "pinball loss at 1/2; pinball:TAU for another quantile"),
    )
}


def metric_names(kind: str | None = None) -> list[str]:
    """The names of the metrics, of one kind of task or of all.

    >>> metric_names("regression")
    ['mse', 'mae', 'r2', 'pinball']
    """
    return [name for name, metric in METRICS.items() if metric.suits(kind)]


def get_metric(
    metric: str | Metric | Callable[[Tensor, Tensor], float],
    kind: str | None = None,
    greater_is_better: bool = False,
) -> Metric:
    """The metric of a name, or one made of a function `(outputs, targets) -> float`.

    Args:
        metric: a name of ours (`pinball:0.9` is the pinball loss of the 0.9 quantile) or of a scikit-learn scorer
            (`f1_macro`, `neg_root_mean_squared_error`; without `neg_` the error itself, lower is better), a
            `Metric`, or a function.
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
    if kind is not None and not found.suits(kind):
        raise TaskError(
            f"metric {found.name} is not for {kind}: expected one of {', '.join(metric_names(kind))}"
        )
    return found


def greater_by_name(name: str) -> bool:
    """Whether greater is better of the metric of this name; False for an unknown one.

    >>> greater_by_name("roc_auc"), greater_by_name("my-error")
    (True, False)
    """
    try:
        return _by_name(name, None).greater_is_better
    except TaskError:
        return False


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
    if stem in METRICS and not argument:
        return METRICS[stem]
    from symloss.tasks.train.scores import Score, score_kinds, score_names

    scorer = stem.replace("-", "_")
    if argument:
        scorer = ""
    if scorer in ("neg_log_loss", "log_loss"):  # of the logits, and of all classes, absent ones too
        better = scorer.startswith("neg_")
        return Metric(scorer, neg_nll if better else nll, better, CLASSES, "negative log-likelihood, nats")
    for known, sign in ((scorer, 1.0), (f"neg_{scorer}", -1.0)):
        if known in score_names():
            return Metric(scorer, Score(known, sign), sign > 0, score_kinds(known), "of scikit-learn")
    names = [*metric_names(kind), *(known for known in score_names() if suits(score_kinds(known), kind))]
    near = difflib.get_close_matches(str(name).lower(), names, n=1)
    examples = _EXAMPLES.get(str(kind), _EXAMPLES["classification"])
    said = (
        suggestion(near[0], near)
        if near
        else (
            f"expected one of {', '.join(metric_names(kind))}"
            + (f", or a scorer of scikit-learn, as {', '.join(examples)}" if examples else "")
        )
    )
    raise TaskError(f"unknown metric {name!r}: {said}")


_EXAMPLES = {
    "classification": ("f1_macro", "roc_auc_ovr"),
    "multilabel": ("f1_micro", "average_precision"),
    "regression": ("neg_root_mean_squared_error", "neg_median_absolute_error"),
    "margin": (),
}


def check_defined(metric: Metric, targets: Tensor, classes: int | None) -> None:
    """Whether a metric of ours has a value on these validation targets; those of users are not asked.

    Raises:
        TaskError: when it has none for any outputs, as the AUROC where one class is all there is.
    """
    shape = (len(targets),) if classes is None else (len(targets), classes)
    guess = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    if metric.name.partition(":")[0] not in METRICS:
        from symloss.tasks.train.scores import Score

        if not isinstance(metric.function, Score):
            return
        metric.function.check(guess, targets)
    if math.isnan(metric(guess, targets.cpu())):
        raise TaskError(
            f"metric {metric.name} has no value on the validation part (one class, or constant targets): "
            "choose another metric or split seed"
        )
