"""Motion matching: the chain of bank frames that goes a planned way best.

Every sixth of a second the search may go on with the clip it is in, or go over to any other where
feet, hands and trunk are alike (that is what keeps the phase of the feet). The plan is known as a
whole, so a beam search weighs what comes later too, instead of greedily taking the next best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from intermask.choreography.bank import MotionBank, track_world
from intermask.choreography.paths import Way
from intermask.geometry import matrix_to_quaternion, yaw_matrix
from intermask.kinematics import forward_kinematics
from intermask.motion import FPS
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22

DECISION_FRAMES = 5
"""Frames between two chances to go over to another clip."""
RATES = (0.87, 1.0, 1.15)
"""Speeds at which clips may be played."""
HORIZONS = (10, 20, 30)
"""Frames ahead at which the way of a clip is compared with the plan."""

_HORIZON_WEIGHTS = (1.0, 0.6, 0.3)
_SPEED_UNIT, _TURN_UNIT = 0.16, 0.5
"""Metres and radians a second off the plan that cost as much as a worn-out transition."""
_POSE_UNITS = {"feet": 0.07, "hands": 0.22, "trunk": 0.10, "height": 0.04}
_MOTION_UNITS = {"feet": 0.8, "hands": 1.2, "trunk": 0.6, "height": 0.3}
_JUMP_COST = 1.5
"""Price of any transition."""
_MIN_RUN = 2
"""Decisions that a clip is kept for at least."""
_BEAM = 20
_JUMPS_KEPT = 40
_ENTRY_STEP = 3
"""Every so many frames of the bank can be gone over to."""
_TASTE = 1.2
"""How far chance may prefer one clip over another, a decision."""
_WHIM, _FIRST_WHIM = 0.5, 6.0
"""How far chance may prefer one frame over another to go over to, and how much more to begin."""
_HURRY = 0.2
"""Price of another speed than the captured one, a decision."""
_SWAY = 0.2
"""Share of the cost of a way that people at rest pay."""
_SHORT_REST, _LONG_REST = 0.8, 90.0
"""Price of a clip at rest that is about to end, and how many frames ahead that is seen."""
_RESTLESS = 2.0
"""What a transition costs more at rest."""
_MOVE_AT_REST, _REST_ON_THE_MOVE = 1.2, 1.2

_GROUPS = {
    "feet": SMPL22.indices("left_ankle", "right_ankle", "left_foot", "right_foot"),
    "hands": SMPL22.indices("left_wrist", "right_wrist"),
    "trunk": SMPL22.indices(
        "head",
    ),
}


@dataclass(frozen=True)
class Forced:
    """A clip that must be played: at frame ``begin`` it is at ``position``, until ``end``.

    Attributes:
        begin: frame of the scene.
        end: one past its last frame.
        position: frame of the library (of both sides), which may be between two.
        rate: frames of the library a frame of the scene.
        clip: a frame of the clip; the position may be just before it begins.
    """

    begin: int
    end: int
    position: float
    rate: float
    clip: int

    def positions(self, frames: Tensor) -> Tensor:
        """(t) where in the library it is in these frames of the scene."""
        return self.position + self.rate * (frames - self.begin).double()

    def clips(self, frames: Tensor) -> Tensor:
        """(t) a frame of the clip, as `Chain.clips`."""
        return torch.full_like(frames, self.clip)


@dataclass(frozen=True)
class Chain:
    """What is played when.

    Attributes:
        positions: (t) frame of the library, which may be between two.
        clips: (t) a frame of the clip that is played; `positions` may point past its end.
        rates: (t) frames of the library a frame of the scene.
        jumps: frames at which another clip begins, without the first.
    """

    positions: Tensor
    clips: Tensor
    rates: Tensor
    jumps: tuple[int, ...]


class Library:
    """A bank and its mirror image, end to end, ready to be searched."""

    def __init__(self, bank: MotionBank) -> None:
        both = (bank, bank.mirrored)
        self.bank = bank
        self.half = bank.frames
        self.segments = (*bank.segments, *bank.mirrored.segments)
        count = len(bank.segments)
        self.segment_of = torch.cat([bank.segment_of_frame, bank.segment_of_frame + count])
        starts = torch.tensor([segment.start for segment in bank.segments])
        stops = torch.tensor([segment.stop for segment in bank.segments])
        self.first = torch.cat((starts, starts + self.half))[self.segment_of]
        self.last = torch.cat((stops, stops + self.half))[self.segment_of] - 1
        self.rotations = torch.cat([each.rotations for each in both])
        self.root = torch.cat([each.root for each in both])
        self.track = torch.cat([each.track for each in both])
        self.contacts = torch.cat([each.contacts for each in both])

    @cached_property
    def quaternions(self) -> Tensor:
        """(2f, 22, 4) w first, neighbours in the same half."""
        return matrix_to_quaternion(self.rotations)

    @cached_property
    def poses(self) -> Tensor:
        """(2f, d) where feet, hands and head are and how they move, as seen from the track."""
        offsets = torch.tensor(MEAN_ADULT_OFFSETS.copy(), dtype=torch.float32)
        place, world = track_world(self.track, self.root, self.rotations)
        positions = forward_kinematics(offsets, place, world[:, 0], world[:, 1:])
        back = yaw_matrix(-self.track[:, 2])
        origin = torch.stack(
            (self.track[:, 0], torch.zeros_like(self.track[:, 0]), self.track[:, 1]), -1
        )
        own = (back[:, None] @ (positions - origin[:, None])[..., None])[..., 0]
        moved = (back[:, None] @ self._speed(positions)[..., None])[..., 0]
        parts = []
        for name, joints in _GROUPS.items():
            chosen = list(joints)
            parts += [
                own[:, chosen].flatten(1) / (_POSE_UNITS[name] * len(chosen) ** 0.5),
                moved[:, chosen].flatten(1) / (_MOTION_UNITS[name] * len(chosen) ** 0.5),
            ]
        parts += [
            own[:, 0, 1:2] / _POSE_UNITS["height"],
            moved[:, 0, 1:2] / _MOTION_UNITS["height"],
        ]
        return torch.cat(parts, 1)

    def _speed(self, positions: Tensor) -> Tensor:
        own = torch.arange(len(positions))
        after, before = torch.minimum(own + 1, self.last), torch.maximum(own - 1, self.first)
        return FPS * (positions[after] - positions[before]) / (after - before)[:, None, None]

    @cached_property
    def ways(self) -> Tensor:
        """(rates, 2f, horizons * 3) mean speed over the frames ahead: left, ahead, turning."""
        own = torch.arange(len(self.track))
        result = []
        for rate in RATES:
            parts = []
            for horizon in HORIZONS:
                there = torch.minimum((own + horizon * rate).round().long(), self.last)
                parts.append(
                    _local_speed(self.track, self.track[there], (there - own).clamp(min=1) / rate)
                )
            result.append(torch.cat(parts, 1))
        return torch.stack(result)

    @cached_property
    def entries(self) -> Tensor:
        """(e) frames that can be gone over to: not of actions, not near the end of a clip."""
        own = torch.arange(len(self.track))
        free = torch.tensor([segment.kind != "act" for segment in self.segments])
        inside = (own - self.first >= 2) & (self.last - own >= 3 * DECISION_FRAMES)
        return own[free[self.segment_of] & inside & ((own - self.first) % _ENTRY_STEP == 2)]

    @cached_property
    def entry_poses(self) -> Tensor:
        """(e, d) `poses` of the entries."""
        return self.poses[self.entries]


def _local_speed(track: Tensor, there: Tensor, frames: Tensor) -> Tensor:
    """(n, 3) metres and radians a second from tracks (n, 3) to others, seen from the former."""
    gap = there - track
    sine, cosine = track[:, 2].sin(), track[:, 2].cos()
    left = cosine * gap[:, 0] - sine * gap[:, 1]
    ahead = sine * gap[:, 0] + cosine * gap[:, 1]
    return FPS * torch.stack((left, ahead, gap[:, 2]), 1) / frames[:, None]


@dataclass
class _Beam:
    """The best chains up to a decision, b of them."""

    position: Tensor  # (b) frame of the library now, may be between two
    clip: Tensor  # (b) a frame of its clip
    rate: Tensor  # (b) index of `RATES`, or -1 for a forced clip
    speed: Tensor  # (b) frames of the library a frame of the scene
    age: Tensor  # (b) decisions in this clip
    cost: Tensor  # (b)


@dataclass(frozen=True)
class _Step:
    """One decision, to go back along: for each chain of the beam, its parent and its place."""

    parent: Tensor
    position: Tensor
    clip: Tensor
    speed: Tensor
    jumped: Tensor


def find_chain(
    library: Library,
    way: Way,
    style: str,
    forced: Sequence[Forced],
    generator: torch.Generator,
) -> Chain:
    """The chain of clips that goes the way best.

    Args:
        library: what there is.
        way: (t) where to be; in the bank's metres.
        style: tag of the clips for when the way rests.
        forced: clips that must be played, in order and apart.
        generator: decides which of about equally good clips.
    """
    search = _Search(library, way, style, generator)
    frames = len(way.track)
    for begin in range(0, frames, DECISION_FRAMES):
        soon = begin + DECISION_FRAMES // 2
        act = next((each for each in forced if each.begin <= begin and soon < each.end), None)
        if act is None:
            search.decide(begin)
        else:
            search.force(begin, act)
    return search.chain(frames)


class _Search:
    """The beam and how it came about."""

    def __init__(self, library: Library, way: Way, style: str, generator: torch.Generator) -> None:
        self.library, self.way = library, way
        usable = torch.tensor(
            [each.kind == "move" or each.tag == style for each in library.segments]
        )
        chosen = usable[library.segment_of[library.entries]]
        self.entries, self.entry_poses = library.entries[chosen], library.entry_poses[chosen]
        # A clip and its mirror image are tasted apart: people have a favourite leg.
        self.taste = _TASTE * torch.rand(len(library.segments), generator=generator)
        self.whim = _WHIM * torch.rand(len(self.entries), generator=generator)
        self.hurry = torch.tensor([_HURRY * (rate != 1.0) for rate in RATES])
        self.moves = torch.tensor([each.kind == "move" for each in library.segments])
        self.beam: _Beam | None = None
        self.steps: list[_Step] = []

    def decide(self, frame: int) -> None:
        """Go on, or over to another clip."""
        entries = self.entries
        wanted = self._wanted(frame)
        price, rate = self._costs_of(entries, wanted, frame).min(0)
        if self.beam is None:
            self._begin(price + _FIRST_WHIM * self.whim, rate)
            return
        beam = self.beam
        goes_on = beam.position + DECISION_FRAMES * beam.speed
        current = goes_on.round().long()
        last = self.library.last[beam.clip]
        alive = (goes_on + DECISION_FRAMES * beam.speed <= last) & (beam.rate >= 0)
        own = self._costs_at(current.minimum(last), beam.rate.clamp(min=0), wanted, frame)
        going_on = (beam.cost + own).masked_fill(~alive, torch.inf)
        poses = self.library.poses[current.minimum(last)]
        worn = torch.cdist(poses, self.entry_poses).square() + _JUMP_COST
        worn = worn + _RESTLESS * self.way.resting[frame]
        young = (beam.age < _MIN_RUN) & alive
        total = worn + (beam.cost + 50.0 * young)[:, None]
        by_entry, parent = total.min(0)
        over = by_entry + price + self.whim
        best = over.topk(min(_JUMPS_KEPT, len(entries)), largest=False).indices
        costs = torch.cat((going_on, over[best]))
        chosen = costs.topk(min(_BEAM, len(costs)), largest=False).indices
        chosen = chosen[torch.isfinite(costs[chosen])]
        self._keep(
            torch.cat((torch.arange(len(beam.cost)), parent[best]))[chosen],
            torch.cat((goes_on, entries[best].double()))[chosen],
            torch.cat((beam.rate, rate[best]))[chosen],
            torch.cat((beam.age + 1, torch.zeros_like(best)))[chosen],
            costs[chosen],
            torch.cat((torch.zeros(len(beam.cost)), torch.ones(len(best)))).bool()[chosen],
        )

    def _begin(self, price: Tensor, rate: Tensor) -> None:
        """The first beam: the cheapest of all entries (e), at their best rates."""
        best = price.topk(min(_BEAM, len(price)), largest=False).indices
        zeros = torch.zeros_like(best)
        spots = self.entries[best].double()
        self._keep(zeros, spots, rate[best], zeros, price[best], zeros > 0)

    def force(self, frame: int, act: Forced) -> None:
        """Play a clip that must be played."""
        spot = act.positions(torch.tensor([frame]))
        clip = act.clips(torch.tensor([frame]))
        old = torch.tensor([-1])
        jumped = frame - act.begin < DECISION_FRAMES
        if self.beam is None:
            parent, cost = torch.zeros(1, dtype=torch.long), torch.zeros(1)
            self._keep(parent, spot, old, old + 9, cost, old > 0, clip, act.rate)
        else:
            cost = self.beam.cost
            if jumped:
                ahead = self.beam.position + DECISION_FRAMES * self.beam.speed
                last = self.library.last[self.beam.clip]
                there = self.library.poses[ahead.round().long().minimum(last)]
                goal = self.library.poses[within(self.library, spot, clip).round().long()]
                cost = cost + torch.cdist(there, goal)[:, 0].square()
            best = cost.argmin().view(1)
            jump = torch.tensor([jumped])
            self._keep(best, spot, old, old + 9, cost[best], jump, clip, act.rate)

    def _keep(
        self, parent: Tensor, position: Tensor, rate: Tensor, age: Tensor, cost: Tensor,
        jumped: Tensor, clip: Tensor | None = None, forced_rate: float = 1.0,
    ) -> None:  # fmt: skip
        clip = position.round().long() if clip is None else clip
        speed = torch.tensor((*RATES, forced_rate), dtype=torch.float64)[rate]  # -1 is the last
        self.beam = _Beam(position, clip, rate, speed, age, cost)
        self.steps.append(_Step(parent, position, clip, speed, jumped))

    def _wanted(self, frame: int) -> Tensor:
        """(horizons * 3) mean speed of the plan over the frames ahead."""
        track = self.way.track
        parts = []
        for horizon in HORIZONS:
            there = min(frame + horizon, len(track) - 1)
            frames = torch.tensor([float(max(there - frame, 1))])
            parts.append(_local_speed(track[frame : frame + 1], track[there : there + 1], frames))
        return torch.cat(parts, 1)[0]

    def _price(self, ways: Tensor, wanted: Tensor) -> Tensor:
        """(...) cost of ways (..., horizons * 3) that are not the wanted one."""
        unit = ways.new_tensor((_SPEED_UNIT, _SPEED_UNIT, _TURN_UNIT) * len(HORIZONS))
        weight = ways.new_tensor(_HORIZON_WEIGHTS).repeat_interleave(3)
        return (weight * ((ways - wanted) / unit).square()).sum(-1)

    def _costs_of(self, frames: Tensor, wanted: Tensor, frame: int) -> Tensor:
        """(rates, n) cost of going on from frames of the library, at every rate."""
        return self._cost(self.library.ways[:, frames], wanted, frames, frame) + self.hurry[:, None]

    def _costs_at(self, frames: Tensor, rate: Tensor, wanted: Tensor, frame: int) -> Tensor:
        """(n) cost of going on from frames of the library at given rates."""
        return self._cost(self.library.ways[rate, frames], wanted, frames, frame) + self.hurry[rate]

    def _cost(self, ways: Tensor, wanted: Tensor, frames: Tensor, frame: int) -> Tensor:
        """(..., n) cost of ways (..., n, horizons * 3), and of what a clip is."""
        segments = self.library.segment_of[frames]
        moves, off = self.moves[segments], self._price(ways, wanted)
        if bool(self.way.resting[frame]):
            # People at rest sway, and those who sway least are not the most alive.
            left = (self.library.last[frames] - frames) / _LONG_REST
            rest = _SWAY * off + _SHORT_REST * (1 - left).clamp(min=0)
            return self.taste[segments] + torch.where(moves, off + _MOVE_AT_REST, rest)
        return self.taste[segments] + off + _REST_ON_THE_MOVE * ~moves

    def chain(self, frames: int) -> Chain:
        """The cheapest chain, frame by frame."""
        assert self.beam is not None
        number = int(self.beam.cost.argmin())
        positions: list[Tensor] = []
        clips: list[Tensor] = []
        rates: list[Tensor] = []
        jumps: list[int] = []
        steps = torch.arange(DECISION_FRAMES, dtype=torch.float64)
        for decision in reversed(range(len(self.steps))):
            step = self.steps[decision]
            positions.append(step.position[number] + step.speed[number] * steps)
            clips.append(step.clip[number].expand(DECISION_FRAMES))
            rates.append(step.speed[number].expand(DECISION_FRAMES))
            if bool(step.jumped[number]):
                jumps.append(decision * DECISION_FRAMES)
            number = int(step.parent[number])
        return Chain(
            torch.cat(positions[::-1])[:frames],
            torch.cat(clips[::-1])[:frames],
            torch.cat(rates[::-1])[:frames],
            tuple(jump for jump in reversed(jumps) if jump > 0),
        )


def sample_rotations(library: Library, positions: Tensor, clips: Tensor) -> Tensor:
    """Quaternions (t, 22, 4) at positions (t), which may be between two frames; see `Chain`."""
    before, after, share = _neighbours(library, positions, clips)
    first, second = library.quaternions[before], library.quaternions[after]
    second = torch.where((first * second).sum(-1, keepdim=True) < 0, -second, second)
    return functional.normalize(first.lerp(second, share[:, None, None]), dim=-1)


def sample(library: Library, values: Tensor, positions: Tensor, clips: Tensor) -> Tensor:
    """Values (t, c) of arrays (2f, c) at positions (t); see `Chain`."""
    before, after, share = _neighbours(library, positions, clips)
    return values[before].lerp(values[after], share[:, None])


def _neighbours(
    library: Library, positions: Tensor, clips: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    inside = within(library, positions, clips)
    before = inside.floor().long()
    after = torch.minimum(before + 1, library.last[clips])
    return before, after, (inside - before).float()


def within(library: Library, positions: Tensor, clips: Tensor) -> Tensor:
    """Positions (t) that do not leave their clips: the first or last frame stays."""
    return positions.maximum(library.first[clips]).minimum(library.last[clips])
