"""generate, react and complete: files appear together or not at all, and errors are sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from intermask import Motion
from intermask.export import writing

pytestmark = pytest.mark.usefixtures("unsettled")
FAST = ("--formats", "npz,bvh", "--device", "cpu")


def names(folder: Path) -> list[str]:
    """Everything in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def test_generate_writes_all_files_of_a_stem(run: Any, bundle: Path, tmp_path: Path) -> None:
    stem = tmp_path / "new" / "walk"
    result = run(
        "generate", "Two people walk.", "--seconds", 1, "--seed", 3, "-o", stem,
        "--model", bundle, *FAST,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert names(stem.parent) == ["walk.npz", "walk_1.bvh", "walk_2.bvh"]
    assert result.stdout.splitlines() == [str(stem.parent / name) for name in names(stem.parent)]
    motion = Motion.load(stem.with_suffix(".npz"))
    assert motion.frames == 30
    assert (motion.caption, motion.seed, motion.model) == ("Two people walk.", 3, "tiny")


def test_the_seed_decides(run: Any, bundle: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(
            "generate", "Two people walk.", "--seconds", 1, "--seed", seed, "-o", tmp_path / name,
            "--model", bundle, "--formats", "npz",
        )  # fmt: skip
    a, b, c = (Motion.load(tmp_path / f"{name}.npz").positions for name in "abc")
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_seconds_are_estimated_and_said(run: Any, bundle: Path, tmp_path: Path) -> None:
    result = run(
        "generate", "Two people walk.", "-o", tmp_path / "walk", "--model", bundle,
        "--formats", "npz",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    seconds = Motion.load(tmp_path / "walk.npz").seconds
    assert f"{seconds:.1f} seconds, estimated" in result.stderr
    assert "median of the nearest training captions" in result.stderr
    assert "1.5 s  Two people walk." in result.stderr
    result = run("generate", "Xyzzy!", "-o", tmp_path / "x", "--model", bundle, "--formats", "npz")
    assert "no training caption shares a word" in result.stderr


def test_many_prompts_make_one_stem_a_line(run: Any, bundle: Path, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("# what they do\nTwo people walk.\n\nOne waits, über all.\n", "utf-8")
    out = tmp_path / "out"
    result = run(
        "generate", "--prompts", prompts, "--seconds", 1, "--seed", 5, "-o", out,
        "--model", bundle, "--formats", "npz",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert names(out) == ["001-two-people-walk.npz", "002-one-waits-uber-all.npz"]
    second = Motion.load(out / "002-one-waits-uber-all.npz")
    assert (second.caption, second.seed) == ("One waits, über all.", 6)


def test_a_folder_takes_names_from_the_text(run: Any, bundle: Path, tmp_path: Path) -> None:
    result = run(
        "generate", "Two people walk.", "--seconds", 1, "-o", f"{tmp_path}/new/",
        "--model", bundle, "--formats", "npz",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert names(tmp_path / "new") == ["two-people-walk.npz"]


def test_sampling_options_reach_the_sampler(run: Any, bundle: Path, tmp_path: Path) -> None:
    base = ("generate", "Two people walk.", "--seconds", 1, "--model", bundle, "--formats", "npz")
    run(*base, "-o", tmp_path / "a")
    for option, value in (("--guidance", 9), ("--temperature", 0), ("--steps", 1)):
        result = run(*base, "-o", tmp_path / "b", option, value)
        assert result.exit_code == 0, result.output
        a, b = (Motion.load(tmp_path / f"{name}.npz").positions for name in "ab")
        assert not torch.equal(a, b), option


def test_react_keeps_one_person(run: Any, bundle: Path, walk: Path, tmp_path: Path) -> None:
    result = run(
        "react", walk, "Two people walk.", "--person", 2, "-o", tmp_path / "reply",
        "--model", bundle, *FAST,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    given, made = Motion.load(walk), Motion.load(tmp_path / "reply.npz")
    assert torch.equal(made.positions[1], given.positions[1])
    assert not torch.equal(made.positions[0], given.positions[0])


def test_complete_keeps_ranges(run: Any, bundle: Path, walk: Path, tmp_path: Path) -> None:
    result = run(
        "complete", walk, "Two people walk.", "--keep", "0:0.5", "--keep", "1.2:1.5",
        "-o", tmp_path / "filled", "--model", bundle, *FAST,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    given, made = Motion.load(walk), Motion.load(tmp_path / "filled.npz")
    assert torch.equal(made.positions[:, :15], given.positions[:, :15])
    assert torch.equal(made.positions[:, 36:], given.positions[:, 36:])
    assert not torch.equal(made.positions[:, 20:30], given.positions[:, 20:30])


def test_complete_of_one_person(run: Any, bundle: Path, walk: Path, tmp_path: Path) -> None:
    result = run(
        "complete", walk, "They walk.", "--keep", "0:0.5", "--person", 2, "-o", tmp_path / "filled",
        "--model", bundle, "--formats", "npz",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    given, made = Motion.load(walk), Motion.load(tmp_path / "filled.npz")
    assert torch.equal(made.positions[0], given.positions[0])
    assert torch.equal(made.positions[1, :15], given.positions[1, :15])
    assert not torch.equal(made.positions[1], given.positions[1])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("generate", "  ", "--seconds", 1), "prompt is empty"),
        (("generate", "walk " * 600, "--seconds", 1), "too long"),
        (("generate", "Two walk.", "--seconds", 0.1), "out of range"),
        (("generate", "Two walk.", "--seconds", 99), "out of range"),
        (("generate", "Two walk.", "--seconds", "nan"), "out of range"),
        (("generate", "Two walk.", "--steps", 0), "steps is 0"),
        (("generate", "Two walk.", "--temperature", -1), "temperature is -1"),
        (("generate", "Two walk.", "--formats", "npz,fbx"), "'fbx'"),
        (("generate", "Two walk.", "--formats", ","), "no format"),
        (("generate", "Two walk.", "--device", "quantum"), "'quantum'"),
        (("generate", "Two walk.", "--seed", -1), "seed is -1"),
        (("generate",), "give one prompt"),
        (("generate", "--prompts", "absent.txt"), "absent.txt"),
        (("react", "absent.npz", "Two walk."), "absent.npz"),
        (("complete", "absent.npz", "Two walk.", "--keep", "half"), "--keep half"),
    ],
)
def test_what_cannot_be_done_costs_a_sentence(
    fails: Any, bundle: Path, tmp_path: Path, arguments: tuple[object, ...], words: str
) -> None:
    target = tmp_path / "out"
    assert words in fails(*arguments, "--model", bundle, "-o", target / "walk")
    assert not target.exists()


def test_an_unknown_model(fails: Any, tmp_path: Path) -> None:
    assert "no model" in fails("generate", "Two walk.", "--model", tmp_path / "absent")
    assert "not a training run" in fails("generate", "Two walk.", "--model", tmp_path)


def test_output_is_checked_before_anything_else(fails: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    sentence = fails("generate", "Two walk.", "-o", tmp_path / "file" / "x", "--model", "absent")
    assert "cannot write" in sentence
    (tmp_path / "walk.npz").mkdir()
    sentence = fails("generate", "Two walk.", "-o", tmp_path / "walk", "--model", "absent")
    assert "a folder has that name" in sentence
    assert names(tmp_path) == ["file", "walk.npz"]


def test_a_file_that_is_not_ours(fails: Any, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_text("no archive")
    assert "not an .npz file" in fails("react", tmp_path / "x.npz", "Walk.", "--model", bundle)
    assert "not an .npz file" in fails("export", tmp_path / "x.npz", "--to", "bvh")


def test_a_missing_extra_costs_a_sentence_not_the_files(
    run: Any, fails: Any, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "find_spec", lambda name: None)
    result = run(
        "generate", "Two people walk.", "--seconds", 1, "-o", tmp_path / "walk", "--model", bundle
    )
    assert result.exit_code == 0, result.output
    assert names(tmp_path) == ["walk.html", "walk.npz", "walk_1.bvh", "walk_2.bvh"]
    assert 'pip install "intermask[video]"' in result.stderr
    only = ("generate", "Two walk.", "--formats", "mp4", "--model", bundle)
    assert "video" in fails(*only, "-o", tmp_path / "x")


def test_a_failure_while_writing_leaves_nothing(
    fails: Any, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "write_bvh", full)
    arguments = ("generate", "Two walk.", "--seconds", 1, "--model", bundle, *FAST)
    assert "No space left" in fails(*arguments, "-o", tmp_path / "walk")
    assert names(tmp_path) == []
