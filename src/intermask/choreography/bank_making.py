"""Distil the motion bank from imported captures: choose, calm, smooth, and find what stands where.

What is taken is written in ``bank/segments.toml``. The result depends on the data and that list
alone.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import roma
import torch
from torch import Tensor

from intermask import representation
from intermask.choreography.bank import KINDS, Kind, Layer, MotionBank, Segment, Side
from intermask.choreography.footwork import bend_leg
from intermask.data.layout import InterHumanFolder
from intermask.data.limbs import LEGS, smooth_in_time
from intermask.errors import UserError
from intermask.geometry import (
    axis_angle_to_matrix,
    facing_direction,
    matrix_to_axis_angle,
    rot6d_to_matrix,
    rotation_between,
    yaw_matrix,
)
from intermask.kinematics import correct_rotations, forward_kinematics, global_rotations
from intermask.motion import FPS
from intermask.skeleton import FEET, MEAN_ADULT_OFFSETS, SMPL22

RECIPE_FILE = Path(__file__).parent / "bank" / "segments.toml"

_ARMS = SMPL22.indices(
    "left_collar", "right_collar", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip
_LEGS = SMPL22.indices(
    "left_knee", "right_knee", "left_ankle", "right_ankle", "left_foot", "right_foot"
)
_HEELS, _BALLS = (0, 2), (1, 3)  # of `FEET`

_BALL_HEIGHT = 0.02
"""Metres above the floor of the foot joint that bears weight; importers put it there as well."""
_STANDING_SPEED = {"heel": 0.25, "ball": 0.35}
"""Metres a second below which a heel, or the ball of a foot, stands."""
_STANDING_RISE = 0.035
"""Metres above its lowest that a standing joint may be."""
_TRACK_SECONDS: dict[Kind, float] = {"move": 0.3, "rest": 0.5, "act": 0.3}
"""Deviation of the Gaussian that takes the gait out of the way a person goes."""
_SMOOTH_FRAMES: dict[Kind, float] = {"move": 0.8, "rest": 1.6, "act": 0.6}
"""Deviation of the Gaussian against the jitter of markers: fast actions bear least."""
_IN_PLACE = 0.25
"""Metres from its first to its last frame below which an action stays in place."""
_UPRIGHT = ("walk", "sidestep", "backstep", "turn", "stand", "talk")
_NECK, _HEAD = SMPL22.indices("neck", "head")
_LEAN_FRAMES = 12.0
"""Deviation in frames of the Gaussian that tells a lean that lasts from the sway of a step."""
_FREE_LEAN, _USUAL_LEAN = math.radians(5), math.radians(4)
"""Lean to any side that is left alone, from upright and a little forward."""
_TRUNK_BALANCE = 0.2
"""Metres by which a pelvis goes back under a trunk that is bent over by a radian."""
_STRAIGHT, _STRAIGHT_SHARE = 0.985, 0.15
"""Share of its length that a standing leg reaches, in all but this share of the frames."""
_LEANING = 0.3
"""Share of the distance between pelvis and standing foot that is kept on the spot."""
_WAITING = 9
"""Frames that a piece which returns waits before and after."""
_TURN_ROUND = 3.0
"""Deviation in frames of the smoothing of time where a piece turns round."""
_LARGEST_LIFT = 0.08
"""Metres that a person may be lifted."""
_LOW_HANDS: dict[Kind, float] = {"move": 0.10, "rest": 0.0, "act": 0.0}
"""Metres above the pelvis below which the wrists of a donor of calm arms stay."""
_SWITCH = 1.2
"""Price of going on with another donor of arms, in squared decimetres of the legs."""


@dataclass(frozen=True)
class Entry:
    """One line of the recipe; see ``bank/segments.toml`` for the fields."""

    tag: str
    kind: Kind
    clip: str
    frames: tuple[int, int]
    key: int | None = None
    layer: Layer = "full"
    side: Side = "both"
    person: int = 1
    arms: str = ""
    backwards: bool = False
    amplitude: float = 1.0
    returns: float = 0.0
    supports: str = ""
    aim: str | float = "facing"


@dataclass(frozen=True)
class _Piece:
    """Frames of one entry in the world: pelvis, rotations with the pelvis's first, positions."""

    entry: Entry
    root: Tensor
    rotations: Tensor
    key: int

    @property
    def positions(self) -> Tensor:
        return forward_kinematics(
            _offsets(), self.root, self.rotations[:, 0], self.rotations[:, 1:]
        )


def read_recipe(path: str | Path = RECIPE_FILE) -> tuple[Entry, ...]:
    """The list of pieces.

    Raises:
        UserError: a field that is not known, or a value that cannot be.
    """
    tables = tomllib.loads(Path(path).read_text("utf-8"))
    entries = []
    for kind, tags in tables.items():
        if kind not in KINDS:
            raise UserError(f"{path} has a table [{kind}]; expected {', '.join(KINDS)}")
        for tag, lines in tags.items():
            entries += [_entry(kind, tag, line, path) for line in lines]
    return tuple(entries)


def _entry(kind: Kind, tag: str, line: Mapping[str, Any], path: str | Path) -> Entry:
    try:
        entry = Entry(tag=tag, kind=kind, **{**line, "frames": tuple(line["frames"])})
    except (TypeError, KeyError) as error:
        raise UserError(f"{path}: a line of {tag!r} is not understood ({error})") from error
    first, last = entry.frames
    if not 0 <= first < last - 8:
        raise UserError(f"{path}: frames {list(entry.frames)} of {entry.clip} are too few")
    if kind == "act" and (entry.key is None or not first < entry.key < last):
        raise UserError(f"{path}: the key of {tag!r} of {entry.clip} is not among its frames")
    choices = (
        (entry.layer, get_args(Layer)),
        (entry.side, get_args(Side)),
        (entry.arms, ("", "calm", "other")),
        (entry.supports, ("", "left", "right")),
        (entry.aim, ("facing", "hand", "foot")),
    )
    for value, known in choices:
        if isinstance(value, str) and value not in known:
            raise UserError(f"{path}: {tag!r} says {value!r}; expected one of {', '.join(known)}")
    return entry


def make_bank(
    folders: Sequence[str | Path],
    recipe: Sequence[Entry] | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> MotionBank:
    """Make a bank from datasets in InterHuman's layout.

    Args:
        folders: where the clips of the recipe are, whichever folder has which.
        recipe: what to take; by default the list in the package.
        progress: called with pieces done and pieces in all.

    Raises:
        UserError: no folder has a clip of the recipe, or a clip is shorter than the recipe says.
    """
    entries = read_recipe() if recipe is None else tuple(recipe)
    sources = [InterHumanFolder(folder) for folder in folders]
    pieces = []
    for number, entry in enumerate(entries):
        pieces.append(_cut(entry, _source_of(entry, sources)))
        if progress is not None:
            progress(number + 1, len(entries))
    donors = [piece for piece in pieces if _is_donor(piece.entry)]
    return _joined([_calmed(piece, donors) for piece in pieces])


def _is_donor(entry: Entry) -> bool:
    return not entry.arms and not entry.backwards and entry.tag in ("walk", "stand")


def _source_of(entry: Entry, sources: Sequence[InterHumanFolder]) -> InterHumanFolder:
    for source in sources:
        if (source.motions / f"person{entry.person}" / f"{entry.clip}.npy").is_file():
            return source
    raise UserError(
        f"no given dataset has the clip {entry.clip} of person {entry.person}, which the recipe "
        f"of the motion bank names; looked in {', '.join(str(each.root) for each in sources)}"
    )


def _cut(entry: Entry, source: InterHumanFolder) -> _Piece:
    loaded = source.read(entry.clip).loaded[entry.person - 1]
    first, last = entry.frames
    if last > len(loaded):
        raise UserError(
            f"{source.root}: {entry.clip} has {len(loaded)} frames, the recipe of the motion bank "
            f"asks for {last}; import the captures again"
        )
    places, turns = representation.split_loaded(loaded[first:last])
    positions = representation.z_up_to_y_up(places)
    local = rot6d_to_matrix(turns)
    # The layout has no rotation of the pelvis; the three bones that leave it tell it exactly.
    guess = torch.eye(3).expand(len(positions), 3, 3)
    pelvis, local = correct_rotations(positions, _offsets(), guess, local)
    rotations = torch.cat((pelvis[:, None], local), 1)
    root = positions[:, 0]
    key = (entry.key if entry.key is not None else first) - first
    if entry.backwards:
        root, rotations, key = root.flip(0), rotations.flip(0), last - first - 1 - key
    if entry.amplitude != 1.0:
        middle = rotations[:1]
        if entry.kind != "act":
            middle = roma.special_procrustes(rotations.mean(0, keepdim=True))
        root = root[:1] + entry.amplitude * (root - root[:1])
        rotations = _scaled_turns(rotations, middle, entry.amplitude)
    rotations = _smoothed_turns(rotations, _SMOOTH_FRAMES[entry.kind])
    piece = _Piece(entry, root, rotations, key)
    if entry.tag in _UPRIGHT:
        piece = _upright(piece)
    piece = _stood_up(piece)
    if entry.supports:
        piece = _on_one_foot(piece)
    return _there_and_back(piece) if entry.returns else piece


def _on_one_foot(piece: _Piece) -> _Piece:
    """The piece on the spot: one foot stands as at the key, and the pelvis stays nearly over it."""
    side = ("left", "right").index(piece.entry.supports)
    leg = LEGS[side]
    ankle = leg[2]
    positions = piece.positions
    world = global_rotations(piece.rotations[:, 0], piece.rotations[:, 1:])
    spot = positions[piece.key, ankle]
    away = piece.root - positions[:, ankle]
    level = away.new_tensor((1.0, 0.0, 1.0))
    root = spot + (_LEANING * away) * level
    root = torch.stack((root[:, 0], piece.root[:, 1], root[:, 2]), 1)
    moved = positions + (root - piece.root)[:, None]
    rotations = piece.rotations.clone()
    count = len(root)
    bend_leg(
        rotations, moved, world, leg, spot.expand(count, 3),
        world[piece.key, ankle].expand(count, 3, 3),
    )  # fmt: skip
    return replace(piece, root=root, rotations=rotations)


def _there_and_back(piece: _Piece) -> _Piece:
    """The piece followed by itself backwards, as far as it returns; it waits before and after.

    The waiting gives a blend time to arrive at the first pose. Where it turns round, it slows down.
    """
    last = len(piece.root) - 1
    goal = round((1 - piece.entry.returns) * last)
    steps = torch.arange(2 * last - goal + 2 * _WAITING + 1, dtype=torch.float32)
    middle = last + _WAITING
    index = middle - (steps - middle).abs() - _WAITING
    index = torch.where(steps < middle, index.clamp(min=0), index.clamp(min=goal))
    index = smooth_in_time(index[None], _TURN_ROUND)[0].clamp(0, last)
    before = index.floor().long()
    after = (before + 1).clamp(max=last)
    share = index - before
    mean = piece.rotations[before].lerp(piece.rotations[after], share[:, None, None, None])
    root = piece.root[before].lerp(piece.root[after], share[:, None])
    key = piece.key + _WAITING
    return replace(piece, root=root, rotations=roma.special_procrustes(mean), key=key)


def _upright(piece: _Piece) -> _Piece:
    """The piece without a lean that lasts: people who dribble a ball bend over it.

    The trunk is turned at the pelvis, which comes forward over the feet; feet and head stay as
    they are.
    """
    positions = piece.positions
    ahead = facing_direction(positions)
    yaw = torch.atan2(ahead[:, 0], ahead[:, 2])
    back, there = yaw_matrix(-yaw), yaw_matrix(yaw)
    trunk = torch.nn.functional.normalize(positions[:, _NECK] - positions[:, 0], dim=-1)
    own = smooth_in_time((back @ trunk[..., None])[..., 0][None], _LEAN_FRAMES)[0]
    side, front = torch.atan2(own[:, 0], own[:, 1]), torch.atan2(own[:, 2], own[:, 1])
    kept = [
        middle + (lean - middle).clamp(-_FREE_LEAN, _FREE_LEAN)
        for lean, middle in ((side, 0.0), (front, _USUAL_LEAN))
    ]
    goal = torch.stack((kept[0].tan(), torch.ones_like(side), kept[1].tan()), -1)
    own, goal = (torch.nn.functional.normalize(each, dim=-1) for each in (own, goal))
    turn = there @ rotation_between(own, goal) @ back
    world = global_rotations(piece.rotations[:, 0], piece.rotations[:, 1:])
    pelvis = turn @ world[:, 0]
    level = own.new_tensor((1.0, 0.0, 1.0))
    over_feet = _TRUNK_BALANCE * (there @ ((own - goal) * level)[..., None])[..., 0]
    rotations = piece.rotations.clone()
    rotations[:, 0] = pelvis
    turned = turn @ world[:, _NECK]
    rotations[:, _HEAD] = turned.transpose(-1, -2) @ world[:, _HEAD]
    straight = replace(piece, root=piece.root + over_feet, rotations=rotations)
    moved = straight.positions
    legs = global_rotations(rotations[:, 0], rotations[:, 1:])
    for leg in LEGS:
        ankle = leg[2]
        bend_leg(rotations, moved, legs, leg, positions[:, ankle], world[:, ankle])
    return replace(straight, rotations=rotations)


def _stood_up(piece: _Piece) -> _Piece:
    """The piece lifted until its standing legs are as straight as people's are; feet stay.

    Captured hips lie lower above their ankles than the mean adult's, who would walk with bent
    knees.
    """
    positions = piece.positions
    contacts = _contacts(positions)
    room = []
    for side, (hip, knee, ankle, _) in enumerate(LEGS):
        reach = _STRAIGHT * float(_offsets()[[knee, ankle]].norm(dim=-1).sum())
        span = (positions[:, hip] - positions[:, ankle])[contacts[:, 2 * side]]
        level = span[:, (0, 2)].norm(dim=-1).clamp(max=reach)
        room.append((reach**2 - level**2).sqrt() - span[:, 1])
    joined = torch.cat(room)
    if not len(joined):
        return piece
    lift = float(torch.quantile(joined, _STRAIGHT_SHARE).clamp(0.0, _LARGEST_LIFT))
    up = positions.new_tensor((0.0, lift, 0.0))
    world = global_rotations(piece.rotations[:, 0], piece.rotations[:, 1:])
    rotations = piece.rotations.clone()
    for leg in LEGS:
        ankle = leg[2]
        bend_leg(rotations, positions + up, world, leg, positions[:, ankle], world[:, ankle])
    return replace(piece, root=piece.root + up, rotations=rotations)


def _scaled_turns(rotations: Tensor, middle: Tensor, share: float) -> Tensor:
    change = matrix_to_axis_angle(middle.transpose(-1, -2) @ rotations)
    return middle @ axis_angle_to_matrix(share * change)


def _smoothed_turns(rotations: Tensor, deviation: float) -> Tensor:
    mean = smooth_in_time(rotations.flatten(1)[None], deviation)[0].view_as(rotations)
    return roma.special_procrustes(mean)


def _calmed(piece: _Piece, donors: Sequence[_Piece]) -> _Piece:
    """The piece with the arms of people who walk and stand as its legs do, where it asks for it."""
    if not piece.entry.arms:
        return piece
    if piece.entry.kind != "move":
        donors = [donor for donor in donors if donor.entry.tag == "stand"]
    limit = _LOW_HANDS[piece.entry.kind]
    barred = torch.cat([_hands_above(donor, limit) for donor in donors])
    chosen = _followed(_leg_features(piece), [_leg_features(donor) for donor in donors], barred)
    arms = [_ARMS[0::2], _ARMS[1::2]]
    if piece.entry.arms == "other":
        arms = [arms[0 if piece.entry.side == "right" else 1]]
    joints = [joint for arm in arms for joint in arm]
    calm = torch.cat([donor.rotations[:, joints] for donor in donors])[chosen]
    rotations = piece.rotations.clone()
    rotations[:, joints] = _smoothed_turns(calm, 4.0)
    return replace(piece, rotations=rotations)


def _hands_above(piece: _Piece, limit: float) -> Tensor:
    """(t) whether a wrist is further above the pelvis than ``limit`` metres."""
    positions = piece.positions
    wrists = positions[:, SMPL22.indices("left_wrist", "right_wrist"), 1]
    return (wrists - positions[:, :1, 1] > limit).any(1)


def _leg_features(piece: _Piece) -> Tensor:
    """(t, 36): legs as the pelvis sees them, decimetres, and their speeds, metres a second."""
    positions = piece.positions
    ahead = facing_direction(positions)
    turn = yaw_matrix(-torch.atan2(ahead[:, 0], ahead[:, 2]))
    legs = positions[:, list(_LEGS)] - positions[:, :1]
    own = (turn[:, None] @ legs[..., None])[..., 0].flatten(1)
    return torch.cat((10 * own, FPS * _central_difference(own)), 1)


def _followed(features: Tensor, donors: Sequence[Tensor], barred: Tensor) -> Tensor:
    """(t) frame of the joined donors for each frame: alike, and seldom from one to another.

    The cheapest chain by dynamic programming, without the ``barred`` ones.
    """
    every = torch.cat(list(donors))
    begins = torch.zeros(len(every), dtype=torch.bool)
    begins[torch.tensor([0, *np.cumsum([len(each) for each in donors])[:-1]])] = True
    price = (torch.cdist(features, every).square() / 36).masked_fill(barred, torch.inf)
    best, came_from = price[0], []
    own = torch.arange(len(every))
    for now in price[1:]:
        going_on = best.roll(1).masked_fill(begins, torch.inf)
        cheapest = int(best.argmin())
        switching = best[cheapest] + _SWITCH
        came_from.append(torch.where(going_on <= switching, (own - 1) % len(every), cheapest))
        best = torch.minimum(going_on, switching) + now
    chain = [int(best.argmin())]
    for before in reversed(came_from):
        chain.append(int(before[chain[-1]]))
    return torch.tensor(chain[::-1])


def _joined(pieces: Sequence[_Piece]) -> MotionBank:
    segments, parts, start = [], [], 0
    for piece in pieces:
        entry, frames = piece.entry, len(piece.root)
        positions = piece.positions
        contacts = _contacts(positions)
        root = piece.root - _floor(positions, contacts) * piece.root.new_tensor((0.0, 1.0, 0.0))
        track = _track(positions, entry, piece.key)
        segments.append(
            Segment(
                entry.tag, entry.kind, start, start + frames, piece.key, entry.layer, entry.side,
                f"{entry.clip}/{entry.person}",
            )
        )  # fmt: skip
        back = yaw_matrix(-track[:, 2])
        place = root - torch.stack((track[:, 0], torch.zeros(frames), track[:, 1]), -1)
        rotations = torch.cat((back[:, None] @ piece.rotations[:, :1], piece.rotations[:, 1:]), 1)
        parts.append((rotations, (back @ place[..., None])[..., 0], track, contacts))
        start += frames
    rotations, root, track, contacts = (torch.cat(each) for each in zip(*parts, strict=True))
    return MotionBank(tuple(segments), rotations, root, track, contacts)


def _contacts(positions: Tensor) -> Tensor:
    """(t, 4) whether each joint of the feet stands: low for this piece, and slow."""
    feet = positions[:, list(FEET)]
    speed = FPS * _central_difference(feet.flatten(1)).view_as(feet).norm(dim=-1)
    lowest = torch.quantile(feet[..., 1], 0.05, dim=0)
    limits = torch.tensor([_STANDING_SPEED[name] for name in ("heel", "ball", "heel", "ball")])
    standing = (feet[..., 1] < lowest + _STANDING_RISE) & (speed < limits)
    # A label of a frame or two is noise: the majority of five decides.
    votes = smooth_in_time(standing.float()[None], 1.5)[0]
    return votes > 0.5


def _floor(positions: Tensor, contacts: Tensor) -> Tensor:
    """Height of the floor under a piece: what puts standing balls where feet bear weight."""
    balls = positions[:, [FEET[index] for index in _BALLS], 1]
    standing = contacts[:, list(_BALLS)]
    if not bool(standing.any()):
        return balls.amin() - _BALL_HEIGHT
    return balls[standing].median() - _BALL_HEIGHT


def _track(positions: Tensor, entry: Entry, key: int) -> Tensor:
    """(t, 3) where the person as a whole is (x, z) and faces (yaw)."""
    place = positions[:, 0, [0, 2]]
    ahead = facing_direction(positions)
    yaw = torch.from_numpy(np.unwrap(torch.atan2(ahead[:, 0], ahead[:, 2]).numpy())).float()
    deviation = _TRACK_SECONDS[entry.kind] * FPS
    if entry.kind == "act":
        yaw = yaw if entry.tag == "spin" else _aim(positions, entry, key).expand(len(place))
        if float((place[-1] - place[0]).norm()) < _IN_PLACE:
            return torch.cat((place.mean(0).expand(len(place), 2), yaw[:, None]), 1)
    return _smooth_way(torch.cat((place, yaw[:, None]), 1), deviation)


def _aim(positions: Tensor, entry: Entry, key: int) -> Tensor:
    """Yaw that an action is directed to."""
    if not isinstance(entry.aim, str):
        return torch.tensor(math.radians(entry.aim))
    if entry.aim == "facing":
        ahead = facing_direction(positions[key])
    else:
        side = "right" if entry.side == "both" else entry.side
        end = SMPL22.index(f"{side}_{'wrist' if entry.aim == 'hand' else 'ankle'}")
        ahead = positions[key, end] - positions[key, 0]
    return torch.atan2(ahead[0], ahead[2])


def _smooth_way(way: Tensor, deviation: float) -> Tensor:
    """Gaussian over (t, c) whose ends go on straight instead of stopping."""
    reach = min(int(3 * deviation), len(way) - 1)
    lead, tail = way[1 : reach + 1].flip(0), way[-reach - 1 : -1].flip(0)
    padded = torch.cat((2 * way[:1] - lead, way, 2 * way[-1:] - tail))
    return smooth_in_time(padded[None], deviation)[0][reach : reach + len(way)]


def _central_difference(values: Tensor) -> Tensor:
    """(t, c) change a frame."""
    return torch.gradient(values, dim=0)[0]


def _offsets() -> Tensor:
    return torch.tensor(np.array(MEAN_ADULT_OFFSETS), dtype=torch.float32)
