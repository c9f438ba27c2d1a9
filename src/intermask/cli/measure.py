"""``measure``: how two bodies move, in millimetres and m/s³, without any evaluator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intermask.cli.console import Update, print_columns, progress_bar
from intermask.cli.options import DataSmplxOption
from intermask.errors import UserError

if TYPE_CHECKING:
    from intermask.evaluation.measurement import PhysicalMetrics
    from intermask.evaluation.real_motion import RealMotion
    from intermask.motion import Motion


def measure(
    motions: Annotated[
        list[Path],
        typer.Argument(metavar="NAME.npz...", help="Motions of ours, or folders of them."),
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="A dataset: its clips show what is usual."),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Which clips of --data.")] = "test",
    smplx: DataSmplxOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with all digits.")] = False,
) -> None:
    """Measure how two people move: sliding feet, overlap, jerks, contact.

    Flaws are best small, but real motion is not at 0, and a motion in which
    nobody moves is flawless: give --data to see what is usual. Columns:

    skate: slide of feet on the floor, mm in 1/30 s

    float: height of the lowest joint, mm

    joints: how far joints of the two are nearer than 12 cm, mm

    inside, deepest, total: frames in which capsules around bones overlap by
    5 cm or more, and how much, mean over all frames

    jerk, peak: mean and largest third derivative

    area: between jerk over time and the data's mean; grows with the length

    bones: change of bone lengths over time

    hands: frames with a hand on the partner

    together: correlation of the two poses over time, from -1 to 1
    """
    with progress_bar("measuring") as update:
        from intermask.motion import Motion

        paths = motion_files(motions)
        loaded = [Motion.load(path) for path in paths]
        real = None if data is None else _real_motion(data, split, smplx, update)
        results = _measure_all(paths, loaded, real, update)
    if as_json:
        typer.echo(json.dumps(_as_json(paths, loaded, results, real), indent=2))
    else:
        _print_results(paths, loaded, results, real, f"{data} ({split})")


def motion_files(given: list[Path]) -> list[Path]:
    """Motion files as given, a folder standing for all of its own.

    Raises:
        UserError: a folder without any.
    """
    files = []
    for path in given:
        inside = sorted(path.glob("*.npz")) if path.is_dir() else [path]
        if not inside:
            raise UserError(
                f"{path} holds no .npz file; `intermask generate -o {path}/` makes some"
            )
        files += inside
    return files


def _real_motion(folder: Path, split: str, smplx: Path | None, update: Update) -> RealMotion:
    from intermask.evaluation.real_motion import JointClips, measure_real_motion

    return measure_real_motion(JointClips.of(folder, smplx), split, update)


def _measure_all(
    paths: list[Path], motions: list[Motion], real: RealMotion | None, update: Update
) -> list[PhysicalMetrics]:
    from intermask.evaluation.measurement import measure as measure_one

    jerk = None if real is None else real.jerk
    results = []
    for path, motion in zip(paths, motions, strict=True):
        try:
            results.append(measure_one(motion.positions, motion.fps, jerk))
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        update(len(results), len(motions))
    return results


def _asked_contacts(motion: Motion) -> dict[str, float]:
    """Share of frames of each contact that the caption asks for, by name."""
    from intermask.evaluation.contact import contact_share, required_contacts

    body = motion.positions[:, :, :22]
    return {
        contact.name: float(contact_share(body, contact))
        for contact in required_contacts(motion.caption)
    }


def _print_results(
    paths: list[Path],
    motions: list[Motion],
    results: list[PhysicalMetrics],
    real: RealMotion | None,
    real_name: str,
) -> None:
    from intermask.evaluation.measurement import mean_of
    from intermask.evaluation.terms import PHYSICS

    rows = [(path.stem, result) for path, result in zip(paths, results, strict=True)]
    if len(results) > 1:
        rows.append((f"mean of {len(results)}", mean_of(results)))
    if real is not None:
        rows.append((f"{real_name}, {real.clips} clips", real.metrics))
    columns = [term for term in PHYSICS if real is not None or term.key != "jerk_area"]
    header = ["", *(term.short for term in columns)]
    units = ["", *(term.unit for term in columns)]
    cells = [
        [name, *(term.shown(result.numbers()[term.key]) for term in columns)]
        for name, result in rows
    ]
    print_columns(header, [units, *cells])
    for path, motion in zip(paths, motions, strict=True):
        for name, share in _asked_contacts(motion).items():
            typer.echo(
                f'{path.stem}: "{motion.caption}" asks for {name}: '
                f"in {100 * share:.0f} % of its frames"
            )


def _as_json(
    paths: list[Path],
    motions: list[Motion],
    results: list[PhysicalMetrics],
    real: RealMotion | None,
) -> dict[str, Any]:
    from intermask.evaluation.measurement import mean_of

    return {
        "motions": [
            {
                "file": str(path),
                "caption": motion.caption,
                "seconds": motion.seconds,
                "metrics": result.numbers(),
                "asked_contacts": _asked_contacts(motion),
            }
            for path, motion, result in zip(paths, motions, results, strict=True)
        ],
        "mean": mean_of(results).numbers(),
        "data": None if real is None else {"clips": real.clips, "metrics": real.metrics.numbers()},
    }
