"""Formulas as plain elementwise functions of `(y, p)`, for numpy, the standard library, mpmath and torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sympy import Symbol

from symloss.codegen.source.languages import DIALECTS
from symloss.codegen.source.printer import Printed, build, print_function
from symloss.codegen.symbols.log_domain import plain
from symloss.errors import CompileError
from symloss.expr import KINDS, PI, C, Loss, M, P, W, Y

__all__ = ["lambdify", "plain_source"]

_FLOATS = {
    language: {symbol: f"{symbol} = {function}({symbol}) + 0.0" for symbol in (Y, P, M)}
    for language, function in (("numpy", "np.asarray"), ("torch", "torch.as_tensor"))
}
"""Integers are accepted: they become floats before a negative power is taken of them."""


BACKENDS = tuple(name for name in DIALECTS if name != "triton")
"""Triton's functions exist inside kernels alone."""


def lambdify(loss: Loss, backend: str = "numpy") -> Callable[..., Any]:
    """A plain function `f(y, p)` of one entry's loss (of a margin loss `f(m)`), elementwise on arrays.

    Where the formula uses them, `C`, `pi` and `w` are keyword arguments after `y` and `p`; `w` is 1 where not
    given. The function computes the formula as it stands: no log domain, no limit at `y = 0`.

    Args:
        loss: the formula; its coefficients' values are put in.
        backend: "numpy", "math", "mpmath" or "torch".

    Raises:
        CompileError: for another backend.

    >>> from symloss.expr import parse
    >>> round(lambdify(parse("-y*log(p)"), "math")(1, 0.5), 6)
    0.693147
    """
    return build(plain_source(loss, backend))


def plain_source(loss: Loss, backend: str) -> Printed:
    """The source of `lambdify(loss, backend)`."""
    if backend not in BACKENDS:
        raise CompileError(f"expected a backend of {', '.join(BACKENDS)}, got {backend!r}")
    expr = plain(loss.value_expr)
    extra = [symbol for symbol in (C, PI, W) if expr.has(symbol)]
    arguments = [*KINDS[loss.kind].needs, *("w=1.0" if symbol == W else symbol.name for symbol in extra)]
    names: dict[Symbol, str] = {symbol: symbol.name for symbol in (Y, P, M, C, PI, W)}
    return print_function(
        "loss",
        [expr],
        arguments,
        names,
        language=backend,
        scalars=frozenset({C}),
        prelude=_FLOATS.get(backend, {}),
    )
