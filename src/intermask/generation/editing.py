"""Changing a motion that is there: react, complete, edit, extend, vary; swap and mirror.

All that a model takes part in is one thing: some frames of some people are kept, bit for bit and
in their place, and the others are made anew from the text, the kept ones and the partner. New
frames lead into kept ones (`world.ease_into`, `pacing`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from intermask.bundle import Model
from intermask.conventions import MIN_FRAMES
from intermask.data.augment import mirror_caption
from intermask.errors import UserError
from intermask.generation.edit_captions import (
    edited_captions,
    extended_captions,
    sentence_for,
    swap_caption,
)
from intermask.generation.edit_windows import edit_windows, window_seeds
from intermask.generation.requests import (
    DEFAULT_OPTIONS,
    GenerationOptions,
    check_frame_rate,
    checked_seed,
    person_index,
)
from intermask.generation.world import frames_in_ranges, with_kept
from intermask.motion import FPS, Motion

LONGEST_EXTENSION = 600.0
"""Seconds on one side; more is a story."""


class MotionEditing(ABC):
    """What can be done with a motion that is given."""

    model: Model

    @abstractmethod
    def _fill(
        self,
        given: Motion,
        kept: Tensor,
        prompt: str,
        seed: int,
        options: GenerationOptions,
    ) -> Motion:
        """A motion that the model can see at once, of which frames (2, t) are kept."""

    def react(
        self,
        given: Motion,
        person: int,
        prompt: str,
        seed: int = 0,
        options: GenerationOptions = DEFAULT_OPTIONS,
    ) -> Motion:
        """Keep one person of a motion, bit for bit, and make the other one anew.

        Args:
            given: in any world, of any length; what its other person does is not looked at.
            person: 1 or 2, the one to keep.
            prompt: what happens between the two.
            seed: decides the new person.
            options: how tokens are drawn, and progress.

        Raises:
            UserError: an unusable prompt or person, or a motion of unusable length or frame rate.
        """
        kept = torch.zeros(2, given.frames, dtype=torch.bool)
        kept[person_index(person)] = True
        return self._remade(given, kept, prompt, seed, options)

    def complete(
        self,
        given: Motion,
        prompt: str,
        keep: Sequence[tuple[float, float]] = (),
        person: int | None = None,
        seed: int = 0,
        options: GenerationOptions = DEFAULT_OPTIONS,
    ) -> Motion:
        """Keep ranges of a motion, bit for bit, and make the rest anew, as long as it was.

        The motion is placed by its first frame and its lowest points, kept or not. Tokens of kept
        columns come from the whole motion, so that they know where it went on to. New frames ease
        into kept ones over at most `world.EASE_FRAMES`.

        Args:
            given: in any world, of any length.
            prompt: what happens in the whole motion.
            keep: ranges of (start, end) seconds.
            person: None: the ranges are kept of both people. 1 or 2: only this person is made anew
                outside the ranges, the other one is kept entirely.
            seed: decides what is new.
            options: how tokens are drawn, and progress.

        Raises:
            UserError: an unusable prompt, person or range, a motion of unusable length or frame
                rate, or nothing is to be kept or made.
        """
        check_frame_rate(given)
        kept = _kept_people(frames_in_ranges(keep, given.frames, given.fps, "to keep"), person)
        if not bool(kept.any()):
            raise UserError(
                "nothing of the motion is kept; give ranges to keep or a person to make anew, or "
                "generate from the text alone"
            )
        if bool(kept.all()):
            raise UserError(
                "all of the motion is kept, so nothing is left to make; give shorter ranges"
            )
        return self._remade(given, kept, prompt, seed, options)

    def edit(
        self,
        given: Motion,
        ranges: Sequence[tuple[float, float]],
        prompt: str | None = None,
        person: int | None = None,
        seed: int = 0,
        options: GenerationOptions = DEFAULT_OPTIONS,
    ) -> Motion:
        """Make ranges of a motion anew and keep the rest, bit for bit: `complete` turned round.

        Args:
            given: in any world, of any length.
            ranges: (start, end) seconds to make anew.
            prompt: what happens in and around the ranges; None: the motion's own caption there.
            person: 1 or 2: only this person changes. None: both.
            seed: decides what is new.
            options: how tokens are drawn, and progress.

        Raises:
            UserError: an unusable prompt, person or range, a motion of unusable length or frame
                rate, or nothing is left to be kept or made.
        """
        check_frame_rate(given)
        new = frames_in_ranges(ranges, given.frames, given.fps, "to make anew")
        told = sentence_for(given, prompt, ranges[0][0] if ranges else 0.0)
        if not bool(new.any()):
            raise UserError("no range is to be made anew; give ranges of (start, end) in seconds")
        kept = _kept_people(~new, person)
        if not bool(kept.any()):
            raise UserError(
                "all of the motion is to be made anew, so nothing is kept; give shorter ranges or "
                "one person, or generate from the text alone"
            )
        made = self._remade(given, kept, told, seed, options)
        return replace(made, captions=edited_captions(given.captions, ranges, told))

    def extend(
        self,
        given: Motion,
        prompt: str | None = None,
        before: float = 0.0,
        after: float = 0.0,
        seed: int = 0,
        options: GenerationOptions = DEFAULT_OPTIONS,
    ) -> Motion:
        """Let a motion begin earlier and go on for longer; what is there is kept, bit for bit.

        What is longer than the model makes at once is made piece by piece, each of which sees the
        end of the one before. A beginning starts about where the given motion starts: models know
        people from where they stand first.

        Args:
            given: in any world, of any length.
            prompt: what happens in the new parts; None: the motion's own caption there.
            before: seconds to put before it.
            after: seconds to put behind it.
            seed: decides what is new.
            options: how tokens are drawn, and progress.

        Returns:
            The longer motion; its ``captions`` say what was told of which part, if that differs.

        Raises:
            UserError: an unusable prompt or number of seconds, or a motion of unusable length or
                frame rate.
        """
        check_frame_rate(given)
        told = sentence_for(given, prompt, given.seconds if after else 0.0)
        lead, tail = (
            _extension_frames(seconds, name)
            for seconds, name in ((before, "before"), (after, "after"))
        )
        if lead + tail == 0:
            raise UserError("there is nothing to add; say how many seconds before or after")
        frames = torch.arange(lead + given.frames + tail)
        kept = ((frames >= lead) & (frames < lead + given.frames)).expand(2, -1)
        longer = self._remade(_held(given, lead, tail), kept, told, seed, options)
        captions = extended_captions(given, told, lead / given.fps, tail / given.fps)
        texts = dict.fromkeys(each.text for each in captions) or [told]
        return replace(longer, caption=" ".join(texts), captions=captions)

    def vary(
        self,
        given: Motion,
        prompt: str | None = None,
        keep_ends: float = 1.0,
        person: int | None = None,
        seed: int = 0,
        options: GenerationOptions = DEFAULT_OPTIONS,
    ) -> Motion:
        """Another motion with the same first and last seconds.

        Args:
            given: in any world, of any length.
            prompt: what happens in the whole motion; None: its caption.
            keep_ends: seconds to keep at either end.
            person: 1 or 2: only this person varies. None: both.
            seed: decides what is new.
            options: how tokens are drawn, and progress.

        Raises:
            UserError: an unusable prompt, person or number of seconds, or a motion of unusable
                length or frame rate.
        """
        ends = round(keep_ends * given.fps) if keep_ends >= 0 else -1
        if not 1 <= ends < given.frames / 2:
            raise UserError(
                f"{keep_ends:g} seconds cannot be kept at both ends of a motion of "
                f"{given.seconds:.2f} seconds; give more than 0 and less than "
                f"{given.seconds / 2:.2f}"
            )
        inside = (ends / given.fps, (given.frames - ends) / given.fps)
        return self.edit(given, [inside], prompt, person, seed, options)

    def _remade(
        self, given: Motion, kept: Tensor, prompt: str, seed: int, options: GenerationOptions
    ) -> Motion:
        """A motion of any length with its kept frames (2, t) as they are, the others made anew."""
        check_frame_rate(given)
        if given.frames < MIN_FRAMES:
            raise UserError(
                f"the given motion lasts {given.seconds:.2f} seconds, but models need "
                f"{MIN_FRAMES / FPS:g} or more; make it longer first (extend)"
            )
        windows = edit_windows(~kept.all(0), self.model.config.max_frames)
        if len(windows) == 1 and windows[0].stop - windows[0].start == given.frames:
            filled = self._fill(given, kept, prompt, seed, options)
            return replace(filled, captions=())
        made, done = given.to("cpu"), kept.clone()
        for window, each in zip(
            windows, window_seeds(checked_seed(seed), len(windows)), strict=True
        ):
            seen = slice(window.start, window.stop)
            part = self._fill(
                made.cropped(window.start, window.stop), done[:, seen], prompt, each, options
            )
            fresh = torch.zeros_like(done)
            fresh[:, window.first : window.last] = True
            fresh &= ~done
            made = _with_part(made, part, fresh, window.start)
            done |= fresh
        return replace(
            with_kept(given.to("cpu"), made, kept),
            caption=prompt.strip(),
            captions=(),
            seed=seed,
            model=self.model.config.name,
        )


def swap(motion: Motion) -> Motion:
    """Person 1 and person 2 exchanged, in the motion and where its captions number them."""
    return _retold(motion.swapped(), swap_caption)


def mirror(motion: Motion) -> Motion:
    """The motion seen in a mirror, left and right exchanged in its captions as well."""
    return _retold(motion.mirrored(), mirror_caption)


def _retold(motion: Motion, change: Callable[[str], str]) -> Motion:
    captions = tuple(replace(each, text=change(each.text)) for each in motion.captions)
    return replace(motion, caption=change(motion.caption), captions=captions)


def _kept_people(kept: Tensor, person: int | None) -> Tensor:
    """Frames (2, t) that stay: frames (t) of both people, and all of the partner of one person."""
    both = kept.expand(2, -1).clone()
    if person is not None:
        both[1 - person_index(person)] = True
    return both


def _extension_frames(seconds: float, where: str) -> int:
    frames = round(seconds * FPS) if 0 <= seconds <= LONGEST_EXTENSION else -1
    if frames < 0 or (seconds > 0 and not frames):
        raise UserError(
            f"{seconds:g} seconds cannot be added {where} the motion; give 0 to "
            f"{LONGEST_EXTENSION:g} seconds, and at least one frame of {1 / FPS:.3f}"
        )
    return frames


def _held(given: Motion, before: int, after: int) -> Motion:
    """A motion with frames before and behind it that are yet to be made.

    Encoders look a little beyond what is kept: there, people come to rest within a few frames.
    """
    places = given.positions
    lead, tail = (
        _coasting(places, count, forward) for count, forward in ((before, False), (after, True))
    )

    def longer(part: Tensor) -> Tensor:
        first, last = part[:, :1], part[:, -1:]
        return torch.cat(
            (
                first.expand(-1, before, *first.shape[2:]),
                part,
                last.expand(-1, after, *last.shape[2:]),
            ),
            1,
        )

    return replace(
        given,
        positions=torch.cat((lead, places, tail), 1),
        rotations=longer(given.rotations),
        root_rotations=longer(given.root_rotations),
        captions=(),
    )


def _coasting(places: Tensor, frames: int, forward: bool) -> Tensor:
    """Positions (2, frames, j, 3) behind or before (2, t, j, 3), of people who come to rest."""
    beside, next_to_it = (-1, -2) if forward else (0, 1)
    edge = places[:, beside, None]
    step = edge - places[:, next_to_it, None] if places.shape[1] > 1 else torch.zeros_like(edge)
    time = torch.arange(1, frames + 1).to(places)
    way = (1 - 0.5**time)[:, None, None]
    coasted = edge + way * step
    # nobody falls through the floor, which is read off the lowest point
    lowest = places[..., 1].amin((1, 2))[:, None, None]
    height = torch.maximum(coasted[..., 1], lowest)
    coasted = torch.stack((coasted[..., 0], height, coasted[..., 2]), -1)
    return coasted if forward else coasted.flip(1)


def _with_part(motion: Motion, part: Motion, fresh: Tensor, start: int) -> Motion:
    """A motion with the fresh frames (2, t) of a part that begins at frame ``start`` put in."""
    inside = fresh[:, start : start + part.frames]

    def put(ours: Tensor, theirs: Tensor) -> Tensor:
        result = ours.clone()
        result[fresh] = theirs[inside].to(ours.dtype)
        return result

    return replace(
        motion,
        positions=put(motion.positions, part.positions),
        rotations=put(motion.rotations, part.rotations),
        root_rotations=put(motion.root_rotations, part.root_rotations),
    )
