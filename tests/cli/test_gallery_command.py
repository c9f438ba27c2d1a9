"""``gallery``: prompts and motions on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from intermask.motion import Motion

pytestmark = pytest.mark.usefixtures("unsettled")


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.txt"
    path.write_text("They walk.\n# a remark\nThey walk slowly.\n", "utf-8")
    return path


def test_prompts_become_a_page_and_motions_are_made_once(
    run: Any, fails: Any, bundle: Path, prompts: Path, tmp_path: Path
) -> None:
    asked = ("gallery", prompts, "--model", bundle, "--seconds", 1, "--motions", tmp_path / "made")
    result = run(*asked, "-o", tmp_path / "one.html", "--seed", 5)
    assert result.exit_code == 0, result.output
    assert "motions" in result.stdout and "one.html" in result.stdout
    files = sorted((tmp_path / "made").iterdir())
    assert [file.name for file in files] == ["001-they-walk.npz", "002-they-walk-slowly.npz"]
    assert Motion.load(files[1]).seed == 6

    files[1].unlink()
    before = files[0].stat().st_mtime_ns
    result = run(*asked, "-o", tmp_path / "two.html", "--seed", 5)
    assert result.exit_code == 0, result.output
    assert files[1].is_file() and files[0].stat().st_mtime_ns == before
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()

    message = fails(*asked, "-o", tmp_path / "three.html", "--seed", 7)
    assert "seed 5" in message and "give another folder" in message


def test_a_folder_becomes_a_page(run: Any, fails: Any, walk: Path, tmp_path: Path) -> None:
    result = run("gallery", walk.parent, "-o", tmp_path / "page.html", "--title", "Walks")
    assert result.exit_code == 0, result.output
    assert "<title>Walks</title>" in (tmp_path / "page.html").read_text("utf-8")
    assert "no motion" in fails("gallery", tmp_path, "-o", tmp_path / "page.html")
    message = fails("gallery", walk.parent, "-o", tmp_path / "p.html", "--motions", tmp_path)
    assert "only read" in message
