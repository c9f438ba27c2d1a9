"""Generation, reaction and completion by a tiny random model."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

import intermask
from golden_files import largest_error
from intermask.bundle import save_bundle
from intermask.config import SamplingConfig, TransformerConfig
from intermask.errors import UserError
from intermask.generation import generator as generator_module
from intermask.generation.consolidate import ConsolidationOptions
from intermask.generation.generator import InteractionGenerator
from intermask.generation.requests import GenerationOptions
from intermask.generation.sampler import guided
from intermask.geometry import yaw_matrix
from intermask.kinematics import bone_offsets, forward_kinematics
from intermask.models.transformer import InterMTransformer
from intermask.motion import Motion
from intermask.skeleton import SMPL22
from tiny_model import CODES, HashedWords, tiny_model
from walking import walking_pair
from worlds import moved

PROMPTS = ["Two people dance salsa.", "One pushes the other.", "They bow."]
SECONDS = [2.0, 1.1, 0.5]
PARTS = ("positions", "rotations", "root_rotations")


QUICK = ConsolidationOptions(rounds=2, settling=None, pacing=False)
"""Consolidation has tests of its own; here it only must not spoil anything."""


@pytest.fixture(scope="module")
def generator() -> InteractionGenerator:
    return InteractionGenerator(tiny_model(), HashedWords(), consolidation=QUICK)


def same(a: Motion, b: Motion) -> bool:
    return all(torch.equal(getattr(a, part), getattr(b, part)) for part in PARTS)


def assert_kept(result: Motion, given: Motion, kept: Tensor) -> None:
    """Bit for bit; and what is new is not a copy."""
    for part in PARTS:
        assert torch.equal(getattr(result, part)[kept], getattr(given, part)[kept])
    assert bool((result.positions != given.positions)[~kept].any(-1).any(-1).all())


# --- Generation ----------------------------------------------------------------------------------


def test_motions_are_what_was_asked_for(generator: InteractionGenerator) -> None:
    motions = generator(PROMPTS, SECONDS, seed=7)
    assert [motion.frames for motion in motions] == [60, 33, 15]
    assert [motion.caption for motion in motions] == PROMPTS
    assert [motion.seed for motion in motions] == [7, 8, 9]
    assert {motion.model for motion in motions} == {"tiny"}
    for motion in motions:
        assert motion.positions.dtype == torch.float32
        assert bool(torch.isfinite(motion.positions).all())
        assert float(motion.positions[..., 1].min()) > -1e-4


def test_a_motion_is_the_same_alone_and_in_a_batch(generator: InteractionGenerator) -> None:
    together = generator(PROMPTS, SECONDS, seed=3)
    in_pairs = generator(PROMPTS, SECONDS, seed=3, options=GenerationOptions(batch_size=2))
    for number, motion in enumerate(together):
        (alone,) = generator(PROMPTS[number : number + 1], SECONDS[number], seed=3 + number)
        assert same(alone, motion)
        assert same(in_pairs[number], motion)


def test_seed_text_and_settings_decide(generator: InteractionGenerator) -> None:
    def make(prompt: str = PROMPTS[0], seed: int = 0, **changes: float) -> Motion:
        options = GenerationOptions(sampling=SamplingConfig(steps=5, **changes))
        return generator([prompt], 1.0, seed, options)[0]

    assert same(make(), make())
    assert not same(make(), make(seed=1))
    assert not same(make(), make(prompt="They fight."))
    assert not same(make(), make(temperature=3.0))
    first, second = generator(["They bow."] * 2, 1.0, seed=[4, 4])
    assert same(first, second) and first.seed == second.seed == 4


def test_tokens_are_codes(generator: InteractionGenerator) -> None:
    maps = generator.tokens(PROMPTS, SECONDS)
    assert [tuple(each.shape) for each in maps] == [(2, 5, 15), (2, 5, 9), (2, 5, 4)]
    assert all(bool((each < CODES).all()) for each in maps)


def test_bones_are_rigid_and_rotations_lead_to_the_positions() -> None:
    (motion,) = InteractionGenerator(tiny_model(), HashedWords())(PROMPTS[:1], 1.0)
    bones = [
        (motion.positions[:, :, child] - motion.positions[:, :, parent]).norm(dim=-1)
        for parent, child in SMPL22.bones
    ]
    assert max(float(bone.std(1).max()) for bone in bones) < 1e-4
    offsets = bone_offsets(motion.positions, motion.root_rotations, motion.rotations)
    again = forward_kinematics(
        offsets[:, None], motion.positions[..., 0, :], motion.root_rotations, motion.rotations
    )
    assert largest_error(again, motion.positions) < 1e-3


def test_missing_seconds_are_estimated(generator: InteractionGenerator) -> None:
    estimate = generator.estimate("dancing salsa")
    assert estimate.seconds == 4.0 and estimate.neighbours[0][0] == "Two people dance salsa."
    assert generator(["One person pushes the other."])[0].frames == 60
    long = InteractionGenerator(tiny_model(), HashedWords())
    long.model.durations = {"Two people dance.": 40.0}
    assert long.estimate("dance").seconds == 10.0


def test_progress_is_told(generator: InteractionGenerator) -> None:
    told: list[tuple[int, int]] = []
    options = GenerationOptions(
        on_step=lambda number, rounds, tokens: told.append((number, rounds))
    )
    generator(["They bow."], 0.5, options=options)
    assert told == [(number, 5) for number in range(1, 6)]
    told.clear()
    generator.react(walking_pair(20), 1, "They bow.", options=options)
    assert told == [(number, 4) for number in range(1, 5)]


# --- Reaction ------------------------------------------------------------------------------------


@pytest.mark.parametrize("person", [1, 2])
def test_a_reaction_keeps_the_given_person(generator: InteractionGenerator, person: int) -> None:
    given = moved(walking_pair(50), 2.5, (4.0, 0.0, -9.0))
    kept = torch.zeros(2, 50, dtype=torch.bool)
    kept[person - 1] = True
    result = generator.react(given, person, "They bow.", seed=11)
    assert_kept(result, given, kept)
    assert (result.caption, result.seed, result.model) == ("They bow.", 11, "tiny")


@pytest.mark.parametrize("person", [1, 2])
def test_a_reaction_does_not_look_at_the_other(
    generator: InteractionGenerator, person: int
) -> None:
    given = walking_pair(30)
    changed = replace(given, positions=given.positions.clone(), rotations=given.rotations.clone())
    changed.positions[2 - person] += torch.randn(30, 22, 3)
    changed.rotations[2 - person] = torch.eye(3)
    assert same(
        generator.react(given, person, "They bow."), generator.react(changed, person, "They bow.")
    )


def test_exchanging_the_people_exchanges_the_reaction(generator: InteractionGenerator) -> None:
    given = walking_pair(30)
    first = generator.react(given, 2, "They bow.", seed=2)
    second = generator.react(given.swapped(), 1, "They bow.", seed=2)
    assert same(first, second.swapped())


# --- Completion ----------------------------------------------------------------------------------


@pytest.mark.parametrize("person", [None, 1, 2])
@pytest.mark.parametrize("keep", [[(0, 0.5)], [(1.0, 1.5)], [(0.1, 0.5), (1.3, 1.5)]])
def test_a_completion_keeps_the_ranges(
    generator: InteractionGenerator, keep: list[tuple[float, float]], person: int | None
) -> None:
    given = moved(walking_pair(45), -2.0, (1.0, 0.0, 3.0))
    kept = torch.zeros(2, 45, dtype=torch.bool)
    for start, end in keep:
        kept[:, round(30 * start) : round(30 * end)] = True
    if person is not None:
        kept[2 - person] = True
    result = generator.complete(given, "They bow.", keep, person, seed=1)
    assert_kept(result, given, kept)
    assert result.frames == given.frames


def test_a_person_without_ranges_is_a_reaction(generator: InteractionGenerator) -> None:
    given = walking_pair(30)
    completed = generator.complete(given, "They bow.", person=2, seed=5)
    assert same(completed, generator.react(given, 1, "They bow.", seed=5))


def test_known_tokens_are_those_of_the_given_motion(
    generator: InteractionGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid_out: list[Tensor] = []
    sample = generator_module.MaskedSampler.sample

    def spy(self, tokens, *rest, **more):
        laid_out.append(tokens.clone())
        return sample(self, tokens, *rest, **more)

    monkeypatch.setattr(generator_module.MaskedSampler, "sample", spy)
    generator.complete(walking_pair(40), "They bow.", [(0.0, 0.5)])
    known = (laid_out[0] != CODES)[0].all(1)  # (p, n)
    assert known.tolist() == [[True] * 3 + [False] * 7] * 2  # 15 frames are 3 whole columns


# --- Laws of both --------------------------------------------------------------------------------


@pytest.mark.parametrize("floor", ["per_person", "shared"])
@pytest.mark.parametrize("person", [None, 1, 2])
def test_turning_and_moving_the_world_turns_and_moves_the_result(
    person: int | None, floor: str
) -> None:
    generator = InteractionGenerator(tiny_model(floor=floor), HashedWords(), consolidation=QUICK)
    here = walking_pair(40)
    here.positions[1, ..., 1] += 0.1
    yaw, shift = 1.3, (2.0, 0.0, -3.0)
    keep = [(0.2, 0.6)]
    one = moved(generator.complete(here, "They bow.", keep, person), yaw, shift)
    other = generator.complete(moved(here, yaw, shift), "They bow.", keep, person)
    assert largest_error(one.positions, other.positions) < 1e-4
    # bones of a random body fold back on themselves, where rounding turns them most
    assert largest_error(one.rotations, other.rotations) < 1e-3
    assert largest_error(one.root_rotations, other.root_rotations) < 1e-3


@pytest.mark.parametrize("person", [1, 2])
def test_a_reaction_starts_where_the_tokens_say(
    generator: InteractionGenerator, person: int
) -> None:
    """The new person stands to the given one alike in any world."""
    given = walking_pair(32)
    apart = []
    for yaw, shift in ((0.0, (0.0, 0.0, 0.0)), (2.8, (5.0, 0.0, 1.0))):
        made = generator.react(moved(given, yaw, shift), person, "They bow.")
        between = made.positions[2 - person, :, 0] - made.positions[person - 1, :, 0]
        apart.append(between @ yaw_matrix(torch.tensor(yaw)))
    assert largest_error(*apart) < 1e-4


def test_new_frames_do_not_jump_at_kept_ones(generator: InteractionGenerator) -> None:
    given = walking_pair(90)
    as_wild = ConsolidationOptions(settling=None)  # else what it is compared with would be calmed
    generator = InteractionGenerator(generator.model, HashedWords(), consolidation=as_wild)
    made = generator.complete(given, "They bow.", [(0.0, 1.0), (2.0, 3.0)])
    steps = (made.positions[:, 1:] - made.positions[:, :-1]).norm(dim=-1).amax(-1)  # (p, t-1)
    inside = float(torch.cat((steps[:, :29], steps[:, 30:59], steps[:, 60:]), 1).max())
    assert float(steps[:, (29, 59)].max()) < inside


# --- What cannot be done -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompts": []}, "no prompt"),
        ({"prompts": "They bow."}, "list of prompts"),
        ({"prompts": ["They bow.", "  "]}, "prompt 2 is empty"),
        ({"prompts": ["bow " * 40]}, "42 text tokens.*at most 12"),
        ({"seconds": 0.1}, "out of range.*0.5 to 10"),
        ({"seconds": 11}, "out of range"),
        ({"seconds": float("nan")}, "out of range"),
        ({"seconds": [1.0, 2.0]}, "1 prompts came with 2 seconds"),
        ({"seed": [1, 2]}, "1 prompts came with 2 seeds"),
        ({"seed": -1}, "the seed is -1"),
    ],
)
def test_unusable_requests_are_named(
    generator: InteractionGenerator, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        generator(**({"prompts": ["They bow."], "seconds": 1.0} | arguments))  # type: ignore[arg-type]


def test_options_are_checked() -> None:
    with pytest.raises(UserError, match="batch size is 0"):
        GenerationOptions(batch_size=0)


def test_unusable_motions_are_named(generator: InteractionGenerator) -> None:
    given = walking_pair(60)
    with pytest.raises(UserError, match="no person 3"):
        generator.react(given, 3, "They bow.")
    with pytest.raises(UserError, match="25 frames a second"):
        generator.react(replace(given, fps=25.0), 1, "They bow.")
    with pytest.raises(UserError, match=r"0\.33 seconds"):
        generator.react(given.cropped(0, 10), 1, "They bow.")
    with pytest.raises(UserError, match="empty"):
        generator.react(given, 1, "")
    with pytest.raises(UserError, match="nothing of the motion is kept"):
        generator.complete(given, "They bow.")
    with pytest.raises(UserError, match="all of the motion is kept"):
        generator.complete(given, "They bow.", [(0, 2)])
    with pytest.raises(UserError, match="all of the motion is kept"):
        generator.complete(given, "They bow.", [(0, 2)], person=1)
    with pytest.raises(UserError, match="overlaps"):
        generator.complete(given, "They bow.", [(0, 1), (0.5, 1.5)])


# --- Loading -------------------------------------------------------------------------------------


def test_the_encoder_is_loaded_when_it_is_needed() -> None:
    loads: list[int] = []

    def load() -> HashedWords:
        loads.append(1)
        return HashedWords()

    generator = InteractionGenerator(tiny_model(), load)
    assert not loads
    generator.tokens(PROMPTS, SECONDS)
    generator.tokens(PROMPTS, SECONDS)
    assert len(loads) == 1


def test_another_encoder_than_the_models_is_refused() -> None:
    wide = HashedWords()
    wide.width = 99  # type: ignore[misc]
    with pytest.raises(UserError, match="99 features"):
        InteractionGenerator(tiny_model(), wide).tokens(["They bow."], 1.0)


def test_a_saved_bundle_generates_the_same(generator: InteractionGenerator, tmp_path) -> None:
    folder = save_bundle(tiny_model(), tmp_path / "bundle")
    loaded = intermask.load_generator(folder, device="cpu")
    loaded._encoder = HashedWords()  # the tiny model has no real one
    loaded.consolidation = QUICK
    (one,), (other,) = generator(PROMPTS[:1], 1.0), loaded(PROMPTS[:1], 1.0)
    assert same(one, other)
    assert loaded.estimate("push").seconds == 2.0


# --- Full size -----------------------------------------------------------------------------------


@pytest.mark.heavy
@torch.inference_mode()
def test_full_size_logits_are_the_same_alone_and_in_a_batch() -> None:
    """The paper's transformer in float32: within 1e-4 of the largest logit."""
    torch.manual_seed(0)
    transformer = InterMTransformer(TransformerConfig()).eval()
    for weight in transformer.parameters():
        if weight.ndim == 2:
            torch.nn.init.normal_(weight, std=0.03)
    lengths = torch.tensor([75, 40, 11])
    valid = torch.arange(75) < lengths[:, None]
    tokens = torch.randint(0, 1025, (3, 2, 5, 75))
    condition = torch.randn(3, 768)
    together = guided(transformer, condition, 2.0)(tokens, valid)
    for row, length in enumerate(lengths.tolist()):
        own = tokens[row : row + 1, ..., :length]
        alone = guided(transformer, condition[row : row + 1], 2.0)(
            own, torch.ones(1, length, dtype=torch.bool)
        )
        difference = (alone[0] - together[row, :, :, :length]).abs().max()
        print(f"{length} columns: {float(difference / alone.abs().max()):.1e}")
        assert float(difference / alone.abs().max()) < 1e-4
