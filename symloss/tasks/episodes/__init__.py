"""Few-shot episodes: small tasks drawn from class-disjoint pools of training, validation and test classes."""

from __future__ import annotations

from symloss.tasks.episodes.catalogue import episode_names, load_episodes
from symloss.tasks.episodes.episode import PARTS, Episode, EpisodeSource
from symloss.tasks.episodes.sinusoid import Sinusoid

__all__ = ["PARTS", "Episode", "EpisodeSource", "Sinusoid", "episode_names", "load_episodes"]
