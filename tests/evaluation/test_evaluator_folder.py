"""An evaluator's folder: what comes back is what was saved, and misfits are said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from intermask.bundle import save_bundle
from intermask.config import DataSet, EvaluatorConfig, TextConfig
from intermask.data.batching import Source
from intermask.errors import UserError
from intermask.evaluation import metrics
from intermask.evaluation.evaluators import folder as module
from intermask.evaluation.evaluators.contrastive import ContrastiveEvaluator
from intermask.evaluation.evaluators.evaluator import (
    InterClipEvaluator,
    InterXPairEvaluator,
    NetworkEvaluator,
    TrainedEvaluator,
)
from intermask.evaluation.evaluators.folder import load_evaluator, save_evaluator
from intermask.evaluation.evaluators.interclip import InterClip
from intermask.evaluation.evaluators.interx import InterXEvaluator
from intermask.evaluation.evaluators.runs import prepare_evaluator
from intermask.evaluation.evaluators.words import WordVectors
from intermask.presets import load_preset
from intermask.text import load_text_encoder
from intermask.training.frozen_features import FrozenText
from intermask.training.loop import fit
from people55 import write_interx
from released_evaluators import SMALL_INTERX, TINY_INTERCLIP, small_vocabulary, write_glove
from tiny import tiny_model, write_tiny_dataset
from tiny_training import CPU
from told_apart import write_kinds, write_kinds_interx

CAPTIONS = ["a b", "b", "a a b"]


def interclip(vocabulary: Path) -> InterClipEvaluator:
    torch.manual_seed(0)
    network = InterClip(TINY_INTERCLIP, small_vocabulary(vocabulary, 600))
    return InterClipEvaluator(network=network, device=CPU)


def interx(glove: Path) -> InterXPairEvaluator:
    torch.manual_seed(0)
    vectors = WordVectors.load(write_glove(glove, ["a", "b"]), longest=7)
    return InterXPairEvaluator(network=InterXEvaluator(SMALL_INTERX), device=CPU, vectors=vectors)


def trained(dataset: DataSet = "interhuman") -> TrainedEvaluator:
    torch.manual_seed(0)
    sizes = EvaluatorConfig(
        dataset=dataset, width=16, layers=1, heads=2, feedforward=16, embedding=6
    )
    text = TextConfig(encoder="minilm", width=384, pooling="mean", head_feedforward=8)
    network = ContrastiveEvaluator(sizes, text)
    network.normaliser.mean.normal_()
    return TrainedEvaluator(
        network=network,
        device=CPU,
        name="ours",
        protocol=metrics.Protocol(pool=12, embedding_scale=2.0, spread_divisor=3.0),
        floor="shared",
        max_frames=64,
        read=FrozenText(load_text_encoder("minilm"), CPU),
    )


def made(kind: str, around: Path) -> tuple[NetworkEvaluator, Path]:
    """An evaluator of each kind, and the folder that it was saved in."""
    if kind == "interclip":
        evaluator: NetworkEvaluator = interclip(around / "clip")
        vocabulary = [around / "clip" / name for name in ("vocab.json", "merges.txt")]
    elif kind == "interx":
        evaluator, vocabulary = interx(around / "glove"), []
    else:
        evaluator, vocabulary = trained("interx" if kind.endswith("interx") else "interhuman"), []
    saved = save_evaluator(
        evaluator, around / "saved", provenance={"source": "a test"}, vocabulary=vocabulary
    )
    return evaluator, saved


def motions(evaluator: NetworkEvaluator) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    width = 262 if evaluator.dataset == "interhuman" else 336
    return [torch.randn(2, length, width, generator=generator) for length in (8, 40, 24)]


@pytest.mark.parametrize("kind", ["interclip", "interx", "trained", "trained on interx"])
def test_what_is_saved_comes_back(kind: str, tmp_path: Path) -> None:
    before, saved = made(kind, tmp_path)
    after = load_evaluator(saved, "cpu")
    for name in ("name", "dataset", "protocol", "fingerprint", "floor", "max_frames"):
        assert getattr(after, name) == getattr(before, name), name
    given = motions(before)
    assert torch.equal(after.embed_motions(given), before.embed_motions(given))
    assert torch.equal(after.embed_captions(CAPTIONS), before.embed_captions(CAPTIONS))
    content = json.loads((saved / "config.json").read_text())
    assert (content["kind"], content["schema_version"]) == ("intermask-evaluator", 1)
    assert content["provenance"] == {"source": "a test"}
    assert not [path for path in saved.iterdir() if path.suffix in (".pt", ".pkl")]


def test_large_weights_lie_in_several_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("intermask.bundle.SHARD_BYTES", 10_000)
    evaluator, saved = made("interclip", tmp_path)
    assert len(list(saved.glob("evaluator-*.safetensors"))) > 3
    assert load_evaluator(saved, "cpu").fingerprint == evaluator.fingerprint


@pytest.mark.parametrize("write", [write_kinds, write_kinds_interx])
def test_a_run_can_be_used_like_a_folder(write: Callable[..., Path], tmp_path: Path) -> None:
    data = [Source(write(tmp_path / "kinds", train=1))]
    training = load_preset("evaluator", "debug", ["pool=8", "floor=shared"])
    run = tmp_path / "run"
    stage = prepare_evaluator(run, training, data, CPU, resume=False)
    fit(stage, training.optimiser, training.run, run, device=CPU)
    used = load_evaluator(run, "cpu")
    assert (used.name, used.floor, used.max_frames, used.protocol.pool) == ("run", "shared", 64, 8)
    saved = load_evaluator(save_evaluator(used, tmp_path / "saved"), "cpu")
    given = motions(used)
    assert torch.equal(saved.embed_motions(given), used.embed_motions(given))
    assert torch.equal(saved.embed_captions(CAPTIONS), used.embed_captions(CAPTIONS))
    assert saved.fingerprint == used.fingerprint


def test_folders_from_before_inter_x_are_of_interhuman(tmp_path: Path) -> None:
    """Evaluators that were saved, and runs that were begun, when there was only one layout."""
    before, saved = made("trained", tmp_path)
    content = json.loads((saved / "config.json").read_text())
    del content["sizes"]["dataset"]
    (saved / "config.json").write_text(json.dumps(content))
    assert load_evaluator(saved, "cpu").fingerprint == before.fingerprint
    data = [Source(write_kinds(tmp_path / "kinds", train=1))]
    training, run = load_preset("evaluator", "debug", ["pool=8"]), tmp_path / "run"
    stage = prepare_evaluator(run, training, data, CPU, resume=False)
    fit(stage, training.optimiser, training.run, run, device=CPU, stop_after=2)
    content = json.loads((run / "config.json").read_text())
    del content["training"]["model"]["dataset"]
    (run / "config.json").write_text(json.dumps(content))
    stage = prepare_evaluator(run, training, data, CPU, resume=True)
    fit(stage, training.optimiser, training.run, run, device=CPU, resume=True)
    assert load_evaluator(run, "cpu").dataset == "interhuman"


def test_captions_of_interx_are_read_as_the_dataset_tags_them(tmp_path: Path) -> None:
    _, saved = made("interx", tmp_path)
    data = write_interx(tmp_path / "Inter-X")
    text = min((data / "texts_processed").iterdir())
    text.write_text("a b#a/VERB b/NOUN#0.0#0.0\n")
    plain, tagged = load_evaluator(saved, "cpu"), load_evaluator(saved, "cpu", data=[data])
    assert not torch.equal(plain.embed_captions(["a b"]), tagged.embed_captions(["a b"]))
    assert isinstance(tagged, InterXPairEvaluator)
    assert tuple(tagged.tagged.words("a b")) == (("a", "VERB"), ("b", "NOUN"))


def test_without_a_vocabulary_motions_are_still_read(tmp_path: Path) -> None:
    evaluator, _ = made("interclip", tmp_path)
    bare = load_evaluator(save_evaluator(evaluator, tmp_path / "bare"), "cpu")
    given = motions(bare)
    assert torch.equal(bare.embed_motions(given), evaluator.embed_motions(given))
    with pytest.raises(UserError, match=r"vocab\.json and merges\.txt \(--text-source DIR\)"):
        bare.embed_captions(CAPTIONS)
    found = load_evaluator(tmp_path / "bare", "cpu", text_source=tmp_path / "clip")
    assert torch.equal(found.embed_captions(CAPTIONS), evaluator.embed_captions(CAPTIONS))
    small_vocabulary(tmp_path / "larger", 700)
    with pytest.raises(UserError, match=r"700 ids, the evaluator in .* only 600"):
        load_evaluator(tmp_path / "bare", "cpu", text_source=tmp_path / "larger")


def test_a_source_of_another_encoder_is_passed_over(tmp_path: Path) -> None:
    """A model may read with CLIP what its evaluator reads with MiniLM."""
    _, saved = made("trained", tmp_path)
    small_vocabulary(tmp_path / "clip", 600)
    load_evaluator(saved, "cpu", text_source=tmp_path / "clip").embed_captions(CAPTIONS)


def _change(saved: Path, **changes: Any) -> None:
    content = json.loads((saved / "config.json").read_text()) | changes
    (saved / "config.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "other"}, r"config\.json was written by something else; expected the folder"),
        ({"schema_version": 9}, "schema version 9.*update intermask"),
        ({"network": "other"}, "not a usable configuration: 'other'"),
        ({"sizes": {"width": "wide"}}, "not a usable configuration"),
        ({"shards": ["evaluator-07.safetensors"]}, r"evaluator-07\.safetensors is missing"),
        ({"fingerprint": "0" * 64}, "not those that were saved"),
    ],
)
def test_configurations_that_do_not_fit_are_said(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    _, saved = made("trained", tmp_path)
    _change(saved, **changes)
    with pytest.raises(UserError, match=words):
        load_evaluator(saved, "cpu")


def test_damaged_weights_are_said(tmp_path: Path) -> None:
    _, saved = made("trained", tmp_path)
    path = saved / "evaluator-00.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    with pytest.raises(UserError, match=r"evaluator-00\.safetensors is damaged"):
        load_evaluator(saved, "cpu")
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))  # one bit, which no format notices
    with pytest.raises(UserError, match="not those that were saved"):
        load_evaluator(saved, "cpu")


def test_other_folders_are_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no folder .*import-evaluator"):
        load_evaluator(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"has no config\.json; expected the folder of an evalua"):
        load_evaluator(tmp_path)
    model = tiny_model(write_tiny_dataset(tmp_path / "walks"))
    with pytest.raises(UserError, match="is a bundle, a model that makes motion"):
        load_evaluator(save_bundle(model, tmp_path / "bundle"))
    (tmp_path / "config.json").write_text('{"kind": "intermask-run", "stage": "tokenizer"}')
    with pytest.raises(UserError, match="is the run of a tokenizer"):
        load_evaluator(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json cannot be read"):
        load_evaluator(tmp_path)


def test_words_that_are_damaged_are_said(tmp_path: Path) -> None:
    _, saved = made("interx", tmp_path)
    (saved / "words.json").write_text('{"words": ["a"], "longest": 7}')
    with pytest.raises(UserError, match=r"words\.json and words\.safetensors are damaged"):
        load_evaluator(saved, "cpu")


def test_saving_leaves_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(module, "write_json", breaks)
    with pytest.raises(OSError, match="full"):
        save_evaluator(trained(), tmp_path / "saved")
    assert not list(tmp_path.iterdir())
