"""What captions of made clips are known to state."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from intermask.data.stated_facts import stated_facts
from intermask.errors import UserError


def _truth(root: Path, name: str, text: str, acts: list[dict[str, object]], *stated: str) -> None:
    (root / "ground_truth").mkdir(exist_ok=True)
    truth = {"parts": acts, "captions": [{"text": text, "stated": list(stated)}]}
    (root / "ground_truth" / f"{name}.json").write_text(json.dumps(truth), "utf-8")


def _act(family: str, actor: int, **facts: str) -> dict[str, object]:
    return {"family": family, "actor": actor, "facts": facts}


def test_only_what_is_stated_counts(tmp_path: Path) -> None:
    _truth(tmp_path, "a", "A push.", [_act("push", 1, side="left", speed="quick")], "speed")
    assert stated_facts(tmp_path, ["a"]) == {"A push.": {"1.family=push", "1.speed=quick"}}


def test_acts_of_a_chain_have_numbers_and_a_comparison_of_who_acts(tmp_path: Path) -> None:
    acts = [_act("wave", 1, side="left"), _act("hug", 0, side="right"), _act("bow", 1)]
    _truth(tmp_path, "a", "Much.", acts, "1.side", "2.side")
    assert stated_facts(tmp_path, ["a"])["Much."] == {
        "1.family=wave", "2.family=hug", "3.family=bow", "1.side=left", "2.side=right",
        "2.actor=other", "3.actor=same",
    }  # fmt: skip


def test_clips_without_ground_truth_are_left_out(tmp_path: Path) -> None:
    assert stated_facts(tmp_path, ["salsa_01"]) == {}


def test_damaged_ground_truth_is_named(tmp_path: Path) -> None:
    (tmp_path / "ground_truth").mkdir()
    (tmp_path / "ground_truth" / "a.json").write_text("{}", "utf-8")
    with pytest.raises(UserError, match=r"a\.json is damaged"):
        stated_facts(tmp_path, ["a"])
