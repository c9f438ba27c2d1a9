"""What an evaluator does not see: real clips are changed, and its metrics should react.

Every change is measured against the unchanged clips with the same pools, captions and halves, so
that what a change costs is found clip by clip. A change counts as seen if at least one metric
reacts (`_reaction`):

* R-precision (top 3) falls, and MM Dist rises, if the mean over clips of what the change costs is
  above 0 by its 95 % interval over clips, and at least `NOTICEABLE` of what shuffled captions cost.
* FID between one half of the clips and the other half, changed, is larger than between unchanged
  halves in 95 % of `ROUNDS` divisions into halves, and on average at least twice as large: a
  smaller rise drowns in the noise of the distance between two samples of real motion.

It counts as not seen if no metric reacts and one of R-precision and MM Dist excludes that the
change costs as much: with its interval less than `NOTICEABLE` of what shuffled captions cost.
Without that the clips are too few to tell. (An evaluator that does not notice shuffled captions has
nothing to exclude; it sees nothing that does not move FID.)

What a change of captions does to motions is nothing, so there FID is not asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from intermask.data.augment import mirror_caption
from intermask.errors import UserError
from intermask.evaluation import changes, metrics
from intermask.evaluation.clips import EvaluationClip
from intermask.evaluation.evaluators.evaluator import Evaluator
from intermask.evaluation.protocol import Draw, draw_replication, generator_of, other_captions
from intermask.evaluation.terms import METRICS, Term

ROUNDS = 20
"""Draws of pools and captions, and divisions into halves, that metrics are averaged over."""
NOTICEABLE = 0.1
"""Share of what shuffled captions cost that a change must cost to be noticed."""
FEWEST_CLIPS = 16
FEWEST_SIDES = 16
"""Clips whose captions name a side that mirrored captions need."""

UNCHANGED = "nothing changed"
EXCHANGED = "exchanged people"
NOISE = f"trajectory noise of {round(100 * changes.WANDER)} cm"
REVERSED = "time reversal"
MIRRORED = "mirrored captions"
SHUFFLED = "shuffled captions"

Progress = Callable[[int, int], None]

_TERMS = {term.key: term for term in METRICS}


@dataclass(frozen=True)
class AuditRow:
    """How an evaluator's metrics react to one change of real clips."""

    change: str
    metrics: dict[str, dict[str, Any]]
    """Mean, half width and single values of each metric, as in the rows of a report. FID is that
    between halves, which is larger than that of all clips."""
    sees: bool | None
    """None: nothing was changed, or these clips cannot tell."""
    says: str

    def as_json(self) -> dict[str, Any]:
        """As in ``report.json``."""
        return {
            "change": self.change,
            "metrics": self.metrics,
            "sees": self.sees,
            "says": self.says,
        }


@dataclass(frozen=True)
class _Cost:
    """What a change does to one metric."""

    term: Term
    before: float
    after: float
    half_width: float
    """Of the 95 % interval of the difference."""

    @property
    def worse(self) -> float:
        """How much worse the metric is; negative: it is better."""
        change = self.after - self.before
        return -change if self.term.better == "higher" else change

    def __str__(self) -> str:
        change = self.term.factor * (self.after - self.before)
        return (
            f"{self.term.short} {self.term.shown(self.before)} to {self.term.shown(self.after)} "
            f"({change:+.{self.term.decimals}f} ± {self.term.shown(self.half_width)})"
        )


@dataclass(frozen=True)
class _Scores:
    """What single texts get in every round; NaN where a clip is not in it."""

    hits: Tensor
    """(rounds, m, 3)"""
    distances: Tensor
    """(rounds, m)"""

    def metrics(self) -> dict[str, list[float]]:
        """R-precision and MM Dist of every round."""
        hits = self.hits.nanmean(1)
        found = {f"r_precision_{rank + 1}": hits[:, rank].tolist() for rank in range(metrics.TOP)}
        return found | {"mm_dist": self.distances.nanmean(1).tolist()}


def audit(
    evaluator: Evaluator,
    clips: Sequence[EvaluationClip],
    generator: torch.Generator,
    progress: Progress = lambda done, total: None,
) -> list[AuditRow]:
    """Change real clips in five ways and see whether an evaluator's metrics react.

    Args:
        evaluator: what is tested.
        clips: real motion with captions; the more, the smaller a reaction can be told from noise.
        generator: of pools, captions, halves and noise.
        progress: called with embedded sets and their number.

    Returns:
        The unchanged clips, then the five changes.

    Raises:
        UserError: too few clips.
    """
    if len(clips) < FEWEST_CLIPS:
        raise UserError(f"an audit of {len(clips)} clips says nothing; give {FEWEST_CLIPS} or more")
    return _Audit(evaluator, clips, generator, progress).rows()


class _Audit:
    """Embeddings and draws that all changes share."""

    def __init__(
        self,
        evaluator: Evaluator,
        clips: Sequence[EvaluationClip],
        generator: torch.Generator,
        progress: Progress,
    ) -> None:
        self.clips, self.protocol = clips, evaluator.protocol
        self.pool = min(self.protocol.pool, len(clips))
        self.seed = int(torch.randint(2**31, (), generator=generator))
        self.draws = [draw_replication(clips, self.pool, self.seed, r) for r in range(ROUNDS)]
        self.halves = [
            torch.randperm(len(clips), generator=generator_of(self.seed, "halves", r)).chunk(2)
            for r in range(ROUNDS)
        ]
        captions = [text for clip in clips for text in clip.captions]
        mirrored = [mirror_caption(text) for text in captions]
        ends = torch.tensor([len(clip.captions) for clip in clips]).cumsum(0)
        self.first_caption = ends - ends.new_tensor([len(clip.captions) for clip in clips])
        self.names_side = torch.tensor(
            [text != other for text, other in zip(captions, mirrored, strict=True)]
        )
        real = [clip.features for clip in clips]
        kind = evaluator.dataset
        noise = generator_of(self.seed, "noise", 0)
        total = 6
        self.captions = evaluator.embed_captions(captions)
        progress(1, total)
        self.mirrored = evaluator.embed_captions(mirrored)
        progress(2, total)
        self.motions = {UNCHANGED: evaluator.embed_motions(real)}
        progress(3, total)
        changed: dict[str, Callable[[Tensor], Tensor]] = {
            EXCHANGED: lambda each: changes.exchanged(each, kind),
            NOISE: lambda each: changes.wandering(each, kind, noise),
            REVERSED: lambda each: changes.reversed_in_time(each, kind),
        }
        for done, (name, change) in enumerate(changed.items(), 4):
            self.motions[name] = evaluator.embed_motions([change(each) for each in real])
            progress(done, total)

    def rows(self) -> list[AuditRow]:
        """The unchanged clips, then every change."""
        unchanged = self._scores(self.motions[UNCHANGED], self.captions)
        shuffled = self._shuffled_scores()
        at_stake = {} if shuffled is None else _matching_costs(unchanged, shuffled)
        rows = [self._unchanged_row(unchanged)]
        rows += [
            self._motion_row(name, unchanged, at_stake) for name in (EXCHANGED, NOISE, REVERSED)
        ]
        return [
            *rows,
            self._mirrored_row(unchanged, at_stake),
            self._shuffled_row(at_stake, shuffled),
        ]

    def _unchanged_row(self, unchanged: _Scores) -> AuditRow:
        pools = "" if self.pool == self.protocol.pool else f", in pools of {self.pool}"
        says = (
            f"What {len(self.clips)} real clips score{pools}, with FID between random halves of "
            "them; the changes are held against it."
        )
        values = unchanged.metrics() | self._motion_metrics(UNCHANGED)
        return AuditRow(UNCHANGED, _intervals(values), None, says)

    def _motion_row(self, name: str, unchanged: _Scores, at_stake: dict[str, _Cost]) -> AuditRow:
        scores = self._scores(self.motions[name], self.captions)
        values = self._motion_metrics(name)
        costs = _matching_costs(unchanged, scores)
        before = self._motion_metrics(UNCHANGED)["fid"]
        costs["fid"] = _fid_cost(before, values["fid"])
        reacts = {key: _reaction(cost, at_stake.get(key)) for key, cost in costs.items()}
        reacts["fid"] = _fid_reaction(before, values["fid"])
        sees = _sees(costs, reacts, at_stake)
        return AuditRow(
            name, _intervals(scores.metrics() | values), sees, _says(costs, reacts, sees)
        )

    def _mirrored_row(self, unchanged: _Scores, at_stake: dict[str, _Cost]) -> AuditRow:
        scores = self._scores(self.motions[UNCHANGED], self.mirrored)
        intervals = _intervals(scores.metrics())
        named = torch.zeros_like(scores.distances, dtype=torch.bool)
        for number, draw in enumerate(self.draws):
            named[number, draw.clips] = self.names_side[self._texts(draw)]
        count = int(named.any(0).sum())
        if count < FEWEST_SIDES:
            says = (
                f"These clips cannot tell: captions of {count} of {len(self.clips)} name a side; "
                f"{FEWEST_SIDES} are needed."
            )
            return AuditRow(MIRRORED, intervals, None, says)
        costs = _matching_costs(_only(unchanged, named), _only(scores, named))
        reacts = {key: _reaction(cost, at_stake.get(key)) for key, cost in costs.items()}
        of = f" On the {count} clips whose captions name a side:"
        sees = _sees(costs, reacts, at_stake)
        return AuditRow(MIRRORED, intervals, sees, _says(costs, reacts, sees, of))

    def _shuffled_row(self, at_stake: dict[str, _Cost], shuffled: _Scores | None) -> AuditRow:
        if shuffled is None:
            says = "These clips cannot tell: too many of them have the same captions."
            return AuditRow(SHUFFLED, {}, None, says)
        reacts = {key: _reaction(cost, None) for key, cost in at_stake.items()}
        sees = any(reacts.values())
        says = _says(at_stake, reacts, sees)
        if not sees:
            says += " It does not match captions with motions at all."
        return AuditRow(SHUFFLED, _intervals(shuffled.metrics()), sees, says)

    def _texts(self, draw: Draw) -> Tensor:
        """Numbers (k) of the captions of a draw among all captions."""
        return self.first_caption[draw.clips] + draw.captions

    def _shuffled_scores(self) -> _Scores | None:
        lent = [other_captions(self.clips, d, self.seed, r) for r, d in enumerate(self.draws)]
        places = [each for each in lent if each is not None]
        if len(places) < len(lent):
            return None
        return self._scores(self.motions[UNCHANGED], self.captions, places)

    def _scores(
        self, motions: Tensor, captions: Tensor, lent: Sequence[Tensor] | None = None
    ) -> _Scores:
        """Every round's pools searched; ``lent`` says whose captions each place is given."""
        count = len(self.clips)
        hits = torch.full((ROUNDS, count, metrics.TOP), math.nan, dtype=torch.float64)
        distances = torch.full((ROUNDS, count), math.nan, dtype=torch.float64)
        for number, draw in enumerate(self.draws):
            texts = self._texts(draw)
            if lent is not None:
                texts = texts[lent[number]]
            pools = (-1, self.pool)
            found = metrics.distance_matrix(
                captions[texts].unflatten(0, pools), motions[draw.clips].unflatten(0, pools)
            )
            hits[number, draw.clips] = metrics.text_hits(found).flatten(0, 1).double()
            distances[number, draw.clips] = found.diagonal(dim1=-2, dim2=-1).flatten()
        return _Scores(hits, distances)

    def _motion_metrics(self, name: str) -> dict[str, list[float]]:
        """FID between halves, one of them changed, and Diversity; one value a round."""
        real, changed = self.motions[UNCHANGED], self.motions[name]
        pairs = min(self.protocol.diversity_pairs, len(self.clips))
        found: dict[str, list[float]] = {"fid": [], "diversity": []}
        for number, (first, second) in enumerate(self.halves):
            found["fid"].append(
                metrics.frechet_distance(
                    real[first], changed[second], self.protocol.embedding_scale
                )
            )
            generator = generator_of(self.seed, "diversity", number)
            chosen = metrics.draw_pairs(len(self.clips), pairs, generator)
            found["diversity"].append(
                metrics.diversity(changed, chosen, self.protocol.spread_scale)
            )
        return found


def _intervals(values: dict[str, list[float]]) -> dict[str, dict[str, Any]]:
    return {name: metrics.summary(each) for name, each in values.items()}


def _only(scores: _Scores, chosen: Tensor) -> _Scores:
    """The scores of chosen (rounds, m) texts."""
    return _Scores(
        scores.hits.masked_fill(~chosen[..., None], math.nan),
        scores.distances.masked_fill(~chosen, math.nan),
    )


def _matching_costs(before: _Scores, after: _Scores) -> dict[str, _Cost]:
    """What a change costs in matching, clip by clip, each clip's rounds taken together."""
    return {
        "r_precision_3": _cost("r_precision_3", before.hits[..., -1], after.hits[..., -1]),
        "mm_dist": _cost("mm_dist", before.distances, after.distances),
    }


def _cost(key: str, before: Tensor, after: Tensor) -> _Cost:
    """Of values (rounds, m), NaN where a round has none."""
    first, second = before.nanmean(0), after.nanmean(0)
    both = ~(first.isnan() | second.isnan())
    first, second = first[both], second[both]
    error = (second - first).std() / math.sqrt(len(first))
    width = metrics.NORMAL_95 * float(error)
    return _Cost(_TERMS[key], float(first.mean()), float(second.mean()), width)


def _fid_cost(before: Sequence[float], after: Sequence[float]) -> _Cost:
    """Of values by division into halves; the interval holds 95 % of divisions, not of their mean:
    divisions of the same clips are not independent.
    """
    first, second = (torch.tensor(each, dtype=torch.float64) for each in (before, after))
    spread = metrics.NORMAL_95 * float((second - first).std())
    return _Cost(_TERMS["fid"], float(first.mean()), float(second.mean()), spread)


def _reaction(cost: _Cost, at_stake: _Cost | None) -> bool:
    """Whether matching got worse by more than noise, and noticeably.

    Args:
        cost: of the change.
        at_stake: what shuffled captions cost; None: any cost beyond noise counts.
    """
    if cost.worse <= cost.half_width:
        return False
    return at_stake is None or cost.worse >= NOTICEABLE * at_stake.worse


def _fid_reaction(before: Sequence[float], after: Sequence[float]) -> bool:
    """Whether FID is larger in nearly every division, and twice as large on average."""
    larger = sum(second > first for first, second in zip(before, after, strict=True))
    return larger >= 0.95 * len(before) and math.fsum(after) >= 2 * math.fsum(before)


def _sees(
    costs: dict[str, _Cost], reacts: dict[str, bool], at_stake: dict[str, _Cost]
) -> bool | None:
    """Whether any metric reacts; False only if one excludes a noticeable reaction, else None."""
    if any(reacts.values()):
        return True
    excluded = [
        costs[key].worse + costs[key].half_width < NOTICEABLE * stake.worse
        for key, stake in at_stake.items()
        if _reaction(stake, None)
    ]
    return False if any(excluded) or not excluded else None


def _says(costs: dict[str, _Cost], reacts: dict[str, bool], sees: bool | None, of: str = "") -> str:
    verdict = {
        True: "The evaluator sees this.",
        False: "The evaluator cannot see this.",
        None: "These clips are too few to tell.",
    }[sees]
    numbers = "; ".join(
        f"{cost}{'' if reacts[key] else ', no reaction'}" for key, cost in costs.items()
    )
    return f"{verdict}{of} {numbers}."
