"""The formula's tree, its picture and its dot text."""

from __future__ import annotations

import stat

import pytest

from symloss import named, parse
from symloss.expr import Program
from symloss.report import formula_tree, plot_tree
from symloss.report.formula_tree import Node, to_dot

DOT = """#!/bin/sh
cat > /dev/null
echo 'graph 1 2 2'
echo 'node n0 1.0 1.75 0.75 0.5 abs solid ellipse black lightgrey'
echo 'node n1 1.0 0.25 0.75 0.5 p solid ellipse black lightgrey'
echo 'edge n0 n1 4 1 1 1 1 1 1 1 1 solid black'
echo 'stop'
"""


def count(node: Node) -> int:
    return 1 + sum(count(child) for child in node.children)


def test_sums_are_flat():
    tree = formula_tree(parse("y + p + 1"))
    assert tree.label == "+"
    assert len(tree.children) == 3


def test_a_program_is_drawn_token_for_token():
    program = Program(("mul", "y", "plog", "aq", "p", "-1"))
    assert count(formula_tree(program)) == program.size
    assert len(plot_tree(program).axes[0].texts) == program.size


def test_the_picture_names_every_node():
    loss = named("sparse-lsr")
    assert len(plot_tree(loss).axes[0].texts) == count(formula_tree(loss))


def test_negative_numbers_are_leaves():
    assert formula_tree(parse("p**(-2)*y")).role == "operator"
    assert Node("−2").role == "number"


def test_dot_lays_out_where_it_is_installed(tmp_path, monkeypatch):
    program = tmp_path / "dot"
    program.write_text(DOT)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    texts = plot_tree(parse("abs(p)")).axes[0].texts
    assert [text.get_position() for text in texts] == [pytest.approx((1.1, 1.75)), pytest.approx((1.1, 0.25))]


def test_without_dot_parents_stand_over_their_children(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    positions = [text.get_position() for text in plot_tree(parse("min(y, p)")).axes[0].texts]
    (root, depth), *leaves = positions
    assert root == pytest.approx(sum(x for x, _ in leaves) / 2)
    assert all(y == depth - 1 for _, y in leaves)


def test_dot_text_names_every_edge():
    text = to_dot(formula_tree(named("ce")))
    assert text.count("->") == count(formula_tree(named("ce"))) - 1
