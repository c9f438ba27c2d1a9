"""``train tokenizer``, ``train transformer`` and ``train evaluator``."""

from __future__ import annotations

import io
import logging
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
from intermask.cli.option_groups import grouped
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

InitOption = Annotated[
    Path | None,
    typer.Option(
        "--init",
        metavar="BUNDLE|RUN",
        help="Fine-tune this model: weights, network and statistics are its own; fewer, gentler "
        "steps than from scratch.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What every training is asked."""

    data: Annotated[
        list[Path],
        typer.Option("--data", metavar="DIR", help="A dataset folder; may be repeated."),
    ]
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="RUN", help="The run's folder, new or to resume."),
    ]
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            help="debug, small, paper-interhuman or paper-interx.  Default: small; a resumed run's "
            "own settings.",
        ),
    ] = None
    share: Annotated[
        list[float] | None,
        typer.Option(
            "--share", help="Share of every batch, one for each --data in turn. Default: equal."
        ),
    ] = None
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a setting, such as optimiser.steps=2000; may be repeated.",
        ),
    ] = None
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint, as if never stopped.")
    ] = False
    stop_after: Annotated[
        int | None,
        typer.Option("--stop-after", help="Stop after this step, with a checkpoint.", min=1),
    ] = None
    device: DeviceOption = "auto"
    cache: CacheOption = None
    no_cache: NoCacheOption = False

    def sources(self) -> list[Source]:
        """The data folders with their shares.

        Raises:
            UserError: shares that do not fit.
        """
        from intermask.data.batching import Source

        shares = self.share or [1.0] * len(self.data)
        if len(shares) != len(self.data):
            raise UserError(
                f"{len(self.data)} data folders came with {len(shares)} shares; give one --share "
                "for each --data, or none"
            )
        if any(not share > 0 for share in shares):
            raise UserError(f"shares must be above 0, got {', '.join(map(str, shares))}")
        return [Source(folder, share) for folder, share in zip(self.data, shares, strict=True)]

    def with_usable_cache(self) -> TrainingOptions:
        """The same with the folder where computed arrays will be kept, if anywhere."""
        folder = cache_folder(self.cache, self.no_cache)
        return replace(self, cache=folder, no_cache=folder is None)


@train_app.command(
    epilog=examples(
        "intermask train tokenizer --data data/salsa --preset small -o runs/tokenizer",
        "intermask train tokenizer --data data/salsa --share 2 --data data/single --share 1 "
        "--set optimiser.batch_size=16 -o runs/tokenizer",
        "intermask train tokenizer --data data/salsa -o runs/tokenizer --resume",
        "intermask train tokenizer --init mybundle --data data/salsa -o runs/tuned",
    )
)
@grouped
def tokenizer(options: TrainingOptions, init: InitOption = None) -> None:
    """Stage 1: turn one person's motion into a small map of codes and back."""
    sources = options.sources()
    options = options.with_usable_cache()
    plan = _plan("tokenizer", options, init)
    folders = " ".join(f"--data {folder}" for folder in options.data)
    same = "" if options.preset is None else f" --preset {options.preset}"
    same += "" if init is None else f" --init {init}"
    then = f"intermask train transformer {folders} --tokenizer {options.output}{same} -o RUN"
    _train_tokenizer(plan, sources, then)


@train_app.command(
    epilog=examples(
        "intermask train transformer --data data/salsa --tokenizer runs/tokenizer "
        "-o runs/transformer",
        "intermask train transformer --data data/salsa -o runs/transformer --resume",
        "intermask train transformer --init mybundle --freeze-tokenizer --data data/salsa "
        "-o runs/tuned",
    )
)
@grouped
def transformer(
    options: TrainingOptions,
    tokenizer: Annotated[
        Path | None,
        typer.Option("--tokenizer", metavar="RUN", help="A tokenizer run, or a bundle."),
    ] = None,
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
) -> None:
    """Stage 2: fill in hidden codes of both people from the text."""
    if freeze_tokenizer and (init is None or tokenizer is not None):
        raise UserError(
            "--freeze-tokenizer keeps the tokenizer of --init; give it with --init and without "
            "--tokenizer"
        )
    sources = options.sources()
    whole = init is not None and tokenizer is None
    settings, for_tokenizer = _divided(options.settings or (), whole)
    both = whole and not freeze_tokenizer
    both = both and not (options.resume and _is_run(options.output))
    # If the tokenizer is still to be done, there is nothing of the transformer to resume.
    options = options.with_usable_cache()
    own = replace(options, settings=settings, resume=options.resume and not both)
    plan = _plan("transformer", own, init)
    if both:
        tokenizer = options.output.with_name(f"{options.output.name}-tokenizer")
        resumed = options.resume and _is_run(tokenizer)
        asked = replace(
            options, output=tokenizer, settings=for_tokenizer, resume=resumed, stop_after=None
        )
        first = _plan("tokenizer", asked, init)
        _check_one_process(first, plan)
        if not (resumed and _is_done(first)):
            _train_tokenizer(first, sources, "the transformer, now")
    engine = _start(plan)
    with working("reading the data"):
        from intermask.training.runs import prepare_transformer

        stage = prepare_transformer(
            plan.run,
            plan.training,
            sources,
            tokenizer,
            engine.device,
            resume=plan.options.resume,
            text_source=text_source,
            origin=plan.origin,
            cache=plan.options.cache,
            watch=_watch(engine),
        )
    _fit(stage, plan, engine, f'intermask generate "Two people bow." --model {plan.run} -o bow')


@train_app.command(
    epilog=examples(
        "intermask train evaluator --data data/salsa --data data/grapplemap -o runs/evaluator",
        "intermask train evaluator --data data/InterHuman --preset paper-interhuman "
        "--set text.encoder=clip --set text.width=768 -o runs/evaluator",
        "intermask train evaluator --data data/Inter-X --preset paper-interx -o runs/evaluator",
        "intermask train evaluator --data data/salsa -o runs/evaluator --resume",
    )
)
@grouped
def evaluator(options: TrainingOptions, text_source: TextSourceOption = None) -> None:
    """An evaluator: captions and motions in one space, to measure how well they go together."""
    sources = options.sources()
    plan = _plan("evaluator", options.with_usable_cache(), None)
    engine = _start(plan)
    with working("reading the data"):
        from intermask.evaluation.evaluators.runs import prepare_evaluator

        stage = prepare_evaluator(
            plan.run,
            plan.training,
            sources,
            engine.device,
            resume=plan.options.resume,
            text_source=text_source,
            cache=plan.options.cache,
            watch=_watch(engine),
        )
    then = f"intermask evaluate MODEL --data {options.data[0]} --evaluator {plan.run} -o REPORT"
    _fit(stage, plan, engine, then)


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


def _train_tokenizer(plan: Plan, sources: list[Source], then: str) -> None:
    engine = _start(plan)
    with working("reading the data"):
        from intermask.training.runs import prepare_tokenizer

        stage = prepare_tokenizer(
            plan.run,
            plan.training,
            sources,
            engine.device,
            resume=plan.options.resume,
            origin=plan.origin,
            cache=plan.options.cache,
            watch=_watch(engine),
        )
    _fit(stage, plan, engine, then)


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


@dataclass(frozen=True)
class Plan:
    """One training that a command is about to do."""

    stage: StageName
    options: TrainingOptions
    training: Any
    origin: Origin | None

    @property
    def run(self) -> Path:
        """The run's folder."""
        return self.options.output


def _plan(stage: StageName, options: TrainingOptions, init: Path | None) -> Plan:
    """The configuration: of the preset, of the run to resume, or of the model to start from.

    ``--set`` has the last word in all three.
    """
    with working("reading the settings"):
        from intermask.presets import changed, load_preset
        from intermask.training import finetuning
        from intermask.training.runs import saved_training

        preset, changes = options.preset, options.settings or ()
        if options.resume and (preset is None or init is not None):
            saved = saved_training(options.output, stage)
            return Plan(stage, options, changed(saved, changes), None)
        if init is None or stage == "evaluator":
            return Plan(stage, options, load_preset(stage, preset or "small", changes), None)
        origin = finetuning.read_origin(init)
        base: Any = finetuning.base_settings(stage, origin) if preset is None else None
        if base is None:
            base = load_preset(stage, preset or finetuning.fitting_preset(origin))
        training: Any = changed(finetuning.settings_from(base, origin), changes)
        finetuning.check_same_network(training, origin)
        return Plan(stage, options, training, origin)


def _start(plan: Plan) -> Engine:
    """The processes that train together; the first one speaks for all of them."""
    with working("starting"):
        from intermask.training.engine import start_engine

        engine = start_engine(plan.training.run, plan.options.device)
    if not engine.is_first:
        sys.stdout = io.StringIO()
        logging.getLogger("intermask").setLevel(logging.ERROR)
    return engine


def _watch(engine: Engine) -> Watch:
    from intermask.data.cache import unwatched

    return progress_bar if engine.is_first else unwatched


def _fit(stage: Any, plan: Plan, engine: Engine, then: str) -> None:
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
                resume=plan.options.resume,
                stop_after=plan.options.stop_after,
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
