"""Findings in plain words, one sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symloss.expr import KINDS
from symloss.theory.margin_words import SENTENCES, margin_sentence, margin_summary
from symloss.theory.values import Statistic

if TYPE_CHECKING:
    from symloss.theory.certificate import Certificate

__all__ = ["sentence", "summary"]

_SENTENCES: dict[str, tuple[str, str]] = {
    "target_only": (
        "depends on the target's probability alone",
        "depends on how the other classes share what the target leaves",
    ),
    "trainable_at_start": (
        "raises the target's probability from the first step",
        "does not raise the target's probability from the uniform start",
    ),
    "implicit_learning_rate": (
        "starts as cross-entropy with its learning rate times {numeric}",
        "has no learning rate that compares with cross-entropy",
    ),
    "attractor": (
        "drives the target's probability to {numeric}",
        "does not reach the confidence that minimises it",
    ),
    "label_smoothing": (
        "smooths labels implicitly, with strength {numeric}",
        "does not smooth labels: it drives the target's probability to 1",
    ),
    "proper": (
        "is strictly proper: honest probabilities are its only minimum",
        "is not proper: it rewards probabilities other than the true ones",
    ),
    "classification_calibrated": (
        "has the most probable class on top at its minimum, where a posterior q becomes {value}",
        "can put another class than the most probable on top at its minimum",
    ),
    "symmetric_noise_robust": (
        "sums to a constant over all labels, so that uniform label noise does not move its minimum",
        "has a sum over all labels that varies, so it is not symmetric",
    ),
    "convex_in_p": ("is convex in every probability", "is not convex in the probabilities"),
    "bounded_below": ("never falls below {numeric}", "falls without bound"),
    "bounded_above": ("never exceeds {numeric}", "grows without bound"),
    "lipschitz_in_logits": (
        "has a gradient in the logits of norm at most {numeric}",
        "has an unbounded gradient in the logits",
    ),
    "known_as": (
        "is {value}, up to a positive factor and a constant",
        "is no loss of the zoo; nearest is {value}",
    ),
    "translation_invariant": (
        "depends on the difference of target and prediction alone",
        "depends on more than the difference of target and prediction",
    ),
    "minimum_at_target": (
        "is least where the prediction meets the target",
        "is not least where the prediction meets the target",
    ),
    "convex": ("is convex in the prediction", "is not convex in the prediction"),
    "influence": ("pulls on a residual r with the influence {value}", "has no influence function"),
    "bounded_influence": (
        "limits the pull of any one outlier to {numeric}",
        "lets one outlier pull without limit",
    ),
    "redescending": ("forgets outliers: their pull vanishes", "does not forget outliers"),
    "converges_to": (
        "drives a constant prediction to {value}",
        "converges to no known statistic",
    ),
}


_WITHOUT_NUMBER = {
    "classification_calibrated": "has the most probable class on top at its minimum",
    "bounded_below": "is bounded below",
    "bounded_above": "is bounded above",
    "lipschitz_in_logits": "has a bounded gradient in the logits",
    "bounded_influence": "limits the pull of any one outlier",
    "implicit_learning_rate": "starts as cross-entropy with another learning rate",
    "label_smoothing": "smooths labels implicitly",
}


_OWN = {"margin": SENTENCES}
"""The kinds whose findings have sentences of their own."""


def sentence(key: str, certificate: Certificate) -> str:
    """The finding `key` of a certificate in plain words."""
    finding = certificate.findings[key]
    if finding.verdict == "unknown":
        return f"{key.replace('_', ' ')} is open: {finding.reason}"
    if key == "attractor" and finding.verdict == "proved":
        return _attractor(certificate)
    own = _OWN.get(certificate.kind, {})
    if key in own and (said := margin_sentence(key, finding)) is not None:
        return said
    if key == "implicit_learning_rate" and finding.verdict == "proved" and finding.value == 0:
        return "stands still at the uniform start: its first step changes nothing"
    positive, negative = own.get(key) or _SENTENCES[key]
    if key == "known_as" and finding.value is None:
        return "is no loss of the zoo"
    text = positive if finding.verdict == "proved" else negative
    number = finding.text if finding.numeric is None else f"{finding.numeric:.4g}"
    if finding.verdict == "proved" and not number and key not in own:
        text = _WITHOUT_NUMBER.get(key, text)
    value = finding.value.words() if isinstance(finding.value, Statistic) else finding.text
    return text.format(numeric=number, value=value)


def summary(certificate: Certificate) -> str:
    """All that matters in one sentence, of constants and of the kinds that have one; else `""`."""
    variable = KINDS[certificate.kind].variable
    if variable not in certificate.loss.canonical.free_symbols:
        return f"constant in {variable}: nothing to learn"
    return margin_summary(certificate) if certificate.kind in _OWN else ""


def _attractor(certificate: Certificate) -> str:
    finding, smoothing = certificate.findings["attractor"], certificate.findings["label_smoothing"]
    where = f"{finding.numeric:.2g}" if finding.numeric is not None else finding.text
    text = f"drives the target's probability to {where}"
    if smoothing.verdict == "proved":
        strength = f"{smoothing.numeric:.2g}" if smoothing.numeric is not None else smoothing.text
        text += f", as label smoothing of {strength} does"
    return text
