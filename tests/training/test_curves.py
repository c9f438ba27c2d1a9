"""Numbers of runs as they were logged, and pictures of them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from intermask.errors import UserError
from intermask.training.curves import draw_curves
from intermask.training.describe import run_table, validation_table
from intermask.training.history import higher_is_better, read_history


def write_run(folder: Path, stage: str, points: int, offset: float = 0.0) -> Path:
    folder.mkdir(parents=True)
    config = {
        "kind": "intermask-run",
        "stage": stage,
        "training": {"optimiser": {"steps": 100}, "run": {}},
        "data": [{"name": "salsa", "share": 1.0}],
        "init": {"from": "builtin"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    metric = {"tokenizer": "mpjpe_mm", "transformer": "cross_entropy"}[stage]
    lines = [
        {"kind": "train", "step": step, "loss": 1 / (step + 1) + offset}
        for step in range(1, points + 1)
    ]
    lines += [
        {"kind": "validation", "step": step, metric: 9.0 - step, f"salsa/{metric}": 1.0,
         "accuracy_at_0.5": step / 10}
        for step in (1, 3, 2)
    ]  # fmt: skip
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text + '{"kind": "tra')
    return folder


def png_size(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:])
    return width, height


def test_history_reads_what_was_logged_and_forgives_a_cut_line(tmp_path: Path) -> None:
    history = read_history(write_run(tmp_path / "run", "tokenizer", 5))
    assert history.train["loss"].steps == [1, 2, 3, 4, 5]
    assert history.validation["mpjpe_mm"].values == [8.0, 6.0, 7.0]
    assert history.last_step == 5
    assert not read_history(tmp_path).train


def test_first_best_and_last_of_every_metric(tmp_path: Path) -> None:
    header, rows = validation_table(read_history(write_run(tmp_path / "run", "tokenizer", 3)))
    assert header == ("validation", "first", "best", "last")
    assert rows[0] == ("mpjpe_mm", "8", "6", "7")
    assert rows[2] == ("accuracy_at_0.5", "0.1", "0.3", "0.2")
    assert higher_is_better("salsa/accuracy")
    assert not higher_is_better("bone_drift_mm")


def test_one_panel_a_metric_and_one_picture(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "a", "tokenizer", 80),
        write_run(tmp_path / "b", "transformer", 5, offset=40.0),
        write_run(tmp_path / "more" / "a", "tokenizer", 5),
    ]
    panels = draw_curves(runs, tmp_path / "curves.png")
    assert panels == ("loss", "mpjpe_mm", "accuracy_at_0.5", "cross_entropy")
    width, height = png_size(tmp_path / "curves.png")
    assert draw_curves(runs[:1], tmp_path / "one.png", ["salsa/mpjpe_mm"]) == ("salsa/mpjpe_mm",)
    small = png_size(tmp_path / "one.png")
    assert small[0] < width and small[1] < height


def test_what_cannot_be_drawn_is_said(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "tokenizer", 3)
    with pytest.raises(UserError, match="has the metric 'fid'; they have loss, mpjpe_mm"):
        draw_curves([run], tmp_path / "x.png", ["fid"])
    with pytest.raises(UserError, match="given twice"):
        draw_curves([run, tmp_path / "run"], tmp_path / "x.png")
    with pytest.raises(UserError, match="is not a training run"):
        draw_curves([tmp_path], tmp_path / "x.png")
    (run / "metrics.jsonl").unlink()
    with pytest.raises(UserError, match="has logged no step yet"):
        draw_curves([run], tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_a_table_of_runs(tmp_path: Path) -> None:
    write_run(tmp_path / "b", "transformer", 5)
    write_run(tmp_path / "a", "tokenizer", 3)
    (tmp_path / "other").mkdir()
    header, rows = run_table(tmp_path)
    assert header[0] == "run"
    assert rows == [
        ("a", "tokenizer", "3 of 100", "mpjpe_mm 6", "salsa", "builtin"),
        ("b", "transformer", "5 of 100", "cross_entropy 6", "salsa", "builtin"),
    ]
    with pytest.raises(UserError, match="holds no training run"):
        run_table(tmp_path / "other")
    with pytest.raises(UserError, match="there is no folder"):
        run_table(tmp_path / "absent")
