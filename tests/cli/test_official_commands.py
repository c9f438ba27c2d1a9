"""The authors' weights through commands alone: import a release, then generate with CLIP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from intermask import Motion
from original_clip import write_random_clip
from released_trees import RECORDED

TEXT_WIDTH = 32  # of the recorded tree


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_clip(tmp_path_factory.mktemp("clip"), TEXT_WIDTH)


@pytest.fixture
def official(run: Any, tmp_path: Path) -> Path:
    result = run("import-official", RECORDED, "-o", tmp_path / "official", "--check")
    assert result.exit_code == 0, result.output
    assert "next" in result.stdout
    return tmp_path / "official"


def test_an_imported_release_generates(
    run: Any, official: Path, clip: Path, tmp_path: Path
) -> None:
    motions = []
    for name, prompt in (("a", "Two people bow."), ("b", "Two people bow."), ("c", "They fight.")):
        result = run(
            "generate", prompt, "--seconds", 1, "--seed", 4, "--model", official,
            "--text-source", clip, "-o", tmp_path / name, "--formats", "npz,bvh", "--device", "cpu",
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        motions.append(Motion.load(tmp_path / f"{name}.npz"))
    first, again, other = motions
    assert (first.frames, first.caption) == (30, "Two people bow.")
    assert bool(torch.isfinite(first.positions).all())
    assert torch.equal(first.positions, again.positions)
    assert not torch.equal(first.positions, other.positions)


def test_an_imported_release_reacts(
    run: Any, official: Path, clip: Path, walk: Path, tmp_path: Path
) -> None:
    result = run(
        "react", walk, "They bow.", "--person", 1, "--model", official, "--text-source", clip,
        "-o", tmp_path / "reply", "--formats", "npz", "--device", "cpu",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    given, made = Motion.load(walk), Motion.load(tmp_path / "reply.npz")
    assert torch.equal(made.positions[0], given.positions[0])


def test_what_a_release_does_not_know_is_said(
    fails: Any, official: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = ("generate", "They bow.", "--model", official, "-o", tmp_path / "x", "--formats", "npz")
    assert "--seconds" in fails(*base, "--text-source", clip)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))
    assert "nothing is downloaded by itself" in fails(*base, "--seconds", 1)
    assert "lacks config.json" in fails(*base, "--seconds", 1, "--text-source", tmp_path)
    wide = write_random_clip(tmp_path / "wide", 64)
    assert "gives 64 features" in fails(*base, "--seconds", 1, "--text-source", wide)
    assert not (tmp_path / "x.npz").exists()
