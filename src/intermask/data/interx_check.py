"""Look through a copy of Inter-X; see `intermask.data.check`, which calls this."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from intermask.conventions import MIN_FRAMES
from intermask.data.findings import (
    CheckReport,
    Finding,
    SplitFacts,
    caption_findings,
    count_findings,
    list_findings,
)
from intermask.data.interx import InterXFolder
from intermask.data.layout import SPLITS, Clip
from intermask.errors import UserError
from intermask.motion import FPS
from intermask.representation_smplx import TRANSLATION_ROW
from intermask.smplx import BODY_MODEL, find_body_model

LONGEST_FRAMES = 150
"""Longer clips are cropped at random (method, section 2)."""
JUMP = 0.25
"""Metres from frame to frame that nobody moves at 30 frames a second."""


def check_interx(
    root: str | Path,
    is_too_long: Callable[[str], bool],
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Read every clip of every split.

    Args:
        root: a copy of Inter-X.
        is_too_long: whether a text encoder would cut a caption.
        progress: called with clips done and clips in all.

    Raises:
        FileNotFoundError: not a copy of Inter-X, or none of its splits has a list.
    """
    folder = InterXFolder(root)
    listed = [split for split in SPLITS if folder.has_list(split)]
    names = {split: folder.names(split) for split in listed or SPLITS}  # without any: an error
    stored, findings = _stored(folder, names)
    there = {name for members in stored.values() for name in members}
    findings += list_findings(folder.root / "splits", names, there, set(folder.ignored()))
    if find_body_model([folder.root]) is None:
        detail = "training a tokenizer needs it; it is free for research at smpl-x.is.tue.mpg.de"
        findings.append(Finding("no body model", BODY_MODEL, detail, False))
    counts: dict[str, int] = {}
    splits = []
    total, done = sum(map(len, names.values())), 0
    for split, members in names.items():
        frames, usable = [], 0
        for name in members if split in stored else ():
            clip, found = _look_at(folder, name, split, is_too_long)
            findings += found
            usable += not any(each.is_problem for each in found)
            if clip is not None:
                frames.append(clip.loaded.shape[1])
                counts[name] = len(clip.captions)
            done += 1
            if progress is not None:
                progress(done, total)
        captions = sum(counts.get(name, 0) for name in members)
        splits.append(SplitFacts(split, len(members), usable, captions, tuple(frames)))
    findings += count_findings(counts)
    return CheckReport(
        folder.root, folder.people, tuple(splits), (), tuple(findings), "Inter-X's layout"
    )


def _stored(
    folder: InterXFolder, splits: dict[str, tuple[str, ...]]
) -> tuple[dict[str, tuple[str, ...]], list[Finding]]:
    """Names in the motion file of every split, and files that cannot be read, each told once."""
    stored, findings = {}, []
    for split in splits:
        name = folder.motion_file(split).name
        try:
            stored[split] = folder.stored(split)
        except FileNotFoundError as error:
            findings.append(Finding("missing file", name, str(error), True))
        except UserError as error:
            findings.append(Finding("corrupt file", name, str(error), True))
    return stored, findings


def _look_at(
    folder: InterXFolder, name: str, split: str, is_too_long: Callable[[str], bool]
) -> tuple[Clip | None, list[Finding]]:
    """A clip, if it can be read, and what is to say about it."""
    texts = [
        *_line_findings(folder, name),
        *caption_findings(folder.text_file(name), name, folder.captions(name), is_too_long),
    ]
    try:
        clip = folder.read(name, split)
    except FileNotFoundError as error:
        return None, [Finding("missing file", name, str(error), True), *texts]
    except UserError as error:
        kinds = {"holds NaN": "NaN", "of shape": "wrong shape"}
        kind = next((kind for words, kind in kinds.items() if words in str(error)), "corrupt file")
        return None, [Finding(kind, name, str(error), True), *texts]
    return clip, [*_motion_findings(clip), *texts]


def _motion_findings(clip: Clip) -> Iterator[Finding]:
    frames = clip.loaded.shape[1]
    if frames <= MIN_FRAMES:
        yield Finding("too short", clip.name, f"{frames} frames of {MIN_FRAMES + 1}", True)
    elif frames > LONGEST_FRAMES:
        yield Finding("long", clip.name, f"{frames / FPS:.1f} s; cropped at random", False)
    steps = clip.loaded[:, :, TRANSLATION_ROW].diff(dim=1).norm(dim=-1)
    if frames > 1 and float(steps.max()) > JUMP:
        person, frame = divmod(int(steps.argmax()), frames - 1)
        detail = f"person {person + 1} moves {float(steps.max()):.2f} m at frame {frame}"
        yield Finding("jump", clip.name, detail, False)


def _line_findings(folder: InterXFolder, name: str) -> Iterator[Finding]:
    """How the lines of a text file are written."""
    for number, line in enumerate(folder.caption_lines(name), start=1):
        if not line.is_whole:
            start, end = line.part
            detail = f"line {number} tells of seconds {start:g} to {end:g}; not used"
            yield Finding("caption of a part", name, detail, False)
        if line.text and not line.words:
            detail = f"line {number} has no words with tags, which the evaluator reads"
            yield Finding("no word tags", name, detail, False)
