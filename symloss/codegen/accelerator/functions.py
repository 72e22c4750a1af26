"""The operators of printed formulas as functions of Triton's, in float32; nothing cancels that does not in torch's.

A formula is printed as calls of these, in the language "triton" of `DIALECTS`. Triton's minimum and maximum drop NaN
unless told otherwise.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"
# Triton reads the source of these functions: annotations would be taken for types of its own. What is a function of
# Triton's already is called by one all the same, as its interpreter replaces those of `tl` while a kernel runs.
import triton
import triton.language as tl

GUARD = tl.constexpr(1e-7)
LOG_GUARD = tl.constexpr(-16.11809565095832)


@triton.jit
def exp(x):
    """`e**x`."""
    return tl.exp(x)


@triton.jit
def log(x):
    """The natural logarithm."""
    return tl.log(x)


@triton.jit
def sqrt(x):
    """The square root."""
    return tl.sqrt(x)


@triton.jit
def sin(x):
    """The sine."""
    return tl.sin(x)


@triton.jit
def cos(x):
    """The cosine."""
    return tl.cos(x)


@triton.jit
def abs(x):
    """The absolute value."""
    return tl.abs(x)


@triton.jit
def sign(x):
    """1, 0 or -1, and 0 for NaN."""
    return (x > 0).to(tl.float32) - (x < 0).to(tl.float32)


@triton.jit
def maximum(x, y):
    """The larger one, or NaN."""
    return tl.maximum(x, y, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def minimum(x, y):
    """The smaller one, or NaN."""
    return tl.minimum(x, y, propagate_nan=tl.PropagateNan.ALL)


max, min = maximum, minimum


@triton.jit
def clamp(x, min):
    """`max(x, min)`."""
    return maximum(x, min)


@triton.jit
def log1p(x):
    """`log(1 + x)`: the logarithm of the rounded sum, times what rounding has changed `x` by."""
    whole = 1 + x
    part = whole - 1
    return tl.where(part == 0, x, tl.log(whole) * tl.where(part == x, 1.0, x / part))


@triton.jit
def expm1(x):
    """`exp(x) - 1`, by the logarithm of the rounded exponential (Kahan)."""
    whole = tl.exp(x)
    part = whole - 1
    near = tl.where(part == 0, x, part * (x / tl.log(whole)))
    return tl.where((part == -1) | (whole == float("inf")), part, near)


@triton.jit
def sigmoid(x):
    """`1/(1 + exp(-x))`."""
    e = tl.exp(-tl.abs(x))
    return tl.where(x >= 0, 1.0, e) / (1 + e)


@triton.jit
def softplus(x):
    """`log(1 + exp(x))`."""
    return maximum(x, 0.0) + log1p(tl.exp(-tl.abs(x)))


@triton.jit
def logsigmoid(x):
    """`log(sigmoid(x))`."""
    return minimum(x, 0.0) - log1p(tl.exp(-tl.abs(x)))


@triton.jit
def tanh(x):
    """The hyperbolic tangent."""
    e = expm1(-2 * tl.abs(x))
    t = -e / (2 + e)
    return tl.where(x < 0, -t, t)


@triton.jit
def sinh(x):
    """The hyperbolic sine."""
    e = expm1(tl.abs(x))
    half = 0.5 * (e + tl.where(e < 1e8, e / (e + 1), 1.0))
    return tl.where(x < 0, -half, half)


@triton.jit
def cosh(x):
    """The hyperbolic cosine."""
    return 0.5 * (tl.exp(x) + tl.exp(-x))


@triton.jit
def log_cosh_by_tanh(x, t):
    """`log(cosh(x))` of `x` and `t = tanh(x)`: `-log(1 - t**2)/2`, and `|x| - log(1 + |t|)` far from 0."""
    return tl.where(t * t > 0.5, tl.abs(x) - log1p(tl.abs(t)), -0.5 * log1p(-t * t))


@triton.jit
def log_cosh(x):
    """`log(cosh(x))`."""
    return log_cosh_by_tanh(x, tanh(x))


@triton.jit
def plog(x):
    """`log(max(|x|, 1e-7))`."""
    return tl.log(maximum(tl.abs(x), GUARD))


@triton.jit
def psqrt(x):
    """`sqrt(max(|x|, 1e-7))`."""
    return tl.sqrt(maximum(tl.abs(x), GUARD))


@triton.jit
def outside(x):
    """1 where `|x| > 1e-7`, else 0."""
    return (tl.abs(x) > GUARD).to(tl.float32)


@triton.jit
def inverse(x):
    """`1/x` outside the guard `|x| <= 1e-7`, 0 inside."""
    return tl.where(tl.abs(x) <= GUARD, 0.0, 1 / x)


@triton.jit
def step(x):
    """1 where `x > 0`, 0 where `x < 0`, one half at 0."""
    return (sign(x) + 1) / 2


@triton.jit
def beyond(x):
    """1 where `x > log 1e-7`, else 0."""
    return (x > LOG_GUARD).to(tl.float32)


@triton.jit
def void(x):
    """0, but NaN where `x` is NaN."""
    return tl.where(x == x, 0.0, x)


@triton.jit
def like(value, x):
    """A constant in the shape of `x`, NaN where that is."""
    return value + void(x)


@triton.jit
def raised(x, n: tl.constexpr):
    """`x**n` for a positive whole number `n`."""
    result = x
    for _ in tl.static_range(n - 1):
        result = result * x
    return result


@triton.jit
def pow(x, y):
    """`x**y`, NaN for negative `x`."""
    return tl.exp(y * tl.log(x))
