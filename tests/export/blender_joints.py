"""Run inside Blender: imports GLB and BVH files and writes where bones begin, as JSON.

``blender --background --python blender_joints.py -- OUT.json FILE...``: of every file, for every
armature in the order of their names, {bone: [[x, y, z] of every frame]} in metres, z up.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bpy  # type: ignore[import-not-found]

FPS = 30


def joints(armature: object, frames: int) -> dict[str, list[list[float]]]:
    scene = bpy.context.scene
    heads: dict[str, list[list[float]]] = {bone.name: [] for bone in armature.pose.bones}
    first = round(armature.animation_data.action.frame_range[0])
    for frame in range(first, first + frames):
        scene.frame_set(frame)
        for bone in armature.pose.bones:
            heads[bone.name].append(list(armature.matrix_world @ bone.head))
    return heads


def rest(armature: object) -> dict[str, list[float]]:
    return {
        bone.name: list(armature.matrix_world @ bone.head_local) for bone in armature.data.bones
    }


def read(path: Path) -> list[dict[str, object]]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = FPS
    if path.suffix == ".glb":
        # Blender 3.4 with NumPy 1.24, as Debian has them, fails to guess shading
        bpy.ops.import_scene.gltf(filepath=str(path), import_shading="SMOOTH")
    else:
        from io_anim_bvh import import_bvh  # type: ignore[import-not-found]

        # Blender 3.4 opens files in a mode that Python 3.11, as Debian has it, no longer knows
        import_bvh.open = lambda name, mode: open(name, mode.strip("U"))  # noqa: PTH123, SIM115
        bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01)
    armatures = sorted(
        (each for each in bpy.data.objects if each.type == "ARMATURE"), key=lambda each: each.name
    )
    meshes = [each for each in bpy.data.objects if each.type == "MESH"]
    found: list[dict[str, object]] = []
    for armature in armatures:
        length = armature.animation_data.action.frame_range
        frames = round(length[1] - length[0]) + 1
        skinned = [mesh.name for mesh in meshes if mesh.find_armature() == armature]
        found.append(
            {"heads": joints(armature, frames), "rest": rest(armature), "skinned": skinned}
        )
    return found


arguments = sys.argv[sys.argv.index("--") + 1 :]
Path(arguments[0]).write_text(json.dumps([read(Path(name)) for name in arguments[1:]]))
