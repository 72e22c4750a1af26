"""scikit-learn's scorers by their names, of outputs that a model has made already."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer, get_scorer_names, make_scorer, top_k_accuracy_score
from torch import Tensor

from symloss.errors import TaskError

__all__ = ["Score", "score_kinds", "score_names"]

Numbers = NDArray[np.float64]

# By parts of their names: scikit-learn has no public list of which scorer is for what.
_CLUSTERING = ("rand_score", "info_score", "completeness", "homogeneity", "v_measure", "fowlkes_mallows")
_REGRESSION = ("error", "r2", "explained_variance", "deviance", "absolute_error_score")


@cache
def score_names() -> tuple[str, ...]:
    """The names of scorers that judge predictions, those of clusterings left out."""
    return tuple(name for name in get_scorer_names() if not any(word in name for word in _CLUSTERING))


def score_kinds(name: str) -> tuple[str, ...]:
    """The kinds of task that a scorer is for.

    >>> score_kinds("f1_macro"), score_kinds("neg_max_error")
    (('classification', 'multilabel'), ('regression',))
    """
    if any(word in name for word in _REGRESSION):
        return ("regression",)
    if name.endswith("_samples"):
        return ("multilabel",)
    many = name.endswith(("_micro", "_macro", "_weighted")) or name in ("roc_auc", "average_precision")
    return ("classification", "multilabel") if many else ("classification",)


class _Classifier(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose inputs are the logits `[N, C]`."""

    # `classes_` makes it fitted in scikit-learn's eyes, and orders the columns of `predict_proba`.
    def __init__(self, classes: int) -> None:
        self.classes_ = np.arange(classes)

    def predict(self, logits: Numbers) -> NDArray[np.int64]:
        return logits.argmax(axis=1)

    def predict_proba(self, logits: Numbers) -> Numbers:
        return np.asarray(softmax(logits, axis=1))

    def decision_function(self, logits: Numbers) -> Numbers:
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits


class _Labeller(ClassifierMixin, BaseEstimator):
    """A fitted classifier of several labels whose inputs are the logits `[N, K]`."""

    def __init__(self, labels: int) -> None:
        self.classes_ = [np.arange(2)] * labels

    def predict(self, logits: Numbers) -> NDArray[np.int64]:
        return (logits > 0).astype(np.int64)

    def predict_proba(self, logits: Numbers) -> Numbers:
        return np.asarray(expit(logits))

    def decision_function(self, logits: Numbers) -> Numbers:
        return logits


class _Regressor(RegressorMixin, BaseEstimator):
    """A fitted regressor whose inputs are its predictions `[N]`."""

    def predict(self, predictions: Numbers) -> Numbers:
        return predictions


@dataclass(frozen=True)
class Score:
    """The score that scikit-learn gives outputs, `(outputs, targets) -> float`; NaN where it has none.

    Attributes:
        name: of the scorer.
        sign: -1 for the error of which a `neg_` scorer is the negative.
    """

    name: str
    sign: float = 1.0

    def __call__(self, outputs: Tensor, targets: Tensor) -> float:
        try:
            return self.checked(outputs, targets)
        except ValueError:
            return math.nan

    def checked(self, outputs: Tensor, targets: Tensor) -> float:
        """The score.

        Raises:
            ValueError: of scikit-learn, where the score has no value.
        """
        # scikit-learn is for the CPU.
        values = outputs.detach().cpu().double().numpy()
        actual = targets.detach().cpu().numpy()
        estimator: BaseEstimator = _Regressor()
        if values.ndim == 2:
            kind = _Classifier if actual.ndim == 1 else _Labeller
            estimator, actual = kind(values.shape[1]), actual.astype(np.int64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a class that is never predicted counts as 0, as documented
            return self.sign * float(_scorer(self.name, values, actual)(estimator, values, actual))

    def check(self, outputs: Tensor, targets: Tensor) -> None:
        """Whether the score has a value for such targets.

        Raises:
            TaskError: with scikit-learn's reason, when it has none.
        """
        try:
            self.checked(outputs, targets)
        except ValueError as error:
            reason = " ".join(str(error).split())
            raise TaskError(f"metric {self.name} has no value on the validation part: {reason}") from None


def _scorer(name: str, values: Numbers, actual: NDArray[Any]) -> Callable[..., Any]:
    if name == "top_k_accuracy":  # every class counts, those that the part lacks among them
        return make_scorer(
            top_k_accuracy_score, response_method="predict_proba", labels=np.arange(values.shape[1])
        )
    # Of more than two classes scikit-learn asks for each against the rest, or pairs, by name.
    several = name == "roc_auc" and values.ndim == 2 and actual.ndim == 1 and values.shape[1] > 2
    return get_scorer("roc_auc_ovr" if several else name)
