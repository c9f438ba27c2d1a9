"""The page shows the same people: its own script, run by Node, gives back the joints."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intermask.errors import UserError
from intermask.export.fitting import fit_body
from intermask.export.mannequin import build_mannequin, strongest_weights
from intermask.export.rig import rig_of
from intermask.export.viewer import ViewerEntry, viewer_page, write_viewer
from intermask.generation.smplx_scenes import InterXScenes
from intermask.representation_smplx import encode
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22
from people55 import walking_smplx
from tiny_smplx import rest_body
from tumbling import tumbling
from walking import walking_pair

POSES = """
const { data, wanted } = JSON.parse(require("fs").readFileSync(0, "utf-8"));
const found = data.entries.map((entry) => {
  const clip = new Clip(entry, data.bodies);
  return wanted.map((seconds) => {
    clip.pose(seconds);
    return clip.people.map((person) => person.positions.slice());
  });
});
console.log(JSON.stringify(found));
"""


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found.group(1))
    return data


def joints_on_page(page: str, seconds: list[float]) -> np.ndarray:
    """(entries, seconds, 2, j, 3) metres, as the page's own code has them."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js runs the page's script; no program `node` is installed")
    folder = resources.files("intermask.export").joinpath("page")
    code = "".join(
        folder.joinpath(f"{name}.js").read_text("utf-8") for name in ("matrices", "people")
    )
    given = json.dumps({"data": data_of(page), "wanted": seconds})
    result = subprocess.run(
        [node, "-e", code + POSES], input=given, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    return np.array(json.loads(result.stdout))


def test_the_page_shows_the_joints() -> None:
    """Person 2 faces away; the other motion turns head over heels, so people lie, too."""
    walkers = walking_pair()
    motions = [walkers, tumbling(walkers)]
    page = viewer_page([ViewerEntry(motion) for motion in motions], "walk")
    seconds = [frame / 30 for frame in range(60)]
    found = joints_on_page(page, seconds)
    expected = np.stack([motion.positions.transpose(0, 1).numpy() for motion in motions])
    assert np.abs(found - expected).max() < 1e-3


def test_time_between_frames_is_between_the_frames() -> None:
    motion = walking_pair()
    found = joints_on_page(viewer_page([ViewerEntry(motion)], "walk"), [10.5 / 30])[0, 0]
    middle = motion.positions[:, 10:12].mean(1).numpy()
    assert np.abs(found - middle).max() < 2e-3


def test_hands_are_on_the_page() -> None:
    motion = InterXScenes(rest_body(), smoothing=0.0).finished(encode(walking_smplx(21)))
    page = viewer_page([ViewerEntry(motion), ViewerEntry(walking_pair(20))], "both")
    assert set(data_of(page)["bodies"]) == {"22", "55"}
    assert data_of(page)["bodies"]["55"]["names"][25] == "left_index1"
    found = joints_on_page(viewer_page([ViewerEntry(motion)], "hands"), [0.0, 0.5])[0]
    assert np.abs(found - motion.positions[:, (0, 15)].transpose(0, 1).numpy()).max() < 1e-3


def test_a_body_fits_its_own_bones_and_those_of_others() -> None:
    offsets = np.array(MEAN_ADULT_OFFSETS)
    mannequin = build_mannequin(offsets)
    rig = rig_of(walking_pair(3), 1)
    turns = rig.world_rotations[0]
    same = fit_body(mannequin, offsets, offsets, SMPL22)
    expected, _ = mannequin.posed(rig.positions[0], turns)
    np.testing.assert_allclose(same.posed(rig.positions[0], turns), expected, atol=1e-5)
    # Somebody taller: the surface is as near to them as one that is built for them.
    built, _ = build_mannequin(rig.offsets).posed(rig.positions[0], turns)
    fitted = fit_body(mannequin, offsets, rig.offsets, SMPL22).posed(rig.positions[0], turns)
    gaps = np.linalg.norm(fitted[::20, None] - built[None], axis=-1).min(1)
    assert gaps.max() < 0.02


def test_weights_of_the_page_are_whole() -> None:
    generator = np.random.default_rng(0)
    weights = generator.dirichlet(np.full(22, 0.1), 500)
    movers, bytes_ = strongest_weights(weights)
    assert (bytes_.astype(int).sum(1) == 255).all()
    assert (movers[:, 0] == weights.argmax(1)).all()


class Fetches(HTMLParser):
    """Collects what a page would load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in ("link", "img", "iframe", "object", "embed", "base"):
            self.found.append(tag)
        self.found += [name for name, _ in attributes if name in ("src", "href", "srcset", "data")]


def test_one_file_that_fetches_nothing(tmp_path: Path) -> None:
    path = write_viewer(walking_pair(), tmp_path / "walk")
    assert path.name == "walk.html"
    page = path.read_text("utf-8")
    parser = Fetches()
    parser.feed(page)
    assert not parser.found
    assert not re.search(r"https?:|import\s*\(|fetch\(|XMLHttpRequest|url\(", page)
    assert "default-src 'none'" in page
    assert "{{" not in page
    assert path.stat().st_size < 700_000


def test_captions_cannot_leave_their_place() -> None:
    nasty = '</script><script>alert("{{data}}")</script> & <b>'
    page = viewer_page([ViewerEntry(walking_pair(15), nasty, nasty)], nasty)
    assert page.count("<script") == 2
    assert data_of(page)["entries"][0]["scenes"] == [[0.0, nasty]]
    assert data_of(page)["entries"][0]["notes"] == nasty


def test_scenes_of_a_story_are_in_order() -> None:
    motion = walking_pair(15)
    story = ViewerEntry(motion, [(2.0, "They dance."), (0.0, "Two people bow.")])
    assert story.scenes == [(0.0, "Two people bow."), (2.0, "They dance.")]
    assert ViewerEntry(motion).scenes == [(0.0, motion.caption)]
    assert ViewerEntry(motion, "").scenes == []


def test_a_page_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="at least one motion"):
        viewer_page([], "empty")
