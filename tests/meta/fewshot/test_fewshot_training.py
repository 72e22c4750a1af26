"""Meta-training: it learns, it stops at what is not finite, and it goes on exactly from any state."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from small import SOURCES, images, learner_of

from symloss.errors import RunError, TaskError
from symloss.meta.fewshot import State, Training, arrays_from, arrays_to
from symloss.meta.fewshot.state import cosine
from symloss.tasks.episodes import Episode, Sinusoid

SMALL: dict[str, Any] = {"meta_steps": 4, "every": 2, "validation_tasks": 3, "test_tasks": 4, "meta_batch": 2}


def _training(source: str, method: str = "npbml", seed: int = 0, **options: Any) -> Training:
    given = SOURCES[source]
    return Training(given, learner_of(given, method, **{**SMALL, **options}).settings, seed)


def _same(one: State, other: State) -> bool:
    vectors = all(torch.equal(one.arrays()[name], each) for name, each in other.arrays().items())
    return vectors and one.facts() == other.facts()


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("waves", {}),
        ("images", {"pretrain_steps": 3, "scores": "relation"}),
        ("images", {"statistics": "instance", "film_on": "support", "pretrain_steps": 0}),
    ],
)
def test_training_goes_on_exactly_from_every_state(source: str, options: dict[str, Any]) -> None:
    kept: list[State] = []
    last = _training(source, **options).run(_training(source, **options).begin(), kept.append)
    assert last.stage == "trained"
    assert [step for step, _ in last.history] == [0, 2, 4]
    assert len(kept) == 1 + 4 + 1 + options.get("pretrain_steps", 0)
    assert all(_same(State.of(each.facts(), arrays_from(arrays_to(each.arrays()))), each) for each in kept)
    for state in kept[1:-1:2]:
        again = State.of(state.facts(), arrays_from(arrays_to(state.arrays())))
        assert _same(_training(source, **options).run(again, lambda _: None), last)


def test_seeds_are_other_trainings_on_the_same_test_tasks() -> None:
    one, other = (_training("waves", seed=seed) for seed in (0, 1))
    states = [each.run(each.begin(), lambda _: None) for each in (one, other)]
    assert not torch.equal(states[0].vector, states[1].vector)
    for a, b in zip(one.episodes("test", 2), other.episodes("test", 2), strict=True):
        assert torch.equal(a.query_inputs, b.query_inputs)


def test_maml_learns_waves() -> None:
    options = {"shots": 10, "encoder": "mlp-2x40", "inner_steps": 1, "inner_rate": 0.02, "meta_rate": 0.005}
    learner = learner_of(Sinusoid(), "maml", meta_steps=150, every=75, validation_tasks=50, **options)
    training = Training(Sinusoid(), learner.settings, 0)
    state = training.run(training.begin(), lambda _: None)
    table = training.judge(state.best, "test", 50).mean(0)
    assert table[-1] < 0.9 * table[0], "a step helps"
    assert state.history[-1][1] < 0.7 * state.history[0][1]


def test_the_best_validation_is_kept() -> None:
    training = _training("waves", "maml")
    state = training.begin()
    for step, (score, best) in enumerate([(2.0, 0), (1.0, 1), (1.5, 1), (math.nan, 1), (0.5, 4)]):
        state = replace(state, step=step, vector=state.vector + 1)
        known = [value for _, value in state.history if math.isfinite(value)]
        state = state.judged(score, better=math.isfinite(score) and (not known or score < min(known)))
        assert state.best_step == best


@dataclass(frozen=True)
class _Broken(Sinusoid):
    """Waves of which one training episode holds an infinity."""

    after: int = 2

    def sample(self, part: str, *, ways: int, shots: int, queries: int, seed: int) -> Episode:
        found = super().sample(part, ways=ways, shots=shots, queries=queries, seed=seed)
        _SEEN.append(part)
        if part == "train" and _SEEN.count("train") > 2 * self.after:
            found.support_targets[0] = math.inf
        return found


_SEEN: list[str] = []


def test_what_is_not_finite_is_named_and_stops_the_training_with_the_state_before() -> None:
    _SEEN.clear()
    settings = learner_of(Sinusoid(), "maml", **SMALL).settings
    training = Training(_Broken(), settings, 0)
    kept: list[State] = []
    state = training.run(training.begin(), kept.append)
    assert state.stopped == "meta-step 3: the meta-gradient of encoder.0.weight is not finite"
    assert state.step == 2
    assert torch.isfinite(state.vector).all()
    whole = _training("waves", "maml")
    states: list[State] = []
    whole.run(whole.begin(), states.append)
    assert torch.equal(states[2].vector, state.vector)


def test_pretraining_is_of_the_encoder_alone_and_helps() -> None:
    source = images(classes=6, each=10)
    learner = learner_of(
        source, "centroid", pretrain_steps=40, pretrain_batch=16, shots=2, validation_tasks=2
    )
    training = Training(source, learner.settings, 0)
    begin = training.begin()
    state = training.run(begin, lambda _: None)
    assert state.history == ((0, state.history[0][1]),), "no meta-steps"
    before = training.judge(begin.vector[: state.best.numel()], "train", 20).mean()
    after = training.judge(state.best, "train", 20)
    assert after.shape == (20, 1)
    assert after.mean() > before
    npbml = _training("images", pretrain_steps=2, meta_steps=0)
    start = npbml.phi(npbml.begin().vector[: npbml.run(npbml.begin(), lambda _: None).best.numel()])
    end = npbml.phi(npbml.run(npbml.begin(), lambda _: None).best)
    changed = {name.split(".")[0] for name in start if not torch.equal(start[name], end[name])}
    assert changed == {"encoder"}


def test_episodes_that_are_not_there_are_said_before_training() -> None:
    with pytest.raises(TaskError, match="has 4 classes in its train part, too few for 5 ways"):
        Training(SOURCES["images"], learner_of(SOURCES["images"], ways=5).settings, 0)
    with pytest.raises(TaskError, match="ask for fewer shots"):
        Training(SOURCES["images"], learner_of(SOURCES["images"], shots=7).settings, 0)


def test_rates_fall_by_a_cosine() -> None:
    assert cosine(1.0, 0.1, 0, 10) == 1.0
    assert cosine(1.0, 0.1, 5, 10) == pytest.approx(0.55)
    assert cosine(1.0, 0.1, 10, 10) == pytest.approx(0.1)


def test_archives_hold_numbers_alone() -> None:
    with pytest.raises(RunError, match="no archive of numbers"):
        arrays_from(b"PK not an archive")
    with pytest.raises(RunError, match="no state of a training can be read"):
        State.of({"stage": "trained"}, {})
