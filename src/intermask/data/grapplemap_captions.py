"""English captions for chained GrappleMap transitions.

The file's names are notes among grapplers ("top gets\\nhead&arm", "to k-guard w/ hook"). They
are spelled out, given a subject and joined; how the two people stand or lie at both ends is read
from the poses. The people are "one person" and "the other", never numbered, so that a caption
stays true when the two are exchanged. All of this is derived, nobody watched the clips.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from intermask.skeleton import SMPL22

MAX_WORDS = 55

_FALLEN = 0.45
"""Metres of the pelvis below which somebody who stood has gone down."""

_PELVIS, _NECK = SMPL22.indices("pelvis", "neck")
_KNEES = SMPL22.indices("left_knee", "right_knee")

# Applied in this order to a name.
_SPELLING: tuple[tuple[str, str], ...] = (
    (r"-\\n", "-"),
    (r"\\[a-z]", " "),
    (r"\.\.\.\S*", " "),
    (r"\((?:un|part \d|wip)\)?", " "),
    (r"[()?*]", " "),
    (r"w/o\b", "without "),
    (r"w/", "with "),
    (r"\bhead ?& ?armpit\b", "head and armpit"),
    (r"\s*[&+]\s*", " and "),
    (r"¼|\b1/4\b", "quarter"),
    (r"¾|\b3/4\b", "three-quarter"),
    (r"\bto/from\b", "to"),
    (r"\bin/out\b", "in and out"),
    (r"/", "-"),
    (r"\bvs\b\.?", "against"),
    (r"\brnc\b", "rear naked choke"),
    (r"\brdlr\b", "reverse de la Riva guard"),
    (r"\bdlr\b", "de la Riva guard"),
    (r"\bslx\b", "single leg X"),
    (r"\brev\.", "reverse"),
    (r"\bunderh\.", "underhook"),
    (r"\bctrl\b", "control"),
    (r"\bpos\b\.?", "position"),
    (r"\bshitty\b", "weak"),
    (r"\bmono\b", "monoplata"),
    (r"(?<=[a-z])\d\b", ""),
    (r"\b(?:wip|todo)\b", " "),
    (r"- (?=[a-z])", "-"),
    (r"\s+", " "),
)

_VERBS = frozenset(
    """acquire add adjust advance angle attack attempt bail base begin bend block break bridge bring
    bump cartwheel choke clamp clasp claw clear climb clinch close come complete compress continue
    control counter crucify cut defeat dig dive drag drive drop duck end enter escape establish
    extend fake fall finish flank flatten flip frame free get give go grab hide hit hook hop hug
    insert invert isolate jam jump keep kick kneel land launch lean let lie lift limp lock loop
    lose mount move open parry pass pick pin plant polish post posture press progress pull pummel
    push put reach recede recover regain release remove resist retract return reverse ride rise
    roll rotate scoot secure settle shoot shove shrimp shrug sit slice slide smash snap snatch
    solidify spin spiral sprawl square squeeze stabilize stack stand start stay step stomp
    straighten strike stuff submit sweep swim swing switch take tap thread threaten throw thwart
    tie tip topple trade transition trap trip try turn untangle upa use wiggle withdraw wrap
    yank""".split()  # noqa: SIM905
)
_EMPTY = frozenset(("", "new", "stub", "begin", "start", "unidentified pass", "adjust", "continue",
                    "progress", "completed", "countered", "uncountered", "be", "end"))  # fmt: skip
_NOUNS = frozenset(("escape", "sweep", "pass", "throw", "roll", "trip", "takedown"))
_AUXILIARIES = frozenset(("attempt", "complete", "continue", "counter", "end", "enter", "finish",
                          "get", "recover", "start", "switch", "try"))  # fmt: skip
_VAGUE = frozenset(("finish", "topple", "drop", "takedown", "throw", "trip", "land", "complete"))

_TAKEDOWNS: tuple[tuple[str, str], ...] = (
    ("double_leg_takedown", "a double-leg takedown"),
    ("single_leg_takedown", "a single-leg takedown"),
    ("sacrifice_throw", "a sacrifice throw"),
    ("sutemi_waza", "a sacrifice throw"),
    ("inside_trip", "an inside trip"),
    ("ankle_pick", "an ankle pick"),
    ("knee_pick", "a knee pick"),
    ("te_waza", "a hand throw"),
    ("koshi_waza", "a hip throw"),
    ("ashi_waza", "a foot throw"),
    ("trip", "a trip"),
    ("throw", "a throw"),
    ("arm_drag", "an arm drag"),
    ("body_lock", "a body lock"),
)


@dataclass(frozen=True)
class Step:
    """One transition of a chain.

    name: as in the file. actor: person (0 or 1) of the clip who acts, None if both or unknown.
    top: person of the clip whom the file calls top. backwards: played in reverse.
    """

    name: str
    tags: tuple[str, ...]
    actor: int | None
    top: int
    backwards: bool
    seconds: float


@dataclass(frozen=True)
class _Said:
    subject: int
    words: str
    step: Step


def describe(
    steps: Sequence[Step],
    positions: Tensor,
    root_rotations: Tensor,
    start_name: str = "",
    end_name: str = "",
) -> tuple[str, str, str]:
    """A short, a medium and a detailed caption of one clip.

    Args:
        steps: the transitions in order.
        positions: (2, t, 22, 3) metres, y up, floor at 0.
        root_rotations: (2, t, 3, 3) of the pelvis.
        start_name: name of the position that the chain starts from, empty if it has none.
        end_name: the same for its end.
    """
    said = [phrase for step in steps if (phrase := _phrase(step)) is not None]
    first = [posture(positions[person, 0], root_rotations[person, 0]) for person in range(2)]
    last = [posture(positions[person, -1], root_rotations[person, -1]) for person in range(2)]
    headline = _headline(said, steps, positions, first, last)
    medium = _medium(said, first, last, headline)
    detailed = _detailed(said, spelled(start_name), spelled(end_name))
    return headline, medium, detailed


def spelled(name: str) -> str:
    """A name of the file in plain words."""
    for pattern, plain in _SPELLING:
        name = re.sub(pattern, plain, name)
    return name.strip(" -,.")


def posture(positions: Tensor, root_rotation: Tensor) -> str:
    """What one person does in a pose (22, 3): "standing", "lying on the back" and so on."""
    spine = positions[_NECK] - positions[_PELVIS]
    upright = float(spine[1] / spine.norm().clamp_min(1e-6))
    belly_up = float(root_rotation[1, 2])
    height = float(positions[_PELVIS, 1])
    knees = float(positions[list(_KNEES), 1].min())
    if height > 0.62 or (height > 0.48 and knees > 0.25):
        return "standing" if upright > 0.75 else "standing bent over"
    if upright < 0.45 and height < 0.45:
        if belly_up > 0.45:
            return "lying on the back"
        if belly_up > -0.45:
            return "lying on the side"
        return "face down" if height < 0.25 else "on hands and knees"
    if height < 0.24:
        return "sitting"
    if knees < 0.16:
        return "kneeling"
    return "crouching"


def third_person(verb: str) -> str:
    """A verb as in "she does"."""
    if verb == "be":
        return "is"
    if re.search(r"(s|sh|ch|x|z|go|do)$", verb):
        return f"{verb}es"
    if re.search(r"[^aeiou]y$", verb):
        return f"{verb[:-1]}ies"
    return f"{verb}s"


def _phrase(step: Step) -> _Said | None:
    """Subject and verb phrase of a step; None where its name says nothing."""
    name = spelled(step.name)
    subject = step.actor if step.actor is not None else step.top
    role = re.match(r"(top|bottom)\b ?(.*)", name)
    if role:
        subject = step.top if role[1] == "top" else 1 - step.top
        name = role[2]
    if name.lower() in _EMPTY or step.backwards:
        return None
    head, _, tail = name.partition(" ")
    stem = head.rstrip(",")
    comma = "," if head.endswith(",") else ""
    acts = any(word.endswith("s") and not word.endswith("ss") for word in name.split()[:2])
    if role and acts and stem.lower() not in _VERBS:
        words = name  # "bottom body locks": conjugated already
    elif stem == "to":
        words = f"moves to {tail}"
    elif tail in _NOUNS and stem.lower() not in _AUXILIARIES:
        words = f"goes for {_article(name)}{name}"  # "shrimp escape" is a thing, not an act
    elif stem.lower() in _VERBS:
        words = f"{third_person(stem.lower())}{comma} {_and_then(tail)}"
    elif stem.endswith("s") and _stem_of(stem) in _VERBS:
        words = name
    else:
        words = f"goes for {_article(name)}{name}"
    if name.lower() in _VAGUE:
        words = f"{words} {_means(step.tags)}"
    # A second clause of the name may speak of the other player.
    words = re.sub(r",? (?:top|bottom) (?=\w+s\b)", " and ", words)
    return _Said(subject, re.sub(r"\s+", " ", words).strip(" ,"), step)


def _stem_of(verb: str) -> str:
    for ending, replaced in (("ies", "y"), ("es", ""), ("s", "")):
        if verb.endswith(ending) and verb.removesuffix(ending) + replaced in _VERBS:
            return verb.removesuffix(ending) + replaced
    return ""


def _and_then(tail: str) -> str:
    """The rest of a verb phrase; a second verb after "and" is conjugated too."""
    return re.sub(
        r"\band (\w+)",
        lambda match: f"and {third_person(match[1]) if match[1] in _VERBS else match[1]}",
        tail,
    )


def _article(noun: str) -> str:
    head = noun.split()[0]
    if head.lower() in ("a", "an", "the", "no", "far", "near") or re.search(r"([^s]s|waza)$", noun):
        return "the " if head.lower() in ("far", "near") else ""
    return "an " if head[0].lower() in "aeiou" else "a "


def _means(tags: Sequence[str]) -> str:
    for tag, words in _TAKEDOWNS:
        if tag in tags:
            return f"with {words}"
    return ""


def _takedown(steps: Sequence[Step], positions: Tensor) -> str:
    """How two standing people got to the ground, from the steps around the fall."""
    low = positions[:, :, _PELVIS, 1].amin(0) < _FALLEN
    fall = float(low.float().argmax()) / max(len(low) - 1, 1) * sum(step.seconds for step in steps)
    passed = 0.0
    around: list[str] = []
    for step in steps:
        if passed <= fall + 0.4 and passed + step.seconds >= fall - 0.8:
            named = spelled(step.name).lower().replace("-", " ")
            around += [tag for tag, words in _TAKEDOWNS if words.split(" ", 1)[1].replace("-", " ")
                       .removesuffix(" takedown") in named]  # fmt: skip
            around += step.tags
        passed += step.seconds
    return _means(around)


def _headline(
    said: Sequence[_Said],
    steps: Sequence[Step],
    positions: Tensor,
    first: list[str],
    last: list[str],
) -> str:
    """The short caption: what happens as a whole."""
    stood = [words.startswith("standing") for words in first]
    stands = [words.startswith("standing") for words in last]
    names = " ".join(spelled(step.name) for step in steps)
    tags = [tag for step in steps for tag in step.tags]
    if all(stood) and not any(stands):
        pulled = re.search(r"pulls? (full |closed |half )?guard|guard jump", names)
        if "guard_pull" in tags or pulled:
            return "One person pulls guard and the two go down to the floor."
        means = _takedown(steps, positions)
        return f"One person takes the other down to the ground{f' {means}' if means else ''}."
    if all(stood) and any(stands):
        if not all(stands):
            return "Two people wrestle on their feet and one person brings the other down."
        return "Two people wrestle on their feet."
    if not all(stood) and all(stands):
        return "Two people grapple on the ground and stand up again."
    if any(stands) and not any(stood):
        return "Two people grapple on the ground and one person stands up."
    if said:
        return f"Two people grapple on the ground and one person {said[-1].words}."
    return "Two people grapple on the ground."


def _medium(said: Sequence[_Said], first: list[str], last: list[str], headline: str) -> str:
    """Postures at both ends with a step between them."""
    names = _names(said)
    begin = _both(first, names)
    end = _both(last, names)
    middle = _chosen(said, 2)
    action = _joined(middle, names) if middle else "they change their grips"
    text = f"Two people are grappling. {_capital(begin)}. Then {action}, and in the end {end}."
    return _short_enough(text, headline)


def _detailed(said: Sequence[_Said], start: str, end: str) -> str:
    """All steps in order, with the named positions at both ends."""
    opening = f"Two people grapple, starting from {start}" if start else "Two people grapple"
    closing = f" They end in {end}." if end else ""
    names = _names(said)
    for count in range(min(6, len(said)), 0, -1):
        text = f"{opening}: {_joined(_chosen(said, count), names)}.{closing}"
        if len(text.split()) <= MAX_WORDS:
            return text
    return _short_enough(f"{opening}.{closing}", "Two people grapple.")


def _names(said: Sequence[_Said]) -> tuple[str, str]:
    """How persons 0 and 1 are called: whoever acts first is "one person"."""
    leader = said[0].subject if said else 0
    return ("one person", "the other") if leader == 0 else ("the other", "one person")


def _both(postures: list[str], names: tuple[str, str]) -> str:
    if postures[0] == postures[1]:
        return f"both are {postures[0]}"
    leader = names.index("one person")
    return f"one person is {postures[leader]} and the other is {postures[1 - leader]}"


def _chosen(said: Sequence[_Said], count: int) -> list[_Said]:
    """At most ``count`` steps spread over the clip, without repeats; the last one is kept."""
    different = [phrase for index, phrase in enumerate(said)
                 if index == 0 or phrase.words != said[index - 1].words]  # fmt: skip
    if len(different) <= count:
        return different
    spacing = (len(different) - 1) / max(count - 1, 1)
    return [different[round(len(different) - 1 - spacing * index)] for index in range(count)][::-1]


def _joined(said: Sequence[_Said], names: tuple[str, str]) -> str:
    """One clause a subject: "one person steps over and mounts, then the other bridges"."""
    clauses: list[str] = []
    subject: int | None = None
    for phrase in said:
        if phrase.subject == subject:
            clauses[-1] += f", {phrase.words}" if " and " in clauses[-1] else f" and {phrase.words}"
        else:
            clauses.append(f"{names[phrase.subject]} {phrase.words}")
        subject = phrase.subject
    return ", then ".join(clauses)


def _short_enough(text: str, otherwise: str) -> str:
    return text if len(text.split()) <= MAX_WORDS else otherwise


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
