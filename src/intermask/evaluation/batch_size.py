"""How many motions to make together: what is fastest here, measured."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import torch

from intermask.evaluation.clips import EvaluationClip
from intermask.generation.generator import InteractionGenerator
from intermask.generation.sampler import guided
from intermask.masking import mask_id

GAIN = 0.05
"""Share of time that a larger batch must save to be worth its memory."""

_SIZES = {"cpu": (1, 2, 4, 8, 16, 32), "cuda": (16, 32, 64, 128, 256)}


def fastest_batch_size(
    generator: InteractionGenerator, clips: Sequence[EvaluationClip]
) -> tuple[int, dict[int, float]]:
    """The batch size of the fastest rounds of sampling, for clips of median length.

    Sizes grow until a larger one is no faster, or does not fit into memory.

    Returns:
        The size, and seconds of a round for one motion by each size that was tried.
    """
    lengths = sorted(clip.frames for clip in clips)
    columns = math.ceil(lengths[len(lengths) // 2] / generator.coder.stride)
    seconds: dict[int, float] = {}
    best = 1
    for size in _SIZES.get(generator.device.type, _SIZES["cpu"]):
        try:
            seconds[size] = _round_seconds(generator, size, columns) / size
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            break
        if len(seconds) > 1 and seconds[size] > (1 - GAIN) * seconds[best]:
            break
        best = size
    return best, seconds


@torch.no_grad()
def _round_seconds(generator: InteractionGenerator, size: int, columns: int) -> float:
    """Seconds of one guided round for ``size`` motions of ``columns`` token columns."""
    model, device = generator.model, generator.device
    shape = (size, 2, model.tokenizer.rows, columns)
    tokens = torch.full(shape, mask_id(model.config.tokenizer.codebook_size), device=device)
    valid = torch.ones(size, columns, dtype=torch.bool, device=device)
    width = model.config.transformer.condition_width
    condition = torch.zeros(size, width, device=device)
    logits = guided(model.transformer, condition, model.config.sampling.guidance)
    return min(_seconds(lambda: logits(tokens, valid), device) for _ in range(2))


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
