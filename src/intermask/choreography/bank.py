"""The motion bank: short pieces of real motion that people of a scene are put together from.

One file in the package (``bank/motions.safetensors``, made by `bank_making`), distilled from CMU
captures. A frame is 22 rotations (16-bit rotation vectors), the place of the pelvis, which joints
of the feet bear weight, and its *track*: where the person as a whole is and faces, without the
sway of the gait. Pieces follow one another in the arrays.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from intermask.errors import UserError
from intermask.files import atomic_path
from intermask.geometry import axis_angle_to_matrix, matrix_to_axis_angle, yaw_matrix
from intermask.skeleton import SMPL22

BANK_FILE = Path(__file__).parent / "bank" / "motions.safetensors"
VERSION = 1

Kind = Literal["move", "rest", "act"]
"""Ways of getting about, ways of staying in place, and single actions."""
Layer = Literal["full", "upper"]
"""Whether an action needs the legs, or only what is above the pelvis."""
Side = Literal["left", "right", "both"]
"""The hand or foot that does an action, as captured."""

_ROTATION_STEP = math.pi / 32767


@dataclass(frozen=True)
class Segment:
    """One piece of the bank.

    Attributes:
        tag: the activity: "walk", "stand", "wave" ...
        kind: what it is for.
        start: first frame in the arrays of the bank.
        stop: one past its last frame.
        key: frame from its start at which an action counts (a fist lands, a bow is lowest).
        layer: what of the body an action needs.
        side: of an action.
        source: clip that it was distilled from.
    """

    tag: str
    kind: Kind
    start: int
    stop: int
    key: int
    layer: Layer
    side: Side
    source: str

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.stop - self.start


@dataclass(frozen=True)
class MotionBank:
    """All pieces, end to end, f frames of the mean adult body.

    Attributes:
        segments: the pieces.
        rotations: (f, 22, 3, 3) pelvis relative to the track, the others to their parents.
        root: (f, 3) metres: pelvis as seen from the track (left, up, ahead).
        track: (f, 3) x and z in metres and yaw in radians, continuous within a piece.
        contacts: (f, 4) whether left ankle, left foot, right ankle, right foot bear weight
            (`skeleton.FEET`).
    """

    segments: tuple[Segment, ...]
    rotations: Tensor
    root: Tensor
    track: Tensor
    contacts: Tensor

    @property
    def frames(self) -> int:
        """Number of frames of all pieces."""
        return int(self.root.shape[0])

    @property
    def tags(self) -> dict[str, tuple[Segment, ...]]:
        """Pieces by activity, in alphabetical order."""
        names = sorted({segment.tag for segment in self.segments})
        return {name: self.tagged(name) for name in names}

    def tagged(self, tag: str) -> tuple[Segment, ...]:
        """Pieces of one activity; none if the bank does not have it."""
        return tuple(segment for segment in self.segments if segment.tag == tag)

    @cached_property
    def segment_of_frame(self) -> Tensor:
        """(f) index of the piece that each frame belongs to."""
        lengths = torch.tensor([segment.frames for segment in self.segments])
        return torch.repeat_interleave(torch.arange(len(self.segments)), lengths)

    @cached_property
    def mirrored(self) -> MotionBank:
        """The same pieces as in a mirror: x negated, left and right limbs exchanged."""
        flip = torch.tensor((-1.0, 1.0, 1.0))
        other: dict[Side, Side] = {"left": "right", "right": "left", "both": "both"}
        segments = tuple(
            Segment(**{**asdict(segment), "side": other[segment.side]}) for segment in self.segments
        )
        rotations = self.rotations[:, list(SMPL22.mirror_order)] * (flip[:, None] * flip)
        return MotionBank(
            segments,
            rotations,
            self.root * flip,
            self.track * torch.tensor((-1.0, 1.0, -1.0)),
            self.contacts[:, (2, 3, 0, 1)],
        )


def write_bank(bank: MotionBank, path: str | Path) -> None:
    """Write a bank, whole or not at all; rotations lose at most 0.003 degrees."""
    from safetensors.torch import save

    vectors = matrix_to_axis_angle(bank.rotations.double()) / _ROTATION_STEP
    arrays = {
        "rotations": vectors.round().to(torch.int16).contiguous(),
        "root": bank.root.float().contiguous(),
        "track": bank.track.float().contiguous(),
        "contacts": bank.contacts.to(torch.uint8).contiguous(),
    }
    facts = {"version": VERSION, "segments": [asdict(segment) for segment in bank.segments]}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(arrays, metadata={"bank": json.dumps(facts)}))


def read_bank(path: str | Path) -> MotionBank:
    """Read a bank.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: it is not a bank, or of another version.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} is missing; `intermask data make bank` makes one")
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("bank", "{}"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise UserError(
            f"{path} cannot be read as a motion bank ({error}); make it again with "
            "`intermask data make bank`"
        ) from error
    if facts.get("version", 0) > VERSION:
        raise UserError(
            f"{path} is a motion bank of version {facts['version']}, this program reads up to "
            f"{VERSION}; update intermask"
        )
    if facts.get("version") != VERSION:
        raise UserError(
            f"{path} is a motion bank of version {facts.get('version')}, expected {VERSION}; make "
            "it again with `intermask data make bank`"
        )
    return MotionBank(
        tuple(Segment(**each) for each in facts["segments"]),
        axis_angle_to_matrix(arrays["rotations"].double() * _ROTATION_STEP).float(),
        arrays["root"],
        arrays["track"],
        arrays["contacts"].bool(),
    )


@cache
def load_bank() -> MotionBank:
    """The bank that comes with the package; read once a process."""
    return read_bank(BANK_FILE)


def track_world(track: Tensor, root: Tensor, rotations: Tensor) -> tuple[Tensor, Tensor]:
    """Pelvis places (t, 3) and rotations (t, 22, 3, 3) in the world.

    Args:
        track: (t, 3) x, z and yaw.
        root: (t, 3) pelvis as seen from the track.
        rotations: (t, 22, 3, 3), the pelvis relative to the track.
    """
    turn = yaw_matrix(track[:, 2])
    place = (turn @ root[..., None])[..., 0]
    place = place + torch.stack((track[:, 0], torch.zeros_like(track[:, 0]), track[:, 1]), -1)
    world = torch.cat((turn[:, None] @ rotations[:, :1], rotations[:, 1:]), 1)
    return place, world


KINDS: tuple[Kind, ...] = get_args(Kind)
