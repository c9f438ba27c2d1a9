"""``train tokenizer`` and ``train transformer``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from intermask.cli.console import TrainingView, print_table, working
from intermask.cli.options import DeviceOption, TextSourceOption, examples
from intermask.errors import UserError

if TYPE_CHECKING:
    from intermask.data.batching import Source
    from intermask.training.loop import FitResult

INTERRUPTED = 130

train_app = typer.Typer(
    no_args_is_help=True,
    help="Train one of the two stages: first the tokenizer, then the transformer on its codes.",
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
        help="debug, small or paper-interhuman. Default: small; a resumed run's own settings.",
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
) -> None:
    """Stage 1: turn one person's motion into a small map of codes and back."""
    sources = _sources(data, share)
    with working("reading the data"):
        from intermask.devices import select_device
        from intermask.training.runs import prepare_tokenizer

        chosen = select_device(device)
        training = _training("tokenizer", output, preset, settings, resume)
        stage = prepare_tokenizer(output, training, sources, chosen, resume=resume)
    result = _fit(stage, training, output, chosen, resume, stop_after)
    folders = " ".join(f"--data {folder}" for folder in data)
    same = "" if preset is None else f" --preset {preset}"
    _report(
        stage,
        output,
        result,
        f"intermask train transformer {folders} --tokenizer {output}{same} -o RUN",
    )


@train_app.command(
    epilog=examples(
        "intermask train transformer --data data/salsa --tokenizer runs/tokenizer "
        "-o runs/transformer",
        "intermask train transformer --data data/salsa -o runs/transformer --resume",
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
) -> None:
    """Stage 2: fill in hidden codes of both people from the text."""
    sources = _sources(data, share)
    with working("reading the data"):
        from intermask.devices import select_device
        from intermask.training.runs import prepare_transformer

        chosen = select_device(device)
        training = _training("transformer", output, preset, settings, resume)
        stage = prepare_transformer(
            output,
            training,
            sources,
            tokenizer,
            chosen,
            resume=resume,
            text_source=text_source,
        )
    result = _fit(stage, training, output, chosen, resume, stop_after)
    _report(
        stage, output, result, f'intermask generate "Two people bow." --model {output} -o bow'
    )


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


def _training(
    stage: Literal["tokenizer", "transformer"],
    run: Path,
    preset: str | None,
    settings: Sequence[str] | None,
    resume: bool,
) -> Any:
    """The configuration: of the preset, or of the run to resume, with what ``--set`` changes."""
    from intermask.presets import changed, load_preset
    from intermask.training.runs import saved_training

    if resume and preset is None:
        return changed(saved_training(run, stage), settings or ())
    return load_preset(stage, preset or "small", settings or ())


def _fit(
    stage: Any,
    training: Any,
    run: Path,
    device: Any,
    resume: bool,
    stop_after: int | None,
) -> FitResult:
    from intermask.training.loop import fit

    with TrainingView(type(stage).__name__.removesuffix("Stage").lower()) as view:
        try:
            return fit(
                stage,
                training.optimiser,
                training.run,
                run,
                device=device,
                resume=resume,
                stop_after=stop_after,
                on_step=view.on_step,
                on_validation=view.on_validation,
            )
        except KeyboardInterrupt:
            message = _interrupted(run, view.step)
    typer.echo(message, err=True)
    raise typer.Exit(INTERRUPTED)


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


def _report(stage: Any, run: Path, result: FitResult, then: str) -> None:
    import math

    from intermask.training.checkpoint import BEST, LAST

    best = "none yet" if math.isinf(result.best_value) else f"{result.best_value:.4g}"
    rows = [
        ("run", str(run)),
        ("steps", str(result.step)),
        (f"best {stage.best_metric}", best),
        ("checkpoints", f"{run / BEST}, {run / LAST}" if best != "none yet" else str(run / LAST)),
        ("curves", f"{run / 'metrics.jsonl'}, tensorboard --logdir {run / 'tensorboard'}"),
        ("next", then),
    ]
    print_table(rows)
