"""Trees in prefix order."""

from __future__ import annotations

import pytest

from symloss.errors import DomainError
from symloss.expr import P, Program, Y, plog
from symloss.expr.trees import Weighted


def test_shape() -> None:
    tree = Program(("add", "mul", "y", "plog", "p", "-1"))
    assert (tree.size, tree.height) == (6, 3)
    assert [tree.children(i) for i in range(6)] == [(1, 5), (2, 3), (), (4,), (), ()]
    assert Weighted.plain(tree).to_loss("classification").expr == Y * plog(P) - 1
    assert Program(["y"]) == Program(("y",))


def test_each_edge_has_its_coefficient() -> None:
    tree = Program(("sub", "mul", "y", "p", "1"))
    assert Weighted(tree, (2, 3, 5, 7)).to_loss("classification").expr == 30 * Y * P - 7
    with pytest.raises(DomainError, match="4 edges, but 1 coefficients"):
        Weighted(tree, (1.0,))


@pytest.mark.parametrize("tokens", [(), ("add", "y"), ("y", "p"), ("mul", "y", "p", "p")])
def test_incomplete_trees(tokens: tuple[str, ...]) -> None:
    with pytest.raises(DomainError, match="not one complete tree"):
        Program(tokens)


def test_unknown_token() -> None:
    with pytest.raises(DomainError, match=r"'os\.system' is neither"):
        Program(("os.system", "y"))
