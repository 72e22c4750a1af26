"""Convexity in the probabilities."""

from __future__ import annotations

from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.profile import Profile
from symloss.theory.functions.convexity import is_convex, low_chord, sought_chord

__all__ = ["convex_in_p"]


@names_guards
def convex_in_p(profile: Profile) -> Finding:
    """`M0` and `M1` are convex on (0, 1)."""
    open_for = []
    for name, curve in (("M1", profile.m1), ("M0", profile.m0)):
        chord = low_chord(curve)
        if chord is None and is_convex(curve):
            continue
        chord = chord or sought_chord(curve)
        if chord is not None:
            a, b = chord.a, chord.b
            return refuted(
                f"{name} at p = {(a + b) / 2:.6g} lies above its chord from {a:.6g} to {b:.6g}",
                {"function": name, "a": a, "b": b},
            )
        open_for.append(name)
    if open_for:
        return unknown(f"the sign of the second derivative of {' and '.join(open_for)} is not settled")
    return proved("M0'' >= 0 and M1'' >= 0 on every smooth piece, by their signs; no kink bends down")
