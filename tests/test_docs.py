"""Pages of docs/ say nothing that is not so: commands parse, linked files are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from test_readme import ROOT, parse

PAGES = sorted((ROOT / "docs").rglob("*.md"))


def commands(page: Path) -> list[list[str]]:
    """Arguments after ``intermask`` of every command line in a page's fenced shell blocks."""
    blocks = re.findall(r"^```bash\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    text = "".join(blocks).replace("\\\n", " ")
    lines = [shlex.split(line, comments=True) for line in text.splitlines() if line.strip()]
    return [line[1:] for line in lines if line and line[0] == "intermask"]


@pytest.mark.parametrize(
    "arguments", [each for page in PAGES for each in commands(page)], ids=" ".join
)
def test_every_command_exists_with_its_options(arguments: list[str]) -> None:
    import typer

    from intermask.cli import app

    parse(typer.main.get_command(app), arguments)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_linked_files_are_there(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize(
    ("dataset", "modules"),
    [("interhuman", ("check", "findings")), ("inter-x", ("interx_check",))],
)
def test_every_finding_is_explained(dataset: str, modules: tuple[str, ...]) -> None:
    """Kinds of findings that `data check` prints for a layout stand in its page."""
    folder = ROOT / "src" / "intermask" / "data"
    code = "".join((folder / f"{name}.py").read_text("utf-8") for name in modules)
    kinds = set(re.findall(r'Finding\(\s*"([^"]+)"', code))
    page = (ROOT / "docs" / "datasets" / f"{dataset}.md").read_text("utf-8")
    assert kinds and not {kind for kind in kinds if kind not in page}
