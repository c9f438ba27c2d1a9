"""data import and data check."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from acclaim import swaying, write_person
from intermask import Motion
from intermask.data.layout import InterHumanFolder
from intermask.data.mapping_file import load_mapping
from intermask.export.bvh import write_bvh


def test_check_of_a_clean_folder(run: Any, dataset: Path) -> None:
    result = run("data", "check", dataset)
    assert result.exit_code == 0, result.output
    assert "no problems" in result.stdout
    assert "train" in result.stdout
    assert "shortest, median, longest" in result.stdout


def test_check_names_problems_and_exits_with_1(run: Any, dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dirty"
    shutil.copytree(dataset, folder)
    (folder / "motions_processed" / "person2" / "walk_1.npy").write_bytes(b"")
    result = run("data", "check", folder, "--encoder", "minilm")
    assert result.exit_code == 1
    assert "corrupt file (1)" in result.stdout
    assert "walk_1:" in result.stdout


def test_check_of_something_else(fails: Any, tmp_path: Path) -> None:
    assert "not a dataset folder" in fails("data", "check", tmp_path)


def test_import_interhuman(run: Any, fails: Any, dataset: Path, tmp_path: Path) -> None:
    result = run("data", "import", "interhuman", dataset, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert InterHumanFolder(tmp_path / "out").names("val") == ("walk_3", "walk_4")
    arguments = ("data", "import", "interhuman", dataset, "-o")
    assert "exists already" in fails(*arguments, tmp_path / "out")


def test_import_bvh(run: Any, fails: Any, walk: Path, tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    write_bvh(Motion.load(walk), takes / "walk")
    out = tmp_path / "out"
    result = run(
        "data", "import", "bvh", takes, "-o", out, "--scale", 0.01, "--activity", "walk about",
        "--source", "tests",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "1 takes" in result.stdout
    folder = InterHumanFolder(out)
    (name,) = folder.names("train")
    assert any("walk about" in caption for caption in folder.captions(name))
    both = (takes / "walk_1.bvh", takes / "walk_2.bvh")
    one_take = tmp_path / "one"
    guessed = run("data", "import", "bvh", *both, "-o", one_take)
    assert guessed.exit_code == 0 and "1 unit = 0.01 m (centimetres), guessed" in guessed.stdout
    assert "names of SMPL" in guessed.stdout
    assert len(InterHumanFolder(one_take).names("train")) == 1
    assert "1 inputs" in fails("data", "import", "bvh", both[0], "-o", tmp_path / "x")
    assert "not both" in fails("data", "import", "bvh", "-o", tmp_path / "x")
    sentence = fails("data", "import", "bvh", takes, "-o", tmp_path / "x", "--mapping", "absent")
    assert "absent" in sentence
    assert not (tmp_path / "x").exists()


def test_write_mapping(run: Any, fails: Any, walk: Path, tmp_path: Path) -> None:
    first, _ = write_bvh(Motion.load(walk), tmp_path / "walk")
    mapping = tmp_path / "mapping.json"
    result = run("data", "import", "bvh", first, "--write-mapping", mapping)
    assert result.exit_code == 0 and "all 22 joints" in result.stdout
    assert load_mapping(mapping).rotations["left_knee"] == ("left_knee",)
    first.write_text(first.read_text().replace("JOINT head", "JOINT Bone_5"))
    sentence = fails("data", "import", "bvh", first, first, "-o", tmp_path / "x")
    assert "--write-mapping" in sentence and "head" in sentence
    result = run("data", "import", "bvh", first, "--write-mapping", mapping)
    assert result.exit_code == 0 and "fill in head" in result.stdout
    assert "-o data/NAME" in fails("data", "import", "bvh", first, first)


def test_import_cmu(run: Any, fails: Any, tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    for subject in (18, 19):
        write_person(takes, subject, {8: swaying(200, seed=subject, place=(0.0, subject - 18.0))})
    out = tmp_path / "out"
    result = run("data", "import", "cmu", takes, "-o", out, "--fps", 60)
    assert result.exit_code == 0, result.output
    assert "cmu_18_19_08" in result.stdout and "1 takes, 0.1 minutes" in result.stdout
    folder = InterHumanFolder(out)
    assert folder.names("train")[0] == "cmu_18_19_08_000"
    assert "Two people talk" in folder.captions("cmu_18_19_08_000")[0]
    (takes / "19_08.amc").unlink()
    assert "no partner 19_08.amc" in fails("data", "import", "cmu", takes, "-o", tmp_path / "x")


def test_import_of_files_that_are_not_there(fails: Any, tmp_path: Path) -> None:
    expected = {
        "grapplemap": "absent",
        "single": "no .npz files",
        "bvh": ".bvh",
        "cmu": "SS_TT.amc",
    }
    for kind, words in expected.items():
        target = tmp_path / "out"
        assert words in fails("data", "import", kind, tmp_path / "absent", "-o", target)
        assert not target.exists()


def test_make_bank(run: Any, fails: Any, dataset: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    lines = '[move]\nwalk = [{ clip = "walk_1", frames = [0, 30] }]\n'
    recipe.write_text(lines + '[rest]\nstand = [{ clip = "walk_2", frames = [0, 30] }]\n', "utf-8")
    out = tmp_path / "bank.safetensors"
    folders = ("--single", dataset, "--salsa", dataset)
    result = run("data", "make", "bank", *folders, "-o", out, "--recipe", recipe)
    assert result.exit_code == 0, result.output
    assert "stand, walk" in result.stdout
    assert out.is_file()
    recipe.write_text(lines.replace("walk_1", "fly_1"), "utf-8")
    message = fails("data", "make", "bank", *folders, "-o", out, "--recipe", recipe)
    assert "no given dataset has the clip fly_1" in message
