"""How near generated motions are to the nearest training clip, beside how near held-out clips are.

A model that has learnt to move people makes motion that is as far from its training data as real
motion that it has not seen. One that recites is nearer. Motions are compared second by second, as
joint positions of both people, wherever in the world they are; a copy in a mirror, or with the
people exchanged, is a copy, since training shows clips in these versions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from intermask.errors import UserError
from intermask.geometry import facing_direction
from intermask.skeleton import SMPL22

WINDOW_FRAMES = 30
"""Frames that are compared at once: a second."""

EVERY = 3
"""Every how many frames of a window are looked at."""

LOW_QUANTILE = 0.05
"""Share of held-out clips that are nearer than what counts as suspiciously near."""


@dataclass(frozen=True)
class Nearest:
    """For each of m queries, the reference that is most like it."""

    distance: Tensor
    """(m) root mean square distance of joints, metres."""
    source: Tensor
    """(m) number of the block of references that holds it."""


@dataclass(frozen=True)
class ClipDistances:
    """How near each of several motions is to training clips."""

    distance: Tensor
    """(motions) metres: mean over its seconds of the distance to the nearest second of training."""
    clip: tuple[str, ...]
    """The training clip that holds the nearest of these seconds."""

    @property
    def median(self) -> float:
        """Of the motions' distances, metres."""
        return float(self.distance.quantile(0.5))


@dataclass(frozen=True)
class Memorisation:
    """Distances to the nearest training clip."""

    generated: ClipDistances
    held_out: ClipDistances

    @property
    def threshold(self) -> float:
        """Metres; only `LOW_QUANTILE` of held-out clips are nearer to a training clip."""
        return float(self.held_out.distance.quantile(LOW_QUANTILE))

    @property
    def suspicious(self) -> Tensor:
        """(generated) whether a motion is nearer than the `threshold`."""
        return self.generated.distance < self.threshold


def find_memorised(
    generated: Sequence[Tensor],
    held_out: Sequence[Tensor],
    training: Iterable[tuple[str, Tensor]],
    progress: Callable[[int], None] | None = None,
) -> Memorisation:
    """Compare motions and held-out clips with every training clip.

    Training clips are looked at one by one, at every frame, and need not fit into memory.

    Args:
        generated: positions (2, t, 22, 3) of each motion, metres, y up, 30 fps.
        held_out: the same of real clips that the model was not trained on.
        training: names and positions of training clips; shorter ones than a second are passed over.
        progress: called with the number of training clips that were looked at.

    Raises:
        UserError: a motion is shorter than a second, or there is nothing to compare.
    """
    if not generated or not held_out:
        raise UserError(
            f"{len(generated)} motions and {len(held_out)} held-out clips were given; "
            "both are needed, for a distance means something only beside the other"
        )
    names: list[str] = []
    queries = [_query_windows(motion) for motion in (*generated, *held_out)]
    found = nearest(torch.cat(queries), _blocks(training, names, progress))
    distances = found.distance.split([len(each) for each in queries])
    sources = found.source.split([len(each) for each in queries])
    means, clips = [], []
    for each, source in zip(distances, sources, strict=True):
        best, version = each.unflatten(0, (4, -1)).min(0)
        window = int(best.argmin())
        means.append(best.mean())
        clips.append(names[int(source.unflatten(0, (4, -1))[version[window], window])])
    count = len(generated)
    return Memorisation(
        ClipDistances(torch.stack(means[:count]), tuple(clips[:count])),
        ClipDistances(torch.stack(means[count:]), tuple(clips[count:])),
    )


def motion_windows(positions: Tensor, stride: int = 1) -> Tensor:
    """Seconds of a motion as rows (w, 10 · 2 · 22 · 3), metres, to be compared by distance.

    Each is moved so that the two people's mean pelvis is at the horizontal origin and turned so
    that person 1 faces +z on average; heights stay.

    Args:
        positions: (2, t, 22, 3) metres, y up.
        stride: frames from the start of one second to the start of the next.
    """
    frames = positions.float().unfold(1, WINDOW_FRAMES, stride)[..., ::EVERY]
    windows = rearrange(frames, "p w j xyz t -> w t p j xyz")
    ground = windows.new_tensor((1.0, 0.0, 1.0))
    centre = windows[..., 0, :].mean((1, 2)) * ground
    ahead = functional.normalize(facing_direction(windows[:, :, 0]).mean(1), dim=-1)
    left = torch.stack((ahead[:, 2], torch.zeros_like(ahead[:, 0]), -ahead[:, 0]), -1)
    up = torch.tensor((0.0, 1.0, 0.0)).to(left).expand_as(left)
    axes = torch.stack((left, up, ahead), -1)  # columns: what becomes x, y and z
    centred = windows - centre[:, None, None, None, :]
    return (centred.flatten(1, 3) @ axes).flatten(1)


def nearest(queries: Tensor, references: Iterable[Tensor]) -> Nearest:
    """The nearest of all references for each query, block by block.

    Args:
        queries: (m, f) rows of `motion_windows`.
        references: blocks (n, f) of such rows; an empty block is passed over but counted.

    Raises:
        UserError: no block has a row.
    """
    squares = queries.new_full((len(queries),), torch.inf)
    source = torch.full((len(queries),), -1, device=queries.device)
    sizes = queries.square().sum(1)
    for number, block in enumerate(references):
        if not len(block):
            continue
        block = block.to(queries)
        smallest = (block.square().sum(1) - 2 * queries @ block.T).amin(1) + sizes
        nearer = smallest < squares
        squares = torch.where(nearer, smallest, squares)
        source = torch.where(nearer, torch.full_like(source, number), source)
    if bool((source < 0).any()):
        raise UserError(
            f"there is no training clip of {WINDOW_FRAMES} frames or more to compare with"
        )
    joints = queries.shape[1] / 3
    return Nearest((squares.clamp_min(0.0) / joints).sqrt(), source)


def _query_windows(positions: Tensor) -> Tensor:
    """Seconds (4 · w, f) of a motion, one after the other, in each of its versions."""
    frames = positions.shape[1]
    if frames < WINDOW_FRAMES:
        raise UserError(
            f"a motion of {frames} frames is too short to be compared; "
            f"{WINDOW_FRAMES} frames (a second) or more are needed"
        )
    body = positions[:, :, : SMPL22.joint_count]
    mirrored = body[:, :, list(SMPL22.mirror_order)] * body.new_tensor((-1.0, 1.0, 1.0))
    versions = (body, body.flip(0), mirrored, mirrored.flip(0))
    return torch.cat([motion_windows(version, WINDOW_FRAMES) for version in versions])


def _blocks(
    training: Iterable[tuple[str, Tensor]],
    names: list[str],
    progress: Callable[[int], None] | None,
) -> Iterable[Tensor]:
    """Seconds of each training clip from every frame on; ``names`` collects the clips' names."""
    for name, positions in training:
        names.append(name)
        if positions.shape[1] >= WINDOW_FRAMES:
            yield motion_windows(positions)
        else:
            yield positions.new_zeros(0, 1)
        if progress is not None:
            progress(len(names))
