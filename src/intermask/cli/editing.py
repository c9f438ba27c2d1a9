"""``react``, ``complete``, ``edit``, ``extend``, ``vary``, ``swap``, ``mirror``: from a motion."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intermask.cli.making_motion import MakingOptions, checked_output, make_variants
from intermask.cli.options import FormatsOption, StemOption, parse_ranges
from intermask.cli.output import save, stem_in

if TYPE_CHECKING:
    from intermask.motion import Motion

GivenArgument = Annotated[
    Path, typer.Argument(metavar="NAME.npz", help="The motion to start from.")
]
PersonArgument = Annotated[
    Path, typer.Argument(metavar="NAME.npz|NAME.bvh", help="Holds the person who is given.")
]
PromptArgument = Annotated[str, typer.Argument(help="What happens between the two people.")]
OptionalPrompt = Annotated[
    str | None,
    typer.Argument(metavar="PROMPT", help="What happens. Default: the motion's own caption."),
]
ChangingPerson = Annotated[
    int | None,
    typer.Option("--person", help="Only this one changes: 1 or 2. Default: both.", min=1, max=2),
]


def react(
    given: PersonArgument,
    prompt: PromptArgument,
    person: Annotated[
        int, typer.Option("--person", help="The one who is given: 1 or 2.", min=1, max=2)
    ] = 1,
    mapping: Annotated[
        str | None,
        typer.Option("--mapping", metavar="FILE", help="Joints of a BVH. Default: by their names."),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option("--scale", help="Metres of one unit of a BVH. Default: by the body's size."),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option("--fps", help="True frame rate of the file, where its own is wrong."),
    ] = None,
    *,
    making: MakingOptions,
) -> None:
    """Keep one person of a motion exactly as they are and make the other one anew.

    The person may come from another program: a BVH in any known naming, an .npz
    in AMASS's layout, or one with joints22. They stay where their file has them;
    with --person 2 they become person 2, and their partner person 1.
    """
    stem = _stem_of_prompt(making.output, prompt)
    motion = _with_person(given, person, mapping, scale, fps)
    make_variants(
        making,
        stem,
        lambda generator, seed, options: generator.react(motion, person, prompt, seed, options),
    )


def complete(
    given: GivenArgument,
    prompt: PromptArgument,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="START:END", help="Seconds to keep; may be repeated."),
    ] = None,
    person: Annotated[
        int | None,
        typer.Option(
            "--person",
            help="Make only this person anew outside the ranges; the other is kept.  "
            "Default: both.",
            min=1,
            max=2,
        ),
    ] = None,
    *,
    making: MakingOptions,
) -> None:
    """Keep parts of a motion exactly as they are and make the rest anew."""
    ranges = parse_ranges(keep or [])
    stem = _stem_of_prompt(making.output, prompt)
    motion = _loaded(given)
    make_variants(
        making,
        stem,
        lambda generator, seed, options: generator.complete(
            motion, prompt, ranges, person, seed, options
        ),
    )


def edit(
    given: GivenArgument,
    ranges: Annotated[
        list[str],
        typer.Option("--range", metavar="START:END", help="Seconds to make anew; may be repeated."),
    ],
    prompt: OptionalPrompt = None,
    person: ChangingPerson = None,
    *,
    making: MakingOptions,
) -> None:
    """Make a part of a motion anew and keep the rest exactly as it is.

    What is new leads into what is kept over at most 12 frames, inside the range.
    """
    wanted = parse_ranges(ranges, "--range")
    motion = _loaded(given)
    make_variants(
        making,
        stem_in(making.output, f"{given.stem}-edited"),
        lambda generator, seed, options: generator.edit(
            motion, wanted, prompt, person, seed, options
        ),
    )


def extend(
    given: GivenArgument,
    prompt: OptionalPrompt = None,
    before: Annotated[float, typer.Option("--before", help="Seconds to put before it.")] = 0.0,
    after: Annotated[float, typer.Option("--after", help="Seconds to put behind it.")] = 0.0,
    *,
    making: MakingOptions,
) -> None:
    """Let a motion go on, or begin earlier, and keep what is there exactly as it is.

    More than the model makes at once is made piece by piece.
    """
    motion = _loaded(given)
    make_variants(
        making,
        stem_in(making.output, f"{given.stem}-extended"),
        lambda generator, seed, options: generator.extend(
            motion, prompt, before, after, seed, options
        ),
    )


def vary(
    given: GivenArgument,
    prompt: OptionalPrompt = None,
    keep_ends: Annotated[
        float, typer.Option("--keep-ends", help="Seconds to keep at either end.")
    ] = 1.0,
    person: ChangingPerson = None,
    *,
    making: MakingOptions,
) -> None:
    """Make another motion that begins and ends exactly as this one does."""
    motion = _loaded(given)
    make_variants(
        making,
        stem_in(making.output, f"{given.stem}-varied"),
        lambda generator, seed, options: generator.vary(
            motion, prompt, keep_ends, person, seed, options
        ),
    )


def swap(given: GivenArgument, output: StemOption = None, formats: FormatsOption = "npz") -> None:
    """Exchange person 1 and person 2, in the motion and where its caption numbers them."""
    from intermask.generation.editing import swap as exchanged

    _save(exchanged(_loaded(given)), stem_in(output, f"{given.stem}-swapped"), formats)


def mirror(given: GivenArgument, output: StemOption = None, formats: FormatsOption = "npz") -> None:
    """Mirror a motion: left becomes right, in the bodies and in the caption."""
    from intermask.generation.editing import mirror as mirrored

    _save(mirrored(_loaded(given)), stem_in(output, f"{given.stem}-mirrored"), formats)


def _save(motion: Motion, stem: Path, formats: str) -> None:
    save(motion, stem, checked_output([stem], formats))


def _loaded(given: Path) -> Motion:
    from intermask.motion import Motion

    return Motion.load(given)


def _stem_of_prompt(output: str | None, prompt: str) -> Path:
    from intermask.export.writing import stem_of

    return stem_in(output, stem_of(prompt))


def _with_person(
    given: Path, person: int, mapping: str | None, scale: float | None, fps: float | None
) -> Motion:
    """A motion in which the given one is person 1 or 2; of files of other programs, nobody else."""
    from intermask.data.person_file import load_person

    if not _of_another_program(given):
        return _loaded(given)
    found = load_person(given, mapping=mapping, unit_scale=scale, fps=fps)
    for note in found.notes:
        typer.echo(f"{given.name}: {note}", err=True)
    motion = found.beside()
    return motion if person == 1 else motion.swapped()


def _of_another_program(given: Path) -> bool:
    """Whether a file holds one person, rather than a motion of ours."""
    if given.suffix.lower() != ".npz":
        return True
    if not zipfile.is_zipfile(given):
        return False
    with zipfile.ZipFile(given) as archive:
        return bool({"joints22.npy", "poses.npy"} & set(archive.namelist()))
