"""Settings: the published ones, and one line for what does not fit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from symloss.errors import DomainError, SymlossError
from symloss.meta.fewshot import FewShotSettings, settings_for
from symloss.meta.fewshot.encoders import encoder_named

WAVES, LETTERS, PHOTOS = (
    ("regression", (1,)),
    ("classification", (1, 28, 28)),
    ("classification", (3, 32, 32)),
)


def test_settings_are_json_and_back() -> None:
    chosen = settings_for(*PHOTOS, parts=("film", "init"), terms=("inductive",), weight_decay=0.0)
    assert FewShotSettings.from_dict(json.loads(json.dumps(chosen.to_dict()))) == chosen
    assert chosen.parts == ("init", "film")


def test_published_settings() -> None:
    omniglot = settings_for(*LETTERS, "maml")
    assert (omniglot.inner.rate, omniglot.inner.steps, omniglot.inner.test_steps) == (0.4, 1, 3)
    photos = settings_for(*PHOTOS)
    assert (photos.inner.rate, photos.inner.steps, photos.inner.momentum, photos.inner.weight_decay) == (
        0.01, 5, 0.9, 5e-4,
    )  # fmt: skip
    assert (photos.outer.rate, photos.outer.final_rate, photos.queries, photos.outer.batch) == (
        1e-3,
        1e-5,
        15,
        4,
    )
    assert photos.design.head == "shared"
    assert settings_for(*PHOTOS, shots=5).outer.batch == 2
    waves = settings_for(*WAVES, "maml", shots=10)
    assert (waves.outer.rate, waves.outer.final_rate, waves.ways) == (1e-3, 1e-3, 1)


@pytest.mark.parametrize(
    ("kind", "method", "options", "match"),
    [
        (WAVES, "maml", {"parts": ("init", "film")}, "maml has no part 'film'"),
        (WAVES, "npbml", {"parts": ("int",)}, "unknown part 'int': expected some of init, rate"),
        (WAVES, "npbml", {"parts": ()}, "no part is left to learn"),
        (WAVES, "reptile", {}, "method 'reptile': expected one of maml"),
        (WAVES, "npbml", {"meta_batch": 0}, "meta_batch 0: expected a whole number of at least 1"),
        (WAVES, "npbml", {"adapted": 0}, "an encoder without adapted blocks cannot learn a task"),
        (WAVES, "npbml", {"adapted": 3}, "has 2 blocks; adapt 1 to 2"),
        (WAVES, "npbml", {"first_order": True}, "loss and regulariser would get no meta-gradient"),
        (WAVES, "npbml", {"pretrain_steps": 5}, "pretraining needs classes"),
        (WAVES, "centroid", {}, "needs classes"),
        (WAVES, "npbml", {"encoder": "4conv-8"}, "takes images, and the inputs are 1"),
        (WAVES, "npbml", {"inner_steps": 0}, "inner_steps 0"),
        (WAVES, "npbml", {"inner_rate": 0.0}, "inner_rate 0.0: expected a number above 0"),
        (WAVES, "npbml", {"inner_rate": float("nan")}, "inner_rate nan"),
        (WAVES, "npbml", {"momentum": -1}, "momentum -1: expected a number of at least 0"),
        (WAVES, "npbml", {"head": "both"}, "head 'both': expected separate or shared"),
        (WAVES, "npbml", {"terms": ("both",)}, "terms"),
        (WAVES, "npbml", {"shots": 0}, "shots 0"),
        (WAVES, "npbml", {"depth": 1}, "unknown option 'depth': expected one of adapted"),
        (LETTERS, "npbml", {"ways": 1}, "tells at least 2 classes apart"),
        (LETTERS, "npbml", {"encoder": "4conv-0"}, "encoder '4conv-0': expected mlp-DEPTHxWIDTH"),
        (("classification", (1, 8, 8)), "npbml", {}, "halves images four times"),
        (LETTERS, "centroid", {"parts": ("init",)}, "has no parts"),
        (LETTERS, "centroid", {"meta_steps": 5}, "has no meta-steps"),
        (LETTERS, "maml", {"formula": {}}, "name it among the parts"),
    ],
)
def test_one_line_for_what_does_not_fit(kind: Any, method: str, options: dict[str, Any], match: str) -> None:
    with pytest.raises(SymlossError, match=match) as error:
        settings_for(*kind, method, **options)
    assert "\n" not in str(error.value)


def test_unreadable_settings() -> None:
    with pytest.raises(DomainError, match="no few-shot settings can be read"):
        FewShotSettings.from_dict({"method": "maml"})


@pytest.mark.parametrize(
    ("name", "shape", "features", "weights"),
    [
        ("mlp-2x40", (1,), 40, 1 * 40 + 40 + 40 * 40 + 40),
        ("4conv-64", (1, 28, 28), 64, 576 + 3 * 64 * 64 * 9 + 8 * 64),
        ("4conv-64", (3, 84, 84), 1600, 3 * 576 + 3 * 64 * 64 * 9 + 8 * 64),
        ("4conv-64-stride", (1, 28, 28), 64, 576 + 3 * 64 * 64 * 9 + 8 * 64),
        ("resnet12-64", (3, 32, 32), 512, None),
    ],
)
def test_encoders(name: str, shape: tuple[int, ...], features: int, weights: int | None) -> None:
    encoder = encoder_named(name)
    assert encoder.name == name
    assert encoder.features(shape) == features
    assert weights is None or sum(each.numel() for each in encoder.start(shape, 0).values()) == weights
