"""What training changes about a clip, in words: captions of mirror images.

The arrays are mirrored by `representation.mirror_loaded`.
"""

from __future__ import annotations

import re

_COUNTERPART = {
    "left": "right",
    "right": "left",
    "clockwise": "counterclockwise",
    "counterclockwise": "clockwise",
    "counter-clockwise": "clockwise",
    "anticlockwise": "clockwise",
    "anti-clockwise": "clockwise",
}
# One alternation, longest first, in one pass: the released code replaces word after word and so
# turns "counterclockwise" into "countercounterclockwise". "rightly" and "upright" stay.
_WORDS = re.compile(
    r"(?<![A-Za-z])("
    + "|".join(sorted(map(re.escape, _COUNTERPART), key=len, reverse=True))
    + r")(s|wards?|-handed|-footed|handed)?(?![A-Za-z])",
    re.IGNORECASE,
)


def mirror_caption(caption: str) -> str:
    """Caption of the mirror image: left and right, clockwise and counterclockwise exchanged."""

    def swap(match: re.Match[str]) -> str:
        word, ending = match[1], match[2] or ""
        other = _COUNTERPART[word.lower()]
        if word.isupper():
            other = other.upper()
        elif word[0].isupper():
            other = other.capitalize()
        return other + ending

    return _WORDS.sub(swap, caption)
