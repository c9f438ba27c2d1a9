"""Two seconds of one person, in figures: what a judge of humanness sees, and single features of it.

What a judge sees is stripped of what gives made motion away though no eye could see it. Bodies have
the mean adult's bones and stand on legs that are equally straight (retargeted captures often do
not); everything above some 4 Hz, the floor, the place and the time within the clip are gone; and
noise covers what is exact to the millimetre, and by how much every body is held a little otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from intermask.data.limbs import LEGS, smooth_in_time, two_bone
from intermask.geometry import facing_direction, yaw_matrix
from intermask.motion import FPS
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22

FRAMES = 60
"""Of a window, at 30 frames a second: two seconds."""
SEEN_FRAMES = FRAMES // 2
"""Of what a judge sees, at 15 a second."""
STRIDE = 15
"""Frames from one window of a clip to the next."""
ROOT_CHANNELS = 4
"""Speed of the pelvis to the left, up and ahead (m/s) and its turning (rad/s)."""
JOINTS = SMPL22.indices(
    "left_knee", "right_knee", "left_ankle", "right_ankle", "left_foot", "right_foot", "neck",
    "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist",
    "right_wrist",
)  # fmt: skip
"""Those that a judge sees: of the others, retargeting decides more than the person does."""
CHANNELS = 3 * len(JOINTS) + ROOT_CHANNELS

NOISE_M, NOISE_SPEED, NOISE_TURNING = 0.005, 0.02, 0.05
"""Deviation of the noise that is added to joints (m), the pelvis' speed (m/s) and turning."""
POSTURE_NOISE_M = 0.02
"""Deviation of what is added to a joint in all frames of a window alike."""

_BLUR_FRAMES = 1.0
_PACES = {"standing": 0.12, "shuffling": 0.5, "walking": 1.6}
"""Metres a second up to which a person is said to do that; who is faster runs."""
PACES = (*_PACES, "running")
ARMS = ("arms hang", "one hand up", "both hands up")
"""How many forearms do not hang down, on average over the window."""
ACTIVITIES = tuple(f"{pace}, {arms}" for pace in PACES for arms in ARMS)
_HANGING = 0.6
"""Share of its length by which a forearm that hangs goes down."""

_STRAIGHT, _BENT_SHARE = 0.985, 0.15
"""Share of its length that a standing leg reaches, in all but this share of the frames."""
_LIFT = (-0.03, 0.1)
"""Metres that hips are lowered or lifted at most, to stand so."""
_STANDING_SPEED, _STANDING_RISE = 0.25, 0.035
"""Metres a second, and metres above its lowest, up to which an ankle stands."""


@dataclass(frozen=True)
class Windows:
    """n windows of one person each.

    Attributes:
        seen: (n, SEEN_FRAMES, CHANNELS) `JOINTS` from the pelvis in the person's own heading at
            every frame (metres: left, up, ahead), then `ROOT_CHANNELS`; without noise.
        pace: (n) index into `PACES`, by the mean speed of the pelvis over the floor.
        arms: (n) index into `ARMS`.
        features: (n) of each of `FEATURES`.
    """

    seen: Tensor
    pace: Tensor
    arms: Tensor
    features: Mapping[str, Tensor]

    @staticmethod
    def joined(several: list[Windows]) -> Windows:
        """All windows, in order."""
        return Windows(
            torch.cat([each.seen for each in several]),
            torch.cat([each.pace for each in several]),
            torch.cat([each.arms for each in several]),
            {name: torch.cat([each.features[name] for each in several]) for name in FEATURES},
        )

    def __len__(self) -> int:
        return len(self.pace)

    @property
    def activity(self) -> Tensor:
        """(n) index into `ACTIVITIES`."""
        return self.pace * len(ARMS) + self.arms


def cut_windows(positions: Tensor) -> Windows | None:
    """All windows of one person; None where the clip is shorter than one.

    Args:
        positions: (t, 22, 3) metres, y up, 30 fps.
    """
    if len(positions) < FRAMES:
        return None
    places = stood_up(on_mean_body(positions))
    calm = smooth_in_time(places[None], _BLUR_FRAMES)[0]
    seen = _seen(calm)
    starts = range(0, len(positions) - FRAMES + 1, STRIDE)
    stored = torch.stack([positions[start : start + FRAMES] for start in starts])
    exact = torch.stack([places[start : start + FRAMES] for start in starts])
    shown = torch.stack([seen[start : start + FRAMES] for start in starts])
    features = {name: feature.of(stored, exact, shown) for name, feature in FEATURES.items()}
    speed = features["pace"]
    pace = torch.bucketize(speed, speed.new_tensor(list(_PACES.values())))
    return Windows(shown[:, ::2], pace, _arms(exact), features)


def on_mean_body(positions: Tensor) -> Tensor:
    """The same poses (t, 22, 3) on the mean adult's bones, the way scaled as the body is."""
    bones = positions.new_tensor(MEAN_ADULT_OFFSETS).norm(dim=-1)
    parents = list(SMPL22.parents[1:])
    own = positions[:, 1:] - positions[:, parents]
    scale = bones[1:].sum() / own.norm(dim=-1).sum(-1).mean().clamp_min(1e-6)
    way = functional.normalize(own, dim=-1) * bones[1:, None]
    places = [positions[:, 0] * scale]
    for joint, parent in enumerate(parents, 1):
        places.append(places[parent] + way[:, joint - 1])
    return torch.stack(places, 1)


def stood_up(places: Tensor) -> Tensor:
    """Joints (t, 22, 3) with hips so high that standing legs are as straight as people's are.

    Feet stay, knees follow. It is one height for the whole clip.
    """
    room = []
    for hip, knee, ankle, _ in LEGS:
        upper = float((places[0, knee] - places[0, hip]).norm())
        lower = float((places[0, ankle] - places[0, knee]).norm())
        reach = _STRAIGHT * (upper + lower)
        rise, speed = places[:, ankle, 1], _speed(places[:, ankle])
        standing = rise < rise.quantile(0.05) + _STANDING_RISE
        standing[1:] &= speed < _STANDING_SPEED
        span = (places[:, hip] - places[:, ankle])[standing]
        level = span[:, (0, 2)].norm(dim=-1).clamp(max=reach)
        room.append((reach**2 - level**2).sqrt() - span[:, 1])
    if not len(torch.cat(room)):
        return places
    lift = float(torch.cat(room).quantile(_BENT_SHARE).clamp(*_LIFT))
    lifted = places + places.new_tensor((0.0, lift, 0.0))
    for hip, knee, ankle, foot in LEGS:
        upper = float((places[0, knee] - places[0, hip]).norm())
        lower = float((places[0, ankle] - places[0, knee]).norm())
        pole = places[:, knee] - (places[:, hip] + places[:, ankle]) / 2
        middle, end = two_bone(lifted[:, hip], places[:, ankle], pole, upper, lower)
        lifted[:, knee], lifted[:, foot] = middle, end + places[:, foot] - places[:, ankle]
        lifted[:, ankle] = end
    return lifted


def mirrored(seen: Tensor) -> Tensor:
    """What is seen (..., CHANNELS) of the same people in a mirror."""
    joints = seen[..., :-ROOT_CHANNELS].unflatten(-1, (-1, 3))
    order = [JOINTS.index(SMPL22.mirror_order[joint]) for joint in JOINTS]
    joints = joints[..., order, :] * seen.new_tensor((-1.0, 1.0, 1.0))
    root = seen[..., -ROOT_CHANNELS:] * seen.new_tensor((-1.0, 1.0, 1.0, -1.0))
    return torch.cat((joints.flatten(-2), root), -1)


def with_noise(seen: Tensor, generator: torch.Generator) -> Tensor:
    """What is seen (..., f, CHANNELS), as uncertain as a rough capture would be."""
    deviation = seen.new_full((CHANNELS,), NOISE_M)
    deviation[-ROOT_CHANNELS:-1] = NOISE_SPEED
    deviation[-1] = NOISE_TURNING
    noise = deviation * torch.randn(seen.shape, generator=generator, dtype=seen.dtype)
    held = torch.randn((*seen.shape[:-2], 1, CHANNELS), generator=generator, dtype=seen.dtype)
    held[..., -ROOT_CHANNELS:] = 0
    return seen + noise + POSTURE_NOISE_M * held


def _seen(places: Tensor) -> Tensor:
    """(t, CHANNELS) of joints (t, 22, 3)."""
    facing = facing_direction(places)
    yaw = torch.atan2(facing[:, 0], facing[:, 2])
    back = yaw_matrix(-yaw)
    joints = torch.einsum("tik,tjk->tji", back, places[:, list(JOINTS)] - places[:, :1])
    step = torch.einsum("tik,tk->ti", back[1:], places[1:, 0] - places[:-1, 0]) * FPS
    turn = torch.remainder(yaw.diff() + math.pi, 2 * math.pi) - math.pi
    root = torch.cat((step, turn[:, None] * FPS), 1)
    root = torch.cat((root[:1], root))
    return torch.cat((joints.flatten(1), root), 1)


def _arms(places: Tensor) -> Tensor:
    """(n) how many forearms do not hang, of joints (n, f, 22, 3)."""
    up = torch.zeros(len(places), dtype=torch.long)
    for side in ("left", "right"):
        elbow, wrist = SMPL22.indices(f"{side}_elbow", f"{side}_wrist")
        forearm = places[:, :, elbow] - places[:, :, wrist]
        share = (forearm[..., 1] / forearm.norm(dim=-1).clamp_min(1e-6)).mean(1)
        up += (share < _HANGING).long()
    return up


# --- Single features -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Feature:
    """One number of a window.

    Attributes:
        told: what it is, in words, with its unit.
        of: from windows as stored (n, 60, 22, 3), on the mean body, and as seen (n, 60, CHANNELS).
        hidden: whether what a judge sees does not have it.
    """

    told: str
    of: Callable[[Tensor, Tensor, Tensor], Tensor]
    hidden: bool = False


def _at(seen: Tensor, name: str) -> Tensor:
    """(n, f, 3) of a joint, seen from the pelvis."""
    first = 3 * JOINTS.index(SMPL22.index(name))
    return seen[..., first : first + 3]


def _speed(points: Tensor) -> Tensor:
    """(..., f - 1) metres a second of points (..., f, 3) at 30 a second."""
    return points.diff(dim=-2).norm(dim=-1) * FPS


def _sway(points: Tensor) -> Tensor:
    """(n) metres that points (n, f, 3) deviate from their mean."""
    return (points - points.mean(-2, keepdim=True)).square().sum(-1).mean(-1).sqrt()


def _both(seen: Tensor, joint: str) -> tuple[Tensor, Tensor]:
    return _at(seen, f"left_{joint}"), _at(seen, f"right_{joint}")


def _bend(places: Tensor, *joints: str) -> Tensor:
    """(n, f, 2) radians by which both sides' limbs of joints (n, f, 22, 3) are bent."""
    bends = []
    for side in ("left", "right"):
        three = SMPL22.indices(*(f"{side}_{joint}" for joint in joints))
        first, middle, last = (places[:, :, joint] for joint in three)
        upper = functional.normalize(middle - first, dim=-1)
        lower = functional.normalize(last - middle, dim=-1)
        bends.append((upper * lower).sum(-1).clamp(-1, 1).acos())
    return torch.stack(bends, -1)


def _elbows(places: Tensor) -> Tensor:
    return _bend(places, "shoulder", "elbow", "wrist")


def _hands(seen: Tensor) -> Tensor:
    """(n, 2, f, 3) wrists, seen from the neck."""
    return torch.stack([hand - _at(seen, "neck") for hand in _both(seen, "wrist")], 1)


def _feet(seen: Tensor) -> Tensor:
    left, right = _both(seen, "ankle")
    return (left + right) / 2


def _head(seen: Tensor) -> Tensor:
    return _at(seen, "head") - _at(seen, "neck")


def _jerk(joints: Tensor) -> Tensor:
    """(n) mean of the logarithm of jerks, m/s³, of joints (n, f, j, 3)."""
    sizes = joints.diff(n=3, dim=1).norm(dim=-1) * FPS**3
    return sizes.mean((1, 2)).clamp_min(1e-6).log()


def _tremble(joints: Tensor) -> Tensor:
    """(n) share of the speed's power beyond 5 Hz, of joints (n, f, j, 3)."""
    power = torch.fft.rfft(joints.diff(dim=1), dim=1).abs().square().sum((2, 3))
    hertz = torch.fft.rfftfreq(joints.shape[1] - 1, 1 / FPS)
    return power[:, hertz > 5].sum(1) / power.sum(1).clamp_min(1e-12)


def _still_feet(joints: Tensor) -> Tensor:
    """(n) mm a frame that the calmer foot moves in its calmest fifth of frames."""
    ankles = joints[:, :, list(SMPL22.indices("left_ankle", "right_ankle"))]
    slower = ankles.diff(dim=1).norm(dim=-1).amin(2) * 1000
    return slower.quantile(0.2, dim=1)


FEATURES: dict[str, Feature] = {
    "pace": Feature(
        "speed of the pelvis over the floor, m/s",
        lambda stored, exact, seen: (seen[..., (-4, -2)]).norm(dim=-1).mean(-1),
    ),
    "turning": Feature(
        "turning of the hips, rad/s", lambda stored, exact, seen: seen[..., -1].abs().mean(-1)
    ),
    "weight shift": Feature(
        "sway of the pelvis over the feet, m", lambda stored, exact, seen: _sway(_feet(seen))
    ),
    "stance width": Feature(
        "distance of the ankles, m",
        lambda stored, exact, seen: (
            (_at(seen, "left_ankle") - _at(seen, "right_ankle")).norm(dim=-1).mean(-1)
        ),
    ),
    "knee bend": Feature(
        "bend of the knees, rad",
        lambda stored, exact, seen: _bend(exact, "hip", "knee", "ankle").mean((1, 2)),
    ),
    "trunk lean": Feature(
        "neck ahead of the pelvis, m", lambda stored, exact, seen: _at(seen, "neck")[..., 2].mean(1)
    ),
    "trunk sway": Feature(
        "sway of the neck over the pelvis, m",
        lambda stored, exact, seen: _sway(_at(seen, "neck")),
    ),
    "head tilt": Feature(
        "head ahead of the neck, m", lambda stored, exact, seen: _head(seen)[..., 2].mean(1)
    ),
    "head motion": Feature(
        "sway of the head over the neck, m", lambda stored, exact, seen: _sway(_head(seen))
    ),
    "shoulder motion": Feature(
        "sway of the shoulders over the neck, m",
        lambda stored, exact, seen: (
            sum(
                (_sway(shoulder - _at(seen, "neck")) for shoulder in _both(seen, "shoulder")),
                start=seen.new_zeros(()),
            )
            / 2
        ),
    ),
    "elbow bend": Feature(
        "bend of the elbows, rad", lambda stored, exact, seen: _elbows(exact).mean((1, 2))
    ),
    "elbow use": Feature(
        "deviation of the elbows' bend, rad",
        lambda stored, exact, seen: _elbows(exact).std(1).mean(1),
    ),
    "hand height": Feature(
        "hands below the neck, m", lambda stored, exact, seen: -_hands(seen)[..., 1].mean((1, 2))
    ),
    "hand span": Feature(
        "distance of the hands, m",
        lambda stored, exact, seen: (
            (_at(seen, "left_wrist") - _at(seen, "right_wrist")).norm(dim=-1).mean(-1)
        ),
    ),
    "hand speed": Feature(
        "speed of the hands from the neck, m/s",
        lambda stored, exact, seen: _speed(_hands(seen)).mean((1, 2)),
    ),
    "hand peaks": Feature(
        "largest speed of a hand over its mean",
        lambda stored, exact, seen: (
            _speed(_hands(seen)).amax((1, 2)) / _speed(_hands(seen)).mean((1, 2)).clamp_min(0.01)
        ),
    ),
    "idle hand": Feature(
        "speed of the calmer hand, m/s",
        lambda stored, exact, seen: _speed(_hands(seen)).mean(2).amin(1),
    ),
    "smooth jerk": Feature(
        "jerk below 4 Hz, log m/s³",
        lambda stored, exact, seen: _jerk(seen[..., :-ROOT_CHANNELS].unflatten(-1, (-1, 3))),
    ),
    "jerk": Feature("jerk, log m/s³", lambda stored, exact, seen: _jerk(exact), hidden=True),
    "tremble": Feature(
        "share of motion beyond 5 Hz", lambda stored, exact, seen: _tremble(exact), hidden=True
    ),
    "still feet": Feature(
        "slide of a standing foot, mm a frame",
        lambda stored, exact, seen: _still_feet(exact),
        hidden=True,
    ),
    "body size": Feature(
        "length of all bones, m",
        lambda stored, exact, seen: (
            (stored[:, :, 1:] - stored[:, :, list(SMPL22.parents[1:])]).norm(dim=-1).sum(-1).mean(1)
        ),
        hidden=True,
    ),
}
"""What a window is described by, each apart."""
