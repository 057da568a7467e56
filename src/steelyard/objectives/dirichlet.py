"""A network's logits as evidence of a Dirichlet distribution, and the uncertainty in it.

    alpha_k = e(z_k) + 1          S = sum_k alpha_k          e in {exp, relu, softplus}

Everything is computed from ln alpha and ln S, so that logits of +-10,000 and half precision are
safe: exp(z) itself leaves float32 at z = 88, and the terms of the divergence, each of the size of
S ln S, would cancel to noise long before.

Source: Sensoy et al. 2018, "Evidential deep learning to quantify classification uncertainty",
    arXiv:1806.01768, section 3.
"""

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import softplus

from steelyard.objectives.reduction import widened

Evidence: TypeAlias = Literal["exp", "relu", "softplus"]

_LARGE = 20.0  # from here on the asymptotic series are exact to 1e-11
_C = 0.5 * math.log(2 * math.pi)


def vacuity(logits: Tensor, evidence: Evidence) -> Tensor:
    """K / S, the share of the distribution that no evidence fills, (B,), in (0, 1].

    A class that an example does not have counts in K, with no evidence.

    Source: Sensoy et al. 2018, arXiv:1806.01768, equation 1.
    """
    return torch.exp(-log_mean_alpha(widened(logits), evidence))


def dirichlet_mean(logits: Tensor, evidence: Evidence) -> Tensor:
    """alpha_k / S, the student's probabilities, (B, K).

    With exp evidence that is the softmax, smoothed by one pseudo-count for each class.

    Source: Sensoy et al. 2018, arXiv:1806.01768, equation 2.
    """
    return torch.softmax(log_alpha(widened(logits), evidence), dim=-1)


def expected_entropy(logits: Tensor, evidence: Evidence) -> Tensor:
    """E[H(p)] = psi(S + 1) - sum_k (alpha_k / S) psi(alpha_k + 1) under Dir(alpha), (B,), in nats.

    The uncertainty about the answer that would remain if the distribution were known. The entropy
    of `dirichlet_mean` is not below it; the difference is uncertainty about the distribution.

    Source: Malinin and Gales 2018, "Predictive uncertainty estimation via prior networks",
        arXiv:1802.10501, section 3 (the closed form of their expected data uncertainty).
    """
    logs = log_alpha(widened(logits), evidence)
    total = torch.logsumexp(logs, dim=-1, keepdim=True)
    gap = _digamma_next(total) - _digamma_next(logs)  # first, where both are of the size of z
    return (torch.softmax(logs, dim=-1) * gap).sum(dim=-1)


def log_alpha(logits: Tensor, evidence: Evidence, share: Tensor | float = 1.0) -> Tensor:
    """ln(share_k e(z_k) + 1), (B, K)."""
    if evidence == "exp":
        return softplus(logits + _log(share, logits))
    return torch.log1p(_linear(logits, evidence) * share)


def log_mean_alpha(logits: Tensor, evidence: Evidence, share: Tensor | float = 1.0) -> Tensor:
    """ln(S / K) of the same, (B,): of full relative precision where there is little evidence."""
    if evidence == "exp":
        logs = torch.logsumexp(logits + _log(share, logits), dim=-1)
        return softplus(logs - math.log(logits.shape[-1]))
    return torch.log1p((_linear(logits, evidence) * share).mean(dim=-1))


def divergence_from_uniform(logs: Tensor, log_mean: Tensor) -> Tensor:
    """KL(Dir(alpha) || Dir(1)) from ln alpha (B, K) and ln(S / K) (B,), alpha >= 1, (B,).

        ln G(S) - sum_k ln G(alpha_k) - ln G(K) + sum_k (alpha_k - 1) (psi(alpha_k) - psi(S))

    with G the gamma and psi the digamma function. Written as total(S) - sum_k part(alpha_k): terms
    of the size of S cancel and are not computed.

    Source: Sensoy et al. 2018, arXiv:1806.01768, equation 5.
    """
    return _total(log_mean, logs.shape[-1]) - _part(logs).sum(dim=-1)


def log_density(logs: Tensor, log_targets: Tensor) -> Tensor:
    """ln Dir(t ; alpha) from ln alpha and ln t, (B, K) each, alpha > 0 and t > 0, (B,).

        ln G(S) - sum_k ln G(alpha_k) + sum_k (alpha_k - 1) ln t_k

    Written as sum_k (h(alpha_k) - ln t_k) - h(S) - sum_k alpha_k (ln(alpha_k / S) - ln t_k) with
    h(a) = a ln a - a - ln G(a), which grows as ln(a) / 2: terms of the size of S ln S cancel and
    are not computed.
    """
    gap = torch.log_softmax(logs, dim=-1) - log_targets
    misfit = (torch.exp(logs) * gap).sum(dim=-1)
    rest = (_stirling_gap(logs) - log_targets).sum(dim=-1)
    return rest - _stirling_gap(torch.logsumexp(logs, dim=-1)) - misfit


def digamma_of_log(logs: Tensor) -> Tensor:
    """psi(a) from ln a, a >= 1."""
    small, inverse = _parts(logs)
    series = logs - inverse / 2 - inverse * _psi(inverse)
    return torch.where(logs < math.log(_LARGE), torch.digamma(small), series)


def _digamma_next(logs: Tensor) -> Tensor:
    """psi(a + 1) = psi(a) + 1 / a from ln a."""
    return digamma_of_log(logs) + torch.exp(-logs)


def _part(logs: Tensor) -> Tensor:
    """ln G(a) - (a - 1) psi(a) + a - 1, which is 0 at a = 1 and grows as ln(a) / 2.

    Stirling: ln G(a) = (a - 1/2) ln a - a + c + r, psi(a) = ln a - 1 / (2 a) - s / a, so that it is
    ln(a) / 2 + c - 1/2 - 1 / (2 a) + r + s (1 - 1 / a).
    """
    small, inverse = _parts(logs)
    direct = torch.lgamma(small) - (small - 1) * torch.digamma(small) + (small - 1)
    series = logs / 2 + (_C - 0.5) - inverse / 2 + _gamma(inverse) + _psi(inverse) * (1 - inverse)
    return torch.where(logs < math.log(_LARGE), direct, series)


def _stirling_gap(logs: Tensor) -> Tensor:
    """h(a) = a ln a - a - ln G(a) from ln a; with Stirling's series ln(a) / 2 - c - r."""
    small, inverse = _parts(logs)
    direct = small * logs.clamp(max=math.log(_LARGE)) - small - torch.lgamma(small)
    series = logs / 2 - _C - _gamma(inverse)
    return torch.where(logs < math.log(_LARGE), direct, series)


def _total(log_mean: Tensor, num_classes: int) -> Tensor:
    """ln G(S) - (S - K) psi(S) + S - K - ln G(K), which is 0 at S = K.

    With d = ln(S / K) and Stirling's series, (K - 1/2) d + (1 - exp(-d)) / 2 + r(S) - r(K)
    + s(S) (1 - exp(-d)).
    """
    small, inverse = _parts(log_mean + math.log(num_classes))
    direct = (
        torch.lgamma(small)
        - (small - num_classes) * torch.digamma(small)
        + (small - num_classes)
        - math.lgamma(num_classes)
    )
    rest = math.lgamma(num_classes) - (
        (num_classes - 0.5) * math.log(num_classes) - num_classes + _C
    )  # r(K)
    gap = -torch.expm1(-log_mean)  # 1 - K / S
    series = (num_classes - 0.5) * log_mean + gap / 2 + _gamma(inverse) - rest + _psi(inverse) * gap
    return torch.where(log_mean < math.log(_LARGE / num_classes), direct, series)


def _parts(logs: Tensor) -> tuple[Tensor, Tensor]:
    """a where it is small, 1 / a where it is large; bounded, so that no gradient is infinite."""
    return torch.exp(logs.clamp(max=math.log(_LARGE))), torch.exp(-logs.clamp(math.log(_LARGE)))


def _gamma(inverse: Tensor) -> Tensor:
    """r = ln G(a) - ((a - 1/2) ln a - a + c) from 1 / a."""
    square = inverse * inverse
    return inverse * (1 / 12 - square * (1 / 360 - square / 1260))


def _psi(inverse: Tensor) -> Tensor:
    """s = a (ln a - 1 / (2 a) - psi(a)) from 1 / a."""
    square = inverse * inverse
    return inverse * (1 / 12 - square * (1 / 120 - square / 252))


def _linear(logits: Tensor, evidence: Evidence) -> Tensor:
    return torch.relu(logits) if evidence == "relu" else softplus(logits)


def _log(share: Tensor | float, like: Tensor) -> Tensor:
    """ln share, and -1e30 for a share of 0, which has a gradient."""
    shares = torch.as_tensor(share, dtype=like.dtype, device=like.device)
    return torch.where(shares > 0, shares.clamp(min=torch.finfo(like.dtype).tiny).log(), -1e30)
