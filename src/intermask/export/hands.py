"""The drawn hands of SMPL-X: a palm, four fingers and a thumb around 15 joints."""

from __future__ import annotations

from intermask.export.solids import Builder, Detail

HAND_DETAIL = Detail(grid=0.003, blend=0.004, skin=0.004, margin=0.015)
"""Fingers are 2 cm apart: they must not flow together."""

# Radii in metres at the three joints and the tip.
_FINGERS = {
    "index": (0.0090, 0.0082, 0.0074, 0.0058),
    "middle": (0.0092, 0.0084, 0.0075, 0.0060),
    "ring": (0.0088, 0.0080, 0.0071, 0.0056),
    "pinky": (0.0078, 0.0070, 0.0062, 0.0050),
    "thumb": (0.0140, 0.0115, 0.0100, 0.0075),
}
_LAST_BONE = 0.85  # of the one before


def add_hand(body: Builder, side: str) -> None:
    """Add the solids of one hand, with a stub of the forearm that hides the seam."""
    wrist, elbow = f"{side}_wrist", f"{side}_elbow"
    at = body.at
    stub = at[wrist] + 0.12 * (at[elbow] - at[wrist])
    body.cone(wrist, stub, at[wrist], 0.019, 0.021)
    middle = at[f"{side}_middle1"]
    for share, width, height in ((0.30, 0.030, 0.016), (0.62, 0.038, 0.0145)):
        centre = at[wrist] + share * (middle - at[wrist])
        body.ellipsoid(wrist, centre, 0.040, height, width)
    for finger, radii in _FINGERS.items():
        first, second, third = (f"{side}_{finger}{knuckle}" for knuckle in (1, 2, 3))
        tip = at[third] + _LAST_BONE * (at[third] - at[second])
        body.cone(wrist, at[wrist], at[first], 0.016, 1.15 * radii[0])
        body.cone(first, at[first], at[second], *radii[:2])
        body.cone(second, at[second], at[third], *radii[1:3])
        body.cone(third, at[third], tip, *radii[2:])
