"""``bench``: how fast training and evaluation are on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from intermask.cli.console import print_table, progress_bar, working
from intermask.cli.evaluate import (
    EvaluatedModel,
    TogetherOption,
    load_measured,
    measured_options,
)
from intermask.cli.options import DeviceOption, SamplingChanges, TextSourceOption, examples
from intermask.errors import UserError

if TYPE_CHECKING:
    from intermask.evaluation.speed import SpeedComparison
    from intermask.training.benchmark import Benchmark, PrecisionComparison

bench_app = typer.Typer(no_args_is_help=True, help="Measure speed and memory on this machine.")


@bench_app.callback()
def _start() -> None:
    """Options of all benchmarks."""


@bench_app.command(
    epilog=examples(
        "intermask bench train --stage tokenizer --preset small",
        "intermask bench train --stage transformer --preset paper-interhuman "
        "--set optimiser.batch_size=4 --precision bfloat16 --steps 3",
    )
)
def train(
    stage: Annotated[
        Literal["tokenizer", "transformer"], typer.Option("--stage", help="Which of the two.")
    ],
    preset: Annotated[
        str, typer.Option("--preset", help="Whose sizes are measured, as for training.")
    ] = "small",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a setting, such as optimiser.batch_size=8."
        ),
    ] = None,
    device: DeviceOption = "auto",
    precision: Annotated[
        Literal["float32", "bfloat16"] | None,
        typer.Option("--precision", help="Default: the preset's."),
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps that are measured.")] = 10,
    cold: Annotated[
        bool,
        typer.Option(
            "--cold", help="New clips and captions at every step, as before they are cached."
        ),
    ] = False,
    compare_precision: Annotated[
        bool,
        typer.Option(
            "--compare-precision", help="Also train in both precisions and compare the losses."
        ),
    ] = False,
    compare_steps: Annotated[
        int, typer.Option("--compare-steps", min=1, help="Steps of that comparison.")
    ] = 50,
) -> None:
    """Measure training steps on synthetic data in memory; nothing is written."""
    with working("making data"):
        from intermask.presets import changed, load_preset
        from intermask.training.benchmark import compare_precisions, run_benchmark

        training: Any = load_preset(stage, preset, settings or ())
        if precision is not None:
            training = changed(training, [f"run.precision={precision}"])
        tokenizer = None if stage == "tokenizer" else load_preset("tokenizer", preset)
        if tokenizer is not None:
            tokenizer = _same_codes(tokenizer, training)
    with progress_bar("measuring") as update:
        measured = run_benchmark(
            training, tokenizer=tokenizer, device=device, steps=steps, cold=cold, on_step=update
        )
    print_table(_rows(stage, preset, measured, cold))
    if compare_precision:
        with progress_bar("comparing precisions") as update:
            compared = compare_precisions(
                training, tokenizer=tokenizer, device=device, steps=compare_steps, on_step=update
            )
        print_table(_precision_rows(compared))


@bench_app.command(
    epilog=examples(
        "intermask bench evaluate --data data/salsa --evaluator runs/evaluator --clips 16",
        "intermask bench evaluate --preset paper-interhuman --clips 1000 --alone 32",
    )
)
def evaluate(
    model: EvaluatedModel = None,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="DIR", help="Clips whose captions and lengths are taken."),
    ] = None,
    evaluator: Annotated[
        Path | None, typer.Option("--evaluator", metavar="RUN|DIR", help="What scores motions.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            help="Instead of all these: networks of these sizes with random weights, synthetic "
            "clips of 2 to 10 seconds.",
        ),
    ] = None,
    clips: Annotated[int, typer.Option("--clips", min=3, help="Motions to make.")] = 32,
    alone: Annotated[
        int | None,
        typer.Option("--alone", min=1, help="How many of them also one by one. Default: all."),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Which clips of --data.")] = "test",
    device: DeviceOption = "auto",
    batch_size: TogetherOption = None,
    text_source: TextSourceOption = None,
) -> None:
    """Measure one replication of an evaluation: in batches, and one by one.

    The released code makes one motion at a time. The same motions are made both
    ways in one process; embeddings of both are compared. Nothing is written.
    """
    from intermask.evaluation.speed import compare_speed, synthetic

    if (preset is None) == (data is None or evaluator is None):
        raise UserError(
            "give --data and --evaluator, and perhaps a model, or --preset alone for random weights"
        )
    if preset is not None:
        from intermask.devices import select_device
        from intermask.presets import load_preset

        with working("making networks and clips"):
            made = synthetic(
                load_preset("tokenizer", preset),
                load_preset("transformer", preset),
                load_preset("evaluator", preset),
                clips,
                select_device(device),
            )
        generator, judge, found = made.generator, made.evaluator, made.clips
    else:
        from intermask.evaluation.protocol import Plan

        plan = Plan(split=split, clips=clips)
        generator, judge, read = load_measured(
            model, evaluator or Path(), data or [], plan, device, text_source
        )
        found = plan.chosen(read.clips)
    options = measured_options(generator, found, SamplingChanges(None, None, None), batch_size)
    with progress_bar("making motions") as update:
        measured = compare_speed(generator, judge, found, options, alone, update)
    name = f"{preset} with random weights" if preset else generator.model.config.name
    print_table(_speed_rows(measured, str(generator.device), name))


def _speed_rows(measured: SpeedComparison, device: str, name: str) -> list[tuple[str, str]]:
    import torch

    together, alone, work = measured.together, measured.alone, measured.arithmetic
    part = "" if alone.clips == together.clips else f" (of {alone.clips} motions, in proportion)"
    every = alone.seconds / alone.clips * together.clips
    if device.startswith("cuda"):
        where = torch.cuda.get_device_name(device)
    else:
        where = f"{device}, {torch.get_num_threads()} threads"
    return [
        ("measured", f"{name}, {together.clips} motions, {measured.seconds_of_motion:.0f} s long"),
        ("device", where),
        (
            "in batches",
            f"{together.seconds:.2f} s of {measured.batch_size} motions: "
            f"{together.generating:.2f} s generating, {together.scoring:.2f} s scoring",
        ),
        ("one by one", f"{every:.2f} s{part}"),
        ("ratio", f"{measured.ratio:.2f}"),
        (
            "a motion",
            f"{1000 * together.seconds / together.clips:.0f} ms in batches, "
            f"{1000 * alone.seconds / alone.clips:.0f} ms alone; of processors' time "
            f"{1000 * together.processor / together.clips:.0f} and "
            f"{1000 * alone.processor / alone.clips:.0f} ms",
        ),
        (
            "achieved",
            f"{work.flops / work.motions / 1e9:.1f} GFLOP a motion, "
            f"{work.flops / work.seconds / 1e9:.1f} GFLOP/s: {work.utilisation:.0%} of a large "
            "matrix product in float32",
        ),
        (
            "largest difference",
            f"{measured.difference:.1e} of an embedding's length",
        ),
    ]


def _same_codes(tokenizer: Any, transformer: Any) -> Any:
    """A preset's tokenizer with as many codes as the transformer measured here."""
    from intermask.presets import changed

    return changed(tokenizer, [f"model.codebook_size={transformer.model.codebook_size}"])


def _rows(stage: str, preset: str, measured: Benchmark, cold: bool) -> list[tuple[str, str]]:
    own = measured.peak_flops[measured.precision]
    seconds = measured.step_seconds
    unit = "windows" if stage == "tokenizer" else "clips"
    speed = measured.step_flops / seconds
    met = "new at every step" if cold else "met before, so kept in memory"
    equal = "  ".join(
        f"{seconds * peak / 1e9:.0f} at {name}'s" for name, peak in measured.peak_flops.items()
    )
    shares = "  ".join(f"{name} {share:.1%}" for name, share in measured.shares.items() if share)
    caches = [("clips and captions", met)] if stage == "transformer" else []
    return [
        ("measured", f"{stage}, preset {preset}, batches of {measured.batch_size} {unit}"),
        ("device", f"{measured.device}, {measured.threads} threads, {measured.precision}"),
        *caches,
        ("a step", f"{1000 * seconds:.1f} ms (median of {len(measured.seconds)})"),
        ("samples a second", f"{measured.batch_size / seconds:.2f}"),
        ("peak memory", f"{measured.peak_memory / 1e9:.2f} GB"),
        (
            "matrix product",
            "  ".join(
                f"{name} {peak / 1e9:.0f} GFLOP/s" for name, peak in measured.peak_flops.items()
            ),
        ),
        (
            "achieved",
            f"{measured.step_flops / 1e9:.1f} GFLOP a step, {speed / 1e9:.1f} GFLOP/s: "
            f"{speed / own:.0%} of the matrix product's in {measured.precision}",
        ),
        ("seconds x peak", f"{equal} (GFLOP; to compare machines)"),
        ("shares", shares),
    ]


def _precision_rows(compared: PrecisionComparison) -> list[tuple[str, str]]:
    single, half = compared.means
    steps = len(compared.float32)
    return [
        (
            f"loss after {steps} steps",
            f"float32 {single:.5g}  bfloat16 {half:.5g}  difference {compared.relative:+.2%}",
        )
    ]
