"""A report as one page that opens from disk: tables, plots, and motions that play.

The page holds everything itself and is forbidden to fetch anything: its own content security
policy allows no address. Script and style are in the folder ``page``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from intermask.evaluation import report_tables
from intermask.evaluation.report_plots import Line, bar_panel, interval_panel
from intermask.evaluation.report_tables import Report, Table
from intermask.evaluation.samples import SamplePair, read_sample
from intermask.evaluation.terms import GROUND_TRUTH, Term
from intermask.files import atomic_path
from intermask.motion import FPS
from intermask.skeleton import SMPL22

PAGE = "report.html"

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

_THICK = {
    "spine1": 0.115, "spine2": 0.115, "spine3": 0.12, "neck": 0.06, "head": 0.05,
    "hip": 0.09, "knee": 0.075, "ankle": 0.05, "foot": 0.04,
    "collar": 0.08, "shoulder": 0.07, "elbow": 0.045, "wrist": 0.036,
}  # fmt: skip
"""Metres: how thick the drawn bone that ends at a joint is. Only looks depend on it."""


@dataclass(frozen=True)
class _Playable:
    """A sample that the page plays."""

    kind: str
    """``worst`` or ``best``."""
    facts: Mapping[str, Any]
    pair: SamplePair


def write_page(report: Report, folder: Path) -> Path:
    """Write ``report.html`` into the folder of a report.

    Args:
        report: as in ``report.json``.
        folder: where the files that ``report["samples"]`` names are; samples whose files are
            missing are named on the page but do not play.

    Returns:
        The file's path.

    Raises:
        UserError: the file cannot be written.
    """
    target = folder / PAGE
    with atomic_path(target) as temporary:
        temporary.write_text(page(report, folder), "utf-8")
    return target


def page(report: Report, folder: Path) -> str:
    """The page as text; see `write_page`."""
    playable, missing = _samples(report, folder)
    name = report_tables.evaluated_row(report)["name"]
    sections = [
        ("numbers", "Numbers", _numbers(report)),
        ("samples", "Worst and best motions", _sample_section(playable, missing)),
        ("plots", "Plots", _plots(report)),
        ("physics", "Physics", _physics(report)),
        ("audit", "What the evaluator sees", _audit(report)),
        ("tokenizer", "Tokenizer", _tokenizer(report)),
        ("memorisation", "Memorisation", _memorisation(report)),
        ("again", "How it was made", _made(report)),
    ]
    shown = [(key, title, content) for key, title, content in sections if content]
    links = "".join(f'<li><a href="#{key}">{title}</a></li>' for key, title, _ in shown)
    body = "".join(
        f'<section id="{key}" aria-labelledby="{key}-title"><h2 id="{key}-title">{title}</h2>'
        f"{content}</section>"
        for key, title, content in shown
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Evaluation of {escape(name)}</title><style>{_asset('style.css')}</style></head>"
        f'<body><a class="skip" href="#numbers">Skip to the numbers</a>'
        f"<header><h1>Evaluation of {escape(name)}</h1>{_opening(report)}"
        f'<nav aria-label="Parts of this report"><ul>{links}</ul></nav></header>'
        f"<main>{body}</main>{_script(playable)}</body></html>\n"
    )


def _opening(report: Report) -> str:
    official = report["protocol"]["official"]
    banner = "official" if official else "unofficial"
    reasons = _list(report_tables.why_not_official(report))
    facts = report["protocol"]
    measured = [
        f"{facts[key]} {word}"
        for key, word in (("clips", "clips"), ("replications", "replications"))
        if key in facts
    ]
    task = facts.get("task")
    opening = ", ".join([*([f"Task: {task}"] if task else []), *measured])
    return (
        f'<p class="soft">{escape(opening)}</p>'
        f'<div class="banner {banner}" role="note">'
        f"<p>{escape(report_tables.protocol_sentence(report))}</p>{reasons}</div>"
        + _paragraphs(report_tables.headline(report))
    )


def _numbers(report: Report) -> str:
    terms = report_tables.metrics_shown(report)
    return (
        _paragraphs(
            [
                "Means over replications with 95 % intervals. ↑ higher is better, ↓ lower is "
                "better, → nearer to ground truth is better."
            ]
        )
        + _table(report_tables.metric_table(report), "Metrics by row")
        + _list(report_tables.notes(report))
        + _details("What the columns are", _definitions(report_tables.meanings(terms)))
    )


def _plots(report: Report) -> str:
    panels = []
    for term in report_tables.metrics_shown(report):
        panels.append(interval_panel(term, _lines(report, term), **_guides(report, term)))
    note = (
        "A dot is the mean, the bar its 95 % interval, faint dots are single replications; the "
        "dashed line is ground truth."
    )
    return _paragraphs([note]) + _panels(panels)


def _physics(report: Report) -> str:
    table = report_tables.physics_table(report)
    if table is None:
        return ""
    terms = report_tables.physics_shown(report)
    panels = [bar_panel(term, _lines(report, term), **_guides(report, term)) for term in terms]
    return (
        _paragraphs(report_tables.physics_notes())
        + _table(table, "Physical metrics by row")
        + _details("What the numbers are", _definitions(report_tables.meanings(terms)))
        + _panels(panels)
    )


def _lines(report: Report, term: Term) -> list[Line]:
    """A line of a picture for every row that has the metric."""
    return [
        Line(
            row["name"],
            interval["mean"],
            interval.get("half_width"),
            tuple(interval.get("replications") or ()),
        )
        for row in report["rows"]
        if (interval := report_tables.interval_of(row, term)) is not None
    ]


def _guides(report: Report, term: Term) -> dict[str, Any]:
    truth = report_tables.value_of(report_tables.row_named(report, GROUND_TRUTH), term)
    return {"important": report_tables.evaluated_row(report)["name"], "truth": truth}


def _audit(report: Report) -> str:
    table = report_tables.audit_table(report)
    if table is None:
        return ""
    verdicts = "".join(
        f'<li><span class="verdict {_verdict(each["sees"])}">{escape(each["change"])}:</span> '
        f"{escape(each['says'])}</li>"
        for each in report["audit"]
    )
    return (
        _paragraphs(
            [
                "Real clips were changed in ways that a person would notice. Metrics that do not "
                "react cannot tell a good model from one that makes this mistake."
            ]
        )
        + _table(table, "Reaction of the metrics to changed clips")
        + f'<ul class="verdicts">{verdicts}</ul>'
    )


def _verdict(sees: bool | None) -> str:
    return {True: "yes", False: "no", None: ""}[sees]


def _tokenizer(report: Report) -> str:
    numbers = report.get("tokenizer")
    if not numbers:
        return ""
    note = "What is lost by putting real motion into tokens and taking it out again."
    return _paragraphs([note]) + _facts(report_tables.tokenizer_facts(numbers))


def _memorisation(report: Report) -> str:
    sentence = report_tables.memorisation_sentence(report)
    if not sentence:
        return ""
    note = "Motions much nearer to training clips than real ones are would be recited, not made."
    nearest = _list(report_tables.nearest_training_clips(report))
    return _paragraphs([sentence, note]) + (_details("Nearest motions", nearest) if nearest else "")


def _made(report: Report) -> str:
    facts = _facts(report_tables.protocol_facts(report))
    folded = [
        _details(title.capitalize(), _facts(content))
        for title, content in report_tables.folded_facts(report)
    ]
    return _details("Protocol and speed", facts) + "".join(folded)


def _samples(report: Report, folder: Path) -> tuple[list[_Playable], list[str]]:
    """Samples that can be played, and sentences about those that cannot."""
    playable, missing = [], []
    for kind in ("worst", "best"):
        for facts in (report.get("samples") or {}).get(kind) or ():
            try:
                pair = read_sample(folder / facts["file"])
            except (OSError, ValueError) as error:
                missing.append(f"{facts['name']} ({kind}) does not play: {error}")
                continue
            playable.append(_Playable(kind, facts, pair))
    return playable, missing


def _sample_section(playable: Sequence[_Playable], missing: Sequence[str]) -> str:
    if not playable and not missing:
        return ""
    note = (
        "Ordered by the distance between caption and motion, as the evaluator sees it: the worst "
        "and the best of the first replication, beside the real clip of the same caption. Drag "
        "to look around; on the keyboard arrows turn, + and − come nearer and go away, space plays."
    )
    cards = {
        kind: "".join(
            _card(number, each) for number, each in enumerate(playable) if each.kind == kind
        )
        for kind in ("worst", "best")
    }
    legend = (
        '<p class="soft"><span class="key">person 1</span> <span class="key">person 2</span></p>'
    )
    parts = [
        f'<h3>The {kind}</h3><div class="samples">{content}</div>'
        for kind, content in cards.items()
        if content
    ]
    silent = "<noscript><p>Motions play where scripts are allowed.</p></noscript>"
    return _paragraphs([note]) + legend + silent + "".join(parts) + _list(missing)


def _card(number: int, sample: _Playable) -> str:
    facts = sample.facts
    caption = str(facts.get("caption", ""))
    distance = facts.get("distance")
    away = "" if distance is None else f", distance {float(distance):.3f}"
    seconds = sample.pair.frames / FPS
    stages = "".join(
        f'<div><canvas tabindex="0" role="img" '
        f'aria-label="{label} motion of two people, {seconds:.1f} seconds: {escape(caption)}">'
        f'</canvas><span class="tag">{label}</span></div>'
        for label in sample.pair.motions()
    )
    return (
        f'<figure class="sample" data-sample="{number}"><blockquote>{escape(caption)}</blockquote>'
        f'<p class="meta soft">{escape(str(facts["name"]))}{away}</p>'
        f'<div class="stage">{stages}</div><div class="controls">'
        f'<button type="button" class="play">Play</button>'
        f'<input type="range" min="0" max="1" value="0" step="1" aria-label="Time">'
        f'<span class="clock"></span>'
        f'<button type="button" class="slow" aria-pressed="false" '
        f'aria-label="Half speed">½×</button></div></figure>'
    )


def _script(playable: Sequence[_Playable]) -> str:
    if not playable:
        return ""
    book = {
        "fps": FPS,
        "bones": _drawn_bones(),
        "samples": [
            {
                "motions": [
                    {"frames": motion.shape[1], "data": _packed(motion)}
                    for motion in each.pair.motions().values()
                ]
            }
            for each in playable
        ],
    }
    data = json.dumps(book, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<script type="application/json" id="motions">{data}</script>'
        f"<script>{_asset('player.js')}</script>"
    )


def _drawn_bones() -> list[tuple[int, int, float]]:
    """Start and end joint of every drawn bone, and its radius in metres."""
    return [
        (parent, child, _THICK[SMPL22.names[child].split("_")[-1]])
        for parent, child in SMPL22.bones
    ]


def _packed(positions: Any) -> str:
    """Positions (2, t, 22, 3) in metres as base64 of int16 millimetres, little endian."""
    import numpy as np

    limits = np.iinfo(np.int16)
    millimetres = np.asarray(positions, dtype=np.float64) * 1000
    whole = np.rint(millimetres).clip(limits.min, limits.max).astype("<i2")
    return base64.b64encode(whole.tobytes()).decode("ascii")


def _asset(name: str) -> str:
    return resources.files("intermask.evaluation").joinpath("page", name).read_text("utf-8")


def _paragraphs(sentences: Iterable[str]) -> str:
    return "".join(f"<p>{escape(each)}</p>" for each in sentences)


def _list(sentences: Sequence[str]) -> str:
    if not sentences:
        return ""
    return "<ul>" + "".join(f"<li>{escape(each)}</li>" for each in sentences) + "</ul>"


def _panels(panels: Sequence[str]) -> str:
    return f'<div class="panels">{"".join(panels)}</div>'


def _definitions(pairs: Sequence[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in pairs)
    return f"<dl>{rows}</dl>"


def _details(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def _facts(pairs: Sequence[tuple[str, str]]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td>{escape(value)}</td></tr>'
        for key, value in pairs
    )
    return f'<div class="scroll"><table class="facts"><tbody>{rows}</tbody></table></div>'


def _table(table: Table, label: str) -> str:
    chosen = table.important_column
    head = "".join(
        f'<th scope="col"{_important(column == chosen)}>{escape(cell)}</th>'
        for column, cell in enumerate(table.header)
    )
    rows = "".join(
        _row(row, important=row[0] == table.important, chosen=chosen) for row in table.rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(cells: Sequence[str], *, important: bool, chosen: int | None) -> str:
    rest = "".join(
        f"<td{_important(column == chosen)}>{escape(cell)}</td>"
        for column, cell in enumerate(cells[1:], start=1)
    )
    return f'<tr{_important(important)}><th scope="row">{escape(cells[0])}</th>{rest}</tr>'


def _important(is_important: bool) -> str:
    return ' class="important"' if is_important else ""
