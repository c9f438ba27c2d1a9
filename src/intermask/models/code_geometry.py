"""Where two people are by their tokens, and how each sees the other: inside the transformer.

Not part of the paper. Whether a hand meets a shoulder depends on two places, two directions and a
turn between them; a network that sees codes alone has to learn this product from examples of all
pairs of codes. With a tokenizer whose codes tell places linearly (`models.patches`), it can be
computed: before every second block the network says which code vectors it expects where tokens are
hidden, the vectors of both people become joints, and each person is told where the joints of both
are when seen from the own pelvis.

Shapes: `b` batch, `p` person (2), `s` token row, `n` token column, `k` code, `c` channels of a code
vector, `e` transformer width, `f` frames of a column that are told, `j` joints that are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from intermask.config import TransformerConfig
from intermask.models.quantizer import half_levelled
from intermask.skeleton import SMPL22

FRAMES = (0.3125, 0.6875)
"""Where in a column joints are told, as shares of its length; their difference is a velocity."""
JOINTS = SMPL22.indices(
    "head", "spine3", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    "left_wrist", "right_wrist", "left_ankle", "right_ankle",
)  # fmt: skip
_WRISTS = slice(6, 8)
_HIPS = SMPL22.indices("left_hip", "right_hip")
_NUMBERS = 5 + 3 * len(JOINTS)
"""What a frame of a person is: the pelvis (3), its right (2), joints seen from it (j 3)."""
_FARTHEST = 3.0
"""Metres behind which nobody is told apart."""
_TOUCHING = 0.3
"""Metres within which joints matter most to each other."""
_HIDDEN = 128
_RIDGE = 1e-3


@dataclass(frozen=True)
class Places:
    """Two people in every column.

    Attributes:
        pelvis: (b, p, n, f, 3) metres.
        right: (b, p, n, f, 2) horizontal unit vector (x, z) from the left to the right hip.
        joints: (b, p, n, f, j, 3) metres from the pelvis: to the right, up, to the front.
    """

    pelvis: Tensor
    right: Tensor
    joints: Tensor

    def partner(self) -> Tensor:
        """Pelvis and joints (b, p, n, f, 1 + j, 3) of the other person, as `joints` are told."""
        own = _turned(self.joints, self.right)
        world = torch.cat([torch.zeros_like(own[..., :1, :]), own], -2) + self.pelvis[..., None, :]
        return _turned(world.flip(1) - self.pelvis[..., None, :], self.right)

    def wrists_to_partner(self) -> Tensor:
        """From each own wrist to the other's pelvis and joints: (b, p, n, f, 2, 1 + j, 3)."""
        return self.ways_to(self.partner())

    def ways_to(self, partner: Tensor) -> Tensor:
        """As `wrists_to_partner`, where `partner` is known already."""
        return partner[..., None, :, :] - self.joints[..., _WRISTS, None, :]


def _turned(vectors: Tensor, right: Tensor) -> Tensor:
    """Vectors (..., j, 3) of the world to the right, up and front of a person, or the way back.

    Both are the same reflection of the ground plane.
    """
    x, z = (part[..., None] for part in right.unbind(-1))
    first, up, last = vectors.unbind(-1)
    return torch.stack([x * first + z * last, up, z * first - x * last], -1)


def measured(positions: Tensor) -> Tensor:
    """Joints (..., t, 22, 3) of columns of t frames, in metres, as numbers (..., f, 5 + 3 j)."""
    length = positions.shape[-3]
    at = torch.tensor([int(share * length) for share in FRAMES], device=positions.device)
    told = positions.index_select(-3, at)
    across = (told[..., _HIPS[1], :] - told[..., _HIPS[0], :])[..., [0, 2]]
    right = F.normalize(across, dim=-1)
    pelvis = told[..., 0, :]
    joints = _turned(told[..., list(JOINTS), :] - pelvis[..., None, :], right)
    return torch.cat([pelvis, right, joints.flatten(-2)], -1)


def places_of(numbers: Tensor) -> Places:
    """Numbers (b, p, n, f, 5 + 3 j), `measured` or estimated."""
    pelvis, across, joints = numbers.split([3, 2, _NUMBERS - 5], dim=-1)
    # An estimate between two directions is short; of none, any direction is as good.
    right = across / across.square().sum(-1, keepdim=True).clamp_min(1e-2).sqrt()
    return Places(pelvis, right, joints.unflatten(-1, (len(JOINTS), 3)))


class CodeGeometry(nn.Module):
    """Code vectors of a tokenizer, and the linear map from those of a column to joints."""

    codes: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        channels = config.geometry_channels
        self.register_buffer("codes", torch.zeros(config.rows, config.codebook_size, channels))
        numbers = len(FRAMES) * _NUMBERS
        self.register_buffer("weight", torch.zeros(numbers, config.rows * channels))
        self.register_buffer("bias", torch.zeros(numbers))

    @torch.no_grad()
    def fit(self, codebooks: Tensor, tokens: Tensor, positions: Tensor) -> None:
        """Take code vectors (s, k, c), and what columns of real motion tell about joints.

        Args:
            codebooks: of the tokenizer.
            tokens: (m, s) of columns.
            positions: (m, t, 22, 3) joints in metres, over the frames of each column.
        """
        expected = tuple(self.codes.shape)
        if tuple(codebooks.shape) != expected:
            raise ValueError(
                f"the codebooks have shape {tuple(codebooks.shape)}, the transformer expects "
                f"{expected} (rows, codebook_size, geometry_channels)"
            )
        # Levelled, an estimate of all channels starts at one size; the map takes it back.
        self.codes.copy_(half_levelled(codebooks))
        vectors = self.vectors(tokens.T[None, None])[0, 0].flatten(1).double()
        ones = torch.ones_like(vectors[:, :1])
        known = torch.cat([vectors, ones], 1)
        squares = known.T @ known + _RIDGE * torch.eye(known.shape[1]).to(known)
        solved = torch.linalg.solve(squares, known.T @ measured(positions).flatten(1).double())
        self.weight.copy_(solved[:-1].T)
        self.bias.copy_(solved[-1])

    def vectors(self, tokens: Tensor) -> Tensor:
        """Code vectors (b, p, n, s, c) of ids (b, p, s, n); zeros where there is no code."""
        rows, codes = self.codes.shape[:2]
        first = codes * torch.arange(rows, device=tokens.device)
        ids = rearrange(tokens, "b p s n -> b p n s")
        vectors = F.embedding(ids.clamp_max(codes - 1) + first, self.codes.flatten(0, 1))
        return vectors.masked_fill((ids >= codes)[..., None], 0.0)

    def places(self, vectors: Tensor) -> Places:
        """Of code vectors (b, p, n, s, c)."""
        numbers = F.linear(vectors.flatten(-2), self.weight, self.bias)
        return places_of(numbers.unflatten(-1, (len(FRAMES), _NUMBERS)))


class GeometryReader(nn.Module):
    """Before every second block: what is expected of hidden tokens, and what both bodies tell."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.rows = config.rows
        self.expects = nn.Linear(config.width, config.rows * config.geometry_channels)
        joints, wrists = len(JOINTS), 2
        each = 3 * joints + 3 * (1 + joints) + 2 + wrists * (1 + joints)
        self.reads = nn.Linear(len(FRAMES) * each, _HIDDEN)
        self.tells = nn.Linear(_HIDDEN, config.width)

    def start_silent(self) -> None:
        """Expect the mean of all codes, and tell nothing."""
        for layer in (self.expects, self.tells):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, people: Tensor, geometry: CodeGeometry, known: Tensor, hidden: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What is told (b, p, 1, n, e), and all code vectors (b, p, n, s, c), expected ones too.

        Args:
            people: (b, p, 1, n, e) stream.
            geometry: of the tokenizer.
            known: (b, p, n, s, c) code vectors of visible tokens.
            hidden: (b, p, n, s, 1) True where there is none.
        """
        normalised = F.layer_norm(people[:, :, 0], people.shape[-1:])
        expected = rearrange(self.expects(normalised), "b p n (s c) -> b p n s c", s=self.rows)
        # Half precision would move joints by centimetres.
        with torch.autocast(people.device.type, enabled=False):
            vectors = torch.where(hidden, expected.float(), known)
            places = geometry.places(vectors)
            numbers = _seen(places)
        told = self.tells(F.gelu(self.reads(numbers)))
        return told[:, :, None], vectors


def _seen(places: Places) -> Tensor:
    """What a person sees of both, (b, p, n, numbers)."""
    partner = places.partner()
    right = places.right.flip(1)
    turned = _turned(F.pad(right, (0, 1))[..., None, [0, 2, 1]], places.right)[..., 0, [0, 2]]
    to_partner = places.ways_to(partner).square().sum(-1).add(1e-4).sqrt()
    near = (-to_partner / _TOUCHING).exp()
    told = (
        places.joints.flatten(-2),
        partner.clamp(-_FARTHEST, _FARTHEST).flatten(-2),
        turned,
        near.flatten(-2),
    )
    return torch.cat(told, -1).flatten(-2)


@dataclass(frozen=True)
class GeometryLoss:
    """Both are means over what is labelled; 0 where nothing is.

    Attributes:
        codes: () squared error of expected code vectors, whose mean square is about 1.
        reach: () metres by which ways from wrists to the partner's joints are missed, those that
            are short in truth counting most.
    """

    codes: Tensor
    reach: Tensor


def geometry_loss(
    geometry: CodeGeometry,
    expected: Sequence[Tensor],
    truth: Tensor,
    labelled: Tensor,
    valid: Tensor,
) -> GeometryLoss:
    """How far expected code vectors are from those of the motion, in the mean of several readings.

    Args:
        geometry: of the tokenizer.
        expected: code vectors (b, p, n, s, c), known and expected, of each reading.
        truth: (b, p, n, s, c).
        labelled: (b, p, n, s) bool: what is asked for.
        valid: (b, n) bool: columns within the motions.
    """
    asked = (labelled.any(-1).any(1) & valid)[:, None, :, None, None, None]
    aim = geometry.places(truth).wrists_to_partner()
    worth = (-aim.square().sum(-1).add(1e-4).sqrt() / _TOUCHING).exp() * asked
    codes, reach = [], []
    for vectors in expected:
        error = (vectors - truth).square().mean(-1)
        codes.append((error * labelled).sum() / labelled.sum().clamp_min(1))
        ways = geometry.places(vectors).wrists_to_partner()
        missed = (ways - aim).square().sum(-1).add(1e-6).sqrt()
        reach.append((missed * worth).sum() / worth.sum().clamp_min(1e-3))
    return GeometryLoss(torch.stack(codes).mean(), torch.stack(reach).mean())
