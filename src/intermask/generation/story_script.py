"""The script of a story: what happens, scene by scene, as a YAML file. Needs no torch."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intermask.errors import UserError

EXAMPLE = """\
# A story: scenes follow each other without a cut, as one long motion.
#   intermask story story.yaml -o out/story

seed: 7                   # the same seed gives the same story
# model: runs/transformer # a run or a bundle, seen from this file; without it the built-in model

scenes:
  - text: Two people dance salsa facing each other, holding both hands.
    seconds: 6
  - text: Two people dance salsa face to face and turn around each other.
    seconds: 14           # longer than a model makes at once: made in parts of one length
  - Two people dance salsa side by side, then the follow turns once to the left under the raised arm.
  - text: Two people are grappling. Both are standing. Then one person takes the other down to the ground.
    seconds: 6
    seed: 3               # another seed makes this scene anew and leaves the ones before it alone
"""  # noqa: E501 - a sentence a line

_SCRIPT_KEYS = {"scenes", "seed", "model"}
_SCENE_KEYS = {"text", "seconds", "seed"}
_ADVICE = "`intermask story --example` prints a script to start from"


@dataclass(frozen=True)
class StoryScene:
    """One sentence of a story."""

    text: str
    seconds: float | None = None
    """How long it lasts; None: estimated from the text."""
    seed: int | None = None
    """Decides this scene; None: the story's seed does."""


@dataclass(frozen=True)
class StoryScript:
    """A whole story as its author writes it."""

    scenes: tuple[StoryScene, ...]
    seed: int = 0
    model: Path | None = None
    """A run or a bundle; None: the built-in model."""


def read_script(path: str | Path) -> StoryScript:
    """The story in a YAML file; a relative path of its model counts from the file's folder.

    Raises:
        FileNotFoundError: no such file.
        UserError: it is no such script; the message says which line or scene is wrong.
    """
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"there is no script {source}; {_ADVICE}")
    try:
        text = source.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{source} is not a text file in UTF-8; {_ADVICE}") from error
    return parse_script(text, str(source), source.parent)


def parse_script(text: str, name: str = "the script", folder: Path | None = None) -> StoryScript:
    """The story in a YAML text.

    Args:
        text: the YAML.
        name: what errors call it.
        folder: where a relative path of the model counts from; None: the current folder.

    Raises:
        UserError: it is no such script; the message says which line or scene is wrong.
    """
    content = _yaml(text, name)
    if not isinstance(content, Mapping):
        raise UserError(f"{name} is no table with the key scenes; {_ADVICE}")
    _check_keys(content, _SCRIPT_KEYS, name)
    listed = content.get("scenes")
    if not isinstance(listed, list) or not listed:
        raise UserError(
            f"{name} needs a list of scenes, but scenes is {listed!r}; write one a line, as "
            "`- text: Two people dance salsa.`"
        )
    scenes = tuple(
        _scene(value, f"scene {number} of {name}") for number, value in enumerate(listed, start=1)
    )
    model = content.get("model")
    if model is not None and not (isinstance(model, str) and model.strip()):
        raise UserError(f"the model of {name} is {model!r}; expected the folder of a run or bundle")
    seed = _seed(content.get("seed"), name)
    return StoryScript(
        scenes,
        0 if seed is None else seed,
        None if model is None else (folder or Path()) / Path(model).expanduser(),
    )


def _yaml(text: str, name: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = "" if mark is None else f", line {mark.line + 1}"
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise UserError(
            f"{name}{place} is not YAML ({problem}); put sentences with a colon or a # in quotes; "
            f"{_ADVICE}"
        ) from error


def _scene(value: Any, name: str) -> StoryScene:
    if isinstance(value, str):
        value = {"text": value}
    if not isinstance(value, Mapping):
        raise UserError(
            f"{name} is {value!r}; expected a sentence, or a table with text and seconds"
        )
    _check_keys(value, _SCENE_KEYS, name)
    text = value.get("text")
    if not isinstance(text, str) or not text.strip():
        given = "has no text" if text is None else f"has the text {text!r}"
        raise UserError(f"{name} {given}; write what the two people do, in quotes if in doubt")
    seconds = value.get("seconds")
    if seconds is not None:
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not (number and math.isfinite(seconds) and seconds > 0):
            raise UserError(
                f"{name} lasts {seconds!r} seconds; expected a number above 0, or no key `seconds` "
                "to have it estimated from the text"
            )
        seconds = float(seconds)
    return StoryScene(" ".join(text.split()), seconds, _seed(value.get("seed"), name))


def _seed(value: Any, name: str) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise UserError(f"the seed of {name} is {value!r}; expected a whole number from 0 on")
    return value


def _check_keys(content: Mapping[Any, Any], known: Iterable[str], name: str) -> None:
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(str(key), sorted(known), n=1)
            hint = f"did you mean {near[0]}?" if near else f"keys are {', '.join(sorted(known))}"
            raise UserError(f"{name} has the unknown key {key!r}; {hint}")
