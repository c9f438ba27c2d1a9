"""Laws of two-bone limbs: lengths kept, targets reached, floor and smoothness respected."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from intermask.data.limbs import calm_limbs, smooth_in_time, turned_up, two_bone
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22, rest_positions


def test_two_bone_keeps_lengths_and_reaches() -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(200, 3, generator=generator, dtype=torch.float64)
    aim = torch.nn.functional.normalize(torch.randn(200, 3, generator=generator), dim=-1).double()
    distance = torch.linspace(0.25, 0.9, 200, dtype=torch.float64)[:, None]
    pole = torch.randn(200, 3, generator=generator, dtype=torch.float64)
    middle, end = two_bone(start, start + distance * aim, pole, 0.4, 0.35)
    assert (middle - start).norm(dim=-1).sub(0.4).abs().max() < 1e-9
    assert (end - middle).norm(dim=-1).sub(0.35).abs().max() < 1e-9
    near = (distance[:, 0] < 0.73) & (distance[:, 0] > 0.2)
    assert (end - start - distance * aim).norm(dim=-1)[near].max() < 1e-9
    assert bool((((middle - start) * pole).sum(-1) - ((middle - start) * aim).sum(-1)
                 * (pole * aim).sum(-1) > 0).all())  # fmt: skip


def test_turned_up_lifts_only_what_is_low() -> None:
    start = torch.tensor([[0.0, 0.3, 0.0], [0.0, 0.3, 0.0]])
    end = torch.tensor([[0.2, -0.1, 0.2], [0.2, 0.4, 0.2]])
    lifted = turned_up(start, end, torch.tensor([0.05, 0.05]))
    assert lifted[0, 1] == pytest.approx(0.05)
    assert float((lifted[0] - start[0]).norm()) == pytest.approx(float((end[0] - start[0]).norm()))
    torch.testing.assert_close(lifted[1], end[1])


def test_smooth_in_time_keeps_constants_and_shapes() -> None:
    values = torch.full((2, 9, 4, 3), 1.5)
    torch.testing.assert_close(smooth_in_time(values, 2.0), values)
    assert smooth_in_time(torch.randn(1, 50, 2), 2.0).shape == (1, 50, 2)


def test_calm_limbs_removes_a_pop_and_leaves_the_rest() -> None:
    sway = torch.linspace(0, 6.0, 60, dtype=torch.float64).sin()[None, :, None, None]
    positions = torch.from_numpy(rest_positions(MEAN_ADULT_OFFSETS)).expand(2, 60, 22, 3)
    positions = positions + 0.1 * sway
    popped = positions.clone()
    popped[0, 30, SMPL22.index("left_elbow")] += 0.1
    calm = calm_limbs(
        popped, torch.from_numpy(np.array(MEAN_ADULT_OFFSETS)).norm(dim=-1), 30.0, positions
    )
    elbow = SMPL22.index("left_elbow")
    assert (calm - positions)[0, 30, elbow].norm() < 0.05
    torch.testing.assert_close(calm[1], positions[1], atol=1e-9, rtol=0)
    torch.testing.assert_close(calm[0, :10], positions[0, :10], atol=1e-9, rtol=0)
