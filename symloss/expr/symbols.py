"""The symbols of the notation: what a formula may speak of."""

from __future__ import annotations

import re

from sympy import Symbol

__all__ = ["COEFFICIENT_NAME", "PI", "RESERVED", "SYMBOLS", "UNIT", "C", "M", "P", "W", "Y", "coefficient"]

# SymPy takes symbols of one name and other assumptions for different symbols: every formula uses these objects.
Y = Symbol("y", real=True)
"""Target entry: one entry of the one-hot (or soft) label, or the regression target."""
P = Symbol("p", real=True)
"""Prediction entry: one softmax or sigmoid probability, or the raw regression prediction."""
C = Symbol("C", integer=True, positive=True)
"""Number of classes."""
PI = Symbol("pi", real=True)
"""Class prior of the entry, from the training labels (not the circle's constant)."""
W = Symbol("w", real=True)
"""Weight of the instance."""
M = Symbol("m", real=True)
"""Margin: the score of an entry, positive on the right side."""

UNIT = {
    Y: Symbol("y", nonnegative=True),
    P: Symbol("p", positive=True),
    PI: Symbol("pi", positive=True),
    W: Symbol("w", nonnegative=True),
}
"""The entries of a classification or multilabel loss with the signs they have; a regression's are any real numbers.
A target may be 0, a prediction is strictly positive: log(p) is real, log(y) need not be."""

RESERVED = {symbol.name: symbol for symbol in (Y, P, C, PI, W)}
"""Names that no coefficient may have."""
SYMBOLS = {**RESERVED, M.name: M}
"""Every symbol of the notation by name; `m` means something to margin losses alone."""
# `\Z` and not `$`, which would let a name end in a newline.
COEFFICIENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")


def coefficient(name: str) -> Symbol:
    """The symbol of a named coefficient, a real number."""
    return Symbol(name, real=True)
