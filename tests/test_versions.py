"""The first version of every file format is read for ever, and a newer one than ours is refused.

The files in ``fixtures`` were written once, with random weights, when their formats had version 1.
They are never written again: a change that cannot read them needs a new schema version and a reader
of the old one. ``expected_v1.npz`` holds what they gave then.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from intermask.bundle import load_bundle
from intermask.choreography.bank import read_bank
from intermask.errors import UserError
from intermask.evaluation.evaluators.folder import load_evaluator
from intermask.motion import Motion, SMPLXMotion

FIXTURES = Path(__file__).parent / "fixtures"


def expected(name: str) -> Tensor:
    with np.load(FIXTURES / "expected_v1.npz") as recorded:
        return torch.from_numpy(recorded[name])


def tokens() -> Tensor:
    """(1, 2, 5, 4) ids of eight codes, by a formula that no random generator can change."""
    return (torch.arange(40) * 5 % 8).reshape(1, 2, 5, 4)


def condition() -> Tensor:
    return torch.cos(torch.arange(8.0))[None]


def features() -> Tensor:
    """(2, 24, 262)."""
    return torch.cos(0.37 * torch.arange(2 * 24 * 262)).reshape(2, 24, 262)


def test_a_motion_of_the_first_version() -> None:
    motion = Motion.load(FIXTURES / "motion_v1.npz")
    assert type(motion) is Motion and motion.frames == 6 and motion.fps == 30.0
    torch.testing.assert_close(motion.positions, expected("positions"), atol=0, rtol=0)
    assert (motion.caption, motion.seed, motion.model) == (
        "Two people walk towards each other.", 7, "tiny",
    )  # fmt: skip
    hands = Motion.load(FIXTURES / "motion_smplx_v1.npz")
    assert isinstance(hands, SMPLXMotion) and hands.rest_pelvis == (0.0, 0.5, 0.0)
    assert hands.positions.shape == (2, 3, 55, 3)


@torch.inference_mode()
def test_a_bundle_of_the_first_version() -> None:
    model = load_bundle(FIXTURES / "bundle_v1")
    assert model.config.name == "tiny" and model.durations["Two people dance salsa."] == 4.0
    assert model.provenance == {"source": "random weights, for tests"}
    grid = model.tokenizer.decode(tokens()[0])
    logits = model.transformer(tokens(), condition(), torch.ones(1, 4, dtype=torch.bool))
    torch.testing.assert_close(grid, expected("grid"), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(logits, expected("logits"), atol=1e-4, rtol=1e-4)


def test_an_evaluator_of_the_first_version() -> None:
    evaluator = load_evaluator(FIXTURES / "evaluator_v1", "cpu")
    embedding = evaluator.embed_motions([features()])
    torch.testing.assert_close(embedding, expected("embedding"), atol=1e-4, rtol=1e-4)


def test_a_motion_bank_of_the_first_version() -> None:
    bank = read_bank(FIXTURES / "bank_v1.safetensors")
    assert [segment.tag for segment in bank.segments] == ["walk", "wave"]
    assert bank.rotations.shape == (20, 22, 3, 3) and bank.contacts.dtype == torch.bool


def newer_motion(folder: Path) -> Path:
    with np.load(FIXTURES / "motion_v1.npz") as content:
        np.savez(folder / "newer.npz", **{**content, "schema_version": np.int64(99)})
    return folder / "newer.npz"


def newer_folder(name: str) -> Callable[[Path], Path]:
    def copied(folder: Path) -> Path:
        shutil.copytree(FIXTURES / name, folder / name)
        config = folder / name / "config.json"
        content = {**json.loads(config.read_text()), "schema_version": 99}
        config.write_text(json.dumps(content))
        return folder / name

    return copied


def newer_bank(folder: Path) -> Path:
    # As long as the version that it replaces, the header keeps its length.
    content = (FIXTURES / "bank_v1.safetensors").read_bytes()
    assert content.count(rb"\"version\": 1") == 1
    (folder / "bank").write_bytes(content.replace(rb"\"version\": 1", rb"\"version\": 9"))
    return folder / "bank"


@pytest.mark.parametrize(
    ("make", "read"),
    [
        (newer_motion, Motion.load),
        (newer_folder("bundle_v1"), load_bundle),
        (newer_folder("evaluator_v1"), lambda path: load_evaluator(path, "cpu")),
        (newer_bank, read_bank),
    ],
    ids=["motion", "bundle", "evaluator", "bank"],
)
def test_a_newer_version_is_refused_with_what_to_do(
    make: Callable[[Path], Path], read: Callable[[Path], Any], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"version 9+, this program reads up to 1; update"):
        read(make(tmp_path))
