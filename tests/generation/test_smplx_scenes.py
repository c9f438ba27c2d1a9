"""Generation with a model of Inter-X: people with hands, kept frames, a missing body."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import intermask
from golden_files import largest_error
from intermask import Motion
from intermask.bundle import save_bundle
from intermask.errors import UserError
from intermask.generation.generator import InteractionGenerator
from intermask.generation.smplx_scenes import InterXScenes, Pose, ease_into_pose
from intermask.geometry import axis_angle_to_matrix, geodesic_angle
from intermask.motion import SMPLXMotion
from intermask.official import import_official
from intermask.representation_smplx import encode, to_joint_grid
from intermask.smplx import joint_positions
from people55 import walking_smplx, write_body_model
from released_trees import recorded_interx
from tiny_model import HashedWords, tiny_model
from tiny_smplx import rest_body, tiny_smplx_model
from walking import walking_pair

PROMPT = "Two people shake hands."
PARTS = ("positions", "rotations", "root_rotations")


@pytest.fixture(scope="module")
def generator() -> InteractionGenerator:
    return InteractionGenerator(tiny_smplx_model(), HashedWords(), body=rest_body())


@pytest.fixture(scope="module")
def given() -> SMPLXMotion:
    """People who walk, with hands."""
    return InterXScenes(rest_body(), smoothing=0.0).finished(encode(walking_smplx(61)))


def assert_kept(result: Motion, given: Motion, kept: Tensor) -> None:
    for part in PARTS:
        assert torch.equal(getattr(result, part)[kept], getattr(given, part)[kept])
    assert bool((result.positions != given.positions)[~kept].any(-1).any(-1).all())


def test_finished_people_are_those_of_the_features(given: SMPLXMotion) -> None:
    features = encode(walking_smplx(61))
    assert largest_error(given.positions, joint_positions(to_joint_grid(features), rest_body())) < (
        1e-5
    )
    assert largest_error(given.translations, walking_smplx(61)[:, :-1, 55]) < 1e-6
    assert given.positions.shape == (2, 60, 55, 3)
    assert largest_error(given.body.positions, given.positions[:, :, :22]) == 0


def test_motions_have_hands(generator: InteractionGenerator) -> None:
    motions = generator([PROMPT, "They bow."], [2.0, 1.1], seed=7)
    assert [motion.frames for motion in motions] == [60, 33]
    for motion in motions:
        assert isinstance(motion, SMPLXMotion)
        assert motion.positions.dtype == torch.float32
        bones = torch.stack(
            [
                (motion.positions[:, :, child] - motion.positions[:, :, parent]).norm(dim=-1)
                for parent, child in motion.skeleton.bones
            ]
        )
        assert float(bones.std(2).max()) < 1e-5
    assert (motions[0].caption, motions[0].seed, motions[0].model) == (PROMPT, 7, "tiny-smplx")
    (alone,) = generator(["They bow."], 1.1, seed=8)
    assert torch.equal(alone.positions, motions[1].positions)


def test_a_reaction_keeps_one_person(generator: InteractionGenerator, given: SMPLXMotion) -> None:
    for person in (1, 2):
        result = generator.react(given, person, PROMPT)
        kept = torch.zeros(2, given.frames, dtype=torch.bool)
        kept[person - 1] = True
        assert_kept(result, given, kept)
        assert isinstance(result, SMPLXMotion) and result.rest_pelvis == given.rest_pelvis


def test_completion_keeps_ranges(generator: InteractionGenerator, given: SMPLXMotion) -> None:
    result = generator.complete(given, PROMPT, [(0.0, 0.8), (1.6, 2.0)])
    kept = torch.zeros(2, given.frames, dtype=torch.bool)
    kept[:, :24] = kept[:, 48:] = True
    assert_kept(result, given, kept)


def test_easing_leads_from_kept_to_generated() -> None:
    turn = axis_angle_to_matrix(torch.tensor((0.0, 0.0, 1.0), dtype=torch.float64))
    theirs = Pose(torch.eye(3).double().expand(2, 40, 55, 3, 3), torch.zeros(2, 40, 3).double())
    ours = Pose(turn.expand(2, 40, 55, 3, 3), torch.ones(2, 40, 3).double())
    kept = torch.zeros(2, 40, dtype=torch.bool)
    kept[:, :5] = True
    eased = ease_into_pose(ours, theirs, kept, frames=10)
    angle = geodesic_angle(eased.rotations[0, :, 0], theirs.rotations[0, :, 0])
    assert bool((angle[:5] == 0).all()) and float(angle[5]) < 0.02
    assert bool((angle.diff() >= -1e-6).all())
    assert torch.allclose(angle[15:], torch.ones(25).double(), atol=1e-6)
    assert torch.allclose(eased.translations[0, :, 0], angle, atol=1e-6)


def test_who_has_no_hands_is_refused(generator: InteractionGenerator, given: SMPLXMotion) -> None:
    with pytest.raises(UserError, match="22 joints, but this model reads the 55 of SMPL-X"):
        generator.react(walking_pair(40), 1, PROMPT)
    plain = InteractionGenerator(tiny_model(), HashedWords())
    result = plain.react(given, 1, PROMPT)  # hands are let go
    assert result.positions.shape == (2, 60, 22, 3)
    assert torch.equal(result.positions[0], given.positions[0, :, :22])


def test_a_missing_body_costs_a_sentence(tmp_path: Path) -> None:
    folder = save_bundle(tiny_smplx_model(), tmp_path / "bundle")
    loaded = intermask.load_generator(folder, device="cpu")
    loaded._encoder = HashedWords()
    assert loaded.tokens([PROMPT], 1.0)[0].shape == (2, 5, 8)
    with pytest.raises(UserError, match=r"SMPLX_NEUTRAL\.npz \(--smplx FILE.*smpl-x\.is"):
        loaded([PROMPT], 1.0)
    path = write_body_model(tmp_path / "models")
    told = intermask.load_generator(folder, device="cpu", smplx=path)
    write_body_model(folder)
    found = intermask.load_generator(folder, device="cpu")
    for each in (told, found):
        each._encoder = HashedWords()
    assert torch.equal(told([PROMPT], 1.0)[0].positions, found([PROMPT], 1.0)[0].positions)


def test_the_authors_inter_x_models_generate(tmp_path: Path) -> None:
    model = import_official(recorded_interx(tmp_path / "release")).model
    words = HashedWords()
    words.width = model.config.text.width  # type: ignore[misc]
    (motion,) = InteractionGenerator(model, words, body=rest_body())([PROMPT], 3.0)
    assert isinstance(motion, SMPLXMotion) and motion.frames == 90
    assert bool(motion.positions.isfinite().all())
    with pytest.raises(UserError, match=r"motions of 0\.5 to 5 seconds"):
        InteractionGenerator(model, words, body=rest_body())([PROMPT], 6.0)
