"""Ten clips of the open dataset, seed 0, as they were when its version was last raised.

Plans are compared by a hash. Motion is kept in whole millimetres and may be off by one: processors
round sums differently (by less than 0.2 mm after all steps of the solver), and a number that lies
between two millimetres then goes to the other one, so that no hash of it agrees everywhere.

If scenes changed on purpose, raise `making.DATASET_VERSION`, because a seed gives another dataset
now, and write the file anew:

    python tests/choreography/test_open_clips.py
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from intermask.choreography.bank import load_bank
from intermask.choreography.making import DATASET_VERSION
from intermask.choreography.overlay import stage
from intermask.choreography.scene import ScenePlan
from intermask.choreography.splits import draw, generator_of, role_of
from intermask.skeleton import SMPL22

NUMBERS = (0, 3, 4, 13, 18, 20, 27, 33, 38, 63)
"""Short ones of ten families."""
FILE = Path(__file__).parents[1] / "golden" / "open_clips.npz"
JOINTS = SMPL22.indices(
    "pelvis", "head", "left_wrist", "right_wrist", "left_elbow", "right_elbow", "left_ankle",
    "right_ankle",
)  # fmt: skip
EVERY = 6
"""Frames between those that are kept."""
HELP = (
    "the same seed gives another dataset than before. If that is on purpose, raise "
    "making.DATASET_VERSION and run: python tests/choreography/test_open_clips.py"
)


def play(number: int) -> tuple[ScenePlan, torch.Tensor]:
    """The plan of a scene (of a pair, the first), and places (2, t, 8, 3) in whole millimetres."""
    torch.set_num_threads(1)
    generator = generator_of(0, number)
    plan = draw(generator, role_of(number)).plans[0]
    motion = stage(load_bank(), plan, generator)
    return plan, (1000 * motion.positions[:, ::EVERY, list(JOINTS)]).round().to(torch.int16)


def mark(plan: ScenePlan) -> str:
    """sha256 of a plan's ground truth, numbers to a tenth of a millisecond or millimetre."""
    text = json.dumps(plan.ground_truth(), sort_keys=True)
    rounded = json.loads(text, parse_float=lambda number: round(float(number), 4))
    return hashlib.sha256(json.dumps(rounded, sort_keys=True).encode()).hexdigest()


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    with np.load(FILE, allow_pickle=False) as archive:
        return dict(archive)


def test_the_version_is_that_of_the_clips(kept: dict[str, Any]) -> None:
    assert int(kept["version"]) == DATASET_VERSION, HELP


@pytest.mark.parametrize("number", NUMBERS)
def test_a_seed_gives_the_same_clip(number: int, kept: dict[str, Any]) -> None:
    plan, places = play(number)
    assert mark(plan) == str(kept[f"plan_{number}"]), f"another plan: {HELP}"
    before = torch.from_numpy(kept[f"places_{number}"])
    assert before.shape == places.shape, f"another length: {HELP}"
    off = int((before.int() - places.int()).abs().max())
    assert off <= 1, f"joints are off by {off} mm: {HELP}"


def write() -> None:
    """Keep the clips as they are now."""
    arrays: dict[str, Any] = {"version": np.array(DATASET_VERSION)}
    for number in NUMBERS:
        plan, places = play(number)
        arrays[f"plan_{number}"] = np.array(mark(plan))
        arrays[f"places_{number}"] = places.numpy()
    np.savez_compressed(FILE, **arrays)


if __name__ == "__main__":
    write()
