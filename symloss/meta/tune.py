"""Coefficient tuning by unrolled differentiation, a chunk of candidates at a time.

Each meta-step starts from fresh weights, the same for all candidates, takes one inner step with every
candidate's loss, measures the task's loss on a validation batch and moves the coefficients by Adam
(EvoMAL, arXiv 2209.08907, algorithm 2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from symloss.expr import Program
from symloss.meta.dense import Dense, Weights, dense_layers, moved, weights_of
from symloss.meta.hypergradient import inner_factor, one_step_hypergradient
from symloss.meta.inner import Adam
from symloss.meta.learned_loss import Coefficients, LearnedLoss, TreeLoss, packed, unpacked
from symloss.runs import derive
from symloss.tasks import SupervisedTask, Task
from symloss.tasks.train.loop import seeded

__all__ = ["SPREAD", "Tuned", "drawn", "initial_coefficients", "learn", "tune"]

SPREAD = 1e-3
"""Standard deviation of the coefficients' start about 1."""
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Tuned:
    """The coefficients a candidate ends with.

    Attributes:
        coefficients: of a tree one an edge, `[size - 1]`; of any loss all in one vector (`packed`).
        reason: why they are not tuned, or "".
        method: how meta-gradients were taken: `"batched"`, `"forward mode"`, `"unrolled"` or `"none"`.
    """

    coefficients: Tensor
    reason: str = ""
    method: str = "batched"

    @property
    def finite(self) -> bool:
        """Whether tuning has stayed finite."""
        return not self.reason


def initial_coefficients(program: Program, seed: int, spread: float = SPREAD) -> Tensor:
    """Where tuning starts: `N(1, spread)`, drawn from the seed and the tree alone, `[size - 1]`."""
    return 1 + spread * drawn(program.size - 1, seed, program)


def drawn(count: int, seed: int, program: Program) -> Tensor:
    """Standard normal numbers, `[count]`, from the seed and the tree alone."""
    generator = torch.Generator().manual_seed(derive(seed, "coefficients", *program.tokens))
    return torch.randn(count, generator=generator)


def tune(
    programs: Sequence[Program],
    task: Task | Sequence[Task],
    *,
    seed: int,
    steps: int = 250,
    eta: float = 1e-3,
    near: Sequence[Sequence[float]] | None = None,
) -> list[Tuned]:
    """The coefficients of each tree after `steps` meta-steps.

    A candidate whose meta-gradient stops being finite is left with the reason, and the others go on
    undisturbed. Of several tasks the meta-gradients are averaged: one set of coefficients for all.

    Args:
        programs: the trees; what is found for one does not depend on the others.
        task: model, data, inner optimiser and meta-objective; one or several.
        seed: of starts and batches, the same for all candidates.
        steps: meta-steps.
        eta: Adam's rate.
        near: coefficients of each tree to start from, as a parent's were tuned; all 1 unless given.

    >>> from symloss.tasks import load_task
    >>> (found,) = tune([Program(("square", "sub", "y", "p"))], load_task("diabetes"), seed=0, steps=2)
    >>> found.coefficients.shape, found.method
    (torch.Size([3]), 'batched')
    """
    tasks = [task] if isinstance(task, Task) else list(task)
    starts = [initial_coefficients(program, seed) for program in programs]
    if near is not None:
        # Times 1 + noise: relative to the size of each coefficient, and 0 stays 0.
        starts = [start * torch.tensor(edges) for start, edges in zip(starts, near, strict=True)]
    if not all(isinstance(each, SupervisedTask) for each in tasks):
        reason = "the trainer is a black box: no gradient through training"
        kept = [torch.ones_like(start) for start in starts] if near is None else map(torch.tensor, near)
        return [Tuned(coefficients, reason, "none") for coefficients in kept]
    losses = [TreeLoss(tasks[0].kind, program) for program in programs]
    supervised = [each for each in tasks if isinstance(each, SupervisedTask)]
    return learn(losses, supervised, seed=seed, steps=steps, eta=eta, starts=starts)


def learn(
    losses: Sequence[LearnedLoss],
    tasks: Sequence[SupervisedTask],
    *,
    seed: int,
    steps: int,
    eta: float,
    starts: Sequence[Tensor] | None = None,
) -> list[Tuned]:
    """As `tune`, of any losses whose coefficients can be learned.

    Args:
        losses: trees, formulas or networks.
        tasks, seed, steps, eta: see `tune`.
        starts: coefficients to start from, packed; each loss's own unless given.
    """
    starts = [packed(loss.coefficients) for loss in losses] if starts is None else starts
    sizes = [len(start) for start in starts]
    # One rectangle for losses of different sizes: entries past a loss's own have zero gradient, and Adam leaves
    # them.
    phi = torch.ones(len(losses), max(sizes, default=0), device=tasks[0].device)
    for i, start in enumerate(starts):
        phi[i, : sizes[i]] = start
    rule, state = Adam(eta), dict[str, Tensor]()
    reasons = ["" if size else "no coefficient to tune" for size in sizes]
    method = "none"
    batches = zip(*(_meta_batches(each, seed, steps) for each in tasks), strict=True)
    for step, drawn in enumerate(batches, start=1):
        alive = [i for i, reason in enumerate(reasons) if not reason]
        if not alive:
            break
        coefs = [phi[i, : sizes[i]] for i in alive]
        rows = []
        for each, (origin, *batch) in zip(tasks, drawn, strict=True):
            model = each.build_model(origin)
            with seeded(origin):  # dropout draws the same masks for every candidate, in any process
                found, method = _hypergradients([losses[i] for i in alive], coefs, model, each, *batch)
            rows.append(found)
        gradient = torch.zeros_like(phi)
        for i, per_task in zip(alive, zip(*rows, strict=True), strict=True):
            row = torch.stack(per_task).mean(0)
            # One that fails keeps a row of zeros from here on: it disturbs no other.
            if bool(torch.isfinite(row).all()):
                gradient[i, : sizes[i]] = row
            else:
                reasons[i] = f"the meta-gradient was not finite at step {step}"
        moved, state = rule.step(phi, gradient, state)
        # Adam's momentum would carry on one that has stopped.
        going = torch.tensor([not reason for reason in reasons], device=phi.device).unsqueeze(1)
        phi = torch.where(going, moved, phi)
    return [
        Tuned(phi[i, : sizes[i]].clone(), "" if not sizes[i] else reasons[i], method)
        for i in range(len(losses))
    ]


def _meta_batches(
    task: SupervisedTask, seed: int, steps: int
) -> Iterator[tuple[int, Batch, Batch, dict[str, Tensor]]]:
    """For each meta-step the seed of its start, a training and a validation batch, and the former's context."""
    # The same for all candidates: differences between them are not those of their batches.
    order = derive(seed, "tuning", "train")
    train, places = task.minibatches(order, steps), task.batches(order, steps)
    vals = task.minibatches(derive(seed, "tuning", "val"), steps, split="val")
    for step, (batch, val) in enumerate(zip(train, vals, strict=True)):
        yield derive(seed, "tuning", "start", step), batch, val, task.context(places[step])


def _hypergradients(
    losses: Sequence[LearnedLoss],
    coefs: Sequence[Tensor],
    model: nn.Module,
    task: SupervisedTask,
    train: Batch,
    val: Batch,
    context: dict[str, Tensor],
) -> tuple[list[Tensor], str]:
    layers = dense_layers(model)
    if layers is not None:
        return _shared_forward(losses, coefs, weights_of(layers), task, train, val, context), "batched"
    # Batch normalisation by the statistics of each batch, of validation too: after one step there are no others.
    model.train()
    found, method = [], ""
    for loss, phi in zip(losses, coefs, strict=True):
        like = loss.coefficients

        def inner(
            c: Tensor,
            outputs: Tensor,
            targets: Tensor,
            loss: LearnedLoss = loss,
            like: Coefficients = like,
        ) -> Tensor:
            return loss(unpacked(c, like), outputs, targets, context)

        result = one_step_hypergradient(model, inner, phi, train, val, task.meta_loss, task.settings)
        found.append(result.gradient)
        method = result.method
    return found, method


def _shared_forward(
    losses: Sequence[LearnedLoss],
    coefs: Sequence[Tensor],
    weights: Weights,
    task: SupervisedTask,
    train: Batch,
    val: Batch,
    context: dict[str, Tensor],
) -> list[Tensor]:
    """The hypergradients of all candidates in few passes: they share the start, so the first forward pass."""
    dense = Dense(scalar=task.classes is None, paired=task.paired)
    step = task.settings.learning_rate * inner_factor(task.settings)
    # w - step (g + lambda w) = (1 - step lambda) w - step g.
    decay = 1 - step * task.settings.weight_decay
    phis = [unpacked(phi, loss.coefficients) for loss, phi in zip(losses, coefs, strict=True)]
    with torch.no_grad():
        first = dense.forward(weights, train[0].flatten(1))
        outputs = first.outputs
        slopes = [
            loss.output_gradient(phi, outputs, train[1], context)
            for loss, phi in zip(losses, phis, strict=True)
        ]
        gradients = dense.directions(weights, first, torch.stack(slopes))
        after = moved(weights, gradients, -step, decay)
        second = dense.forward(after, val[0].flatten(1))
    leaf = second.outputs.detach().requires_grad_()
    # Row i depends on candidate i's weights alone, so the gradient of the sum is that of each.
    measured = torch.stack([task.meta_loss(row, val[1]) for row in leaf]).sum()
    (rise,) = torch.autograd.grad(measured, leaf)
    with torch.no_grad():
        directions = dense.directions(after, second, rise)
        turned = dense.tangent(weights, first, directions)
    return [
        -step * packed(loss.coefficient_gradient(phi, outputs, train[1], pdot, context))
        for loss, phi, pdot in zip(losses, phis, turned, strict=True)
    ]
