"""InterMask: 3D motion of two interacting people from text.

Javed, Guo, Cheng, Li, "InterMask: 3D Human Interaction Generation via Collaborative Masked
Modeling", ICLR 2025 (arXiv 2410.10010).

One language of shapes runs through the package; tensors are batch first, time before joints:

| letter | axis | letter | axis |
|---|---|---|---|
| ``b`` | sample of a batch | ``s`` | body row of a token map (5) |
| ``p`` | person (2) | ``n`` | time column of a token map (t / 4) |
| ``t`` | frame (30 a second) | ``c`` | channel of a code |
| ``j`` | joint (22, SMPL's body) | ``k`` | code of the codebook |
| ``d`` | feature of a joint (12) | ``e`` | width of the transformer |
| ``f`` | feature of a frame (262) | ``w`` | width of the text features |

Positions are metres in a right-handed world with y up and the floor at y = 0; identity rotations
are a T-pose that faces +z with the left arm along +x; velocities are metres a *frame*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from intermask.generation.generator import InteractionGenerator
    from intermask.loading import load_generator
    from intermask.motion import Motion

__version__ = "0.1.0"
__all__ = ["InteractionGenerator", "Motion", "__version__", "load_generator"]

# Where the public names live. They are imported when first asked for, so that `import intermask`
# costs nothing and commands pay only for what they use.
_HOMES = {
    "InteractionGenerator": "intermask.generation.generator",
    "Motion": "intermask.motion",
    "load_generator": "intermask.loading",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOMES))
