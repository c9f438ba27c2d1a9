"""What tests of commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from intermask.bundle import save_bundle
from intermask.cli import app
from intermask.generation import consolidate
from tiny import tiny_model, write_tiny_dataset
from walking import walking_pair

Run = Callable[..., Any]


@pytest.fixture
def unsettled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What settles bodies has tests of its own, and takes time."""
    for name in ("settle", "paced"):
        monkeypatch.setattr(consolidate, name, lambda bodies, *rest: bodies)


@pytest.fixture
def run() -> Run:
    """Run a command in this process; arguments may be paths and numbers."""

    def invoke(*arguments: object) -> Any:
        return CliRunner().invoke(app, [str(each) for each in arguments])

    return invoke


@pytest.fixture
def fails(run: Run) -> Run:
    """Run a command that must end with exit code 2 and one sentence on stderr; returns it."""

    def invoke(*arguments: object) -> str:
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        assert lines[-1].startswith("intermask: "), result.output
        assert "Traceback" not in result.output
        return str(lines[-1])

    return invoke


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_dataset(tmp_path_factory.mktemp("data") / "walks")


@pytest.fixture(scope="session")
def bundle(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a tiny model with random weights."""
    torch.manual_seed(0)
    return save_bundle(tiny_model(dataset), tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A motion file of 1.5 seconds."""
    return walking_pair(45).save(tmp_path_factory.mktemp("motions") / "walk")
