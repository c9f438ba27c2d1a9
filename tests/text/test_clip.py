"""The tower must equal the original's on all positions; files are found or named."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
import torch
from safetensors.torch import save_file

from golden_files import golden, largest_error
from intermask.errors import MissingExtra
from intermask.text import load_text_encoder
from intermask.text.clip import ClipTextEncoder
from intermask.text.clip_files import find_files, find_vocabulary
from intermask.text.clip_tokenizer import ClipTokenizer

VOCABULARY = 49408
SIZES = {"width": 64, "heads": 4, "layers": 2, "context": 77}
CAPTIONS = [
    "Two people dance salsa.",
    "One pushes &amp; the other's   falling \u2014 caf\u00e9!",
    "they step forward and back, " * 40,
    "",
]


@pytest.fixture(scope="module")
def original(original_model):
    """A small original CLIP with random weights."""
    torch.manual_seed(0)
    model = original_model.CLIP(
        embed_dim=16,
        image_resolution=16,
        vision_layers=1,
        vision_width=64,
        vision_patch_size=8,
        context_length=SIZES["context"],
        vocab_size=VOCABULARY,
        transformer_width=SIZES["width"],
        transformer_heads=SIZES["heads"],
        transformer_layers=SIZES["layers"],
    ).eval()
    for parameter in model.parameters():  # zero biases and unit norms would hide a mix-up
        torch.nn.init.normal_(parameter, std=0.2)
    return model


@pytest.fixture(scope="module")
def encoder(original, vocabulary_folder):
    tokenizer = ClipTokenizer.load(
        vocabulary_folder / "vocab.json", vocabulary_folder / "merges.txt"
    )
    return ClipTextEncoder.from_openai_state_dict(original.state_dict(), SIZES["heads"], tokenizer)


@pytest.fixture(scope="module")
def folder(encoder, vocabulary_folder, tmp_path_factory):
    """A folder as the released repository has it, with the small tower in it."""
    folder = tmp_path_factory.mktemp("clip")
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(vocabulary_folder / name, folder / name)
    text_config = {
        "model_type": "clip_text_model",
        "vocab_size": VOCABULARY,
        "hidden_size": SIZES["width"],
        "intermediate_size": 4 * SIZES["width"],
        "num_hidden_layers": SIZES["layers"],
        "num_attention_heads": SIZES["heads"],
        "max_position_embeddings": SIZES["context"],
        "eos_token_id": 2,  # as in the released file, although the id is 49407
    }
    config = {"model_type": "clip", "text_config": text_config, "vision_config": {}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(_stored(encoder), folder / "model.safetensors")
    return folder


def _stored(encoder: ClipTextEncoder) -> dict[str, torch.Tensor]:
    """The tower as a whole CLIP stores it, image weights included."""
    tower = encoder.tower.state_dict()
    stored = {f"text_model.{key.removeprefix('text_model.')}": tower[key] for key in tower}
    stored["text_model.embeddings.position_ids"] = torch.arange(SIZES["context"])[None]
    stored["vision_model.post_layernorm.weight"] = torch.ones(4)
    stored["logit_scale"] = torch.ones(())
    return {key: value.clone() for key, value in stored.items()}


def _original_ids(original_tokenizer, captions: list[str]) -> torch.Tensor:
    """The original's ``tokenize(truncate=True)``, whose file cannot be imported."""
    tokenizer = original_tokenizer.SimpleTokenizer()
    start, end = tokenizer.encoder["<|startoftext|>"], tokenizer.encoder["<|endoftext|>"]
    result = torch.zeros(len(captions), SIZES["context"], dtype=torch.int64)
    for row, caption in zip(result, captions, strict=True):
        ids = [start, *tokenizer.encode(caption), end]
        if len(ids) > SIZES["context"]:
            ids = ids[: SIZES["context"]]
            ids[-1] = end
        row[: len(ids)] = torch.tensor(ids)
    return result


@torch.no_grad()
def _original_features(original, ids: torch.Tensor) -> torch.Tensor:
    stream = original.token_embedding(ids) + original.positional_embedding
    return original.ln_final(original.transformer(stream.transpose(0, 1)).transpose(0, 1))


def test_ids_and_all_features_equal_the_original(encoder, original, original_tokenizer):
    ids = _original_ids(original_tokenizer, CAPTIONS)
    assert torch.equal(encoder.tokenize(CAPTIONS), ids)
    assert ids[2, -1] == VOCABULARY - 1 and ids[0, 10] == 0  # cut with an end; padded with 0
    text = encoder.encode(CAPTIONS)
    assert text.features.shape == (4, 77, SIZES["width"]) and text.mask is None
    assert torch.equal(text.ends, ids.argmax(dim=-1))
    error = largest_error(text.features, _original_features(original, ids))
    print(f"largest error to the original tower: {error:.2e}")
    assert error < 1e-5


def test_recorded_pooled_features(golden_tower):
    """Prefixed names, tiny vocabulary and context; pooled by the authors' trainable head."""
    record = golden("text_branch")
    sizes = record.meta["head"]
    text = golden_tower.encode_ids(record["tokens"])
    assert text.features.shape == (4, 20, 32)
    assert text.ends.tolist() == [6, 11, 19, 3]
    layer = torch.nn.TransformerEncoderLayer(
        32, sizes["nhead"], sizes["dim_feedforward"], activation="gelu", batch_first=True
    )
    head = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    start = "clipTrans."
    head.load_state_dict({k[len(start) :]: v for k, v in record.weights.items() if start in k})
    with torch.no_grad():
        pooled = torch.nn.functional.layer_norm(
            head(text.features), (32,), record.weights["clipln.weight"], record["w.clipln.bias"]
        )[torch.arange(4), text.ends]
    error = largest_error(pooled, record["features"])
    print(f"largest error to the recorded text branch: {error:.2e}")
    assert error < 1e-5


@pytest.fixture(scope="module")
def golden_tower():
    record = golden("text_branch")
    heads = record.meta["clip_text"]["heads"]
    return ClipTextEncoder.from_openai_state_dict(record.weights, heads)


def test_a_caption_alone_equals_the_caption_in_a_batch(encoder):
    together = encoder.encode(CAPTIONS).features
    for index, caption in enumerate(CAPTIONS):
        alone = encoder.encode([caption]).features[0]
        assert torch.allclose(alone, together[index], atol=1e-5)


def test_counts_the_whole_caption(encoder):
    assert encoder.count_tokens("Two people dance salsa.") == 7
    assert encoder.count_tokens(CAPTIONS[2]) > encoder.max_tokens == 77


def test_loading_a_folder_gives_the_same_features(encoder, folder, capfd):
    loaded = load_text_encoder("clip", folder)
    assert capfd.readouterr() == ("", "")  # no progress bars, no warnings
    assert (loaded.name, loaded.width, loaded.max_tokens) == ("clip", SIZES["width"], 77)
    expected = encoder.encode(CAPTIONS).features
    assert torch.equal(loaded.encode(CAPTIONS).features, expected)
    assert not any(tensor.is_meta for tensor in (*loaded.parameters(), *loaded.buffers()))


def test_the_older_weight_file_will_do(encoder, folder, tmp_path):
    for name in ("config.json", "vocab.json", "merges.txt"):
        shutil.copy(folder / name, tmp_path / name)
    stored = {key: value.half() for key, value in _stored(encoder).items()}
    torch.save(stored, tmp_path / "pytorch_model.bin")
    features = load_text_encoder("clip", tmp_path).encode(CAPTIONS).features
    assert features.dtype == torch.float32
    assert torch.allclose(features, encoder.encode(CAPTIONS).features, atol=0.05)


def test_frozen_whatever_its_owner_does(encoder):
    owner = torch.nn.ModuleDict({"text": encoder}).train()
    assert not any(module.training for module in owner["text"].modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


@pytest.mark.parametrize("name", ["config.json", "vocab.json", "merges.txt", "model.safetensors"])
def test_a_missing_file_is_named(folder, tmp_path, name):
    for path in folder.iterdir():
        if path.name != name:
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(FileNotFoundError, match=f"lacks {name} of openai/clip-vit-large"):
        load_text_encoder("clip", tmp_path)


def test_an_empty_cache_says_what_to_bring_and_downloads_nothing(tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))

    def never(*_: object, **__: object) -> None:
        raise AssertionError("tried to download")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", never)
    with pytest.raises(FileNotFoundError, match=r"config\.json, vocab\.json, merges\.txt, model"):
        load_text_encoder("clip")


def test_the_cache_is_used(folder, tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--openai--clip-vit-large-patch14-336"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots").mkdir()
    shutil.copytree(folder, repository / "snapshots" / "abc")
    assert find_files()["weights"].parent.name == "abc"
    assert [path.name for path in find_vocabulary()] == ["vocab.json", "merges.txt"]


def test_a_vocabulary_needs_no_weights(folder, tmp_path):
    (tmp_path / "vocab.json").symlink_to(folder / "vocab.json")
    with pytest.raises(FileNotFoundError, match=r"lacks merges\.txt of openai/clip-vit-large"):
        find_vocabulary(tmp_path)
    (tmp_path / "merges.txt").symlink_to(folder / "merges.txt")
    assert ClipTokenizer.load(*find_vocabulary(tmp_path)).vocabulary_size == 49408


def test_a_failed_download_is_one_sentence(tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(FileNotFoundError, match="could not be downloaded"):
        load_text_encoder("clip", allow_download=True)


def test_a_missing_package_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"intermask\[clip\]"):
        load_text_encoder("clip", folder)


def test_a_missing_cleaner_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "ftfy", None)
    with pytest.raises(MissingExtra, match="ftfy is not installed"):
        load_text_encoder("clip", folder)


def test_wrong_input_is_refused(encoder, golden_tower):
    with pytest.raises(ValueError, match="padded with 0"):
        encoder.encode_ids(torch.zeros(2, 76, dtype=torch.int64))
    with pytest.raises(ValueError, match="must lie in"):
        encoder.encode_ids(torch.full((1, 77), VOCABULARY))
    with pytest.raises(ValueError, match="list of captions"):
        encoder.encode("a bare string")
    with pytest.raises(ValueError, match="at least one"):
        encoder.encode([])
    with pytest.raises(ValueError, match="without a vocabulary"):
        golden_tower.encode(["text"])


def test_a_missing_or_unknown_key_is_named():
    weights = golden("text_branch").weights
    partial = {key: value for key, value in weights.items() if key != "clip_ln_final.bias"}
    with pytest.raises(ValueError, match=r"lacks the key clip_ln_final\.bias"):
        ClipTextEncoder.from_openai_state_dict(partial, 4)
    strange = {**weights, "clip_surprise": weights["clip_ln_final.bias"]}
    with pytest.raises(ValueError, match="unknown keys in the CLIP text tower: surprise"):
        ClipTextEncoder.from_openai_state_dict(strange, 4)
    with pytest.raises(ValueError, match="5 heads do not divide"):
        ClipTextEncoder.from_openai_state_dict(weights, 5)


def test_a_tokenizer_of_another_tower_is_refused(encoder):
    with pytest.raises(ValueError, match="49408 ids but the tower's table only 600"):
        ClipTextEncoder.from_openai_state_dict(golden("text_branch").weights, 4, encoder._tokenizer)


def test_damaged_weights_are_refused(folder, tmp_path):
    for name in ("config.json", "vocab.json", "merges.txt"):
        shutil.copy(folder / name, tmp_path / name)
    (tmp_path / "pytorch_model.bin").write_bytes(b"not weights")
    with pytest.raises(ValueError, match=r"pytorch_model\.bin cannot be read"):
        load_text_encoder("clip", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ValueError, match=r"model\.safetensors cannot be read"):
        load_text_encoder("clip", tmp_path)


def test_a_config_of_another_model_is_refused(folder, tmp_path):
    for path in folder.iterdir():
        if path.name != "config.json":
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match='"bert"'):
        load_text_encoder("clip", tmp_path)
