"""Audits of evaluators whose blindness is known, because they are made so."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from intermask.config import DataSet
from intermask.conventions import FloorRule
from intermask.errors import UserError
from intermask.evaluation import metrics
from intermask.evaluation.audit import (
    EXCHANGED,
    MIRRORED,
    NOISE,
    REVERSED,
    SHUFFLED,
    UNCHANGED,
    AuditRow,
    audit,
)
from intermask.evaluation.clips import EvaluationClip
from intermask.evaluation.evaluators.evaluator import Evaluator
from intermask.representation import decode_positions

CLIPS = 96
WIDTH = 6


class KnowingEvaluator:
    """Reads what a clip is about off its motion, and off the number in its caption.

    The code of a clip is how high each joint of a person is, and is made so by `clips`. What else
    it sees of motion is up to the subclass.
    """

    name = "knowing"
    dataset: DataSet = "interhuman"
    protocol = metrics.Protocol(pool=32, embedding_scale=1.0, spread_divisor=1.0)
    fingerprint = "0"
    floor: FloorRule = "shared"
    max_frames = 300

    def __init__(self) -> None:
        self.codes = codes()

    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        return torch.stack([self.of_caption(caption) for caption in captions])

    def of_caption(self, caption: str) -> Tensor:
        return self.codes[int(caption.split()[-1])].flatten()

    def embed_motions(self, motions: Sequence[Tensor]) -> Tensor:
        return torch.stack([self.of_motion(decode_positions(each)) for each in motions])

    def of_motion(self, positions: Tensor) -> Tensor:
        """Both people's codes, in their order: what each does is in the heights of its joints."""
        return positions[..., 4 : 4 + WIDTH, 1].mean(1).flatten()


class OrderBlind(KnowingEvaluator):
    """Takes the two people as one set."""

    def of_caption(self, caption: str) -> Tensor:
        return super().of_caption(caption).view(2, WIDTH).sum(0)

    def of_motion(self, positions: Tensor) -> Tensor:
        return super().of_motion(positions).view(2, WIDTH).sum(0)


class Tracker(KnowingEvaluator):
    """Sees where people are, too, and what comes first."""

    def of_caption(self, caption: str) -> Tensor:
        return torch.cat((super().of_caption(caption), torch.tensor([2.0, 3.0])))

    def of_motion(self, positions: Tensor) -> Tensor:
        pelvis = positions[..., 0, :]
        apart = (pelvis[1] - pelvis[0])[:, [0, 2]].norm(dim=-1)
        away = (apart - apart[:1]).square().mean().sqrt()
        later = positions[0, -5:, 1, 1].mean() - positions[0, :5, 1, 1].mean()
        more = torch.stack((2.0 + 15 * away, 30 * later))
        return torch.cat((super().of_motion(positions), more))


class LeftReader(KnowingEvaluator):
    """Reads left and right in captions, and where the left wrist is."""

    def of_caption(self, caption: str) -> Tensor:
        side = 1.0 if "left" in caption else -1.0 if "right" in caption else 0.0
        return torch.cat((super().of_caption(caption), torch.tensor([side])))

    def of_motion(self, positions: Tensor) -> Tensor:
        return torch.cat((super().of_motion(positions), positions[0, :, 20, 1].mean()[None]))


class Deaf(KnowingEvaluator):
    """Cannot read."""

    def of_caption(self, caption: str) -> Tensor:
        return torch.zeros(2 * WIDTH)


def codes() -> Tensor:
    """(clips, 2, width) what each person of each clip does."""
    return torch.randn(CLIPS, 2, WIDTH, generator=torch.Generator().manual_seed(7))


def clips(sides: bool = True) -> list[EvaluationClip]:
    """Motions of 24 frames whose heights are the codes; joint 1 rises over time."""
    generator = torch.Generator().manual_seed(8)
    made = []
    for number, code in enumerate(codes()):
        features = 0.01 * torch.randn(2, 24, 262, generator=generator)
        positions = decode_positions(features)
        positions[..., 4 : 4 + WIDTH, 1] += code[:, None]
        positions[..., 1, 1] += torch.linspace(0, 0.1, 24)
        positions[..., 1, 0] += 0.1  # the left hip is on the left: they face +z
        positions[..., 2, 0] -= 0.1
        positions[1, ..., 2] += 2.0
        side = ("left", "right")[number % 2] if sides else "other"
        positions[0, :, 20, 1] += 1.0 if side == "left" else -1.0
        made.append(
            EvaluationClip(f"{number}", (f"with the {side} hand, clip {number}",), features)
        )
    return made


def audited(evaluator: Evaluator, given: list[EvaluationClip] | None = None) -> dict[str, AuditRow]:
    rows = audit(evaluator, given or clips(), torch.Generator().manual_seed(0))
    return {row.change: row for row in rows}


def test_rows_are_complete_and_in_order() -> None:
    rows = audited(KnowingEvaluator())
    assert list(rows) == [UNCHANGED, EXCHANGED, NOISE, REVERSED, MIRRORED, SHUFFLED]
    assert "20 cm" in NOISE
    assert rows[UNCHANGED].metrics["r_precision_1"]["mean"] == 1.0
    for row in rows.values():
        content = json.loads(json.dumps(row.as_json()))
        assert set(content) == {"change", "metrics", "sees", "says"}
        for metric in content["metrics"].values():
            assert len(metric["replications"]) == 20
    assert "fid" in rows[EXCHANGED].metrics and "fid" not in rows[SHUFFLED].metrics


def test_what_it_sees_and_what_it_does_not() -> None:
    rows = audited(KnowingEvaluator())
    sees = {name: row.sees for name, row in rows.items()}
    assert sees == {
        UNCHANGED: None, EXCHANGED: True, NOISE: False, REVERSED: False, MIRRORED: False,
        SHUFFLED: True,
    }  # fmt: skip
    for name, row in rows.items():
        verdict = {True: "The evaluator sees", False: "The evaluator cannot see", None: "What"}
        assert row.says.startswith(verdict[row.sees]), name


def test_an_evaluator_that_ignores_order_is_told_so() -> None:
    row = audited(OrderBlind())[EXCHANGED]
    assert row.sees is False
    assert "cannot see this" in row.says and row.says.count("no reaction") == 3


def test_an_evaluator_of_places_and_time_sees_both() -> None:
    rows = audited(Tracker())
    assert rows[NOISE].sees and rows[REVERSED].sees and not rows[MIRRORED].sees


def test_an_evaluator_that_reads_sides_sees_mirrored_captions() -> None:
    row = audited(LeftReader())[MIRRORED]
    assert row.sees and "On the 96 clips whose captions name a side" in row.says


def test_captions_without_sides_cannot_tell() -> None:
    row = audited(KnowingEvaluator(), clips(sides=False))[MIRRORED]
    assert row.sees is None and "captions of 0 of 96 name a side" in row.says


def test_an_evaluator_that_cannot_read_is_told_so() -> None:
    row = audited(Deaf())[SHUFFLED]
    assert row.sees is False and "does not match captions with motions at all" in row.says


class Guesser(KnowingEvaluator):
    """Knows a clip only roughly, so that a few clips tell little."""

    def of_motion(self, positions: Tensor) -> Tensor:
        seed = int(positions[0, 0, 12, 1].abs() * 1e6) % 1000
        noise = torch.randn(2 * WIDTH, generator=torch.Generator().manual_seed(seed))
        return super().of_motion(positions) + 1.2 * noise


def test_few_clips_of_a_poor_evaluator_cannot_tell() -> None:
    row = audited(Guesser(), clips()[:20])[REVERSED]
    assert row.sees is None and row.says.startswith("These clips are too few to tell.")


def test_equal_captions_cannot_be_shuffled() -> None:
    same = [EvaluationClip(each.name, ("clip 0",), each.features) for each in clips()]
    row = audited(KnowingEvaluator(), same)[SHUFFLED]
    assert row.sees is None and not row.metrics


def test_the_same_generator_gives_the_same_audit() -> None:
    first, second = audited(Tracker()), audited(Tracker())
    assert [row.as_json() for row in first.values()] == [row.as_json() for row in second.values()]


def test_few_clips_are_refused() -> None:
    with pytest.raises(UserError, match="an audit of 3 clips says nothing"):
        audited(KnowingEvaluator(), clips()[:3])
