"""How a story is made: which window of motion follows which, and what it starts from.

A model makes a few seconds at once. A story is made window by window: each knows the last frames of
what there is, its overlap, and adds new ones. What a window is depends on the scenes up to it and
on nothing behind it, so that a story which goes on begins in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from intermask.conventions import MIN_FRAMES
from intermask.errors import UserError
from intermask.generation.drafts import mixed_seed
from intermask.generation.story_script import StoryScene
from intermask.motion import FPS, Caption

OVERLAP_FRAMES = 36
"""Most frames that a window knows of what is there already."""
AHEAD_FRAMES = 8
"""Frames that are made behind the end of a window and left out: the last frames of a clip do not
know where they go."""


@dataclass(frozen=True)
class Window:
    """One step of a story."""

    scene: int
    """The scene's number, from 1 on."""
    text: str
    seed: int
    start: int
    """Frame of the story at which the new frames begin."""
    frames: int
    """How many are new."""
    overlap: int
    """Frames before them that are known: whole token columns."""
    ahead: int
    """Frames behind them that are made and left out."""

    @property
    def made(self) -> int:
        """Frames of the motion that the model makes, known ones included."""
        return self.overlap + self.frames + self.ahead


@dataclass(frozen=True)
class StoryPlan:
    """All windows of a story, and when what happens."""

    windows: tuple[Window, ...]
    captions: tuple[Caption, ...]
    """One a scene."""

    @property
    def frames(self) -> int:
        """Frames of the whole story."""
        return sum(window.frames for window in self.windows)


def plan_story(
    scenes: Sequence[StoryScene],
    seconds: Sequence[float],
    seed: int,
    max_frames: int,
    stride: int,
) -> StoryPlan:
    """Windows of a story.

    A scene that is longer than what a model makes beside an overlap is cut into parts of one
    length, each made from the same sentence.

    Args:
        scenes: at least one.
        seconds: how long each of them lasts.
        seed: decides all scenes without a seed of their own.
        max_frames: of the longest motion that the model makes.
        stride: frames a token column.

    Raises:
        UserError: a scene is too short, or the model makes too little at once.
    """
    if max_frames < OVERLAP_FRAMES + 2 * MIN_FRAMES:
        raise UserError(
            f"this model makes motions of at most {max_frames / FPS:g} seconds; stories need one "
            f"that makes {(OVERLAP_FRAMES + 2 * MIN_FRAMES) / FPS:g} or more"
        )
    windows: list[Window] = []
    captions: list[Caption] = []
    start = 0
    for number, (scene, length) in enumerate(zip(scenes, seconds, strict=True), start=1):
        frames = round(length * FPS)
        if frames < MIN_FRAMES:
            raise UserError(
                f"scene {number} lasts {length:g} seconds; a scene lasts {MIN_FRAMES / FPS:g} or "
                "more"
            )
        captions.append(Caption(scene.text, start / FPS, (start + frames) / FPS))
        parts = _parts(frames, start, max_frames)
        for part, size in enumerate(parts):
            overlap = min(OVERLAP_FRAMES, start) // stride * stride
            ahead = min(AHEAD_FRAMES, max_frames - overlap - size)
            own = (seed, number, part) if scene.seed is None else (scene.seed, part)
            windows.append(
                Window(number, scene.text, mixed_seed(*own), start, size, overlap, ahead)
            )
            start += size
    return StoryPlan(tuple(windows), tuple(captions))


def _parts(frames: int, start: int, max_frames: int) -> list[int]:
    """Frames of the windows of one scene, as alike as can be."""
    most = max_frames - (OVERLAP_FRAMES if start or frames > max_frames else 0)
    count = math.ceil(frames / most)
    return [(part + 1) * frames // count - part * frames // count for part in range(count)]
