"""The training loop, and how a trained model is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from symloss.errors import TaskError
from symloss.tasks.train.settings import TrainingSettings

__all__ = ["InstanceLoss", "StepHook", "batch_order", "output_shape", "predict", "seeded", "train"]

InstanceLoss = Callable[[Tensor, Tensor], Tensor]
StepHook = Callable[[int, nn.Module], object]
_ROWS_AT_ONCE = 4096
_NUMBERS_AT_ONCE = 2**20
"""Of images, 341 of 3 x 32 x 32: a wide residual network makes a hundred numbers of each that it is given."""
T = TypeVar("T")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch's global generators seeded inside and as before outside."""
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(seed % 2**63)
            yield
        return
    # Without an accelerator `manual_seed` costs more than a small model: it notes, with a traceback, what to
    # do should there be one later.
    state = torch.random.get_rng_state()
    torch.default_generator.manual_seed(seed % 2**63)
    try:
        yield
    finally:
        torch.random.set_rng_state(state)


def batch_order(count: int, seed: int, steps: int, batch_size: int) -> Tensor:
    """Row indices of each step, `[steps, batch]`: each epoch a permutation, incomplete batches dropped.

    It depends on its arguments alone, so all candidates of a search see the same batches in one order.

    >>> batch_order(4, seed=0, steps=4, batch_size=2).view(2, 4).sort(1).values.tolist()
    [[0, 1, 2, 3], [0, 1, 2, 3]]
    """
    generator = torch.Generator().manual_seed(seed % 2**63)
    batch = min(batch_size, count)
    # Equal batches: a step on a remainder of a few rows would weigh as much as a full one, and batch
    # normalisation of vectors cannot train on a single row.
    epoch = count // batch
    epochs = [
        torch.randperm(count, generator=generator)[: epoch * batch].view(epoch, batch)
        for _ in range(-(-steps // epoch))
    ]
    return torch.cat(epochs)[:steps] if epochs else torch.empty(0, batch, dtype=torch.int64)


def train(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor, T], Tensor],
    batches: Iterable[tuple[Tensor, Tensor, T]],
    settings: TrainingSettings,
    on_step: StepHook | None = None,
) -> nn.Module:
    """The model trained in place by SGD on batches `(inputs, targets, context)`.

    Divergence is no error: training ends when the weights are no longer finite, or at once when the loss
    does not depend on the outputs. `on_step(step, model)` is called after each step, from 1; when it
    returns False, training ends.
    """
    optimiser = torch.optim.SGD(
        model.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        # torch refuses Nesterov without momentum.
        nesterov=settings.nesterov and settings.momentum > 0,
        weight_decay=settings.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, list(settings.milestones), gamma=0.1)
    model.train()
    for step, (inputs, targets, context) in enumerate(batches, start=1):
        value = loss(model(inputs), targets, context)
        if not value.requires_grad:
            break
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()
        if settings.milestones:
            schedule.step()
        # An infinite loss may have finite gradients and recover, so the weights decide. They are looked at only when
        # the loss is not finite, as weights that are not finite nearly always make it one step later: ordinary steps
        # stay cheap.
        if not bool(torch.isfinite(value)) and not all(
            bool(torch.isfinite(weight).all()) for weight in model.parameters()
        ):
            break
        if on_step is not None and on_step(step, model) is False:
            break
    return model


def predict(model: nn.Module, inputs: Tensor) -> Tensor:
    """Outputs for all rows, in evaluation mode and without gradients; the mode is restored."""
    was_training = model.training
    rows_at_once = min(_ROWS_AT_ONCE, max(1, _NUMBERS_AT_ONCE // inputs.shape[1:].numel()))
    model.eval()
    with torch.no_grad():
        outputs = torch.cat([model(rows) for rows in inputs.split(rows_at_once)])
    model.train(was_training)
    return outputs


def output_shape(model: nn.Module, inputs: Tensor) -> tuple[int, ...]:
    """The shape of the model's outputs for these rows.

    Raises:
        TaskError: when the model fails on them.
    """
    try:
        return tuple(predict(model, inputs).shape)
    except (RuntimeError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise TaskError(f"the model fails on inputs of shape {tuple(inputs.shape)}: {reason}") from error
