"""Trees as text of the grammar."""

from __future__ import annotations

import numpy as np
import pytest

from symloss.expr import Program, parse
from symloss.expr.trees import infix
from symloss.expr.trees.evaluate import slopes


@pytest.mark.parametrize(
    ("tokens", "edges", "factor", "text"),
    [
        (("sub", "y", "add", "p", "1"), (1.0, 1.0, 1.0, 1.0), 1.0, "y - (p + 1)"),
        (("sub", "y", "p"), (1.0, -2.0), 1.0, "y + 2*p"),
        (("add", "y", "-1"), (1.0, 0.5), -1.0, "-(y - 0.5)"),
        (("square", "mul", "y", "p"), (1.0, 1.0, 1.0), 2.0, "2*(y*p)**2"),
        (("div", "y", "mul", "p", "y"), (1.0, 1.0, 1.0, 1.0), 1.0, "y/(p*y)"),
        (("pow", "neg", "y", "p"), (1.0, 1.0, 3.0), 1.0, "(-y)**(3*p)"),
        (("min", "y", "aq", "p", "1"), (1.0, 1.0, 1.0, 1e-05), 1.0, "min(y, aq(p, 1e-05))"),
    ],
)
def test_trees_are_printed_in_the_grammar(
    tokens: tuple[str, ...], edges: tuple[float, ...], factor: float, text: str
) -> None:
    printed = infix(Program(tokens), edges, factor)
    assert printed == text
    y, p = np.array([-1.3]), np.array([0.7])
    (value,), _ = slopes(Program(tokens), y, p, edges)
    read = parse(printed, kind="regression").lambdify()(y, p)
    assert float(read[0]) == pytest.approx(factor * float(value), rel=1e-12)
