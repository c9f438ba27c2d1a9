"""Errors that the command line prints as one sentence."""

from __future__ import annotations

from intermask.errors import MissingExtra, UserError


def test_a_user_error_is_a_value_error() -> None:
    assert issubclass(UserError, ValueError)


def test_a_missing_extra_says_what_to_install() -> None:
    error = MissingExtra("video", "vtk")
    assert error.extra == "video"
    assert str(error) == (
        'This needs the "video" extra (vtk is not installed): pip install "intermask[video]"'
    )
