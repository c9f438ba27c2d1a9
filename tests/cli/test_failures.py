"""What the user can mend is told in a sentence; what only we can mend stays a traceback."""

from __future__ import annotations

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from intermask.cli.failures import SentenceGroup
from intermask.config import SamplingConfig
from intermask.errors import MissingExtra, UserError


def outcome(error: BaseException | None = None, call: object = None) -> object:
    app = typer.Typer(cls=SentenceGroup, pretty_exceptions_enable=False)

    @app.command()
    def act() -> None:
        if callable(call):
            call()
        if error is not None:
            raise error

    @app.command()
    def other() -> None: ...

    return CliRunner().invoke(app, ["act"])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UserError("the prompt\nis empty"), "the prompt is empty"),
        (MissingExtra("video", "vtk"), 'pip install "intermask[video]"'),
        (FileNotFoundError("there is no x"), "there is no x"),
        (PermissionError(13, "Permission denied", "/x/y"), "/x/y: Permission denied"),
    ],
)
def test_sentences(error: Exception, words: str) -> None:
    result = outcome(error)
    assert result.exit_code == 2  # type: ignore[attr-defined]
    assert words in result.stderr  # type: ignore[attr-defined]
    assert len(result.stderr.splitlines()) == 1  # type: ignore[attr-defined]


def test_a_value_error_of_ours_is_a_sentence() -> None:
    result = outcome(call=lambda: SamplingConfig(steps=0))
    assert (result.exit_code, "steps is 0" in result.stderr) == (2, True)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "call",
    [
        lambda: np.zeros(3).reshape(2),
        lambda: {}["key"],
        lambda: 1 / 0,
        lambda: (_ for _ in ()).throw(RuntimeError("bug")),
    ],
)
def test_bugs_stay_tracebacks(call: object) -> None:
    result = outcome(call=call)
    assert result.exit_code == 1  # type: ignore[attr-defined]
    assert not isinstance(result.exception, SystemExit)  # type: ignore[attr-defined]
