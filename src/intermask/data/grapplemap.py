"""Turn a ``GrappleMap.txt`` into clips of 4 to 8 s in InterHuman's layout.

GrappleMap (Eelis, public domain) is a graph drawn by hand, not motion capture: positions are
single poses of two people, transitions are keyframes 0.2 s apart that lead from one position to
another. Its transitions are chained, given captions from their names, and retargeted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from intermask.data.grapplemap_captions import Step, describe
from intermask.data.grapplemap_file import REST_OFFSETS, Frames, read_grapplemap
from intermask.data.grapplemap_graph import End, Graph, Link, assemble, build_graph, plan_chains
from intermask.data.grapplemap_motion import FPS, resample
from intermask.data.layout import write_clip, write_provenance, write_split
from intermask.data.retarget import retarget
from intermask.errors import UserError
from intermask.files import atomic_folder


@dataclass
class ImportReport:
    """What an import found and made; lengths in seconds, errors in millimetres."""

    positions: int = 0
    transitions: int = 0
    nodes: int = 0
    clips: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    transitions_used: dict[str, int] = field(default_factory=dict)
    worst_seam_mm: float = 0.0
    worst_seam_rms_mm: float = 0.0
    contact_error_before_mm: float = 0.0
    contact_error_after_mm: float = 0.0
    limb_error_before_mm: float = 0.0
    limb_error_after_mm: float = 0.0


def import_grapplemap(
    file: str | Path,
    out: str | Path,
    *,
    seed: int = 0,
    clips: int = 900,
    test_share: float = 0.08,
    validation_share: float = 0.05,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Turn a ``GrappleMap.txt`` into a folder in InterHuman's layout.

    Whole transitions are held out: those of val and test (with all others that join the same two
    nodes) never appear in train, not mirrored either.

    Args:
        file: the text file.
        out: a folder that does not exist yet.
        seed: of the walks; the same seed gives the same bytes.
        clips: clips in all three splits together.
        test_share: share of the transitions kept for test.
        validation_share: share of the transitions kept for val.
        progress: called with clips done and clips in all.
    """
    if clips < 1:
        raise UserError(f"clips must be at least 1, got {clips}")
    blocks = read_grapplemap(file)
    graph = build_graph(blocks)
    chains = plan_chains(graph, clips, test_share, validation_share, np.random.default_rng(seed))
    report = ImportReport(
        positions=sum(block.is_position for block in blocks),
        transitions=len(graph.blocks),
        nodes=len(graph.nodes),
    )
    total = sum(len(group) for group in chains.values())
    sums = np.zeros(6)
    done = 0
    with atomic_folder(out) as folder:
        for split, group in chains.items():
            names = []
            frames = 0
            for index, chain in enumerate(group):
                name = f"grapplemap_{split}_{index:04d}"
                frames += _write(folder, name, graph, chain, report, sums)
                names.append(name)
                done += 1
                if progress is not None:
                    progress(done, total)
            write_split(folder, split, names)
            report.clips[split] = len(names)
            report.seconds[split] = frames / FPS
            report.transitions_used[split] = len(
                {link.edge.transition for chain in group for link in chain}
            )
        _average(report, sums)
        write_provenance(folder, _provenance(report, seed))
    return report


def _write(
    folder: Path, name: str, graph: Graph, chain: list[Link], report: ImportReport, sums: Frames
) -> int:
    """Write one clip; its number of frames."""
    keyframes = assemble(graph, chain)
    motion = resample(keyframes.frames)
    result = retarget(motion, source_offsets=REST_OFFSETS, fps=FPS)
    captions = describe(
        [_step(graph, link) for link in chain],
        result.positions,
        result.root_rotations,
        _node_name(graph, chain[0].edge.start),
        _node_name(graph, chain[-1].edge.end),
    )
    write_clip(folder, name, result.positions, result.rotations, captions)
    report.worst_seam_mm = max(report.worst_seam_mm, 1000 * keyframes.worst_seam)
    report.worst_seam_rms_mm = max(report.worst_seam_rms_mm, 1000 * keyframes.worst_seam_rms)
    for place, (error, pairs) in enumerate(
        (
            (result.contact_error_before_mm, result.contact_pairs),
            (result.contact_error_after_mm, result.contact_pairs),
            (result.limb_error_before_mm, result.limb_pairs),
            (result.limb_error_after_mm, result.limb_pairs),
        )
    ):
        if pairs:
            sums[place] += error * pairs
    sums[4] += result.contact_pairs
    sums[5] += result.limb_pairs
    return int(result.positions.shape[1])


def _average(report: ImportReport, sums: Frames) -> None:
    pairs, limb_pairs = max(sums[4], 1.0), max(sums[5], 1.0)
    report.contact_error_before_mm = float(sums[0] / pairs)
    report.contact_error_after_mm = float(sums[1] / pairs)
    report.limb_error_before_mm = float(sums[2] / limb_pairs)
    report.limb_error_after_mm = float(sums[3] / limb_pairs)


def _step(graph: Graph, link: Link) -> Step:
    """What the captions need of a link: players as persons 0 and 1 of the clip."""
    block = graph.blocks[link.edge.transition]
    persons = (1, 0) if link.turned.swapped else (0, 1)
    return Step(
        name=block.name,
        tags=block.tags,
        actor=None if block.actor is None else persons[block.actor],
        top=persons[0],
        backwards=link.edge.backwards,
        seconds=block.seconds,
    )


def _node_name(graph: Graph, end: End) -> str:
    node = graph.nodes[end.node]
    return "" if node is None else node.name


def _provenance(report: ImportReport, seed: int) -> dict[str, object]:
    return {
        "source": "GrappleMap.txt (github.com/Eelis/GrappleMap)",
        "licence": "public domain",
        "nature": (
            "hand-authored keyframes 0.2 s apart, not motion capture; transitions chained, "
            "interpolated to 30 fps and retargeted to one mean-adult body; rotations fitted"
        ),
        "captions": "derived from the names of the transitions and from the poses",
        "importer": "intermask data import grapplemap",
        "seed": seed,
        "report": dict(vars(report)),
    }
