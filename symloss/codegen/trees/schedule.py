"""In which order the nodes of many trees are evaluated together: equal operators at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from symloss.codegen.trees.arrays import TORCH
from symloss.codegen.trees.interpret import plan
from symloss.errors import CompileError
from symloss.expr import OPERATORS, Program

__all__ = ["Leaf", "Operation", "Schedule"]

Leaf = tuple[int, str | tuple[float, float]]
"""The tree that a leaf belongs to, -1 for all, and a symbol or the values at y = 0 and y = 1."""
_COMMUTATIVE = frozenset({"add", "mul", "min"})
_Key = tuple[str, tuple[bool, ...]]


@dataclass(frozen=True)
class Operation:
    """One operator at many places.

    Attributes:
        operator: its name.
        active: for each operand whether it depends on `p`.
        operands: for each operand the rows that it is taken from, one a place.
        factors: for each operand the numbers that multiply it, one a place.
        start: the row of the first place; the others follow.
    """

    operator: str
    active: tuple[bool, ...]
    operands: tuple[tuple[int, ...], ...]
    factors: tuple[tuple[float, ...], ...]
    start: int

    @property
    def places(self) -> int:
        """How many."""
        return len(self.operands[0])


@dataclass(frozen=True)
class _Node:
    """An operator on earlier nodes, each times a factor; or a leaf."""

    operator: str = ""
    operands: tuple[int, ...] = ()
    factors: tuple[float, ...] = ()
    active: bool = False
    leaf: Leaf | None = None


@dataclass(frozen=True)
class _Value:
    """What a node of a tree comes to: a factor times a node; or numbers, its values at y = 0 and y = 1."""

    node: int = -1
    factor: float = 1.0
    known: Tensor | None = None


class Schedule:
    """The operations that evaluate some trees, in order, and the row of a table that each value has.

    Rows `i` and `n + i` of n trees are the predictions and the targets of tree i.

    Attributes:
        leaves: the rows of the leaves, which stand first.
        operations: all others.
        roots: for each tree the row of its value.
        factors: what this is to be multiplied by.
        rows: how many rows there are.
    """

    def __init__(
        self, losses: Sequence[tuple[Program, Sequence[float]]], classes: int | None, binary: bool
    ) -> None:
        self._classes, self._binary = classes, binary
        self._nodes: list[_Node] = []
        self._where: dict[_Node, int] = {}
        for symbol in ("p", "y"):
            for tree in range(len(losses)):
                self._node(_Node(leaf=(tree, symbol), active=symbol == "p"))
        ends = [self._located(i, self._plant(i, *loss)) for i, loss in enumerate(losses)]
        rows = self._order()
        self.roots = [rows[end.node] for end in ends]
        self.factors = [end.factor for end in ends]
        self.rows = len(rows)

    def _node(self, node: _Node) -> int:
        """Where the node is; what is there already is not computed twice."""
        if node not in self._where:
            self._where[node] = len(self._nodes)
            self._nodes.append(node)
        return self._where[node]

    def _plant(self, tree: int, program: Program, edges: Sequence[float]) -> _Value:
        """The value of a tree, its nodes with fewer operators and constants evaluated here.

        `a - b = a + (-b)`, `max(a, b) = -min(-a, -b)` and a product with a number becomes a factor.
        """
        values: list[_Value] = []
        for node in plan(program):
            if node.operator is None:
                values.append(self._leaf(tree, node.leaf))
                continue
            pairs = zip(node.operands, node.edges, strict=True)
            inputs = [_times(values[o], 1.0 if e < 0 else float(edges[e])) for o, e in pairs]
            name = node.operator.name
            values.append(_folded(name, inputs) or self._applied(tree, name, inputs))
        return values[-1]

    def _leaf(self, tree: int, leaf: str | float) -> _Value:
        if leaf == "C":
            if self._classes is None:
                raise CompileError("the tree speaks of 'C': a regression has no classes")
            leaf = float(self._classes)
        if isinstance(leaf, float):
            return _Value(known=torch.full((2,), leaf, dtype=torch.float64))
        if leaf == "y" and self._binary:
            return _Value(known=torch.tensor([0.0, 1.0], dtype=torch.float64))
        return _Value(self._node(_Node(leaf=(tree, leaf), active=leaf == "p")))

    def _located(self, tree: int, value: _Value) -> _Value:
        """The same with a node: multiples of 1 and of y need no leaf of their own."""
        if value.known is None:
            return value
        zero, one = value.known.tolist()
        if zero == one:
            return _Value(self._node(_Node(leaf=(-1, (1.0, 1.0)))), one)
        if zero == 0:
            return _Value(self._node(_Node(leaf=(tree, "y"))), one)
        return _Value(self._node(_Node(leaf=(tree, (zero, one)))))

    def _applied(self, tree: int, operator: str, inputs: Sequence[_Value]) -> _Value:
        inputs = [self._located(tree, value) for value in inputs]
        sign = 1.0
        if operator == "sub":
            operator, inputs = "add", [inputs[0], _times(inputs[1], -1.0)]
        elif operator == "max":
            operator, sign, inputs = "min", -1.0, [_times(value, -1.0) for value in inputs]
        if operator in _COMMUTATIVE:
            inputs = sorted(inputs, key=lambda value: not self._nodes[value.node].active)
        active = operator != "sign" and any(self._nodes[value.node].active for value in inputs)
        operands, factors = (v.node for v in inputs), (v.factor for v in inputs)
        return _Value(self._node(_Node(operator, tuple(operands), tuple(factors), active)), sign)

    def _order(self) -> dict[int, int]:
        """The row of each node; `leaves` and `operations` on the way."""
        consumers: dict[int, list[int]] = defaultdict(list)
        waiting: dict[int, int] = {}
        left: dict[str, int] = defaultdict(int)
        for i, node in enumerate(self._nodes):
            if node.leaf is None:
                waiting[i] = len(node.operands)
                left[node.operator] += 1
                for operand in node.operands:
                    consumers[operand].append(i)
        done = [i for i, node in enumerate(self._nodes) if node.leaf is not None]
        rows = {i: row for row, i in enumerate(done)}
        self.leaves = {leaf: rows[i] for i in done if (leaf := self._nodes[i].leaf) is not None}
        self.operations: list[Operation] = []
        ready: dict[_Key, list[int]] = defaultdict(list)
        while True:
            for i in done:
                for consumer in consumers[i]:
                    waiting[consumer] -= 1
                    if not waiting[consumer]:
                        ready[self._key(self._nodes[consumer])].append(consumer)
            if not ready:
                return rows
            # The operator of which the largest part has come, so that few calls are needed.
            key = max(ready, key=lambda key: (len(ready[key]) / left[key[0]], len(ready[key])))
            # In the order of their operands, which are then more often a range of rows and need no gathering.
            done = sorted(ready.pop(key), key=lambda i: [rows[o] for o in self._nodes[i].operands])
            left[key[0]] -= len(done)
            self.operations.append(self._operation(key, done, rows))
            rows |= {i: len(rows) + k for k, i in enumerate(done)}

    def _key(self, node: _Node) -> _Key:
        # Sums treat tangents as they treat values, zeros for what does not depend on p: one call for all.
        parts = (node.active,) if node.operator == "add" else (self._nodes[o].active for o in node.operands)
        return node.operator, tuple(parts)

    def _operation(self, key: _Key, chosen: Iterable[int], rows: dict[int, int]) -> Operation:
        nodes = [self._nodes[i] for i in chosen]
        return Operation(
            *key,
            operands=tuple(zip(*([rows[o] for o in node.operands] for node in nodes), strict=True)),
            factors=tuple(zip(*(node.factors for node in nodes), strict=True)),
            start=len(rows),
        )


def _times(value: _Value, factor: float) -> _Value:
    known = None if value.known is None else value.known * factor
    return _Value(value.node, value.factor * factor, known)


def _folded(operator: str, inputs: Sequence[_Value]) -> _Value | None:
    """Numbers, or a multiple of a node, where no operation is needed."""
    known = [value.known for value in inputs if value.known is not None]
    if len(known) == len(inputs):
        found = OPERATORS[operator].value(TORCH, *known)
        # Values that are not finite are left to be met where they do harm: 0 times infinity is not 0.
        return _Value(known=found) if bool(torch.isfinite(found).all()) else None
    if operator == "neg":
        return _times(inputs[0], -1.0)
    if operator == "mul" and known and float(known[0][0]) == float(known[0][1]):
        (other,) = (value for value in inputs if value.known is None)
        return _times(other, float(known[0][0]))
    return None
