"""Sine waves: the published ranges, seeds, and which waves the training part may draw."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from symloss.errors import TaskError
from symloss.tasks.episodes import PARTS, EpisodeSource, Sinusoid, load_episodes


def draw(source: EpisodeSource, part: str = "train", seed: int = 0, shots: int = 10, queries: int = 15):
    return source.sample(part, ways=1, shots=shots, queries=queries, seed=seed)


def test_shapes_types_and_the_wave_itself():
    source = Sinusoid()
    episode, wave = draw(source, seed=3), source.wave("train", 3)
    assert [*episode.support_inputs.shape], [*episode.query_inputs.shape] == ([10, 1], [15, 1])
    for inputs, targets in (
        (episode.support_inputs, episode.support_targets),
        (episode.query_inputs, episode.query_targets),
    ):
        assert inputs.dtype == targets.dtype == torch.float32
        assert inputs.abs().max() <= 5
        expected = wave.amplitude * torch.sin(inputs.double() - wave.phase)
        assert torch.allclose(targets.double(), expected, atol=1e-5)


def test_amplitude_and_phase_fill_the_published_ranges():
    waves = [Sinusoid().wave("train", seed) for seed in range(500)]
    amplitudes, phases = (np.array([getattr(wave, key) for wave in waves]) for key in ("amplitude", "phase"))
    for values, low, high in ((amplitudes, 0.1, 5.0), (phases, 0.0, math.pi)):
        assert low <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high
        assert abs(values.mean() - (low + high) / 2) < 4 * (high - low) / math.sqrt(12 * 500)


def test_the_same_seed_is_the_same_episode_and_parts_differ():
    first, again = draw(Sinusoid(), seed=7), draw(Sinusoid(), seed=7)
    assert torch.equal(first.support_inputs, again.support_inputs)
    assert torch.equal(first.query_targets, again.query_targets)
    others = [Sinusoid().wave(part, 7) for part in PARTS]
    assert len({(wave.amplitude, wave.phase) for wave in others}) == 3


def test_queries_do_not_change_with_the_shots():
    few, many = draw(Sinusoid(), shots=5), draw(Sinusoid(), shots=10)
    assert torch.equal(few.query_inputs, many.query_inputs)
    assert torch.equal(few.support_inputs, many.support_inputs[:5])


def test_fewer_training_tasks():
    few = Sinusoid().with_classes(3)
    waves = {few.wave("train", seed).amplitude for seed in range(60)}
    assert len(waves) == 3
    assert few.wave("test", 5) == Sinusoid().wave("test", 5)
    assert few.fingerprint != Sinusoid().fingerprint
    # The waves of a smaller number are among those of a larger one.
    assert waves <= {Sinusoid().with_classes(6).wave("train", seed).amplitude for seed in range(200)}


def test_bad_numbers_and_names():
    source = load_episodes("sinusoid")
    assert source.classes("val") == []
    with pytest.raises(TaskError, match="shots is 0: expected 1 or more"):
        draw(source, shots=0)
    with pytest.raises(TaskError, match="unknown part 'validation'"):
        source.classes("validation")
    with pytest.raises(TaskError, match="has no classes to pretrain on"):
        source.pool("train")
    with pytest.raises(TaskError, match=r"unknown few-shot task .sinusoidal.: did you mean sinusoid\?"):
        load_episodes("sinusoidal")
