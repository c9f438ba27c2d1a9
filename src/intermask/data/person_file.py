"""One person out of a file, BVH or npz, on SMPL's 22 joints: somebody to answer to or to edit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from intermask.data.bvh_file import Array
from intermask.data.bvh_recording import read_bvh_people
from intermask.data.capture_faults import resample_positions, resample_rotations
from intermask.data.mapping_file import JointMapping
from intermask.data.retarget import retarget
from intermask.data.single import npz_tables, read_single
from intermask.data.takes import floor_height, repaired_joints
from intermask.errors import UserError
from intermask.geometry import axis_angle_to_matrix
from intermask.kinematics import fit_rotations, forward_kinematics
from intermask.motion import FPS, Motion
from intermask.representation import z_up_to_y_up
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22

FLOOR_TOLERANCE_M = 0.06
"""A floor nearer to zero than this is left alone, so that a person keeps their place exactly."""


@dataclass(frozen=True)
class Person:
    """One person over time, in the world of their file: metres, y up, floor at 0.

    positions: (t, 22, 3). rotations: (t, 21, 3, 3) relative to the parent, identity = T-pose that
    faces +z. root_rotations: (t, 3, 3). notes: what was found out about the file, a sentence each.
    """

    positions: Tensor
    rotations: Tensor
    root_rotations: Tensor
    fps: float = FPS
    source: str = ""
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.positions)

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.frames / self.fps

    def beside(self, partner: Person | None = None, caption: str = "") -> Motion:
        """Both as one `Motion`, this one as person 1, as long as the shorter of them.

        Without a partner the second person is this one again, in the same place: for what looks at
        one person of a motion only, as `react` does.
        """
        other = self if partner is None else partner
        if abs(self.fps - other.fps) > 1e-6 * self.fps:
            raise UserError(
                f"{self.source} has {self.fps:g} frames a second and {other.source} "
                f"{other.fps:g}; people of one motion need one rate"
            )
        frames = min(self.frames, other.frames)
        return Motion(
            torch.stack((self.positions[:frames], other.positions[:frames])),
            torch.stack((self.rotations[:frames], other.rotations[:frames])),
            torch.stack((self.root_rotations[:frames], other.root_rotations[:frames])),
            fps=self.fps,
            caption=caption,
        )


def load_person(
    path: str | Path,
    *,
    person: int = 1,
    mapping: JointMapping | str | Path | None = None,
    unit_scale: float | None = None,
    fps: float | None = None,
    mean_adult: bool = False,
) -> Person:
    """Read one person at 30 frames a second.

    The person stays where the file has them. Where another program's floor is more than
    `FLOOR_TOLERANCE_M` from zero, they are moved up or down to it, which a note says.

    Args:
        path: ``.bvh`` or ``.bvh.gz`` of one person in any known naming; ``.npz`` of this program
            with two people, of which one is taken; ``.npz`` with ``joints22`` (t, 22, 3), metres,
            y up, as `data import single` reads it; or ``.npz`` in AMASS's layout (``poses``,
            ``trans``), which is put on the mean-adult body.
        person: 1 or 2, which one of a file with two.
        mapping: of a BVH's joints: built-in name, file or object; by default found by names.
        unit_scale: metres of one unit of a BVH; by default guessed from the person's size.
        fps: the true frame rate; by default what the file says.
        mean_adult: move the person onto the body that the models know best, with hands and feet
            kept where they were; by default they keep their own bones.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: a file of another kind, a damaged one, or joints that are not recognised.
    """
    source = Path(path)
    endings = "".join(source.suffixes[-2:]).lower()
    if endings.endswith((".bvh", ".bvh.gz")):
        found = _from_bvh(source, mapping, unit_scale, fps)
    elif endings.endswith(".npz"):
        found = _from_npz(source, person, fps)
    else:
        raise UserError(
            f"{source} is no file of a person that can be read; give .bvh, .bvh.gz or .npz"
        )
    return _on_mean_adult(found) if mean_adult else found


def _from_bvh(
    source: Path,
    mapping: JointMapping | str | Path | None,
    unit_scale: float | None,
    fps: float | None,
) -> Person:
    people = read_bvh_people([source], fps=fps, unit_scale=unit_scale, mapping=mapping)
    joints, faults = repaired_joints(people.recordings[0], mapping=people.mappings[0])
    notes = people.notes
    if faults.bridged:
        notes = (*notes, f"{faults.bridged} faulty frames of {faults.frames} were bridged")
    return _on_floor(
        _person(joints.positions, joints.root_rotations, joints.rotations, source, notes)
    )


def _from_npz(source: Path, person: int, fps: float | None) -> Person:
    content = npz_tables(source)
    readers: dict[str, Callable[[], Person]] = {
        "positions": lambda: _of_motion(Motion.load(source), source, person, fps),
        "joints22": lambda: _of_joints(source, fps),
        "poses": lambda: _of_amass(content, source, fps),
    }
    for key, read in readers.items():
        if key in content:
            return read()
    raise UserError(
        f"{source} holds {', '.join(sorted(content)) or 'nothing'}; expected a motion of this "
        "program (positions), joints22, or AMASS's poses and trans"
    )


def _of_motion(motion: Motion, source: Path, person: int, fps: float | None) -> Person:
    if person not in (1, 2):
        raise UserError(f"there is no person {person}; choose 1 or 2")
    body = getattr(motion, "body", motion)  # without hands, where there are some
    parts = body.positions, body.root_rotations, body.rotations
    positions, root, local = (each[person - 1].double().numpy() for each in parts)
    rate = motion.fps if fps is None else fps
    # Our own files have their floor at zero, whatever people stand on.
    at_rate = _at_rate(positions, root, local, rate)
    return _person(*at_rate, source, (f"person {person} of two",))


def _of_joints(source: Path, fps: float | None) -> Person:
    single = read_single(source, fps)
    if single.rotations is None:
        positions = torch.from_numpy(single.positions)
        fitted = fit_rotations(positions, torch.tensor(MEAN_ADULT_OFFSETS))
        root, local = fitted.root_rotations.numpy(), fitted.rotations.numpy()
        note = "the file has no rotations; they are fitted to the joints"
        return _on_floor(_person(single.positions, root, local, source, (note,)))
    root, local = single.rotations[:, 0], single.rotations[:, 1:]
    return _on_floor(_person(single.positions, root, local, source))


def _of_amass(tables: dict[str, NDArray[Any]], source: Path, fps: float | None) -> Person:
    """AMASS's layout has pose and place, z up, and a body in shape parameters, which we lack."""
    poses, place = tables["poses"], tables.get("trans", np.zeros(0))
    joints = SMPL22.joint_count
    if poses.ndim != 2 or poses.shape[1] < 3 * joints or place.shape != (len(poses), 3):
        raise UserError(
            f"{source} has poses {poses.shape} and trans {place.shape}; AMASS's layout has "
            f"(t, {3 * joints} or more) and (t, 3)"
        )
    stated = tables.get("mocap_framerate", tables.get("mocap_frame_rate"))
    rate = fps if fps is not None else None if stated is None else float(stated)
    if rate is None:
        raise UserError(f"{source} has no mocap_framerate; state the true rate (fps)")
    vectors = torch.from_numpy(poses[:, : 3 * joints].astype(np.float64)).unflatten(-1, (joints, 3))
    turned = axis_angle_to_matrix(vectors)
    turned[:, 0] = z_up_to_y_up(turned[:, 0].transpose(-1, -2)).transpose(-1, -2)
    offsets = torch.tensor(MEAN_ADULT_OFFSETS)
    root = z_up_to_y_up(torch.from_numpy(place.astype(np.float64)))
    positions = forward_kinematics(offsets, root, turned[:, 0], turned[:, 1:])
    arrays = positions.numpy(), turned[:, 0].numpy(), turned[:, 1:].numpy()
    note = "AMASS's layout; the body is the mean adult, not the file's shape"
    return _on_floor(_person(*_at_rate(*arrays, rate), source, (note,)))


def _at_rate(
    positions: Array, root_rotations: Array, rotations: Array, fps: float
) -> tuple[Array, Array, Array]:
    """The same at 30 frames a second."""
    return (
        resample_positions(positions, fps, FPS),
        resample_rotations(root_rotations, fps, FPS),
        resample_rotations(rotations, fps, FPS),
    )


def _person(
    positions: Array,
    root_rotations: Array,
    rotations: Array,
    source: Path,
    notes: tuple[str, ...] = (),
) -> Person:
    placed, root, local = (
        torch.from_numpy(np.ascontiguousarray(each)).float()
        for each in (positions, root_rotations, rotations)
    )
    return Person(placed, local, root, FPS, str(source), notes)


def _on_mean_adult(person: Person) -> Person:
    moved = retarget(person.positions[None], person.root_rotations[None], person.rotations[None])
    note = f"moved onto the mean-adult body, {100 * moved.scale:.0f} % of the size"
    return replace(
        person,
        positions=moved.positions[0],
        rotations=moved.rotations[0],
        root_rotations=moved.root_rotations[0],
        notes=(*person.notes, note),
    )


def _on_floor(person: Person) -> Person:
    height = floor_height(person.positions[None].double().numpy())
    if abs(height) <= FLOOR_TOLERANCE_M:
        return person
    moved = person.positions.clone()
    moved[..., 1] -= height
    note = f"the floor was found at {height:.2f} m and brought to 0"
    return replace(person, positions=moved, notes=(*person.notes, note))
