"""From log-probabilities of a policy and its reference to the margins of a preference loss."""

from __future__ import annotations

import torch
from torch import Tensor

from symloss.codegen.checks import check_beta, check_floating
from symloss.errors import CompileError

__all__ = ["dpo_margins"]


def dpo_margins(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    beta: float = 0.1,
) -> Tensor:
    r"""The margins of direct preference optimisation, for any loss of the kind `margin`.

    `m = beta (log pi(a)/pi0(a) - log pi(b)/pi0(b))`, `a` chosen over `b`, `pi` the policy that is trained and `pi0`
    the reference. With logistic it is DPO, with hinge SLiC; ipo is defined on the log-ratio itself: beta = 1.

    Args:
        policy_chosen, policy_rejected: `log pi` of whole responses, summed over their tokens, `[N]`.
        reference_chosen, reference_rejected: the same of the reference; no gradient reaches it.
        beta: how much a log-ratio counts, above 0.

    Returns:
        margins `[N]`: 0 where the policy is the reference, where training starts.

    Raises:
        CompileError: for tensors of different shapes or of integers, or another beta.

    References:
        Rafailov et al., Direct preference optimization: your language model is secretly a reward model, 2023
        (arXiv 2305.18290), eq. 7.

    >>> chosen, rejected = torch.tensor([-4.0, -7.0]), torch.tensor([-5.0, -6.0])
    >>> dpo_margins(chosen, rejected, torch.tensor([-4.5, -7.0]), torch.tensor([-5.0, -7.0]), beta=0.5)
    tensor([ 0.2500, -0.5000])
    """
    beta = check_beta(beta)
    given = {
        "policy_chosen": policy_chosen, "policy_rejected": policy_rejected,
        "reference_chosen": reference_chosen, "reference_rejected": reference_rejected,
    }  # fmt: skip
    for name, part in given.items():
        check_floating(part, "log-probabilities")
        if part.shape != policy_chosen.shape:
            raise CompileError(
                f"expected {name} of the shape of policy_chosen {list(policy_chosen.shape)}, got {list(part.shape)}; "
                "give one log-probability for each response"
            )
    with torch.no_grad():
        reference = reference_chosen - reference_rejected
    return beta * (policy_chosen - policy_rejected - reference)
