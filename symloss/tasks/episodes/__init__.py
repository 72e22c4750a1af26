"""Few-shot episodes: small tasks drawn from class-disjoint pools of training, validation and test classes."""

from __future__ import annotations

from symloss.tasks.episodes.catalogue import Episodic, episode_names, episodic, load_episodes
from symloss.tasks.episodes.episode import PARTS, Episode, EpisodeSource
from symloss.tasks.episodes.images import ImageClass, ImageEpisodes
from symloss.tasks.episodes.sinusoid import Sinusoid

__all__ = [
    "PARTS", "Episode", "EpisodeSource", "Episodic", "ImageClass", "ImageEpisodes", "Sinusoid", "episode_names",
    "episodic", "load_episodes",
]  # fmt: skip
