"""What a measurement of contacts found, as JSON and as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from intermask.adherence.contacts import EARLY_SECONDS, NEAR_M, WINDOW_SECONDS
from intermask.adherence.free_prompts import ALIVE_SPEED, STANDING_SHARE, UPRIGHT_FRAMES
from intermask.adherence.measuring import Outcome
from intermask.adherence.rates import Rate
from intermask.evaluation.report_markdown import markdown_table
from intermask.evaluation.report_tables import Table
from intermask.evaluation.terms import GROUND_TRUTH, RECONSTRUCTION, SHUFFLED
from intermask.files import atomic_path, write_json

NUMBERS, PAGE = "contacts.json", "contacts.md"

Outcomes = Mapping[str, Outcome]
Report = dict[str, Any]

_CONTACT_KINDS = {
    "in_window": "in its window",
    "any_time": "at any time",
    "every_limb": "all limbs, in the window",
}

_SLIDING = 2.0
"""Times the mean slide of the data's feet from which on somebody slides."""


def build_report(facts: Mapping[str, Any], outcomes: Outcomes) -> Report:
    """All rates.

    Args:
        facts: what was measured with what (`Measurement.settings`).
        outcomes: those of `Measurement.run` and of `Measurement.references`.
    """
    kinds = {
        kind: _of_kind(outcomes, kind)
        for kind in ("real", "tokens", "clip", "shuffled", "pair", "free", "outside")
    }
    rows = {
        GROUND_TRUTH: kinds["real"],
        RECONSTRUCTION: kinds["tokens"],
        str(facts["model"]): kinds["clip"],
        SHUFFLED: kinds["shuffled"],
    }
    limit = _SLIDING * _mean(kinds["real"], "skate")
    return {
        **facts,
        "schema_version": 1,
        "rule": _rule(),
        "held_out": {
            "rows": {name: _contact_rates(found) for name, found in rows.items() if found},
            "by_family": _by(kinds["clip"], kinds["shuffled"], "family"),
            "by_split": _by(kinds["clip"], kinds["shuffled"], "split"),
            "bodies": {name: _bodies(found) for name, found in rows.items() if found},
        },
        "pairs": _pair_rates(kinds["pair"]) if kinds["pair"] else None,
        "free": _free_rates(kinds["free"]) if kinds["free"] else None,
        "outside": _outside_rates(kinds["outside"], limit) if kinds["outside"] else None,
    }


def write_report(report: Report, folder: Path) -> None:
    """Write ``contacts.json`` and ``contacts.md``."""
    write_json(folder / NUMBERS, report)
    with atomic_path(folder / PAGE) as temporary:
        temporary.write_text(markdown(report), "utf-8")


def markdown(report: Report) -> str:
    """The report as text in GitHub's Markdown, ending with a newline."""
    parts = [
        f"# Contacts of {report['model']}",
        "One sample a prompt, as decoded: no drafts to choose from, nothing mended. Shares with "
        "95 % intervals (Wilson).",
        report["rule"],
    ]
    for title, sentence, table in tables(report):
        parts += [f"## {title}", sentence, markdown_table(table)]
    facts = {name: value for name, value in report.items() if isinstance(value, str | int | float)}
    facts.pop("rule")
    parts += [
        "## Settings",
        markdown_table(Table(("", ""), tuple((name, str(facts[name])) for name in facts))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def tables(report: Report) -> list[tuple[str, str, Table]]:
    """Titles, sentences and tables of all that was measured."""
    found = _held_out_tables(report["held_out"], str(report["model"]))
    if report["pairs"]:
        found.append(_pair_table(report["pairs"]))
    if report["free"]:
        found += _free_tables(report["free"])
    if report["outside"]:
        found.append(_outside_table(report["outside"]))
    return found


def _held_out_tables(held_out: Report, model: str) -> list[tuple[str, str, Table]]:
    contacts = tuple(
        (name, *(_text(rates[kind]) for kind in _CONTACT_KINDS))
        for name, rates in held_out["rows"].items()
    )
    bodies = tuple(
        (name, f"{each['skate']:.1f}", f"{each['jerk']:.0f}")
        for name, each in held_out["bodies"].items()
    )
    return [
        (
            "Contacts that captions of held-out clips ask for",
            "",
            Table(("", *_CONTACT_KINDS.values()), contacts, model),
        ),
        *(
            (f"By {name}", "", _beside(name, held_out[f"by_{name}"]))
            for name in ("family", "split")
            if held_out[f"by_{name}"]
        ),
        (
            "Bodies",
            "Of the worse of the two people, mean over clips.",
            Table(("", "sliding feet, mm a frame", "jerk, m/s³"), bodies, model),
        ),
    ]


def _pair_table(pairs: Report) -> tuple[str, str, Table]:
    return (
        "Minimal pairs of the dataset",
        "Which of the two contacts comes nearer, that of the caption or that of its counterpart? "
        "Guessing is right in one half. Left out, because the rule cannot read them off the clips "
        f"themselves: {pairs['left_out']} of {pairs['asked']} clips.",
        _rate_table(("what", "right"), pairs["rates"]),
    )


def _free_tables(free: Report) -> list[tuple[str, str, Table]]:
    return [
        (
            "Prompts that no grammar wrote",
            "Contacts at any time, in the order of the acts; beside them the same motions asked "
            "for the contacts of another prompt.",
            _beside("family", free["contacts"]),
        ),
        (
            "Sides and actors in these prompts",
            "As in minimal pairs, where joints can tell.",
            _rate_table(("what", "right"), free["rates"]),
        ),
    ]


def _outside_table(outside: Report) -> tuple[str, str, Table]:
    return (
        "Prompts from outside its world",
        f"Standing: pelvis above {STANDING_SHARE} of its height in {100 * UPRIGHT_FRAMES:.0f} % of "
        f"frames, not asked of {outside['may_be_low']} prompts that name another posture. Alive: "
        f"mean joint above {ALIVE_SPEED} m/s. Not sliding: up to {outside['skate_limit']:.1f} mm a "
        f"frame, {_SLIDING:g} times the data's mean.",
        _rate_table(("both people", "rate"), outside["rates"]),
    )


def _rule() -> str:
    return (
        f"A contact happens where its two points come within {100 * NEAR_M:.0f} cm, in the clip's "
        f"own time ± {WINDOW_SECONDS} s, and are further apart {EARLY_SECONDS:.0f} s before it. "
        "Sides that the caption leaves open may be either; the two people may be in each other's "
        "place."
    )


def _of_kind(outcomes: Outcomes, kind: str) -> list[Outcome]:
    return [row for key, row in outcomes.items() if key.partition("/")[0] == kind]


def _contact_rates(found: Sequence[Outcome]) -> Report:
    return {kind: Rate.over(row[kind] for row in found).as_json() for kind in _CONTACT_KINDS}


def _by(model: Sequence[Outcome], shuffled: Sequence[Outcome], column: str) -> Report:
    """Rates of the model and of shuffled captions by the family, or split, of the clip."""
    names = sorted({row[column] for row in model})
    return {
        name: {
            "model": _contact_rates([row for row in model if row[column] == name]),
            "shuffled": _contact_rates([row for row in shuffled if row[column] == name]),
        }
        for name in names
    }


def _bodies(found: Sequence[Outcome]) -> Report:
    return {name: round(_mean(found, name), 3) for name in ("skate", "jerk")}


def _mean(found: Iterable[Outcome], name: str) -> float:
    values = [float(row[name]) for row in found]
    return fmean(values) if values else 0.0


def _pair_rates(found: Sequence[Outcome]) -> Report:
    clear = [row for row in found if row["clear"]]
    rates = {
        f"right {question}": _rate(row["right"] for row in clear if row["question"] == question)
        for question in ("side", "actor")
    }
    for family in sorted({row["family"] for row in clear}):
        for question in ("side", "actor"):
            rows = [row for row in clear if (row["family"], row["question"]) == (family, question)]
            if rows:
                rates[f"{family}, {question}"] = _rate(row["right"] for row in rows)
    return {"asked": len(found), "left_out": len(found) - len(clear), "rates": rates}


def _free_rates(found: Sequence[Outcome]) -> Report:
    touching = [row for row in found if "contact" in row]
    contacts = {
        name: {
            "model": {"any_time": _rate(row["contact"] for row in rows)},
            "shuffled": {"any_time": _rate(row["contact_of_another"] for row in rows)},
        }
        for name, rows in (
            ("all", touching),
            *(
                (family, [row for row in touching if row["family"] == family])
                for family in sorted({row["family"] for row in touching})
            ),
        )
    }
    paired = [row for row in found if row["pair"]]
    rates = {}
    for question in ("side", "actor"):
        for name, rows in (("", found), (", in minimal pairs", paired)):
            known = [row[question] for row in rows if row[question] is not None]
            rates[f"right {question}{name}"] = _rate(known)
    return {"prompts": len(found), "contacts": contacts, "rates": rates}


def _outside_rates(found: Sequence[Outcome], limit: float) -> Report:
    stands = [row["stands"] or row["may_be_low"] for row in found]
    slides = [row["skate"] > limit for row in found]
    together = [
        stand and row["lives"] and not slide
        for row, stand, slide in zip(found, stands, slides, strict=True)
    ]
    return {
        "prompts": len(found),
        "may_be_low": sum(row["may_be_low"] for row in found),
        "skate_limit": round(limit, 3),
        "rates": {
            "stand, live and do not slide": _rate(together),
            "stand": _rate(stands),
            "live": _rate(row["lives"] for row in found),
            "do not slide": _rate(not slide for slide in slides),
        },
    }


def _rate(outcomes: Iterable[bool]) -> Report:
    return Rate.over(outcomes).as_json()


def _text(rate: Mapping[str, Any]) -> str:
    return Rate(rate["hits"], rate["of"]).text


def _rate_table(header: tuple[str, str], rates: Mapping[str, Any]) -> Table:
    rows = tuple((name, _text(rate), str(rate["of"])) for name, rate in rates.items())
    return Table((*header, "of"), rows)


def _beside(column: str, rates: Mapping[str, Any]) -> Table:
    """The model's rates beside those of shuffled captions."""
    kinds = [kind for kind in _CONTACT_KINDS if kind in next(iter(rates.values()))["model"]]
    kinds = [kind for kind in kinds if kind != "every_limb"]
    header = [column]
    for kind in kinds:
        header += [_CONTACT_KINDS[kind], "shuffled"]
    rows = []
    for name, both in rates.items():
        cells = [name]
        for kind in kinds:
            cells += [_text(both["model"][kind]), _text(both["shuffled"][kind])]
        rows.append((*cells, str(both["model"][kinds[0]]["of"])))
    return Table((*header, "of"), tuple(rows))
