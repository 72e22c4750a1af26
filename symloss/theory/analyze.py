"""The certificate of a loss."""

from __future__ import annotations

from collections.abc import Callable

from symloss.errors import DomainError
from symloss.expr import Loss
from symloss.numbers import as_whole
from symloss.theory.budget import TOO_LONG, Budget, OutOfTime
from symloss.theory.certificate import Certificate, Finding, unknown
from symloss.theory.findings.attractor import attractor, label_smoothing
from symloss.theory.findings.bounds import bounded
from symloss.theory.findings.calibration import classification_calibrated
from symloss.theory.findings.convex import convex_in_p
from symloss.theory.findings.free_classes import SAMPLE, for_every_number
from symloss.theory.findings.lipschitz import lipschitz_in_logits
from symloss.theory.findings.multilabel import multilabel
from symloss.theory.findings.posterior import closed_map, with_map
from symloss.theory.findings.profile import Profile
from symloss.theory.findings.proper import proper
from symloss.theory.findings.regression import regression
from symloss.theory.findings.start import implicit_learning_rate, trainable_at_start
from symloss.theory.findings.structure import symmetric_noise_robust, target_only
from symloss.theory.functions.pieces import Undecided, Undefined
from symloss.theory.identify.known_as import known_as

__all__ = ["CLASSIFICATION_KEYS", "analyze"]

_CLASSIFICATION: dict[str, Callable[[Profile], Finding]] = {
    "target_only": target_only,
    "trainable_at_start": trainable_at_start,
    "implicit_learning_rate": implicit_learning_rate,
    "attractor": attractor,
    "proper": proper,
    "classification_calibrated": classification_calibrated,
    "symmetric_noise_robust": symmetric_noise_robust,
    "convex_in_p": convex_in_p,
    "bounded_below": lambda profile: bounded(profile, -1),
    "bounded_above": lambda profile: bounded(profile, 1),
    "lipschitz_in_logits": lipschitz_in_logits,
}
CLASSIFICATION_KEYS = (
    "target_only", "trainable_at_start", "implicit_learning_rate", "attractor", "label_smoothing", "proper",
    "classification_calibrated", "symmetric_noise_robust", "convex_in_p", "bounded_below", "bounded_above",
    "lipschitz_in_logits", "known_as",
)  # fmt: skip


def analyze(loss: Loss, classes: int | None = None) -> Certificate:
    """What can be proved of a loss from its formula alone.

    Args:
        loss: the loss.
        classes: the number of classes, at least 2; None keeps `C` free. Of no account to other kinds.

    Raises:
        DomainError: for fewer than two classes, or a loss that is infinite at `y = 0`.

    >>> from symloss import parse
    >>> certificate = analyze(parse("y*abs(log(1.3*p))"), classes=10)
    >>> certificate.findings["attractor"].value
    '10/13'
    >>> certificate.sentence("attractor")
    "drives the target's probability to 0.77, as label smoothing of 0.26 does"
    """
    if classes is not None:
        number = as_whole(classes)
        if number is None or number < 2:
            raise DomainError(f"classes is {classes!r}: expected an integer of at least 2")
        classes = number
    return FINDINGS[loss.kind](loss, classes)


def _of_classes(loss: Loss, classes: int | None) -> Certificate:
    budget = Budget()
    found = _classification(loss, SAMPLE if classes is None else classes, budget)
    if classes is None:
        return Certificate(loss, None, for_every_number(loss, found, budget))
    calibrated = found["classification_calibrated"]
    if calibrated.verdict == "proved":
        mapped = budget.settle(lambda: with_map(calibrated, closed_map(Profile.of(loss, classes))))
        found["classification_calibrated"] = mapped if mapped.verdict == "proved" else calibrated
    return Certificate(loss, classes, found)


def _classification(loss: Loss, classes: int, budget: Budget) -> dict[str, Finding]:
    try:
        with budget.limit():
            profile = Profile.of(loss, classes)
    except (Undecided, Undefined, OutOfTime) as error:
        return dict.fromkeys(CLASSIFICATION_KEYS, unknown(str(error) or TOO_LONG))
    found = {key: budget.settle(find, profile) for key, find in _CLASSIFICATION.items()}
    found["label_smoothing"] = budget.settle(label_smoothing, profile, found["attractor"])
    found["known_as"] = budget.settle(known_as, loss, classes)
    return {key: found[key] for key in CLASSIFICATION_KEYS}


FINDINGS: dict[str, Callable[[Loss, int | None], Certificate]] = {
    "classification": _of_classes,
    "multilabel": lambda loss, classes: Certificate(loss, None, multilabel(loss)),
    "regression": lambda loss, classes: Certificate(loss, None, regression(loss)),
}
"""What is found out about the losses of each kind."""
