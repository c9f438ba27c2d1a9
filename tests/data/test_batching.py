"""Batches are functions of seed and step; every clip has its turn; augmentation is what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from intermask.data.augment import mirror_caption
from intermask.data.batching import (
    LEFT_MIDWAY,
    InteractionSampler,
    Source,
    SourceClips,
    WindowSampler,
    canonical_people,
)
from intermask.data.layout import Clip
from intermask.data.placement import Crop, placed_features
from intermask.errors import UserError
from walking import walking_pair
from worlds import loaded

FRAMES = (41, 52, 63, 74, 95, 130)
CAPTIONS = ("They walk left.", "One turns clockwise.", "Both stop.")


def source(frames: Sequence[int] = FRAMES, share: float = 1.0, people: int = 2) -> SourceClips:
    clips = tuple(
        Clip(f"{n}", loaded(walking_pair(count, seed=n))[:people], CAPTIONS)
        for n, count in enumerate(frames)
    )
    return SourceClips(Source(Path("walks"), share), people, clips, ())


def place(crops: Sequence[Crop]) -> Tensor:
    return placed_features(crops, "shared")


def encode(frames: Tensor, *, mirror: bool = False, swap: bool = False) -> Tensor:
    return canonical_people(frames, "shared", mirror=mirror, swap=swap)


def windows(
    *sources: SourceClips, window: int = 32, most: int = 300, mirror: bool = True, seed: int = 0
) -> WindowSampler:
    return WindowSampler(sources or (source(),), window, 10, most, place, mirror, seed)


def interactions(
    *sources: SourceClips, most: int = 90, mirror: bool = True, seed: int = 0
) -> InteractionSampler:
    return InteractionSampler(sources or (source(),), most, 4, encode, mirror, seed)


# --- Windows -------------------------------------------------------------------------------------


def crops_of(sampler: WindowSampler, steps: int, count: int) -> list[Crop]:
    seen: list[Crop] = []

    def keep(crops: Sequence[Crop]) -> Tensor:
        seen.extend(crops)
        return torch.zeros(0)

    spied = replace(sampler, windows=keep)
    for step in range(steps):
        spied.draw(step, count)
    return seen


def test_an_epoch_shows_every_window_of_every_clip_once() -> None:
    sampler = windows()
    starts = [
        (str(n), start) for n, frames in enumerate(FRAMES) for start in range(0, frames - 32, 10)
    ]
    crops = crops_of(sampler, steps=2, count=len(starts))
    for epoch in (crops[: len(starts)], crops[len(starts) :]):
        assert sorted((crop.clip.name, crop.start) for crop in epoch) == starts
    for crop in crops:
        assert crop.stop == crop.start + 33 and crop.stop <= crop.clip.loaded.shape[1]
        assert 0 <= crop.anchor <= crop.start


def test_a_crop_is_no_longer_than_it_may_be() -> None:
    crops = crops_of(windows(most=50), steps=10, count=40)
    assert max(crop.stop - 1 - crop.anchor for crop in crops) == 50
    assert min(crop.stop - 1 - crop.anchor for crop in crops) == 32


def test_people_mirrors_and_places_vary() -> None:
    crops = crops_of(windows(), steps=10, count=40)
    for part in ("person", "reference", "mirror"):
        share = sum(int(getattr(crop, part)) for crop in crops) / len(crops)
        assert 0.4 < share < 0.6, part
    assert not any(crop.mirror for crop in crops_of(windows(mirror=False), 2, 40))


def test_windows_depend_on_seed_and_step_alone() -> None:
    sampler = windows()
    batch = sampler.draw(3, 8)
    assert batch.shape == (8, 32, 262)
    assert torch.equal(windows().draw(3, 8), batch)
    assert torch.equal(sampler.draw(3, 8, slice(2, 5)), batch[2:5])
    assert torch.equal(torch.cat((sampler.draw(6, 4), sampler.draw(7, 4))), batch)
    assert not torch.equal(sampler.draw(4, 8), batch)
    assert not torch.equal(windows(seed=1).draw(3, 8), batch)


def test_single_people_take_part() -> None:
    crops = crops_of(windows(source(share=1.0), source(people=1, share=3.0)), 5, 40)
    alone = [crop for crop in crops if len(crop.clip.loaded) == 1]
    assert len(alone) == 150
    assert {(crop.person, crop.reference) for crop in alone} == {(0, 0)}


def test_clips_without_a_window_are_refused() -> None:
    with pytest.raises(UserError, match="no clip has the 201 frames"):
        windows(window=200)


# --- Interactions --------------------------------------------------------------------------------


def test_an_epoch_shows_every_clip_once() -> None:
    sampler = interactions()
    clips = [variant.clip for step in range(4) for variant, _ in sampler.draw(step, 3)]
    assert sorted(clips) == sorted([*range(6), *range(6)])


def test_clips_of_similar_length_come_together() -> None:
    sampler = interactions(source(range(41, 89)), mirror=False)
    spreads = []
    for step in range(4):
        frames = [sampler.frames(v.source, v.clip) for v, _ in sampler.draw(step, 12)]
        spreads.append(max(frames) - min(frames))
    assert max(spreads) <= 12  # of 48 in all


def test_a_variant_is_decided_by_seed_epoch_and_clip() -> None:
    def seen(sampler: InteractionSampler, count: int) -> set[tuple[object, str]]:
        return {item for step in range(24 // count) for item in sampler.draw(step, count)}

    # Other batches of the same 24 turns: the same clips in the same epochs look the same.
    assert seen(interactions(), 2) == seen(interactions(), 6) == seen(interactions(), 3)
    assert seen(interactions(), 2) != seen(interactions(seed=1), 2)


def test_long_clips_are_cropped_at_random_and_captions_follow_the_mirror() -> None:
    items = [item for step in range(40) for item in interactions().draw(step, 3)]
    starts = {variant.start for variant, _ in items if variant.clip == 5}
    assert len(starts) > 10 and min(starts) >= 0 and max(starts) <= 130 - 1 - 90
    assert {variant.start for variant, _ in items if variant.clip == 0} == {0}
    assert {caption for v, caption in items if not v.mirror} == set(CAPTIONS)
    assert {caption for v, caption in items if v.mirror} == set(map(mirror_caption, CAPTIONS))
    assert {variant.swap for variant, _ in items} == {False, True}
    assert interactions().captions() == {*CAPTIONS, *map(mirror_caption, CAPTIONS)}
    assert interactions(mirror=False).captions() == set(CAPTIONS)


def test_fixed_variants_are_all_that_short_clips_can_look_like() -> None:
    sampler = interactions()
    fixed = sampler.fixed_variants()
    assert len(fixed) == len(set(fixed)) == 4 * 4  # 91 frames and more are cropped
    drawn = {variant for step in range(80) for variant, _ in sampler.draw(step, 3)}
    assert {variant for variant in drawn if variant.clip < 4} == set(fixed)


def test_features_are_those_of_the_cropped_clip() -> None:
    sampler = interactions()
    (variant, _), *_ = (item for item in sampler.draw(0, 3) if item[0].clip >= 0)
    frames = sampler.frames(variant.source, variant.clip)
    assert frames % 4 == 0
    assert sampler.features(variant).shape == (2, frames, 262)


def test_some_clips_begin_midway_where_that_is_asked_for() -> None:
    plain = interactions(source([40, 100, 200, 250]), most=300)
    midway = replace(plain, midway=0.5)
    seen = [variant for step in range(60) for variant, _ in midway.draw(step, 4)]
    begun = [variant for variant in seen if variant.start > 0]
    long = [variant for variant in seen if midway.frames(0, variant.clip) > LEFT_MIDWAY]
    assert 0.4 < len(begun) / len(long) < 0.6
    for variant in begun:
        left = midway.frames(0, variant.clip, variant.start)
        assert left >= LEFT_MIDWAY - midway.stride
        assert midway.features(variant).shape[1] == left
    assert all(variant.start == 0 for step in range(20) for variant, _ in plain.draw(step, 4))
