"""Copies of training clips are found, however they are disguised; new motion is not accused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from intermask.errors import UserError
from intermask.evaluation.memorisation import (
    WINDOW_FRAMES,
    find_memorised,
    motion_windows,
    nearest,
)
from intermask.motion import Motion
from walking import walking_pair
from worlds import moved

TRAINING = [(f"clip_{seed}", walking_pair(80, seed).positions) for seed in range(0, 12, 2)]
HELD_OUT = [walking_pair(80, seed).positions for seed in range(1, 13, 2)]
COPIED = walking_pair(80, 4)  # clip_4


def disguises(motion: Motion) -> dict[str, Motion]:
    part = motion.cropped(7, 67)
    return {
        "cropped": part,
        "elsewhere": moved(part, 2.0, (3.0, 0.0, -1.0)),
        "people exchanged": part.swapped(),
        "mirrored": part.mirrored(),
        "both, elsewhere": moved(part.mirrored().swapped(), -1.0, (0.0, 0.0, 4.0)),
    }


@pytest.mark.parametrize("disguise", disguises(COPIED))
def test_a_copy_is_found(disguise: str) -> None:
    copy = disguises(COPIED)[disguise].positions
    result = find_memorised([copy], HELD_OUT, TRAINING)
    assert result.generated.clip == ("clip_4",)
    assert float(result.generated.distance) < 0.002
    assert result.suspicious.tolist() == [True]


def test_a_copy_with_noise_is_still_near() -> None:
    noise = torch.randn(COPIED.positions.shape, generator=torch.Generator().manual_seed(0))
    result = find_memorised([COPIED.positions + 0.005 * noise], HELD_OUT, TRAINING)
    assert float(result.generated.distance) == pytest.approx(0.005 * 3**0.5, rel=0.2)
    assert result.suspicious.tolist() == [True]


def test_held_out_motion_is_not_accused() -> None:
    result = find_memorised(HELD_OUT, HELD_OUT, TRAINING)
    assert torch.equal(result.generated.distance, result.held_out.distance)
    assert int(result.suspicious.sum()) <= 1
    assert result.generated.median == result.held_out.median > 0.01


def test_half_a_copy_counts_half() -> None:
    other = walking_pair(80, 30).positions
    half = torch.cat((COPIED.positions[:, :WINDOW_FRAMES], other[:, :WINDOW_FRAMES]), 1)
    both = find_memorised([half, other[:, :WINDOW_FRAMES]], HELD_OUT, TRAINING).generated
    assert float(both.distance[0]) == pytest.approx(float(both.distance[1]) / 2, abs=1e-3)
    assert both.clip[0] == "clip_4"


def brute_force(queries: Tensor, blocks: list[Tensor]) -> Tensor:
    every = torch.cat(blocks)
    apart = (queries[:, None] - every).unflatten(-1, (-1, 3)).norm(dim=-1)
    return apart.square().mean(-1).sqrt().amin(1)


def test_nearest_is_the_smallest_root_mean_square_distance() -> None:
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(5, 12, generator=generator)
    blocks = [torch.randn(count, 12, generator=generator) for count in (4, 0, 7)]
    found = nearest(queries, blocks)
    torch.testing.assert_close(found.distance, brute_force(queries, blocks))
    assert set(found.source.tolist()) <= {0, 2}
    assert nearest(blocks[2], blocks).source.tolist() == [2] * 7


def test_windows_do_not_change_with_place_and_heading() -> None:
    motion = walking_pair(50)
    rows = motion_windows(motion.positions, 10)
    assert rows.shape == (3, 10 * 2 * 22 * 3)
    other = motion_windows(moved(motion, 1.3, (2.0, 0.0, 5.0)).positions, 10)
    torch.testing.assert_close(rows, other, atol=1e-4, rtol=0)
    raised = motion_windows(moved(motion, 0.0, (0.0, 0.5, 0.0)).positions, 10)
    assert float((raised - rows).abs().max()) == pytest.approx(0.5, abs=1e-4)


def test_short_training_clips_are_passed_over() -> None:
    training = [("short", COPIED.positions[:, :10]), *TRAINING]
    seen: list[int] = []
    result = find_memorised([COPIED.positions], HELD_OUT, training, seen.append)
    assert result.generated.clip == ("clip_4",)
    assert seen == list(range(1, len(training) + 1))


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UserError, match="29 frames is too short"):
        find_memorised([COPIED.positions[:, :29]], HELD_OUT, TRAINING)
    with pytest.raises(UserError, match="0 held-out"):
        find_memorised([COPIED.positions], [], TRAINING)
    with pytest.raises(UserError, match="no training clip of 30 frames"):
        find_memorised([COPIED.positions], HELD_OUT, [("short", COPIED.positions[:, :10])])
