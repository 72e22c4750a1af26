"""What the parts of a trained few-shot learner do: the terms of its loss, gradient by gradient, and each left out.

For the study `fewshot_losses`. A term's gradient in what adapts is held against what could explain it:

- *a learning rate*: the ordinary loss's gradient of the same step and task, times one number;
- *learned rates*: the same, times one number for each tensor (the part `rate`, were it free for every step and task);
- *weight decay*: the weights themselves, times one number for each tensor;
- *a schedule*: what is the same for all tasks, by step, as a shift of the initialisation would be.

Each is told as the share of the squared norm that it explains, pooled over tasks and steps, without tensors of a single
number, which are parallel to anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from symloss.meta import LearnedLoss
from symloss.meta.fewshot import InnerLoop, Learner
from symloss.meta.fewshot.inner_loss import instance_losses, task_loss
from symloss.meta.fewshot.layers import Rows, network
from symloss.meta.inner import SGD
from symloss.meta.learned_loss import packed, unpacked
from symloss.tasks.episodes import Episode

__all__ = [
    "TERMS", "Change", "InductiveLoss", "Task", "adapted", "as_rates", "explained", "losses_along", "without",
]  # fmt: skip

ORDINARY, INDUCTIVE, TRANSDUCTIVE, REGULARISER = "ordinary", "inductive", "transductive", "regulariser"
TERMS = (INDUCTIVE, TRANSDUCTIVE, REGULARISER)
_KEYS = {INDUCTIVE: "loss.inductive.", TRANSDUCTIVE: "loss.transductive.", REGULARISER: "regulariser."}
Gradients = dict[str, Tensor]
Change = Callable[["Task", Gradients], Tensor]
"""From the gradients of the terms to the one that a step takes."""


@dataclass(frozen=True)
class Task:
    """A task before its first inner step: what there is to take gradients of.

    Attributes:
        learner, phi: who learns it.
        episode: its rows.
    """

    learner: Learner
    phi: Mapping[str, Tensor]
    episode: Episode

    def gradients(self, theta: Mapping[str, Tensor]) -> Gradients:
        """The gradient of every term of the loss in what adapts, each as one vector."""
        leaves = {name: each.detach().requires_grad_() for name, each in theta.items()}
        rows = self.episode
        # The support rows as queries: that is how their outputs are to be had.
        support = Episode(
            rows.support_inputs, rows.support_targets, rows.support_inputs, rows.support_targets
        )
        bare = {name: each for name, each in self.phi.items() if not name.startswith(tuple(_KEYS.values()))}
        found: Gradients = {}
        with torch.enable_grad():
            loops = [InnerLoop(self.learner, self.phi, each) for each in (support, rows)]
            known = [loop.begin() for loop in loops]
            outputs = torch.cat(
                [loop.query_outputs(leaves, each) for loop, each in zip(loops, known, strict=True)]
            )
            base = task_loss(self.learner, outputs, rows.support_targets, leaves, bare)
            found[ORDINARY] = self._slope(base, leaves)
            for term, prefix in _KEYS.items():
                own = {
                    name: each
                    for name, each in self.phi.items()
                    if name.startswith((prefix, "film." + prefix))
                }
                scores = known[1].get("scores") if term == TRANSDUCTIVE else None
                total = task_loss(
                    self.learner, outputs, rows.support_targets, leaves, {**bare, **own}, scores
                )
                found[term] = self._slope(total, leaves) - found[ORDINARY]
        return found

    def _slope(self, value: Tensor, leaves: Mapping[str, Tensor]) -> Tensor:
        slopes = torch.autograd.grad(
            value, list(leaves.values()), retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return torch.cat([each.flatten() for each in slopes])

    def by_tensor(self, products: Tensor) -> Tensor:
        """Sums over the numbers of each tensor that adapts, `[tensors]`."""
        return torch.zeros(len(self.learner.sizes)).index_add(0, self.learner.places, products)

    def along(self, vector: Tensor, other: Tensor) -> Tensor:
        """What of a vector is parallel to another, tensor by tensor."""
        size = self.by_tensor(other.square()).clamp(min=1e-30)
        return (self.by_tensor(vector * other) / size)[self.learner.places] * other


def without(*terms: str) -> Change:
    """The sum of the terms but for these."""
    return lambda task, found: torch.stack([each for name, each in found.items() if name not in terms]).sum(0)


def as_rates(*terms: str) -> Change:
    """These terms cut down to what learned rates could do: what of them is parallel to the ordinary gradient."""

    def changed(task: Task, found: Gradients) -> Tensor:
        parts = [task.along(each, found[ORDINARY]) if name in terms else each for name, each in found.items()]
        return torch.stack(parts).sum(0)

    return changed


def adapted(task: Task, change: Change, steps: int) -> list[dict[str, Tensor]]:
    """What adapts, before the first inner step and after each, where every step takes a changed gradient."""
    learner, inner = task.learner, task.learner.settings.inner
    rule = SGD(inner.rate, momentum=inner.momentum, nesterov=True, weight_decay=inner.weight_decay)
    with torch.no_grad():
        theta = {name: each.clone() for name, each in learner.at_start(task.phi).items()}
        seen, speed = [theta], dict[str, Tensor]()
        for _ in range(steps):
            slope = change(task, task.gradients(theta))
            vector, speed = rule.step(packed(theta), slope, speed)
            theta = unpacked(vector, theta)
            seen.append(theta)
    return seen


def explained(
    tasks: Sequence[Task], paths: Sequence[Sequence[Mapping[str, Tensor]]]
) -> dict[str, dict[str, float]]:
    """By term, its norm over the ordinary gradient's, and the share of it that each explanation explains.

    Args:
        tasks: that were learned.
        paths: what adapted, before each step.
    """
    found: dict[str, dict[str, float]] = {}
    learner = tasks[0].learner
    counted = (torch.tensor(learner.sizes) > 1)[learner.places]
    slopes = [
        [{name: counted * slope for name, slope in task.gradients(theta).items()} for theta in path]
        for task, path in zip(tasks, paths, strict=True)
    ]
    for term in (ORDINARY, *TERMS):
        total = ordinary = one = rates = decay = shared = 0.0
        for step in range(len(slopes[0])):
            vectors = torch.stack([each[step][term] for each in slopes])
            total += float(vectors.square().sum())
            shared += len(vectors) * float(vectors.mean(0).square().sum())
            for task, path, each in zip(tasks, paths, slopes, strict=True):
                vector, base = each[step][term], each[step][ORDINARY]
                ordinary += float(base.square().sum())
                one += float((vector @ base).square() / base.square().sum().clamp(min=1e-30))
                rates += float(task.along(vector, base).square().sum())
                decay += float(task.along(vector, packed(path[step])).square().sum())
        whole = max(total, 1e-30)
        found[term] = {
            "norm over ordinary": (total / ordinary) ** 0.5, "a learning rate": one / whole,
            "learned rates": rates / whole, "weight decay": decay / whole, "a schedule": shared / whole,
        }  # fmt: skip
    return found


@dataclass(frozen=True)
class InductiveLoss(LearnedLoss):
    """The ordinary loss and the inductive network as one loss, for `sl.distill`.

    Attributes:
        learner: whose it is.
        weights: of the network and what modulates it, by their names in `phi`.
    """

    learner: Learner
    weights: Mapping[str, Tensor]

    @classmethod
    def of(cls, learner: Learner, phi: Mapping[str, Tensor], *, modulated: bool = True) -> InductiveLoss:
        """That of a trained learner, before or after its modulation."""
        prefixes = (_KEYS[INDUCTIVE], "film." + _KEYS[INDUCTIVE]) if modulated else (_KEYS[INDUCTIVE],)
        return cls(learner, {name: each for name, each in phi.items() if name.startswith(prefixes)})

    @property
    def kind(self) -> str:  # type: ignore[override]
        """See `LearnedLoss`."""
        return self.learner.kind

    @property
    def coefficients(self) -> dict[str, Tensor]:
        """See `LearnedLoss`."""
        return dict(self.weights)

    def rows(
        self, coefficients: Mapping[str, Tensor], outputs: Tensor, targets: Tensor, support: int = 0
    ) -> Tensor:
        """The loss of each row.

        Args:
            coefficients: see `LearnedLoss`.
            outputs, targets: as the learner has them: `[n, N]` and class numbers, or both `[n, 1]`.
            support: how many of the rows, the first ones, are the support set, where that modulates.
        """
        losses = instance_losses(self.kind, outputs, targets)
        known = targets
        if self.kind == "classification":
            known = torch.nn.functional.one_hot(targets, outputs.shape[1]).to(outputs)
        seen = torch.cat([outputs, known, losses[:, None]], 1)
        count = support or len(outputs)
        rows = Rows(count, len(outputs) - count, film_on=self.learner.settings.design.film_on)
        return losses + network(seen, coefficients, "loss.inductive", rows)

    def __call__(
        self, coefficients: Mapping[str, Tensor], outputs: Tensor, targets: Tensor, context: object = None
    ) -> Tensor:
        """See `LearnedLoss`."""
        if self.kind == "regression":
            outputs, targets = outputs[:, None], targets[:, None]
        return self.rows(coefficients, outputs, targets).mean()


def losses_along(
    tasks: Sequence[Task], paths: Sequence[Sequence[Mapping[str, Tensor]]]
) -> tuple[Tensor, Tensor]:
    """Outputs for the support rows of all tasks at all steps, and the targets: where the loss is seen at work."""
    outputs, targets = [], []
    for task, path in zip(tasks, paths, strict=True):
        rows = task.episode
        support = Episode(
            rows.support_inputs, rows.support_targets, rows.support_inputs, rows.support_targets
        )
        loop = InnerLoop(task.learner, task.phi, support)
        known = loop.begin()
        for theta in path:
            outputs.append(loop.query_outputs(theta, known).detach())
            targets.append(rows.support_targets)
    return torch.cat(outputs), torch.cat(targets)
