"""The datasheet that goes with a made dataset: what it is, and how good it is, in figures."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from intermask.choreography.gate import (
    CALMER,
    DEPTH_M,
    LIVELIER,
    POP,
    REASONS,
    SKATE_MM,
)
from intermask.choreography.plausible import Plausible
from intermask.choreography.records import DrawRecord, SceneRecord
from intermask.choreography.splits import PURPOSES
from intermask.motion import FPS

LOWEST_PASS_RATE = 0.6
"""A family of which fewer scenes pass needs another design."""


def describe_dataset(
    provenance: Mapping[str, Any], records: Sequence[DrawRecord], bank: Plausible
) -> str:
    """``DATASHEET.md``.

    Args:
        provenance: as it is written to ``provenance.json``.
        records: all scenes that were drawn.
        bank: ranges of the motion bank, for comparison.
    """
    kept = [scene for record in records if record.kept for scene in record.scenes]
    parts = [
        _opening(provenance, kept),
        _counts(provenance, records, kept),
        _passing(records),
        _quality(kept, bank),
        _captions(kept),
        _limits(provenance),
    ]
    return "\n\n".join(parts) + "\n"


def pass_rates(records: Iterable[DrawRecord]) -> dict[str, tuple[int, int]]:
    """Scenes that passed and scenes that were drawn, by family, chains as a family of their own."""
    passed: Counter[str] = Counter()
    drawn: Counter[str] = Counter()
    for scene in _scenes(records):
        drawn[scene.family] += 1
        passed[scene.family] += not scene.reasons
    return {family: (passed[family], drawn[family]) for family in sorted(drawn)}


def weak_families(records: Iterable[DrawRecord]) -> dict[str, float]:
    """Families that pass less often than `LOWEST_PASS_RATE`, the weakest first."""
    rates = {name: passed / drawn for name, (passed, drawn) in pass_rates(records).items()}
    weak = {name: rate for name, rate in rates.items() if rate < LOWEST_PASS_RATE}
    return dict(sorted(weak.items(), key=lambda item: item[1]))


def reasons_of(records: Iterable[DrawRecord]) -> Counter[str]:
    """How many scenes failed for which reason; one scene may have several."""
    return Counter(reason for scene in _scenes(records) for reason in scene.reasons)


def _scenes(records: Iterable[DrawRecord]) -> list[SceneRecord]:
    return [scene for record in records for scene in record.scenes]


def _opening(provenance: Mapping[str, Any], kept: Sequence[SceneRecord]) -> str:
    seconds = sum(scene.frames for scene in kept) / FPS
    bank, missing = provenance["bank"], provenance["not_given"]
    lines = [
        "# Open two-person interactions",
        "",
        f"{provenance['clips']} clips of two people, of which {len(kept)} "
        f"({seconds / 60:.0f} minutes) are choreographed: people put together from a bank of "
        "captured motion meet as a plan says, and the plan is the ground truth of contacts, roles "
        "and sides. Nobody performed these scenes, and nobody wrote their captions by hand.",
        "",
        f"Made by intermask {provenance['intermask_version']}, dataset version "
        f"{provenance['dataset_version']}, seed {provenance['seed']}, motion bank version "
        f"{bank['version']} (sha256 {bank['sha256'][:16]}...), code "
        f"{provenance['code_sha256'][:16]}...; the same command gives the same clips, whatever the "
        "number of processes.",
        "",
        f"- **Licence**: {provenance['licence']}",
        "- **Layout**: InterHuman's (30 fps, 22 joints), and `ground_truth/NAME.json` for each "
        "clip: family, acts, roles, sides and other facts, contact schedule (seconds, duration, "
        "limbs, point on the partner), what each caption states, split and why.",
        f"- **Training**: {provenance['advice']}.",
        "- **Every scene that was drawn**, also those that failed, is a line of `scenes.jsonl`.",
    ]
    for kind, facts in provenance["sources"].items():
        taken = sum(facts["clips"].values())
        fewer = f" ({facts['clips_wanted']} were wanted)" if taken < facts["clips_wanted"] else ""
        lines.append(
            f"- **{kind.capitalize()}**: {taken} clips{fewer} of: {facts['source']}; licence: "
            f"{facts['licence']}; sha256 {facts['sha256'][:16]}..."
        )
    if missing:
        lines.append(
            f"- **Not in this copy**: {' and '.join(missing)}, whose source folders were not given."
        )
    return "\n".join(lines)


def _counts(
    provenance: Mapping[str, Any], records: Sequence[DrawRecord], kept: Sequence[SceneRecord]
) -> str:
    split_of = {name: record.split for record in records for name in record.names}
    splits = list(PURPOSES)
    made = Counter((scene.family, split_of[scene.name]) for scene in kept)
    families = sorted({scene.family for scene in kept})
    rows = [[name, *(str(made[name, split]) for split in splits)] for name in families]
    rows += [
        [f"({kind})", *(str(facts["clips"].get(split, 0)) for split in splits)]
        for kind, facts in provenance["sources"].items()
    ]
    rows.append(["all", *(str(provenance["splits"][split]) for split in splits)])
    purposes = "\n".join(f"- `{split}`: {purpose}" for split, purpose in PURPOSES.items())
    return f"## Clips\n\n{_table(['family', *splits], rows)}\n\n{purposes}"


def _passing(records: Sequence[DrawRecord]) -> str:
    scenes = _scenes(records)
    rates = pass_rates(records)
    failed = Counter((scene.family, each) for scene in scenes for each in scene.reasons)
    acts = Counter(act for scene in scenes for act in scene.acts if scene.family == "chain")
    acts_passed = Counter(
        act
        for scene in scenes
        for act in scene.acts
        if scene.family == "chain" and not scene.reasons
    )
    rows = []
    for name, (passed, drawn) in rates.items():
        why = ", ".join(
            f"{reason} {failed[name, reason]}" for reason in REASONS if failed[name, reason]
        )
        chains = f"{acts_passed[name]} of {acts[name]}" if acts[name] else ""
        rows.append([name, f"{passed} of {drawn}", f"{100 * passed / drawn:.0f} %", chains, why])
    passed = sum(not scene.reasons for scene in scenes)
    total = reasons_of(records)
    text = [
        "## What passed the gate",
        "",
        f"{passed} of {len(scenes)} scenes ({_percent(passed, len(scenes))}). Clips of a minimal "
        "pair are kept together or not at all.",
        "",
        *(
            f"**{name} passes in only {100 * rate:.0f} % of its scenes and needs another design.**"
            for name, rate in weak_families(records).items()
        ),
        "",
        _table(["family", "passed", "", "chains with it", "scenes that failed, by reason"], rows),
        "",
        "| reason | scenes | what it means |",
        "|---|---|---|",
        *(f"| {reason} | {total[reason]} | {told} |" for reason, told in REASONS.items()),
    ]
    return "\n".join(text)


def _quality(kept: Sequence[SceneRecord], bank: Plausible) -> str:
    errors = [100 * error for scene in kept for error in scene.measures["contact_errors"]]
    jerks = [jerk for scene in kept for jerk in scene.measures["jerk"]]
    rows = [
        ["required contacts, cm", *_spread(errors), ""],
        ["skate, mm a frame", *_spread(_of(kept, "skate")), f"{bank.skate:.1f} on average"],
        ["deepest overlap, cm", *_spread(_of(kept, "depth", 100)), ""],
        ["jerk, m/s³", *_spread(jerks), f"{bank.jerk[0]:.0f} to {bank.jerk[1]:.0f} (5-95 %)"],
        ["peak jerk, m/s³", *_spread(_of(kept, "peak_jerk")), f"{bank.peak_jerk:.0f} (99 %)"],
    ]
    return "\n".join(
        [
            "## How it measures",
            "",
            _table(["of kept clips", "median", "95 %", "most", "the motion bank"], rows),
            "",
            f"Limits: skate {SKATE_MM:.0f} mm, overlap {100 * DEPTH_M:.0f} cm, jerk of a person "
            f"{CALMER * bank.jerk[0]:.0f} to {LIVELIER * bank.jerk[1]:.0f}, peak "
            f"{POP * bank.peak_jerk:.0f} m/s³. Skate also counts swinging feet that pass near the "
            "floor, so real walking has more of it than people who mostly stand. Overlaps below "
            "5 cm count as none: bodies are soft.",
        ]
    )


def _captions(kept: Sequence[SceneRecord]) -> str:
    texts = [text for scene in kept for text in scene.captions]
    if not texts:
        return "## Captions\n\nNone: no clip was kept."
    words = [len(text.split()) for text in texts]
    stated = Counter(
        fact.rpartition(".")[2] for scene in kept for facts in scene.stated for fact in facts
    )
    told = ", ".join(
        f"{fact} {_percent(count, len(texts))}" for fact, count in stated.most_common()
    )
    return "\n".join(
        [
            "## Captions",
            "",
            f"{len(texts)} captions, {len(set(texts))} of them different, {min(words)} to "
            f"{max(words)} words (median {statistics.median(words):.0f}), "
            f"{len({word for text in texts for word in text.lower().split()})} different words. "
            "Left and right are the actor's own.",
            "",
            f"Captions that state a fact: {told or 'none'}.",
        ]
    )


def _limits(provenance: Mapping[str, Any]) -> str:
    return "\n".join(
        [
            "## Limits",
            "",
            "- The people know sixteen interactions and what the bank has; faces, fingers and "
            "objects do not exist. An object that is handed over is a hand at a place.",
            "- Plans and captions come from rules: what a model learns of language here is these "
            "grammars. Results on freely written prompts should be reported apart.",
            "- All bodies have one shape in sizes of 0.92 to 1.08.",
            "- The bank is eight minutes of a few captured people, mostly men of one laboratory.",
            f"- Held-out combinations are held out for models trained as advised: "
            f"{provenance['advice']}.",
        ]
    )


def _of(scenes: Sequence[SceneRecord], name: str, scale: float = 1.0) -> list[float]:
    return [scale * scene.measures[name] for scene in scenes]


def _spread(values: Sequence[float]) -> list[str]:
    if not values:
        return ["", "", ""]
    ordered = sorted(values)
    figures = (statistics.median(ordered), ordered[int(0.95 * (len(ordered) - 1))], ordered[-1])
    show: Callable[[float], str] = (
        (lambda v: f"{v:.1f}") if ordered[-1] < 100 else (lambda v: f"{v:.0f}")
    )
    return [show(value) for value in figures]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.0f} %"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
