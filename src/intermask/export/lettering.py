"""Words on pictures: captions that wrap, and small labels. Pictures are (h, w, 3) 8-bit RGB."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermask.errors import MissingExtra

Image = NDArray[np.uint8]

_PAPER = (250, 250, 251)
_INK = (38, 42, 50)
_FAINT = (110, 116, 126)


def caption_strip(
    caption: str, width: int, size: int = 22, most_lines: int = 4, people: bool = True
) -> Image:
    """A strip (even height, width, 3) with the caption, wrapped and centred.

    Without a caption a narrow empty strip remains. Text beyond ``most_lines`` ends in an ellipsis.
    ``people``: a last line names the colours of person 1 and person 2.
    """
    font = _font(size)
    lines = wrap_text(" ".join(caption.split()), font, width - 2 * size, most_lines)
    small = _font(max(10, round(0.62 * size)))
    step = round(1.3 * size)
    legend = round(1.1 * size) if people else 0
    height = round(0.9 * size) + step * len(lines) + legend
    canvas = _blank(width, height + height % 2)
    draw = _pillow().ImageDraw.Draw(canvas)
    top = round(0.45 * size)
    for line in lines:
        draw.text((width / 2, top), line, font=font, fill=_INK, anchor="ma")
        top += step
    if people:
        _draw_legend(draw, small, width / 2, top)
    return np.asarray(canvas)


def corner_label(image: Image, text: str, size: int = 15) -> Image:
    """The image with a small text in its lower left corner; only that corner is drawn anew."""
    label = _label(text, size)
    height, width = label.shape[:2]
    result = image.copy()
    if height > image.shape[0] or width > image.shape[1]:
        return result
    corner = result[-height:, :width].astype(np.float32)
    ink = label[..., None]
    result[-height:, :width] = np.round(corner * (1 - ink) + np.array(_FAINT) * ink)
    return result


def centred_label(text: str, width: int, height: int, size: int = 15) -> Image:
    """A strip (height, width, 3) with a short text in its middle."""
    canvas = _blank(width, height)
    _pillow().ImageDraw.Draw(canvas).text(
        (width / 2, height / 2), text, font=_font(size), fill=_FAINT, anchor="mm"
    )
    return np.asarray(canvas)


def wrap_text(text: str, font: Any, width: float, most_lines: int) -> list[str]:
    """Lines of words that fit ``width`` pixels; a word that is too long is cut into pieces."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        while font.getlength(word) > width and len(word) > 1:
            cut = max(n for n in range(1, len(word)) if n == 1 or font.getlength(word[:n]) <= width)
            lines, line, word = [*lines, *([line] if line else [])], "", word
            lines.append(word[:cut])
            word = word[cut:]
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    lines += [line] if line else []
    if len(lines) > most_lines:
        lines = lines[:most_lines]
        while lines[-1] and font.getlength(lines[-1] + " …") > width:
            lines[-1] = lines[-1][:-1]
        lines[-1] = lines[-1].rstrip() + " …"
    return lines


def _draw_legend(draw: Any, font: Any, middle: float, top: int) -> None:
    """Dots in the people's colours with "person 1" and "person 2"."""
    from intermask.export.body import PEOPLE

    words = ("person 1", "person 2")
    dot, gap = 0.7 * font.size, 1.6 * font.size
    widths = [1.6 * dot + font.getlength(word) for word in words]
    left = middle - (sum(widths) + gap) / 2
    for colour, word, width in zip(PEOPLE, words, widths, strict=True):
        centre = top + 0.55 * font.size
        box = (left, centre - dot / 2, left + dot, centre + dot / 2)
        draw.ellipse(box, fill=tuple(round(255 * part) for part in colour))
        draw.text((left + 1.6 * dot, centre), word, font=font, fill=_FAINT, anchor="lm")
        left += width + gap


@lru_cache(maxsize=512)
def _label(text: str, size: int) -> NDArray[np.float32]:
    """Opacity (h, w) of a short text with a margin."""
    font = _font(size)
    width, height = round(font.getlength(text) + 2 * size), round(2.2 * size)
    canvas = _pillow().Image.new("L", (width, height), 0)
    _pillow().ImageDraw.Draw(canvas).text(
        (size, height / 2), text, font=font, fill=255, anchor="lm"
    )
    return np.asarray(canvas, dtype=np.float32) / 255.0


def _blank(width: int, height: int) -> Any:
    return _pillow().Image.new("RGB", (width, height), _PAPER)


@lru_cache(maxsize=16)
def _font(size: int) -> Any:
    fonts = _pillow().ImageFont
    # pillow's own font has no accents: it is the last resort
    for name in ("DejaVuSans.ttf", "Arial.ttf", "LiberationSans-Regular.ttf"):
        with suppress(OSError):
            return fonts.truetype(name, size)
    return fonts.load_default(size)


def _pillow() -> Any:
    """Pillow with the modules that are used here."""
    try:
        import PIL
        import PIL.Image
        import PIL.ImageDraw
        import PIL.ImageFont
    except ImportError as error:
        raise MissingExtra("video", "pillow") from error
    return PIL
