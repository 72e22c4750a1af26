"""What class weights do: `L = sum_i w_i M(y_i, p_i)`, as `weight=` of a compiled loss has it.

A loss of the target alone keeps its attractor, and its weight is a learning rate of that class. Where the other classes
count, a heavier class is driven further: label smoothing as torch weights it, `-sum_i w_i q_i log(p_i)`, ends at
`w_t q_t / sum_i w_i q_i`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sympy import Expr, Integer, Rational

from symloss.errors import DomainError
from symloss.expr import KINDS, Loss, Y
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.attractor import attractor, label_smoothing
from symloss.theory.findings.posterior import logarithmic
from symloss.theory.findings.profile import Profile
from symloss.theory.findings.start import implicit_learning_rate
from symloss.theory.functions.algebra import shorter
from symloss.theory.functions.constants import number_sign
from symloss.theory.values import ByWeight

__all__ = ["Weighted", "weighted_attractor", "weighted_rate", "weighted_smoothing"]


@dataclass(frozen=True)
class Weighted:
    """A loss with a weight for each class."""

    loss: Loss
    weights: tuple[Rational, ...]

    @staticmethod
    def of(loss: Loss, weights: Sequence[float]) -> Weighted:
        """The loss so weighted.

        Raises:
            DomainError: for weights that are not positive numbers of two classes or more, or another kind of loss.
        """
        if not KINDS[loss.kind].exclusive:
            raise DomainError(f"weights are of classes, and a {loss.kind} loss has none")
        if len(weights) < 2 or not all(0 < weight < float("inf") for weight in weights):
            raise DomainError(
                f"weights {', '.join(map(str, weights))}: expected a positive number for each class"
            )
        return Weighted(loss, tuple(Rational(repr(float(weight))) for weight in weights))

    @property
    def classes(self) -> int:
        return len(self.weights)

    def targets(self) -> Iterator[tuple[Rational, list[Rational]]]:
        """Every weight that a target may have, with those of the other classes."""
        for weight in sorted(set(self.weights)):
            others = list(self.weights)
            others.remove(weight)
            yield weight, others

    def seen_from(self, weight: Rational, other: Rational) -> Profile:
        """The loss of a target of that weight where all the others have another."""
        # The factor is the target's weight at y = 1 and the others' at y = 0.
        expr = (weight * Y + other * (1 - Y)) * self.loss.value_expr
        return Profile.of(Loss(expr, self.loss.kind), self.classes)


def weighted_rate(view: Weighted) -> Finding:
    """The null-epoch gradient in the target's logit over that of cross-entropy: others count by their mean weight."""
    return _by_weight(
        view, lambda weight, others: implicit_learning_rate(view.seen_from(weight, sum(others) / len(others)))
    )


def weighted_attractor(view: Weighted) -> Finding:
    """The confidence that a target of each weight is driven to."""
    return _by_weight(view, lambda weight, others: _attractor(view, weight, others))


def weighted_smoothing(view: Weighted) -> Finding:
    """The label smoothing that has the same attractor."""

    def smoothing(weight: Rational, others: list[Rational]) -> Finding:
        profile = view.seen_from(weight, others[0])
        return label_smoothing(profile, _attractor(view, weight, others))

    return _by_weight(view, smoothing)


def _attractor(view: Weighted, weight: Rational, others: list[Rational]) -> Finding:
    if len(set(others)) == 1:
        return attractor(view.seen_from(weight, others[0]))
    plain = view.seen_from(Rational(1), Rational(1))
    line = plain.m0.line
    # A constant M0 has no slope, whatever weights it is multiplied with.
    if line is not None and number_sign(line.slope) == 0:
        return attractor(view.seen_from(weight, others[0]))  # a constant has no pull, whatever it counts
    terms = logarithmic(plain)
    if terms is None:
        return unknown("the others have several weights, and do not share evenly what the target leaves")
    gain, base = terms
    # w_t M1' = -w_t a1/p_t and w_j M0' = -w_j a0/p_j: stationary on the simplex where p is in proportion to (w_t a1,
    # w_j a0).
    target = weight * (gain + base)
    value = shorter(target / (target + base * sum(others, Integer(0))))
    return proved("M1' = -a/p, M0' = -b/p: cross-entropy with labels in proportion to w_t a and w_j b", value)


def _by_weight(view: Weighted, find: Callable[[Rational, list[Rational]], Finding]) -> Finding:
    """One finding out of those for every weight of a target."""
    found = {weight: find(weight, others) for weight, others in view.targets()}
    for weight, finding in found.items():
        if finding.verdict == "unknown":
            return unknown(f"for a target of weight {float(weight):g}: {finding.reason}")
    values: list[tuple[Rational, Expr]] = []
    for weight, finding in found.items():
        value = finding.value if isinstance(finding.value, Expr) else None
        if value is None and finding.numeric is not None:
            value = Rational(finding.numeric).n(15)
        if value is None:
            return refuted(f"for a target of weight {float(weight):g}: {finding.reason}", finding.witness)
        values.append((weight, value))
    reasons = dict.fromkeys(finding.reason for finding in found.values())
    reason = "; ".join(reasons) if len(reasons) < 3 else next(iter(reasons))
    same = all(number_sign(value - values[0][1]) == 0 for _, value in values)
    shown = values[0][1] if same else ByWeight(tuple(values))
    if all(finding.verdict == "refuted" for finding in found.values()):
        return refuted(reason, next(iter(found.values())).witness, shown)
    return proved(reason, shown)
