"""Text to formula: our own walk over Python's syntax tree, with a whitelist of nodes and with limits.

Nothing is evaluated as code. Work is bounded before it is done: by the length of the text, by the nodes and
depth of the tree, and by the size of every constant as it arises (`(((9**64)**64)**64)**64` is within the
other limits).
"""

from __future__ import annotations

import ast
import keyword
import math
import re
from collections.abc import Mapping

from sympy import Expr, Max, Min, Mul, Rational, Symbol, preorder_traversal
from sympy.core.numbers import ComplexInfinity, ImaginaryUnit, Infinity, NaN, NegativeInfinity

from symloss.errors import ParseError
from symloss.expr.operator import Operator
from symloss.expr.operators import OPERATORS
from symloss.expr.printing import MAX_EXPONENT
from symloss.expr.roots import is_taken_apart
from symloss.expr.symbols import COEFFICIENT_NAME, RESERVED, coefficient
from symloss.text import slip_of

__all__ = ["MAX_BYTES", "MAX_CONSTANT", "MAX_DEPTH", "MAX_NODES", "check_numbers", "parse_expression"]

MAX_BYTES = 4096
MAX_NODES = 512
MAX_DEPTH = 64
MAX_CONSTANT = 1e300
"""Largest magnitude of a constant; the reciprocal is the smallest that is not zero."""
MAX_DIGITS = 310
"""Largest number of digits of a constant's exact numerator or denominator."""
MAX_TOTAL_EXPONENT = MAX_EXPONENT**2
"""Largest integer exponent that nested powers may add up to."""
MAX_EXTREMUM = 16
"""Largest number of terms in one min or max: SymPy compares all of them, at a cubic price."""

# Single characters: `//` passes as two divisions, and the walk refuses it. Positions are counted in characters, which
# are bytes as the text is ASCII.
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<operator>\*\*|[-+*/(),]))",
    re.ASCII,
)
_PREDICTIONS = ("f", "x", "q", "yhat", "y_hat", "y_pred", "pred", "prob", "P")
_TARGETS = ("t", "target", "label", "y_true", "Y")
_NAME_HINTS = {
    "m": "the margin m is for losses of the kind margin",
    **dict.fromkeys(_PREDICTIONS, "the prediction is p"),
    **dict.fromkeys(_TARGETS, "the target is y"),
    **dict.fromkeys(("K", "k", "c", "n_classes", "classes"), "the number of classes is C"),
    "ln": "the natural logarithm is log",
    "pow": "a power is written a**b",
    "e": "Euler's number is exp(1)",
    **dict.fromkeys(("inf", "infinity", "oo", "nan"), "numbers are finite"),
    "prior": "the class prior is pi",
    "weight": "the instance weight is w",
}
_MARGIN_HINTS = {
    **_NAME_HINTS,
    **dict.fromkeys(
        (*RESERVED, *_PREDICTIONS, *_TARGETS),
        "a margin loss is a formula of its margin m = (2t - 1)*f, with target t and score f",
    ),
    **dict.fromkeys(("M", "z", "margin", "margins", "u"), "the margin is m"),
}
_CHARACTER_HINTS = {
    "^": "a power is written a**b",
    "=": "give the formula alone, without an equals sign",
    "[": "only round brackets group",
    "{": "only round brackets group",
    "|": "an absolute value is written abs(x)",
    "%": "there is no remainder operator",
    ";": "give one formula",
}
_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
}
_LEVELS = ((ast.Add, ast.Sub), (ast.Mult, ast.Div))


def parse_expression(
    text: str,
    coefficients: Mapping[str, float] | None = None,
    operators: Mapping[str, Operator] = OPERATORS,
    losses: Mapping[str, Expr] | None = None,
    symbols: Mapping[str, Symbol] = RESERVED,
) -> Expr:
    """The SymPy expression that `text` says, its decimal literals exact.

    Args:
        text: a formula of the grammar, ASCII, at most 4 KiB.
        coefficients: names that may stand in the formula besides `phi0, phi1, ...`.
        operators: what it may be built of, by name.
        losses: formulas by name, which stand for a name that is nothing else; it may have hyphens.
        symbols: of the notation, those that mean something here, by name.

    Raises:
        ParseError: for anything else than a formula within the limits.

    >>> parse_expression("y*abs(log(1.3*p))")
    y*Abs(log(13*p/10))
    """
    names = _symbols(coefficients or {}, operators, symbols)
    grammar = f"{' '.join(symbols)}, a coefficient, a number, + - * / ** or a function"
    source = _with_joined_names(_check_characters(text, grammar), losses or {}, names)
    return _Walk(source, names, operators, losses or {}, grammar).run()


def _with_joined_names(source: str, losses: Mapping[str, Expr], names: Mapping[str, Symbol]) -> str:
    """`sparse-lsr` as `sparse_lsr`: one name to Python's parser, and every position stays."""
    for name in losses:
        if "-" in name and not any(part in names for part in name.split("-")):
            source = re.sub(
                rf"(?<![\w.]){re.escape(name)}(?!\w)", name.replace("-", "_"), source, flags=re.ASCII
            )
    return source


def _symbols(
    coefficients: Mapping[str, float], operators: Mapping[str, Operator], symbols: Mapping[str, Symbol]
) -> dict[str, Symbol]:
    names = dict(symbols)
    for name in coefficients:
        if not isinstance(name, str) or not COEFFICIENT_NAME.match(name):
            raise ParseError(
                f"{name!r} is no name for a coefficient", expected="ASCII letters, digits and underscores"
            )
        if name in RESERVED or name in symbols or name in operators:
            raise ParseError(
                f"the name {name!r} is taken by the grammar", hint="call the coefficient otherwise"
            )
        names[name] = coefficient(name)
    return names


def _check_characters(text: str, grammar: str) -> str:
    """Reads the text token by token: exact positions, and nothing that Python's own parser would warn of."""
    if not isinstance(text, str):
        raise ParseError(
            f"a formula is text, not {type(text).__name__}", expected="a string such as 'y*log(p)'"
        )
    if not text.isascii():
        position = next(i for i, char in enumerate(text) if not char.isascii())
        raise ParseError(
            f"character {text[position]!r} is not ASCII", position=position, expected="ASCII characters only"
        )
    if len(text) > MAX_BYTES:
        raise ParseError(f"the formula has {len(text)} bytes", expected=f"at most {MAX_BYTES}")
    # One character for one, so that positions stay those of the user's text.
    source = re.sub(r"[\t\r\n]", " ", text).rstrip()
    if not source.strip():
        raise ParseError("the formula is empty", expected="a formula such as y*log(p)")
    position, depth, previous = 0, 0, ""
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            start = position + len(source[position:]) - len(source[position:].lstrip())
            char = source[start]
            raise ParseError(
                f"unexpected character {char!r}",
                position=start,
                expected=grammar,
                hint=_CHARACTER_HINTS.get(char, ""),
            )
        kind, token, start = (
            match.lastgroup or "",
            match.group(match.lastgroup or 0),
            match.start(match.lastgroup or 0),
        )
        # Python's parser would warn of `2(y)` and of `1if`, and a warning is no ParseError.
        if kind in ("number", "name") and previous in ("number", "name", ")"):
            raise ParseError(
                f"unexpected {token!r}",
                position=start,
                expected="an operator",
                hint="write a*b for a product",
            )
        if token == "(" and previous in ("number", ")"):
            raise ParseError(
                "unexpected '('", position=start, expected="an operator", hint="write a*b for a product"
            )
        # `lambda` or `if` would be a syntax error of Python's, at a position of its choice.
        if kind == "name" and keyword.iskeyword(token):
            raise ParseError(f"unknown name {token!r}", position=start, expected=grammar)
        depth += (token == "(") - (token == ")")
        # Before `ast.parse`, whose own recursion deep brackets would exhaust.
        if depth > MAX_DEPTH:
            raise ParseError(
                "the brackets are nested too deeply", position=start, expected=f"depth of at most {MAX_DEPTH}"
            )
        if depth < 0:
            raise ParseError("unexpected ')'", position=start, expected="a matching '(' before it")
        previous, position = (token if kind == "operator" else kind), match.end()
    if previous in ("+", "-", "*", "/", "**", ","):
        raise ParseError("the formula ends too early", position=len(source), expected="an operand")
    if depth:
        raise ParseError("a bracket is not closed", position=len(source), expected="')'")
    return source


def _arguments(count: int) -> str:
    return f"{count} argument" if count == 1 else f"{count} arguments"


class _Walk:
    """One pass over the syntax tree; each step returns the expression and, of a constant, its float."""

    def __init__(
        self,
        source: str,
        names: dict[str, Symbol],
        operators: Mapping[str, Operator],
        losses: Mapping[str, Expr],
        grammar: str,
    ) -> None:
        self.source, self.names, self.nodes, self.grammar = source, names, 0, grammar
        self.known = _MARGIN_HINTS if "p" not in names and "m" in names else _NAME_HINTS
        self.operators = operators
        self.functions = {name: each for name, each in operators.items() if not each.infix}
        self.losses, self._spelt = losses, {name.replace("-", "_"): name for name in losses}

    def run(self) -> Expr:
        # Python takes leading space for an indentation and refuses it.
        body = self.source.lstrip()
        self.shift = len(self.source) - len(body)
        try:
            tree = ast.parse(body, mode="eval").body
        except SyntaxError as error:
            position = self.shift + max((error.offset or 1) - 1, 0)
            character = self.source[position : position + 1]
            raise ParseError(
                f"unexpected {character!r}", position=position, expected="an operand or operator"
            ) from None
        # A chain of minus signs or powers nests without brackets.
        except (RecursionError, MemoryError, ValueError, OverflowError):
            raise ParseError(
                "the formula is nested too deeply", expected=f"depth of at most {MAX_DEPTH}"
            ) from None
        return self.visit(tree, 1)[0]

    def fail(self, node: ast.AST, problem: str, expected: str = "", hint: str = "") -> ParseError:
        position = self.shift + getattr(node, "col_offset", 0)
        return ParseError(problem, position=position, expected=expected, hint=hint)

    def visit(self, node: ast.AST, depth: int) -> tuple[Expr, float | None]:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.fail(node, "the formula is too large", f"at most {MAX_NODES} nodes")
        if depth > MAX_DEPTH:
            raise self.fail(node, "the formula is nested too deeply", f"depth of at most {MAX_DEPTH}")
        if isinstance(node, ast.Constant):
            return self.number(node)
        if isinstance(node, ast.Name):
            return self.name(node), None
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd):
            return self.visit(node.operand, depth + 1)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self.apply(node, "neg", [self.visit(node.operand, depth + 1)])
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return self.chain(node, depth)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            name = self.function(node, node.func.id)
            return self.apply(node, name, [self.visit(argument, depth + 1) for argument in node.args])
        if isinstance(node, ast.BinOp):
            raise self.fail(node, "'//' is not an operator", self.grammar)
        raise self.fail(node, f"{type(node).__name__} is not part of a formula", self.grammar)

    def number(self, node: ast.Constant) -> tuple[Expr, float | None]:
        # The text and not node.value, a float that has lost the decimal. The exponent is bounded before the power of
        # ten is taken; NaN stands in for the value, which `checked` works out of the exact number.
        text = self.source[self.shift + node.col_offset : self.shift + (node.end_col_offset or 0)]
        mantissa, _, exponent = text.lower().partition("e")
        if exponent and abs(int(exponent)) > 2 * MAX_DIGITS:
            raise self.fail(
                node, f"the number {text} is out of range", f"magnitude of at most {MAX_CONSTANT:.0e}"
            )
        return self.checked(node, Rational(mantissa) * Rational(10) ** int(exponent or 0), math.nan)

    def name(self, node: ast.Name) -> Expr:
        name = node.id
        if name in self.names:
            return self.names[name]
        if re.fullmatch(r"phi(0|[1-9]\d{0,3})", name):
            return coefficient(name)
        if name in self._spelt:
            formula = self.losses[self._spelt[name]]
            # A name counts as what it stands for: `sparse-lsr*sparse-lsr*...` is as large as it will be.
            self.nodes += sum(1 for _ in preorder_traversal(formula))
            return formula
        if name in self.functions:
            raise self.fail(node, f"{name!r} is a function", f"{name}(...)")
        raise self.unknown(node, name)

    def function(self, node: ast.Call, name: str) -> str:
        if name not in self.functions:
            if name in self.names or name in self._spelt:
                raise self.fail(node, f"{name!r} is not a function", hint="write a*b for a product")
            raise self.unknown(node, name)
        arity = self.functions[name].arity
        if len(node.args) != arity:
            raise self.fail(node, f"{name} got {_arguments(len(node.args))}", _arguments(arity))
        return name

    def unknown(self, node: ast.AST, name: str) -> ParseError:
        # What people coming from other notations type, before what merely looks alike.
        hint = self.known.get(name, "")
        if not hint:
            called = isinstance(node, ast.Call)
            near = slip_of(name, self.functions if called else [*self.functions, *self.names, *self.losses])
            if near:
                hint = f"did you mean {near}?"
            elif called:
                hint = f"the functions are {', '.join(sorted(self.functions))}"
            else:
                hint = (
                    f"give a coefficient its value by --set {name}=1, in Python coefficients={{{name!r}: 1}}"
                )
        return self.fail(node, f"unknown name {name!r}", self.grammar, hint)

    def chain(self, node: ast.BinOp, depth: int) -> tuple[Expr, float | None]:
        """`a + b - c` or `a * b / c`: one level, however many terms, as it is printed."""
        levels = next((level for level in _LEVELS if isinstance(node.op, level)), None)
        # Python nests `a + b + c` to the left, a level a term: 65 terms would exceed the limit on depth.
        links, first = [node], node.left
        while levels and isinstance(first, ast.BinOp) and isinstance(first.op, levels):
            links.append(first)
            first = first.left
        self.nodes += len(links) - 1
        result = self.visit(first, depth + 1)
        for link in reversed(links):
            result = self.apply(link, _BINARY[type(link.op)], [result, self.visit(link.right, depth + 1)])
        return result

    def apply(
        self, node: ast.AST, name: str, visited: list[tuple[Expr, float | None]]
    ) -> tuple[Expr, float | None]:
        # A float goes beside every constant: `checked` bounds it, and `check_power` the exponent before SymPy takes an
        # exact power.
        values = [value for _, value in visited if value is not None]
        operands = [operand for operand, _ in visited]
        if name == "pow":
            self.check_power(node, operands[0], operands[1], visited[1][1])
        value: float | None = None
        if len(values) == len(visited):
            try:
                value = self.operators[name].evaluate(*values)
            except OverflowError:
                value = math.inf
            except (ValueError, ZeroDivisionError, TypeError):
                shown = ast.unparse(node) if self.nodes < 64 else name
                raise self.fail(
                    node, f"{shown} is not a real number", "arguments in the function's domain"
                ) from None
        # As y - y, which is no constant of the text; SymPy would make zoo of it.
        elif name == "div" and operands[1].is_zero:
            raise self.fail(node, "a division by zero", "a divisor that is not always zero")
        try:
            built = self.operators[name].build(*operands)
        except ValueError:
            # SymPy compares real numbers only.
            shown = ast.unparse(node) if self.nodes < 64 else name
            raise self.fail(
                node, f"{shown} has no real value", "arguments in the function's domain"
            ) from None
        return self.checked(node, built, value)

    def check_power(self, node: ast.AST, base: Expr, exponent: Expr, value: float | None) -> None:
        """Before a power is taken: SymPy would compute it exactly at once."""
        if value is None:
            return
        if abs(value) > MAX_EXPONENT:
            raise self.fail(
                node, f"the exponent {value:g} is too large", f"magnitude of at most {MAX_EXPONENT}"
            )
        if exponent.is_Rational and exponent.q > 10**12:
            raise self.fail(node, "the exponent has too many digits", "at most 12 decimals")
        # SymPy draws numbers out of a power, (c x)**b = c**b x**b, and factors them: each is bounded with the exponents
        # that it has gathered.
        numbers = [factor.as_base_exp() for factor in Mul.make_args(base) if factor.is_number]
        for number, inner in numbers:
            total = inner * exponent
            if number.is_Rational and total.is_Rational and not is_taken_apart(number, total):
                raise self.fail(
                    node,
                    f"the number {float(number):g} under the exponent {float(total):g} has too many digits",
                    "fewer digits in either",
                    "(c*a)**b is d*a**b with d = c**b",
                )
        if exponent.is_Integer:
            # A number of d digits to the n-th has d n digits, and SymPy writes them out at once.
            digits = max((_digits(number) for number in base.atoms(Rational)), default=0)
            if digits * abs(value) > 4 * MAX_DIGITS:
                raise self.fail(
                    node, "the power's constant is too large", f"magnitude of at most {MAX_CONSTANT:.0e}"
                )

    def checked(self, node: ast.AST, expr: Expr, value: float | None) -> tuple[Expr, float | None]:
        # The exact number where there is one; its digits are asked first, as float() raises beyond 1e308.
        if value is not None and expr.is_Rational:
            value = float(expr) if _digits(expr) <= MAX_DIGITS else math.inf
        if value is not None and not (value == 0 or 1 / MAX_CONSTANT <= abs(value) <= MAX_CONSTANT):
            raise self.fail(
                node,
                "a constant is out of range",
                f"zero or a magnitude from {1 / MAX_CONSTANT:.0e} to {MAX_CONSTANT:.0e}",
            )
        problem = check_numbers(expr)
        if problem:
            raise self.fail(node, problem[0], problem[1])
        return expr, value


def _digits(number: Rational) -> int:
    # From the bits, at most one too many: writing the digits out takes quadratic time, and Python refuses to beyond
    # 4300.
    return int(max(abs(number.p).bit_length(), number.q.bit_length()) * math.log10(2)) + 1


def check_numbers(expr: Expr) -> tuple[str, str] | None:
    """What is wrong with the top node or the numbers of `expr` and what was expected, or None."""
    # SymPy does not fail on sqrt(-1) or 1/0: it goes on with I and zoo, which must not reach a loss.
    for part in expr.atoms(ImaginaryUnit, Infinity, NegativeInfinity, NaN, ComplexInfinity):
        if isinstance(part, ImaginaryUnit):
            return "the formula is not real", "real arguments of roots and logarithms"
        return "the formula is undefined everywhere", "finite subexpressions"
    for number in expr.atoms(Rational):
        if _digits(number) > MAX_DIGITS:
            return "a constant has too many digits", f"at most {MAX_DIGITS}"
    if expr.is_Pow and expr.exp.is_Rational and abs(expr.exp) > MAX_TOTAL_EXPONENT:
        return (
            f"nested powers add up to the exponent {expr.exp}",
            f"magnitude of at most {MAX_TOTAL_EXPONENT}",
        )
    if isinstance(expr, Max | Min) and len(expr.args) > MAX_EXTREMUM:
        return "a min or max of too many terms", f"at most {MAX_EXTREMUM}"
    return None
