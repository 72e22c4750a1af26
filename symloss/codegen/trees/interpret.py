"""An evolved tree evaluated over tensors, without SymPy: for the search, which meets a tree once.

`interpret` is differentiable by autograd. The other functions sweep over the tree by hand, which costs a
fraction of it: forward for values and tangents, backward for gradients. All take the coefficients of the
weighted graph, one for each edge (`Program`), or None for unit edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from symloss.codegen.links import count, entries_of, reduced
from symloss.codegen.trees.arrays import TORCH
from symloss.errors import CompileError
from symloss.expr import KINDS, OPERATORS, Kind, Operator, Program

__all__ = ["coefficient_gradient", "entry_gradient", "interpret", "output_gradient", "plan", "program_loss"]

Context = Mapping[str, Any]


@dataclass(frozen=True)
class Node:
    """One operation: a leaf (a symbol's name or a constant), or an operator on earlier nodes.

    `edges[k]` is the number of the coefficient that multiplies operand k, or -1 for none.
    """

    operator: Operator | None
    operands: tuple[int, ...] = ()
    edges: tuple[int, ...] = ()
    leaf: str | float = 0.0


@lru_cache(maxsize=4096)
def plan(program: Program) -> tuple[Node, ...]:
    """The tree's nodes, operands before operators; registered operators become built-in ones, margins products."""
    nodes: list[Node] = []
    where: dict[int, int] = {}
    operators = program.registry.operators

    def add(node: Node) -> int:
        nodes.append(node)
        return len(nodes) - 1

    def expand(body: Any, arguments: list[tuple[int, int]]) -> tuple[int, int]:
        if isinstance(body, tuple):
            parts = [expand(part, arguments) for part in body[1:]]
            return add(Node(OPERATORS[body[0]], tuple(i for i, _ in parts), tuple(e for _, e in parts))), -1
        return arguments[body] if isinstance(body, int) else (add(Node(None, leaf=float(body))), -1)

    for i in range(program.size - 1, -1, -1):
        token, children = program.tokens[i], program.children(i)
        operands = [(where[child], child - 1) for child in children]
        if token == "m":
            # The margin: a score on the side of its target.
            where[i] = add(
                Node(OPERATORS["mul"], (add(Node(None, leaf="y")), add(Node(None, leaf="p"))), (-1, -1))
            )
        elif not children:
            where[i] = add(Node(None, leaf=float(token) if token in ("1", "-1") else token))
        elif operators[token].body is not None:
            where[i] = expand(operators[token].body, operands)[0]
        else:
            where[i] = add(
                Node(operators[token], tuple(o for o, _ in operands), tuple(e for _, e in operands))
            )
    return tuple(nodes)


def _leaf(leaf: str | float, y: Tensor, p: Tensor, extra: Context) -> Tensor:
    if leaf == "y":
        return y
    if leaf == "p":
        return p
    if isinstance(leaf, str) and leaf not in extra:
        raise CompileError(f"the tree speaks of {leaf!r}: give its value, as extra={{{leaf!r}: ...}}")
    value = leaf if isinstance(leaf, float) else extra[leaf]
    return torch.as_tensor(value, dtype=p.dtype, device=p.device)


def _scaled(value: Tensor, edge: int, coefs: Tensor | None) -> Tensor:
    return value if coefs is None or edge < 0 else value * coefs[edge]


def interpret(
    program: Program, y: Tensor, p: Tensor, coefs: Tensor | None = None, extra: Context | None = None
) -> Tensor:
    """`M(y, p)` elementwise, differentiable in `p` and `coefs`.

    Args:
        program: the tree.
        y, p: targets and predictions, of shapes that broadcast.
        coefs: one coefficient an edge, `[size - 1]`.
        extra: values of `C`, `pi`, `w` where the tree speaks of them.

    >>> tree = Program(("square", "sub", "y", "p"))
    >>> interpret(tree, torch.tensor([1.0, 2.0]), torch.tensor([0.0, 5.0]))
    tensor([1., 9.])
    """
    values: list[Tensor] = []
    for node in plan(program):
        if node.operator is None:
            values.append(_leaf(node.leaf, y, p, extra or {}))
        else:
            arguments = [_scaled(values[o], e, coefs) for o, e in zip(node.operands, node.edges, strict=True)]
            values.append(node.operator.value(TORCH, *arguments))
    return values[-1] + torch.zeros_like(p) if values[-1].dim() == 0 else values[-1]


def _accumulate(table: list[Tensor | None], i: int, value: Tensor | None) -> None:
    if value is not None:
        known = table[i]
        table[i] = value if known is None else known + value


def _times(a: Any, b: Any) -> Any:
    """The product, where None is a zero and a float 1 costs nothing."""
    if a is None or b is None:
        return None
    if isinstance(a, float) and a == 1.0:
        return b
    return a if isinstance(b, float) and b == 1.0 else a * b


def _plus(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else a + b


def _coefficient(coefs: Tensor | None, edge: int) -> Any:
    return 1.0 if coefs is None or edge < 0 else coefs[edge]


@torch.no_grad()
def entry_gradient(
    program: Program, y: Tensor, p: Tensor, coefs: Tensor | None = None, extra: Context | None = None
) -> Tensor:
    """`dM/dp` elementwise, of the shape of `p`; no autograd graph is made."""
    nodes = plan(program)
    values: list[Tensor] = []
    partials: list[tuple[Any, ...]] = []
    # Whether a node depends on p: no gradient flows to one that does not.
    active: list[bool] = []
    for node in nodes:
        if node.operator is None:
            values.append(_leaf(node.leaf, y, p, extra or {}))
            partials.append(())
            active.append(node.leaf == "p")
            continue
        arguments = [_scaled(values[o], e, coefs) for o, e in zip(node.operands, node.edges, strict=True)]
        value = node.operator.value(TORCH, *arguments)
        values.append(value)
        active.append(any(active[o] for o in node.operands))
        partials.append(node.operator.first(TORCH, value, *arguments) if active[-1] else ())
    adjoints: list[Any] = [None] * len(nodes)
    adjoints[-1] = torch.ones_like(p)
    result = None
    for i in range(len(nodes) - 1, -1, -1):
        node, adjoint = nodes[i], adjoints[i]
        if adjoint is None or not active[i]:
            continue
        if node.operator is None:
            result = _plus(result, adjoint)
            continue
        for operand, edge, partial in zip(node.operands, node.edges, partials[i], strict=True):
            if active[operand]:
                flow = _times(_times(adjoint, partial), _coefficient(coefs, edge))
                _accumulate(adjoints, operand, flow)
    return torch.zeros_like(p) if result is None else result


@torch.no_grad()
def _mixed_gradient(
    program: Program, y: Tensor, p: Tensor, tangent: Tensor, coefs: Tensor, extra: Context
) -> Tensor:
    """`d/dcoefs sum(dM/dp * tangent)`, `[size - 1]`: backward through the tangent sweep.

    A node of value v and tangent t has two adjoints: u of its tangent, w of its value. Through
    `v = f(a, b)`, `t = f_a s_a + f_b s_b` they reach the argument a as `u f_a` and
    `w f_a + u (f_aa s_a + f_ab s_b)`; through `a = c * v'`, `s_a = c * t'` they give c its
    `sum(w_a v' + u_a t')`.
    """
    nodes = plan(program)
    values: list[Tensor] = []
    tangents: list[Any] = []
    firsts: list[tuple[Any, ...]] = []
    seconds: list[tuple[Any, ...]] = []
    inputs: list[list[Any]] = []
    for node in nodes:
        if node.operator is None:
            values.append(_leaf(node.leaf, y, p, extra))
            tangents.append(tangent if node.leaf == "p" else None)
            firsts.append(())
            seconds.append(())
            inputs.append([])
            continue
        pairs = list(zip(node.operands, node.edges, strict=True))
        arguments = [_scaled(values[o], e, coefs) for o, e in pairs]
        slopes = [_times(tangents[o], _coefficient(coefs, e)) for o, e in pairs]
        value = node.operator.value(TORCH, *arguments)
        values.append(value)
        firsts.append(node.operator.first(TORCH, value, *arguments))
        moving = any(slope is not None for slope in slopes)
        seconds.append(node.operator.second(TORCH, value, *arguments) if moving else ())
        inputs.append(slopes)
        flow = None
        for partial, slope in zip(firsts[-1], slopes, strict=True):
            flow = _plus(flow, _times(slope, partial))
        tangents.append(flow)
    gradient = torch.zeros_like(coefs)
    u: list[Any] = [None] * len(nodes)
    w: list[Any] = [None] * len(nodes)
    u[-1] = torch.ones_like(p)
    for i in range(len(nodes) - 1, -1, -1):
        node = nodes[i]
        if node.operator is None or (u[i] is None and w[i] is None):
            continue
        slopes, second = inputs[i], seconds[i]
        for k, (operand, edge) in enumerate(zip(node.operands, node.edges, strict=True)):
            bend = None
            if second:
                # Of (aa, ab, bb), argument k takes the two in which it stands.
                rows = second[k : k + len(slopes)]
                for curvature, slope in zip(rows, slopes, strict=True):
                    bend = _plus(bend, _times(slope, curvature))
            to_tangent = _times(u[i], firsts[i][k])
            to_value = _plus(_times(w[i], firsts[i][k]), _times(u[i], bend))
            if edge >= 0:
                if to_value is not None:
                    gradient[edge] += (to_value * values[operand]).sum()
                if to_tangent is not None and tangents[operand] is not None:
                    gradient[edge] += (to_tangent * tangents[operand]).sum()
            factor = _coefficient(coefs, edge)
            if tangents[operand] is not None:
                _accumulate(u, operand, _times(to_tangent, factor))
            _accumulate(w, operand, _times(to_value, factor))
    return gradient


def _entries(
    kind: Kind, outputs: Tensor, targets: Tensor, context: Context | None
) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """Predictions, targets of their shape, and the values of `C`, `pi`, `w` as they broadcast."""
    extra = dict(context or {})
    weights = torch.as_tensor(extra.get("w", 1.0))
    extra["w"] = weights.unsqueeze(-1) if weights.dim() and outputs.dim() > 1 else weights
    if kind.probabilities:
        extra.setdefault("C", float(outputs.shape[-1]))
    return *entries_of(kind, outputs, targets), extra


def program_loss(
    program: Program,
    kind: str,
    outputs: Tensor,
    targets: Tensor,
    coefs: Tensor | None = None,
    context: Context | None = None,
) -> Tensor:
    """The loss of a batch, a scalar, differentiable in `outputs` and `coefs`.

    Classification: the sum over the classes, then the mean over the batch; multilabel and regression: the
    mean over all entries.

    Args:
        program: the tree.
        kind: of the loss.
        outputs: logits `[N, C]` or `[N, K]`, or predictions or scores `[N]`.
        targets: class indices `[N]` or probabilities, 0/1 labels, or numbers; of scores 0 or 1.
        coefs: one coefficient an edge.
        context: values of `pi` `[C]` and `w` `[N]` where the tree speaks of them; `w` is 1 unless given.
    """
    p, y, extra = _entries(KINDS[kind], outputs, targets, context)
    entries = interpret(program, y, p, coefs, extra).expand_as(p)
    return reduced(KINDS[kind], entries)


@torch.no_grad()
def output_gradient(
    program: Program,
    kind: str,
    outputs: Tensor,
    targets: Tensor,
    coefs: Tensor | None = None,
    context: Context | None = None,
) -> Tensor:
    """`d program_loss / d outputs`, of the shape of `outputs`, without autograd.

    For softmax `dL/dz_j = p_j (g_j - sum_i p_i g_i)`, `g = dM/dp`.
    """
    p, y, extra = _entries(KINDS[kind], outputs, targets, context)
    g = entry_gradient(program, y, p, coefs, extra) / count(KINDS[kind], outputs)
    return KINDS[kind].link.pull(p, g)


@torch.no_grad()
def coefficient_gradient(
    program: Program,
    kind: str,
    outputs: Tensor,
    targets: Tensor,
    direction: Tensor,
    coefs: Tensor,
    context: Context | None = None,
) -> Tensor:
    """`d/dcoefs <d program_loss / d outputs, direction>`, `[size - 1]`.

    It is what the one-step hypergradient takes of the formula (`symloss.meta`).

    Args:
        direction: a change of the outputs, of their shape.
    """
    p, y, extra = _entries(KINDS[kind], outputs, targets, context)
    # The Jacobian of every link is symmetric: it takes changes of the outputs as it takes gradients.
    direction = KINDS[kind].link.pull(p, direction)
    return _mixed_gradient(program, y, p, direction, coefs, extra) / count(KINDS[kind], outputs)
