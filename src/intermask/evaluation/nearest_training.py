"""The row of a report that says whether a model recites: how near its motions are to training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from intermask.data.batching import ClipEncoder
from intermask.errors import UserError
from intermask.evaluation.clips import EvaluationClip
from intermask.evaluation.memorisation import WINDOW_FRAMES, find_memorised
from intermask.evaluation.physical_rows import Joints
from intermask.evaluation.real_motion import Folder, open_dataset, read_clip

COMPARED = 100
"""Motions that are compared, evenly spread; more change the figures little."""
NAMED = 5
"""Motions nearest to training that are named."""


@dataclass(frozen=True)
class TrainingClips:
    """Clips of the split ``train`` of datasets, placed as a model's motion is."""

    folders: tuple[Folder, ...]
    encode: ClipEncoder
    joints: Joints

    @staticmethod
    def of(roots: Sequence[Path], encode: ClipEncoder, joints: Joints) -> TrainingClips:
        """Of those of the folders that have such a split."""
        folders = (open_dataset(root) for root in roots)
        return TrainingClips(tuple(each for each in folders if _has_train(each)), encode, joints)

    def __len__(self) -> int:
        return sum(len(folder.names("train")) for folder in self.folders)

    def positions(self) -> Iterator[tuple[str, Tensor]]:
        """Names and positions (2, t, 22, 3) of every clip."""
        for folder in self.folders:
            for name in folder.names("train"):
                try:
                    loaded = read_clip(folder, name, "train").loaded
                except (FileNotFoundError, UserError):
                    continue  # training left it out, too
                yield f"{folder.root.resolve().name}/{name}", self.joints(self.encode(loaded))


def comparable(clips: Sequence[EvaluationClip]) -> list[EvaluationClip]:
    """At most `COMPARED` clips that are long enough to be compared."""
    long = [clip for clip in clips if clip.frames >= WINDOW_FRAMES]
    return long[:: max(1, -(-len(long) // COMPARED))]


def nearest_training(
    clips: Sequence[EvaluationClip],
    made: Sequence[Tensor],
    training: TrainingClips,
    device: torch.device,
    progress: Callable[[int, int], None],
) -> dict[str, Any] | None:
    """Distances of made motions and of real clips to training clips, as a report holds them.

    Args:
        clips: that the model has not seen.
        made: positions (2, t, 22, 3) of the motion that was made for each of them.
        training: what it has seen.
        device: where distances are computed.
        progress: called with training clips done and training clips in all.

    Returns:
        None where there is nothing to compare.
    """
    if not clips or not len(training):
        return None
    result = find_memorised(
        [each.to(device) for each in made],
        [training.joints(clip.features).to(device) for clip in clips],
        training.positions(),
        lambda done: progress(done, len(training)),
    )
    order = result.generated.distance.argsort().tolist()[:NAMED]
    return {
        "clips": len(clips),
        "generated_median_m": result.generated.median,
        "held_out_median_m": result.held_out.median,
        "threshold_m": result.threshold,
        "suspicious": int(result.suspicious.sum()),
        "nearest": [
            f"{clips[number].name}: {100 * float(result.generated.distance[number]):.1f} cm from "
            f"{result.generated.clip[number]}"
            for number in order
        ],
    }


def _has_train(folder: Folder) -> bool:
    try:
        return bool(folder.names("train"))
    except FileNotFoundError:
        return False
