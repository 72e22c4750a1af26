"""The certificate of a loss: one table says which findings belong to which kind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symloss.errors import DomainError
from symloss.expr import Loss
from symloss.numbers import as_whole
from symloss.theory.budget import PATIENCE, Budget, Stopped
from symloss.theory.certificate import Certificate, Finding, unknown
from symloss.theory.findings.attractor import attractor, label_smoothing
from symloss.theory.findings.bounds import bounded
from symloss.theory.findings.calibration import classification_calibrated
from symloss.theory.findings.convex import convex_in_p
from symloss.theory.findings.free_classes import SAMPLE, for_every_number
from symloss.theory.findings.influence import bounded_above, bounded_influence, influence, redescending
from symloss.theory.findings.lipschitz import lipschitz_in_logits
from symloss.theory.findings.margin import Margin
from symloss.theory.findings.margin_calibration import margin_calibrated
from symloss.theory.findings.margin_link import link
from symloss.theory.findings.margin_shape import (
    bounded_margin,
    convex_in_margin,
    decreasing,
    forgets,
    lipschitz_in_margin,
    minimum,
    symmetric_margins,
)
from symloss.theory.findings.margin_start import falls_at_start
from symloss.theory.findings.multilabel import entry_bounded, entry_proper, entry_trainable
from symloss.theory.findings.profile import Profile
from symloss.theory.findings.proper import proper
from symloss.theory.findings.regression import convex, minimum_at_target, translation_invariant
from symloss.theory.findings.residual import Residual
from symloss.theory.findings.start import implicit_learning_rate, trainable_at_start
from symloss.theory.findings.statistic import converges_to
from symloss.theory.findings.structure import symmetric_noise_robust, target_only
from symloss.theory.findings.weights import Weighted, weighted_attractor, weighted_rate, weighted_smoothing
from symloss.theory.functions.pieces import Undecided, Undefined
from symloss.theory.functions.work import Exhausted
from symloss.theory.identify.known_as import known_as
from symloss.theory.identify.known_margin import known_margin

__all__ = ["FINDINGS", "After", "Findings", "analyze"]

Find = Callable[[Any], Finding]
"""One finding, from what a kind's findings are made of."""


@dataclass(frozen=True)
class After:
    """A finding that follows from another, by that one's key."""

    key: str
    find: Callable[[Any, Finding], Finding]


@dataclass(frozen=True)
class Findings:
    """What is found out about the losses of a kind.

    Attributes:
        view: what the findings are made of, from a loss and a number of classes.
        find: each finding by its key, in the order of the certificate.
        free: where the number of classes matters, from the findings at `SAMPLE` classes those for every number.
    """

    view: Callable[[Loss, int], Any]
    find: Mapping[str, Find | After]
    free: Callable[[Loss, dict[str, Finding], Budget], dict[str, Finding]] | None = None


_CLASSES = Findings(
    Profile.of,
    {
        "target_only": target_only,
        "trainable_at_start": trainable_at_start,
        "implicit_learning_rate": implicit_learning_rate,
        "attractor": attractor,
        "label_smoothing": After("attractor", label_smoothing),
        "proper": proper,
        "classification_calibrated": classification_calibrated,
        "symmetric_noise_robust": symmetric_noise_robust,
        "convex_in_p": convex_in_p,
        "bounded_below": lambda profile: bounded(profile, -1),
        "bounded_above": lambda profile: bounded(profile, 1),
        "lipschitz_in_logits": lipschitz_in_logits,
        "known_as": known_as,
    },
    for_every_number,
)
_LABELS = Findings(
    lambda loss, classes: Profile.of(loss, 2),
    {
        "trainable_at_start": entry_trainable,
        "proper": entry_proper,
        "convex_in_p": convex_in_p,
        "bounded_below": lambda profile: entry_bounded(profile, -1),
        "bounded_above": lambda profile: entry_bounded(profile, 1),
        "known_as": known_as,
    },
)
_LINE = Findings(
    lambda loss, classes: Residual.of(loss),
    {
        "translation_invariant": translation_invariant,
        "minimum_at_target": minimum_at_target,
        "convex": convex,
        "influence": influence,
        "bounded_influence": bounded_influence,
        "redescending": redescending,
        "bounded_above": bounded_above,
        "converges_to": converges_to,
        "known_as": known_as,
    },
)
_MARGINS = Findings(
    lambda loss, classes: Margin.of(loss),
    {
        "trainable_at_start": falls_at_start,
        "classification_calibrated": margin_calibrated,
        "convex": convex_in_margin,
        "decreasing": decreasing,
        "minimum": minimum,
        "bounded_below": lambda view: bounded_margin(view, -1),
        "bounded_above": lambda view: bounded_margin(view, 1),
        "lipschitz": lipschitz_in_margin,
        "symmetric_noise_robust": symmetric_margins,
        "redescending": forgets,
        "link": link,
        "known_as": known_margin,
    },
)
_WEIGHTED: dict[str, Find] = {
    "implicit_learning_rate": weighted_rate,
    "attractor": weighted_attractor,
    "label_smoothing": weighted_smoothing,
}
"""What class weights change, and how."""
FINDINGS: dict[str, Findings] = {
    "classification": _CLASSES,
    "multilabel": _LABELS,
    "regression": _LINE,
    "margin": _MARGINS,
}
"""What is found out about the losses of each kind."""


def analyze(
    loss: Loss,
    classes: int | None = None,
    only: Collection[str] | None = None,
    patience: float | None = PATIENCE,
    weight: Sequence[float] | None = None,
) -> Certificate:
    """What can be proved of a loss from its formula alone.

    Work is counted, not timed, so that a certificate does not depend on the machine; see `Budget` for the exception.

    Args:
        loss: the loss.
        classes: the number of classes, at least 2; None keeps `C` free. Of no account to other kinds.
        only: keys of the findings that are wanted; all of them if None.
        patience: seconds after which the clock ends a finding whose count has not; None for never.
        weight: of each class; the findings are then those that weights change.

    Raises:
        DomainError: for fewer than two classes, another number of weights, a loss that is infinite at `y = 0`, or a
            key that there is not.

    >>> from symloss import parse
    >>> certificate = analyze(parse("y*abs(log(1.3*p))"), classes=10)
    >>> certificate.findings["attractor"].value
    10/13
    >>> certificate.sentence("attractor")
    "drives the target's probability to 0.77, as label smoothing of 0.26 does"
    """
    if classes is not None:
        number = as_whole(classes)
        if number is None or number < 2:
            raise DomainError(f"classes is {classes!r}: expected an integer of at least 2")
        classes = number
    findings, budget = FINDINGS[loss.kind], Budget(patience)
    if weight is not None:
        weighted = Weighted.of(loss, weight)
        if classes not in (None, weighted.classes):
            raise DomainError(
                f"{weighted.classes} weights for {classes} classes: expected one for each class"
            )
        findings = Findings(lambda loss, classes: weighted, _WEIGHTED)
        classes = weighted.classes
    keys = list(findings.find)
    wanted = keys if only is None else [key for key in keys if key in only]
    if only is not None and len(wanted) != len(set(only)):
        strange = min(set(only) - set(keys))
        raise DomainError(
            f"no finding {strange!r} about a {loss.kind} loss: expected one of {', '.join(keys)}"
        )
    if findings.free is None and weight is None:
        # Entries of the other kinds are on their own: no certificate of theirs depends on a number of classes.
        classes = None
    elif classes is None and findings.free is not None:
        # All of them, not only those wanted: some arguments for every C build on another finding.
        found = findings.free(loss, _found(findings, loss, SAMPLE, keys, budget), budget)
        return Certificate(loss, None, {key: found[key] for key in wanted})
    found = _found(findings, loss, classes or 2, wanted, budget)
    return Certificate(loss, classes, found, None if weight is None else tuple(map(float, weight)))


def _found(
    findings: Findings, loss: Loss, classes: int, keys: Sequence[str], budget: Budget
) -> dict[str, Finding]:
    try:
        with budget.bounded():
            view = findings.view(loss, classes)
    except (Undecided, Undefined, Exhausted, Stopped) as error:
        return dict.fromkeys(keys, unknown(str(error)))
    found: dict[str, Finding] = {}

    def find(key: str) -> Finding:
        if key not in found:
            rule = findings.find[key]
            if isinstance(rule, After):
                before = find(rule.key)
                found[key] = budget.settle(rule.find, view, before)
            else:
                found[key] = budget.settle(rule, view)
        return found[key]

    return {key: find(key) for key in keys}
