"""Many models trained at once, each with its own loss, data, start and learning rate."""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from symloss.codegen.trees.interpret import Context, program_loss
from symloss.expr import Program
from symloss.meta.dense import dense_layers
from symloss.meta.together import Member, Visit, train_together
from symloss.tasks import InContext, SupervisedTask, TrainingSettings

__all__ = ["fit_population", "train_members", "visit_members"]

_TOGETHER = 32
"""Members trained in one go at most: more gain nothing and leave the processor's cache."""


def train_members(
    members: Sequence[Member], splits: Sequence[str] = ("val",)
) -> list[dict[str, list[float]]]:
    """For each member and part of its data the metric after each number of steps at which it stops.

    NaN from where training diverged. The parts are measured on the same model; a test part is counted in the
    task's `test_evaluations`. Perceptrons are trained together in batched products, any other model alone; a
    perceptron's numbers do not depend on who is trained beside it.

    Args:
        members: whom to train: any tasks, losses, seeds, rates and stops.
        splits: of `"train"`, `"val"` and `"test"`, those that are measured.

    >>> from symloss.tasks import load_task
    >>> task, square = load_task("diabetes"), Program(("square", "sub", "y", "p"))
    >>> slow, fast = (Member(square, (1, 1, 1), task, seed=0, rate=r, stops=(5, 20)) for r in (0.1, 1))
    >>> first, second = train_members([slow, fast])
    >>> first["val"][1] > second["val"][1]
    True
    """
    # NaN first: a member that diverges is not shown at its later stops.
    curves = [{split: [math.nan] * len(member.looks) for split in splits} for member in members]

    def measure(i: int, step: int, model: nn.Module) -> None:
        member = members[i]
        if step not in member.looks:
            return
        for split in splits:
            value = member.task.evaluate(model, split)[member.task.metric]
            curves[i][split][member.looks.index(step)] = value

    visit_members(members, measure)
    return curves


def fit_population(
    programs: Sequence[Program],
    coefs: Sequence[Tensor],
    task: SupervisedTask,
    *,
    seed: int,
    settings: TrainingSettings | None = None,
) -> list[nn.Module]:
    """For each tree the model that `task.fit` would train with it, but for rounding.

    A model that diverges is returned as it is and disturbs no other.

    Args:
        programs: the losses.
        coefs: their coefficients, one an edge.
        task: model, data and optimiser.
        seed: of the one start and the order of the batches.
        settings: those of the task unless given.
    """
    if settings is not None:
        task = task.with_settings(**vars(settings))
    members = [
        Member(program, tuple(phi.tolist()), task, seed) for program, phi in zip(programs, coefs, strict=True)
    ]
    models: dict[int, nn.Module] = {}

    def keep(i: int, step: int, model: nn.Module) -> None:
        # The model is lent: its weights are overwritten for the next member.
        models[i] = copy.deepcopy(model)

    visit_members(members, keep)
    return [models[i] for i in range(len(members))]


def visit_members(members: Sequence[Member], visit: Visit) -> None:
    """Trains members, and shows each where it stops; see `train_members`.

    Args:
        members: whom to train.
        visit: called as `visit(i, step, model)` when member `i` has taken a number of steps at which it stops, and
            once more, at another number, where its weights are no longer finite; the model is lent until it returns.
    """
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    starts: dict[tuple[object, ...], nn.Module] = {}
    for i, member in enumerate(members):
        key = _start(member)
        if key not in starts:
            starts[key] = member.task.build_model(member.seed)
        layers = dense_layers(starts[key]) if member.loss is None else None
        if layers is None:
            _train_alone(i, member, visit)
        else:
            task, settings = member.task, member.settings
            # All that must agree for one batched product: kind, layers, rows a batch, and momentum and decay,
            # which are one number for all. Learning rates, milestones, data and losses may differ.
            rows = min(settings.batch_size, len(task.train))
            sizes = (task.classes, *(layer.weight.shape for layer in layers))
            rules = settings.momentum, settings.nesterov, settings.weight_decay
            groups[task.kind, task.paired, sizes, rows, rules, task.device].append(i)
    for group in groups.values():
        # Equal trees stand side by side: what they do alike is then done on adjacent rows.
        group.sort(key=lambda i: members[i].program.tokens)
        for low in range(0, len(group), _TOGETHER):
            chosen = group[low : low + _TOGETHER]
            train_together(
                [members[i] for i in chosen],
                [copy.deepcopy(starts[_start(members[i])]) for i in chosen],
                partial(_visit_as, chosen, visit),
            )


def _start(member: Member) -> tuple[object, ...]:
    """What decides the weights that training starts from."""
    # By identity, as factories are any functions; the members keep theirs alive, so no id is used twice.
    return id(member.task.factory), member.seed, member.task.device


def _visit_as(names: Sequence[int], visit: Visit, place: int, step: int, model: nn.Module) -> None:
    visit(names[place], step, model)


def _train_alone(i: int, member: Member, visit: Visit) -> None:
    task, stops, settings = member.task, member.looks, member.settings
    visited: set[int] = set()

    def look(step: int, model: nn.Module) -> None:
        if step in stops:
            visited.add(step)
            visit(i, step, model)

    # `fit` calls after each step, from 1: the start is shown here.
    if 0 in stops:
        look(0, task.build_model(member.seed))
    model = task.fit(_function(member), seed=member.seed, settings=settings, on_step=look)
    if stops and settings.steps not in visited:
        look(settings.steps, model)  # it diverged on the way


def _function(member: Member) -> InContext:
    kind, learned = member.task.kind, member.loss
    if learned is not None:
        phi = {name: each.to(member.task.device) for name, each in learned.coefficients.items()}
        return InContext(lambda outputs, targets, context: learned(phi, outputs, targets, context))
    coefs = torch.tensor(member.edges, dtype=torch.float32, device=member.task.device)

    def loss(outputs: Tensor, targets: Tensor, context: Context) -> Tensor:
        return program_loss(member.program, kind, outputs, targets, coefs, context)

    return InContext(loss)
