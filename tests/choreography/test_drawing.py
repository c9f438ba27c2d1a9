"""Laws of drawn scenes: what the plan says is possible, and what the captions say is true."""

from __future__ import annotations

import functools
import json
import math
import re
from collections import Counter
from itertools import pairwise

import pytest
import torch

from intermask.choreography.captions import read_grammar, read_joints, repeated_words
from intermask.choreography.drawing import (
    CHAIN_SHARE,
    STANDING_SHARE,
    draw_pair,
    draw_scene,
    held_out_combinations,
    is_held_out,
    pair_facts,
)
from intermask.choreography.families import FAMILIES, INTERACTIONS
from intermask.choreography.reach import beyond_reach, gap, pose_at, turned
from intermask.choreography.scene import ScenePlan
from intermask.choreography.staging import LONGEST, WIDEST
from intermask.errors import UserError

NAMES = [family.name for family in INTERACTIONS]


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@functools.cache
def scenes(family: str, count: int = 150) -> tuple[ScenePlan, ...]:
    source = generator(1)
    return tuple(FAMILIES[family].draw(source) for _ in range(count))


@functools.cache
def mixed(count: int = 400) -> tuple[ScenePlan, ...]:
    source = generator(2)
    return tuple(draw_scene(source) for _ in range(count))


@functools.cache
def chains() -> tuple[ScenePlan, ...]:
    return tuple(plan for plan in mixed() if plan.family == "chain")


def every_kind() -> list[ScenePlan]:
    return [*mixed(), *(plan for name in FAMILIES for plan in scenes(name))]


# Plans.


def test_sixteen_families() -> None:
    assert len(INTERACTIONS) == 16


def test_draws_hang_on_the_generator_alone() -> None:
    first, second = generator(7), generator(7)
    for _ in range(30):
        assert draw_scene(first) == draw_scene(second)
    assert draw_scene(first) != draw_scene(generator(7))


def test_shares_of_chains_and_of_people_who_just_stand() -> None:
    kinds = Counter(plan.family for plan in mixed())
    count = len(mixed())
    assert abs(kinds["chain"] / count - CHAIN_SHARE) < 0.07
    assert abs(kinds["stand"] / count - STANDING_SHARE) < 0.035
    assert set(NAMES) <= set(kinds)


def test_scenes_keep_within_time_and_room() -> None:
    for plan in every_kind():
        assert 3.0 <= plan.seconds <= LONGEST
        places = [way.place for person in plan.people for way in person.waypoints]
        for axis in (0, 1):
            values = [place[axis] for place in places]
            assert max(values) - min(values) <= WIDEST


def test_paths_go_forward_in_time_and_last_as_long_as_the_scene() -> None:
    for plan in every_kind():
        for person in plan.people:
            times = [way.seconds for way in person.waypoints]
            assert times[0] == 0.0
            assert times[-1] == pytest.approx(plan.seconds)
            assert all(later > earlier for earlier, later in pairwise(times))


def test_nobody_walks_faster_than_people_do() -> None:
    for plan in every_kind():
        for person in plan.people:
            for start, end in pairwise(person.waypoints):
                assert math.dist(start.place, end.place) <= 2.2 * (end.seconds - start.seconds)


def test_nobody_turns_faster_than_people_do() -> None:
    for plan in every_kind():
        for person in plan.people:
            for start, end in pairwise(person.waypoints):
                if start.heading is not None and end.heading is not None:
                    angle = abs(turned(end.heading - start.heading))
                    assert angle <= 4.0 * (end.seconds - start.seconds), plan.facts


def test_nobodys_path_runs_through_the_partner() -> None:
    for plan in every_kind():
        for tenth in range(int(plan.seconds * 10)):
            assert gap(plan.people, tenth / 10) > 0.29, (plan.family, plan.facts, tenth / 10)


def test_contacts_are_within_reach_of_the_stance() -> None:
    for plan in every_kind():
        for event in plan.required_contacts:
            assert beyond_reach(plan, event) <= 0.0, (plan.family, plan.facts, event)


def test_contacts_happen_within_the_scene_and_one_at_a_time() -> None:
    for plan in every_kind():
        ends: dict[tuple[int, str], float] = {}
        for event in plan.contacts:
            assert event.seconds + event.duration <= plan.seconds
            key = (event.actor, event.effector)
            assert event.seconds >= ends.get(key, -9.0) - 1e-6, (plan.facts, event)
            ends[key] = event.seconds + event.duration


def test_first_reaches_take_as_long_as_people_take() -> None:
    for plan in every_kind():
        seen = set()
        for event in plan.required_contacts:
            key = (event.actor, event.effector, event.joint)
            before = [
                other for other in plan.contacts
                if (other.actor, other.effector) == key[:2] and other.seconds < event.seconds
            ]  # fmt: skip
            if key not in seen and not before:
                assert 0.39 <= event.reach_seconds <= 0.81, (plan.family, event)
            seen.add(key)


def test_contacts_do_not_begin_before_the_scene() -> None:
    for plan in every_kind():
        for event in plan.required_contacts:
            assert event.seconds - event.reach_seconds >= -1e-6


def test_gaze_leads_the_hand() -> None:
    for name in ("handshake", "pat", "push", "hand_over"):
        for plan in scenes(name):
            first = plan.required_contacts[0]
            begins = first.seconds - first.reach_seconds
            assert any(
                gaze.person == first.actor and gaze.start <= begins - 0.15 and gaze.end >= begins
                for gaze in plan.gazes
            )


def test_the_ground_truth_is_json() -> None:
    for plan in mixed()[:50]:
        told = json.loads(json.dumps(plan.ground_truth()))
        assert len(told["contacts"]) == len(plan.required_contacts)


# Facts are true of the plan.


def hand_of(plan: ScenePlan, person: int) -> set[str]:
    """Hands of a person that are in a required contact, as the one who reaches or is reached."""
    own = {e.effector for e in plan.required_contacts if e.actor == person}
    met = {e.joint for e in plan.required_contacts if e.target == person}
    return {joint.split("_")[0] for joint in own | met if joint.endswith("_wrist")}


def test_side_is_the_actors_hand() -> None:
    for name in ("handshake", "high_five", "pat", "hand_over", "help_up", "lead", "push", "punch",
                 "grab", "sneak"):  # fmt: skip
        for plan in scenes(name):
            part = plan.parts[0]
            hands = hand_of(plan, part.actor)
            if part.facts.get("hands") == "both":
                assert hands == {"left", "right"}
            else:
                assert hands == {part.facts["side"]}, (name, part.facts)


def test_other_side_is_the_partners_hand() -> None:
    for name in ("hand_over", "help_up", "lead"):
        for plan in scenes(name):
            part = plan.parts[0]
            if "other_side" in part.facts:
                assert hand_of(plan, 1 - part.actor) == {part.facts["other_side"]}


def test_shoulder_is_the_partners() -> None:
    for name in ("pat", "sneak"):
        for plan in scenes(name):
            joints = {event.joint for event in plan.required_contacts}
            assert joints == {f"{plan.facts['shoulder']}_collar"}


def test_count_is_how_often_they_touch() -> None:
    for name in ("pat", "sneak", "punch", "high_five"):
        for plan in scenes(name):
            hands = 2 if plan.facts.get("hands") == "both" else 1
            assert len(plan.required_contacts) == hands * int(plan.facts["count"])


def test_approach_is_who_walks_before_the_first_touch() -> None:
    for name in ("handshake", "hug", "hand_over", "grab", "punch"):
        for plan in scenes(name):
            part = plan.parts[0]
            first = plan.required_contacts[0]
            before = first.seconds - first.reach_seconds
            walked = {
                person
                for person in (0, 1)
                if math.dist(
                    plan.people[person].waypoints[0].place,
                    pose_at(plan.people[person].waypoints, before).place,
                ) > 0.3
            }  # fmt: skip
            expected = {"actor": {part.actor}, "partner": {1 - part.actor}, "both": {0, 1},
                        "none": set()}  # fmt: skip
            assert walked == expected[part.facts["approach"]], part.facts


def test_far_is_farther_than_near() -> None:
    ways: dict[str, list[float]] = {"near": [], "far": []}
    for plan in scenes("handshake"):
        distance = plan.facts.get("distance")
        if distance:
            ways[distance].append(gap(plan.people, 0.0))
    assert max(ways["near"]) < min(ways["far"])


def test_quick_is_quicker_than_slow() -> None:
    for name in ("handshake", "pat", "grab", "dance"):
        for seed in range(10):
            scenes_of = {
                speed: FAMILIES[name].draw(
                    generator(seed), {"speed": speed, **({"approach": "none"})}
                )
                for speed in ("slow", "quick")
            }
            first, second = (scenes_of[speed].required_contacts[0] for speed in ("slow", "quick"))
            assert first.reach_seconds > second.reach_seconds


def test_leaving_is_done_by_the_actor() -> None:
    for plan in scenes("handshake"):
        if plan.facts.get("after") == "leaves":
            part = plan.parts[0]
            end = max(e.seconds + e.duration for e in plan.required_contacts)
            for person in (0, 1):
                ways = plan.people[person].waypoints
                moved = math.dist(pose_at(ways, end).place, ways[-1].place)
                assert (moved > 1.0) == (person == part.actor)


def test_a_dodge_goes_to_the_side_that_is_told() -> None:
    for plan in scenes("kick"):
        part = plan.parts[0]
        kick = next(event for event in plan.contacts if event.effector.endswith("_ankle"))
        assert kick.effector == f"{part.facts['side']}_ankle"
        ways = plan.people[1 - part.actor].waypoints
        before = pose_at(ways, kick.seconds - kick.reach_seconds)
        after = pose_at(ways, kick.seconds + 0.34)
        x, z = (b - a for a, b in zip(before.place, after.place, strict=True))
        left = x * math.cos(before.heading) - z * math.sin(before.heading)
        expected = {"left": 0.42, "right": -0.42}.get(part.facts["dodge"], 0.0)
        assert left == pytest.approx(expected, abs=0.02)


def test_dances_turn_the_way_that_is_told() -> None:
    for plan in scenes("dance"):
        if plan.facts["move"] == "turn":
            headings = [way.heading for way in plan.people[0].waypoints if way.heading is not None]
            turn = sum(turned(b - a) for a, b in pairwise(headings))
            whole = {"half": math.pi, "full": math.tau}[plan.facts["amount"]]
            sign = 1 if plan.facts["direction"] == "counterclockwise" else -1
            assert turn == pytest.approx(sign * whole, abs=0.7)


# Captions are true, varied and well-formed.

ANYTHING = re.compile(r"[{}\[\]|<>]")


def test_captions_are_sentences() -> None:
    for plan in every_kind():
        for text in plan.captions:
            assert not ANYTHING.search(text), text
            assert text[0].isupper() and text.endswith("."), text
            assert not repeated_words(text), text
            assert "  " not in text and not re.search(r" [,.;:]|[,;:][.,;]|\.\.", text), text
            assert not re.search(r"\ba [aeio]\w*|\ban [^aeiou]", text.replace("a one", "")), text
            assert len(text.split()) <= 75, text
            for end in re.findall(r"\. (\S)", text):
                assert end.isupper(), text


def test_three_captions_of_three_shapes() -> None:
    for plan in every_kind():
        assert len(set(plan.captions)) == 3, plan.captions
        assert len({caption.shape for caption in plan.wordings}) == 3


@pytest.mark.parametrize("name", list(FAMILIES))
def test_many_shapes(name: str) -> None:
    grammar = read_grammar(name)
    assert len(grammar.shapes) >= 12
    assert len(grammar.held_out) >= 3
    used = Counter(caption.shape for plan in scenes(name) for caption in plan.wordings)
    assert len(used) >= 12, used


def test_chains_are_joined_in_many_ways() -> None:
    joints = read_joints()
    assert len(joints["two"]) >= 12 and len(joints["three"]) >= 12
    held_out = sum(len(read_grammar(name).held_out) for name in NAMES)
    assert held_out >= 16


@pytest.mark.parametrize("name", NAMES)
def test_each_fact_is_told_in_about_half(name: str) -> None:
    has, told = Counter[str](), Counter[str]()
    for plan in scenes(name):
        has.update(plan.facts.keys())
        for caption in plan.wordings:
            told.update(caption.stated)
    for fact, count in has.items():
        share = told[fact] / (3 * count)
        assert 0.35 <= share <= 0.65, (fact, round(share, 2), count)


def test_captions_tell_nothing_that_the_scene_does_not_have() -> None:
    for plan in every_kind():
        for caption in plan.wordings:
            assert caption.stated <= plan.facts.keys()


SIDED = ("side", "other_side", "answer_side", "shoulder", "block", "turn", "direction", "dodge")


def values_of(plan: ScenePlan, names: tuple[str, ...], stated: frozenset[str]) -> set[str]:
    return {plan.facts[fact] for fact in stated if fact.split(".")[-1] in names}


def test_left_and_right_are_only_said_where_they_are_true_and_told() -> None:
    for plan in every_kind():
        for caption in plan.wordings:
            values = values_of(plan, SIDED, caption.stated)
            if re.search(r"(?:right|left) arm around", caption.text):
                continue  # the two arms of a dance hold are told together
            for side in ("left", "right"):
                assert bool(re.search(rf"\b{side}\b", caption.text)) == (side in values), (
                    caption.text, plan.facts, caption.stated,
                )  # fmt: skip


WORDS = {
    "quick": r"\b(?:quick\w*|brisk\w*|fast)\b",
    "slow": r"\b(?:slow\w*|unhurried\w*|without any hurry|take their time)\b",
}


def test_speed_is_only_said_where_it_is_true_and_told() -> None:
    for plan in every_kind():
        for caption in plan.wordings:
            values = values_of(plan, ("speed", "length"), caption.stated)
            for value, words in WORDS.items():
                allowed = value in values or (value == "quick" and "brief" in values)
                if re.search(words, caption.text):
                    assert allowed, (caption.text, plan.facts, caption.stated)


NUMBERS = {"twice": "2", "three": "3", "four times": "4"}


def test_numbers_are_only_said_where_they_are_true_and_told() -> None:
    for plan in every_kind():
        for caption in plan.wordings:
            values = values_of(plan, ("count", "pats"), caption.stated)
            for word, value in NUMBERS.items():
                if re.search(rf"\b{word}\b", caption.text):
                    assert value in values, (caption.text, plan.facts, caption.stated)


# Held out, and pairs.


def test_held_out_combinations_exist_and_are_rare() -> None:
    combinations = held_out_combinations()
    assert len(combinations) >= 16
    for combination in combinations:
        plan = FAMILIES[combination.family].draw(generator(3), combination.facts)
        assert is_held_out(plan)
        assert combination.is_in(plan)
    share = sum(map(is_held_out, mixed())) / len(mixed())
    assert 0.03 < share < 0.3


def test_every_combination_has_parts_that_are_trained() -> None:
    trained = [plan for plan in mixed() if not is_held_out(plan)]
    trained += [plan for name in NAMES for plan in scenes(name) if not is_held_out(plan)]
    for combination in held_out_combinations():
        for fact, value in combination.facts.items():
            assert any(
                part.family == combination.family and part.facts.get(fact) == value
                for plan in trained
                for part in plan.parts
            ), (combination, fact)


def test_held_out_shapes_are_other_shapes() -> None:
    source = generator(4)
    for name in FAMILIES:
        shapes = {c.shape for c in FAMILIES[name].draw(source, held_out_shapes=True).wordings}
        assert len(shapes) == 3
        assert all(shape.startswith(f"{name}.held_out.") for shape in shapes)
    for _ in range(30):
        shapes = {c.shape for c in draw_scene(source, held_out_shapes=True).wordings}
        assert len(shapes) == 3
        assert all("held_out" in shape for shape in shapes)


@pytest.mark.parametrize("name", NAMES)
def test_minimal_pairs_differ_in_one_fact(name: str) -> None:
    for fact in pair_facts(FAMILIES[name]):
        source = generator(5)
        for _ in range(4):
            pair = draw_pair(source, name, fact)
            first, second = dict(pair.first.facts), dict(pair.second.facts)
            assert first.pop(fact) != second.pop(fact)
            assert first == second
            assert pair.first.parts[0].actor == pair.second.parts[0].actor
            for one, other in zip(pair.first.wordings, pair.second.wordings, strict=True):
                assert one.shape == other.shape
                assert one.stated == other.stated
                assert fact in one.stated
                assert one.text != other.text


def test_a_pair_of_sides_has_the_same_words_but_one() -> None:
    pair = draw_pair(generator(6), "handshake", "side")
    for one, other in zip(pair.first.captions, pair.second.captions, strict=True):
        swapped = one.replace("left", "?").replace("right", "left").replace("?", "right")
        assert swapped == other


def test_unknown_facts_and_values_are_explained() -> None:
    with pytest.raises(UserError, match=r"no fact 'colour'; it has side"):
        FAMILIES["handshake"].draw(generator(0), {"colour": "red"})
    with pytest.raises(UserError, match=r"cannot be 'middle'; give one of 'right'"):
        FAMILIES["handshake"].draw(generator(0), {"side": "middle"})


def test_chains_have_two_or_three_different_acts_in_order() -> None:
    for plan in chains():
        assert len(plan.parts) in (2, 3)
        assert len({part.family for part in plan.parts}) == len(plan.parts)
        for first, second in pairwise(plan.parts):
            assert first.end <= second.start + 1e-6
        for caption in plan.wordings:
            assert len(caption.text.split()) >= 8


def test_chains_tell_each_kind_of_fact_in_about_half() -> None:
    has, told = Counter[str](), Counter[str]()
    for plan in chains():
        has.update(name.partition(".")[2] for name in plan.facts)
        for caption in plan.wordings:
            told.update(name.partition(".")[2] for name in caption.stated)
    for fact, count in has.items():
        if count >= 25:
            assert 0.35 <= told[fact] / (3 * count) <= 0.65, fact


def test_some_captions_tell_only_what_is_done() -> None:
    for name in NAMES:
        plain = sum(not caption.stated for plan in scenes(name) for caption in plan.wordings)
        assert plain / (3 * len(scenes(name))) > 0.06
