"""Above a moving picture stands what happens at the time, and the picture does not jump for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("PIL")

from intermask.export.captions import CaptionTrack
from intermask.export.lettering import caption_strip
from intermask.motion import Caption
from walking import walking_pair


def test_scenes_take_turns_in_strips_of_one_height() -> None:
    short, long = "They bow.", "They turn around each other once, slowly, and once more. " * 2
    scenes = (Caption(short, 0.0, 0.5), Caption(long, 0.5, 1.0))
    track = CaptionTrack(replace(walking_pair(30), captions=scenes), 400)
    first, last = track.strip(14), track.strip(15)
    assert first.shape == last.shape == (track.height, 400, 3)
    assert track.height % 2 == 0
    assert np.array_equal(last, caption_strip(long, 400))
    alone = caption_strip(short, 400)
    assert np.array_equal(first[-len(alone) :], alone)
    assert (first[: -len(alone)] == first[0, 0]).all()


def test_one_caption_stands_throughout() -> None:
    walk = walking_pair(30)
    track = CaptionTrack(walk, 400)
    assert np.array_equal(track.strip(29), caption_strip(walk.caption, 400))
