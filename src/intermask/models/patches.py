"""A tokenizer body that starts as principal components: encoder and decoder over patches of time.

Not part of the paper. The paper's grid of convolutions learns poses slowly: it needs many
thousands of steps before limbs are told apart. Here the motion of one token column (all joints, a
few frames) is one vector; a linear map takes it to the rows of the token map and back. `fit` sets
both maps to the principal components of real motion, weighted by what moves joints in the world,
so that the tokenizer reconstructs before the first training step. The decoder also has residual
convolutions over time, silent at first: they learn what neighbouring columns tell about this one,
which closes the seams between columns and undoes part of the quantisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from intermask.config import BODY_ROWS
from intermask.models.root_frame import CHANNELS, ROOT_CHANNELS
from intermask.skeleton import SMPL22

JOINTS = SMPL22.joint_count
_POSITION, _VELOCITY, _ROTATION = slice(0, 3), slice(3, 6), slice(6, 12)
_ORIENTATION_REACH = 1.5
"""Weight of the pelvis's orientation: about how far it moves all joints, over how many."""
_ROTATION_REACH = 0.15
"""Weight of a joint's rotation, in the same unit."""

_LEAST_VARIANCE = 1e-10
"""Share of all variance that a component has at least, to be told."""
_ARM = ("collar", "shoulder", "elbow", "wrist")
_EMPHASIS = ((("left_elbow", "right_elbow"), 1.3), (("left_wrist", "right_wrist"), 2.0))


def importance() -> Tensor:
    """Weight (22, 24) of every channel of `root_frame.split_root` by how it moves joints.

    The pelvis moves all joints; velocities follow from positions and weigh nothing. Channels of
    the pelvis stand at every joint and count once. Hands count more: they are what people touch
    each other with.
    """
    weight = torch.zeros(JOINTS, CHANNELS)
    weight[0, _POSITION] = JOINTS**0.5
    weight[0, _ROTATION] = _ORIENTATION_REACH
    own = weight[1:, ROOT_CHANNELS:]
    own[:, _POSITION] = 1.0
    own[:, _ROTATION] = _ROTATION_REACH
    for names, emphasis in _EMPHASIS:
        weight[list(SMPL22.indices(*names))] *= emphasis
    return weight


class PatchEncoder(nn.Module):
    """Split grids (b, d, j, t) to latents (b, c, s, n)."""

    mean: Tensor

    def __init__(self, frames: int, rows: int, width: int) -> None:
        super().__init__()
        self.frames, self.rows = frames, rows
        features = frames * JOINTS * CHANNELS
        self.register_buffer("mean", torch.zeros(features))
        self.components = nn.Linear(features, rows * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(b, d, j, t) to (b, c, s, n)."""
        patches = rearrange(x, "b d j (n f) -> b n (f j d)", f=self.frames) - self.mean
        return rearrange(self.components(patches), "b n (s c) -> b c s n", s=self.rows)


class TimeBlock(nn.Module):
    """x + conv(gelu(conv(gelu(x)))) over columns (b, c, n), the first convolution dilated."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.spread = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, n) to the same shape."""
        return x + self.mix(F.gelu(self.spread(F.gelu(x))))


class PatchDecoder(nn.Module):
    """Code vectors (b, c, s, n) to split grids (b, d, j, t).

    Args:
        frames: of a token column.
        rows: of the token map, s.
        width: channels of a code, c.
        hidden: channels of the convolutions over time.
        depth: how many of them.
        smoothing: how often frames are averaged with their neighbours, a quarter each: codes say
            nothing of how one column goes over into the next.
    """

    def __init__(
        self, frames: int, rows: int, width: int, hidden: int, depth: int, smoothing: int = 0
    ) -> None:
        super().__init__()
        self.frames, self.smoothing = frames, smoothing
        features = frames * JOINTS * CHANNELS
        self.components = nn.Linear(rows * width, features)
        self.enter = nn.Conv1d(rows * width, hidden, 1)
        self.blocks = nn.Sequential(*(TimeBlock(hidden, 1 + place % 2) for place in range(depth)))
        self.correct = nn.Conv1d(hidden, features, 1)

    def start_silent(self) -> None:
        """Let the corrections begin at nothing."""
        nn.init.zeros_(self.correct.weight)
        for module in self.blocks:
            if isinstance(module, TimeBlock):
                nn.init.zeros_(module.mix.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, s, n) to (b, d, j, t)."""
        columns = rearrange(x, "b c s n -> b (s c) n")
        hidden = self.blocks(self.enter(columns))
        patches = self.components(columns.mT) + self.correct(F.gelu(hidden)).mT
        decoded = rearrange(patches, "b n (f j d) -> b (j d) (n f)", f=self.frames, j=JOINTS)
        return rearrange(smoothed(decoded, self.smoothing), "b (j d) t -> b d j t", j=JOINTS)


def smoothed(course: Tensor, times: int) -> Tensor:
    """Signals (b, d, t) averaged with their neighbours that often; their ends go on as they end."""
    for _ in range(times):
        before, after = course[..., :1], course[..., -1:]
        earlier = torch.cat([before, course[..., :-1]], -1)
        later = torch.cat([course[..., 1:], after], -1)
        course = 0.5 * course + 0.25 * (earlier + later)
    return course


@dataclass(frozen=True)
class _Part:
    """Rows of the token map, and which numbers of a patch they tell."""

    rows: range
    told: Tensor
    """(numbers,) bool."""
    given: range = range(0)
    """Rows that are known before: they are told what these do not tell already."""


def _parts(frames: int, rows: int, by_body: bool) -> list[_Part]:
    """How the numbers of patches (f j d) with a weight are shared among rows."""
    weighing = importance() > 0
    if not by_body:
        return [_Part(range(rows), weighing.flatten().repeat(frames))]
    if rows != BODY_ROWS:
        raise ValueError(f"parts of the body are {BODY_ROWS} rows of the token map, not {rows}")
    left, right, pelvis = (torch.zeros_like(weighing) for _ in range(3))
    for side, arm in (("left", left), ("right", right)):
        arm[list(SMPL22.indices(*(f"{side}_{joint}" for joint in _ARM)))] = True
    pelvis[0] = True
    legs_and_trunk = ~(left | right | pelvis)
    first = range(6)
    return [
        _Part(rows, (mask & weighing).flatten().repeat(frames), given)
        for rows, mask, given in (
            (range(3), pelvis, range(0)),
            (range(3, 6), legs_and_trunk, range(3)),
            (range(6, 8), left, first),
            (range(8, 10), right, first),
        )
    ]


@torch.no_grad()
def fit(
    encoder: PatchEncoder,
    decoder: PatchDecoder,
    splits: Tensor,
    shared: bool = True,
    by_body: bool = False,
) -> None:
    """Set both linear maps to the principal components of split windows (b, t, 22, 24).

    Components are dealt to the rows like cards, forth and back, so that all rows carry about the
    same variance. In a ``shared`` codebook each row writes to channels of its own, which keeps the
    rows' codes apart, and there are as many components as channels; else each row has as many.

    ``by_body``: three rows for the pelvis, three for legs and trunk, two for each arm. A part's
    components are those of what the parts before it leave open: an arm is told as it differs from
    where the trunk takes it.
    """
    frames, rows = encoder.frames, encoder.rows
    width = encoder.components.out_features // rows
    weight = importance().flatten().repeat(frames).to(splits).double()
    patches = rearrange(splits, "b (n f) j d -> (b n) (f j d)", f=frames).double()
    mean = patches.mean(0)
    patches -= mean
    together = patches.T @ patches / len(patches)
    weighted = weight[:, None] * together * weight
    encode = torch.zeros(rows * width, len(weight), dtype=torch.float64, device=splits.device)
    own = width // rows if shared else width
    for part in _parts(frames, rows, by_body):
        told = part.told.to(splits.device)
        known = encode[part.given.start * width : part.given.stop * width]
        known = known[known.any(1)]
        follows = torch.linalg.solve(known @ weighted @ known.T, known @ weighted[:, told])
        left_open = weighted[told][:, told] - weighted[told] @ known.T @ follows
        variances, directions = torch.linalg.eigh(left_open)  # smallest first
        directions = directions[:, variances > _LEAST_VARIANCE * weighted.trace()].flip(1)
        for number in range(min(own * len(part.rows), directions.shape[1])):
            turn, place = divmod(number, len(part.rows))
            row = part.rows[place if turn % 2 == 0 else -1 - place]
            channel = row * width + turn + (row * own if shared else 0)
            direction = directions[:, number]
            encode[channel, told] += direction
            encode[channel] -= (follows @ direction) @ known
    used = encode.any(1)
    scored = encode[used] * weight
    # What has no weight (velocities, the pelvis's copies) is predicted, not encoded.
    decode = torch.zeros(len(weight), rows * width, dtype=torch.float64, device=splits.device)
    squares = scored @ together @ scored.T
    decode[:, used] = torch.linalg.solve(squares, scored @ together).T
    encoder.mean.copy_(mean)
    encoder.components.weight.copy_(encode * weight)
    decoder.components.weight.copy_(decode)
    decoder.components.bias.copy_(mean)
