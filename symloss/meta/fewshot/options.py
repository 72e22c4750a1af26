"""From what a user asks for to settings: published ones, changed where options say so, checked before any training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from symloss.errors import DomainError
from symloss.meta.fewshot.encoders import encoder_named
from symloss.meta.fewshot.settings import (
    METHODS,
    PARTS,
    TERMS,
    Design,
    FewShotSettings,
    Inner,
    Outer,
    Pretraining,
    Tests,
)
from symloss.numbers import as_real, as_whole

__all__ = ["settings_for"]

_OF_MAML = {"init", "rate"}
_CHOICES = {
    "head": ("separate", "shared"),
    "statistics": ("transductive", "support", "instance"),
    "rates": ("tensor", "one"),
    "warp": ("every", "last"),
    "scores": ("prototypes", "relation"),
    "film_on": ("activations", "support"),
}


def settings_for(
    kind: str,
    input_shape: tuple[int, ...],
    method: str = "npbml",
    *,
    ways: int = 5,
    shots: int = 1,
    queries: int | None = None,
    parts: Iterable[str] | None = None,
    **options: Any,
) -> FewShotSettings:
    """Published settings for a kind of task, changed where options say so.

    Args:
        kind, input_shape: of the source of episodes.
        method: a key of `METHODS`.
        ways, shots: of an episode; regression has one way whatever is asked for.
        queries: of a class; as many as shots for regression and 15 for images unless given.
        parts: what is meta-learned; the method's own unless given.
        options: attributes of `Design`, `Inner`, `Outer`, `Pretraining` and `Tests`; where a name is in two of them,
            as `pretrain_steps`, `pretrain_batch`, `pretrain_rate`, `meta_steps`, `meta_batch`, `meta_rate`,
            `inner_steps`, `inner_rate`, `test_tasks`. None leaves the default.

    Raises:
        DomainError: for what is unknown, out of range, or does not go together.

    >>> chosen = settings_for("regression", (1,), "maml", shots=10)
    >>> chosen.design.encoder, chosen.inner.steps, chosen.inner.rate, chosen.queries
    ('mlp-2x40', 5, 0.01, 10)
    """
    regression = kind == "regression"
    if method not in METHODS:
        raise DomainError(f"method {method!r}: expected one of {', '.join(METHODS)}")
    counts = {"ways": 1 if regression else ways, "shots": shots}
    counts["queries"] = (shots if regression else 15) if queries is None else queries
    numbers = {name: _whole(name, value, 1) for name, value in counts.items()}
    if not regression and numbers["ways"] < 2:
        raise DomainError(f"ways {ways}: a classifier tells at least 2 classes apart")
    chosen = FewShotSettings(
        method=method,
        ways=numbers["ways"],
        shots=numbers["shots"],
        queries=numbers["queries"],
        parts=_parts(method, parts),
        **_published(method, regression, input_shape, numbers["shots"]),
    )
    chosen = _changed(chosen, {name: value for name, value in options.items() if value is not None})
    _check(chosen, kind, input_shape)
    return chosen


def _published(method: str, regression: bool, input_shape: tuple[int, ...], shots: int) -> dict[str, Any]:
    """The settings of the papers, as far as they are known; the rest are choices of ours."""
    npbml = method == "npbml"
    outer = Outer(steps=1_000, batch=4 if shots < 5 or regression else 2)
    if regression:  # Finn et al.'s network and their constant rate, NPBML's inner steps
        return {
            "design": Design("mlp-2x40", 2, head="shared" if npbml else "separate"),
            "inner": Inner(0.01, 5, 5, momentum=0.9),
            "outer": replace(outer, together=True, final_rate=outer.rate),
        }
    characters = input_shape[0] == 1
    encoder = "4conv-64-stride" if characters else "4conv-64"
    # Images of one channel are characters: MAML's Omniglot.
    inner = (
        Inner(0.4, 1, 3) if characters and not npbml else Inner(0.01, 5, 5, momentum=0.9, weight_decay=5e-4)
    )
    return {
        "design": Design(encoder, 2 if npbml else 4, head="shared" if npbml else "separate"),
        "inner": inner,
        "outer": replace(outer, steps=0) if method == "centroid" else outer,
        "pretraining": Pretraining(0 if method == "maml" else 1_000),
    }


_NAMES = {
    "meta_steps": ("outer", "steps"), "meta_batch": ("outer", "batch"), "meta_rate": ("outer", "rate"),
    "inner_steps": ("inner", "steps"), "inner_rate": ("inner", "rate"), "test_tasks": ("tests", "tasks"),
    "pretrain_steps": ("pretraining", "steps"), "pretrain_batch": ("pretraining", "batch"),
    "pretrain_rate": ("pretraining", "rate"),
    **{
        each.name: (group, each.name)
        for group, made in (("design", Design), ("inner", Inner), ("outer", Outer), ("tests", Tests))
        for each in fields(made) if each.name not in ("steps", "batch", "rate", "tasks")
    },
}  # fmt: skip
"""Where each option goes."""
_LEAST = {
    "meta_steps": 0, "meta_batch": 1, "inner_steps": 1, "test_steps": 1, "every": 1, "validation_tasks": 1,
    "test_tasks": 1, "train_tasks": 0, "pretrain_steps": 0, "pretrain_batch": 2, "adapted": 1,
}  # fmt: skip
_REAL = (
    "meta_rate",
    "final_rate",
    "inner_rate",
    "momentum",
    "weight_decay",
    "pretrain_rate",
    "formula_scale",
)


def _changed(chosen: FewShotSettings, options: Mapping[str, Any]) -> FewShotSettings:
    """The settings with some options set; the number of test steps follows that of the inner ones."""
    unknown = [name for name in options if name not in _NAMES]
    if unknown:
        raise DomainError(f"unknown option {unknown[0]!r}: expected one of {', '.join(sorted(_NAMES))}")
    groups: dict[str, dict[str, Any]] = {}
    for name, value in options.items():
        group, key = _NAMES[name]
        groups.setdefault(group, {})[key] = _valid(name, value)
    if "steps" in groups.get("inner", {}):
        groups["inner"].setdefault("test_steps", groups["inner"]["steps"])
    if "encoder" in groups.get("design", {}):
        blocks = encoder_named(groups["design"]["encoder"]).blocks
        # The default was for the method's own encoder, which may have another number of blocks.
        groups["design"].setdefault("adapted", max(1, blocks // 2) if chosen.method == "npbml" else blocks)
    if "formula" in groups.get("design", {}):  # networks beside it only where they are asked for
        groups["design"].setdefault("terms", ())
    steps = groups.get("outer", {}).get("steps", chosen.outer.steps)
    # Some ten validations of a short training; every 500 steps, as published, of a long one.
    groups.setdefault("outer", {}).setdefault("every", max(1, min(500, steps // 10)))
    return replace(chosen, **{name: replace(getattr(chosen, name), **each) for name, each in groups.items()})


def _valid(name: str, value: Any) -> Any:
    if name == "adapted" and as_whole(value) == 0:
        raise DomainError(
            "adapted 0: an encoder without adapted blocks cannot learn a task; adapt at least 1"
        )
    if name in _LEAST:
        return _whole(name, value, _LEAST[name])
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise DomainError(f"{name} {value!r}: expected {' or '.join(_CHOICES[name])}")
        return str(value)
    if name in _REAL:
        number = as_real(value)
        least = 0.0 if name in ("momentum", "weight_decay", "final_rate") else None
        if number is None or not math.isfinite(number) or number < 0 or (least is None and number == 0):
            raise DomainError(
                f"{name} {value!r}: expected a number {'of at least' if least == 0 else 'above'} 0"
            )
        return number
    if name == "terms":
        given = tuple(value)
        if not given or any(term not in TERMS for term in given):
            raise DomainError(f"terms {list(given)!r}: expected {', '.join(TERMS)}, or one of them")
        return tuple(term for term in TERMS if term in given)
    return value


def _parts(method: str, parts: Iterable[str] | None) -> tuple[str, ...]:
    given = METHODS[method] if parts is None else tuple(parts)
    for part in given:
        if part not in PARTS:
            raise DomainError(f"unknown part {part!r}: expected some of {', '.join(PARTS)}")
        if method == "maml" and part not in _OF_MAML:
            raise DomainError(f"maml has no part {part!r}: choose the method npbml")
    if method == "centroid" and given:
        raise DomainError("the method centroid has no parts: it learns nothing beyond its pretraining")
    if method != "centroid" and not given:
        raise DomainError(f"no part is left to learn: name some of {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in given)


def _check(chosen: FewShotSettings, kind: str, input_shape: tuple[int, ...]) -> None:
    """What does not go together."""
    design, inner = chosen.design, chosen.inner
    encoder = encoder_named(design.encoder)
    encoder.check(input_shape)
    if design.adapted > encoder.blocks:
        raise DomainError(
            f"adapted {design.adapted}: the encoder {design.encoder} has {encoder.blocks} blocks; adapt 1 to "
            f"{encoder.blocks} of them"
        )
    learned = [part for part in ("loss", "regulariser") if part in chosen.parts]
    if inner.first_order and learned:
        raise DomainError(
            f"first order takes inner gradients as constants, so {' and '.join(learned)} would get no meta-gradient: "
            "leave one of the two out"
        )
    if kind == "regression" and chosen.pretraining.steps:
        raise DomainError("pretraining needs classes, and the task is a regression: leave it out")
    if kind == "regression" and chosen.method == "centroid":
        raise DomainError("the method centroid needs classes, and the task is a regression")
    if chosen.method == "centroid" and chosen.outer.steps:
        raise DomainError("the method centroid has no meta-steps, only pretraining: leave steps out")
    if design.formula is not None and "loss" not in chosen.parts:
        raise DomainError("a formula is what the part loss learns: name it among the parts")


def _whole(name: str, value: Any, least: int) -> int:
    """The number, if it is a whole one and large enough.

    Raises:
        DomainError: otherwise.
    """
    number = as_whole(value)
    if number is None or number < least:
        raise DomainError(f"{name} {value!r}: expected a whole number of at least {least}")
    return number
