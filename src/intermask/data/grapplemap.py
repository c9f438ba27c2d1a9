"""Read a ``GrappleMap.txt`` and chain its transitions into longer two-person clips.

GrappleMap (Eelis, public domain) is a graph drawn by hand, not motion capture: positions are
single poses of two people, transitions are keyframes 0.2 s apart that lead from one position to
another, up to a turn about the vertical axis, a shift, an exchange of the players and a mirror.

Each block of the file is a name, optional ``tags:``, ``properties:`` and ``ref:`` lines, and data
lines that start with four spaces: pairs of base-62 digits, one pair a coordinate in millimetres.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from roma import special_procrustes
from torch import Tensor
from torch.nn import functional

from intermask.data.grapplemap_captions import Step, describe
from intermask.data.layout import write_clip, write_provenance, write_split
from intermask.data.retarget import calm_limbs, retarget, smooth_in_time, turned_up, two_bone
from intermask.errors import UserError
from intermask.files import atomic_folder
from intermask.geometry import axis_angle_to_matrix, geodesic_angle, matrix_to_axis_angle
from intermask.kinematics import fit_rotations, forward_kinematics, global_rotations
from intermask.skeleton import SMPL22

FPS = 30.0
KEYFRAME_SECONDS = 0.2
"""Time between two frames of a transition."""

DIGITS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
JOINTS = (
    "left_toe", "right_toe", "left_heel", "right_heel", "left_ankle", "right_ankle",
    "left_knee", "right_knee", "left_hip", "right_hip", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
    "left_fingers", "right_fingers", "core", "neck", "head",
)  # fmt: skip
"""The 23 joints of a player in file order."""

PLAYERS = 2
FRAME_CHARACTERS = PLAYERS * len(JOINTS) * 3 * 2
MIN_SECONDS, MAX_SECONDS = 4.0, 8.0
SEAM_LIMIT = 0.02
"""Metres of root mean square joint distance within which two poses are the same position."""

# SMPL's joints as weighted sums of the file's; joints that are not listed have the same name.
_SUMS: dict[str, dict[str, float]] = {
    "pelvis": {"left_hip": 0.32, "right_hip": 0.32, "core": 0.36},
    "spine1": {"left_hip": 0.15, "right_hip": 0.15, "core": 0.7},
    "spine2": {"core": 0.8, "neck": 0.2},
    "spine3": {"core": 0.6, "neck": 0.4},
    "left_foot": {"left_toe": 0.8, "left_heel": 0.2},
    "right_foot": {"right_toe": 0.8, "right_heel": 0.2},
    "left_collar": {"left_shoulder": 0.5, "neck": 0.5},
    "right_collar": {"right_shoulder": 0.5, "neck": 0.5},
    "head": {"neck": 0.5, "head": 0.5},
}

# Rest offsets of that body, metres: mean bones of the file in the frames of pelvis and chest over
# the poses that stand upright; the foot as it lies flat; limbs straight.
_REST_SIDE: dict[str, tuple[float, float, float]] = {
    "hip": (0.115, -0.088, 0.0),
    "knee": (0.016, -0.432, 0.0),
    "ankle": (-0.005, -0.428, -0.020),
    "foot": (0.012, -0.084, 0.108),
    "collar": (0.081, 0.204, -0.020),
    "shoulder": (0.081, -0.030, 0.002),
    "elbow": (0.290, -0.005, -0.010),
    "wrist": (0.265, 0.005, 0.005),
}
_REST_MIDDLE: dict[str, tuple[float, float, float]] = {
    "pelvis": (0.0, 0.0, 0.0),
    "spine1": (0.0, 0.083, -0.006),
    "spine2": (0.0, 0.144, 0.010),
    "spine3": (0.0, 0.076, 0.012),
    "neck": (0.0, 0.232, -0.024),
    "head": (0.0, 0.079, 0.020),
}

Frames = NDArray[np.float64]


def _smpl_weights() -> Frames:
    """(22, 23) sums that give SMPL's joints."""
    weights = np.zeros((SMPL22.joint_count, len(JOINTS)))
    for row, name in enumerate(SMPL22.names):
        for joint, weight in _SUMS.get(name, {name: 1.0}).items():
            weights[row, JOINTS.index(joint)] = weight
    return weights


def _rest_offsets() -> Frames:
    """(22, 3) rest offsets of the file's body."""
    rest = np.zeros((SMPL22.joint_count, 3))
    for row, name in enumerate(SMPL22.names):
        side, _, part = name.partition("_")
        if part:
            rest[row] = np.multiply(_REST_SIDE[part], (1.0 if side == "left" else -1.0, 1.0, 1.0))
        else:
            rest[row] = _REST_MIDDLE[name]
    return rest


MAX_SPEED = 3.5
"""Metres a second; keyframes further apart get more than 0.2 s."""
MAX_TURN = float(np.deg2rad(360.0))
"""Radians a second of the pelvis; the same."""
_STANDING_EVERY = 3
"""Every third training chain starts from two people on their feet, a tenth of the map's poses.

Takedowns are what people ask for; left to chance they would be one clip in fifteen.
"""
_PLANTED_SHIFT = 0.06
"""Metres between two keyframes below which a hand or foot counts as resting."""

_TURNING = SMPL22.indices("spine1", "spine2", "spine3", "neck", "left_collar", "right_collar")
_LIMBS = tuple(
    (SMPL22.index(anchor), SMPL22.indices(*(f"{side}_{part}" for part in parts)))
    for side in ("left", "right")
    for anchor, parts in (
        ("pelvis", ("hip", "knee", "ankle", "foot")),
        ("spine3", ("shoulder", "elbow", "wrist")),
    )
)
"""(joint whose frame the limb's directions are interpolated in, joints of the limb)."""

SMPL_WEIGHTS = _smpl_weights()
REST_OFFSETS = _rest_offsets()

_MIRROR = np.array(
    [
        JOINTS.index(
            name.replace("left_", "right_") if name[:5] == "left_" else name.replace("right_", "left_")
        )
        for name in JOINTS
    ]
)


@dataclass(frozen=True)
class Block:
    """A named position (one frame) or transition (more frames).

    frames: (t, 2, 23, 3) metres, y up, floor at 0; player 0 is called top, player 1 bottom.
    line: line number of the name, from 1.
    """

    name: str
    tags: tuple[str, ...]
    properties: tuple[str, ...]
    line: int
    frames: Frames

    @property
    def is_position(self) -> bool:
        """Whether this is a single pose."""
        return len(self.frames) == 1

    @property
    def seconds(self) -> float:
        """How long a transition takes."""
        return (len(self.frames) - 1) * KEYFRAME_SECONDS

    @property
    def actor(self) -> int | None:
        """Player who acts: 0 for ``top``, 1 for ``bottom``; None where the file does not say."""
        roles = [role for role in ("top", "bottom") if role in self.properties]
        return ("top", "bottom").index(roles[0]) if len(roles) == 1 else None


@dataclass(frozen=True)
class Turned:
    """Whether the players are exchanged and the scene is mirrored; both undo themselves."""

    swapped: bool = False
    mirrored: bool = False

    def then(self, other: Turned) -> Turned:
        """Both one after the other."""
        return Turned(self.swapped != other.swapped, self.mirrored != other.mirrored)

    def apply(self, frames: Frames) -> Frames:
        """Frames (t, 2, 23, 3) exchanged and mirrored in x."""
        if self.swapped:
            frames = frames[:, ::-1]
        if self.mirrored:
            frames = frames[:, :, _MIRROR] * np.array((-1.0, 1.0, 1.0))
        return frames


_TURNS = tuple(Turned(swapped, mirrored) for swapped in (False, True) for mirrored in (False, True))


@dataclass(frozen=True)
class End:
    """Where a transition begins or ends: a node, seen ``turned``."""

    node: int
    turned: Turned


@dataclass(frozen=True)
class Edge:
    """A transition between two nodes; ``backwards`` plays a bidirectional one in reverse."""

    transition: int
    backwards: bool
    start: End
    end: End


@dataclass(frozen=True)
class Graph:
    """Positions as nodes, transitions as edges."""

    blocks: tuple[Block, ...]
    """The transitions."""
    nodes: tuple[Block | None, ...]
    """The position of each node; None where transitions meet in a pose without a name."""
    edges: tuple[Edge, ...]
    worst_match: float
    """Largest root mean square distance, metres, between a transition's end and its node."""


@dataclass(frozen=True)
class Link:
    """An edge in a chain with what is done to its frames."""

    edge: Edge
    turned: Turned


@dataclass
class ImportReport:
    """What an import found and made; lengths in seconds, errors in millimetres."""

    positions: int = 0
    transitions: int = 0
    nodes: int = 0
    clips: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    transitions_used: dict[str, int] = field(default_factory=dict)
    worst_seam_mm: float = 0.0
    worst_seam_rms_mm: float = 0.0
    contact_error_before_mm: float = 0.0
    contact_error_after_mm: float = 0.0
    limb_error_before_mm: float = 0.0
    limb_error_after_mm: float = 0.0


def read_grapplemap(file: str | Path) -> tuple[Block, ...]:
    """Blocks of a ``GrappleMap.txt``; errors name the line."""
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; give the path of a GrappleMap.txt")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a GrappleMap text file ({error})") from error
    blocks = parse_grapplemap(text, str(path))
    if not blocks:
        raise UserError(f"{path} holds no GrappleMap blocks; expected names and lines of digits")
    return blocks


def parse_grapplemap(text: str, source: str = "GrappleMap text") -> tuple[Block, ...]:
    """Blocks of the text, in its order; ``source`` names it in errors."""
    blocks: list[Block] = []
    head: list[tuple[int, str]] = []
    data: list[tuple[int, str]] = []

    def close() -> None:
        if data:
            blocks.append(_block(head, data, source))
        head.clear()
        data.clear()

    number = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("    ") and line.strip():
            if not head:
                raise UserError(f"{source}, line {number}: data without a name before it")
            data.append((number, line.strip()))
        elif line.strip():
            if data:
                close()
            head.append((number, line.strip()))
    if head and not data:
        raise UserError(f"{source}, line {number}: {head[0][1]!r} has no data after it")
    close()
    return tuple(blocks)


def _block(head: list[tuple[int, str]], data: list[tuple[int, str]], source: str) -> Block:
    line, name = head[0]
    words: dict[str, list[str]] = {"tags": [], "properties": []}
    for _, text in head[1:]:
        key, _, rest = text.replace(";", ":", 1).partition(":")
        words.setdefault(key, []).extend(rest.split())
    for number, digits in data:
        wrong = sorted(set(digits) - set(DIGITS))
        if wrong:
            raise UserError(
                f"{source}, line {number}: {wrong[0]!r} is not a digit; expected a-z, A-Z and 0-9"
            )
    digits = "".join(text for _, text in data)
    if len(digits) % FRAME_CHARACTERS:
        raise UserError(
            f"{source}, line {data[0][0]}: {name!r} has {len(digits)} digits, expected a multiple "
            f"of {FRAME_CHARACTERS} (2 players, {len(JOINTS)} joints, 3 numbers, 2 digits each)"
        )
    values = np.array([DIGITS.index(digit) for digit in digits], dtype=np.float64)
    metres = (62 * values[::2] + values[1::2]) / 1000.0
    frames = metres.reshape(-1, PLAYERS, len(JOINTS), 3) - np.array((2.0, 0.0, 2.0))
    return Block(name, tuple(words["tags"]), tuple(words["properties"]), line, frames)


def build_graph(blocks: Sequence[Block]) -> Graph:
    """Find the node at both ends of every transition.

    Ends are compared with all positions under the four exchanges and mirrors and the best turn and
    shift, in closed form; ends that meet no position become nodes of their own, shared by all
    transitions that begin or end in the same pose.
    """
    positions = [block for block in blocks if block.is_position]
    transitions = tuple(block for block in blocks if not block.is_position)
    if not transitions:
        raise UserError("this GrappleMap has no transitions (blocks of several frames)")
    ends = np.stack([block.frames[place] for block in transitions for place in (0, -1)])
    places: list[End | None] = [None] * len(ends)
    nodes: list[Block | None] = list(positions)
    worst = 0.0
    if positions:
        worst = _match(ends, np.concatenate([block.frames for block in positions]), 0, places)
    while any(place is None for place in places):
        first = next(index for index, place in enumerate(places) if place is None)
        worst = max(worst, _match(ends, ends[first : first + 1], len(nodes), places))
        nodes.append(None)
    edges: list[Edge] = []
    for index, block in enumerate(transitions):
        start, end = places[2 * index], places[2 * index + 1]
        if start is None or end is None:  # pragma: no cover - every end was placed above
            continue
        edges.append(Edge(index, False, start, end))
        if "bidirectional" in block.properties:
            edges.append(Edge(index, True, end, start))
    return Graph(transitions, tuple(nodes), tuple(edges), worst)


def _match(ends: Frames, references: Frames, first: int, places: list[End | None]) -> float:
    """Give ends without a node the nearest reference; the worst distance that was accepted."""
    distances = np.stack([_distances(ends, turned.apply(references)) for turned in _TURNS])
    worst = 0.0
    for index in np.flatnonzero(distances.min((0, 2)) < SEAM_LIMIT):
        if places[index] is None:
            turn, reference = np.unravel_index(distances[:, index].argmin(), distances[:, 0].shape)
            places[index] = End(first + int(reference), _TURNS[int(turn)])
            worst = max(worst, float(distances[turn, index, reference]))
    return worst


def _centred(poses: Frames) -> tuple[NDArray[np.complex128], Frames]:
    """Horizontal places as complex numbers around their mean, and heights, (n, 46) each."""
    flat = poses.reshape(len(poses), -1, 3)
    horizontal = flat[..., 0] + 1j * flat[..., 2]
    return horizontal - horizontal.mean(1, keepdims=True), flat[..., 1]


def _distances(first: Frames, second: Frames) -> Frames:
    """(n, m) root mean square joint distances after the best turn about y and shift."""
    (place_a, height_a), (place_b, height_b) = _centred(first), _centred(second)
    size_a = (np.abs(place_a) ** 2 + height_a**2).sum(1)
    size_b = (np.abs(place_b) ** 2 + height_b**2).sum(1)
    overlap = np.abs(place_a.conj() @ place_b.T) + height_a @ height_b.T
    squares = size_a[:, None] + size_b[None] - 2 * overlap
    return np.sqrt(np.maximum(squares, 0.0) / place_a.shape[1])


def align(frames: Frames, pose: Frames) -> Frames:
    """Frames (t, 2, 23, 3) turned about y and shifted so that the first lies on the pose."""
    (here, _), (there, _) = _centred(frames[:1]), _centred(pose[None])
    turn = np.vdot(here[0], there[0])
    turn = turn / abs(turn) if abs(turn) > 1e-9 else 1.0 + 0j
    horizontal = frames[..., 0] + 1j * frames[..., 2]
    centre = (pose[..., 0] + 1j * pose[..., 2]).mean()
    placed = (horizontal - horizontal[0].mean()) * turn + centre
    return np.stack((placed.real, frames[..., 1], placed.imag), -1)


class Walker:
    """Deterministic random walks over the graph that prefer transitions not used yet."""

    def __init__(self, graph: Graph, generator: np.random.Generator) -> None:
        self.graph, self.generator = graph, generator
        self.used: Counter[int] = Counter()
        self.leaving: dict[int, list[Edge]] = {}
        self.entering: dict[int, list[Edge]] = {}
        for edge in graph.edges:
            self.leaving.setdefault(edge.start.node, []).append(edge)
            self.entering.setdefault(edge.end.node, []).append(edge)

    def walk(self, start: Edge, seconds: float, allowed: Callable[[int], bool]) -> list[Link]:
        """A chain through ``start`` of about ``seconds``: forwards first, then backwards."""
        chain = [Link(start, Turned())]
        length = self.graph.blocks[start.transition].seconds
        for forwards in (True, False):
            while length < seconds:
                link = self._extension(chain, forwards, MAX_SECONDS - length, allowed)
                if link is None:
                    break
                chain.insert(len(chain) if forwards else 0, link)
                length += self.graph.blocks[link.edge.transition].seconds
        for link in chain:
            self.used[link.edge.transition] += 1
        return chain

    def _extension(
        self, chain: list[Link], forwards: bool, room: float, allowed: Callable[[int], bool]
    ) -> Link | None:
        tip = chain[-1] if forwards else chain[0]
        place = tip.edge.end if forwards else tip.edge.start
        seen = {link.edge.transition for link in chain}
        visited = {link.edge.start.node for link in chain} | {link.edge.end.node for link in chain}
        choices = []
        for edge in (self.leaving if forwards else self.entering).get(place.node, []):
            fits = self.graph.blocks[edge.transition].seconds <= room + 1e-9
            if fits and edge.transition not in seen and allowed(edge.transition):
                beyond = (edge.end if forwards else edge.start).node
                dead = not (self.leaving if forwards else self.entering).get(beyond)
                # Back to a pose that was just left looks like dithering; a dead end stops early.
                cost = self.used[edge.transition] + 3 * (beyond in visited) + dead
                choices.append((cost, float(self.generator.random()), edge))
        if not choices:
            return None
        edge = min(choices, key=lambda choice: choice[:2])[2]
        joint = edge.start if forwards else edge.end
        return Link(edge, tip.turned.then(place.turned).then(joint.turned))


@dataclass(frozen=True)
class Keyframes:
    """A chain in one world frame: (t, 2, 23, 3) every 0.2 s, and its seams in metres."""

    frames: Frames
    worst_seam: float
    worst_seam_rms: float


def assemble(graph: Graph, chain: Sequence[Link]) -> Keyframes:
    """Lay the transitions of a chain end to end.

    Where two meet, the end of the first stands for both: the remaining centimetre is taken up
    within the next 0.2 s.
    """
    joined: Frames | None = None
    worst = worst_rms = 0.0
    for link in chain:
        frames = graph.blocks[link.edge.transition].frames
        frames = link.turned.apply(frames[::-1] if link.edge.backwards else frames)
        if joined is None:
            joined = np.array(frames)
            continue
        frames = align(frames, joined[-1])
        gaps = np.linalg.norm(frames[0] - joined[-1], axis=-1)
        worst = max(worst, float(gaps.max()))
        worst_rms = max(worst_rms, float(np.sqrt((gaps**2).mean())))
        joined = np.concatenate((joined, frames[1:]))
    if joined is None:
        raise UserError("a chain needs at least one transition")
    centre = joined[0].mean((0, 1)) * np.array((1.0, 0.0, 1.0))
    return Keyframes(joined - centre, worst, worst_rms)


def resample(keyframes: Frames) -> Tensor:
    """SMPL's joints (2, t, 22, 3) at 30 fps of keyframes (k, 2, 23, 3), bones of constant length.

    People turn up to half a circle between two keyframes, and joints that went straight there would
    fold the body up. So the trunk's rotations and the limbs' directions within it are interpolated.
    Hands and feet that hardly move between two keyframes then go straight: they stay planted.
    """
    joints = torch.from_numpy(np.einsum("sj,kpjc->pksc", SMPL_WEIGHTS, keyframes))
    rest = torch.from_numpy(REST_OFFSETS)
    root, local = fit_rotations(joints, rest)
    times = key_times(joints, root)
    clock = np.arange(int(np.floor(times[-1] * FPS + 1e-6)) + 1) / FPS
    segment = np.clip(np.searchsorted(times, clock, side="right") - 1, 0, len(times) - 2)
    share = torch.from_numpy((clock - times[segment]) / np.diff(times)[segment])
    straight = _rounded(_monotone(times, joints, clock))

    trunk = [joint - 1 for joint in _TURNING]
    turns = torch.cat((root[:, :, None], local[:, :, trunk]), 2)
    step = matrix_to_axis_angle(turns[:, :-1].transpose(-1, -2) @ turns[:, 1:])
    dense = turns[:, segment] @ axis_angle_to_matrix(share[:, None, None] * step[:, segment])
    dense = special_procrustes(_rounded(dense.flatten(-2)).unflatten(-1, (3, 3)))
    still = torch.eye(3, dtype=rest.dtype).expand(*dense.shape[:2], SMPL22.joint_count - 1, 3, 3)
    body = still.clone()
    body[:, :, trunk] = dense[:, :, 1:]
    pose = forward_kinematics(rest, straight[:, :, 0], dense[:, :, 0], body, SMPL22.parents)
    pose = pose + _lift(pose, straight)

    keyed = global_rotations(root, local, SMPL22.parents)
    frames = global_rotations(dense[:, :, 0], body, SMPL22.parents)
    for anchor, chain in _LIMBS:
        for parent, child in zip(chain, chain[1:], strict=False):
            bone = functional.normalize(joints[:, :, child] - joints[:, :, parent], dim=-1)
            inside = (keyed[:, :, anchor].transpose(-1, -2) @ bone[..., None])[..., 0]
            inside = functional.normalize(_rounded(_monotone(times, inside, clock)), dim=-1)
            along = (frames[:, :, anchor] @ inside[..., None])[..., 0]
            tip = pose[:, :, parent] + rest[child].norm() * along
            lowest = straight[:, :, child, 1].clamp_max(0.05 if child != chain[-1] else 0.02)
            pose[:, :, child] = turned_up(pose[:, :, parent], tip, lowest)
        _plant(pose, straight, joints, segment, chain)
    for _ in range(2):
        pose = calm_limbs(pose, rest.norm(dim=-1), FPS)
    return pose


def key_times(joints: Tensor, root: Tensor) -> NDArray[np.float64]:
    """Seconds (k) of keyframes: 0.2 s apart, more where people would have to be too fast.

    Args:
        joints: (2, k, 22, 3) metres.
        root: (2, k, 3, 3) rotations of the pelvis.
    """
    shift = (joints[:, 1:] - joints[:, :-1]).norm(dim=-1).amax((0, 2))
    turn = geodesic_angle(root[:, 1:], root[:, :-1]).amax(0)
    gaps = torch.maximum(shift / MAX_SPEED, turn / MAX_TURN).clamp_min(KEYFRAME_SECONDS)
    return np.concatenate(([0.0], np.cumsum(gaps.numpy())))


def _monotone(times: NDArray[np.float64], values: Tensor, clock: NDArray[np.float64]) -> Tensor:
    """Values (2, k, ...) at the clock's times; what rests between two keyframes stays at rest."""
    from scipy.interpolate import PchipInterpolator

    return torch.from_numpy(PchipInterpolator(times, values.numpy(), axis=1)(clock))


def _rounded(values: Tensor) -> Tensor:
    """Values (2, t, ...) with the corners at keyframes rounded off."""
    return smooth_in_time(values, deviation=1.5)


def _lift(pose: Tensor, straight: Tensor) -> Tensor:
    """(2, t, 1, 3) metres that keep trunks above the floor while they roll."""
    trunk = [0, *_TURNING, *SMPL22.indices("left_hip", "right_hip", "left_shoulder", "right_shoulder")]
    missing = straight[:, :, trunk, 1].clamp_max(0.09) - pose[:, :, trunk, 1]
    lift = functional.max_pool1d(missing.amax(2).clamp_min(0.0), 7, stride=1, padding=3)
    up = lift.new_tensor((0.0, 1.0, 0.0))
    return (smooth_in_time(lift[..., None], deviation=3.0) * up)[:, :, None]


def _plant(
    pose: Tensor,
    straight: Tensor,
    joints: Tensor,
    segment: NDArray[np.int64],
    chain: tuple[int, ...],
) -> None:
    """Bend a limb of the pose (2, t, 22, 3), in place, so that a resting end stays at rest."""
    start, middle, end = chain[:3]
    shift = (joints[:, 1:, chain[2:]] - joints[:, :-1, chain[2:]]).norm(dim=-1).amin(-1)
    share = ((_PLANTED_SHIFT - shift) / (0.5 * _PLANTED_SHIFT)).clamp(0.0, 1.0)
    rests = smooth_in_time(share[:, segment][..., None], deviation=2.0)
    target = pose[:, :, end].lerp(straight[:, :, end], rests)
    lengths = [float(np.linalg.norm(REST_OFFSETS[joint])) for joint in (middle, end)]
    pole = pose[:, :, middle] - 0.5 * (pose[:, :, start] + pose[:, :, end])
    bones = [pose[:, :, child] - pose[:, :, end] for child in chain[3:]]
    bent, tip = two_bone(pose[:, :, start], target, pole, *lengths)
    # Limbs without a planted end keep their exact, unsoftened bend.
    pose[:, :, middle] = torch.where(rests > 1e-3, bent, pose[:, :, middle])
    pose[:, :, end] = torch.where(rests > 1e-3, tip, pose[:, :, end])
    for child, bone in zip(chain[3:], bones, strict=True):
        aim = bone.lerp(straight[:, :, child] - straight[:, :, end], rests)
        length = float(np.linalg.norm(REST_OFFSETS[child]))
        pose[:, :, child] = pose[:, :, end] + length * functional.normalize(aim, dim=-1)


def import_grapplemap(
    file: str | Path,
    out: str | Path,
    *,
    seed: int = 0,
    clips: int = 900,
    test_share: float = 0.08,
    validation_share: float = 0.05,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Turn a ``GrappleMap.txt`` into a folder in InterHuman's layout.

    Whole transitions are held out: those of val and test (with all others that join the same two
    nodes) never appear in train, not mirrored either.

    Args:
        file: the text file.
        out: a folder that does not exist yet.
        seed: of the walks; the same seed gives the same bytes.
        clips: clips in all three splits together.
        test_share: share of the transitions kept for test.
        validation_share: share of the transitions kept for val.
        progress: called with clips done and clips in all.
    """
    if clips < 1:
        raise UserError(f"clips must be at least 1, got {clips}")
    blocks = read_grapplemap(file)
    graph = build_graph(blocks)
    chains = plan_chains(graph, clips, test_share, validation_share, np.random.default_rng(seed))
    report = ImportReport(
        positions=sum(block.is_position for block in blocks),
        transitions=len(graph.blocks),
        nodes=len(graph.nodes),
    )
    total = sum(len(group) for group in chains.values())
    sums = np.zeros(6)
    done = 0
    with atomic_folder(out) as folder:
        for split, group in chains.items():
            names = []
            frames = 0
            for index, chain in enumerate(group):
                name = f"grapplemap_{split}_{index:04d}"
                frames += _write(folder, name, graph, chain, report, sums)
                names.append(name)
                done += 1
                if progress is not None:
                    progress(done, total)
            write_split(folder, split, names)
            report.clips[split] = len(names)
            report.seconds[split] = frames / FPS
            report.transitions_used[split] = len(
                {link.edge.transition for chain in group for link in chain}
            )
        _average(report, sums)
        write_provenance(folder, _provenance(report, seed))
    return report


def plan_chains(
    graph: Graph,
    clips: int,
    test_share: float,
    validation_share: float,
    generator: np.random.Generator,
) -> dict[str, list[list[Link]]]:
    """Chains of 4 to 8 s for train, val and test; no transition is in two of them."""
    walker = Walker(graph, generator)
    pairs = {
        edge.transition: frozenset((edge.start.node, edge.end.node)) for edge in graph.edges
    }
    twins: dict[frozenset[int], set[int]] = {}
    for transition, pair in pairs.items():
        twins.setdefault(pair, set()).add(transition)
    taken: set[int] = set()
    chains: dict[str, list[list[Link]]] = {"train": [], "val": [], "test": []}
    for split, share in (("test", test_share), ("val", validation_share)):
        held: set[int] = set()
        starts = _starts(graph, taken, generator)
        while len(held) < share * len(graph.blocks) and starts and clips > 1:
            edge = starts.pop()
            if edge.transition in held:
                continue
            length = generator.uniform(MIN_SECONDS, 6.0)
            chain = walker.walk(edge, length, lambda transition: transition not in taken)
            if _seconds(graph, chain) >= MIN_SECONDS - 1e-9:
                chains[split].append(chain)
                for link in chain:
                    held |= twins[pairs[link.edge.transition]]
        taken |= held
    wanted = max(1, clips - len(chains["test"]) - len(chains["val"]))
    barren = 0
    walker.used.clear()
    starts = _starts(graph, taken, generator)
    standing = [edge for edge in starts if _stand(graph.blocks[edge.transition].frames[0])]
    while len(chains["train"]) < wanted and starts and barren < len(starts):
        on_feet = standing and len(chains["train"]) % _STANDING_EVERY == 0 and not barren
        edge = min(standing if on_feet else starts, key=lambda edge: walker.used[edge.transition])
        length = generator.uniform(MIN_SECONDS, MAX_SECONDS)
        chain = walker.walk(edge, length, lambda transition: transition not in taken)
        if _seconds(graph, chain) >= MIN_SECONDS - 1e-9:
            chains["train"].append(chain)
            barren = 0
        else:
            walker.used[edge.transition] += 3
            barren += 1
    return chains


def _stand(pose: Frames) -> bool:
    """Whether both players of a pose (2, 23, 3) are on their feet."""
    pelvis = SMPL_WEIGHTS[SMPL22.index("pelvis")] @ pose
    return bool((pelvis[:, 1] > 0.65).all())


def _starts(graph: Graph, taken: Iterable[int], generator: np.random.Generator) -> list[Edge]:
    """Forward edges that are still free, shuffled."""
    barred = set(taken)
    free = [edge for edge in graph.edges if not edge.backwards and edge.transition not in barred]
    return [free[index] for index in generator.permutation(len(free))]


def _seconds(graph: Graph, chain: Sequence[Link]) -> float:
    return sum(graph.blocks[link.edge.transition].seconds for link in chain)


def _write(
    folder: Path, name: str, graph: Graph, chain: list[Link], report: ImportReport, sums: Frames
) -> int:
    """Write one clip; its number of frames."""
    keyframes = assemble(graph, chain)
    motion = resample(keyframes.frames)
    result = retarget(motion, source_offsets=REST_OFFSETS, fps=FPS)
    captions = describe(
        [_step(graph, link) for link in chain],
        result.positions,
        result.root_rotations,
        _node_name(graph, chain[0].edge.start),
        _node_name(graph, chain[-1].edge.end),
    )
    write_clip(folder, name, result.positions, result.rotations, captions)
    report.worst_seam_mm = max(report.worst_seam_mm, 1000 * keyframes.worst_seam)
    report.worst_seam_rms_mm = max(report.worst_seam_rms_mm, 1000 * keyframes.worst_seam_rms)
    for place, (error, pairs) in enumerate(
        (
            (result.contact_error_before_mm, result.contact_pairs),
            (result.contact_error_after_mm, result.contact_pairs),
            (result.limb_error_before_mm, result.limb_pairs),
            (result.limb_error_after_mm, result.limb_pairs),
        )
    ):
        if pairs:
            sums[place] += error * pairs
    sums[4] += result.contact_pairs
    sums[5] += result.limb_pairs
    return int(result.positions.shape[1])


def _average(report: ImportReport, sums: Frames) -> None:
    pairs, limb_pairs = max(sums[4], 1.0), max(sums[5], 1.0)
    report.contact_error_before_mm = float(sums[0] / pairs)
    report.contact_error_after_mm = float(sums[1] / pairs)
    report.limb_error_before_mm = float(sums[2] / limb_pairs)
    report.limb_error_after_mm = float(sums[3] / limb_pairs)


def _step(graph: Graph, link: Link) -> Step:
    """What the captions need of a link: players as persons 0 and 1 of the clip."""
    block = graph.blocks[link.edge.transition]
    persons = (1, 0) if link.turned.swapped else (0, 1)
    return Step(
        name=block.name,
        tags=block.tags,
        actor=None if block.actor is None else persons[block.actor],
        top=persons[0],
        backwards=link.edge.backwards,
        seconds=block.seconds,
    )


def _node_name(graph: Graph, end: End) -> str:
    node = graph.nodes[end.node]
    return "" if node is None else node.name


def _provenance(report: ImportReport, seed: int) -> dict[str, object]:
    return {
        "source": "GrappleMap.txt (github.com/Eelis/GrappleMap)",
        "licence": "public domain",
        "nature": (
            "hand-authored keyframes 0.2 s apart, not motion capture; transitions chained, "
            "interpolated to 30 fps and retargeted to one mean-adult body; rotations fitted"
        ),
        "captions": "derived from the names of the transitions and from the poses",
        "importer": "intermask data import grapplemap",
        "seed": seed,
        "report": dict(vars(report)),
    }
