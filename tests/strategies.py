"""Formulas for Hypothesis to draw: trees of the grammar as text."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["formulas"]

_LEAVES = st.sampled_from(["y", "p", "y", "p", "C", "1", "2", "0.5", "1.3", "3", "phi0"])
_UNARY = st.sampled_from(
    [
        "abs",
        "square",
        "tanh",
        "sin",
        "cos",
        "exp",
        "plog",
        "psqrt",
        "sigmoid",
        "softplus",
        "relu",
        "sign",
        "-",
    ]
)
_BINARY = st.sampled_from(["+", "-", "*", "/", "min", "max", "aq"])


def _unary(operator: str, a: str) -> str:
    return f"(-{a})" if operator == "-" else f"{operator}({a})"


def _binary(operator: str, a: str, b: str) -> str:
    return f"{operator}({a}, {b})" if operator.isalpha() else f"({a} {operator} {b})"


def formulas(leaves: int = 8) -> st.SearchStrategy[str]:
    """Formulas of up to `leaves` leaves; some have constants that the parser must refuse."""
    return st.recursive(
        _LEAVES,
        lambda inner: st.builds(_unary, _UNARY, inner) | st.builds(_binary, _BINARY, inner, inner),
        max_leaves=leaves,
    )
