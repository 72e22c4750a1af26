"""A picture of the formula's tree."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from symloss.expr import Loss, Program
from symloss.report.formula_tree import Node, formula_tree, to_dot
from symloss.report.style import BLACK, BLUE, GREY, PALE, VERMILION, figure, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_tree"]

_FILL = {"operator": PALE["blue"], "symbol": PALE["vermilion"], "number": PALE["grey"]}
_EDGE = {"operator": BLUE, "symbol": VERMILION, "number": GREY}
_DOT_SECONDS = 20

Positions = list[tuple[float, float]]


def plot_tree(formula: Loss | Program) -> Figure:
    """The tree of a loss or an evolved program: operators above their arguments.

    Graphviz lays it out where its `dot` is installed; otherwise each parent stands over the middle of its
    children. Both are drawn by matplotlib.
    """
    tree = formula_tree(formula)
    nodes, parents = _numbered(tree)
    positions = _by_dot(tree, len(nodes)) or _over_children(tree)
    fig, (ax,) = figure()
    columns = max(x for x, _ in positions) - min(x for x, _ in positions) + 1
    rows = max(y for _, y in positions) - min(y for _, y in positions) + 1
    fig.set_size_inches(max(4.5, 0.62 * columns + 1), max(2.5, 0.72 * rows + 0.8))
    for i, parent in enumerate(parents):
        if parent is not None:
            (x0, y0), (x1, y1) = positions[parent], positions[i]
            ax.plot([x0, x1], [y0, y1], color=GREY, lw=1.2, zorder=1)
    for node, (x, y) in zip(nodes, positions, strict=True):
        box = {"boxstyle": "round,pad=0.35", "fc": _FILL[node.role], "ec": _EDGE[node.role]}
        ax.text(x, y, node.label, ha="center", va="center", color=BLACK, bbox=box, zorder=2)
    xs, ys = zip(*positions, strict=True)
    ax.set_xlim(min(xs) - 0.8, max(xs) + 0.8)
    ax.set_ylim(min(ys) - 0.6, max(ys) + 0.6)
    ax.set_axis_off()
    if isinstance(formula, Loss):
        title(fig, formula)
    return fig


def _numbered(tree: Node) -> tuple[list[Node], list[int | None]]:
    """The nodes in the order of the dot export, and the number of each one's parent."""
    nodes: list[Node] = []
    parents: list[int | None] = []

    def walk(node: Node, parent: int | None) -> None:
        number = len(nodes)
        nodes.append(node)
        parents.append(parent)
        for child in node.children:
            walk(child, number)

    walk(tree, None)
    return nodes, parents


def _over_children(tree: Node) -> Positions:
    positions: Positions = []
    leaves = 0.0

    def walk(node: Node, depth: int) -> float:
        nonlocal leaves
        number = len(positions)
        positions.append((0.0, 0.0))
        if node.children:
            below = [walk(child, depth + 1) for child in node.children]
            x = (below[0] + below[-1]) / 2
        else:
            x = leaves
            # A leaf's width, and so its distance from the next, by the length of its label.
            leaves += 0.6 + 0.16 * max(len(node.label), 2)
        positions[number] = (x, -float(depth))
        return x

    walk(tree, 0)
    return positions


def _by_dot(tree: Node, count: int) -> Positions | None:
    """Positions from graphviz, or None where it is absent or fails: the picture never depends on it."""
    program = shutil.which("dot")
    if program is None:
        return None
    try:
        answer = subprocess.run(
            [program, "-Tplain"], input=to_dot(tree), capture_output=True, text=True, timeout=_DOT_SECONDS,
            check=True, encoding="utf-8",
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    places: dict[int, tuple[float, float]] = {}
    for line in answer.stdout.splitlines():
        words = line.split()
        if len(words) > 3 and words[0] == "node":
            # Inches; a rank is 0.75 to 1 of them.
            places[int(words[1][1:])] = (1.1 * float(words[2]), float(words[3]))
    # A dot that answers otherwise than expected counts as none.
    return [places[i] for i in range(count)] if len(places) == count else None
