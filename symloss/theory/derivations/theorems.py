"""The theorems that led from learned losses to implicit label smoothing and its sparse form."""

from __future__ import annotations

from sympy import (
    Expr,
    Ge,
    Gt,
    IndexedBase,
    Integer,
    Lt,
    Rational,
    Sum,
    Symbol,
    diff,
    exp,
    log,
    simplify,
    sqrt,
    symbols,
)

from symloss.expr import C, P, Y, at_one, at_zero, parse
from symloss.theory.derivations.derivation import (
    Derivation,
    Step,
    equation,
    identity,
    positive,
    probabilities,
    sampled,
)
from symloss.theory.derivations.exclusive import proper_symmetric_exclusive
from symloss.zoo import named

__all__ = ["THEOREMS", "ace_lsr", "sparse_lsr"]

_XI = Symbol("xi", positive=True)
_P = Symbol("p_t", positive=True)
_J = Symbol("j", integer=True, positive=True)
_OTHER = IndexedBase("p", positive=True)[_J]
_A, _B = Symbol("a", positive=True), Symbol("b", positive=True)
_MEANING = {_A: 1 - _XI + _XI / C, _B: _XI * (C - 1) / C}
_CLASSES = (_J, 1, C - 1)
_OFF, _WEAK = Symbol("o", positive=True), Symbol("u", positive=True)


def _same(claim: str, left: Expr, right: Expr) -> str:
    """A claim and its proof by `identity`, with what a and b stand for put in."""
    return f"{claim}: {identity(left.subs(_MEANING), right.subs(_MEANING))}"


def _entry(name: str, y: int, **symbols: Symbol) -> Expr:
    """A zoo formula at `y`, in positive symbols."""
    expr = (at_one if y else at_zero)(named(name).expr).expr
    known = {Symbol(key, real=True): value for key, value in symbols.items()}
    return expr.subs({P: _P, **known})


def sparse_lsr() -> Derivation:
    """Label smoothing to sparse label smoothing, its one approximation and what that drops, exactly.

    Reference: Raymond et al., Meta-learning loss functions for deep neural networks, 2024: the five steps.
    """
    target, other = _entry("lsr", 1, xi=_XI), _entry("lsr", 0, xi=_XI)
    mean_log, mean_log_q = Symbol("E[log(p_j)]", real=True), Symbol("E[log(q_j)]", real=True)
    log_mean, mean = Symbol("log(E[p_j])", real=True), Symbol("E[p_j]", positive=True)
    kl, rest = Symbol("KL(uniform||q)", real=True), (1 - _P) / (C - 1)
    split = -_A * log(_P) - _XI / C * Sum(log(_OTHER), _CLASSES)
    averaged = -_A * log(_P) - _XI / C * (C - 1) * mean_log
    swapped = -_A * log(_P) - _XI / C * (C - 1) * log_mean
    sparse = -_A * log(_P) - _B * log(rest)
    # KL(uniform || q) = -log(C - 1) - E[log q_j]; and E[log p_j] = log(1 - p_t) + E[log q_j].
    divergence = -log(C - 1) - mean_log_q
    smoothed_exactly = -_A * log(_P) - _B * (log(1 - _P) + mean_log_q)

    def remainder(count: int, point: int) -> Expr:
        p, xi = probabilities(count, point), Rational(1 + point, 7)
        a, b = 1 - xi + xi / count, xi * Rational(count - 1, count)
        full = -a * log(p[0]) - xi / count * sum(log(x) for x in p[1:])
        thin = -a * log(p[0]) - b * log((1 - p[0]) / (count - 1))
        # KL(u || q) = sum_j u_j log(u_j/q_j) with u_j = 1/(C-1).
        share = Rational(1, count - 1)
        return full - thin - b * sum(share * log(share / (x / (1 - p[0]))) for x in p[1:])

    slope = diff(sparse, _P)
    s = _A - _B * _P / (1 - _P)
    pull = Symbol("p_j", positive=True)
    steps = (
        Step(
            "split into target and non-target terms",
            Sum(-(Symbol("y_i") * (1 - _XI) + _XI / C) * log(Symbol("p_i")), (Symbol("i"), 1, C)),
            split,
            "a hard label is 1 for the target and 0 for the others, so an entry is M(1, p_t) or M(0, p_j)",
            _same("M(1, p) = -a log(p)", target, -_A * log(_P))
            + "; "
            + _same("M(0, p) = -(xi/C) log(p)", other, -_XI / C * log(_P)),
        ),
        Step(
            "write the non-target sum as a mean",
            split,
            averaged,
            "a sum of C - 1 terms is C - 1 times their mean",
            sampled(lambda n, k: sum(map(log, probabilities(n, k)[1:])) - (n - 1) * _mean(n, k)),
        ),
        Step(
            "swap mean and logarithm",
            averaged,
            swapped,
            "log is replaced by its first-order Taylor expansion about E[p_j], whose linear term has mean 0",
            _same(
                "the linear term is (p_j - E[p_j])/E[p_j]",
                (pull - mean) / mean,
                diff(log(mean), mean) * (pull - mean),
            )
            + f"; its mean is 0: {sampled(_linear_term)}; what is dropped is stated below, exactly",
            exact=False,
        ),
        Step(
            "use that probabilities sum to 1",
            swapped,
            sparse,
            "the C - 1 others share 1 - p_t, so their mean is (1 - p_t)/(C - 1); and (xi/C)(C - 1) = b",
            f"E[p_j] = (1 - p_t)/(C - 1): {sampled(_mean_of_others)}; "
            + _same("(xi/C)(C - 1) = b", _XI / C * (C - 1), _B),
        ),
        Step(
            "read the sparse loss",
            sparse,
            -Y * (_A * log(P) + _B * log((1 - P) / (C - 1))),
            "only the target's entry is left, so the entry loss has the factor y",
            _same("at y = 1 the zoo's formula is this one", _entry("sparse-lsr", 1, xi=_XI), sparse),
        ),
        Step(
            "remainder",
            split,
            sparse + _B * kl,
            "E[log p_j] = log(1 - p_t) + E[log q_j] with q_j = p_j/(1 - p_t), and "
            "KL(uniform||q) = -log(C - 1) - E[log q_j]",
            _same("for symbolic C", smoothed_exactly, sparse + _B * divergence)
            + f"; LSR against SparseLSR + b KL(uniform||q), term by term: {sampled(remainder)}",
        ),
        Step(
            "direction of Jensen's inequality",
            Ge(kl, 0),
            Ge(Symbol("LSR", real=True), Symbol("SparseLSR", real=True)),
            "log is concave, so the mean of logs is at most the log of the mean, with equality where all q_j "
            "are equal; b >= 0, so SparseLSR bounds LSR from below and meets it where the others are uniform",
            f"log is concave, -log'' = {positive(-diff(log(_P), _P, 2))}; b = {positive(_MEANING[_B])}, and "
            "b = 0 at xi = 0",
        ),
        Step(
            "equal attractors",
            equation(Symbol("T'(p_t)"), slope),
            equation(Symbol("p*"), _A),
            "where the others are uniform both losses are T(p_t) = -a log(p_t) - b log((1 - p_t)/(C - 1)), "
            "which is strictly convex, so its one stationary point is its minimum",
            _same("T'(a) = 0", slope.subs(_MEANING).subs(_P, _MEANING[_A]), Integer(0))
            + "; "
            + _same("T'' = a/p_t^2 + b/(1 - p_t)^2", diff(slope, _P), _A / _P**2 + _B / (1 - _P) ** 2)
            + f", {positive(_A / _P**2 + _B * _OFF**2)}, where {_OFF} is 1/(1 - p_t)",
        ),
        Step(
            "logit gradient",
            equation(Symbol("s"), s),
            equation(Symbol("dL/dz_t"), -(1 - _P) * Symbol("s")),
            "dL/dz_t = p_t (1 - p_t) L'(p_t) and dL/dz_j = -p_t p_j L'(p_t) = p_j s for the others",
            _same("the target's is -(1 - p_t) s", _P * (1 - _P) * slope, -(1 - _P) * s)
            + "; "
            + _same("a non-target's is p_j s", -_P * pull * slope, pull * s)
            + f"; {_softmax_rule()}",
        ),
    )
    return Derivation(
        "sparse-lsr",
        "Label smoothing (LSR) to sparse label smoothing (SparseLSR): five steps, one approximation, and "
        "LSR = SparseLSR + b KL(uniform||q) exactly.",
        steps,
        parse(named("sparse-lsr").formula, coefficients={"xi": 0.1}),
        {
            "xi": "strength of the smoothing, 0 to 1",
            "a, b": "a = 1 - xi + xi/C, b = 1 - a = xi (C - 1)/C",
            "p_t, p_j": "the target's probability and those of the C - 1 others; E is the mean over them",
            "q_j": "p_j/(1 - p_t), the others' shares",
        },
    )


def _mean_of_others(count: int, point: int) -> Expr:
    """`E[p_j] - (1 - p_t)/(C - 1)`."""
    target, *others = probabilities(count, point)
    return sum(others) / len(others) - (1 - target) / (count - 1)


def _linear_term(count: int, point: int) -> Expr:
    """The mean of `(p_j - E[p_j])/E[p_j]`."""
    others = probabilities(count, point)[1:]
    mean = sum(others) / len(others)
    return sum((p - mean) / mean for p in others) / len(others)


def _softmax_rule() -> str:
    """The proof of `dp_t/dz_t = p_t (1 - p_t)` and `dp_t/dz_j = -p_t p_j`."""
    target, other = symbols("z_t z_j", real=True)
    total = exp(target) + exp(other) + Symbol("rest", positive=True)
    p_t, p_j = exp(target) / total, exp(other) / total
    own = _same("dp_t/dz_t = p_t (1 - p_t)", diff(p_t, target), p_t * (1 - p_t))
    return own + "; " + _same("dp_t/dz_j = -p_t p_j", diff(p_t, other), -p_t * p_j)


def _mean(count: int, point: int) -> Expr:
    others = probabilities(count, point)[1:]
    return sum(map(log, others)) / len(others)


def ace_lsr() -> Derivation:
    """Where absolute cross-entropy acts as label smoothing, and where it does not.

    Reference: Raymond et al., Learning symbolic model-agnostic loss functions via meta-learning, 2023, found
    the loss; the match and the differences are derived here.
    """
    phi0, phi1 = Symbol("phi0", positive=True), Symbol("phi1", positive=True)
    delta, pull = Symbol("delta", positive=True), Symbol("p_j", positive=True)
    matched = 1 / _A
    below = -phi0 * log(phi1 * _P)  # p_t < 1/phi1, where the logarithm is negative
    smooth = phi0 * sqrt(log(phi1 * _P) ** 2 + delta**2)
    lsr = -_A * log(_P) - _B * log((1 - _P) / (C - 1))
    curvature = diff(lsr.subs(_MEANING), _P, 2).subs(_P, _MEANING[_A])
    smooth_curvature = simplify(diff(smooth, _P, 2).subs(_P, 1 / phi1))
    # (gamma_T - gamma_N)/C at p = 1/C, with gamma_N = 0 for ACE, whose entry has the factor y.
    start_ace, start_lsr = -diff(below, _P).subs(_P, 1 / C) / C, (1 - _XI)
    # gamma_T - gamma_N of LSR: -M1' + M0' with M1 = -a log p and M0 = -(xi/C) log p.
    gain = diff((_A - _XI / C) * log(_P), _P).subs(_P, 1 / C) / C
    steps = (
        Step(
            "match",
            equation(phi1, matched),
            equation(1 / phi1, _A),
            "phi1 is chosen so that the kink of the absolute cross-entropy lies at LSR's target confidence",
            _same("1/phi1 = a", 1 / matched, _A),
        ),
        Step(
            "equal attractors",
            equation(Symbol("p*(ACE)"), 1 / phi1),
            equation(Symbol("p*(LSR)"), _A),
            "phi0 |log(phi1 p)| >= 0 vanishes at p = 1/phi1 alone; LSR's T is strictly convex with T'(a) = 0",
            _same("log(phi1 p) = 0 at p = 1/phi1", log(phi1 * _P).subs(_P, 1 / phi1), Integer(0))
            + f"; log increases, its slope {positive(diff(log(phi1 * _P), _P))}; "
            + _same("T'(a) = 0", diff(lsr.subs(_MEANING), _P).subs(_P, _MEANING[_A]), Integer(0))
            + f"; T'' = {positive(_A / _P**2 + _B * _OFF**2)}, where {_OFF} is 1/(1 - p_t)",
        ),
        Step(
            "initial learning rate",
            equation(Symbol("lr(ACE)"), start_ace),
            equation(Symbol("lr(LSR)"), start_lsr),
            "the ratio of the null-epoch logit gradient to that of cross-entropy is (gamma_T - gamma_N)/C at "
            "p = 1/C: phi0 for ACE with phi1 < C and 1 - xi for LSR, equal at phi0 = 1 - xi",
            _same("ACE's is phi0", start_ace, phi0) + "; " + _same("LSR's is 1 - xi", gain, start_lsr),
        ),
        Step(
            "difference: kink",
            equation(Symbol("T'(p* -)"), diff(below, _P).subs(_P, 1 / phi1)),
            equation(Symbol("T'(p* +)"), -diff(below, _P).subs(_P, 1 / phi1)),
            "ACE's slope jumps from -phi0 phi1 to phi0 phi1 at its attractor, so a fixed step size chatters "
            "there; LSR's slope goes to 0",
            _same("slope below", diff(below, _P).subs(_P, 1 / phi1), -phi0 * phi1)
            + "; "
            + _same("slope above", diff(-below, _P).subs(_P, 1 / phi1), phi0 * phi1),
        ),
        Step(
            "difference: curvature at the attractor",
            equation(Symbol("T''(LSR)"), 1 / _A + 1 / _B),
            equation(Symbol("T''(smooth ACE)"), phi0 * phi1**2 / delta),
            "LSR is curved by 1/a + 1/b; ACE has a kink instead, and its smoothed form "
            "phi0 sqrt(log(phi1 p)^2 + delta^2) a curvature that its rounding sets",
            _same("LSR's", curvature, 1 / _A + 1 / _B)
            + "; "
            + _same("smooth ACE's", smooth_curvature, phi0 * phi1**2 / delta)
            + "; "
            + _same(
                "ACE's on either side is phi0 phi1^2 in size",
                diff(below, _P, 2).subs(_P, 1 / phi1),
                phi0 * phi1**2,
            ),
        ),
        Step(
            "difference: pull on the non-targets",
            equation(Symbol("dLSR/dz_j"), pull - _XI / C),
            equation(Symbol("dACE/dz_j"), phi0 * pull),
            "LSR draws each non-target towards xi/C; ACE (below its attractor) pushes each down in "
            "proportion to its probability, and does not mind how they are spread",
            _same("ACE's is phi0 p_j", -_P * pull * diff(below, _P), phi0 * pull)
            + f"; LSR's is p_j - xi/C, by the chain rule through softmax: {sampled(_lsr_pull)}",
        ),
        Step(
            "difference: phi1 > C",
            Gt(phi1, C),
            Lt(Symbol("lr(ACE)"), 0),
            "the kink lies below 1/C then, so the loss pushes the target down from the start; the matched "
            "phi1 never does so for xi <= 1",
            _same("above the kink the slope is phi0/p_t > 0", diff(-below, _P), phi0 / _P)
            + f", {positive(phi0 / _P)}; "
            + _same("a - 1/C = (1 - xi)(C - 1)/C", _A - 1 / C, (1 - _XI) * (C - 1) / C)
            + f", {positive(_WEAK * (C - 1) / C)}, where {_WEAK} is 1 - xi",
        ),
    )
    return Derivation(
        "ace-lsr",
        "Absolute cross-entropy (ACE) with phi1 = 1/(1 - xi + xi/C) drives the target to the confidence that "
        "label smoothing of strength xi does, and differs from it in four ways.",
        steps,
        parse("y*abs(log(p/(1 - xi + xi/C)))", coefficients={"xi": 0.1}),
        {
            "xi": "strength of the smoothing, 0 to 1",
            "a, b": "a = 1 - xi + xi/C, b = 1 - a = xi (C - 1)/C",
            "p_t, p_j": "target's and a non-target's probability",
            "phi0, phi1": "coefficients of ACE, phi0 |log(phi1 p_t)|",
        },
    )


def _lsr_pull(count: int, point: int) -> Expr:
    """`dLSR/dz_j - (p_j - xi/C)` by the chain rule through softmax, exactly."""
    p, xi = probabilities(count, point), Rational(1 + point, 7)
    slopes = [-(1 - xi + xi / count) / p[0], *(-xi / count / x for x in p[1:])]
    mean = sum(x * g for x, g in zip(p, slopes, strict=True))
    return p[1] * (slopes[1] - mean) - (p[1] - xi / count)


THEOREMS = {
    "sparse-lsr": sparse_lsr,
    "ace-lsr": ace_lsr,
    "proper-symmetric-exclusive": proper_symmetric_exclusive,
}
