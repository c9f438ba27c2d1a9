"""What holds for every evaluator: company, order and device of a batch do not matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from fake_evaluator import FakeEvaluator
from intermask.errors import UserError
from intermask.evaluation.evaluators import evaluator as module
from intermask.evaluation.evaluators.evaluator import (
    Evaluator,
    InterClipEvaluator,
    InterXPairEvaluator,
    NetworkEvaluator,
)
from intermask.evaluation.evaluators.interclip import InterClip
from intermask.evaluation.evaluators.interx import InterXEvaluator, InterXEvaluatorConfig
from intermask.evaluation.evaluators.words import CLASSES, TaggedCaptions, WordVectors
from released_evaluators import TINY_INTERCLIP

CPU = torch.device("cpu")
CAPTIONS = ("two people walk", "one person waits", "two people walk", "they bow", "one waits")
LENGTHS = (12, 40, 8, 12, 28)
FEATURES = {"interhuman": 262, "interx": 336}


class LetterTokenizer:
    """Letters as ids, in the form of CLIP's."""

    vocabulary_size = 600

    def encode_padded(self, captions: Sequence[str], length: int) -> Tensor:
        ids = torch.zeros(len(captions), length, dtype=torch.long)
        for row, caption in enumerate(captions):
            letters = [ord(letter) for letter in caption][: length - 1]
            ids[row, : len(letters) + 1] = torch.tensor([*letters, 599])
        return ids


def interclip() -> InterClipEvaluator:
    torch.manual_seed(0)
    tokenizer: Any = LetterTokenizer()
    return InterClipEvaluator(network=InterClip(TINY_INTERCLIP, tokenizer), device=CPU)


def interx() -> InterXPairEvaluator:
    torch.manual_seed(0)
    config = InterXEvaluatorConfig(
        movement_hidden=12, movement=8, motion_hidden=8, word=5, text_hidden=8, embedding=6
    )
    words = {each: torch.randn(5) for each in ("sos", "eos", "unk", "two", "people", "walk", "bow")}
    return InterXPairEvaluator(
        network=InterXEvaluator(config),
        device=CPU,
        vectors=WordVectors(words),
        tagged=TaggedCaptions({"they bow": [("they", "PRON"), ("bow", "VERB")]}),
    )


def motions(dataset: str) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, length, FEATURES[dataset], generator=generator) for length in LENGTHS]


@pytest.fixture(params=[interclip, interx], ids=["interclip", "interx"])
def evaluator(request: pytest.FixtureRequest) -> NetworkEvaluator:
    made: NetworkEvaluator = request.param()
    return made


def test_they_keep_the_protocol(evaluator: NetworkEvaluator) -> None:
    as_evaluator: Evaluator = evaluator
    assert as_evaluator.protocol.pool == {"interhuman": 96, "interx": 32}[as_evaluator.dataset]
    assert len(as_evaluator.fingerprint) == 64


def test_alone_or_in_company(evaluator: NetworkEvaluator) -> None:
    given = motions(evaluator.dataset)
    together = evaluator.embed_motions(given)
    assert together.shape == (len(given), evaluator.embedding) and together.dtype == torch.float32
    alone = torch.cat([evaluator.embed_motions([motion]) for motion in given])
    assert torch.allclose(together, alone, atol=1e-5)
    captions = evaluator.embed_captions(CAPTIONS)
    alone = torch.cat([evaluator.embed_captions([caption]) for caption in CAPTIONS])
    assert torch.allclose(captions, alone, atol=1e-5)
    assert torch.equal(captions[0], captions[2]) and not torch.allclose(captions[0], captions[1])


def test_small_batches_and_order(
    evaluator: NetworkEvaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = motions(evaluator.dataset)
    expected = evaluator.embed_motions(given), evaluator.embed_captions(CAPTIONS)
    monkeypatch.setattr(module, "MOTIONS_AT_ONCE", 2)
    monkeypatch.setattr(module, "CAPTIONS_AT_ONCE", 2)
    assert torch.allclose(evaluator.embed_motions(given[::-1]).flip(0), expected[0], atol=1e-5)
    assert torch.allclose(evaluator.embed_captions(CAPTIONS[::-1]).flip(0), expected[1], atol=1e-5)


def test_twice_the_same_to_the_bit(evaluator: NetworkEvaluator) -> None:
    given = motions(evaluator.dataset)
    assert torch.equal(evaluator.embed_motions(given), evaluator.embed_motions(given))
    assert torch.equal(evaluator.embed_captions(CAPTIONS), evaluator.embed_captions(CAPTIONS))


def test_nothing_in_nothing_out(evaluator: NetworkEvaluator) -> None:
    assert evaluator.embed_motions([]).shape == (0, evaluator.embedding)
    assert evaluator.embed_captions([]).shape == (0, evaluator.embedding)


def test_motions_that_cannot_be_read_are_numbered(evaluator: NetworkEvaluator) -> None:
    good = motions(evaluator.dataset)[0]
    with pytest.raises(UserError, match=r"motion 1 has shape \(1, 12"):
        evaluator.embed_motions([good, good[:1]])
    with pytest.raises(UserError, match="motion 1 holds NaN"):
        evaluator.embed_motions([good, good * float("nan")])


def test_fingerprints_tell_weights_apart() -> None:
    first, same, other = interclip(), interclip(), interclip()
    with torch.no_grad():
        other.network.scale.add_(1e-3)
    assert first.fingerprint == same.fingerprint != other.fingerprint


def test_an_evaluator_of_interx_without_words_says_so() -> None:
    network = interx().network
    with pytest.raises(UserError, match="no word vectors"):
        InterXPairEvaluator(network=network, device=CPU).embed_captions(["they bow"])


def test_captions_that_no_dataset_has_take_the_usual_tags() -> None:
    known = {"a": [("left", "ADJ")], "b": [("left", "NOUN")], "c": [("left", "NOUN")]}
    tagged = TaggedCaptions(known)
    assert list(tagged.words("a")) == [("left", "ADJ")]
    assert list(tagged.words("Left, 2 jump.")) == [
        ("left", "NOUN"), ("2", "OTHER"), ("jump", "OTHER")
    ]  # fmt: skip
    assert "OTHER" in CLASSES


def test_the_fake_one_knows_its_captions() -> None:
    given = motions("interhuman")
    fake: Evaluator = FakeEvaluator(dict(zip("abcde", given, strict=True)))
    assert torch.equal(fake.embed_captions(list("abcde")), fake.embed_motions(given))
    assert not torch.equal(fake.embed_captions(["f"]), fake.embed_captions(["g"]))
