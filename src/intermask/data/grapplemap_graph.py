"""The graph of GrappleMap: positions as nodes, transitions as edges, walks as longer clips.

A transition ends where another begins up to a turn about the vertical axis, a shift, an exchange
of the players and a mirror.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermask.data.grapplemap_file import JOINTS, SMPL_WEIGHTS, Block, Frames
from intermask.errors import UserError
from intermask.skeleton import SMPL22

MIN_SECONDS, MAX_SECONDS = 4.0, 8.0
SEAM_LIMIT = 0.02
"""Metres of root mean square joint distance within which two poses are the same position."""

_STANDING_EVERY = 3
"""Every third training chain starts from two people on their feet, a tenth of the map's poses.

Takedowns are what people ask for; left to chance they would be one clip in fifteen.
"""
_MIRROR = np.array(
    [
        JOINTS.index(
            {"left": "right", "right": "left"}.get(name.partition("_")[0], "")
            + name[name.find("_") :]
            if "_" in name
            else name
        )
        for name in JOINTS
    ]
)


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

    def walk(self, start: Edge, seconds: float, barred: Container[int] = ()) -> list[Link]:
        """A chain through ``start`` of about ``seconds``: forwards first, then backwards.

        Transitions in ``barred`` are not used.
        """
        chain = [Link(start, Turned())]
        length = self.graph.blocks[start.transition].seconds
        for forwards in (True, False):
            while length < seconds:
                link = self._extension(chain, forwards, MAX_SECONDS - length, barred)
                if link is None:
                    break
                chain.insert(len(chain) if forwards else 0, link)
                length += self.graph.blocks[link.edge.transition].seconds
        for link in chain:
            self.used[link.edge.transition] += 1
        return chain

    def _extension(
        self, chain: list[Link], forwards: bool, room: float, barred: Container[int]
    ) -> Link | None:
        tip = chain[-1] if forwards else chain[0]
        place = tip.edge.end if forwards else tip.edge.start
        seen = {link.edge.transition for link in chain}
        visited = {link.edge.start.node for link in chain} | {link.edge.end.node for link in chain}
        choices = []
        for edge in (self.leaving if forwards else self.entering).get(place.node, []):
            fits = self.graph.blocks[edge.transition].seconds <= room + 1e-9
            if fits and edge.transition not in seen and edge.transition not in barred:
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


def plan_chains(
    graph: Graph,
    clips: int,
    test_share: float,
    validation_share: float,
    generator: np.random.Generator,
) -> dict[str, list[list[Link]]]:
    """Chains of 4 to 8 s for train, val and test; no transition is in two of them."""
    walker = Walker(graph, generator)
    pairs = {edge.transition: frozenset((edge.start.node, edge.end.node)) for edge in graph.edges}
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
            chain = walker.walk(edge, length, taken)
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
        chain = walker.walk(edge, length, taken)
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
