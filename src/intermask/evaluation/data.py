"""The clips that an evaluation looks at, and what tells them and a model apart from others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from intermask.bundle import Model
from intermask.config import to_dict
from intermask.data.cache import module_fingerprint
from intermask.data.interx import is_interx
from intermask.errors import UserError
from intermask.evaluation.clips import EvaluationClip, read_clips
from intermask.evaluation.evaluators.evaluator import Evaluator
from intermask.evaluation.protocol import Plan
from intermask.smplx import find_body_model

LAYOUTS = {"interhuman": "InterHuman", "interx": "Inter-X"}
"""Names of the datasets."""


@dataclass(frozen=True)
class Data:
    """The clips of one split of one or several datasets."""

    folders: tuple[Path, ...]
    clips: tuple[EvaluationClip, ...]
    longest: int = 300
    """Most stored frames of a clip that are looked at."""

    @staticmethod
    def read(
        folders: Sequence[Path],
        plan: Plan,
        model: Model,
        evaluator: Evaluator,
        progress: Callable[[int, int], None] | None = None,
    ) -> Data:
        """Clips as a model and an evaluator know them; of several folders ``FOLDER/NAME``.

        Raises:
            FileNotFoundError: no such dataset or split.
            UserError: another kind of dataset than that of the model or the evaluator.
        """
        kind = model.config.dataset
        if evaluator.dataset != kind:
            raise UserError(
                f"the model {model.config.name} makes {LAYOUTS[kind]} motion, but the evaluator "
                f"{evaluator.name} reads that of {LAYOUTS[evaluator.dataset]}; choose another"
            )
        longest = min(model.config.max_frames, evaluator.max_frames)
        clips: list[EvaluationClip] = []
        for folder in folders:
            if is_interx(folder) != (kind == "interx"):
                raise UserError(
                    f"{folder} has not {LAYOUTS[kind]}'s layout, which the model "
                    f"{model.config.name} was made for; give another folder"
                )
            found = read_clips(folder, plan.split, model.config.floor, longest, progress)
            before = f"{folder.resolve().name}/" if len(folders) > 1 else ""
            clips += [replace(each, name=before + each.name) for each in found]
        names = [clip.name for clip in clips]
        if len(set(names)) < len(names):
            raise UserError("two of the datasets have one name; rename a folder")
        return Data(tuple(folders), tuple(clips), longest)


def body_model(folders: Sequence[Path]) -> Path | None:
    """SMPL-X's file in one of several datasets of Inter-X, if there is one."""
    return find_body_model(folder for folder in folders if is_interx(folder))


def model_fingerprint(model: Model) -> str:
    """Hash of a model's configuration and weights."""
    digest = hashlib.sha256(json.dumps(to_dict(model.config), sort_keys=True).encode())
    for name, part in sorted(model.parts().items()):
        digest.update(f"{name} {module_fingerprint(part)}\n".encode())
    return digest.hexdigest()


def data_fingerprint(clips: Sequence[EvaluationClip]) -> str:
    """Hash of clips: names, captions and features; of longer ones also what is not looked at."""
    digest = hashlib.sha256()
    for clip in clips:
        digest.update(json.dumps([clip.name, clip.captions]).encode())
        digest.update(clip.features.contiguous().numpy().data)
        if clip.recording is not None:
            digest.update(clip.recording.loaded.contiguous().numpy().data)
    return digest.hexdigest()
