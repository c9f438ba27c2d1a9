"""The text head: parity with the released text branch, and its treatment of padding."""

from __future__ import annotations

import pytest
import torch

from golden_files import golden, largest_error
from intermask.config import TextConfig
from intermask.models.text_head import PhrasesHead, SentenceHead, WordsHead
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


def _alike_sentences() -> TextFeatures:
    """Forty captions whose features differ by one hundredth of what they share."""
    generator = torch.Generator().manual_seed(3)
    shared = torch.randn(1, 1, TINY_TEXT.width, generator=generator)
    own = torch.randn(40, 7, TINY_TEXT.width, generator=generator)
    return TextFeatures(shared + 0.01 * own, torch.full((40,), 6), torch.ones(40, 7).bool())


def _fitted_head(text: TextFeatures) -> SentenceHead:
    head = SentenceHead(TextConfig(width=TINY_TEXT.width, head_heads=1, pooling="mean")).eval()
    head.fit(text)
    return head


@torch.inference_mode()
def test_alike_sentences_become_different_conditions() -> None:
    text = _alike_sentences()
    raw = torch.nn.functional.normalize(text.features.mean(1), dim=-1)
    conditions = torch.nn.functional.normalize(_fitted_head(text)(text), dim=-1)
    assert (raw @ raw.T).min() > 0.99
    assert (conditions @ conditions.T).mean() < 0.1  # of forty, each with itself gives 0.025


@torch.inference_mode()
def test_null_condition_is_the_average_sentence() -> None:
    text = _alike_sentences()
    assert _fitted_head(text)(text).mean(0).abs().max() < 0.05


@torch.inference_mode()
def test_a_sentence_from_elsewhere_stays_within_reach() -> None:
    head = _fitted_head(_alike_sentences())
    strange = TextFeatures(torch.randn(1, 5, TINY_TEXT.width), torch.tensor([4]), None)
    assert head(strange).abs().max() <= SentenceHead.FARTHEST


@torch.inference_mode()
def test_padding_does_not_change_a_sentence() -> None:
    head = _fitted_head(_alike_sentences())
    assert largest_error(head(_features(6, 6, True)), head(_features(6, 20, True))) < 1e-5


def _detailed_head(kind: type[SentenceHead], learned: bool) -> SentenceHead:
    torch.manual_seed(0)
    head = kind(TextConfig(width=TINY_TEXT.width, head_heads=1)).eval()
    head.fit(_alike_sentences())
    if learned:
        torch.nn.init.normal_(head.get_submodule("added").weight)
    return head


details = pytest.mark.parametrize("kind", [WordsHead, PhrasesHead])


@torch.inference_mode()
@details
def test_details_add_nothing_at_the_start(kind: type[SentenceHead]) -> None:
    text = _alike_sentences()
    assert torch.equal(_detailed_head(kind, learned=False)(text), _fitted_head(text)(text))


@torch.inference_mode()
@details
def test_padding_does_not_change_what_details_add(kind: type[SentenceHead]) -> None:
    head = _detailed_head(kind, learned=True)
    assert largest_error(head(_features(6, 6, True)), head(_features(6, 20, True))) < 1e-4


@torch.inference_mode()
def test_phrases_hear_the_order_of_words_and_sentences_do_not() -> None:
    head, text = _detailed_head(PhrasesHead, learned=True), _features(6, 6, True)
    turned = TextFeatures(text.features.flip(1), text.ends, text.mask)
    assert largest_error(head(turned), head(text)) > 1e-2
    alone = _fitted_head(_alike_sentences())
    assert largest_error(alone(turned), alone(text)) < 1e-5
