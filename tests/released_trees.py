"""Trees in the layout of the authors' release: the recorded tiny one, broken ones, made ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from golden_files import FOLDER, golden

RECORDED = FOLDER / "official_layout"
"""The recorded tree, whose motions `official_layout_expected` holds."""

TOKENIZER = Path("checkpoints/interhuman/vq_default")
TRANSFORMER = Path("checkpoints/interhuman/trans_default")
CHECKPOINT = Path("model/best_fid.tar")
MEAN, STD = Path("data/stats/global_mean.npy"), Path("data/stats/global_std.npy")


def recorded_copy(folder: Path) -> Path:
    """A copy of the recorded tree that a test may break."""
    shutil.copytree(RECORDED, folder, copy_function=shutil.copyfile)
    return folder


def change_checkpoint(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit the dictionary in a checkpoint."""
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


def change_options(path: Path, **changes: object) -> None:
    """Set options of an ``opt.txt``; None takes a line out."""
    lines = [
        line
        for line in path.read_text("utf-8").splitlines()
        if line.partition(":")[0] not in changes
    ]
    new = [f"{key}: {value}" for key, value in changes.items() if value is not None]
    path.write_text("\n".join([lines[0], *new, *lines[1:]]) + "\n", "utf-8")


def write_run(folder: Path, entry: str, weights: Mapping[str, Tensor], options: Any) -> None:
    """One run as the authors write it, with a little of the optimiser's state."""
    (folder / "model").mkdir(parents=True)
    lines = [f"{key}: {value}" for key, value in sorted(options.items())]
    text = "\n".join(
        ["------------ Options -------------", *lines, "-------------- End ----------"]
    )
    (folder / "opt.txt").write_text(text + "\n", "utf-8")
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(3))])
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [1, 2])
    content = {
        entry: dict(weights),
        f"opt_{entry}": optimiser.state_dict(),
        "scheduler": schedule.state_dict(),
        "ep": 3,
        "total_it": 7,
    }
    torch.save(content, folder / CHECKPOINT)


def write_statistics(folder: Path, columns: int) -> None:
    """Statistics of that many columns."""
    (folder / "data/stats").mkdir(parents=True)
    np.save(folder / MEAN, np.linspace(-1, 1, columns, dtype=np.float32))
    np.save(folder / STD, np.full(columns, 0.5, dtype=np.float32))


def recorded_interx(folder: Path) -> Path:
    """A tree of recorded Inter-X weights; the transformer's are InterHuman's, of the same form."""
    runs = folder / "checkpoints/interx"
    common = {"dataset_name": "interx", "is_train": True, "lr": 1e-05}
    write_run(
        runs / "vq_default",
        "net",
        golden("vqvae_interx").weights,
        common | {"width": 24, "nb_code": 32, "joints_num": 56, "vq_norm": None},
    )
    write_run(
        runs / "trans_default",
        "trans",
        golden("transformer").weights,
        common | {"n_heads": 6, "vq_name": "vq_default"},
    )
    return folder
