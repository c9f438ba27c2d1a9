"""Named training configurations, one TOML file each, and changes to single settings.

A file has a table for each training (``tokenizer``, ``transformer``, ``evaluator``) with the keys
of `config.TokenizerTraining`, `config.TransformerTraining` and `config.EvaluatorTraining`; what it
leaves out is the default there, which is the paper's.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Literal, TypeVar, overload

from intermask.config import (
    EvaluatorTraining,
    TokenizerTraining,
    TransformerTraining,
    from_dict,
    to_dict,
)
from intermask.errors import UserError

StageName = Literal["tokenizer", "transformer", "evaluator"]
Training = TypeVar("Training", TokenizerTraining, TransformerTraining, EvaluatorTraining)

_KINDS: dict[str, type[Any]] = {
    "tokenizer": TokenizerTraining,
    "transformer": TransformerTraining,
    "evaluator": EvaluatorTraining,
}


def preset_names() -> tuple[str, ...]:
    """Names of the presets that ship with the package."""
    folder = resources.files("intermask.presets")
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml")))


@overload
def load_preset(
    stage: Literal["tokenizer"], name: str, changes: Sequence[str] = ()
) -> TokenizerTraining: ...
@overload
def load_preset(
    stage: Literal["transformer"], name: str, changes: Sequence[str] = ()
) -> TransformerTraining: ...
@overload
def load_preset(
    stage: Literal["evaluator"], name: str, changes: Sequence[str] = ()
) -> EvaluatorTraining: ...
def load_preset(
    stage: StageName, name: str, changes: Sequence[str] = ()
) -> TokenizerTraining | TransformerTraining | EvaluatorTraining:
    """Configuration of one training by the name of a preset.

    Args:
        stage: which of its tables.
        name: such as ``small``.
        changes: ``key=value`` with a dotted key, such as ``optimiser.steps=2000``; see `changed`.

    Raises:
        UserError: an unknown preset or key (the nearest one is named), or an unusable value.
    """
    names = preset_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(names)}"
        raise UserError(f"there is no preset {name!r}; {hint}")
    text = resources.files("intermask.presets").joinpath(f"{name}.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    training: TokenizerTraining | TransformerTraining | EvaluatorTraining = _build(
        _KINDS[stage], _merged(tables[stage], changes)
    )
    return training


def changed(training: Training, changes: Sequence[str]) -> Training:
    """A configuration with some settings changed.

    Args:
        training: what to start from.
        changes: ``key=value``; the key is dotted (``optimiser.batch_size``), the value written as
            in TOML (``16``, ``0.5``, ``true``, ``[0.7, 0.85]``); quotes may be left out.

    Raises:
        UserError: an unknown key (the nearest one is named) or an unusable value.
    """
    result: Training = _build(type(training), _merged(to_dict(training), changes))
    return result


def _build(kind: type[Any], values: dict[str, Any]) -> Any:
    try:
        return from_dict(kind, values)
    except ValueError as error:
        raise UserError(str(error)) from error


def _merged(values: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    result = _copy(values)
    for change in changes:
        key, equals, text = change.partition("=")
        path = key.strip().split(".")
        if not equals or not all(path):
            raise UserError(
                f"{change!r} is not a setting; write key=value, such as optimiser.steps=2000"
            )
        table = result
        for name in path[:-1]:
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                raise UserError(f"{key.strip()} is not a setting: {name} has no settings inside")
        table[path[-1]] = _value(text.strip())
    return result


def _copy(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _copy(value) if isinstance(value, Mapping) else value for key, value in values.items()
    }


def _value(text: str) -> Any:
    """A TOML value; what is none is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
