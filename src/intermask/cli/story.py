"""``story``: a script of scenes to one long motion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intermask.cli.console import print_columns, progress_bar
from intermask.cli.making_motion import GeneratorOptions
from intermask.cli.options import DEFAULT_FORMATS, FormatsOption
from intermask.cli.output import save, stem_in, usable_formats
from intermask.errors import UserError

if TYPE_CHECKING:
    from intermask.config import SamplingConfig
    from intermask.generation.generator import InteractionGenerator
    from intermask.generation.story_script import StoryScript


def story(
    script: Annotated[
        Path | None,
        typer.Argument(metavar="SCRIPT.yaml", help="What happens, scene by scene."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="STEM",
            help="Name of the files without ending. Default: the script's name.",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Print what would be made, and make nothing.")
    ] = False,
    example: Annotated[
        bool, typer.Option("--example", help="Print a script to start from.")
    ] = False,
    seed: Annotated[int | None, typer.Option("--seed", help="In place of the script's.")] = None,
    formats: FormatsOption = DEFAULT_FORMATS,
    *,
    chosen: GeneratorOptions,
) -> None:
    """Make one long motion of several sentences, without a cut.

    The script lists scenes: a text each, and how many seconds it lasts
    (estimated from the text where nothing is said). Each scene goes on from
    the last second of the one before. The same script and seed give the same
    story; scenes that are added at the end change nothing before them.
    --seed and --model take the place of what the script says.

    Long stories take their time. What is finished is kept in a hidden folder
    beside the output: after an interruption, give the same command again.
    """
    from intermask.generation.story_script import EXAMPLE, read_script

    if example:
        typer.echo(EXAMPLE, nl=False)
        return
    if script is None:
        raise UserError("give a script; `intermask story --example` prints one to start from")
    written = read_script(script)
    stem = stem_in(output, script.stem)
    wanted = usable_formats(formats)
    generator = chosen.load(written.model)
    if check:
        _print_plan(generator, written, seed)
    else:
        _make(generator, written, seed, stem, wanted, chosen.sampling_of(generator))


def _make(
    generator: InteractionGenerator,
    script: StoryScript,
    seed: int | None,
    stem: Path,
    formats: tuple[str, ...],
    sampling: SamplingConfig,
) -> None:
    from intermask.export.writing import check_output
    from intermask.generation.requests import GenerationOptions
    from intermask.generation.story import tell
    from intermask.generation.story_work import FinishedWindows

    check_output(stem, formats)
    seed = script.seed if seed is None else seed
    options = GenerationOptions(sampling=sampling)
    finished = FinishedWindows(stem.with_name(f".{stem.name}.story"))
    with progress_bar("frames") as update:
        motion = tell(generator, script.scenes, seed, options, finished, update)
    save(motion, stem, formats)
    finished.remove()


def _print_plan(generator: InteractionGenerator, script: StoryScript, seed: int | None) -> None:
    from intermask.generation.story import planned
    from intermask.motion import FPS

    plan = planned(generator, script.scenes, script.seed if seed is None else seed)
    rows = [
        (
            str(number),
            f"{caption.start:.1f}",
            f"{caption.end:.1f}",
            f"{caption.end - caption.start:.1f}{'' if scene.seconds else ' estimated'}",
            str(sum(window.scene == number for window in plan.windows)),
            caption.text,
        )
        for number, (scene, caption) in enumerate(
            zip(script.scenes, plan.captions, strict=True), start=1
        )
    ]
    print_columns(("scene", "from s", "to s", "seconds", "windows", "text"), rows)
    typer.echo(f"{plan.frames / FPS:.1f} seconds in {len(plan.windows)} windows")
