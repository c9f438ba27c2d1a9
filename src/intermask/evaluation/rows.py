"""Rows of a report: what each kind of motion scores in every replication.

The reference rows say what the numbers of a model mean: ground truth is how much the evaluator sees
in real motion, the tokenizer's reconstruction is as good as the model could become, and shuffled
captions is what no understanding of texts at all would score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from intermask.evaluation import metrics
from intermask.evaluation.clips import EvaluationClip
from intermask.evaluation.physical_rows import mean_physics
from intermask.evaluation.protocol import (
    Draw,
    draw_replication,
    generator_of,
    other_captions,
)
from intermask.evaluation.references import ReferenceRows, References
from intermask.evaluation.replications import Measured
from intermask.evaluation.rivals import Rival
from intermask.evaluation.store import Store, Unit
from intermask.evaluation.terms import GROUND_TRUTH, RECONSTRUCTION, SHUFFLED


@dataclass
class Row:
    """Numbers of one kind of motion."""

    name: str
    replications: list[dict[str, float]] = field(default_factory=list)
    """Metrics by name, one dictionary a replication."""
    physics: list[dict[str, float]] = field(default_factory=list)
    """Physical metrics by name, likewise; empty where they were not measured."""

    def as_json(self) -> dict[str, Any]:
        """As in ``report.json``."""
        return {
            "name": self.name,
            "metrics": summaries(self.replications),
            "physics": summaries(self.physics),
        }


def summaries(replications: Sequence[dict[str, float]]) -> dict[str, dict[str, Any]]:
    """`metrics.summary` of every metric, over the replications that have it."""
    names = dict.fromkeys(name for each in replications for name in each)
    return {
        name: metrics.summary([each[name] for each in replications if name in each])
        for name in names
    }


def scores(
    texts: Tensor,
    motions: Tensor,
    reference: Tensor,
    pool: int,
    protocol: metrics.Protocol,
    generator: torch.Generator,
) -> dict[str, float]:
    """All metrics of k motions (k, q) with their texts (k, q), in whole pools.

    Args:
        texts: of the motions.
        motions: to be scored.
        reference: (m, q) real motions.
        pool: clips of a pool.
        protocol: scales, and pairs of Diversity; fewer if there are fewer motions.
        generator: draws these pairs.
    """
    pairs = metrics.draw_pairs(len(motions), min(protocol.diversity_pairs, len(motions)), generator)
    return {
        **matching_scores(texts, motions, pool),
        "fid": metrics.frechet_distance(reference, motions, protocol.embedding_scale),
        "diversity": metrics.diversity(motions, pairs, protocol.spread_scale),
    }


def matching_scores(texts: Tensor, motions: Tensor, pool: int) -> dict[str, float]:
    """R-precision and MM Dist alone."""
    matched = metrics.matching(texts, motions, pool)
    names = (f"r_precision_{rank}" for rank in range(1, len(matched.r_precision) + 1))
    return {**dict(zip(names, matched.r_precision, strict=True)), "mm_dist": matched.distance}


def all_rows(
    measured: Measured,
    references: ReferenceRows,
    store: Store,
    protocol: metrics.Protocol,
    model_name: str,
    rivals: Sequence[Rival] = (),
) -> list[Row]:
    """Rows of a report from what was stored; every unit must be there.

    Where captions cannot be shuffled the row is not there (see `other_captions`).
    """
    names = [GROUND_TRUTH, RECONSTRUCTION, model_name, SHUFFLED, *(each.name for each in rivals)]
    rows = {name: Row(name) for name in names}
    for number in range(measured.plan.replications):
        seen = _Replication.of(number, measured, references, store)
        for found, column in (
            (_metrics(seen, measured, store, protocol, rivals), "replications"),
            (_physics(seen, rivals), "physics"),
        ):
            for name, values in found.items():
                getattr(rows[model_name if name == _MODEL else name], column).append(values)
    return [row for row in rows.values() if row.replications]


_MODEL = "(the model)"
"""Rivals cannot have that name."""


@dataclass(frozen=True)
class _Replication:
    """What one replication looks at, and what was made for it."""

    number: int
    draw: Draw
    references: References
    motions: Tensor
    """(k, q)"""
    physics: Tensor | None
    """(k, metrics) rows of `Bodies.rows`."""

    @staticmethod
    def of(
        number: int, measured: Measured, references: ReferenceRows, store: Store
    ) -> _Replication:
        draw = draw_replication(measured.clips, measured.pool, measured.plan.seed, number)
        made = store.load(Unit(number, "replications").name)
        return _Replication(
            number, draw, references.of(number), made["motions"], made.get("physics")
        )


def _metrics(
    seen: _Replication,
    measured: Measured,
    store: Store,
    protocol: metrics.Protocol,
    rivals: Sequence[Rival],
) -> dict[str, dict[str, float]]:
    """Metrics by row of one replication."""
    seed, pool, number = measured.plan.seed, measured.pool, seen.number
    draw, references = seen.draw, seen.references
    texts = references.texts(draw.clips, draw.captions)
    reference = references.real(draw.clips, draw.exchanged[0])

    def scored(texts: Tensor, motions: Tensor) -> dict[str, float]:
        pairs = generator_of(seed, "diversity", number)
        return scores(texts, motions, reference, pool, protocol, pairs)

    found = {
        GROUND_TRUTH: scored(texts, references.real(draw.clips, draw.exchanged[1])),
        RECONSTRUCTION: scored(texts, references.reconstruction[draw.clips]),
        _MODEL: scored(texts, seen.motions),
    }
    if measured.plan.prompts:
        found[_MODEL]["multimodality"] = _spread(measured, store, protocol, number)
    lent = other_captions(measured.clips, draw, seed, number)
    if lent is not None:
        found[SHUFFLED] = matching_scores(texts[lent], seen.motions, pool)
    for rival in rivals:
        places = rival.present[draw.clips]
        own = _own_captions(draw, rival)
        found[rival.name] = scored(
            references.texts(draw.clips, own)[places], rival.motions[draw.clips][places]
        )
    return found


def _physics(seen: _Replication, rivals: Sequence[Rival]) -> dict[str, dict[str, float]]:
    """Physical metrics by row of one replication; nothing where they were not measured."""
    if seen.physics is None:
        return {}
    clips = seen.draw.clips
    found = {
        GROUND_TRUTH: mean_physics(seen.references.physics["truth"][clips]),
        RECONSTRUCTION: mean_physics(seen.references.physics["reconstruction"][clips]),
        _MODEL: mean_physics(seen.physics),
    }
    for rival in rivals:
        if rival.physics is not None:
            found[rival.name] = mean_physics(rival.physics[clips[rival.present[clips]]])
    return found


def _own_captions(draw: Draw, rival: Rival) -> Tensor:
    """Captions (k) that a rival's motions were made from; where unknown, those of the draw."""
    known = rival.captions[draw.clips]
    return torch.where(known < 0, draw.captions, known)


def _spread(measured: Measured, store: Store, protocol: metrics.Protocol, number: int) -> float:
    """MultiModality of one replication."""
    motions = store.load(Unit(number, "multimodality").name)["motions"]
    samples = measured.plan.samples
    pairs = metrics.draw_pairs(
        samples,
        min(protocol.multimodality_pairs, samples),
        generator_of(measured.plan.seed, "multimodality", number),
    )
    return metrics.multimodality(motions.unflatten(0, (-1, samples)), pairs, protocol.spread_scale)


def own_distances(
    measured: Measured, references: ReferenceRows, store: Store
) -> list[tuple[EvaluationClip, str, float]]:
    """Clips of the first replication, as it saw them, with their caption and the distance from it
    to the motion.
    """
    seen = _Replication.of(0, measured, references, store)
    texts = seen.references.texts(seen.draw.clips, seen.draw.captions).double()
    distances = (texts - seen.motions.double()).norm(dim=-1).tolist()
    every = measured.seen(0)
    clips = [every[number] for number in seen.draw.clips.tolist()]
    return list(zip(clips, seen.draw.texts(measured.clips), distances, strict=True))
