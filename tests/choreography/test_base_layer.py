"""One person of real motion: on the plan, in time, without sliding."""

from __future__ import annotations

import math

import pytest
import torch

from intermask.choreography.bank import load_bank
from intermask.choreography.base_layer import perform
from intermask.choreography.bodies import Body
from intermask.choreography.paths import planned_way
from intermask.choreography.plans import Act, PersonPlan, Waypoint
from intermask.errors import UserError
from intermask.evaluation.physics import jerk_magnitudes, skate
from intermask.geometry import facing_direction
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22

OFFSETS = torch.tensor(MEAN_ADULT_OFFSETS.copy(), dtype=torch.float32)
HERE = Waypoint(0, (0.0, 0.0), 0.0)

WALK = PersonPlan(
    (HERE, Waypoint(0.5, (0, 0), 0.0), Waypoint(3.5, (0.4, 3.0)), Waypoint(5, (0.4, 3.0)))
)
PLANS = {
    "stand": PersonPlan((HERE,)),
    "walk": WALK,
    "turn": PersonPlan((HERE, Waypoint(0.7, (0, 0), 0.0), Waypoint(2.2, (0, 0), math.pi))),
    "back": PersonPlan((HERE, Waypoint(0.7, (0, 0), 0.0), Waypoint(2.0, (0, -0.7), 0.0))),
    "aside": PersonPlan((HERE, Waypoint(0.7, (0, 0), 0.0), Waypoint(1.9, (0.6, 0), 0.0))),
    "punch": PersonPlan((HERE,), (Act(1.0, 1.5, "punch_right"),)),
}


def made(plan: PersonPlan, seed: int = 0, frames: int = 150, scale: float = 1.0) -> Body:
    generator = torch.Generator().manual_seed(seed)
    return perform(load_bank(), plan, frames, scale * OFFSETS, generator)


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("scale", [0.92, 1.0, 1.08])
def test_people_go_where_they_are_told_and_do_not_slide(name: str, scale: float) -> None:
    positions = made(PLANS[name], scale=scale).positions()
    way = planned_way(PLANS[name], len(positions)).track
    off = (positions[:, 0, (0, 2)] - way[:, :2]).norm(dim=1)
    assert float(off.mean()) < 0.06
    assert float(off[-1]) < 0.06
    facing = facing_direction(positions[-1])
    turned = torch.atan2(facing[0], facing[2]) - way[-1, 2]
    assert abs(math.remainder(float(turned), math.tau)) < 0.35
    assert float(skate(torch.stack((positions, positions)))[0]) < 8.0
    assert float(positions[..., 1].min()) > -0.01


def test_the_same_seed_makes_the_same_person_and_another_one_another() -> None:
    first, again, other = made(WALK, 1), made(WALK, 1), made(WALK, 2)
    assert torch.equal(first.rotations, again.rotations)
    assert torch.equal(first.root, again.root)
    assert float((first.rotations - other.rotations).abs().max()) > 0.1


def test_seams_are_no_rougher_than_captured_motion() -> None:
    positions = made(WALK).positions()
    peak = jerk_magnitudes(torch.stack((positions, positions))).amax()
    assert float(peak) < 4000.0


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_named_side_acts_whatever_the_mirror_says(side: str, mirrored: bool) -> None:
    plan = PersonPlan((HERE,), (Act(1.0, 2.0, f"wave_{side}"),), mirrored=mirrored)
    highest = made(plan).positions()[30:90, :, 1].amax(0)
    other = "left" if side == "right" else "right"
    acting, idle = (highest[SMPL22.index(f"{each}_wrist")] for each in (side, other))
    assert float(acting - idle) > 0.3


def test_an_act_counts_at_its_middle() -> None:
    positions = made(PersonPlan((HERE,), (Act(2.0, 1.8, "pick_up_right"),))).positions()
    lowest = int(positions[:, SMPL22.index("head"), 1].argmin())
    assert lowest == pytest.approx((2.0 + 0.9) * 30, abs=6)


def test_a_jump_is_walked_off() -> None:
    jump = Act(0.4, 2.3, "jump_forward")
    stays = made(PersonPlan((HERE,), (jump,)), frames=120)
    assert float(stays.root[-1, 2]) > 0.8
    leaves = PersonPlan((HERE, Waypoint(3.5, (0, 0), 0.0), Waypoint(6, (1.5, 1.0))), (jump,))
    end = made(leaves, frames=210).root[-1]
    torch.testing.assert_close(end[[0, 2]], torch.tensor((1.5, 1.0)), atol=0.08, rtol=0)


def test_what_the_bank_lacks_is_named() -> None:
    with pytest.raises(UserError, match=r"no action 'fly'; it has .*wave"):
        made(PersonPlan((HERE,), (Act(1, 1, "fly"),)))
    with pytest.raises(UserError, match="no style 'sleep'; it has dance, stand, talk"):
        made(PersonPlan((HERE,), style="sleep"))
