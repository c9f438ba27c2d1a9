"""Scripts of stories: what is written is read, and every mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from intermask.errors import UserError
from intermask.generation.story_script import EXAMPLE, StoryScene, parse_script, read_script

GALLERY = Path(__file__).parents[2] / "gallery" / "story.yaml"


def test_the_example_is_a_script_and_lies_in_the_gallery() -> None:
    script = parse_script(EXAMPLE)
    assert len(script.scenes) == 4
    assert GALLERY.read_text("utf-8") == EXAMPLE


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "model: runs/mine\nscenes:\n- They   bow.\n- {text: They spar., seconds: 4, seed: 2}\n",
        "utf-8",
    )
    script = read_script(path)
    assert script.scenes == (StoryScene("They bow."), StoryScene("They spar.", 4.0, 2))
    assert (script.seed, script.model) == (0, tmp_path / "runs" / "mine")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no table with the key scenes"),
        ("scenes: [", "line 1 is not YAML"),
        ("scenes:\n- text: They argue: loudly.\n", "line 2 is not YAML"),
        ("scenes: []", "needs a list of scenes"),
        ("scene: [They bow.]", "unknown key 'scene'; did you mean scenes?"),
        ("seed: -1\nscenes: [They bow.]", "seed of the script is -1"),
        ("seed: 1.5\nscenes: [They bow.]", "seed of the script is 1.5"),
        ("model: 3\nscenes: [They bow.]", "model of the script is 3"),
        ("scenes: [They bow., 7]", "scene 2 of the script is 7"),
        ("scenes: [{seconds: 3}]", "scene 1 of the script has no text"),
        ("scenes: [{text: yes}]", "scene 1 of the script has the text True"),
        ("scenes: [' ']", "scene 1 of the script has the text ' '"),
        ("scenes: [{text: They bow., second: 3}]", "did you mean seconds?"),
        ("scenes: [{text: They bow., seconds: long}]", "scene 1 of the script lasts 'long' sec"),
        ("scenes: [{text: They bow., seconds: 0}]", "expected a number above 0"),
        ("scenes: [{text: They bow., seconds: .inf}]", "expected a number above 0"),
        ("scenes: [{text: They bow., seed: x}]", "seed of scene 1 of the script is 'x'"),
        ("scenes: !!python/name:os.system ''", "is not YAML"),
    ],
)
def test_mistakes_are_named(text: str, complaint: str) -> None:
    with pytest.raises(UserError) as error:
        parse_script(text)
    assert complaint in str(error.value)


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="--example"):
        read_script(tmp_path / "none.yaml")
    (tmp_path / "s.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="UTF-8"):
        read_script(tmp_path / "s.yaml")
