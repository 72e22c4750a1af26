"""The kinds of loss: what the entries of a loss are, how a model's outputs become `p`, and what is added up.

A kind is one row. Users name it by its string; inside, a loss is asked what its kind is *like* (`KINDS[loss.kind]`),
never what it is called, so that another kind of the same link needs no other change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sympy import Symbol

from symloss.errors import DomainError
from symloss.expr.symbols import RESERVED, SYMBOLS, UNIT, M, P

__all__ = ["DEFAULT_KIND", "IDENTITY", "KINDS", "SIGMOID", "SIGN", "SOFTMAX", "Kind", "Link", "kind_of"]


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
SIGN = Link("sign", lambda p, g: g)
"""Predictions are scores, and targets signs `y = 2t - 1` of labels t in {0, 1}: a loss is one of `m = y p`."""


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
        vocabulary: what names mean in its formulas, those that only other kinds have a value for among them.
        variable: what a loss is a function of, given the target.
        needs: the symbols that a loss must use to train anything.
        operators: what a search builds its losses of, where it is not the published operators.
    """

    name: str
    link: Link
    outputs: str
    symbols: frozenset[str]
    sums: bool
    ordinary: str
    metric: str
    known: Mapping[Symbol, Symbol] = field(default_factory=dict, compare=False)
    vocabulary: Mapping[str, Symbol] = field(default_factory=lambda: RESERVED, compare=False)
    variable: Symbol = P
    needs: tuple[str, ...] = ("y", "p")
    operators: tuple[str, ...] = ()

    @property
    def probabilities(self) -> bool:
        """Whether `p` is a probability and `y` a label between 0 and 1; else both are real numbers."""
        return self.link in (SOFTMAX, SIGMOID)

    @property
    def signed(self) -> bool:
        """Whether a target says no more than on which side of 0 a score should be."""
        return self.link is SIGN

    @property
    def labelled(self) -> bool:
        """Whether targets are labels and not numbers."""
        return self.probabilities or self.signed

    @property
    def signature(self) -> str:
        """How a loss of one entry is written: `M(y, p)`, or `M(m)`."""
        return f"M({', '.join(self.needs)})"

    @property
    def exclusive(self) -> bool:
        """Whether the entries of an instance are classes, of which one is right: their `p` add up to 1."""
        return self.link is SOFTMAX

    @property
    def independent(self) -> bool:
        """Whether every entry of an instance is a label of its own, on or off."""
        return self.probabilities and not self.exclusive

    def targets_of(self, numbers: Any) -> Any:
        """Numbers, drawn at random, as the targets `y` of entries: of scores their signs, else themselves."""
        # A number of 0 counts as +1: a sign of 0 would make every margin 0.
        return np.where(numbers < 0, -1.0, 1.0) if self.signed else numbers

    def null_epoch(self, classes: int | None) -> float | None:
        """`p` before anything is learned, where the outputs are all alike; None where that says nothing."""
        # softmax of equal logits is 1/C; sigmoid(0) = 1/2. A regression's first predictions depend on the model.
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
        Kind(
            "margin",
            SIGN,
            outputs="scores",
            symbols=frozenset({"m", "w"}),
            sums=False,
            ordinary="log(1 + exp(-m))",
            metric="pair-accuracy",
            vocabulary={name: SYMBOLS[name] for name in ("m", "w")},
            variable=M,
            needs=("m",),
            # No protected operators, which are for probabilities; the loss of a margin bends or saturates.
            operators=(
                "add",
                "sub",
                "mul",
                "aq",
                "min",
                "max",
                "square",
                "abs",
                "tanh",
                "exp",
                "sigmoid",
                "softplus",
            ),
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
