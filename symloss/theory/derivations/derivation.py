"""A derivation: named steps from one loss to another, each checked by machine when it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sympy import (
    Basic,
    Eq,
    Expr,
    Integer,
    Rational,
    Symbol,
    cancel,
    expand,
    expand_log,
    factor,
    latex,
    logcombine,
    together,
)
from sympy.core.relational import Relational

from symloss.errors import DomainError
from symloss.expr import C, Loss

__all__ = ["Derivation", "Step", "equation", "identity", "positive", "probabilities", "sampled"]


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        name: what is done.
        before, after: the expressions, or statements, it leads from and to.
        justification: why it holds, in a sentence.
        check: what the machine did to check it.
        exact: False for an approximation.
    """

    name: str
    before: Basic
    after: Basic
    justification: str
    check: str
    exact: bool = True

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.name,
            "before": str(self.before),
            "after": str(self.after),
            "justification": self.justification,
            "check": self.check,
            "exact": self.exact,
            "latex": {"before": _typeset(self.before), "after": _typeset(self.after)},
        }


@dataclass(frozen=True)
class Derivation:
    """Steps that lead to a loss; see `symloss.derive`.

    Attributes:
        name: of the theorem, or the formula it starts from.
        statement: what is shown, in a sentence.
        steps: in order.
        result: the loss at the end.
        symbols: what the symbols mean, for the reader.
    """

    name: str
    statement: str
    steps: tuple[Step, ...]
    result: Loss
    symbols: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.name,
            "statement": self.statement,
            "symbols": dict(self.symbols),
            "steps": [step.to_dict() for step in self.steps],
            "result": self.result.to_dict(),
        }

    def to_text(self) -> str:
        """The derivation for a terminal."""
        lines = [self.statement, ""]
        lines += [f"  {name}: {meaning}" for name, meaning in self.symbols.items()]
        for number, step in enumerate(self.steps, start=1):
            sign = " " if isinstance(step.after, Relational) else "=" if step.exact else "~"
            kind = "" if step.exact else " (approximation)"
            lines += ["", f"{number}. {step.name}{kind}", f"     {_plain(step.before)}"]
            lines.append(f"   {sign} {_plain(step.after)}")
            lines += [f"   because {step.justification}", f"   checked: {step.check}"]
        return "\n".join([*lines, "", f"result: {self.result.formula}", ""])

    def to_latex(self) -> str:
        """A complete LaTeX document."""
        parts = [
            r"\documentclass{article}",
            r"\usepackage[T1]{fontenc}",
            r"\usepackage{amsmath,amssymb}",
            r"\usepackage[margin=25mm]{geometry}",
            r"\begin{document}",
            rf"\section*{{{_escaped(self.name)}}}",
            _escaped(self.statement),
        ]
        if self.symbols:
            parts.append(r"\begin{itemize}")
            parts += [rf"\item \verb|{name}|: {_escaped(meaning)}" for name, meaning in self.symbols.items()]
            parts.append(r"\end{itemize}")
        for step in self.steps:
            sign = "" if isinstance(step.after, Relational) else "=" if step.exact else r"\approx"
            formula = rf"{_typeset(step.before)} \\ {sign}\;& {_typeset(step.after)}"
            parts += [
                rf"\paragraph{{{_escaped(step.name)}.}} {_escaped(step.justification)}",
                rf"\begin{{align*}} & {formula} \end{{align*}}",
                rf"{{\small Checked: {_escaped(step.check)}.}}",
            ]
        parts += [
            r"\paragraph{Result.}",
            rf"\[ {self.result.latex(symbolic=True)} \]",
            r"\end{document}",
            "",
        ]
        return "\n".join(parts)


def identity(left: Expr, right: Expr) -> str:
    """The words of a proof that two expressions are equal if all symbols and arguments of log are positive.

    Raises:
        DomainError: when the difference does not cancel: the step is wrong.

    >>> p = Symbol("p", positive=True)
    >>> identity((1 + p) ** 2, 1 + 2 * p + p**2)
    'both sides cancel symbolically'
    """
    # `force` splits log(a b) for positive a and b alone, which the caller vouches for: probabilities, and 1 - p, are.
    rules: tuple[Callable[[Expr], Expr], ...] = (
        expand,
        lambda e: expand(expand_log(e, force=True)),
        lambda e: cancel(together(expand_log(e, force=True))),
        lambda e: expand(expand_log(logcombine(expand_log(e, force=True), force=True), force=True)),
        lambda e: cancel(together(expand_log(cancel(together(e)), force=True))),
    )
    if any(rule(left - right) == 0 for rule in rules):
        return "both sides cancel symbolically"
    raise DomainError(f"the step does not hold: {left} is not {right}")


def positive(expr: Expr) -> str:
    """The words of a proof that an expression is above 0 for C >= 2, by the signs of its factors and terms.

    Raises:
        DomainError: when the signs do not decide it.

    >>> positive(1 - 1 / C)
    '1 - 1/C > 0 by the signs of its terms, with C = n + 1, n >= 1'
    """
    more = Symbol("n", positive=True, integer=True)
    # A sum or product of positive terms is positive: with C = n + 1 those in n have one sign where those in C do not.
    rewritten = factor(expr.subs(C, more + 1))
    if rewritten.is_positive:
        return f"{expr} > 0 by the signs of its terms" + (", with C = n + 1, n >= 1" if expr.has(C) else "")
    raise DomainError(f"the step does not hold: {expr} is not shown to be positive")


def sampled(difference: Callable[[int, int], Expr], classes: tuple[int, ...] = (2, 3, 5, 10)) -> str:
    """The words of a numerical check, for what has as many variables as there are classes.

    Args:
        difference: of the two sides, from the number of classes and the number of the point; exact.

    Raises:
        DomainError: when it is not 0 to 50 digits at every point.
    """
    points = 5
    for count in classes:
        for point in range(points):
            value = difference(count, point).evalf(60)
            if not value.is_finite:
                raise DomainError(
                    f"a side of the step is not finite at C = {count}: the loss is undefined there"
                )
            # Points are rational, so that logarithms alone are rounded; ten digits more are for what cancels.
            if abs(value) > Rational(1, 10**50):
                raise DomainError(f"the step does not hold: the sides differ by {value} at C = {count}")
    where = ", ".join(map(str, classes))
    return f"equal to 50 digits at {points} points each for C = {where}"


def probabilities(count: int, point: int) -> list[Rational]:
    """Rational probabilities of `count` classes, all different in general; the target's is the first."""
    # Whole weights without a pattern, over their sum: exact, and nothing holds of them by symmetry.
    weights = [Integer(1 + (7 * i * i + 11 * point * (i + 1)) % 97) for i in range(count)]
    total = sum(weights, Integer(0))
    return [weight / total for weight in weights]


def equation(left: Expr, right: Expr) -> Eq:
    """`left = right` as a statement, left as it is written."""
    return Eq(left, right, evaluate=False)


_NAMES = {
    "E[log(p_j)]": r"\mathbb{E}[\log p_j]",
    "E[log(q_j)]": r"\mathbb{E}[\log q_j]",
    "log(E[p_j])": r"\log \mathbb{E}[p_j]",
    "E[p_j]": r"\mathbb{E}[p_j]",
    "KL(uniform||q)": r"\mathrm{KL}(u \,\|\, q)",
    "p*": "p^*",
    "dL/dz_t": r"\partial L/\partial z_t",
}
"""How symbols that stand for more than a letter are typeset."""


def _typeset(statement: Basic) -> str:
    odd = [s for s in statement.free_symbols if not s.name.replace("_", "").isalnum()]
    names = {s: _NAMES.get(s.name, rf"\mathrm{{{_escaped(s.name)}}}") for s in odd}
    return str(latex(statement, symbol_names=names))


def _plain(statement: Basic) -> str:
    return f"{statement.lhs} = {statement.rhs}" if isinstance(statement, Eq) else str(statement)


def _escaped(text: str) -> str:
    for plain, written in (
        ("\\", r"\textbackslash{}"),
        ("_", r"\_"),
        ("^", r"\^{}"),
        ("%", r"\%"),
        ("&", r"\&"),
        ("#", r"\#"),
        ("<", r"\(<\)"),
        (">", r"\(>\)"),
        ("~", r"\(\sim\)"),
    ):
        text = text.replace(plain, written)
    return text
