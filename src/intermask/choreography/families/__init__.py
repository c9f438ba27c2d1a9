"""Sixteen everyday interactions, and two people who just stand there."""

from __future__ import annotations

from intermask.choreography.families import greeting, helping, playing, standing, struggling
from intermask.choreography.family import Family

INTERACTIONS: tuple[Family, ...] = (
    *greeting.FAMILIES,
    *helping.FAMILIES,
    *struggling.FAMILIES,
    *playing.FAMILIES,
)
"""The families in which two people do something with each other."""

STANDING: Family = standing.FAMILIES[0]
"""Two people who only stand or talk."""

FAMILIES: dict[str, Family] = {family.name: family for family in (*INTERACTIONS, STANDING)}
"""Every family by its name."""
