"""Wilson's interval against published figures."""

from __future__ import annotations

import pytest

from intermask.adherence.rates import Rate


@pytest.mark.parametrize(
    ("hits", "of", "interval"),
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3.
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)),
     (1, 29, (0.0061, 0.1718))],
)  # fmt: skip
def test_intervals_are_those_of_the_literature(
    hits: int, of: int, interval: tuple[float, float]
) -> None:
    assert Rate(hits, of).interval == pytest.approx(interval, abs=6e-5)


def test_nothing_is_told_as_nothing() -> None:
    assert Rate(0, 0).text == "–" and Rate(0, 0).as_json()["share"] is None
    assert Rate.over([True, False]).text == "50 % (9–91)"
