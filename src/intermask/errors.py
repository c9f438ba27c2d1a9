"""Errors that the command line turns into one sentence and exit code 2."""

from __future__ import annotations


class UserError(ValueError):
    """The input cannot be used; the message says what was given, what was expected, what to do."""


class MissingExtra(RuntimeError):
    """A feature needs an optional dependency that is not installed.

    Args:
        extra: name of the extra in ``pyproject.toml``, such as ``"video"``.
        module: the import that failed.
    """

    def __init__(self, extra: str, module: str) -> None:
        self.extra = extra
        super().__init__(
            f'This needs the "{extra}" extra ({module} is not installed): '
            f'pip install "intermask[{extra}]"'
        )
