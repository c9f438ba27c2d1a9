"""InterCLIP: parity with the released network, and what must not matter to it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from golden_files import golden, largest_error
from intermask.evaluation.evaluators.interclip import InterClip, InterClipConfig
from intermask.representation import CONTACTS, FEATURES
from released_evaluators import released_interclip

CONFIG = InterClipConfig(
    width=16,
    layers=1,
    heads=2,
    feedforward=16,
    text_width=8,
    text_layers=1,
    text_heads=2,
    text_feedforward=16,
    vocabulary=30,
    context=9,
    embedding=6,
)


@pytest.fixture(scope="module")
def evaluator() -> InterClip:
    return released_interclip()


def _motions() -> tuple[Tensor, Tensor]:
    """Recorded features (b, p, t, f), whose padding is not zero, and lengths."""
    recorded = golden("evaluator_interhuman")
    return recorded["motions"].unflatten(-1, (2, FEATURES)).transpose(1, 2), recorded["lengths"]


@torch.inference_mode()
def test_motions_have_the_released_embeddings(evaluator: InterClip) -> None:
    embeddings = evaluator.embed_motions(*_motions())
    assert largest_error(embeddings, golden("evaluator_interhuman")["motion_emb"]) < 1e-5


@torch.inference_mode()
def test_captions_have_the_released_embeddings(evaluator: InterClip) -> None:
    recorded = golden("evaluator_interhuman")
    embeddings = evaluator.embed_ids(recorded["tokens"])
    assert largest_error(embeddings, recorded["text_emb"]) < 1e-5


@torch.inference_mode()
def test_an_embedding_is_as_long_as_the_scale_says(evaluator: InterClip) -> None:
    lengths = evaluator.embed_motions(*_motions()).norm(dim=-1)
    assert largest_error(lengths, evaluator.scale.expand_as(lengths)) < 1e-6


@torch.inference_mode()
def test_company_and_padding_change_nothing(evaluator: InterClip) -> None:
    features, lengths = _motions()
    together = evaluator.embed_motions(features, lengths)
    for index, length in enumerate(lengths.tolist()):
        alone = features[index : index + 1, :, :length]
        embedding = evaluator.embed_motions(alone, lengths[index : index + 1])
        assert largest_error(embedding[0], together[index]) < 1e-5


@torch.inference_mode()
def test_contacts_are_not_seen_and_people_have_an_order(evaluator: InterClip) -> None:
    features, lengths = _motions()
    expected = evaluator.embed_motions(features, lengths)
    without = features.clone()
    without[..., CONTACTS] = 7
    assert torch.equal(evaluator.embed_motions(without, lengths), expected)
    assert largest_error(evaluator.embed_motions(features.flip(1), lengths), expected) > 1e-2


@torch.inference_mode()
def test_the_padding_of_a_caption_takes_part(evaluator: InterClip) -> None:
    ids = golden("evaluator_interhuman")["tokens"][:1]
    changed = ids.clone()
    changed[0, -1] = 5
    assert largest_error(evaluator.embed_ids(changed), evaluator.embed_ids(ids)) > 1e-3


def test_every_weight_learns() -> None:
    torch.manual_seed(0)
    evaluator = InterClip(CONFIG)
    motions = evaluator.embed_motions(torch.randn(3, 2, 5, FEATURES), torch.tensor([5, 3, 1]))
    captions = evaluator.embed_ids(torch.randint(30, (3, 9)))
    (motions * captions).sum().backward()
    assert all(weight.grad is not None for weight in evaluator.parameters())


class _Letters:
    """A tokenizer whose tokens are letters."""

    def encode_padded(self, captions: list[str], length: int) -> Tensor:
        rows = [[ord(letter) - ord("a") for letter in caption] for caption in captions]
        return torch.tensor([row + [0] * (length - len(row)) for row in rows])


@torch.inference_mode()
def test_captions_are_read_through_the_tokenizer() -> None:
    evaluator = InterClip(CONFIG, _Letters()).eval()  # type: ignore[arg-type]
    ids = torch.zeros(1, 9, dtype=torch.int64)
    ids[0, :2] = torch.tensor([1, 25])
    assert torch.equal(evaluator.embed_captions(["bz"]), evaluator.embed_ids(ids))


def test_without_a_vocabulary_captions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"vocabulary.*embed_ids"):
        InterClip(CONFIG).embed_captions(["two people bow"])


@pytest.mark.parametrize(
    ("shape", "lengths", "message"),
    [
        ((2, 2, 5, FEATURES - 4), [5, 5], r"expected features of shape \(b, 2, t, 262\)"),
        ((2, 1, 5, FEATURES), [5, 5], r"got \(2, 1, 5, 262\)"),
        ((2, 2, 5, FEATURES), [5], "expected 2 whole numbers"),
        ((2, 2, 5, FEATURES), [5.0, 5.0], "whole numbers"),
        ((2, 2, 5, FEATURES), [6, 5], r"1\.\.5 frames; got 5\.\.6"),
        ((2, 2, 5, FEATURES), [0, 5], r"1\.\.5 frames; got 0\.\.5"),
    ],
)
def test_other_motions_are_refused(
    shape: tuple[int, ...], lengths: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        InterClip(CONFIG).embed_motions(torch.zeros(shape), torch.tensor(lengths))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.zeros(2, 8, dtype=torch.int64), r"\(b, 9\), padded with 0; got \(2, 8\)"),
        (torch.full((2, 9), 30), r"0\.\.29; got 30\.\.30"),
        (torch.full((2, 9), -1), r"0\.\.29; got -1"),
    ],
)
def test_other_ids_are_refused(ids: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InterClip(CONFIG).embed_ids(ids)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 3}, "3 heads do not divide the width"),
        ({"text_heads": 5}, "5 heads do not divide the width 768"),
        ({"layers": 0}, "layers is 0"),
        ({"dropout": 1.0}, r"dropout is 1\.0"),
    ],
)
def test_impossible_sizes_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InterClipConfig(**changes)  # type: ignore[arg-type]
