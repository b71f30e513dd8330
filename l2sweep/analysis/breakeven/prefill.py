"""How long computing the KV cache of a prompt takes: fitted to a ladder of the user, or assumed for a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from l2sweep.analysis.breakeven.geometry import ModelGeometry

ASSUMED, FITTED = "assumed", "fitted"


@dataclass(frozen=True)
class Gpu:
    """A GPU as its maker describes it.

    Attributes:
        name: Its name in ``conf/gpu``.
        bf16_flops: Peak FLOP/s in bfloat16, without sparsity.
        fp8_flops: The same in FP8; None if it has none.
        h2d_bytes_s: Peak bytes a second from host to device.
    """

    name: str
    bf16_flops: float
    fp8_flops: float | None
    h2d_bytes_s: float


@dataclass(frozen=True)
class PrefillTime:
    """T_prefill(n) = alpha * n + beta * n^2.

    Attributes:
        alpha_s: Seconds a token.
        beta_s: Seconds a squared token: attention.
    """

    alpha_s: float
    beta_s: float

    def seconds(self, tokens: int) -> float:
        """Return the time of a prompt.

        Args:
            tokens: Its length.
        """
        return self.alpha_s * tokens + self.beta_s * tokens**2


@dataclass(frozen=True)
class Rung:
    """A measured prefill.

    Attributes:
        tokens: Length of the prompt.
        seconds: Time of its prefill.
    """

    tokens: int
    seconds: float


@dataclass(frozen=True)
class Prefill:
    """How long a prefill takes, at least and at most.

    Attributes:
        fast: The least: at the higher MFU; the fit itself if it was fitted.
        slow: The most: at the lower MFU; the fit itself if it was fitted.
        source: :data:`ASSUMED` or :data:`FITTED`.
        gpus: Number of GPUs.
        ladder: What it was fitted to; empty if it was assumed.
        mfu: The share of the peak that is reached, at least and at most; None if it was fitted.
        peak_flops: Peak FLOP/s of one GPU; None if it was fitted.
    """

    fast: PrefillTime
    slow: PrefillTime
    source: str
    gpus: int
    ladder: tuple[Rung, ...] = ()
    mfu: tuple[float, float] | None = None
    peak_flops: float | None = None

    def residual(self, rung: Rung) -> float:
        """Return how much longer a measured prefill took than the fit says, as a fraction of the fit.

        Args:
            rung: The measured prefill.
        """
        fit = self.fast.seconds(rung.tokens)
        return (rung.seconds - fit) / fit

    def is_extrapolated(self, tokens: int) -> bool:
        """Return whether a length is outside of the ladder.

        Args:
            tokens: Length of a prompt.
        """
        lengths = [rung.tokens for rung in self.ladder]
        return bool(lengths) and not min(lengths) <= tokens <= max(lengths)


def assumed(model: ModelGeometry, peak_flops: float, gpus: int, mfu: tuple[float, float]) -> Prefill:
    """Return the prefill of a model whose GPUs reach a share of their peak.

    The work is 2 * P * n + 2 * layers * width * n^2: each token is multiplied with P active parameters, and
    each pair of tokens takes part in two products of attention, of which a causal mask leaves a half.
    Source: Kaplan et al., "Scaling Laws for Neural Language Models", arXiv 2001.08361, table 1, for n tokens
    with a mean context of n / 2; MFU: Chowdhery et al., "PaLM", arXiv 2204.02311, appendix B.

    Args:
        model: The model.
        peak_flops: Peak FLOP/s of one GPU.
        gpus: Number of GPUs.
        mfu: The share of the peak that is reached, at least and at most, each above 0 and up to 1.
    """
    low, high = mfu

    def at(share: float) -> PrefillTime:
        flops = share * peak_flops * gpus
        return PrefillTime(
            2 * model.active_parameters / flops, 2 * model.layers * model.attention_width / flops
        )

    return Prefill(at(high), at(low), ASSUMED, gpus, mfu=mfu, peak_flops=peak_flops)


def fitted(ladder: Sequence[Rung], gpus: int) -> Prefill:
    """Fit alpha and beta to measured prefills, by the least squares of the relative errors.

    Neither is below 0 (Lawson and Hanson, "Solving Least Squares Problems", 1974, chapter 23). The errors are
    relative, because the length where loading begins to pay is among the short ones.

    Args:
        ladder: The measured prefills, of two lengths or more.
        gpus: Number of GPUs that they ran on.
    """
    import numpy as np
    from scipy.optimize import nnls

    # Without a scale, n^2 is so much larger than n that the fit loses digits.
    scale = float(max(rung.tokens for rung in ladder))
    share = np.array([rung.tokens / scale for rung in ladder])
    seconds = np.array([rung.seconds for rung in ladder])
    (alpha, beta), _ = nnls(np.stack([share, share**2], axis=1) / seconds[:, None], np.ones(len(ladder)))
    line = PrefillTime(float(alpha) / scale, float(beta) / scale**2)
    ordered = tuple(sorted(ladder, key=lambda rung: rung.tokens))
    return Prefill(line, line, FITTED, gpus, ladder=ordered)
