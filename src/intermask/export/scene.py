"""Draw two people off-screen: solid bodies on a floor with soft shadows, seen from several sides.

The scene is built once; a frame only moves the surfaces of the bodies, the shadow and the cameras.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermask.export.body import Body
from intermask.export.camera import (
    BODY_MARGIN,
    VIEW_ANGLE,
    VIEWS,
    Placement,
    View,
    camera_direction,
    fit_camera,
    followed_centres,
)
from intermask.export.floor import (
    BACKGROUND,
    LIGHT,
    Shadow,
    floor_actor,
    floor_height,
    frames_to_stand_on,
)
from intermask.export.mannequin import build_mannequin
from intermask.export.opengl import load_vtk, off_screen_window
from intermask.kinematics import bone_offsets, global_rotations
from intermask.motion import Motion, SMPLXMotion

Array = NDArray[np.float64]
Image = NDArray[np.uint8]


class Scene:
    """A motion ready to be drawn: ``image(frame)`` gives all views side by side.

    Args:
        motion: two people.
        size: width and height of one view in pixels.
        views: cameras, from left to right.
        oversampling: pixels drawn for one pixel of the picture, along each side.
    """

    def __init__(
        self,
        motion: Motion,
        size: tuple[int, int],
        views: Sequence[View] = VIEWS,
        oversampling: int = 1,
    ) -> None:
        self._vtk = load_vtk()
        self._motion = motion
        self._oversampling = oversampling
        self._joints = motion.positions.double().cpu().numpy()
        parents = motion.skeleton.parents
        pose = motion.root_rotations.double().cpu(), motion.rotations.double().cpu()
        self._turns = global_rotations(*pose, parents).numpy()
        offsets = bone_offsets(motion.positions.double().cpu(), *pose, parents).numpy()
        self._bodies = [
            Body(self._vtk, build_mannequin(rest), person) for person, rest in enumerate(offsets)
        ]
        self._floor_height = self._find_floor()
        self._centres = followed_centres(self._joints, motion.fps)
        self._shadow = Shadow(self._vtk, self._floor_height, self._shadow_span())
        self._floor = floor_actor(self._vtk, self._floor_height)
        self._window = off_screen_window(self._vtk)
        width, height = (side * oversampling for side in size)
        self._window.SetSize(width * len(views), height)
        self._cameras = [
            self._add_view(view, number, len(views), width / height)
            for number, view in enumerate(views)
        ]
        self._grabber = self._vtk.vtkWindowToImageFilter()
        self._grabber.SetInput(self._window)
        self._grabber.ReadFrontBufferOff()
        self._grabber.ShouldRerenderOff()

    def image(self, frame: int) -> Image:
        """The picture (height, width x views, 3) of a frame, 8-bit RGB."""
        clouds = [
            body.pose(self._joints[person, frame], self._turns[person, frame])
            for person, body in enumerate(self._bodies)
        ]
        centre = self._centres[frame]
        self._shadow.paint(np.concatenate(clouds), centre)
        self._floor.SetPosition(*np.round(centre * (1, 0, 1)))  # by whole squares of the grid
        for camera in self._cameras:
            camera.look_at(centre)
        self._window.Render()
        return _smaller(self._pixels(), self._oversampling)

    def close(self) -> None:
        """Free the window; the scene cannot be used afterwards."""
        self._window.Finalize()

    def _pixels(self) -> Image:
        self._grabber.Modified()
        self._grabber.Update()
        picture = self._grabber.GetOutput()
        width, height, _ = picture.GetDimensions()
        pixels = self._vtk.vtk_to_numpy(picture.GetPointData().GetScalars())
        return np.ascontiguousarray(pixels.reshape(height, width, -1)[::-1, :, :3])

    def _find_floor(self) -> float:
        lowest = []
        for frame in frames_to_stand_on(self._motion.frames):
            soles = [
                body.mannequin.posed(self._joints[person, frame], self._turns[person, frame])[0]
                for person, body in enumerate(self._bodies)
            ]
            lowest.append(min(points[:, 1].min() for points in soles))
        return floor_height(lowest, isinstance(self._motion, SMPLXMotion))

    def _shadow_span(self) -> float:
        """Side of the square around the pair that holds all its shadows; small is fast."""
        joints = self._joints - self._centres[:, None]
        height = joints[..., 1:2].clip(min=0.0) + BODY_MARGIN
        flat = joints[..., [0, 2]] - height / LIGHT[1] * LIGHT[[0, 2]]
        return 2.0 * float(np.abs(flat).max() + 3.0 * BODY_MARGIN)

    def _add_view(self, view: View, number: int, count: int, aspect: float) -> _Camera:
        renderer = self._vtk.vtkRenderer()
        renderer.SetViewport(number / count, 0.0, (number + 1) / count, 1.0)
        renderer.SetBackground(*BACKGROUND)
        renderer.SetUseFXAA(True)
        for actor in (self._floor, self._shadow.actor, *(body.actor for body in self._bodies)):
            renderer.AddActor(actor)
        renderer.AutomaticLightCreationOff()
        self._window.AddRenderer(renderer)
        direction = camera_direction(self._joints, view)
        placement = fit_camera(self._joints, self._centres, direction, aspect)
        _add_lights(self._vtk, renderer, direction)
        return _Camera(renderer, direction, placement)


class _Camera:
    """Keeps one renderer's camera at a fixed direction and distance from a moving centre."""

    def __init__(self, renderer: Any, direction: Array, placement: Placement) -> None:
        self._renderer = renderer
        self._direction = direction
        self._placement = placement
        renderer.GetActiveCamera().SetViewAngle(VIEW_ANGLE)
        renderer.GetActiveCamera().SetViewUp(0.0, 1.0, 0.0)

    def look_at(self, centre: Array) -> None:
        distance = self._placement.distance
        focus = centre + np.array((0.0, self._placement.rise, 0.0))
        camera = self._renderer.GetActiveCamera()
        camera.SetFocalPoint(*focus)
        camera.SetPosition(*(focus + distance * self._direction))
        camera.SetClippingRange(max(0.1, distance - 8.0), distance + 16.0)


def _add_lights(vtk: Any, renderer: Any, direction: Array) -> None:
    """A warm key light where the shadows say it is, and a cool fill beside the camera."""
    up = np.array((0.0, 1.0, 0.0))
    side = np.cross(up, direction)
    lamps = (
        (-LIGHT / np.linalg.norm(LIGHT) + 0.9 * direction, (1.0, 0.97, 0.92), 0.85),
        (direction - 0.9 * side + 0.2 * up, (0.85, 0.92, 1.0), 0.30),
    )
    for place, colour, strength in lamps:
        lamp = vtk.vtkLight()
        lamp.SetLightTypeToSceneLight()
        lamp.SetPositional(False)
        lamp.SetPosition(*(100 * place))
        lamp.SetFocalPoint(0.0, 0.0, 0.0)
        lamp.SetColor(*colour)
        lamp.SetIntensity(strength)
        renderer.AddLight(lamp)


def _smaller(image: Image, factor: int) -> Image:
    if factor == 1:
        return image
    height, width = image.shape[0] // factor, image.shape[1] // factor
    blocks = image[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    return blocks.mean((1, 3)).round().astype(np.uint8)
