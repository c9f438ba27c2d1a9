"""What CMU's two-person trials show: subjects, rates and sentences, from a list in TOML.

The list that ships with the package (``cmu_trials.toml``) holds all 70 trials that CMU's own list
says are of two subjects in one world; another one of the same form may be given.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from intermask.data.captions import CaptionStyle, salsa_style
from intermask.data.takes import TakeText
from intermask.errors import UserError

_FORM = (
    "each [[actions]] needs people = [A, B], trials = [numbers], fps, and activity, openings and "
    'captions, or style = "salsa"'
)


@dataclass(frozen=True)
class CmuTrial:
    """One trial of two subjects; subject A is person 1.

    split: train, val or test, for all clips of the trial.
    """

    people: tuple[int, int]
    number: int
    fps: float
    text: TakeText
    split: str = "train"

    @property
    def name(self) -> str:
        """Of the trial, without a prefix: "18_19_01"."""
        first, second = self.people
        return f"{first:02d}_{second:02d}_{self.number:02d}"


def read_trials(path: str | Path | None = None) -> tuple[CmuTrial, ...]:
    """Trials of a list, in its order; by default of the one that ships with the package.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: it is not a list of trials, or one is listed twice.
    """
    if path is None:
        source = "cmu_trials.toml"
        text = resources.files("intermask.data").joinpath(source).read_text("utf-8")
    else:
        source = str(path)
        if not Path(path).is_file():
            raise FileNotFoundError(f"There is no list of trials {path}; give a TOML file.")
        text = Path(path).read_text("utf-8")
    try:
        table = tomllib.loads(text)
        held_out = {name: split for split in ("val", "test") for name in table.get(split, ())}
        trials = [trial for action in table["actions"] for trial in _trials(action, held_out)]
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{source} is not a list of trials ({error!r}): {_FORM}.") from error
    names = [trial.name for trial in trials]
    twice = sorted({name for name in names if names.count(name) > 1})
    unknown = sorted(set(held_out) - set(names))
    if twice or unknown or not trials:
        raise UserError(
            f"{source} lists {', '.join(twice) or 'no trial'} twice and holds out "
            f"{', '.join(unknown) or 'none'} that it does not list, of {len(trials)} trials; "
            "list each trial once."
        )
    return tuple(trials)


def _trials(action: dict[str, Any], held_out: dict[str, str]) -> list[CmuTrial]:
    first, second = action["people"]
    text = _text(action)
    trials = []
    for number in action["trials"]:
        trial = CmuTrial((int(first), int(second)), int(number), float(action["fps"]), text)
        split = held_out.get(trial.name, "train")
        trials.append(CmuTrial(trial.people, trial.number, trial.fps, text, split))
    return trials


def _text(action: dict[str, Any]) -> TakeText:
    if action.get("style") == "salsa":
        return TakeText(salsa_style())
    style = CaptionStyle(activity=action["activity"], short=tuple(action["openings"]))
    return TakeText(style, whole=tuple(action["captions"]))
