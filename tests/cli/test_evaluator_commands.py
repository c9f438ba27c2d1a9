"""Evaluators through commands alone: train one, look at it, import the authors'."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from intermask.evaluation.evaluators.folder import load_evaluator
from original_clip import write_random_clip
from released_evaluators import small_vocabulary, write_glove, write_interx_evaluator
from released_trees import recorded_copy
from told_apart import write_kinds

SMALL = ("--preset", "debug", "--device", "cpu", "--set", "pool=8")


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kinds(tmp_path_factory.mktemp("data") / "kinds", train=1)


def test_training_resuming_and_looking(run: Any, kinds: Path, tmp_path: Path) -> None:
    base = ("train", "evaluator", "--data", kinds, "-o", tmp_path / "run")
    result = run(*base, *SMALL, "--stop-after", 3)
    assert result.exit_code == 0, result.output
    result = run(*base, "--resume", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert f"intermask evaluate MODEL --data {kinds} --evaluator {tmp_path / 'run'}" in (
        result.stdout
    )
    told = run("info", tmp_path / "run").stdout
    for words in ("training run, evaluator", "6 of 6", "kinds (share 1)", "r_precision_3"):
        assert words in told
    assert "r_precision_3" in run("runs", "list", tmp_path).stdout
    assert load_evaluator(tmp_path / "run", "cpu").protocol.pool == 8


def test_captions_may_be_read_by_clip(run: Any, kinds: Path, tmp_path: Path) -> None:
    clip = write_random_clip(tmp_path / "clip", 32)
    result = run(
        "train", "evaluator", "--data", kinds, "-o", tmp_path / "run", *SMALL, "--text-source",
        clip, "--set", "text.encoder=clip", "--set", "text.width=32", "--set", "text.pooling=end",
        "--set", "text.head_heads=4", "--set", "optimiser.steps=2",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    evaluator = load_evaluator(tmp_path / "run", "cpu", text_source=clip)
    embedded = evaluator.embed_captions(["They bow.", "They stand still for a while."])
    assert not torch.allclose(embedded[0], embedded[1])
    assert torch.allclose(embedded[0], evaluator.embed_captions(["They bow."])[0], atol=1e-6)


def test_what_cannot_be_trained_is_said(fails: Any, kinds: Path, tmp_path: Path) -> None:
    base = ("train", "evaluator", "--data", kinds, "-o", tmp_path / "run", "--preset", "debug")
    assert "did you mean shortest_crop" in fails(*base, "--set", "shortest_crops=0.5")
    assert "val has 8 clips" in fails(*base, "--set", "pool=9")
    assert "pool is 3" in fails(*base, "--set", "pool=3")
    assert not (tmp_path / "run").exists()


def test_a_run_of_an_evaluator_is_no_model(
    run: Any, fails: Any, kinds: Path, tmp_path: Path
) -> None:
    base = ("train", "evaluator", "--data", kinds, "-o", tmp_path / "run", *SMALL)
    assert run(*base, "--set", "optimiser.steps=1").exit_code == 0
    given = ("--model", tmp_path / "run", "-o", tmp_path / "out")
    assert "measures motion and cannot generate" in fails("generate", "They bow.", *given)
    more = ("train", "tokenizer", "--data", kinds, "-o", tmp_path / "other")
    assert "evaluator" in fails(*more, "--init", tmp_path / "run")
    assert "cannot be resumed as a tokenizer" in fails(
        "train", "tokenizer", "--data", kinds, "-o", tmp_path / "run", "--resume"
    )


def test_importing_interclip(run: Any, tmp_path: Path) -> None:
    tree = recorded_copy(tmp_path / "release")
    small_vocabulary(tmp_path / "clip", 600)
    result = run(
        "import-evaluator", tree, "-o", tmp_path / "interclip", "--text-source", tmp_path / "clip"
    )
    assert result.exit_code == 0, result.output
    assert "96 clips" in result.stdout and "kept in the folder" in result.stdout
    shutil.rmtree(tmp_path / "clip")
    evaluator = load_evaluator(tmp_path / "interclip", "cpu")
    assert (evaluator.name, evaluator.protocol.pool) == ("interclip", 96)
    assert evaluator.embed_captions(["a b", "b"]).shape == (2, 16)
    told = run("info", tmp_path / "interclip").stdout
    for words in ("evaluator, interclip", "pool 96", evaluator.fingerprint[:12], "interclip.ckpt"):
        assert words in told


def test_importing_interclip_without_a_vocabulary(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    tree = recorded_copy(tmp_path / "release")
    result = run("import-evaluator", tree, "-o", tmp_path / "interclip")
    assert result.exit_code == 0, result.output
    assert "not yet" in result.stdout and "--text-source" in result.stdout


def test_importing_the_evaluator_of_interx(run: Any, tmp_path: Path) -> None:
    network = write_interx_evaluator(tmp_path / "release" / "checkpoints")
    glove = write_glove(tmp_path / "glove", ["two", "walk"])
    result = run(
        "import-evaluator", tmp_path / "release", "-o", tmp_path / "interx", "--glove", glove
    )
    assert result.exit_code == 0, result.output
    assert "32 clips" in result.stdout and "5 word vectors" in result.stdout
    evaluator = load_evaluator(tmp_path / "interx", "cpu")
    assert evaluator.embed_captions(["two walk"]).shape == (1, 4)
    motion = torch.randn(2, 12, 336)
    with torch.inference_mode():
        expected = network.embed_motions(motion[None], torch.tensor([12]))
    assert torch.allclose(evaluator.embed_motions([motion]), expected, atol=1e-6)


def test_what_cannot_be_imported_is_said(fails: Any, tmp_path: Path) -> None:
    out = ("-o", tmp_path / "out")
    assert "holds no evaluator: neither interclip.ckpt" in fails("import-evaluator", tmp_path, *out)
    tree = recorded_copy(tmp_path / "release")
    write_interx_evaluator(tree)
    assert "holds both evaluators" in fails("import-evaluator", tree, *out)
    other = ("--dataset", "interx", "--glove")
    assert "hhi_vab_data.npy is missing" in fails("import-evaluator", tree, *out, *other, tmp_path)
    wide = write_glove(tmp_path / "glove", ["two"], size=9)
    assert "have 9 numbers, the evaluator reads 5" in fails(
        "import-evaluator", tree, *out, *other, wide
    )
    lacking = ("--dataset", "interhuman", "--text-source", tmp_path)
    assert "vocab.json" in fails("import-evaluator", tree, *out, *lacking)
    (tree / "checkpoints" / "eval_model" / "eval_model.yaml").unlink()
    assert "eval_model.yaml is missing" in fails(
        "import-evaluator", tree, *out, "--dataset", "interhuman"
    )
    assert not (tmp_path / "out").exists()
