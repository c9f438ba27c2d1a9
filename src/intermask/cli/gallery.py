"""``gallery``: prompts and their motions on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intermask.cli.console import print_table, progress_bar, working
from intermask.cli.making_motion import GeneratorOptions
from intermask.cli.options import read_prompts
from intermask.errors import UserError

if TYPE_CHECKING:
    from intermask.config import SamplingConfig
    from intermask.export.viewer import ViewerEntry
    from intermask.generation.generator import InteractionGenerator
    from intermask.generation.requests import GenerationOptions
    from intermask.motion import Motion

_TOGETHER = 4
"""Prompts whose motions are made together: an interruption loses no more."""


def gallery(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="PROMPTS.txt|FOLDER", help="Prompts, one a line, or motions NAME.npz."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.html", help="The page.")],
    motions: Annotated[
        Path | None,
        typer.Option(
            "--motions",
            metavar="DIR",
            help="Keep the motions here; what is there already is not made again.",
        ),
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="Of the page.")] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="Length. Default: estimated from each text.")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Of the first prompt; each takes the next one.")
    ] = 0,
    *,
    chosen: GeneratorOptions,
) -> None:
    """Show many motions on one page: stills that move, and each in 3D when chosen.

    From a file of prompts the motions are made first, as `generate` makes
    them; from a folder they are read. The page is one file that opens in any
    browser, without a network; a motion of five seconds adds about 80 kB.
    """
    from intermask.export.gallery import gallery_entry, read_motions, write_gallery
    from intermask.files import check_can_write

    check_can_write(output)
    if source.is_dir():
        if motions is not None:
            raise UserError("--motions is for prompts; a folder of motions is only read")
        found = read_motions(source)
        entries = [gallery_entry(motion, name) for name, motion in found]
        name = source.resolve().name
    else:
        texts = read_prompts(source)
        generator = chosen.load()
        sampling = chosen.sampling_of(generator)
        made = _made(generator, texts, seconds, seed, sampling, motions)
        entries = [gallery_entry(motion) for motion in made]
        name = generator.model.config.name
    with working("writing the page"):
        path = write_gallery(entries, output, title or f"Gallery of {name}", _about(entries))
    print_table(
        [
            ("motions", str(len(entries))),
            ("written to", f"{path} ({path.stat().st_size / 1e6:.1f} MB)"),
        ]
    )


def _made(
    generator: InteractionGenerator,
    texts: list[str],
    seconds: float | None,
    seed: int,
    sampling: SamplingConfig,
    folder: Path | None,
) -> list[Motion]:
    """A motion of each text, those that are kept in the folder as they are."""
    from intermask.export.writing import stem_of
    from intermask.generation.requests import GenerationOptions

    options = GenerationOptions(sampling=sampling)
    files = [
        None if folder is None else folder / f"{stem_of(text, number)}.npz"
        for number, text in enumerate(texts, 1)
    ]
    asked = list(zip(texts, range(seed, seed + len(texts)), files, strict=True))
    with progress_bar("making motions") as update:
        motions: list[Motion] = []
        for begin in range(0, len(asked), _TOGETHER):
            motions += _made_together(generator, asked[begin : begin + _TOGETHER], seconds, options)
            update(len(motions), len(asked))
    return motions


def _made_together(
    generator: InteractionGenerator,
    asked: list[tuple[str, int, Path | None]],
    seconds: float | None,
    options: GenerationOptions,
) -> list[Motion]:
    name = generator.model.config.name
    kept = {
        seed: motion
        for text, seed, file in asked
        if (motion := _kept(file, text, seed, name)) is not None
    }
    left = [each for each in asked if each[1] not in kept]
    if left:
        texts, seeds, files = zip(*left, strict=True)
        for motion, seed, file in zip(
            generator(texts, seconds, seeds, options), seeds, files, strict=True
        ):
            kept[seed] = motion
            if file is not None:
                motion.save(file)
    return [kept[seed] for _, seed, _ in asked]


def _kept(file: Path | None, text: str, seed: int, model: str) -> Motion | None:
    """What is in a file, if it was made of this text with this seed by this model.

    Raises:
        UserError: it was not.
    """
    from intermask.motion import Motion

    if file is None or not file.is_file():
        return None
    motion = Motion.load(file)
    if (motion.caption, motion.seed, motion.model) != (text, seed, model):
        raise UserError(
            f"{file} was made of {motion.caption!r} with seed {motion.seed} by {motion.model}, "
            f"not of {text!r} with seed {seed} by {model}; give another folder"
        )
    return motion


def _about(entries: list[ViewerEntry]) -> str:
    """How many motions, how long, by which models."""
    seconds = sum(entry.motion.seconds for entry in entries)
    models = sorted({entry.motion.model for entry in entries if entry.motion.model})
    made = f", made by {', '.join(models)}" if models else ""
    return f"{len(entries)} motions of {seconds:.0f} seconds in all{made}"
