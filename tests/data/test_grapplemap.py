"""The GrappleMap reader on a tiny map: parsing, graph, chaining, captions, import."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from intermask.data.grapplemap import import_grapplemap
from intermask.data.grapplemap_captions import Step, describe, posture, spelled, third_person
from intermask.data.grapplemap_file import (
    DIGITS,
    JOINTS,
    REST_OFFSETS,
    SMPL_WEIGHTS,
    Frames,
    parse_grapplemap,
    read_grapplemap,
)
from intermask.data.grapplemap_graph import (
    Turned,
    Walker,
    align,
    assemble,
    build_graph,
    plan_chains,
)
from intermask.data.grapplemap_motion import resample
from intermask.data.layout import InterHumanFolder
from intermask.errors import UserError
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22


def standing_player() -> Frames:
    """(23, 3) a player who stands and faces +z, knees a little bent."""
    side = {
        "hip": (0.115, 0.86, 0.0), "knee": (0.14, 0.48, 0.18), "ankle": (0.13, 0.09, 0.0),
        "heel": (0.13, 0.03, -0.05), "toe": (0.15, 0.025, 0.16), "shoulder": (0.165, 1.37, 0.0),
        "elbow": (0.28, 1.13, 0.12), "wrist": (0.24, 1.16, 0.38), "hand": (0.24, 1.17, 0.45),
        "fingers": (0.24, 1.18, 0.52),
    }  # fmt: skip
    middle = {"core": (0.0, 1.06, 0.0), "neck": (0.0, 1.41, 0.0), "head": (0.0, 1.56, 0.03)}
    rows = []
    for name in JOINTS:
        head, _, part = name.partition("_")
        sign = -1.0 if head == "right" else 1.0
        rows.append(np.multiply(side[part], (sign, 1, 1)) if part else np.array(middle[name]))
    return np.stack(rows)


def turned(points: Frames, angle: float, shift: tuple[float, float] = (0.0, 0.0)) -> Frames:
    """Points (..., 3) turned about y and shifted in x and z."""
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.array(((cosine, 0, sine), (0, 1, 0), (-sine, 0, cosine)))
    return points @ matrix.T + np.array((shift[0], 0.0, shift[1]))


def pair(distance: float, lean: float = 0.0) -> Frames:
    """(2, 23, 3) two players face to face; the first has sunk by ``lean`` metres."""
    first, second = standing_player(), turned(standing_player(), np.pi, (0.05, distance))
    first[:, 1] *= 1.0 - lean
    return np.stack((first, second))


def encode(frames: Frames) -> str:
    """Frames (t, 2, 23, 3) as data lines."""
    numbers = np.round((frames + np.array((2.0, 0.0, 2.0))) * 1000).astype(int).reshape(-1)
    digits = "".join(DIGITS[number // 62] + DIGITS[number % 62] for number in numbers)
    return "\n".join("    " + digits[place : place + 69] for place in range(0, len(digits), 69))


def between(start: Frames, end: Frames, count: int) -> Frames:
    return np.stack([start + (end - start) * share for share in np.linspace(0, 1, count)])


FAR, NEAR, SUNK = pair(1.2), pair(0.8), pair(0.8, 0.3)


def tiny_map() -> str:
    """Three positions and five transitions; one seen turned, one mirrored and exchanged."""
    other = Turned(swapped=True, mirrored=True)
    blocks = [
        ("far\\nfrom each other", "tags: standing", FAR[None]),
        ("near", "tags: standing", NEAR[None]),
        ("sunk w/ grip", "", SUNK[None]),
        ("step closer", "properties: top", turned(between(FAR, NEAR, 12), 0.7, (0.3, -0.2))),
        ("bottom pulls\\nhead", "properties: bottom", between(NEAR, SUNK, 11)),
        ("stand up", "properties: top", other.apply(between(SUNK, NEAR, 11))),
        ("push away", "properties: bottom\nref: a book", between(NEAR, FAR, 10)),
        ("...", "properties: top bidirectional", between(FAR, SUNK, 12)),
    ]
    lines = []
    for name, extra, frames in blocks:
        lines += [name, *([extra] if extra else []), encode(frames)]
    return "\n".join(lines) + "\n"


@pytest.fixture(name="map_file")
def _map_file(tmp_path: Path) -> Path:
    path = tmp_path / "GrappleMap.txt"
    path.write_text(tiny_map(), "utf-8")
    return path


def test_parse_reads_names_tags_properties_and_millimetres() -> None:
    blocks = parse_grapplemap(tiny_map())
    assert len(blocks) == 8
    assert [block.is_position for block in blocks] == [True] * 3 + [False] * 5
    assert blocks[0].tags == ("standing",)
    assert blocks[0].line == 1
    assert blocks[3].actor == 0
    assert blocks[4].actor == 1
    np.testing.assert_allclose(blocks[1].frames[0], NEAR, atol=5.1e-4)
    assert blocks[3].seconds == pytest.approx(2.2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "    " + "a" * 276 + "\n" + text, "line 1: data without a name"),
        (lambda text: text.replace("    ", "    ?", 1), r"line 3: '\?' is not a digit"),
        (lambda text: text.replace("    ", "    a", 1), "line 3: .* has 277 digits"),
        (lambda text: text + "lonely\n", "'lonely' has no data"),
    ],
)
def test_faults_are_named_with_their_line(change: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        parse_grapplemap(change(tiny_map()))  # type: ignore[operator]


def test_files_that_are_not_maps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_grapplemap(tmp_path / "nothing.txt")
    binary = tmp_path / "binary.txt"
    binary.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UserError, match="not a GrappleMap"):
        read_grapplemap(binary)
    empty = tmp_path / "empty.txt"
    empty.write_text("\n", "utf-8")
    with pytest.raises(UserError, match="no GrappleMap blocks"):
        read_grapplemap(empty)
    with pytest.raises(UserError, match="no transitions"):
        build_graph([block for block in parse_grapplemap(tiny_map()) if block.is_position])


def test_graph_finds_nodes_under_turns_exchanges_and_mirrors() -> None:
    graph = build_graph(parse_grapplemap(tiny_map()))
    assert len(graph.nodes) == 3
    ends = [(edge.start.node, edge.end.node) for edge in graph.edges if not edge.backwards]
    assert ends == [(0, 1), (1, 2), (2, 1), (1, 0), (0, 2)]
    assert [edge.transition for edge in graph.edges if edge.backwards] == [4]
    assert graph.edges[2].start.turned == Turned(True, True)
    assert graph.worst_match < 0.001


def test_ends_that_meet_no_position_share_a_node() -> None:
    blocks = [block for block in parse_grapplemap(tiny_map()) if block.name != "near"]
    graph = build_graph(blocks)
    assert len(graph.nodes) == 3
    assert graph.nodes[2] is None
    assert len({edge.end.node for edge in graph.edges if edge.transition in (0, 2)}) == 1


def test_align_undoes_turn_and_shift() -> None:
    frames = turned(between(NEAR, SUNK, 4), 2.0, (0.4, 1.0))
    np.testing.assert_allclose(align(frames, NEAR), between(NEAR, SUNK, 4), atol=1e-9)


def test_turned_is_its_own_inverse() -> None:
    both = Turned(True, True)
    frames = between(FAR, SUNK, 3)
    np.testing.assert_allclose(both.apply(both.apply(frames)), frames)
    assert both.then(both) == Turned()


def test_chains_are_continuous_and_deterministic() -> None:
    graph = build_graph(parse_grapplemap(tiny_map()))
    chains = []
    for _ in range(2):
        walker = Walker(graph, np.random.default_rng(3))
        chains.append(walker.walk(graph.edges[0], 7.0))
    assert chains[0] == chains[1]
    assert len(chains[0]) >= 3
    keyframes = assemble(graph, chains[0])
    assert keyframes.worst_seam < 0.003
    assert np.linalg.norm(np.diff(keyframes.frames, axis=0), axis=-1).max() < 0.3


def test_held_out_transitions_are_in_one_split_only() -> None:
    graph = build_graph(parse_grapplemap(tiny_map()))
    chains = plan_chains(graph, 6, 0.3, 0.0, np.random.default_rng(0))
    used = {
        split: {link.edge.transition for chain in group for link in chain}
        for split, group in chains.items()
    }
    assert not used["train"] & used["test"]
    for group in chains.values():
        for chain in group:
            assert 3.99 <= sum(graph.blocks[link.edge.transition].seconds for link in chain) <= 8.01


def test_resampled_bones_are_rigid_and_keyframes_are_met() -> None:
    frames = between(FAR, NEAR, 6)
    joints = resample(frames)
    assert joints.shape[0] == 2
    assert joints.shape[2:] == (22, 3)
    for parent, child in ((1, 4), (4, 7), (16, 18), (18, 20)):
        length = (joints[:, :, child] - joints[:, :, parent]).norm(dim=-1)
        assert float(length.max() - length.min()) < 1e-3
    start = torch.from_numpy(np.einsum("sj,pjc->psc", SMPL_WEIGHTS, frames[0]))
    assert (joints[:, 0] - start).norm(dim=-1).max() < 0.1  # another body's bones


def test_own_constants_are_a_body() -> None:
    np.testing.assert_allclose(SMPL_WEIGHTS.sum(1), 1.0)
    assert REST_OFFSETS.shape == MEAN_ADULT_OFFSETS.shape
    order = list(SMPL22.mirror_order)
    np.testing.assert_allclose(REST_OFFSETS[order] * (-1, 1, 1), REST_OFFSETS)


def test_import_writes_a_folder_that_reads_back(map_file: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = import_grapplemap(
        map_file, tmp_path / "out", clips=3, test_share=0.0, validation_share=0.0,
        progress=lambda *at: seen.append(at),
    )  # fmt: skip
    assert report.positions == 3
    assert report.transitions == 5
    assert report.clips == {"train": 3, "val": 0, "test": 0}
    assert seen[-1] == (3, 3)
    assert report.worst_seam_mm < 3
    folder = InterHumanFolder(tmp_path / "out")
    for name in folder.names("train"):
        clip = folder.read(name)
        assert clip.loaded.shape[0] == 2
        assert clip.loaded.shape[1] >= 100
        assert len(clip.captions) == 3
        assert all(len(caption.split()) <= 60 for caption in clip.captions)
    assert (tmp_path / "out" / "provenance.json").is_file()


def test_import_is_deterministic(map_file: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        import_grapplemap(map_file, tmp_path / name, seed=5, clips=2)
    for path in sorted((tmp_path / "one").rglob("*.npy")):
        twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == twin.read_bytes()


def test_import_refuses_what_it_cannot_do(map_file: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least 1"):
        import_grapplemap(map_file, tmp_path / "out", clips=0)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x")
    with pytest.raises(UserError, match="exists already"):
        import_grapplemap(map_file, tmp_path / "full", clips=1)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("side ctrl w/\\nopen elbow", "side control with open elbow"),
        ("top gets\\nhead&arm", "top gets head and arm"),
        ("to north/south", "to north-south"),
        ("¼ clinch vs\\nwhizzer", "quarter clinch against whizzer"),
        ("w/o hooks (wip)", "without hooks"),
        ("kick-up2", "kick-up"),
        ("...", ""),
    ],
)
def test_names_are_spelled_out(name: str, plain: str) -> None:
    assert spelled(name) == plain


def test_verbs_are_conjugated() -> None:
    verbs = ("push", "try", "go", "pull", "pass")
    assert [third_person(verb) for verb in verbs] == ["pushes", "tries", "goes", "pulls", "passes"]


def _steps(*names: str, actor: int = 0) -> list[Step]:
    return [Step(name, (), actor, 0, False, 1.0) for name in names]


def test_captions_follow_who_acts() -> None:
    motion = resample(between(FAR, NEAR, 6))
    upright = torch.eye(3).expand(2, motion.shape[1], 3, 3)
    steps = [*_steps("grab arm"), *_steps("bottom\\nturns away", actor=1)]
    short, _, detailed = describe(steps, motion, upright, "near", "far")
    assert short == "Two people wrestle on their feet."
    assert detailed == (
        "Two people grapple, starting from near: one person grabs arm, "
        "then the other turns away. They end in far."
    )


def test_exchanged_players_stay_the_same_people() -> None:
    motion = resample(between(FAR, NEAR, 6))
    upright = torch.eye(3).expand(2, motion.shape[1], 3, 3)
    steps = [
        Step("top pushes", (), actor=0, top=0, backwards=False, seconds=1.0),
        Step("bottom pulls", (), actor=0, top=1, backwards=False, seconds=1.0),
    ]
    assert "one person pushes and pulls" in describe(steps, motion, upright)[2]


def test_takedowns_are_named() -> None:
    motion = resample(np.stack([NEAR] * 9))
    motion[1, -20:, :, 1] *= 0.3
    motion[0, -20:, :, 1] *= 0.4
    upright = torch.eye(3).expand(2, motion.shape[1], 3, 3)
    step = Step("finish", ("double_leg_takedown",), 0, 0, False, 0.6)
    short = describe([step], motion, upright)[0]
    assert short == "One person takes the other down to the ground with a double-leg takedown."


def test_postures() -> None:
    stand = resample(between(FAR, NEAR, 3))[0, 0]
    assert posture(stand, torch.eye(3)) == "standing"
    back = torch.tensor(((1.0, 0, 0), (0, 0, 1.0), (0, -1.0, 0)), dtype=stand.dtype)
    lying = (stand - stand[0]) @ back.T + torch.tensor((0.0, 0.12, 0.0))
    assert posture(lying, back) == "lying on the back"
    assert posture(lying * torch.tensor((1.0, -1.0, 1.0)) + torch.tensor((0.0, 0.24, 0.0)),
                   back.T) == "face down"  # fmt: skip
