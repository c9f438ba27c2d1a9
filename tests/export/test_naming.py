"""What joints are called in files, and what the page about formats says of it."""

from __future__ import annotations

import re

import pytest

from intermask.errors import UserError
from intermask.export.naming import written_names
from intermask.export.writing import FORMATS
from intermask.joint_names import WRITTEN_NAMINGS
from intermask.skeleton import SMPL22, SMPLX55
from test_readme import ROOT

PAGE = (ROOT / "docs" / "formats.md").read_text("utf-8")


def test_names_of_fingers() -> None:
    index = SMPLX55.index
    assert written_names(SMPLX55, "mixamo")[index("left_pinky2")] == "mixamorig:LeftHandPinky2"
    assert written_names(SMPLX55, "vrm")[index("right_pinky3")] == "rightLittleDistal"
    assert written_names(SMPLX55, "vrm")[index("right_thumb1")] == "rightThumbMetacarpal"
    assert written_names(SMPLX55, "ue5")[index("right_middle1")] == "middle_01_r"
    assert written_names(SMPLX55) == SMPLX55.names
    for naming in WRITTEN_NAMINGS:
        assert len(set(written_names(SMPLX55, naming))) == 55


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UserError, match="'maya'; choose from smpl, mixamo, vrm, ue5"):
        written_names(SMPL22, "maya")


def test_the_page_lists_all_names() -> None:
    rows = re.findall(r"^\| (\d+) \| (`.*`) \|$", PAGE, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(22))
    listed = zip(*(re.findall(r"`([^`]+)`", names) for _, names in rows), strict=True)
    for naming, names in zip(WRITTEN_NAMINGS, listed, strict=True):
        assert names == written_names(SMPL22, naming)


@pytest.mark.parametrize("name", FORMATS)
def test_the_page_describes_every_format(name: str) -> None:
    assert f"`{name}`" in PAGE
