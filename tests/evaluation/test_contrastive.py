"""The contrastive loss, by hand and by its laws, and the network around it."""

from __future__ import annotations

import math

import pytest
import torch

from intermask.config import DataSet, EvaluatorConfig, TextConfig
from intermask.evaluation.evaluators.contrastive import (
    LONGEST,
    ContrastiveEvaluator,
    contrastive_losses,
)
from intermask.representation_smplx import encode_pair
from intermask.text.features import TextFeatures
from people55 import walking_smplx

NOTHING = torch.zeros(4, 4, dtype=torch.bool)


def network(dataset: DataSet = "interhuman") -> ContrastiveEvaluator:
    torch.manual_seed(0)
    sizes = EvaluatorConfig(
        dataset=dataset, width=16, layers=1, heads=2, feedforward=16, embedding=6
    )
    text = TextConfig(encoder="minilm", width=8, head_heads=2, head_feedforward=16)
    return ContrastiveEvaluator(sizes, text).eval()


def test_embeddings_that_say_nothing_are_at_chance() -> None:
    same = torch.ones(4, 3)
    entropy, _ = contrastive_losses(same, same, NOTHING)
    assert entropy.item() == pytest.approx(math.log(4))


def test_embeddings_that_say_everything_cost_nothing() -> None:
    perfect = 6 * torch.eye(4)
    entropy, accuracy = contrastive_losses(perfect, perfect, NOTHING)
    assert entropy.item() < 1e-6 and accuracy == 1
    entropy, accuracy = contrastive_losses(perfect, perfect.roll(1, 0), NOTHING)
    assert entropy.item() > 30 and accuracy == 0


def test_by_hand() -> None:
    texts, motions = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [1.0, 3.0]])
    by_text = [math.log(1 + math.exp(-1)), math.log(1 + math.exp(-3))]
    by_motion = [math.log(1 + math.exp(-2)), math.log(1 + math.exp(-2))]
    expected = (sum(by_text) / 2 + sum(by_motion) / 2) / 2
    assert contrastive_losses(texts, motions, NOTHING[:2, :2])[0].item() == pytest.approx(expected)


def test_what_is_ignored_neither_costs_nor_pulls() -> None:
    """Two clips with one caption: neither is wrong for it."""
    texts, motions = torch.randn(4, 5), torch.randn(4, 5)
    ignored = NOTHING.clone()
    ignored[0, 1] = ignored[1, 0] = True
    ignored.fill_diagonal_(True)  # a text tells of its own motion, and that is never ignored
    texts.requires_grad_()
    motions.requires_grad_()
    entropy, _ = contrastive_losses(texts, motions, ignored)
    logits = (texts @ motions.T).detach()
    logits[0, 1] = logits[1, 0] = -torch.inf
    expected = -(logits.log_softmax(1).diag().mean() + logits.log_softmax(0).diag().mean()) / 2
    assert entropy.item() == pytest.approx(expected.item(), abs=1e-5)
    only_pair = torch.ones(2, 2, dtype=torch.bool)
    loss, accuracy = contrastive_losses(texts[:2], motions[:2], only_pair)
    assert loss == 0 and accuracy == 1
    (gradient,) = torch.autograd.grad(loss, motions)
    assert not gradient.any()


def test_text_and_motion_have_the_same_part() -> None:
    texts, motions = torch.randn(4, 5), torch.randn(4, 5)
    ignored = torch.rand(4, 4) < 0.3
    first, second = (
        contrastive_losses(*each)[0]
        for each in ((texts, motions, ignored), (motions, texts, ignored.T))
    )
    assert first.item() == pytest.approx(second.item(), abs=1e-6)


@torch.inference_mode()
def test_embeddings_have_the_learned_length() -> None:
    made = network()
    text = TextFeatures(torch.randn(3, 5, 8), torch.tensor([4, 2, 3]), torch.ones(3, 5).bool())
    motions, lengths = torch.randn(3, 2, 12, 262), torch.tensor([12, 4, 8])
    for start, length in ((2.5, 2.5), (50.0, LONGEST)):
        made.scale.fill_(start)
        for embedded in (made.embed_text(text), made.embed_motions(motions, lengths)):
            assert embedded.shape == (3, 6)
            assert torch.allclose(embedded.norm(dim=-1), torch.tensor(length))


@torch.inference_mode()
def test_statistics_of_the_data_are_part_of_the_network() -> None:
    made, motions = network(), torch.randn(2, 2, 8, 262)
    lengths = torch.tensor([8, 8])
    before = made.embed_motions(motions, lengths)
    made.normaliser.mean.fill_(3.0)
    made.normaliser.std.fill_(2.0)
    assert torch.allclose(made.embed_motions(2 * motions + 3, lengths), before, atol=1e-5)
    assert {"normaliser.mean", "normaliser.std"} <= set(made.state_dict())


@torch.inference_mode()
def test_all_numbers_of_interx_are_seen_and_none_of_contacts() -> None:
    """What a tokenizer reconstructs counts, for each of both people, and nothing else does."""
    for dataset, width, unseen in (("interhuman", 262, 4), ("interx", 336, 0)):
        made = network(dataset)
        motion, lengths = torch.randn(1, 2, 8, width), torch.tensor([8])
        before = made.embed_motions(motion, lengths)
        for person in (0, 1):
            for column in (0, 100, width - unseen - 1):
                changed = motion.clone()
                changed[:, person, 3, column] += 1.0
                assert not torch.allclose(made.embed_motions(changed, lengths), before, atol=1e-6)
        changed = motion.clone()
        changed[..., width - unseen :] += 1.0
        assert torch.equal(made.embed_motions(changed, lengths), before)
        with pytest.raises(ValueError, match=rf"shape \(b, 2, t, {width}\); got \(1, 2, 8, 10\)"):
            made.embed_motions(torch.randn(1, 2, 8, 10), lengths)


@torch.inference_mode()
def test_where_people_of_interx_were_captured_says_nothing() -> None:
    """Placing them for the network is no matter of company or padding, either."""
    made, loaded = network("interx"), walking_smplx(21)
    features = encode_pair(loaded)
    elsewhere = loaded.clone()
    elsewhere[:, :, 55] += torch.tensor([3.0, 0.0, -1.0])
    longer = torch.cat((encode_pair(elsewhere), torch.zeros(2, 8, 336)), 1)
    alone = made.embed_motions(features[None], torch.tensor([20]))
    both = made.embed_motions(
        torch.stack((torch.randn(2, 28, 336), longer)), torch.tensor([28, 20])
    )
    assert torch.allclose(both[1], alone[0], atol=1e-5)
    assert not torch.allclose(both[0], alone[0], atol=1e-2)
