"""Mirrored captions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intermask.data.augment import mirror_caption


@pytest.mark.parametrize(
    ("caption", "mirrored"),
    [
        ("He raises his left hand.", "He raises his right hand."),
        ("Turns clockwise, then counterclockwise.", "Turns counterclockwise, then clockwise."),
        ("LEFT, Right, leftwards", "RIGHT, Left, rightwards"),
        ("right-handed", "left-handed"),
        ("They stand upright; cleft, brightly.", "They stand upright; cleft, brightly."),
    ],
)
def test_words_are_exchanged_in_one_pass(caption: str, mirrored: str) -> None:
    assert mirror_caption(caption) == mirrored


@given(
    st.lists(
        st.sampled_from(
            ["left", "right", "clockwise", "counterclockwise", "Left", "the", "hand,", "upright"]
        )
    ).map(" ".join)
)
def test_mirroring_twice_changes_nothing(caption: str) -> None:
    assert mirror_caption(mirror_caption(caption)) == caption
