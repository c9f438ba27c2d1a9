"""``generate``, ``react`` and ``complete``: sentences to motion."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intermask.cli.console import progress_bar, working
from intermask.cli.options import (
    DEFAULT_FORMATS,
    DeviceOption,
    DraftsOption,
    EvaluatorOption,
    FormatsOption,
    GuidanceOption,
    ModelOption,
    SamplingChanges,
    SeedOption,
    SmplxOption,
    StemOption,
    StepsOption,
    TemperatureOption,
    TextSourceOption,
    parse_ranges,
    read_prompts,
)
from intermask.cli.output import save, stem_in, usable_formats
from intermask.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from intermask.generation.durations import DurationEstimate
    from intermask.generation.generator import InteractionGenerator
    from intermask.generation.requests import GenerationOptions

GivenArgument = Annotated[
    Path, typer.Argument(metavar="NAME.npz", help="The motion to start from.")
]
PromptArgument = Annotated[str, typer.Argument(help="What happens between the two people.")]


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
    seed: SeedOption = 0,
    output: StemOption = None,
    model: ModelOption = None,
    formats: FormatsOption = DEFAULT_FORMATS,
    guidance: GuidanceOption = None,
    temperature: TemperatureOption = None,
    steps: StepsOption = None,
    drafts: DraftsOption = None,
    batch_size: Annotated[
        int, typer.Option("--batch-size", help="Motions made together.", min=1)
    ] = 16,
    device: DeviceOption = "auto",
    text_source: TextSourceOption = None,
    smplx: SmplxOption = None,
    evaluator: EvaluatorOption = None,
) -> None:
    """Make motion of two people from a sentence, or from many.

    STEM.npz holds arrays, STEM_1.bvh and STEM_2.bvh one person each for
    animation programs, STEM.mp4 a video (needs the extra "video").
    With many prompts, each takes the seed after that of the one before.
    """
    texts, stems = _asked(prompt, prompts, output)
    wanted = _checked_output(stems, formats)
    generator = _load(model, device, text_source, smplx, evaluator)
    estimates = [generator.estimate(text) for text in texts] if seconds is None else []
    lengths = [each.seconds for each in estimates] if seconds is None else seconds
    changes = SamplingChanges(guidance, temperature, steps, drafts)
    with _options(generator, changes, len(texts), batch_size) as options:
        motions = generator(texts, lengths, seed, options)
    for estimate, stem in zip(estimates, stems, strict=False):
        _tell_length(stem.name, estimate)
    for motion, stem in zip(motions, stems, strict=True):
        save(motion, stem, wanted)


def react(
    given: GivenArgument,
    prompt: PromptArgument,
    person: Annotated[
        int, typer.Option("--person", help="The one who is given: 1 or 2.", min=1, max=2)
    ] = 1,
    seed: SeedOption = 0,
    output: StemOption = None,
    model: ModelOption = None,
    formats: FormatsOption = DEFAULT_FORMATS,
    guidance: GuidanceOption = None,
    temperature: TemperatureOption = None,
    steps: StepsOption = None,
    drafts: DraftsOption = None,
    device: DeviceOption = "auto",
    text_source: TextSourceOption = None,
    smplx: SmplxOption = None,
    evaluator: EvaluatorOption = None,
) -> None:
    """Keep one person of a motion exactly as they are and make the other one anew."""
    from intermask.motion import Motion

    stem = stem_in(output, prompt)
    wanted = _checked_output([stem], formats)
    motion = Motion.load(given)
    generator = _load(model, device, text_source, smplx, evaluator)
    with _options(generator, SamplingChanges(guidance, temperature, steps, drafts)) as options:
        made = generator.react(motion, person, prompt, seed, options)
    save(made, stem, wanted)


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
    seed: SeedOption = 0,
    output: StemOption = None,
    model: ModelOption = None,
    formats: FormatsOption = DEFAULT_FORMATS,
    guidance: GuidanceOption = None,
    temperature: TemperatureOption = None,
    steps: StepsOption = None,
    drafts: DraftsOption = None,
    device: DeviceOption = "auto",
    text_source: TextSourceOption = None,
    smplx: SmplxOption = None,
    evaluator: EvaluatorOption = None,
) -> None:
    """Keep parts of a motion exactly as they are and make the rest anew."""
    from intermask.motion import Motion

    ranges = parse_ranges(keep or [])
    stem = stem_in(output, prompt)
    wanted = _checked_output([stem], formats)
    motion = Motion.load(given)
    generator = _load(model, device, text_source, smplx, evaluator)
    with _options(generator, SamplingChanges(guidance, temperature, steps, drafts)) as options:
        made = generator.complete(motion, prompt, ranges, person, seed, options)
    save(made, stem, wanted)


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
        return [text], [stem_in(output, text)]
    texts = read_prompts(prompts)
    folder = Path(output or ".")
    return texts, [folder / stem_of(text, number) for number, text in enumerate(texts, start=1)]


def _checked_output(stems: list[Path], formats: str) -> tuple[str, ...]:
    from intermask.export.writing import check_output

    wanted = usable_formats(formats)
    for stem in stems:
        check_output(stem, wanted)
    return wanted


def _load(
    model: Path | None,
    device: str,
    text_source: Path | None,
    smplx: Path | None,
    evaluator: Path | None,
) -> InteractionGenerator:
    with working("loading the model"):
        from intermask.loading import load_generator

        return load_generator(model, device, text_source, smplx, evaluator)


@contextmanager
def _options(
    generator: InteractionGenerator,
    changes: SamplingChanges,
    motions: int = 1,
    batch_size: int = 16,
) -> Iterator[GenerationOptions]:
    """How motions are made, with progress over the rounds of all batches."""
    from intermask.generation.requests import GenerationOptions

    sampling = changes.applied_to(generator.model.config.sampling)
    batches = math.ceil(motions * sampling.drafts / batch_size)
    with progress_bar("generating") as update:
        done = 0

        def on_step(number: int, rounds: int, tokens: Tensor) -> None:
            nonlocal done
            done += 1
            update(done, batches * rounds)

        yield GenerationOptions(sampling=sampling, on_step=on_step, batch_size=batch_size)


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
