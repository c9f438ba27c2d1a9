"""The command that cleans motion up: what it writes, says and refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from intermask.motion import Motion
from walking import walking_pair


def test_clean_writes_and_says_what_changed(run: Any, fails: Any, tmp_path: Path) -> None:
    path = walking_pair(12).save(tmp_path / "walk.npz")
    result = run("clean", path, "-o", tmp_path / "out", "--only", "feet", "--strength", 0.5)
    assert result.exit_code == 0, result.output
    assert Motion.load(tmp_path / "out.npz").frames == 12
    for words in ("Foot skate", "before", "after", "joints moved by", "no limb touches", "times"):
        assert words in result.stdout, words
    assert "overwritten" in fails("clean", path, "-o", tmp_path / "walk")
    assert "hands" in fails("clean", path, "-o", tmp_path / "x", "--only", "hands")
    assert "strength" in fails("clean", path, "-o", tmp_path / "x", "--strength", -1)
    assert not (tmp_path / "x.npz").exists()
