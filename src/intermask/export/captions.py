"""What stands above a moving picture: the caption, or those of a story's scenes in their time."""

from __future__ import annotations

import numpy as np

from intermask.export.lettering import Image, caption_strip
from intermask.motion import Motion


class CaptionTrack:
    """Caption strips of one height for all frames of a motion.

    Args:
        motion: with a caption, or with several.
        width: of the strips in pixels.
        size: of the letters in pixels.
    """

    def __init__(self, motion: Motion, width: int, size: int = 22) -> None:
        self._motion = motion
        texts = {each.text for each in motion.captions} or {motion.caption}
        strips = {text: caption_strip(text, width, size) for text in texts}
        self.height = max(len(strip) for strip in strips.values())
        self._strips = {text: self._raised(strip) for text, strip in strips.items()}

    def strip(self, frame: int) -> Image:
        """The strip (height, width, 3) above a frame."""
        return self._strips[self._motion.caption_at(frame / self._motion.fps)]

    def _raised(self, strip: Image) -> Image:
        """With paper above it, so that the people's colours stay where they are."""
        missing = self.height - len(strip)
        above = np.broadcast_to(strip[:1, :1], (missing, *strip.shape[1:]))
        return np.concatenate((above, strip))
