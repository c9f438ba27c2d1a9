"""The text head: parity with the released text branch, and its treatment of padding."""

from __future__ import annotations

import pytest
import torch

from golden_files import golden, largest_error
from intermask.text.features import TextFeatures
from released_models import TINY_TEXT, released_text_head


@torch.inference_mode()
def test_features_equal_the_released_ones() -> None:
    pytest.importorskip("transformers")
    from intermask.text.clip import ClipTextEncoder

    recorded = golden("text_branch")
    heads = recorded.meta["clip_text"]["heads"]
    encoder = ClipTextEncoder.from_openai_state_dict(recorded.weights, heads=heads)
    condition = released_text_head()(encoder.encode_ids(recorded["tokens"]))
    assert largest_error(condition, recorded["features"]) < 1e-5


def _features(length: int, padded: int, masked: bool) -> TextFeatures:
    generator = torch.Generator().manual_seed(2)
    features = torch.zeros(1, padded, TINY_TEXT.width)
    features[:, :length] = torch.randn(1, length, TINY_TEXT.width, generator=generator)
    mask = (torch.arange(padded) < length)[None] if masked else None
    return TextFeatures(features, torch.tensor([length - 1]), mask)


@torch.inference_mode()
def test_masked_padding_changes_nothing() -> None:
    head = released_text_head()
    assert largest_error(head(_features(6, 6, True)), head(_features(6, 20, True))) < 1e-5


@torch.inference_mode()
def test_without_a_mask_padding_takes_part() -> None:
    head = released_text_head()
    assert largest_error(head(_features(6, 6, False)), head(_features(6, 20, False))) > 1e-2
