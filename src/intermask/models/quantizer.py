"""The codebook of the tokenizer: nearest codes, moving averages, revival of dead codes.

Method, section 3 (after van den Oord et al. 2017, appendix A.1, for the moving averages). All
state is in buffers, so that a checkpoint holds it.

Quantising and moving the codes are two calls: a training step may quantise its batch in parts, in
several processes, and then moves the codes once, by the whole batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Noise = torch.Generator | Sequence[torch.Generator] | None
"""Where random numbers for latents come from: one generator, or one for each of equal parts."""


@dataclass(frozen=True)
class Quantised:
    """What the codebook makes of latent vectors."""

    vectors: Tensor
    """(m, c) codes, with gradients passed straight through to the latents."""
    indices: Tensor
    """(m,) int64."""
    commitment: Tensor
    """() mean squared distance of latents to their (detached) codes."""
    perplexity: Tensor
    """() exp of the entropy of code use in this call."""


class EMACodebook(nn.Module):
    """``size`` codes of ``width`` numbers; `update` lets them follow latents by moving averages.

    Args:
        size: number of codes, k.
        width: channels of a code, c.
        decay: of the running counts and sums.
        temperature: of the Gumbel noise that training adds when it assigns codes; 0 adds none.
    """

    codebook: Tensor
    running_sum: Tensor
    running_count: Tensor
    initialised: Tensor

    def __init__(
        self, size: int, width: int, decay: float = 0.99, temperature: float = 0.5
    ) -> None:
        super().__init__()
        self.size, self.width, self.decay, self.temperature = size, width, decay, temperature
        self.register_buffer("codebook", torch.zeros(size, width))
        self.register_buffer("running_sum", torch.zeros(size, width))
        self.register_buffer("running_count", torch.ones(size))
        self.register_buffer("initialised", torch.tensor(False))

    def forward(self, latents: Tensor, noise: Noise = None) -> Quantised:
        """Quantise latents (m, c): by the nearest code, or in training mode by one near it.

        Args:
            latents: (m, c).
            noise: draws the Gumbel noise in training mode, on the device of the latents.

        Raises:
            ValueError: in training mode, before the codes have been started.
        """
        if self.training:
            if not self.initialised:
                raise ValueError("the codes must be started from latents before they are trained")
            indices = self.assign_noisily(latents.detach(), noise)
        else:
            indices = self.assign(latents)
        codes = self.lookup(indices)
        return Quantised(
            latents + (codes - latents).detach(),
            indices,
            F.mse_loss(latents, codes),
            perplexity(torch.bincount(indices, minlength=self.size)),
        )

    def lookup(self, indices: Tensor) -> Tensor:
        """Codes (..., c) of indices (...)."""
        return F.embedding(indices, self.codebook)

    def distances(self, latents: Tensor) -> Tensor:
        """Squared distances (m, k) of latents to every code, always in float32."""
        with torch.autocast(latents.device.type, enabled=False):
            latents = latents.float()
            return (
                latents.square().sum(1, keepdim=True)
                - 2 * latents @ self.codebook.T
                + self.codebook.square().sum(1)
            )

    def assign(self, latents: Tensor) -> Tensor:
        """Index (m,) of the nearest code."""
        return self.distances(latents).argmin(1)

    def assign_noisily(self, latents: Tensor, noise: Noise) -> Tensor:
        """Index (m,) drawn near the nearest code: Gumbel noise on minus the distance."""
        if self.temperature == 0:
            return self.assign(latents)
        scores = -self.distances(latents)
        waiting = torch.empty_like(scores)
        generators = noise if isinstance(noise, Sequence) else [noise]
        for part, generator in zip(waiting.chunk(len(generators)), generators, strict=True):
            part.exponential_(generator=generator)
        return (scores / self.temperature - waiting.log()).argmax(1)

    @torch.no_grad()
    def start(self, latents: Tensor, generator: torch.Generator | None = None) -> None:
        """Start the codes from rows of the first batch (m, c)."""
        self.codebook.copy_(self._fill(latents, generator))
        self.running_sum.copy_(self.codebook)
        self.running_count.fill_(1.0)
        self.initialised.fill_(True)

    @torch.no_grad()
    def start_from_clusters(
        self, latents: Tensor, generator: torch.Generator, rounds: int = 15
    ) -> None:
        """Start the codes at cluster centres of latents (m, c), by Lloyd's algorithm.

        Raises:
            ValueError: fewer latents than codes.
        """
        if len(latents) < self.size:
            raise ValueError(f"{len(latents)} latents cannot start {self.size} codes")
        chosen = torch.randperm(len(latents), generator=generator)[: self.size]
        self.codebook.copy_(latents[chosen.to(latents.device)])
        for _ in range(rounds):
            nearest = torch.cat([self.assign(part) for part in latents.split(8192)])
            counts = torch.bincount(nearest, minlength=self.size)
            sums = torch.zeros_like(self.codebook).index_add_(0, nearest, latents)
            spare = torch.randint(len(latents), (self.size,), generator=generator)
            centres = sums / counts.clamp_min(1)[:, None]
            empty = (counts == 0)[:, None]
            self.codebook.copy_(torch.where(empty, latents[spare.to(latents.device)], centres))
        self.running_count.copy_(counts.clamp_min(1))
        self.running_sum.copy_(self.codebook * self.running_count[:, None])
        self.initialised.fill_(True)

    @torch.no_grad()
    def update(
        self, latents: Tensor, indices: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Move the codes towards the latents (m, c) assigned to them; returns the perplexity.

        All latents of a step belong into one call, whoever computed them. The generator serves
        batches of fewer latents than codes.

        A code whose running count is below 1 takes row k of the batch for this step; its count
        and sum go on, so it is replaced again at every step until it is used (method, section 3).
        """
        latents = latents.float()
        filling = self._fill(latents, generator)
        counts = torch.bincount(indices, minlength=self.size).to(latents.dtype)
        sums = torch.zeros_like(self.running_sum).index_add_(0, indices, latents)
        self.running_sum.mul_(self.decay).add_(sums, alpha=1 - self.decay)
        self.running_count.mul_(self.decay).add_(counts, alpha=1 - self.decay)
        alive = (self.running_count >= 1.0)[:, None]
        means = self.running_sum / self.running_count[:, None]
        self.codebook.copy_(torch.where(alive, means, filling))
        return perplexity(counts)

    def _fill(self, latents: Tensor, generator: torch.Generator | None) -> Tensor:
        """The first k rows of the batch, repeated with a little noise if it is smaller."""
        latents = latents.float()
        repeats = -(-self.size // len(latents))
        if repeats == 1:
            return latents[: self.size]
        tiled = latents.repeat(repeats, 1)[: self.size].clone()
        spread = 0.01 / self.width**0.5
        extra = tiled[len(latents) :]
        device = extra.device if generator is None else generator.device
        extra += spread * torch.randn(extra.shape, generator=generator, device=device).to(extra)
        return tiled


class RowCodebooks(nn.Module):
    """A codebook for each row of the token map, started from clusters and then left as it is.

    A code's number means nothing without its row. Latents come in the order b, n, s.

    Args:
        rows: of the token map, s.
        size: codes of each, k.
        width: channels of a code, c.
    """

    codebook: Tensor
    initialised: Tensor

    def __init__(self, rows: int, size: int, width: int) -> None:
        super().__init__()
        self.rows, self.size, self.width = rows, size, width
        self.register_buffer("codebook", torch.zeros(rows, size, width))
        self.register_buffer("initialised", torch.tensor(False))

    def forward(self, latents: Tensor, noise: Noise = None) -> Quantised:
        """Quantise latents (m, c), each by the nearest code of its row; ``noise`` is not used."""
        indices = self.assign(latents.detach())
        rows = torch.arange(len(indices), device=indices.device) % self.rows
        codes = self.codebook[rows, indices]
        counts = torch.bincount(rows * self.size + indices, minlength=self.rows * self.size)
        return Quantised(
            latents + (codes - latents).detach(),
            indices,
            F.mse_loss(latents, codes),
            perplexity(counts),
        )

    def lookup(self, tokens: Tensor) -> Tensor:
        """Codes (b, s, n, c) of token maps (b, s, n)."""
        rows = torch.arange(self.rows, device=tokens.device)[:, None]
        return self.codebook[rows, tokens]

    def assign(self, latents: Tensor) -> Tensor:
        """Index (m,) of the nearest code of each latent's row."""
        by_row = latents.float().view(-1, self.rows, self.width).transpose(0, 1)
        with torch.autocast(latents.device.type, enabled=False):
            lengths = self.codebook.square().sum(-1)
            nearest = [
                (lengths[row] - 2 * own @ self.codebook[row].T).argmin(1)
                for row, own in enumerate(by_row)
            ]
        return torch.stack(nearest, 1).flatten()

    @torch.no_grad()
    def start_from_clusters(
        self, latents: Tensor, generator: torch.Generator, rounds: int = 15
    ) -> None:
        """Start every row's codes at cluster centres of its latents, by Lloyd's algorithm.

        Raises:
            ValueError: fewer latents of a row than codes.
        """
        for row, own in enumerate(latents.view(-1, self.rows, self.width).unbind(1)):
            clusters = EMACodebook(self.size, self.width).to(latents.device)
            clusters.start_from_clusters(own.contiguous(), generator, rounds)
            self.codebook[row] = clusters.codebook
        self.initialised.fill_(True)


def nearest_squares(codebooks: Tensor) -> Tensor:
    """Squares (s, k) of how far codes of codebooks (s, k, c) are from the nearest other one."""
    apart = [torch.cdist(codes, codes).fill_diagonal_(math.inf).amin(1) for codes in codebooks]
    return torch.stack(apart).square()


def half_levelled(codebook: Tensor) -> Tensor:
    """Codes (..., k, c) with channels half way to equal deviation, and a mean square of 1."""
    scaled = codebook / codebook.std(-2, keepdim=True).clamp_min(1e-6).sqrt()
    return scaled / scaled.square().mean().sqrt()


def perplexity(counts: Tensor) -> Tensor:
    """How many codes are in use: exp of the entropy of how often (codes) each was taken."""
    share = counts / counts.sum().clamp_min(1)
    return torch.exp(-(share * torch.log(share + 1e-7)).sum())
