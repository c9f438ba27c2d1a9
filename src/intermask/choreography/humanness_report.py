"""What a judge of humanness found: figures by family, as JSON and as a part of a datasheet."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from intermask.choreography.separation import Separation
from intermask.choreography.windows import FEATURES, FRAMES
from intermask.files import atomic_path, write_json
from intermask.motion import FPS

HEADING = "## Is it human?"
TELLS_SHOWN = 3


@dataclass(frozen=True)
class JudgeOptions:
    """How judges are trained.

    clips: at most so many of a family. parts: takes and scenes are dealt out to so many; each is
    asked about by a judge that learned from the others. steps, batch, hidden, dropout,
    learning_rate, weight_decay: of the training of one judge.
    """

    clips: int = 60
    parts: int = 4
    steps: int = 400
    batch: int = 128
    hidden: int = 64
    dropout: float = 0.3
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    seed: int = 0


@dataclass(frozen=True)
class Tell:
    """One feature of `windows.FEATURES` by itself.

    auc: as of the judge, but whichever side is more real, so at least 0.5. made, real: medians,
    of the real ones at the same activities.
    """

    feature: str
    auc: float
    made: float
    real: float

    def describe(self) -> str:
        """A few words."""
        made, real = (f"{value:.2f}" for value in (self.made, self.real))
        return f"{FEATURES[self.feature].told}: {made}, real {real} ({self.auc:.2f})"


@dataclass(frozen=True)
class FamilyHumanness:
    """How well a family is told from real people.

    compared: share of its windows that have real ones like them. tells: of features that the judge
    sees, the clearest first.
    """

    family: str
    clips: int
    windows: int
    compared: float
    separation: Separation
    tells: tuple[Tell, ...]


@dataclass(frozen=True)
class RealSource:
    """What the real windows of one folder hold.

    kind: as its ``provenance.json`` says. activities: windows by activity, the most frequent
    first. separation: of all families from these alone.
    """

    name: str
    kind: str
    takes: int
    windows: int
    activities: dict[str, int]
    separation: Separation


@dataclass(frozen=True)
class HumannessReport:
    """What was found.

    Attributes:
        dataset: name of the folder.
        overall: of all families' windows together.
        families: the least human first.
        reference: pieces of the motion bank, which no judge has learned from.
        tells: of single features that the judge sees, the clearest first.
        hidden: of features that the judge does not see.
        real: what they were told from.
        options: of the judges.
    """

    dataset: str
    overall: Separation
    families: tuple[FamilyHumanness, ...]
    reference: tuple[FamilyHumanness, ...]
    tells: tuple[Tell, ...]
    hidden: tuple[Tell, ...]
    real: tuple[RealSource, ...]
    options: JudgeOptions

    def as_json(self) -> dict[str, Any]:
        """Plain dictionaries and lists."""
        return asdict(self)

    def write(self, stem: Path) -> tuple[Path, ...]:
        """Write ``STEM.json`` and ``STEM.md``."""
        as_json, as_text = (stem.with_name(stem.name + suffix) for suffix in (".json", ".md"))
        write_json(as_json, self.as_json())
        with atomic_path(as_text) as temporary:
            temporary.write_text(describe_humanness(self), "utf-8")
        return as_json, as_text


def describe_humanness(report: HumannessReport) -> str:
    """A section of Markdown."""
    seconds = f"{FRAMES / FPS:g} s"
    lines = [
        HEADING,
        "",
        f"A small recurrent judge tells {seconds} of one made person from {seconds} of a captured "
        "one. It sees joints from the pelvis and the speed of the pelvis, on one body size and "
        "with equally straight legs, without what is faster than some 4 Hz and under noise, and "
        "has learned from other takes and scenes. AUC is the chance that it finds the captured "
        "person the more real of two who move at the same pace with their arms alike: 1 is told "
        "apart always, 0.5 never; in brackets 95 % intervals over takes and scenes. The judge also "
        "knows activities that the captures lack, so compare families and versions, and with the "
        "rows of the motion bank, which is captured motion as it was cleaned for this dataset.",
        "",
        f"All families: **{_shown(report.overall)}**. Clearest single feature that the judge sees: "
        f"{report.tells[0].describe()}; of those that it does not see: "
        f"{report.hidden[0].describe()}.",
        "",
        "| family | clips | AUC | compared | clearest single features: made, real (AUC) |",
        "|---|---|---|---|---|",
    ]
    for each in (*report.families, *report.reference):
        tells = "; ".join(tell.describe() for tell in each.tells[:TELLS_SHOWN])
        lines.append(
            f"| {each.family} | {each.clips} | {_shown(each.separation)} | "
            f"{100 * each.compared:.0f} % | {tells} |"
        )
    lines += ["", "The captured people:", ""]
    for source in report.real:
        held = ", ".join(f"{name} {count}" for name, count in source.activities.items())
        about = f" ({source.kind})" if source.kind else ""
        lines.append(
            f"- {source.name}{about}: {source.takes} takes, {source.windows} windows: {held}. All "
            f"families against these alone: {_shown(source.separation)}"
        )
    return "\n".join(lines) + "\n"


def with_section(datasheet: str, section: str) -> str:
    """A datasheet with the section of `describe_humanness`, in place of an older one."""
    parts = [part for part in _sections(datasheet) if not part.startswith(HEADING)]
    limits = (number for number, part in enumerate(parts) if part.startswith("## Limits"))
    place = next(limits, len(parts))
    before = "".join(parts[:place]).rstrip("\n")
    return "\n".join((f"{before}\n", section, "".join(parts[place:]))).rstrip("\n") + "\n"


def section_of(datasheet: str) -> str:
    """The section that `with_section` put into a datasheet; empty if there is none."""
    found = "".join(part for part in _sections(datasheet) if part.startswith(HEADING))
    return found and found.rstrip("\n") + "\n"


def _sections(datasheet: str) -> list[str]:
    """What stands before the first heading of the second level, and from each such one on."""
    return re.split(r"^(?=## )", datasheet, flags=re.MULTILINE)


def _shown(separation: Separation) -> str:
    return f"{separation.auc:.2f} [{separation.low:.2f}, {separation.high:.2f}]"
