"""Is it human? A small recurrent judge learns to tell real people from made ones, family by family.

The judge sees two seconds of one person (`windows`), learns on some takes and scenes, and is asked
about the others, in turn until all were asked about. How often it is right, against real windows of
the same pace and use of the arms, says how far made motion is from captured motion: 1 is told apart
always, 0.5 never. It has its limits: the judge also knows activities by their poses, so a handshake
gives itself away where no real person shakes hands. Compare families, versions, and the motion
bank's own pieces, which are judged along and never learned from.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from intermask.choreography.bank import load_bank
from intermask.choreography.corpus import Corpus, read_corpus
from intermask.choreography.humanness_report import (
    FamilyHumanness,
    HumannessReport,
    JudgeOptions,
    RealSource,
    Tell,
)
from intermask.choreography.separation import Trial, auc, separations
from intermask.choreography.windows import (
    ACTIVITIES,
    CHANNELS,
    FEATURES,
    mirrored,
    with_noise,
)
from intermask.data.layout import PROVENANCE, InterHumanFolder
from intermask.errors import UserError

Progress = Callable[[int, int], None]


def judge_humanness(
    made: str | Path,
    real: Sequence[str | Path],
    options: JudgeOptions | None = None,
    progress: Progress | None = None,
) -> HumannessReport:
    """Train judges and ask them about clips that they have not seen.

    The same data, options and machine give the same figures.

    Args:
        made: a dataset in InterHuman's layout. Families are those of ``ground_truth/NAME.json``
            (clips without are left out), or, where that folder is missing, the names of clips up to
            their last underscore.
        real: captured motion in the same layout, of one person or two.
        options: of the training.
        progress: called with training steps done and steps in all.

    Raises:
        FileNotFoundError: a folder is no dataset.
        UserError: too few takes or scenes, or a file is damaged.
    """
    options = options or JudgeOptions()
    folder, sources = InterHumanFolder(made), [InterHumanFolder(each) for each in real]
    if not sources:
        raise UserError("no real motion was given; give at least one dataset of captures")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums of several threads are rounded otherwise
    try:
        corpus = read_corpus(
            folder,
            sources,
            load_bank(),
            clips=options.clips,
            parts=options.parts,
            seed=options.seed,
        )
        scores = ask_about_all(corpus, options, progress)
        return _report(folder, sources, corpus, scores, options)
    finally:
        torch.set_num_threads(threads)


class Judge(nn.Module):
    """A recurrent network that reads a window and says how real it looks, as a logit."""

    mean: Tensor
    scale: Tensor

    def __init__(self, hidden: int, dropout: float, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.recurrent = nn.GRU(CHANNELS, hidden, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(2 * hidden, 1)

    def forward(self, seen: Tensor) -> Tensor:
        """Logits (b) of windows (b, SEEN_FRAMES, CHANNELS)."""
        states, _ = self.recurrent(self.drop((seen - self.mean) / self.scale))
        summary = torch.cat((states.mean(1), states[:, -1]), 1)
        logits: Tensor = self.head(self.drop(summary))
        return logits[:, 0]


def balanced(group: Tensor, activity: Tensor, sources: int) -> Tensor:
    """How often each window is shown (n): real as often as made, at every activity.

    Within an activity and either side, groups count alike. What only one side does is not shown,
    as it would teach to tell activities.

    Args:
        group: (n) number of the source or family.
        activity: (n).
        sources: groups below this number are real.
    """
    weight = torch.zeros(len(group), dtype=torch.float64)
    for each in activity.unique():
        inside = activity == each
        real, made = inside & (group < sources), inside & (group >= sources)
        if not bool(real.any()) or not bool(made.any()):
            continue
        for side in (real, made):
            members = group[side].unique()
            for member in members:
                own = side & (group == member)
                weight[own] = made.sum() / len(members) / own.sum()
    return weight / weight.sum()


def ask_about_all(corpus: Corpus, options: JudgeOptions, progress: Progress | None) -> Tensor:
    """Logits (n) of all windows, each by the judge that has not learned from its part."""
    scores = torch.zeros(len(corpus.windows))
    for part in range(options.parts):
        done = part * options.steps

        def update(step: int, before: int = done) -> None:
            if progress is not None:
                progress(before + step, options.parts * options.steps)

        known = (corpus.part != part) & (corpus.real | corpus.made)
        judge = trained_judge(corpus, known, 1000 * options.seed + part, options, update)
        asked = corpus.part == part
        scores[asked] = ask(judge, corpus.windows.seen[asked], options.seed)
    return scores


def trained_judge(
    corpus: Corpus,
    chosen: Tensor,
    seed: int,
    options: JudgeOptions,
    update: Callable[[int], None] = lambda step: None,
) -> Judge:
    """A judge that has learned from the windows that are chosen (n)."""
    windows = corpus.windows
    seen, real = windows.seen[chosen], corpus.real[chosen].float()
    weight = balanced(corpus.group[chosen], windows.activity[chosen], corpus.sources)
    generator = torch.Generator().manual_seed(seed)
    mean, scale = seen.mean((0, 1)), seen.std((0, 1)).clamp_min(1e-3)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        judge = Judge(options.hidden, options.dropout, mean, scale).train()
        optimizer = torch.optim.AdamW(
            judge.parameters(), options.learning_rate, weight_decay=options.weight_decay
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.steps)
        for step in range(options.steps):
            drawn = torch.multinomial(weight, options.batch, True, generator=generator)
            shown = seen[drawn]
            flip = torch.rand(options.batch, generator=generator) < 0.5
            shown[flip] = mirrored(shown[flip])
            logits = judge(with_noise(shown, generator))
            loss = functional.binary_cross_entropy_with_logits(logits, real[drawn])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(judge.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            update(step + 1)
    return judge.eval()


@torch.no_grad()
def ask(judge: Judge, seen: Tensor, seed: int) -> Tensor:
    """Logits (n) of windows (n, SEEN_FRAMES, CHANNELS), with those of their mirror images."""
    generator = torch.Generator().manual_seed(seed)
    scores = [
        judge(with_noise(some, generator)) + judge(with_noise(mirrored(some), generator))
        for some in seen.split(1024)
    ]
    return torch.cat(scores) / 2


# --- Figures -------------------------------------------------------------------------------------


def _report(
    made: InterHumanFolder,
    sources: Sequence[InterHumanFolder],
    corpus: Corpus,
    scores: Tensor,
    options: JudgeOptions,
) -> HumannessReport:
    cell = corpus.windows.activity * options.parts + corpus.part
    trial = _trial(corpus, cell)
    numbers = range(corpus.sources, len(corpus.names))
    groups = [corpus.group == number for number in numbers]
    generator = torch.Generator().manual_seed(options.seed)
    *found, overall = separations(scores, trial, [*groups, corpus.made], generator)
    comparable = trial.comparable()
    results = [
        FamilyHumanness(
            corpus.names[number],
            len(corpus.clip[group].unique()),
            int(group.sum()),
            float(comparable[group].double().mean()),
            separation,
            _tells(corpus, group),
        )
        for number, group, separation in zip(numbers, groups, found, strict=True)
        if bool((group & comparable).any())
    ]
    results.sort(key=lambda each: -each.separation.auc)
    families = corpus.names[corpus.sources :][: corpus.families]
    return HumannessReport(
        made.root.resolve().name,
        overall,
        tuple(each for each in results if each.family in families),
        tuple(each for each in results if each.family not in families),
        _tells(corpus, corpus.made),
        _tells(corpus, corpus.made, hidden=True),
        tuple(
            _source(corpus, number, source, scores, cell, generator)
            for number, source in enumerate(sources)
        ),
        options,
    )


def _trial(corpus: Corpus, cell: Tensor) -> Trial:
    """All windows; real sources count alike in every cell."""
    weight = torch.zeros(len(cell), dtype=torch.float64)
    for each in cell.unique():
        for number in range(corpus.sources):
            own = (cell == each) & (corpus.group == number)
            weight[own] = 1 / own.sum().clamp_min(1)
    return Trial(corpus.real, cell, corpus.cluster, weight)


def _tells(corpus: Corpus, group: Tensor, hidden: bool = False) -> tuple[Tell, ...]:
    """What each feature alone tells of a group; nothing is learned, so nothing is held out."""
    activity, real = corpus.windows.activity, corpus.real
    trial = _trial(corpus, activity)
    shown = torch.bincount(activity[group & trial.comparable()], minlength=len(ACTIVITIES))
    result = []
    for name, feature in FEATURES.items():
        if feature.hidden != hidden:
            continue
        values = corpus.windows.features[name]
        share = auc(values, trial, group)
        weight = trial.weight[real] * shown[activity[real]]
        median = _weighted_median(values[real], weight)
        result.append(Tell(name, max(share, 1 - share), float(values[group].median()), median))
    return tuple(sorted(result, key=lambda each: -each.auc))


def _weighted_median(values: Tensor, weight: Tensor) -> float:
    ordered, order = values.sort()
    mass = weight[order].cumsum(0)
    return float(ordered[int(torch.searchsorted(mass, mass[-1] / 2))])


def _source(
    corpus: Corpus,
    number: int,
    source: InterHumanFolder,
    scores: Tensor,
    cell: Tensor,
    generator: torch.Generator,
) -> RealSource:
    own = corpus.group == number
    kept = own | corpus.made
    weight = torch.ones(int(kept.sum()), dtype=torch.float64)
    trial = Trial(own[kept], cell[kept], corpus.cluster[kept], weight)
    (separation,) = separations(scores[kept], trial, [corpus.made[kept]], generator)
    provenance = source.root / PROVENANCE
    kind = json.loads(provenance.read_text("utf-8")).get("kind", "") if provenance.is_file() else ""
    counted = Counter(corpus.windows.activity[own].tolist())
    return RealSource(
        corpus.names[number],
        kind,
        len(corpus.cluster[own].unique()),
        int(own.sum()),
        {ACTIVITIES[activity]: count for activity, count in counted.most_common()},
        separation,
    )
