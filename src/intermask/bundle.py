"""A bundle: one folder with everything a model is, readable by anyone, executable by nobody.

```
BUNDLE/config.json            schema_version, configuration, provenance, shard list
BUNDLE/normaliser.safetensors mean and std of the features
BUNDLE/tokenizer-00.safetensors ...   weights, in shards
BUNDLE/transformer-00.safetensors ... weights of the transformer and the text head
BUNDLE/captions.json          optional: typical lengths of captions, to guess a duration
```

A training run of stage 2 can be used wherever a bundle can; see `intermask.training.runs`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from intermask import __version__
from intermask.config import SCHEMA_VERSION, ModelConfig, from_dict, to_dict
from intermask.errors import UserError
from intermask.files import atomic_folder, write_json
from intermask.models.autoencoder import MotionAutoencoder
from intermask.models.text_head import SentenceHead, TextHead, text_head
from intermask.models.transformer import InterMTransformer
from intermask.representation import Normaliser

CONFIG = "config.json"
SHARD_BYTES = 15_000_000


@dataclass
class Model:
    """All parts of a text-to-interaction model but the frozen text encoder, on one device."""

    config: ModelConfig
    tokenizer: MotionAutoencoder
    transformer: InterMTransformer
    text_head: TextHead | SentenceHead
    normaliser: Normaliser
    provenance: dict[str, Any] = field(default_factory=dict)
    """What it was trained on or imported from, licences, and the command that made it."""
    durations: dict[str, float] = field(default_factory=dict)
    """Training captions and the median length in seconds of the clips that carry them."""

    def parts(self) -> dict[str, nn.Module]:
        """Modules by the file name of their weights."""
        generator = nn.ModuleDict({"transformer": self.transformer, "text_head": self.text_head})
        return {
            "normaliser": self.normaliser,
            "tokenizer": self.tokenizer,
            "transformer": generator,
        }

    def to(self, device: torch.device | str) -> Model:
        """Move every part, in place; returns itself."""
        for part in self.parts().values():
            part.to(device)
        return self

    @property
    def parameter_count(self) -> int:
        """Numbers in the tokenizer, the transformer and the text head."""
        return sum(p.numel() for part in self.parts().values() for p in part.parameters())


def build(config: ModelConfig, normaliser: Normaliser) -> Model:
    """A model of this configuration with fresh weights, in evaluation mode."""
    return Model(
        config,
        MotionAutoencoder(config.tokenizer).eval(),
        InterMTransformer(config.transformer).eval(),
        text_head(config.text).eval(),
        normaliser.eval(),
    )


def save_bundle(model: Model, folder: str | Path, *, half: bool = False) -> Path:
    """Write a bundle; the folder appears whole or not at all.

    Args:
        model: on any device.
        folder: new folder.
        half: store weights as float16 (they are loaded as float32).

    Raises:
        UserError: the folder exists and is not empty, or cannot be written.
    """
    folder = Path(folder)
    with atomic_folder(folder) as temporary:
        shards = {
            name: save_shards(part, temporary, name, half and name != "normaliser")
            for name, part in model.parts().items()
        }
        content = {
            "schema_version": SCHEMA_VERSION,
            "kind": "intermask-bundle",
            "intermask_version": __version__,
            "parameters": model.parameter_count,
            "config": to_dict(model.config),
            "shards": shards,
            "provenance": model.provenance,
        }
        write_json(temporary / CONFIG, content)
        if model.durations:
            write_json(temporary / "captions.json", model.durations)
    return folder


def load_bundle(folder: str | Path) -> Model:
    """Read a bundle onto the CPU in float32, in evaluation mode.

    Raises:
        UserError: not a bundle, of a newer schema, or with missing, unknown or wrong weights;
            the entry or file is named.
    """
    folder = Path(folder)
    content = read_config(folder)
    try:
        config = from_dict(ModelConfig, content["config"])
        shards = content["shards"]
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{folder / CONFIG} is not a usable configuration: {error}") from error
    statistics = load_shards(folder, shards.get("normaliser", []))
    if set(statistics) != {"mean", "std"}:
        raise UserError(f"{folder}: the normaliser holds {sorted(statistics)}, not mean and std")
    model = build(config, Normaliser(statistics["mean"], statistics["std"]))
    for name, part in model.parts().items():
        load_exactly(part, load_shards(folder, shards.get(name, [])), f"{folder} ({name})")
    model.provenance = content.get("provenance", {})
    durations = folder / "captions.json"
    if durations.is_file():
        model.durations = json.loads(durations.read_text("utf-8"))
    return model


def is_bundle(folder: Path) -> bool:
    """Whether a folder has the configuration file of a bundle."""
    try:
        return read_config(folder)["kind"] == "intermask-bundle"
    except UserError:
        return False


def read_config(folder: Path) -> dict[str, Any]:
    """The checked head of a bundle's configuration file."""
    path = folder / CONFIG
    if not path.is_file():
        raise UserError(f"{folder} is not a bundle: {CONFIG} is missing")
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("kind") != "intermask-bundle":
        raise UserError(f"{path} was not written as a bundle of intermask")
    if content.get("schema_version", 0) > SCHEMA_VERSION:
        raise UserError(
            f"{folder} has schema version {content['schema_version']}, this program reads up to "
            f"{SCHEMA_VERSION}; update intermask"
        )
    return content


def load_exactly(module: nn.Module, state: dict[str, Tensor], where: str) -> None:
    """Load weights so that every entry fits; the first that does not is named.

    Raises:
        UserError: a missing or unknown entry, or a wrong shape.
    """
    expected = module.state_dict()
    missing = sorted(set(expected) - set(state))
    unknown = sorted(set(state) - set(expected))
    wrong = [
        f"{key} has shape {tuple(state[key].shape)}, expected {tuple(value.shape)}"
        for key, value in expected.items()
        if key in state and state[key].shape != value.shape
    ]
    if missing or unknown or wrong:
        parts = []
        for label, names in (("missing", missing), ("unknown", unknown), ("wrong", wrong)):
            if names:
                more = f" and {len(names) - 3} more" if len(names) > 3 else ""
                parts.append(f"{label}: {', '.join(names[:3])}{more}")
        raise UserError(f"the weights in {where} do not fit the configuration; {'; '.join(parts)}")
    module.load_state_dict({key: value.to(expected[key].dtype) for key, value in state.items()})


def save_shards(part: nn.Module, folder: Path, name: str, half: bool = False) -> list[str]:
    """Write the weights of a network as files of limited size; returns their names."""
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for key, value in part.state_dict().items():
        stored = value.detach().cpu().contiguous()
        if half and stored.is_floating_point():
            stored = stored.half()
        if size and size + stored.nbytes > SHARD_BYTES:
            shards.append({})
            size = 0
        shards[-1][key] = stored
        size += stored.nbytes
    files = []
    for number, shard in enumerate(shards):
        files.append(f"{name}-{number:02d}.safetensors")
        path = folder / files[-1]
        save_file(shard, path)
        path.chmod(0o644)  # safetensors makes private files; a bundle is to be shared
    return files


def load_shards(folder: Path, files: list[str]) -> dict[str, Tensor]:
    """Weights that `save_shards` wrote, on the CPU.

    Raises:
        UserError: a file is missing or damaged.
    """
    state: dict[str, Tensor] = {}
    for file in files:
        path = folder / Path(file).name  # a foreign bundle must not reach outside its folder
        if not path.is_file():
            raise UserError(f"{path} is missing")
        try:
            state |= load_file(path)
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path} is damaged: {error}") from error
    return state
