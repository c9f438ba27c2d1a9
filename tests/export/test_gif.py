"""A moving picture that loops in the motion's own time."""

from __future__ import annotations

from pathlib import Path

import pytest

from intermask.export.gif import render_gif, shown_frames
from walking import walking_pair


@pytest.mark.parametrize("fps", [30.0, 24.0, 10.0, 120.0])
def test_time_does_not_drift(fps: float) -> None:
    frames, lasts = shown_frames(101, fps)
    assert len(frames) == len(lasts)
    assert frames[0] == 0 and frames == sorted(set(frames))
    assert sum(lasts) == pytest.approx(1000 * 101 / fps, abs=6)
    assert all(last >= 20 and last % 10 == 0 for last in lasts)


def test_the_picture_moves(tmp_path: Path) -> None:
    pytest.importorskip("vtkmodules")
    image = pytest.importorskip("PIL.Image")
    seen: list[tuple[int, int]] = []
    path = render_gif(
        walking_pair(12),
        tmp_path / "walk",
        view_size=(96, 96),
        progress=lambda done, all_: seen.append((done, all_)),
    )
    assert path.name == "walk.gif" and seen == [(n, 6) for n in range(1, 7)]
    with image.open(path) as picture:
        assert picture.n_frames == 6 and picture.info["loop"] == 0
        assert picture.width == 96 and picture.height > 96
    assert path.stat().st_size < 60_000
