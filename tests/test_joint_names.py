"""Laws of the tables of joint names."""

from __future__ import annotations

import pytest

from intermask.joint_names import NAMINGS, WRITTEN_NAMINGS, JointNaming
from intermask.skeleton import SMPL22


@pytest.mark.parametrize("naming", NAMINGS.values(), ids=list(NAMINGS))
def test_a_naming_names_joints_of_ours_once(naming: JointNaming) -> None:
    assert set(naming.joints) <= set(SMPL22.names)
    assert len(set(naming.joints.values())) == len(naming.joints)
    assert all("*" not in name and name for name in naming.joints.values())
    # Left and right differ only in the side.
    left = {joint[5:] for joint in naming.joints if joint.startswith("left_")}
    assert left == {joint[6:] for joint in naming.joints if joint.startswith("right_")}


def test_files_can_be_written_with_the_namings_that_are_offered() -> None:
    for name in WRITTEN_NAMINGS:
        assert NAMINGS[name].is_complete and len(NAMINGS[name].names()) == 22
    assert NAMINGS["mixamo"].names()[:2] == ("mixamorig:Hips", "mixamorig:LeftUpLeg")
    assert NAMINGS["ue5"].joints["left_foot"] == "ball_l"
    assert NAMINGS["vrm"].joints["spine3"] == "upperChest"
    assert NAMINGS["smpl"].names() == SMPL22.names
