"""The lengths that come with padded motions."""

from __future__ import annotations

import torch
from torch import Tensor


def checked_lengths(lengths: Tensor, motions: Tensor, shortest: int = 1) -> Tensor:
    """The lengths (b,) in frames on the device of the motions (b, p, t, f), one for each.

    Raises:
        ValueError: another number of lengths, or one that is no number of frames of these motions.
    """
    batch, frames = motions.shape[0], motions.shape[2]
    if lengths.shape != (batch,) or lengths.is_floating_point():
        raise ValueError(
            f"expected {batch} whole numbers as lengths, one for each motion; got shape "
            f"{tuple(lengths.shape)} of {lengths.dtype}"
        )
    if batch and not shortest <= int(lengths.min()) <= int(lengths.max()) <= frames:
        raise ValueError(
            f"lengths must lie in {shortest}..{frames} frames; got {int(lengths.min())}.."
            f"{int(lengths.max())}: leave shorter clips out, and pad the batch to its longest"
        )
    return lengths.to(motions.device)


def within(lengths: Tensor, frames: int) -> Tensor:
    """Which frames (b, frames) lie before the ends (b,) of their motions."""
    return torch.arange(frames, device=lengths.device) < lengths[:, None]
