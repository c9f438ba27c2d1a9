"""Errors of the user become one sentence on stderr and exit code 2; all others stay tracebacks."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from intermask.errors import MissingExtra, UserError

USER_ERROR = 2


class SentenceGroup(TyperGroup):
    """The root of the commands."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; say in a sentence what the user can mend."""
        try:
            return super().invoke(ctx)
        except (ValueError, OSError, MissingExtra) as error:
            sentence = sentence_for(error)
            if sentence is None:
                raise
            typer.echo(f"intermask: {sentence}", err=True)
            raise typer.Exit(USER_ERROR) from error


def sentence_for(error: Exception) -> str | None:
    """What to tell the user; None if the error is the program's own fault."""
    if isinstance(error, BrokenPipeError):
        return None  # whoever read our output has gone
    if isinstance(error, OSError):
        if error.strerror is None:  # raised by us, with a sentence
            return _one_line(str(error))
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, UserError | MissingExtra) or _is_ours(error):
        return _one_line(str(error))
    return None


def _is_ours(error: Exception) -> bool:
    """Whether this package raised it, with a sentence, and not a library in its depth."""
    trace = error.__traceback__
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    return str(trace.tb_frame.f_globals.get("__name__", "")).split(".")[0] == "intermask"


def _one_line(text: str) -> str:
    return " ".join(text.split())
