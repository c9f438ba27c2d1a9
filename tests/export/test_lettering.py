"""Captions wrap, fit and end in an ellipsis; labels change only their corner."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PIL")

from intermask.export.lettering import caption_strip, corner_label, wrap_text


class Monospaced:
    """A font whose letters are ten pixels wide."""

    def getlength(self, text: str) -> float:
        return 10.0 * len(text)


def test_words_wrap_and_none_is_lost() -> None:
    text = "two people bow to each other and shake hands"
    lines = wrap_text(text, Monospaced(), 150, 9)
    assert " ".join(lines) == text
    assert all(len(line) <= 15 for line in lines)


def test_long_words_are_cut_and_long_texts_end() -> None:
    assert wrap_text("a" * 25, Monospaced(), 100, 9) == ["a" * 10, "a" * 10, "a" * 5]
    lines = wrap_text("word " * 50, Monospaced(), 100, 3)
    assert len(lines) == 3 and lines[-1].endswith("…") and len(lines[-1]) <= 10
    assert wrap_text("", Monospaced(), 100, 3) == []


def test_strip_grows_with_the_caption() -> None:
    short, long = caption_strip("They bow.", 400), caption_strip("They bow again. " * 12, 400)
    assert short.shape[1:] == long.shape[1:] == (400, 3)
    assert short.shape[0] < long.shape[0]
    assert short.shape[0] % 2 == long.shape[0] % 2 == 0
    assert caption_strip("", 400).shape[0] < short.shape[0]
    assert short.min() < 120


def test_corner_label_leaves_the_rest_alone() -> None:
    image = np.full((100, 200, 3), 200, np.uint8)
    labelled = corner_label(image, "1.5 s")
    assert (labelled[:60] == 200).all() and (labelled[:, 120:] == 200).all()
    assert labelled[60:, :120].min() < 160
    assert (image == 200).all()
