"""A measurement goes on where it was, and makes the same motions whatever else is made."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import torch

from intermask.adherence.measuring import OUTCOMES, Measurement
from intermask.adherence.questions import read_questions
from intermask.adherence.report import build_report, markdown
from intermask.data.layout import write_split
from intermask.errors import UserError
from intermask.generation.generator import InteractionGenerator
from intermask.generation.requests import GenerationOptions
from tiny import tiny_model, write_tiny_dataset
from tiny_model import HashedWords


class Words(HashedWords):
    """As wide as the tiny model reads."""

    width, max_tokens = 384, 64


NAMES = [f"walk_{number}" for number in range(5)]


def truth(name: str) -> dict[str, object]:
    event = {
        "seconds": 1.2, "duration": 0.2, "actor": 0, "effector": "right_wrist", "target": 1,
        "joint": "spine3", "offset": [0.0, 0.0, 0.0], "tolerance": 0.04, "reach_seconds": 0.5,
        "required": True, "effector_offset": [0.0, 0.0, 0.0],
    }  # fmt: skip
    return {
        "name": name, "split": "test", "family": "push", "seconds": 1.7, "contacts": [event],
        "parts": [{"family": "push", "start": 0, "end": 1.7, "actor": 0, "facts": {}}],
        "captions": [{"text": f"One person pushes the other, {name}.", "stated": []}],
    }  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_tiny_dataset(tmp_path_factory.mktemp("data") / "walks", validation=4)
    write_split(root, "test", NAMES)
    (root / "ground_truth").mkdir()
    for name in NAMES:
        (root / "ground_truth" / f"{name}.json").write_text(json.dumps(truth(name)))
    return root


@pytest.fixture(scope="module")
def generator(data: Path) -> InteractionGenerator:
    torch.manual_seed(0)
    return InteractionGenerator(tiny_model(data), Words())


def measurement(
    generator: InteractionGenerator, data: Path, folder: Path, batch: int = 16, prompts: int = 5
) -> Measurement:
    questions = read_questions(data, prompts, 0, 300, lambda _: False, ["held-out"])
    return Measurement(generator, questions, folder, 0, GenerationOptions(batch_size=batch))


def test_an_interrupted_measurement_goes_on(
    generator: InteractionGenerator, data: Path, tmp_path: Path
) -> None:
    whole = measurement(generator, data, tmp_path / "whole").run()
    kinds = Counter(key.partition("/")[0] for key in whole)
    assert kinds == {"clip": 5, "shuffled": 5}

    stopped = measurement(generator, data, tmp_path / "stopped", batch=2)
    counts: list[int] = []

    def stop(done: int, total: int) -> None:
        counts.append(done)
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped.run(stop)
    journal = tmp_path / "stopped" / OUTCOMES
    with journal.open("a") as file:
        file.write('{"key": "clip/wa')  # cut while it was written
    assert stopped.run() == whole
    assert len(journal.read_text("utf-8").splitlines()) == 10


def test_captions_are_lent_to_another_clip_each_once(
    generator: InteractionGenerator, data: Path, tmp_path: Path
) -> None:
    questions = measurement(generator, data, tmp_path).questions
    assert sorted(questions.lenders) == list(range(5))
    assert all(place != lender for place, lender in enumerate(questions.lenders))


def test_other_settings_are_refused(
    generator: InteractionGenerator, data: Path, tmp_path: Path
) -> None:
    measurement(generator, data, tmp_path / "report", prompts=2).run()
    with pytest.raises(UserError, match=r"other settings .*motions"):
        measurement(generator, data, tmp_path / "report", prompts=3).run()


def test_the_report_has_all_rows(
    generator: InteractionGenerator, data: Path, tmp_path: Path
) -> None:
    asked = measurement(generator, data, tmp_path / "report")
    report = build_report(asked.settings(), {**asked.references(), **asked.run()})
    assert list(report["held_out"]["rows"]) == [
        "ground truth", "tokenizer reconstruction", "tiny", "shuffled captions",
    ]  # fmt: skip
    assert report["held_out"]["by_family"]["push"]["model"]["in_window"]["of"] == 5
    page = markdown(report)
    assert "shuffled captions" in page and "within 15 cm" in page
    assert report["free"] is None and "no grammar" not in page


def test_a_dataset_without_ground_truth_is_refused(tmp_path: Path) -> None:
    root = write_tiny_dataset(tmp_path / "walks")
    with pytest.raises(UserError, match="data make open"):
        read_questions(root, 5, 0, 300, lambda _: False)
    (root / "ground_truth").mkdir()
    with pytest.raises(UserError, match="choose from held-out, pairs"):
        read_questions(root, 5, 0, 300, lambda _: False, ["everything"])
