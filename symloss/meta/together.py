"""Perceptrons of one shape trained side by side: each with its own loss, data, start and learning rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from symloss.codegen.trees.forest import Forest
from symloss.errors import SymlossError
from symloss.expr import Program
from symloss.meta.dense import Dense, Weights, dense_layers, weights_of
from symloss.meta.learned_loss import LearnedLoss
from symloss.tasks import SupervisedTask, TrainingSettings

__all__ = ["Member", "Visit", "train_together"]

Visit = Callable[[int, int, nn.Module], object]
"""Called as `visit(i, step, model)` when member i has taken a number of steps at which it stops; the model is
lent until the call returns."""
_Key = tuple[object, ...]
_Batch = tuple[Tensor, Tensor, Tensor | None]


@dataclass(frozen=True)
class Member:
    """One model to train, and when to look at it.

    Attributes:
        program, edges: the loss, a tree and its coefficients, one an edge.
        task: data, model and optimiser; members of one block share its task, and so its batches.
        seed: of start and batch order.
        rate: times the task's learning rate.
        stops: numbers of steps after which it is looked at, ascending; the task's own number unless given.
        loss: a loss that is no tree, in place of one; see `of`.

    Raises:
        SymlossError: for another number of coefficients than the tree has edges, or stops out of order.
    """

    program: Program
    edges: tuple[float, ...]
    task: SupervisedTask
    seed: int
    rate: float = 1.0
    stops: tuple[int, ...] | None = None
    loss: LearnedLoss | None = None

    @classmethod
    def of(cls, loss: LearnedLoss, task: SupervisedTask, seed: int, **how: Any) -> Member:
        """One that is trained with any loss at its own coefficients, alone."""
        return cls(Program(("p",)), (), task, seed, loss=loss, **how)

    def __post_init__(self) -> None:
        if len(self.edges) != self.program.size - 1:
            raise SymlossError(
                f"{len(self.edges)} edges: expected {self.program.size - 1}, one an edge of the tree"
            )
        if not self.looks or list(self.looks) != sorted({stop for stop in self.looks if stop >= 0}):
            raise SymlossError(f"stops are {self.stops}: expected ascending numbers of steps, at least one")

    @property
    def looks(self) -> tuple[int, ...]:
        """The numbers of steps after which it is looked at."""
        return (self.task.settings.steps,) if self.stops is None else self.stops

    @property
    def settings(self) -> TrainingSettings:
        """How it is trained: to its last stop."""
        own = self.task.settings
        return replace(own, learning_rate=own.learning_rate * self.rate, steps=self.looks[-1])


@torch.no_grad()
def train_together(members: Sequence[Member], starts: Sequence[nn.Module], visit: Visit) -> None:
    """Trains perceptrons of the same layers, batch size and momentum as `task.fit` would each, but for rounding.

    On a CPU what is found for a member depends, to the last bit, on that member alone. One whose weights are no
    longer finite disturbs no other; it is visited once more, and left out from there.

    Args:
        members: whom to train.
        starts: for each a model as it is before the first step; its weights are overwritten.
        visit: called at every stop of every member.
    """
    crew = _Crew(members, starts)
    for step in range(max(m.settings.steps for m in members) + 1):
        if step:
            crew.move(step)
        if any(step in members[i].looks for i in crew.here):
            crew.look(step, visit)
            if not crew.here:
                return


class _Crew:
    """The members that are still trained, with their weights and speeds."""

    def __init__(self, members: Sequence[Member], starts: Sequence[nn.Module]) -> None:
        self.here = _at_least_two(range(len(members)))
        self._members, self._models = members, starts
        own = [_flat(weights_of(dense_layers(starts[i]) or [])) for i in self.here]
        self._weights = [torch.stack(parts) for parts in zip(*own, strict=True)]
        self._speeds: list[Tensor] | None = None
        self._rates = [member.settings.learning_rate for member in members]
        self._milestones = {step for member in members for step in member.settings.milestones}
        self._steps = max(member.settings.steps for member in members)
        self._weighted = any("w" in m.program.tokens and m.task.train.w is not None for m in members)
        self._streams: dict[_Key, _Stream] = {}
        self._settle()

    def _settle(self) -> None:
        """Everything that depends on which members are still trained: batches, losses, learning rates."""
        members = [self._members[i] for i in self.here]
        self._dense = Dense(members[0].task.classes is None, reuse=True, paired=members[0].task.paired)
        keys = [_stream_key(member) for member in members]
        self._streams = {
            # Streams go on where they are when others leave: a member's batches must not depend on who stays.
            key: self._streams[key] if key in self._streams else _Stream(member, self._steps)
            for key, member in zip(keys, members, strict=True)
        }
        order = {key: place for place, key in enumerate(self._streams)}
        self._whose = torch.tensor([order[key] for key in keys], device=members[0].task.device)
        self._forest = Forest(
            [(m.program, m.edges) for m in members],
            members[0].task.kind,
            members[0].task.classes,
            [m.task.priors for m in members],
        )
        self._slow_down()

    def _slow_down(self) -> None:
        """The learning rates as the update needs them: `-rate`, of shape `[n, 1, ...]`."""
        rates = torch.tensor([-self._rates[i] for i in self.here], device=self._weights[0].device)
        self._against = [rates.view(-1, *[1] * (part.dim() - 1)) for part in self._weights]

    def _draw(self) -> _Batch:
        """A batch, `[B, ...]` where all see the same and `[n, B, ...]` otherwise."""
        drawn = [stream.draw(self._weighted) for stream in self._streams.values()]
        if len(drawn) == 1:
            return drawn[0]
        inputs, targets, weights = zip(*drawn, strict=True)
        return (
            self._spread(inputs),
            self._spread(targets),
            self._spread(weights) if self._weighted else None,
        )

    def _spread(self, drawn: Sequence[Tensor]) -> Tensor:
        together = torch.stack(list(drawn))
        return together if len(drawn) == len(self.here) else together.index_select(0, self._whose)

    def move(self, step: int) -> None:
        """One step of SGD as torch has it: decay into the gradient, momentum, Nesterov's look-ahead."""
        # MultiStepLR lowers the rate after the step of a milestone, so the next one is the first that feels it.
        if step - 1 in self._milestones:
            # A set: a member that is here twice has one rate.
            for i in set(self.here):
                self._rates[i] *= 0.1 ** self._members[i].settings.milestones.count(step - 1)
            self._slow_down()
        settings = self._members[self.here[0]].settings
        inputs, targets, w = self._draw()
        layers = list(zip(self._weights[::2], self._weights[1::2], strict=True))
        activations = self._dense.forward(layers, inputs)
        slopes = self._forest.output_gradients(activations.outputs, targets, w)
        gradients = _flat(self._dense.backward(layers, activations, slopes))
        # One kernel for all layers: a small model spends more time on calls than on numbers.
        torch._foreach_add_(gradients, self._weights, alpha=settings.weight_decay)
        if settings.momentum:
            if self._speeds is None:
                self._speeds = [gradient.clone() for gradient in gradients]
            else:
                torch._foreach_mul_(self._speeds, settings.momentum)
                torch._foreach_add_(self._speeds, gradients)
            if settings.nesterov:
                torch._foreach_add_(gradients, self._speeds, alpha=settings.momentum)
            else:
                gradients = self._speeds
        for weight, gradient, against in zip(self._weights, gradients, self._against, strict=True):
            weight.addcmul_(gradient, against)

    def look(self, step: int, visit: Visit) -> None:
        """Visits every member that stops at this step, and drops those that are finished or have diverged."""
        # Looked at only where someone stops: a check at every step would wait for the device each time. Products
        # are batched over members, so NaN stays with its owner.
        sound = torch.stack([part.flatten(1).isfinite().all(1) for part in self._weights]).all(0).tolist()
        stay = []
        for place, i in enumerate(self.here):
            stops = self._members[i].looks
            # The twin of `_at_least_two`: the same member, shown once.
            if place and self.here[place - 1] == i:
                continue
            if step in stops or not sound[place]:
                visit(i, step, self._model(i, place))
            if sound[place] and step < stops[-1]:
                stay.append(place)
        if len(stay) == len(set(self.here)):
            return
        stay = _at_least_two(stay)
        self.here = [self.here[place] for place in stay]
        if stay:
            kept = torch.tensor(stay, device=self._weights[0].device)
            self._weights = [part[kept] for part in self._weights]
            self._speeds = self._speeds and [part[kept] for part in self._speeds]
            self._settle()

    def _model(self, i: int, place: int) -> nn.Module:
        own = _flat(weights_of(dense_layers(self._models[i]) or []))
        for parameter, parts in zip(own, self._weights, strict=True):
            parameter.copy_(parts[place])
        return self._models[i]


def _at_least_two(places: Sequence[int]) -> list[int]:
    """A member that is left alone goes on twice: for one pair of matrices torch has other code, which may round
    otherwise, than for several, and then it would matter who is trained beside it."""
    return [*places, *places] if len(places) == 1 else list(places)


class _Stream:
    """The batches of members that share data and seed, drawn once for all of them."""

    def __init__(self, member: Member, steps: int) -> None:
        self._task, order = member.task, (member.seed, steps, member.settings.batch_size)
        self._batches = self._task.minibatches(*order)
        self._rows = iter(self._task.batches(*order))

    def draw(self, weighted: bool) -> _Batch:
        # Both iterators are drawn, used or not, so that rows and batches stay in step.
        inputs, targets = next(self._batches)
        rows = next(self._rows)
        if not weighted:
            return inputs.flatten(1), targets, None
        ones = torch.ones(len(rows), device=inputs.device)
        return inputs.flatten(1), targets, self._task.context(rows).get("w", ones)


def _stream_key(member: Member) -> _Key:
    return id(member.task.train), member.seed, member.task.augment


def _flat(weights: Weights) -> list[Tensor]:
    return [part for layer in weights for part in layer]
