"""``evaluate-contacts``: whether people touch as their sentence says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intermask.cli.console import print_columns, progress_bar, working
from intermask.cli.options import (
    DeviceOption,
    GuidanceOption,
    SamplingChanges,
    StepsOption,
    TemperatureOption,
    TextSourceOption,
)

if TYPE_CHECKING:
    from intermask.adherence.measuring import Measurement


def evaluate_contacts(
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Made by `data make open`.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="REPORT", help="Folder of the report.")
    ],
    model: Annotated[
        Path | None,
        typer.Argument(metavar="[MODEL]", help="A training run or a bundle. Default: built-in."),
    ] = None,
    prompts: Annotated[
        int, typer.Option("--prompts", min=2, help="Most held-out clips, and clips of pairs.")
    ] = 200,
    ask: Annotated[
        str, typer.Option("--ask", help="Only some parts: held-out, pairs, free, outside.")
    ] = "held-out,pairs,free,outside",
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="The same seed gives the same numbers.")
    ] = 0,
    guidance: GuidanceOption = None,
    temperature: TemperatureOption = None,
    steps: StepsOption = None,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help="Motions made together.")
    ] = 16,
    device: DeviceOption = "auto",
    text_source: TextSourceOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with all digits.")] = False,
) -> None:
    """Measure whether people do what their sentence says.

    The open dataset knows of every clip who touches whom, when, with which
    hand and where. From captions of clips that no training saw, motions are
    made, one sample each, as decoded: no drafts, nothing mended. Asked is:

    Contacts: does it happen, within 15 cm, in the clip's own time +-0.5 s, and
    not a second before? Beside it: at any time, and with shuffled captions

    Minimal pairs: is it the named side, and the named person?

    150 prompts that no grammar wrote, which come with the package: do their
    contacts happen, with the right side and person?

    50 prompts from outside of that world: do both people stand, live, and not
    slide?

    Shares come with 95 % intervals. REPORT gets contacts.json, contacts.md and
    one line a motion; an interrupted measurement goes on where it was.
    """
    measurement = _measurement(
        model, data, output, prompts, ask, seed, SamplingChanges(guidance, temperature, steps),
        batch_size, device, text_source,
    )  # fmt: skip
    from intermask.adherence.report import build_report, tables, write_report

    with progress_bar("making motions") as update:
        outcomes = measurement.run(update)
    with progress_bar("asking the clips themselves") as update:
        references = measurement.references(update)
    report = build_report(measurement.settings(), {**references, **outcomes})
    write_report(report, output)
    if as_json:
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
        return
    typer.echo(report["rule"])
    for title, sentence, table in tables(report):
        typer.echo(f"\n{title}")
        if sentence:
            typer.echo(sentence)
        print_columns(table.header, table.rows)
    typer.echo(f"\n{output / 'contacts.md'} and contacts.json")


def _measurement(
    model: Path | None,
    data: Path,
    output: Path,
    prompts: int,
    ask: str,
    seed: int,
    changes: SamplingChanges,
    batch_size: int,
    device: str,
    text_source: Path | None,
) -> Measurement:
    with working("loading the model"):
        from intermask.adherence.measuring import Measurement, check_model
        from intermask.adherence.pairs import pair_question
        from intermask.adherence.questions import read_questions
        from intermask.generation.requests import GenerationOptions
        from intermask.loading import load_generator

        generator = load_generator(model, device, text_source)
        check_model(generator)
    with progress_bar("reading clips") as update:
        questions = read_questions(
            data, prompts, seed, generator.model.config.max_frames,
            lambda truth: pair_question(truth) is not None,
            [part.strip() for part in ask.split(",") if part.strip()], update,
        )  # fmt: skip
    if len(questions.held_out) < prompts:
        typer.echo(
            f"{data} has {len(questions.held_out)} held-out clips with a contact, not {prompts}: "
            "intervals are wide",
            err=True,
        )
    sampling = changes.applied_to(generator.model.config.sampling)
    options: Any = GenerationOptions(sampling=sampling, batch_size=batch_size)
    return Measurement(generator, questions, output, seed, options)
