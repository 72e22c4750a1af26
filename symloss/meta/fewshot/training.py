"""Meta-training: pretraining, meta-steps and validations, each a function of the state before it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from symloss.meta.fewshot.evaluation import METRICS, scores
from symloss.meta.fewshot.learner import Learner
from symloss.meta.fewshot.meta_gradient import meta_gradient
from symloss.meta.fewshot.pretraining import Classifier
from symloss.meta.fewshot.settings import FewShotSettings
from symloss.meta.fewshot.state import State, cosine, not_finite
from symloss.meta.learned_loss import packed, unpacked
from symloss.runs import derive
from symloss.tasks.episodes import Episode, EpisodeSource

__all__ = ["Training", "Watch"]

Watch = Callable[[str, int, int], object]
"""Told of a stage, how many of its steps are done, and of how many."""
PRETRAINING, META_TRAINING, TRAINED = "pretraining", "meta-training", "trained"
_JUDGED = 0
"""The seed of validation and test episodes: the same for every learner and every seed of training."""


@dataclass(frozen=True)
class Training:
    """The training of one learner from one seed.

    Attributes:
        source: of episodes.
        settings: of the learner.
        seed: of weights, batches and training episodes.
        device: where it is computed.

    Raises:
        SymlossError: for episodes that the source does not have.
    """

    source: EpisodeSource
    settings: FewShotSettings
    seed: int
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        for part in ("train", "val", "test"):
            self.source.check(
                part, ways=self.settings.ways, shots=self.settings.shots, queries=self.settings.queries
            )

    @cached_property
    def learner(self) -> Learner:
        """What is trained."""
        return Learner(self.settings, self.source.kind, self.source.input_shape)

    @cached_property
    def metric(self) -> str:
        """What a task is judged by."""
        return METRICS[self.source.kind]

    def begin(self) -> State:
        """The state before the first step."""
        state = State.at(META_TRAINING, packed(self._like))
        if self.settings.pretraining.steps:
            state = State.at(PRETRAINING, packed(self._pretrained_like))
        return state.to(self.device)

    def run(self, state: State, keep: Callable[[State], object], watch: Watch | None = None) -> State:
        """Trains to the end.

        Args:
            state: from `begin`, or one that was kept.
            keep: told of every state that training could go on from.
            watch: told how far it is.
        """
        pretraining, outer = self.settings.pretraining, self.settings.outer
        watch = watch or _unwatched
        while state.stage == PRETRAINING:
            state = self._pretrained(state)
            done = state.step
            if state.stopped or state.step >= pretraining.steps:
                phi = unpacked(state.vector, self._pretrained_like)
                # Without the classifier, which pretraining alone needs.
                vector = packed({name: phi[name] for name in self._like})
                state = replace(State.at(META_TRAINING, vector), stopped=state.stopped)
            keep(state)
            watch(PRETRAINING, done, pretraining.steps)
        while state.stage == META_TRAINING:
            # Validated before the first step: what was pretrained may be the best there is.
            if not state.history:
                state = self._validated(state)
            elif state.step >= outer.steps or state.stopped:
                state = replace(state, stage=TRAINED)
            else:
                state = self._meta_step(state)
            keep(state)
            if state.stage == META_TRAINING:
                watch(META_TRAINING, state.step, outer.steps)
        return state

    def phi(self, vector: Tensor) -> dict[str, Tensor]:
        """The weights in a vector, by name."""
        return unpacked(vector, self._like)

    def episodes(self, part: str, count: int) -> list[Episode]:
        """The first episodes that learners are judged by: the same for every learner."""
        return [self.sample(part, derive(_JUDGED, "judged", part, i)) for i in range(count)]

    def sample(self, part: str, seed: int) -> Episode:
        """An episode, on the training's device."""
        settings = self.settings
        found = self.source.sample(
            part, ways=settings.ways, shots=settings.shots, queries=settings.queries, seed=seed
        )
        return found.to(self.device)

    def judge(self, vector: Tensor, part: str, count: int, watch: Watch | None = None) -> Tensor:
        """The scores of the first episodes of a part, `[count, inner steps + 1]`."""
        found = []
        together = self.settings.outer.together
        for each in scores(self.learner, self.phi(vector), self.episodes(part, count), together=together):
            found.append(each)
            if watch:
                watch(f"{part} tasks", len(found), count)
        return torch.stack(found)

    @cached_property
    def _like(self) -> dict[str, Tensor]:
        return self.learner.start(self.seed)

    @cached_property
    def _classifier(self) -> Classifier:
        return Classifier.of(self.learner, self.source, self.seed)

    @cached_property
    def _pretrained_like(self) -> dict[str, Tensor]:
        return {**self._like, **self._classifier.start()}

    def _pretrained(self, state: State) -> State:
        settings = self.settings.pretraining
        weights = unpacked(state.vector, self._pretrained_like)
        value, slopes = self._classifier.gradient(weights, state.step)
        rate = cosine(settings.rate, self.settings.outer.final_rate, state.step, settings.steps)
        return self._moved(state, value, slopes, rate, "pretraining step", "gradient")

    def _meta_step(self, state: State) -> State:
        outer = self.settings.outer
        episodes = [
            # By step and place, never by what was drawn before: a state and a seed are all that a resumed
            # training needs.
            self.sample("train", derive(self.seed, "meta-training", state.step, i))
            for i in range(outer.batch)
        ]
        value, slopes = meta_gradient(
            self.learner, self.phi(state.vector), episodes, together=outer.together and outer.batch > 1
        )
        rate = cosine(outer.rate, outer.final_rate, state.step, outer.steps)
        state = self._moved(state, value, slopes, rate, "meta-step", "meta-gradient")
        due = state.step % outer.every == 0 or state.step == outer.steps
        return self._validated(state) if due and not state.stopped else state

    def _moved(
        self, state: State, value: float, slopes: dict[str, Tensor], rate: float, what: str, of: str
    ) -> State:
        """After one more step, or stopped before it, where its gradient is not finite."""
        # Before Adam: one NaN would stay in its moments for good.
        bad = not_finite(value, slopes)
        if bad:
            where = f"the {of} of {bad}" if bad in slopes else bad
            return replace(state, stopped=f"{what} {state.step + 1}: {where} is not finite")
        return state.moved(packed(slopes), rate)

    def _validated(self, state: State) -> State:
        found = self.judge(state.vector, "val", self.settings.outer.validation_tasks)
        value = float(found[:, -1].mean())
        if not math.isfinite(value):
            return (
                replace(state, stopped=f"meta-step {state.step}: validation is not finite")
                if state.history
                else (state.judged(value, better=True))
            )
        # The first score may not be finite (it is kept, or nothing would be the best); any that is, is better.
        known = [score for _, score in state.history if math.isfinite(score)]
        greater = self.source.kind == "classification"
        better = not known or (value > max(known) if greater else value < min(known))
        return state.judged(value, better)


def _unwatched(stage: str, done: int, total: int) -> None:
    """Nobody looks."""
