"""Contact sheets of many motions on one HTML page that holds everything and fetches nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path

from intermask.errors import MissingExtra
from intermask.export.sheet import sheet_image
from intermask.files import atomic_path
from intermask.motion import Motion

TILE_SIZE = (150, 185)
"""Pixels (width, height) of one frame in one view."""

_QUALITY = 82
_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; max-width: 84rem; padding: 1.5rem 1rem 4rem;
  font: 1rem/1.5 system-ui, sans-serif; }
nav a { margin-right: .9rem; }
h2 { margin: 2.4rem 0 .2rem; }
figure { margin: .8rem 0 1.6rem; }
img { width: 100%; height: auto; border-radius: 6px; }
figcaption { font-size: .92rem; opacity: .75; overflow-wrap: anywhere; }
"""


@dataclass(frozen=True)
class Pictured:
    """One motion of the page.

    section: motions of one section follow one another. name: of the clip. note: a line below it.
    """

    section: str
    name: str
    motion: Motion
    note: str = ""


def write_sheet_page(
    path: str | Path,
    title: str,
    pictured: Iterable[Pictured],
    *,
    frames: int = 8,
    tile_size: tuple[int, int] = TILE_SIZE,
) -> int:
    """Write the page, whole or not at all, and return the number of its motions.

    Args:
        path: the HTML file.
        title: the page's.
        pictured: motions by section; they are drawn one after another.
        frames: pictures in a row of each sheet.
        tile_size: pixels of one picture.

    Raises:
        MissingExtra: what draws is not installed.
    """
    if frames < 1:
        raise ValueError(f"contact sheets of {frames} frames were asked for; expected at least 1")
    parts: list[str] = []
    sections: list[str] = []
    count = 0
    for each in pictured:
        if not sections or sections[-1] != each.section:
            sections.append(each.section)
            parts.append(f'<h2 id="s{len(sections)}">{escape(each.section)}</h2>')
        parts.append(_figure(each, frames, tile_size))
        count += 1
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(_page(title, sections, parts)), "utf-8")
    return count


def _page(title: str, sections: list[str], parts: list[str]) -> Iterator[str]:
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield (
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
    )
    yield f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield f"<h1>{escape(title)}</h1>\n<nav>"
    for number, section in enumerate(sections, 1):
        yield f'<a href="#s{number}">{escape(section)}</a>'
    yield "</nav>"
    yield from parts
    yield "</body>\n</html>\n"


def _figure(each: Pictured, frames: int, tile_size: tuple[int, int]) -> str:
    image = base64.b64encode(_jpeg(each.motion, frames, tile_size)).decode("ascii")
    said = escape(each.motion.caption or each.name, quote=True)
    note = f" — {escape(each.note)}" if each.note else ""
    return (
        f'<figure><img alt="{said}" src="data:image/jpeg;base64,{image}">'
        f"<figcaption>{escape(each.name)}{note}</figcaption></figure>"
    )


def _jpeg(motion: Motion, frames: int, tile_size: tuple[int, int]) -> bytes:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtra("video", "pillow") from error
    buffer = BytesIO()
    Image.fromarray(sheet_image(motion, frames, tile_size)).save(
        buffer, "JPEG", quality=_QUALITY, optimize=True
    )
    return buffer.getvalue()
