"""Which code made a dataset: a checksum of what decides its joint values, and of nothing else."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_ROOTS = ("choreography.splits", "choreography.overlay", "choreography.gate")
"""Modules that draw, play and judge; what they import decides, too."""
_TABLES = ("choreography/held_out.toml", "choreography/grammar/*.toml")


@cache
def code_checksum() -> str:
    """sha256 of the files that decide what a seed gives, as they were when first asked for."""
    digest = hashlib.sha256()
    for file in deciding_files():
        digest.update(file.relative_to(_PACKAGE).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def deciding_files() -> list[Path]:
    """Modules that are imported on the way from a seed to a clip, and tables that they read."""
    found: set[Path] = set()
    waiting = [_PACKAGE.joinpath(*name.split(".")).with_suffix(".py") for name in _ROOTS]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += _imported(file)
    tables = {file for pattern in _TABLES for file in _PACKAGE.glob(pattern)}
    return sorted(found | tables)


def _imported(file: Path) -> list[Path]:
    """Files of the package that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            # `from intermask.evaluation import physics` may name a module, too.
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    files = []
    for name in names:
        package, *parts = name.split(".")
        if package == "intermask" and parts:
            place = _PACKAGE.joinpath(*parts)
            files += [
                each for each in (place.with_suffix(".py"), place / "__init__.py") if each.is_file()
            ]
    return files
