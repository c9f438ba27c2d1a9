"""Every item once an epoch, sources by their shares, any stretch of the stream by itself."""

from __future__ import annotations

from collections import Counter

import pytest

from intermask.data.epochs import SLOTS, EpochOrder, Turn


def test_every_item_comes_once_an_epoch_in_another_order() -> None:
    turns = EpochOrder((7,), (1.0,), seed=3).between(0, 21)
    epochs = [[turn.item for turn in turns[begin : begin + 7]] for begin in (0, 7, 14)]
    assert [turn.epoch for turn in turns] == [0] * 7 + [1] * 7 + [2] * 7
    assert all(sorted(each) == list(range(7)) for each in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_any_stretch_can_be_asked_for() -> None:
    order = EpochOrder((5, 11, 3), (1.0, 2.5, 0.3), seed=0)
    whole = order.between(0, 3 * SLOTS)
    assert order.between(SLOTS - 5, 2 * SLOTS + 7) == whole[SLOTS - 5 : 2 * SLOTS + 7]
    again = EpochOrder((5, 11, 3), (1.0, 2.5, 0.3), seed=0)
    assert [turn for place in range(50) for turn in again.between(place, place + 1)] == whole[:50]
    assert EpochOrder((5, 11, 3), (1.0, 2.5, 0.3), seed=1).between(0, 50) != whole[:50]


@pytest.mark.parametrize("shares", [(1.0, 1.0), (0.7, 0.3), (1e-9, 1.0), (2.0, 1.0, 4.0)])
def test_sources_take_turns_by_their_shares(shares: tuple[float, ...]) -> None:
    order = EpochOrder((10,) * len(shares), shares, seed=0)
    for first in (0, SLOTS // 2, 5 * SLOTS + 17):
        turns = order.between(first, first + SLOTS)
        count = Counter(turn.source for turn in turns)
        for source, share in enumerate(shares):
            exact = SLOTS * share / sum(shares)
            assert abs(count[source] - exact) <= 1
    early = Counter(turn.source for turn in order.between(0, 100))
    for source, share in enumerate(shares):
        assert abs(early[source] - 100 * share / sum(shares)) <= 2


def test_each_source_has_its_own_epochs() -> None:
    turns = EpochOrder((2, 100), (1.0, 1.0), seed=0).between(0, 40)
    assert Turn(0, 9, 0) in turns
    assert max(turn.epoch for turn in turns if turn.source == 1) == 0


def test_a_source_without_items_is_passed_over() -> None:
    turns = EpochOrder((0, 4), (5.0, 1.0), seed=0).between(0, 100)
    assert {turn.source for turn in turns} == {1}


def test_nothing_to_show_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one item"):
        EpochOrder((0,), (1.0,), seed=0)
    with pytest.raises(ValueError, match="a share for each"):
        EpochOrder((1,), (1.0, 2.0), seed=0)
