r"""What a task is learned by: ordinary loss, learned losses on support and query rows, regulariser.

    L(theta) = mean_S l_i + mean_S m(f_i, y_i, l_i) + mean_Q m'(f_i, s_i, l(f_i, s_i)) + R(statistics of theta)

`f`: outputs; `y`: labels, one-hot; `l`: cross-entropy, or squared error in regression; `s`: what the support set says
about a query (see `scores`); every term but the first only where it is learned.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from symloss.meta.fewshot.layers import Rows, Weights, modulate, network, smooth_root
from symloss.meta.fewshot.learner import Learner
from symloss.meta.learned_loss import packed, unpacked

__all__ = ["class_scores", "instance_losses", "relations", "statistics", "task_loss"]


def instance_losses(kind: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """The ordinary loss of each row: cross-entropy of logits `[n, N]`, squared error of `[n, 1]`; `[n]`."""
    if kind == "regression":
        return (outputs - targets).square().squeeze(-1)
    return F.cross_entropy(outputs, targets, reduction="none")


def task_loss(
    learner: Learner,
    outputs: Tensor,
    targets: Tensor,
    theta: Weights,
    phi: Weights,
    scores: Tensor | None = None,
    embedding: Tensor | None = None,
) -> Tensor:
    """The loss that an inner step descends, a scalar.

    Args:
        learner: whose loss it is.
        outputs: of the support rows and, where the loss has a transductive term, of the query rows after them.
        targets: of the support rows.
        theta: what adapts.
        phi: what is meta-learned.
        scores: `[queries, N]` or `[queries, 1]`, see `class_scores`.
        embedding: `[features]`, the mean of the support set: modulates the coefficients of a formula.
    """
    count = len(targets)
    on_support = outputs[:count]
    losses = instance_losses(learner.kind, on_support, targets)
    if learner.formula is None:
        total = losses.mean()
    else:
        total = _formula(learner, on_support, targets, phi, embedding)
    if "loss.inductive.1.weight" in phi:
        known = targets if learner.kind == "regression" else _one_hot(targets, on_support)
        seen = torch.cat([on_support, known, losses[:, None]], 1)
        total = total + network(seen, phi, "loss.inductive", _rows(learner, count)).mean()
    if scores is not None:
        on_query = outputs[count:]
        # The argmax has no gradient: scores act through the network, which sees them whole.
        guess = scores if learner.kind == "regression" else scores.argmax(-1)
        guessed = instance_losses(learner.kind, on_query, guess)
        seen = torch.cat([on_query, scores, guessed[:, None]], 1)
        total = total + network(seen, phi, "loss.transductive", _rows(learner, len(scores))).mean()
    if "regulariser.1.weight" in phi:
        vector = packed(theta)
        seen = statistics(vector, learner.sizes, learner.places.to(vector.device)).reshape(1, -1)
        total = total + network(seen, phi, "regulariser", _rows(learner, 1)).squeeze(0)
    return total


def statistics(theta: Tensor, sizes: Sequence[int], places: Tensor) -> Tensor:
    """Mean, standard deviation, L1 norm over the root of the size, and L2 norm of each tensor, `[tensors, 4]`.

    L1 is divided so that its gradient is a vector of length one whatever the size, as that of L2. (NPBML's release
    computes L2 in its place.) Roots are smooth at zero.

    Args:
        theta: all tensors in one vector, `[P]`: a few operations for all of them.
        sizes: how many numbers each tensor has.
        places: the place of each number's tensor, int64 `[P]`.
    """
    n = torch.tensor(sizes, dtype=theta.dtype, device=theta.device)

    def total(each: Tensor) -> Tensor:
        return torch.stack([part.sum() for part in each.split(list(sizes))])

    mean, square = total(theta) / n, theta.square()
    # Through the deviations: the mean of squares less the square of the mean cancels where a tensor is nearly
    # constant.
    spread = smooth_root(total((theta - mean[places]).square()) / n)
    return torch.stack([mean, spread, total(smooth_root(square)) / n.sqrt(), smooth_root(total(square))], 1)


def class_scores(learner: Learner, features: Tensor, targets: Tensor, phi: Weights) -> Tensor:
    """What the support set says about each query, before any adaptation.

    Classification: for each class minus the squared distance to its prototype, over the root of the number of features
    (Snell et al., 2017), or what a relation network makes of both (Sung et al., 2018). Regression: the mean of the
    support targets, weighted by the softmax of such distances.

    Args:
        learner: whose features they are.
        features: of the support rows and of the query rows after them, `[n, features]`.
        targets: of the support rows.
        phi: with `loss.relation.*` where a relation network judges.

    Returns:
        `[queries, N]`, or `[queries, 1]`.
    """
    support, query = features.split([len(targets), len(features) - len(targets)])
    if learner.kind == "regression":
        return _similarity(query, support).softmax(-1) @ targets
    centres = prototypes(support, targets, learner.outputs)
    if "loss.relation.1.weight" in phi:
        return relations(query, centres, phi)
    return _similarity(query, centres)


def prototypes(support: Tensor, targets: Tensor, classes: int) -> Tensor:
    """The mean of each class's features, `[N, features]`."""
    # A product with 0 and 1 rather than a selection: `vmap` takes no indices whose number depends on the data.
    members = (targets[:, None] == torch.arange(classes, device=targets.device)).to(support)
    return (members / members.sum(0)).mT @ support


def relations(query: Tensor, centres: Tensor, phi: Weights) -> Tensor:
    """The relation network's score of each query and class, `[queries, N]`."""
    n, k = len(query), len(centres)
    pairs = torch.cat([query[:, None].expand(n, k, -1), centres[None].expand(n, k, -1)], -1)
    h = F.linear(pairs, phi["loss.relation.1.weight"], phi["loss.relation.1.bias"]).relu()
    return F.linear(h, phi["loss.relation.2.weight"], phi["loss.relation.2.bias"]).squeeze(-1)


def _similarity(one: Tensor, other: Tensor) -> Tensor:
    # |a - b|^2 without its root: no kink at zero.
    distances = (one[:, None] - other[None]).square().sum(-1)
    return -distances / one.shape[-1] ** 0.5


def _formula(
    learner: Learner, outputs: Tensor, targets: Tensor, phi: Weights, embedding: Tensor | None
) -> Tensor:
    """A formula with its learned coefficients, modulated for this task."""
    formula = learner.formula
    assert formula is not None
    like = formula.coefficients
    coefficients = {name: phi.get(f"loss.formula.{name}", start) for name, start in like.items()}
    if embedding is not None:
        vector = packed(coefficients)
        moved = modulate(vector[None], embedding[None], phi, "formula", _rows(learner, 1))
        coefficients = unpacked(moved[0], like)
    if learner.kind == "regression":
        outputs, targets = outputs.squeeze(-1), targets.squeeze(-1)
    return learner.settings.design.formula_scale * formula(coefficients, outputs, targets)


def _one_hot(targets: Tensor, like: Tensor) -> Tensor:
    return (targets[:, None] == torch.arange(like.shape[1], device=targets.device)).to(like)


def _rows(learner: Learner, count: int) -> Rows:
    """A network of a loss sees rows of one set; what modulates on the support set is the mean over them."""
    return Rows(count, 0, film_on=learner.settings.design.film_on)
