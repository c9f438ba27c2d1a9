"""One HTML file that shows motions in 3D: it opens from disk, works offline and fetches nothing.

The page holds its own small player (WebGL 2, no library), one drawn body, and for each motion the
rotations of the joints as int16 and what places them in the world. `viewer_page` takes any number
of motions; with more than one the page has a list to choose from.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from intermask.errors import UserError
from intermask.export.body import PEOPLE, clothes
from intermask.export.camera import VIEWS, camera_direction, followed_centres
from intermask.export.fitting import FittedBody, fit_body
from intermask.export.floor import floor_height, frames_to_stand_on
from intermask.export.mannequin import Mannequin, build_mannequin, strongest_weights
from intermask.export.rig import Rig, rig_of
from intermask.files import atomic_path, with_ending
from intermask.geometry import matrix_to_axis_angle
from intermask.motion import Motion, SMPLXMotion
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22, Skeleton

Array = NDArray[np.float64]

_POINT_UNIT = 1 / 8192  # metres in a unit of the int16 points
_SCRIPTS = ("matrices.js", "people.js", "shaders.js", "drawing.js", "player.js", "grid.js")
_STYLES = ("viewer.css", "grid.css")
_BALLS = {
    "left_foot": 0.045, "right_foot": 0.045, "left_ankle": 0.055, "right_ankle": 0.055,
    "left_knee": 0.07, "right_knee": 0.07, "pelvis": 0.15, "spine3": 0.16, "head": 0.11,
    "left_wrist": 0.05, "right_wrist": 0.05,
}  # fmt: skip
"""Round stand-ins for parts of the body, radius in metres, that darken the floor near them."""


@dataclass(frozen=True)
class ViewerEntry:
    """One motion of a page.

    caption: a sentence, or (second at which it begins, sentence) for each scene of a story. None:
    the motion's own.
    notes: a short line below the caption, such as the seed.
    """

    motion: Motion
    caption: str | Sequence[tuple[float, str]] | None = None
    notes: str = ""

    @property
    def scenes(self) -> list[tuple[float, str]]:
        """(second, sentence), in order of time."""
        told = [(each.start, each.text) for each in self.motion.captions]
        caption = (told or self.motion.caption) if self.caption is None else self.caption
        if isinstance(caption, str):
            return [(0.0, caption)] if caption else []
        return sorted((float(second), text) for second, text in caption)


def write_viewer(motion: Motion, path: str | Path) -> Path:
    """Write one motion as ``path`` (``.html`` is added if missing), whole or not at all."""
    target = with_ending(path, ".html")
    page = viewer_page([ViewerEntry(motion)], motion.caption or target.stem)
    with atomic_path(target) as temporary:
        temporary.write_text(page, "utf-8")
    return target


def viewer_page(entries: Sequence[ViewerEntry], title: str, grid: str | None = None) -> str:
    """The text of an HTML page that shows motions, one at a time.

    ``#3`` at the end of the page's address opens the third motion, ``#3@1.5`` its frame at 1.5
    seconds.

    Args:
        entries: at least one motion; all sizes and frame rates, with and without hands.
        title: of the page.
        grid: a line about the whole; several motions are then first shown all at once, as stills
            that move under the pointer. None: the first motion opens.

    Raises:
        UserError: there is no motion.
    """
    if not entries:
        raise UserError("a page of motions needs at least one motion, and none was given")
    bodies: dict[Skeleton, _PageBody] = {}
    packed = [_packed_entry(entry, bodies) for entry in entries]
    data: dict[str, Any] = {
        "colours": PEOPLE,
        "bodies": {str(each.joint_count): body.packed() for each, body in bodies.items()},
        "entries": packed,
    }
    if grid is not None:
        data["grid"] = grid
    parts = {
        "title": escape(title),
        "style": "".join(_asset(name) for name in _STYLES),
        "script": "\n".join(_asset(name) for name in _SCRIPTS),
        # "<" could end the element that the data stands in
        "data": json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c"),
    }
    page = _asset("viewer.html")
    pieces = page.replace("}}", "{{").split("{{")
    return "".join(parts[piece] if odd % 2 else piece for odd, piece in enumerate(pieces))


@dataclass(frozen=True)
class _PageBody:
    """The surface that all people of one skeleton share on a page."""

    skeleton: Skeleton
    offsets: Array
    mannequin: Mannequin

    def fitted(self, rig: Rig) -> FittedBody:
        return fit_body(self.mannequin, self.offsets, rig.offsets, self.skeleton)

    def packed(self) -> dict[str, Any]:
        points = np.rint(self.mannequin.points / _POINT_UNIT).astype("<i2")
        movers, weights = strongest_weights(self.mannequin.weights)
        always = clothes(self.mannequin, (0.0, 0.0, 0.0))
        share = clothes(self.mannequin, (1.0, 1.0, 1.0)) - always
        dye = np.concatenate((always, share[:, :1]), 1).clip(0.0, 1.0)
        return {
            "parents": self.skeleton.parents,
            "names": self.skeleton.names,
            "unit": _POINT_UNIT,
            "points": _base64(points),
            "triangles": _base64(self.mannequin.triangles.astype("<u2")),
            "dye": _base64(np.rint(255 * dye).astype(np.uint8)),
            "movers": _base64(movers.astype(np.uint8)),
            "weights": _base64(weights),
            "balls": [(self.skeleton.index(name), radius) for name, radius in _BALLS.items()],
        }


def _packed_entry(entry: ViewerEntry, bodies: dict[Skeleton, _PageBody]) -> dict[str, Any]:
    motion = entry.motion
    rigs = [rig_of(motion, person) for person in range(2)]
    if motion.skeleton not in bodies:
        bodies[motion.skeleton] = _page_body(motion.skeleton, rigs[0].offsets)
    fitted = [bodies[motion.skeleton].fitted(rig) for rig in rigs]
    joints = np.stack([rig.positions for rig in rigs])
    return {
        "body": str(motion.skeleton.joint_count),
        "scenes": entry.scenes,
        "notes": entry.notes,
        "fps": motion.fps,
        "frames": motion.frames,
        "floor": round(_floor(motion, rigs, fitted), 4),
        "direction": [round(value, 4) for value in camera_direction(joints, VIEWS[0]).tolist()],
        "centres": _floats(followed_centres(joints, motion.fps)),
        "people": [_packed_person(rig, body) for rig, body in zip(rigs, fitted, strict=True)],
    }


def _page_body(skeleton: Skeleton, first: Array) -> _PageBody:
    offsets = np.array(MEAN_ADULT_OFFSETS) if skeleton is SMPL22 else first
    return _PageBody(skeleton, offsets, build_mannequin(offsets))


def _packed_person(rig: Rig, body: FittedBody) -> dict[str, str]:
    vectors = matrix_to_axis_angle(torch.from_numpy(rig.rotations)).numpy()
    limit = np.iinfo(np.int16).max
    turns = np.rint(vectors / np.pi * limit).clip(-limit, limit).astype("<i2")
    return {
        "offsets": _floats(rig.offsets),
        "binding": _floats(body.binding),
        "roots": _floats(rig.root_positions),
        "turns": _base64(turns),
    }


def _floor(motion: Motion, rigs: list[Rig], bodies: list[FittedBody]) -> float:
    joints = [rig.positions for rig in rigs]
    turns = [rig.world_rotations for rig in rigs]
    lowest = [
        min(
            float(body.posed(places[frame], turned[frame])[:, 1].min())
            for body, places, turned in zip(bodies, joints, turns, strict=True)
        )
        for frame in frames_to_stand_on(motion.frames)
    ]
    return floor_height(lowest, isinstance(motion, SMPLXMotion))


def _floats(values: Array) -> str:
    return _base64(values.astype("<f4"))


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def _asset(name: str) -> str:
    return resources.files("intermask.export").joinpath("page", name).read_text("utf-8")
