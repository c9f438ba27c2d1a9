"""Prints the table of docs/cleanup.md: what cleaning does to motions of several kinds.

    python recipes/measure_cleanup.py --open DIR --data DIR [--motions 4] [--clips 20]

decoded: the built-in model's motions as they are decoded, before anything is done to them.
noisy: clips of a dataset with 8 mm of noise on every coordinate of every joint, and both people
swaying against each other by 2 cm. noisy, open: the same of the open dataset, whose ground truth
says where which limb should touch what.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from intermask import load_generator
from intermask.adherence.contacts import distances
from intermask.choreography.scene import ContactEvent
from intermask.data.clip_motion import motion_of
from intermask.data.layout import InterHumanFolder
from intermask.evaluation.measurement import mean_of, measure
from intermask.generation.cleanup import clean, peak_accelerations
from intermask.generation.consolidate import ConsolidationOptions
from intermask.generation.kept_contacts import count_contacts, posed
from intermask.loading import builtin_model
from intermask.motion import FPS, Motion

NOISE, SWAY = 0.008, 0.02  # metres
SHOWN = ("skate", "floating", "penetrating_frames", "deepest_penetration", "jerk", "peak_jerk",
         "bone_drift")  # fmt: skip
PROMPTS = ("Two people dance salsa.", "Two people shake hands.", "Two people hug.",
           "One person pats the other one on the shoulder.")  # fmt: skip


def decoded(count: int) -> Iterator[Motion]:
    """Motions of the built-in model, with all that is done to decoded motion switched off."""
    generator = load_generator(builtin_model())
    generator.consolidation = ConsolidationOptions(
        smoothing=0.0, calming=False, settling=None, hand_contact=0.0, grounding=0.0, landing=0.0
    )
    for number in range(count):
        yield generator([PROMPTS[number % len(PROMPTS)]], seconds=4, seed=number)[0]


def noisy(motion: Motion, seed: int) -> Motion:
    """A motion with noise, and people who sway against each other."""
    random = torch.Generator().manual_seed(seed)
    noise = NOISE * torch.randn(motion.positions.shape, generator=random)
    sway = SWAY * torch.sin(torch.arange(motion.frames) / 6.0)
    noise[..., 0] += torch.stack((sway, -sway))[..., None]
    return replace(motion, positions=motion.positions + noise)


def required_contacts(folder: Path, name: str) -> list[ContactEvent]:
    """Contacts that the captions of a clip of the open dataset tell of."""
    truth = json.loads((folder / "ground_truth" / f"{name}.json").read_text("utf-8"))
    events = (
        ContactEvent(**{key: tuple(v) if isinstance(v, list) else v for key, v in each.items()})
        for each in truth["contacts"]
    )
    return [event for event in events if event.required and event.between_people]


def hold_error(motion: Motion, event: ContactEvent) -> float:
    """Metres between the two points of a contact, mean over its hold."""
    start = round(event.seconds * FPS)
    stop = max(start + 1, round((event.seconds + event.duration) * FPS))
    return float(distances(posed(motion), event)[start:stop].mean())


def report(title: str, pairs: list[tuple[Motion, Motion]], seconds: float) -> None:
    """One block of the table."""
    frames = sum(before.frames for before, _ in pairs)
    print(
        f"\n{title}: {len(pairs)} motions, {frames} frames, {1000 * seconds / frames:.0f} ms each"
    )
    before, after = (
        mean_of([measure(each.positions) for each in side]).numbers()
        for side in zip(*pairs, strict=True)
    )
    for key in SHOWN:
        print(f"  {key:22s}{before[key]:10.3f}{after[key]:10.3f}")
    counts = [count_contacts(*pair) for pair in pairs]
    print(f"  contacts: {sum(c.kept for c in counts)} of {sum(c.before for c in counts)} kept")
    growth = [
        float((peak_accelerations(b.positions, FPS) / peak_accelerations(a.positions, FPS)).max())
        for a, b in pairs
    ]
    moved = torch.cat([(b.positions - a.positions).norm(dim=-1).flatten() for a, b in pairs])
    print(f"  largest growth of a joint's peak acceleration: {max(growth):.3f}")
    print(
        f"  moved by {1000 * moved.mean():.1f} mm, at most {1000 * moved.max():.0f} mm", flush=True
    )


def cleaned(motions: list[Motion]) -> tuple[list[tuple[Motion, Motion]], float]:
    """Motions before and after, and the seconds that it took."""
    start = time.perf_counter()
    return [(each, clean(each)) for each in motions], time.perf_counter() - start


def main() -> None:
    """Print all blocks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--open", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--motions", type=int, default=4)
    parser.add_argument("--clips", type=int, default=20, help="of the open dataset")
    given = parser.parse_args()
    report("decoded", *cleaned(list(decoded(given.motions))))
    folder = InterHumanFolder(given.data)
    clips = [motion_of(folder.read(name)) for name in folder.names("test")[::12]]
    clips = [each.cropped(0, 120) for each in clips[: given.motions]]
    report("captured", *cleaned(clips))
    report("noisy", *cleaned([noisy(each, seed) for seed, each in enumerate(clips)]))
    folder = InterHumanFolder(given.open)
    names = [name for name in folder.names("train") if required_contacts(given.open, name)]
    names = names[: given.clips]
    true = [motion_of(folder.read(name)) for name in names]
    pairs, seconds = cleaned([noisy(each, seed) for seed, each in enumerate(true)])
    report("noisy, open", pairs, seconds)
    errors: list[Tensor] = []
    for name, original, (before, after) in zip(names, true, pairs, strict=True):
        for event in required_contacts(given.open, name):
            ways = [hold_error(each, event) for each in (original, before, after)]
            errors.append(torch.tensor(ways))
    table = torch.stack(errors)
    kept = int((table[:, 2] <= table[:, 1] + 0.02).sum())
    print(f"  required contacts: {len(table)}, {kept} no more than 2 cm further apart than before")
    print("  mean error, mm: made {:.0f}, noisy {:.0f}, cleaned {:.0f}".format(
        *(1000 * table.mean(0)).tolist()))  # fmt: skip


if __name__ == "__main__":
    main()
