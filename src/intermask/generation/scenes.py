"""How decoded features become people, and given people become features: one class a dataset.

The generator lays out token maps and lets them be filled; it does not know what a person is made
of. A `Scenes` does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from torch import Tensor

from intermask.conventions import FloorRule
from intermask.generation.consolidate import ConsolidationOptions, consolidate, steadied
from intermask.generation.world import (
    EASE_FRAMES,
    Eased,
    GivenScene,
    ease_into,
    place_given,
    sized_like,
)
from intermask.motion import FPS, Motion, SMPLXMotion
from intermask.representation import decode_positions, decode_rotations


class Scenes(Protocol):
    """People of one dataset."""

    def finished(self, features: Tensor) -> Motion:
        """Two people of decoded, unnormalised features (2, t, f)."""
        ...

    def rough(self, features: Tensor) -> Tensor:
        """Joints (2, t, 22, 3) of decoded features, before anything is done to them."""
        ...

    def accepted(self, given: Motion) -> Motion:
        """A given motion with the joints that the model knows.

        Raises:
            UserError: it has too few.
        """
        ...

    def place(self, given: Motion, kept: Tensor, stride: int, grounded: bool = False) -> Any:
        """An accepted motion of which frames (2, t) are kept, in the frame that models work in.

        ``grounded``: the floor is at y = 0 of the given world, rather than at its lowest points.
        Its ``features`` are (2, t', f), not normalised; t' is t rounded up to whole columns.
        """
        ...

    def settled(
        self,
        placed: Any,
        features: Tensor,
        kept: Tensor,
        ease: int = EASE_FRAMES,
        paced: bool = True,
    ) -> Motion:
        """Decoded features (2, t, f) beside the kept frames (2, t), in the caller's world.

        ``ease``: most new frames that lead into a kept one. ``paced``: whether they are held to the
        pace of the clip.
        """
        ...


class InterHumanScenes:
    """22 joints in a canonical place, made into one clean body each.

    Args:
        floor: the model's rule.
        consolidation: what is done to decoded motion.
    """

    def __init__(self, floor: FloorRule, consolidation: ConsolidationOptions | None) -> None:
        self.floor, self.consolidation = floor, consolidation

    def finished(self, features: Tensor) -> Motion:
        """See `consolidate`."""
        settled = consolidate(
            decode_positions(features),
            decode_rotations(features),
            fps=FPS,
            options=self.consolidation,
        )
        return Motion(settled.positions, settled.rotations, settled.root_rotations)

    def rough(self, features: Tensor) -> Tensor:
        """See `decode_positions`."""
        return decode_positions(features)

    def accepted(self, given: Motion) -> Motion:
        """The body of a motion; hands are let go."""
        return given.body if isinstance(given, SMPLXMotion) else given

    def place(self, given: Motion, kept: Tensor, stride: int, grounded: bool = False) -> GivenScene:
        """See `place_given`."""
        return place_given(given, kept, self.floor, stride, grounded)

    def settled(
        self,
        placed: GivenScene,
        features: Tensor,
        kept: Tensor,
        ease: int = EASE_FRAMES,
        paced: bool = True,
    ) -> Motion:
        """Bodies sized like the kept frames, eased into them and consolidated."""
        options = self.consolidation or ConsolidationOptions()
        positions = placed.frame.lifted(decode_positions(features.double()))
        rotations = decode_rotations(features.double())
        positions, rotations = steadied(positions, rotations, FPS, options)
        positions = sized_like(positions, placed.motion.positions, kept)
        eased = ease_into(
            Eased(positions, rotations),
            Eased(placed.motion.positions, placed.motion.rotations),
            kept,
            ease,
        )
        result = consolidate(
            eased.positions,
            eased.rotations,
            fps=FPS,
            keep=kept,
            root_rotations=placed.motion.root_rotations,
            options=replace(options, pacing=options.pacing and paced),
        )
        return placed.frame.to_world(
            replace(
                placed.motion,
                positions=result.positions,
                rotations=result.rotations,
                root_rotations=result.root_rotations,
            )
        )
