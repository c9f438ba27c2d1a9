"""Metrics on an evaluator's embeddings: pure functions of tensors, no state and no global seed.

Letters of shapes: ``m`` clips, ``q`` width of an embedding, ``r`` pairs. All arithmetic is in
float64 on the device of the embeddings. Definitions: method, section 6, as in Guo et al.,
"Generating Diverse and Natural 3D Human Motions from Text" (CVPR 2022) and InterGen (IJCV 2024).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from intermask.errors import UserError

TOP = 3
"""R-precision is reported for the best 1, 2 and 3."""

NORMAL_95 = 1.96
"""Standard errors on each side of a mean that hold 95 % of a normal distribution."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Numbers of a dataset's official evaluation that belong to its metrics."""

    pool: int
    """Clips among which R-precision searches."""
    embedding_scale: float
    """Factor on embeddings before FID, Diversity and MultiModality."""
    spread_divisor: float
    """Divisor of the distances of Diversity and MultiModality."""
    diversity_pairs: int = 300
    multimodality_pairs: int = 10

    @property
    def spread_scale(self) -> float:
        """Factor on the distances of Diversity and MultiModality."""
        return self.embedding_scale / self.spread_divisor


INTERHUMAN = Protocol(pool=96, embedding_scale=6.0, spread_divisor=2.0)
"""InterCLIP's embeddings of InterHuman."""

INTERX = Protocol(pool=32, embedding_scale=1.0, spread_divisor=1.0)
"""The conv and bi-GRU pair's embeddings of Inter-X."""


@dataclass(frozen=True)
class Matching:
    """How well motions go with their texts."""

    r_precision: tuple[float, ...]
    """Share of texts whose own motion is among the nearest 1, 2 and 3 of its pool."""
    distance: float
    """MM Dist: mean distance between a text and its own motion."""
    pools: int
    """Pools that were searched; what did not fill a pool was left out."""


@dataclass(frozen=True)
class Interval:
    """A mean over replications and the half width of its 95 % confidence interval."""

    mean: float
    half_width: float | None
    """None: one replication says nothing about the spread."""

    def __str__(self) -> str:
        spread = "" if self.half_width is None else f" ± {self.half_width:.3f}"
        return f"{self.mean:.3f}{spread}"


def distance_matrix(texts: Tensor, motions: Tensor) -> Tensor:
    """Euclidean distances (..., m, n) between texts (..., m, q) and motions (..., n, q).

    Taken from the differences, not from products, which lose digits where points are close.
    """
    return torch.cdist(
        texts.double(), motions.double(), compute_mode="donot_use_mm_for_euclid_dist"
    )


def matching_hits(distances: Tensor, top: int = TOP) -> Tensor:
    """Expected number (..., top) of texts whose own motion is among the nearest 1, ..., ``top``.

    See `text_hits`. Without ties these are whole numbers.

    Args:
        distances: (..., m, m), rows are texts; the text's own motion is on the diagonal.
        top: up to which rank.
    """
    return text_hits(distances, top).sum(-2)


def text_hits(distances: Tensor, top: int = TOP) -> Tensor:
    """Chance (..., m, top) that a text's own motion is among the nearest 1, ..., ``top``.

    Motions at equal distances stand in no order, so that an evaluator which cannot tell clips
    apart gets what chance gives it, not a full score. Without ties it is 0 or 1.

    Args:
        distances: (..., m, m), rows are texts; the text's own motion is on the diagonal.
        top: up to which rank.
    """
    own = distances.diagonal(dim1=-2, dim2=-1)[..., None]
    nearer = (distances < own).sum(-1, keepdim=True)
    equal = (distances == own).sum(-1, keepdim=True)
    ranks = torch.arange(1, top + 1, device=distances.device)
    return ((ranks - nearer) / equal).clamp(0.0, 1.0)


def matching(texts: Tensor, motions: Tensor, pool: int) -> Matching:
    """R-precision and MM Dist of clips in the order given, pool by pool.

    Both are unscaled; the last clips, which fill no pool, are left out (method, section 6). Shuffle
    the clips first.

    Args:
        texts: (m, q).
        motions: (m, q), row by row those of the texts.
        pool: clips of a pool.

    Raises:
        UserError: different shapes, fewer clips than a pool, or numbers that are not finite.
    """
    _check_rows("text embeddings", texts)
    _check_rows("motion embeddings", motions)
    if texts.shape != motions.shape:
        raise UserError(
            f"text embeddings have shape {tuple(texts.shape)} and motion embeddings "
            f"{tuple(motions.shape)}; expected one motion for every text"
        )
    pools = len(texts) // pool
    if not pools:
        raise UserError(
            f"{len(texts)} clips do not fill one pool of {pool}; R-precision depends on the size "
            "of the pool, so give more clips, or choose a smaller pool and say so"
        )
    kept = pools * pool
    distances = distance_matrix(
        texts[:kept].unflatten(0, (pools, pool)), motions[:kept].unflatten(0, (pools, pool))
    )
    hits = matching_hits(distances, min(TOP, pool)).sum(0) / kept
    own = distances.diagonal(dim1=-2, dim2=-1).mean()
    return Matching(tuple(hits.tolist()), float(own), pools)


def frechet_distance(real: Tensor, generated: Tensor, scale: float = 1.0) -> float:
    """FID: Fréchet distance between normal distributions fitted to two sets of embeddings.

    |mean difference|² + tr S₁ + tr S₂ - 2 tr (S₁S₂)^½, covariances over m - 1. No matrix root is
    taken: with Sᵢ = RᵢᵀRᵢ from the QR decomposition of the centred rows, the trace of the root is
    the sum of the singular values of R₁R₂ᵀ. That is real and exact for singular covariances as
    well, where a root of S₁S₂ can come out complex.

    Args:
        real: (m, q).
        generated: (n, q).
        scale: factor on both sets (`Protocol.embedding_scale`); the distance grows by its square.

    Raises:
        UserError: fewer than two clips, different widths, or numbers that are not finite.
    """
    for name, rows in (("real", real), ("generated", generated)):
        _check_rows(f"{name} embeddings", rows)
        if len(rows) < 2:
            raise UserError(
                f"there are {len(rows)} {name} embeddings; a distribution needs two or more"
            )
    if real.shape[1] != generated.shape[1]:
        raise UserError(
            f"real embeddings are {real.shape[1]} wide and generated ones {generated.shape[1]}; "
            "embed both with one evaluator"
        )
    first, second = _covariance_factor(real), _covariance_factor(generated)
    apart = (real.double().mean(0) - generated.double().mean(0)).square().sum()
    root = torch.linalg.svdvals(first @ second.T).sum()
    distance = apart + first.square().sum() + second.square().sum() - 2 * root
    # It is never negative; of equal sets rounding may leave -1e-14.
    return scale**2 * max(float(distance), 0.0)


def draw_pairs(count: int, pairs: int, generator: torch.Generator) -> Tensor:
    """Two independent draws (2, r) of ``pairs`` out of ``count``, each without repetition.

    A pair may hold one clip twice, as in the released code.

    Raises:
        UserError: fewer clips than pairs.
    """
    if count < pairs:
        raise UserError(
            f"{pairs} pairs need {pairs} clips or more, but there are {count}; "
            "give more, or ask for fewer pairs and say so"
        )
    draws = [torch.randperm(count, generator=generator)[:pairs] for _ in range(2)]
    return torch.stack(draws)


def diversity(embeddings: Tensor, pairs: Tensor, scale: float = 1.0) -> float:
    """Mean distance between pairs (2, r), from `draw_pairs`, of embeddings (m, q).

    Args:
        embeddings: (m, q).
        pairs: (2, r) indices of clips.
        scale: factor on the distance (`Protocol.spread_scale`).
    """
    _check_rows("embeddings", embeddings)
    first, second = embeddings.double()[pairs.to(embeddings.device)]
    return scale * float((first - second).norm(dim=-1).mean())


def multimodality(embeddings: Tensor, pairs: Tensor, scale: float = 1.0) -> float:
    """Mean distance between motions of one text, over texts.

    Args:
        embeddings: (m, samples, q), several motions for each of m texts.
        pairs: (2, r) indices of samples, the same for every text, from `draw_pairs`.
        scale: factor on the distance (`Protocol.spread_scale`).
    """
    _check_rows("embeddings", embeddings.flatten(0, 1))
    pairs = pairs.to(embeddings.device)
    samples = embeddings.double()
    return scale * float((samples[:, pairs[0]] - samples[:, pairs[1]]).norm(dim=-1).mean())


def mean_interval(values: Sequence[float]) -> Interval:
    """Mean over replications and its 95 % interval, 1.96 std / sqrt(n).

    The deviation is over n, not n - 1, as in the released code; of 20 replications the interval is
    3 % narrower for it.

    Raises:
        UserError: no value.
    """
    if not values:
        raise UserError("there is no replication to take a mean of")
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return Interval(mean, None)
    variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
    return Interval(mean, NORMAL_95 * math.sqrt(variance / len(values)))


def summary(values: Sequence[float]) -> dict[str, Any]:
    """A metric as reports hold it: mean, half width of the 95 % interval, and single values."""
    interval = mean_interval(values)
    return {
        "mean": interval.mean,
        "half_width": interval.half_width,
        "replications": values,
    }


def _covariance_factor(rows: Tensor) -> Tensor:
    """R (min(m, q), q) with RᵀR the covariance of rows (m, q)."""
    rows = rows.double()
    centred = (rows - rows.mean(0)) / math.sqrt(len(rows) - 1)
    return torch.linalg.qr(centred, mode="r").R


def _check_rows(name: str, rows: Tensor) -> None:
    if rows.ndim != 2 or not rows.numel():
        raise UserError(f"{name} have shape {tuple(rows.shape)}; expected (clips, width)")
    finite = torch.isfinite(rows).all(-1)
    if not bool(finite.all()):
        raise UserError(
            f"{int((~finite).sum())} of {len(rows)} {name} are NaN or infinite; "
            "look for the clips they come from"
        )
