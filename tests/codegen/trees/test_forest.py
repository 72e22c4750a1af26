"""Many trees at once: each as the interpreter has it alone, whoever stands beside it."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from symloss.codegen.trees.forest import Forest
from symloss.codegen.trees.interpret import output_gradient
from symloss.codegen.trees.schedule import Schedule
from symloss.errors import CompileError
from symloss.expr import Program, register_primitive
from tests.codegen.trees.test_interpret import programs

KINDS = ("classification", "multilabel", "regression")
PRIORS = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)


def _batch(kind: str, count: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs of each loss, and targets of each."""
    generator = torch.Generator().manual_seed(count)
    shape = (count, 6) if kind == "regression" else (count, 6, 4)
    outputs = torch.randn(shape, generator=generator, dtype=dtype)
    if kind == "classification":
        return outputs, torch.randint(4, (count, 6), generator=generator)
    targets = torch.randn(shape, generator=generator, dtype=dtype)
    return outputs, targets if kind == "regression" else (targets > 0).to(dtype)


def _edges(program: Program, i: int) -> tuple[float, ...]:
    return tuple((-1.0) ** (i + k) * (0.5 + (7 * k + 3 * i) % 5 / 4) for k in range(program.size - 1))


@given(st.lists(programs, min_size=1, max_size=5), st.sampled_from(KINDS), st.booleans())
def test_each_as_alone(trees: list[Program], kind: str, shared: bool) -> None:
    if kind == "regression":
        trees = [Program(tuple("1" if token == "C" else token for token in tree.tokens)) for tree in trees]
    losses = [(tree, _edges(tree, i)) for i, tree in enumerate(trees)]
    outputs, targets = _batch(kind, len(trees), torch.float64)
    if shared:
        targets = targets[:1].expand_as(targets)
    classes = None if kind == "regression" else 4
    forest = Forest(losses, kind, classes)
    found = forest.output_gradients(outputs, targets[0] if shared else targets)
    for i, (tree, edges) in enumerate(losses):
        coefs = torch.tensor(edges, dtype=torch.float64)
        alone = output_gradient(tree, kind, outputs[i], targets[i], coefs)
        torch.testing.assert_close(found[i], alone, rtol=1e-9, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize("kind", KINDS)
def test_no_bit_depends_on_the_neighbours(kind: str) -> None:
    texts = (
        "mul y plog p", "tanh square sub y p", "sigmoid aq p y", "softplus add p sin y", "psqrt max y mul p p",
        "exp neg p", "aq tanh p plog y", "log add 1 square sub y p",
    )  # fmt: skip
    losses = [(tree := Program(tuple(text.split())), _edges(tree, i)) for i, text in enumerate(texts)]
    outputs, targets = _batch(kind, len(losses), torch.float32)
    classes = None if kind == "regression" else 4
    whole = Forest(losses, kind, classes).output_gradients(outputs, targets)
    for low, high in pairwise((0, 1, 4, 8)):
        part = Forest(losses[low:high], kind, classes).output_gradients(outputs[low:high], targets[low:high])
        assert torch.equal(part.nan_to_num(), whole[low:high].nan_to_num())


def test_priors_and_weights_of_each() -> None:
    tree = Program(("mul", "w", "mul", "pi", "square", "sub", "y", "p"))
    losses = [(tree, _edges(tree, i)) for i in range(2)]
    outputs, targets = _batch("classification", 2, torch.float64)
    weights, priors = torch.rand(2, 6, dtype=torch.float64), [PRIORS, PRIORS.flip(0)]
    found = Forest(losses, "classification", 4, priors).output_gradients(outputs, targets, weights)
    for i in range(2):
        context = {"pi": priors[i], "w": weights[i]}
        coefs = torch.tensor(losses[i][1], dtype=torch.float64)
        alone = output_gradient(tree, "classification", outputs[i], targets[i], coefs, context)
        torch.testing.assert_close(found[i], alone)
    unweighted = Forest(losses, "classification", 4, priors).output_gradients(outputs, targets)
    assert not torch.allclose(found, unweighted)


def test_another_batch_of_another_size() -> None:
    tree = Program(("square", "sub", "y", "p"))
    forest = Forest([(tree, (1.0, 1.0, 1.0))], "regression")
    for size in (3, 40, 3):
        outputs = torch.arange(float(size))[None]
        torch.testing.assert_close(forest.output_gradients(outputs, torch.zeros(size)), 2 * outputs / size)


def test_what_is_not_finite_stays_so_and_disturbs_nobody() -> None:
    """0 log 0 is not a number to the interpreter, and the logarithm of y = 0 is not folded away."""
    trees = [Program(tuple(text.split())) for text in ("mul y log p", "mul p log y", "square sub y p")]
    losses = [(tree, (1.0,) * (tree.size - 1)) for tree in trees]
    outputs = torch.tensor([[[0.0, -200.0]]], dtype=torch.float32).expand(3, 1, 2)
    targets = torch.tensor([0])
    found = Forest(losses, "classification", 2).output_gradients(outputs, targets)
    for i, (tree, edges) in enumerate(losses):
        alone = output_gradient(tree, "classification", outputs[i], targets, torch.tensor(edges))
        assert torch.equal(found[i].isfinite(), alone.isfinite())
    assert not bool(found[0].isfinite().all())
    assert bool(found[2].isfinite().all())


def test_registered_operators_and_what_is_computed_once() -> None:
    register_primitive("forest_bump", ["a", "b"], "exp(-a**2)*b + 0.5")
    tree = Program(("forest_bump", "sub", "y", "p", "p"))
    edges = (1.0, 2.0, 1.0, 0.5)
    outputs, targets = _batch("regression", 2, torch.float64)
    found = Forest([(tree, edges)] * 2, "regression").output_gradients(outputs, targets)
    for i in range(2):
        alone = output_gradient(tree, "regression", outputs[i], targets[i], torch.tensor(edges).double())
        torch.testing.assert_close(found[i], alone)


def test_equal_operators_are_one_operation() -> None:
    tree = Program(("mul", "y", "plog", "p"))
    one, many = (Schedule([(tree, (1.0, 2.0, 3.0))] * n, 10, binary=True) for n in (1, 9))
    assert len(many.operations) == len(one.operations) == 2
    constant = Program(("mul", "tanh", "plog", "C", "square", "sub", "y", "p"))
    assert [o.operator for o in Schedule([(constant, (1.0,) * 7)], 10, True).operations] == ["add", "square"]


def test_symbols_without_a_value_are_refused() -> None:
    with pytest.raises(CompileError, match="speaks of 'C': a regression has no classes"):
        Forest([(Program(("mul", "C", "p")), (1.0, 1.0))], "regression")
    with pytest.raises(CompileError, match="speaks of 'pi': give its value"):
        Forest([(Program(("mul", "pi", "p")), (1.0, 1.0))], "classification", 3)
