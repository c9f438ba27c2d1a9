"""Inter-X's evaluator: parity with the released networks, and what must not matter to it."""

from __future__ import annotations

import pytest
import torch
from einops import rearrange
from torch import Tensor

from golden_files import golden, largest_error
from intermask.evaluation.evaluators.interx import (
    InterXEvaluator,
    InterXEvaluatorConfig,
    side_by_side,
)
from intermask.representation_smplx import FEATURES
from released_evaluators import released_interx

CONFIG = InterXEvaluatorConfig(
    movement_hidden=8,
    movement=6,
    motion_hidden=8,
    word=5,
    text_hidden=8,
    embedding=4,
    frames=24,
)


@pytest.fixture(scope="module")
def released() -> InterXEvaluator:
    return released_interx()


@pytest.fixture(scope="module")
def evaluator() -> InterXEvaluator:
    torch.manual_seed(0)
    return InterXEvaluator(CONFIG).eval()


# --- Parity --------------------------------------------------------------------------------------


@torch.inference_mode()
def test_motions_have_the_released_embeddings(released: InterXEvaluator) -> None:
    recorded = golden("evaluator_interx")
    movements = released.movement(recorded["motions"])
    assert largest_error(movements, recorded["movements"]) < 1e-5
    embeddings = released.embed_frames(recorded["motions"], recorded["lengths"])
    assert largest_error(embeddings, recorded["motion_emb"]) < 1e-5


@torch.inference_mode()
def test_captions_have_the_released_embeddings(released: InterXEvaluator) -> None:
    recorded = golden("evaluator_interx")
    embeddings = released.embed_words(
        recorded["word_emb"], recorded["pos_onehot"], recorded["cap_lens"]
    )
    assert largest_error(embeddings, recorded["text_emb"]) < 1e-5


def test_people_lie_side_by_side_as_released() -> None:
    recorded = golden("evaluator_interx_input")
    features = rearrange(recorded["motions"], "b t j (p d) -> b p t (j d)", p=2)
    assert torch.equal(side_by_side(features), recorded["prepared"])


# --- Laws ----------------------------------------------------------------------------------------


@torch.inference_mode()
def test_an_order_by_length_is_not_needed(released: InterXEvaluator) -> None:
    recorded = golden("evaluator_interx")
    order = torch.tensor([2, 0, 1])
    motions = released.embed_frames(recorded["motions"][order], recorded["lengths"][order])
    assert largest_error(motions, recorded["motion_emb"][order]) < 1e-5
    words = (recorded[name][order] for name in ("word_emb", "pos_onehot", "cap_lens"))
    assert largest_error(released.embed_words(*words), recorded["text_emb"][order]) < 1e-5


@torch.inference_mode()
def test_company_and_padding_of_motions_change_nothing(evaluator: InterXEvaluator) -> None:
    features = torch.randn(3, 2, 20, FEATURES)
    lengths = torch.tensor([7, 20, 12])
    together = evaluator.embed_motions(features, lengths)
    for index, length in enumerate(lengths.tolist()):
        alone = features[index : index + 1, :, :length]
        embedding = evaluator.embed_motions(alone, lengths[index : index + 1])
        assert largest_error(embedding[0], together[index]) < 1e-6


@torch.inference_mode()
def test_company_and_padding_of_captions_change_nothing(released: InterXEvaluator) -> None:
    recorded = golden("evaluator_interx")
    words, classes = recorded["word_emb"], recorded["pos_onehot"]
    for index, length in enumerate(recorded["cap_lens"].tolist()):
        alone = released.embed_words(
            words[index : index + 1, :length],
            classes[index : index + 1, :length],
            torch.tensor([length]),
        )
        assert largest_error(alone[0], recorded["text_emb"][index]) < 1e-6


@torch.inference_mode()
def test_steps_of_the_translation_are_not_seen(evaluator: InterXEvaluator) -> None:
    features, lengths = torch.randn(2, 2, 20, FEATURES), torch.tensor([20, 20])
    expected = evaluator.embed_motions(features, lengths)
    changed = features.clone()
    changed[..., -3:] += 1
    assert torch.equal(evaluator.embed_motions(changed, lengths), expected)
    changed[..., -6:] += 1
    assert largest_error(evaluator.embed_motions(changed, lengths), expected) > 1e-4


def test_every_weight_learns() -> None:
    evaluator = InterXEvaluator(CONFIG)
    motions = evaluator.embed_motions(torch.randn(3, 2, 20, FEATURES), torch.tensor([7, 20, 12]))
    captions = evaluator.embed_words(
        torch.randn(3, 4, 5), torch.randn(3, 4, 15), torch.tensor([1, 4, 2])
    )
    (motions * captions).sum().backward()
    assert all(weight.grad is not None for weight in evaluator.parameters())


@pytest.mark.parametrize(
    ("shape", "lengths", "message"),
    [
        ((2, 2, 8, 262), [8, 8], r"expected features of shape \(b, 2, t, 336\)"),
        ((2, 2, 8, FEATURES), [3, 8], r"4\.\.8 frames; got 3\.\.8"),
        ((2, 2, 30, FEATURES), [26, 30], "30 frames; this evaluator knows motions of 24"),
    ],
)
def test_other_motions_are_refused(
    evaluator: InterXEvaluator, shape: tuple[int, ...], lengths: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        evaluator.embed_motions(torch.zeros(shape), torch.tensor(lengths))


@pytest.mark.parametrize(
    ("words", "classes", "lengths"),
    [
        ((2, 3, 6), (2, 3, 15), (2,)),
        ((2, 3, 5), (2, 3, 14), (2,)),
        ((2, 3, 5), (2, 4, 15), (2,)),
        ((2, 3, 5), (2, 3, 15), (3,)),
    ],
)
def test_other_words_are_refused(
    evaluator: InterXEvaluator, words: tuple[int], classes: tuple[int], lengths: tuple[int]
) -> None:
    given: list[Tensor] = [torch.zeros(words), torch.zeros(classes), torch.ones(lengths).long()]
    with pytest.raises(ValueError, match=r"expected words \(2, 3, 5\), classes \(2, 3, 15\)"):
        evaluator.embed_words(*given)


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="movement is 0"):
        InterXEvaluatorConfig(movement=0)
    with pytest.raises(ValueError, match=r"dropout is -0\.1"):
        InterXEvaluatorConfig(dropout=-0.1)
