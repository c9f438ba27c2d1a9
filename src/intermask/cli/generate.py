"""``generate``: sentences to motion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intermask.cli.making_motion import (
    MakingOptions,
    checked_output,
    tell_seed,
    variant_stems,
)
from intermask.cli.options import read_prompts
from intermask.cli.output import save, stem_in
from intermask.errors import UserError

if TYPE_CHECKING:
    from intermask.generation.durations import DurationEstimate


def generate(
    prompt: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="What the two people do.")
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option("--prompts", metavar="FILE", help="Many prompts, one a line; -o is a folder."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", help="Length. Default: estimated from the text, and printed."),
    ] = None,
    batch_size: Annotated[
        int, typer.Option("--batch-size", help="Motions made together.", min=1)
    ] = 16,
    *,
    making: MakingOptions,
) -> None:
    """Make motion of two people from a sentence, or from many.

    STEM.npz holds arrays, STEM_1.bvh and STEM_2.bvh one person each for
    animation programs, STEM.html the motion in 3D for a browser, STEM.mp4 a
    video (needs the extra "video").
    With many prompts, each takes the seed after that of the one before.
    """
    texts, stems = _asked(prompt, prompts, making.output)
    # Variants begin where the seeds of the prompts end, so that the first ones are as without.
    targets = [
        variant_stems(stem, making.variants)[number]
        for number in range(making.variants)
        for stem in stems
    ]
    wanted = checked_output(targets, making.formats)
    generator = making.generator.load()
    estimates = [generator.estimate(text) for text in texts] if seconds is None else []
    lengths = [each.seconds for each in estimates] if seconds is None else [seconds] * len(texts)
    with making.sampling(generator, len(targets), batch_size) as options:
        motions = generator(
            texts * making.variants, lengths * making.variants, making.seed, options
        )
    for estimate, stem in zip(estimates, stems, strict=False):
        _tell_length(stem.name, estimate)
    for motion, stem in zip(motions, targets, strict=True):
        tell_seed(making, stem, motion)
        save(motion, stem, wanted)


def _asked(
    prompt: str | None, prompts: Path | None, output: str | None
) -> tuple[list[str], list[Path]]:
    """Texts and the stems of their files."""
    from intermask.export.writing import stem_of

    if (prompt is None) == (prompts is None):
        raise UserError("give one prompt in quotes, or a file of them with --prompts, not both")
    if prompts is None:
        text = str(prompt)
        if not text.strip():
            raise UserError("the prompt is empty; write what the two people do")
        return [text], [stem_in(output, stem_of(text))]
    texts = read_prompts(prompts)
    folder = Path(output or ".")
    return texts, [folder / stem_of(text, number) for number, text in enumerate(texts, start=1)]


def _tell_length(name: str, estimate: DurationEstimate) -> None:
    """Say how long a motion is where nobody asked, and which captions that comes from."""
    typer.echo(
        f"{name}: {estimate.seconds:.1f} seconds, estimated from the text (--seconds sets it)",
        err=True,
    )
    if not estimate.neighbours:
        typer.echo("  no training caption shares a word with it: the median of all", err=True)
        return
    typer.echo("  the median of the nearest training captions:", err=True)
    for caption, seconds in estimate.neighbours:
        typer.echo(f"  {seconds:4.1f} s  {caption}", err=True)
