"""Losses whose coefficients are learned through training: a tree, a formula, a network."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from symloss.codegen.links import entries_of, reduced
from symloss.codegen.trees.interpret import coefficient_gradient, output_gradient, program_loss
from symloss.errors import DomainError
from symloss.expr import KINDS, PI, Loss, Program, W, kind_of
from symloss.runs import generator

__all__ = [
    "HIDDEN", "Coefficients", "FormulaLoss", "LearnedLoss", "NeuralLoss", "TreeLoss", "packed", "single",
    "unpacked",
]  # fmt: skip

Coefficients = Mapping[str, Tensor]
Context = Mapping[str, Any]
HIDDEN = (50, 50)
"""Units of the hidden layers of ML3's network."""


def packed(coefficients: Coefficients) -> Tensor:
    """All coefficients in one vector, `[E]`, in the order of the mapping."""
    return torch.cat([each.reshape(-1) for each in coefficients.values()])


def unpacked(vector: Tensor, like: Coefficients) -> dict[str, Tensor]:
    """The coefficients in a vector, each of the shape that it has in `like`.

    >>> like = {"a": torch.zeros(2, 1), "b": torch.zeros(3)}
    >>> unpacked(torch.arange(5.0), like)["b"]
    tensor([2., 3., 4.])
    """
    parts = vector.split([each.numel() for each in like.values()])
    return {name: part.view_as(each) for (name, each), part in zip(like.items(), parts, strict=True)}


class LearnedLoss(ABC):
    """A loss of a batch as a function of its coefficients, differentiable in them and, twice, in the outputs.

    Whoever learns - unrolled differentiation, online adaptation - holds the coefficients and moves them; the loss is
    a value that never changes.

    Attributes:
        kind: of the loss.
    """

    kind: str

    @property
    @abstractmethod
    def coefficients(self) -> dict[str, Tensor]:
        """Where learning starts: tensors by name."""

    @abstractmethod
    def __call__(
        self, coefficients: Coefficients, outputs: Tensor, targets: Tensor, context: Context | None = None
    ) -> Tensor:
        """The loss of a batch, a scalar: entries summed over classes or averaged, as its kind has it.

        Args:
            coefficients: tensors of the names and shapes of `self.coefficients`.
            outputs: logits `[N, C]` or `[N, K]`, or predictions `[N]`.
            targets: class indices `[N]`, labels or numbers.
            context: what `pi` and `w` mean for this batch.
        """

    def output_gradient(
        self, coefficients: Coefficients, outputs: Tensor, targets: Tensor, context: Context | None = None
    ) -> Tensor:
        """`dL/dz`, of the shape of the outputs; no graph is left."""
        leaf = outputs.detach().requires_grad_()
        # Callers may stand under no_grad, as `tune` does.
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(self(coefficients, leaf, targets, context), leaf)
        return slope

    def coefficient_gradient(
        self,
        coefficients: Coefficients,
        outputs: Tensor,
        targets: Tensor,
        direction: Tensor,
        context: Context | None = None,
    ) -> dict[str, Tensor]:
        """`d/dphi <dL/dz, direction>`: what the one-step hypergradient takes of the loss alone."""
        leaf = outputs.detach().requires_grad_()
        phi = {name: each.detach().requires_grad_() for name, each in coefficients.items()}
        with torch.enable_grad():
            value = self(phi, leaf, targets, context)
            (slope,) = torch.autograd.grad(value, leaf, create_graph=True)
            found = torch.autograd.grad(
                (slope * direction).sum(), list(phi.values()), allow_unused=True, materialize_grads=True
            )
        return dict(zip(phi, found, strict=True))


@dataclass(frozen=True)
class TreeLoss(LearnedLoss):
    """An evolved tree, whose coefficients are those of its edges: `{"edges": [E]}`.

    Attributes:
        kind: of the loss.
        program: the tree.
        edges: where learning starts; ones unless given.

    >>> square = TreeLoss("regression", Program(("square", "sub", "y", "p")))
    >>> square(square.coefficients, torch.tensor([1.0, 2.0]), torch.tensor([0.0, 0.0]))
    tensor(2.5000)
    """

    kind: str
    program: Program
    edges: tuple[float, ...] | None = None

    @property
    def coefficients(self) -> dict[str, Tensor]:
        """See `LearnedLoss`."""
        return {"edges": torch.tensor((1.0,) * (self.program.size - 1) if self.edges is None else self.edges)}

    def __call__(
        self, coefficients: Coefficients, outputs: Tensor, targets: Tensor, context: Context | None = None
    ) -> Tensor:
        """See `LearnedLoss`."""
        return program_loss(self.program, self.kind, outputs, targets, coefficients["edges"], context)

    # Both by hand: autograd costs a tree more in bookkeeping than its arithmetic takes.
    def output_gradient(
        self, coefficients: Coefficients, outputs: Tensor, targets: Tensor, context: Context | None = None
    ) -> Tensor:
        """See `LearnedLoss`."""
        return output_gradient(self.program, self.kind, outputs, targets, coefficients["edges"], context)

    def coefficient_gradient(
        self,
        coefficients: Coefficients,
        outputs: Tensor,
        targets: Tensor,
        direction: Tensor,
        context: Context | None = None,
    ) -> dict[str, Tensor]:
        """See `LearnedLoss`."""
        edges = coefficients["edges"]
        found = coefficient_gradient(self.program, self.kind, outputs, targets, direction, edges, context)
        return {"edges": found}


@dataclass(frozen=True)
class FormulaLoss(LearnedLoss):
    """A formula with named coefficients, compiled: stable in the log domain.

    A coefficient of the zoo stays within its bounds: what is learned is the unbounded number behind it
    (`symloss.codegen.coefficients.Bounded`).

    Attributes:
        loss: the formula.

    >>> import symloss as sl
    >>> ace = FormulaLoss(sl.named("ace", phi1=1.3))
    >>> list(ace.coefficients), str(ace.to_loss(ace.coefficients))
    (['phi0', 'phi1'], 'y*abs(log(1.3*p))')
    """

    loss: Loss
    kind: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", self.loss.kind)

    @cached_property
    def _module(self) -> Any:
        return self.loss.to_torch(trainable=True)

    @property
    def coefficients(self) -> dict[str, Tensor]:
        """See `LearnedLoss`."""
        raw = self._module.coefficients
        return {name: getattr(raw, f"raw_{name}").detach().clone() for name in raw.names}

    def to_loss(self, coefficients: Coefficients) -> Loss:
        """The formula with these coefficients, to seven digits."""
        # A copy: the module is shared by all who hold this loss, and a loss never changes.
        bounded = copy.deepcopy(self._module.coefficients)
        bounded.load_state_dict({f"raw_{name}": each for name, each in coefficients.items()})
        values = {name: float(f"{value:.7g}") for name, value in bounded.values_now().items()}
        return self.loss.with_coefficients(**values)

    def __call__(
        self, coefficients: Coefficients, outputs: Tensor, targets: Tensor, context: Context | None = None
    ) -> Tensor:
        """See `LearnedLoss`."""
        symbols, known = self.loss.expr.free_symbols, context or {}
        told = {"w": known.get("w")} if W in symbols else {}
        if PI in symbols:
            told["priors"] = known.get("pi")
        raw = {f"coefficients.raw_{name}": each for name, each in coefficients.items()}
        # As arguments, not loaded into the module: gradients flow to the caller's tensors, and two callers do not
        # collide.
        value: Tensor = torch.func.functional_call(self._module, raw, (outputs, targets), told)
        return value


@dataclass(frozen=True)
class NeuralLoss(LearnedLoss):
    """A loss that is a network: `M(y, p) = factor * softplus(W3 relu(W2 relu(W1 (p, y))))`, no biases.

    It has no formula: what it says is found by distilling it. Its weights are numbers of single precision, so that
    JSON keeps them exactly.

    Attributes:
        kind: of the loss.
        weights: of all layers, row by row; where learning starts.
        hidden: units of the hidden layers.
        factor: what takes its scale out.

    Raises:
        DomainError: for another number of weights than the layers have, or one that is not finite.

    References:
        Bechtle et al., Meta learning via learned loss, 2021 (arXiv 1906.05374): ML3, layers of 50 and 50 units. How
        its weights start is not said there: here as torch's `Linear`, uniform within `1/sqrt(inputs)`.

    >>> loss = NeuralLoss.drawn("regression", seed=0)
    >>> loss.complexity, NeuralLoss.from_dict(loss.to_dict()) == loss
    (2650, True)
    """

    kind: str
    weights: tuple[float, ...] = field(repr=False)
    hidden: tuple[int, ...] = HIDDEN
    factor: float = 1.0

    def __post_init__(self) -> None:
        kind_of(self.kind)
        count = sum(out * into for out, into in self._shapes)
        if len(self.weights) != count:
            raise DomainError(f"{len(self.weights)} weights: expected {count} of layers {self._shapes}")
        if not self.finite:
            raise DomainError("a neural loss has weights that are not finite")

    @classmethod
    def drawn(cls, kind: str, seed: int, hidden: tuple[int, ...] = HIDDEN) -> NeuralLoss:
        """A fresh one; the same for the same seed on every machine."""
        draw = generator(seed, "network")
        layers = [draw.uniform(-1, 1, size=(out, into)) / math.sqrt(into) for out, into in _shapes_of(hidden)]
        return cls(kind, single(np.concatenate([layer.ravel() for layer in layers]).tolist()), hidden)

    @property
    def _shapes(self) -> list[tuple[int, int]]:
        return _shapes_of(self.hidden)

    @property
    def complexity(self) -> int:
        """The number of weights."""
        return len(self.weights)

    @property
    def finite(self) -> bool:
        """Whether every weight is."""
        return all(map(math.isfinite, (*self.weights, self.factor)))

    @property
    def coefficients(self) -> dict[str, Tensor]:
        """`{"layer1": [50, 2], "layer2": [50, 50], "layer3": [1, 50]}`."""
        return {name: each.clone() for name, each in self._start.items()}

    @cached_property
    def _start(self) -> dict[str, Tensor]:
        # For their shapes alone: `meta` takes no memory.
        like = {f"layer{i + 1}": torch.empty(shape, device="meta") for i, shape in enumerate(self._shapes)}
        return unpacked(torch.tensor(self.weights), like)

    def with_weights(self, weights: Sequence[float]) -> NeuralLoss:
        """The same network with other weights, to single precision."""
        return replace(self, weights=single(weights))

    def scaled(self, by: float) -> NeuralLoss:
        """The loss times a number."""
        return replace(self, factor=self.factor * by)

    def entries(self, coefficients: Coefficients, y: Tensor, p: Tensor) -> Tensor:
        """`M(y, p)` elementwise, of the shape of `p`."""
        *hidden, last = coefficients.values()
        h = torch.stack([p, y.expand_as(p)], -1)
        for layer in hidden:
            h = (h @ layer.mT).relu()
        return self.factor * F.softplus((h @ last.mT).squeeze(-1))

    def __call__(
        self, coefficients: Coefficients, outputs: Tensor, targets: Tensor, context: Context | None = None
    ) -> Tensor:
        """See `LearnedLoss`; a network has no input for `pi` and `w`."""
        p, y = entries_of(KINDS[self.kind], outputs, targets)
        # M(m) has one variable: (m, 1) keeps the network's two inputs, and the sign of the target enters through
        # m alone.
        if KINDS[self.kind].signed:
            p, y = y * p, torch.ones_like(p)  # the margin, and a 1 in place of the target
        return reduced(KINDS[self.kind], self.entries(coefficients, y, p))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` reads it back."""
        return {
            "type": "neural", "kind": self.kind, "inputs": ["p", "y"], "hidden": list(self.hidden),
            "factor": self.factor, "weights": list(self.weights),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NeuralLoss:
        """The loss that `to_dict` wrote.

        Raises:
            DomainError: for data that it does not write.
        """
        try:
            hidden = tuple(map(int, data["hidden"]))
            return cls(str(data["kind"]), single(data["weights"]), hidden, float(data["factor"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DomainError(f"no neural loss can be read: {type(error).__name__} {error}") from None


def _shapes_of(hidden: Sequence[int]) -> list[tuple[int, int]]:
    """`[out, in]` of every layer."""
    return [(out, into) for into, out in pairwise((2, *hidden, 1))]


def single(values: Sequence[float]) -> tuple[float, ...]:
    """The numbers in single precision, written with as few digits as bring them back.

    >>> single([0.1, 1 / 3])
    (0.1, 0.33333334)
    """
    # NumPy prints the shortest decimal that is read back as the same float32.
    return tuple(float(str(value)) for value in np.asarray(values, np.float32))
