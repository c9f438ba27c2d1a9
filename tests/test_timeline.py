"""Runs of frames."""

from __future__ import annotations

import torch

from intermask.timeline import runs


def test_runs_are_found_to_the_ends_and_cover_what_is_true() -> None:
    flags = torch.tensor([True, True, False, True, False, False, True])
    assert runs(flags) == [(0, 2), (3, 4), (6, 7)]
    covered = torch.zeros_like(flags)
    for start, stop in runs(flags):
        covered[start:stop] = True
    assert torch.equal(covered, flags)
    assert runs(torch.zeros(4, dtype=torch.bool)) == []
    assert runs(torch.ones(4, dtype=torch.bool)) == [(0, 4)]
    assert runs(torch.zeros(0, dtype=torch.bool)) == []
