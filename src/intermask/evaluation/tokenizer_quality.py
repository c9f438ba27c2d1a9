"""What a tokenizer loses: real clips through tokens and back.

Errors of joints are means over joints, frames and people of all clips, each frame counting once,
as in the validation of training (`training.tokenizer_stage.reconstruction_error`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from intermask.config import TokenizerConfig
from intermask.conventions import FloorRule
from intermask.errors import UserError
from intermask.evaluation import metrics
from intermask.evaluation.clips import EvaluationClip
from intermask.evaluation.evaluators.evaluator import Evaluator
from intermask.generation.coding import FeatureCoder
from intermask.kinematics import joint_errors
from intermask.models.quantizer import perplexity
from intermask.motion import FPS
from intermask.smplx import BODY_MODEL, find_body_model, load_rest_body
from intermask.training.representations import Representation, representation_of

MM = 1000.0
WORST_CLIPS = 5
"""Clips that are named."""

_AT_ONCE = 32

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ClipQuality:
    """What was lost of one clip; means over its joints, frames and people."""

    name: str
    frames: int
    mpjpe_mm: float
    """Of joints in the world."""
    local_mpjpe_mm: float
    """Relative to the pelvis."""
    acceleration_error: float
    """Length of the difference of accelerations, m/s²; NaN of fewer than three frames."""


@dataclass(frozen=True)
class CodeUse:
    """How many of a codebook's codes are in use."""

    codes: int
    """In the codebook."""
    used: int
    """That were taken at least once."""
    perplexity: float
    """As many codes, taken equally often, would carry as much."""

    @classmethod
    def of(cls, tokens: Tensor, codes: int) -> CodeUse:
        """Of tokens of any shape."""
        counts = torch.bincount(tokens.flatten(), minlength=codes)
        return cls(codes, int((counts > 0).sum()), float(perplexity(counts)))

    @property
    def share(self) -> float:
        """Of codes that were taken at least once."""
        return self.used / self.codes


@dataclass(frozen=True)
class TokenizerReport:
    """How well a tokenizer reconstructs clips."""

    clips: tuple[ClipQuality, ...]
    world_mm: Tensor
    """(j) mean error of each joint in the world, millimetres."""
    local_mm: Tensor
    """(j) the same relative to the pelvis."""
    fid: float | None
    """Between real motion and its reconstruction; None without an evaluator."""
    use: CodeUse
    use_by_row: tuple[CodeUse, ...]
    """Rows of the token map, from the first."""
    joint_names: tuple[str, ...]

    @property
    def worst(self) -> list[ClipQuality]:
        """Clips with the largest error in the world, the worst first."""
        return sorted(self.clips, key=lambda clip: -clip.mpjpe_mm)[:WORST_CLIPS]

    def mean(self, key: str) -> float:
        """Mean over frames of a number of `ClipQuality`."""
        pairs = [(clip.frames, getattr(clip, key)) for clip in self.clips]
        known = [(frames, value) for frames, value in pairs if not math.isnan(value)]
        total = sum(frames for frames, _ in known)
        return math.fsum(frames * value for frames, value in known) / total if total else math.nan

    def numbers(self) -> dict[str, Any]:
        """What a report of a whole model says of its tokenizer."""
        return {
            "clips": len(self.clips),
            "frames": sum(clip.frames for clip in self.clips),
            "reconstruction_fid": self.fid,
            "mpjpe_mm": self.mean("mpjpe_mm"),
            "local_mpjpe_mm": self.mean("local_mpjpe_mm"),
            "acceleration_error": _or_none(self.mean("acceleration_error")),
            "codes": self.use.codes,
            "codes_used": self.use.share,
            "perplexity": self.use.perplexity,
            "codes_taken_by_row": [use.used for use in self.use_by_row],
            "perplexity_by_row": [use.perplexity for use in self.use_by_row],
            "worst_clips": [f"{clip.name} ({clip.mpjpe_mm:.1f} mm)" for clip in self.worst],
        }

    def as_json(self) -> dict[str, Any]:
        """All numbers, those of every joint and every clip as well."""
        joints = zip(self.joint_names, self.world_mm.tolist(), self.local_mm.tolist(), strict=True)
        return {
            **self.numbers(),
            "joints": {
                name: {"mpjpe_mm": world, "local_mpjpe_mm": local} for name, world, local in joints
            },
            "by_clip": [
                {each.name: _or_none(getattr(clip, each.name)) for each in fields(ClipQuality)}
                for clip in self.clips
            ],
        }


def tokenizer_quality(
    coder: FeatureCoder,
    representation: Representation,
    joint_names: Sequence[str],
    clips: Sequence[EvaluationClip],
    evaluator: Evaluator | None = None,
    progress: Progress = lambda done, total: None,
) -> TokenizerReport:
    """Put real clips into tokens and take them out again.

    Args:
        coder: the tokenizer.
        representation: of its dataset; it gives joint positions.
        joint_names: of these joints, in order.
        clips: real motion.
        evaluator: for the reconstruction FID.
        progress: called with clips done and clips in all.

    Raises:
        UserError: no clip, or an evaluator of another dataset.
    """
    if not clips:
        raise UserError("there is no clip to put into tokens")
    dataset = coder.tokenizer.config.dataset
    if evaluator is not None and evaluator.dataset != dataset:
        raise UserError(
            f"the tokenizer reads {dataset}, the evaluator {evaluator.name} {evaluator.dataset}; "
            "choose an evaluator of the same dataset"
        )
    found: list[ClipQuality] = []
    tokens: list[Tensor] = []
    sums = torch.zeros(2, len(joint_names), dtype=torch.float64)
    embedded: tuple[list[Tensor], list[Tensor]] = ([], [])
    for begin in range(0, len(clips), _AT_ONCE):
        chosen = clips[begin : begin + _AT_ONCE]
        real = [clip.features for clip in chosen]
        maps = coder.encode(real, _AT_ONCE)
        decoded = coder.decode(maps, _AT_ONCE)
        made = [one[:, : each.shape[1]] for one, each in zip(decoded, real, strict=True)]
        tokens += maps
        for clip, reconstruction in zip(chosen, made, strict=True):
            true = representation.positions(clip.features).double()
            positions = representation.positions(reconstruction).double()
            world, local = joint_errors(positions, true)
            sums += torch.stack((world.sum((0, 1)), local.sum((0, 1))))
            found.append(
                ClipQuality(
                    clip.name,
                    clip.frames,
                    MM * float(world.mean()),
                    MM * float(local.mean()),
                    acceleration_error(positions, true),
                )
            )
        if evaluator is not None:
            for rows, motions in zip(embedded, (real, made), strict=True):
                rows.append(evaluator.embed_motions(motions))
        progress(begin + len(chosen), len(clips))
    fid = None
    if evaluator is not None and len(clips) > 1:
        scale = evaluator.protocol.embedding_scale
        fid = metrics.frechet_distance(torch.cat(embedded[0]), torch.cat(embedded[1]), scale)
    frames = sum(2 * clip.frames for clip in clips)
    world_mm, local_mm = MM * sums / frames
    codes = coder.tokenizer.config.codebook_size
    by_row = torch.cat(tokens, -1).transpose(0, 1).flatten(1)  # (rows, people and columns)
    return TokenizerReport(
        tuple(found),
        world_mm,
        local_mm,
        fid,
        _use_of_all(by_row, coder.tokenizer.config),
        tuple(CodeUse.of(row, codes) for row in by_row),
        tuple(joint_names),
    )


def representation_with_joints(
    config: TokenizerConfig, floor: FloorRule, folders: Sequence[Path], body_model: Path | None
) -> Representation:
    """A tokenizer's representation that can tell where joints are.

    InterHuman's features say it themselves; Inter-X's need the rest joints of SMPL-X's body.

    Args:
        config: of the tokenizer.
        floor: its rule.
        folders: where the body model is looked for if it is not given.
        body_model: its file.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: it is needed and not found.
    """
    if config.dataset == "interhuman":
        return representation_of(config, floor)
    path = body_model or find_body_model(folders)
    if path is None:
        raise UserError(
            f"errors of Inter-X's joints need the body model: put {BODY_MODEL} into {folders[0]}, "
            "or say where it is (--smplx FILE)"
        )
    return representation_of(config, floor, load_rest_body(path))


def acceleration_error(made: Tensor, true: Tensor, fps: float = FPS) -> float:
    """Mean length of the difference of accelerations, m/s², of joints (..., t, j, 3) in metres.

    NaN of fewer than three frames.
    """
    return float((made - true).diff(n=2, dim=-3).norm(dim=-1).mean()) * fps**2


def _or_none(value: Any) -> Any:
    """JSON has no NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _use_of_all(by_row: Tensor, config: TokenizerConfig) -> CodeUse:
    """Use of the codes of all rows (s, m), in one codebook or in one for each row."""
    if not config.row_codebooks:
        return CodeUse.of(by_row, config.codebook_size)
    first = config.codebook_size * torch.arange(len(by_row))[:, None]
    return CodeUse.of(by_row + first, len(by_row) * config.codebook_size)
