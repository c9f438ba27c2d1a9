"""What captions of a made dataset are known to state, from its ``ground_truth/NAME.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from intermask.errors import UserError


def stated_facts(root: Path, names: Iterable[str]) -> dict[str, frozenset[str]]:
    """What each caption states, such as ``1.family=push`` and ``2.side=left``, by its text.

    Acts are numbered from 1. Who acts is told by comparison: a caption's "one person" may be either
    of the two, but ``2.actor=same`` is whoever acted first. Clips without ground truth are left
    out; a sentence that several clips share states the same of all of them.

    Raises:
        UserError: a file of ground truth is damaged.
    """
    facts: dict[str, frozenset[str]] = {}
    for name in names:
        path = root / "ground_truth" / f"{name}.json"
        if not path.is_file():
            continue
        try:
            truth = json.loads(path.read_text("utf-8"))
            for caption in truth["captions"]:
                facts.setdefault(caption["text"], _facts(truth["parts"], caption["stated"]))
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is damaged ({error!r}); make the dataset again") from error
    return facts


def _facts(acts: list[dict[str, Any]], stated: Iterable[str]) -> frozenset[str]:
    told = {f"{number}.family={act['family']}" for number, act in enumerate(acts, start=1)}
    for number, act in enumerate(acts[1:], start=2):
        told.add(f"{number}.actor={'same' if act['actor'] == acts[0]['actor'] else 'other'}")
    for name in stated:
        prefix, _, fact = name.rpartition(".")
        number = int(prefix or 1)
        if fact in acts[number - 1]["facts"]:
            told.add(f"{number}.{fact}={acts[number - 1]['facts'][fact]}")
    return frozenset(told)
