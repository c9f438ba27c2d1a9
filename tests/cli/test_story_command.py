"""story: a script becomes files; the plan is printed; errors are sentences; it can go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from intermask import Motion
from intermask.generation import story as story_module
from intermask.generation.story_script import EXAMPLE

pytestmark = pytest.mark.usefixtures("unsettled")
SCRIPT = """\
seed: 4
scenes:
- text: Two people walk.
  seconds: 1
- One person walks towards the other one, who waits.
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "walk.yaml"
    path.write_text(SCRIPT, "utf-8")
    return path


def test_the_example_is_printed_as_it_is(run: Any) -> None:
    assert run("story", "--example").stdout == EXAMPLE


def test_the_plan_is_printed_and_nothing_is_made(run: Any, bundle: Path, script: Path) -> None:
    result = run("story", script, "--check", "--model", bundle)
    assert result.exit_code == 0, result.output
    assert "2      1.0     3.0   2.0 estimated" in result.stdout
    assert "3.0 seconds in 3 windows" in result.stdout
    assert [path.name for path in script.parent.iterdir()] == ["walk.yaml"]


def test_an_interrupted_story_goes_on(
    run: Any, bundle: Path, script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once, twice = tmp_path / "once" / "walk", tmp_path / "twice" / "walk"
    asked = ("--model", bundle, "--formats", "npz")
    result = run("story", script, "-o", once, *asked)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [f"{once}.npz"]

    def stopped(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(story_module, "continued", stopped)
        assert run("story", script, "-o", twice, *asked).exit_code != 0
    assert [path.name for path in twice.parent.iterdir()] == [".walk.story"]
    again = run("story", script, "-o", twice, *asked)
    assert again.exit_code == 0, again.output
    assert [path.name for path in twice.parent.iterdir()] == ["walk.npz"]
    a, b = (Motion.load(f"{stem}.npz") for stem in (once, twice))
    assert torch.equal(a.positions, b.positions)
    assert (a.seed, [each.end for each in a.captions]) == (4, [1.0, 3.0])


def test_what_cannot_be_told_is_said_in_a_sentence(
    fails: Any, bundle: Path, script: Path, tmp_path: Path
) -> None:
    assert "--example" in fails("story")
    assert "there is no script" in fails("story", tmp_path / "none.yaml")
    assert "unknown format" in fails("story", script, "--formats", "doc")
    script.write_text("scenes: [{text: They bow., second: 2}]", "utf-8")
    assert "did you mean seconds?" in fails("story", script, "--model", bundle)
    script.write_text("scenes: [{text: They bow., seconds: 0.2}]", "utf-8")
    assert "scene 1 lasts 0.2 seconds" in fails("story", script, "--model", bundle)
