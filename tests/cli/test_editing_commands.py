"""edit, extend, vary, swap, mirror, variants: what is kept is kept in the files as well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from intermask import Motion
from intermask.export.bvh import write_bvh
from walking import walking_pair

pytestmark = pytest.mark.usefixtures("unsettled")
ONLY = ("--formats", "npz", "--device", "cpu")


def made(folder: Path, name: str) -> Motion:
    return Motion.load(folder / f"{name}.npz")


def test_edit(run: Any, bundle: Path, walk: Path, tmp_path: Path) -> None:
    result = run(
        "edit", walk, "They bow.", "--range", "0.4:1.0", "--person", 2, "--seed", 3,
        "-o", f"{tmp_path}/", "--model", bundle, *ONLY,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    given, changed = Motion.load(walk), made(tmp_path, "walk-edited")
    assert torch.equal(changed.positions[0], given.positions[0])
    assert torch.equal(changed.positions[1, :12], given.positions[1, :12])
    assert torch.equal(changed.positions[1, 30:], given.positions[1, 30:])
    assert not torch.equal(changed.positions[1, 12:30], given.positions[1, 12:30])
    assert (changed.caption, changed.seed) == ("They bow.", 3)


def test_extend(run: Any, bundle: Path, walk: Path, tmp_path: Path) -> None:
    result = run(
        "extend", walk, "--before", 0.5, "--after", 1, "-o", tmp_path / "long", "--model", bundle,
        *ONLY,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    given, longer = Motion.load(walk), made(tmp_path, "long")
    assert longer.frames == 15 + given.frames + 30
    assert torch.equal(longer.positions[:, 15:60], given.positions)
    assert longer.caption == given.caption


def test_variants_are_those_of_their_seeds(
    run: Any, bundle: Path, walk: Path, tmp_path: Path
) -> None:
    base = ("vary", walk, "--keep-ends", 0.3, "--temperature", 5, "--model", bundle, *ONLY)
    result = run(*base, "--variants", 2, "--seed", 5, "-o", tmp_path / "other")
    assert result.exit_code == 0, result.output
    assert "other_v2: --seed 6" in result.stderr
    assert run(*base, "--seed", 6, "-o", tmp_path / "alone").exit_code == 0
    first, second = made(tmp_path, "other_v1"), made(tmp_path, "other_v2")
    assert not torch.equal(first.positions, second.positions)
    assert torch.equal(second.positions, made(tmp_path, "alone").positions)
    assert torch.equal(first.positions[:, :9], Motion.load(walk).positions[:, :9])


def test_variants_of_many_prompts(run: Any, bundle: Path, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("Two people walk.\nThey bow.\n")
    result = run(
        "generate", "--prompts", prompts, "--seconds", 1, "--variants", 2, "-o", tmp_path / "out",
        "--model", bundle, *ONLY,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    seeds = {path.stem: Motion.load(path).seed for path in (tmp_path / "out").iterdir()}
    assert seeds == {
        "001-two-people-walk_v1": 0, "002-they-bow_v1": 1,
        "001-two-people-walk_v2": 2, "002-they-bow_v2": 3,
    }  # fmt: skip


def test_the_draft_that_is_kept_is_told(run: Any, bundle: Path, walk: Path, tmp_path: Path) -> None:
    for command in (("generate", "They bow.", "--seconds", 1), ("vary", walk, "--keep-ends", 0.3)):
        result = run(*command, "--drafts", 2, "-o", tmp_path / "x", "--model", bundle, *ONLY)
        assert result.exit_code == 0, result.output
        assert "seed 0: draft " in result.stderr and " of 2 is kept: flaws " in result.stderr
        assert "no evaluator" in result.stderr


def test_swap_and_mirror(run: Any, tmp_path: Path) -> None:
    walk = replace(walking_pair(20), caption="Person 1 lifts the left arm.")
    walk.save(tmp_path / "walk.npz")
    for command in ("swap", "mirror"):
        result = run(command, tmp_path / "walk.npz", "-o", tmp_path / command)
        assert result.exit_code == 0, result.output
    assert torch.equal(made(tmp_path, "swap").positions, walk.swapped().positions)
    assert made(tmp_path, "swap").caption == "Person 2 lifts the left arm."
    assert torch.equal(made(tmp_path, "mirror").positions, walk.mirrored().positions)
    assert made(tmp_path, "mirror").caption == "Person 1 lifts the right arm."


@pytest.mark.parametrize("person", [1, 2])
def test_a_partner_for_a_person_of_another_program(
    run: Any, bundle: Path, tmp_path: Path, person: int
) -> None:
    """Their place is the file's: a BVH of ours, and joints alone."""
    walk = walking_pair(45)
    write_bvh(walk, tmp_path / "walk.bvh")
    np.savez(tmp_path / "walk.npz", joints22=walk.positions[0].numpy(), fps=30.0)
    for name in ("walk_1.bvh", "walk.npz"):
        result = run(
            "react", tmp_path / name, "They bow.", "--person", person, "-o", tmp_path / "reply",
            "--model", bundle, *ONLY,
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        reply = made(tmp_path, "reply").positions
        assert float((reply[person - 1] - walk.positions[0]).abs().max()) < 0.01
        assert float((reply[2 - person] - walk.positions[0]).abs().max()) > 0.1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("edit", "WALK", "They bow.", "--range", "half"), "--range half"),
        (("edit", "WALK", "They bow.", "--range", "1:9"), "leaves the motion"),
        (("edit", "WALK", "They bow.", "--range", "0:1.5"), "nothing is kept"),
        (("extend", "WALK"), "nothing to add"),
        (("extend", "WALK", "--after", -1), "cannot be added"),
        (("vary", "WALK", "--keep-ends", 2), "cannot be kept"),
        (("vary", "absent.npz"), "absent.npz"),
        (("mirror", "absent.npz"), "absent.npz"),
        (("vary", "WALK", "--variants", 2, "--temperature", 0), "all 2 variants would be the same"),
        (("react", "absent.bvh", "They bow."), "absent.bvh"),
    ],
)
def test_what_cannot_be_done_costs_a_sentence(
    fails: Any, bundle: Path, walk: Path, tmp_path: Path, arguments: Any, words: str
) -> None:
    command = [walk if each == "WALK" else each for each in arguments]
    model = () if command[0] == "mirror" else ("--model", bundle)
    target = tmp_path / "out"
    assert words in fails(*command, *model, "-o", target / "walk")
    assert not target.exists()
