"""``bench train``: how fast a training step is on this machine, and where its time goes."""

from __future__ import annotations

import typer

bench_app = typer.Typer(no_args_is_help=True, help="Measure speed and memory on this machine.")


@bench_app.callback()
def _start() -> None:
    """Options of all benchmarks."""
