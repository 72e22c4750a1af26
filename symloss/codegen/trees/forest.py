"""Many evolved trees over tensors at once: each with its own coefficients, outputs and targets.

A node of one tree over one batch is so little arithmetic that calling torch for it costs ten times as much.
Here one call serves equal operators of all trees (`symloss.codegen.trees.schedule`). Values and their derivatives in
`p` go forward together, in one table with a row for each node, so nothing is allocated twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from symloss.codegen.links import count, entries_of
from symloss.codegen.trees.arrays import TORCH
from symloss.codegen.trees.schedule import Operation, Schedule
from symloss.errors import CompileError
from symloss.expr import KINDS, OPERATORS, Operator, Program

__all__ = ["Forest"]

_ALIGNED = 32
"""Rows have a multiple of this many entries. torch computes by other code, which may round otherwise, what
does not fill its widest registers (16 floats, two at a time), and where that falls would depend on the number
of rows: so a loss would on the losses beside it."""
Call = Callable[[], object]
_FILL = 0.5
"""What stands in the entries beyond: harmless to every operator."""


class Forest:
    """The gradients of many losses, as `output_gradient` has them one by one, but for rounding.

    What is found for a loss depends, to the last bit, on that loss alone.

    Args:
        losses: trees and their coefficients, one an edge.
        kind: of the losses.
        classes: number of classes or labels; None where the outputs are numbers.
        priors: for each loss what `pi` stands for, `[C]`; None where no tree speaks of it.

    Raises:
        CompileError: for a tree that speaks of `C` or `pi` where there is none.

    >>> square = Program(("square", "sub", "y", "p"))
    >>> forest = Forest([(square, (1.0, 1.0, 1.0)), (square, (2.0, 1.0, 1.0))], "regression")
    >>> forest.output_gradients(torch.tensor([[1.0, 3.0], [1.0, 3.0]]), torch.zeros(2, 2))
    tensor([[ 1.,  3.],
            [ 4., 12.]])
    """

    def __init__(
        self,
        losses: Sequence[tuple[Program, Sequence[float]]],
        kind: str,
        classes: int | None = None,
        priors: Sequence[Tensor | None] | None = None,
    ) -> None:
        self._kind = KINDS[kind]
        self._priors = list(priors) if priors is not None else [None] * len(losses)
        self._schedule = Schedule(losses, classes, binary=KINDS[kind].probabilities)
        self._table: _Table | None = None
        for tree, symbol in self._schedule.leaves:
            if symbol == "pi" and self._priors[tree] is None:
                raise CompileError("the tree speaks of 'pi': give its value, the class priors")

    @torch.no_grad()
    def output_gradients(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """For each loss `d loss / d outputs`, of the shape of `outputs`.

        Args:
            outputs: logits `[n, B, C]` or `[n, B, K]`, or predictions `[n, B]`.
            targets: class indices `[B]`, 0/1 labels `[B, K]` or numbers `[B]` (of scores 0 or 1), of all losses or,
                with an axis in front, of each.
            weights: what `w` stands for, `[B]` or `[n, B]`; 1 unless given.
        """
        if self._kind.exclusive:
            p, y = _softmax(outputs), F.one_hot(targets, outputs.shape[-1]).to(outputs.dtype)
        else:
            p, y = entries_of(self._kind, outputs, targets)
        if weights is not None and outputs.dim() > 2:
            weights = weights.unsqueeze(-1)
        g = self._slopes(p, y, weights)
        g /= count(self._kind, outputs[0])
        return self._kind.link.pull(p, g)

    def _slopes(self, p: Tensor, y: Tensor, w: Tensor | None) -> Tensor:
        """`dM/dp`, of the shape of `p`."""
        if self._table is None or not self._table.holds(p):
            self._table = _Table(self._schedule, p, self._priors)
        return self._table.slopes(p, y, w)


def _softmax(z: Tensor) -> Tensor:
    """torch's own takes seven times as long where the classes are few."""
    p = (z - z.amax(-1, keepdim=True)).exp_()
    return p.div_(p.sum(-1, keepdim=True))


class _Table:
    """The values of all nodes, `[rows, 2, entries]`, derivatives second, and what moves them on."""

    def __init__(self, schedule: Schedule, p: Tensor, priors: Sequence[Tensor | None]) -> None:
        self._like = (p.shape, p.dtype, p.device)
        self._count, self._entries = len(p), p[0].numel()
        width = -(-self._entries // _ALIGNED) * _ALIGNED
        self._cells = cells = torch.zeros(schedule.rows, 2, width, dtype=p.dtype, device=p.device)
        cells[: self._count, 1] = 1
        cells[:, 0] = _FILL
        self._weights: list[tuple[int, int]] = []
        pairs: list[tuple[int, int, tuple[float, float]]] = []
        for (tree, leaf), row in schedule.leaves.items():
            if leaf == "w":
                self._weights.append((tree, row))
            elif leaf == "pi":
                shares = priors[tree]
                assert shares is not None
                cells[row, 0, : self._entries] = shares.to(p).expand(p.shape[1:]).flatten()
            elif not isinstance(leaf, str):
                if tree < 0:
                    cells[row, 0] = leaf[0]
                else:
                    pairs.append((tree, row, leaf))
        self._lookup = _Lookup(pairs, cells, self._count) if pairs else None
        most = max((operation.places for operation in schedule.operations), default=0)
        # One scratch for each operand, used again by every operation: it stays in the cache.
        scratch = cells.new_empty(2, most, 2, width)
        self._calls = [_call(operation, cells, scratch) for operation in schedule.operations]
        self._roots = torch.tensor(schedule.roots, device=p.device)
        self._factors = torch.tensor(schedule.factors, dtype=p.dtype, device=p.device)[:, None]

    def holds(self, p: Tensor) -> bool:
        return self._like == (p.shape, p.dtype, p.device)

    def slopes(self, p: Tensor, y: Tensor, w: Tensor | None) -> Tensor:
        count, entries, cells = self._count, self._entries, self._cells
        cells[:count, 0, :entries] = p.flatten(1)
        shared = y.dim() < p.dim()
        cells[count : 2 * count, 0, :entries] = y.flatten() if shared else y.flatten(1)
        if self._weights:
            weights = torch.ones_like(p) if w is None else w.expand(p.shape)
            for tree, row in self._weights:
                cells[row, 0, :entries] = weights[tree].flatten()
        if self._lookup is not None:
            self._lookup.fill()
        for call in self._calls:
            call()
        found = cells[:, 1].index_select(0, self._roots).mul_(self._factors)
        return found[:, :entries].reshape(p.shape)


class _Lookup:
    """Rows that depend on the target alone, which is 0 or 1."""

    def __init__(
        self, pairs: Sequence[tuple[int, int, tuple[float, float]]], cells: Tensor, count: int
    ) -> None:
        self._cells = cells[:, 0]
        self._targets = torch.tensor([count + tree for tree, _, _ in pairs], device=cells.device)
        self._rows = torch.tensor([row for _, row, _ in pairs], device=cells.device)
        self._zero, self._one = cells.new_tensor([pair for *_, pair in pairs]).T[..., None]

    def fill(self) -> None:
        y = self._cells.index_select(0, self._targets)
        # Exact at both ends.
        self._cells.index_copy_(0, self._rows, torch.lerp(self._zero, self._one, y))


def _call(operation: Operation, cells: Tensor, scratch: Tensor) -> Call:
    """What carries out an operation on the table."""
    target = cells[operation.start : operation.start + operation.places]
    fetches: list[Call] = []
    blocks = [
        _operand(rows, factors, cells, buffer[: operation.places], fetches)
        for rows, factors, buffer in zip(operation.operands, operation.factors, scratch, strict=False)
    ]
    if operation.operator == "add":
        return partial(_add, fetches, blocks, target)
    values = [block[:, 0] for block in blocks]
    moving = [(k, blocks[k][:, 1]) for k, active in enumerate(operation.active) if active]
    if operation.operator == "sign":
        moving = []
    return partial(_apply, OPERATORS[operation.operator], fetches, values, moving, target[:, 0], target[:, 1])


def _operand(
    rows: Sequence[int], factors: Sequence[float], cells: Tensor, buffer: Tensor, fetches: list[Call]
) -> Tensor:
    """Where an operand is found once the calls that are added to `fetches` are made."""
    source = cells[rows[0] : rows[-1] + 1]
    ranged = list(rows) == list(range(rows[0], rows[-1] + 1))
    plain = all(factor == 1 for factor in factors)
    if ranged and plain:
        return source
    scale = torch.tensor(factors, dtype=cells.dtype, device=cells.device)[:, None, None]
    if ranged:
        fetches.append(partial(torch.mul, source, scale, out=buffer))
        return buffer
    fetches.append(partial(torch.index_select, cells, 0, torch.tensor(rows, device=cells.device), out=buffer))
    if not plain:
        fetches.append(partial(buffer.mul_, scale))
    return buffer


def _add(fetches: Sequence[Call], blocks: Sequence[Tensor], target: Tensor) -> None:
    for fetch in fetches:
        fetch()
    torch.add(*blocks, out=target)


def _apply(
    operator: Operator,
    fetches: Sequence[Call],
    values: Sequence[Tensor],
    moving: Sequence[tuple[int, Tensor]],
    value: Tensor,
    slope: Tensor,
) -> None:
    """`v = f(a, ...)` and `v' = f_a a' + ...`, the latter over the operands that depend on `p`."""
    for fetch in fetches:
        fetch()
    found = operator.value(TORCH, *values)
    value.copy_(found)
    if not moving:
        return
    partials = operator.first(TORCH, found, *values)
    fresh = True
    for k, tangent in moving:
        part = partials[k]
        if fresh:
            torch.mul(tangent, part, out=slope)
            fresh = False
        else:
            slope.addcmul_(part, tangent)
