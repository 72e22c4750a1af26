"""Few-shot episodes: small tasks drawn from class-disjoint pools of training, validation and test classes."""

from __future__ import annotations

from symloss.tasks.episodes.episode import PARTS, Episode, EpisodeSource

__all__ = ["PARTS", "Episode", "EpisodeSource"]
