"""README says nothing that is not so: commands parse, snippets compile, linked files are there."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """Contents of the fenced code blocks of one language."""
    every = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    return [content for name, content in every if name == language]


def shell_lines() -> list[str]:
    return [line for block in blocks("bash") for line in block.splitlines() if line.strip()]


def intermask_commands() -> list[list[str]]:
    """Arguments after ``intermask`` of every command line of ours."""
    lines = (shlex.split(line, comments=True) for line in shell_lines())
    return [line[1:] for line in lines if line[0] == "intermask"]


def parse(command: Any, arguments: list[str], name: str = "intermask") -> dict[str, Any]:
    """What a command of typer's tree makes of its arguments, without running anything."""
    context = type(command).context_class(command, info_name=name)
    values, rest, _ = command.make_parser(context).parse_args(list(arguments))
    if hasattr(command, "commands"):
        assert rest, f"{name} needs a sub-command"
        assert rest[0] in command.commands, f"{name} has no sub-command {rest[0]}"
        return parse(command.commands[rest[0]], rest[1:], f"{name} {rest[0]}")
    assert not rest, f"{name} does not take {rest}"
    for parameter in command.params:
        value = values.get(parameter.name)
        assert value is not None or not parameter.required, f"{name} needs {parameter.name}"
        if value is not None:
            parameter.process_value(context, value)  # numbers are numbers, choices are offered
    return values


@pytest.mark.parametrize("arguments", intermask_commands(), ids=" ".join)
def test_every_command_exists_with_its_options(arguments: list[str]) -> None:
    import typer

    from intermask.cli import app

    parse(typer.main.get_command(app), arguments)


def test_the_commands_a_stranger_needs_are_there() -> None:
    started = {tuple(arguments[:1]) for arguments in intermask_commands()}
    expected = {"generate", "react", "complete", "train", "import-official", "bundle", "data"}
    assert {(name,) for name in expected | {"export", "info"}} <= started


@pytest.mark.parametrize("snippet", blocks("python"))
def test_python_snippets_compile_and_import_what_exists(snippet: str) -> None:
    tree = ast.parse(snippet)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            assert all(hasattr(module, alias.name) for alias in node.names)


def test_there_is_a_python_snippet() -> None:
    assert blocks("python")


def test_continuous_integration_sets_up_and_tests_as_written_here() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    ours = re.findall(r"^run (.*)$", script, flags=re.MULTILINE)
    done = [line.replace(" --quiet", "") for line in ours]
    set_up = [part for line in shell_lines()[:2] for part in line.split(" && ")]
    for command in (*(part for part in set_up if part.startswith("pip ")), "pytest"):
        assert command in done, f"README says {command!r}, .ci/run does {done}"
    assert "pip install --no-deps -c constraints.txt clip-anytorch smplx" in done
    assert "pip install --no-deps -c constraints.txt clip-anytorch smplx" in shell_lines()


def test_linked_files_are_there() -> None:
    links = re.findall(r"\]\(([^)#]+)", README)
    local = [link for link in links if not link.startswith(("http:", "https:", "mailto:"))]
    assert local
    assert not [link for link in local if not (ROOT / link).exists()]


def test_the_folder_map_names_what_exists() -> None:
    (picture,) = (block for block in blocks("") if "src/intermask/" in block)
    rooms = {line[2:].split("  ")[0] for line in picture.splitlines() if line.startswith("  ")}
    names = {name.strip() for entry in rooms for name in entry.split(",")}
    package = ROOT / "src" / "intermask"
    shown = {name.rstrip("/") for name in names}
    there = {path.stem for path in package.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert shown <= there
    unlisted = {"__init__", "__main__", "builtin", "devices", "errors", "files", "smplx"}
    assert there - unlisted - {"__pycache__"} <= shown, "the folder map lacks a room"


def test_the_extras_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    listed = set(re.findall(r"^\| `(\w+)` \| ", README.split("## Lighter")[1], re.MULTILINE))
    assert listed == set(project["optional-dependencies"])


def test_constraints_pin_torch_and_every_direct_dependency() -> None:
    text = (ROOT / "constraints.txt").read_text("utf-8")
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", text, flags=re.MULTILINE))
    assert pinned["torch"] == "2.13.0"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(name for extra in extras for name in extra)]
    names = {re.split(r"[\[<>=~! ]", requirement)[0] for requirement in wanted} - {"intermask"}
    assert names <= set(pinned)


def test_package_and_citation_agree_on_the_version() -> None:
    import intermask

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == intermask.__version__
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {intermask.__version__}\n" in citation
    assert "arXiv:2410.10010" in citation
