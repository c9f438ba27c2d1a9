"""``clean``: fewer flaws in a finished motion, and what that did to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intermask.cli.console import print_columns, progress_bar
from intermask.cli.measure import motion_files
from intermask.cli.output import save, usable_formats
from intermask.errors import UserError

if TYPE_CHECKING:
    from intermask.generation.cleanup import CleanupOptions
    from intermask.motion import Motion

MM = 1000.0


def clean(
    motions: Annotated[
        list[Path],
        typer.Argument(metavar="NAME.npz...", help="Motions of ours, or folders of them."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="STEM|DIR/", help="Of one motion a stem, of more a folder."
        ),
    ],
    only: Annotated[
        str | None,
        typer.Option(
            "--only", metavar="PARTS", help="What is done, with commas: jitter,feet,bodies,floor."
        ),
    ] = None,
    strength: Annotated[
        float,
        typer.Option(
            "--strength", help="From 0 to 3; 1: as firmly as generated motion is settled."
        ),
    ] = 1.0,
    free_contacts: Annotated[
        bool,
        typer.Option(
            "--free-contacts", help="Let limbs that touch the partner go where cleaning takes them."
        ),
    ] = False,
    formats: Annotated[
        str, typer.Option("--formats", help="What to write, with commas; see `export`.")
    ] = "npz",
) -> None:
    """Clean a motion up: jitter, sliding feet, bodies in each other and in the floor.

    Frames and bones stay. Hands and other limbs that touch the partner stay
    where they are on the partner, and no joint accelerates more than it did
    at its most: nothing pops. Parts:

    jitter: smoothing, as much as there is noise

    feet: standing feet neither slide nor shiver

    bodies: people come out of each other and limbs out of their own body

    floor: nothing is below the floor

    Printed are the numbers of `measure` before and after, how far joints were
    moved, and how many contacts are still there.
    """
    from intermask.generation.cleanup import PARTS, CleanupOptions
    from intermask.generation.cleanup import clean as clean_one
    from intermask.motion import Motion

    written = usable_formats(formats)
    parts = PARTS if only is None else tuple(each.strip() for each in only.split(","))
    options = CleanupOptions(parts=parts, strength=strength, contacts=not free_contacts)  # type: ignore[arg-type]
    paths = motion_files(motions)
    stems = _stems(paths, output)
    pairs = []
    with progress_bar("cleaning") as update:
        for number, path in enumerate(paths):
            update(number, len(paths))
            before = Motion.load(path)
            try:
                pairs.append((before, clean_one(before, options)))
            except UserError as error:
                raise UserError(f"{path}: {error}") from error
    for stem, (_, after) in zip(stems, pairs, strict=True):
        save(after, stem, written)
    _print_table(pairs)
    _print_changes(pairs, options)


def _stems(paths: list[Path], output: Path) -> list[Path]:
    """Where motions go, none over its own source."""
    single = len(paths) == 1 and not output.is_dir() and not str(output).endswith(("/", "\\"))
    stems = (
        [output.with_suffix("") if output.suffix == ".npz" else output]
        if single
        else [output / path.stem for path in paths]
    )
    for stem, path in zip(stems, paths, strict=True):
        if stem.with_name(f"{stem.name}.npz").resolve() == path.resolve():
            raise UserError(f"{path} would be overwritten by what is made of it; choose another -o")
    if len(set(stems)) != len(stems):
        raise UserError("two of the motions have the same name; clean them one at a time")
    return stems


def _print_table(pairs: list[tuple[Motion, Motion]]) -> None:
    from intermask.evaluation.measurement import mean_of, measure
    from intermask.evaluation.terms import PHYSICS

    before, after = (
        mean_of([measure(each.positions, each.fps) for each in side]).numbers()
        for side in zip(*pairs, strict=True)
    )
    shown = [term for term in PHYSICS if term.key not in ("jerk_area", "person_correlation")]
    rows = [
        [term.title, term.unit, term.shown(before[term.key]), term.shown(after[term.key])]
        for term in shown
    ]
    print_columns(["" if len(pairs) == 1 else f"mean of {len(pairs)}", "", "before", "after"], rows)


def _print_changes(pairs: list[tuple[Motion, Motion]], options: CleanupOptions) -> None:
    import torch

    from intermask.generation.cleanup import peak_accelerations
    from intermask.generation.kept_contacts import LOOSENED, count_contacts

    moved = [(after.positions - before.positions).norm(dim=-1) for before, after in pairs]
    counts = [count_contacts(before, after) for before, after in pairs]
    growth = [
        peak_accelerations(after.positions, after.fps)
        / peak_accelerations(before.positions, before.fps).clamp_min(1e-6)
        for before, after in pairs
    ]
    mean, most = torch.cat([each.flatten() for each in moved]).mean(), max(m.max() for m in moved)
    typer.echo(f"joints moved by {MM * mean:.1f} mm on average, {MM * most:.0f} mm at most")
    there, kept = sum(count.before for count in counts), sum(count.kept for count in counts)
    if there:
        typer.echo(
            f"{kept} of {there} contacts of a limb in a frame are still there within "
            f"{MM * LOOSENED:.0f} mm ({100 * kept / there:.1f} %); the worst opens by "
            f"{MM * max(count.worst for count in counts):.0f} mm"
        )
    else:
        typer.echo("no limb touches the partner, before or after")
    typer.echo(
        "the largest acceleration of a joint is at most "
        f"{max(float(each.max()) for each in growth):.2f} times what it was"
    )
