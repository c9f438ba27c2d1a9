"""Many motions on one page: a grid of stills that play, and each of them in 3D when chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from intermask.errors import UserError
from intermask.export.viewer import ViewerEntry, viewer_page
from intermask.files import atomic_path, with_ending
from intermask.motion import Motion


def write_gallery(entries: Sequence[ViewerEntry], path: str | Path, title: str, about: str) -> Path:
    """Write an HTML page that opens from disk and fetches nothing, whole or not at all.

    Args:
        entries: at least one motion, in order.
        path: the file; ``.html`` is added if missing.
        title: of the page.
        about: a line below the title.

    Raises:
        UserError: there is no motion.
    """
    target = with_ending(path, ".html")
    page = viewer_page(entries, title, about)
    with atomic_path(target) as temporary:
        temporary.write_text(page, "utf-8")
    return target


def gallery_entry(motion: Motion, name: str = "") -> ViewerEntry:
    """A motion as the page tells of it: its caption, or else its name; seed and name as notes."""
    if not motion.caption and not motion.captions:
        motion, name = replace(motion, caption=name), ""
    told = ["" if motion.seed is None else f"seed {motion.seed}", name]
    return ViewerEntry(motion, notes=" · ".join(each for each in told if each))


def read_motions(folder: str | Path) -> list[tuple[str, Motion]]:
    """Names and motions of all files NAME.npz of a folder, by name.

    Raises:
        FileNotFoundError: there is no such folder.
        UserError: it has no motion, or a file of another kind.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise UserError(
            f"{folder} holds no motion NAME.npz; give a folder that `intermask generate` wrote to"
        )
    return [(file.stem, Motion.load(file)) for file in files]
