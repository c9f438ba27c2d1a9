"""Motions of a model are made and judged, a few at a time, and what was found is kept.

```
REPORT/settings.json      everything that decides the numbers
REPORT/outcomes.jsonl     one line a motion: what was asked for, and what was found
REPORT/contacts.json, contacts.md
```
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from intermask import __version__
from intermask.adherence import free_prompts
from intermask.adherence.contacts import decoded_motion, judge_contacts
from intermask.adherence.pairs import answer, is_clear, pair_question
from intermask.adherence.questions import ClipQuestion, Questions, Trial, hashed
from intermask.config import to_dict
from intermask.data.batching import canonical_people
from intermask.data.layout import Clip
from intermask.errors import UserError
from intermask.evaluation.data import model_fingerprint
from intermask.evaluation.store import SETTINGS, check_same
from intermask.files import atomic_path, write_json
from intermask.generation.generator import InteractionGenerator
from intermask.generation.requests import GenerationOptions, Request
from intermask.motion import FPS, Motion

OUTCOMES = "outcomes.jsonl"

Outcome = dict[str, Any]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Measurement:
    """One model, asked all questions.

    Motions are what the decoder says of one sample each: no drafts to choose from, and nothing
    mended. Each has a seed of its own, so that it is the same motion whatever else is made.

    Args:
        generator: of a model of InterHuman's layout.
        questions: what is asked.
        folder: new, or that of the same measurement, which then goes on.
        seed: of all motions.
        options: how tokens are drawn.
    """

    generator: InteractionGenerator
    questions: Questions
    folder: Path
    seed: int
    options: GenerationOptions

    def settings(self) -> dict[str, Any]:
        """All that decides the numbers."""
        sampling = self.options.sampling or self.generator.model.config.sampling
        trials = self._trials()
        asked = json.dumps([asdict(trial) for trial in trials]).encode()
        return {
            "kind": "intermask-contacts",
            "version": __version__,
            "model": self.generator.model.config.name,
            "model_sha256": model_fingerprint(self.generator.model),
            "sampling": {**to_dict(sampling), "drafts": 1},
            "seed": self.seed,
            "parts": list(self.questions.parts),
            "motions": len(trials),
            "questions_sha256": hashlib.sha256(asked).hexdigest(),
        }

    def run(self, progress: Progress | None = None) -> dict[str, Outcome]:
        """Make and judge what is not known yet; all outcomes by the key of their trial.

        Raises:
            UserError: the folder holds something else, or the model makes Inter-X motion.
        """
        check_model(self.generator)
        self._begin()
        trials = {trial.key: trial for trial in self._trials()}
        known = {key: row for key, row in self._known() if key in trials}
        path = self.folder / OUTCOMES
        _write_lines(path, known)
        left = [trial for key, trial in trials.items() if key not in known]
        with path.open("a", encoding="utf-8") as journal:
            for batch in _batches(left, self.options.batch_size):
                for trial, motion in zip(batch, self._made(batch), strict=True):
                    known[trial.key] = self._judged(trial, motion)
                    journal.write(_line(trial.key, known[trial.key]))
                journal.flush()
                if progress is not None:
                    progress(len(known), len(trials))
        return {key: known[key] for key in trials}

    def references(self, progress: Progress | None = None) -> dict[str, Outcome]:
        """The same questions asked of the clips themselves, and of their tokens decoded again.

        Keys are ``real/NAME`` and ``tokens/NAME``.
        """
        outcomes = {}
        for done, each in enumerate(self.questions.held_out, 1):
            outcomes[f"real/{each.name}"] = _of_clip(each, each.motion())
            outcomes[f"tokens/{each.name}"] = _of_clip(each, self._reconstructed(each.clip))
            if progress is not None:
                progress(done, len(self.questions.held_out))
        return outcomes

    def _begin(self) -> None:
        path = self.folder / SETTINGS
        if path.is_file():
            check_same(self.folder, json.loads(path.read_text("utf-8")), self.settings())
        elif self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise UserError(
                f"{self.folder} is neither new nor a measurement of contacts ({SETTINGS} is "
                "missing); give another folder"
            )
        else:
            write_json(path, self.settings())

    def _trials(self) -> list[Trial]:
        """All trials, with the lengths of prompts that have no clip."""
        return [
            trial if trial.frames else replace(trial, frames=self._frames(trial.prompt))
            for trial in self.questions.trials()
        ]

    def _frames(self, prompt: str) -> int:
        return round(self.generator.estimate(prompt).seconds * FPS)

    def _known(self) -> Iterator[tuple[str, Outcome]]:
        """What was found before; the last line of a run that was killed may be cut."""
        path = self.folder / OUTCOMES
        if not path.is_file():
            return
        for line in path.read_text("utf-8").splitlines():
            try:
                row = json.loads(line)
                yield row.pop("key"), row
            except (ValueError, KeyError):
                return

    def _made(self, trials: Sequence[Trial]) -> list[Motion]:
        requests = [
            Request(trial.prompt, trial.frames or 0, trial.seed(self.seed)) for trial in trials
        ]
        features = self.generator.features(requests, options=self.options)
        return [decoded_motion(each) for each in features]

    def _reconstructed(self, clip: Clip) -> Motion:
        """A clip through the model's tokenizer and back, cut to whole tokens."""
        coder = self.generator.coder
        features = canonical_people(clip.loaded, self.generator.model.config.floor)
        whole = features.shape[1] // coder.stride * coder.stride
        (decoded,) = coder.decode(coder.encode([features[:, :whole]]))
        return decoded_motion(decoded)

    def _judged(self, trial: Trial, motion: Motion) -> Outcome:
        questions = self.questions
        held_out = {each.name: each for each in questions.held_out}
        found: Outcome = {"prompt": trial.prompt, "frames": motion.frames}
        if trial.kind in ("clip", "shuffled"):
            return found | _of_clip(held_out[trial.name], motion)
        if trial.kind == "pair":
            (pair,) = (each for each in questions.pairs if each.name == trial.name)
            return found | _of_pair(pair, motion)
        if trial.kind == "free":
            return found | _of_free(questions, int(trial.name), motion, self.seed)
        return found | _of_outside(trial.prompt, motion)


def check_model(generator: InteractionGenerator) -> None:
    """Raise a `UserError` for a model whose motion is not InterHuman's."""
    config = generator.model.config
    if config.dataset != "interhuman":
        raise UserError(
            f"the model {config.name} makes Inter-X motion; contacts are measured of models of "
            "InterHuman's layout, in which the open dataset comes"
        )


def _of_clip(question: ClipQuestion, motion: Motion) -> Outcome:
    outcome = judge_contacts(motion, question.truth, question.caption)
    return {
        "family": question.truth.family,
        "split": question.truth.split,
        **_rounded(asdict(outcome)),
        **_rounded(asdict(free_prompts.bearing(motion.positions))),
    }


def _of_pair(question: ClipQuestion, motion: Motion) -> Outcome:
    right, metres = answer(motion, question.truth, question.caption)
    return {
        "family": question.truth.family,
        "fact": question.truth.pair_fact,
        "question": pair_question(question.truth),
        "clear": is_clear(question.motion(), question.truth, question.caption),
        "right": right,
        "metres": round(metres, 3),
    }


def _of_free(questions: Questions, number: int, motion: Motion, seed: int) -> Outcome:
    prompt = questions.free[number]
    found: Outcome = {"family": prompt.family, "pair": prompt.pair}
    if prompt.touches:
        others = [each for each in questions.free if each.touches and each.text != prompt.text]
        lent = others[hashed(f"{seed}/lend/{number}") % len(others)]
        found["contact"] = free_prompts.touches_in_order(motion, prompt)
        found["contact_of_another"] = free_prompts.touches_in_order(motion, lent)
    return found | {
        "side": free_prompts.side_is_right(motion, prompt),
        "actor": free_prompts.actor_is_right(motion, prompt),
    }


def _of_outside(prompt: str, motion: Motion) -> Outcome:
    bearing = free_prompts.bearing(motion.positions)
    return {
        "may_be_low": free_prompts.may_be_low(prompt),
        "stands": bearing.stands,
        "lives": bearing.lives,
        **_rounded(asdict(bearing)),
    }


def _batches(trials: Sequence[Trial], size: int) -> Iterator[list[Trial]]:
    """Motions of like length together."""
    ordered = sorted(trials, key=lambda trial: (trial.frames or 0, trial.key))
    for begin in range(0, len(ordered), size):
        yield ordered[begin : begin + size]


def _write_lines(path: Path, outcomes: Mapping[str, Outcome]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("".join(_line(*item) for item in outcomes.items()), "utf-8")


def _line(key: str, outcome: Outcome) -> str:
    return json.dumps({"key": key, **outcome}, ensure_ascii=False) + "\n"


def _rounded(numbers: Mapping[str, Any]) -> Outcome:
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in numbers.items()
    }
