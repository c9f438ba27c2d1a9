"""What a folder is, in words: a training run, a bundle or an evaluator."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from intermask.bundle import is_bundle, read_config
from intermask.errors import UserError
from intermask.motion import FPS
from intermask.training import checkpoint
from intermask.training.history import History, Series, read_history
from intermask.training.runs import CONFIG, read_run
from intermask.training.tokenizer_stage import TokenizerStage
from intermask.training.transformer_stage import TransformerStage

Rows = list[tuple[str, str]]
Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Titles of the columns, and the rows."""

_BEST_METRICS = {
    "tokenizer": TokenizerStage.best_metric,
    "transformer": TransformerStage.best_metric,
    "evaluator": "r_precision_3",  # its stage lies in a room above this one
}


def describe_folder(folder: str | Path) -> Rows:
    """Labels and values of a run, a bundle or an evaluator.

    Raises:
        UserError: the folder is none of them.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"there is no folder {str(folder)!r}; expected a training run or a bundle")
    if is_bundle(folder):
        return _bundle(folder)
    evaluator = _evaluator_config(folder)
    return _run(folder) if evaluator is None else _evaluator(evaluator)


def _bundle(folder: Path) -> Rows:
    content = read_config(folder)
    config = content["config"]
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    rows = [
        ("kind", "bundle"),
        ("name", str(config["name"])),
        ("motion", f"{config['dataset']}, up to {config['max_frames'] / FPS:g} s"),
        ("parameters", f"{content['parameters'] / 1e6:.2f} M, {size / 1e6:.1f} MB on disk"),
        ("text encoder", str(config["text"]["encoder"])),
        ("codes", f"{config['tokenizer']['codebook_size']}"),
        ("sampling", _pairs(config["sampling"])),
    ]
    return rows + [(f"provenance: {key}", _text(v)) for key, v in content["provenance"].items()]


def _evaluator_config(folder: Path) -> dict[str, Any] | None:
    try:
        content = json.loads((folder / CONFIG).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    is_one = isinstance(content, dict) and content.get("kind") == "intermask-evaluator"
    return content if is_one else None


def _evaluator(content: dict[str, Any]) -> Rows:
    rows = [
        ("kind", f"evaluator, {content['network']}"),
        ("name", str(content["name"])),
        ("motion", f"{content['dataset']}, up to {content['max_frames'] / FPS:g} s"),
        ("parameters", f"{content['parameters'] / 1e6:.2f} M"),
        ("protocol", _pairs(content["protocol"])),
        ("fingerprint", str(content["fingerprint"])[:12]),
    ]
    return rows + [(f"provenance: {key}", _text(v)) for key, v in content["provenance"].items()]


def _run(folder: Path) -> Rows:
    content = read_run(folder)
    training = content["training"]
    done = read_history(folder).last_step
    rows = [
        ("kind", f"training run, {content['stage']}"),
        ("data", ", ".join(f"{d['name']} (share {d['share']:g})" for d in content["data"])),
        ("steps", f"{done} of {training['optimiser']['steps']}"),
    ]
    if "tokenizer" in content:
        rows.append(("tokenizer", str(content["tokenizer"]["from"])))
    if "init" in content:
        rows.append(("started from", str(content["init"]["from"])))
    best = folder / checkpoint.BEST
    if best.is_file():
        state = checkpoint.load(best)
        rows.append(("best checkpoint", f"step {state['step']}"))
        rows += [(f"  {name}", f"{value:.4g}") for name, value in state["metrics"].items()]
    rows.append(("written by", f"intermask {content['intermask_version']}"))
    return rows


def run_table(folder: Path) -> Table:
    """One row for every run in a folder, by name.

    Raises:
        UserError: no such folder, or no run in it.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {str(folder)!r}; give one that holds training runs")
    rows = []
    for path in sorted(folder.iterdir()):
        if not (path / CONFIG).is_file():
            continue
        try:
            content = read_run(path)
        except UserError:  # a bundle, or another program's folder
            continue
        rows.append(_run_row(path, content))
    if not rows:
        raise UserError(f"{folder} holds no training run; give the folder above your runs")
    return ("run", "stage", "steps", "best validation", "trained on", "started from"), rows


def _run_row(path: Path, content: dict[str, Any]) -> tuple[str, ...]:
    history = read_history(path)
    chosen = content["training"]["run"].get("best_metric")
    metric = chosen or _BEST_METRICS[content["stage"]]
    best = history.validation.get(metric, Series()).best(metric)
    return (
        path.name,
        content["stage"],
        f"{history.last_step} of {content['training']['optimiser']['steps']}",
        "none yet" if math.isnan(best) else f"{metric} {best:.4g}",
        ", ".join(source["name"] for source in content["data"]),
        content.get("init", {}).get("from", ""),
    )


def validation_table(history: History) -> Table:
    """First, best and last value of every validation metric."""
    rows = [
        (
            name,
            *(f"{value:.4g}" for value in (series.values[0], series.best(name), series.values[-1])),
        )
        for name, series in history.validation.items()
    ]
    return ("validation", "first", "best", "last"), rows


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _text(value: Any) -> str:
    if isinstance(value, str | int | float):
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}..."
