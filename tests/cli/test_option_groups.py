"""A dataclass of options stands for all of them, in the help and when the command is called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from intermask.cli.option_groups import grouped


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Asked by both commands."""

    folder: Annotated[list[Path], typer.Option("--data", help="A folder.")]
    count: Annotated[int, typer.Option("--count", "-c", min=1)] = 3


@dataclass(frozen=True, kw_only=True)
class Wider:
    """Holds the others, too."""

    loud: Annotated[bool, typer.Option("--loud")] = False
    shared: Shared


app = typer.Typer()


@app.command()
@grouped
def first(options: Shared, name: Annotated[str, typer.Option("--name")] = "none") -> None:
    """Say everything."""
    typer.echo(f"{options.folder} {options.count} {name}")


@app.command()
@grouped
def second(place: Annotated[str, typer.Argument()], options: Shared) -> None:
    """Say less."""
    typer.echo(f"{place} {options}")


@app.command()
@grouped
def third(*, options: Wider) -> None:
    """Say all of it."""
    typer.echo(str(options))


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.output.strip()


def test_fields_are_options_of_every_command() -> None:
    folders = "[PosixPath('a'), PosixPath('b')]"
    assert said("first", "--data", "a", "--data", "b").replace("WindowsPath", "PosixPath") == (
        f"{folders} 3 none"
    )
    assert said("first", "--data", "a", "-c", "5", "--name", "x").endswith("5 x")
    assert said("second", "here", "--data", "a") == f"here {Shared(folder=[Path('a')])}"
    wider = Wider(loud=True, shared=Shared(folder=[Path("a")], count=7))
    assert said("third", "--data", "a", "--loud", "-c", "7") == str(wider)
    for word in ("--data", "--count", "--name", "Say everything."):
        assert word in said("first", "--help")


@pytest.mark.parametrize("given", [("--count", "2"), ("--data", "a", "--count", "0")])
def test_fields_are_checked_like_options(given: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, ["first", *given]).exit_code == 2
