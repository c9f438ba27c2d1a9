"""What a model folder is, in words: a training run or a bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from intermask.bundle import is_bundle, read_config
from intermask.errors import UserError
from intermask.motion import FPS
from intermask.training import checkpoint
from intermask.training.runs import read_run

Rows = list[tuple[str, str]]


def describe_folder(folder: str | Path) -> Rows:
    """Labels and values of a run or a bundle.

    Raises:
        UserError: the folder is neither.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"there is no folder {str(folder)!r}; expected a training run or a bundle")
    return _bundle(folder) if is_bundle(folder) else _run(folder)


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


def _run(folder: Path) -> Rows:
    content = read_run(folder)
    training = content["training"]
    done = steps_done(folder)
    rows = [
        ("kind", f"training run, {content['stage']}"),
        ("data", ", ".join(f"{d['name']} (share {d['share']:g})" for d in content["data"])),
        ("steps", f"{done} of {training['optimiser']['steps']}"),
    ]
    if "tokenizer" in content:
        rows.append(("tokenizer", str(content["tokenizer"]["from"])))
    best = folder / checkpoint.BEST
    if best.is_file():
        state = checkpoint.load(best)
        rows.append(("best checkpoint", f"step {state['step']}"))
        rows += [(f"  {name}", f"{value:.4g}") for name, value in state["metrics"].items()]
    rows.append(("written by", f"intermask {content['intermask_version']}"))
    return rows


def steps_done(folder: Path) -> int:
    """The last step that a run's ``metrics.jsonl`` tells of; 0 if there is none."""
    path = folder / "metrics.jsonl"
    if not path.is_file():
        return 0
    last = 0
    for line in path.read_text("utf-8").splitlines():
        try:
            last = max(last, int(json.loads(line)["step"]))
        except (ValueError, KeyError):  # a line cut short when the run was killed
            continue
    return last


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _text(value: Any) -> str:
    if isinstance(value, str | int | float):
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}..."
