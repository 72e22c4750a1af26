"""Passes through a model whose weights are given: outputs, and how they change along a direction."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

__all__ = ["Passes", "Tensors", "called", "gradients", "lacks_forward_mode"]

Tensors = dict[str, Tensor]
_NO_FORWARD_MODE = ("forward ad", "forward mode ad", "forward-mode", "forward grad", "jvp", "zerotensor")
"""What torch's errors say where an operation has no forward-mode derivative, or writes in place what has one."""


def called(model: nn.Module, inputs: Any) -> Tensor:
    """The outputs: a tuple is several positional inputs, a mapping named ones."""
    if isinstance(inputs, tuple):
        outputs: Tensor = model(*inputs)
    elif isinstance(inputs, Mapping):
        outputs = model(**inputs)
    else:
        outputs = model(inputs)
    return outputs


def lacks_forward_mode(error: Exception) -> bool:
    """Whether an error says that something in the model has no forward-mode derivative."""
    said = str(error).lower()
    return any(words in said for words in _NO_FORWARD_MODE)


class Passes:
    """The model as a function of its weights, at the random state and the buffers of now.

    Buffers are copied, so batch normalisation's statistics stay what they are; dropout repeats its masks in every
    pass.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        # The meta-gradient is that of one function of the weights: with other dropout masks, training pass and
        # tangent would be of two.
        self._state = torch.random.get_rng_state()
        self._gpus = {w.device: torch.cuda.get_rng_state(w.device) for w in model.parameters() if w.is_cuda}

    def __call__(self, weights: Mapping[str, Tensor], inputs: Any) -> Tensor:
        """The outputs with these weights."""
        buffers = {name: buffer.clone() for name, buffer in self.buffers.items()}
        positional = inputs if isinstance(inputs, tuple) else () if isinstance(inputs, Mapping) else (inputs,)
        named = dict(inputs) if isinstance(inputs, Mapping) else {}
        with self._repeated():
            outputs: Tensor = torch.func.functional_call(
                self.model, {**weights, **buffers}, positional, named
            )
        return outputs

    def tangent(
        self,
        weights: Mapping[str, Tensor],
        directions: Mapping[str, Tensor],
        inputs: Any,
        *,
        forward_mode: bool = True,
    ) -> tuple[Tensor, str]:
        """How the outputs change as the weights move along `directions`, and by which method it was found.

        By one forward-mode pass, which keeps no activations; where the model has an operation without, by two reverse
        passes: with `g(u) = J^T u`, which is linear, `J v` is the gradient of `<g(u), v>` in `u`.

        Args:
            weights: of the model, by name.
            directions: of some of them; the others do not move.
            inputs: of the pass.
            forward_mode: whether to try it: no, where it is known that the model has none.
        """
        if forward_mode:
            try:
                return self._forward(weights, directions, inputs), "forward mode"
            except (RuntimeError, NotImplementedError) as error:
                # A user's own error (a wrong shape, no memory) must not be hidden by a second attempt.
                if not lacks_forward_mode(error):
                    raise
        return self._twice_reverse(weights, directions, inputs), "unrolled"

    def _forward(
        self, weights: Mapping[str, Tensor], directions: Mapping[str, Tensor], inputs: Any
    ) -> Tensor:
        with warnings.catch_warnings(), torch.no_grad(), forward_ad.dual_level():
            # torch fills its forward-mode table with torch.jit.script, which it has itself deprecated.
            warnings.filterwarnings("ignore", message=".*torch.jit.script", category=FutureWarning)
            duals = {
                name: forward_ad.make_dual(weight.detach(), directions[name])
                if name in directions
                else weight
                for name, weight in weights.items()
            }
            # None where the outputs depend on no weight that moves.
            primal, tangent = forward_ad.unpack_dual(self(duals, inputs))
        return torch.zeros_like(primal) if tangent is None else tangent.detach()

    def _twice_reverse(
        self, weights: Mapping[str, Tensor], directions: Mapping[str, Tensor], inputs: Any
    ) -> Tensor:
        leaves = {
            name: weight.detach().clone().requires_grad_(name in directions)
            for name, weight in weights.items()
        }
        with torch.enable_grad():
            outputs = self(leaves, inputs)
            # At zero, or anywhere: g is linear in u. Only the graph from u to g(u) matters.
            u = torch.zeros_like(outputs, requires_grad=True)
            names = list(directions)
            pulled = torch.autograd.grad(
                outputs, [leaves[name] for name in names], u, create_graph=True, materialize_grads=True,
                allow_unused=True,
            )  # fmt: skip
            (found,) = torch.autograd.grad(
                pulled, u, [directions[name] for name in names], allow_unused=True, materialize_grads=True
            )
        return found.detach()

    @contextmanager
    def _repeated(self) -> Iterator[None]:
        """torch's global generators as they were, and afterwards as they are."""
        now = torch.random.get_rng_state()
        gpus = {gpu: torch.cuda.get_rng_state(gpu) for gpu in self._gpus}
        torch.random.set_rng_state(self._state)
        for gpu, state in self._gpus.items():
            torch.cuda.set_rng_state(state, gpu)
        try:
            yield
        finally:
            torch.random.set_rng_state(now)
            for gpu, state in gpus.items():
                torch.cuda.set_rng_state(state, gpu)


def gradients(value: Tensor, weights: Mapping[str, Tensor], create_graph: bool = False) -> Tensors:
    """The gradient in each weight; zeros where the value does not depend on it."""
    if not value.requires_grad:
        return {name: torch.zeros_like(weight) for name, weight in weights.items()}
    found = torch.autograd.grad(
        value, list(weights.values()), create_graph=create_graph, allow_unused=True, materialize_grads=True
    )
    return dict(zip(weights, found, strict=True))
