"""What the certificate of a margin loss says in plain words: one sentence a finding, and all of them in one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sympy import oo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symloss.theory.certificate import Certificate, Finding

__all__ = ["SENTENCES", "margin_sentence", "margin_summary"]

SENTENCES: dict[str, tuple[str, str]] = {
    "trainable_at_start": (
        "raises margins from the first step",
        "starts the wrong way: from the margin 0 its first step lowers margins",
    ),
    "classification_calibrated": (
        "puts the likelier label on the right side at its minimum, however nearly as likely the other is",
        "can have its minimum on the side of the less likely label",
    ),
    "convex": ("is convex in the margin", "is not convex in the margin"),
    "decreasing": ("never rewards a smaller margin", "is not monotone: {where}"),
    "minimum": ("is least at the margin {numeric}", "falls without bound: no margin is enough"),
    "lipschitz": ("limits the pull of any one pair to {numeric}", "lets one pair pull without limit"),
    "symmetric_noise_robust": (
        "sums to a constant over both labels, so that labels flipped at random do not move its minimum",
        "has a sum over both labels that varies, so it is not symmetric",
    ),
    "redescending": (
        "forgets pairs that are badly wrong: their pull vanishes",
        "goes on pulling at pairs that are badly wrong, as wrong labels are",
    ),
    "link": (
        "says how likely the label is: {value} at the margin m",
        "says nothing of how likely the label is",
    ),
}
"""By finding, proved and refuted, where margins have words of their own."""


def margin_sentence(key: str, finding: Finding) -> str | None:
    """The words where a value or a witness decides them, else None."""
    if key == "trainable_at_start" and finding.verdict == "refuted" and finding.value == 0:
        return "stands still at the margin 0: its first step leaves margins as they are"
    if key == "decreasing" and finding.verdict == "refuted":
        return SENTENCES[key][1].format(where=_rises(finding))
    if key == "link" and finding.verdict == "proved" and finding.value is None:
        return "says how likely the label is, by no one formula: M'(-m)/(M'(m) + M'(-m)) at the margin m"
    if key == "minimum" and _is_flat(finding):
        return "is the same at every margin"
    if key == "minimum" and finding.verdict == "proved" and finding.value in (oo, -oo):
        return (
            "pushes margins up without end: its infimum lies at infinity"
            if finding.value == oo
            else ("is least for margins that fall without end")
        )
    return None


def _is_flat(minimum: Finding) -> bool:
    """Whether no margin is better than another: then the least value has no place."""
    return minimum.verdict == "proved" and minimum.value is None and minimum.numeric is None


def _rises(finding: Finding) -> str:
    """Where a loss rewards a smaller margin."""
    said = []
    for low, high in finding.witness.get("between", ()):
        if math.isinf(high):
            said.append(
                f"beyond the margin {_short(low)} it pulls back"
                if math.isfinite(low)
                else "it rewards smaller margins"
            )
        elif math.isinf(low):
            said.append(f"below the margin {_short(high)} it rewards ranking the pair worse")
        else:
            said.append(f"between margins {_short(low)} and {_short(high)} it rewards ranking the pair worse")
    return " and ".join(said)


def _short(number: float) -> str:
    """Three decimals, without zeros at the end."""
    return f"{round(number, 3) + 0.0:.3f}".rstrip("0").rstrip(".")


def margin_summary(certificate: Certificate) -> str:
    """What a practitioner should know, in one sentence: monotone, from which start, to which end, calibrated, robust.

    >>> from symloss import analyze, named
    >>> margin_summary(analyze(named("hinge")))
    'monotone; stops pushing at the margin 1; calibrated'
    """
    found = certificate.findings
    needed = ("decreasing", "trainable_at_start", "minimum", "classification_calibrated", "symmetric_noise_robust",
              "redescending", "link")  # fmt: skip
    if not set(needed) <= set(found):
        return ""
    parts = [*_course(found["decreasing"], found["trainable_at_start"]), *_end(found["minimum"])]
    # Beyond its minimum a loss may well pull back.
    rises = [high for _, high in found["decreasing"].witness.get("between", ()) if math.isfinite(high)]
    wrong = found["trainable_at_start"].verdict == "refuted" or bool(rises)
    parts += _calibrated(found["classification_calibrated"], wrong)
    if found["link"].verdict == "proved":
        parts.append(f"the label's probability at the margin m is {found['link'].text}")
    if found["symmetric_noise_robust"].verdict == "proved":
        parts.append("labels flipped at random do not move its minimum")
    if found["redescending"].verdict == "proved":
        parts.append("forgets pairs that are badly wrong")
    return "; ".join(parts)


def _course(decreasing: Finding, start: Finding) -> Sequence[str]:
    parts = {
        "proved": ["monotone"],
        "refuted": [f"not monotone: {_rises(decreasing)}"],
        "unknown": ["whether it is monotone is open"],
    }[decreasing.verdict]
    if start.verdict == "unknown":
        return [*parts, "whether its first step is right is open"]
    if start.verdict == "proved":
        return parts
    if start.value == 0:
        return [*parts, "started at 0, as DPO is, it stands still"]
    worse = any(low <= 0 <= high for low, high in decreasing.witness.get("between", ()))
    does = "its first step does so" if worse else "its first step does not raise margins"
    return [*parts, f"started at 0, as DPO is, {does}{_for_every(start)}"]


def _for_every(start: Finding) -> str:
    name, low, high = (start.witness.get(key) for key in ("coefficient", "above", "below"))
    if not name:
        return ""
    if high is None:
        return f", for every {name} above {_short(low or 0.0)}"
    return f", for every {name} {f'between {_short(low)} and' if low else 'under'} {_short(high)}"


def _end(minimum: Finding) -> Sequence[str]:
    if minimum.verdict == "unknown":
        return ["where it is least is open"]
    if minimum.verdict == "refuted" or minimum.value == oo:
        return ["pushes margins up without end"]
    if _is_flat(minimum):
        return ["pushes margins nowhere"]
    if minimum.value == -oo or minimum.numeric is None:
        return ["pushes margins down without end"]
    return [f"stops pushing at the margin {_short(minimum.numeric)}"]


def _calibrated(calibrated: Finding, wrong: bool) -> Sequence[str]:
    if calibrated.verdict == "unknown":
        return ["whether it is calibrated is open"]
    if calibrated.verdict == "refuted":
        return ["not calibrated: its minimum can be on the side of the less likely label"]
    return ["calibrated all the same" if wrong else "calibrated"]
