"""The checksum covers what decides, and nothing else."""

from __future__ import annotations

from intermask.choreography.code_version import code_checksum, deciding_files


def test_what_decides_is_covered() -> None:
    names = {f"{file.parent.name}/{file.name}" for file in deciding_files()}
    assert names >= {
        "choreography/overlay.py", "choreography/gate.py", "choreography/matching.py",
        "choreography/splits.py", "families/greeting.py", "grammar/common.toml",
        "choreography/held_out.toml", "solver/solve.py", "evaluation/physics.py",
        "intermask/kinematics.py",
    }  # fmt: skip
    assert not names & {"choreography/datasheet.py", "cli/making.py", "models/transformer.py"}


def test_the_checksum_is_one() -> None:
    assert len(code_checksum()) == 64
    assert code_checksum() == code_checksum()
