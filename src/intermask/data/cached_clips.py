"""Clips of a split out of one memory-mapped file, in place of reading thousands of files anew.

With each frame lies what places a crop that starts there (`Clip.frame_facts`), so that canonical
features of any crop follow by one turn and one shift; see `intermask.data.placement`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from intermask.data.cache import Named, Progress, cached_arrays, file_fingerprints
from intermask.data.layout import Clip
from intermask.errors import UserError
from intermask.representation import LOADED_COLUMNS

ReadClip = Callable[[str], Clip]


def cached_reader(
    read: ReadClip,
    captions: Callable[[str], tuple[str, ...]],
    files: Mapping[str, Sequence[Path]],
    cache: Path,
    progress: Progress,
    of: str = "",
) -> ReadClip:
    """A reader of clips that returns the same as ``read``, bit for bit.

    Clips that cannot be read are not kept: ``read`` says each time what is wrong with them.

    Args:
        read: reads one clip by its name.
        captions: reads its captions, which are not kept.
        files: for every name that will be asked for the files that decide its motion.
        cache: the folder of the cache.
        progress: called with clips done and clips in all, if they are read.
        of: whose clips, in words.
    """
    paths = list(dict.fromkeys(path for each in files.values() for path in each))
    prints = dict(zip(paths, file_fingerprints(paths, cache, progress), strict=True))
    facts = {"clips": [[name, *(prints[path] for path in each)] for name, each in files.items()]}

    def make() -> Iterator[Named]:
        for number, name in enumerate(files, start=1):
            try:
                clip = read(name)
            except (FileNotFoundError, UserError):
                continue
            if clip.loaded.ndim == 3:  # InterHuman's, which is placed; Inter-X stays where it is
                yield Named(name, torch.cat((clip.loaded, clip.frame_facts), -1))
            else:
                yield Named(name, clip.loaded)
            progress(number, len(files))

    found = cached_arrays(cache, "clips", facts, make, of)

    def read_kept(name: str) -> Clip:
        if name not in found:
            return read(name)
        array = found[name]
        clip = Clip(name, array, captions(name))
        if array.ndim != 3:
            return clip
        loaded, known = array[..., :LOADED_COLUMNS], array[..., LOADED_COLUMNS:]
        return replace(clip, loaded=loaded, known_facts=known)

    return read_kept
