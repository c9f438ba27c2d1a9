"""Seconds read off a sentence."""

from __future__ import annotations

import pytest

from intermask.errors import UserError
from intermask.generation.durations import NEAREST, DurationEstimator

DURATIONS = {
    "Two people dance salsa.": 8.0,
    "Two people are dancing salsa and turn.": 6.0,
    "The couple dances a slow salsa.": 7.0,
    "One person pushes the other, who falls.": 2.0,
    "A person is pushed and stumbles back.": 3.0,
    "Two people bow to each other.": 2.5,
}


def test_the_median_of_the_nearest_captions_is_taken() -> None:
    found = DurationEstimator(DURATIONS).estimate("They dance salsa")
    assert found.seconds == 7.0
    assert {caption for caption, _ in found.neighbours} == set(list(DURATIONS)[:3])
    assert all(DURATIONS[caption] == seconds for caption, seconds in found.neighbours)


def test_endings_and_case_do_not_matter() -> None:
    found = DurationEstimator(DURATIONS).estimate("SOMEBODY STUMBLED AFTER BEING PUSHED")
    assert found.neighbours[0] == ("A person is pushed and stumbles back.", 3.0)


def test_a_known_caption_is_its_own_nearest() -> None:
    estimator = DurationEstimator(DURATIONS)
    for caption, seconds in DURATIONS.items():
        assert estimator.estimate(caption).neighbours[0] == (caption, seconds)


def test_without_a_common_word_all_captions_count() -> None:
    found = DurationEstimator(DURATIONS).estimate("xylophone")
    assert found.neighbours == ()
    assert found.seconds == 4.5


def test_the_order_of_captions_does_not_matter_and_few_have_a_say() -> None:
    many = {f"Two people dance number {i}.": float(i % 7 + 1) for i in range(50)}
    found = DurationEstimator(many).estimate("Two people dance.")
    assert len(found.neighbours) == NEAREST
    backwards = dict(reversed(many.items()))
    assert DurationEstimator(backwards).estimate("Two people dance.") == found


def test_a_single_caption_is_enough() -> None:
    found = DurationEstimator({"Two people hug.": 3.0}).estimate("hugging")
    assert found.seconds == 3.0 and len(found.neighbours) == 1


def test_a_model_without_captions_says_so() -> None:
    with pytest.raises(UserError, match="--seconds"):
        DurationEstimator({}).estimate("Two people dance.")
