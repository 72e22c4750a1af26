"""How each operation is written in the languages that formulas are printed in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from symloss.expr import BY_HEAD, GUARD, OPERATORS

__all__ = ["DIALECTS", "HELPERS", "Dialect"]

TRITON = (
    "abs", "beyond", "clamp", "cos", "cosh", "exp", "expm1", "inverse", "like", "log", "log1p", "log_cosh",
    "log_cosh_by_tanh", "max", "min", "outside", "plog", "pow", "psqrt", "raised", "sigmoid", "sign", "sin", "sinh",
    "softplus", "sqrt", "step", "tanh", "void",
)  # fmt: skip
"""The operations that kernels have; `atan` is not among Triton's own."""


@dataclass(frozen=True)
class Dialect:
    """A target language.

    Attributes:
        name: "torch", "triton", "numpy", "math" or "mpmath".
        calls: the callable for each operation of the printer; a name in `HELPERS[name]` is defined there.
        header: the imports that the printed code needs.
    """

    name: str
    calls: Mapping[str, str]
    header: str
    helpers: Mapping[str, str] = field(default_factory=dict)


_FLOOR, _LOG_FLOOR = float(GUARD), math.log(GUARD)
_OWN: dict[str, dict[str, str]] = {
    "torch": {
        "outside": f'''def outside(x):
    """1 where |x| > {_FLOOR}, else 0."""
    return torch.abs(torch.sign(torch.nn.functional.hardshrink(x, {_FLOOR})))
''',
        "inverse": f'''def inverse(x):
    """1/x outside the guard |x| <= {_FLOOR}, 0 inside; the input is bounded before the division."""
    return torch.sign(torch.nn.functional.hardshrink(x, {_FLOOR})) / torch.clamp(torch.abs(x), min={_FLOOR})
''',
        "step": '''def step(x):
    """1 where x > 0, 0 where x < 0, one half at 0."""
    return (torch.sign(x) + 1) / 2
''',
        "beyond": f'''def beyond(x):
    """1 where x > log {_FLOOR}, else 0."""
    return (x > {_LOG_FLOOR}).to(x.dtype)
''',
        "void": '''def void(x):
    """0, but NaN (with a gradient of NaN) where x is NaN."""
    return torch.square(torch.where(x == x, 0.0, x))
''',
        "log1mexp": '''def log1mexp(u):
    """log(1 - exp(u)) for u <= 0; each branch sees only inputs for which it is accurate and finite."""
    small = u > -0.6931471805599453
    near = torch.log(-torch.expm1(torch.where(small, u, -1.0)))
    return torch.where(small, near, torch.log1p(-torch.exp(torch.where(small, -1.0, u))))
''',
        "expm1": '''def expm1(x):
    """exp(x) - 1; far below 0 the derivative of torch's own, its value plus 1, has no digits left."""
    near = x > -1
    beyond = torch.exp(torch.where(near, -1.0, x)) - 1
    return torch.where(near, torch.expm1(torch.where(near, x, 0.0)), beyond)
''',
        "log_cosh_by_tanh": '''def log_cosh_by_tanh(x, t):
    """log(cosh(x)) of x and t = tanh(x): -log(1 - t**2)/2, and |x| - log(1 + |t|), which does not cancel far from 0."""
    size, square = torch.abs(t), t * t
    far = (square > 0.5).to(t.dtype)
    w = far * (size + square) - square
    # log(1 + w) and what rounding 1 + w has lost; `log1p` and `where` take several times as long.
    rounded = 1 + w
    half = (torch.log(rounded) + (w - (rounded - 1)) / rounded) * -0.5
    return half + far * (torch.abs(x) + half)
''',
        "log_cosh": '''def log_cosh(x):
    """log(cosh(x)) without overflow."""
    return x + torch.nn.functional.softplus(-2 * x) - 0.6931471805599453
''',
    },
    "numpy": {
        "log_cosh": "def log_cosh(x):\n    return np.logaddexp(x, np.negative(x)) - np.log(2)\n",
    },
    "math": {
        "log_cosh": "def log_cosh(x):\n    return abs(x) + math.log1p(math.exp(-2 * abs(x))) - math.log(2)\n",
    },
    "mpmath": {
        "log_cosh": "def log_cosh(x):\n    return mpmath.log(mpmath.cosh(x))\n",
    },
}
"""Of the compiler's own functions (`nodes`); those of the operators stand in their rows."""

HELPERS: dict[str, dict[str, str]] = {
    language: {row.name: code for row in OPERATORS.values() if "\n" in (code := row.code.get(language, ""))}
    | own
    for language, own in _OWN.items()
}
"""Functions that a language lacks, as the source that defines them; the only text ever executed besides the
printer's own."""


def _dialect(name: str, prefix: str, header: str, others: Mapping[str, str]) -> Dialect:
    named = {op: f"{prefix}.{op}" for op in ("expm1", "log1p", "sqrt", *(r.name for r in BY_HEAD.values()))}
    rows = {row.name: code for row in OPERATORS.values() if (code := row.code.get(name))}
    helpers = {helper: helper for helper in HELPERS[name]}
    return Dialect(name, named | rows | dict(others) | helpers, header, HELPERS[name])


DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        _dialect(
            "torch",
            "torch",
            "import math\n\nimport torch\n",
            {
                "clamp": "torch.clamp",
                "reciprocal": "torch.reciprocal",
                "rsqrt": "torch.rsqrt",
            },
        ),
        # The functions are those of `accelerator.functions`.
        Dialect("triton", {op: op for op in TRITON}, ""),
        _dialect("numpy", "np", "import numpy as np\n", {"pow": "np.power"}),
        _dialect("math", "math", "import math\n", {}),
        _dialect("mpmath", "mpmath", "import mpmath\n", {"pow": "mpmath.power"}),
    )
}
