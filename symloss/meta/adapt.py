r"""A loss that adapts while a model trains: AdaLFL, with a network or with a formula.

One step of the model, then one of the loss, in lockstep:

    theta' = theta - U(grad_theta L_phi(theta; train)),      phi' = phi - eta grad_phi L_task(theta'; validation)

The meta-gradient is exact: with `v = dL_task/dtheta'`, the optimiser's response `D = dtheta'/dg` (diagonal) and
`pdot` the change of the outputs along `D v` at `theta` (one forward-mode pass),
`dL_task/dphi = d/dphi <dL_phi/df, pdot>`. So the optimiser is never unrolled, the network never differentiated twice,
and no graph lives longer than its pass.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from symloss.errors import DomainError, RunError
from symloss.expr import Loss
from symloss.meta.adapt_dense import perceptron
from symloss.meta.adapt_passes import (
    AdaptiveStep,
    Divergence,
    ModelPasses,
    finite,
    full,
    moving,
    put_back,
    responses_of,
)
from symloss.meta.adaptable import (
    HIDDEN,
    NEURAL,
    OUTPUTS,
    adaptable,
    formula_at,
    learned_from_dict,
    learned_to_dict,
    network_at,
)
from symloss.meta.inner import Adam, rules_of
from symloss.meta.learned_loss import LearnedLoss, NeuralLoss, packed, unpacked
from symloss.tasks.train.loop import InstanceLoss
from symloss.tasks.train.objectives import ordinary

__all__ = ["AdaptiveLoss", "AdaptiveStep", "Divergence"]

ETA = 1e-3
"""Rate of the meta-optimiser. At AdaLFL's 1e-5 (not confirmed) a coefficient moves 0.01 in 1,000 steps."""
FORMAT = 1
"""Of what `state_dict` writes."""


class AdaptiveLoss:
    r"""A loss whose coefficients adapt while any model trains with any optimiser that can be differentiated.

    Use `step` in place of `loss.backward(); optimizer.step()`; the model, its optimiser and whatever schedules its
    rates stay the user's. Coefficients are kept in double precision and used in that of the outputs.

    Args:
        loss: `"neural"`; a name of the zoo, a formula or a `Loss`, of which the named coefficients adapt, or its
            decimals, or else an edge each of its tree; `"learning rate only"`, the control; or a `LearnedLoss`.
        kind: of a formula in words, of a network and of the control; `"classification"` unless given.
        classes: number of classes or labels, for a network: AdaLFL averages its entries over them. Mind the learning
            rate when comparing it with a loss that is summed over classes.
        eta: rate of the meta-optimiser, Adam.
        objective: what is minimised on the validation batch, `(outputs, targets) -> scalar`, differentiable; the
            ordinary loss of the kind unless given.
        seed: of a network's weights.
        hidden, output: of a network, see `SmoothNeuralLoss`.

    Raises:
        SymlossError: for a loss of another kind, or one without coefficients.

    References:
        Raymond et al., Online loss function learning, 2023 (arXiv 2301.13247), algorithms 1 and 2.

    >>> model = nn.Linear(3, 2)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    >>> batch, held_out = [(torch.randn(8, 3), torch.randint(2, (8,))) for _ in range(2)]
    >>> adaptive = AdaptiveLoss("gce", eta=0.01)
    >>> before = adaptive.values
    >>> adaptive.step(model, optimizer, batch, held_out).method, adaptive.values == before
    ('forward mode', False)
    """

    def __init__(
        self,
        loss: str | Loss | LearnedLoss = NEURAL,
        *,
        kind: str | None = None,
        classes: int | None = None,
        eta: float = ETA,
        objective: InstanceLoss | None = None,
        seed: int = 0,
        hidden: tuple[int, ...] = HIDDEN,
        output: str = OUTPUTS[0],
    ) -> None:
        if not (math.isfinite(eta) and eta >= 0):
            raise DomainError(f"eta is {eta!r}: expected a rate of at least 0, as 1e-3")
        self.learned = adaptable(loss, kind, classes, seed=seed, hidden=hidden, output=output)
        self.objective = objective
        self.steps = 0
        self.diverged: Divergence | None = None
        self._like = {name: each.detach() for name, each in self.learned.coefficients.items()}
        # In single precision a meta-step of 1e-5 from a coefficient near 1 would be rounded by up to 0.6 % of
        # itself.
        self._phi = packed(self._like).double()
        self._forward_mode = True
        self._warned = False
        self._rule = Adam(float(eta))
        self._state: dict[str, Tensor] = {}

    def __repr__(self) -> str:
        formula = self.to_loss()
        what = NEURAL if formula is None else str(formula)
        return f"<AdaptiveLoss {what}: {self.kind}, {len(self._phi)} coefficients, {self.steps} steps>"

    @property
    def kind(self) -> str:
        """Of the loss."""
        return self.learned.kind

    @property
    def eta(self) -> float:
        """Rate of the meta-optimiser."""
        return self._rule.learning_rate

    @property
    def coefficients(self) -> dict[str, Tensor]:
        """The present coefficients, float64, by name; copies."""
        return {name: each.clone() for name, each in unpacked(self._phi, self._like).items()}

    @coefficients.setter
    def coefficients(self, values: Mapping[str, Tensor]) -> None:
        if list(values) != list(self._like):
            raise DomainError(f"coefficients {', '.join(values)}: expected {', '.join(self._like)}")
        self._phi = packed({name: values[name].detach() for name in self._like}).double()

    @property
    def values(self) -> tuple[float, ...]:
        """The present coefficients in one row."""
        return tuple(self._phi.tolist())

    def restart(self, eta: float | None = None) -> None:
        """Forgets the meta-optimiser's state, and where given changes its rate: as online adaptation begins."""
        self._state = {}
        if eta is not None:
            self._rule = Adam(float(eta))

    def to_loss(self) -> Loss | None:
        """The formula as it is now, or None for a network."""
        return formula_at(self.learned, unpacked(self._phi, self._like))

    def network(self) -> NeuralLoss | None:
        """The network as it is now, or None for a formula."""
        now = unpacked(self._phi, self._like)
        return network_at(self.learned, now) if isinstance(self.learned, NeuralLoss) else None

    def __call__(self, outputs: Tensor, targets: Tensor, context: Mapping[str, Any] | None = None) -> Tensor:
        """The loss of a batch as it is now, a scalar: a criterion for steps that do not adapt."""
        outputs = full(outputs)
        return self.learned(self._used(outputs), outputs, targets, context)

    def step(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        batch: tuple[Any, ...],
        validation_batch: tuple[Any, ...] | None,
    ) -> AdaptiveStep:
        """One step of the model, then one of the loss.

        Both passes run in the model's own mode. In training mode that is batch normalisation by the statistics of
        each batch, and dropout; the validation batch leaves no trace in the model's buffers. Under `torch.autocast`
        the passes are cast and the losses are not. Where the loss, a gradient or a weight is not finite, nothing is
        moved, model and loss keep their last good state, and `diverged` says when and why (what an optimiser
        remembers of its gradients is kept only where their loss was not finite).

        Args:
            model: any module of `inputs -> outputs`: logits `[N, C]` or `[N, K]`, or predictions `[N]`.
            optimizer: `torch.optim.SGD`, `Adam` or `AdamW` over some or all of its weights.
            batch: `(inputs, targets)`, or with a mapping of `w` and `pi` as a third; inputs are a tensor, a tuple of
                positional or a mapping of named inputs.
            validation_batch: `(inputs, targets)` of rows held out; or the batch itself, or another of training rows.

        Raises:
            DomainError: without a validation batch, for a model without weights to move, an optimiser whose step
                cannot be differentiated, or an objective that is not differentiable.
        """
        if validation_batch is None:
            raise DomainError(
                "no validation batch: hold some rows out and give (inputs, targets) of them, or the training batch"
            )
        inputs, targets, *rest = batch
        context = rest[0] if rest else None
        number = self.steps + 1
        rules = rules_of(optimizer)
        # Asked anew each step: between two of them the user may freeze a layer, register a hook or cast the
        # model.
        passes = perceptron(model, rules, inputs, validation_batch[0]) or ModelPasses(
            model, inputs, self._forward_mode
        )
        # To None and not to zero: a weight that the loss does not reach has no gradient then, and torch's
        # optimisers skip it, weight decay and momentum included.
        optimizer.zero_grad(set_to_none=True)
        outputs = passes.outputs()
        value = self(outputs, targets, context)
        loss = float(value.detach())
        if not math.isfinite(loss):
            return self._stopped(number, "the loss of the training batch is not finite")
        passes.backward(value)
        # Before the step: it copies the old weights, and whether the optimiser remembers anything is only known
        # now.
        moved = moving(model, optimizer, rules)
        if not finite(each.weight.grad for each in moved):
            optimizer.zero_grad(set_to_none=True)
            return self._stopped(number, "the gradient of the training loss is not finite", loss)
        if any(each.first and isinstance(each.rule, Adam) for each in moved):
            self._warn_of_epsilon()
        optimizer.step()
        if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
            torch.clear_autocast_cache()  # it holds casts of the weights as they were before the step
        measured = passes.measure(moved, self._objective, validation_batch)
        if not math.isfinite(float(measured)):
            put_back(moved)
            return self._stopped(number, "the validation loss is not finite after the step", loss)
        # After the step: the response is a function of the state that the step has left.
        pdot, method = passes.tangent(moved, responses_of(optimizer, moved))
        # A model without forward mode has none at the next step either: the failed attempt costs a pass.
        self._forward_mode = method == "forward mode"
        gradient = self._meta_gradient(pdot, outputs.detach(), targets, context)
        if not finite([gradient]):
            put_back(moved)
            return self._stopped(number, "the meta-gradient is not finite", loss)
        self._phi, self._state = self._rule.step(self._phi, gradient, self._state)
        self.steps = number
        return AdaptiveStep(number, loss, float(measured), gradient, method)

    def initialise(
        self,
        make_model: Callable[[], nn.Module],
        make_optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
        batches: Iterable[tuple[tuple[Any, ...], tuple[Any, ...]]],
    ) -> AdaptiveLoss:
        """Offline initialisation: each step begins with a fresh model and a fresh optimiser.

        Args:
            make_model: a model at its start; another one each time, or the same.
            make_optimizer: of weights. Not Adam: the first step of a fresh Adam says nothing but its epsilon.
            batches: pairs of a training and a validation batch, one a step; 2,500 as published.

        Returns:
            itself, at its online rate and with no steps taken.
        """
        for train, val in batches:
            model = make_model()
            self.step(model, make_optimizer(model.parameters()), train, val)
        self.steps = 0
        self.restart()
        return self

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on but model, optimiser and objective; JSON-ready, bit for bit.

        Raises:
            DomainError: for a loss of a class of the user's own.
        """
        return {
            "format": FORMAT, "loss": learned_to_dict(self.learned), "coefficients": list(self.values),
            "eta": self.eta, "steps": self.steps, "diverged": asdict(self.diverged) if self.diverged else None,
            "meta": {name: each.tolist() for name, each in self._state.items()},
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: Mapping[str, Any], objective: InstanceLoss | None = None) -> AdaptiveLoss:
        """The loss that `state_dict` wrote, to go on with.

        Args:
            state: as `state_dict` returned it.
            objective: again, where it was not the ordinary loss.

        Raises:
            DomainError: for data that it does not write.

        >>> one = AdaptiveLoss("ace")
        >>> AdaptiveLoss.from_state(one.state_dict()).values == one.values
        True
        """
        try:
            if state["format"] != FORMAT:
                raise DomainError(
                    f"an adaptive loss of format {state['format']}: this version reads {FORMAT}"
                )
            found = cls(learned_from_dict(state["loss"]), eta=float(state["eta"]), objective=objective)
            phi = torch.tensor([float(value) for value in state["coefficients"]], dtype=torch.float64)
            meta = {
                # As `Adam.step` makes them, the counter in single precision and the moments like phi: another
                # type would round the resumed path differently.
                name: torch.tensor(value, dtype=torch.float32 if name == "step" else torch.float64)
                for name, value in state["meta"].items()
            }
            stopped = state["diverged"]
            diverged = None if stopped is None else Divergence(int(stopped["step"]), str(stopped["reason"]))
            found.steps = int(state["steps"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DomainError(f"no adaptive loss can be read: {type(error).__name__} {error}") from None
        if phi.shape != found._phi.shape or any(
            name not in ("step", "exp_avg", "exp_avg_sq")
            or each.shape != (phi.shape if name != "step" else ())
            for name, each in meta.items()
        ):
            raise DomainError(
                f"no adaptive loss can be read: expected {len(found._phi)} coefficients, and as many in its state"
            )
        found._phi, found._state, found.diverged = phi, meta, diverged
        return found

    def save(self, path: str | Path) -> Path:
        """Writes `state_dict` as JSON, the file whole or not at all.

        Raises:
            RunError: when it cannot be written.
        """
        target = Path(path)
        draft = target.with_name(f".{target.name}.new")
        try:
            draft.write_text(json.dumps(self.state_dict()), encoding="utf-8")
            draft.replace(target)
        except OSError as error:
            raise RunError(f"{target} cannot be written: {error.strerror or error}") from None
        return target

    @classmethod
    def load(cls, path: str | Path, objective: InstanceLoss | None = None) -> AdaptiveLoss:
        """The loss that `save` wrote; see `from_state`.

        Raises:
            RunError: when the file cannot be read.
            DomainError: when it holds something else.
        """
        try:
            state = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise RunError(f"{path} cannot be read: {error.strerror or error}") from None
        except ValueError as error:
            raise DomainError(f"{path} holds no adaptive loss: {error}") from None
        return cls.from_state(state, objective)

    def _objective(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (
            ordinary(self.kind, outputs, targets)
            if self.objective is None
            else self.objective(outputs, targets)
        )

    def _used(self, like: Tensor) -> dict[str, Tensor]:
        # In the precision of the outputs: double coefficients would promote the whole loss, forward and backward.
        return unpacked(self._phi.to(like), self._like)

    def _meta_gradient(
        self, pdot: Tensor, outputs: Tensor, targets: Tensor, context: Mapping[str, Any] | None
    ) -> Tensor:
        """`d/dphi <dL_phi/df, pdot>`."""
        found = self.learned.coefficient_gradient(
            self._used(outputs), outputs, targets, pdot.to(outputs), context
        )
        return packed(found).to(self._phi)

    def _stopped(self, number: int, reason: str, value: float = math.nan) -> AdaptiveStep:
        if self.diverged is None:
            self.diverged = Divergence(number, reason)
            warnings.warn(
                f"training diverged at step {number}: {reason}; nothing was moved. Lower a rate, or stop here",
                stacklevel=3,
            )
        self.steps = number
        return AdaptiveStep(number, value, math.nan, torch.zeros_like(self._phi), "none", reason)

    def _warn_of_epsilon(self) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                "the first step of a fresh Adam is the sign of its gradient, so its meta-gradient is proportional to "
                "epsilon and says little: carry one optimiser along, or use SGD",
                stacklevel=3,
            )
