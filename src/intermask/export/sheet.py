"""A contact sheet: a motion at a glance, as one PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intermask.errors import MissingExtra
from intermask.export.camera import VIEWS
from intermask.export.lettering import caption_strip, centred_label
from intermask.export.scene import Scene
from intermask.files import atomic_path, with_ending
from intermask.motion import Motion

TILE_SIZE = (270, 330)
"""Pixels (width, height) of one frame in one view."""

_GAP = 3
_PAPER = 250


def render_sheet(
    motion: Motion,
    path: str | Path,
    *,
    frames: int = 8,
    tile_size: tuple[int, int] = TILE_SIZE,
) -> Path:
    """Write ``path`` (``.png`` is added if missing): evenly spaced frames, one row a view.

    The first and the last frame are among them; times stand below, the caption above.

    Args:
        motion: what to show.
        path: the file; it is whole or absent.
        frames: pictures in a row; a shorter motion shows all of its frames.
        tile_size: pixels of one picture.
    """
    if frames < 1:
        raise ValueError(f"a contact sheet of {frames} frames was asked for; expected at least 1")
    target = with_ending(path, ".png")
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtra("video", "pillow") from error
    page = sheet_image(motion, frames, tile_size)
    with atomic_path(target) as temporary:
        Image.fromarray(page).save(temporary, optimize=True)
    return target


def sheet_image(motion: Motion, frames: int, tile_size: tuple[int, int]) -> NDArray[np.uint8]:
    """The sheet as a picture (h, w, 3), 8-bit RGB."""
    count = min(frames, motion.frames)
    chosen = np.linspace(0, motion.frames - 1, count).round().astype(int)
    width, height = tile_size
    scene = Scene(motion, tile_size, oversampling=2)
    try:
        pictures = [scene.image(int(frame)) for frame in chosen]
    finally:
        scene.close()
    rows = []
    for view in range(len(VIEWS)):
        tiles = [picture[:, view * width : (view + 1) * width] for picture in pictures]
        rows.append(_beside(tiles, height))
    times = [centred_label(f"{frame / motion.fps:.2f} s", width, 26) for frame in chosen]
    rows.append(_beside(times, 26))
    full = rows[0].shape[1]
    gap = np.full((_GAP, full, 3), _PAPER, dtype=np.uint8)
    caption = caption_strip(motion.caption, full)
    return np.concatenate((caption, rows[0], gap, *rows[1:]))


def _beside(tiles: list[NDArray[np.uint8]], height: int) -> NDArray[np.uint8]:
    gap = np.full((height, _GAP, 3), _PAPER, dtype=np.uint8)
    row = [part for tile in tiles for part in (tile, gap)]
    return np.concatenate(row[:-1], 1)
