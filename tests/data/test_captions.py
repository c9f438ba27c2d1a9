"""Captions say what the geometry shows, and the same in a mirror with the sides exchanged."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from intermask.data.captions import CaptionStyle, captions_of_clips, salsa_style
from intermask.data.interaction_facts import measure_clip, take_signals
from intermask.errors import UserError
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22, rest_positions

Array = NDArray[np.float64]
FRAMES = 120
REST = rest_positions(MEAN_ADULT_OFFSETS) + np.array([0.0, 0.95, 0.0])
LEFT, RIGHT = SMPL22.index("left_wrist"), SMPL22.index("right_wrist")


def turned(yaw: Array, place: Array) -> Array:
    """A person in the rest pose, yaw (t,) radians to the own left, at place (t, 2) x and z."""
    cosine, sine = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    body = np.empty((len(yaw), 22, 3))
    body[..., 0] = cosine * REST[:, 0] + sine * REST[:, 2] + place[:, None, 0]
    body[..., 1] = REST[:, 1]
    body[..., 2] = -sine * REST[:, 0] + cosine * REST[:, 2] + place[:, None, 1]
    return body


def couple(
    turns: tuple[float, float] = (0.0, 0.0), apart: tuple[float, float] = (0.8, 0.8)
) -> Array:
    """Face to face; each turns by ``turns`` (times, to the left) in the middle of the clip."""
    ramp = np.clip((np.arange(FRAMES) - 30) / 60, 0, 1)
    distance = apart[0] + (apart[1] - apart[0]) * ramp
    zero = np.zeros(FRAMES)
    return np.stack(
        [
            turned(2 * np.pi * turns[0] * ramp, np.stack([zero, zero], -1)),
            turned(np.pi + 2 * np.pi * turns[1] * ramp, np.stack([zero, distance], -1)),
        ]
    )


def join_hands(positions: Array, height: float) -> Array:
    """Bring the lead's left and the follow's right wrist together."""
    result = positions.copy()
    middle = positions[:, :, 0].mean(axis=0)
    for person, wrist in ((0, LEFT), (1, RIGHT)):
        result[person, :, wrist] = middle
        result[person, :, wrist, 1] = height
    return result


def all_captions(positions: Array, key: str = "") -> str:
    lines = []
    for number in range(12):
        lines += captions_of_clips(positions, [(0, FRAMES)], salsa_style(), f"{key}{number}")[0]
    return "\n".join(lines)


def events(positions: Array) -> list[tuple[str, int | None]]:
    facts = measure_clip(take_signals(positions), 0, FRAMES)
    return [(event.kind, event.person) for event in facts.events]


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (1.0, "once to the left"),
        (-1.0, "once to the right"),
        (2.0, "twice to the left"),
        (-1.5, "one and a half times to the right"),
    ],
)
def test_turns_are_counted_with_their_side(times: float, words: str) -> None:
    positions = couple(turns=(0.0, times))
    assert events(positions) == [("turn", 1)]
    text = all_captions(positions)
    assert words in text and "the follow " in text.lower()
    assert "The lead turns" not in text and "raised" not in text


def test_turn_under_raised_hands() -> None:
    text = all_captions(join_hands(couple(turns=(0.0, 1.0)), 1.7))
    assert "under their raised hands" in text or "under a raised arm" in text
    assert "spins the follow once to the left" in text


def test_turning_as_a_couple() -> None:
    """Both turn by the same amount about a common point: that is one event, not two."""
    yaw = 2 * np.pi * np.clip((np.arange(FRAMES) - 30) / 60, 0, 1)
    place = 0.4 * np.stack([np.sin(yaw), np.cos(yaw)], -1)
    positions = np.stack([turned(yaw, -place), turned(yaw + np.pi, place)])
    assert ("couple turn", None) in events(positions)
    assert "turn once to the left together" in all_captions(positions)


def test_coming_together_and_parting() -> None:
    assert events(couple(apart=(2.0, 0.7))) == [("approach", None)]
    assert events(couple(apart=(0.7, 2.0))) == [("part", None)]
    assert "apart" in all_captions(couple(apart=(0.7, 2.0)))


def test_going_down() -> None:
    positions = couple()
    down = 0.4 * np.clip(1 - np.abs(np.arange(FRAMES) - 60) / 20, 0, 1)
    positions[0, ..., 1] -= down[:, None]
    assert ("low", 0) in events(positions)
    assert "and comes up again" in all_captions(positions)


@pytest.mark.parametrize(
    ("hold", "expected"), [(True, "one hand"), (False, "none")], ids=["joined", "free"]
)
def test_hands_and_facing(hold: bool, expected: str) -> None:
    positions = couple(apart=(0.9, 0.9))
    positions = join_hands(positions, 1.1) if hold else positions
    facts = measure_clip(take_signals(positions), 0, FRAMES)
    assert facts.arrangement == "facing" and facts.hold == expected
    assert facts.distance_median == pytest.approx(0.9)


def test_standing_still_is_not_called_dancing_steps() -> None:
    text = all_captions(couple(apart=(2.0, 2.0)))
    assert "stand facing each other" in text and "step back" not in text


def test_mirror_exchanges_the_sides_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    swap = {"left": "right", "right": "left"}
    for times in ((0.0, 1.0), (-1.0, 0.5), (0.0, -2.0)):
        positions = join_hands(couple(turns=times), 1.7)
        positions = positions + rng.normal(0, 1e-4, positions.shape)
        order = list(SMPL22.mirror_order)
        mirrored = positions[:, :, order] * np.array([-1.0, 1.0, 1.0])
        expected = re.sub(r"\b(left|right)\b", lambda m: swap[m[0]], all_captions(positions))
        assert all_captions(mirrored) == expected


def test_exchanged_people_exchange_the_roles() -> None:
    text = all_captions(couple(turns=(1.0, 0.0)))
    assert "lead turns once to the left" in text and "follow turns" not in text


def test_style_without_roles_and_determinism() -> None:
    positions = couple(turns=(0.0, 1.0))
    style = CaptionStyle(activity="wrestle")
    clips = [(0, FRAMES), (10, 110)]
    found = captions_of_clips(positions, clips, style, "a")
    assert found == captions_of_clips(positions, clips, style, "a")
    text = " ".join(" ".join(captions) for captions in found)
    assert "lead" not in text and "wrestle" in text
    for caption in (line for captions in found for line in captions):
        assert caption.endswith(".") and caption[0].isupper() and "  " not in caption
    with pytest.raises(UserError, match="activity"):
        CaptionStyle(activity=" ")
