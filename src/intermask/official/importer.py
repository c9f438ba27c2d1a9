"""Reading a release: weights into our modules, with where they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from intermask.bundle import Model, build
from intermask.config import DataSet, TokenizerConfig, to_dict
from intermask.errors import UserError
from intermask.official.configuration import (
    CODEBOOK,
    loss_weights,
    masking,
    model_configuration,
)
from intermask.official.names import (
    FROZEN_TOWER,
    POSITION_FREQUENCIES,
    Renaming,
    tokenizer_renaming,
    transformer_renaming,
)
from intermask.official.tree import (
    Run,
    find_data_set,
    find_run,
    read_run,
    read_statistics,
)
from intermask.representation import FEATURES, Normaliser

TOKENIZER_ENTRIES = ("vq_model", "net")
TRANSFORMER_ENTRIES = ("t2m_transformer", "trans")
STATISTICS = ("global_mean.npy", "global_std.npy")


@dataclass(frozen=True)
class Imported:
    """A model, and what it was made from."""

    model: Model
    dataset: DataSet
    tokenizer: Run
    transformer: Run
    key_counts: dict[str, int]
    """Weights by the part they went into, and those that were left out on purpose."""
    checksums: dict[str, str]
    """SHA-256 of the weights of both checkpoints; see `weights_checksum`."""


def import_official(
    folder: str | Path,
    *,
    dataset: DataSet | None = None,
    tokenizer: str | None = None,
    transformer: str | None = None,
    text_heads: int | None = None,
) -> Imported:
    """Read the authors' release from the folder that holds ``checkpoints/`` and ``data/``.

    Args:
        folder: of the release.
        dataset: ``interhuman`` or ``interx``, where the folder holds both.
        tokenizer: name of its run; by default the one that the transformer's options name.
        transformer: name of its run, where there are several.
        text_heads: attention heads of the text head, which no file states; see
            `default_text_heads`.

    Raises:
        FileNotFoundError: a file or folder is missing; it is named.
        UserError: something does not fit; the file and the weight or option are named.
    """
    folder = Path(folder)
    dataset = find_data_set(folder, dataset)
    runs = folder / "checkpoints" / dataset
    second = read_run(
        find_run(runs, "trans", transformer), TRANSFORMER_ENTRIES, frozen=FROZEN_TOWER
    )
    stated = second.options.values.get("vq_name")
    first = read_run(
        find_run(runs, "vq", tokenizer or (None if stated is None else str(stated))),
        TOKENIZER_ENTRIES,
    )
    normaliser = _normaliser(folder / "data" / "stats", dataset)
    try:
        model = build(model_configuration(dataset, first, second, text_heads), normaliser)
    except UserError:
        raise
    except ValueError as error:  # a configuration that contradicts itself
        raise UserError(
            f"{first.folder} and {second.folder} do not make a model: {error}"
        ) from error
    parts = model.parts()
    names = tokenizer_renaming(dataset == "interhuman")
    load_weights(parts["tokenizer"], first, names, _codebook_state(first))
    _check_frequencies(second, model.config.transformer.width)
    loaded = load_weights(parts["transformer"], second, transformer_renaming())
    checksums = {
        "tokenizer": weights_checksum(first.weights),
        "transformer": weights_checksum(second.weights),
    }
    model.provenance = _provenance(dataset, first, second, checksums)
    in_text_head = sum(name.startswith("text_head.") for name in loaded)
    return Imported(
        model=model,
        dataset=dataset,
        tokenizer=first,
        transformer=second,
        key_counts={
            "tokenizer": len(first.weights),
            "transformer": len(loaded) - in_text_head,
            "text head": in_text_head,
            "derived (recomputed)": len(second.weights) - len(loaded),
            "frozen text tower (ignored)": len(second.frozen),
        },
        checksums=checksums,
    )


def weights_checksum(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over all weights in the order of their names: name, shape, float32 numbers.

    The same for any way in which the numbers were stored, so that two people can compare.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().float().contiguous()
        digest.update(f"{name}{list(value.shape)}".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


# --- Statistics ----------------------------------------------------------------------------------


def _normaliser(folder: Path, dataset: DataSet) -> Normaliser:
    """InterHuman's statistics, or none for Inter-X, whose features are not normalised.

    An Inter-X tree may bring statistics of its own size under the same names. InterHuman's, which
    lie there in a tree of both data sets, are not for it.
    """
    paths = [folder / name for name in STATISTICS]
    columns = FEATURES
    if dataset == "interx":
        config = TokenizerConfig.interx()
        columns = config.joints * config.joint_features
        present = [read_statistics(path) for path in paths if path.is_file()]
        if all(tuple(values.shape) == (FEATURES,) for values in present):
            return Normaliser(torch.zeros(columns), torch.ones(columns))
    statistics = [read_statistics(path) for path in paths]
    for path, values in zip(paths, statistics, strict=True):
        if tuple(values.shape) != (columns,):
            raise UserError(f"{path} has shape {tuple(values.shape)}; expected ({columns},)")
    try:
        return Normaliser(*statistics)
    except ValueError as error:
        raise UserError(f"{paths[0]} and {paths[1].name} cannot be used: {error}") from error


# --- Weights -------------------------------------------------------------------------------------


def _codebook_state(run: Run) -> dict[str, Tensor]:
    """What the released code loses between sessions: as if every code had been used once."""
    codebook = run.weights[CODEBOOK]
    return {
        "codebook.running_sum": codebook,
        "codebook.running_count": torch.ones(len(codebook)),
        "codebook.initialised": torch.tensor(True),
    }


def load_weights(
    module: nn.Module, run: Run, names: Renaming, extra: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Load the weights of a run and ``extra`` ones, so that every entry fits.

    Returns the run's weights by our names. In messages they have their released names.

    Raises:
        UserError: a weight is missing, unknown, without a layer or of another size.
    """
    expected = module.state_dict()
    loaded: dict[str, Tensor] = {}
    for official, value in run.weights.items():
        try:
            ours = names.ours(official)
        except UserError as error:
            raise UserError(f"{run.checkpoint} cannot be imported: {error}") from error
        if ours is None:
            continue
        if ours not in expected:
            raise UserError(f"{run.checkpoint} holds {official!r}, for which there is no layer")
        if value.shape != expected[ours].shape:
            raise UserError(
                f"{official!r} in {run.checkpoint} has shape {tuple(value.shape)}; expected "
                f"{tuple(expected[ours].shape)}"
            )
        loaded[ours] = value
    state = loaded | dict(extra or {})
    missing = [names.official(ours) or ours for ours in expected if ours not in state]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise UserError(f"{run.checkpoint} lacks {', '.join(map(repr, missing[:3]))}{more}")
    module.load_state_dict({ours: value.to(expected[ours]) for ours, value in state.items()})
    return loaded


def _check_frequencies(run: Run, width: int) -> None:
    """The release stores the frequencies of its position encoding; ours are computed."""
    stored = run.weights.get(POSITION_FREQUENCIES)
    half = width // 2
    expected = 10_000.0 ** (-torch.arange(0, half, 2) / half)
    if stored is None:
        return
    if stored.shape != expected.shape or not torch.allclose(stored.float(), expected, rtol=1e-3):
        raise UserError(
            f"{POSITION_FREQUENCIES!r} in {run.checkpoint} does not hold the {len(expected)} "
            f"frequencies of the released position encoding of width {width}"
        )


# --- Provenance ----------------------------------------------------------------------------------


def _provenance(
    dataset: DataSet, first: Run, second: Run, checksums: dict[str, str]
) -> dict[str, Any]:
    return {
        "origin": "weights released by the authors of InterMask (Javed, Guo, Cheng, Li, ICLR 2025)",
        "licence": "terms of the authors' release and of the data set it was trained on",
        "dataset": dataset,
        "runs": {
            part: {
                "name": run.folder.name,
                "options": run.options.values,
                "training_state": run.training_state,
                "sha256": checksums[part],
            }
            for part, run in (("tokenizer", first), ("transformer", second))
        },
        "losses": to_dict(loss_weights(first)),
        "masking": to_dict(masking(second)),
    }
