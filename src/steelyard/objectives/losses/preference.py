"""Losses over pairs of answers: which of two is better. Pure functions of tensors, in nats."""

from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from steelyard.objectives.losses.precision import mean_over_examples, widened

PairLoss: TypeAlias = Literal["sigmoid", "robust", "ipo", "hinge"]


def dpo(
    chosen: Tensor,
    rejected: Tensor,
    ref_chosen: Tensor,
    ref_rejected: Tensor,
    *,
    beta: float = 0.1,
    weights: Tensor | None = None,
    label_smoothing: float | Tensor = 0.0,
    loss: PairLoss = "sigmoid",
    divide_by: Literal["pairs", "weights"] = "pairs",
) -> Tensor:
    """(1/B) sum_i w_i * l_i, direct preference optimization of weighted, doubtful pairs.

    With the log-ratio difference D = (chosen - ref_chosen) - (rejected - ref_rejected) and the
    probability eps that the rejected answer is the better one,

        sigmoid   l = -(1 - eps) ln s(beta D) - eps ln s(-beta D)              (conservative DPO)
        robust    l = [-(1 - eps) ln s(beta D) + eps ln s(-beta D)] / (1 - 2 eps)         (rDPO)
        ipo       l = (1 - eps) (D - 1 / (2 beta))^2 + eps (D + 1 / (2 beta))^2
        hinge     l = (1 - eps) max(0, 1 - beta D) + eps max(0, 1 + beta D)

    with s(x) = 1 / (1 + exp(-x)). All but `robust` are the loss expected under eps, least where the
    model is as doubtful as the label; `robust` is without bias under labels flipped at rate eps,
    and not bounded below. A pair (a, b, eps) has the loss of (b, a, 1 - eps).

    Args:
        chosen: (B,), ln pi(chosen | prompt), summed over the answer's tokens (for `ipo` their mean,
            as its authors have it); any float type, computed in float32 or better.
        rejected: (B,), the same of the rejected answer.
        ref_chosen: (B,), ln ref(chosen | prompt) of the model before training.
        ref_rejected: (B,).
        beta: > 0, how far the model is held to the reference.
        weights: (B,), not negative; None is 1. CW-PO: `preference_confidence`.
        label_smoothing: eps, in [0, 1], for all pairs or (B,) for each; not 1/2 for `robust`.
        loss: which l.
        divide_by: `pairs` divides by B, so that the mean over batches estimates the loss over the
            training set and doubling a weight is doubling its row; `weights` divides by sum w_i.

    Source: Rafailov et al. 2023, arXiv:2305.18290, equation 7; Mitchell 2023, "A note on DPO with
        noisy preferences" (conservative); Chowdhury et al. 2024, arXiv:2403.00409 (robust); Azar et
        al. 2023, arXiv:2310.12036, equation 17 (IPO); Zhao et al. 2023, arXiv:2305.10425 (hinge);
        CW-PO 2026, arXiv:2603.04968 (weights). (An eps for each pair, and IPO and hinge under it,
        are ours.)
    """
    lead = widened(chosen) - widened(ref_chosen) - (widened(rejected) - widened(ref_rejected))
    flip = torch.as_tensor(label_smoothing, dtype=lead.dtype, device=lead.device)
    right, wrong = _pair_losses(lead, beta, loss)
    if loss == "robust":
        each = ((1 - flip) * right - flip * wrong) / (1 - 2 * flip)
    else:
        each = (1 - flip) * right + flip * wrong
    mean = mean_over_examples(each, weights)
    return mean if divide_by == "pairs" or weights is None else mean / weights.mean()


def _pair_losses(lead: Tensor, beta: float, loss: PairLoss) -> tuple[Tensor, Tensor]:
    """The loss if the label is right, and if it is wrong, (B,) each."""
    if loss == "ipo":
        half = 1 / (2 * beta)
        return (lead - half) ** 2, (lead + half) ** 2
    if loss == "hinge":
        return torch.relu(1 - beta * lead), torch.relu(1 + beta * lead)
    return -logsigmoid(beta * lead), -logsigmoid(-beta * lead)


def preference_confidence(first: Tensor, second: Tensor) -> Tensor:
    """C = 2 (s(|w1 - w2|) - 1/2), how sure a reward model is of its order, (B,), in [0, 1).

    It is the difference of the two probabilities of a Bradley-Terry model, |P(1) - P(2)|: on votes
    with such probabilities the estimator `margin` gives the same.

    Args:
        first: (B,), reward of one answer.
        second: (B,), reward of the other.

    Source: CW-PO, "When Weak LLMs Speak with Confidence" 2026, arXiv:2603.04968.
    """
    return torch.tanh((first - second).abs() / 2)  # 2 s(x) - 1 = tanh(x / 2)


def implicit_reward(log_probs: Tensor, ref_log_probs: Tensor, beta: float) -> Tensor:
    """r = beta ln(pi(y | x) / ref(y | x)), the reward that a preference-tuned model stands for.

    Args:
        log_probs: (...), of the tuned model, summed over an answer's tokens.
        ref_log_probs: (...), of the model before it.
        beta: of its training.

    Source: Rafailov et al. 2023, arXiv:2305.18290, equation 5 (up to a term of the prompt alone);
        as labels for a strong model: Tao and Li 2025, "Your Weak LLM is Secretly a Strong Teacher
        for Alignment", arXiv:2409.08813.
    """
    return beta * (log_probs - ref_log_probs)


def wspo(
    strong: Tensor,
    strong_ref: Tensor,
    weak: Tensor,
    weak_ref: Tensor,
    is_answer: Tensor,
    *,
    beta: float = 0.1,
    weights: Tensor | None = None,
) -> Tensor:
    """(1/B) sum_i w_i mean_t [beta (ln pi_s - ln pi_s_ref)_t - (ln pi_w - ln pi_w_ref)_t]^2.

    The strong model learns by how much alignment moved the weak one, token by token: both must
    have one tokenizer. t runs over the answer's tokens; a row without any adds nothing.

    Args:
        strong: (B, T), log-probabilities of the tokens under the model that is trained.
        strong_ref: (B, T), before training.
        weak: (B, T), under the aligned weak model.
        weak_ref: (B, T), under the weak model before its alignment.
        is_answer: (B, T), whether a token belongs to the answer.
        beta: > 0; the strong model is asked to shift by 1 / beta of what the weak one did.
        weights: (B,), not negative; None is 1.

    Source: Zhu et al. 2025, "Weak-to-Strong Preference Optimization", arXiv:2410.18640, from the
        authors' code (a mean in each row before that over rows, and weights, are ours).
    """
    gap = beta * (widened(strong) - widened(strong_ref)) - (widened(weak) - widened(weak_ref))
    squares = torch.where(is_answer, gap, 0.0) ** 2
    each = squares.sum(dim=1) / is_answer.sum(dim=1).clamp(min=1)
    return mean_over_examples(each, weights)
