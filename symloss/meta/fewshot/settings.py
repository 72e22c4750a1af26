"""What a few-shot learner is made of and how it is trained, as plain values that JSON keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from symloss.errors import DomainError

__all__ = [
    "METHODS", "PARTS", "TERMS", "Design", "FewShotSettings", "Inner", "Outer", "Pretraining", "Tests",
]  # fmt: skip

PARTS = ("init", "rate", "optimiser", "loss", "regulariser", "film")
"""What can be meta-learned: initialisation, inner learning rates, preconditioner, loss, regulariser, modulation."""
METHODS: dict[str, tuple[str, ...]] = {
    "maml": ("init",),
    "npbml": ("init", "optimiser", "loss", "regulariser", "film"),
    "centroid": (),
}
"""The parts that each method learns unless others are named."""
TERMS = ("inductive", "transductive")


@dataclass(frozen=True)
class Design:
    """What the learner is made of.

    Attributes:
        encoder: `mlp-DEPTHxWIDTH`, `4conv-FILTERS`, `4conv-FILTERS-stride` or `resnet12-FILTERS`.
        adapted: how many of its last blocks adapt in the inner loop, with the head.
        head: `shared`: one learned vector, repeated for each class, so that the classes' order means nothing;
            `separate`: a vector for each class.
        statistics: of normalisation: `transductive`: support and query rows each by their own batch, so that the
            queries of a task see each other; `support`: all by the support rows; `instance`: each row by itself.
        rates: what the part `rate` learns: one for each adapted `tensor`, or `one` for all.
        warp: the preconditioner stands after `every` adapted block, or after the `last`.
        terms: of the part `loss`: `inductive` (on the support rows) and `transductive` (on the query rows).
        scores: what the transductive term knows of the classes of the queries: `prototypes` or a `relation` network.
        film_on: what modulates: the `activations` before, instance by instance, or their mean over the `support`.
        formula: a learned loss as `meta.adaptable.learned_to_dict` writes it: takes the place of the ordinary loss.
        formula_scale: what makes its gradient at the null epoch as large as the ordinary loss's.
    """

    encoder: str
    adapted: int
    head: str = "separate"
    statistics: str = "transductive"
    rates: str = "tensor"
    warp: str = "every"
    terms: tuple[str, ...] = TERMS
    scores: str = "prototypes"
    film_on: str = "activations"
    formula: Mapping[str, Any] | None = None
    formula_scale: float = 1.0


@dataclass(frozen=True)
class Inner:
    """How a task is learned: SGD with Nesterov's momentum.

    Attributes:
        rate: `alpha`; where a learned rate starts.
        steps, test_steps: in meta-training, and when tested.
        momentum: `mu`.
        weight_decay: `lambda`.
        first_order: take the inner gradients as constants in the meta-gradient.
        checkpointed: keep no inner step's activations; they are worked out again, one step at a time.
    """

    rate: float
    steps: int
    test_steps: int
    momentum: float = 0.0
    weight_decay: float = 0.0
    first_order: bool = False
    checkpointed: bool = False


@dataclass(frozen=True)
class Outer:
    """How the learner is trained: Adam whose rate falls by a cosine.

    Attributes:
        steps: meta-steps.
        batch: tasks in each.
        rate, final_rate: at the first and at the last step.
        every: meta-steps between two validations.
        validation_tasks: episodes in each.
        together: tasks of a batch as one computation (`vmap`), or one after the other.
    """

    steps: int
    batch: int
    rate: float = 1e-3
    final_rate: float = 1e-5
    every: int = 500
    validation_tasks: int = 100
    together: bool = False


@dataclass(frozen=True)
class Pretraining:
    """The encoder as a classifier of all training classes, before the first meta-step.

    Attributes:
        steps: of Adam, whose rate falls by the same cosine.
        batch: images in each.
        rate: at the first step.
    """

    steps: int = 0
    batch: int = 64
    rate: float = 1e-3


@dataclass(frozen=True)
class Tests:
    """What the learner is judged by at the end.

    Attributes:
        tasks: episodes of the test classes, the same for every learner and seed.
        train_tasks: episodes of the training classes, for the gap between the two; 0 for none.
    """

    tasks: int = 600
    train_tasks: int = 0


@dataclass(frozen=True)
class FewShotSettings:
    """Everything that decides what a few-shot learner becomes, but data and seed.

    Attributes:
        method: a key of `METHODS`.
        ways, shots, queries: of an episode; regression has one way.
        parts: what is meta-learned, of `PARTS`, in its order.
        design, inner, outer, pretraining, tests: see there.
    """

    method: str
    ways: int
    shots: int
    queries: int
    parts: tuple[str, ...]
    design: Design
    inner: Inner
    outer: Outer
    pretraining: Pretraining = field(default_factory=Pretraining)
    tests: Tests = field(default_factory=Tests)

    @property
    def terms(self) -> tuple[str, ...]:
        """The terms of the learned loss that are there."""
        return self.design.terms if "loss" in self.parts else ()

    @property
    def shape(self) -> str:
        """As papers have it: `5-way 1-shot`."""
        return f"{self.ways}-way {self.shots}-shot" if self.ways > 1 else f"{self.shots}-shot"

    @property
    def setting(self) -> str:
        """`"transductive"` where the queries of a task are seen before they are judged, else `"inductive"`."""
        # An MLP has no normalisation by which rows could see each other.
        normalised = not self.design.encoder.startswith("mlp")
        uses = "transductive" in self.terms or (normalised and self.design.statistics == "transductive")
        return "transductive" if uses else "inductive"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FewShotSettings:
        """The settings that `to_dict` wrote.

        Raises:
            DomainError: for data that it does not write.
        """
        groups = {
            "design": Design,
            "inner": Inner,
            "outer": Outer,
            "pretraining": Pretraining,
            "tests": Tests,
        }
        try:
            made = {name: group(**_tuples(data[name])) for name, group in groups.items()}
            return cls(**{**_tuples(data), **made})
        except (KeyError, TypeError) as error:
            raise DomainError(f"no few-shot settings can be read: {type(error).__name__} {error}") from None


def _tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has lists where settings have tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
