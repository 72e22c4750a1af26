"""Losses that adapt while a model trains: AdaLFL's network, a formula with free coefficients, a scale alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from sympy import Float, Rational, Symbol
from torch import Tensor
from torch.nn import functional as F

from symloss.errors import DomainError, SymlossError
from symloss.expr import KINDS, Loss, Program, kind_of
from symloss.expr.trees import Weighted, weighted_from
from symloss.meta.learned_loss import (
    Coefficients,
    Context,
    FormulaLoss,
    LearnedLoss,
    NeuralLoss,
    TreeLoss,
    single,
)
from symloss.tasks.train.objectives import ordinary
from symloss.zoo import named, names, parse

__all__ = [
    "NEURAL", "RATE_ONLY", "ScaledLoss", "SmoothNeuralLoss", "adaptable", "formula_at", "learned_from_dict",
    "learned_to_dict", "unfixed",
]  # fmt: skip

NEURAL, RATE_ONLY = "neural", "learning rate only"
"""What users type for a network, and for the control that learns a scale of the ordinary loss."""
HIDDEN = (40, 40)
"""Units of the hidden layers of AdaLFL's network."""
OUTPUTS = ("smooth-leaky-relu", "identity")
_FREE = "c"
"""What the numbers of a formula are called once they are coefficients: c1, c2, ..."""


@dataclass(frozen=True)
class SmoothNeuralLoss(NeuralLoss):
    r"""AdaLFL's network: `M(y, p) = factor * out(W3 s(W2 s(W1 (p, y))))`, no biases.

    `s(x) = (1 - gamma) log(1 + exp(beta x)) / beta + gamma x`, a smooth leaky ReLU: its second derivative, by which
    coefficients adapt, is nowhere zero.

    Attributes:
        kind, weights, hidden, factor: see `NeuralLoss`.
        output: of the network: `"smooth-leaky-relu"` as in the hidden layers, or `"identity"`. Which of them the
            paper means is not said in what was read of it; the first is this one's choice.
        gamma, beta: slope at minus infinity, and sharpness.

    References:
        Raymond et al., Online loss function learning, 2023 (arXiv 2301.13247): layers of 40 and 40 units, a smooth
        leaky ReLU, the entries averaged over classes (`factor = 1/C`). That there are no biases, and how weights
        start, is taken from ML3's network; gamma and beta are not confirmed.

    >>> loss = SmoothNeuralLoss.drawn("regression", seed=0)
    >>> loss.complexity, SmoothNeuralLoss.from_dict(loss.to_dict()) == loss
    (1720, True)
    """

    hidden: tuple[int, ...] = HIDDEN
    output: str = OUTPUTS[0]
    gamma: float = 0.01
    beta: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.output not in OUTPUTS:
            raise DomainError(f"output {self.output!r} of the network: expected {' or '.join(OUTPUTS)}")

    @classmethod
    def drawn(
        cls,
        kind: str,
        seed: int,
        hidden: tuple[int, ...] = HIDDEN,
        *,
        factor: float = 1.0,
        output: str = OUTPUTS[0],
    ) -> SmoothNeuralLoss:
        """A fresh one; the same for the same seed on every machine."""
        return cls(kind, NeuralLoss.drawn(kind, seed, hidden).weights, hidden, factor, output)

    def entries(self, coefficients: Coefficients, y: Tensor, p: Tensor) -> Tensor:
        """See `NeuralLoss`."""
        *hidden, last = coefficients.values()
        h = torch.stack([p, y.expand_as(p)], -1)
        for layer in hidden:
            h = self._smooth(h @ layer.mT)
        out = (h @ last.mT).squeeze(-1)
        return self.factor * (out if self.output == "identity" else self._smooth(out))

    def _smooth(self, x: Tensor) -> Tensor:
        # torch's softplus is linear beyond beta x = 20, where log(1 + exp(x)) itself would overflow.
        return (1 - self.gamma) * F.softplus(x, beta=self.beta) + self.gamma * x

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` reads it back."""
        own = {"type": "adalfl", "output": self.output, "gamma": self.gamma, "beta": self.beta}
        return {**super().to_dict(), **own}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SmoothNeuralLoss:
        """The loss that `to_dict` wrote.

        Raises:
            DomainError: for data that it does not write.
        """
        plain = NeuralLoss.from_dict(data)
        try:
            return cls(
                plain.kind, plain.weights, plain.hidden, plain.factor, str(data["output"]), float(data["gamma"]),
                float(data["beta"]),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise DomainError(f"no neural loss can be read: {type(error).__name__} {error}") from None


@dataclass(frozen=True)
class ScaledLoss(LearnedLoss):
    """The ordinary loss times `exp(a)`: what a loss learns that learns nothing but a learning rate.

    Attributes:
        kind: of the loss.
        log_scale: `a`; where learning starts.

    >>> loss = ScaledLoss("regression")
    >>> loss({"log_scale": torch.zeros(())}, torch.tensor([1.0, 2.0]), torch.zeros(2))
    tensor(2.5000)
    """

    kind: str
    log_scale: float = 0.0

    def __post_init__(self) -> None:
        kind_of(self.kind)

    @property
    def coefficients(self) -> dict[str, Tensor]:
        """See `LearnedLoss`."""
        return {"log_scale": torch.tensor(self.log_scale, dtype=torch.float64)}

    def __call__(
        self, coefficients: Coefficients, outputs: Tensor, targets: Tensor, context: Context | None = None
    ) -> Tensor:
        """See `LearnedLoss`."""
        # exp keeps the factor positive: a learning rate that changes its sign would climb.
        return coefficients["log_scale"].exp() * ordinary(self.kind, outputs, targets)


def unfixed(loss: Loss) -> Loss:
    """The formula with its decimals as coefficients `c1, c2, ...`; one that has named coefficients as it is.

    Integers stay: they are the structure, as the exponent of `(y - p)**2`.

    >>> unfixed(parse("y*abs(log(1.3*p))")).formula
    'y*abs(log(c1*p))'
    """
    if loss.coefficients:
        return loss
    # `atoms` gives each number once: equal decimals become one coefficient.
    decimals = [number for number in loss.expr.atoms(Rational, Float) if not number.is_Integer]
    # Their order is that of the printed formula's numbers, the same on every machine.
    decimals.sort(key=lambda number: (float(abs(number)), float(number)))
    symbols = {number: Symbol(f"{_FREE}{i}", real=True) for i, number in enumerate(decimals, start=1)}
    values = {symbol.name: float(number) for number, symbol in symbols.items()}
    return Loss(loss.expr.xreplace(symbols), loss.kind, values)


def adaptable(
    loss: str | Loss | LearnedLoss,
    kind: str | None,
    classes: int | None,
    *,
    seed: int = 0,
    hidden: tuple[int, ...] = HIDDEN,
    output: str = OUTPUTS[0],
) -> LearnedLoss:
    """The loss that a user means, with coefficients that can adapt; see `AdaptiveLoss` for the arguments.

    Raises:
        SymlossError: for a loss of another kind, or one without anything that could adapt.
    """
    if isinstance(loss, str) and loss in (NEURAL, RATE_ONLY):
        known = kind_of(kind or "classification").name
        if loss == RATE_ONLY:
            return ScaledLoss(known)
        if classes is None and KINDS[known].probabilities:
            raise DomainError("of how many classes is the neural loss? Give classes=, as classes=10")
        return SmoothNeuralLoss.drawn(known, seed, hidden, factor=1 / (classes or 1), output=output)
    if isinstance(loss, str):
        loss = named(loss, kind) if loss in names() else parse(loss, kind=kind or "classification")
    if kind is not None and loss.kind != kind:
        raise DomainError(f"the loss is a {loss.kind} loss, expected a {kind} loss")
    return loss if isinstance(loss, LearnedLoss) else _with_coefficients(loss)


def _with_coefficients(loss: Loss) -> LearnedLoss:
    free = unfixed(loss)
    if free.coefficients:
        return FormulaLoss(free)
    try:  # as EvoMAL has it: a coefficient for each edge of the tree
        return TreeLoss(loss.kind, *weighted_from(loss).graph())
    except SymlossError:
        raise DomainError(
            f"{loss} has no coefficient that could adapt: name one, as a*({loss}) with coefficients={{'a': 1}}"
        ) from None


def formula_at(loss: LearnedLoss, coefficients: Coefficients) -> Loss | None:
    """The formula with these coefficients, or None for a network.

    >>> str(formula_at(ScaledLoss("regression"), {"log_scale": torch.tensor(0.0)}))
    '(y - p)**2'
    """
    if isinstance(loss, FormulaLoss):
        return loss.to_loss(coefficients)
    if isinstance(loss, TreeLoss):
        edges = tuple(float(f"{value:.7g}") for value in coefficients["edges"].tolist())
        return Weighted(loss.program, edges).merged().to_loss(loss.kind)
    if isinstance(loss, ScaledLoss):
        # Seven digits: what single precision holds, and no more digits to read than that.
        scale = float(f"{float(coefficients['log_scale'].exp()):.7g}")
        return parse(f"{scale!r}*({KINDS[loss.kind].ordinary})", kind=loss.kind)
    return None


def learned_to_dict(loss: LearnedLoss) -> dict[str, Any]:
    """A loss as plain data that `learned_from_dict` reads back; JSON-ready.

    Raises:
        DomainError: for a loss of a class of the user's own.
    """
    if isinstance(loss, NeuralLoss):
        return loss.to_dict()
    if isinstance(loss, FormulaLoss):
        return {"type": "formula", **loss.loss.to_dict()}
    if isinstance(loss, TreeLoss):
        edges = None if loss.edges is None else list(loss.edges)
        return {"type": "tree", "kind": loss.kind, "tokens": list(loss.program.tokens), "edges": edges}
    if isinstance(loss, ScaledLoss):
        return {"type": "scale", "kind": loss.kind, "log_scale": loss.log_scale}
    raise DomainError(f"a {type(loss).__name__} cannot be written down: keep its coefficients yourself")


def learned_from_dict(data: Mapping[str, Any]) -> LearnedLoss:
    """The loss that `learned_to_dict` wrote.

    Raises:
        DomainError: for data that it does not write.
    """
    try:
        made = data["type"]
        if made == "adalfl":
            return SmoothNeuralLoss.from_dict(data)
        if made == "neural":
            return NeuralLoss.from_dict(data)
        if made == "formula":
            return FormulaLoss(Loss.from_dict(data))
        if made == "tree":
            edges = data["edges"]
            program = Program(tuple(map(str, data["tokens"])))
            return TreeLoss(str(data["kind"]), program, None if edges is None else tuple(map(float, edges)))
        if made == "scale":
            return ScaledLoss(str(data["kind"]), float(data["log_scale"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DomainError(f"no loss can be read: {type(error).__name__} {error}") from None
    raise DomainError(f"no loss can be read: {json.dumps(str(made))} is none of its types")


def network_at(loss: NeuralLoss, coefficients: Coefficients) -> NeuralLoss:
    """The network with these weights, in single precision."""
    return loss.with_weights(single(torch.cat([each.reshape(-1) for each in coefficients.values()]).tolist()))
