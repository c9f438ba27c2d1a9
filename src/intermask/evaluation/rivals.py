"""Motions of other methods, given as folders of motion files, scored beside a model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from intermask.conventions import FloorRule
from intermask.errors import UserError
from intermask.evaluation.clips import FRAME_MULTIPLE, EvaluationClip
from intermask.evaluation.evaluators.evaluator import Evaluator
from intermask.evaluation.physical_rows import Bodies
from intermask.evaluation.store import Store
from intermask.evaluation.terms import REFERENCE_ROWS
from intermask.generation.smplx_scenes import given_pose
from intermask.generation.world import place_given
from intermask.motion import FPS, Motion, SMPLXMotion
from intermask.skeleton import SMPLX55

_AT_ONCE = 32


@dataclass(frozen=True)
class RivalFiles:
    """One folder of motions: ``NAME.npz`` for the clip ``NAME``."""

    name: str
    folder: Path

    @staticmethod
    def parse(text: str, taken: Sequence[str] = ()) -> RivalFiles:
        """``NAME=DIR``.

        Args:
            text: as given.
            taken: names of other rows.

        Raises:
            UserError: another form, a name that is taken or no name of a file, or no folder.
        """
        name, equal, folder = text.partition("=")
        if not equal or not re.fullmatch(r"[\w][\w .+-]*", name):
            raise UserError(
                f"--rival {text} is no rival; write NAME=DIR, the name of letters and digits"
            )
        if name in (*REFERENCE_ROWS, *taken):
            raise UserError(f"the row {name!r} is there already; give the rival another name")
        if not Path(folder).is_dir():
            raise UserError(f"there is no folder {folder} of the rival {name}")
        return RivalFiles(name, Path(folder))

    def path(self, clip: EvaluationClip) -> Path:
        """The file of a clip."""
        return self.folder / f"{clip.name}.npz"

    def missing(self, clips: Sequence[EvaluationClip]) -> list[str]:
        """Names of clips without a file."""
        return [clip.name for clip in clips if not self.path(clip).is_file()]

    def motion(
        self, clip: EvaluationClip, evaluator: Evaluator, floor: FloorRule
    ) -> tuple[Tensor, int]:
        """Features (2, t, f) of a clip's file, and which caption it was made from (-1: unknown).

        Args:
            clip: whose file is read.
            evaluator: whose features are wanted.
            floor: the model's rule; Inter-X has none.

        Raises:
            UserError: a file that is no motion of two people at 30 fps, one that is too short, or
                one without the hands that Inter-X's evaluator reads.
        """
        path = self.path(clip)
        motion = Motion.load(path)
        if motion.fps != FPS or motion.frames < FRAME_MULTIPLE:
            raise UserError(
                f"{path} has {motion.frames} frames at {motion.fps:g} fps; expected "
                f"{clip.frames} at {FPS:g} fps"
            )
        features = (
            _with_hands(motion, path) if evaluator.dataset == "interx" else _body(motion, floor)
        )
        frames = min(motion.frames, clip.frames)
        caption = motion.caption.strip()
        return (
            features[:, : frames // FRAME_MULTIPLE * FRAME_MULTIPLE],
            clip.captions.index(caption) if caption in clip.captions else -1,
        )


@dataclass(frozen=True)
class Rival:
    """Embeddings of a rival's motions of m clips."""

    name: str
    present: Tensor
    """(m) bool."""
    motions: Tensor
    """(m, q); zero where absent."""
    captions: Tensor
    """(m) which caption each motion was made from; -1: unknown."""
    physics: Tensor | None
    """(m, metrics) rows of `Bodies.rows`."""
    notes: list[str]
    """What the reader should know, a sentence each."""


def check_rival(files: RivalFiles, clips: Sequence[EvaluationClip], pool: int) -> None:
    """Say before long work that a rival cannot be scored.

    Raises:
        UserError: too few motions to fill a pool.
    """
    missing = files.missing(clips)
    if len(clips) - len(missing) < pool:
        raise UserError(
            f"{files.folder} has motions of {len(clips) - len(missing)} of {len(clips)} clips, "
            f"which do not fill a pool of {pool}; {_named(missing)} missing"
        )


def read_rival(
    files: RivalFiles,
    clips: Sequence[EvaluationClip],
    floor: FloorRule,
    evaluator: Evaluator,
    store: Store,
    bodies: Bodies | None,
) -> Rival:
    """Embed a rival's motions, or read what was stored for the same files.

    Raises:
        UserError: an unusable file.
    """
    missing = files.missing(clips)
    present = [clip for clip in clips if files.path(clip).is_file()]
    name = f"rivals/{files.name}-{_fingerprint([files.path(clip) for clip in present])}"
    if not store.has(name):
        _embed(files, clips, floor, evaluator, store, name, bodies)
    found = store.load(name)
    notes = []
    if missing:
        notes.append(f"{files.name} is scored without {_named(missing)}")
    odd = int(found["odd"].sum())
    if odd:
        notes.append(f"{odd} motions of {files.name} have another length than their clip")
    return Rival(
        files.name,
        found["present"],
        found["motions"],
        found["captions"],
        found.get("physics"),
        notes,
    )


def _embed(
    files: RivalFiles,
    clips: Sequence[EvaluationClip],
    floor: FloorRule,
    evaluator: Evaluator,
    store: Store,
    name: str,
    bodies: Bodies | None,
) -> None:
    numbers = [number for number, clip in enumerate(clips) if files.path(clip).is_file()]
    found: dict[str, Tensor] = {
        "present": torch.zeros(len(clips), dtype=torch.bool),
        "odd": torch.zeros(len(clips), dtype=torch.bool),
        "captions": torch.full((len(clips),), -1),
    }
    for begin in range(0, len(numbers), _AT_ONCE):
        chosen = numbers[begin : begin + _AT_ONCE]
        read = [files.motion(clips[number], evaluator, floor) for number in chosen]
        features = [each for each, _ in read]
        rows = {"motions": evaluator.embed_motions(features)}
        if bodies is not None:
            rows["physics"] = bodies.rows(features)
        for key, values in rows.items():
            if key not in found:
                found[key] = values.new_zeros(len(clips), *values.shape[1:])
            found[key][chosen] = values
        found["present"][chosen] = True
        found["captions"][chosen] = torch.tensor([caption for _, caption in read])
        found["odd"][chosen] = torch.tensor(
            [
                each.shape[1] != clips[number].frames
                for each, number in zip(features, chosen, strict=True)
            ]
        )
    store.save(name, found)


def _body(motion: Motion, floor: FloorRule) -> Tensor:
    """Features (2, t, 262) of the body of a motion, placed as clips are."""
    body = motion.body if isinstance(motion, SMPLXMotion) else motion
    kept = torch.ones(2, body.frames, dtype=torch.bool)
    return place_given(body, kept, floor, FRAME_MULTIPLE).features


def _with_hands(motion: Motion, path: Path) -> Tensor:
    """Features (2, t, 336) of a motion of SMPL-X, where it stands."""
    if not isinstance(motion, SMPLXMotion):
        raise UserError(
            f"{path} has {motion.skeleton.joint_count} joints; Inter-X's evaluator reads the "
            f"{SMPLX55.joint_count} of SMPL-X, with hands"
        )
    return given_pose(motion, FRAME_MULTIPLE).features


def _fingerprint(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _named(names: Sequence[str]) -> str:
    """Some names, and how many more."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
