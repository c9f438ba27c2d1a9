"""All files of one motion at once, under one stem: they appear together or not at all."""

from __future__ import annotations

import re
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from intermask.errors import MissingExtra, UserError
from intermask.export.bvh import write_bvh
from intermask.export.naming import check_naming
from intermask.export.npz import write_npz
from intermask.files import check_can_write
from intermask.motion import Motion

FORMATS = ("npz", "bvh", "glb", "smplh", "smplx", "html", "mp4", "gif", "sheet")
"""What a motion can be written as; `docs/formats.md` describes each."""

_ENDINGS = {
    "npz": (".npz",),
    "bvh": ("_1.bvh", "_2.bvh"),
    "glb": (".glb",),
    "smplh": ("_1_smplh.npz", "_2_smplh.npz"),
    "smplx": ("_1_smplx.npz", "_2_smplx.npz"),
    "html": (".html",),
    "mp4": (".mp4",),
    "gif": (".gif",),
    "sheet": (".png",),
}
_SUFFIXES = {Path(ending).suffix or ending for endings in _ENDINGS.values() for ending in endings}
_NAME_LENGTH = 40
_DRAWING = (("vtkmodules", "vtk"), ("PIL", "pillow"))
_NEEDS = {
    "glb": ("glb", (("pygltflib", "pygltflib"),)),
    "mp4": ("video", (*_DRAWING, ("imageio_ffmpeg", "imageio-ffmpeg"))),
    "gif": ("video", _DRAWING),
    "sheet": ("video", _DRAWING),
}
"""Extra of a format, and modules with the packages that bring them."""


def parse_formats(text: str) -> tuple[str, ...]:
    """Formats of a list with commas, each once.

    Raises:
        UserError: an unknown format, or none.
    """
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        given = f"unknown format {unknown[0]!r}" if unknown else "no format was given"
        raise UserError(f"{given}; choose from {', '.join(FORMATS)}, with commas between them")
    return names


def missing_extra(name: str) -> MissingExtra | None:
    """What a format lacks in this installation, if it lacks anything; imports nothing."""
    extra, needed = _NEEDS.get(name, ("", ()))
    for module, package in needed:
        if find_spec(module) is None:
            return MissingExtra(extra, package)
    return None


def plain_stem(path: str | Path) -> Path:
    """A stem without the ending of one of its files: ``dance.npz`` means ``dance``."""
    base = Path(path)
    return base.with_suffix("") if base.suffix in _SUFFIXES else base


def stem_of(prompt: str, number: int | None = None) -> str:
    """A file name for a sentence: ``two-people-dance``, with a number ``003-two-people-dance``."""
    plain = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    name = ""
    for word in words:
        if name and len(name) + 1 + len(word) > _NAME_LENGTH:
            break
        name = f"{name}-{word}" if name else word[:_NAME_LENGTH]
    name = name or "motion"
    return name if number is None else f"{number:03d}-{name}"


def files_of(stem: str | Path, formats: Sequence[str]) -> tuple[Path, ...]:
    """The files that `write_all` makes, in its order."""
    base = plain_stem(stem)
    return tuple(
        base.with_name(f"{base.name}{ending}") for name in formats for ending in _ENDINGS[name]
    )


def check_output(stem: str | Path, formats: Sequence[str]) -> None:
    """Say before the work that its files cannot be written; nothing is made.

    Raises:
        UserError: the first file that cannot be written is named.
    """
    if not plain_stem(stem).name:
        raise UserError(f"{str(stem)!r} is no name for files; give one such as dance or out/dance")
    for path in files_of(stem, formats):
        check_can_write(path)


def write_all(
    motion: Motion,
    stem: str | Path,
    formats: Sequence[str],
    *,
    names: str = "smpl",
    on_frame: Callable[[int, int], None] | None = None,
) -> tuple[Path, ...]:
    """Write a motion in several formats; all files appear at the end, together.

    Args:
        motion: what to write; all formats show the same people.
        stem: path without an ending; folders above it are made.
        formats: names of `FORMATS`.
        names: of the joints in BVH and GLB files, see `intermask.export.naming`.
        on_frame: called with (frames drawn, frames) while a video is made.

    Raises:
        UserError: a file cannot be written, or unknown names.
        MissingExtra: a format was asked for without its extra.
    """
    check_output(stem, formats)
    check_naming(names)
    base = plain_stem(stem)
    targets = files_of(stem, formats)
    base.absolute().parent.mkdir(parents=True, exist_ok=True)
    around = Path(tempfile.mkdtemp(prefix=f".{base.name}-", dir=base.absolute().parent))
    try:
        for name in formats:
            _write(motion, around / files_of(stem, [name])[0].name, name, names, on_frame)
        for target in targets:
            (around / target.name).replace(target)
    finally:
        shutil.rmtree(around, ignore_errors=True)
    return targets


def _write(
    motion: Motion,
    path: Path,
    name: str,
    names: str,
    on_frame: Callable[[int, int], None] | None,
) -> None:
    """Write one format; ``path`` is its first file."""
    if name == "npz":
        write_npz(motion, path)
    elif name == "bvh":
        write_bvh(motion, path.with_name(path.name.removesuffix("_1.bvh") + ".bvh"), names)
    elif name == "glb":
        from intermask.export.glb import write_glb

        write_glb(motion, path, names)
    elif name in ("smplh", "smplx"):
        from intermask.export.amass import write_amass

        stem = path.with_name(path.name.removesuffix(f"_1_{name}.npz"))
        write_amass(motion, stem, "smplh" if name == "smplh" else "smplx")
    elif name == "html":
        from intermask.export.viewer import write_viewer

        write_viewer(motion, path)
    elif name == "mp4":
        from intermask.export.video import render_mp4

        render_mp4(motion, path, progress=on_frame)
    elif name == "gif":
        from intermask.export.gif import render_gif

        render_gif(motion, path, progress=on_frame)
    else:
        from intermask.export.sheet import render_sheet

        render_sheet(motion, path)
