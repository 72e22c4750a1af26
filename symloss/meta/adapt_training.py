"""Training a task's model with a loss that adapts, or along the recorded path of its coefficients."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from symloss.errors import DomainError, TaskError
from symloss.meta.adapt import AdaptiveLoss
from symloss.meta.learned_loss import LearnedLoss, packed, unpacked
from symloss.meta.tune import learn
from symloss.runs import derive
from symloss.tasks import SupervisedTask, Task
from symloss.tasks.train.loop import seeded

__all__ = ["META_ROWS", "Trained", "adapt_model", "differentiable", "offline", "train_along"]

META_ROWS = ("validation", "training")
"""Where the batches of the meta-objective come from."""
Look = Callable[[int, nn.Module, Tensor], object]
"""Called as `look(step, model, coefficients)` at the steps that are looked at; the model is lent."""


@dataclass(frozen=True)
class Trained:
    """What a training came to.

    Attributes:
        model: at its end; of a training that diverged, as it stands.
        path: the coefficients that each step was taken with, float32 `[steps, E]`.
        end: the coefficients after the last step, float64 `[E]`.
        diverged: why it stopped, with the step, or `""`.
    """

    model: nn.Module
    path: Tensor
    end: Tensor
    diverged: str = ""


class Scheduled(Protocol):
    """Whatever changes an optimiser's rate."""

    def step(self) -> None:
        """After each step."""


def differentiable(task: Task) -> SupervisedTask:
    """The task, if a loss can adapt on it.

    Raises:
        TaskError: for one that somebody else trains, or without validation rows.
    """
    if not isinstance(task, SupervisedTask):
        raise TaskError(
            f"{task.name} is trained by a function, through which no gradient passes: use sl.AdaptiveLoss in it"
        )
    if not len(task.val):
        raise TaskError(f"{task.name} has no validation rows for a loss to adapt by: hold some out")
    return task


def offline(loss: LearnedLoss, task: SupervisedTask, *, seed: int, steps: int, eta: float = 1e-3) -> Tensor:
    """Coefficients after offline initialisation, packed, `[E]`: one-step meta-gradients, the model fresh each time.

    Args:
        loss: where it begins.
        task: its training rows take the step, its validation rows the meta-objective.
        seed: of models and batches.
        steps: how many; 2,500 as published.
        eta: of Adam.

    Raises:
        DomainError: where it diverges, which a smaller rate may cure.
    """
    if not steps:
        return packed(loss.coefficients).double()
    (tuned,) = learn([loss], [task], seed=seed, steps=steps, eta=eta)
    if tuned.reason:
        raise DomainError(
            f"offline initialisation diverged: {tuned.reason}; take fewer steps, or a smaller rate"
        )
    return tuned.coefficients.double()


def adapt_model(
    task: SupervisedTask,
    adaptive: AdaptiveLoss,
    *,
    seed: int,
    meta_rows: str = META_ROWS[0],
    looks: Sequence[int] = (),
    look: Look | None = None,
) -> Trained:
    """Trains a task's model and the loss in lockstep, by the task's optimiser and schedule.

    The same seed gives the start and the training batches of `task.fit`. Training ends where it diverges.

    Args:
        task: its `meta_loss` is the objective.
        adaptive: changed in place.
        seed: of start and batches.
        meta_rows: `"validation"` or `"training"` rows for the objective.
        looks: steps after which to look, 0 for the start.
        look: see `Look`.
    """
    if meta_rows not in META_ROWS:
        raise DomainError(f"meta rows {meta_rows!r}: expected {' or '.join(META_ROWS)}")
    part = "val" if meta_rows == META_ROWS[0] else "train"
    steps = task.settings.steps
    # A stream of its own: from training rows too the meta batch must not be the training batch.
    meta = task.minibatches(derive(seed, "adapting"), steps, split=part)
    path: list[Tensor] = []

    def move(number: int, model: nn.Module, optimizer: torch.optim.Optimizer, batch: tuple[Any, ...]) -> str:
        # Before the step: replaying the path must give each step the coefficients that it was taken with.
        path.append(packed(adaptive.coefficients).float())
        return adaptive.step(model, optimizer, batch, next(meta)).diverged

    def phi() -> Tensor:
        return packed(adaptive.coefficients)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="training diverged")  # it is in what is returned
        model, diverged = _train(task, seed, move, False, looks, look, phi)
    return Trained(model, torch.stack(path) if path else phi().float()[None], phi(), diverged)


def train_along(
    task: SupervisedTask,
    loss: LearnedLoss,
    path: Tensor,
    *,
    seed: int,
    cosine: bool = False,
    looks: Sequence[int] = (),
    look: Look | None = None,
) -> Trained:
    """Trains a task's model by coefficients that are given: a path that is replayed, or a loss held fixed.

    Args:
        task: with its settings.
        loss: of these coefficients.
        path: of each step, `[steps, E]`; the last row goes on where steps are more.
        seed: of start and batches.
        cosine: whether the learning rate falls to 0 along a half cosine, in place of the task's milestones.
        looks, look: see `adapt_model`.
    """
    like = loss.coefficients
    path = path.to(task.device)

    def move(number: int, model: nn.Module, optimizer: torch.optim.Optimizer, batch: tuple[Any, ...]) -> str:
        inputs, targets, context = batch
        outputs = model(inputs)
        phi = unpacked(path[min(number, len(path)) - 1].to(outputs), like)
        value = loss(phi, outputs, targets, context)
        if not value.requires_grad or not math.isfinite(float(value.detach())):
            return "the loss of the training batch is not finite, or does not depend on the outputs"
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        return ""

    def phi() -> Tensor:
        return path[-1].double()

    model, diverged = _train(task, seed, move, cosine, looks, look, phi)
    return Trained(model, path, phi(), diverged)


def _train(
    task: SupervisedTask,
    seed: int,
    move: Callable[[int, nn.Module, torch.optim.Optimizer, tuple[Any, ...]], str],
    cosine: bool,
    looks: Sequence[int],
    look: Look | None,
    phi: Callable[[], Tensor],
) -> tuple[nn.Module, str]:
    """The loop that both share; the batches are those of `task.fit`."""
    settings = task.settings
    model = task.build_model(seed)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=settings.learning_rate, momentum=settings.momentum,
        nesterov=settings.nesterov and settings.momentum > 0, weight_decay=settings.weight_decay,
    )  # fmt: skip
    schedule: Scheduled
    if cosine:
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, settings.steps))
    else:
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(settings.milestones), gamma=0.1)
    batches = task.minibatches(seed, settings.steps)
    places = task.batches(seed, settings.steps)
    model.train()
    if look is not None and 0 in looks:
        look(0, model, phi())
    with seeded(seed):
        for number, (inputs, targets) in enumerate(batches, start=1):
            context = task.context(places[number - 1])
            reason = move(number, model, optimizer, (inputs, targets, context))
            if reason:
                return model, f"step {number}: {reason}"
            schedule.step()
            if look is not None and number in looks:
                look(number, model, phi())
    return model, ""
