"""Makes and embeds the motions of every replication: the long part of an evaluation.

Motions are made in batches of like length. What is made is stored batch by batch, so that an
interruption costs a minute at most, and what is stored is never made again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from intermask.evaluation.clips import EvaluationClip
from intermask.evaluation.evaluators.evaluator import Evaluator
from intermask.evaluation.physical_rows import Bodies
from intermask.evaluation.protocol import (
    Plan,
    Task,
    draw_prompts,
    draw_replication,
    part_start,
    seed_of,
)
from intermask.evaluation.samples import write_sample
from intermask.evaluation.store import Kind, Rows, Shard, Store, Unit
from intermask.generation.coding import CODED_TOGETHER
from intermask.generation.generator import InteractionGenerator
from intermask.generation.requests import GenerationOptions, KnownTokens, Request

SAVE_EVERY_S = 60.0
"""Seconds after which what is made so far of a replication is stored."""

Progress = Callable[[float, float], None]
"""Called with the frames of motion that are made and those there are to make."""


@dataclass(frozen=True)
class Sample:
    """One motion to make."""

    clip: int
    text: str
    seed: int
    start: int = 0
    """First stored frame of the part that is looked at, of a longer clip."""


@dataclass(frozen=True)
class Measured:
    """What a unit's motions are scored against."""

    clips: Sequence[EvaluationClip]
    plan: Plan
    pool: int
    """Clips of a pool: the evaluator's, or all there are if these are fewer."""

    def samples(self, unit: Unit) -> list[Sample]:
        """Motions of a unit, in the order of its rows."""
        if unit.kind == "replications":
            draw = draw_replication(self.clips, self.pool, self.plan.seed, unit.number)
            texts = draw.texts(self.clips)
            return [
                Sample(clip, text, self._seed("motion", unit, clip), self._start(unit, clip))
                for clip, text in zip(draw.clips.tolist(), texts, strict=True)
            ]
        prompts, samples = self.plan.sizes(len(self.clips))
        chosen = draw_prompts(self.clips, prompts, self.plan.seed, unit.number)
        return [
            Sample(
                clip,
                self.clips[clip].captions[caption],
                self._seed("spread", unit, clip, each),
                self._start(unit, clip),
            )
            for clip, caption in chosen
            for each in range(samples)
        ]

    def units(self, shard: Shard) -> list[Unit]:
        """What a process has to make."""
        kinds: tuple[Kind, ...] = ("replications", "multimodality")
        wanted = kinds if self.plan.prompts else kinds[:1]
        every = [Unit(number, kind) for number in range(self.plan.replications) for kind in wanted]
        return [unit for unit in every if shard.has(unit)]

    def seen(self, replication: int) -> list[EvaluationClip]:
        """The clips as a replication sees them: of a longer one the part that it drew."""
        return [
            clip.part(part_start(clip, self.plan.seed, replication)) if clip.parts > 1 else clip
            for clip in self.clips
        ]

    def _seed(self, purpose: str, unit: Unit, clip: int, *which: int) -> int:
        return seed_of(self.plan.seed, purpose, unit.number, self.clips[clip].name, *which)

    def _start(self, unit: Unit, clip: int) -> int:
        return part_start(self.clips[clip], self.plan.seed, unit.number)


class KnownParts:
    """What a task gives of real clips, as tokens; each part of a clip is tokenized once."""

    def __init__(
        self, task: Task, clips: Sequence[EvaluationClip], generator: InteractionGenerator
    ) -> None:
        self.task, self.clips, self.generator = task, clips, generator
        self._tokens: dict[tuple[int, int], Tensor] = {}

    def of(self, samples: Sequence[Sample], batch_size: int) -> list[KnownTokens] | None:
        """What is known of the samples' clips; None: nothing, for text alone."""
        if self.task == "text":
            return None
        wanted = [(sample.clip, sample.start) for sample in samples]
        new = [part for part in dict.fromkeys(wanted) if part not in self._tokens]
        features = [self.clips[clip].part(start).features for clip, start in new]
        found = self.generator.coder.encode(features, min(batch_size, CODED_TOGETHER))
        self._tokens |= dict(zip(new, found, strict=True))
        return [
            KnownTokens(tokens, known_columns(self.task, tokens.shape[-1]))
            for tokens in (self._tokens[part] for part in wanted)
        ]


def known_columns(task: Task, columns: int) -> Tensor:
    """Which token columns (2, n) of whom a task gives.

    In-betweening gives the first and the last quarter of both people, rounded to columns, but no
    less than a column each.
    """
    known = torch.zeros(2, columns, dtype=torch.bool)
    if task == "reaction":
        known[0] = True
    elif task == "inbetweening":
        quarter = max(1, round(columns / 4))
        known[:, :quarter] = known[:, columns - quarter :] = True
    return known


class Maker:
    """Makes the motions of an evaluation.

    Args:
        generator: the model.
        measured: clips and what is drawn of them.
    """

    def __init__(self, generator: InteractionGenerator, measured: Measured) -> None:
        self.generator, self.measured = generator, measured
        self._known = KnownParts(measured.plan.task, measured.clips, generator)

    def make(self, batch: Sequence[Sample], options: GenerationOptions) -> list[Tensor]:
        """Features (2, t, f) of samples, as decoded."""
        requests = [
            Request(sample.text, self.measured.clips[sample.clip].frames, sample.seed)
            for sample in batch
        ]
        known = self._known.of(batch, options.batch_size)
        return self.generator.features(requests, known, options)


class Replicator:
    """Makes the motions of an evaluation and keeps their embeddings.

    Args:
        maker: of the motions.
        evaluator: embeds them.
        store: where results go.
        options: how tokens are drawn, and how many motions are made together.
        bodies: for physical metrics, and for samples of the first replication; None: there are
            none of either.
    """

    def __init__(
        self,
        maker: Maker,
        evaluator: Evaluator,
        store: Store,
        options: GenerationOptions,
        bodies: Bodies | None = None,
    ) -> None:
        self.maker, self.evaluator = maker, evaluator
        self.measured, self.store, self.options = maker.measured, store, options
        self.bodies = bodies

    def run(
        self,
        shard: Shard,
        progress: Progress = lambda done, total: None,
        finished: Callable[[Unit], None] = lambda unit: None,
    ) -> None:
        """Make what a process has to make and is not stored yet.

        Args:
            shard: which part of the evaluation.
            progress: called often.
            finished: called after each unit that was made.
        """
        units = [unit for unit in self.measured.units(shard) if not self.store.has(unit.name)]
        work = [(unit, self.measured.samples(unit)) for unit in units]
        total = sum(self._frames(samples) for _, samples in work)
        done = 0
        for unit, samples in work:
            self._make(unit, samples, partial(_further, progress, done, total))
            done += self._frames(samples)
            finished(unit)

    def _make(
        self, unit: Unit, samples: Sequence[Sample], progress: Callable[[float], None]
    ) -> None:
        rows = Rows(self.store, unit.name, len(samples))
        try:
            self._fill(rows, samples, progress, unit)
        except BaseException:  # an interruption, above all
            if bool(rows.done.any()):
                rows.save_partial()
            raise
        rows.finish({"clips": torch.tensor([sample.clip for sample in samples])})

    def _fill(
        self,
        rows: Rows,
        samples: Sequence[Sample],
        progress: Callable[[float], None],
        unit: Unit,
    ) -> None:
        waiting = (~rows.done).nonzero().flatten().tolist()
        waiting.sort(key=lambda row: self._clip(samples[row]).frames)
        made = self._frames(samples) - self._frames([samples[row] for row in waiting])
        saved = time.monotonic()
        for begin in range(0, len(waiting), self.options.batch_size):
            chosen = waiting[begin : begin + self.options.batch_size]
            batch = [samples[row] for row in chosen]
            on_step = partial(_partly, progress, made, self._frames(batch))
            started = time.perf_counter()
            features = self.maker.make(batch, replace(self.options, on_step=on_step))
            decoded = time.perf_counter()
            rows.put(chosen, self._score(batch, features, unit))
            rows.seconds += torch.tensor([decoded - started, time.perf_counter() - decoded])
            made += self._frames(batch)
            progress(made)
            if time.monotonic() - saved > SAVE_EVERY_S:
                rows.save_partial()
                saved = time.monotonic()

    def _score(
        self, batch: Sequence[Sample], features: Sequence[Tensor], unit: Unit
    ) -> dict[str, Tensor]:
        found = {"motions": self.evaluator.embed_motions(features)}
        if self.bodies is None or unit.kind != "replications":
            return found
        found["physics"] = self.bodies.rows(features)
        if unit.number == 0:
            for sample, motion in zip(batch, features, strict=True):
                path = self.store.path(sample_name(self._clip(sample)))
                write_sample(path, self.bodies.joints(motion))
        return found

    def _clip(self, sample: Sample) -> EvaluationClip:
        return self.measured.clips[sample.clip]

    def _frames(self, samples: Sequence[Sample]) -> int:
        return sum(self._clip(sample).frames for sample in samples)


def _further(progress: Progress, before: float, total: float, made: float) -> None:
    progress(before + made, total)


def _partly(
    progress: Callable[[float], None],
    before: float,
    frames: float,
    step: int,
    steps: int,
    _: Tensor,
) -> None:
    progress(before + frames * step / steps)


def sample_name(clip: EvaluationClip) -> str:
    """Where a clip's motion of the first replication is kept."""
    return f"samples/{clip.name.replace('/', '_')}"
