"""How long an evaluation takes: motions made and scored in batches, against one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from intermask.bundle import build
from intermask.config import (
    EvaluatorTraining,
    ModelConfig,
    TokenizerTraining,
    TransformerTraining,
)
from intermask.data.batching import canonical_people
from intermask.data.synthetic import synthetic_clips
from intermask.evaluation import metrics
from intermask.evaluation.clips import FRAME_MULTIPLE, EvaluationClip
from intermask.evaluation.evaluators.contrastive import ContrastiveEvaluator
from intermask.evaluation.evaluators.evaluator import Evaluator, TrainedEvaluator
from intermask.evaluation.protocol import Plan
from intermask.evaluation.replications import Maker, Measured, Sample
from intermask.evaluation.rows import matching_scores
from intermask.evaluation.store import Unit
from intermask.generation.generator import InteractionGenerator
from intermask.generation.requests import GenerationOptions
from intermask.motion import FPS
from intermask.representation import fit_normaliser
from intermask.training.benchmark import Peak, SyntheticText, count_flops, randomise_codes

SHORTEST_S = 2.0
"""Seconds of the shortest synthetic clip; they are evenly spread up to the longest."""
_LENGTHS = 16

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Pass:
    """One way through the clips."""

    clips: int
    generating: float
    """Seconds."""
    scoring: float
    """Seconds."""
    processor: float
    """Seconds of all threads of this process: what counts where others use the machine, too."""

    @property
    def seconds(self) -> float:
        """Generating and scoring."""
        return self.generating + self.scoring


@dataclass(frozen=True)
class Arithmetic:
    """Products and sums of making and scoring one batch of middle length."""

    motions: int
    flops: float
    """Of matrix products, convolutions and attention."""
    seconds: float
    """On processors those of all threads of this process, else those of the clock."""
    peak: float
    """Of a large matrix product in float32, by the same seconds; the best try."""

    @property
    def utilisation(self) -> float:
        """Achieved share of the matrix product's speed."""
        return self.flops / self.seconds / self.peak


@dataclass(frozen=True)
class SpeedComparison:
    """One replication in batches, and the same clips, or some of them, one by one."""

    batch_size: int
    seconds_of_motion: float
    together: Pass
    alone: Pass
    difference: float
    """Largest difference of an embedding between the two, over the embeddings' mean length."""
    arithmetic: Arithmetic

    @property
    def ratio(self) -> float:
        """How many times faster batches are; of fewer clips one by one, by their share."""
        return self.alone.seconds / self.alone.clips * self.together.clips / self.together.seconds


def compare_speed(
    generator: InteractionGenerator,
    evaluator: Evaluator,
    clips: Sequence[EvaluationClip],
    options: GenerationOptions,
    alone: int | None = None,
    progress: Progress = lambda done, total: None,
) -> SpeedComparison:
    """Make and score one motion of every clip in batches, and then one by one.

    Both read their texts anew. A first batch, which is not counted, warms everything up.

    Args:
        generator: the model.
        evaluator: embeds captions and motions.
        clips: one motion is made of each.
        options: how tokens are drawn, and how many motions are made together.
        alone: clips that are made one by one, evenly spread over the lengths; None: all.
        progress: called with motions made and motions in all.
    """
    plan = Plan(replications=1, prompts=0)
    measured = Measured(clips, plan, pool=1)
    samples = measured.samples(Unit(0, "replications"))
    samples.sort(key=lambda sample: clips[sample.clip].frames)
    count = len(samples) if alone is None else min(alone, len(samples))
    single = [samples[number * len(samples) // count] for number in range(count)]
    total = len(samples) + len(single)
    race = _Race(generator, evaluator, measured)
    race.run(samples[-1:], replace(options, batch_size=1), lambda done: None)
    race.run(samples[-options.batch_size :], options, lambda done: None)
    together, found = race.run(samples, options, lambda done: progress(done, total))
    one_by_one, again = race.run(
        single,
        replace(options, batch_size=1),
        lambda done: progress(len(samples) + done, total),
    )
    places = [samples.index(sample) for sample in single]
    difference = (found[places] - again).norm(dim=-1).max() / again.norm(dim=-1).mean()
    seconds = sum(clips[sample.clip].frames for sample in samples) / FPS
    middle = max(0, (len(samples) - options.batch_size) // 2)
    arithmetic = race.arithmetic(samples[middle : middle + options.batch_size], options)
    return SpeedComparison(
        options.batch_size, seconds, together, one_by_one, float(difference), arithmetic
    )


class _Race:
    """Runs through samples with texts that nobody has read yet."""

    def __init__(
        self, generator: InteractionGenerator, evaluator: Evaluator, measured: Measured
    ) -> None:
        self.generator, self.evaluator, self.measured = generator, evaluator, measured

    def run(
        self,
        samples: Sequence[Sample],
        options: GenerationOptions,
        progress: Callable[[int], None],
    ) -> tuple[Pass, Tensor]:
        """Time, and embeddings (m, q) of the samples' motions."""
        source = self.generator
        fresh = InteractionGenerator(source.model, source.encoder, source.device)
        maker = Maker(fresh, self.measured)
        generating = scoring = 0.0
        embedded = []
        processor = time.process_time()
        for begin in range(0, len(samples), options.batch_size):
            batch = samples[begin : begin + options.batch_size]
            started = time.perf_counter()
            features = maker.make(batch, options)
            decoded = time.perf_counter()
            embedded.append(self.evaluator.embed_motions(features))
            generating += decoded - started
            scoring += time.perf_counter() - decoded
            progress(begin + len(batch))
        motions = torch.cat(embedded)
        started = time.perf_counter()
        texts = self.evaluator.embed_captions([sample.text for sample in samples])
        matching_scores(texts, motions, min(self.evaluator.protocol.pool, len(motions)))
        scoring += time.perf_counter() - started
        spent = time.process_time() - processor
        return Pass(len(samples), generating, scoring, spent), motions

    def arithmetic(self, samples: Sequence[Sample], options: GenerationOptions) -> Arithmetic:
        """How much of the machine's arithmetic a batch uses; it is made twice more."""
        timed, _ = self.run(samples, options, lambda done: None)
        with count_flops() as counter:
            self.run(samples, options, lambda done: None)
        device = self.generator.device
        flops = float(counter.get_total_flops())
        if device.type == "cpu":
            peak = Peak(device, time.process_time).best["float32"]
            return Arithmetic(len(samples), flops, timed.processor, peak)
        return Arithmetic(len(samples), flops, timed.seconds, Peak(device).best["float32"])


@dataclass(frozen=True)
class Synthetic:
    """A model and an evaluator of random weights, and clips without data."""

    generator: InteractionGenerator
    evaluator: Evaluator
    clips: list[EvaluationClip]


def synthetic(
    tokenizer: TokenizerTraining,
    transformer: TransformerTraining,
    judge: EvaluatorTraining,
    count: int,
    device: torch.device,
) -> Synthetic:
    """What an evaluation costs, where there are neither data nor trained weights.

    Args:
        tokenizer: its sizes; InterHuman's layout.
        transformer: its sizes.
        judge: sizes of the evaluator.
        count: clips, of lengths evenly spread from `SHORTEST_S` to the transformer's longest.
        device: where networks run.
    """
    clips = synthetic_lengths(count, transformer.max_frames)
    config = ModelConfig(
        name="random weights",
        tokenizer=tokenizer.model,
        transformer=transformer.model,
        text=transformer.text,
        sampling=transformer.sampling,
        floor=tokenizer.floor,
        max_frames=transformer.max_frames,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        statistics = fit_normaliser([clip.features.flatten(0, 1) for clip in clips[:_LENGTHS]])
        model = build(config, statistics)
        randomise_codes(model.tokenizer)
        network = ContrastiveEvaluator(judge.model, judge.text)
        network.normaliser.load_state_dict(statistics.state_dict())
    encoder = SyntheticText.of(judge.text).to(device)
    evaluator = TrainedEvaluator(
        network=network,
        device=device,
        name="random weights",
        protocol=replace(metrics.INTERHUMAN, pool=judge.pool),
        floor=judge.floor,
        read=lambda captions: encoder.encode(captions).to(device),
    )
    generator = InteractionGenerator(model, SyntheticText.of(transformer.text), device)
    return Synthetic(generator, evaluator, clips)


def synthetic_lengths(count: int, longest: int) -> list[EvaluationClip]:
    """Clips of two people who sway, of mixed lengths, each with a caption of its own."""
    shortest = round(SHORTEST_S * FPS)
    if longest < shortest:
        shortest = longest
    kinds = min(_LENGTHS, count)
    clips: list[EvaluationClip] = []
    for number in range(kinds):
        frames = shortest + (longest - shortest) * number // max(1, kinds - 1)
        frames = frames // FRAME_MULTIPLE * FRAME_MULTIPLE
        (clip,) = synthetic_clips("interhuman", 1, frames + 1, 1, seed=number).clips
        features = canonical_people(clip.loaded, "per_person")
        clips.append(EvaluationClip("", clip.captions, features))
    return [
        EvaluationClip(
            f"synthetic_{number}",
            tuple(f"{caption} {number}" for caption in clips[number % kinds].captions),
            clips[number % kinds].features,
        )
        for number in range(count)
    ]
