"""``bench train``: how fast a training step is on this machine, and where its time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from intermask.cli.console import print_table, progress_bar, working
from intermask.cli.options import DeviceOption, examples

if TYPE_CHECKING:
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
