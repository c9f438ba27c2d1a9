"""Drafts: what bodies cannot do is seen, and the best one is kept whatever company it is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from fake_evaluator import FakeEvaluator
from intermask.config import SamplingConfig
from intermask.generation.consolidate import ConsolidationOptions
from intermask.generation.drafts import Choice, best_draft, draft_seeds, flaws
from intermask.generation.generator import InteractionGenerator
from intermask.generation.requests import GenerationOptions
from intermask.geometry import axis_angle_to_matrix
from intermask.motion import Motion
from tiny_model import HashedWords, tiny_model
from walking import walking_pair

PROMPTS = ["Two people bow.", "One person pushes the other."]
CLEAN = walking_pair(60).positions
QUICK = ConsolidationOptions(rounds=2, settling=None, pacing=False)


class FondCritic(FakeEvaluator):
    """One for whom the sentence is all that counts."""

    def embed_motions(self, motions: Sequence[Tensor]) -> Tensor:
        return 1e4 * super().embed_motions(motions)

    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        return 1e4 * super().embed_captions(captions)


def unwanted() -> FakeEvaluator:
    raise AssertionError("one draft needs no critic")


def drafted(number: int) -> GenerationOptions:
    return GenerationOptions(sampling=SamplingConfig(steps=3, drafts=number))


def made(generator: InteractionGenerator, seed: int, number: int = 1) -> Motion:
    return generator(PROMPTS[:1], 1.0, seed, drafted(number))[0]


def tilted(positions: Tensor, angle: float) -> Tensor:
    """Everybody leant over to a side about their feet, so that they touch the floor as before."""
    feet = positions[..., (7, 8, 10, 11), :].mean(-2, keepdim=True)
    turned = feet + (positions - feet) @ axis_angle_to_matrix(torch.tensor([angle, 0.0, 0.0])).mT
    turned[..., 1] -= turned[..., 1].amin(-1, keepdim=True)
    return turned


def test_people_who_walk_have_no_flaws() -> None:
    found = flaws(CLEAN)
    assert found.overlap < 0.001 and found.hover < 0.03
    assert found.unbalanced == 0 and found.jumps == 0
    assert found.weight < 0.5


def test_each_flaw_is_seen_and_counts() -> None:
    inside, up, jumping = CLEAN.clone(), CLEAN.clone(), CLEAN.clone()
    inside[1] += inside[0, :, :1] - inside[1, :, :1] + torch.tensor([0.05, 0.0, 0.05])
    up[..., 1] += 0.3
    jumping[0, 30:, :, 0] += 0.5
    leant = tilted(CLEAN, 0.8)
    frozen = torch.stack((CLEAN[0], CLEAN[1, :1].expand(60, 22, 3)))
    clean = flaws(CLEAN)
    assert flaws(inside).overlap > clean.overlap + 0.05
    assert flaws(up).hover == pytest.approx(clean.hover + 0.3, abs=0.01)
    assert flaws(jumping).jumps == 1
    assert flaws(leant).unbalanced > 0.5
    assert flaws(frozen).stillness == 1 and clean.stillness == 0
    for spoilt in (inside, up, jumping, leant, frozen):
        assert flaws(spoilt).weight > clean.weight + 0.1


def test_a_person_in_the_air_is_not_out_of_balance() -> None:
    carried = CLEAN.clone()
    carried[1, ..., 1] += 0.8
    assert flaws(carried).unbalanced == 0


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_very_short_drafts_can_be_compared(frames: int) -> None:
    assert flaws(CLEAN[:, :frames]).weight < 0.5


def test_seeds_of_drafts() -> None:
    assert draft_seeds(7, 1) == [7]
    seeds = draft_seeds(7, 4)
    assert seeds[:2] == draft_seeds(7, 2) and seeds[0] == 7
    assert len({*seeds, *draft_seeds(8, 4)}) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_without_a_critic_the_fewest_flaws_win_and_with_one_the_sentence_counts() -> None:
    features = [torch.randn(2, 20, 262, generator=torch.Generator().manual_seed(s)) for s in (1, 2)]
    clean, leant = flaws(CLEAN), flaws(tilted(CLEAN, 0.8))
    assert best_draft(features, [leant, clean], "They bow.", None) == 1
    told = FakeEvaluator(known={"They bow.": features[0]})
    assert best_draft(features, [clean, clean], "They bow.", told) == 0
    assert best_draft(features[::-1], [clean, clean], "They bow.", told) == 1


def test_the_best_draft_is_one_of_those_that_its_seeds_make() -> None:
    generator = InteractionGenerator(tiny_model(), HashedWords(), consolidation=QUICK)
    alone = [made(generator, seed) for seed in draft_seeds(5, 3)]
    kept = made(generator, 5, 3)
    assert [torch.equal(each.positions, kept.positions) for each in alone].count(True) == 1
    assert kept.seed == 5


def test_a_critic_chooses_the_draft_that_it_reads_in_the_sentence() -> None:
    model = tiny_model()
    plain = InteractionGenerator(model, HashedWords(), consolidation=QUICK)
    wanted = 2
    (tokens,) = plain.tokens(PROMPTS[:1], 1.0, draft_seeds(5, 3)[wanted], drafted(1))
    (features,) = plain.coder.decode([tokens])
    fond = FondCritic(known={PROMPTS[0]: features[:, :30]})
    kept = made(
        InteractionGenerator(model, HashedWords(), consolidation=QUICK, critic=lambda: fond), 5, 3
    )
    expected = made(plain, draft_seeds(5, 3)[wanted])
    assert torch.equal(kept.positions, expected.positions)


def test_drafts_are_the_same_alone_and_in_a_batch() -> None:
    generator = InteractionGenerator(
        tiny_model(), HashedWords(), consolidation=QUICK, critic=FakeEvaluator()
    )
    together = generator(PROMPTS, [1.0, 1.5], 3, drafted(3))
    for number, motion in enumerate(together):
        (alone,) = generator([PROMPTS[number]], [1.0, 1.5][number], 3 + number, drafted(3))
        torch.testing.assert_close(alone.positions, motion.positions, atol=1e-5, rtol=0)


def test_evaluations_get_one_draft() -> None:
    generator = InteractionGenerator(
        tiny_model(), HashedWords(), consolidation=QUICK, critic=unwanted
    )
    made(generator, 5)
    (one,) = generator.tokens(PROMPTS[:1], 1.0, 5, drafted(1))
    (many,) = generator.tokens(PROMPTS[:1], 1.0, 5, drafted(3))
    assert torch.equal(one, many)


def test_reactions_and_completions_of_several_drafts_keep_what_is_given() -> None:
    generator = InteractionGenerator(tiny_model(), HashedWords(), consolidation=QUICK)
    given = walking_pair(40)
    reply = generator.react(given, 1, "They bow.", 0, drafted(2))
    assert torch.equal(reply.positions[0], given.positions[0])
    filled = generator.complete(given, "They bow.", [(0.0, 0.5)], seed=0, options=drafted(2))
    assert torch.equal(filled.positions[:, :15], given.positions[:, :15])


class FondOfTheLast(FakeEvaluator):
    """One to whom every draft is nearer to its sentence than the one before."""

    def embed_motions(self, motions: Sequence[Tensor]) -> Tensor:
        return torch.arange(len(motions), 0, -1.0)[:, None].expand(-1, self.width)

    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        return torch.zeros(len(captions), self.width)


def test_a_critic_chooses_for_edits_as_well_and_the_choice_is_told() -> None:
    model, given = tiny_model(), walking_pair(40)
    judged = InteractionGenerator(model, HashedWords(), consolidation=QUICK, critic=FondOfTheLast)
    told: list[tuple[int, Choice]] = []
    options = replace(drafted(3), on_choice=lambda seed, choice: told.append((seed, choice)))
    kept = judged.edit(given, [(0.3, 1.0)], "They bow.", seed=5, options=options)
    plain = InteractionGenerator(model, HashedWords(), consolidation=QUICK)
    last = plain.edit(given, [(0.3, 1.0)], "They bow.", None, draft_seeds(5, 3)[2], drafted(1))
    assert torch.equal(kept.positions, last.positions)
    ((seed, choice),) = told
    assert (seed, choice.chosen, len(choice.flaws)) == (5, 2, 3)
    assert choice.describe().startswith("draft 3 of 3 is kept: flaws ")
    assert "distance to the text" in choice.describe()


def test_drafts_that_miss_what_is_kept_lose() -> None:
    features = [torch.zeros(2, 20, 262)] * 2
    clean = flaws(CLEAN)
    assert best_draft(features, [clean, clean], "They bow.", None, [1.0, 0.0]) == 1
