"""``train tokenizer``, ``train transformer`` and ``train evaluator``."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intermask.cli.console import (
    TrainingView,
    duration,
    print_columns,
    print_table,
    progress_bar,
    working,
)
from intermask.cli.options import (
    CacheOption,
    DeviceOption,
    NoCacheOption,
    TextSourceOption,
    cache_folder,
    examples,
)
from intermask.errors import UserError

if TYPE_CHECKING:
    from intermask.data.batching import Source
    from intermask.data.cache import Watch
    from intermask.training.engine import Engine
    from intermask.training.finetuning import Origin
    from intermask.training.loop import FitResult
    from intermask.training.runs import StageName

INTERRUPTED = 130

train_app = typer.Typer(
    no_args_is_help=True,
    help="Train one of the two stages, first the tokenizer, then the transformer on its codes; or "
    "an evaluator, which measures them.",
)

DataOption = Annotated[
    list[Path],
    typer.Option("--data", metavar="DIR", help="A dataset folder; may be repeated."),
]
ShareOption = Annotated[
    list[float] | None,
    typer.Option(
        "--share", help="Share of every batch, one for each --data in turn. Default: equal."
    ),
]
RunOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="RUN", help="The run's folder, new or to resume.")
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help="debug, small, paper-interhuman or paper-interx.  Default: small; a resumed run's own "
        "settings.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a setting, such as optimiser.steps=2000; may be repeated.",
    ),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on from the last checkpoint, as if never stopped.")
]
InitOption = Annotated[
    Path | None,
    typer.Option(
        "--init",
        metavar="BUNDLE|RUN",
        help="Fine-tune this model: weights, network and statistics are its own; fewer, gentler "
        "steps than from scratch.",
    ),
]
StopOption = Annotated[
    int | None,
    typer.Option("--stop-after", help="Stop after this step, with a checkpoint.", min=1),
]


@train_app.command(
    epilog=examples(
        "intermask train tokenizer --data data/salsa --preset small -o runs/tokenizer",
        "intermask train tokenizer --data data/salsa --share 2 --data data/single --share 1 "
        "--set optimiser.batch_size=16 -o runs/tokenizer",
        "intermask train tokenizer --data data/salsa -o runs/tokenizer --resume",
        "intermask train tokenizer --init mybundle --data data/salsa -o runs/tuned",
    )
)
def tokenizer(
    data: DataOption,
    output: RunOption,
    preset: PresetOption = None,
    share: ShareOption = None,
    settings: SetOption = None,
    resume: ResumeOption = False,
    stop_after: StopOption = None,
    device: DeviceOption = "auto",
    init: InitOption = None,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Stage 1: turn one person's motion into a small map of codes and back."""
    sources = _sources(data, share)
    kept = cache_folder(cache, no_cache)
    plan = replace(_plan("tokenizer", output, preset, settings, resume, init), cache=kept)
    folders = " ".join(f"--data {folder}" for folder in data)
    same = "" if preset is None else f" --preset {preset}"
    same += "" if init is None else f" --init {init}"
    then = f"intermask train transformer {folders} --tokenizer {output}{same} -o RUN"
    _train_tokenizer(plan, sources, device, stop_after, then)


@train_app.command(
    epilog=examples(
        "intermask train transformer --data data/salsa --tokenizer runs/tokenizer "
        "-o runs/transformer",
        "intermask train transformer --data data/salsa -o runs/transformer --resume",
        "intermask train transformer --init mybundle --freeze-tokenizer --data data/salsa "
        "-o runs/tuned",
    )
)
def transformer(
    data: DataOption,
    output: RunOption,
    tokenizer: Annotated[
        Path | None,
        typer.Option("--tokenizer", metavar="RUN", help="A tokenizer run, or a bundle."),
    ] = None,
    preset: PresetOption = None,
    share: ShareOption = None,
    settings: SetOption = None,
    resume: ResumeOption = False,
    stop_after: StopOption = None,
    device: DeviceOption = "auto",
    text_source: TextSourceOption = None,
    init: InitOption = None,
    freeze_tokenizer: Annotated[
        bool,
        typer.Option(
            "--freeze-tokenizer",
            help="With --init: keep its tokenizer as it is. Default: fine-tune that first, as the "
            "run RUN-tokenizer.",
        ),
    ] = False,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Stage 2: fill in hidden codes of both people from the text."""
    if freeze_tokenizer and (init is None or tokenizer is not None):
        raise UserError(
            "--freeze-tokenizer keeps the tokenizer of --init; give it with --init and without "
            "--tokenizer"
        )
    sources = _sources(data, share)
    settings, for_tokenizer = _divided(settings or (), init is not None and tokenizer is None)
    both = init is not None and tokenizer is None and not freeze_tokenizer
    both = both and not (resume and _is_run(output))
    # If the tokenizer is still to be done, there is nothing of the transformer to resume.
    kept = cache_folder(cache, no_cache)
    plan = _plan("transformer", output, preset, settings, resume and not both, init)
    plan = replace(plan, cache=kept)
    if both:
        tokenizer = output.with_name(f"{output.name}-tokenizer")
        resume_tokenizer = resume and _is_run(tokenizer)
        first = _plan("tokenizer", tokenizer, preset, for_tokenizer, resume_tokenizer, init)
        first = replace(first, cache=kept)
        _check_one_process(first, plan)
        if not (resume_tokenizer and _is_done(first)):
            _train_tokenizer(first, sources, device, None, "the transformer, now")
    engine = _start(plan, device)
    with working("reading the data"):
        from intermask.training.runs import prepare_transformer

        stage = prepare_transformer(
            output,
            plan.training,
            sources,
            tokenizer,
            engine.device,
            resume=plan.resume,
            text_source=text_source,
            origin=plan.origin,
            cache=plan.cache,
            watch=_watch(engine),
        )
    then = f'intermask generate "Two people bow." --model {output} -o bow'
    _fit(stage, plan, engine, stop_after, then)


@train_app.command(
    epilog=examples(
        "intermask train evaluator --data data/salsa --data data/grapplemap -o runs/evaluator",
        "intermask train evaluator --data data/InterHuman --preset paper-interhuman "
        "--set text.encoder=clip --set text.width=768 -o runs/evaluator",
        "intermask train evaluator --data data/salsa -o runs/evaluator --resume",
    )
)
def evaluator(
    data: DataOption,
    output: RunOption,
    preset: PresetOption = None,
    share: ShareOption = None,
    settings: SetOption = None,
    resume: ResumeOption = False,
    stop_after: StopOption = None,
    device: DeviceOption = "auto",
    text_source: TextSourceOption = None,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """An evaluator: captions and motions in one space, to measure how well they go together."""
    sources = _sources(data, share)
    plan = _plan("evaluator", output, preset, settings, resume, None)
    plan = replace(plan, cache=cache_folder(cache, no_cache))
    engine = _start(plan, device)
    with working("reading the data"):
        from intermask.evaluation.evaluators.runs import prepare_evaluator

        stage = prepare_evaluator(
            output,
            plan.training,
            sources,
            engine.device,
            resume=plan.resume,
            text_source=text_source,
            cache=plan.cache,
            watch=_watch(engine),
        )
    then = f"intermask evaluate MODEL --data {data[0]} --evaluator {output} -o REPORT"
    _fit(stage, plan, engine, stop_after, then)


def _check_one_process(*plans: Plan) -> None:
    """Processes are started once a command, so that one command trains one stage on them."""
    if any(plan.training.run.devices > 1 for plan in plans):
        raise UserError(
            "several devices train one stage a command; fine-tune the tokenizer first "
            "(intermask train tokenizer --init ...), then give its run as --tokenizer"
        )


def _is_done(plan: Plan) -> bool:
    from intermask.training.history import read_history

    return read_history(plan.run).last_step >= int(plan.training.optimiser.steps)


def _train_tokenizer(
    plan: Plan, sources: list[Source], device: str, stop_after: int | None, then: str
) -> None:
    engine = _start(plan, device)
    with working("reading the data"):
        from intermask.training.runs import prepare_tokenizer

        stage = prepare_tokenizer(
            plan.run,
            plan.training,
            sources,
            engine.device,
            resume=plan.resume,
            origin=plan.origin,
            cache=plan.cache,
            watch=_watch(engine),
        )
    _fit(stage, plan, engine, stop_after, then)


def _divided(settings: Sequence[str], whole: bool) -> tuple[list[str], list[str]]:
    """Settings of the transformer, and those of the tokenizer, written ``tokenizer.KEY=VALUE``."""
    prefix = "tokenizer."
    theirs = [each.removeprefix(prefix) for each in settings if each.startswith(prefix)]
    if theirs and not whole:
        raise UserError(
            f"{prefix}{theirs[0]} changes how --init's tokenizer is fine-tuned; without that "
            "there is nothing to change"
        )
    return [each for each in settings if not each.startswith(prefix)], theirs


def _is_run(folder: Path) -> bool:
    from intermask.training.checkpoint import LAST

    return (folder / LAST).is_file()


def _sources(data: Sequence[Path], shares: Sequence[float] | None) -> list[Source]:
    from intermask.data.batching import Source

    shares = shares or [1.0] * len(data)
    if len(shares) != len(data):
        raise UserError(
            f"{len(data)} data folders came with {len(shares)} shares; give one --share for each "
            "--data, or none"
        )
    if any(not share > 0 for share in shares):
        raise UserError(f"shares must be above 0, got {', '.join(map(str, shares))}")
    return [Source(folder, share) for folder, share in zip(data, shares, strict=True)]


@dataclass(frozen=True)
class Plan:
    """One training that a command is about to do."""

    stage: StageName
    run: Path
    training: Any
    resume: bool
    origin: Origin | None
    cache: Path | None = None
    """Where computed arrays are kept for later runs."""


def _plan(
    stage: StageName,
    run: Path,
    preset: str | None,
    settings: Sequence[str] | None,
    resume: bool,
    init: Path | None,
) -> Plan:
    """The configuration: of the preset, of the run to resume, or of the model to start from.

    ``--set`` has the last word in all three.
    """
    with working("reading the settings"):
        from intermask.presets import changed, load_preset
        from intermask.training import finetuning
        from intermask.training.runs import saved_training

        changes = settings or ()
        if resume and (preset is None or init is not None):
            return Plan(stage, run, changed(saved_training(run, stage), changes), True, None)
        if init is None or stage == "evaluator":
            return Plan(stage, run, load_preset(stage, preset or "small", changes), resume, None)
        origin = finetuning.read_origin(init)
        base: Any = finetuning.base_settings(stage, origin) if preset is None else None
        if base is None:
            base = load_preset(stage, preset or finetuning.fitting_preset(origin))
        training: Any = changed(finetuning.settings_from(base, origin), changes)
        finetuning.check_same_network(training, origin)
        return Plan(stage, run, training, resume, origin)


def _start(plan: Plan, device: str) -> Engine:
    """The processes that train together; the first one speaks for all of them."""
    with working("starting"):
        from intermask.training.engine import start_engine

        engine = start_engine(plan.training.run, device)
    if not engine.is_first:
        sys.stdout = io.StringIO()
    return engine


def _watch(engine: Engine) -> Watch:
    from intermask.data.cache import unwatched

    return progress_bar if engine.is_first else unwatched


def _fit(stage: Any, plan: Plan, engine: Engine, stop_after: int | None, then: str) -> None:
    """Train and say at the end what came of it."""
    from intermask.training.loop import fit

    stopped = ""
    with TrainingView(plan.stage, quiet=not engine.is_first) as view:
        try:
            result = fit(
                stage,
                plan.training.optimiser,
                plan.training.run,
                plan.run,
                device=engine.device,
                engine=engine,
                resume=plan.resume,
                stop_after=stop_after,
                validate_first=plan.origin is not None,
                on_step=view.on_step,
                on_validation=view.on_validation,
            )
        except KeyboardInterrupt:
            stopped = _interrupted(plan.run, view.step)
    if stopped:
        typer.echo(stopped, err=True)
        raise typer.Exit(INTERRUPTED)
    _report(plan.run, result, view.seconds, then)


def _interrupted(run: Path, step: int) -> str:
    from intermask.training.checkpoint import LAST

    if (run / LAST).is_file():
        return (
            f"Stopped after step {step}. {run / LAST} holds the last checkpoint; give the same "
            "command with --resume to go on from there."
        )
    return (
        f"Stopped after step {step}, before the first checkpoint; give the same command to start "
        "again (run.save_every says how often one is saved)."
    )


def _report(run: Path, result: FitResult, seconds: float, then: str) -> None:
    """Validation from first to last, where everything is, and what to do with it."""
    from intermask.training.checkpoint import BEST, LAST
    from intermask.training.describe import validation_table
    from intermask.training.history import read_history

    header, rows = validation_table(read_history(run))
    if rows:
        print_columns(header, rows)
        typer.echo()
    checkpoints = [run / name for name in (BEST, LAST) if (run / name).is_file()]
    print_table(
        [
            ("run", str(run)),
            ("steps", str(result.step)),
            ("time", duration(seconds)),
            ("checkpoints", ", ".join(map(str, checkpoints))),
            ("curves", f"intermask runs plot {run} -o curves.png"),
            ("TensorBoard", f"tensorboard --logdir {run / 'tensorboard'}"),
            ("next", then),
        ]
    )
