"""A judge tells made people from real ones where they differ, and only there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from intermask.choreography.bank import load_bank, track_world
from intermask.choreography.corpus import read_corpus
from intermask.choreography.family_clips import clips_by_family, scene_of, take_of
from intermask.choreography.humanness import balanced, judge_humanness
from intermask.choreography.humanness_report import HumannessReport, JudgeOptions
from intermask.data.layout import InterHumanFolder, write_clip, write_split
from intermask.errors import UserError
from intermask.files import write_json
from intermask.kinematics import forward_kinematics
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22

QUICK = JudgeOptions(parts=2, steps=120, batch=64, hidden=32, dropout=0.1)


def walkers() -> list[tuple[Tensor, Tensor]]:
    """Joints (t, 22, 3) and rotations (t, 21, 3, 3) of the bank's walks of 2.3 s or more."""
    bank = load_bank()
    offsets = torch.tensor(MEAN_ADULT_OFFSETS, dtype=torch.float32)
    found = []
    for piece in bank.tagged("walk"):
        if piece.frames < 70:
            continue
        frames = slice(piece.start, piece.stop)
        place, world = track_world(bank.track[frames], bank.root[frames], bank.rotations[frames])
        joints = forward_kinematics(offsets, place, world[:, 0], world[:, 1:])
        found.append((joints, world[:, 1:]))
    return found


def stiff(joints: Tensor, rotations: Tensor) -> tuple[Tensor, Tensor]:
    """The same walk, but the arms do not swing with it."""
    arms = list(SMPL22.indices("left_elbow", "right_elbow", "left_wrist", "right_wrist"))
    shoulders = list(SMPL22.indices("left_shoulder", "right_shoulder") * 2)
    still = joints.clone()
    hanging = torch.tensor((0.0, -0.25, 0.0))
    for depth, (arm, shoulder) in enumerate(zip(arms, shoulders, strict=True)):
        still[:, arm] = joints[:, shoulder] + (1 + depth // 2) * hanging
    return still, rotations


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Half of the walks as real, the other half as two families, of which one has stiff arms."""
    root = tmp_path_factory.mktemp("humanness")
    made, real = root / "made", root / "real"
    names: dict[Path, list[str]] = {made: [], real: []}
    for number, (joints, rotations) in enumerate(walkers()):
        if number % 2:
            name = f"take_{number:02d}_0"
            write_clip(real, name, joints[None], rotations[None], ())
            names[real].append(name)
            continue
        pairs = {"smooth": (joints, rotations), "stiff": stiff(joints, rotations)}
        for family, (places, turns) in pairs.items():
            name = f"{family}_{number:02d}"
            write_clip(made, name, places[None], turns[None], ("A person walks.",))
            names[made].append(name)
    for folder, listed in names.items():
        write_split(folder, "train", listed)
    write_json(real / "provenance.json", {"kind": "walks of the bank"})
    return made, real


@pytest.fixture(scope="module")
def report(datasets: tuple[Path, Path]) -> HumannessReport:
    made, real = datasets
    return judge_humanness(made, [real], QUICK)


def test_what_differs_is_told_apart_and_what_does_not_is_not(report: HumannessReport) -> None:
    by_name = {each.family: each for each in report.families}
    assert [each.family for each in report.families] == ["stiff", "smooth"]
    assert by_name["stiff"].separation.auc > 0.75
    assert by_name["smooth"].separation.low < 0.5
    assert by_name["stiff"].tells[0].feature in ("hand speed", "idle hand", "elbow bend")


def test_the_report_says_what_was_compared(report: HumannessReport, tmp_path: Path) -> None:
    (source,) = report.real
    assert source.kind == "walks of the bank"
    assert source.takes > 5
    assert max(source.activities, key=lambda name: source.activities[name]) == "walking, arms hang"
    assert {each.family for each in report.reference} <= {"bank: ways", "bank: rest", "bank: acts"}
    json_file, text_file = report.write(tmp_path / "humanness")
    figures = json.loads(json_file.read_text())
    assert figures["families"][0]["separation"]["auc"] == report.families[0].separation.auc
    assert "| stiff |" in text_file.read_text()


def test_the_same_seed_gives_the_same_figures(
    datasets: tuple[Path, Path], report: HumannessReport
) -> None:
    made, real = datasets
    calls: list[tuple[int, int]] = []
    again = judge_humanness(made, [real], QUICK, lambda *done: calls.append(done))
    assert again == report
    assert calls[-1] == (QUICK.parts * QUICK.steps,) * 2


def test_takes_and_pairs_are_not_torn_apart(datasets: tuple[Path, Path]) -> None:
    made, real = datasets
    corpus = read_corpus(
        InterHumanFolder(made), [InterHumanFolder(real)], load_bank(), clips=5, parts=3, seed=0
    )
    for cluster in corpus.cluster.unique():
        own = corpus.cluster == cluster
        assert len(corpus.part[own].unique()) == 1
        assert len(corpus.group[own].unique()) == 1
    assert corpus.names[:3] == ("real", "smooth", "stiff")
    for number in (1, 2):
        assert len(corpus.clip[corpus.group == number].unique()) <= 5
    assert not bool((corpus.real & corpus.made).any())
    assert take_of("salsa_01_007") == "salsa_01"
    assert take_of("007") == "007"
    assert scene_of("open_00012_a") == scene_of("open_00012_b") == "open_00012"


def test_balance_shows_real_and_made_alike_at_every_activity() -> None:
    group = torch.tensor([0, 0, 0, 1, 2, 3, 3, 2, 0])
    activity = torch.tensor([0, 0, 1, 1, 0, 0, 1, 1, 2])
    weight = balanced(group, activity, sources=2)
    assert float(weight.sum()) == pytest.approx(1)
    for each in (0, 1):
        inside = activity == each
        real = weight[inside & (group < 2)].sum()
        assert float(real) == pytest.approx(float(weight[inside & (group >= 2)].sum()))
    assert float(weight[-1]) == 0  # no made person does it
    assert float(weight[2]) == pytest.approx(float(weight[3]))  # sources count alike


def test_families_are_those_of_the_ground_truth(
    datasets: tuple[Path, Path], tmp_path: Path
) -> None:
    made, _ = datasets
    assert list(clips_by_family(InterHumanFolder(made))) == ["smooth", "stiff"]
    joints, rotations = walkers()[0]
    for name in ("open_0", "salsa_0"):
        write_clip(tmp_path, name, joints[None], rotations[None], ())
    write_split(tmp_path, "train", ["open_0", "salsa_0"])
    write_json(tmp_path / "ground_truth" / "open_0.json", {"family": "hug"})
    assert clips_by_family(InterHumanFolder(tmp_path)) == {"hug": ["open_0"]}
    write_json(tmp_path / "ground_truth" / "open_0.json", {})
    with pytest.raises(UserError, match=r"open_0\.json tells no family"):
        clips_by_family(InterHumanFolder(tmp_path))


def test_too_little_is_refused(datasets: tuple[Path, Path], tmp_path: Path) -> None:
    made, real = datasets
    with pytest.raises(UserError, match="no real motion"):
        judge_humanness(made, [], QUICK)
    joints, rotations = walkers()[0]
    write_clip(tmp_path, "hug_0", joints[None], rotations[None], ())
    write_split(tmp_path, "train", ["hug_0"])
    with pytest.raises(UserError, match="1 scenes of 2 s or more; expected 2"):
        judge_humanness(tmp_path, [real], QUICK)
