"""The sparse form of any classification loss: what it does to the target alone."""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Basic, Expr, IndexedBase, Integer, Sum, Symbol

from symloss.errors import DomainError, SymlossError
from symloss.expr import KINDS, C, Loss, P, Y, at_one, at_zero, canonicalise
from symloss.theory.budget import Budget
from symloss.theory.certificate import Finding
from symloss.theory.derivations.derivation import Derivation, Step, equation, probabilities, sampled
from symloss.theory.derivations.theorems import THEOREMS
from symloss.theory.findings.attractor import attractor
from symloss.theory.findings.free_classes import attractor_for_every_number
from symloss.theory.findings.profile import Profile
from symloss.theory.functions.convexity import is_convex
from symloss.theory.functions.pieces import Undefined

__all__ = ["derive", "sparsify"]

_CLASSES = 10
"""For how many classes convexity and attractors are worked out where no argument holds for all."""


def derive(what: str | Loss) -> Derivation:
    """A theorem by name, or the sparse form of a loss, step by step and machine-checked.

    Args:
        what: `"sparse-lsr"`, `"ace-lsr"`, `"proper-symmetric-exclusive"`, or a classification loss.

    Raises:
        DomainError: for another theorem, or a loss of another kind.

    >>> print(derive("sparse-lsr").result.formula)
    -y*((1 - xi + xi/C)*log(p) + xi*(C - 1)*log((1 - p)/(C - 1))/C)
    """
    if isinstance(what, Loss):
        return sparsify(what)
    if not isinstance(what, str) or what not in THEOREMS:
        raise DomainError(f"no theorem is named {what!r}: expected one of {', '.join(THEOREMS)}, or a loss")
    return THEOREMS[what]()


def sparsify(loss: Loss) -> Derivation:
    """`M(y, p) -> y [M1(p) + (C - 1) M0((1 - p)/(C - 1))]`: the loss where non-targets are spread evenly.

    For label smoothing it is SparseLSR. `.result` is the sparse loss; the steps say whether it bounds the
    loss, what it drops, and where both drive the target.

    Raises:
        DomainError: for a loss that is not one of classification, that has no finite value at `y = 0`, or that is
            not a real number everywhere.

    >>> from symloss.zoo import named
    >>> sparsify(named("lsr")).result == named("sparse-lsr")
    True
    """
    if not KINDS[loss.kind].exclusive:
        raise DomainError(f"only classification losses have a sparse form; this one is of kind {loss.kind}")
    m1, m0 = _branches(loss.expr)
    p_t, j = Symbol("p_t", positive=True), Symbol("j", integer=True, positive=True)
    rest = (1 - P) / (C - 1)
    sparse_entry = _shorter(m1 + (C - 1) * m0.subs(P, rest))
    result = Loss(Y * sparse_entry, "classification", _kept(loss, sparse_entry))
    shape = _shape(loss)
    others = Sum(m0.subs(P, IndexedBase("p", positive=True)[j]), (j, 1, C - 1))
    at_target = m1.subs(P, p_t)
    mean = m0.subs(P, (1 - p_t) / (C - 1))
    steps = [
        Step(
            "split into target and non-target terms",
            Sum(loss.expr.subs({Y: Symbol("y_i"), P: Symbol("p_i")}), (Symbol("i"), 1, C)),
            at_target + others,
            "a hard label is 1 for the target and 0 for the others",
            _split_check(loss),
        ),
        Step(
            "spread the non-targets evenly",
            at_target + others,
            at_target + (C - 1) * mean,
            "each non-target is replaced by their mean, (1 - p_t)/(C - 1)",
            _even_check(loss, result),
            # The mean of M0 is M0 of the mean for every spread only where M0 is affine.
            exact=shape.convex and shape.concave,
        ),
        _bound(shape, others - (C - 1) * mean),
        _attractors(loss, result),
    ]
    return Derivation(
        f"sparse form of {loss.formula}",
        "The loss on the even spread of the non-targets, as a function of the target's probability alone.",
        tuple(steps),
        result,
        {
            "p_t": "the target's probability",
            "p[j]": "those of the C - 1 others",
            **{name: f"{value:g} here" for name, value in loss.coefficients.items()},
        },
    )


def _shorter(expr: Expr) -> Expr:
    """The shorter of an expression and its canonical form."""
    canonical = canonicalise(expr, "classification")
    return canonical if canonical.count_ops() < expr.count_ops() else expr


def _kept(loss: Loss, expr: Expr) -> dict[str, float]:
    names = {symbol.name for symbol in expr.free_symbols}
    return {name: value for name, value in loss.coefficients.items() if name in names}


def _branches(expr: Expr) -> tuple[Expr, Expr]:
    """`M1` and `M0`."""
    return at_one(expr).expr, at_zero(expr).expr


def _total(expr: Expr, p: list[Expr]) -> Expr:
    """The instance loss at class probabilities, the first class being the target."""
    target, other = _branches(expr.xreplace({C: Integer(len(p))}))
    terms = [target.subs(P, p[0]), *(other.subs(P, value) for value in p[1:])]
    for term in terms:
        if not term.evalf(20).is_extended_real:  # two complex numbers may be equal, and certify nothing
            raise DomainError(f"the loss is not real at C = {len(p)}, where a term is {term}")
    return sum(terms, Integer(0))


def _split_check(loss: Loss) -> str:
    expr = loss.value_expr

    def difference(count: int, point: int) -> Expr:
        p = probabilities(count, point)
        m1, m0 = (branch.subs(C, count) for branch in _branches(expr))
        return _total(expr, p) - m1.subs(P, p[0]) - sum(m0.subs(P, value) for value in p[1:])

    return sampled(difference)


def _even_check(loss: Loss, result: Loss) -> str:
    """On the even spread itself nothing is dropped."""

    def difference(count: int, point: int) -> Expr:
        target = probabilities(count, point)[0]
        even = [target, *[(1 - target) / (count - 1)] * (count - 1)]
        return _total(loss.value_expr, even) - _total(result.value_expr, even)

    return f"on the even spread, where the step is exact: {sampled(difference)}"


@dataclass(frozen=True)
class _Shape:
    """What is proved of M0 on (0, 1); affine is both convex and concave."""

    convex: bool
    concave: bool
    check: str


def _shape(loss: Loss) -> _Shape:
    """Sound: a shape that cannot be decided is neither."""
    where = f" at C = {_CLASSES}" if loss.expr.has(C) else ""
    try:
        curve = Profile.of(loss, _CLASSES).pick(lambda m1, m0: m0)
        negated = Profile.of(loss, _CLASSES).pick(lambda m1, m0: -m0)
        convex, concave = is_convex(curve), is_convex(negated)
    except Undefined as error:
        raise DomainError(
            f"the loss has no sparse form, as it is not real everywhere{where}: {error}"
        ) from None
    except SymlossError as error:
        return _Shape(False, False, f"undecided: {error}")
    found = {(True, True): "affine", (True, False): "convex", (False, True): "concave"}
    words = found.get((convex, concave), "not proved convex or concave")
    return _Shape(convex, concave, f"M0 on (0, 1){where}, by the sign of its second derivative: {words}")


def _bound(shape: _Shape, remainder: Expr) -> Step:
    zero, name = Integer(0), Symbol("remainder", real=True)
    jensen = "by Jensen's inequality the sparse form is {} bound of the loss, met on the even spread"
    after: Basic
    if shape.convex and shape.concave:
        after, words = (
            equation(name, zero),
            "M0 is affine: nothing is dropped, the loss is sparse as it stands",
        )
    elif shape.convex:
        after, words = name >= zero, f"M0 is convex, so {jensen.format('a lower')}"
    elif shape.concave:
        after, words = name <= zero, f"M0 is concave, so {jensen.format('an upper')}"
    else:
        after = equation(Symbol("sign(remainder)"), Symbol("unknown"))
        words = "M0 is not proved convex or concave, so the sparse form is not known to bound the loss"
    return Step("bound", equation(name, remainder), after, words, shape.check)


def _attractors(loss: Loss, result: Loss) -> Step:
    (before, how), (after, how_after) = (_attractor(each) for each in (loss, result))
    return Step(
        "attractors before and after",
        equation(Symbol("p*(loss)"), _value(before)),
        equation(Symbol("p*(sparse)"), _value(after)),
        "both are the minimum of one function T(p_t) wherever the even spread is where training leads; what "
        "the sparse form lacks is the pull towards that spread",
        f"certificates of the loss {how}: {before.verdict} ({before.reason}); of the sparse form {how_after}: "
        f"{after.verdict} ({after.reason})",
    )


def _attractor(loss: Loss) -> tuple[Finding, str]:
    """The attractor for every number of classes, else for one of them, and which."""
    budget = Budget()
    every = budget.settle(attractor_for_every_number, loss)
    if every.verdict == "proved":
        return every, "for every C"
    return budget.settle(lambda: attractor(Profile.of(loss, _CLASSES))), f"at C = {_CLASSES}"


def _value(finding: Finding) -> Symbol:
    """An attractor as it is printed: its formula, else its number."""
    if finding.verdict != "proved":
        return Symbol("unknown")
    return Symbol(finding.text or f"{finding.numeric:.10g}")
