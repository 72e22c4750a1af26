"""`Loss`: the value object that the rest of the library works on."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sympy import Expr, Integer, Max, Min, Pow, Rational, Symbol

from symloss.errors import DomainError, ParseError
from symloss.expr import canonical, printing
from symloss.expr.domain import Domain
from symloss.expr.kinds import DEFAULT_KIND, kind_of
from symloss.expr.mathml import to_mathml
from symloss.expr.operators import BY_HEAD
from symloss.expr.parser import check_numbers, parse_expression
from symloss.expr.plain import plain, size
from symloss.expr.reduce import unguarded
from symloss.expr.registry import Registry, default_registry
from symloss.expr.roots import is_taken_apart
from symloss.expr.symbols import COEFFICIENT_NAME, RESERVED, C
from symloss.numbers import as_real

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Loss", "parse"]


@dataclass(frozen=True, eq=False, repr=False)
class Loss:
    r"""A loss function as a formula: the loss `M(y, p)` of one entry.

    The loss of one instance is `sum_i M(y_i, p_i)` over classes (classification), or its mean over entries
    (multilabel, regression); that of a margin loss is `M(m)`, the mean over entries too, with `m` the score on the
    side of its target. A loss is immutable and hashable; two are equal when their kinds are and their canonical forms
    with the coefficients' values put in.

    Args:
        expr: the formula over `y`, `p`, `C`, `pi`, `w` and coefficients.
        kind: `"classification"` (`p` is a softmax probability), `"multilabel"` (a sigmoid probability),
            `"regression"` (the raw prediction) or `"margin"` (`m` in place of `y` and `p`).
        coefficients: the value of each coefficient symbol in `expr`.

    Raises:
        DomainError: for another kind, a foreign symbol or function, or a value that is not finite.

    >>> import symloss as sl
    >>> loss = sl.parse("phi0*y*abs(log(phi1*p))", coefficients={"phi1": 1.3})
    >>> str(loss)
    'y*abs(log(1.3*p))'
    >>> loss == sl.parse("y*abs(log(1.3) + log(p))")
    True
    """

    expr: Expr
    kind: str = DEFAULT_KIND
    coefficients: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = kind_of(self.kind).vocabulary
        free = {symbol.name for symbol in self.expr.free_symbols}
        foreign = free & (RESERVED.keys() - known.keys())
        if foreign:
            raise DomainError(
                f"{min(foreign)!r} is not part of a {self.kind} formula: it speaks of {' and '.join(known)}"
            )
        names = sorted(free - RESERVED.keys() - known.keys(), key=_natural)
        missing = [name for name in names if name not in self.coefficients]
        if missing:
            raise DomainError(f"no value for the coefficient {missing[0]!r}: give coefficients={{...}}")
        values: dict[str, float] = {}
        for name, value in self.coefficients.items():
            if not COEFFICIENT_NAME.match(name):
                raise DomainError(
                    f"{name!r} is no name for a coefficient: use ASCII letters, digits, underscores"
                )
            number = as_real(value)
            if number is None or not math.isfinite(number):
                raise DomainError(f"the coefficient {name!r} is {value!r}: expected a finite number")
            values[name] = number
        # Expressions come from code too, past the parser: a foreign function would fail in every room in its own way.
        for node in _nodes(self.expr):
            if not isinstance(node, (Rational, Symbol, *BY_HEAD)) and not node.is_NumberSymbol:
                raise DomainError(f"{type(node).__name__} is not part of a loss formula")
        # Coefficients that the formula does not have are dropped: they would survive `to_dict` and mean nothing.
        object.__setattr__(self, "coefficients", MappingProxyType({name: values[name] for name in names}))
        for node in (
            # The parser's limits, once more with the values put in: a product of named coefficients has more digits
            # than either.
            self.value_expr,
            *(n for n in _nodes(self.value_expr) if isinstance(n, Pow | Max | Min)),
        ):
            problem = check_numbers(node)
            if problem:
                raise DomainError(f"{problem[0]}: expected {problem[1]}")

    # `MappingProxyType` neither copies nor pickles; a loss is its three fields.
    def __reduce__(self) -> tuple[Any, ...]:
        return Loss, (self.expr, self.kind, dict(self.coefficients))

    @cached_property
    def value_expr(self) -> Expr:
        """The formula with the coefficients' values put in as exact decimals."""
        values = {
            # repr is the shortest decimal that reads back as the float: 0.1 becomes 1/10, not 3602879701896397/2**55,
            # and what is printed is what is proved.
            symbol: Rational(repr(self.coefficients[symbol.name]))
            for symbol in self.expr.free_symbols
            if symbol.name in self.coefficients
        }
        return _put_in(self.expr, values)

    @cached_property
    def canonical(self) -> Expr:
        """The canonical form of `value_expr`: what equality compares."""
        return canonical.canonicalise(self.value_expr, self.kind)

    def at_classes(self, classes: int) -> Expr:
        """`value_expr` with the number of classes put in."""
        return self.value_expr.xreplace({C: Integer(int(classes))})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Loss):
            return NotImplemented
        return (self.kind, self.canonical) == (other.kind, other.canonical)

    def __hash__(self) -> int:
        return hash((self.kind, self.canonical))

    def __str__(self) -> str:
        return printing.to_string(self.value_expr)

    def __repr__(self) -> str:
        kind = f", kind={self.kind!r}" * (self.kind != DEFAULT_KIND)
        return f"parse({str(self)!r}{kind})"

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"

    @property
    def formula(self) -> str:
        """The formula with its coefficients by name; `str(loss)` writes their values out."""
        return printing.to_string(self.expr)

    def latex(self, *, symbolic: bool = False) -> str:
        """LaTeX for math mode, coefficients as values or, if `symbolic`, by name.

        A guard of `plog` or `psqrt` that cannot act on the domain of the kind is left out.

        >>> parse("-y*log(p)").latex()
        '- y \\\\log{\\\\left(p \\\\right)}'
        """
        return printing.to_latex(unguarded(self.expr if symbolic else self.value_expr, Domain(self.kind)))

    def mathml(self, *, symbolic: bool = False) -> str:
        """Presentation MathML for web pages, as `latex`; without the `math` element around it.

        >>> parse("(y - p)**2", kind="regression").mathml().count("<mi>")
        2
        """
        shown = unguarded(self.expr if symbolic else self.value_expr, Domain(self.kind))
        return to_mathml(shown)

    @cached_property
    def complexity(self) -> int:
        """The number of operators, functions, symbols and numbers in the printed formula.

        >>> parse("y*abs(log(1.3*p))").complexity
        7
        """
        return size(self.value_expr)

    def simplify(self, *, hard_labels: bool = False) -> Loss:
        """An equal loss in its plainest form, of smaller or equal complexity; named coefficients stay named.

        Args:
            hard_labels: whether every label is 0 or 1, so that `y**2`, `sqrt(y)` and `y` are one thing; the result
                then equals the loss on such labels only. Says nothing of a regression loss.

        >>> str(parse("psqrt((p - y)**2)**2 + 1", kind="regression").simplify())
        'max((p - y)**2, 1e-7) + 1'
        >>> str(parse("min(1.252*y, 1.253*y**2)*-log(p)").simplify(hard_labels=True))
        '-1.252*y*log(p)'
        """
        try:
            shown = plain(self.expr, self.kind, hard_labels=hard_labels)
        except (TypeError, ValueError, OverflowError):
            # What SymPy raises over numbers too large to write down or to compare, as of `(1.796*p)**(0.08849*p*y)`.
            return self
        return Loss(shown, self.kind, dict(self.coefficients))

    def with_coefficients(self, **values: float) -> Loss:
        """The same formula with some coefficients changed.

        Raises:
            DomainError: for a coefficient that the formula does not have, or a value that is not finite.
        """
        for name in values:
            if name not in self.coefficients:
                have = ", ".join(self.coefficients) or "none"
                raise DomainError(f"no coefficient {name!r} in {self.formula}: it has {have}")
        return Loss(self.expr, self.kind, {**self.coefficients, **values})

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `from_dict` reads back; JSON-ready."""
        return {"formula": self.formula, "kind": self.kind, "coefficients": dict(self.coefficients)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Loss:
        """The loss that `to_dict` wrote.

        Raises:
            ParseError: when the data is not what `to_dict` writes.
        """
        formula = data.get("formula") if isinstance(data, Mapping) else None
        coefficients = data.get("coefficients", {}) if isinstance(data, Mapping) else None
        if not isinstance(formula, str) or not isinstance(coefficients, Mapping):
            raise ParseError(
                "not a loss", expected='{"formula": str, "kind": str, "coefficients": {name: number}}'
            )
        return parse(formula, kind=data.get("kind", DEFAULT_KIND), coefficients=coefficients)

    def lambdify(self, backend: str = "numpy") -> Callable[..., Any]:
        """A plain function of `(y, p)`, elementwise.

        Args:
            backend: `"numpy"`, `"torch"`, `"math"` (floats) or `"mpmath"` (any number of digits).

        >>> float(parse("(y - p)**2", kind="regression").lambdify()(1.0, 0.25))
        0.5625
        """
        from symloss.codegen import lambdify  # codegen imports this room

        return lambdify(self, backend)

    def to_torch(
        self,
        reduction: str = "mean",
        weight: Any = None,
        ignore_index: int = -100,
        trainable: bool = False,
        **options: Any,
    ) -> nn.Module:
        """A torch module of `(outputs, targets)` that behaves as torch's own losses do.

        Classification as `nn.CrossEntropyLoss`: logits `[N, C, ...]`, and class indices `[N, ...]` or probabilities
        of the logits' shape; multilabel as `nn.BCEWithLogitsLoss`; regression as `nn.MSELoss`. It works in the log
        domain, and stays finite, or infinite with a sign, at any logits.

        Args:
            reduction: `"mean"` (over class indices: divided by the summed weights of the targets), `"sum"` or
                `"none"`.
            weight: `[C]`, multiplies each class's term; multilabel: each label's.
            ignore_index: class index whose instances count for nothing.
            trainable: make the coefficients parameters of the module.
            options: `bounds`, in which trainable coefficients stay, `priors`, the values of the symbol `pi`, `beta` of
                margins, and `kernels`, for CUDA devices; see `symloss.codegen.compile_loss`.

        Raises:
            CompileError: for options that do not fit the loss, or a formula that is infinite at `y = 0`.

        >>> import torch
        >>> criterion = parse("-y*log(p)").to_torch(reduction="sum")
        >>> criterion(torch.zeros(2, 4), torch.tensor([0, 3]))
        tensor(2.7726)
        """
        from symloss.codegen import compile_loss  # codegen imports this room

        return compile_loss(
            self,
            reduction=reduction,
            weight=weight,
            ignore_index=ignore_index,
            trainable=trainable,
            **options,
        )


def parse(
    text: str,
    kind: str = DEFAULT_KIND,
    coefficients: Mapping[str, float] | None = None,
    registry: Registry | None = None,
    losses: Mapping[str, Expr] | None = None,
) -> Loss:
    """The loss that a formula says.

    Grammar: `y p C pi w` (of a margin loss `m w`), coefficients, numbers, `+ - * / **`, `abs sign log exp sqrt
    square tanh atan sin cos sinh cosh min max aq sigmoid softplus relu`, and the protected `plog psqrt`; see
    `symloss zoo` for examples. The names `phi0, phi1, ...` are coefficients without declaration, with value 1.

    Args:
        text: the formula; ASCII, at most 4 KiB, 512 nodes, depth 64.
        kind: `"classification"`, `"multilabel"`, `"regression"` or `"margin"`.
        coefficients: the values of named coefficients in the formula.
        registry: the operators it may use, where they are not the default ones.
        losses: formulas by name, which stand for a name that is nothing else; `symloss.zoo.parse`, which is
            `symloss.parse`, gives those of the zoo.

    Raises:
        ParseError: with position, expectation and hint, for text that is not such a formula.
        DomainError: for another kind.

    >>> str(parse("a*abs(log(b*p))*y", coefficients={"a": 1, "b": 1.3}))
    'y*abs(log(1.3*p))'
    """
    known = kind_of(kind).vocabulary
    values: dict[str, float] = {}
    for name, value in (coefficients or {}).items():
        number = as_real(value)
        if number is None or not math.isfinite(number):
            raise ParseError(f"the coefficient {name!r} is {value!r}", expected="a finite number")
        values[name] = number
    expr = parse_expression(text, values, (registry or default_registry()).operators, losses, known)
    # By the text: a coefficient that SymPy has cancelled, as in a - a, was used all the same.
    written = {
        node.id
        for node in ast.walk(ast.parse(" ".join(text.split()), mode="eval"))
        if isinstance(node, ast.Name)
    }
    for name in values:
        if name not in written:
            raise ParseError(f"the coefficient {name!r} is not in the formula", hint="use it or leave it out")
    names = {symbol.name for symbol in expr.free_symbols} - RESERVED.keys() - known.keys()
    try:
        return Loss(expr, kind, {name: values.get(name, 1.0) for name in names})
    except DomainError as error:
        raise ParseError(str(error)) from None


def _put_in(expr: Expr, values: Mapping[Symbol, Rational]) -> Expr:
    """A formula with numbers for some symbols.

    Raises:
        DomainError: where a power's number and exponent have too many digits to be taken apart.
    """
    if expr in values:
        return values[expr]
    if not expr.free_symbols & values.keys():
        return expr
    args = [_put_in(arg, values) for arg in expr.args]
    if isinstance(expr, Pow) and args[1].is_Rational and not args[1].is_Integer:
        number, _ = args[0].as_coeff_Mul()
        if number.is_Rational and not is_taken_apart(number, args[1]):
            raise DomainError(
                f"the number {float(number):g} under the exponent {float(args[1]):g} has too many digits: give one of "
                "them fewer"
            )
    return expr.func(*args)


def _natural(name: str) -> tuple[str, int]:
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or -1)


def _nodes(expr: Expr) -> set[Expr]:
    """Every subexpression once. A stack, as formulas may be deep, and a set, as they share parts."""
    seen: set[Expr] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(node.args)
    return seen
