"""The report of a tokenizer as a folder: numbers, a page of Markdown, and a picture of errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from intermask.evaluation.joint_picture import draw_joint_errors
from intermask.evaluation.report_markdown import markdown_table
from intermask.evaluation.report_tables import Table, tokenizer_facts
from intermask.evaluation.tokenizer_quality import TokenizerReport
from intermask.files import atomic_folder, write_json

NUMBERS, PAGE, PICTURE = "tokenizer.json", "tokenizer.md", "joints.png"


def write_tokenizer_report(
    report: TokenizerReport, facts: Mapping[str, Any], folder: Path, *, picture: bool = True
) -> Path:
    """Write ``tokenizer.json``, ``tokenizer.md`` and ``joints.png``.

    Args:
        report: what was measured.
        facts: of what, with what: written before the numbers.
        folder: new; it is whole or absent.
        picture: whether to draw errors by joint.

    Raises:
        UserError: the folder exists and is not empty.
        MissingExtra: a picture without matplotlib.
    """
    with atomic_folder(folder) as temporary:
        content = {"kind": "intermask-tokenizer-evaluation", "schema_version": 1, **facts}
        write_json(temporary / NUMBERS, content | report.as_json())
        (temporary / PAGE).write_text(_page(report, facts, picture=picture), "utf-8")
        if picture:
            draw_joint_errors(joint_panels(report), temporary / PICTURE)
    return folder


def joint_panels(report: TokenizerReport) -> dict[str, dict[str, float]]:
    """Errors by joint, in the world and relative to the pelvis, by title."""
    return {
        title: dict(zip(report.joint_names, errors.tolist(), strict=True))
        for title, errors in (
            ("in the world", report.world_mm),
            ("relative to the pelvis", report.local_mm),
        )
    }


def _page(report: TokenizerReport, facts: Mapping[str, Any], *, picture: bool) -> str:
    numbers = tokenizer_facts(report.numbers())
    clips = Table(
        ("clip", "frames", "MPJPE, mm", "local MPJPE, mm", "acceleration error, m/s²"),
        tuple(
            (
                clip.name,
                str(clip.frames),
                f"{clip.mpjpe_mm:.1f}",
                f"{clip.local_mpjpe_mm:.1f}",
                f"{clip.acceleration_error:.2f}",
            )
            for clip in sorted(report.clips, key=lambda clip: -clip.mpjpe_mm)
        ),
    )
    parts = [
        f"# Tokenizer {facts.get('model', '')}".strip(),
        markdown_table(Table(("", ""), tuple((key, str(value)) for key, value in facts.items()))),
        markdown_table(Table(("↑ higher, ↓ lower is better", ""), tuple(numbers))),
        f"![Mean error of every joint]({PICTURE})" if picture else "",
        "## Clips, the worst first",
        markdown_table(clips),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
