"""Motion files with hands: read back as written, and read by the public ``smplx`` package.

The comparison with the package is skipped where it is not installed (its licence is its own)::

    pip install --no-deps smplx
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from golden_files import FOLDER, largest_error
from intermask.errors import UserError
from intermask.export.npz import SMPLX_POSES
from intermask.generation.smplx_scenes import InterXScenes
from intermask.motion import Motion, SMPLXMotion
from intermask.representation_smplx import encode
from intermask.smplx import load_rest_body
from people55 import walking_smplx
from tiny_smplx import rest_body

SYNTHETIC = FOLDER / "synthetic_SMPLX_NEUTRAL.npz"


@pytest.fixture(scope="module")
def motion() -> SMPLXMotion:
    made = InterXScenes(rest_body(), smoothing=0.0).finished(encode(walking_smplx(21)))
    return replace(made, caption="They shake hands.", seed=3, model="tiny")


def test_a_file_is_read_as_it_was_written(motion: SMPLXMotion, tmp_path: Path) -> None:
    again = Motion.load(motion.save(tmp_path / "pair"))
    assert isinstance(again, SMPLXMotion)
    for part in ("positions", "rotations", "root_rotations", "translations"):
        assert torch.equal(getattr(again, part), getattr(motion, part))
    assert (again.caption, again.seed, again.model) == ("They shake hands.", 3, "tiny")
    assert again.rest_pelvis == motion.rest_pelvis


def test_parameters_are_the_stored_rotations(motion: SMPLXMotion, tmp_path: Path) -> None:
    """What went into the features as rotation vectors comes out as parameters of SMPL-X."""
    loaded = walking_smplx(21)[:, :-1]
    with np.load(motion.save(tmp_path / "pair")) as file:
        for name, (first, stop) in SMPLX_POSES.items():
            assert file[name].shape == (2, 20, 3 * (stop - first))
            expected = loaded[:, :, first:stop].flatten(2).numpy()
            np.testing.assert_allclose(file[name], expected, atol=2e-5)
        np.testing.assert_allclose(file["transl"], loaded[:, :, 55].numpy(), atol=1e-6)
        assert file["betas"].shape == file["expression"].shape == (2, 20, 10)
        assert file["joint_names"].shape == (55,) and not file["betas"].any()
        assert float(file["fps"]) == 30 and int(file["schema_version"]) == 1


def test_motion_with_hands_is_mirrored_swapped_and_cropped(motion: SMPLXMotion) -> None:
    again = motion.mirrored().mirrored().swapped().swapped()
    assert isinstance(again, SMPLXMotion)
    assert largest_error(again.positions, motion.positions) == 0
    assert motion.cropped(3, 9).translations.shape == (2, 6, 3)


def test_a_spoiled_file_is_named(motion: SMPLXMotion, tmp_path: Path) -> None:
    path = motion.save(tmp_path / "pair")
    with np.load(path) as file:
        content: dict[str, Any] = dict(file)
    for key, value, words in (
        ("rest_pelvis", np.zeros(2), "rest_pelvis in"),
        ("joint_names", content["joint_names"][::-1], "55 SMPL-X joints in this order"),
        ("rotations", content["rotations"][:, :, :21], r"expected \(2, T, 54, 3, 3\)"),
    ):
        np.savez(path, **(content | {key: value}))
        with pytest.raises(UserError, match=words):
            Motion.load(path)


def package_file(folder: Path) -> Path:
    """The synthetic body model with what the package wants besides."""
    rng = np.random.default_rng(0)
    with np.load(SYNTHETIC) as file:
        content: dict[str, Any] = {key: file[key] for key in file.files if key != "__meta__"}
    for side in "lr":
        content[f"hands_components{side}"] = np.eye(45)
        content[f"hands_mean{side}"] = rng.normal(size=45)
    content["lmk_faces_idx"] = np.zeros(51, dtype=np.int64)
    content["lmk_bary_coords"] = np.full((51, 3), 1 / 3)
    path = folder / "SMPLX_NEUTRAL.npz"
    np.savez(path, **content)
    return path


def test_the_public_package_takes_the_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smplx = pytest.importorskip("smplx")
    ids = smplx.body_models.VERTEX_IDS  # of landmarks; the file has 70 vertices only
    monkeypatch.setitem(ids, "smplx", dict.fromkeys(ids["smplx"], 0))
    body = load_rest_body(SYNTHETIC)
    motion = InterXScenes(body, smoothing=0.0).finished(encode(walking_smplx(21)))
    model = smplx.create(
        str(package_file(tmp_path)),
        model_type="smplx",
        use_pca=False,
        flat_hand_mean=True,
        batch_size=motion.frames,
    )
    names = (*SMPLX_POSES, "transl", "betas", "expression")
    with np.load(motion.save(tmp_path / "pair")) as file:
        for person in range(2):
            arguments = {name: torch.from_numpy(file[name][person]) for name in names}
            joints = model(**arguments).joints[:, :55]
            assert largest_error(joints.detach(), motion.positions[person]) < 1e-4
