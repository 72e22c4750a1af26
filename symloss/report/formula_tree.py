"""A formula as a tree of operators: the nodes and edges that the picture and the dot export draw."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from symloss.expr import Loss, Program

__all__ = ["Node", "formula_tree", "to_dot"]

_SIGNS = {"+": "+", "-": "−", "*": "×", "/": "÷", "**": "^"}
"""How the grammar's signs are drawn."""
_BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_FLAT = ("+", "×")


@dataclass(frozen=True)
class Node:
    """One operator, function, symbol or number, with its arguments from left to right."""

    label: str
    children: tuple[Node, ...] = ()

    @property
    def role(self) -> str:
        """`"operator"` for whatever has arguments, else `"symbol"` or `"number"`."""
        if self.children:
            return "operator"
        return "symbol" if self.label[0].isalpha() else "number"


def formula_tree(formula: Loss | Program) -> Node:
    """The tree of a loss as it is printed, or of an evolved program token for token.

    >>> formula_tree(Program(("mul", "y", "plog", "p")))
    Node(label='×', children=(Node(label='y', children=()), Node(label='plog', children=(Node(label='p', \
children=()),))))
    """
    if isinstance(formula, Program):
        return _program(formula, 0)
    # The printed formula in Python's grammar, parsed and never evaluated: the tree is what a reader sees, not
    # SymPy's own, which sorts its arguments and writes a/b as a*b**-1.
    return _syntax(ast.parse(str(formula), mode="eval").body)


def _program(program: Program, i: int) -> Node:
    token = program.tokens[i]
    operator = program.registry.operators.get(token)
    return Node(
        _SIGNS[operator.symbol] if operator and operator.symbol else token,
        tuple(_program(program, child) for child in program.children(i)),
    )


def _syntax(node: ast.expr) -> Node:
    if isinstance(node, ast.BinOp):
        label = _SIGNS[_BINARY[type(node.op)]]
        children: list[Node] = []
        for side in (_syntax(node.left), _syntax(node.right)):
            # a + b + c is one sum of three, as a reader sees it.
            children += side.children if label in _FLAT and side.label == label else (side,)
        return Node(label, tuple(children))
    if isinstance(node, ast.UnaryOp):
        inner = _syntax(node.operand)
        return Node(f"−{inner.label}") if inner.role == "number" else Node("−", (inner,))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return Node(node.func.id, tuple(_syntax(argument) for argument in node.args))
    return Node(ast.unparse(node))


def to_dot(tree: Node) -> str:
    """The tree in graphviz's language.

    >>> print(to_dot(Node("abs", (Node("p"),))))
    digraph loss {
      node [shape=ellipse, fontname="Helvetica"];
      n0 [label="abs"];
      n1 [label="p"];
      n0 -> n1;
    }
    """
    labels: list[str] = []
    edges: list[str] = []

    def walk(node: Node) -> int:
        # In preorder: `tree_figure._numbered` counts alike, by which positions find their nodes.
        number = len(labels)
        labels.append(f'  n{number} [label="{node.label}"];')
        for child in node.children:
            edges.append(f"  n{number} -> n{walk(child)};")
        return number

    walk(tree)
    head = '  node [shape=ellipse, fontname="Helvetica"];'
    return "\n".join(["digraph loss {", head, *labels, *edges, "}"])
