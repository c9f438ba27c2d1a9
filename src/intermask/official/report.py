"""Figures of an imported release: what two people compare, and what looks wrong at a glance."""

from __future__ import annotations

import torch
from torch import Tensor

from intermask.official.configuration import CODEBOOK
from intermask.official.importer import Imported
from intermask.representation import POSITIONS, ROTATED, ROTATIONS

# A few weights of either network, from its input to its output, by released name.
_WATCHED = {
    "tokenizer": ("encoder.model.{stage}.0.weight", "decoder.model.0.weight"),
    "transformer": (
        "token_emb.weight",
        "Transformer.blocks.0.self_attn.attention.in_proj_weight",
        "output_process.poseFinal.weight",
        "clipln.weight",
    ),
}


def check_report(imported: Imported) -> list[tuple[str, str]]:
    """Labels and figures: sources, key and parameter counts, checksums, statistics, plausibility.

    Depends on nothing but the files, so that equal files give equal figures (digits beyond those
    shown may differ between processors).
    """
    rows: list[tuple[str, str]] = [("data set", imported.dataset)]
    for part in ("tokenizer", "transformer"):
        run = imported.tokenizer if part == "tokenizer" else imported.transformer
        rows.append((f"{part} run", str(run.folder)))
        rows.append((f"{part} entries ignored", _entries(run.training_state)))
        rows.append((f"{part} sha256", imported.checksums[part]))
    rows += [(f"keys: {part}", str(count)) for part, count in imported.key_counts.items()]
    rows += [(f"parameters: {part}", _millions(n)) for part, n in _sizes(imported).items()]
    stage = 0 if imported.dataset == "interhuman" else 2
    for name in (name.format(stage=stage) for name in _WATCHED["tokenizer"]):
        rows.append((name, _spread(imported.tokenizer.weights[name])))
    for name in _WATCHED["transformer"]:
        rows.append((name, _spread(imported.transformer.weights[name])))
    rows += _codebook_rows(imported.tokenizer.weights[CODEBOOK].float())
    return rows + _statistics_rows(imported)


def _sizes(imported: Imported) -> dict[str, int]:
    model = imported.model
    return {
        "tokenizer": sum(value.numel() for value in imported.tokenizer.weights.values()),
        "transformer": sum(value.numel() for value in model.transformer.parameters()),
        "text head": sum(value.numel() for value in model.text_head.parameters()),
    }


def _codebook_rows(codebook: Tensor) -> list[tuple[str, str]]:
    norms = codebook.norm(dim=1)
    different = len(torch.unique(codebook, dim=0))
    return [
        ("codebook", f"{len(codebook)} codes of {codebook.shape[1]}, {different} different"),
        (
            "codebook norms",
            f"{norms.min():.4g} to {norms.max():.4g}, median {norms.median():.4g}",
        ),
    ]


def _statistics_rows(imported: Imported) -> list[tuple[str, str]]:
    mean, std = imported.model.normaliser.mean, imported.model.normaliser.std
    rows = [
        ("normaliser mean", f"{mean.min():.4g} to {mean.max():.4g}, {len(mean)} columns"),
        ("normaliser std", f"{std.min():.4g} to {std.max():.4g}"),
    ]
    if imported.dataset == "interhuman":
        height = float(mean[POSITIONS][1])
        rotation = mean[ROTATIONS].unflatten(0, (ROTATED, 6)).mean(0)
        numbers = ", ".join(f"{value:.2f}" for value in rotation.tolist())
        rows += [
            ("mean height of the pelvis", f"{height:.2f} m: {_verdict(0.7 < height < 1.2)}"),
            ("mean rotation", f"({numbers}): {_verdict(_nearly_identity(rotation))}"),
        ]
    return rows


def _nearly_identity(rotation: Tensor) -> bool:
    """Whether a mean of 6D rotations (6,) is near (0.9, 0, 0, 0.9, 0, 0): body joints bend little.

    In another order of the columns the second large number would stand elsewhere.
    """
    identity = rotation.new_tensor([1, 0, 0, 1, 0, 0])
    return bool((rotation - identity).abs().max() < 0.35)


def _verdict(plausible: bool) -> str:
    return "plausible" if plausible else "not plausible for people in metres; are these the files?"


def _spread(value: Tensor) -> str:
    value = value.float()
    return (
        f"mean {value.mean():.4g}, std {value.std():.4g}, largest {value.abs().max():.4g}, "
        f"shape {tuple(value.shape)}"
    )


def _entries(state: dict[str, float | None]) -> str:
    return ", ".join(
        name if value is None else f"{name} {value:g}" for name, value in state.items()
    )


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} M"
