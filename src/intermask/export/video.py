"""Render a motion as an MP4: two solid bodies from two sides, with the caption above."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intermask.errors import MissingExtra
from intermask.export.captions import CaptionTrack
from intermask.export.lettering import corner_label
from intermask.export.scene import Scene
from intermask.files import atomic_path, with_ending
from intermask.motion import Motion

VIEW_SIZE = (448, 448)
"""Pixels (width, height) of each of the two views."""


def render_mp4(
    motion: Motion,
    path: str | Path,
    *,
    view_size: tuple[int, int] = VIEW_SIZE,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write ``path`` (``.mp4`` is added if missing) at the motion's frame rate; return the path.

    Two views side by side follow the pair; the caption, of a story that of the scene, stands above
    and wraps, the time is in the corner. H.264 in yuv420p, which browsers and editors play.

    Args:
        motion: what to show.
        path: the file; it is whole or absent.
        view_size: pixels of one view; even numbers.
        progress: called with (frames done, frames) after each frame.
    """
    target = with_ending(path, ".mp4")
    if view_size[0] < 16 or view_size[1] < 16 or view_size[0] % 2 or view_size[1] % 2:
        raise ValueError(f"view_size is {view_size}; expected even numbers of at least 16 pixels")
    try:
        from imageio_ffmpeg import write_frames
    except ImportError as error:
        raise MissingExtra("video", "imageio-ffmpeg") from error
    track = CaptionTrack(motion, 2 * view_size[0])
    scene = Scene(motion, view_size)
    try:
        size = (2 * view_size[0], view_size[1] + track.height)
        with atomic_path(target) as temporary:
            writer = write_frames(
                str(temporary),
                size,
                fps=motion.fps,
                codec="libx264",
                quality=None,
                macro_block_size=2,
                output_params=["-crf", "19", "-preset", "veryfast", "-movflags", "+faststart"],
                ffmpeg_log_level="error",
            )
            writer.send(None)
            for frame in range(motion.frames):
                writer.send(_page(scene.image(frame), track.strip(frame), frame / motion.fps))
                if progress is not None:
                    progress(frame + 1, motion.frames)
            writer.close()
    finally:
        scene.close()
    return target


def _page(picture: NDArray[np.uint8], strip: NDArray[np.uint8], time: float) -> bytes:
    """One frame of the video as raw RGB."""
    labelled = corner_label(picture, f"{time:.1f} s")
    middle = labelled.shape[1] // 2
    labelled[:, middle - 1 : middle + 1] = strip[0, 0]  # parts the views
    return np.ascontiguousarray(np.concatenate((strip, labelled))).tobytes()
