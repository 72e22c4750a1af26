"""Small sources of episodes, and learners on them, for tests."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from symloss.meta.fewshot import Learner, settings_for
from symloss.tasks.episodes import Episode, EpisodeSource, ImageClass, ImageEpisodes, Sinusoid


def images(size: int = 16, channels: int = 1, classes: int = 4, each: int = 8) -> ImageEpisodes:
    """Noise about a pattern of each class."""
    draw = np.random.default_rng(0)
    names = [f"{part}{i}" for part in ("train", "val", "test") for i in range(classes)]
    patterns = draw.integers(0, 256, size=(len(names), 1, channels, size, size))
    noise = draw.integers(-90, 91, size=(len(names), each, channels, size, size))
    pixels = np.clip(patterns + noise, 0, 255).astype(np.uint8).reshape(-1, channels, size, size)
    made = [ImageClass(name, np.arange(i * each, (i + 1) * each)) for i, name in enumerate(names)]
    parts = {
        part: tuple(made[k * classes : (k + 1) * classes]) for k, part in enumerate(("train", "val", "test"))
    }
    return ImageEpisodes("patterns", pixels, parts)


def learner_of(source: EpisodeSource, method: str = "npbml", **options: Any) -> Learner:
    """A learner on a source; small where the options do not say otherwise."""
    if source.kind == "regression":
        options = {"shots": 4, "encoder": "mlp-2x6", "adapted": 2, "inner_steps": 2, **options}
    else:
        options = {
            "ways": 3,
            "queries": 2,
            "encoder": "4conv-4",
            "inner_steps": 2,
            "inner_rate": 0.1,
            **options,
        }
    settings = settings_for(source.kind, source.input_shape, method, **options)
    return Learner(settings, source.kind, source.input_shape)


def episodes_of(
    source: EpisodeSource, learner: Learner, count: int = 1, double: bool = True
) -> list[Episode]:
    """The first training episodes, in double precision."""
    settings = learner.settings
    found = [
        source.sample("train", ways=settings.ways, shots=settings.shots, queries=settings.queries, seed=i)
        for i in range(count)
    ]
    return [_double(each) for each in found] if double else found


def stirred(learner: Learner, spread: float = 0.1, seed: int = 0) -> dict[str, Tensor]:
    """Weights away from the start, where every part has an effect; double precision."""
    draw = torch.Generator().manual_seed(seed)
    return {
        name: each.double() + spread * torch.randn(each.shape, generator=draw, dtype=torch.float64)
        for name, each in learner.start(seed).items()
    }


def _double(episode: Episode) -> Episode:
    values = [getattr(episode, each.name) for each in fields(Episode)]
    return Episode(*(value.double() if value.is_floating_point() else value for value in values))


SOURCES: dict[str, EpisodeSource] = {"waves": Sinusoid(), "images": images()}
