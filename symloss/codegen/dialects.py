"""How each operation is written in the languages that formulas are printed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["DIALECTS", "HELPERS", "Dialect"]


@dataclass(frozen=True)
class Dialect:
    """A target language.

    Attributes:
        name: "torch", "numpy", "math" or "mpmath".
        calls: the callable for each operation of the printer; a name in `HELPERS[name]` is defined there.
        header: the imports that the printed code needs.
    """

    name: str
    calls: Mapping[str, str]
    header: str
    helpers: Mapping[str, str] = field(default_factory=dict)


HELPERS: dict[str, dict[str, str]] = {
    "torch": {
        "plog": '''def plog(x):
    """Protected logarithm: log(max(|x|, 1e-7)); no gradient inside the guard."""
    return torch.log(torch.clamp(torch.abs(x), min=1e-7))
''',
        "psqrt": '''def psqrt(x):
    """Protected square root: sqrt(max(|x|, 1e-7)); no gradient inside the guard."""
    return torch.sqrt(torch.clamp(torch.abs(x), min=1e-7))
''',
        "outside": '''def outside(x):
    """1 where |x| > 1e-7, else 0."""
    return torch.abs(torch.sign(torch.nn.functional.hardshrink(x, 1e-7)))
''',
        "inverse": '''def inverse(x):
    """1/x outside the guard |x| <= 1e-7, 0 inside; the input is bounded before the division."""
    return torch.sign(torch.nn.functional.hardshrink(x, 1e-7)) / torch.clamp(torch.abs(x), min=1e-7)
''',
        "step": '''def step(x):
    """1 where x > 0, 0 where x < 0, one half at 0."""
    return (torch.sign(x) + 1) / 2
''',
        "beyond": '''def beyond(x):
    """1 where x > log 1e-7, else 0."""
    return (x > -16.11809565095832).to(x.dtype)
''',
        "log1mexp": '''def log1mexp(u):
    """log(1 - exp(u)) for u <= 0; each branch sees only inputs for which it is accurate and finite."""
    small = u > -0.6931471805599453
    near = torch.log(-torch.expm1(torch.where(small, u, -1.0)))
    return torch.where(small, near, torch.log1p(-torch.exp(torch.where(small, -1.0, u))))
''',
        "log_cosh": '''def log_cosh(x):
    """log(cosh(x)) without overflow."""
    return x + torch.nn.functional.softplus(-2 * x) - 0.6931471805599453
''',
        "softplus": '''def softplus(x):
    """log(1 + exp(x)), exact at both ends."""
    return torch.clamp(x, min=0) + torch.log1p(torch.exp(-torch.abs(x)))
''',
    },
    "numpy": {
        "plog": "def plog(x):\n    return np.log(np.maximum(np.abs(x), 1e-7))\n",
        "psqrt": "def psqrt(x):\n    return np.sqrt(np.maximum(np.abs(x), 1e-7))\n",
        "log_cosh": "def log_cosh(x):\n    return np.logaddexp(x, np.negative(x)) - np.log(2)\n",
        "softplus": "def softplus(x):\n    return np.logaddexp(0, x)\n",
        "sigmoid": "def sigmoid(x):\n    return np.exp(-np.logaddexp(0, np.negative(x)))\n",
    },
    "math": {
        "plog": "def plog(x):\n    return math.log(max(abs(x), 1e-7))\n",
        "psqrt": "def psqrt(x):\n    return math.sqrt(max(abs(x), 1e-7))\n",
        "log_cosh": "def log_cosh(x):\n    return abs(x) + math.log1p(math.exp(-2 * abs(x))) - math.log(2)\n",
        "softplus": "def softplus(x):\n    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))\n",
        "sigmoid": "def sigmoid(x):\n    return math.exp(min(x, 0.0)) / (1 + math.exp(-abs(x)))\n",
        "sign": "def sign(x):\n    return float((x > 0) - (x < 0))\n",
    },
    "mpmath": {
        "plog": "def plog(x):\n    return mpmath.log(max(abs(x), mpmath.mpf(10) ** -7))\n",
        "psqrt": "def psqrt(x):\n    return mpmath.sqrt(max(abs(x), mpmath.mpf(10) ** -7))\n",
        "log_cosh": "def log_cosh(x):\n    return mpmath.log(mpmath.cosh(x))\n",
        "softplus": "def softplus(x):\n    return mpmath.log1p(mpmath.exp(x))\n",
        "sigmoid": "def sigmoid(x):\n    return 1 / (1 + mpmath.exp(-x))\n",
    },
}
"""Functions that a language lacks, as the source that defines them; the only text ever executed besides the
printer's own."""

_ELEMENTARY = ("exp", "log", "expm1", "log1p", "tanh", "sin", "cos", "sinh", "cosh", "sqrt", "sign")


def _dialect(name: str, prefix: str, header: str, others: Mapping[str, str]) -> Dialect:
    calls = {op: f"{prefix}.{op}" for op in _ELEMENTARY} | dict(others)
    calls |= {helper: helper for helper in HELPERS[name]}
    return Dialect(name, calls, header, HELPERS[name])


DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        _dialect(
            "torch",
            "torch",
            "import math\n\nimport torch\n",
            {
                "abs": "torch.abs",
                "max": "torch.maximum",
                "min": "torch.minimum",
                "sigmoid": "torch.sigmoid",
                "clamp": "torch.clamp",
                "reciprocal": "torch.reciprocal",
                "rsqrt": "torch.rsqrt",
                "pow": "torch.pow",
            },
        ),
        _dialect(
            "numpy",
            "np",
            "import numpy as np\n",
            {"abs": "np.abs", "max": "np.maximum", "min": "np.minimum", "pow": "np.power"},
        ),
        _dialect(
            "math", "math", "import math\n", {"abs": "abs", "max": "max", "min": "min", "pow": "math.pow"}
        ),
        _dialect(
            "mpmath",
            "mpmath",
            "import mpmath\n",
            {"abs": "abs", "max": "max", "min": "min", "pow": "mpmath.power"},
        ),
    )
}
