"""``evaluate-contacts``: what stands in its way costs a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_what_cannot_be_asked_is_said(
    fails: Any, bundle: Path, dataset: Path, tmp_path: Path
) -> None:
    message = fails("evaluate-contacts", bundle, "--data", dataset, "-o", tmp_path / "report")
    assert "ground_truth" in message and "data make open" in message
    message = fails("evaluate-contacts", bundle, "--data", tmp_path, "-o", tmp_path / "report")
    assert "is not a dataset folder" in message
    assert not (tmp_path / "report").exists()
