"""``nearest``: whether a model recites its training data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intermask.cli.console import print_columns, progress_bar
from intermask.cli.measure import motion_files
from intermask.cli.options import DataSmplxOption
from intermask.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from intermask.evaluation.memorisation import Memorisation
    from intermask.evaluation.real_motion import JointClips
    from intermask.motion import Motion

HELD_OUT_CLIPS = 100
"""Held-out clips that are looked at, evenly spread; more change the figures little."""


def nearest(
    motions: Annotated[
        list[Path],
        typer.Argument(metavar="NAME.npz...", help="Motions of ours, or folders of them."),
    ],
    data: Annotated[
        list[Path],
        typer.Option("--data", metavar="DIR", help="What the model was trained on; repeatable."),
    ],
    held_out: Annotated[
        str, typer.Option("--held-out", help="The split that the model was not trained on.")
    ] = "test",
    smplx: DataSmplxOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with all digits.")] = False,
) -> None:
    """Find the training clip most like each motion: does the model recite?

    Motions are compared second by second, as joints of both people, wherever
    they are, mirrored and with the people exchanged. The distance of joints
    means something only beside that of real clips that the model has not seen;
    a motion nearer than all but 5 % of those is marked.

    Where datasets differ much, ask one at a time: each has its own distances.
    """
    with progress_bar("comparing with training clips") as update:
        from intermask.evaluation.memorisation import find_memorised
        from intermask.evaluation.real_motion import JointClips
        from intermask.motion import Motion

        paths = motion_files(motions)
        loaded = [_comparable(path, Motion.load(path)) for path in paths]
        clips = [JointClips.of(folder, smplx) for folder in data]
        total = sum(len(each.names("train")) for each in clips)
        result = find_memorised(
            loaded,
            _held_out_clips(clips, held_out),
            _training_clips(clips),
            lambda done: update(done, total),
        )
    if as_json:
        typer.echo(json.dumps(_as_json(paths, result), indent=2))
    else:
        _print_result(paths, result, held_out)


def _comparable(path: Path, motion: Motion) -> Tensor:
    from intermask.evaluation.memorisation import WINDOW_FRAMES
    from intermask.motion import FPS

    if motion.frames < WINDOW_FRAMES or motion.fps != FPS:
        raise UserError(
            f"{path} has {motion.frames} frames at {motion.fps:g} fps; "
            f"expected {WINDOW_FRAMES} or more at {FPS:g} fps to compare with training clips"
        )
    return motion.positions


def _training_clips(data: list[JointClips]) -> Iterator[tuple[str, Tensor]]:
    for each in data:
        for name in each.names("train"):
            yield f"{each.name}/{name}", each.positions(name, "train")


def _held_out_clips(data: list[JointClips], split: str) -> list[Tensor]:
    from intermask.evaluation.memorisation import WINDOW_FRAMES

    names = [(each, name) for each in data for name in each.names(split)]
    step = max(1, -(-len(names) // HELD_OUT_CLIPS))
    clips = [each.positions(name, split) for each, name in names[::step]]
    usable = [clip for clip in clips if clip.shape[1] >= WINDOW_FRAMES]
    if not usable:
        raise UserError(
            f"the split {split!r} has no clip of {WINDOW_FRAMES} frames or more to compare with; "
            "choose another with --held-out"
        )
    return usable


def _print_result(paths: list[Path], result: Memorisation, held_out: str) -> None:
    rows = [
        (path.stem, f"{100 * distance:.1f}", clip, "suspiciously near" if suspicious else "")
        for path, distance, clip, suspicious in zip(
            paths,
            result.generated.distance.tolist(),
            result.generated.clip,
            result.suspicious.tolist(),
            strict=True,
        )
    ]
    print_columns(("", "cm", "nearest training clip", ""), rows)
    count = len(result.held_out.clip)
    typer.echo(
        f"median {100 * result.generated.median:.1f} cm; of {count} held-out clips ({held_out}) "
        f"{100 * result.held_out.median:.1f} cm, and 95 % of them are beyond "
        f"{100 * result.threshold:.1f} cm"
    )
    typer.echo(f"suspiciously near: {int(result.suspicious.sum())} of {len(rows)}")


def _as_json(paths: list[Path], result: Memorisation) -> dict[str, Any]:
    generated, held_out = result.generated, result.held_out
    return {
        "motions": [
            {"file": str(path), "distance_m": distance, "clip": clip, "suspicious": suspicious}
            for path, distance, clip, suspicious in zip(
                paths,
                generated.distance.tolist(),
                generated.clip,
                result.suspicious.tolist(),
                strict=True,
            )
        ],
        "median_m": generated.median,
        "held_out": {
            "clips": len(held_out.clip),
            "median_m": held_out.median,
            "threshold_m": result.threshold,
            "distance_m": held_out.distance.tolist(),
        },
    }
