"""Motions as decoded, for evaluations: exact lengths, known parts, alone and in batches."""

from __future__ import annotations

import pytest
import torch

from golden_files import largest_error
from intermask.data.batching import canonical_people
from intermask.generation.coding import FeatureCoder, batches_of_one_length
from intermask.generation.generator import InteractionGenerator
from intermask.generation.requests import GenerationOptions, KnownTokens, Request
from tiny_model import HashedWords, tiny_model
from walking import walking_pair
from worlds import loaded

REQUESTS = [
    Request("They bow.", 40, 3),
    Request("One pushes the other.", 24, 4),
    Request("They bow.", 40, 5),
    Request("a caption of many more words than the encoder of these tests ever reads", 33, 6),
]


@pytest.fixture(scope="module")
def generator() -> InteractionGenerator:
    return InteractionGenerator(tiny_model(), HashedWords())


def walk(frames: int, seed: int = 0) -> torch.Tensor:
    return canonical_people(loaded(walking_pair(frames + 1, seed=seed)), "per_person")


def test_features_have_the_frames_that_were_asked_for(generator: InteractionGenerator) -> None:
    made = generator.features(REQUESTS)
    assert [tuple(each.shape) for each in made] == [(2, t, 262) for t in (40, 24, 40, 33)]
    assert all(each.dtype == torch.float32 and bool(each.isfinite().all()) for each in made)
    assert not torch.equal(made[0], made[2])  # same text and length, another seed


def test_features_are_the_same_alone_and_in_any_batch(generator: InteractionGenerator) -> None:
    together = generator.features(REQUESTS)
    fresh = InteractionGenerator(tiny_model(), HashedWords())
    for number, request in enumerate(REQUESTS):
        (alone,) = fresh.features([request], options=GenerationOptions(batch_size=1))
        assert largest_error(together[number], alone) < 1e-5
    in_pairs = generator.features(REQUESTS[::-1], options=GenerationOptions(batch_size=2))[::-1]
    for one, other in zip(together, in_pairs, strict=True):
        assert largest_error(one, other) < 1e-5


def test_features_are_what_motions_are_made_of(generator: InteractionGenerator) -> None:
    """`__call__` with its cleaning taken away."""
    request = REQUESTS[1]
    (features,) = generator.features([request])
    (tokens,) = generator.tokens([request.prompt], request.frames / 30, request.seed)
    assert torch.equal(features, generator.coder.decode([tokens])[0])


def test_known_parts_stay_as_the_tokenizer_has_them(generator: InteractionGenerator) -> None:
    real = [walk(40), walk(24, seed=3)]
    tokens = generator.coder.encode(real, batch_size=2)
    columns = []
    for each in tokens:
        known = torch.zeros(2, each.shape[-1], dtype=torch.bool)
        known[:, 0] = known[:, -1] = True
        columns.append(known)
    known = [KnownTokens(*pair) for pair in zip(tokens, columns, strict=True)]
    filled = generator._sample(
        REQUESTS[:2],
        [torch.where(each.columns[:, None], each.tokens, 32) for each in known],
        generator.model.config.sampling,
        GenerationOptions(),
    )
    made = generator.features(REQUESTS[:2], known)
    for features, maps, given in zip(made, filled, tokens, strict=True):
        assert torch.equal(maps[..., (0, -1)], given[..., (0, -1)])
        assert largest_error(features, generator.coder.decode([maps])[0]) < 1e-5


def test_a_known_person_stays_and_takes_the_rounds_of_a_reaction(
    generator: InteractionGenerator,
) -> None:
    (tokens,) = generator.coder.encode([walk(24)])
    columns = torch.tensor([[True], [False]]).expand(2, 6)
    rounds = []
    options = GenerationOptions(on_step=lambda number, of, tokens: rounds.append(of))
    (made,) = generator.features(REQUESTS[1:2], [KnownTokens(tokens, columns)], options)
    assert set(rounds) == {generator.model.config.sampling.reaction_steps}
    (reconstruction,) = generator.coder.decode([tokens])
    assert largest_error(made[0], reconstruction[0]) < 1e-5
    assert largest_error(made[1], reconstruction[1]) > 0.1


def test_clips_of_one_length_are_coded_together() -> None:
    model = tiny_model()
    coder = FeatureCoder(model.tokenizer, model.normaliser)
    clips = [walk(24, 1), walk(32, 2), walk(24, 3), walk(24, 4)]
    together = coder.encode(clips, batch_size=2)
    for clip, tokens in zip(clips, together, strict=True):
        assert torch.equal(tokens, coder.encode([clip])[0])
        assert tokens.shape == (2, 5, clip.shape[1] // 4)
    assert [len(each) for each in batches_of_one_length([6, 8, 6, 6], 2)] == [2, 1, 1]


def test_a_last_column_is_filled_up_with_the_last_frame() -> None:
    """Clips of an evaluation are of lengths that not every tokenizer divides."""
    model = tiny_model()
    coder = FeatureCoder(model.tokenizer, model.normaliser)
    clip = walk(24, 1)
    held = torch.cat((clip[:, :21], clip[:, 20:21].expand(-1, 3, -1)), 1)
    short, whole = coder.encode([clip[:, :21], held])
    assert torch.equal(short, whole)
    assert short.shape == (2, 5, 6)
