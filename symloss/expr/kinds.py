"""The kinds of loss: what the entries of a loss are, how a model's outputs become `p`, and what is added up.

A kind is one row. Users name it by its string; inside, a loss is asked what its kind is *like* (`KINDS[loss.kind]`),
never what it is called, so that another kind of the same link needs no other change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sympy import Symbol

from symloss.errors import DomainError
from symloss.expr.symbols import UNIT

__all__ = ["DEFAULT_KIND", "IDENTITY", "KINDS", "SIGMOID", "SOFTMAX", "Kind", "Link", "kind_of"]


@dataclass(frozen=True)
class Link:
    """From a model's outputs `z` to the predictions `p` of a loss.

    Attributes:
        name: of the function.
        pull: `dL/dz` from `p` and `g = dM/dp`, arrays of numpy or torch, the entries of an instance on the last
            axis. It is its own transpose, so it takes a change of the outputs to one of `p` too.
    """

    name: str
    pull: Callable[[Any, Any], Any] = field(compare=False)


SOFTMAX = Link("softmax", lambda p, g: p * (g - (p * g).sum(-1)[..., None]))
"""`dp_i/dz_j = p_i (1[i = j] - p_j)`."""
SIGMOID = Link("sigmoid", lambda p, g: g * p * (1 - p))
IDENTITY = Link("identity", lambda p, g: g)


@dataclass(frozen=True)
class Kind:
    """A kind of loss.

    Attributes:
        name: what users call it.
        link: from outputs to `p`.
        outputs: what a model's outputs are called.
        symbols: what a formula may speak of besides coefficients.
        sums: whether the entries of an instance are added up, and instances averaged; else the mean is over
            all entries.
        ordinary: the loss that others are held against.
        metric: of a task, unless it says another.
        known: the symbols of an entry as symbols with the signs that they have; nothing where they are any real
            numbers.
    """

    name: str
    link: Link
    outputs: str
    symbols: frozenset[str]
    sums: bool
    ordinary: str
    metric: str
    known: Mapping[Symbol, Symbol] = field(default_factory=dict, compare=False)

    @property
    def probabilities(self) -> bool:
        """Whether `p` is a probability and `y` a label between 0 and 1; else both are real numbers."""
        return self.link is not IDENTITY

    @property
    def exclusive(self) -> bool:
        """Whether the entries of an instance are classes, of which one is right: their `p` add up to 1."""
        return self.link is SOFTMAX

    @property
    def independent(self) -> bool:
        """Whether every entry of an instance is a label of its own, on or off."""
        return self.probabilities and not self.exclusive

    def null_epoch(self, classes: int | None) -> float | None:
        """`p` before anything is learned, where the outputs are all alike; None where that says nothing."""
        if self.exclusive:
            return None if classes is None else 1 / classes
        return 0.5 if self.probabilities else None


_ENTRY = frozenset({"y", "p", "w"})

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "classification",
            SOFTMAX,
            outputs="logits",
            symbols=_ENTRY | {"C", "pi"},
            sums=True,
            ordinary="-y*log(p)",
            metric="accuracy",
            known=UNIT,
        ),
        Kind(
            "multilabel",
            SIGMOID,
            outputs="logits",
            symbols=_ENTRY | {"C", "pi"},
            sums=False,
            ordinary="-y*log(p) - (1 - y)*log(1 - p)",
            metric="macro-f1",
            known=UNIT,
        ),
        Kind(
            "regression",
            IDENTITY,
            outputs="predictions",
            symbols=_ENTRY,
            sums=False,
            ordinary="(y - p)**2",
            metric="mse",
        ),
    )
}
"""Every kind by name."""

DEFAULT_KIND = "classification"


def kind_of(name: str) -> Kind:
    """The kind of that name.

    Raises:
        DomainError: where there is none.

    >>> kind_of("multilabel").null_epoch(5)
    0.5
    """
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise DomainError(f"unknown kind {name!r}: expected one of {', '.join(KINDS)}")
    return kind
