"""Pictures of two people: both are there, large, inside the frame, and shown with their shadows."""

from __future__ import annotations

import builtins
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intermask.errors import MissingExtra, UserError
from intermask.motion import Motion
from walking import walking_pair

pytest.importorskip("vtkmodules")
pytest.importorskip("imageio_ffmpeg")

from intermask.export.body import PEOPLE
from intermask.export.scene import Scene
from intermask.export.sheet import render_sheet
from intermask.export.video import render_mp4
from intermask.generation.smplx_scenes import InterXScenes
from intermask.representation_smplx import encode
from people55 import walking_smplx
from tiny_smplx import rest_body


@pytest.fixture(scope="module")
def walkers() -> Motion:
    return replace(walking_pair(12), caption="Two people walk towards each other. " * 6)


@pytest.fixture(scope="module")
def picture(walkers: Motion) -> np.ndarray:
    try:
        scene = Scene(walkers, (160, 160))
    except UserError as error:
        pytest.skip(str(error))
    image = scene.image(6)
    scene.close()
    return image


def coloured(image: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    """Pixels (h, w) whose hue is near a person's."""
    shares = image / np.maximum(image.sum(-1, keepdims=True), 1)
    wanted = np.array(colour) / sum(colour)
    return (np.abs(shares - wanted) < 0.09).all(-1)


def test_both_people_are_in_both_views_and_inside(picture: np.ndarray) -> None:
    assert picture.shape == (160, 320, 3) and picture.dtype == np.uint8
    for view in (picture[:, :160], picture[:, 160:]):
        for colour in PEOPLE:
            found = coloured(view, colour)
            assert found.sum() > 100
            assert not found[[0, -1]].any() and not found[:, [0, -1]].any()


def test_people_are_large_and_the_picture_is_bright(picture: np.ndarray) -> None:
    body = coloured(picture, PEOPLE[0]) | coloured(picture, PEOPLE[1])
    rows = np.flatnonzero(body.any(1))
    assert rows[-1] - rows[0] > 0.4 * len(picture)
    assert picture.mean() > 150


def test_sheet(walkers: Motion, picture: np.ndarray, tmp_path: Path) -> None:
    from PIL import Image

    path = render_sheet(walkers, tmp_path / "sheet", frames=3, tile_size=(80, 96))
    assert path.name == "sheet.png"
    width, height = Image.open(path).size
    assert width == 3 * 80 + 2 * 3 and height > 2 * 96
    with pytest.raises(ValueError, match="at least 1"):
        render_sheet(walkers, tmp_path / "none", frames=0)


def test_video(walkers: Motion, picture: np.ndarray, tmp_path: Path) -> None:
    import imageio_ffmpeg

    seen: list[int] = []
    path = render_mp4(
        walkers,
        tmp_path / "walk",
        view_size=(96, 96),
        progress=lambda done, frames: seen.append(done),
    )
    assert path.name == "walk.mp4" and seen == list(range(1, 13))
    frames = imageio_ffmpeg.read_frames(str(path))
    details = next(frames)
    assert details["fps"] == pytest.approx(30.0)
    assert details["size"][0] == 192 and details["size"][1] > 96
    assert imageio_ffmpeg.count_frames_and_secs(str(path))[0] == 12
    assert [entry.name for entry in tmp_path.iterdir()] == ["walk.mp4"]


def test_odd_sizes_are_refused(walkers: Motion, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="even"):
        render_mp4(walkers, tmp_path / "walk.mp4", view_size=(95, 96))


@pytest.mark.parametrize("module", ["vtkmodules", "imageio_ffmpeg", "PIL"])
def test_a_missing_extra_costs_a_sentence(
    walkers: Motion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    from intermask.export import lettering

    original = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name.split(".")[0] == module:
            raise ImportError(name)
        return original(name, *args, **options)

    lettering._font.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r'pip install "intermask\[video\]"'):
        render_mp4(walkers, tmp_path / "walk.mp4", view_size=(32, 32))
    assert not list(tmp_path.iterdir())


def test_people_with_hands_are_drawn(tmp_path: Path) -> None:
    """Wherever the floor of their data is: they are not hidden below ours."""
    from PIL import Image

    loaded = walking_smplx(4)
    loaded[:, :, 55, 1] -= 1.0
    motion = InterXScenes(rest_body(), smoothing=0.0).finished(encode(loaded))
    try:
        sheet = render_sheet(motion, tmp_path / "hands", frames=2, tile_size=(80, 96))
    except UserError as error:
        pytest.skip(str(error))
    picture = np.asarray(Image.open(sheet).convert("RGB"))
    for colour in PEOPLE:
        assert coloured(picture, colour).sum() > 300
