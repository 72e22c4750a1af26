"""The kinds as values: links against autograd, null epochs, and that no room asks for a kind by its name."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from sympy import Symbol

import symloss
from symloss.codegen.links import PREDICTIONS
from symloss.errors import DomainError
from symloss.expr import KINDS, kind_of, parse

ROOT = Path(symloss.__file__).parent


@pytest.mark.parametrize("name", KINDS)
def test_the_pull_is_the_gradient_of_the_link(name: str) -> None:
    link = KINDS[name].link
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(5, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    g = torch.randn(5, 4, dtype=torch.float64, generator=generator)
    p = PREDICTIONS[link.name](z)
    (wanted,) = torch.autograd.grad((p * g).sum(), z)
    torch.testing.assert_close(link.pull(p.detach(), g), wanted)
    np.testing.assert_allclose(link.pull(p.detach().numpy(), g.numpy()), wanted, atol=1e-14)
    # Its Jacobian is symmetric: a change of the outputs becomes one of the predictions by the same function.
    _, moved = torch.autograd.functional.jvp(PREDICTIONS[link.name], z.detach(), g)
    torch.testing.assert_close(link.pull(p.detach(), g), moved)


@pytest.mark.parametrize("name", KINDS)
def test_a_row_is_consistent(name: str) -> None:
    kind = kind_of(name)
    ordinary = parse(kind.ordinary, kind=name)
    assert {symbol.name for symbol in ordinary.expr.free_symbols} <= kind.symbols
    assert bool(kind.known) == kind.probabilities
    assert all(isinstance(new, Symbol) and new.name == old.name for old, new in kind.known.items())
    outputs = torch.zeros(3, 4)
    p = PREDICTIONS[kind.link.name](outputs)
    chance = kind.null_epoch(4)
    assert (chance is None) == (not kind.probabilities)
    if chance is not None:
        torch.testing.assert_close(p, torch.full_like(p, chance))
    assert kind.exclusive == bool(torch.allclose(p.sum(-1), torch.ones(3)) and kind.probabilities)


def test_an_unknown_kind() -> None:
    for name in ("margins", "", None, 3, ["regression"]):
        with pytest.raises(DomainError, match="expected one of classification, multilabel, regression"):
            kind_of(name)  # type: ignore[arg-type]


def _compared(path: Path) -> list[str]:
    """The places where something is compared with the name of a kind."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            sides += [
                item
                for side in sides
                if isinstance(side, ast.Tuple | ast.List | ast.Set)
                for item in side.elts
            ]
            if any(isinstance(side, ast.Constant) and side.value in KINDS for side in sides):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


EPISODES = {"few_shot", "fewshot", "episodes"}
"""Rooms where a kind is that of a source of episodes, of which there are two: no kind of loss."""


def test_nobody_compares_the_name_of_a_kind() -> None:
    paths = [path for path in sorted(ROOT.rglob("*.py")) if not EPISODES & set(path.parts)]
    assert [place for path in paths for place in _compared(path)] == []
