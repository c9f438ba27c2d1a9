"""The figures of an import."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from intermask.official import check_report, import_official
from released_trees import MEAN, RECORDED, recorded_copy, recorded_interx


def test_figures_name_their_sources_and_compare() -> None:
    imported = import_official(RECORDED)
    report = dict(check_report(imported))
    assert report == dict(check_report(import_official(RECORDED)))
    assert report["keys: tokenizer"] == "67"
    assert report["tokenizer entries ignored"] == "opt_vq_model, scheduler, ep 3, total_it 7"
    assert report["transformer sha256"] == imported.checksums["transformer"]
    assert report["parameters: transformer"] == "0.21 M"
    assert report["codebook"] == "32 codes of 24, 32 different"
    assert report["token_emb.weight"].endswith("shape (35, 24)")


def test_interx_has_figures_too(tmp_path: Path) -> None:
    report = dict(check_report(import_official(recorded_interx(tmp_path / "release"))))
    assert report["normaliser mean"] == "0 to 0, 336 columns"
    assert report["encoder.model.2.0.weight"].endswith("shape (24, 24, 6, 4)")
    assert "mean rotation" not in report


def test_statistics_of_people_are_told_from_random_ones(tmp_path: Path) -> None:
    assert "not plausible" in dict(check_report(import_official(RECORDED)))["mean rotation"]
    tree = recorded_copy(tmp_path / "release")
    mean = np.zeros(262, dtype=np.float32)
    mean[1] = 0.93
    mean[132:258] = np.tile([0.9, 0, 0, 0.9, 0, 0], 21)
    np.save(tree / MEAN, mean)
    report = dict(check_report(import_official(tree)))
    assert report["mean rotation"] == "(0.90, 0.00, 0.00, 0.90, 0.00, 0.00): plausible"
    assert report["mean height of the pelvis"] == "0.93 m: plausible"
    mean[132:258] = np.tile([0.9, 0, 0, 0, 0.9, 0], 21)
    np.save(tree / MEAN, mean)
    assert "not plausible" in dict(check_report(import_official(tree)))["mean rotation"]
