"""Whole evaluations of a tiny model with an evaluator without a network."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fake_evaluator import FakeEvaluator
from golden_files import largest_error
from intermask.data.layout import write_clip, write_split
from intermask.errors import UserError
from intermask.evaluation import metrics, replications
from intermask.evaluation.clips import EvaluationClip, exchange_people
from intermask.evaluation.data import Data
from intermask.evaluation.evaluate import Evaluation
from intermask.evaluation.measurement import measure
from intermask.evaluation.protocol import Plan
from intermask.evaluation.real_motion import JointClips
from intermask.evaluation.replications import KnownParts, known_columns
from intermask.evaluation.rivals import RivalFiles
from intermask.evaluation.samples import read_sample
from intermask.evaluation.store import Shard, Store, Unit
from intermask.generation.generator import InteractionGenerator
from intermask.generation.requests import GenerationOptions
from intermask.generation.smplx_scenes import InterXScenes
from intermask.motion import Motion
from intermask.representation import decode_positions
from people55 import write_interx
from tiny_model import HashedWords, tiny_model
from tiny_smplx import rest_body, tiny_smplx_model
from walking import walking_pair

PLAN = Plan(replications=3, prompts=3, samples=4)
BATCH = GenerationOptions(batch_size=4)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "walks"
    for number in range(13):
        motion = walking_pair(33 + 4 * (number % 3), seed=number)
        captions = [f"They walk {number} times.", f"Walk {number} of two people."]
        write_clip(root, f"walk_{number}", motion.positions, motion.rotations, captions)
    write_split(root, "test", [f"walk_{number}" for number in range(9)])
    write_split(root, "train", [f"walk_{number}" for number in range(9, 13)])
    return root


@pytest.fixture(scope="module")
def generator() -> InteractionGenerator:
    return InteractionGenerator(tiny_model(), HashedWords())


@pytest.fixture(scope="module")
def data(root: Path, generator: InteractionGenerator) -> Data:
    return Data.read([root], PLAN, generator.model, FakeEvaluator())


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory, generator: InteractionGenerator, data: Data
) -> tuple[Path, dict[str, Any]]:
    """An evaluation that nothing disturbed, and its report."""
    folder = tmp_path_factory.mktemp("reports") / "whole"
    evaluation = Evaluation(generator, FakeEvaluator(), data, PLAN, folder, BATCH)
    evaluation.run()
    return folder, evaluation.report()


def evaluate(
    folder: Path,
    generator: InteractionGenerator,
    data: Data,
    plan: Plan = PLAN,
    batch_size: int = 4,
    judge: FakeEvaluator | None = None,
    **more: Any,
) -> dict[str, Any]:
    options = GenerationOptions(batch_size=batch_size)
    judge = judge or FakeEvaluator()
    evaluation = Evaluation(generator, judge, data, plan, folder, options, **more)
    evaluation.run()
    return evaluation.report()


def row(report: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in report["rows"] if each["name"] == name]
    return found


def numbers(report: dict[str, Any]) -> list[float]:
    """Every number of every row."""
    return [
        value
        for each in report["rows"]
        for metric in (*each["metrics"].values(), *each["physics"].values())
        for value in metric["replications"]
    ]


def physical(report: dict[str, Any], name: str, metric: str) -> float:
    """Mean of a physical metric of a row."""
    return float(row(report, name)["physics"][metric]["mean"])


# --- What is in a report -------------------------------------------------------------------------


def test_a_report_has_all_rows_and_says_what_it_is(whole: tuple[Path, dict[str, Any]]) -> None:
    folder, report = whole
    names = [each["name"] for each in report["rows"]]
    assert names == ["ground truth", "tokenizer reconstruction", "tiny", "shuffled captions"]
    for name in names[:3]:
        metrics = row(report, name)["metrics"]
        assert {"r_precision_1", "r_precision_3", "mm_dist", "fid", "diversity"} <= set(metrics)
        assert all(len(each["replications"]) == 3 for each in metrics.values())
    assert "multimodality" in row(report, "tiny")["metrics"]
    assert set(row(report, "shuffled captions")["metrics"]) == {
        "r_precision_1", "r_precision_2", "r_precision_3", "mm_dist",
    }  # fmt: skip
    assert physical(report, "tiny", "jerk") > physical(report, "ground truth", "jerk")
    assert report["protocol"]["official"] is False
    assert report["protocol"]["clips"] == 9
    reasons = report["protocol"]["why_not"]
    assert any("pools of 4, not 96" in reason for reason in reasons)
    assert any("not the authors'" in reason for reason in reasons)
    assert report["memorisation"]["clips"] == 8  # two pools of four
    assert report["speed"]["clips"] == 3 * (8 + 12)
    assert json.loads((folder / "report.json").read_text()) == report
    assert "ground truth" in (folder / "report.md").read_text()
    assert "</html>" in (folder / "report.html").read_text()


def test_physical_metrics_are_those_of_every_replication(
    whole: tuple[Path, dict[str, Any]], generator: InteractionGenerator, data: Data
) -> None:
    folder, report = whole
    for name in ("ground truth", "tokenizer reconstruction", "tiny"):
        jerk = row(report, name)["physics"]["jerk"]
        assert len(jerk["replications"]) == 3 and jerk["half_width"] > 0
        assert jerk["mean"] == pytest.approx(sum(jerk["replications"]) / 3)
    assert row(report, "shuffled captions")["physics"] == {}
    evaluation = Evaluation(generator, FakeEvaluator(), data, PLAN, folder, BATCH)
    for number in range(3):
        samples = evaluation.measured.samples(Unit(number, "replications"))
        made = evaluation.replicator.maker.make(samples, GenerationOptions(batch_size=8))
        for name, motions in (
            ("tiny", made),
            ("ground truth", [data.clips[sample.clip].features for sample in samples]),
        ):
            skates = [measure(decode_positions(each)).skate for each in motions]
            expected = pytest.approx(sum(skates) / len(skates), rel=1e-4)
            assert row(report, name)["physics"]["skate"]["replications"][number] == expected


def test_replications_without_physical_metrics_have_none(
    whole: tuple[Path, dict[str, Any]],
    generator: InteractionGenerator,
    data: Data,
    tmp_path: Path,
) -> None:
    """As those of folders that were made when only the first replication had them."""
    folder = shutil.copytree(whole[0], tmp_path / "old")
    evaluation = Evaluation(generator, FakeEvaluator(), data, PLAN, folder, BATCH)
    name = Unit(1, "replications").name
    found = evaluation.store.load(name)
    del found["physics"]
    evaluation.store.save(name, found)
    report = evaluation.report()
    assert "physical metrics are of 2 of 3 replications" in report["protocol"]["notes"][-1]
    values = row(report, "tiny")["physics"]["jerk"]["replications"]
    all_values = row(whole[1], "tiny")["physics"]["jerk"]["replications"]
    assert values == [all_values[0], all_values[2]]


def test_only_the_official_protocol_is_called_so(
    generator: InteractionGenerator, tmp_path: Path
) -> None:
    clips = tuple(
        EvaluationClip(f"clip_{n}", (f"Caption {n}.",), torch.randn(2, 16, 262)) for n in range(384)
    )
    folder = tmp_path / "data"
    folder.mkdir()
    judge = FakeEvaluator(protocol=metrics.INTERHUMAN)

    def departures(judge: FakeEvaluator, clips: tuple[EvaluationClip, ...], name: str) -> list[str]:
        data = Data((folder,), clips)
        return Evaluation(generator, judge, data, Plan(), tmp_path / name).departures()

    assert departures(judge, clips, "official") == []
    (few,) = departures(judge, clips[:250], "few")
    assert "192 pairs" in few  # two pools of 96
    (floor,) = departures(replace(judge, floor="shared"), clips, "floor")
    assert "by the rule per_person" in floor
    (folder / "provenance.json").write_text("{}")
    (own,) = departures(judge, clips, "own")
    assert "not InterHuman as released" in own


def test_samples_of_the_first_replication_are_kept(whole: tuple[Path, dict[str, Any]]) -> None:
    folder, report = whole
    worst, best = report["samples"]["worst"], report["samples"]["best"]
    assert worst[0]["distance"] > best[0]["distance"]
    for sample in (*worst, *best):
        pair = read_sample(folder / sample["file"])
        assert pair.real is not None
        assert pair.generated.shape == pair.real.shape
    assert len(list((folder / "samples").iterdir())) == 8


def test_ground_truth_does_not_depend_on_the_model(
    whole: tuple[Path, dict[str, Any]], data: Data, tmp_path: Path
) -> None:
    other = tiny_model(name="other")
    for weight in other.transformer.parameters():
        weight.data *= 0.5
    report = evaluate(tmp_path / "other", InteractionGenerator(other, HashedWords()), data)
    assert row(report, "ground truth") == row(whole[1], "ground truth")
    assert row(report, "other")["metrics"] != row(whole[1], "tiny")["metrics"]


def test_an_evaluator_that_knows_the_captions_finds_real_motion_and_not_shuffled(
    generator: InteractionGenerator, data: Data, tmp_path: Path
) -> None:
    """R-precision of real motion is 1 in both ways to stand; of shuffled captions about chance."""
    known = {text: clip.features for clip in data.clips for text in clip.captions}
    plan = replace(PLAN, prompts=0, replications=12)
    knowing = FakeEvaluator(known=known)
    evaluation = Evaluation(generator, knowing, data, plan, tmp_path / "known", BATCH)
    # a "model" that reproduces the clips
    evaluation.replicator.maker.make = lambda batch, options: [  # type: ignore[method-assign]
        data.clips[sample.clip].features for sample in batch
    ]
    evaluation.run()
    report = evaluation.report()
    made = row(report, "tiny")["metrics"]
    assert made["r_precision_1"]["mean"] == 1.0
    assert made["mm_dist"]["mean"] < 1e-5
    shuffled = row(report, "shuffled captions")["metrics"]
    assert shuffled["r_precision_1"]["mean"] < 0.3  # chance is at most 1 of 4
    assert 0.2 < shuffled["r_precision_3"]["mean"] < 0.9


# --- Resume, shards and batches ------------------------------------------------------------------


class Interrupted(Exception):
    pass


def test_an_interrupted_evaluation_goes_on_where_it_was(
    whole: tuple[Path, dict[str, Any]],
    generator: InteractionGenerator,
    data: Data,
    tmp_path: Path,
) -> None:
    made: list[int] = []

    def evaluation() -> Evaluation:
        fresh = Evaluation(generator, FakeEvaluator(), data, PLAN, tmp_path / "again", BATCH)
        make = fresh.replicator.maker.make

        def counted(batch: Any, options: Any) -> Any:
            if len(made) in (1, 6, 9):
                made.append(0)
                raise Interrupted
            made.append(len(batch))
            return make(batch, options)

        fresh.replicator.maker.make = counted  # type: ignore[method-assign]
        return fresh

    for _ in range(3):
        with pytest.raises(Interrupted):
            evaluation().run()
    last = evaluation()
    last.run()
    assert sum(made) == 3 * (8 + 12)  # nothing twice
    assert numbers(last.report()) == numbers(whole[1])
    assert not list((tmp_path / "again").rglob("*partial*"))


def test_shards_together_are_the_whole(
    whole: tuple[Path, dict[str, Any]],
    generator: InteractionGenerator,
    data: Data,
    tmp_path: Path,
) -> None:
    """Each in a folder of its own, as on two machines; the files are then copied together."""
    for index in (1, 2):
        part = Evaluation(generator, FakeEvaluator(), data, PLAN, tmp_path / f"part{index}", BATCH)
        part.run(Shard(index, 2))
        assert part.missing()
        with pytest.raises(UserError, match="still to be made"):
            part.report()
        shutil.copytree(part.folder, tmp_path / "merged", dirs_exist_ok=True)
    merged = Evaluation(generator, FakeEvaluator(), data, PLAN, tmp_path / "merged", BATCH)
    assert merged.missing() == []
    assert numbers(merged.report()) == numbers(whole[1])
    with pytest.raises(UserError, match="3 replications cannot be shared by 4"):
        merged.run(Shard(1, 4))


@pytest.mark.parametrize("batch_size", [1, 32])
def test_motions_are_the_same_alone_and_in_batches(
    whole: tuple[Path, dict[str, Any]],
    generator: InteractionGenerator,
    data: Data,
    tmp_path: Path,
    batch_size: int,
) -> None:
    plan = replace(PLAN, replications=1)
    report = evaluate(tmp_path / "report", generator, data, plan, batch_size)
    store = Store(tmp_path / "report", json.loads((tmp_path / "report/settings.json").read_text()))
    for kind in ("replications", "multimodality"):
        name = Unit(0, kind).name  # type: ignore[arg-type]
        other = Store(whole[0], json.loads((whole[0] / "settings.json").read_text())).load(name)
        assert largest_error(store.load(name)["motions"], other["motions"]) < 1e-5
    assert len(row(report, "tiny")["metrics"]["fid"]["replications"]) == 1


def test_more_replications_keep_those_that_are_there(
    whole: tuple[Path, dict[str, Any]],
    generator: InteractionGenerator,
    data: Data,
    tmp_path: Path,
) -> None:
    folder = shutil.copytree(whole[0], tmp_path / "more")
    before = (folder / "replications/000.safetensors").stat().st_mtime_ns
    report = evaluate(folder, generator, data, replace(PLAN, replications=4))
    assert (folder / "replications/000.safetensors").stat().st_mtime_ns == before
    values = row(report, "tiny")["metrics"]["fid"]["replications"]
    assert values[:3] == row(whole[1], "tiny")["metrics"]["fid"]["replications"]
    assert len(values) == 4


def test_progress_ends_where_it_should(
    generator: InteractionGenerator, data: Data, tmp_path: Path
) -> None:
    told: list[tuple[float, float]] = []
    units: list[str] = []
    plan = replace(PLAN, replications=1)
    evaluation = Evaluation(generator, FakeEvaluator(), data, plan, tmp_path / "report", BATCH)
    evaluation.run(
        progress=lambda done, total: told.append((done, total)),
        finished=lambda unit: units.append(unit.name),
    )
    assert units == ["replications/000", "multimodality/000"]
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len(told) > 20  # rounds count, not only batches


# --- Longer clips --------------------------------------------------------------------------------

LIMITED = FakeEvaluator(max_frames=36)
"""Reads less than some clips have: of those every replication takes another part."""


@pytest.fixture(scope="module")
def longer(root: Path, generator: InteractionGenerator) -> Data:
    data = Data.read([root], PLAN, generator.model, LIMITED)
    assert data.longest == 36
    parts = {clip.parts for clip in data.clips}
    assert parts == {1, 37 - 36 + 1, 41 - 36 + 1}
    return data


@pytest.fixture(scope="module")
def of_longer(
    tmp_path_factory: pytest.TempPathFactory, generator: InteractionGenerator, longer: Data
) -> tuple[Evaluation, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("reports") / "longer"
    evaluation = Evaluation(generator, LIMITED, longer, PLAN, folder, BATCH)
    evaluation.run()
    return evaluation, evaluation.report()


def test_real_rows_are_of_the_parts_that_a_replication_drew(
    of_longer: tuple[Evaluation, dict[str, Any]],
) -> None:
    evaluation, report = of_longer
    assert "clips are looked at up to 36 frames, not 300" in report["protocol"]["why_not"]
    coder = evaluation.generator.coder
    seen = [evaluation.measured.seen(number) for number in range(3)]
    assert any(
        not torch.equal(first.features, other.features)
        for first, other in zip(seen[0], seen[1], strict=True)
    )
    for number in range(3):
        found = evaluation.references.of(number)
        real = [clip.features for clip in seen[number]]
        made = coder.decode(coder.encode(real, 8), 8)
        assert largest_error(found.truth, LIMITED.embed_motions(real)) < 1e-6
        assert largest_error(found.reconstruction, LIMITED.embed_motions(made)) < 1e-5
        exchanged = [exchange_people(each) for each in real]
        assert largest_error(found.exchanged, LIMITED.embed_motions(exchanged)) < 1e-6
        assert evaluation.bodies is not None
        rows = evaluation.bodies.rows(real)
        assert torch.equal(found.physics["truth"].isnan(), rows.isnan())
        assert largest_error(found.physics["truth"].nan_to_num(), rows.nan_to_num()) < 1e-6


def test_a_model_sees_the_parts_that_real_motion_has(
    generator: InteractionGenerator, longer: Data, tmp_path: Path
) -> None:
    """Reactions start from them; a "model" that copies them moves as ground truth does."""
    plan = replace(PLAN, task="reaction", prompts=0)
    evaluation = Evaluation(generator, LIMITED, longer, plan, tmp_path / "report", BATCH)
    for number in range(2):
        samples = evaluation.measured.samples(Unit(number, "replications"))
        seen = evaluation.measured.seen(number)
        parts = [seen[sample.clip].features for sample in samples]
        made = evaluation.replicator.maker.make(samples, GenerationOptions(batch_size=8))
        kept = generator.coder.decode(generator.coder.encode(parts, 8), 8)
        for one, other in zip(made, kept, strict=True):
            assert largest_error(one[0], other[0]) < 1e-5
    evaluation.replicator.maker.make = lambda batch, options: [  # type: ignore[method-assign]
        longer.clips[sample.clip].part(sample.start).features for sample in batch
    ]
    evaluation.run()
    report = evaluation.report()
    assert row(report, "tiny")["physics"] == row(report, "ground truth")["physics"]
    for sample in report["samples"]["worst"]:
        pair = read_sample(evaluation.folder / sample["file"])
        assert pair.real is not None and torch.equal(pair.generated, pair.real)


def test_longer_clips_are_the_same_in_shards_and_after_more_replications(
    of_longer: tuple[Evaluation, dict[str, Any]],
    generator: InteractionGenerator,
    longer: Data,
    tmp_path: Path,
) -> None:
    def evaluation(plan: Plan) -> Evaluation:
        return Evaluation(generator, LIMITED, longer, plan, tmp_path / "report", BATCH)

    fewer = evaluation(replace(PLAN, replications=2))
    fewer.run(Shard(2, 2))
    fewer.run(Shard(1, 2))
    fewer.report()
    whole = evaluation(PLAN)
    whole.run()
    assert numbers(whole.report()) == numbers(of_longer[1])


# --- What cannot go together ---------------------------------------------------------------------


def test_other_settings_are_refused_and_named(
    whole: tuple[Path, dict[str, Any]],
    generator: InteractionGenerator,
    data: Data,
    tmp_path: Path,
) -> None:
    folder = whole[0]
    for plan, words in (
        (replace(PLAN, seed=1), "seed: 0 there, 1 now"),
        (replace(PLAN, task="reaction"), "task: text there, reaction now"),
        (replace(PLAN, clips=5), "clips: 9 there, 5 now"),
        (replace(PLAN, prompts=0), r"multimodality: \[3, 4\] there, null now"),
    ):
        with pytest.raises(UserError, match=words):
            Evaluation(generator, FakeEvaluator(), data, plan, folder)
    with pytest.raises(UserError, match="evaluator: fake there, another now"):
        Evaluation(generator, FakeEvaluator(fingerprint="another"), data, PLAN, folder)
    other = InteractionGenerator(tiny_model(name="other"), HashedWords())
    with pytest.raises(UserError, match=r"model: .*… there"):
        Evaluation(other, FakeEvaluator(), data, PLAN, folder)
    assert json.loads((folder / "settings.json").read_text())["seed"] == 0
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="neither new nor an evaluation"):
        Evaluation(generator, FakeEvaluator(), data, PLAN, tmp_path / "full")


def test_files_of_other_settings_are_refused(
    whole: tuple[Path, dict[str, Any]],
    generator: InteractionGenerator,
    data: Data,
    tmp_path: Path,
) -> None:
    plan = replace(PLAN, seed=1)
    evaluation = Evaluation(generator, FakeEvaluator(), data, plan, tmp_path / "mixed", BATCH)
    evaluation.run(Shard(1, 3))
    for number in (1, 2):
        for kind in ("replications", "multimodality"):
            name = f"{kind}/{number:03d}.safetensors"
            shutil.copy(whole[0] / name, tmp_path / "mixed" / name)
    with pytest.raises(UserError, match=r"replications/001.*other settings"):
        evaluation.report()


def test_models_data_and_evaluators_must_be_of_one_kind(
    root: Path, generator: InteractionGenerator
) -> None:
    with pytest.raises(UserError, match=r"makes InterHuman motion.*reads that of Inter-X"):
        Data.read([root], PLAN, generator.model, FakeEvaluator(dataset="interx"))
    with pytest.raises(UserError, match="one name"):
        Data.read([root, root], PLAN, generator.model, FakeEvaluator())


# --- Inter-X -------------------------------------------------------------------------------------

OF_INTERX = FakeEvaluator(dataset="interx")
FIRST_LOOK = replace(PLAN, replications=2, split="val")


@pytest.fixture(scope="module")
def interx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_interx(tmp_path_factory.mktemp("data") / "interx", train=2, validation=5)


@pytest.fixture(scope="module")
def with_hands() -> InteractionGenerator:
    return InteractionGenerator(tiny_smplx_model(), HashedWords(), body=rest_body())


@pytest.fixture(scope="module")
def interx_data(interx: Path, with_hands: InteractionGenerator) -> Data:
    data = Data.read([interx], FIRST_LOOK, with_hands.model, OF_INTERX)
    assert data.clips[0].features.shape[-1] == 336
    return data


def test_without_the_body_model_nothing_of_inter_x_is_in_metres(
    interx_data: Data, with_hands: InteractionGenerator, tmp_path: Path
) -> None:
    bodiless = InteractionGenerator(with_hands.model, HashedWords())
    folder = tmp_path / "report"
    report = evaluate(folder, bodiless, interx_data, FIRST_LOOK, judge=OF_INTERX)
    assert "multimodality" in row(report, "tiny-smplx")["metrics"]
    assert row(report, "ground truth")["metrics"]["fid"]["mean"] == pytest.approx(0, abs=1e-6)
    assert row(report, "tiny-smplx")["physics"] == {}
    assert report["memorisation"] is report["tokenizer"] is None
    assert report["samples"] == {"worst": [], "best": []}
    note = report["protocol"]["notes"][0]
    assert f"put SMPLX_NEUTRAL.npz into {interx_data.folders[0]}" in note
    assert "SMPLX_NEUTRAL.npz" in (folder / "report.md").read_text().replace("\\", "")
    with pytest.raises(UserError, match=r"body_model: null there, .*… now"):
        Evaluation(with_hands, OF_INTERX, interx_data, FIRST_LOOK, folder)


def test_with_the_body_model_inter_x_has_all_of_a_report(
    interx: Path, interx_data: Data, with_hands: InteractionGenerator, tmp_path: Path
) -> None:
    folder = tmp_path / "report"
    report = evaluate(folder, with_hands, interx_data, FIRST_LOOK, judge=OF_INTERX)
    assert not any("SMPLX_NEUTRAL.npz" in note for note in report["protocol"]["notes"])
    for name in ("ground truth", "tokenizer reconstruction", "tiny-smplx"):
        assert len(row(report, name)["physics"]["skate"]["replications"]) == 2
    assert physical(report, "ground truth", "bone_drift") < 1e-5
    assert report["tokenizer"]["mpjpe_mm"] > 0
    assert report["memorisation"]["clips"] == 4
    assert all("interx/G001T" in each for each in report["memorisation"]["nearest"])
    (sample, *_) = report["samples"]["best"]
    pair = read_sample(folder / sample["file"])
    expected = JointClips.of(interx).positions(sample["name"], "val")[:, : pair.frames]
    assert pair.real is not None and pair.real.shape == (2, pair.frames, 22, 3)
    assert largest_error(pair.real, expected) < 5e-3  # float16


def test_rivals_of_inter_x_are_motions_with_hands(
    interx: Path, interx_data: Data, with_hands: InteractionGenerator, tmp_path: Path
) -> None:
    """A rival that copies the clips scores as they do, with the body model and without it."""
    scenes = InterXScenes(rest_body(), smoothing=0.0)
    copies = RivalFiles("copy", tmp_path / "copy")
    for clip in interx_data.clips:
        motion = replace(scenes.finished(clip.features), caption=clip.captions[1])
        motion.save(copies.path(clip))
        features, caption = copies.motion(clip, OF_INTERX, "per_person")
        assert caption == 1
        assert largest_error(features[:, :-1], clip.features[:, :-1]) < 1e-5
    plan = replace(FIRST_LOOK, prompts=0)
    for body in (rest_body(), None):
        generator = InteractionGenerator(with_hands.model, HashedWords(), body=body)
        report = evaluate(
            tmp_path / f"report {body is None}",
            generator,
            interx_data,
            plan,
            judge=OF_INTERX,
            rivals=[copies],
        )
        assert row(report, "copy")["metrics"]["fid"]["mean"] < 1e-4
        if body is not None:
            truth = physical(report, "ground truth", "jerk")
            assert physical(report, "copy", "jerk") == pytest.approx(truth, rel=0.05)
    walking_pair(52).save(copies.path(interx_data.clips[0]))
    with pytest.raises(UserError, match=r"has 22 joints; Inter-X's evaluator reads the 55"):
        evaluate(
            tmp_path / "other", with_hands, interx_data, plan, judge=OF_INTERX, rivals=[copies]
        )


# --- Tasks and rivals ----------------------------------------------------------------------------


def test_tasks_know_their_part() -> None:
    assert not known_columns("text", 8).any()
    assert known_columns("reaction", 8).tolist() == [[True] * 8, [False] * 8]
    between = known_columns("inbetweening", 10)
    assert torch.equal(between[0], between[1])
    assert between[0].tolist() == [True] * 2 + [False] * 6 + [True] * 2
    assert known_columns("inbetweening", 3)[0].tolist() == [True, False, True]


@pytest.mark.parametrize("task", ["reaction", "inbetweening"])
def test_tasks_start_from_real_tokens(
    generator: InteractionGenerator, data: Data, tmp_path: Path, task: Any
) -> None:
    plan = replace(PLAN, task=task, replications=1, prompts=0)
    evaluation = Evaluation(generator, FakeEvaluator(), data, plan, tmp_path / "report", BATCH)
    samples = evaluation.measured.samples(Unit(0, "replications"))[:3]
    made = evaluation.replicator.maker.make(samples, BATCH)
    (tokens,) = generator.coder.encode([data.clips[samples[0].clip].features])
    parts = KnownParts(task, data.clips, generator).of(samples[:1], 1)
    assert parts is not None
    assert torch.equal(parts[0].tokens, tokens)
    if task == "reaction":
        (reconstruction,) = generator.coder.decode([tokens])
        assert largest_error(made[0][0], reconstruction[0]) < 1e-5
        assert largest_error(made[0][1], reconstruction[1]) > 0.1
    evaluation.run()
    assert evaluation.report()["protocol"]["task"] == task


def test_rivals_stand_beside_the_model(
    generator: InteractionGenerator, data: Data, root: Path, tmp_path: Path
) -> None:
    """A rival that copies the clips scores as ground truth does; what it lacks is named."""
    for number in range(8):
        walking_pair(33 + 4 * (number % 3), seed=number).save(tmp_path / "copy" / f"walk_{number}")
    plan = replace(PLAN, replications=2, prompts=0)
    rivals = [RivalFiles.parse(f"copy={tmp_path / 'copy'}")]
    report = evaluate(tmp_path / "report", generator, data, plan, rivals=rivals)
    rival = row(report, "copy")
    truth = physical(report, "ground truth", "jerk")
    assert physical(report, "copy", "jerk") == pytest.approx(truth, rel=0.05)
    assert rival["metrics"]["fid"]["mean"] < 0.5 * row(report, "tiny")["metrics"]["fid"]["mean"]
    assert report["protocol"]["notes"] == ["copy is scored without walk_8"]
    again = evaluate(tmp_path / "report", generator, data, plan)  # rivals are not settings
    assert [each["name"] for each in again["rows"]][-1] == "shuffled captions"


def test_unusable_rivals_are_named(
    generator: InteractionGenerator, data: Data, tmp_path: Path
) -> None:
    (tmp_path / "few").mkdir()
    with pytest.raises(UserError, match="write NAME=DIR"):
        RivalFiles.parse(str(tmp_path / "few"))
    with pytest.raises(UserError, match="there already"):
        RivalFiles.parse(f"ground truth={tmp_path / 'few'}")
    with pytest.raises(UserError, match="no folder"):
        RivalFiles.parse("rival=nowhere")
    few = RivalFiles.parse(f"few={tmp_path / 'few'}")
    plan = replace(PLAN, replications=1, prompts=0)
    with pytest.raises(UserError, match="model is called tiny, too"):
        same = RivalFiles("tiny", tmp_path / "few")
        evaluate(tmp_path / "same", generator, data, plan, rivals=[same])
    with pytest.raises(UserError, match=r"motions of 0 of 9 clips.*walk_0, walk_1"):
        evaluate(tmp_path / "report", generator, data, plan, rivals=[few])
    for clip in data.clips:
        motion = walking_pair(clip.frames)
        replace(motion, fps=20.0).save(tmp_path / "few" / clip.name)
    with pytest.raises(UserError, match=r"walk_0\.npz has 32 frames at 20 fps; expected 32 at 30"):
        evaluate(tmp_path / "report", generator, data, plan, rivals=[few])


def test_a_rival_is_scored_by_the_caption_it_was_made_from(data: Data, tmp_path: Path) -> None:
    clip = data.clips[4]
    files = RivalFiles("rival", tmp_path)
    for caption, expected in ((clip.captions[1], 1), ("something else", -1)):
        motion = walking_pair(clip.frames, seed=4)
        replace(motion, caption=caption).save(tmp_path / clip.name)
        features, found = files.motion(clip, FakeEvaluator(), "per_person")
        assert found == expected
        assert features.shape == clip.features.shape
        assert largest_error(features[:, :-1], clip.features[:, :-1]) < 1e-3
    assert Motion.load(tmp_path / f"{clip.name}.npz").caption == "something else"


def test_partial_results_are_kept_from_time_to_time(
    generator: InteractionGenerator,
    data: Data,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replications, "SAVE_EVERY_S", 0.0)
    plan = replace(PLAN, replications=1, prompts=0)
    options = GenerationOptions(batch_size=3)
    evaluation = Evaluation(generator, FakeEvaluator(), data, plan, tmp_path / "report", options)
    seen: list[int] = []

    def look(done: float, total: float) -> None:
        seen.append(len(list(tmp_path.rglob("*.partial.safetensors"))))

    evaluation.run(progress=look)
    assert 1 in seen
    assert not list(tmp_path.rglob("*.partial.safetensors"))
