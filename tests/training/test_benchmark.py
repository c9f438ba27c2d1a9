"""What the benchmark says adds up: shares of the time, counted arithmetic, equal starts."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from intermask.data.synthetic import synthetic_clips
from intermask.presets import load_preset
from intermask.training import benchmark
from intermask.training.benchmark import (
    PrecisionComparison,
    Stopwatch,
    SyntheticText,
    compare_precisions,
    count_flops,
    make_stage,
    run_benchmark,
)
from intermask.training.representations import InterHumanRepresentation, InterXRepresentation
from intermask.training.shares import Share

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def small_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's speed does not matter here."""
    monkeypatch.setitem(benchmark._PEAK_SIZE, "cpu", 512)


TINY_INTERX = [
    "model.width=8", "model.codebook_size=16", "optimiser.batch_size=2", "window=16",
    "max_frames=32",
]  # fmt: skip


def test_what_begins_inside_something_else_is_not_part_of_it() -> None:
    watch = Stopwatch(CPU)
    with watch.part("outer"):
        time.sleep(0.02)
        with watch.part("inner"):
            time.sleep(0.06)
        time.sleep(0.02)
    assert watch.seconds["inner"] == pytest.approx(0.06, abs=0.02)
    assert watch.seconds["outer"] == pytest.approx(0.04, abs=0.02)


@pytest.mark.parametrize("stage", ["tokenizer", "transformer"])
@pytest.mark.parametrize("cold", [False, True])
def test_both_stages_are_measured(stage: Any, cold: bool) -> None:
    training: Any = load_preset(stage, "debug")
    tokenizer = load_preset("tokenizer", "debug")
    measured = run_benchmark(training, tokenizer=tokenizer, device="cpu", steps=2, cold=cold)
    assert sum(measured.shares.values()) == pytest.approx(1)
    assert len(measured.seconds) == 2
    assert measured.step_flops > 1e7
    assert measured.utilisation > 0
    assert measured.peak_memory > 1e8
    busy = {name for name, share in measured.shares.items() if share > 0}
    expected = {"data", stage, "optimiser"}
    if stage == "transformer":
        expected |= {"text", "tokenizer"} if cold else {"text"}
    assert busy == expected


def test_inter_x_is_measured_without_the_body_model() -> None:
    training = load_preset("tokenizer", "paper-interx", TINY_INTERX)
    assert run_benchmark(training, device="cpu", steps=1).step_flops > 0


def test_attention_of_processors_is_counted() -> None:
    """Two products forwards, five backwards (one is made again)."""
    query, key, value = (torch.randn(2, 3, 40, 8, requires_grad=True) for _ in range(3))
    with count_flops() as counter:
        F.scaled_dot_product_attention(query, key, value).sum().backward()
    assert counter.get_total_flops() == 7 * 2 * (2 * 3 * 40 * 40 * 8)


def test_both_precisions_start_equal() -> None:
    training = load_preset("tokenizer", "debug")
    compared = compare_precisions(training, device="cpu", steps=2)
    assert compared.bfloat16[0] == pytest.approx(compared.float32[0], rel=0.02)
    assert compared.bfloat16 != compared.float32


def test_the_difference_is_that_of_the_last_fifth() -> None:
    compared = PrecisionComparison((9.0,) * 8 + (2.0, 4.0), (1.0,) * 8 + (3.0, 3.6))
    assert compared.means == (3.0, 3.3)
    assert compared.relative == pytest.approx(0.1)


def test_a_warm_stage_meets_the_same_clips_again_and_a_cold_one_does_not() -> None:
    training, tokenizer = load_preset("transformer", "debug"), load_preset("tokenizer", "debug")
    for cold in (False, True):
        stage = make_stage(training, tokenizer, CPU, cold=cold)
        calls = []
        original = stage.tokenizer.tokenize  # type: ignore[union-attr]

        def counted(grid: torch.Tensor, original: Any = original, calls: Any = calls) -> Any:
            calls.append(len(grid))
            return original(grid)

        stage.tokenizer.tokenize = counted  # type: ignore[union-attr, method-assign]
        for step in range(30):
            stage.draw(step, Share())
        assert (len(calls) > 80) == cold


def test_synthetic_clips_are_motion() -> None:
    human = synthetic_clips("interhuman", 2, 41, 3)
    features = InterHumanRepresentation("per_person").encode(human.clips[0].loaded)
    assert features.shape == (2, 40, 262)
    captions = {caption for clip in human.clips for caption in clip.captions}
    assert len(captions) == 6
    assert not torch.equal(human.clips[0].loaded, human.clips[1].loaded)
    smplx = synthetic_clips("interx", 1, 41, 1)
    assert InterXRepresentation().encode(smplx.clips[0].loaded).shape == (2, 40, 336)


def test_text_of_clip_s_form_has_its_sizes() -> None:
    config = load_preset("transformer", "paper-interhuman", ["text.width=64"]).text
    encoder = SyntheticText.of(config)
    features = encoder.encode(["Two people bow.", "One person bows to the other one."])
    assert features.features.shape == (2, 77, 64)
    assert features.ends.tolist() == [4, 8]
    assert features.mask is None
