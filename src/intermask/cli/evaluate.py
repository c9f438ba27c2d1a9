"""``evaluate``: what a model's motion is worth, beside everything that it must be held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from intermask.cli.console import progress_bar, working
from intermask.cli.evaluation_view import EvaluationView, print_report
from intermask.cli.options import (
    DataSmplxOption,
    DeviceOption,
    GuidanceOption,
    SamplingChanges,
    StepsOption,
    TemperatureOption,
    TextSourceOption,
)
from intermask.errors import UserError

if TYPE_CHECKING:
    from intermask.evaluation.clips import EvaluationClip
    from intermask.evaluation.data import Data
    from intermask.evaluation.evaluate import Evaluation
    from intermask.evaluation.evaluators.evaluator import Evaluator
    from intermask.evaluation.protocol import Plan
    from intermask.generation.generator import InteractionGenerator
    from intermask.generation.requests import GenerationOptions

EvaluatedOption = Annotated[
    list[Path],
    typer.Option(
        "--data", metavar="DIR", help="A dataset with clips the model has not seen; repeatable."
    ),
]
EvaluatorOption = Annotated[
    Path,
    typer.Option(
        "--evaluator",
        metavar="RUN|DIR",
        help="Made by `import-evaluator` or `train evaluator`.",
    ),
]
EvaluatedModel = Annotated[
    Path | None,
    typer.Argument(metavar="[MODEL]", help="A training run or a bundle. Default: built-in."),
]
TogetherOption = Annotated[
    int | None,
    typer.Option(
        "--batch-size", min=1, help="Motions made together. Default: the fastest, measured."
    ),
]


def evaluate(
    data: EvaluatedOption,
    evaluator: EvaluatorOption,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="REPORT", help="Folder of the report.")
    ],
    model: EvaluatedModel = None,
    task: Annotated[
        Literal["text", "reaction", "inbetweening"],
        typer.Option("--task", help="What the model is given beside the text."),
    ] = "text",
    split: Annotated[str, typer.Option("--split", help="Which clips of --data.")] = "test",
    quick: Annotated[
        bool,
        typer.Option("--quick", help="A first look: 96 clips, 2 replications, no MultiModality."),
    ] = False,
    replications: Annotated[
        int | None, typer.Option("--replications", min=1, help="Default: 20.")
    ] = None,
    clips: Annotated[
        int | None, typer.Option("--clips", help="Most clips, evenly spread. Default: all.")
    ] = None,
    multimodality: Annotated[
        bool | None,
        typer.Option(
            "--multimodality/--no-multimodality",
            help="Make 30 motions of each of 100 captions in every replication. Default: yes.",
        ),
    ] = None,
    shard: Annotated[
        str,
        typer.Option("--shard", metavar="I/N", help="Make only this part of the replications."),
    ] = "1/1",
    rival: Annotated[
        list[str] | None,
        typer.Option(
            "--rival", metavar="NAME=DIR", help="Motions CLIP.npz of another method; repeatable."
        ),
    ] = None,
    audit: Annotated[
        bool, typer.Option("--audit", help="Also ask what the evaluator itself can see.")
    ] = False,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="The same seed gives the same numbers.")
    ] = 0,
    guidance: GuidanceOption = None,
    temperature: TemperatureOption = None,
    steps: StepsOption = None,
    device: DeviceOption = "auto",
    batch_size: TogetherOption = None,
    text_source: TextSourceOption = None,
    smplx: DataSmplxOption = None,
) -> None:
    """Measure a model on clips that it has not seen.

    For each clip of the split the model makes a motion of the same length from
    one of its captions. An evaluator, a network that was trained to bring
    captions and motions together, puts captions, real and made motion into one
    space, where they are compared:

    R@1, R@2, R@3: how often a caption finds its own motion among 96

    MM Dist: how far captions are from their motions

    FID: how far made motion as a whole is from real motion as a whole

    Diversity, MModality: how different motions of all captions are, and
    motions of one caption

    These numbers mean nothing alone, so rows to hold them against are always
    there: ground truth (real motion), tokenizer reconstruction (as good as the
    model could become), shuffled captions (what not listening at all would
    score). Beside them stand physical metrics, as of `measure`, and how near
    motions are to training clips, as of `nearest`.

    Everything is repeated 20 times with other motions, captions and pools, and
    told with 95 % intervals. What is made is kept in REPORT: an interrupted
    evaluation goes on where it was when it is started again. With --shard 1/4
    a process makes a fourth of the replications; start the others with the same
    REPORT, or copy their files into it, and the last one writes the report.

    What departs from the official protocol is printed and stands in the report:
    only numbers of the official protocol can stand beside those of papers.
    """
    from intermask.evaluation.store import Shard

    part = Shard.parse(shard)
    plan = _plan(quick, task, split, seed, replications, clips, multimodality)
    rivals = _rivals(rival or [])
    generator, judge, found = load_measured(
        model, evaluator, data, plan, device, text_source, smplx
    )
    changes = SamplingChanges(guidance, temperature, steps)
    options = measured_options(generator, found.clips, changes, batch_size)
    evaluation = _evaluation(generator, judge, found, plan, output, options, rivals)
    if audit:
        _check_audit(len(evaluation.measured.clips))
    _tell_departures(evaluation)
    for sentence in evaluation.left_out():
        typer.echo(sentence, err=True)
    with EvaluationView(plan.replications) as view:
        evaluation.run(part, view.on_progress, view.on_unit)
        missing = evaluation.missing()
        report = None if missing else evaluation.report(view.on_part, audit=audit)
    if report is None:
        count = f"{len(missing)} parts are" if len(missing) > 1 else "1 part is"
        typer.echo(
            f"{count} left to other processes ({missing[0].name}, ...). When their files are in "
            f"{output}, the same command without --shard writes the report."
        )
        return
    print_report(report)
    typer.echo(f"{output / 'report.html'}, report.md and report.json")


def _plan(
    quick: bool,
    task: Any,
    split: str,
    seed: int,
    replications: int | None,
    clips: int | None,
    multimodality: bool | None,
) -> Plan:
    from intermask.evaluation.protocol import QUICK, Plan

    plan = Plan(task=task, split=split, seed=seed)
    if quick:
        plan = replace(plan, **QUICK)  # type: ignore[arg-type]
    if replications is not None:
        plan = replace(plan, replications=replications)
    if clips is not None:
        plan = replace(plan, clips=clips)
    if multimodality is not None:
        plan = replace(plan, prompts=Plan.prompts if multimodality else 0)
    return plan


def _rivals(given: list[str]) -> list[Any]:
    from intermask.evaluation.rivals import RivalFiles

    rivals: list[RivalFiles] = []
    for text in given:
        rivals.append(RivalFiles.parse(text, [rival.name for rival in rivals]))
    return rivals


def load_measured(
    model: Path | None,
    evaluator: Path,
    data: list[Path],
    plan: Plan,
    device: str,
    text_source: Path | None,
    smplx: Path | None = None,
) -> tuple[InteractionGenerator, Evaluator, Data]:
    """The model, what judges it, and the clips; progress is shown.

    SMPL-X's file, which models of Inter-X need for metres, is looked for with the data and with
    the model unless it is named.
    """
    with working("loading the model and the evaluator"):
        from intermask.evaluation.data import Data, body_model
        from intermask.evaluation.evaluators.folder import load_evaluator
        from intermask.loading import load_generator

        generator = load_generator(model, device, text_source, smplx or body_model(data))
        judge = load_evaluator(evaluator, device, text_source=text_source, data=data)
    with progress_bar("reading clips") as update:
        found = Data.read(data, plan, generator.model, judge, update)
    return generator, judge, found


def measured_options(
    generator: InteractionGenerator,
    clips: Sequence[EvaluationClip],
    changes: SamplingChanges,
    batch_size: int | None,
) -> GenerationOptions:
    """How motions are made; without a batch size the fastest one is looked for, and told."""
    from intermask.evaluation.batch_size import fastest_batch_size
    from intermask.generation.requests import GenerationOptions

    sampling = changes.applied_to(generator.model.config.sampling)
    if batch_size is None:
        with working("looking for the fastest batch size"):
            batch_size, seconds = fastest_batch_size(generator, clips)
        tried = ", ".join(f"{1000 * time:.0f} ms of {size}" for size, time in seconds.items())
        typer.echo(
            f"{batch_size} motions are made together (a round of one motion takes {tried})",
            err=True,
        )
    return GenerationOptions(sampling=sampling, batch_size=batch_size)


def _evaluation(
    generator: InteractionGenerator,
    evaluator: Evaluator,
    data: Data,
    plan: Plan,
    output: Path,
    options: GenerationOptions,
    rivals: list[Any],
) -> Evaluation:
    from intermask.evaluation.evaluate import Evaluation

    return Evaluation(generator, evaluator, data, plan, output, options, rivals)


def _check_audit(clips: int) -> None:
    """Before hours of work, not after."""
    from intermask.evaluation.audit import FEWEST_CLIPS

    if clips < FEWEST_CLIPS:
        raise UserError(
            f"--audit of {clips} clips says nothing; leave it out, or give {FEWEST_CLIPS} or more"
        )


def _tell_departures(evaluation: Evaluation) -> None:
    reasons = evaluation.departures()
    if reasons:
        typer.echo("This is not the official protocol:", err=True)
        for reason in reasons:
            typer.echo(f"  - {reason}", err=True)
