"""data make."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from intermask.choreography import making
from intermask.motion import Motion


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, walk: Path) -> Iterator[None]:
    """People who walk about, in place of scenes that take seconds each."""
    monkeypatch.setattr(making, "stage", lambda *_: Motion.load(walk))
    yield


def test_make_open(run: Any, tmp_path: Path) -> None:
    out = tmp_path / "open"
    result = run("data", "make", "open", "-o", out, "--clips", 3, "--families", "stand, bow")
    assert result.exit_code == 0, result.output
    assert "passed the gate" in result.stdout
    assert "DATASHEET.md" in result.stdout
    assert "without salsa: no folder was given with --salsa" in result.stderr
    assert "without grappling" in result.stderr
    # Walkers do none of what was planned, and the gate tells.
    assert "warning: 0 of 3 choreographed clips" in result.stderr
    assert "stand passes in only 0 %" in result.stderr
    assert (out / "DATASHEET.md").is_file()


def test_make_open_of_unknown_families(fails: Any, tmp_path: Path) -> None:
    message = fails("data", "make", "open", "-o", tmp_path / "open", "--families", "tango")
    assert "unknown is tango" in message
    assert not (tmp_path / "open").exists()


def test_make_open_beside_something_else(fails: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert "exists already" in fails("data", "make", "open", "-o", tmp_path, "--clips", 1)
