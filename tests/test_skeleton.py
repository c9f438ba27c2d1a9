"""The joint tree and the mean-adult body."""

from __future__ import annotations

import numpy as np
import pytest

from intermask.skeleton import FEET, MEAN_ADULT_OFFSETS, SMPL22, STATURE, rest_positions


def test_the_tree_has_one_root_and_parents_before_children() -> None:
    assert SMPL22.joint_count == len(SMPL22.parents) == 22
    assert SMPL22.parents[0] == -1
    assert all(0 <= parent < child for parent, child in SMPL22.bones)
    assert len(SMPL22.bones) == 21


def test_joints_are_found_by_name() -> None:
    assert [SMPL22.index(name) for name in SMPL22.names] == list(range(22))
    assert SMPL22.indices("left_wrist", "pelvis") == (20, 0)
    with pytest.raises(ValueError, match=r"unknown joint 'left_thumb'; joints are pelvis"):
        SMPL22.index("left_thumb")


def test_contact_labels_belong_to_the_feet_in_interhumans_order() -> None:
    assert FEET == (7, 10, 8, 11)


def test_the_mirror_exchanges_sides_and_keeps_the_tree() -> None:
    order = SMPL22.mirror_order
    assert [order[other] for other in order] == list(range(22))
    for own, other in enumerate(order):
        sides = {SMPL22.names[own].split("_")[0], SMPL22.names[other].split("_")[0]}
        assert sides == {"left", "right"} or own == other
    for parent, child in SMPL22.bones:
        assert SMPL22.parents[order[child]] == order[parent]


def test_the_mean_adult_is_symmetric_and_stands_upright() -> None:
    mirrored = MEAN_ADULT_OFFSETS[list(SMPL22.mirror_order)] * (-1.0, 1.0, 1.0)
    np.testing.assert_allclose(mirrored, MEAN_ADULT_OFFSETS, atol=1e-12)
    positions = rest_positions(MEAN_ADULT_OFFSETS)
    index = SMPL22.index
    assert positions[index("left_wrist"), 0] > 0.5  # left is +x
    assert positions[index("left_foot"), 2] > positions[index("left_ankle"), 2]  # facing +z
    span = positions[:, 1].max() - positions[:, 1].min()
    assert 0.85 * STATURE < span < STATURE  # from the toes to the head joint inside the skull


def test_the_mean_adult_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        MEAN_ADULT_OFFSETS[1, 0] = 0.0


def test_rest_positions_add_offsets_along_the_tree() -> None:
    positions = rest_positions(MEAN_ADULT_OFFSETS)
    np.testing.assert_array_equal(positions[0], np.zeros(3))
    for parent, child in SMPL22.bones:
        np.testing.assert_allclose(
            positions[child] - positions[parent], MEAN_ADULT_OFFSETS[child], atol=1e-12
        )
