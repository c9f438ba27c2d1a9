"""``compare``: which differences between two evaluations exceed the noise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intermask.cli.console import print_columns

if TYPE_CHECKING:
    from intermask.evaluation.comparison import Comparison


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A report, or its report.json.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    row: Annotated[
        str | None,
        typer.Option("--row", metavar="NAME", help="The row to compare. Default: the models'."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with all digits.")] = False,
) -> None:
    """Compare two evaluations: which differences exceed the noise?

    Intervals are those of Welch's t-test on the replications of both. Beyond
    the noise means: at a level of 5 % for all metrics together (Holm). The
    noise is that of other samples of the same two models for the same clips;
    a model trained again with another seed varies more.
    """
    from intermask.evaluation.comparison import compare as compare_reports
    from intermask.evaluation.comparison import read_report

    reports = [read_report(path) for path in (first, second)]
    result = compare_reports(reports[0], reports[1], row=row)
    if as_json:
        typer.echo(json.dumps(result.numbers(), indent=2))
    else:
        _print_result(result)


def _print_result(result: Comparison) -> None:
    from intermask.evaluation.terms import METRICS, PHYSICS

    if not result.comparable:
        typer.echo("These evaluations are not comparable:")
        for sentence in result.differing:
            typer.echo(f"  {sentence}")
        typer.echo("Differences below may come from that, not from the models.\n")
    terms = {term.key: term for term in (*METRICS, *PHYSICS)}
    verdicts = {None: "not known", True: "beyond", False: "within"}
    rows = []
    for each in result.metrics:
        term = terms[each.metric]
        spread = "" if each.half_width is None else f" ± {term.shown(each.half_width)}"
        rows.append(
            (
                each.title,
                term.shown(each.first),
                term.shown(each.second),
                f"{term.factor * each.difference:+.{term.decimals}f}{spread}",
                verdicts[each.beyond_noise],
            )
        )
    print_columns(("", *result.names, "difference", "noise"), rows)
    typer.echo("")
    for each in result.metrics:
        typer.echo(each.says)
    tested = sum(each.half_width is not None for each in result.metrics)
    beyond = sum(bool(each.beyond_noise) for each in result.metrics)
    typer.echo(
        f"\n{beyond} of {tested} metrics differ beyond the noise of replications, at a level of "
        "5 % for all of them together (Holm). Training again with another seed varies more."
    )
