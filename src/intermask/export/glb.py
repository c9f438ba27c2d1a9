"""Write a motion as one GLB file (binary glTF 2.0): two skinned mannequins that move.

Metres, y up; seconds, one key a frame of the motion. The rest pose is a T-pose that faces +z with
left along +x, on the floor where the person's motion begins. Joints are nodes with names; at rest
none of them is rotated, and each person keeps their own bone lengths. Both people move in one
animation. Every part of the clothes is a material of its own, to be recoloured.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from intermask.errors import MissingExtra
from intermask.export.body import MATERIALS, PEOPLE, material_colours
from intermask.export.clothing import Dressed, dress
from intermask.export.mannequin import Single, build_mannequin, strongest_weights
from intermask.export.naming import written_names
from intermask.export.rig import Rig, rig_of
from intermask.files import atomic_path, with_ending
from intermask.geometry import matrix_to_quaternion
from intermask.motion import Motion
from intermask.skeleton import rest_positions

if TYPE_CHECKING:
    import pygltflib

Array = NDArray[np.float64]


def write_glb(motion: Motion, path: str | Path, names: str = "smpl") -> Path:
    """Write ``path`` (``.glb`` is added if missing), whole or not at all, and return the path.

    Args:
        motion: any motion; see `rig_of` for one whose rotations disagree with its positions.
        path: the file.
        names: of the joints: one of `intermask.joint_names.WRITTEN_NAMINGS`.

    Raises:
        MissingExtra: pygltflib is not installed.
        UserError: unknown names.
    """
    target = with_ending(path, ".glb")
    content = glb_bytes(motion, names)
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)
    return target


def glb_bytes(motion: Motion, names: str = "smpl") -> bytes:
    """What `write_glb` writes."""
    try:
        import pygltflib
    except ImportError as error:
        raise MissingExtra("glb", "pygltflib") from error
    joint_names = written_names(motion.skeleton, names)
    file = _File(pygltflib)
    times = file.add(np.arange(motion.frames) / motion.fps, "SCALAR", bounds=True)
    animation = pygltflib.Animation(name=motion.caption or "motion", samplers=[], channels=[])
    file.gltf.animations.append(animation)
    for person in range(2):
        rig = rig_of(motion, person)
        first = _add_person(file, rig, person, joint_names)
        _animate(file, animation, times, rig, first)
    file.gltf.asset = pygltflib.Asset(version="2.0", generator="InterMask", extras=_about(motion))
    return file.whole()


def _about(motion: Motion) -> dict[str, Any]:
    return {
        "caption": motion.caption,
        "frames_per_second": motion.fps,
        "frames": motion.frames,
        "model": motion.model,
        "seed": motion.seed,
    }


class _File:
    """A glTF file and its one buffer, which grow together."""

    def __init__(self, library: Any) -> None:
        self.library = library
        self.gltf: pygltflib.GLTF2 = library.GLTF2(
            scene=0, scenes=[library.Scene(name="motion", nodes=[])]
        )
        self._parts: list[bytes] = []
        self._length = 0

    def add(
        self,
        values: NDArray[Any],
        kind: str,
        *,
        dtype: str = "<f4",
        target: int | None = None,
        bounds: bool = False,
        normalised: bool = False,
    ) -> int:
        """Store an array, (n) or (n, k), and return its accessor's index."""
        array = np.ascontiguousarray(values, dtype=dtype)
        content = array.tobytes()
        view = self.library.BufferView(
            buffer=0, byteOffset=self._length, byteLength=len(content), target=target
        )
        padded = content + b"\0" * (-len(content) % 4)
        self._parts.append(padded)
        self._length += len(padded)
        self.gltf.bufferViews.append(view)
        rows = array.reshape(len(array), -1)
        code = {"f4": 5126, "u2": 5123, "u1": 5121}[dtype.lstrip("<|")]
        self.gltf.accessors.append(
            self.library.Accessor(
                bufferView=len(self.gltf.bufferViews) - 1,
                componentType=code,
                count=len(array),
                type=kind,
                normalized=normalised,
                min=rows.min(0).tolist() if bounds else None,
                max=rows.max(0).tolist() if bounds else None,
            )
        )
        return len(self.gltf.accessors) - 1

    def node(self, **properties: Any) -> int:
        """Add a node and return its index."""
        self.gltf.nodes.append(self.library.Node(**properties))
        return len(self.gltf.nodes) - 1

    def whole(self) -> bytes:
        """The file."""
        self.gltf.buffers = [self.library.Buffer(byteLength=self._length)]
        self.gltf.set_binary_blob(b"".join(self._parts))
        return b"".join(self.gltf.save_to_bytes())


def _add_person(file: _File, rig: Rig, person: int, names: tuple[str, ...]) -> int:
    """Nodes, skin and mesh of one person; the index of their first joint's node."""
    dressed = dress(build_mannequin(rig.offsets))
    mannequin = dressed.mannequin
    identity = np.tile(np.eye(3), (rig.skeleton.joint_count, 1, 1))
    rest = rest_positions(rig.offsets)
    # on the floor where the motion begins: side by side with the other one
    rest += rig.root_positions[0] * (1.0, 0.0, 1.0)
    rest[:, 1] -= mannequin.posed(rest, identity)[0][:, 1].min()
    points, normals = mannequin.posed(rest, identity)
    name = f"person_{person + 1}"
    first = _add_joints(file, rig, rest[0], names)
    top = file.node(name=name, children=[first])
    joints = [first + joint for joint in range(rig.skeleton.joint_count)]
    inverse = np.tile(np.eye(4), (len(joints), 1, 1))
    inverse[:, :3, 3] = -rest
    by_columns = inverse.transpose(0, 2, 1).reshape(-1, 16)
    skin = file.library.Skin(
        name=name, joints=joints, skeleton=first, inverseBindMatrices=file.add(by_columns, "MAT4")
    )
    file.gltf.skins.append(skin)
    mesh = _add_mesh(file, dressed, points, normals, person)
    body = file.node(name=f"{name}_body", mesh=mesh, skin=len(file.gltf.skins) - 1)
    file.gltf.scenes[0].nodes += [top, body]
    return first


def _add_joints(file: _File, rig: Rig, pelvis: Array, names: tuple[str, ...]) -> int:
    """One node a joint, in their order; the index of the first."""
    first = len(file.gltf.nodes)
    for joint, name in enumerate(names):
        children = [first + child for parent, child in rig.skeleton.bones if parent == joint]
        place = pelvis if joint == 0 else rig.offsets[joint]
        file.node(name=name, translation=place.tolist(), children=children)
    return first


def _add_mesh(file: _File, dressed: Dressed, points: Single, normals: Single, person: int) -> int:
    """The surface in the rest pose, one primitive for each of `MATERIALS`; the mesh's index."""
    library = file.library
    movers, weights = strongest_weights(dressed.mannequin.weights)
    target = library.ARRAY_BUFFER
    attributes = {
        "POSITION": file.add(points, "VEC3", target=target, bounds=True),
        "NORMAL": file.add(normals, "VEC3", target=target),
        "JOINTS_0": file.add(movers, "VEC4", dtype="|u1", target=target),
        "WEIGHTS_0": file.add(weights, "VEC4", dtype="|u1", target=target, normalised=True),
    }
    primitives = []
    for number, colour in enumerate(material_colours(PEOPLE[person])):
        chosen = dressed.mannequin.triangles[dressed.materials == number].ravel()
        indices = file.add(chosen, "SCALAR", dtype="<u2", target=library.ELEMENT_ARRAY_BUFFER)
        name = f"person_{person + 1}_{MATERIALS[number]}"
        file.gltf.materials.append(_material(library, name, colour))
        primitives.append(
            library.Primitive(
                attributes=library.Attributes(**attributes),
                indices=indices,
                material=len(file.gltf.materials) - 1,
            )
        )
    file.gltf.meshes.append(library.Mesh(name=f"person_{person + 1}", primitives=primitives))
    return len(file.gltf.meshes) - 1


def _material(library: Any, name: str, colour: Array) -> Any:
    linear = np.clip(colour, 0.0, 1.0) ** 2.2  # glTF's factors are linear, ours are as on screen
    surface = library.PbrMetallicRoughness(
        baseColorFactor=[*linear.tolist(), 1.0], metallicFactor=0.0, roughnessFactor=0.75
    )
    return library.Material(name=name, pbrMetallicRoughness=surface, alphaCutoff=None)


def _animate(file: _File, animation: Any, times: int, rig: Rig, first: int) -> None:
    """Channels of one person: where the pelvis is, and how every joint is turned."""

    def channel(values: Array, kind: str, joint: int, path: str) -> None:
        animation.samplers.append(
            file.library.AnimationSampler(
                input=times, output=file.add(values, kind), interpolation="LINEAR"
            )
        )
        animation.channels.append(
            file.library.AnimationChannel(
                sampler=len(animation.samplers) - 1,
                target=file.library.AnimationChannelTarget(node=first + joint, path=path),
            )
        )

    channel(rig.root_positions, "VEC3", 0, "translation")
    turns = smooth_quaternions(rig.rotations)
    for joint in range(rig.skeleton.joint_count):
        channel(turns[:, joint], "VEC4", joint, "rotation")


def smooth_quaternions(rotations: Array) -> Array:
    """Unit quaternions (t, j, 4), w last, of matrices (t, j, 3, 3), without changes of sign.

    A quaternion and its negative turn alike; of the two the one nearer to the frame before is
    taken, so that programs which interpolate the four numbers apart do not spin.
    """
    wxyz = matrix_to_quaternion(torch.from_numpy(rotations)).numpy()
    agree = (wxyz[1:] * wxyz[:-1]).sum(-1) >= 0
    signs = np.cumprod(np.where(agree, 1.0, -1.0), axis=0)
    wxyz[1:] *= signs[..., None]
    return np.asarray(wxyz[..., [1, 2, 3, 0]])
