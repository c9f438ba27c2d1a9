"""Two people who just stand or talk: where a prompt from outside this world has somewhere to go."""

from __future__ import annotations

import math
from collections.abc import Mapping

from intermask.choreography.family import Choice, Family
from intermask.choreography.reach import Stance
from intermask.choreography.staging import Stage


def _stand(stage: Stage, facts: Mapping[str, str]) -> None:
    ranges = {"near": (0.8, 1.0), "": (1.1, 1.5), "far": (2.2, 3.0)}
    distance = stage.dice.between("gap", *ranges[facts["gap"]])
    aside = stage.dice.between("aside", -0.35, 0.35)
    turn = stage.dice.between("turn", -0.4, 0.4)
    if stage.poses:
        stage.meet(Stance(1.0))
    else:
        stage.meet(Stance(distance, aside, math.pi + turn), "none")
    length = stage.dice.between("length", 3.2, 7.5) if stage.clock < 1.0 else 1.6
    end = stage.clock + length
    if facts["mode"] == "talk":
        stage.styles = ["talk", "talk"]
        speaker, time = stage.actor, stage.clock
        while time + 1.2 < end:
            seconds = stage.dice.between(f"turn at {time:.1f}", 1.0, 1.8)
            stage.perform(speaker, "explain", time + seconds / 2, seconds)
            stage.look(1 - speaker, "head", time, time + seconds)
            stage.look(speaker, "head", time + 0.3, time + seconds)
            time += seconds + 0.1
            speaker = 1 - speaker
    else:
        for person in (0, 1):
            start = stage.dice.between(f"look{person}", 0.0, 1.5)
            stage.look(person, "head", start, end)
    stage.clock = end


FAMILIES = (
    Family(
        "stand",
        (
            Choice("mode", {"talk": 0.5, "stand": 0.5}),
            Choice("gap", {"": 0.4, "near": 0.3, "far": 0.3}, alone=True),
        ),
        _stand,
        places=frozenset(),
    ),
)
