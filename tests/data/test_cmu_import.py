"""Laws of the import of CMU's two-person trials, on files written by `acclaim`."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from acclaim import bone_ends, motionbuilder_text, swaying, write_person
from intermask.data.cmu import ACKNOWLEDGEMENT, import_cmu
from intermask.data.cmu_files import files_of_trials, read_recordings
from intermask.data.cmu_trials import CmuTrial, read_trials
from intermask.data.layout import InterHumanFolder
from intermask.data.takes import pair_of_recordings
from intermask.errors import UserError
from intermask.export.bvh import bvh_text
from intermask.skeleton import SMPL22
from walking import walking_pair

PLACES = {18: ((0.0, 0.0), 0.0), 19: ((0.3, 1.1), 180.0)}


def person(subject: int, frames: int, trial: int = 0):
    place, facing = PLACES[subject]
    return swaying(frames, seed=subject + 100 * trial, place=place, facing=facing)


def write_trials(folder: Path, frames: dict[int, int]) -> Path:
    """Trials of subjects 18 and 19 at 120 fps, each of so many frames."""
    for subject in PLACES:
        trials = {trial: person(subject, count, trial) for trial, count in frames.items()}
        write_person(folder / str(subject), subject, trials)
    return folder


def trial(number: int) -> CmuTrial:
    (found,) = (t for t in read_trials() if t.people == (18, 19) and t.number == number)
    return found


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trials 1 and 2 of 4 s, and 8 of 11 s."""
    return write_trials(tmp_path_factory.mktemp("cmu"), {1: 481, 2: 481, 8: 1321})


@pytest.fixture(scope="module")
def imported(subjects: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("imported") / "set"
    report = import_cmu(subjects, out)
    assert len(report.takes) == 3 and report.left_out == ()
    return out


def test_both_people_stay_in_one_world_and_in_step(subjects: Path) -> None:
    (files, *_), lacking = files_of_trials(subjects, [trial(1)])
    pair = pair_of_recordings(read_recordings(files))
    assert not lacking and pair.positions.shape == (2, 121, 22, 3)  # 480 steps of 120 fps
    floors = []
    for number, subject in enumerate((18, 19)):
        ends = bone_ends(person(subject, 481, 1))
        for joint, bone in {"left_knee": "lfemur", "right_ankle": "rtibia"}.items():
            found = pair.positions[number, :, SMPL22.index(joint)]
            shift = ends[bone][::4] - found
            floors.append(shift[:, 1].mean())
            # The low-pass before frames are left out moves slow joints by less than a millimetre.
            np.testing.assert_allclose(shift[4:-4, (0, 2)], 0, atol=1e-3)
            np.testing.assert_allclose(shift[4:-4, 1], floors[0], atol=1e-3)


def test_short_trials_are_whole_clips_with_the_lists_captions(imported: Path) -> None:
    folder = InterHumanFolder(imported)
    whole = folder.read("cmu_18_19_01_000")
    assert whole.loaded.shape == (2, 121, 192)
    assert whole.captions == trial(1).text.whole
    assert trial(1).text.whole[0] == "Two people walk and shake hands."
    facts = json.loads((imported / "provenance.json").read_text())
    assert facts["captions_source"]["cmu_18_19_01_000"] == "stated"


def test_parts_of_trials_do_not_state_what_may_lie_outside(imported: Path) -> None:
    folder = InterHumanFolder(imported)
    names = [name for name in folder.names("train") if name.startswith("cmu_18_19_08")]
    facts = json.loads((imported / "provenance.json").read_text())
    assert len(names) > 4
    for name in names:
        captions = folder.captions(name)
        assert len(captions) == 3 and captions[0] in trial(8).text.style.openings
        assert not set(captions) & set(trial(8).text.whole)
        assert facts["captions_source"][name] == "derived"
        assert len(folder.read(name).loaded[0]) < 330


def test_splits_are_the_lists_by_trial(imported: Path) -> None:
    folder = InterHumanFolder(imported)
    assert {name[:12] for name in folder.names("val")} == {"cmu_18_19_02"}
    assert {name[:12] for name in folder.names("train")} == {"cmu_18_19_01", "cmu_18_19_08"}
    assert folder.names("test") == ()


def test_provenance_acknowledges_the_database(imported: Path) -> None:
    facts = json.loads((imported / "provenance.json").read_text())
    assert facts["acknowledgement"] == ACKNOWLEDGEMENT
    assert "mocap.cs.cmu.edu" in ACKNOWLEDGEMENT and "NSF EIA-0196217" in ACKNOWLEDGEMENT
    assert facts["files"]["cmu_18_19_01"] == ["18_01.amc", "19_01.amc", "18.asf", "19.asf"]
    assert [take["name"] for take in facts["takes"]] == [
        "cmu_18_19_01", "cmu_18_19_02", "cmu_18_19_08",
    ]  # fmt: skip


def test_what_cannot_be_used_is_named_and_left_out(tmp_path: Path) -> None:
    folder = write_trials(tmp_path / "cmu", {1: 200, 3: 200, 5: 200, 6: 200, 15: 200})
    (folder / "19" / "19_03.amc").unlink()
    damaged = folder / "18" / "18_05.amc"
    damaged.write_text(damaged.read_text()[:-300])
    unknown = folder / "18" / "18_06.amc"
    unknown.write_text(unknown.read_text().replace("rfemur", "rthigh"))
    write_person(folder / "19", 19, {15: person(19, 300)})
    shutil.copy(folder / "18" / "18_01.amc", folder / "22_01.amc")
    shutil.copy(folder / "18" / "18_01.amc", folder / "23_01.amc")
    report = import_cmu(folder, tmp_path / "set")
    assert [take.name for take in report.takes] == ["cmu_18_19_01"]
    reasons = dict(sentence.split(": ", 1) for sentence in report.left_out)
    assert "18_03.amc has no partner 19_03.amc" in reasons["18_19_03"]
    assert "18_05.amc, line" in reasons["18_19_05"]
    assert "no bone 'rthigh'" in reasons["18_19_06"]
    assert "18_15.amc has 200 frames and 19_15.amc 300" in reasons["18_19_15"]
    assert "no 22.asf and 23.asf" in reasons["22_23_01"]
    for name in reasons:
        assert name in report.describe()
    facts = json.loads((tmp_path / "set" / "provenance.json").read_text())
    assert facts["left_out"] == list(report.left_out)


def test_nothing_usable_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"SS_TT\.amc.*18, 19"):
        import_cmu(tmp_path, tmp_path / "set")
    folder = write_trials(tmp_path / "cmu", {1: 60})
    (folder / "19" / "19_01.amc").unlink()
    with pytest.raises(UserError, match=r"no trial that can be used .*no partner"):
        import_cmu(folder, tmp_path / "set")
    shutil.copytree(folder / "18", folder / "copy")
    with pytest.raises(UserError, match="of the same name"):
        import_cmu(folder, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_conversions_to_bvh_are_read_at_the_lists_rate(tmp_path: Path) -> None:
    """Whatever the header says; the unit is found from the size of the people."""
    motion = walking_pair(60)
    for number, subject in enumerate((18, 19)):
        (tmp_path / f"{subject}_07.bvh").write_text(bvh_text(motion, number))
    (files,), _ = files_of_trials(tmp_path, read_trials())
    people = read_recordings(files)
    assert [(each.unit_scale, each.fps) for each in people] == [(0.01, 120.0)] * 2
    pair = pair_of_recordings(read_recordings(files, fps=30), drop_first=files.lead_in)
    expected = motion.positions[:, 8:].double().numpy()
    assert pair.positions.shape == expected.shape
    gap, wanted = pair.positions[0] - pair.positions[1], expected[0] - expected[1]
    np.testing.assert_allclose(gap, wanted, atol=1e-4)


def test_motionbuilders_conversion_agrees_with_the_original(tmp_path: Path) -> None:
    """The same joints, though it lacks the wrist's bone."""
    folder = write_trials(tmp_path, {1: 121})
    (files,), _ = files_of_trials(folder, read_trials())
    original = pair_of_recordings(read_recordings(files))
    for subject in PLACES:
        for name in (f"{subject}.asf", f"{subject}_01.amc"):
            (folder / str(subject) / name).unlink()
        (folder / f"{subject}_01.bvh").write_text(motionbuilder_text(person(subject, 121, 1)))
    (files,), _ = files_of_trials(folder, read_trials())
    people = read_recordings(files)
    assert {each.unit_scale for each in people} == {0.0254 / 0.45}
    converted = pair_of_recordings(people)
    np.testing.assert_allclose(converted.positions, original.positions, atol=1e-4)
    np.testing.assert_allclose(converted.rotations, original.rotations, atol=1e-6)
    np.testing.assert_allclose(converted.root_rotations, original.root_rotations, atol=1e-6)


def test_amc_is_preferred_and_bvh_steps_in(tmp_path: Path) -> None:
    folder = write_trials(tmp_path, {1: 60})
    motion = walking_pair(20)
    for number, subject in enumerate((18, 19)):
        (folder / f"{subject}_01.bvh").write_text(bvh_text(motion, number))
    (files,), _ = files_of_trials(folder, read_trials())
    assert files.names == ["18_01.amc", "19_01.amc", "18.asf", "19.asf"]
    (folder / "19" / "19.asf").unlink()
    (files,), lacking = files_of_trials(folder, read_trials())
    assert files.names == ["18_01.bvh", "19_01.bvh"] and not lacking


def test_splits_can_be_chosen(subjects: Path, tmp_path: Path) -> None:
    import_cmu(subjects, tmp_path / "set", validation=["18_19_01"], test=["18_19_08"])
    folder = InterHumanFolder(tmp_path / "set")
    assert {name[:12] for name in folder.names("val")} == {"cmu_18_19_01"}
    assert {name[:12] for name in folder.names("test")} == {"cmu_18_19_08"}
    with pytest.raises(UserError, match="there is no take '18_19_03'"):
        import_cmu(subjects, tmp_path / "other", test=["18_19_03"])


def test_list_of_trials_is_whole() -> None:
    trials = read_trials()
    assert len(trials) == 70 == len({each.name for each in trials})
    by_people = {each.people: 0 for each in trials}
    for each in trials:
        by_people[each.people] += 1
    assert by_people == {(18, 19): 15, (20, 21): 13, (22, 23): 25, (33, 34): 2, (60, 61): 15}
    assert {each.fps for each in trials if each.people[0] < 30} == {120.0}
    assert {each.fps for each in trials if each.people[0] > 30} == {60.0}
    assert {each.split for each in trials} == {"train", "val", "test"}


def test_sentences_of_the_list_are_sentences() -> None:
    for each in read_trials():
        style = each.text.style
        for sentence in (*each.text.whole, *style.short):
            assert re.fullmatch(r"[A-Z][^.!?]+\.", sentence), sentence
            assert not re.search(r"\b(left|right|B)\b", sentence), sentence
        assert each.text.whole == () or len(set(each.text.whole)) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[actions]]\npeople = [1, 2]\n", "not a list of trials"),
        ("people = ", "not a list of trials"),
        ("actions = []", "of 0 trials"),
        ('{0}\n{0}', "lists 01_02_03 twice"),
        ('val = ["01_02_04"]\n{0}', "holds out 01_02_04"),
    ],
)  # fmt: skip
def test_lists_of_ones_own(tmp_path: Path, text: str, expected: str) -> None:
    good = '[[actions]]\npeople = [1, 2]\ntrials = [3]\nfps = 60\nstyle = "salsa"\n'
    path = tmp_path / "list.toml"
    path.write_text(good)
    (only,) = read_trials(path)
    assert (only.name, only.fps, only.split) == ("01_02_03", 60.0, "train")
    path.write_text(text.replace("{0}", good))
    with pytest.raises(UserError, match=expected):
        read_trials(path)
    with pytest.raises(FileNotFoundError, match="no list of trials"):
        read_trials(tmp_path / "absent.toml")
