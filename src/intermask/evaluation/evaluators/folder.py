"""An evaluator as one folder: readable by anyone, executable by nobody.

```
EVALUATOR/config.json                  kind, schema_version, network and sizes, pool and scales,
                                       fingerprint, provenance, shard list
EVALUATOR/evaluator-00.safetensors ... weights, in shards
EVALUATOR/vocab.json, merges.txt       InterCLIP only: CLIP's vocabulary, if it was at hand
EVALUATOR/words.safetensors, words.json  Inter-X only: vectors of words, if they were at hand
```

The run of ``intermask train evaluator`` can be used wherever such a folder can.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from intermask import __version__
from intermask.bundle import CONFIG, load_exactly, load_shards, save_shards
from intermask.config import (
    SCHEMA_VERSION,
    EvaluatorConfig,
    EvaluatorTraining,
    TextConfig,
    from_dict,
    to_dict,
)
from intermask.data.interx import InterXFolder, is_interx
from intermask.data.layout import SPLITS
from intermask.devices import select_device
from intermask.errors import MissingExtra, UserError
from intermask.evaluation import metrics
from intermask.evaluation.evaluators.contrastive import ContrastiveEvaluator
from intermask.evaluation.evaluators.evaluator import (
    InterClipEvaluator,
    InterXPairEvaluator,
    NetworkEvaluator,
    TrainedEvaluator,
)
from intermask.evaluation.evaluators.interclip import InterClip, InterClipConfig
from intermask.evaluation.evaluators.interx import InterXEvaluator, InterXEvaluatorConfig
from intermask.evaluation.evaluators.stage import check_text_width, protocol_of
from intermask.evaluation.evaluators.words import TaggedCaptions, WordVectors
from intermask.files import atomic_folder, write_json
from intermask.text import load_text_encoder, minilm
from intermask.text.clip_files import VOCABULARY, find_vocabulary
from intermask.text.clip_tokenizer import ClipTokenizer
from intermask.training import checkpoint
from intermask.training.frozen_features import FrozenText
from intermask.training.runs import best_or_last

KIND = "intermask-evaluator"
RUN_KIND = "intermask-run"
WORDS = "words"


def save_evaluator(
    evaluator: NetworkEvaluator,
    folder: str | Path,
    *,
    provenance: dict[str, Any] | None = None,
    vocabulary: Sequence[Path] = (),
    half: bool = False,
) -> Path:
    """Write an evaluator; the folder appears whole or not at all.

    Args:
        evaluator: on any device.
        folder: new folder.
        provenance: where it came from, or what it was trained on.
        vocabulary: of InterCLIP, CLIP's ``vocab.json`` and ``merges.txt`` to keep beside it.
        half: store weights as float16; the network takes their values, and loads them as float32.

    Raises:
        UserError: the folder exists and is not empty, or cannot be written.
    """
    folder = Path(folder)
    if half:
        evaluator = replace(evaluator, network=evaluator.network.half().float())
    with atomic_folder(folder) as temporary:
        content = {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "intermask_version": __version__,
            "name": evaluator.name,
            "dataset": evaluator.dataset,
            **_sizes(evaluator),
            "protocol": dataclasses.asdict(evaluator.protocol),
            "floor": evaluator.floor,
            "max_frames": evaluator.max_frames,
            "parameters": sum(weight.numel() for weight in evaluator.network.parameters()),
            "fingerprint": evaluator.fingerprint,
            "shards": save_shards(evaluator.network, temporary, "evaluator", half),
            "provenance": provenance or {},
        }
        for path in vocabulary:
            shutil.copyfile(path, temporary / path.name)
        if isinstance(evaluator, InterXPairEvaluator) and evaluator.vectors is not None:
            _save_words(evaluator.vectors, temporary)
        write_json(temporary / CONFIG, content)
    return folder


def load_evaluator(
    folder: str | Path,
    device: str | torch.device = "auto",
    *,
    text_source: Path | None = None,
    data: Sequence[Path] = (),
) -> NetworkEvaluator:
    """An evaluator out of its folder, or out of the run that trained it (its best checkpoint).

    Args:
        folder: of either kind.
        device: where its networks run.
        text_source: folder with the files of a text encoder (of CLIP the vocabulary is enough for
            InterCLIP). One that holds another encoder's is passed over, so that a model and its
            evaluator can be given the same.
        data: copies of Inter-X, whose captions its evaluator reads with their parts of speech.

    Raises:
        UserError: the folder is something else, of a newer schema, or has missing, unknown or
            wrong weights; the entry or file is named.
        FileNotFoundError: a file of the text encoder is missing.
    """
    folder = Path(folder)
    content = read_evaluator_config(folder)
    on = select_device(device) if isinstance(device, str) else device
    if content["kind"] == RUN_KIND:
        return _load_run(folder, content, on, text_source)
    try:
        evaluator = _LOADERS[content["network"]](folder, content, on, text_source)
    except (KeyError, ValueError, TypeError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{folder / CONFIG} is not a usable configuration: {error}") from error
    if isinstance(evaluator, InterXPairEvaluator):
        evaluator = replace(evaluator, tagged=_tagged(data))
    if evaluator.fingerprint != content.get("fingerprint"):
        raise UserError(
            f"the weights in {folder} are not those that were saved: their hash is "
            f"{evaluator.fingerprint[:12]}..., {CONFIG} says "
            f"{str(content.get('fingerprint'))[:12]}...; make the folder again"
        )
    return evaluator


def read_evaluator_config(folder: Path) -> dict[str, Any]:
    """The checked configuration file of an evaluator's folder or run.

    Raises:
        UserError: the folder is neither.
    """
    path = folder / CONFIG
    expected = (
        "expected the folder of an evaluator (intermask import-evaluator) or the run of one "
        "(intermask train evaluator)"
    )
    if not folder.is_dir():
        raise UserError(f"there is no folder {str(folder)!r}; {expected}")
    if not path.is_file():
        raise UserError(f"{folder} has no {CONFIG}; {expected}")
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    kind = content.get("kind") if isinstance(content, dict) else None
    if kind == "intermask-bundle":
        raise UserError(f"{folder} is a bundle, a model that makes motion; {expected}")
    if kind == RUN_KIND and content.get("stage") != "evaluator":
        raise UserError(f"{folder} is the run of a {content.get('stage')}; {expected}")
    if kind not in (KIND, RUN_KIND):
        raise UserError(f"{path} was written by something else; {expected}")
    if content.get("schema_version", 0) > SCHEMA_VERSION:
        raise UserError(
            f"{folder} has schema version {content['schema_version']}, this program reads up to "
            f"{SCHEMA_VERSION}; update intermask"
        )
    return dict(content)


def _sizes(evaluator: NetworkEvaluator) -> dict[str, Any]:
    network = evaluator.network
    if isinstance(network, InterClip):
        return {"network": "interclip", "sizes": dataclasses.asdict(network.config)}
    if isinstance(network, InterXEvaluator):
        return {"network": "interx", "sizes": dataclasses.asdict(network.config)}
    if isinstance(network, ContrastiveEvaluator):
        sizes, text = to_dict(network.config), to_dict(network.text)
        return {"network": "contrastive", "sizes": sizes, "text": text}
    raise TypeError(f"{type(network).__name__} is no network of an evaluator")


def _load_interclip(
    folder: Path, content: dict[str, Any], device: torch.device, text_source: Path | None
) -> NetworkEvaluator:
    tokenizer = _vocabulary(folder, text_source)
    network = InterClip(InterClipConfig(**content["sizes"]), tokenizer)
    if tokenizer is not None and tokenizer.vocabulary_size > network.config.vocabulary:
        raise UserError(
            f"CLIP's vocabulary has {tokenizer.vocabulary_size} ids, the evaluator in {folder} "
            f"only {network.config.vocabulary}; give the one it was made with"
        )
    _fill(network, folder, content)
    return InterClipEvaluator(network=network, device=device, **_facts(content))


def _load_interx(
    folder: Path, content: dict[str, Any], device: torch.device, text_source: Path | None
) -> NetworkEvaluator:
    network = InterXEvaluator(InterXEvaluatorConfig(**content["sizes"]))
    _fill(network, folder, content)
    facts = _facts(content)
    del facts["max_frames"]  # a size of the network
    return InterXPairEvaluator(network=network, device=device, vectors=_load_words(folder), **facts)


def _load_contrastive(
    folder: Path, content: dict[str, Any], device: torch.device, text_source: Path | None
) -> NetworkEvaluator:
    sizes = from_dict(EvaluatorConfig, content["sizes"])
    network = ContrastiveEvaluator(sizes, from_dict(TextConfig, content["text"]))
    _fill(network, folder, content)
    return _with_text(network, device, text_source, _facts(content))


_LOADERS = {
    "interclip": _load_interclip,
    "interx": _load_interx,
    "contrastive": _load_contrastive,
}


def _load_run(
    folder: Path, content: dict[str, Any], device: torch.device, text_source: Path | None
) -> TrainedEvaluator:
    training = from_dict(EvaluatorTraining, content["training"])
    network = ContrastiveEvaluator(training.model, training.text)
    load_exactly(network, checkpoint.load(best_or_last(folder))["model"], str(folder))
    facts = {
        "name": folder.resolve().name,
        "protocol": protocol_of(training),
        "floor": training.floor,
        "max_frames": training.max_frames,
    }
    return _with_text(network, device, text_source, facts)


def _with_text(
    network: ContrastiveEvaluator,
    device: torch.device,
    text_source: Path | None,
    facts: dict[str, Any],
) -> TrainedEvaluator:
    source = _with_files_of(network.text.encoder, text_source)
    encoder = load_text_encoder(network.text.encoder, source)
    check_text_width(network.text, encoder)
    read = FrozenText(encoder.to(device), device)
    return TrainedEvaluator(network=network, device=device, read=read, **facts)


def _facts(content: dict[str, Any]) -> dict[str, Any]:
    """What every kind of evaluator says of itself."""
    return {
        "name": content["name"],
        "protocol": metrics.Protocol(**content["protocol"]),
        "floor": content["floor"],
        "max_frames": content["max_frames"],
    }


def _fill(network: nn.Module, folder: Path, content: dict[str, Any]) -> None:
    load_exactly(network, load_shards(folder, content["shards"]), str(folder))


def _vocabulary(folder: Path, text_source: Path | None) -> ClipTokenizer | None:
    """CLIP's, beside the weights, where it was asked for, or where it is installed."""
    if all((folder / name).is_file() for name in VOCABULARY):
        return ClipTokenizer.load(*find_vocabulary(folder))
    try:
        return ClipTokenizer.load(*find_vocabulary(_with_files_of("clip", text_source)))
    except (FileNotFoundError, MissingExtra):
        return None  # motions can still be embedded


def _with_files_of(encoder: str, text_source: Path | None) -> Path | None:
    """The folder, if it has files of this encoder."""
    wanted = VOCABULARY if encoder == "clip" else minilm.FILES
    if text_source is None or not all((text_source / name).is_file() for name in wanted):
        return None
    return text_source


def _save_words(vectors: WordVectors, folder: Path) -> None:
    words = sorted(vectors.vectors)
    table = torch.stack([vectors.vectors[word] for word in words])
    path = folder / f"{WORDS}.safetensors"
    save_file({"vectors": table}, path)
    path.chmod(0o644)  # safetensors makes private files
    write_json(folder / f"{WORDS}.json", {"words": words, "longest": vectors.longest})


def _load_words(folder: Path) -> WordVectors | None:
    listed, stored = folder / f"{WORDS}.json", folder / f"{WORDS}.safetensors"
    if not listed.is_file() and not stored.is_file():
        return None
    try:
        content, table = json.loads(listed.read_text("utf-8")), load_file(stored)["vectors"]
        pairs = dict(zip(content["words"], table, strict=True))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise UserError(f"{listed} and {stored.name} are damaged: {error}") from error
    return WordVectors(pairs, content["longest"])


def _tagged(data: Sequence[Path]) -> TaggedCaptions:
    """Captions of all splits of copies of Inter-X."""
    known = {}
    for root in data:
        if not is_interx(root):
            continue
        released = InterXFolder(root)
        for split in SPLITS:
            for name in released.names(split) if released.has_list(split) else ():
                for line in released.caption_lines(name):
                    known[line.text] = line.words
    return TaggedCaptions(known)
