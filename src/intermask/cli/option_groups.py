"""Options that several commands share, as one parameter of each of them."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command as typer takes it, out of one with parameters that are dataclasses of options.

    Each field of such a dataclass becomes an option of the command, where the parameter stood; its
    annotation says which, as that of a parameter would. A field may be such a dataclass itself.
    """
    hints = typing.get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {
        name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)
    }

    @wraps(command)
    def called(**values: Any) -> None:
        made = {name: _built(kind, values) for name, kind in groups.items()}
        command(**values, **made)

    parameters = [
        each
        for parameter in inspect.signature(command).parameters.values()
        for each in _options(parameter, hints[parameter.name])
    ]
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    return called


def _built(kind: Any, values: dict[str, Any]) -> Any:
    """A dataclass of options out of their values, which are taken away."""
    inside = typing.get_type_hints(kind, include_extras=True)
    return kind(
        **{
            field.name: _built(inside[field.name], values)
            if dataclasses.is_dataclass(inside[field.name])
            else values.pop(field.name)
            for field in dataclasses.fields(kind)
        }
    )


def _options(parameter: inspect.Parameter, kind: Any) -> Iterator[inspect.Parameter]:
    """The parameter, or those that stand for it; by name, for some have no default."""
    if not dataclasses.is_dataclass(kind):
        yield parameter.replace(annotation=kind, kind=inspect.Parameter.KEYWORD_ONLY)
        return
    inside = typing.get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        missing = field.default is dataclasses.MISSING
        default = inspect.Parameter.empty if missing else field.default
        option = inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default)
        yield from _options(option, inside[field.name])
