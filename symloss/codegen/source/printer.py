"""SymPy trees to source text, shared subexpressions computed once, and that text to a function.

Only trees of a whitelist are printed: every node is looked up by its class, every symbol by the table of
names that the caller gives. No text of a user reaches the source.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from sympy import (
    Add,
    Expr,
    Function,
    Integer,
    Mul,
    NumberSymbol,
    Pow,
    Rational,
    Symbol,
    cse,
    exp,
    numbered_symbols,
    tanh,
)

from symloss.codegen.runtime.logits import like
from symloss.codegen.source.languages import DIALECTS, Dialect
from symloss.codegen.symbols import nodes
from symloss.codegen.symbols.log_domain import LOG_P, LOG_Q, P_, Q_
from symloss.errors import CompileError
from symloss.expr import BY_HEAD, GUARD, log_cosh

__all__ = ["Printed", "build", "print_function", "rounded"]

_CALLS: dict[type, str] = {head: row.name for head, row in BY_HEAD.items()} | nodes.CALLED
"""The operation, as a dialect knows it, that a node is."""
LOWEST = -3e38
"""For the logarithm of 0: within the range of float32, the narrowest dtype that anything is computed in."""


class Printed:
    """The source of a function and what it needs to run.

    Attributes:
        source: `def name(arguments): ...`.
        helpers: the helper functions that it calls, in order.
        dialect: the language.
        mentioned: the symbols that it reads.
    """

    def __init__(
        self, name: str, source: str, helpers: Sequence[str], dialect: Dialect, mentioned: frozenset[Symbol]
    ) -> None:
        self.name, self.source, self.helpers = name, source, tuple(helpers)
        self.dialect, self.mentioned = dialect, mentioned

    @property
    def text(self) -> str:
        """Imports, helpers and the function: a file that runs by itself."""
        parts = [self.dialect.header, *(self.dialect.helpers[name] for name in self.helpers), self.source]
        return "\n\n".join(parts)

    def trimmed(self, *kept: str) -> str:
        """The source without names for trailing parameters that are not read; keywords only where read or kept."""
        (function,) = ast.parse(self.source).body
        assert isinstance(function, ast.FunctionDef)
        read = {node.id for line in function.body for node in ast.walk(line) if isinstance(node, ast.Name)}
        names = [argument.arg for argument in function.args.args]
        count = max((i + 1 for i, name in enumerate(names) if name in read), default=0)
        parameters = [*names[:count], *(["*_"] if count < len(names) else [])]
        keywords = [arg.arg for arg in function.args.kwonlyargs if arg.arg in read or arg.arg in kept]
        if keywords and "*_" not in parameters:
            parameters.append("*")
        body = self.source.split("\n", 1)[1]
        return f"def {self.name}({', '.join([*parameters, *keywords])}):\n{body}"


def build(
    printed: Printed, names: Mapping[str, Any] | None = None, file: str | None = None
) -> Callable[..., Any]:
    """The function that a printed source defines.

    Args:
        printed: the source.
        names: what it refers to; torch's helpers unless given.
        file: the file that it is said to come from.
    """
    namespace: dict[str, Any] = {"like": like, "F": F} if names is None else dict(names)
    where = file or f"<symloss {printed.name}>"
    exec(compile(printed.text, where, "exec"), namespace)  # our own printing, see above
    function: Callable[..., Any] = namespace[printed.name]
    return function


def print_function(
    name: str,
    results: Sequence[Expr],
    arguments: Sequence[str],
    names: Mapping[Symbol, str],
    *,
    language: str = "torch",
    scalars: frozenset[Symbol] = frozenset(),
    prelude: Mapping[Symbol, str] | None = None,
    docstring: str = "",
    differentiable: bool = True,
    entries: tuple[str, frozenset[Symbol]] | None = None,
) -> Printed:
    """A function that computes `results` from `arguments`.

    Args:
        name: the function's name.
        results: expressions in the symbols of `names`; one is returned as itself, several as a tuple.
        arguments: the function's parameters, in order.
        names: what each symbol is called in the source.
        scalars: symbols that are plain numbers at run time even where the rest are tensors.
        prelude: the definitions of symbols that are not arguments, put first where they are used; a
            definition may use the symbols after it.
        differentiable: autograd has to see through the function; if not, faster operations are used.
        entries: an argument, and the symbols that are tensors of its shape: results without any of them are spread
            over it.
    """
    printer = _Printer(DIALECTS[language], dict(names), scalars, differentiable)
    if language in ("torch", "triton"):
        results = [rounded(expr if differentiable else _quickened(expr)) for expr in results]
    replacements, reduced = cse(list(results), symbols=numbered_symbols("x"), order="none")
    lines = []
    for symbol, expr in replacements:
        if printer.is_scalar(expr):
            printer.scalars |= {symbol}
        lines.append(f"{symbol.name} = {printer.text(expr)}")
        printer.names[symbol] = symbol.name
    returned = [printer.text(expr) for expr in reduced]
    if entries is not None:
        name_of_entries, shaped = entries
        flat = not (differentiable or results[0].free_symbols)  # one of many terms: another carries a NaN
        for i, expr in enumerate(results):
            if not expr.free_symbols & shaped:
                spread = f"torch.full_like({name_of_entries}, {returned[i]})"
                flat = flat and language == "torch"
                returned[i] = spread if flat else f"like({returned[i]}, {name_of_entries})"
    body = [*printer.definitions(prelude or {}), *lines, f"return {', '.join(returned)}"]
    if docstring:
        body.insert(0, f'"""{docstring}"""')
    source = f"def {name}({', '.join(arguments)}):\n" + "".join(f"    {line}\n" for line in body)
    return Printed(name, source, printer.used, DIALECTS[language], frozenset(printer.mentioned))


def rounded(expr: Expr) -> Expr:
    """`expr` with its irrational constants as numbers, so that those of a product become one.

    >>> from sympy import sqrt
    >>> rounded(2 * sqrt(2) * Symbol("x")).args[0].round(4)
    2.8284
    """
    irrational = [node for node in expr.atoms(Pow, Function, NumberSymbol) if node.is_number]
    return expr.xreplace({node: node.evalf(25) for node in irrational})


def _quickened(expr: Expr) -> Expr:
    """The slope of `log cosh x`, `tanh x`, is shared."""
    return expr.replace(log_cosh, lambda x: nodes.log_cosh_by_tanh(x, tanh(x)))


class _Printer:
    def __init__(
        self,
        dialect: Dialect,
        names: dict[Symbol, str],
        scalars: frozenset[Symbol],
        differentiable: bool = True,
    ) -> None:
        self.dialect, self.names, self.scalars = dialect, names, scalars
        self.quick = dialect.name == "torch" and not differentiable
        self.used: list[str] = []
        self.mentioned: set[Symbol] = set()

    def definitions(self, prelude: Mapping[Symbol, str]) -> list[str]:
        lines: list[str] = []
        for symbol, line in prelude.items():
            if symbol in self.mentioned:
                lines.insert(0, line)
                self.mentioned |= {s for s in self.names if f"({self.names[s]})" in line}
                for helper in self.dialect.helpers:
                    if f"{helper}(" in line and helper not in self.used:
                        self.used.append(helper)
        return lines

    def is_scalar(self, expr: Expr) -> bool:
        return self.dialect.name == "torch" and expr.free_symbols <= self.scalars

    def text(self, expr: Expr) -> str:
        if expr.is_Symbol:
            self.mentioned.add(expr)
            return self.names[expr]
        # mpmath adds and multiplies numbers itself, at its own precision.
        exact = self.dialect.name == "mpmath" and isinstance(expr, Add | Mul | Pow)
        if expr.is_number and not exact:
            return self.number(expr)
        if isinstance(expr, Add):
            return self.sum(expr)
        if isinstance(expr, Mul):
            return self.product(expr)
        if isinstance(expr, Pow):
            return self.power(expr.base, expr.exp, self.is_scalar(expr))
        return self.call(expr)

    def number(self, expr: Expr) -> str:
        if self.dialect.name == "mpmath":
            if expr.is_Rational:
                return f"mpmath.mpf({expr.p})" + (f" / {expr.q}" if expr.q != 1 else "")
            return self.call(expr) if expr.args else "mpmath.e"
        if expr.is_Integer and abs(expr) < (10**15 if self.dialect.name != "triton" else 2**24):
            return str(int(expr)) if expr >= 0 else f"({int(expr)})"
        value = float(expr.evalf(20))
        if self.dialect.name == "triton" and not (value == 0 or 1e-37 < abs(value) < 1e38):
            raise CompileError(f"expected constants within the range of float32, got {expr}")
        if not math.isfinite(value):
            raise CompileError(
                f"expected constants within the range of float64, got {expr}; rescale the formula"
            )
        return repr(value) if value >= 0 else f"({value!r})"

    def atom(self, expr: Expr) -> str:
        """The text of an operand: in brackets unless it binds tighter than a product."""
        text = self.text(expr)
        loose = isinstance(expr, Add | Mul | Pow) or (expr.is_number and "/" in text)
        return f"({text})" if loose else text

    def sum(self, expr: Expr) -> str:
        # Tensors first: `2 - x` is one reversed operation more in eager mode, and constants are folded last.
        terms = sorted(expr.args, key=lambda term: (bool(term.is_number), self.is_scalar(term)))
        positive = [term for term in terms if not term.could_extract_minus_sign()]
        ordered = positive[:1] + [term for term in terms if term not in positive[:1]]
        text = ""
        for term in ordered:
            negative = term.could_extract_minus_sign()
            scale, rest = self.scaled(-term if negative else term)
            if self.quick and text and scale != 1 and not self.is_scalar(ordered[0]):
                # `a + k b` in one operation.
                function = "torch.sub" if negative else "torch.add"
                text = f"{function}({text}, {self.text(rest)}, alpha={self.text(scale)})"
                continue
            piece = self.text(-term) if negative else self.text(term)
            if negative and isinstance(-term, Add):
                piece = f"({piece})"
            text += (" - " if text else "-") * negative + (" + " if text and not negative else "") + piece
        return text

    def scaled(self, expr: Expr) -> tuple[Expr, Expr]:
        """The factors of a product that are numbers at run time, and the rest; a number is `(1, number)`."""
        factors = Mul.make_args(expr)
        scalars = [factor for factor in factors if self.is_scalar(factor)]
        rest = [factor for factor in factors if factor not in scalars]
        return (Mul(*scalars), Mul(*rest)) if rest else (Integer(1), expr)

    def product(self, expr: Expr) -> str:
        number, rest = expr.as_coeff_Mul()
        powers, factors, divisors, scalars = [], [], [], []
        for factor in Mul.make_args(rest):
            base, power = factor.as_base_exp()
            if base in (P_, Q_) and self.in_logs(base):
                powers.append((base, power))
            elif self.is_scalar(factor):
                scalars.append(self.atom(factor))
            elif power == -1 and not isinstance(factor, exp):
                divisors.append(self.atom(base))
            else:
                factors.append(self.atom(factor))
        factors = self.powers(powers) + factors
        if scalars or number not in (1, -1):
            scalars = ([self.number(number)] if number not in (1, -1) else []) + scalars
            factors.insert(0, scalars[0] if len(scalars) == 1 else "(" + " * ".join(scalars) + ")")
        sign = "-" if number == -1 else ""
        if not factors:
            return sign + "1 / " + " / ".join(divisors)
        return sign + " * ".join(factors) + "".join(f" / {divisor}" for divisor in divisors)

    def in_logs(self, base: Expr) -> bool:
        return (LOG_P if base == P_ else LOG_Q) in self.names

    def powers(self, powers: list[tuple[Expr, Expr]]) -> list[str]:
        """Powers of `p` and `1 - p`: by multiplication where small, else one `exp` of a sum of logarithms.

        A negative power meets a positive one in the exponent: `0 * inf` cannot arise from `p**2 / q`.
        """
        if not all(power.is_Integer and 1 <= power <= 3 for _, power in powers):
            exponent = Add(*(power * (LOG_P if base == P_ else LOG_Q) for base, power in powers))
            return [f"{self.dialect.calls['exp']}({self.text(exponent)})"]
        return [" * ".join([self.text(base)] * int(power)) for base, power in powers]

    def power(self, base: Expr, power: Expr, scalar: bool) -> str:
        if scalar:
            return f"{self.atom(base)} ** {self.atom(power)}"
        if base in (P_, Q_) and self.in_logs(base):
            return self.powers([(base, power)])[0]
        text = self.atom(base)
        torch_like = self.dialect.name == "torch"
        if power in (2, 3) and base.is_Symbol:
            return " * ".join([text] * int(power))
        if self.dialect.name == "triton":
            return self.triton_power(base, power)
        if power == -1:
            return self.named("reciprocal", self.text(base)) if torch_like else f"1 / {text}"
        if power == Rational(1, 2):
            return self.named("sqrt", self.text(base))
        if power == Rational(-1, 2) and torch_like:
            return self.named("rsqrt", self.text(base))
        if power.is_number and not power.is_Integer and torch_like:
            return f"{text} ** {self.number(power)}"
        return f"{text} ** {self.atom(power)}"

    def triton_power(self, base: Expr, power: Expr) -> str:
        """Triton has neither `**` nor a function for it: products, and exponentials of logarithms."""
        text = self.text(base)
        if power.is_Integer and abs(power) <= 64:
            raised = text if abs(power) == 1 else self.named("raised", text, str(abs(int(power))))
            return raised if power > 0 else f"1 / ({raised})"
        if abs(power) == Rational(1, 2):
            root = self.named("sqrt", text)
            return root if power > 0 else f"1 / {root}"
        if base.is_number and base.is_positive:
            return self.named("exp", f"{self.atom(power)} * {math.log(float(base))!r}")
        if power.is_Integer or not (power.is_number or base.is_nonnegative):
            raise CompileError(f"expected a power that Triton can take, got {base**power}")
        return self.named("pow", text, self.text(power))

    def named(self, op: str, *arguments: str) -> str:
        if op not in self.dialect.calls:
            raise CompileError(f"expected an operator of the language {self.dialect.name}, got {op}")
        callee = self.dialect.calls[op]
        if callee in self.dialect.helpers and callee not in self.used:
            self.used.append(callee)
        return f"{callee}({', '.join(arguments)})"

    def call(self, expr: Expr) -> str:
        if isinstance(expr, nodes.maximum | nodes.minimum):
            return self.extremum(expr)
        if isinstance(expr, nodes.log_cosh_by_tanh) and self.is_scalar(expr):
            expr = log_cosh(expr.args[0])
        if isinstance(expr, nodes.log_cosh_by_tanh):
            return self.named("log_cosh_by_tanh", *map(self.text, expr.args))
        if isinstance(expr, nodes.fenced) and self.is_scalar(expr):
            return f"max({self.text(expr.args[0])}, {nodes.LOG_GUARD!r})"
        if isinstance(expr, nodes.fenced):
            return self.named("clamp", self.text(expr.args[0]), f"min={nodes.LOG_GUARD!r}")
        if isinstance(expr, nodes.beyond) and self.is_scalar(expr):
            return f"float({self.text(expr.args[0])} > {nodes.LOG_GUARD!r})"
        if isinstance(expr, nodes.beyond):
            return self.named("beyond", self.text(expr.args[0]))
        if isinstance(expr, nodes.bounded):
            return self.named("clamp", self.text(expr.args[0]), f"min={LOWEST!r}")
        op = _CALLS.get(expr.func)
        if op is None:
            raise CompileError(
                f"expected an operator of the grammar, got {type(expr).__name__}; see FUNCTIONS"
            )
        argument = self.text(expr.args[0])
        if op == "expm1" and self.quick:
            return f"torch.expm1({argument})"
        positive = (
            self.dialect.name == "torch" and expr.args[0].is_extended_nonnegative and not self.is_scalar(expr)
        )
        if positive and isinstance(expr, nodes.plogarithm | nodes.psquareroot):
            return self.named(op[1:], f"torch.clamp({argument}, min={float(GUARD)})")
        if self.is_scalar(expr):
            if op in ("abs", "log"):
                return f"abs({argument})" if op == "abs" else f"math.log({argument})"
            # Never an OverflowError: what is too large is infinite, as in a tensor.
            return f"float({self.named(op, f'torch.tensor({argument}, dtype=torch.float64)')})"
        return self.named(op, argument)

    def extremum(self, expr: Expr) -> str:
        op = "max" if isinstance(expr, nodes.maximum) else "min"
        if self.is_scalar(expr):
            return f"{op}({', '.join(self.text(arg) for arg in expr.args)})"
        scalars = [arg for arg in expr.args if self.is_scalar(arg)]
        if scalars and self.quick:
            (tensor,) = (arg for arg in expr.args if arg not in scalars)
            return self.named(
                "clamp", self.text(tensor), f"{'min' if op == 'max' else 'max'}={self.text(scalars[0])}"
            )
        arguments = [
            # A 0-dimensional tensor has `maximum`'s gradient at a tie, and does not promote the dtype.
            f"torch.tensor({self.text(arg)}, dtype=torch.float64)" if self.is_scalar(arg) else self.text(arg)
            for arg in expr.args
        ]
        return self.named(op, *arguments)
