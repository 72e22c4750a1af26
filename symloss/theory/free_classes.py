"""Findings that hold for every number of classes `C >= 2`.

A refutation names the number of classes it was found at. What is proved at one number is claimed for all only
with an argument that does not use it; the rest is left open, and says how to settle it.
"""

from __future__ import annotations

from sympy import Expr, Integer, Rational, Symbol, cancel, simplify, solve, together

from symloss.expr import C, Loss, P, Y, canonicalise, parse
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.exact import shorter
from symloss.theory.pieces import Undecided, Undefined
from symloss.theory.profile import Profile
from symloss.zoo import entry, named, names

__all__ = ["SAMPLE", "for_every_number"]

SAMPLE = 10
"""The number of classes at which refutations are found."""
_MAX_OPERATIONS = 40
_FREE = ("target_only", "proper", "convex_in_p")
"""Of a formula without C these conditions speak of M1 and M0 alone (for C >= 3, and then for C = 2 too)."""
_M, _T = Symbol("m", integer=True, nonnegative=True), Symbol("t", positive=True)


def for_every_number(loss: Loss, found: dict[str, Finding]) -> dict[str, Finding]:
    """From the findings at `SAMPLE` classes those for every number."""
    depends = C in loss.value_expr.free_symbols
    shown = {key: _named_number(finding) for key, finding in found.items()}
    for key in _FREE:
        if found[key].verdict == "proved" and not depends:
            shown[key] = proved(f"{found[key].reason}; free of C", found[key].value, found[key].numeric)
    slopes = _start_slopes(loss)
    shown["trainable_at_start"] = _trainable(found["trainable_at_start"], slopes)
    shown["implicit_learning_rate"] = _rate(shown["implicit_learning_rate"], slopes)
    shown["attractor"] = _attractor(loss, found, shown["attractor"])
    shown["label_smoothing"] = _smoothing(shown["attractor"], shown["label_smoothing"])
    m0 = canonicalise(loss.value_expr.subs(Y, 0), "classification") if not depends else None
    if m0 == 0:
        for key in ("bounded_below", "bounded_above"):
            if found[key].verdict == "proved":
                shown[key] = proved(f"{found[key].reason}; free of C", found[key].value, found[key].numeric)
    name = found["known_as"].value.partition("(")[0]
    known = found["known_as"].verdict == "proved" and name in names("classification")
    if known and not depends and C not in entry(name, "classification").loss.expr.free_symbols:
        shown["known_as"] = found["known_as"]
    if depends:
        shown["known_as"] = _known_with_classes(loss, found["known_as"], shown["known_as"])
    return shown


def _named_number(finding: Finding) -> Finding:
    if finding.verdict == "refuted":
        return refuted(f"at C = {SAMPLE}: {finding.reason}", finding.witness, finding.value, finding.numeric)
    if finding.verdict == "proved":
        return unknown(f"proved at C = {SAMPLE}, not for every C: give the number of classes")
    return finding


def _start_slopes(loss: Loss) -> tuple[Expr, Expr] | None:
    """`(M1', M0')` as formulas that hold for all p in (0, 1/2], or None where a kink lies there."""
    if C in loss.value_expr.free_symbols:
        m1, m0 = (loss.value_expr.subs(Y, y) for y in (1, 0))
        smooth = not any(node.is_Function and node.func.__name__ not in ("log", "exp") for node in
                         loss.value_expr.atoms(*_functions(loss.value_expr)))  # fmt: skip
        return (m1.diff(P), m0.diff(P)) if smooth else None
    try:
        profile = Profile.of(loss, SAMPLE)
    except (Undecided, Undefined):
        return None
    piece = profile.pieces[0]
    if piece.cell.right.lo <= 0.5:
        return None
    return piece.exprs[0].diff(P), piece.exprs[1].diff(P)


def _functions(expr: Expr) -> tuple[type, ...]:
    found = {type(node) for node in _nodes(expr) if node.is_Function}
    return tuple(found) or (Symbol,)


def _nodes(expr: Expr) -> list[Expr]:
    nodes, stack = [], [expr]
    while stack:
        node = stack.pop()
        nodes.append(node)
        stack.extend(node.args)
    return nodes


def _trainable(found: Finding, slopes: tuple[Expr, Expr] | None) -> Finding:
    if found.verdict != "proved" or slopes is None:
        return _named_number(found)
    pull = _at_start(slopes[0] - slopes[1])
    if pull is not None and pull.is_negative:
        return proved(f"M1' - M0' = {shorter(pull.subs(_M, C - 2))} < 0 at p = 1/C for every C >= 2")
    return _named_number(found)


def _rate(shown: Finding, slopes: tuple[Expr, Expr] | None) -> Finding:
    if slopes is None:
        return shown
    rate = _at_start(slopes[1] - slopes[0])
    if rate is None:
        return shown
    value = cancel(together((rate / (_M + 2)).subs(_M, C - 2)))
    numeric = float(value) if value.is_number else None
    return proved("(M0' - M1')/C at p = 1/C, by algebra", shorter(value), numeric)


def _at_start(expr: Expr) -> Expr | None:
    """`expr` at `p = 1/C`, with `C = 2 + m`: SymPy's assumptions then know that C >= 2."""
    if expr.count_ops() > 4 * _MAX_OPERATIONS:
        return None
    value = cancel(together(expr.subs(C, _M + 2).subs(P, 1 / (_M + 2))))
    return None if value.has(Integer(0) ** -1) else value


def _attractor(loss: Loss, found: dict[str, Finding], shown: Finding) -> Finding:
    at_sample = found["attractor"]
    if at_sample.verdict != "proved" or at_sample.numeric is None:
        return shown
    target_only = found["target_only"].verdict == "proved" and C not in loss.value_expr.free_symbols
    slopes = _start_slopes(loss)
    if target_only and at_sample.numeric > 0.5 and slopes is not None:
        pull = (slopes[0] - slopes[1]).subs(P, 1 / (2 + _T))
        if cancel(together(pull)).is_negative:
            return proved(
                f"{at_sample.reason}; the loss depends on p_t alone and falls on (0, 1/2], so every C >= 2 "
                "leads there",
                at_sample.value,
                at_sample.numeric,
            )
    return _convex_attractor(loss) or shown


def _convex_attractor(loss: Loss) -> Finding | None:
    """`p*` by algebra where `T` and `M0` are convex for every C: the stationary point, or 1 without one."""
    if _start_slopes(loss) is None or loss.value_expr.count_ops() > _MAX_OPERATIONS:
        return None
    p, count = Symbol("p", positive=True), _M + 2
    m1, m0 = (loss.value_expr.subs(Y, y).subs(C, count).subs(P, p) for y in (1, 0))
    inside = 1 / (1 + _T)  # every p in (0, 1); then 1 - p = t/(1 + t)
    if _sign(m0.diff(p, 2).subs(p, inside)) not in (0, 1):
        return None
    even = m1 + (count - 1) * m0.subs(p, (1 - p) / (count - 1))
    slope, bend = even.diff(p), even.diff(p, 2)
    if _sign(slope.subs(p, inside)) == -1:
        return proved("T falls on (0, 1) for every C >= 2, and M0 is convex", Integer(1), 1.0)
    if _sign(bend.subs(p, inside)) != 1:
        return None
    for root in solve(cancel(together(slope)), p):
        inside_one = 1 in (_sign(1 - root), _sign(1 - root**2))
        if _sign(root) == 1 and inside_one and simplify(slope.subs(p, root)) == 0:
            value = shorter(simplify(root.subs(_M, C - 2)))
            numeric = float(value) if value.is_number else None
            reason = "the stationary point of T, which is strictly convex for every C >= 2; M0 is convex"
            return proved(reason, value, numeric)
    return None


def _sign(expr: Expr) -> int | None:
    """By SymPy's assumptions on m >= 0 and t > 0."""
    for form in (expr, together(expr), cancel(together(expr)), cancel(together(expr)).factor()):
        if form.is_positive:
            return 1
        if form.is_negative:
            return -1
        if form.is_zero:
            return 0
    return None


def _smoothing(attractor: Finding, shown: Finding) -> Finding:
    if attractor.verdict != "proved" or attractor.value == "":
        return shown
    value = parse(attractor.value).expr if attractor.value != "1" else Integer(1)
    if value == 1:
        return refuted("p* = 1 for every C >= 2", {}, "0", 0.0)
    strength = shorter(cancel(together((1 - value) * C / (C - 1))))
    numeric = float(strength) if strength.is_number else None
    return proved("xi = (1 - p*) C/(C - 1)", strength, numeric)


def _known_with_classes(loss: Loss, found: Finding, shown: Finding) -> Finding:
    """A formula with C is a zoo loss for every C only where the two are one by algebra."""
    if found.verdict != "proved":
        return shown
    name, _, rest = found.value.partition("(")
    values = dict(part.split("=") for part in rest.rstrip(")").split(", ")) if rest else {}
    other = named(name, "classification", **{key: float(value) for key, value in values.items()})
    ratio = canonicalise(loss.value_expr / other.value_expr, "classification")
    if loss == other or (ratio.is_Rational and ratio > Rational(0)):
        return proved("one canonical form with C free", found.value)
    return shown
