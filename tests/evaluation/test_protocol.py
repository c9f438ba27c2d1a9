"""What an evaluation draws, and what departs from the official protocol."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from intermask.errors import UserError
from intermask.evaluation.clips import EvaluationClip, Recording
from intermask.evaluation.protocol import (
    QUICK,
    Plan,
    draw_prompts,
    draw_replication,
    other_captions,
    part_start,
    seed_of,
)


def clips(captions: list[tuple[str, ...]]) -> list[EvaluationClip]:
    return [
        EvaluationClip(f"clip_{number}", texts, torch.zeros(2, 16, 262))
        for number, texts in enumerate(captions)
    ]


MANY = clips([(f"sentence {n}.", f"other words {n}", f"third {n}") for n in range(50)])


def test_a_draw_is_whole_pools_of_shuffled_clips() -> None:
    draw = draw_replication(MANY, 16, seed=0, replication=3)
    assert len(draw.clips) == len(draw.captions) == 48
    assert len(set(draw.clips.tolist())) == 48
    assert draw.clips.tolist() != sorted(draw.clips.tolist())
    assert set(draw.captions.tolist()) == {0, 1, 2}
    texts = draw.texts(MANY)
    assert texts[0] == MANY[int(draw.clips[0])].captions[int(draw.captions[0])]
    assert draw.exchanged.shape == (2, 48)
    assert 0.2 < float(draw.exchanged.float().mean()) < 0.8
    assert not torch.equal(*draw.exchanged)


def test_draws_repeat_and_differ_by_seed_and_replication() -> None:
    same = [draw_replication(MANY, 16, 0, 3) for _ in range(2)]
    assert all(torch.equal(getattr(same[0], n), getattr(same[1], n)) for n in vars(same[0]))
    for other in (draw_replication(MANY, 16, 0, 4), draw_replication(MANY, 16, 1, 3)):
        assert not torch.equal(same[0].clips, other.clips)
        assert not torch.equal(same[0].captions, other.captions)


def test_every_replication_takes_another_part_of_a_longer_clip() -> None:
    def encode(loaded: Tensor, *, mirror: bool = False, swap: bool = False) -> Tensor:
        return loaded[:, :-1]

    recording = Recording(torch.zeros(2, 50, 262), 41, encode)
    clip = EvaluationClip("long", ("text",), recording.features(0), recording)
    assert clip.parts == 10
    starts = [part_start(clip, 0, replication) for replication in range(200)]
    assert starts == [part_start(clip, 0, replication) for replication in range(200)]
    assert set(starts) == set(range(10))
    assert starts != [part_start(clip, 1, replication) for replication in range(200)]
    assert starts != [part_start(replace(clip, name="other"), 0, n) for n in range(200)]
    assert part_start(MANY[0], 0, 3) == 0


def test_what_is_drawn_of_a_clip_does_not_depend_on_the_other_clips() -> None:
    draw, fewer = (draw_replication(each, 2, 0, 5) for each in (MANY, MANY[:20]))

    def captions(draw, all_clips) -> dict[str, int]:  # type: ignore[no-untyped-def]
        pairs = zip(draw.clips.tolist(), draw.captions.tolist(), strict=True)
        return {all_clips[clip].name: caption for clip, caption in pairs}

    few = captions(fewer, MANY[:20])
    assert {name: captions(draw, MANY)[name] for name in few} == few


def test_prompts_are_different_clips() -> None:
    chosen = draw_prompts(MANY, 30, seed=0, replication=0)
    assert len({clip for clip, _ in chosen}) == 30
    assert chosen != draw_prompts(MANY, 30, seed=0, replication=1)
    assert len(draw_prompts(MANY[:5], 30, 0, 0)) == 5


def test_seeds_are_their_own() -> None:
    seeds = {
        seed_of(*key)
        for key in [(0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1), (0, "a", 0, "x", 1)]
    }
    assert len(seeds) == 5
    assert seed_of(0, "motion", 2, "clip") == seed_of(0, "motion", 2, "clip")
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize("replication", range(4))
def test_other_captions_are_never_true_of_a_clip(replication: int) -> None:
    """Whatever sentences clips share, as long as no sentence is true of half of them."""
    shared = clips(
        [("They dance.",)] * 18
        + [("They fight!", "They dance.")] * 6
        + [("they  FIGHT",)] * 8
        + [(f"They do {n}.",) for n in range(18)]
    )
    draw = draw_replication(shared, 10, 0, replication)
    lent = other_captions(shared, draw, 0, replication)
    assert lent is not None
    assert sorted(lent.tolist()) == list(range(len(draw.clips)))
    texts = draw.texts(shared)
    for place, clip in enumerate(draw.clips.tolist()):
        own = {" ".join(text.casefold().strip(".!").split()) for text in shared[clip].captions}
        given = " ".join(texts[int(lent[place])].casefold().strip(".!").split())
        assert given not in own


def test_captions_cannot_be_shuffled_where_most_are_alike() -> None:
    alike = clips([("They dance.",)] * 7 + [("They fight.",)] * 3)
    assert other_captions(alike, draw_replication(alike, 10, 0, 0), 0, 0) is None


def test_the_default_plan_is_the_official_one() -> None:
    assert Plan().departures(clips=1177, available=1177) == []
    quick = Plan(**QUICK)
    reasons = quick.departures(clips=96, available=1177)
    assert len(reasons) == 3
    assert "96 of 1177" in reasons[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task": "inbetweening"}, "no official protocol"),
        ({"split": "val"}, "split is val"),
        ({"replications": 5}, "5 replications"),
        ({"samples": 10}, "100 captions with 10 motions"),
    ],
)
def test_departures_are_named(changes: dict[str, object], words: str) -> None:
    (reason,) = Plan(**changes).departures(1177, 1177)  # type: ignore[arg-type]
    assert words in reason


def test_clips_are_chosen_all_over_the_split() -> None:
    assert Plan().chosen(MANY) == MANY
    some = Plan(clips=10).chosen(MANY)
    assert [clip.name for clip in some] == [f"clip_{5 * n}" for n in range(10)]
    with pytest.raises(UserError, match="has 2 usable clips"):
        Plan().chosen(MANY[:2])
    with pytest.raises(UserError, match="1 clips are too few"):
        Plan(clips=1)
