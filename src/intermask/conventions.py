"""What data, models and files agree on. Standard library only, below everything else."""

from __future__ import annotations

from typing import Literal

FloorRule = Literal["per_person", "shared"]
"""Which minimum height becomes the floor: each person's own (released), or the pair's."""

MIN_FRAMES = 15
"""Shortest motion to train on, to make or to take (method, section 1)."""
