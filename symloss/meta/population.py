"""Many models trained at once, each with its own loss, from one start over the same batches."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from symloss.codegen.interpret import Context, output_gradient, program_loss
from symloss.expr import Program
from symloss.meta.dense import Dense, Weights, dense_layers, weights_of
from symloss.tasks import InContext, SupervisedTask, TrainingSettings

__all__ = ["fit_population"]


def fit_population(
    programs: Sequence[Program],
    coefs: Sequence[Tensor],
    task: SupervisedTask,
    *,
    seed: int,
    settings: TrainingSettings | None = None,
) -> list[nn.Module]:
    """For each tree the model that `task.fit` would train with it, but for rounding.

    Perceptrons are trained together in batched products; any other model alone, one after the other. A model
    that diverges is returned as it is and disturbs no other.

    Args:
        programs: the losses.
        coefs: their coefficients, one an edge.
        task: model, data and optimiser.
        seed: of the one start and the order of the batches.
        settings: those of the task unless given.
    """
    chosen = settings or task.settings
    start = task.build_model(seed)
    layers = dense_layers(start)
    if layers is None or not programs:
        return [_fit_alone(*pair, task, seed, chosen) for pair in zip(programs, coefs, strict=True)]
    count = len(programs)
    weights = [(w.repeat(count, 1, 1), b.repeat(count, 1)) for w, b in weights_of(layers)]
    trained = _train(programs, coefs, weights, task, seed, chosen)
    models = [copy.deepcopy(start) for _ in programs]
    with torch.no_grad():
        for i, model in enumerate(models):
            for layer, (matrix, bias) in zip(dense_layers(model) or [], trained, strict=True):
                layer.weight.copy_(matrix[i])
                layer.bias.copy_(bias[i])
    return models


@torch.no_grad()
def _train(
    programs: Sequence[Program],
    coefs: Sequence[Tensor],
    weights: Weights,
    task: SupervisedTask,
    seed: int,
    settings: TrainingSettings,
) -> Weights:
    """SGD as torch has it: decay into the gradient, momentum, Nesterov's look-ahead."""
    kind = task.kind
    places = task.batches(seed, settings.steps, settings.batch_size)
    dense = Dense(scalar=kind == "regression")
    flat = [part for layer in weights for part in layer]
    speeds: list[Tensor] | None = None
    rate = settings.learning_rate
    for step, (inputs, targets) in enumerate(task.minibatches(seed, settings.steps, settings.batch_size)):
        rate *= 0.1 ** settings.milestones.count(step)
        activations = dense.forward(weights, inputs)
        context = task.context(places[step])
        slopes = [
            output_gradient(program, kind, outputs, targets, phi, context)
            for program, phi, outputs in zip(programs, coefs, activations.outputs, strict=True)
        ]
        found = dense.backward(weights, activations, torch.stack(slopes))
        gradients = [part for layer in found for part in layer]
        torch._foreach_add_(gradients, flat, alpha=settings.weight_decay)
        if settings.momentum:
            if speeds is None:
                speeds = [gradient.clone() for gradient in gradients]
            else:
                torch._foreach_mul_(speeds, settings.momentum)
                torch._foreach_add_(speeds, gradients)
            if settings.nesterov:
                torch._foreach_add_(gradients, speeds, alpha=settings.momentum)
            else:
                gradients = speeds
        torch._foreach_add_(flat, gradients, alpha=-rate)
    return weights


def _fit_alone(
    program: Program, coefs: Tensor, task: SupervisedTask, seed: int, settings: TrainingSettings
) -> nn.Module:
    def loss(outputs: Tensor, targets: Tensor, context: Context) -> Tensor:
        return program_loss(program, task.kind, outputs, targets, coefs, context)

    return task.fit(InContext(loss), seed=seed, settings=settings)
