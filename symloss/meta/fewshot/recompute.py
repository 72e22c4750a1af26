"""An inner step whose activations are not kept: it is done again when the meta-gradient needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["recomputed"]

Tensors = Mapping[str, Tensor]
Step = Callable[..., dict[str, Tensor]]


def recomputed(step: Step, *groups: Tensors) -> dict[str, Tensor]:
    """`step(*groups)`, differentiable once in every tensor of the groups, at the memory of its results.

    `torch.utils.checkpoint` does not serve here: a step takes a gradient inside, with a graph of its own.

    Args:
        step: makes a mapping of tensors from mappings of tensors.
        groups: what it is applied to.
    """
    layout = [list(group) for group in groups]
    flat = [each for group in groups for each in group.values()]
    # Filled by `forward`: `apply` returns tensors, and their names are only known once the step has run.
    names: list[str] = []
    results = _Recomputed.apply(step, layout, names, *flat)
    return dict(zip(names, results, strict=True))


class _Recomputed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, step: Step, layout: list[list[str]], names: list[str], *flat: Tensor) -> Any:
        ctx.step, ctx.layout = step, layout
        ctx.save_for_backward(*flat)
        # The step turns gradients on by itself, for its inner gradient: cut off here, its graph ends with it.
        results = _run(step, layout, [each.detach() for each in flat])
        names.extend(results)
        return tuple(each.detach() for each in results.values())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> Any:
        needed = ctx.needs_input_grad[3:]
        leaves = [
            each.detach().requires_grad_(need) for each, need in zip(ctx.saved_tensors, needed, strict=True)
        ]
        with torch.enable_grad():
            results = _run(ctx.step, ctx.layout, leaves).values()
            chosen = [leaf for leaf, need in zip(leaves, needed, strict=True) if need]
            # A result that depends on no input that needs a gradient cannot be differentiated.
            pairs = [(each, slope) for each, slope in zip(results, slopes, strict=True) if each.requires_grad]
            found = iter(
                torch.autograd.grad(
                    [each for each, _ in pairs], chosen, [slope for _, slope in pairs], allow_unused=True
                )
            )
        return None, None, None, *(next(found) if need else None for need in needed)


def _run(step: Step, layout: list[list[str]], flat: list[Tensor]) -> dict[str, Tensor]:
    rest = iter(flat)
    groups = [dict(zip(names, rest, strict=False)) for names in layout]
    return step(*groups)
