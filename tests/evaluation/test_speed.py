"""Batches against one by one: the same motions, and a batch size that was measured."""

from __future__ import annotations

import pytest
import torch

from fake_evaluator import FakeEvaluator
from intermask.evaluation import batch_size, speed
from intermask.evaluation.batch_size import fastest_batch_size
from intermask.evaluation.speed import compare_speed, synthetic, synthetic_lengths
from intermask.generation.generator import InteractionGenerator
from intermask.generation.requests import GenerationOptions
from intermask.presets import load_preset
from tiny_model import HashedWords, tiny_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def generator() -> InteractionGenerator:
    return InteractionGenerator(tiny_model(), HashedWords())


def test_both_ways_make_the_same_motions(generator: InteractionGenerator) -> None:
    clips = synthetic_lengths(9, 64)
    options = GenerationOptions(batch_size=4)
    told: list[tuple[int, int]] = []
    measured = compare_speed(
        generator, FakeEvaluator(), clips, options, progress=lambda *at: told.append(at)
    )
    assert measured.difference < 1e-5
    assert measured.together.clips == measured.alone.clips == 9
    assert measured.seconds_of_motion == pytest.approx(sum(c.frames for c in clips) / 30)
    expected = measured.alone.seconds / measured.together.seconds
    assert measured.ratio == pytest.approx(expected)
    assert told[-1] == (18, 18)
    assert measured.arithmetic.motions == 4
    assert 0 < measured.arithmetic.utilisation < 1


def test_some_one_by_one_stand_for_all(generator: InteractionGenerator) -> None:
    clips = synthetic_lengths(8, 64)
    measured = compare_speed(generator, FakeEvaluator(), clips, GenerationOptions(), alone=2)
    assert (measured.together.clips, measured.alone.clips) == (8, 2)
    expected = 4 * measured.alone.seconds / measured.together.seconds
    assert measured.ratio == pytest.approx(expected)


def test_texts_are_read_in_both_ways(generator: InteractionGenerator) -> None:
    """Whoever comes second must not find them read."""
    reads: list[str] = []

    class Counting(HashedWords):
        def encode(self, captions):  # type: ignore[no-untyped-def]
            reads.extend(captions)
            return super().encode(captions)

    clips = synthetic_lengths(4, 64)
    counted = InteractionGenerator(generator.model, Counting())
    compare_speed(counted, FakeEvaluator(), clips, GenerationOptions(batch_size=4))
    assert len(reads) == 1 + 4 + 4 + 4 + 2 * 4  # warming up in both ways, both ways, arithmetic


def test_synthetic_clips_are_of_mixed_lengths() -> None:
    clips = synthetic_lengths(40, 300)
    lengths = [clip.frames for clip in clips]
    assert (min(lengths), max(lengths), len(clips)) == (60, 300, 40)
    assert len({clip.name for clip in clips}) == len({c.captions for c in clips}) == 40
    assert all(length % 4 == 0 for length in lengths)
    assert [clip.frames for clip in synthetic_lengths(3, 40)] == [40, 40, 40]


def test_presets_can_be_measured_without_data() -> None:
    made = synthetic(
        load_preset("tokenizer", "debug"),
        load_preset("transformer", "debug"),
        load_preset("evaluator", "debug"),
        3,
        CPU,
    )
    measured = compare_speed(made.generator, made.evaluator, made.clips, GenerationOptions())
    assert measured.together.clips == 3
    assert measured.difference < 1e-3


def test_the_batch_size_grows_while_that_is_faster(
    generator: InteractionGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {1: 1.0, 2: 1.6, 4: 2.4, 8: 4.7, 16: 5.0}
    monkeypatch.setattr(
        batch_size, "_round_seconds", lambda generator, size, columns: seconds[size]
    )
    best, tried = fastest_batch_size(generator, synthetic_lengths(3, 64))
    assert best == 4  # 8 saves 2 % only
    assert tried == {1: 1.0, 2: 0.8, 4: 0.6, 8: 0.5875}


def test_a_batch_that_does_not_fit_is_not_taken(
    generator: InteractionGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(generator: InteractionGenerator, size: int, columns: int) -> float:
        if size > 2:
            raise torch.cuda.OutOfMemoryError
        return 1.0

    monkeypatch.setattr(batch_size, "_round_seconds", measure)
    assert fastest_batch_size(generator, synthetic_lengths(3, 64))[0] == 2


def test_rounds_are_timed(generator: InteractionGenerator) -> None:
    best, tried = fastest_batch_size(generator, synthetic_lengths(3, 64))
    assert best in tried
    assert all(seconds > 0 for seconds in tried.values())
    assert speed.SHORTEST_S == 2.0
