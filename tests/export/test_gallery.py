"""Many motions on one page that is complete in itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from intermask.errors import UserError
from intermask.export.gallery import gallery_entry, read_motions, write_gallery
from intermask.export.viewer import viewer_page
from walking import walking_pair

CAPTIONS = ["Two people walk.", "One < two & </script> three.", ""]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("motions")
    for number, caption in enumerate(CAPTIONS):
        motion = replace(walking_pair(20 + 5 * number), caption=caption, seed=number)
        motion.save(root / f"{number}-walk")
    return root


def test_the_page_holds_all_motions_and_fetches_nothing(folder: Path, tmp_path: Path) -> None:
    entries = [gallery_entry(motion, name) for name, motion in read_motions(folder)]
    path = write_gallery(entries, tmp_path / "page", "A <title>", "3 motions")
    text = path.read_text("utf-8")
    assert path.name == "page.html"
    assert '"grid":"3 motions"' in text and "A &lt;title&gt;" in text
    assert "Two people walk." in text and "\\u003c/script>" in text
    assert "2-walk" in text, "a motion without caption goes by its name"
    assert not re.search(r"(?:src|href)\s*=\s*\"|https?://", text)
    assert len(text) < 1_000_000


def test_a_page_of_the_viewer_has_no_grid(folder: Path) -> None:
    entries = [gallery_entry(motion) for _, motion in read_motions(folder)]
    assert '"grid":' not in viewer_page(entries, "title")


def test_the_script_parses(folder: Path, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js reads the page's script; no program `node` is installed")
    (_, motion), *_ = read_motions(folder)
    page = viewer_page([gallery_entry(motion)], "title", "one")
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)[-1]
    (tmp_path / "page.js").write_text(script, "utf-8")
    result = subprocess.run(
        [node, "--check", tmp_path / "page.js"], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr


def test_a_folder_without_motions_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no motion"):
        read_motions(tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder"):
        read_motions(tmp_path / "nowhere")
