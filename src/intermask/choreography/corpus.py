"""All windows that a judge of humanness learns from and is asked about, and what each is of."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from intermask import representation
from intermask.choreography.bank import MotionBank, track_world
from intermask.choreography.family_clips import all_names, clips_by_family, scene_of, take_of
from intermask.choreography.windows import FRAMES, Windows, cut_windows
from intermask.data.layout import InterHumanFolder
from intermask.errors import UserError
from intermask.kinematics import forward_kinematics
from intermask.motion import FPS
from intermask.skeleton import MEAN_ADULT_OFFSETS

BANK_GROUPS = {"move": "bank: ways", "rest": "bank: rest", "act": "bank: acts"}
"""Pieces of the motion bank by their kind."""


@dataclass(frozen=True)
class Corpus:
    """n windows in groups: real sources, then families, then pieces of the bank.

    Attributes:
        windows: what they show.
        names: of the groups.
        sources: how many groups are real.
        families: how many are families.
        group: (n) index into ``names``.
        clip: (n) number of the clip.
        cluster: (n) number of the take (of a real clip) or scene that it is of.
        part: (n) windows are judged by those who have not learned from their part.
    """

    windows: Windows
    names: tuple[str, ...]
    sources: int
    families: int
    group: Tensor
    clip: Tensor
    cluster: Tensor
    part: Tensor

    @property
    def real(self) -> Tensor:
        """(n) whether a window is captured."""
        return self.group < self.sources

    @property
    def made(self) -> Tensor:
        """(n) whether it is of a family."""
        return ~self.real & (self.group < self.sources + self.families)


def read_corpus(
    made: InterHumanFolder,
    real: Sequence[InterHumanFolder],
    bank: MotionBank,
    *,
    clips: int,
    parts: int,
    seed: int,
) -> Corpus:
    """Cut everything into windows.

    Pieces of the bank go with the take that they were distilled from.

    Args:
        made: the families; see `family_clips`.
        real: captured motion.
        bank: for comparison.
        clips: at most so many of a family, evenly spread.
        parts: takes, and the scenes of every family, are dealt out to so many, by chance.
        seed: of that.

    Raises:
        UserError: fewer takes or scenes than parts.
    """
    reader = _Reader(parts, seed)
    for source in real:
        members = [(name, take_of(name)) for name in sorted(all_names(source))]
        reader.read(source.root.resolve().name, source, members)
    families = clips_by_family(made)
    for family, names in families.items():
        chosen = names[:: -(-len(names) // clips)]
        reader.read(family, made, [(name, scene_of(name)) for name in chosen])
    reader.read_bank(bank)
    if not reader.windows:
        raise UserError(
            f"no clip of {made.root} or of the real motion is {FRAMES / FPS:g} s long or longer; "
            "the judge looks at so much at a time"
        )
    corpus = reader.corpus(len(real), len(families))
    where = {"scenes": str(made.root), "takes": ", ".join(str(each.root) for each in real)}
    for what, side in (("scenes", corpus.made), ("takes", corpus.real)):
        found = len(corpus.cluster[side].unique())
        if found < parts:
            raise UserError(
                f"{where[what]} has {found} {what} of {FRAMES / FPS:g} s or more; expected "
                f"{parts} or more, as some are held out in turn"
            )
    return corpus


@dataclass
class _Reader:
    """Collects windows group by group."""

    parts: int
    seed: int
    windows: list[Windows] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    group: list[int] = field(default_factory=list)
    clip: list[int] = field(default_factory=list)
    cluster: list[int] = field(default_factory=list)
    part: list[int] = field(default_factory=list)
    clips: int = 0
    clusters: int = 0
    part_of_take: dict[str, int] = field(default_factory=dict)

    def read(self, title: str, folder: InterHumanFolder, members: list[tuple[str, str]]) -> None:
        """A group of clips, each with its take or scene."""
        scenes = list(dict.fromkeys(scene for _, scene in members))
        dealt = self._shuffled(title, len(scenes))
        place = dict(zip(scenes, dealt, strict=True))
        self.names.append(title)
        for name, scene in members:
            part = place[scene] % self.parts
            self.part_of_take.setdefault(scene, part)
            for person in _people(folder, name):
                self._add(person, self.clusters + place[scene], part)
            self.clips += 1
        self.clusters += len(scenes)

    def read_bank(self, bank: MotionBank) -> None:
        """Pieces of the bank that are whole people, a group of each kind."""
        offsets = torch.tensor(MEAN_ADULT_OFFSETS, dtype=torch.float32)
        for kind, title in BANK_GROUPS.items():
            self.names.append(title)
            for segment in bank.segments:
                if segment.kind != kind or segment.layer != "full":
                    continue
                frames = slice(segment.start, segment.stop)
                place, world = track_world(
                    bank.track[frames], bank.root[frames], bank.rotations[frames]
                )
                joints = forward_kinematics(offsets, place, world[:, 0], world[:, 1:])
                take = take_of(segment.source.partition("/")[0])
                self._add(joints, self.clusters, self.part_of_take.get(take, 0))
                self.clips += 1
                self.clusters += 1

    def corpus(self, sources: int, families: int) -> Corpus:
        """Everything that was read."""
        return Corpus(
            Windows.joined(self.windows),
            tuple(self.names),
            sources,
            families,
            *(torch.tensor(each) for each in (self.group, self.clip, self.cluster, self.part)),
        )

    def _add(self, person: Tensor, cluster: int, part: int) -> None:
        cut = cut_windows(person)
        if cut is None:
            return
        self.windows.append(cut)
        self.group += [len(self.names) - 1] * len(cut)
        self.clip += [self.clips] * len(cut)
        self.cluster += [cluster] * len(cut)
        self.part += [part] * len(cut)

    def _shuffled(self, title: str, count: int) -> list[int]:
        seed = zlib.crc32(f"{self.seed} {title}".encode())
        return torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()


def _people(folder: InterHumanFolder, name: str) -> Iterator[Tensor]:
    """Joints (t, 22, 3) of each person of a clip, y up."""
    positions, _ = representation.split_loaded(folder.read(name).loaded)
    yield from representation.z_up_to_y_up(positions)
