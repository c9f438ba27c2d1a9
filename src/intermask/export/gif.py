"""A small moving picture that every chat and every page shows: one view, the caption above."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intermask.errors import MissingExtra
from intermask.export.camera import VIEWS
from intermask.export.captions import CaptionTrack
from intermask.export.scene import Scene
from intermask.files import atomic_path, with_ending
from intermask.motion import Motion

VIEW_SIZE = (320, 320)
"""Pixels (width, height)."""
MAX_RATE = 15.0
"""Pictures a second, at most: GIF counts in hundredths of a second, and files stay small."""

_COLOURS = 128
_SAMPLES = 6  # frames that the colours are chosen from


def render_gif(
    motion: Motion,
    path: str | Path,
    *,
    view_size: tuple[int, int] = VIEW_SIZE,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write ``path`` (``.gif`` is added if missing), a loop in the motion's own time.

    Args:
        motion: what to show.
        path: the file; it is whole or absent.
        view_size: pixels of the view.
        progress: called with (pictures done, pictures) after each picture.

    Raises:
        MissingExtra: what draws is not installed.
    """
    target = with_ending(path, ".gif")
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtra("video", "pillow") from error
    frames, lasts = shown_frames(motion.frames, motion.fps)
    pictures = [Image.fromarray(page) for page in _pages(motion, frames, view_size, progress)]
    step = max(1, len(pictures) // _SAMPLES)
    together = np.concatenate([np.asarray(picture) for picture in pictures[::step]])
    palette = Image.fromarray(together).quantize(_COLOURS, Image.Quantize.FASTOCTREE)
    first, *rest = [
        picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures
    ]
    with atomic_path(target) as temporary:
        first.save(
            temporary, "GIF", save_all=True, append_images=rest, duration=lasts, loop=0,
            optimize=True, disposal=1, comment=motion.caption.encode("utf-8")[:255],
        )  # fmt: skip
    return target


def shown_frames(frames: int, fps: float) -> tuple[list[int], list[int]]:
    """Which frames of a motion are shown, and for how many milliseconds each.

    GIF knows hundredths of a second only: times are rounded so that they do not add up to a drift.
    """
    step = max(1, int(np.ceil(fps / MAX_RATE - 1e-9)))
    chosen = list(range(0, frames, step))
    ends = [min(frame + step, frames) / fps for frame in chosen]
    moments = np.rint(100.0 * np.array([0.0, *ends])).astype(int)
    return chosen, (10 * np.maximum(np.diff(moments), 2)).tolist()


def _pages(
    motion: Motion,
    frames: list[int],
    view_size: tuple[int, int],
    progress: Callable[[int, int], None] | None,
) -> list[NDArray[np.uint8]]:
    track = CaptionTrack(motion, view_size[0], size=18)
    scene = Scene(motion, view_size, VIEWS[:1])
    pages = []
    try:
        for done, frame in enumerate(frames, 1):
            pages.append(np.concatenate((track.strip(frame), scene.image(frame))))
            if progress is not None:
                progress(done, len(frames))
    finally:
        scene.close()
    return pages
