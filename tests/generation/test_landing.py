"""Pairs in the air: who comes down, and who may stay there."""

from __future__ import annotations

import torch
from torch import Tensor

from intermask.generation.landing import land

FPS, FRAMES = 30.0, 90
FREE = torch.ones(2, FRAMES)


def raised(heights: Tensor, person: int | None = None) -> Tensor:
    """Two people (2, t, 22, 3) with feet on the floor, both or one lifted by heights (t,)."""
    generator = torch.Generator().manual_seed(0)
    pose = torch.rand(2, 1, 22, 3, generator=generator)
    pose[..., 1] -= pose[..., 1].amin(-1, keepdim=True)
    people = pose.expand(2, len(heights), 22, 3).clone()
    chosen = slice(None) if person is None else slice(person, person + 1)
    people[chosen, ..., 1] += heights[:, None]
    return people


def held_up(first: int, last: int, height: float) -> Tensor:
    """Heights (t,) of somebody who is up from one frame to another, moved there in ten frames."""
    frame = torch.arange(FRAMES)
    rise, fall = (frame - first) / 10, (last - frame) / 10
    return height * torch.minimum(rise, fall).clamp(0.0, 1.0)


def test_a_pair_that_hovers_is_set_down_and_stays_as_it_was_on_each_other() -> None:
    people = raised(held_up(10, 75, 0.2))
    landed = land(people, FREE, FPS, 1.0)
    assert landed[:, 30:55, :, 1].amin((0, 2)).max() < 0.02
    assert landed[..., 1].min() > -1e-6, "nobody sinks"
    torch.testing.assert_close(landed[0] - landed[1], people[0] - people[1])
    torch.testing.assert_close(landed[..., [0, 2]], people[..., [0, 2]])


def test_a_leap_stays() -> None:
    people = raised(held_up(42, 51, 0.2))
    torch.testing.assert_close(land(people, FREE, FPS, 1.0), people)


def test_somebody_lifted_by_the_other_stays_up() -> None:
    people = raised(held_up(10, 75, 0.8), person=1)
    torch.testing.assert_close(land(people, FREE, FPS, 1.0), people)


def test_somebody_a_hands_breadth_off_the_floor_is_not_carried() -> None:
    people = raised(held_up(10, 75, 0.06), person=1)
    landed = land(people, FREE, FPS, 1.0)
    assert landed[1, 30:55, :, 1].amin(-1).max() < 0.031
    torch.testing.assert_close(landed[0], people[0])


def test_frames_that_must_stay_do_not_move_and_a_pair_moves_together() -> None:
    people = raised(torch.full((FRAMES,), 0.1))
    change = FREE.clone()
    change[0, :40] = 0.0
    landed = land(people, change, FPS, 1.0)
    torch.testing.assert_close(landed[:, :40], people[:, :40])
    assert landed[:, 40:, :, 1].amin((0, 2)).max() < 0.02


def test_clips_shorter_than_a_leap_can_land() -> None:
    landed = land(raised(torch.full((5,), 0.1)), torch.ones(2, 5), FPS, 1.0)
    assert landed[..., 1].min().item() < 0.02


def test_nobody_comes_down_by_more_than_the_limit() -> None:
    people = raised(torch.full((FRAMES,), 0.5))
    torch.testing.assert_close(land(people, FREE, FPS, 0.3)[..., 1], people[..., 1] - 0.3)
